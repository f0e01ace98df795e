# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import fields, models


class BridgeHoldOffer(models.TransientModel):
    """A quotation wanted more than there is: hold what there is, or nothing?"""

    _name = "bridge.hold.offer"
    _description = "Not everything can be held"

    order_id = fields.Many2one("sale.order", required=True, ondelete="cascade", readonly=True)
    text = fields.Text("What is short", readonly=True)

    def action_hold_partial(self):
        self.ensure_one()
        return self.order_id.action_bridge_hold_partial()
