# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import threading
import uuid
from datetime import datetime
from unittest.mock import patch

from freezegun import freeze_time

from odoo import SUPERUSER_ID, api
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.modules.registry import Registry
from odoo.orm.registry import DummyRLock
from odoo.tests import BaseCase, Form, new_test_user, tagged
from odoo.tests.common import get_db_name

from ..connectors import registered
from . import shop
from .common import BridgeCommon
from .web_common import WebCase, line, order

NOON = datetime(2026, 11, 20, 3, 0)  # Friday noon in Tokyo, as UTC
BUYERS = 30


class GoodsCase(BridgeCommon):
    """Claims, and what channels are told, of limited and preordered goods."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.web = cls.env["bridge.channel"].create({"name": "Web", "system": "probe", "state": "live"})
        cls.shelf = cls.env["bridge.store"].create(
            {"channel_id": cls.web.id, "external_id": "W", "name": "Web", "location_id": cls.location.id}
        )

    def claim(self, quantity, order, product=None, channel=None, customer="", purpose="order", **more):
        """Promise pieces of a product to an order of a channel, as a web store's cart does."""
        self.env.flush_all()
        channel = self.web if channel is None else channel
        with self.enter_registry_test_mode():
            return self.env["bridge.hold"]._claim(
                channel,
                order,
                [("1", product or self.rice, self.location, quantity)],
                purpose,
                customer=customer,
                **more,
            )

    def release(self, order, channel=None):
        with self.enter_registry_test_mode():
            self.env["bridge.hold"]._release(channel or self.web, order)

    def published(self, product=None, store=None):
        """What a store may sell of a product."""
        self.env.invalidate_all()
        product, store = product or self.rice, store or self.shelf
        return self.env["bridge.availability"]._for_stores(store, product)[store.id, product.id]

    def own_order(self, quantity, product=None, promised=""):
        """A confirmed sales order of Odoo's own; ``promised``: the order it was promised its goods under."""
        order = self.env["sale.order"].create(
            {
                "partner_id": self.env["res.partner"].create({"name": "Buyer"}).id,
                "order_line": [Command.create({"product_id": (product or self.rice).id, "product_uom_qty": quantity})],
            }
        )
        if promised:
            self.env["bridge.hold"].search([("order_ref", "=", promised)]).sale_line_id = order.order_line
        order.action_confirm()
        return order


