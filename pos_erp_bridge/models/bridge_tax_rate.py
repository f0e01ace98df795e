# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models

from ..fiscal.rates import RATES


class BridgeTaxRate(models.Model):
    _name = "bridge.tax.rate"
    _description = "Rate of consumption tax"
    _order = "percent desc, category, valid_from, transitional, id"

    category = fields.Selection(
        selection=lambda self: self.env["account.tax"]._fields["bridge_tax_category"]._description_selection(self.env),
        required=True,
    )
    percent = fields.Integer(required=True)
    national = fields.Float("National (%)", digits=(4, 2))
    local = fields.Float("Local (%)", digits=(4, 2))
    valid_from = fields.Date("From", required=True, help="Day of supply from which the rate is taken.")
    valid_to = fields.Date("To", help="Last day of supply; empty: no end is known.")
    transitional = fields.Boolean(help="Kept for supplies that a reform leaves at the old rate.")
    is_enacted = fields.Boolean("In force", help="Off: only prepared. It is not taken for any document.")
    note = fields.Char(compute="_compute_note")

    _row_uniq = models.Constraint(
        "UNIQUE(category, valid_from, transitional)", "There is one rate per category and first day."
    )

    @api.depends("is_enacted")
    def _compute_note(self):
        for rate in self:
            rate.note = not rate.is_enacted and self.env._("Prepared, switched off: not promulgated as far as known.")

    @api.model
    def _sync(self):
        """Bring the rows in line with fiscal/rates.py, which decides; here they can be looked up."""
        rows = {(rate.category, rate.valid_from, rate.transitional): rate for rate in self.search([])}
        for rate in RATES:
            vals = rate._asdict() | {"national": float(rate.national), "local": float(rate.local)}
            vals["valid_to"] = rate.valid_to or False
            vals.pop("note")
            row = rows.pop((rate.category, rate.valid_from, rate.transitional), None)
            if row:
                row.write(vals)
            else:
                self.create(vals)
        self.union(*rows.values()).unlink()
