# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Arithmetic of till receipts, in Decimal and without Odoo: does a receipt add up, and if not, why not."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

ZERO = Decimal(0)


@dataclass(frozen=True)
class Difference:
    """``what`` is one of lines, tenders, rate_total, rate_tax: its sum is ``left``, the receipt says ``right``."""

    what: str
    left: Decimal
    right: Decimal
    cause: str = ""
    rate: Decimal | None = None

    @property
    def gap(self):
        return self.left - self.right


def plain(amount):
    """A Decimal for people: no exponent, no trailing zeros, thousands apart."""
    amount = Decimal(amount)
    return f"{amount.quantize(Decimal(1)) if amount == amount.to_integral_value() else amount.normalize():,f}"


def differences(sale):
    """Every sum of the receipt that contradicts another figure on it."""
    found = []
    lines = sum((line.amount for line in sale.lines), ZERO)
    if lines != sale.total:
        found.append(Difference("lines", lines, sale.total, _cause_of_lines(sale, lines - sale.total)))
    tenders = sum((tender.amount for tender in sale.tenders), ZERO)
    if tenders != sale.total:
        found.append(Difference("tenders", tenders, sale.total, _cause_of_tenders(sale, tenders - sale.total)))
    return found + _rate_differences(sale)


def _rate_differences(sale):
    """Lines against the receipt's own table of rates, where it prints one. A table may leave untaxed goods out."""
    if not sale.taxes:
        return []
    said, have = defaultdict(lambda: [ZERO, ZERO]), defaultdict(lambda: [ZERO, ZERO])
    for tax in sale.taxes:
        said[tax.rate][0] += tax.total
        said[tax.rate][1] += tax.tax
    for line in sale.lines:
        have[line.tax_rate][0] += line.amount
        have[line.tax_rate][1] += line.tax
    found = []
    for rate in sorted({*said, *have}):
        if not rate and rate not in said:
            continue
        for place, what in enumerate(("rate_total", "rate_tax")):
            left, right = have[rate][place], said[rate][place]
            if left != right:
                cause = "rounding" if abs(left - right) <= max(1, len(sale.lines)) else ""
                found.append(Difference(what, left, right, cause, rate))
    return found


def _cause_of_lines(sale, gap):
    """Why lines and total differ: the first that explains the whole difference. "" when nothing does."""
    taxes = sum((line.tax for line in sale.lines), ZERO)
    listed = sum((line.unit_price * line.quantity - line.amount for line in sale.lines), ZERO)
    points = {tender.amount for tender in sale.tenders if tender.kind == "points"} | {sale.points_spent}
    causes = (
        ("tax", taxes and abs(gap) == abs(taxes)),
        ("points", gap in points or -gap in points),
        ("discount", listed and abs(gap) == abs(listed)),
        ("line", any(abs(gap) == abs(line.amount) for line in sale.lines)),
        ("rounding", abs(gap) <= max(1, len(sale.lines))),
    )
    return next((cause for cause, explains in causes if explains), "")


def _cause_of_tenders(sale, gap):
    points = {tender.amount for tender in sale.tenders if tender.kind == "points"} | {sale.points_spent}
    causes = (
        ("points", gap in points or -gap in points),
        ("change", gap > 0 and any(tender.kind in ("cash", "voucher") for tender in sale.tenders)),
        ("tender", any(abs(gap) == abs(tender.amount) for tender in sale.tenders)),
        ("rounding", abs(gap) <= 1),
    )
    return next((cause for cause, explains in causes if explains), "")


def source_figures(sale):
    """What the receipt says, by rate and means of payment, as JSON: kept with the document, for the tie-out."""
    taxes = defaultdict(lambda: [ZERO, ZERO])
    for line in sale.lines:
        # The table of rates agrees with the lines (see differences), but may leave untaxed goods out.
        rate = taxes[_key(line.tax_rate)]
        rate[0], rate[1] = rate[0] + line.amount, rate[1] + line.tax
    tenders = defaultdict(lambda: ZERO)
    for tender in sale.tenders:
        tenders[tender.code] += tender.amount
    return {
        "total": str(sale.total),
        "taxes": {rate: [str(total), str(tax)] for rate, (total, tax) in sorted(taxes.items())},
        "tenders": {code: str(amount) for code, amount in sorted(tenders.items())},
    }


def negated(figures):
    """The figures of a receipt taken back."""
    return {
        "total": str(-Decimal(figures["total"])),
        "taxes": {rate: [str(-Decimal(part)) for part in parts] for rate, parts in figures["taxes"].items()},
        "tenders": {code: str(-Decimal(amount)) for code, amount in figures["tenders"].items()},
    }


def add_up(many):
    """Sum of such figures, as Decimals."""
    total, taxes, tenders = ZERO, defaultdict(lambda: [ZERO, ZERO]), defaultdict(lambda: ZERO)
    for figures in many:
        total += Decimal(figures["total"])
        for rate, parts in figures["taxes"].items():
            for place, part in enumerate(parts):
                taxes[rate][place] += Decimal(part)
        for code, amount in figures["tenders"].items():
            tenders[code] += Decimal(amount)
    return total, dict(taxes), dict(tenders)


def fingerprint(sale):
    """Of everything that is booked: two versions of a receipt with the same one need the same entries."""
    lines = sorted(
        (line.product.external_id if line.product else line.kind, *map(_key, (line.quantity, line.amount, line.tax)),
         _key(line.tax_rate))
        for line in sale.lines
    )  # fmt: skip
    tenders = sorted((tender.code, _key(tender.amount)) for tender in sale.tenders)
    content = (sale.store_id, sale.business_date.isoformat(), _key(sale.total), lines, tenders, sale.original_id)
    return hashlib.blake2b(repr(content).encode(), digest_size=16).hexdigest()


def _key(amount):
    return f"{amount.normalize() + 0:f}"
