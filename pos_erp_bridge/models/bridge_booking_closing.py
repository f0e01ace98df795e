# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import models

from ..booking import Missing, Outcome, Plan


class BridgeBookingClosing(models.AbstractModel):
    """The till's own end of day. It is noted with the business day; the day is then closed in a transaction of its
    own, as soon as everything of it is booked."""

    _name = "bridge.booking.closing"
    _inherit = "bridge.booking"
    _description = "Booking of closing reports"

    def _plan(self, channel, items):
        stores = {store.external_id: store for store in channel.store_ids}
        return {item: self._plan_one(channel, item, stores.get(item.record.store_id)) for item in items}

    def _plan_one(self, channel, item, store):
        record = item.record
        if record.business_date < channel.start_date:
            message = self.env._("Closing of %(day)s; the channel books from %(start)s on.",
                                 day=record.business_date, start=channel.start_date)  # fmt: skip
            return Outcome("skipped", "ignored", message=message)
        if not store or not store._is_ready():
            name = self.env._(
                "Store %s has no stock location or point of sale yet", store.name if store else record.store_id
            )
            return Outcome("waiting", missing=(Missing("store", record.store_id, name),), message=name)
        return Plan(store, "bridge.closing", record.total)

    def _execute(self, channel, plans):
        outcomes = {}
        for item, plan in plans.items():
            closing = self.env["bridge.closing"]._of_day(plan.vals, item.record.business_date)
            outcomes[item] = closing._note_report(item.event, item.record)
        channel._wake("poll")
        return outcomes
