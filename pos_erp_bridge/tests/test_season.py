# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from datetime import date, datetime

from freezegun import freeze_time

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command
from odoo.tests import Form, new_test_user, tagged

from .common import BridgeCommon


@tagged("post_install", "-at_install")
class TestSeason(BridgeCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pricelist = cls.env["product.pricelist"].create(
            {"name": "Shops", "currency_id": cls.company.currency_id.id, "company_id": cls.company.id}
        )
        cls.season = cls.env["bridge.season"].create(
            {
                "name": "Autumn",
                "start_date": "2026-11-01",
                "end_date": "2026-11-30",
                "product_ids": cls.rice.ids,
                "template_ids": cls.tea.product_tmpl_id.ids,
                "pricelist_ids": cls.pricelist.ids,
                "step_ids": [
                    Command.create({"start_date": "2026-11-10", "percent": 30}),
                    Command.create({"start_date": "2026-11-20", "percent": 50}),
                ],
            }
        )

    def price(self, product, moment):
        """Price in the pricelist at a moment in Tokyo, "2026-11-10 00:00"."""
        at = self.channel._local_midnight(datetime.fromisoformat(moment).date(), "Asia/Tokyo")
        at += datetime.fromisoformat(moment) - datetime.fromisoformat(moment[:10])
        return self.pricelist._get_product_price(product, 1.0, date=at)

    def brakes(self, at, product=None):
        with freeze_time(at):
            return self.env["bridge.availability"]._brakes(self.stores, product or self.rice | self.tea | self.bread)

    def touched(self):
        self.env.cr.precommit.run()
        found = self.env["bridge.touch"].search([("store_id", "in", self.stores.ids)])
        pairs = {(touch.store_id, touch.product_id) for touch in found}
        found.unlink()
        return pairs

    def pairs(self, *products):
        return {(store.id, product.id) for store in self.stores for product in products}

    # -- prices ----------------------------------------------------------------------------------
    def test_marked_down_by_steps_to_the_whole_yen(self):
        """Each step begins at midnight of its day, ends where the next begins, and prices are whole yen."""
        self.season.action_schedule()
        days = ("2026-11-09 23:59", "2026-11-10 00:00", "2026-11-19 23:59", "2026-11-20 00:00", "2026-11-30 23:59",
                "2026-12-01 00:00")  # fmt: skip
        self.assertEqual([self.price(self.rice, day) for day in days], [151, 106, 106, 76, 76, 151])
        self.assertEqual([self.price(self.tea, day) for day in days], [138, 97, 97, 69, 69, 138])
        self.assertEqual(self.price(self.bread, "2026-11-20 12:00"), 217)

    def test_a_price_of_the_pricelist_is_the_base(self):
        """Where the pricelist has a price of its own, the mark-down is off that one."""
        self.env["product.pricelist.item"].create(
            {"pricelist_id": self.pricelist.id, "product_id": self.rice.id, "fixed_price": 101}
        )
        self.season.action_schedule()
        self.assertEqual(self.price(self.rice, "2026-11-10 00:00"), 71)
        self.assertEqual(self.price(self.rice, "2026-12-01 00:00"), 101)

    def test_scheduled_twice_makes_nothing_twice(self):
        """Run again, the rules are made anew: as many as before, as planned now."""
        self.season.action_schedule()
        self.assertEqual(self.season.item_count, 4)
        self.season.action_schedule()
        self.assertEqual(self.season.item_count, 4)
        self.assertEqual(self.pricelist.item_ids, self.season.item_ids)
        self.season.step_ids[0].unlink()
        self.season.action_schedule()
        self.assertEqual(self.season.item_count, 2)

    def test_changing_the_plan_changes_the_rules(self):
        """A scheduled season whose days or goods change is scheduled anew by itself."""
        self.season.action_schedule()
        self.season.step_ids = [Command.update(self.season.step_ids[0].id, {"percent": 10})]
        self.assertEqual(self.price(self.rice, "2026-11-10 00:00"), 136)
        self.season.product_ids = self.bread
        self.assertEqual(self.price(self.rice, "2026-11-10 00:00"), 151)
        self.assertEqual(self.price(self.bread, "2026-11-10 00:00"), 195)

    def test_cancelled_leaves_nothing(self):
        """Cancelled or deleted, the rules are gone and the goods are sold on."""
        self.season.action_schedule()
        self.season.action_cancel()
        self.assertFalse(self.pricelist.item_ids)
        self.assertEqual(self.brakes("2026-12-05"), {})
        self.season.action_schedule()
        self.season.unlink()
        self.assertFalse(self.pricelist.item_ids)

    # -- the end ---------------------------------------------------------------------------------
    def test_not_sold_after_the_last_day(self):
        """After the last day, in the season's time zone, the goods are sold on none of its channels."""
        self.season.action_schedule()
        self.assertEqual(self.brakes("2026-11-30 14:59:59"), {})  # UTC
        stopped = self.brakes("2026-11-30 15:00:00")
        self.assertEqual(stopped, dict.fromkeys(self.pairs(self.rice, self.tea), "Season ended on 2026-11-30."))

    def test_only_on_its_channels(self):
        """A season of other channels ends nothing here."""
        other = self.env["bridge.channel"].create({"name": "Other", "system": "probe", "state": "live"})
        self.season.channel_ids = other
        self.season.action_schedule()
        self.assertEqual(self.brakes("2026-12-05"), {})

    def test_a_category_takes_in_what_is_below_it(self):
        """A season of a category is about its products and those of the categories within."""
        above = self.env["product.category"].create({"name": "Clothes"})
        below = self.env["product.category"].create({"name": "Shirts", "parent_id": above.id})
        self.bread.categ_id = below
        self.season.write({"product_ids": False, "template_ids": False, "category_ids": above.ids})
        self.season.action_schedule()
        self.assertEqual(set(self.brakes("2026-12-05")), self.pairs(self.bread))

    def test_a_running_season_sells_what_an_old_one_ended(self):
        """What ended last year is sold while this year's season runs."""
        self.season.action_schedule()
        again = self.season.copy({"start_date": "2027-11-01", "end_date": "2027-11-30", "step_ids": False})
        again.product_ids = self.rice
        again.template_ids = False
        again.action_schedule()
        self.assertEqual(set(self.brakes("2027-10-31")), self.pairs(self.rice, self.tea))
        self.assertEqual(set(self.brakes("2027-11-15")), self.pairs(self.tea))
        self.assertEqual(set(self.brakes("2027-12-15")), self.pairs(self.rice, self.tea))

    def test_seasons_of_the_past_cost_a_claim_nothing(self):
        """Once looked at, seasons are asked no query: neither of goods they are not about nor, but for the store, of
        goods they ended; and the day is still the day."""
        for _year in range(3):
            self.season.copy().action_schedule()
        self.assertTrue(self.brakes("2026-12-05"))
        season = self.env["bridge.season"]
        for product, queries in ((self.bread, 0), (self.rice, 1)):
            self.env.invalidate_all()
            with freeze_time("2026-12-05"), self.assertQueryCount(queries):
                self.assertEqual(bool(season._ended(self.stores, product)), product == self.rice)
        with freeze_time("2026-11-30 14:59:59"), self.assertQueryCount(0):
            self.assertEqual(season._ended(self.stores, self.rice), {})

    def test_goods_that_come_to_a_category_later(self):
        """What is moved into a category of the season, or with its category below one, or made as a variant later, is
        no longer sold either; what is moved out is sold again."""
        above, other = self.env["product.category"].create([{"name": "Clothes"}, {"name": "Shirts"}])
        self.season.write({"product_ids": False, "template_ids": False, "category_ids": above.ids})
        self.rice.categ_id = above
        self.season.action_schedule()
        self.assertEqual(set(self.brakes("2026-12-05")), self.pairs(self.rice))
        self.bread.categ_id = above
        self.assertEqual(set(self.brakes("2026-12-05")), self.pairs(self.rice, self.bread))
        self.rice.product_tmpl_id.categ_id = other
        self.assertEqual(set(self.brakes("2026-12-05")), self.pairs(self.bread))
        other.parent_id = above
        self.assertEqual(set(self.brakes("2026-12-05")), self.pairs(self.rice, self.bread))
        new = self.env["product.product"].create({"name": "Muffler", "categ_id": above.id})
        with freeze_time("2026-12-05"):
            self.assertEqual(set(self.env["bridge.season"]._ended(self.stores, new)), self.pairs(new))

    def test_channels_are_told_when_it_is_time(self):
        """The poll lane tells the channels once at each beginning, mark-down and at the end."""
        with freeze_time("2026-11-05"):
            self.season.action_schedule()
        self.assertEqual(self.touched(), self.pairs(self.rice, self.tea))
        told = []
        for day in (6, 9, 10, 11, 20, 21, 30, 31, 32):
            with freeze_time(date(2026, 11, 1).replace(day=min(day, 30)) if day < 31 else date(2026, 12, day - 30)):
                self.env["bridge.season"]._tick(self.company)
            told.append(bool(self.touched()))
        self.assertEqual(told, [False, False, True, False, True, False, False, True, False])

    def test_prices_of_the_channel_are_compared_at_each_step(self):
        """A channel whose pricelist is marked down is compared at the mark-down: it must show the new price."""
        self.channel.pricelist_id = self.pricelist
        said = {"price": "151", "tax_included": True}
        self.env["bridge.binding"]._bind(self.channel, "product", [("p1", self.rice, {"told": said})])
        with freeze_time("2026-11-05"):
            self.season.action_schedule()
            self.env["bridge.mismatch"]._compare_due(self.channel)
            self.assertFalse(self.env["bridge.mismatch"].search([("channel_id", "=", self.channel.id)]))
        with freeze_time("2026-11-10"):
            self.env["bridge.season"]._tick(self.company)
            self.env["bridge.mismatch"]._compare_due(self.channel)
        row = self.env["bridge.mismatch"].search([("channel_id", "=", self.channel.id)])
        self.assertEqual((row.channel_value, row.odoo_value), ("151", "106"))

    # -- overview --------------------------------------------------------------------------------
    def test_state_by_the_day(self):
        """Planned, running, ended by the day of the season's time zone; the filter agrees with what is shown."""
        self.assertEqual(self.season.state, "draft")
        self.season.action_schedule()
        for at, state in (("2026-10-31 14:59", "planned"), ("2026-10-31 15:00", "running"), ("2026-12-01", "ended")):
            with freeze_time(at):
                self.season.invalidate_recordset(["state"])
                self.assertEqual(self.season.state, state)
                found = self.env["bridge.season"].search([("state", "=", state), ("company_id", "=", self.company.id)])
                self.assertEqual(found, self.season)

    def test_sell_through(self):
        """Sold since the first day, less what came back, of that and what is left."""
        self.book(self.sale(self.line(self.rice, 1510, 10)), self.sale(self.line(self.rice, -302, -2)))
        self.season.invalidate_recordset()
        figures = (self.season.sold_quantity, self.season.on_hand_quantity, self.season.sell_through)
        self.assertEqual(figures, (8, 192, 0.04))

    def test_what_is_missing_is_said(self):
        """No goods, no pricelist, or a step outside of the season are refused with a sentence."""
        self.season.pricelist_ids = False
        with self.assertRaisesRegex(UserError, "Choose the pricelists"):
            self.season.action_schedule()
        self.season.write({"product_ids": False, "template_ids": False})
        with self.assertRaisesRegex(UserError, "Choose what"):
            self.season.action_schedule()
        with self.assertRaisesRegex(ValidationError, "within the season"):
            self.season.step_ids[0].start_date = "2026-12-10"

    def test_a_manager_of_the_bridge_plans_a_season(self):
        """With no rights on pricelists of his own; a user may look only."""
        manager, user = (
            new_test_user(
                self.env, f"s_{name}", f"base.group_user,pos_erp_bridge.group_bridge_{name}",
                company_id=self.company.id, company_ids=[Command.set(self.company.ids)],
            )
            for name in ("manager", "user")
        )  # fmt: skip
        env = self.env(user=manager, su=False, context={"allowed_company_ids": self.company.ids})
        with Form(env["bridge.season"]) as form:
            form.name, form.start_date, form.end_date = "Winter", date(2026, 12, 1), date(2027, 2, 28)
            form.template_ids.add(self.bread.product_tmpl_id)
            form.pricelist_ids.add(self.pricelist)
            with form.step_ids.new() as step:
                step.start_date, step.percent = date(2027, 1, 15), 40
        season = form.record
        season.action_schedule()
        self.assertEqual((season.state, season.item_count, season.sell_through), ("planned", 1, 0))
        with self.assertRaises(AccessError):
            season.with_user(user).action_cancel()
        self.assertEqual(season.with_user(user).state, "planned")
