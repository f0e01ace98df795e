# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The amounts of a Japanese sales document, in whole yen.

R1  line = quantity × unit price less its discount, toward zero
R2  a percent discount of the order is rounded down
R3  discounts of the order, and points that reduce the price, are spread over the rates (see split)
R4  tax is rounded exactly once for each rate of a document
R5  rounding acts on the magnitude: returns mirror sales
R6  two categories of one percentage are rounded together, as the document shows them, and booked apart
R7  mixed price bases are first converted to one, once for each rate; that rounding is not the tax rounding
R8  yen know no cash rounding

Input and output are plain dicts; the JavaScript twin static/src/fiscal/tax_calculator.js gives the same yen.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from .documents import return_duty
from .purchase import purchase
from .rounding import (
    CATEGORIES,
    apportion,
    direction_of,
    exact,
    is_reduced,
    percent_of,
    round_ratio,
    round_tax,
    split,
)

__all__ = ["CATEGORIES", "by_rate", "compute", "convert", "is_reduced", "percent_of", "round_tax", "split"]

BASES = {"tax_included": True, "tax_excluded": False}
REFUND_METHOD_FROM = date(2026, 11, 1)  # tax-free shops: sold at the taxed price, refunded after customs
REFUND_METHOD_LEAST = 5000  # yen without tax, of taxed goods
REFUND_METHOD_DAYS = 90


def compute(document):
    """Amounts of a document. Its ``kind``: sale (also returns and summaries), exchange, delivery_note_set, session,
    purchase, return_duty. All amounts are int yen; ValueError says what is wrong with the document."""
    kind = _need(document, "kind", "the document")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"kind {kind!r} is not one of {', '.join(KINDS)}")
    return KINDS[kind](document)


def by_rate(groups, *, included, direction):
    """{category: {taxable_base_excl, tax, total_incl}} of ``groups`` {category: yen, with or without tax}."""
    direction = direction_of(direction)
    categories = sorted(groups, key=_rank)
    taxes = {}
    for percent in {percent_of(category) for category in categories}:
        same = {category: groups[category] * percent for category in categories if percent_of(category) == percent}
        tax = round_tax(sum(groups[category] for category in same), percent, included=included, direction=direction)
        taxes.update(apportion(tax, same, 100 + percent if included else 100))
    result = {}
    for category in categories:
        amount, tax = groups[category], taxes[category]
        base = amount - tax if included else amount
        result[category] = {"taxable_base_excl": base, "tax": tax, "total_incl": base + tax}
    return result


def convert(amount, category, *, included, direction):
    """``amount`` yen brought to the other basis: with tax when ``included``, else without; rounded on its own."""
    whole = 100 + percent_of(category)
    numerator, denominator = (amount * whole, 100) if included else (amount * 100, whole)
    return round_ratio(numerator, denominator, direction_of(direction))


@dataclass
class Basket:
    """A document before tax. ``groups`` {category: yen} is in the document's basis and after its discounts."""

    included: bool
    direction: str
    lines: list
    groups: dict
    discount: dict | None = None  # {category: yen taken off}
    paid: int = 0  # by points that are a means of payment


def _basket(document):
    where = "the document"
    lines = _need(document, "lines", where)
    if not isinstance(lines, list):
        raise ValueError("lines is not a list")
    direction = direction_of(document.get("tax_rounding", "floor"))
    amounts = [_line_amount(document, line, f"line {number}") for number, line in enumerate(lines, 1)]
    included, groups = _groups(document, lines, amounts)
    basket = Basket(included, direction, amounts, groups)
    if discount := document.get("order_discount"):
        _reduce(basket, _order_discount(discount, groups), discount.get("allocation"))
    if points := document.get("points"):
        _points(basket, points)
    return basket


