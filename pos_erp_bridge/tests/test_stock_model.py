# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Stock against a reference model: anything may happen in any order, and in the end every channel shows what it must.

Deterministic in the suite. For longer runs: BRIDGE_MODEL_RUNS (200), BRIDGE_MODEL_STEPS (50), BRIDGE_MODEL_SEED (1).
A failure prints the shortest run that leads to it.
"""

import gc
import os
import unittest
from contextlib import contextmanager
from datetime import datetime, timedelta
from unittest.mock import patch

import freezegun.api
from freezegun import freeze_time

from odoo import SUPERUSER_ID
from odoo.tests import tagged

from ..connectors import base
from ..models import bridge_channel_lane
from .common import BridgeCommon
from .stock_model import PLACES, PRODUCTS, STORES
from .stock_run import FIRST, SHOPS, START, Run

SHRINK_SECONDS = int(os.environ.get("BRIDGE_MODEL_SHRINK", 90))

try:
    from hypothesis import HealthCheck, Phase, seed, settings
    from hypothesis import strategies as st
    from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
except ImportError:
    settings = None

# (share of the runs, what dear steps of one run may cost together: the rest of its steps are cheap)
PARTS = ((0.1, 12), (0.3, 4), (0.3, 4), (0.3, 4))

if settings:
    PLACE, PRODUCT = st.sampled_from(tuple(PLACES)), st.sampled_from(PRODUCTS)
    STORE = st.sampled_from(tuple(STORES))
    WEB = st.sampled_from(("W", "R"))
    CHANNEL = st.sampled_from(("till", "web"))
    FEW, SOME, WHICH = st.integers(1, 3), st.integers(1, 8), st.integers(0, 5)
    RULE = st.fixed_dictionaries(
        {
            "active": st.sampled_from((True, True, False)),
            "channels": st.sampled_from((("till",), ("web",), ("till", "web"))),
            "product": st.none() | PRODUCT,
            "share": st.sampled_from(("all", "percent", "fixed")),
            "amount": st.integers(0, 8),
            "is_exclusive": st.booleans(),
            "safety_quantity": st.integers(0, 2),
            "minimum": st.sampled_from((0, 0, 2, 3)),
            "is_stopped": st.sampled_from((False, False, False, True)),
        }
    )

    class StockMachine(RuleBasedStateMachine):
        """What may happen. Cheap things have more rules than dear ones, for each rule is as likely as another."""

        start = None  # makes a Run; given by the test

        def __init__(self):
            super().__init__()
            self._run, self.undo, self.fuel = type(self).start()

        @property
        def run(self):
            """The run, for one more step."""
            self._run.steps += 1
            return self._run

        def teardown(self):
            try:
                self.run.settle(is_compared=True)
            finally:
                self.undo()

        @rule(store=STORE, product=PRODUCT, quantity=FEW)
        def sell(self, store, product, quantity):
            self.run.sell(*store, product, quantity)

        @rule(store=WEB, product=PRODUCT, quantity=FEW)
        def sell_web(self, store, product, quantity):
            self.run.sell("web", store, product, quantity)

        @rule(store=st.sampled_from(("1", "2")), product=PRODUCT, quantity=FEW)
        def take_back(self, store, product, quantity):
            self.run.sell("till", store, product, -quantity)

        @rule(store=WEB, product=PRODUCT, quantity=FEW)
        def fill_cart(self, store, product, quantity):
            self.run.cart("web", store, product, quantity)

        @rule(product=PRODUCT, quantity=FEW)
        def quote(self, product, quantity):
            self.run.cart("", "", product, quantity)

        @rule(channel=st.sampled_from(("web", "")), quantity=FEW, number=WHICH)
        def change_cart(self, channel, quantity, number):
            self.run.cart(channel, "W", "rice", quantity, number)

        @precondition(lambda self: self._run.carts)
        @rule(number=WHICH)
        def release(self, number):
            self.run.release(number)

        @precondition(lambda self: self._run.carts)
        @rule(number=WHICH)
        def checkout(self, number):
            self.run.checkout(number)

        @rule(minutes=st.sampled_from((1, 10, 20, 400, 5000)))
        def wait(self, minutes):
            self.run.clock.tick(timedelta(minutes=minutes))

        @rule()
        def expire(self):
            self.run.expire()

        @rule(store=STORE, product=PRODUCT, quantity=st.integers(0, 9))
        def edit_level(self, store, product, quantity):
            self.run.edit(*store, product, quantity)

        @rule(channel=CHANNEL, fault=st.sampled_from(("", "lost", "unanswered", "doubled", "delayed")))
        def outward(self, channel, fault):
            self.run.outward(channel, fault)

        @precondition(lambda self: SHOPS["web"].inbox or self._run.waiting)
        @rule()
        def promise(self):
            self.run.promise()

        @precondition(lambda self: self.fuel >= 2 and (SHOPS["web"].inbox or self._run.waiting))
        @rule()
        def import_orders(self):
            self.fuel -= 2
            self.run.import_orders()

        @precondition(lambda self: self.fuel >= 2 and (SHOPS["till"].inbox))
        @rule()
        def book_till(self):
            self.fuel -= 2
            self.run.book_till()

        @precondition(lambda self: self.fuel >= 2)
        @rule(product=PRODUCT, quantity=FEW, quotation=st.none() | WHICH)
        def confirm(self, product, quantity, quotation):
            self.fuel -= 2
            self.run.confirm(product, quantity, quotation)

        @precondition(lambda self: self.fuel >= 2 and (self._run.orders))
        @rule(what=st.sampled_from(("assign", "cancel", "deliver")), number=WHICH)
        def handle(self, what, number):
            self.fuel -= 2
            getattr(self.run, what)(number)

        @precondition(lambda self: self.fuel >= 1)
        @rule(source=st.none() | PLACE, destination=st.none() | PLACE, product=PRODUCT, quantity=SOME)
        def move_goods(self, source, destination, product, quantity):
            self.fuel -= 1
            self.run.move(source, destination, product, quantity)

        @precondition(lambda self: self.fuel >= 1)
        @rule(place=PLACE, product=PRODUCT, quantity=st.integers(0, 6))
        def count(self, place, product, quantity):
            self.fuel -= 1
            self.run.count(place, product, quantity)

        @precondition(lambda self: self.fuel >= 1)
        @rule(number=st.integers(0, 2), values=RULE)
        def set_rule(self, number, values):
            self.fuel -= 1
            self.run.set_rule(number, values)

        @precondition(lambda self: self.fuel >= 2)
        @rule(channel=CHANNEL)
        def compare(self, channel):
            self.fuel -= 2
            self.run.compare(channel)

        @precondition(lambda self: self.fuel >= 4 and (self._run.steps >= 15))
        @rule(is_compared=st.booleans())
        def settle(self, is_compared):
            self.fuel -= 4
            self.run.settle(is_compared)


class StockModelCase(BridgeCommon):
    """One part of the runs. Parts, because every run is undone by a savepoint of the class's transaction, and what is
    undone there PostgreSQL cannot throw away before the transaction ends: the longer it lasts, the slower it gets."""

    part = 0

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.startClassPatcher(patch.dict(base._REGISTRY, {shop.system: shop for shop in SHOPS.values()}))
        cls.startClassPatcher(patch.object(bridge_channel_lane, "_wake_soon"))  # nobody listens
        whole = cls.location
        parts = cls.env["stock.location"].create([{"name": name, "location_id": whole.id} for name in list(PLACES)[1:]])
        cls.places = dict(zip(PLACES, (whole, *parts), strict=True))
        cls.items = dict(zip(PRODUCTS, (cls.rice, cls.tea, cls.bread), strict=True))
        for product in cls.items.values():
            product.taxes_id = cls.tax8
            for place, location in cls.places.items():
                quantity = FIRST[place] - (100 if place == "whole" else 0)
                cls.env["stock.quant"]._update_available_quantity(product, location, quantity)
        web = cls.env["bridge.channel"].create(
            {"name": "Web", "system": "probe_web", "start_date": "2026-11-01", "invoice_rule": "never"}
        )
        cls.env["bridge.store"].create(
            [{"channel_id": web.id, "external_id": ref, "name": ref} for channel, ref in STORES if channel == "web"]
        )
        cls.channels = {"till": cls.channel, "web": web}
        for name, channel in cls.channels.items():
            for store in channel.store_ids:
                store.location_id = cls.places[STORES[name, store.external_id]]
            cls.env["bridge.binding"]._bind(channel, "product", [(f"p{p.id}", p) for p in cls.items.values()])
        web.state = "live"
        cls.buyer = cls.env["res.partner"].create({"name": "山田太郎"})
        cls.rules = cls.env["bridge.allocation.rule"].create(
            [{"name": f"{number}", "sequence": number, "active": False} for number in range(3)]
        )
        cls.vendors = cls.env.ref("stock.stock_location_suppliers")
        cls.bin = cls.env["stock.location"].search(
            [("usage", "=", "inventory"), ("company_id", "=", cls.company.id)], limit=1
        )

    def setUp(self):
        super().setUp()
        self.enterContext(self.enter_registry_test_mode())
        # The database's clock does not follow.
        self.enterContext(patch.object(type(self.channel), "_clock", lambda channel: datetime.now()))
        # How a silent channel's share shrinks has tests of its own.
        self.enterContext(patch.object(type(self.channel), "_blind_percent", lambda channel: 100))
        self.enterContext(
            patch.object(type(self.channel), "_transaction", lambda channel: self.as_transaction(channel))
        )
        self.clock = self.enterContext(freeze_time(START))
        # Days pass in a run; who measures how long something takes is not to notice.
        self.enterContext(patch("time.perf_counter", freezegun.api.real_perf_counter))
        self.enterContext(patch("time.monotonic", freezegun.api.real_monotonic))
        # Everything is told when a run begins, but for one product nobody was told of yet.
        self.levels = {name: {(store, f"p{p.id}"): 3 for store in ("1", "2", "W", "R") for p in self.items.values()}
                       for name in SHOPS}  # fmt: skip
        first = Run(self, self.clock)
        # What the first sale of all makes (sessions, the customer) every run would have to make again.
        first.number = 10**6
        for store in ("1", "2"):
            first.sell("till", store, "rice", 1)
            first.sell("till", store, "rice", -1)
        first.book_till()
        first.sell("web", "W", "rice", 1)
        first.import_orders()
        first.cancel(0)
        for channel in self.channels.values():
            self.env["bridge.touch"]._touch_products(channel, self.rice | self.tea)
        first.commit()
        self.env.cr.execute("DELETE FROM bridge_touch WHERE product_id = %s", [self.bread.id])
        for name in self.channels:
            first.outward(name)
        for name in self.channels:
            self.env["bridge.touch"]._touch_products(self.channels[name], self.bread)
            self.levels[name] = SHOPS[name].levels
        first.commit()

    @contextmanager
    def as_transaction(self, channel):
        """A lane's transaction as a savepoint in the test's own environment: a new one forgets everything it read, and
        most of the time of a run would go by reading it again."""
        context = {**channel.env.context, "tracking_disable": True, "allowed_company_ids": self.company.ids}
        with self.env.cr.savepoint():
            yield channel.with_env(self.env(user=SUPERUSER_ID, su=True, context=context))

    def begin(self):
        """(a run from the same beginning, what undoes it, what its steps may cost)."""
        savepoint = self.env.cr.savepoint()

        def undo():
            self.env.cr.precommit.clear()
            self.env.cr.postcommit.clear()
            savepoint.close(rollback=True)
            self.env.invalidate_all(flush=False)
            if run.has_changed_rules:
                self.env.registry.clear_cache()
            gc.collect(1)

        run = Run(self, self.clock)
        return run, undo, int(os.environ.get("BRIDGE_MODEL_FUEL", PARTS[self.part][1]))

    def check_part(self):
        """As many runs as one part has."""
        # Hypothesis would read all of Odoo's source, for numbers worth trying.
        self.enterContext(patch("hypothesis.internal.conjecture.providers.is_local_module_file", return_value=False))
        # A failure is told within minutes, if not in the fewest words.
        self.enterContext(patch("hypothesis.internal.conjecture.engine.MAX_SHRINKING_SECONDS", SHRINK_SECONDS))
        machine = type("StockRun", (StockMachine,), {"start": self.begin})
        # All of Odoo need not be looked through for garbage again and again.
        gc.freeze()
        gc.disable()
        self.addCleanup(gc.enable)
        self.addCleanup(gc.unfreeze)
        machine = seed(int(os.environ.get("BRIDGE_MODEL_SEED", 1)) * len(PARTS) + self.part)(machine)
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=round(int(os.environ.get("BRIDGE_MODEL_RUNS", 200)) * PARTS[self.part][0]),
                stateful_step_count=int(os.environ.get("BRIDGE_MODEL_STEPS", 50)),
                database=None,
                deadline=None,
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
                phases=(Phase.generate, Phase.shrink),
            ),
        )


@unittest.skipUnless(settings, "hypothesis is not installed: a development dependency, see requirements.lock")
@tagged("post_install", "-at_install")
class TestStockModel(StockModelCase):
    allow_inherited_tests_method = True

    def test_channels_agree_whatever_happens(self):
        """Whatever happens, nothing is promised twice, and every channel finally shows what it must."""
        self.check_part()


@tagged("post_install", "-at_install")
class TestStockModel2(TestStockModel):
    part = 1


@tagged("post_install", "-at_install")
class TestStockModel3(TestStockModel):
    part = 2


@tagged("post_install", "-at_install")
class TestStockModel4(TestStockModel):
    part = 3
