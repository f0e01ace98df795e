# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What the model test compares with: a picture of the stock as simple as can be, and a channel of our own."""

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from ..connectors import base, records
from ..connectors.records import PushResult, StockLevel
from .common import from_json

# A warehouse with two shops in it; a till in each, a web store that sells from all of it and from the right shop.
PLACES = {"whole": ("whole", "left", "right"), "left": ("left",), "right": ("right",)}
STORES = {("till", "1"): "left", ("till", "2"): "right", ("web", "W"): "whole", ("web", "R"): "right"}
PRODUCTS = ("rice", "tea", "bread")


@dataclass
class Promise:
    place: str
    product: str
    quantity: float
    until: datetime | None


class Reference:
    """Pieces there and reserved by place, promises, rules; and what follows from that for every store."""

    def __init__(self):
        self.there, self.reserved = defaultdict(float), defaultdict(float)  # {(place, product): pieces lying there}
        self.promises = {}  # {(channel, order, line): Promise}
        self.rules = []  # [{"channel", "product" (None: all), "share", "amount", "safety", …}], first one first

    def promised(self, place, product, but=None):
        """Pieces promised of a place and the places within it."""
        return sum(p.quantity for key, p in self.promises.items()
                   if p.product == product and p.place in PLACES[place] and key != but)  # fmt: skip

    def free(self, place, product, but=None):
        lying = sum(self.there[p, product] - self.reserved[p, product] for p in PLACES[place])
        return lying - self.promised(place, product, but)

    def available(self, place, product, but=None):
        """What is free, and no more than is left of a larger place something is promised of."""
        around = {p.place for p in self.promises.values() if p.product == product and place in PLACES[p.place]}
        return min(self.free(p, product, but) for p in {place, *around})

    def rule(self, channel, product):
        fits = (i for i, rule in enumerate(self.rules) if rule["active"] and channel in rule["channels"]
                and rule["product"] in (None, product))  # fmt: skip
        return next(fits, None)

    def kept_back(self, safety, place, product):
        """Safety stock: of a whole each of its shops keeps its own, as far as it has any."""
        parts = [self.free(part, product) for part in PLACES[place] if part != place]
        if not parts:
            return safety
        return sum(min(max(0, free), safety) for free in (*parts, self.free(place, product) - sum(parts)))

    def given(self, number, place, product, quantity):
        """Whole pieces a rule gives out of ``quantity``."""
        rule = self.rules[number] if number is not None else {}
        quantity -= self.kept_back(rule.get("safety", 0), place, product)
        if rule.get("share") == "percent":
            quantity *= rule["amount"] / 100
        elif rule.get("share") == "fixed":
            quantity = min(quantity, rule["amount"])
        pieces = max(0, math.floor(quantity + 1e-6))
        return 0 if rule.get("is_stopped") or pieces < rule.get("minimum", 0) else pieces

    def kept(self, channel, place, product):
        """Pieces that earlier rules keep for other channels; of a larger place what they cannot find elsewhere."""
        mine, total = self.rule(channel, product), 0
        for (other, _store), theirs in STORES.items():
            first = self.rule(other, product)
            if other == channel or first is None or not self.rules[first]["is_exclusive"]:
                continue
            if (mine is None or first < mine) and (theirs in PLACES[place] or place in PLACES[theirs]):
                pieces = self.given(first, theirs, product, self.free(theirs, product))
                if place != theirs and place in PLACES[theirs]:
                    pieces = max(0, pieces - max(0, self.free(theirs, product) - self.free(place, product)))
                total += pieces
        return total

    def shown(self, channel, store, product):
        """What the channel must finally show."""
        place = STORES[channel, store]
        left = self.available(place, product) - self.kept(channel, place, product)
        return self.given(self.rule(channel, product), place, product, left)

    # -- promises ----------------------------------------------------------------------------------
    def claim(self, key, channel, store, product, quantity, now, until, is_sold=False):
        """Promise; returns the pieces granted: all or nothing, for what is sold already as much as there is."""
        place = STORES[channel, store] if channel else "whole"
        keep = 0
        if channel and not is_sold and any(rule["active"] for rule in self.rules):
            keep = max(0, self.free(place, product) - self.shown(channel, store, product))
        for _try in range(2):
            left = min(self.available(place, product, key), self.free(place, product, key) - keep)
            if quantity <= left:
                break
            for other in [k for k, p in self.promises.items() if p.product == product and p.until and p.until <= now]:
                del self.promises[other]
        granted = quantity if quantity <= left else max(0, left) if is_sold else 0
        if granted:
            self.promises[key] = Promise(place, product, granted, until)
        return granted

    def reservable(self, place, product):
        """Pieces that lie within a place and are promised of no smaller place there."""
        promised = {p: self.promised(p, product) if p != place else 0 for p in PLACES[place]}
        return sum(
            max(0, self.there[p, product] - self.reserved[p, product] - promised[p])
            for p in PLACES[place]
        )  # fmt: skip

    def debts(self):
        """{(place, product): pieces promised that are not there}."""
        places = {(promise.place, promise.product) for promise in self.promises.values()}
        return {key: lack for key in places if (lack := -self.free(*key)) > 0}


