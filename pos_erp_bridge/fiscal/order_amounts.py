# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Arithmetic of web orders, in Decimal and without Odoo: does an order add up, and how is its tax spread."""

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal

ZERO = Decimal(0)


def plain(amount):
    """A Decimal for people: no exponent, no trailing zeros."""
    amount = Decimal(amount)
    return f"{amount.quantize(Decimal(1)) if amount == amount.to_integral_value() else amount.normalize():,f}"


def difference(order):
    """What the lines of an order have more than its total (negative: less)."""
    return sum((line.amount for line in order.lines), ZERO) - order.total


def likely_cause(order):
    """Why lines and total differ, as a key: the first that explains the whole difference. "" when nothing does."""
    gap = difference(order)
    amounts = {
        kind: [line.amount for line in order.lines if line.kind == kind] for kind in ("shipping", "fee", "gift_card")
    }
    taxes = sum((line.tax for line in order.lines), ZERO)
    causes = (
        ("tax", abs(gap) == taxes and taxes),
        ("refund", any(gap == refund.amount for refund in order.refunds if refund.amount)),
        ("gift_card", any(gap == tender.amount for tender in order.payments if tender.kind == "gift_card")),
        ("points", any(gap == tender.amount for tender in order.payments if tender.kind == "points")),
        ("shipping", any(abs(gap) == amount for amount in amounts["shipping"] if amount)),
        ("fee", any(abs(gap) == amount for amount in amounts["fee"] if amount)),
        ("line", any(abs(gap) == abs(line.amount) for line in order.lines if line.amount)),
        ("rounding", abs(gap) <= max(1, len(order.lines))),
    )
    return next((cause for cause, explains in causes if explains), "")


def tax_gaps(order):
    """[(rate, what the lines of the rate add up to, what the document says)] where the two differ."""
    said = defaultdict(lambda: ZERO)
    for tax in order.taxes:
        said[tax.rate] += tax.total
    if not said:
        return []
    sums = defaultdict(lambda: ZERO)
    for line in order.lines:
        sums[line.tax_rate] += line.amount
    return [(rate, sums[rate], said[rate]) for rate in sorted({*sums, *said}) if sums[rate] != said[rate]]


def spread_taxes(lines, taxes, unit=Decimal(1)):
    """Tax of each line, so that every rate adds up to what the document says.

    A document rounds once per rate, its lines each for themselves: what is left over goes, one ``unit`` at a
    time, to the lines with the largest amounts. Lines of a rate the document does not mention keep their own.
    """
    result = [line.tax for line in lines]
    said = defaultdict(lambda: ZERO)
    for tax in taxes:
        said[tax.rate] += tax.tax
    for rate, total in said.items():
        places = sorted(
            (i for i, x in enumerate(lines) if x.tax_rate == rate), key=lambda i: (-abs(lines[i].amount), i)
        )
        rest = total - sum((result[i] for i in places), ZERO)
        while rest and places:
            for i in places:
                step = min(abs(rest), unit).copy_sign(rest)
                result[i] += step
                rest -= step
                if not rest:
                    break
    return result


def share(amount, done, quantity, whole, unit=Decimal(1)):
    """The part of ``amount`` that falls to ``quantity`` of ``whole``, after ``done`` of it had theirs.

    Rounded on the running sum, so that however a line is cut, its parts add up to the whole.
    """
    if not whole:
        return ZERO

    def until(count):
        return (amount * count / whole).quantize(unit, ROUND_HALF_UP)

    return until(done + quantity) - until(done)
