# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Which receipts take the place of which tallied pieces. Pure: no odoo import, no clock, no database."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

NOTHING = 1e-6


@dataclass(slots=True)
class Line:
    """A tallied product; ``open`` pieces of it have not arrived. Receipts sold in [start, end] may be its own."""

    key: int
    store: int
    product: int
    open: float
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Sold:
    """What one receipt, all its versions and reversals together, sold of one product."""

    receipt: str
    store: int
    product: int
    at: datetime
    quantity: float


def arrivals(lines, sold, arrived):
    """Changes that make the arrivals agree with the receipts.

    A receipt's pieces arrive once: on the oldest lines first. What a receipt lost again (voided, changed) is taken back
    from lines still known here; lines that are settled are not, and keep what arrived.

    :param lines: open or entered :class:`Line`, oldest tally first; their ``open`` is changed
    :param sold: :class:`Sold` of these stores and products
    :param arrived: {(receipt, product): {line key: quantity}}, of settled lines too
    :return: {(line key, receipt): change}
    """
    changes = defaultdict(float)
    by_place, by_key = defaultdict(list), {line.key: line for line in lines}
    for line in lines:
        by_place[line.store, line.product].append(line)
    for item in sorted(sold, key=lambda item: (item.at, item.receipt, item.product)):
        before = arrived.get((item.receipt, item.product), {})
        difference = max(0.0, item.quantity) - sum(before.values())
        if difference < -NOTHING:
            for key in sorted(before, reverse=True):
                if key in by_key and difference < -NOTHING:
                    back = min(before[key], -difference)
                    changes[key, item.receipt] -= back
                    by_key[key].open += back
                    difference += back
            continue
        for line in by_place[item.store, item.product]:
            if difference <= NOTHING:
                break
            taken = min(line.open, difference)
            if taken > NOTHING and line.start <= item.at <= line.end:
                changes[line.key, item.receipt] += taken
                line.open -= taken
                difference -= taken
    return {key: change for key, change in changes.items() if abs(change) > NOTHING}
