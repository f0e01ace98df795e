# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import fields, models


class ProductTemplate(models.Model):
    _inherit = "product.template"

    bridge_alternative_ids = fields.Many2many(
        "product.template",
        "bridge_product_alternative_rel",
        "product_tmpl_id",
        "alternative_id",
        "Alternatives",
        check_company=True,
        help="Offered at the till and on sales orders when this product is sold out in every size and colour.",
    )

    def get_product_info_pos(self, price, quantity, pos_config_id, product_variant_id=False):
        """Odoo's product info, with the stock of other stores and what to take instead (key "bridge")."""
        info = super().get_product_info_pos(price, quantity, pos_config_id, product_variant_id)
        config = self.env["pos.config"].browse(pos_config_id)
        product = self.env["product.product"].browse(product_variant_id) or self.product_variant_id
        info["bridge"] = config.bridge_product_info(product.id) if product else False
        return info
