# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Buyers at the last pieces, over real connections: never one more than there is, and nobody forgotten."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta

from odoo import SUPERUSER_ID, api, fields
from odoo.tests import tagged
from odoo.tools import config, mute_logger

from ..locks import CONCURRENCY_ERRORS
from . import shop
from .race_case import RaceCase

ROUNDS = 4
RICE, TEA, BREAD = (code for code, *_rest in shop.PRODUCTS[:3])

# What a worker does that is killed when its promises are committed and nothing is booked yet.
KILLED = """
import os, signal, sys
import odoo.api, odoo.tools
from odoo.modules.registry import Registry
odoo.tools.config.parse_config(["-c", sys.argv[1], "-d", sys.argv[2], "--log-level=error"])
registry = Registry(sys.argv[2])
type_ = registry["bridge.channel"]
type_._step_book = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
with registry.cursor() as cr:
    odoo.api.Environment(cr, 1, {})["bridge.channel"].browse(int(sys.argv[3]))._run_lane("inbound")
"""


@tagged("-standard", "-at_install", "post_install", "bridge_race")
class TestHoldRace(RaceCase):
    def setUp(self):
        super().setUp()
        # Who comes second starts over: that is meant, and Odoo logs it.
        self.enterContext(mute_logger("odoo.sql_db"))

    @classmethod
    def _set_up_shop(cls, env):
        cls.product_ids = {code: product.id for code, product in shop.make_products(env).items()}
        cls.place_id = shop.warehouse(env).lot_stock_id.id
        cls.warehouse_id = shop.warehouse(env).id
        cls.partner_id = env["res.partner"].create({"name": "山田"}).id
        cls.vendors = []
        bank = env["account.journal"].search(
            [("type", "=", "bank"), ("company_id", "=", env.company.id)], limit=1
        )  # fmt: skip
        for _channel in range(2):
            vendor = shop.Vendor(env, "shopify")
            cls.addClassCleanup(vendor.stop)
            vendor.channel.payment_journal_id = bank
            cls.vendors.append(vendor)
        cls.number = iter(range(10**9))

    # -- the shop ----------------------------------------------------------------------------------
    def env(self, cr):
        return api.Environment(cr, SUPERUSER_ID, {"allowed_company_ids": [self.company_id]})

    def stock(self, **quantities):
        """Bring products (by name: rice, tea, bread) to a quantity, nothing of them promised or reserved."""
        codes = {"rice": RICE, "tea": TEA, "bread": BREAD}
        ids = {self.product_ids[codes[name]]: quantity for name, quantity in quantities.items()}
        with self.registry.cursor() as cr:
            orders = self.env(cr)["sale.order"].search([("company_id", "=", self.company_id), ("state", "=", "sale")])
            orders.filtered(lambda order: order.order_line.product_id.ids and order.picking_ids)._action_cancel()
        with self.registry.cursor() as cr:
            cr.execute("DELETE FROM bridge_hold WHERE product_id = ANY(%s)", [list(ids)])
            cr.execute("DELETE FROM stock_quant WHERE product_id = ANY(%s)", [list(ids)])
            env = self.env(cr)
            place = env["stock.location"].browse(self.place_id)
            for product_id, quantity in ids.items():
                product = env["product.product"].browse(product_id)
                env["stock.quant"]._update_available_quantity(product, place, quantity)

    def lines(self, env, lines):
        product, place = env["product.product"].browse, env["stock.location"].browse(self.place_id)
        return [(str(i), product(product_id), place, quantity) for i, (product_id, quantity) in enumerate(lines)]

    # -- buyers ------------------------------------------------------------------------------------
    def cart(self, sold, *lines):
        """A job: claim these products for a cart of its own."""
        ref = f"cart-{next(self.number)}"

        def job(index):
            with self.registry.cursor() as cr:
                env = self.env(cr)
                channel = env["bridge.channel"].browse(self.vendors[index % 2].channel.id)
                if env["bridge.hold"]._claim(channel, ref, self.lines(env, lines), "cart"):
                    sold.append(ref)

        return job

    def office(self, sold, *lines):
        """A job: confirm an order in the back office, again when another transaction got in between."""
        with self.registry.cursor() as cr:
            values = [(0, 0, {"product_id": product_id, "product_uom_qty": n}) for product_id, n in lines]
            order_id = self.env(cr)["sale.order"].create(
                {"partner_id": self.partner_id, "warehouse_id": self.warehouse_id, "order_line": values}
            ).id  # fmt: skip

        def job(_index):
            for _attempt in range(30):
                try:
                    with self.registry.cursor() as cr:
                        order = self.env(cr)["sale.order"].browse(order_id)
                        order.action_confirm()
                        cr.flush()
                        if all(move.state == "assigned" for move in order.picking_ids.move_ids):
                            sold.append(order_id)
                        return
                except CONCURRENCY_ERRORS:
                    time.sleep(0.01)
            raise AssertionError("the order was never confirmed")

        return job

    def web_orders(self, count, code=RICE):
        """``count`` orders at each web store, told to Odoo; the jobs that book them, and their ids by vendor."""
        sold = {}
        for vendor in self.vendors:
            sold[vendor] = ids = [vendor.sell(code) for _ in range(count)]
            with self.registry.cursor() as cr:
                channel = self.channel_env(cr, vendor)
                channel.env["bridge.event"]._take_facts(channel, channel._connector().fetch("order", ids), "replay")
        return [lambda _i, v=vendor: self.run_lane(v, "inbound") for vendor in self.vendors], sold

    # -- looking -----------------------------------------------------------------------------------
    def booked(self, sold):
        """How many of these web orders are reserved; each of them is one order."""
        count = 0
        with self.registry.cursor() as cr:
            env = self.env(cr)
            for vendor, ids in sold.items():
                domain = [("channel_id", "=", vendor.channel.id), ("stream", "=", "order"), ("external_id", "in", ids)]
                events = env["bridge.event"].search(domain)
                self.assertEqual(events.mapped("state"), ["done"] * len(ids), events.mapped("message"))
                domain = [("channel_id", "=", vendor.channel.id), ("entity", "=", "order"), ("external_id", "in", ids)]
                orders = env["sale.order"].browse(env["bridge.binding"].search(domain).mapped("res_id"))
                self.assertEqual(len(orders.exists()), len(ids))
                refs = orders.mapped("client_order_ref")
                everything = env["sale.order"].search(
                    [("bridge_channel_id", "=", vendor.channel.id), ("client_order_ref", "in", refs)]
                )
                self.assertEqual(sorted(everything.ids), sorted(orders.ids))
                count += sum(all(m.state == "assigned" for m in order.picking_ids.move_ids) for order in orders)
        return count

    def promised(self, product_id):
        """(on hand, promised, reserved) of a product."""
        with self.registry.cursor() as cr:
            cr.execute(
                """SELECT sum(quantity), sum(reserved_quantity),
                          (SELECT coalesce(sum(quantity), 0) FROM bridge_hold
                            WHERE product_id = %(product)s AND state = 'active')
                     FROM stock_quant WHERE product_id = %(product)s AND location_id = %(place)s""",
                {"product": product_id, "place": self.place_id},
            )
            on_hand, reserved, held = map(float, cr.fetchone())
        return on_hand, held, reserved

    def assertNotOversold(self, code):
        on_hand, held, reserved = self.promised(self.product_ids[code])
        self.assertLessEqual(held + reserved, on_hand)
        return held + reserved

    # -- races -------------------------------------------------------------------------------------
    def test_ten_units_twenty_carts(self):
        """Of twenty carts at ten units ten get one, in every round."""
        rice = self.product_ids[RICE]
        for _round in range(ROUNDS):
            self.stock(rice=10)
            sold = []
            self.in_parallel(*[self.cart(sold, (rice, 1)) for _ in range(20)])
            self.assertEqual(len(sold), 10)
            self.assertEqual(self.assertNotOversold(RICE), 10)

    def test_several_products_crosswise(self):
        """Carts that want the same two products, named in either order, neither wait for ever nor get too much."""
        rice, tea = self.product_ids[RICE], self.product_ids[TEA]
        self.stock(rice=5, tea=8)
        sold = []
        jobs = [self.cart(sold, *[(rice, 1), (tea, 1)][:: 1 if i % 2 else -1]) for i in range(16)]
        self.in_parallel(*jobs)
        self.assertEqual(len(sold), 5)
        self.assertEqual((self.assertNotOversold(RICE), self.assertNotOversold(TEA)), (5, 5))

    def test_carts_and_orders_of_two_web_stores(self):
        """Carts, and orders two web stores sold, at the same ten units: booked all, promised ten."""
        rice = self.product_ids[RICE]
        for _round in range(2):
            self.stock(rice=10)
            sold = []
            lanes, ids = self.web_orders(4)
            self.in_parallel(*lanes, *[self.cart(sold, (rice, 1)) for _ in range(12)], *lanes)
            self.assertEqual(len(sold) + self.booked(ids), 10)
            self.assertEqual(self.assertNotOversold(RICE), 10)

    def test_back_office_and_carts(self):
        """Orders confirmed in the back office and carts at the same ten units: ten of them get one."""
        rice = self.product_ids[RICE]
        for _round in range(ROUNDS):
            self.stock(rice=10)
            sold = []
            buyers = [self.office(sold, (rice, 1)) for _ in range(8)] + [self.cart(sold, (rice, 1)) for _ in range(12)]
            self.in_parallel(*buyers)
            self.assertEqual(len(sold), 10)
            self.assertEqual(self.assertNotOversold(RICE), 10)

    def test_kits_that_share_a_component(self):
        """Two kits and a single product out of the same twelve pieces: no component is promised twice."""
        with self.registry.cursor() as cr:
            env = self.env(cr)
            if "mrp.bom" not in env:
                self.skipTest("manufacturing is not installed, so there are no kits")
            kits = env["product.product"].create([{"name": f"セット{i}", "type": "consu"} for i in range(2)])
            for kit, recipe in zip(kits, ({RICE: 1, TEA: 1}, {TEA: 2, BREAD: 1}), strict=True):
                parts = [(0, 0, {"product_id": self.product_ids[c], "product_qty": n}) for c, n in recipe.items()]
                tmpl_id = kit.product_tmpl_id.id
                env["mrp.bom"].create({"product_tmpl_id": tmpl_id, "type": "phantom", "bom_line_ids": parts})
            first, second = kits.ids
        tea = self.product_ids[TEA]
        for _round in range(ROUNDS):
            self.stock(rice=12, tea=12, bread=12)
            sold = []
            jobs = [self.cart(sold, (wanted, 1)) for wanted in [first, second, tea] * 4]
            jobs += [self.office(sold, (wanted, 1)) for wanted in (first, second, tea)]
            self.in_parallel(*jobs)
            for code in (RICE, TEA, BREAD):
                self.assertNotOversold(code)
            # Who was refused could not be served: not even one piece of the shared component is left, or one of two.
            self.assertGreaterEqual(self.assertNotOversold(TEA), 11)

    # -- faults ------------------------------------------------------------------------------------
    def test_worker_killed_between_claim_and_booking(self):
        """A worker is killed when its promises are committed: the next one books each order once, nothing is left."""
        self.stock(rice=3)
        lanes, ids = self.web_orders(2)
        command = [sys.executable, "-c", KILLED, config["config"], self.registry.db_name]
        for vendor in self.vendors:
            killed = subprocess.run(
                [*command, str(vendor.channel.id)],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                timeout=120,
                check=False,
            )
            self.assertEqual(killed.returncode, -signal.SIGKILL)
        on_hand, held, reserved = self.promised(self.product_ids[RICE])
        self.assertEqual((on_hand, held, reserved), (3, 3, 0), "promised, not booked")
        self.in_parallel(*lanes)
        self.assertEqual(self.booked(ids), 3)
        self.assertEqual(self.promised(self.product_ids[RICE]), (3, 0, 3))

    def order_with_promise(self):
        """A quotation for the last piece, which was promised to it and expires now; its id."""
        self.stock(rice=1)
        rice = self.product_ids[RICE]
        with self.registry.cursor() as cr:
            env = self.env(cr)
            order = env["sale.order"].create(
                {"partner_id": self.partner_id, "warehouse_id": self.warehouse_id,
                 "order_line": [(0, 0, {"product_id": rice, "product_uom_qty": 1})]}
            )  # fmt: skip
            cr.commit()  # pylint: disable=invalid-commit
            ref, late = f"order-{order.id}", fields.Datetime.now() - timedelta(seconds=1)
            channel = env["bridge.channel"].browse(self.vendors[0].channel.id)
            self.assertTrue(
                env["bridge.hold"]._claim(channel, ref, self.lines(env, [(rice, 1)]), "order", expires_at=late)
            )
            cr.rollback()
            hold = env["bridge.hold"].search([("order_ref", "=", ref)])
            hold.sale_line_id = order.order_line
            return order.id, hold.id

    def outcome(self, order_id, hold_id):
        """(state of the promise, pieces reserved for the order)."""
        with self.registry.cursor() as cr:
            env = self.env(cr)
            moves = env["sale.order"].browse(order_id).picking_ids.move_ids
            return env["bridge.hold"].browse(hold_id).state, sum(moves.mapped("quantity"))

    def sweep(self):
        with self.registry.cursor() as cr:
            return self.env(cr)["bridge.hold"]._expire()

    def test_expires_while_it_is_being_kept(self):
        """The sweeper comes while the order is being confirmed: it leaves alone what is being kept."""
        order_id, hold_id = self.order_with_promise()
        confirmed, swept = threading.Event(), threading.Event()

        def confirm(_index):
            with self.registry.cursor() as cr:
                self.env(cr)["sale.order"].browse(order_id).action_confirm()
                cr.flush()
                confirmed.set()
                self.assertTrue(swept.wait(20))

        def sweep(_index):
            self.assertTrue(confirmed.wait(20))
            self.sweep()
            swept.set()

        self.in_parallel(confirm, sweep)
        self.sweep()
        self.assertEqual(self.outcome(order_id, hold_id), ("done", 1))
        self.assertEqual(self.promised(self.product_ids[RICE]), (1, 0, 1))

    def test_kept_after_it_expired(self):
        """The sweeper was first, and another buyer got the piece, while the order was being confirmed: it starts over,
        finds its promise ended, and takes nothing that is not there."""
        order_id, hold_id = self.order_with_promise()
        begun, gone, tries = threading.Event(), threading.Event(), []

        def confirm(index):
            def first_look(cr):
                cr.execute("SELECT count(*) FROM bridge_hold")  # the snapshot is taken here
                tries.append(index)
                begun.set()
                self.assertTrue(gone.wait(20))

            for _attempt in range(5):
                try:
                    with self.registry.cursor() as cr:
                        first_look(cr)
                        self.env(cr)["sale.order"].browse(order_id).action_confirm()
                    return
                except CONCURRENCY_ERRORS:
                    continue

        sold = []
        take = self.cart(sold, (self.product_ids[RICE], 1))

        def sweep(index):
            self.assertTrue(begun.wait(20))
            self.sweep()
            take(index)
            gone.set()

        self.in_parallel(confirm, sweep)
        self.assertEqual(len(tries), 2, "the first try stood on old numbers")
        self.assertEqual(self.outcome(order_id, hold_id), ("expired", 0))
        self.assertEqual(len(sold), 1)
        self.assertEqual(self.promised(self.product_ids[RICE]), (1, 1, 0))
