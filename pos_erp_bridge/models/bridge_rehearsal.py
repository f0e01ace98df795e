# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The rehearsal: what would be booked, kept as a report and as nothing else."""

from zoneinfo import ZoneInfo

from odoo import api, fields, models
from odoo.tools import SQL

from ..booking import Outcome

# Fate of a fact in a rehearsal, by status of the booker's outcome (a plan would be booked).
FATES = {"waiting": "missing", "blocked": "different", "skipped": "aside", "done": "nothing"}


class BridgeRehearsal(models.Model):
    """One rehearsal of a channel, from "Rehearse" until it goes live, is paused or rehearses anew."""

    _name = "bridge.rehearsal"
    _description = "Rehearsal"
    _order = "id desc"
    _rec_name = "channel_id"

    channel_id = fields.Many2one("bridge.channel", required=True, ondelete="cascade", index=True, readonly=True)
    company_id = fields.Many2one(related="channel_id.company_id", store=True, index=True)
    currency_id = fields.Many2one(related="company_id.currency_id")
    started_at = fields.Datetime("Started", default=fields.Datetime.now, required=True, readonly=True)
    ended_at = fields.Datetime("Ended", readonly=True)
    is_running = fields.Boolean("Running", compute="_compute_is_running")
    line_ids = fields.One2many("bridge.rehearsal.line", "rehearsal_id", readonly=True)
    book_count = fields.Integer("Would be booked", compute="_compute_totals")
    book_total = fields.Monetary("Total, tax included", compute="_compute_totals")
    missing_count = fields.Integer("Mapping missing", compute="_compute_totals")
    different_count = fields.Integer("Differences", compute="_compute_totals")
    failed_count = fields.Integer("Not understood", compute="_compute_totals")
    aside_count = fields.Integer("Set aside", compute="_compute_totals")
    summary = fields.Html("Amounts by document and tax rate", compute="_compute_summary", sanitize=False)

    _running_uniq = models.UniqueIndex(
        "(channel_id) WHERE ended_at IS NULL", "Only one rehearsal of a channel runs at a time."
    )

    @api.depends("ended_at")
    def _compute_is_running(self):
        for run in self:
            run.is_running = not run.ended_at

    @api.depends("line_ids.status", "line_ids.total")
    def _compute_totals(self):
        groups = self.env["bridge.rehearsal.line"]._read_group(
            [("rehearsal_id", "in", self.ids)], ["rehearsal_id", "status"], ["__count", "total:sum"]
        )
        found = {(run.id, status): (count, total) for run, status, count, total in groups}
        for run in self:
            run.book_count, run.book_total = found.get((run.id, "book"), (0, 0.0))
            for status in ("missing", "different", "failed", "aside"):
                run[f"{status}_count"] = found.get((run.id, status), (0, 0.0))[0]

    def _rates(self):
        """{rehearsal id: [(document, number of documents, [(rate, reduced, total, tax)])]} of what would be booked."""
        self.env["bridge.rehearsal.line"].flush_model()
        rows = self.env.execute_query(
            SQL(
                """SELECT rehearsal_id, document, r->>'rate', (r->>'reduced')::bool, SUM((r->>'total')::numeric),
                          SUM((r->>'tax')::numeric)
                     FROM bridge_rehearsal_line, jsonb_array_elements(taxes) AS r
                    WHERE rehearsal_id = ANY(%s) AND status = 'book' AND jsonb_typeof(taxes) = 'array'
                    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, (r->>'rate')::numeric""",
                self.ids,
            )
        )
        result = {}
        for run_id, document, *rate in rows:
            result.setdefault(run_id, {}).setdefault(document, []).append(tuple(rate))
        return result

    @api.depends("line_ids.status", "line_ids.taxes")
    @api.depends_context("lang")
    def _compute_summary(self):
        counts = self.env["bridge.rehearsal.line"]._read_group(
            [("rehearsal_id", "in", self.ids), ("status", "=", "book")],
            ["rehearsal_id", "document"],
            ["__count", "total:sum"],
        )
        rates = self._rates()
        labels = dict(self.env["bridge.rehearsal.line"]._fields["document"]._description_selection(self.env))
        for run in self:
            money = run.currency_id.format
            documents = [
                {
                    "name": labels.get(document, document),
                    "count": count,
                    "total": money(total),
                    "rates": [
                        (run._rate_text(rate, reduced), money(float(amount)), money(float(tax)))
                        for rate, reduced, amount, tax in rates.get(run.id, {}).get(document, ())
                    ],
                }
                for owner, document, count, total in counts
                if owner == run
            ]
            run.summary = self.env["ir.qweb"]._render("pos_erp_bridge.rehearsal_summary", {"documents": documents})

    @api.model
    def _rate_text(self, rate, reduced):
        return self.env._("%s%% (reduced)", rate) if reduced else f"{rate}%"

    # -- noting ----------------------------------------------------------------------------------
    @api.model
    def _current(self, channel):
        """The rehearsal that runs for the channel, begun when there is none."""
        run = self.search([("channel_id", "=", channel.id), ("ended_at", "=", False)])
        return run or self.create({"channel_id": channel.id})

    @api.model
    def _note(self, channel, planned):
        """Write down what would become of these facts; the newest word about a fact replaces the older.

        :param planned: {Item: Plan | Outcome}
        """
        stores = {store.external_id: store.id for store in channel.with_context(active_test=False).store_ids}
        rows = {}
        for item, plan in planned.items():
            rows[item.event] = self._prepare_line_vals(channel, item.record, plan, stores)
        self._current(channel)._write_lines(rows)

    @api.model
    def _note_failures(self, channel, failures):
        """Write down the facts that could not even be understood: {bridge.event: exception}."""
        self._current(channel)._write_lines(
            {event: {"status": "failed", "reason": str(error)} for event, error in failures.items()}
        )

    def _write_lines(self, rows):
        known = {
            (line.stream, line.external_id): line
            for line in self.env["bridge.rehearsal.line"].search(
                [("rehearsal_id", "=", self.id), ("external_id", "in", [event.external_id for event in rows])]
            )
        }
        new = []
        for event, vals in rows.items():
            line = known.get((event.stream, event.external_id))
            if line:
                line.write({**EMPTY, **vals, "event_id": event.id})
            else:
                key = {"stream": event.stream, "external_id": event.external_id, "event_id": event.id}
                new.append({**key, **vals, "rehearsal_id": self.id})
        self.env["bridge.rehearsal.line"].create(new)

    def _prepare_line_vals(self, channel, record, plan, stores):
        is_outcome = isinstance(plan, Outcome)
        total, taxes = getattr(record, "total", None), getattr(record, "taxes", ())
        if not is_outcome:
            total = plan.total if plan.total is not None else total
            taxes = plan.taxes or taxes
        reason = plan.message if is_outcome else plan.note
        if is_outcome and plan.missing:
            reason = ", ".join(missing.name for missing in plan.missing)
        return {
            "status": FATES[plan.status] if is_outcome else "book",
            "document": self._document(record),
            "number": getattr(record, "number", ""),
            "business_date": self._business_date(channel, record),
            "store_id": stores.get(getattr(record, "store_id", "")),
            "total": float(total or 0),
            "taxes": [self._tax_vals(tax) for tax in taxes],
            "reason": reason,
        }

    @staticmethod
    def _tax_vals(tax):
        rate = f"{tax.rate.normalize():f}"
        return {"rate": rate, "reduced": tax.reduced, "total": str(tax.total), "tax": str(tax.tax)}

    @staticmethod
    def _document(record):
        """What kind of document it is to people: a receipt that takes more back than it sells is a return."""
        kind = {"CashMove": "cash", "ZReport": "closing", "Order": "order", "Sale": "sale"}.get(type(record).__name__)
        if kind == "sale" and record.total < 0:
            return "return"
        return kind or "other"

    @staticmethod
    def _business_date(channel, record):
        day = getattr(record, "business_date", None)
        moment = getattr(record, "ordered_at", None)
        return day or (moment.astimezone(ZoneInfo(channel.timezone)).date() if moment else False)

    # -- buttons ---------------------------------------------------------------------------------
    def _open_lines(self, *filters):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("pos_erp_bridge.bridge_rehearsal_line_action")
        context = {f"search_default_{name}": 1 for name in filters}
        return action | {"domain": [("rehearsal_id", "=", self.id)], "context": context}

    def action_open_lines(self):
        return self._open_lines()

    def action_open_book(self):
        return self._open_lines("book")

    def action_open_missing(self):
        return self._open_lines("missing")

    def action_open_different(self):
        return self._open_lines("different", "failed")

    def action_open_aside(self):
        return self._open_lines("aside")

    def action_export_csv(self):
        """The lines as a file that opens in a spreadsheet as it is."""
        self.ensure_one()
        return {"type": "ir.actions.act_url", "url": f"/bridge/rehearsal/{self.id}.csv", "target": "download"}


