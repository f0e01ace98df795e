# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""A generated stretch of business: stores, days, receipts with everything that makes tax difficult."""

import random
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from ..connectors import base, records
from ..fiscal.calculator import percent_of, round_tax, split
from .common import to_json

TOKYO = ZoneInfo("Asia/Tokyo")
# Of a hundred receipts: discount on the whole, points as a discount, paid by points, whole returns, exchanges.
COUPONS, POINTS_OFF, POINTS_PAID, RETURNS, EXCHANGES = 15, 10, 15, 4, 3
LAST_CALL = 24 * 60 + 120  # minutes of the business day: until two at night


class Month:
    """Receipts of a connected till, as its connector would translate them.

    :param products: [(product.ref, name, price with tax, category)]
    :param stores: external ids
    """

    def __init__(self, products, stores, first_day, seed=4):
        self.products, self.stores, self.first_day = products, stores, first_day
        self.random = random.Random(seed)
        self.count = 0

    def day(self, number, receipts):
        """Receipts of the n-th day, ``receipts`` a store; returns point to receipts of the same day and store."""
        day = self.first_day + timedelta(days=number)
        for store in self.stores:
            sold = []
            for minute in sorted(self.random.randrange(9 * 60, LAST_CALL) for _ in range(receipts)):
                moment = datetime.combine(day, time(), TOKYO) + timedelta(minutes=minute)
                sale = self._receipt(store, day, moment, sold)
                if not sale.original_id:
                    sold.append(sale)
                yield sale

    def _receipt(self, store, day, moment, sold):
        dice = self.random.randrange(100)
        if sold and dice < RETURNS:
            return self._back(store, day, moment, self.random.choice(sold), ())
        basket = self._basket()
        if sold and dice < RETURNS + EXCHANGES:
            return self._back(store, day, moment, self.random.choice(sold), basket)
        amounts = [amount for *_product, amount in basket]
        if self.random.randrange(100) < COUPONS + POINTS_OFF:
            amounts = self._take_off(amounts, min(sum(amounts) - 1, self.random.randrange(1, 300)))
        basket = [(*row[:-1], amount) for row, amount in zip(basket, amounts, strict=True)]
        return self._sale(store, day, moment, basket)

    def _basket(self):
        """[(product, quantity, price, amount)], some with a discount of their own."""
        basket = []
        for product in self.random.sample(self.products, self.random.randint(1, 4)):
            quantity, price = self.random.randint(1, 3), product[2]
            off = self.random.choice((0, 0, 0, 10, 20))
            basket.append((product, quantity, price, quantity * price * (100 - off) // 100))
        return basket

    def _take_off(self, amounts, discount):
        """Spread over the lines by their amounts, to the yen."""
        shares = split(discount, dict(enumerate(amounts)))
        return [amount - shares.get(place, 0) for place, amount in enumerate(amounts)]

    def _back(self, store, day, moment, original, basket):
        """One line of a receipt comes back, alone or against other goods."""
        line = self.random.choice(original.lines)
        back = records.SaleLine(
            external_id=f"{self.count + 1}-0", quantity=-line.quantity, unit_price=line.unit_price,
            amount=-line.amount, tax=-line.tax, tax_rate=line.tax_rate, reduced=line.reduced, product=line.product,
            name=line.name, original_line_id=line.external_id,
        )  # fmt: skip
        return self._sale(store, day, moment, basket, (back,), original.external_id)

    def _sale(self, store, day, moment, basket, back=(), original_id=""):
        self.count += 1
        lines = [*self._lines(basket), *back]
        total = sum(line.amount for line in lines)
        points = 0
        if total > 100 and self.random.randrange(100) < POINTS_PAID:
            points = self.random.randrange(1, 100)
        tenders = [("cash", total - points), ("points", points)]
        return records.Sale(
            external_id=f"M{self.count}", version="1", store_id=store, number=f"{store}-{self.count:06}",
            business_date=day, sold_at=moment.astimezone(UTC), total=Decimal(total), lines=tuple(lines),
            taxes=tuple(_table(lines)), original_id=original_id,
            tenders=tuple(records.Tender(f"t-{code}", code, code, Decimal(amount), code)
                          for code, amount in tenders if amount),
        )  # fmt: skip

    def _lines(self, basket):
        """Tax rounded once for each rate of the receipt, then shared out to its lines."""
        groups = {}
        for place, (product, *_rest, amount) in enumerate(basket):
            groups.setdefault(product[3], {})[place] = amount
        taxes = {}
        for category, amounts in groups.items():
            tax = round_tax(sum(amounts.values()), percent_of(category), included=True, direction="down")
            taxes.update(split(tax, amounts))
        for place, (product, quantity, price, amount) in enumerate(basket):
            ref, name, _price, category = product
            yield records.SaleLine(
                external_id=f"{self.count}-{place + 1}", quantity=Decimal(quantity), unit_price=Decimal(price),
                amount=Decimal(amount), tax=Decimal(taxes.get(place, 0)), tax_rate=Decimal(percent_of(category)),
                reduced=category == "8R", product=ref, name=name,
            )  # fmt: skip


def _table(lines):
    rates = {}
    for line in lines:
        total, tax = rates.get((line.tax_rate, line.reduced), (0, 0))
        rates[line.tax_rate, line.reduced] = total + line.amount, tax + line.tax
    return [records.TaxAmount(rate, reduced, *sums) for (rate, reduced), sums in rates.items()]


def goods(products):
    """Products of the shop as Month wants them."""
    return [
        (
            records.ProductRef(f"p{product.id}", product.barcode or "", product.default_code or "", product.name),
            product.name, int(product.list_price), "8R" if product.taxes_id.amount == 8 else "10",
        )
        for product in products
    ]  # fmt: skip


def book(channel, sales):
    """Book receipts of a connected till, as its lane does with one batch; returns the orders."""
    Event = channel.env["bridge.event"]
    facts = [base.Fact("sale", sale.external_id, sale.version, to_json(sale)) for sale in sales]
    Event._take_facts(channel, facts, "poll")
    ids = [sale.external_id for sale in sales]
    events = Event.search([("channel_id", "=", channel.id), ("external_id", "in", ids)])
    channel._book_events(events)
    undone = events.filtered(lambda event: event.state != "done")
    if undone:
        raise AssertionError(undone.mapped("message")[:3])
    return channel.env["pos.order"].browse(events.mapped("res_id"))


def close(sessions):
    """Close the days of connected tills."""
    for closing in sessions._bridge_closing():
        if not closing._close(is_forced=True):
            raise AssertionError(closing.message)
