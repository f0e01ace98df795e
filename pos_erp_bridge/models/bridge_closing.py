# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import json
import logging
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..booking import Outcome
from ..connectors import base
from ..fiscal.till_amounts import ZERO, add_up, plain
from ..locks import CLOSE_SESSION
from .bridge_inbound import CONCURRENCY_ERRORS
from .bridge_poll import MASTER_DATA

_logger = logging.getLogger(__name__)

# With more facts of a channel than this unread, no day of it is closed: which days they belong to is not looked up.
BACKLOG = 500
BLOCKED_PAUSE = timedelta(hours=1)


class BridgeClosing(models.Model):
    """A business day of a store, as people look at it: what the till says, what is booked, and whether it is closed.

    Every session has one. What arrives after the day is closed gets a correction session, and so a further row.
    """

    _name = "bridge.closing"
    _description = "Business day"
    _order = "business_date desc, store_id, correction"
    _rec_names_search = ["store_id"]

    channel_id = fields.Many2one("bridge.channel", required=True, readonly=True, ondelete="cascade", index=True)
    company_id = fields.Many2one(related="channel_id.company_id", store=True, index=True)
    currency_id = fields.Many2one(related="company_id.currency_id")
    store_id = fields.Many2one("bridge.store", required=True, readonly=True, ondelete="restrict")
    business_date = fields.Date("Business day", required=True, readonly=True)
    correction = fields.Integer(readonly=True, help="0: the day itself. 1, 2, …: what arrived after it was closed.")
    session_id = fields.Many2one("pos.session", readonly=True, index="btree_not_null", ondelete="restrict")
    move_id = fields.Many2one(related="session_id.move_id")
    state = fields.Selection(
        [("open", "Not closed"), ("waiting", "Waiting"), ("blocked", "Differs"), ("closed", "Closed")],
        default="open", required=True, readonly=True,
    )  # fmt: skip
    message = fields.Text("Reason", readonly=True)
    reports = fields.Json(readonly=True, help="Closing reports of the tills, by their id.")
    reported_total = fields.Monetary("Total of the till", readonly=True)
    has_report = fields.Boolean("Till closed its day", readonly=True)
    expected = fields.Json(readonly=True, help="What the receipts say, by tax rate and means of payment.")
    booked = fields.Json(readonly=True, help="What the journal entry says.")
    total = fields.Monetary("Total booked", readonly=True)
    closed_at = fields.Datetime(readonly=True)

    _day_uniq = models.Constraint(
        "UNIQUE(store_id, business_date, correction)", "The business day of this store is there already."
    )
    _open_index = models.Index("(channel_id) WHERE state != 'closed'")

    @api.depends("store_id", "business_date", "correction")
    def _compute_display_name(self):
        for closing in self:
            name = f"{closing.store_id.name} {closing.business_date}"
            closing.display_name = f"{name} / {closing.correction}" if closing.correction else name

    # -- beginning ---------------------------------------------------------------------------------
    @api.model
    def _start(self, session, correction):
        store = session.bridge_store_id
        if not correction:
            existing = self._find(store, session.bridge_business_date)
            if existing:
                existing.session_id = session
                return existing
        return self.create(
            {
                "channel_id": store.channel_id.id,
                "store_id": store.id,
                "business_date": session.bridge_business_date,
                "correction": correction,
                "session_id": session.id,
            }
        )

    @api.model
    def _reopen(self, sessions):
        """Something new was booked: days that differed are judged again."""
        self.search([("session_id", "in", sessions.ids), ("state", "=", "blocked")]).write({"state": "open"})

    def _find(self, store, day):
        return self.search([("store_id", "=", store.id), ("business_date", "=", day), ("correction", "=", 0)])

    @api.model
    def _of_day(self, store, day):
        """The row of the day itself; made when nothing was sold on it yet."""
        return self._find(store, day) or self.create(
            {"channel_id": store.channel_id.id, "store_id": store.id, "business_date": day}
        )

    def _note_report(self, event, record):
        """Keep what a till says about its day; newer versions replace older ones. Several tills each have theirs."""
        reports = dict(self.reports or {})
        known = reports.get(record.external_id)
        if known and known["version"] > event.external_version:
            return Outcome("done", "outdated", record=self)
        reports[record.external_id] = {
            "version": event.external_version,
            "event_id": event.id,
            "total": None if record.total is None else str(record.total),
            "tenders": {t.code: [t.name, str(t.amount)] for t in record.tenders},
            "cash_counted": None if record.cash_counted is None else str(record.cash_counted),
        }
        self.reports = reports
        self.has_report = all(report["total"] is not None or report["tenders"] for report in reports.values())
        self.reported_total = float(sum(Decimal(report["total"] or 0) for report in reports.values()))
        if self.state == "closed":
            differs = self._report_text()
            return Outcome("blocked" if differs else "done", "updated", record=self, message=differs)
        self._judge()
        if self.state == "blocked":
            return Outcome("blocked", record=self, message=self.message)
        return Outcome("done", "updated" if known else "created", record=self, message=self.message or "")

    # -- judging -----------------------------------------------------------------------------------
    def _judge(self, is_forced=False):
        """Say whether the day can be closed: still open, waiting for facts, differing, or (True) ready.

        :param is_forced: a person says that the day is over
        """
        self.ensure_one()
        state, message = "open", ""
        is_said = is_forced or self.has_report
        is_due = is_said or self._is_over()
        if is_due:
            if message := self._unsettled_text(must_be_read=not is_said):
                state = "waiting"
            elif message := self._report_text():
                state = "blocked"
        if (self.state, self.message or "") != (state, message):
            self.write({"state": state, "message": message})
        return is_due and state == "open"

    def _is_over(self):
        """Whether the day is past and the hours of grace are, too; a correction counts from the day it was opened."""
        channel, day = self.channel_id, self.business_date
        if self.correction:
            day = fields.Datetime.context_timestamp(self.with_context(tz=channel.timezone), self.create_date).date()
        end = channel._local_midnight(day + timedelta(days=1), channel.timezone) + timedelta(
            hours=channel.close_after_hours
        )
        return fields.Datetime.now() >= end

    def _unsettled_text(self, must_be_read):
        """Which facts of the day are not settled yet, for people; "" when none is."""
        channel = self.channel_id
        day_end = channel._local_midnight(self.business_date + timedelta(days=1), channel.timezone)
        mark = channel.watermark_ids.filtered(lambda m: m.stream == "sale")
        if must_be_read and mark and (not mark.position or mark.position < day_end):
            return self.env._("The channel was not read to the end of the day yet.")
        events = self.env["bridge.event"].search(
            [
                ("channel_id", "=", channel.id),
                ("state", "in", ("pending", "waiting", "blocked", "failed")),
                ("stream", "not in", (*MASTER_DATA, "stock", "order", "closing")),
            ],
            limit=BACKLOG + 1,
        )
        if len(events) > BACKLOG:
            return self.env._("More than %s facts of the channel are not booked yet.", BACKLOG)
        mine = events.filtered(self._concerns)
        if not mine:
            return ""
        first = mine[-1]
        return self.env._(
            "%(count)s facts of this day are not booked yet, e.g. %(id)s: %(why)s",
            count=len(mine), id=first.external_id, why=first.message or self.env._("in the queue."),
        )  # fmt: skip

    def _concerns(self, event):
        """Whether an unsettled event belongs to this day; one that cannot be read may, when it came about then."""
        if event.is_hint:
            return event.state == "pending"
        try:
            record = self.channel_id._connector().translate(event.stream, json.loads(event.payload))
            day = record.business_date
        except (base.BridgeError, AttributeError, KeyError, TypeError, ValueError):
            received = event.received_at.date()
            return timedelta(days=-1) <= received - self.business_date <= timedelta(days=1)
        return record.store_id == self.store_id.external_id and day == self.business_date

    def _orders_of_day(self):
        """Documents of the day, those in its correction sessions included."""
        return self.env["pos.order"].search(
            [("session_id.bridge_store_id", "=", self.store_id.id), ("bridge_business_date", "=", self.business_date)]
        )

    def _report_text(self):
        """Where the tills' reports and what is booked differ, for people; "" when they agree or there is none."""
        if not self.has_report or self.correction:
            return ""
        reports = list((self.reports or {}).values())
        total, _taxes, tenders = add_up(order.bridge_source for order in self._orders_of_day())
        texts = []
        if all(report["total"] is not None for report in reports):
            said = sum(Decimal(report["total"]) for report in reports)
            if said != total:
                texts.append(self._difference_text(self.env._("Total"), said, total))
        said, names = defaultdict(lambda: ZERO), {}
        for report in reports:
            for code, (name, amount) in report["tenders"].items():
                said[code] += Decimal(amount)
                names[code] = name or code
        texts += [
            self._difference_text(names[code], amount, tenders.get(code, ZERO))
            for code, amount in said.items()
            if amount != tenders.get(code, ZERO)
        ]
        if texts:
            texts.append(
                self.env._("The day stays open. Find the missing or extra receipt, or correct the report, then retry.")
            )
        return "\n".join(texts)

    def _difference_text(self, what, said, booked):
        return self.env._(
            "%(what)s: the till says %(said)s, booked is %(booked)s, a difference of %(gap)s.",
            what=what, said=plain(said), booked=plain(booked), gap=plain(said - booked),
        )  # fmt: skip

    # -- closing -----------------------------------------------------------------------------------
    def action_close(self):
        """Close now, if nothing is in the way; otherwise say what is."""
        self.check_access("write")
        self._close_by_hand()

    def _close_by_hand(self):
        for closing in self.sudo().filtered(lambda c: c.state != "closed"):
            closing._close(is_forced=True)
            if closing.state != "closed":
                raise UserError(closing.message or self.env._("The day cannot be closed yet."))

    def _close(self, is_forced=False):
        """Close the day when it is ready. What hinders is written down, and undone is what was begun."""
        self.ensure_one()
        if not self._judge(is_forced):
            return False
        try:
            with self.env.cr.savepoint():
                if self.session_id:
                    self.env.cr.execute(CLOSE_SESSION, [self.session_id.id])
                    self.session_id.with_company(self.company_id)._bridge_close()
                self.write({"state": "closed", "message": False, "closed_at": fields.Datetime.now()})
        except CONCURRENCY_ERRORS:
            raise
        except Exception as error:
            message = str(error)
            if not isinstance(error, UserError):
                _logger.warning("%s cannot be closed", self.display_name, exc_info=True)
                message = self.env._(
                    "Odoo cannot close the session, probably because an account is missing: %s", message
                )
            self.invalidate_recordset()
            self.write({"state": "blocked", "message": message})
            return False
        self._settle_reports()
        return True

    def _settle_reports(self):
        """Reports that were blocked by a difference which has gone meanwhile are done."""
        events = (
            self.env["bridge.event"].browse([report["event_id"] for report in (self.reports or {}).values()]).exists()
        )
        events.filtered(lambda e: e.state == "blocked").write(
            {"state": "done", "result": "created", "message": False, "done_at": fields.Datetime.now()}
        )

    # -- tie-out -----------------------------------------------------------------------------------
    def _check_entry(self):
        """Compare the entry of the session with its orders and with what the receipts themselves say, to the yen."""
        self.ensure_one()
        orders = self.session_id._get_closed_orders()
        total, taxes, tenders = add_up(order.bridge_source for order in orders)
        said_methods, entry_methods = self._said_by_method(orders), self._entry_by_method()
        entry_rates = self._entry_by_rate()
        texts = []
        booked_total = self._decimal(sum(orders.mapped("amount_total")))
        if total != booked_total:
            texts.append(self._tie_text(self.env._("Total"), total, booked_total))
        entry_total = sum((parts[0] for parts in entry_rates.values()), ZERO)
        if total != entry_total:
            texts.append(self._tie_text(self.env._("Total of the entry"), total, entry_total))
        for rate in sorted({*taxes, *entry_rates}):
            names = self.env._("%s%% with tax", rate), self.env._("Tax of %s%%", rate)
            for what, said, booked in zip(
                names, taxes.get(rate, (ZERO, ZERO)), entry_rates.get(rate, (ZERO, ZERO)), strict=True
            ):
                if said != booked:
                    texts.append(self._tie_text(what, said, booked))
        for method in {*said_methods, *entry_methods}:
            said, booked = said_methods.get(method, ZERO), entry_methods.get(method, ZERO)
            if said != booked:
                texts.append(self._tie_text(method, said, booked))
        if texts:
            raise UserError("\n".join([self.env._("The journal entry does not tie out; nothing was posted."), *texts]))
        self.write(
            {
                "expected": {
                    "total": str(total),
                    "taxes": {rate: [str(gross), str(tax)] for rate, (gross, tax) in taxes.items()},
                    "tenders": {code: str(amount) for code, amount in tenders.items()},
                },
                "booked": {
                    "total": str(entry_total),
                    "taxes": {rate: [str(gross), str(tax)] for rate, (gross, tax) in entry_rates.items()},
                    "tenders": {method: str(amount) for method, amount in entry_methods.items()},
                },
                "total": float(total),
            }
        )

    def _tie_text(self, what, said, booked):
        return self.env._(
            "%(what)s: receipts %(said)s, entry %(booked)s, a difference of %(gap)s.",
            what=what, said=plain(said), booked=plain(booked), gap=plain(said - booked),
        )  # fmt: skip

    def _decimal(self, amount):
        digits = self.currency_id.decimal_places
        return round(Decimal(repr(amount)), digits) + ZERO

    def _entry_by_rate(self):
        """{rate: [base + tax, tax]} in the entry; credit counts as positive. Cost of goods, which Odoo books in the
        same entry where stock is valued continuously, cancels out."""
        result = defaultdict(lambda: [ZERO, ZERO])
        for line in self.session_id.move_id.line_ids:
            amount = -self._decimal(line.balance)
            if line.display_type == "tax":
                rate = result[_rate(line.tax_line_id)]
                rate[0], rate[1] = rate[0] + amount, rate[1] + amount
            elif line.display_type == "product" and line.account_id.account_type != "asset_receivable":
                result[_rate(line.tax_ids[:1])][0] += amount
        return {rate: parts for rate, parts in result.items() if any(parts)}

    def _said_by_method(self, orders):
        result = defaultdict(lambda: ZERO)
        for payment in orders.payment_ids:
            result[f"{self.session_id.name} - {payment.payment_method_id.name}"] += self._decimal(payment.amount)
        return {name: amount for name, amount in result.items() if amount}

    def _entry_by_method(self):
        result = defaultdict(lambda: ZERO)
        for line in self.session_id.move_id.line_ids:
            if line.display_type == "payment_term" or line.account_id.account_type == "asset_receivable":
                result[line.name] += self._decimal(line.balance)
        return {name: amount for name, amount in result.items() if amount}