class Shop(base.Connector):
    """A channel in memory: takes a level when the old one is what was expected, and knows repeated pushes."""

    budget = base.Budget(calls=1e9)
    streams = {name: base.Stream(name) for name in ("sale", "order", "closing", "stock")}

    @classmethod
    def reset(cls, levels):
        cls.levels = dict(levels)  # {(store, stock id): pieces shown}
        cls.inbox = []  # sold, and not handed over yet
        cls.answers, cls.log = {}, []  # {push id: answer}
        cls.fault = ""  # of the next push: lost, unanswered, doubled, delayed

    def push_stock(self, levels):
        shop = type(self)
        fault, shop.fault = shop.fault, ""
        if fault == "lost":
            raise base.TransientError("lost on its way")
        results = [self._apply(level) for level in levels]
        if fault == "doubled":
            results = [self._apply(level) for level in levels]
        elif fault == "delayed":  # an old request comes a second time
            for level in shop.log[-len(levels) - 6 : -len(levels)]:
                self._apply(level)
        elif fault == "unanswered":
            raise base.UnknownOutcome("no answer")
        return results

    def _apply(self, level):
        shop, key = type(self), (level.store_id, level.stock_id)
        shop.log.append(level)
        if level.push_id not in shop.answers:
            if level.expected is not None and level.expected != shop.levels.get(key):
                shop.answers[level.push_id] = PushResult(level.push_id, "stale", shop.levels.get(key))
            else:
                shop.levels[key] = level.quantity
                shop.answers[level.push_id] = PushResult(level.push_id, "ok", level.quantity)
        return shop.answers[level.push_id]

    def pull(self, stream, since, until, cursor=None):
        return base.Page(
            tuple(self.fetch("stock", [self.level_id(*key) for key in self.levels])) if stream == "stock" else ()
        )

    def fetch(self, stream, external_ids):
        keys = [tuple(ref.split("|")) for ref in external_ids]
        return [
            base.Fact("stock", "|".join(key), "1", {"store": key[0], "item": key[1], "quantity": int(self.levels[key])})
            for key in keys
        ]

    def translate(self, stream, payload):
        if stream == "stock":
            return StockLevel(payload["store"], payload["item"], Decimal(payload["quantity"]))
        return from_json(payload, getattr(records, payload["type"]))


class ShopTill(Shop):
    system, label, kind = "probe", "Probe", "till"
    capabilities = frozenset({base.Capability.SALES_IN, base.Capability.STOCK_IN, base.Capability.STOCK_OUT})


class ShopWeb(Shop):
    system, label, kind = "probe_web", "Probe (web)", "web"
    capabilities = frozenset({base.Capability.ORDERS_IN, base.Capability.STOCK_IN, base.Capability.STOCK_OUT})
