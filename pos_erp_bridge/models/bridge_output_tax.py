# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL
from odoo.tools.date_utils import end_of, start_of

from ..fiscal import output_tax
from .bridge_document import STANDS


class BridgeOutputTax(models.TransientModel):
    """Output tax of a period: by division and by accumulation, beside each other."""

    _name = "bridge.output.tax"
    _description = "Output tax of a period"

    company_id = fields.Many2one("res.company", required=True, default=lambda self: self.env.company)
    date_from = fields.Date("From", required=True, default=lambda self: start_of(self._today(), "month"))
    date_to = fields.Date("To", required=True, default=lambda self: end_of(self._today(), "month"))
    method = fields.Selection(related="company_id.bridge_output_tax_method", string="Method of the company")
    table = fields.Html("Output tax", compute="_compute_table", sanitize=False)

    @api.model
    def _today(self):
        return fields.Date.context_today(self.with_context(tz="Asia/Tokyo"))

    @api.constrains("date_from", "date_to")
    def _check_dates(self):
        if any(row.date_from > row.date_to for row in self):
            raise UserError(self.env._("The period ends before it begins."))

    @api.depends("company_id", "date_from", "date_to")
    @api.depends_context("lang")
    def _compute_table(self):
        for row in self:
            figures = row._figures() if row.date_from and row.date_to else {"rates": []}
            row.table = self.env["ir.qweb"]._render("pos_erp_bridge.output_tax_table", figures)

    def _figures(self):
        """{"rates": [{percent, total, tax, base, division, accumulation}], "division", "accumulation",
        "division_local", "accumulation_local", "untaxed"} in yen, by day of supply; branches are part of a company.

        What was replaced later keeps its own day, for that period may be declared already; on the day of the document
        that replaced it only the difference counts.
        """
        self.ensure_one()
        # A branch is the same taxable person.
        companies = self.env["res.company"].sudo().search(
            [("id", "child_of", (self.company_id & self.env.companies).ids)]
        )  # fmt: skip
        query = SQL(
            """SELECT r.percent, sum(c.sign * r.total)::bigint, sum(c.sign * r.tax)::bigint
                 FROM (SELECT d.company_id, d.supply_date, d.id, 1 AS sign FROM bridge_document d WHERE %(stands)s
                        UNION ALL
                       SELECT d.company_id, d.supply_date, s.superseded_id, -1
                         FROM bridge_document d JOIN bridge_document_superseded_rel s ON s.document_id = d.id) c
                 JOIN bridge_document_rate r ON r.document_id = c.id
                WHERE c.company_id = ANY(%(companies)s) AND c.supply_date BETWEEN %(first)s AND %(last)s
                GROUP BY 1""",
            stands=STANDS, companies=companies.ids, first=self.date_from, last=self.date_to,
        )  # fmt: skip
        self.env.flush_all()
        sums = {percent: (int(total), int(tax)) for percent, total, tax in self.env.execute_query(query)}
        by_division = output_tax.division({percent: total for percent, (total, _tax) in sums.items()})
        by_sum = output_tax.accumulation({percent: tax for percent, (_total, tax) in sums.items()})
        national = sum(r["national"] for r in by_division.values()), sum(r["national"] for r in by_sum.values())
        return {
            "rates": [
                {
                    "percent": percent, "total": sums[percent][0], "tax": sums[percent][1],
                    "base": by_division[percent]["base"], "division": by_division[percent]["national"],
                    "accumulation": by_sum[percent]["national"],
                }
                for percent in sorted(by_division, reverse=True)
            ],
            "untaxed": sums.get(0, (0, 0))[0],
            "division": national[0], "division_local": output_tax.local(national[0]),
            "accumulation": national[1], "accumulation_local": output_tax.local(national[1]),
        }  # fmt: skip
