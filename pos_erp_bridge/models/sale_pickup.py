# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Orders picked up in a store: kept until the pickup day, then somebody is asked. Nothing is cancelled by itself."""

from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError


class SaleOrder(models.Model):
    _inherit = "sale.order"

    bridge_pickup_until = fields.Date(
        "Keep until",
        compute="_compute_bridge_pickup_until",
        store=True,
        readonly=False,
        copy=False,
        help="The last day the goods are kept for the customer; later if you like.",
    )
    bridge_pickup_asked = fields.Date(readonly=True, copy=False, help="The day somebody was asked about last.")
    bridge_is_pickup_overdue = fields.Boolean("Not picked up", compute="_compute_bridge_is_pickup_overdue")

    @api.depends("bridge_is_pickup", "bridge_channel_id", "date_order")
    def _compute_bridge_pickup_until(self):
        for order in self:
            channel = order.sudo().bridge_channel_id
            if order.bridge_is_pickup and channel and order.date_order:
                day = fields.Datetime.context_timestamp(
                    order.with_context(tz=channel.timezone), order.date_order
                ).date()
                order.bridge_pickup_until = day + timedelta(days=channel.pickup_days)
            else:
                order.bridge_pickup_until = False

    @api.depends("bridge_is_pickup", "bridge_pickup_until", "state", "delivery_status")
    def _compute_bridge_is_pickup_overdue(self):
        today = fields.Date.context_today(self)
        for order in self:
            order.bridge_is_pickup_overdue = bool(
                order.bridge_is_pickup
                and order.state == "sale"
                and order.delivery_status != "full"
                and order.bridge_pickup_until
                and order.bridge_pickup_until < today
            )

    @api.model
    def _cron_bridge_pickups(self):
        """Ask about every pickup that is overdue, once per day it was to be kept until."""
        today = fields.Date.context_today(self.with_context(tz=self.env.context.get("tz") or "Asia/Tokyo"))
        orders = self.search(
            [
                ("bridge_is_pickup", "=", True), ("state", "=", "sale"), ("delivery_status", "!=", "full"),
                ("bridge_pickup_until", "<", today),
            ]
        )  # fmt: skip
        for order in orders.filtered(lambda o: o.bridge_pickup_asked != o.bridge_pickup_until):
            user = order.user_id or order.bridge_channel_id.create_uid
            speaking = order.with_context(lang=user.lang)
            order._bridge_alert(
                speaking.env._("Not picked up"),
                speaking.env._(
                    "The goods were kept until %(day)s. Ask the customer; keep them longer, or return them to stock.",
                    day=order.bridge_pickup_until,
                ),
            )
            order.bridge_pickup_asked = order.bridge_pickup_until

    def action_bridge_return_pickup(self):
        """Nobody picked it up: the goods are free again, the order is cancelled."""
        self.ensure_one()
        self.check_access("write")
        if not self.bridge_is_pickup or self.state != "sale":
            raise UserError(self.env._("Only a confirmed order that is to be picked up can be returned to stock."))
        if self.sudo()._bridge_is_sent():
            raise UserError(self.env._("Part of it was picked up already. Return or cancel the rest by its delivery."))
        order = self.sudo()
        order.action_unlock()
        order._action_cancel()
        text = self.env._("Not picked up until %s: cancelled, the goods are back in stock.", self.bridge_pickup_until)
        order.message_post(body=text)
        if order.bridge_channel_id:
            order._bridge_alert(self.env._("Cancel and refund in the web store"), text)
        return True
