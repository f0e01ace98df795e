"""A day and a bit of business, made in the sandboxes as their tills and web store would have made it.

The same seed gives the same receipts; what the stores hold is respected, so nobody sells what is not there.
"""

import random
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from demo import catalogue, layout

TOKYO = ZoneInfo("Asia/Tokyo")
OPEN, CLOSE = time(8, 0), time(21, 30)
SALES_PER_DAY = 60  # of one store
ORDERS_PER_DAY = 20


def load(sandboxes, at):
    """Catalogue, stores and opening stock, as they are in Odoo at the same moment."""
    items = catalogue.products()
    rows = [{"code": p.code, "name": p.name, "price": p.price, "reduced": p.reduced} for p in items]
    keys = [store.key for store in layout.PLACES]
    for system, sandbox in sandboxes.items():
        stores = [{"id": s.external_id, "name": s.name} for s in layout.STORES if s.system == system]
        # Stores first: a level exists where a store does.
        sandbox.do("load", at=at, stores=stores)
        sandbox.do("load", at=at, products=rows)
        for number, item in enumerate(items):
            pieces = catalogue.stock_of(number, item, keys)
            for store in (s for s in layout.STORES if s.system == system):
                level = sum(pieces.values()) if store is layout.WEB else pieces.get(store.key, 0)
                if level:
                    sandbox.do("set_stock", at=at, code=item.code, quantity=level, store=store.external_id)


def play(sandboxes, now=None):
    """Yesterday, and today until ``now``. Returns {system: documents made}."""
    now = now or datetime.now(UTC)
    today = now.astimezone(TOKYO).date()
    chance = random.Random(20191001)  # the day the reduced rate came
    shelf = _Shelf()
    moments = []
    for day in (today - timedelta(days=1), today):
        for store in layout.STORES:
            count = ORDERS_PER_DAY if store is layout.WEB else SALES_PER_DAY if store.system else 0
            moments += [(_moment(chance, day), store) for _ in range(count)]
    made = dict.fromkeys(sandboxes, 0)
    last = None
    for at, store in sorted(moments, key=lambda pair: (pair[0], pair[1].key)):
        # Margin: what is made here must be the past for those who build the rest.
        if at > now - timedelta(minutes=1):
            break
        items = shelf.basket(chance, store)
        if not items:
            continue
        manner = _manner(chance, store, items)
        done = sandboxes[store.system].do("sell", at=at, items=items, store=store.external_id, **manner)
        made[store.system] += 1
        if store.system == "smaregi" and made["smaregi"] % 25 == 0:
            # Somebody brings everything back; a little later the same day.
            sandboxes["smaregi"].do("refund", at=at + timedelta(seconds=30), id=last or done["id"])
        last = done["id"] if store.system == "smaregi" else last
    return made


def _moment(chance, day):
    """More at noon and in the evening than in the morning."""
    hours = list(range(OPEN.hour, CLOSE.hour))
    hour = chance.choices(hours, [2, 2, 3, 4, 7, 5, 3, 3, 4, 6, 7, 5, 3])[0]
    return datetime.combine(day, time(hour, chance.randrange(60), chance.randrange(60)), TOKYO)


def _manner(chance, store, items):
    if store is layout.WEB:
        return {"shipping": 550} if chance.random() < 0.7 else {}
    if chance.random() < 0.35:
        prices = {p.code: p.price for p in catalogue.products()}
        return {"tenders": {"credit": sum(prices[i["code"]] * i["quantity"] for i in items)}}
    return {}


class _Shelf:
    """What is still there, so that the history never sells below zero."""

    def __init__(self):
        self.items = catalogue.products()
        keys = [store.key for store in layout.PLACES]
        self.left = {p.code: catalogue.stock_of(n, p, keys) for n, p in enumerate(self.items)}

    def basket(self, chance, store):
        # Dear things are bought less often.
        weights = [1 / (200 + p.price) for p in self.items]
        lines = {}
        for product in chance.choices(self.items, weights, k=chance.choice((1, 1, 2, 2, 3, 4))):
            places = self.left[product.code]
            place = max(places, key=places.get) if store is layout.WEB else store.key
            quantity = chance.choice((1, 1, 1, 2))
            # Some stay: the live demo wants to sell as well.
            if places.get(place, 0) >= quantity + 8 and product.code not in lines:
                places[place] -= quantity
                lines[product.code] = quantity
        return [{"code": code, "quantity": quantity} for code, quantity in lines.items()]
