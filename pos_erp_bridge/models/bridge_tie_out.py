# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import SQL

from .bridge_document_entry import booked
from .bridge_tie_out_figures import HEAD, SIDES

ACTIVITY = "pos_erp_bridge.mail_activity_tie_out"
# Days looked at every night: a period that may still be booked into, and what a changed document of it would say.
NIGHTLY_DAYS = 62


class BridgeTieOut(models.Model):
    """A day of a journal: what its documents add up to, what is booked, and what the tax report reads.

    A day is the date of the entry. One yen of difference makes it red, and it names the document or entry behind it.
    """

    _name = "bridge.tie.out"
    _inherit = ["bridge.tie.out.figures", "mail.thread", "mail.activity.mixin"]
    _description = "Tie-out of a day"
    _order = "date desc, journal_id"

    company_id = fields.Many2one("res.company", required=True, readonly=True, index=True, ondelete="cascade")
    journal_id = fields.Many2one("account.journal", required=True, readonly=True, ondelete="cascade")
    date = fields.Date("Day", required=True, readonly=True)
    state = fields.Selection(
        [("ok", "Ties out"), ("open", "Not booked yet"), ("red", "Differs")], required=True, readonly=True
    )  # fmt: skip
    gap = fields.Integer("Difference (yen)", readonly=True, help="All differences of the day, added up without signs.")
    total = fields.Integer("Documents (yen)", readonly=True)
    open_count = fields.Integer("Documents not booked", readonly=True)
    open_total = fields.Integer("Not booked (yen)", readonly=True)
    message = fields.Text("Cause", readonly=True)
    document_ids = fields.Many2many("bridge.document", string="Documents that differ", readonly=True)
    # Whoever minds the bridge need not be an accountant; the cause names the entries, too.
    entry_ids = fields.Many2many(
        "account.move", string="Entries that differ", readonly=True,
        groups="account.group_account_readonly,account.group_account_invoice",
    )  # fmt: skip
    rate_ids = fields.One2many("bridge.tie.out.rate", "tie_out_id", "Rates", readonly=True)
    checked_at = fields.Datetime("Checked", readonly=True)

    _day_uniq = models.Constraint("UNIQUE(company_id, journal_id, date)", "This day is there already.")

    @api.depends("journal_id", "date")
    def _compute_display_name(self):
        for row in self:
            row.display_name = f"{row.sudo().journal_id.name} {row.date}"

    # -- checking ----------------------------------------------------------------------------------
    def action_check(self):
        """Look at these days again."""
        self.check_access("read")
        for company, rows in self.sudo().grouped("company_id").items():
            self.env["bridge.tie.out"].sudo()._check(company, min(rows.mapped("date")), max(rows.mapped("date")))

    @api.model
    def _check(self, company, date_from, date_to):
        """Compare the days of a company and keep what was found, a row for each journal and day.

        :return: the rows
        """
        self = self.sudo()
        domain = [("company_id", "=", company.id), ("date", ">=", date_from), ("date", "<=", date_to)]
        known = {(row.journal_id.id, row.date): row for row in self.search(domain)}
        found = {key[:2]: rates for key, rates in self._figures(company, date_from, date_to).items()}
        waiting = self._waiting(company, date_from, date_to)
        days = self.browse()
        for key in sorted({*found, *waiting}):
            vals = self._day_vals(found.get(key, {}), waiting.get(key, (0, 0)))
            day = known.pop(key, None)
            if day:
                day.write({**vals, "rate_ids": [fields.Command.clear(), *vals["rate_ids"]]})
            else:
                day = self.create({"company_id": company.id, "journal_id": key[0], "date": key[1], **vals})
            days += day
        self.union(*known.values()).unlink()
        for day in days:
            day._explain()
        return days

    def _waiting(self, company, date_from, date_to):
        """{(journal id, day): (count, total)} of documents that are not booked yet: their till is still open."""
        Document = self.env["bridge.document"].sudo()
        domain = [("company_id", "=", company.id), ("supply_date", ">=", date_from), ("supply_date", "<=", date_to)]
        query = SQL(
            """SELECT c.journal_id, d.supply_date, count(*), sum(d.total)::bigint
                 FROM bridge_document d JOIN pos_config c ON c.id = d.config_id
                WHERE d.id IN %(counted)s
                  AND NOT EXISTS (SELECT FROM (%(booked)s) b JOIN account_move m ON m.id = b.entry_id
                                   WHERE b.document_id = d.id AND m.state = 'posted')
                GROUP BY 1, 2""",
            counted=Document._search([*domain, ("is_counted", "=", True)]).subselect(), booked=booked(company.id),
        )  # fmt: skip
        return {(journal, day): (count, total) for journal, day, count, total in self.env.execute_query(query)}

    def _day_vals(self, rates, waiting):
        gap = self._gap(rates)
        lines = []
        for percent in sorted(rates.keys() - {HEAD}, reverse=True):
            line = {
                f"{side}_{part}": amount
                for side in SIDES
                for part, amount in zip(("base", "tax", "total"), rates[percent][side], strict=True)
            }
            if any(line.values()):
                line |= {"percent": percent, "is_off": self._is_off(percent, rates[percent])}
                lines.append(fields.Command.create(line))
        return {
            "rate_ids": lines, "gap": gap, "open_count": waiting[0], "open_total": waiting[1],
            "total": rates.get(HEAD, {}).get("document", (0, 0, 0))[2],
            "state": "red" if gap else "open" if waiting[0] else "ok", "checked_at": fields.Datetime.now(),
        }  # fmt: skip

    # -- every night -------------------------------------------------------------------------------
    @api.model
    def _cron_check(self):
        """Check the days of every company that keeps its books, and tell somebody when one is red."""
        today = fields.Date.context_today(self.with_context(tz="Asia/Tokyo"))
        for company in self.env["res.company"].sudo().search([("bridge_keeps_books", "=", True)]):
            oldest = self.sudo().search([("company_id", "=", company.id), ("state", "!=", "ok")], order="date", limit=1)
            since = today - timedelta(days=NIGHTLY_DAYS)
            days = self.with_company(company)._check(company, min(since, oldest.date or since), today)
            days._tell()
            for name in ("bridge.document", "bridge.document.rendering", "bridge.entry.seal"):
                self.env[name].sudo()._note_end(company)

    def _tell(self):
        """An activity for each red day that has none; done where the day ties out again."""
        for day in self:
            day = day.with_context(lang=day.company_id._bridge_language())
            told = day.activity_ids.filtered(lambda a: a.activity_type_id == self.env.ref(ACTIVITY))
            if day.state == "red" and not told:
                day.activity_schedule(
                    ACTIVITY, user_id=day._responsible().id,
                    summary=day.env._("Documents and books differ"), note=day.message,
                )  # fmt: skip
            elif day.state != "red" and told:
                day.activity_feedback([ACTIVITY], feedback=day.env._("The day ties out again."))

    def _responsible(self):
        """Who hears of it: who minds the bridge in this company, else who set the company up."""
        managers = self.env.ref("pos_erp_bridge.group_bridge_manager").sudo().all_user_ids
        mine = managers.filtered(lambda u: self.company_id in u.company_ids and not u.share and u.active)
        return mine.sorted("id")[:1] or self.company_id.create_uid or self.env.user


class BridgeTieOutRate(models.Model):
    _name = "bridge.tie.out.rate"
    _description = "Rate of a tie-out"
    _order = "percent desc"

    tie_out_id = fields.Many2one("bridge.tie.out", required=True, readonly=True, ondelete="cascade", index=True)
    company_id = fields.Many2one(related="tie_out_id.company_id", store=True)
    percent = fields.Integer("Rate (%)", readonly=True, help="0: without tax, exempt or out of scope.")
    document_base = fields.Integer("Documents: without tax", readonly=True)
    document_tax = fields.Integer("Documents: tax", readonly=True)
    document_total = fields.Integer("Documents: total", readonly=True)
    entry_base = fields.Integer("Entries: without tax", readonly=True)
    entry_tax = fields.Integer("Entries: tax", readonly=True)
    entry_total = fields.Integer("Entries: total", readonly=True)
    report_base = fields.Integer("Tax report: without tax", readonly=True)
    report_tax = fields.Integer("Tax report: tax", readonly=True)
    report_total = fields.Integer("Tax report: total", readonly=True)
    is_off = fields.Boolean("Differs", readonly=True)