# What a line says when the newer word about it does not.
EMPTY = {
    "document": "other", "number": False, "business_date": False, "store_id": False, "total": 0.0, "taxes": [],
    "reason": False,
}  # fmt: skip


class BridgeRehearsalLine(models.Model):
    """What would have become of one fact."""

    _name = "bridge.rehearsal.line"
    _description = "Rehearsed document"
    _order = "business_date desc, id desc"
    _rec_name = "external_id"

    rehearsal_id = fields.Many2one("bridge.rehearsal", required=True, ondelete="cascade", index=True)
    channel_id = fields.Many2one(related="rehearsal_id.channel_id")
    company_id = fields.Many2one(related="rehearsal_id.company_id", store=True, index=True)
    currency_id = fields.Many2one(related="company_id.currency_id")
    event_id = fields.Many2one("bridge.event", ondelete="set null", index="btree_not_null")
    stream = fields.Selection(selection="_selection_stream", string="Kind", required=True)
    external_id = fields.Char("Id at the channel", required=True)
    document = fields.Selection(
        [
            ("sale", "Till sale"),
            ("return", "Till return"),
            ("order", "Web order"),
            ("cash", "Cash in/out"),
            ("closing", "Closing"),
            ("other", "No document"),
        ],
        default="other", required=True,
    )
    number = fields.Char()
    business_date = fields.Date("Business day")
    store_id = fields.Many2one("bridge.store", ondelete="set null")
    status = fields.Selection(
        [
            ("book", "Would be booked"),
            ("missing", "Mapping missing"),
            ("different", "Difference"),
            ("failed", "Not understood"),
            ("aside", "Set aside"),
            ("nothing", "Nothing to do"),
        ],
        required=True,
    )
    total = fields.Monetary("Total, tax included")
    taxes = fields.Json(help="Per tax rate: rate, reduced, total including tax, tax.")
    tax_text = fields.Char("By tax rate", compute="_compute_tax_text")
    reason = fields.Char()

    _fact_uniq = models.Constraint("UNIQUE(rehearsal_id, stream, external_id)", "A fact is rehearsed once.")

    @api.model
    def _selection_stream(self):
        return self.env["bridge.event"]._selection_stream()

    @api.depends("taxes")
    @api.depends_context("lang")
    def _compute_tax_text(self):
        for line in self:
            line.tax_text = ", ".join(
                self.env._(
                    "%(rate)s: %(total)s (tax %(tax)s)",
                    rate=self.env["bridge.rehearsal"]._rate_text(tax["rate"], tax["reduced"]),
                    total=line.currency_id.format(float(tax["total"])),
                    tax=line.currency_id.format(float(tax["tax"])),
                )
                for tax in line.taxes or ()
            )

    def action_open_event(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "bridge.event",
            "res_id": self.event_id.id,
            "views": [(False, "form")],
        }


