# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Discounts of a whole order and down payments of Japanese companies: whole yen per rate, by largest remainder."""

from odoo import api, models

from ..fiscal import rounding
from .account_tax_rounding import NOISE


class AccountTax(models.Model):
    _inherit = "account.tax"

    @api.model
    def _reduce_base_lines_to_target_amount(
        self, base_lines, company, amount_type, amount,
        computation_key=None, grouping_function=None, aggregate_function=None,
    ):  # fmt: skip
        """One line per tax, as Odoo. A percentage is taken of prices as the document has them and cut down; a fixed
        amount is with tax. Twin: ``reduce_base_lines_to_target_amount`` in account_tax_patch.js."""
        arguments = {
            "computation_key": computation_key,
            "grouping_function": grouping_function,
            "aggregate_function": aggregate_function,
        }
        is_yen = all(line["currency_id"] == company.currency_id for line in base_lines)
        if not base_lines or not is_yen or not company._bridge_is_jp():
            return super()._reduce_base_lines_to_target_amount(base_lines, company, amount_type, amount, **arguments)
        lines = self._reduce_base_lines_with_grouping_function(base_lines, **arguments)
        lines.sort(key=lambda line: -max(line["tax_ids"].mapped("amount"), default=0))
        with_tax = amount_type == "fixed" or any(_has_tax_in_price(line) for line in lines)
        weights = {place: _total(line, with_tax) for place, line in enumerate(lines)}
        whole = amount
        if amount_type == "percent":
            whole = sum(weights.values()) * amount / 100
        whole = int(abs(whole) + NOISE) * (-1 if whole < 0 else 1)
        if not sum(weights.values()):
            return []
        parts = rounding.split(whole, weights)
        taxes = self._bridge_tax_within(lines, parts, company) if with_tax else {}
        result = []
        for place, line in enumerate(lines):
            price = parts[place] if _has_tax_in_price(line) else parts[place] - taxes.get(place, 0)
            new = {"price_unit": price, "computation_key": computation_key}
            result.append(self._prepare_base_line_for_taxes_computation(line, **new))
        self._add_tax_details_in_base_lines(result, company)
        self._round_base_lines_tax_details(result, company)
        for place, tax in taxes.items():
            _set_tax(result[place], parts[place], tax)
        return [line for line in result if line["price_unit"]]

    @api.model
    def _bridge_tax_within(self, lines, parts, company):
        """{place: tax within ``parts``}, rounded once per rate."""
        by_percent, taxes = {}, {}
        for place, line in enumerate(lines):
            if len(line["tax_ids"]) == 1 and line["tax_ids"].bridge_tax_category:
                by_percent.setdefault(int(line["tax_ids"].amount), {})[place] = parts[place]
        for percent, same in by_percent.items():
            tax = rounding.round_tax(sum(same.values()), percent, included=True, direction=company.bridge_tax_rounding)
            taxes |= rounding.split(tax, same) if tax else dict.fromkeys(same, 0)
        return taxes


def _has_tax_in_price(line):
    return any(line["tax_ids"].mapped("price_include"))


def _total(line, with_tax):
    details = line["tax_details"]
    tax = sum(data["tax_amount"] for data in details["taxes_data"]) if with_tax else 0
    return round(details["total_excluded"] + details["delta_total_excluded"] + tax)


def _set_tax(line, total, tax):
    """Fix base and tax of a line, so that they come to ``total`` yen."""
    details, data = line["tax_details"], line["tax_details"]["taxes_data"][0]
    for suffix in ("_currency", ""):
        data[f"tax_amount{suffix}"], data[f"base_amount{suffix}"] = tax, total - tax
        details[f"delta_total_excluded{suffix}"] = total - tax - details[f"total_excluded{suffix}"]
