# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import fields, models


class BridgeChannel(models.Model):
    _inherit = "bridge.channel"

    pickup_days = fields.Integer(
        "Keep pickups for … days",
        default=7,
        help="Orders to be picked up are kept for so long; after that somebody is asked what to do with them.",
    )
    shortage_count = fields.Integer("Shortages", compute="_compute_shortage_count")

    _pickup_days_positive = models.Constraint("CHECK(pickup_days >= 0)", "Pickups cannot be kept for less than a day.")

    def _compute_shortage_count(self):
        counts = self._counts("bridge.shortage", [("state", "=", "open"), ("decision", "=", False)])
        for channel in self:
            channel.shortage_count = counts.get(channel.id, 0)

    def action_open_shortages(self):
        return self._open("bridge_shortage_action", undecided=True)
