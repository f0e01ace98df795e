# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import fields, models

from ..booking import Missing, Outcome, Plan


class AccountBankStatementLine(models.Model):
    _inherit = "account.bank.statement.line"

    bridge_reverses_id = fields.Many2one(
        "account.bank.statement.line", "Takes back", readonly=True, copy=False, index="btree_not_null"
    )


class BridgeBookingCash(models.AbstractModel):
    """Money put into or taken out of a drawer: a cash in/out of the business day's session, as on Odoo's own till."""

    _name = "bridge.booking.cash"
    _inherit = "bridge.booking"
    _description = "Booking of cash in and out"

    _entity = "cash"

    def _plan(self, channel, items):
        stores = {store.external_id: store for store in channel.store_ids}
        return {item: self._plan_one(channel, item, stores.get(item.record.store_id)) for item in items}

    def _plan_one(self, channel, item, store):
        record, current = item.record, self._current(item)
        if record.state == "void" and not current:
            message = self.env._("Voided before it was booked.")
            return Outcome("done", "ignored", record=item.event, message=message, entity=self._entity)
        if not current and record.business_date < channel.start_date:
            message = self.env._("Moved on %(day)s; the channel books from %(start)s on.",
                                 day=record.business_date, start=channel.start_date)  # fmt: skip
            return Outcome("skipped", "ignored", message=message)
        if not store or not store._is_ready():
            name = self.env._(
                "Store %s has no stock location or point of sale yet", store.name if store else record.store_id
            )
            return Outcome("waiting", missing=(Missing("store", record.store_id, name),), message=name)
        if not store.pos_config_id.payment_method_ids.filtered("is_cash_count"):
            message = self.env._("%s has no cash payment method: add one, then retry.", store.pos_config_id.name)
            return Outcome("blocked", message=message)
        return Plan((store, current), "account.bank.statement.line", record.amount)

    def _current(self, item):
        record = item.binding._record() if item.binding else None
        if record is None or record._name != "account.bank.statement.line" or record.bridge_reverses_id:
            return self.env["account.bank.statement.line"]
        return record

    def _execute(self, channel, plans):
        keys = {}
        for item, plan in plans.items():
            store, current = plan.vals
            keys[item, "new"] = store, item.record.business_date
            if current:
                keys[item, "back"] = current.pos_session_id.bridge_store_id, current.pos_session_id.bridge_business_date
        sessions = self.env["pos.session"]._bridge_sessions(keys.values())
        outcomes = {}
        for item, plan in plans.items():
            _store, current = plan.vals
            line = self.env["account.bank.statement.line"]
            if current:
                line = self._move(sessions[keys[item, "back"]], -current.amount, current.payment_ref, current)
            if item.record.state != "void" and item.record.amount:
                line = self._move(sessions[keys[item, "new"]], float(item.record.amount), item.record.reason)
            outcomes[item] = Outcome(
                "done", "corrected" if current else "created" if line else "ignored", record=line or item.event,
                message="" if line else self.env._("No money moved."), entity=self._entity,
            )  # fmt: skip
        return outcomes

    def _move(self, session, amount, reason, reverses=None):
        session._bridge_take_numbers(0)
        kind = self.env._("in") if amount > 0 else self.env._("out")
        return (
            self.env["account.bank.statement.line"]
            .with_context(no_retrieve_partner=True)
            .create(
                {
                    "pos_session_id": session.id,
                    "journal_id": session.cash_journal_id.id,
                    "amount": amount,
                    "date": session._bridge_accounting_date(),
                    "payment_ref": "-".join(filter(None, (session.name, kind, reason))) if not reverses else reason,
                    "bridge_reverses_id": reverses.id if reverses else False,
                }
            )
        )