def _line_amount(document, line, where):
    quantity, quantity_unit = exact(_need(line, "qty", where), f"{where}: qty")
    price, price_unit = exact(_need(line, "unit_price", where), f"{where}: unit_price")
    amount, unit = quantity * price, quantity_unit * price_unit
    if discount := line.get("line_discount"):
        kind = _need(discount, "type", f"{where}: line_discount")
        value, value_unit = exact(_need(discount, "value", f"{where}: line_discount"), f"{where}: line_discount")
        if kind == "percent":
            amount, unit = amount * (100 * value_unit - value), unit * 100 * value_unit
        elif kind == "amount":
            amount, unit = amount * value_unit - _toward_zero(value, amount) * unit, unit * value_unit
        else:
            raise ValueError(f"{where}: line_discount type {kind!r} is not one of amount, percent")
    rounding = line.get("line_amount_rounding") or document.get("line_amount_rounding") or "floor"
    return round_ratio(amount, unit, direction_of(rounding))


def _toward_zero(value, whole):
    """What a reduction takes from ``whole``: of something taken back, less is taken back."""
    return -abs(value) if whole < 0 else value


def _groups(document, lines, amounts):
    """(with tax?, {category: yen})."""
    basis = _need(document, "price_basis", "the document")
    is_mixed = basis == "mixed"
    conversion = (document.get("conversion") or {}) if is_mixed else {"to": basis}
    included = _basis(_need(conversion, "to", "conversion"))
    sums = {}
    for number, (line, amount) in enumerate(zip(lines, amounts, strict=True), 1):
        category = _need(line, "rate", f"line {number}")
        percent_of(category)
        own_basis = _need(line, "price_basis", f"line {number}") if is_mixed else line.get("price_basis", basis)
        line_basis = _basis(own_basis)
        if line_basis != included and not is_mixed:
            raise ValueError(f"line {number}: price_basis differs from the document's, which is not mixed")
        both = sums.setdefault(category, {included: 0, not included: 0})
        both[line_basis] += amount
    options = {"included": included, "direction": conversion.get("rounding", "floor")}
    return included, {
        category: sums[category][included] + convert(sums[category][not included], category, **options)
        for category in sorted(sums, key=_rank)
    }


def _rank(category):
    return -percent_of(category), CATEGORIES.index(category)


def _basis(name):
    if name not in ("tax_included", "tax_excluded"):
        raise ValueError(f"price_basis {name!r} is not one of tax_included, tax_excluded")
    return BASES[name]


def _order_discount(discount, groups):
    kind = _need(discount, "type", "order_discount")
    value, unit = exact(_need(discount, "value", "order_discount"), "order_discount")
    if kind == "amount":
        return round_ratio(value, unit, "down")
    if kind == "percent":
        return round_ratio(sum(groups.values()) * value, 100 * unit, "down")
    raise ValueError(f"order_discount type {kind!r} is not one of amount, percent")


def _points(basket, points):
    treatment = _need(points, "treatment", "points")
    amount = round_ratio(*exact(_need(points, "amount", "points"), "points"), "down")
    if treatment == "price_reduction":
        _reduce(basket, amount, points.get("allocation"))
    elif treatment == "payment":
        basket.paid += _toward_zero(amount, sum(basket.groups.values()))
    else:
        raise ValueError(f"points treatment {treatment!r} is not one of price_reduction, payment")


def _reduce(basket, amount, allocation):
    """Take ``amount`` yen off the groups: in proportion, or all from the rate the document names."""
    amount = _toward_zero(amount, sum(basket.groups.values()))
    if allocation in (None, "proportional_by_rate"):
        parts = split(amount, basket.groups)
    else:
        kind, _colon, category = str(allocation).partition(":")
        if kind != "to_rate" or category not in basket.groups:
            raise ValueError(f"allocation {allocation!r} is neither proportional_by_rate nor to_rate: a rate sold here")
        parts = {**dict.fromkeys(basket.groups, 0), category: amount}
    before = basket.discount or {}
    basket.groups = {category: yen - parts[category] for category, yen in basket.groups.items()}
    basket.discount = {category: before.get(category, 0) + part for category, part in parts.items()}


def _result(basket):
    rates = by_rate(basket.groups, included=basket.included, direction=basket.direction)
    result = {"line_amounts": basket.lines, "by_rate": rates, **_totals(rates)}
    result["amount_due"] = result["total_incl"] - basket.paid
    if basket.discount is not None:
        result["discount_by_rate"] = basket.discount
    return result


