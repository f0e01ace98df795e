# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..locks import BOOK_SESSIONS


class PosSession(models.Model):
    """Sessions of connected tills: one per store and business day, and one more for what arrives after it closed.

    They are ``rescue`` sessions to Odoo: nobody sells in them from a screen, several may be open side by side,
    and Odoo's own till on another point of sale is not disturbed.
    """

    _inherit = "pos.session"

    bridge_store_id = fields.Many2one(
        "bridge.store", "Connected store", readonly=True, ondelete="restrict", index="btree_not_null"
    )
    bridge_business_date = fields.Date("Business day", readonly=True)
    bridge_is_correction = fields.Boolean(
        "Correction", readonly=True, help="Books what arrived after the business day was closed."
    )
    bridge_last_number = fields.Integer(readonly=True, help="Number of the last document booked in the session.")

    # A day has one session of its own for good, and at most one open for corrections.
    _bridge_day_uniq = models.UniqueIndex(
        "(bridge_store_id, bridge_business_date) WHERE bridge_is_correction IS NOT TRUE",
        "The business day of this store has its session already.",
    )
    _bridge_correction_uniq = models.UniqueIndex(
        "(bridge_store_id, bridge_business_date) WHERE bridge_is_correction AND state != 'closed'",
        "The business day of this store has an open correction session already.",
    )

    # -- finding -----------------------------------------------------------------------------------
    @api.model
    def _bridge_sessions(self, keys):
        """The session to book in, for each (store, business day); opened where there is none.

        :param keys: iterable of (bridge.store, date)
        :return: {(store, date): pos.session}
        """
        keys = list(dict.fromkeys(keys))
        stores = self.env["bridge.store"].union(*(store for store, _day in keys))
        known = self.search(
            [("bridge_store_id", "in", stores.ids), ("bridge_business_date", "in", [day for _store, day in keys])]
        )
        result = {}
        for store, day in keys:
            of_day = known.filtered(
                lambda s, store=store, day=day: (s.bridge_store_id, s.bridge_business_date) == (store, day)
            )
            is_open = of_day.filtered(lambda s: s.state in ("opening_control", "opened"))
            own = of_day.filtered(lambda s: not s.bridge_is_correction)
            result[store, day] = (
                (is_open & own)
                or is_open[:1]
                or self._bridge_open(store, day, len(of_day), bool(own) or store._is_day_closed(day))
            )
        return result

    @api.model
    def _bridge_open(self, store, day, number, is_correction):
        config = store.pos_config_id
        violated = store.company_id._get_violated_lock_dates(day, True, config.journal_id)
        is_correction = is_correction or bool(violated)
        name = f"{config.name}/{day}"
        if is_correction:
            name = self.env._("%(day)s correction %(number)s", day=name, number=number or 1)
        session = self.sudo().create(
            {
                "config_id": config.id,
                "user_id": self.env.uid,
                "rescue": True,
                "bridge_store_id": store.id,
                "bridge_business_date": day,
                "bridge_is_correction": is_correction,
            }
        )
        start = (
            fields.Datetime.now() if is_correction else store.channel_id._local_midnight(day, store.channel_id.timezone)
        )
        session.write({"name": name, "state": "opened", "start_at": start, "update_stock_at_closing": False})
        self.env["bridge.closing"]._start(session, number if is_correction else 0)
        return session

    def _bridge_take_numbers(self, count):
        """First of ``count`` consecutive numbers for documents of the session.

        The row is written on purpose: a session that is being closed at the same time makes either this or the
        closing start over, so no document is left out of the entry of its session.
        """
        self.ensure_one()
        self.flush_recordset(["bridge_last_number", "state"])
        self.env.cr.execute(BOOK_SESSIONS, [count, self.id])
        (last,) = self.env.cr.fetchone() or (None,)
        if last is None:
            raise UserError(self.env._("Session %s is closed.", self.name))
        self.invalidate_recordset(["bridge_last_number"])
        return last - count + 1

    # -- closing -----------------------------------------------------------------------------------
    def action_pos_session_closing_control(self, *args, **kwargs):
        bridged = self.filtered("bridge_store_id")
        if bridged:
            return bridged._bridge_closing()._close_by_hand()
        return super().action_pos_session_closing_control(*args, **kwargs)

    def _bridge_closing(self):
        return self.env["bridge.closing"].sudo().search([("session_id", "in", self.ids)])

    def _bridge_close(self):
        """Close natively. The drawer is the till's business: Odoo only books what moved, so nothing differs."""
        self.ensure_one()
        now = fields.Datetime.now()
        self.write({"state": "closing_control", "stop_at": now})
        self.invalidate_recordset(["cash_register_balance_end", "cash_register_difference"])
        self.cash_register_balance_end_real = self.cash_register_balance_end
        # "Today" is the store's: an entry dated tomorrow would wait to be posted.
        session = self.with_context(
            bridge_accounting_date=self._bridge_accounting_date(), tz=self.bridge_store_id.channel_id.timezone
        )
        result = session._validate_session()
        if isinstance(result, dict):
            raise UserError(self.env._("Odoo wants to close %s by hand: its entry does not balance.", self.name))

    def _bridge_accounting_date(self):
        """The business day, or the first day after it that is not locked."""
        violated = self.company_id._get_violated_lock_dates(self.bridge_business_date, True, self.config_id.journal_id)
        return violated[-1][0] + timedelta(days=1) if violated else self.bridge_business_date

    def _create_account_move(self, *args, **kwargs):
        data = super()._create_account_move(*args, **kwargs)
        if self.bridge_store_id:
            self.move_id.date = self.env.context.get("bridge_accounting_date") or self.bridge_business_date
            # Raises: the entry is not posted and everything of this closing is undone.
            self._bridge_closing()._check_entry()
        return data

    def _get_combine_statement_line_vals(self, journal, amount, payment_method):
        vals = super()._get_combine_statement_line_vals(journal, amount, payment_method)
        return self._bridge_dated(vals)

    def _get_split_statement_line_vals(self, journal, amount, payment):
        vals = super()._get_split_statement_line_vals(journal, amount, payment)
        return self._bridge_dated(vals)

    def _bridge_dated(self, vals):
        if self.bridge_store_id:
            vals["date"] = self.env.context.get("bridge_accounting_date") or self.bridge_business_date
        return vals