class BridgeChannel(models.Model):
    _inherit = "bridge.channel"

    rehearsal_ids = fields.One2many("bridge.rehearsal", "channel_id")

    def _end_rehearsals(self):
        running = self.env["bridge.rehearsal"].sudo().search([("channel_id", "in", self.ids), ("ended_at", "=", False)])
        running.ended_at = fields.Datetime.now()
        running.flush_recordset(["ended_at"])  # before another one begins: the index allows one to run

    def action_rehearse(self):
        """Begin a new rehearsal; what was rehearsed before, and not booked, is looked at again."""
        self._end_rehearsals()
        self.env["bridge.rehearsal"].sudo().create([{"channel_id": channel.id} for channel in self])
        result = super().action_rehearse()
        self._put_back(self._rehearsed_events())
        return result

    def action_pause(self):
        self._end_rehearsals()
        return super().action_pause()

    def action_go_live(self):
        """What was rehearsed is booked now; what is older than the first day to book is set aside."""
        result = super().action_go_live()
        self._end_rehearsals()
        for channel in self:
            events = channel._rehearsed_events()
            lines = self.env["bridge.rehearsal.line"].sudo().search(
                [("event_id", "in", events.ids), ("business_date", "<", channel.start_date)]
            )
            early = lines.event_id
            reason = self.env._("Of a business day before the channel's first (%s).", channel.start_date)
            early.write({"state": "skipped", "result": "ignored", "message": reason})
            channel._put_back(events - early)
        return result

    def _rehearsed_events(self):
        """What a rehearsal saw and nobody decided since: what would be booked, and what stood in its way (a
        return may have waited for a sale that was only rehearsed)."""
        lines = self.env["bridge.rehearsal.line"].sudo().search(
            [
                ("rehearsal_id.channel_id", "in", self.ids),
                "|",
                ("event_id.state", "in", ("waiting", "blocked", "failed")),
                "&",
                ("event_id.state", "=", "done"),
                ("event_id.result", "=", "rehearsed"),
            ]
        )
        return lines.event_id

    def _put_back(self, events):
        """Let the inbound lane look at these events again."""
        if events:
            vals = {"state": "pending", "result": False, "message": False, "attempts": 0, "done_at": False}
            events.write({**vals, "run_at": fields.Datetime.now()})
        self._wake("inbound")

    def action_open_rehearsal(self):
        """The newest rehearsal's report."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "bridge.rehearsal",
            "res_id": self.env["bridge.rehearsal"].search([("channel_id", "=", self.id)], limit=1).id,
            "views": [(False, "form")],
        }
