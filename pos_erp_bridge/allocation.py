# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""How much of what is there a channel may sell: arithmetic without Odoo.

Quantities are in the product's base unit of measure; what comes out is whole units.
"""

import math
from dataclasses import dataclass, field

TINY = 1e-6  # floats that should be whole


@dataclass(frozen=True, slots=True)
class Share:
    """A rule, as far as arithmetic is concerned.

    ``sequence``: place among the rules. ``mode``: "all", "percent" (``amount`` 0–100 of what is left) or "fixed" (at
    most ``amount``).
    ``safety``: kept back, in units; ``safety_hours``: kept back, in hours' worth of sales.
    ``minimum``: less than this is not worth publishing. ``is_exclusive``: other channels do not get it.
    """

    rule_id: int | None = None
    sequence: float = math.inf
    mode: str = "all"
    amount: float = 0.0
    safety: float = 0.0
    safety_hours: float = 0.0
    minimum: float = 0.0
    is_stopped: bool = False
    is_exclusive: bool = False

    def back(self, per_day):
        """Units kept back, given how many are sold a day."""
        return self.safety + (math.ceil(self.safety_hours * per_day / 24 - TINY) if self.safety_hours else 0.0)

    def of(self, quantity):
        """This share of a quantity."""
        if self.mode == "percent":
            quantity = quantity * self.amount / 100
        elif self.mode == "fixed":
            quantity = min(quantity, self.amount)
        return max(0.0, quantity)


EVERYTHING = Share()


@dataclass(slots=True)
class Availability:
    """What one channel may sell of one product in one store, and how that number came about.

    ``net`` = on hand − reserved − held − safety − others (kept for other channels).
    ``limit``: lower still, because of promises made for a larger place around this one.
    ``reasons``: [(code, value)] in the order they were applied; codes: share, limit, factor, minimum, stopped, brake.
    """

    on_hand: float = 0.0
    reserved: float = 0.0
    held: float = 0.0
    safety: float = 0.0
    others: float = 0.0
    net: float = 0.0
    quantity: int = 0
    rule_id: int | None = None
    reasons: list = field(default_factory=list)


def floor(quantity):
    """Whole units a channel may be told; never below zero."""
    return max(0, math.floor(quantity + TINY))


def allocate(on_hand, reserved, held, limit, share, per_day=0.0, others=0.0, factor=1.0, brake="", safety=None):
    """The :class:`Availability` that follows from the numbers of a place and the rule of a channel.

    ``limit``: on hand − reserved − held of the tightest place around, None when there is none.
    ``safety``: kept back, where it is not simply the rule's (several places, each keeps its own back).
    ``others``: what exclusive rules keep for other channels. ``factor``: 0–1, less while the channel is blind.
    ``brake``: why nothing may be sold, "" when nothing speaks against it.
    """
    safety = share.back(per_day) if safety is None else safety
    net = on_hand - reserved - held - safety - others
    reasons = []
    quantity = net
    if limit is not None and limit - safety - others < quantity:
        quantity = limit - safety - others
        reasons.append(("limit", limit))
    if share.mode != "all":
        quantity = share.of(quantity)
        reasons.append(("share", quantity))
    if factor < 1.0:
        quantity *= factor
        reasons.append(("factor", factor))
    quantity = floor(quantity)
    if 0 < quantity < share.minimum:
        quantity = 0
        reasons.append(("minimum", share.minimum))
    if share.is_stopped:
        quantity = 0
        reasons.append(("stopped", share.rule_id))
    if brake:
        quantity = 0
        reasons.append(("brake", brake))
    return Availability(on_hand, reserved, held, safety, others, net, quantity, share.rule_id, reasons)


ALLOWANCE = "bridge_allowance"  # context: the Allowance of the moves that are being reserved


class Allowance:
    """What moves may reserve: ``own`` {move id: quantity promised to it}, ``common`` {key: quantity free for all},
    ``keys`` {move id: key}. ``parts`` {key: [[ids of places, quantity]]}: places within, of which something is promised
    on its own; no more than the quantity may be taken there. ``related`` {key: other keys of the same goods in places
    around or within}: what is taken here is missing there."""

    def __init__(self, own, common, keys, parts=None, related=None):
        self.own, self.common, self.keys, self.parts = own, common, keys, parts or {}
        self.related = related or {}

    def of(self, move, need):
        """How much of ``need`` the move may reserve."""
        if move.id not in self.keys:
            return need
        return min(need, self.own.get(move.id, 0.0) + max(0.0, self.common.get(self.keys[move.id], 0.0)))

    def parts_of(self, move):
        return self.parts.get(self.keys.get(move.id), ())

    def within(self, move, place_id, need):
        """How much of ``need`` the move may take from one place."""
        return max(0.0, min([need, *(left for places, left in self.parts_of(move) if place_id in places)]))

    def take(self, move, quantity):
        """It did."""
        if move.id in self.keys:
            own = min(quantity, self.own.get(move.id, 0.0))
            self.own[move.id] = self.own.get(move.id, 0.0) - own
            key = self.keys[move.id]
            for one in (key, *self.related.get(key, ())):
                self.common[one] = self.common.get(one, 0.0) - (quantity - own)

    def take_within(self, move, place_id, quantity):
        """It took that from one place."""
        for part in self.parts_of(move):
            if place_id in part[0]:
                part[1] -= quantity
