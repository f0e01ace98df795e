# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What a batch does to quants, added up in memory and written once.

Odoo moves quants line by line: reserve, unreserve, take, put, each with its own search, lock and write. While a
ledger is in the context (``bridge_ledger``), those calls are answered and noted here; see ``stock.quant``.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Shelf:
    """One quant: goods of one product in one place (and package)."""

    id: int
    quantity: float
    reserved: float
    in_date: datetime

    @property
    def free(self):
        return self.quantity - self.reserved


@dataclass
class Ledger:
    """``shelves``: {product id: {(location id, package id): [Shelf]}} as held since the start of the batch."""

    shelves: dict = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    deltas: dict = field(default_factory=lambda: defaultdict(lambda: [0.0, 0.0]))  # key: [quantity, reserved]

    def add(self, key, quantity, reserved):
        delta = self.deltas[key]
        delta[0] += quantity or 0.0
        delta[1] += reserved or 0.0

    def places(self, product_id, home, quantity, compare):
        """Where to take ``quantity`` from: [(location id, package id, quantity)], what is free first, oldest first;
        the rest from ``home``, which may so become negative, as when Odoo's own till sells more than is there."""
        shelves = [
            (shelf.in_date, shelf.id, place, shelf)
            for place, many in self.shelves[product_id].items()
            for shelf in many
            if compare(shelf.free, 0.0) > 0
        ]
        taken = defaultdict(float)
        rest = quantity
        for _date, _id, place, shelf in sorted(shelves, key=lambda entry: entry[:2]):
            if compare(rest, 0.0) <= 0:
                break
            part = min(rest, shelf.free)
            taken[place] += part
            rest -= part
        if compare(rest, 0.0) > 0:
            taken[home, None] += rest
        return [(*place, part) for place, part in taken.items()]
