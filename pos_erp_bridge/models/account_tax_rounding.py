# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Tax of Japanese documents: one rounding per rate and document (fiscal/calculator.py), booked by Odoo's engine.

Odoo rounds half up, and apart for every tax record, sign, price mode and discount. The tills compute the same with
static/src/fiscal/account_tax_patch.js: change both.
"""

import math
from collections import defaultdict

from odoo import api, models

from ..fiscal import calculator, rounding

NOISE = 1e-6  # what floats may add to an amount
GLOBAL_DISCOUNT = "global_discount"  # how Odoo marks the lines of a discount of a whole order


class AccountTax(models.Model):
    _inherit = "account.tax"

    @api.model
    def _round_base_lines_tax_details(self, base_lines, company, tax_lines=None):
        if company._bridge_is_jp():
            yen_lines = [line for line in base_lines if line["currency_id"] == company.currency_id]
            self._bridge_cut_lines(yen_lines, company.bridge_line_rounding)
        return super()._round_base_lines_tax_details(base_lines, company, tax_lines=tax_lines)

    @api.model
    def _round_tax_details_tax_amounts(self, base_lines, company, mode="mixed"):
        if not company._bridge_is_jp():
            return super()._round_tax_details_tax_amounts(base_lines, company, mode=mode)
        documents, rest = defaultdict(lambda: defaultdict(list)), []
        for line in base_lines:
            others = []
            for tax_data in line["tax_details"]["taxes_data"]:
                if _is_rounded_by_rate(line, tax_data):
                    category = tax_data["tax"].bridge_tax_category
                    documents[line["currency_id"]][category].append((line, tax_data))
                else:
                    others.append(tax_data)
            if others:
                # The same dicts in a narrower line: Odoo rounds what is not ours, in place.
                rest.append({**line, "tax_details": {**line["tax_details"], "taxes_data": others}})
        for currency, by_category in documents.items():
            for suffix, unit in (("_currency", currency), ("", company.currency_id)):
                self._bridge_round_rates(by_category, suffix, unit, company)
        return super()._round_tax_details_tax_amounts(rest, company, mode=mode)

    @api.model
    def _round_tax_details_base_lines(self, base_lines, company, mode="mixed"):
        if not company._bridge_is_jp():
            return super()._round_tax_details_base_lines(base_lines, company, mode=mode)
        rest = []
        for line in base_lines:
            details = line["tax_details"]
            ours = next((data for data in details["taxes_data"] if _is_rounded_by_rate(line, data)), None)
            if not ours or abs(ours["raw_base_amount_currency"] - details["raw_total_excluded_currency"]) > NOISE:
                rest.append(line)
                continue
            for suffix in ("_currency", ""):
                rounded = details[f"total_excluded{suffix}"]
                details[f"delta_total_excluded{suffix}"] = ours[f"base_amount{suffix}"] - rounded
        return super()._round_tax_details_base_lines(rest, company, mode=mode)

    @api.model
    def _bridge_round_rates(self, by_category, suffix, currency, company):
        """Round once per rate and let the lines add up to it.

        :param by_category: {category: [(base line, tax data)]} of a document
        :param suffix: "_currency" (amounts of the document) or "" (of the company), in ``currency``
        """
        groups, included = _groups(by_category, suffix, currency, company)
        rates = calculator.by_rate(groups, included=included, direction=company.bridge_tax_rounding)
        for category, amounts in rates.items():
            taxes_data = [tax_data for _line, tax_data in by_category[category]]
            for part, key in (("tax", "tax"), ("base", "taxable_base_excl")):
                field = f"{part}_amount{suffix}"
                delta = amounts[key] * currency.rounding - sum(data[field] for data in taxes_data)
                factors = [{"factor": data[f"raw_{field}"]} for data in taxes_data]
                steps = self._distribute_delta_amount_smoothly(currency.decimal_places, delta, factors)
                for data, step in zip(taxes_data, steps, strict=True):
                    data[field] += step

    @api.model
    def _bridge_cut_lines(self, base_lines, direction):
        """Round what lines come to to whole yen before anything is added up, as the receipt shows them.

        A discount over several rates is one amount: its lines are cut down together (known by their product, and by
        a sign that is not the document's).
        """
        total = sum(line["tax_details"]["raw_total_included_currency"] for line in base_lines)
        discounts = defaultdict(list)
        for line in base_lines:
            if line["manual_tax_amounts"] or not _is_percent_only(line):
                continue
            amount = _line_amount(line)
            if amount * total < 0:
                discounts[line["product_id"]].append((line, amount))
            else:
                _set_line_amount(line, amount, _whole(amount, direction))
        for pairs in discounts.values():
            # In thousandths of a yen; the higher rate first, which takes ties.
            pairs.sort(key=lambda pair: -_percent(pair[0]))
            parts = {place: int(amount * 1000) for place, (_line, amount) in enumerate(pairs)}
            targets = rounding.split(_whole(sum(amount for _line, amount in pairs), "down"), parts)
            for place, (line, amount) in enumerate(pairs):
                _set_line_amount(line, amount, targets[place])


def _groups(by_category, suffix, currency, company):
    """({category: what its lines come to, in smallest units}, whether that is with tax).

    A document with both kinds of prices is first converted to one of them, rounded once per rate.
    """
    sums = {category: {True: 0, False: 0} for category in by_category}
    for category, pairs in by_category.items():
        for line, data in pairs:
            # Amounts that came with a discount are whole already; all others are taken before any rounding.
            prefix = "" if _manual(line, data) else "raw_"
            base, tax = (data[f"{prefix}{part}_amount{suffix}"] for part in ("base", "tax"))
            with_tax = bool(data["price_include"])
            sums[category][with_tax] += base + tax if with_tax else base
    units = {
        category: {with_tax: round(amount / currency.rounding) for with_tax, amount in both.items()}
        for category, both in sums.items()
    }
    percents = {category: calculator.percent_of(category) for category in units}
    taxed = [data for category, pairs in by_category.items() if percents[category] for _line, data in pairs]
    kinds = {bool(data["price_include"]) for data in taxed}
    if len(kinds) < 2:
        return {category: sum(both.values()) for category, both in units.items()}, True in kinds
    included = company.bridge_conversion_basis == "included"
    options = {"included": included, "direction": company.bridge_conversion_rounding}
    groups = {
        category: both[included] + calculator.convert(both[not included], category, **options)
        for category, both in units.items()
    }
    return groups, included


def _is_rounded_by_rate(line, tax_data):
    """Amounts that came with a line (printed by a connected till, or on the invoice of a down payment) are final. Those
    of a discount are not: they only say how it is spread."""
    if not tax_data["tax"].bridge_tax_category or tax_data["tax"].has_negative_factor:
        return False
    return not _manual(line, tax_data) or (line["computation_key"] or "").startswith(GLOBAL_DISCOUNT)


def _manual(line, tax_data):
    return (line["manual_tax_amounts"] or {}).get(str(tax_data["tax"].id))


def _is_percent_only(line):
    """Whether the amounts of a line follow its price: a fixed tax would not."""
    return all(data["tax"].amount_type == "percent" for data in line["tax_details"]["taxes_data"])


def _line_amount(line):
    details = line["tax_details"]
    with_tax = any(data["price_include"] for data in details["taxes_data"])
    return details["raw_total_included_currency" if with_tax else "raw_total_excluded_currency"]


def _set_line_amount(line, amount, target):
    if not amount or abs(target - amount) < NOISE:
        return
    factor, details = target / amount, line["tax_details"]
    for suffix in ("_currency", ""):
        for field in ("total_excluded", "total_included"):
            details[f"raw_{field}{suffix}"] *= factor
        for data in details["taxes_data"]:
            for field in ("base_amount", "tax_amount"):
                data[f"raw_{field}{suffix}"] *= factor


def _percent(line):
    return max((data["tax"].amount for data in line["tax_details"]["taxes_data"]), default=0)


def _whole(amount, direction):
    """``amount`` in whole yen, rounded on the magnitude whatever floats added to it."""
    size = abs(amount)
    if direction == "up":
        size = math.ceil(size - NOISE)
    else:
        size = math.floor(size + NOISE + (0.5 if direction == "half_up" else 0))
    return -size if amount < 0 else size
