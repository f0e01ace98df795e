# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models
from odoo.exceptions import UserError


class PosOrder(models.Model):
    _inherit = "pos.order"

    bridge_channel_id = fields.Many2one("bridge.channel", "Channel", readonly=True, copy=False, ondelete="restrict")
    bridge_external_id = fields.Char("Id at the channel", readonly=True, copy=False)
    bridge_business_date = fields.Date("Business day", readonly=True, copy=False)
    bridge_kind = fields.Selection(
        [("receipt", "Receipt"), ("reversal", "Reversal"), ("replacement", "Replacement")], "Document",
        readonly=True, copy=False,
        help="Reversal: takes back a document whose receipt was voided or changed.\n"
        "Replacement: the receipt as it is after a change.",
    )  # fmt: skip
    bridge_corrects_id = fields.Many2one(
        "pos.order", "Corrects", readonly=True, copy=False, index="btree_not_null", ondelete="restrict",
        help="The document this one takes back or replaces.",
    )  # fmt: skip
    bridge_is_unlinked_return = fields.Boolean(
        "Return without receipt", readonly=True, copy=False, help="The till, or we, do not know the receipt given back."
    )
    bridge_source = fields.Json(
        readonly=True, copy=False, help="What the receipt itself says, by rate and means of payment."
    )
    bridge_fingerprint = fields.Char(readonly=True, copy=False)
    bridge_picking_ids = fields.Many2many(
        "stock.picking", "bridge_pos_order_picking_rel", "order_id", "picking_id", "Stock booked together",
        readonly=True, copy=False, help="One transfer moves the goods of many receipts of a store.",
    )  # fmt: skip

    _bridge_external_index = models.Index("(bridge_channel_id, bridge_external_id) WHERE bridge_channel_id IS NOT NULL")

    def exists(self):
        """Orders created a line above exist: Odoo asks again for every line of every order it creates."""
        return self if self.env.context.get("bridge_new_orders") else super().exists()

    @api.depends("bridge_picking_ids")
    def _compute_picking_count(self):
        super()._compute_picking_count()
        for order in self.filtered("bridge_picking_ids"):
            pickings = order.picking_ids | order.bridge_picking_ids
            order.picking_count = len(pickings)
            order.failed_pickings = any(picking.state != "done" for picking in pickings)

    def action_stock_picking(self):
        action = super().action_stock_picking()
        if self.bridge_picking_ids:
            action["domain"] = [("id", "in", (self.picking_ids | self.bridge_picking_ids).ids)]
        return action

    def _get_valid_session(self, order):
        """An order of Odoo's own till never goes into the session of a connected one."""
        session = super()._get_valid_session(order)
        if session.bridge_store_id:
            session = session.search(
                [
                    ("state", "not in", ("closed", "closing_control")),
                    ("config_id", "=", session.config_id.id),
                    ("bridge_store_id", "=", False),
                ],
                limit=1,
            )
            if not session:
                raise UserError(
                    self.env._("No open session available. Please open a new session to capture the order.")
                )
        return session


class PosOrderLine(models.Model):
    _inherit = "pos.order.line"

    bridge_line_ref = fields.Char("Line at the channel", readonly=True, copy=False)
