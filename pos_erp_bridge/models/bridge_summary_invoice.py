# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Summary invoices: one a month for a customer, over everything invoiced until his closing day."""

from datetime import datetime, time

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_date

from ..fiscal import summary
from ..fiscal.calculator import is_reduced
from ..fiscal.register import TOKYO, utc

SALES = ("out_invoice", "out_refund", "out_receipt")


class BridgeSummaryInvoice(models.Model):
    _name = "bridge.summary.invoice"
    _description = "Summary invoice"
    _order = "closing_date desc, id desc"
    _check_company_auto = True

    company_id = fields.Many2one("res.company", required=True, readonly=True, default=lambda self: self.env.company)
    currency_id = fields.Many2one(related="company_id.currency_id")
    partner_id = fields.Many2one("res.partner", "Customer", required=True, readonly=True, index=True)
    closing_date = fields.Date(required=True, readonly=True)
    period_from = fields.Date("From", required=True, readonly=True)
    state = fields.Selection([("draft", "Draft"), ("issued", "Issued")], default="draft", required=True, readonly=True)
    move_ids = fields.One2many("account.move", "bridge_summary_id", "Invoices", readonly=True)
    is_rounded_once = fields.Boolean("Tax rounded here", readonly=True)
    previous_balance = fields.Monetary("Previous invoice", readonly=True)
    received = fields.Monetary("Payments received", readonly=True)
    carried_over = fields.Monetary(readonly=True)
    base_total = fields.Monetary("Bought this period", readonly=True)
    tax_total = fields.Monetary("Consumption tax", readonly=True)
    balance = fields.Monetary("This invoice", readonly=True)
    adjustment_id = fields.Many2one("account.move", "Tax adjustment", readonly=True, copy=False)
    document_id = fields.Many2one("bridge.document", readonly=True, copy=False)

    _period_uniq = models.Constraint(
        "UNIQUE(company_id, partner_id, closing_date)", "The customer has a summary invoice of this day already."
    )

    @api.depends("partner_id", "closing_date")
    def _compute_display_name(self):
        for record in self:
            day = format_date(self.env, record.closing_date) if record.closing_date else ""
            record.display_name = f"{record.partner_id.name or ''} {day}".strip()

    @api.ondelete(at_uninstall=False)
    def _unlink_except_issued(self):
        if any(record.state == "issued" for record in self):
            raise UserError(self.env._("An issued summary invoice stays. Give back what is wrong by a credit note."))

    # -- making ----------------------------------------------------------------------------------
    @api.model
    def _make(self, company, closing_date, partners=None):
        """Drafts for a closing day.

        :param partners: customers to make one for; without, all whose closing day it is
        :return: bridge.summary.invoice; of customers with nothing new and nothing open none is made
        """
        made = self.browse()
        Partner = self.env["res.partner"].with_company(company)
        if partners is None:
            days = [str(day) for day in summary.CLOSING_DAYS if summary.is_closing(closing_date, day)]
            partners = Partner.search([("bridge_closing_day", "in", days)]) if days else Partner
        for partner in partners.with_company(company).commercial_partner_id:
            made |= self._make_one(company, partner, closing_date)
        return made

    def _make_one(self, company, partner, closing_date):
        before = self.search([("company_id", "=", company.id), ("partner_id", "=", partner.id)], limit=1)
        if before and (before.state == "draft" or before.closing_date >= closing_date):
            return self.browse()
        start = before.closing_date and fields.Date.add(before.closing_date, days=1)
        start = start or summary.period_start(closing_date, int(partner.bridge_closing_day or 31))
        made = self.browse()
        for first, last in self._periods(company, start, closing_date):
            made |= self.create(
                {"company_id": company.id, "partner_id": partner.id, "period_from": first, "closing_date": last}
            )
        made._fill()
        idle = made.filtered(lambda s: not (s.move_ids or s.previous_balance or s.balance))
        idle.unlink()
        return made - idle

    @api.model
    def _periods(self, company, first, last):
        """A paper must mix neither days on which the company was registered with others, nor tax periods: cut there."""
        begins, ends = company.bridge_registration_from, company.bridge_registration_to
        year_end = company.compute_fiscalyear_dates(first)["date_to"]
        cuts = {begins, ends and fields.Date.add(ends, days=1), fields.Date.add(year_end, days=1)}
        starts = sorted({first, *(day for day in cuts if day and first < day <= last)})
        return [
            (start, fields.Date.subtract(starts[i + 1], days=1) if i + 1 < len(starts) else last)
            for i, start in enumerate(starts)
        ]

    def action_fill(self):
        self.filtered(lambda s: s.state == "draft")._fill()

    def _fill(self):
        """Take what was invoiced since, and bring the figures up to date."""
        for record in self.sorted("closing_date"):
            record.is_rounded_once = record.company_id.bridge_summary_tax == "summary"
            record.move_ids = record._due_moves()
            figures, differences = record._figures()
            base = sum(pair[0] for pair in figures.values())
            tax = sum(pair[1] for pair in figures.values())
            covered = sum(record.move_ids.line_ids.filtered(record._is_receivable).mapped("balance"))
            previous = record._previous()
            # What the ledger knows beside these invoices and the last paper's balance was paid, or settled otherwise.
            added = 0 if record._is_included() else sum(differences.values())
            balance = record._ledger([("date", "<=", record.closing_date)]) + added
            received = previous.balance if previous else record._opening()
            record.previous_balance = received
            record.received = received + covered + added - balance
            record.carried_over = record.previous_balance - record.received
            record.write({"base_total": base, "tax_total": tax, "balance": balance})

    def _previous(self):
        domain = [
            ("company_id", "=", self.company_id.id), ("partner_id", "=", self.partner_id.id),
            ("closing_date", "<", self.closing_date),
        ]  # fmt: skip
        return self.search(domain, limit=1)

    def _due_moves(self):
        """Posted invoices and credit notes of no summary yet, none from before the first one began."""
        first = self.search(
            [("company_id", "=", self.company_id.id), ("partner_id", "=", self.partner_id.id)],
            order="closing_date", limit=1,
        )  # fmt: skip
        return self.env["account.move"].search(
            [
                ("company_id", "=", self.company_id.id), ("commercial_partner_id", "=", self.partner_id.id),
                ("move_type", "in", SALES), ("state", "=", "posted"), ("pos_order_ids", "=", False),
                ("invoice_date", ">=", first.period_from), ("invoice_date", "<=", self.closing_date),
                ("bridge_summary_id", "in", (False, self.id)),
            ],
            order="invoice_date, name",
        )  # fmt: skip

    @staticmethod
    def _is_receivable(line):
        return line.account_id.account_type == "asset_receivable"

    def _ledger(self, domain):
        """What the customer owes by the books, in yen."""
        return sum(
            self.env["account.move.line"]
            ._read_group(
                [
                    ("company_id", "=", self.company_id.id), ("partner_id", "child_of", self.partner_id.id),
                    ("account_id.account_type", "=", "asset_receivable"), ("parent_state", "=", "posted"), *domain,
                ],
                aggregates=["balance:sum"],
            )[0]
        )  # fmt: skip

    def _opening(self):
        """What was open before the first summary invoice."""
        return self._ledger([("date", "<", self.period_from), ("move_id", "not in", self.move_ids.ids)])

    # -- figures ---------------------------------------------------------------------------------
    def _is_included(self):
        """Whether prices are with tax, on every invoice of it."""
        return bool(self.move_ids) and all(move._bridge_basis() == "included" for move in self.move_ids)

    def _figures(self):
        """({category: (base, tax)}, {category: tax that the invoices are short of})"""
        return summary.tax_of(
            [move._bridge_figures() for move in self.move_ids], included=self._is_included(),
            direction=self.company_id.bridge_tax_rounding, is_rounded_once=self.is_rounded_once,
        )  # fmt: skip

    # -- issuing ---------------------------------------------------------------------------------
    def action_issue(self):
        """Register the documents, post the differences; of several customers, the oldest day first."""
        for record in self.filtered(lambda s: s.state == "draft").sorted("closing_date"):
            if record._previous().state == "draft":
                raise UserError(self.env._("Issue the summary invoice before %s first.", record.display_name))
            record._fill()
            figures, differences = record._figures()
            record.adjustment_id = record._post_adjustment(differences)
            record.document_id = self.env["bridge.document"]._issue([record._document_vals(figures)])
            record.state = "issued"

    def _document_vals(self, figures):
        Document = self.env["bridge.document"].sudo()
        company, closing = self.company_id, self.closing_date
        moment = utc(datetime.combine(closing, time(), TOKYO).isoformat())
        basis = "included" if self._is_included() else "excluded"
        # Where the invoices are the qualified ones the summary only says what is to be paid.
        covered = self.move_ids.sudo().bridge_document_ids._in_force() if self.is_rounded_once else Document
        content = Document._content(
            Document._issuer(company), moment, supply_date=closing, type="summary",
            relation="supersede" if covered else "issue", basis=basis, figures=figures,
            lines=[line for move in self.move_ids for line in self._lines_of(move, basis)],
            period=[self.period_from.isoformat(), closing.isoformat()],
            counterparty=Document._counterparty(self.partner_id),
            original=covered.sorted("id")[:1]._as_original() if covered else None, summary=self._said(basis),
            amount_due=int(self.balance),
        )  # fmt: skip
        if not (self.is_rounded_once and self.move_ids):
            content["is_qualified"] = False
            content["issuer"]["registration_number"] = ""
        return {
            "content": content, "company_id": company.id, "partner_id": self.partner_id.id,
            "superseded_ids": covered.ids, "original_id": covered.sorted("id")[:1].id,
        }  # fmt: skip

    @staticmethod
    def _lines_of(move, basis):
        """Lines of an invoice, its number beside each; what it takes off is a line as well."""
        said = move._bridge_lines(basis)
        taken_off = [
            {
                "name": discount["name"], "quantity": "1", "unit": "", "unit_price": amount, "amount": amount,
                "category": category, "is_reduced": is_reduced(category),
            }
            for discount in said["discounts"]
            for category, amount in discount["by_rate"].items()
        ]  # fmt: skip
        return [{**line, "note": move.name} for line in said["lines"] + taken_off]

    def _said(self, basis):
        return {
            "closing_day": int(self.partner_id.with_company(self.company_id).bridge_closing_day or 31),
            "previous_balance": int(self.previous_balance), "received": int(self.received),
            "carried_over": int(self.carried_over), "this_period": int(self.base_total + self.tax_total),
            "balance": int(self.balance),
            "deliveries": [
                {
                    "date": (move.delivery_date or move.invoice_date).isoformat(), "number": move.name,
                    "amount": sum(base + (tax if basis == "included" else 0) for base, tax in
                                  move._bridge_figures().values()),
                }
                for move in self.move_ids
            ],
        }  # fmt: skip

    def action_print(self):
        return self.document_id.action_print()

    def action_open_moves(self):
        title = self.env._("Invoices")
        return {
            "type": "ir.actions.act_window",
            "name": title,
            "res_model": "account.move",
            "view_mode": "list,form",
            "domain": [("id", "in", (self.move_ids | self.adjustment_id).ids)],
        }
