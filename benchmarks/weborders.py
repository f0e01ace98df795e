"""Web orders booked by the inbound lane beside stock Odoo's own create + confirm, one by one, in the same run.

Figure: web_orders_per_second, from kept event to confirmed, reserved and committed sales order (3 lines each, products
Zipf-like, customers known); baseline: ``sale.order.create`` + ``action_confirm`` + commit for orders of the same shape.
"""

import json
import random
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import _lab

PRODUCTS, CUSTOMERS = 400, 100
BATCH, ROUNDS, ONE_BY_ONE = 100, 3, 20
FACTS = {}


def connector():
    """A web store whose payloads are records already: what is measured is the booking."""
    from odoo.addons.pos_erp_bridge.connectors import base

    class Probe(base.Connector):
        system, label, kind = "bench_web", "Bench", "web"
        capabilities = frozenset({base.Capability.ORDERS_IN})

        def translate(self, stream, payload):
            return FACTS[payload["key"]]

    return base.register(Probe)


class Shop:
    """A JPY company with stock, customers, and orders to come."""

    def __init__(self, env):
        from odoo.addons.pos_erp_bridge.tests.shop import make_company, warehouse

        connector()
        self.random = random.Random(7)
        self.env = env = make_company(env)
        # Odoo makes a warehouse for a new company in tests only.
        self.warehouse = warehouse(env) or env["stock.warehouse"].create({"company_id": env.company.id})
        self.tax = env["account.tax"].search([("type_tax_use", "=", "sale"), ("amount", "=", 10)], limit=1)
        self.products = env["product.product"].create(
            [
                {
                    "name": f"Product {i}",
                    "default_code": f"SKU{i}",
                    "is_storable": True,
                    "taxes_id": [(6, 0, self.tax.ids)],
                }
                for i in range(PRODUCTS)
            ]
        )
        env["stock.quant"].create(
            [
                {"product_id": p.id, "location_id": self.warehouse.lot_stock_id.id, "quantity": 100_000}
                for p in self.products
            ]
        )
        self.channel = env["bridge.channel"].create({"name": "Web", "system": "bench_web", "state": "live"})
        self.channel.cron_ids.active = False
        env["bridge.store"].create(
            {
                "name": "W",
                "channel_id": self.channel.id,
                "external_id": "W",
                "location_id": self.warehouse.lot_stock_id.id,
            }
        )
        self.partners = env["res.partner"].create([{"name": f"Customer {i}"} for i in range(CUSTOMERS)])
        bind = env["bridge.binding"]._bind
        bind(self.channel, "customer", [(f"C{i}", partner) for i, partner in enumerate(self.partners)])
        bind(self.channel, "product", [(f"P{i}", product) for i, product in enumerate(self.products)])
        env.cr.commit()
        self.count = 0

    def basket(self):
        """(customer number, [(product number, quantity, price)])."""
        picks = [min(PRODUCTS - 1, int(self.random.paretovariate(0.6)) - 1) for _ in range(3)]
        return self.random.randrange(CUSTOMERS), [
            (p, self.random.randint(1, 3), 110 * self.random.randint(3, 30)) for p in picks
        ]

    def record(self):
        from odoo.addons.pos_erp_bridge.connectors import records as r

        self.count += 1
        customer, basket = self.basket()
        lines = []
        for number, (product, quantity, price) in enumerate(basket):
            amount = Decimal(price) * quantity
            lines.append(
                r.SaleLine(
                    f"{self.count}-{number}",
                    Decimal(quantity),
                    Decimal(price),
                    amount,
                    amount / 11,
                    Decimal(10),
                    product=r.ProductRef(f"P{product}"),
                    name=f"Product {product}",
                )
            )
        total = sum(line.amount for line in lines)
        return r.Order(
            str(self.count),
            "1",
            f"#{self.count}",
            datetime.now(UTC) + timedelta(hours=1),
            total,
            tuple(lines),
            (r.TaxAmount(Decimal(10), False, total, total / 11),),
            customer=r.Customer(f"C{customer}", name="C"),
        )

    def events(self, size):
        """Kept events of new orders."""
        rows = []
        for _ in range(size):
            record = self.record()
            FACTS[record.external_id] = record
            rows.append(
                {
                    "channel_id": self.channel.id,
                    "company_id": self.env.company.id,
                    "stream": "order",
                    "origin": "poll",
                    "external_id": record.external_id,
                    "external_version": "1",
                    "payload": json.dumps({"key": record.external_id}),
                }
            )
        events = self.env["bridge.event"].create(rows)
        self.env.cr.commit()
        return events

    def ours(self, size):
        """Orders per second of one batch."""
        events = self.events(size)
        self.env.invalidate_all()
        start = time.perf_counter()
        with self.channel._transaction() as channel:
            channel._book_events(channel.env["bridge.event"].browse(events.ids))
        spent = time.perf_counter() - start
        self.env.invalidate_all()
        self.env.cr.commit()
        states = set(events.mapped("state"))
        if states != {"done"}:
            raise SystemExit(f"not booked: {events.mapped('message')[:3]}")
        return size / spent

    def stock_odoo(self, size):
        """Orders per second of Odoo's own way, one by one."""
        env = self.env(context={**self.env.context, "tracking_disable": True})
        start = time.perf_counter()
        for _ in range(size):
            customer, basket = self.basket()
            order = env["sale.order"].create(
                {
                    "partner_id": self.partners[customer].id,
                    "warehouse_id": self.warehouse.id,
                    "order_line": [
                        (0, 0, {"product_id": self.products[p].id, "product_uom_qty": quantity, "price_unit": price})
                        for p, quantity, price in basket
                    ],
                }
            )
            order.action_confirm()
            env.cr.commit()
        return size / (time.perf_counter() - start)


def main():
    with _lab.database("weborders") as name, _lab.environment(name) as env:
        shop = Shop(env)
        shop.ours(10)
        shop.stock_odoo(2)
        # By turns, so that both meet the same machine.
        pairs = [(shop.ours(BATCH), shop.stock_odoo(ONE_BY_ONE)) for _ in range(ROUNDS)]
    ours, baseline = (_lab.median(side) for side in zip(*pairs, strict=True))
    _lab.figure(
        "web_orders_per_second",
        ours,
        "orders/s",
        baseline=baseline,
        ratio=ours / baseline,
        batch=BATCH,
        lines=3,
        rounds=ROUNDS,
    )


if __name__ == "__main__":
    main()
