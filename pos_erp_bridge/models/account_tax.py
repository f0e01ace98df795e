# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..fiscal import calculator

BY_PERCENT = {10: "10", 8: "8R", 1: "1F", 0: "0E"}
# What accountants and the Japanese chart call amounts that consumption tax does not concern.
OUT_OF_SCOPE = ("対象外", "不課税", "out of scope", "non-vat", "non vat")


class AccountTax(models.Model):
    _inherit = "account.tax"

    bridge_tax_category = fields.Selection(
        [
            ("10", "10% standard"),
            ("8R", "8% reduced: food and drink"),
            ("8N", "8% reduced: newspapers"),
            ("1F", "1% food"),
            ("0E", "0% exempt or export"),
            ("0X", "Out of scope"),
        ],
        "Consumption tax category", compute="_compute_bridge_tax_category", store=True, readonly=False,
        copy=False,  # a copy is made to be another rate
        help="What Japanese receipts and invoices add up and round together. Food and newspapers both have 8%, but are"
        " booked apart; exempt and out of scope both have none, but count differently in the tax return."
        " Without a category a tax is rounded as Odoo does.",
    )  # fmt: skip

    @api.depends("amount", "amount_type", "country_id")
    def _compute_bridge_tax_category(self):
        for tax in self:
            category = False
            if tax.country_id.code == "JP" and tax.amount_type == "percent":
                category = BY_PERCENT.get(tax.amount, False)
                names = f"{tax.name} {tax.invoice_label}".lower()
                if category == "0E" and any(word in names for word in OUT_OF_SCOPE):
                    category = "0X"
            tax.bridge_tax_category = category

    @api.constrains("bridge_tax_category", "amount", "amount_type")
    def _check_bridge_tax_category(self):
        for tax in self.filtered("bridge_tax_category"):
            percent = calculator.percent_of(tax.bridge_tax_category)
            if tax.amount_type != "percent" or tax.amount != percent:
                raise ValidationError(
                    self.env._(
                        "%(tax)s is in a consumption tax category of %(percent)s%%, but is no tax of %(percent)s%%."
                        " Choose another category, or none.",
                        tax=tax.name,
                        percent=percent,
                    )  # fmt: skip
                )

    @api.model
    def _load_pos_data_fields(self, config):
        return [*super()._load_pos_data_fields(config), "bridge_tax_category"]
