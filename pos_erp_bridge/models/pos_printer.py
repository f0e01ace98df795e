# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models
from odoo.exceptions import ValidationError

USUAL_WIDTH = 576  # dots: 80 mm paper at 203 dpi


class PosPrinter(models.Model):
    _inherit = "pos.printer"
    _check_company_auto = True

    printer_type = fields.Selection(
        selection_add=[("bridge", "Use a printer behind the hardware proxy")], ondelete={"bridge": "set default"}
    )
    bridge_proxy_id = fields.Many2one(
        "bridge.hardware.proxy", "Hardware proxy", check_company=True, index="btree_not_null", ondelete="restrict"
    )
    bridge_printer = fields.Char(
        "Proxy's printer", help="Its name, as the proxy tells. Empty: the first kitchen printer."
    )
    bridge_width = fields.Integer("Width in dots", compute="_compute_bridge_width")

    @api.depends("bridge_proxy_id.printers", "bridge_printer")
    def _compute_bridge_width(self):
        for printer in self:
            told = printer.sudo().bridge_proxy_id.printers or []
            name = printer.bridge_printer
            mine = (row for row in told if (row["name"] == name if name else row["role"] == "kitchen"))
            printer.bridge_width = next(mine, {"width": USUAL_WIDTH})["width"]

    @api.constrains("printer_type", "bridge_proxy_id")
    def _check_bridge_proxy(self):
        for printer in self:
            if printer.printer_type == "bridge" and not printer.bridge_proxy_id:
                raise ValidationError(self.env._("Choose the hardware proxy behind which %s is.", printer.name))

    @api.model
    def _load_pos_data_fields(self, config):
        return [*super()._load_pos_data_fields(config), "bridge_proxy_id", "bridge_printer", "bridge_width"]
