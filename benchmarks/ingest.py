"""What is booked per second: till sales, and (see weborders.py) web orders.

Till sales booked by the inbound lane beside stock Odoo's own ``sync_from_ui``, one by one, in the same run.

Figure: till_sales_per_second, from kept events (the vendor's payloads, read from its sandbox) to committed pos.orders
with payments, real-time stock and costs; 3 lines each, 2,000 products, Zipf-like. Everything a lane does is in it:
claim, translate, map, book, bind, commit. Baseline: ``pos.order.sync_from_ui`` + commit, one order of the same
shape a call.

``--profile FILE`` writes where the time of the lane went (cProfile).
"""

import cProfile
import random
import sys
import time
from uuid import uuid4

import _lab

PRODUCTS = 2000
SALES, ROUNDS, ONE_BY_ONE = 800, 2, 30


class Shop:
    """A JPY company with 2,000 products in stock, Odoo's own till, and a connected one."""

    def __init__(self, env):
        from odoo.addons.pos_erp_bridge.tests import shop

        self.random = random.Random(7)
        self.env = env = shop.make_company(env)
        taxes = {tax.amount: tax for tax in env["account.tax"].search([("type_tax_use", "=", "sale")])}
        rows = [(f"49{i:011}", f"Product {i}", 100 + i % 900, i % 2) for i in range(PRODUCTS)]
        self.products = env["product.product"].create(
            [
                {
                    "name": name,
                    "barcode": code,
                    "list_price": price,
                    "standard_price": price // 2,
                    "is_storable": True,
                    "available_in_pos": True,
                    "taxes_id": [(6, 0, taxes[8 if reduced else 10].ids)],
                }
                for code, name, price, reduced in rows
            ]
        )
        # Odoo's own till sells from a warehouse of its own, so that nothing of the addon has part in it.
        mine = shop.warehouse(env)
        other = env["stock.warehouse"].create({"name": "Other", "code": "OTH", "company_id": env.company.id})
        for place in (mine, other):
            env["stock.quant"].create(
                [{"product_id": p.id, "location_id": place.lot_stock_id.id, "quantity": 100_000} for p in self.products]
            )
        shop.PRODUCTS = rows
        self.vendor = shop.Vendor(env, "smaregi")
        self.channel = self.vendor.channel
        self.channel.cron_ids.active = False
        self.channel.store_ids[0].pos_config_id = self.till("Connected")
        codes = self.vendor.sandbox.codes
        env["bridge.binding"]._bind(
            self.channel, "product", [(codes[product.barcode], product) for product in self.products]
        )
        self.config = self.till("Odoo's own")
        self.config.picking_type_id = other.pos_type_id
        self.session = env["pos.session"].create({"config_id": self.config.id, "user_id": env.uid})
        self.session.set_opening_control(0, "")
        env.cr.commit()

    def till(self, name):
        journal = self.env["account.journal"].create({"name": f"Cash {name}", "type": "cash", "code": name[:3]})
        cash = self.env["pos.payment.method"].create({"name": f"Cash {name}", "journal_id": journal.id})
        return self.env["pos.config"].create({"name": name, "payment_method_ids": [(6, 0, cash.ids)]})

    def basket(self):
        weights = [1 / (rank + 1) for rank in range(PRODUCTS)]
        return [(place, self.random.randint(1, 3)) for place in self.random.choices(range(PRODUCTS), weights, k=3)]

    def items(self):
        return [{"code": self.products[place].barcode, "quantity": quantity} for place, quantity in self.basket()]

    def sell(self, size):
        """Sales at the vendor, polled and kept."""
        for _ in range(size):
            self.vendor.do("sell", items=self.items())
        connector = self.channel._connector()
        while self.channel._retrying(lambda channel: channel._poll_page(connector, "sale")):
            pass
        self.env.cr.rollback()

    def ours(self, size, profile=None):
        """Sales per second of the lane."""
        self.sell(size)
        events = self.env["bridge.event"].search([("state", "=", "pending"), ("is_hint", "=", False)])
        start = time.perf_counter()
        if profile:
            profile.runcall(self.channel._run_inbound)
        else:
            self.channel._run_inbound()
        spent = time.perf_counter() - start
        self.env.cr.rollback()
        self.env.invalidate_all()
        done = events.filtered(lambda e: e.state == "done" and e.res_model == "pos.order")
        if len(done) != size:
            raise SystemExit(f"{size - len(done)} not booked: {(events - done).mapped('message')[:3]}")
        return size / spent

    def stock_odoo(self, size):
        """Sales per second of Odoo's own till, one call each."""
        start = time.perf_counter()
        for _ in range(size):
            self.env["pos.order"].sync_from_ui([self.ui_order()])
            self.env.cr.commit()
        return size / (time.perf_counter() - start)

    def ui_order(self):
        lines, total, tax_total = [], 0.0, 0.0
        for place, quantity in self.basket():
            product = self.products[place]
            taxes = product.taxes_id.compute_all(product.list_price, self.session.currency_id, quantity)
            total += taxes["total_included"]
            tax_total += taxes["total_included"] - taxes["total_excluded"]
            lines.append(
                [0, 0, {
                    "product_id": product.id, "qty": quantity, "price_unit": product.list_price, "discount": 0,
                    "tax_ids": [(6, 0, product.taxes_id.ids)], "price_subtotal": taxes["total_excluded"],
                    "price_subtotal_incl": taxes["total_included"], "uuid": str(uuid4()),
                }]
            )  # fmt: skip
        method = self.config.payment_method_ids
        return {
            "session_id": self.session.id, "company_id": self.env.company.id, "uuid": str(uuid4()), "lines": lines,
            "amount_total": total, "amount_tax": tax_total, "amount_paid": total, "amount_return": 0.0, "state": "paid",
            "date_order": str(self.env.cr.now())[:19], "user_id": self.env.uid, "to_invoice": False,
            "pricelist_id": self.config.pricelist_id.id, "partner_id": False, "fiscal_position_id": False,
            "payment_ids": [[0, 0, {"amount": total, "payment_method_id": method.id, "uuid": str(uuid4())}]],
        }  # fmt: skip


def main():
    profile = cProfile.Profile() if "--profile" in sys.argv else None
    with _lab.database("ingest") as name, _lab.environment(name) as env:
        shop = Shop(env)
        try:
            shop.ours(20)
            shop.stock_odoo(2)
            if profile:
                print(shop.ours(SALES, profile), "sales/s with the profiler", file=sys.stderr)
                profile.dump_stats(sys.argv[sys.argv.index("--profile") + 1])
                return
            # By turns, so that both meet the same machine.
            pairs = [(shop.ours(SALES), shop.stock_odoo(ONE_BY_ONE)) for _ in range(ROUNDS)]
        finally:
            shop.vendor.stop()
    ours, baseline = (_lab.median(side) for side in zip(*pairs, strict=True))
    _lab.figure(
        "till_sales_per_second", ours, "sales/s", baseline=baseline, ratio=ours / baseline, lines=3, products=PRODUCTS,
        sales=SALES, rounds=ROUNDS,
    )  # fmt: skip


if __name__ == "__main__":
    main()
    if "--profile" not in sys.argv:
        import weborders

        weborders.main()