def _totals(rates):
    return {
        name: sum(rate[key] for rate in rates.values())
        for name, key in (("total_excl", "taxable_base_excl"), ("total_tax", "tax"), ("total_incl", "total_incl"))
    }


def _sale(document):
    result = _result(_basket(document))
    if document.get("cash_tendered") is not None:
        tendered = round_ratio(*exact(document["cash_tendered"], "cash_tendered"), "down")
        result["change"] = tendered - result["amount_due"]
    tax_free = document.get("tax_free")
    if tax_free and tax_free.get("candidate"):
        day = date.fromisoformat(_need(document, "date", "a tax-free sale"))
        if day >= REFUND_METHOD_FROM:
            result["tax_free"] = _tax_free(result, day)
    return result


def _tax_free(result, day):
    """Refund method: the till takes the tax, the customs' confirmation makes it refundable."""
    taxed = [rate for category, rate in result["by_rate"].items() if percent_of(category)]
    base = sum(rate["taxable_base_excl"] for rate in taxed)
    found = {"threshold_excl_total": base, "threshold_met": base >= REFUND_METHOD_LEAST}
    if found["threshold_met"]:
        found["paid_at_till"] = result["amount_due"]
        found["refundable_tax_after_customs_confirmation"] = result["total_tax"]
        found["customs_deadline"] = (day + timedelta(days=REFUND_METHOD_DAYS)).isoformat()
    return found


def _exchange(document):
    """Goods back and goods out: each part its own block per rate (gross), or both rounded as one document (net)."""
    out = _basket(_need(document, "sale", "the exchange"))
    back = _basket(_need(document, "return", "the exchange"))
    sale, returned = _result(out), _result(back)
    result = {"sale": sale, "return": returned, "amount_due": sale["amount_due"] + returned["amount_due"]}
    result["method_gross"] = {"sale": sale, "return": returned, "net_tax": sale["total_tax"] + returned["total_tax"]}
    if (out.included, out.direction) == (back.included, back.direction):
        groups = {**out.groups}
        for category, amount in back.groups.items():
            groups[category] = groups.get(category, 0) + amount
        net = Basket(out.included, out.direction, out.lines + back.lines, groups, paid=out.paid + back.paid)
        result["method_net"] = _result(net)
    return result


def _sum_up(documents):
    """Documents added, nothing recomputed."""
    rates = {}
    for document in documents:
        for category, rate in document["by_rate"].items():
            total = rates.setdefault(category, dict.fromkeys(rate, 0))
            for key, yen in rate.items():
                total[key] += yen
    return {"by_rate": rates, **_totals(rates), "amount_due": sum(document["amount_due"] for document in documents)}


def _delivery_note_set(document):
    notes = [_sale(note) for note in _need(document, "notes_", "the delivery note set")]
    return {"tax_per_note": [note["total_tax"] for note in notes], **_sum_up(notes)}


def _session(document):
    """A till's day: what its documents say, and what dividing their total at the end of the period would give."""
    receipts = _need(document, "receipts", "the session")
    result = _sum_up([_sale(receipt) for receipt in receipts])
    first = receipts[0].get("tax_rounding", "floor") if receipts else "floor"
    totals = {category: rate["total_incl"] for category, rate in result["by_rate"].items()}
    again = by_rate(totals, included=True, direction=document.get("tax_rounding", first))
    recomputed = sum(rate["tax"] for rate in again.values())
    return {**result, "tax_on_documents": result["total_tax"], "recomputed_tax_on_total": recomputed}


def _need(mapping, key, where):
    if not isinstance(mapping, dict):
        raise ValueError(f"{where} is {mapping!r}, not an object")
    if key not in mapping:
        raise ValueError(f"{where} has no {key}")
    return mapping[key]


KINDS = {
    "sale": _sale,
    "exchange": _exchange,
    "delivery_note_set": _delivery_note_set,
    "session": _session,
    "purchase": purchase,
    "return_duty": return_duty,
}