def _rate(tax):
    """The rate of a tax as receipts are summed by it."""
    return f"{Decimal(str(tax.amount or 0)).normalize() + 0:f}"


class BridgeStore(models.Model):
    _inherit = "bridge.store"

    def _is_day_closed(self, day):
        """Whether a business day was closed, be it without a single sale."""
        closing = self.env["bridge.closing"]._find(self, day)
        return closing.state == "closed"


class BridgeChannel(models.Model):
    _inherit = "bridge.channel"

    close_after_hours = fields.Integer(
        "Close a day after (hours)", default=5, required=True,
        help="Hours after midnight at which a business day is closed, unless its till reports the closing before.",
    )  # fmt: skip

    def _run_poll_extra(self):
        super()._run_poll_extra()
        with self._transaction() as channel:
            # What differs is looked at again when something new was booked (see _reopen), or after a while.
            patience = fields.Datetime.now() - BLOCKED_PAUSE
            domain = [("channel_id", "=", channel.id), "|", ("state", "in", ("open", "waiting")),
                      "&", ("state", "=", "blocked"), ("write_date", "<", patience)]  # fmt: skip
            closings = channel.env["bridge.closing"].search(domain, order="business_date, correction").ids
        for closing_id in closings:
            self._close_day(closing_id)

    def _close_day(self, closing_id):
        """In a transaction of its own; when a sale is booked at the same moment, the next poll tries again."""
        try:
            with self._transaction() as channel:
                channel.env["bridge.closing"].browse(closing_id)._close()
        except CONCURRENCY_ERRORS:
            _logger.info("%s: business day %s is busy; it is closed later", self.name, closing_id)
