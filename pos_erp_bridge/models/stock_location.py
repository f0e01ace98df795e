# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models


class StockLocation(models.Model):
    _inherit = "stock.location"

    bridge_label = fields.Char("Place", compute="_compute_bridge_label", compute_sudo=True)
    bridge_free = fields.Float("Free there", compute="_compute_bridge_free", digits="Product Unit", compute_sudo=True)

    @api.depends("complete_name", "warehouse_id.name")
    def _compute_bridge_label(self):
        for place in self:
            place.bridge_label = place._bridge_label()

    def _bridge_label(self):
        """What people call it: the stock of a warehouse by the warehouse's name."""
        warehouse = self.sudo().warehouse_id
        return warehouse.name if self == warehouse.lot_stock_id else self.display_name

    @api.depends_context("bridge_shortage_id")
    def _compute_bridge_free(self):
        """Of the product of the shortage in the context."""
        row = self.env["bridge.shortage"].browse(self.env.context.get("bridge_shortage_id")).exists()
        for place in self:
            found = row and self.env["bridge.availability"]._available(place, row.product_id)
            place.bridge_free = found.get(row.product_id.id, 0.0) if found else 0.0

    def action_bridge_deliver(self):
        """Button beside a place that has what is missing in the shortage in the context."""
        self.ensure_one()
        return self.env["bridge.shortage"].browse(self.env.context.get("bridge_shortage_id"))._from_place(self)
