# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models


class SaleOrderLine(models.Model):
    _inherit = "sale.order.line"

    bridge_is_sold_out = fields.Boolean("Sold out", compute="_compute_bridge_is_sold_out")

    @api.depends("product_id", "product_uom_qty", "product_uom_id", "order_id.warehouse_id", "state")
    def _compute_bridge_is_sold_out(self):
        """Whether less can be sold at the order's warehouse than the line of a quotation wants; what is promised to
        the line itself is its own."""
        self.bridge_is_sold_out = False
        lines = self.filtered(lambda line: line.state in ("draft", "sent") and line.product_id.is_storable)
        promised = dict(
            self.env["bridge.hold"]
            .sudo()
            ._read_group(
                [("sale_line_id", "in", lines.ids), ("state", "=", "active"), ("source", "=", "hand")],
                ["sale_line_id"],
                ["quantity:sum"],
            )
        )
        for place in {line.order_id._bridge_place() for line in lines if line.order_id._bridge_place()}:
            there = lines.filtered(lambda line, place=place: line.order_id._bridge_place() == place)
            free = self.env["bridge.availability"]._available(place, there.product_id)
            for line in there:
                product = line.product_id
                unit = line.product_uom_id or product.uom_id
                wanted = unit._compute_quantity(line.product_uom_qty, product.uom_id)
                available = free.get(product.id, 0.0) + promised.get(line._origin, 0.0)
                line.bridge_is_sold_out = product.uom_id.compare(available, wanted) < 0

    def action_bridge_substitutes(self):
        """Open what to take instead of a line's product."""
        self.ensure_one()
        wizard = self.env["bridge.substitute.wizard"]._open(self)
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Sold out: what to take instead"),
            "res_model": wizard._name,
            "res_id": wizard.id,
            "view_mode": "form",
            "target": "new",
        }

    def _bridge_may_replace_product(self):
        """A quotation's line may; not what a customer paid for in a web store, nor a part of a bundle."""
        return (
            self.state in ("draft", "sent")
            and self.product_updatable
            and not self.order_id.bridge_channel_id
            and not self.combo_item_id
        )

    def _bridge_replace_product(self, product):
        """Another product on the line: same quantity, its own name, price and taxes."""
        self.ensure_one()
        quantity, unit = self.product_uom_qty, self.product_uom_id
        if unit != product.uom_id and unit in product.uom_id | product.uom_ids:
            self.write({"product_id": product.id, "product_uom_id": unit.id, "product_uom_qty": quantity})
        else:
            base = unit._compute_quantity(quantity, self.product_id.uom_id)
            self.write({"product_id": product.id, "product_uom_id": product.uom_id.id, "product_uom_qty": base})


class SaleOrder(models.Model):
    _inherit = "sale.order"

    def _bridge_place(self):
        """Where the goods of the order are taken from."""
        return self.bridge_store_id.sudo().location_id or self.warehouse_id.sudo().lot_stock_id