@tagged("post_install", "-at_install")
class TestLimits(GoodsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.limit = cls.env["bridge.sales.limit"].create(
            {"name": "Ten in all", "product_ids": cls.rice.ids, "cap_total": 10}
        )

    # -- in total ----------------------------------------------------------------------------------
    def test_no_more_than_the_limit_is_promised(self):
        """A claim beyond the limit is refused as a whole, and says which limit and how much it leaves."""
        self.assertTrue(self.claim(7, "A"))
        refused = self.claim(4, "B")
        self.assertEqual((refused.granted, refused.short), ({}, {"1": 4}))
        self.assertIn("Ten in all", refused.reason)
        self.assertIn("3 left", refused.reason)
        self.assertTrue(self.claim(3, "B"))
        self.assertEqual((self.limit.used, self.limit.left, self.limit.state), (10, 0, "reached"))

    def test_the_same_claim_again_counts_once(self):
        """A cart that is claimed again, or changed, counts as what it is now; given back, not at all."""
        self.assertTrue(self.claim(7, "A"))
        self.assertTrue(self.claim(7, "A"))
        self.assertTrue(self.claim(10, "A"))
        self.release("A")
        self.assertTrue(self.claim(10, "B"))

    def test_channels_share_it(self):
        """Without channels the limit is one for all of them; with some, for those alone."""
        self.assertTrue(self.claim(10, "A"))
        self.assertFalse(self.claim(1, "B", channel=self.channel))
        self.limit.channel_ids = self.web
        self.assertTrue(self.claim(1, "B", channel=self.channel))
        self.assertFalse(self.claim(1, "C"))
        self.limit.channel_ids = self.web | self.channel
        self.assertEqual(self.limit.used, 11)

    def test_several_products_share_it(self):
        """A limit on several products is one for all of them together."""
        self.limit.product_ids = self.rice | self.tea
        self.assertTrue(self.claim(6, "A"))
        self.assertFalse(self.claim(5, "B", self.tea))
        self.assertTrue(self.claim(4, "B", self.tea))

    def test_a_template_is_all_its_variants(self):
        """A limit on a product counts all of its variants, those made later too."""
        self.limit.write({"product_ids": False, "template_ids": self.rice.product_tmpl_id.ids})
        self.assertTrue(self.claim(10, "A"))
        self.assertFalse(self.claim(1, "B"))

    def test_other_goods_are_not_limited(self):
        """Whatever the limit is not about is sold as ever."""
        self.assertTrue(self.claim(50, "A", self.tea))

    # -- sold without a promise -----------------------------------------------------------------------
    def test_till_sales_count(self):
        """What tills sold, ours and the channels', is used already; what came back is not."""
        self.book(self.sale(self.line(self.rice, 1208, 8)))
        self.assertFalse(self.claim(3, "A"))
        self.book(self.sale(self.line(self.rice, -151, -1)))
        self.assertEqual(self.limit.used, 7)
        self.assertTrue(self.claim(3, "A"))

    def test_orders_without_a_promise_count_once(self):
        """An order of Odoo's own counts by its lines; cancelled, not any more."""
        order = self.own_order(8)
        self.assertEqual(self.limit.used, 8)
        self.assertFalse(self.claim(3, "A"))
        order._action_cancel()
        self.assertEqual(self.limit.used, 0)
        self.assertTrue(self.claim(3, "A"))

    def test_cancelled_after_it_was_promised(self):
        """What was promised to an order, reserved, and then cancelled, may be sold again."""
        self.claim(10, "A")
        order = self.own_order(10, promised="A")
        self.assertEqual(self.env["bridge.hold"].search([("order_ref", "=", "A")]).state, "done")
        self.assertEqual(self.limit.used, 10)
        order._action_cancel()
        self.assertEqual(self.limit.used, 0)
        self.assertTrue(self.claim(10, "B"))

    # -- as much as there is ---------------------------------------------------------------------------
    def test_a_partial_claim_gets_what_the_limit_leaves(self):
        """Who takes what there is gets what the limit leaves, and hears of the limit; then there is nothing more."""
        self.assertTrue(self.claim(7, "A"))
        claim = self.claim(5, "B", partial=True)
        self.assertEqual((claim.granted, claim.short), ({"1": 3}, {"1": 2}))
        self.assertIn("Limit “Ten in all”: 3 left", claim.reason)
        self.assertEqual(self.claim(1, "C", partial=True).granted, {})
        self.assertEqual(self.limit.used, 10)

    def test_lines_of_a_partial_claim_share_what_the_limit_leaves(self):
        """The first line takes what it wants, the next what is left; goods without a limit and what is scarcer than the
        limit are given as there are."""
        self.limit.product_ids = self.rice | self.tea
        self.env["stock.quant"]._update_available_quantity(self.rice, self.location, -94)
        self.env.flush_all()
        lines = [
            (str(number), product, self.location, 8)
            for number, product in enumerate((self.rice, self.tea, self.bread), start=1)
        ]
        with self.enter_registry_test_mode():
            claim = self.env["bridge.hold"]._claim(self.web, "A", lines, "order", partial=True)
        self.assertEqual(claim.granted, {"1": 6, "2": 4, "3": 8})
        self.assertEqual(self.limit.used, 10)

    # -- per customer --------------------------------------------------------------------------------
    def test_per_customer(self):
        """Each customer has a limit of his own, over all his orders; of a guest each order counts."""
        self.limit.write({"cap_total": 0, "cap_customer": 2, "name": "Two each"})
        self.assertTrue(self.claim(1, "A", customer="C1"))
        self.assertTrue(self.claim(1, "B", customer="C1"))
        refused = self.claim(1, "C", customer="C1")
        self.assertFalse(refused)
        self.assertIn("Two each", refused.reason)
        self.assertTrue(self.claim(2, "D", customer="C2"))
        self.assertTrue(self.claim(2, "E"))
        self.assertTrue(self.claim(2, "F"))
        self.assertFalse(self.claim(3, "G"))

    def test_what_a_customer_bought_at_the_till_counts(self):
        """A buyer the channel knows by his e-mail has used up what his contact bought elsewhere."""
        self.limit.write({"cap_total": 0, "cap_customer": 2})
        order = self.own_order(2)
        order.partner_id.email = "Taro@Example.com"
        self.assertFalse(self.claim(1, "A", customer="taro@example.com"))
        self.assertTrue(self.claim(1, "B", customer="hanako@example.com"))

    # -- time ------------------------------------------------------------------------------------------
    def test_per_day_week_and_month(self):
        """A period begins anew at midnight, on Monday, on the first, in the limit's time zone."""
        starts = {
            "day": datetime(2026, 11, 19, 15), "week": datetime(2026, 11, 15, 15),
            "month": datetime(2026, 10, 31, 15), "window": datetime(2026, 11, 1),
        }  # fmt: skip
        self.limit.start_at = "2026-10-01 00:00:00"
        with freeze_time(NOON):
            for period in ("day", "week", "month"):
                self.limit.period = period
                self.assertEqual(self.limit._since(), starts[period])
            self.limit.write({"period": "window", "start_at": "2026-11-01 00:00:00"})
            self.assertEqual(self.limit._since(), starts["window"])

    def test_a_new_day_starts_at_nothing(self):
        """What was sold yesterday does not count today."""
        self.limit.period = "day"
        with freeze_time("2026-11-20 14:59:00"):
            self.assertTrue(self.claim(10, "A"))
            self.assertFalse(self.claim(1, "B"))
        with freeze_time("2026-11-20 15:00:00"):
            self.assertTrue(self.claim(10, "B"))

    def test_hours_and_weekdays(self):
        """Days and hours are those of the limit's time zone; night hours belong to the day they begin on."""
        self.limit.write({"friday": True, "hour_from": 10, "hour_to": 20})
        moments = {
            "2026-11-20 00:59": False, "2026-11-20 01:00": True, "2026-11-20 10:59": True, "2026-11-20 11:00": False,
            "2026-11-21 03:00": False,
        }  # fmt: skip
        self.assertEqual(self.opens(moments), moments)
        self.limit.write({"hour_from": 22, "hour_to": 2})
        moments = {
            "2026-11-19 13:30": False, "2026-11-19 16:30": False, "2026-11-20 13:00": True, "2026-11-20 16:59": True,
            "2026-11-20 17:00": False,
        }  # fmt: skip
        self.assertEqual(self.opens(moments), moments)

    def opens(self, moments):
        result = {}
        for moment in moments:
            with freeze_time(moment):
                result[moment] = self.limit._is_open()
        return result

    def test_outside_of_its_time(self):
        """Outside of its window goods are sold without limit, or not at all, as the limit says."""
        self.limit.write({"start_at": "2026-11-21 00:00:00", "end_at": "2026-11-22 00:00:00"})
        with freeze_time(NOON):
            self.assertTrue(self.claim(11, "A"))
            self.assertEqual(self.published().quantity, 89)
            self.limit.outside = "closed"
            found = self.published()
            self.assertEqual(found.quantity, 0)
            self.assertIn("sold from", dict(found.reasons)["brake"])
        with freeze_time("2026-11-21 03:00:00"):
            self.assertEqual(self.published().quantity, 10)

    # -- publishing ------------------------------------------------------------------------------------
    def test_channels_are_told_no_more_than_is_left(self):
        """A channel may sell what the limit leaves, if that is less than there is, and the reason says so."""
        self.claim(7, "A")
        found = self.published()
        self.assertEqual((found.quantity, ("cap", 3.0) in found.reasons), (3, True))
        level = self.env["bridge.stock.level"].create(
            {"channel_id": self.web.id, "store_id": self.shelf.id, "product_id": self.rice.id}
        )
        self.assertEqual(level.reason_text, "a limit on sales leaves 3")
        self.limit.cap_total = 1000
        self.assertEqual(self.published().quantity, 93)

    def test_every_channel_hears_of_each_sale(self):
        """A sale somewhere is told to all channels of the limit, wherever they sell from."""
        far = self.env["stock.location"].create({"name": "Far", "location_id": self.location.location_id.id})
        store = self.env["bridge.store"].create(
            {"channel_id": self.web.id, "external_id": "F", "name": "Far", "location_id": far.id}
        )
        self.env.cr.precommit.run()
        self.env["bridge.touch"].search([]).unlink()
        self.env["stock.quant"]._update_available_quantity(self.rice, self.location, -1)
        self.env.cr.precommit.run()
        told = self.env["bridge.touch"].search([("product_id", "=", self.rice.id)]).mapped("store_id")
        self.assertEqual(set(told), {*self.stores.ids, self.shelf.id, store.id})

    def test_channels_are_told_when_it_is_time(self):
        """When window, hours or period begin or end, the channels hear of it once."""
        self.limit.write({"hour_from": 10, "hour_to": 20})
        told = []
        for moment in ("2026-11-20 00:30", "2026-11-20 01:00", "2026-11-20 01:01", "2026-11-20 11:00"):
            with freeze_time(moment):
                self.env["bridge.sales.limit"]._tick(self.company)
            self.env.cr.precommit.run()
            touches = self.env["bridge.touch"].search([("channel_id", "in", (self.channel | self.web).ids)])
            told.append(bool(touches))
            touches.unlink()
        self.assertEqual(told, [True, True, False, True])

    # -- sold elsewhere ----------------------------------------------------------------------------------
    def test_sold_over_the_limit_is_booked_and_told(self):
        """An order a web store sold already is promised its goods whatever the limit says; a person is asked."""
        self.assertTrue(self.claim(8, "A"))
        self.assertTrue(self.claim(5, "B", purpose="import", is_sold=True))
        order = self.own_order(5, promised="B")
        self.env["bridge.booking.web"]._note_excess(self.web, order)
        self.assertIn("Ten in all", order.activity_ids.summary)
        self.assertIn("3 more", order.activity_ids.note)

    def test_a_customers_dozen_is_twelve(self):
        """What one order takes is counted in base units, whatever unit it was sold in."""
        self.limit.write({"cap_total": 0, "cap_customer": 5})
        line = {"product_id": self.rice.id, "product_uom_id": self.env.ref("uom.product_uom_dozen").id}
        order = self.env["sale.order"].create(
            {
                "partner_id": self.env["res.partner"].create({"name": "Buyer"}).id,
                "order_line": [Command.create(line | {"product_uom_qty": 1})],
            }
        )
        self.env["bridge.booking.web"]._note_excess(self.web, order)
        self.assertIn("A customer may buy 5; this one bought 12.", order.activity_ids.note)

    # -- people --------------------------------------------------------------------------------------------
    def test_what_limits_nothing_is_refused(self):
        """A limit without a number, without goods, or with an hour that does not exist is refused with a sentence."""
        for values in ({"cap_total": 0}, {"product_ids": False}, {"hour_to": 25}):
            with self.assertRaises(UserError), self.env.cr.savepoint():
                self.limit.write(values)

    def test_a_manager_makes_a_limit_and_a_user_looks(self):
        """With a bridge group alone, in the company's data only."""
        manager, user = (
            new_test_user(
                self.env, f"l_{name}", f"base.group_user,pos_erp_bridge.group_bridge_{name}",
                company_id=self.company.id, company_ids=[Command.set(self.company.ids)],
            )
            for name in ("manager", "user")
        )  # fmt: skip
        env = self.env(user=manager, su=False, context={"allowed_company_ids": self.company.ids})
        with Form(env["bridge.sales.limit"]) as form:
            form.name, form.cap_total = "Five", 5
            form.template_ids.add(self.tea.product_tmpl_id)
        self.assertEqual((form.record.left, form.record.state), (5, "running"))
        self.assertFalse(self.claim(6, "A", self.tea))
        self.assertEqual(form.record.with_user(user).left, 5)
        with self.assertRaises(AccessError):
            form.record.with_user(user).cap_total = 6


@tagged("post_install", "-at_install")
class TestLimitOrders(WebCase):
    def test_an_order_over_the_limit_is_booked_with_an_exception(self):
        """A web order beyond total and customer's limit becomes a sales order that says so to its salesperson."""
        (tea,) = self.make_products(("Console", "4900000000979"))
        limit = {"name": "Ten in all, two each", "product_ids": tea.ids, "cap_total": 10, "cap_customer": 2}
        self.env["bridge.sales.limit"].create(limit)
        first = self.booked(order(1, line(1, tea, 2)))
        self.assertFalse(first.activity_ids)
        second = self.booked(order(2, line(1, tea, 9)))
        self.assertEqual(
            (second.state, second.activity_ids.summary), ("sale", "Sold beyond the limit: " + limit["name"])
        )
        self.assertIn("10 may be sold in total; with this order it is 1 more.", second.activity_ids.note)
        self.assertIn("A customer may buy 2; this one bought 9.", second.activity_ids.note)


class RaceCase(BaseCase):
    """Many buyers at once, over real connections and on committed data of a company of its own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.registry = Registry(get_db_name())
        # The thread that runs the tests holds this lock all the while; Odoo's own test mode steps aside the same way.
        cls.startClassPatcher(patch.object(Registry, "_lock", DummyRLock()))
        with cls.registry.cursor() as cr:
            env = shop.make_company(api.Environment(cr, SUPERUSER_ID, {}), f"Limits {uuid.uuid4().hex[:6]}")
            cls.company_id = env.company.id
            cls.products = list(shop.make_products(env).values())
            cls.location = shop.warehouse(env).lot_stock_id
            systems = sorted(registered())
            cls.channels = env["bridge.channel"].create(
                [{"name": f"Channel {i}", "system": systems[i % len(systems)]} for i in range(3)]
            )
            env["bridge.store"].create(
                [
                    {"channel_id": channel.id, "external_id": "1", "name": "Store", "location_id": cls.location.id}
                    for channel in cls.channels
                ]
            )
            env["ir.cron"].search([("bridge_channel_id", "in", cls.channels.ids)]).active = False
            cls.channels.state = "live"
        cls.addClassCleanup(cls._retire)

    @classmethod
    def _retire(cls):
        with cls.registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            env["bridge.channel"].browse(cls.channels.ids).active = False
            env["bridge.sales.limit"].search([("company_id", "=", cls.company_id)]).active = False

    def make_env(self, cr):
        return api.Environment(cr, SUPERUSER_ID, {"allowed_company_ids": [self.company_id]})

    def limit(self, products, **values):
        with self.registry.cursor() as cr:
            env = self.make_env(cr)
            env["bridge.sales.limit"].create(
                {"name": "Race", "company_id": self.company_id, "product_ids": [p.id for p in products], **values}
            )
        self.registry.signal_changes()

    def race(self, products, customer="", purpose="cart", beside=None):
        """Every buyer asks for one piece at the same moment; returns how many were promised one.

        :param beside: what somebody else does meanwhile
        """
        barrier, granted, errors = threading.Barrier(BUYERS + bool(beside)), [], []

        def work():
            threading.current_thread().dbname = self.registry.db_name
            try:
                barrier.wait(30)
                beside()
            except Exception as error:
                errors.append(error)

        def buy(number):
            threading.current_thread().dbname = self.registry.db_name
            try:
                barrier.wait(30)
                with self.registry.cursor() as cr:
                    env = self.make_env(cr)
                    product = env["product.product"].browse(products[number % len(products)].id)
                    channel = env["bridge.channel"].browse(self.channels.ids[number % 3])
                    place = env["stock.location"].browse(self.location.id)
                    line = ("1", product, place, 1)
                    claim = env["bridge.hold"]._claim(channel, f"{uuid.uuid4()}", [line], purpose, customer=customer)
                    granted.append(bool(claim))
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=buy, args=(number,)) for number in range(BUYERS)]
        threads += [threading.Thread(target=work)] if beside else []
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        self.assertFalse(errors)
        return sum(granted)


@tagged("-standard", "-at_install", "post_install", "bridge_race")
class TestLimitRace(RaceCase):
    def test_thirty_buyers_of_ten(self):
        """Ten may be sold, thirty buyers on three channels ask at once: exactly ten are promised one."""
        self.limit(self.products[:1], cap_total=10)
        self.assertEqual(self.race(self.products[:1]), 10)

    def test_a_limit_over_several_products(self):
        """The limit holds over all its products together, whichever each buyer asks for."""
        self.limit(self.products[1:4], cap_total=10)
        self.assertEqual(self.race(self.products[1:4]), 10)

    def test_one_customer_in_many_windows(self):
        """A customer who asks thirty times at once gets what a customer may have."""
        self.limit(self.products[4:], cap_customer=2)
        self.assertEqual(self.race(self.products[4:], customer="C1"), 2)
