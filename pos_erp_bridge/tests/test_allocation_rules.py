# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Stock rules: which one decides, when, and what that leaves for whom."""

import unittest
from datetime import datetime, timedelta
from unittest.mock import patch

import psycopg2
from freezegun import freeze_time

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from .common import Probe
from .test_hold import HoldCase

MONDAY = datetime(2026, 11, 23, 3, 0)  # noon in Tokyo


class RuleCase(HoldCase):
    """Two channels sell from one place: the till of HoldCase, and a second one."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other = cls.env["bridge.channel"].create(
            {"name": "Other", "system": Probe.system, "start_date": "2026-11-01"}
        )
        cls.far = cls.env["bridge.store"].create(
            {"channel_id": cls.other.id, "external_id": "9", "name": "9", "location_id": cls.location.id}
        )
        for channel in cls.channel | cls.other:
            cls.env["bridge.binding"]._bind(channel, "product", [(f"p{p.id}", p) for p in (cls.rice, cls.tea, cls.bread)])
        cls.other.state = "live"

    def rule(self, **values):
        return self.env["bridge.allocation.rule"].create({"name": "Rule", **values})

    def found(self, product, store=None):
        store = store or self.store
        self.env.flush_all()
        return self.env["bridge.availability"]._for_stores(store, product)[store.id, product.id]

    def sells(self, product, store=None):
        return self.found(product, store).quantity

    def touched(self):
        """{(store, product)} told of since last asked."""
        self.env.cr.flush()
        self.env.cr.execute("DELETE FROM bridge_touch RETURNING store_id, product_id")
        return set(self.env.cr.fetchall())


@tagged("post_install", "-at_install")
class TestWhichRule(RuleCase):
    def test_without_rules_everything_is_sold(self):
        """A channel no rule speaks of sells what there is."""
        found = self.found(self.rice)
        self.assertEqual((found.quantity, found.net, found.rule_id, found.reasons), (100, 100, None, []))

    def test_first_that_fits_decides_alone(self):
        """Rules are gone through by priority; the first that fits decides, the others have no say."""
        second = self.rule(sequence=2, share="fixed", share_quantity=2)
        first = self.rule(sequence=1, share="fixed", share_quantity=5)
        self.assertEqual((self.sells(self.rice), self.found(self.rice).rule_id), (5, first.id))
        first.sequence = 3
        self.assertEqual((self.sells(self.rice), self.found(self.rice).rule_id), (2, second.id))
        second.active = False
        self.assertEqual(self.sells(self.rice), 5)

    def test_channel(self):
        """A rule for a channel leaves the others alone."""
        self.rule(channel_ids=self.other.ids, share="fixed", share_quantity=5)
        self.assertEqual((self.sells(self.rice), self.sells(self.rice, self.far)), (100, 5))

    def test_store(self):
        """A rule for a store leaves the channel's other stores alone."""
        self.rule(store_ids=self.stores[1].ids, share="fixed", share_quantity=5)
        self.assertEqual((self.sells(self.rice), self.sells(self.rice, self.stores[1])), (100, 5))

    def test_variant_and_template(self):
        """A rule for a variant is about that one only; one for the product about all its variants."""
        attribute = self.env["product.attribute"].create(
            {"name": "Size", "value_ids": [Command.create({"name": "S"}), Command.create({"name": "L"})]}
        )
        shirt = self.env["product.template"].create(
            {
                "name": "Shirt", "is_storable": True, "company_id": self.company.id,
                "attribute_line_ids": [
                    Command.create({"attribute_id": attribute.id, "value_ids": [Command.set(attribute.value_ids.ids)]})
                ],
            }
        )  # fmt: skip
        small, large = shirt.product_variant_ids
        for product in (small, large):
            self.stock(product, 10)
        self.rule(sequence=1, product_ids=small.ids, share="fixed", share_quantity=1)
        self.assertEqual((self.sells(small), self.sells(large)), (1, 10))
        self.rule(sequence=2, product_tmpl_ids=shirt.ids, share="fixed", share_quantity=2)
        self.assertEqual((self.sells(small), self.sells(large), self.sells(self.rice)), (1, 2, 100))

    def test_category_with_those_within(self):
        """A rule for a category is about the categories within, and not about its neighbours."""
        food, other = self.env["product.category"].create([{"name": "Food"}, {"name": "Other"}])
        drinks = self.env["product.category"].create({"name": "Drinks", "parent_id": food.id})
        self.tea.categ_id, self.rice.categ_id, self.bread.categ_id = drinks, food, other
        self.rule(categ_ids=food.ids, share="fixed", share_quantity=5)
        self.assertEqual([self.sells(p) for p in (self.tea, self.rice, self.bread)], [5, 5, 100])

    def test_what_a_rule_gives(self):
        """Share, safety stock, minimum and stop, and the reasons that are shown."""
        self.stock(self.rice, 10)
        rule = self.rule(share="percent", share_percent=50)
        for values, quantity, reasons in (
            ({}, 5, [("share", 5)]),
            ({"safety_quantity": 3}, 3, [("share", 3.5)]),
            ({"minimum": 4}, 0, [("share", 3.5), ("minimum", 4)]),
            ({"share": "all", "minimum": 7}, 7, []),
            ({"share": "fixed", "share_quantity": 2, "minimum": 0}, 2, [("share", 2)]),
            ({"is_stopped": True}, 0, [("share", 2), ("stopped", rule.id)]),
        ):
            rule.write(values)
            found = self.found(self.rice)
            self.assertEqual((found.quantity, found.reasons), (quantity, reasons), values)

    def test_hours_of_sales(self):
        """Hours' worth of sales are kept back, by how much is sold there a day."""
        self.stock(self.rice, 10)
        self.rule(safety_hours=8, safety_quantity=1)
        velocity = self.env.get("bridge.velocity")
        if velocity is None:
            self.assertEqual(self.sells(self.rice), 9)
            return
        with patch.object(type(velocity), "_per_day", lambda self, location, products: {p.id: 6 for p in products}):
            found = self.found(self.rice)
        self.assertEqual((found.safety, found.quantity), (3, 7))

    def test_no_promise_beyond_the_rule(self):
        """A cart is promised what its channel may sell; Odoo's own orders, and what is sold already, all there is."""
        self.stock(self.rice, 10)
        self.rule(channel_ids=self.channel.ids, share="fixed", share_quantity=3)
        self.assertFalse(self.claim("A", (self.rice, 4)))
        self.assertTrue(self.claim("A", (self.rice, 3)))
        self.assertTrue(self.claim("B", (self.rice, 6), is_sold=True, purpose="import"))
        self.assertTrue(self.claim("C", (self.rice, 1), channel=self.env["bridge.channel"]))

    def test_nonsense_is_refused(self):
        """Shares beyond 100 %, negative quantities, empty windows and ends before beginnings are refused."""
        for values in (
            {"share_percent": 101}, {"share_percent": -1}, {"share_quantity": -1}, {"safety_quantity": -1},
            {"safety_hours": -1}, {"minimum": -1}, {"hour_from": -1}, {"hour_to": 25}, {"hour_from": 24.0},
        ):  # fmt: skip
            with (
                self.subTest(values),
                self.assertRaises(psycopg2.errors.CheckViolation),
                mute_logger("odoo.sql_db"),
                self.cr.savepoint(),
            ):
                self.rule(**values)
        with self.assertRaises(ValidationError):
            self.rule(date_from="2026-11-02 00:00:00", date_to="2026-11-01 00:00:00")


@tagged("post_install", "-at_install")
class TestRuleWindows(RuleCase):
    def force(self, rule, *moments):
        """Whether the rule is in force, at each moment (UTC)."""
        return [rule._is_now(moment) for moment in moments]

    def test_days_of_the_week(self):
        """A rule for Monday rules from midnight to midnight in Tokyo, not in Greenwich."""
        rule = self.rule(channel_ids=self.channel.ids, **dict.fromkeys(
            ("tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"), False))  # fmt: skip
        sunday_night, monday, monday_night = MONDAY - timedelta(hours=12, minutes=1), MONDAY, MONDAY + timedelta(hours=12)
        self.assertEqual(self.force(rule, sunday_night, sunday_night + timedelta(minutes=1), monday, monday_night),
                         [False, True, True, False])  # fmt: skip

    def test_hours_over_midnight(self):
        """From 22 to 6: the night belongs to the day it began on."""
        rule = self.rule(channel_ids=self.channel.ids, hour_from=22, hour_to=6, tuesday=False)
        tokyo = MONDAY.replace(hour=0) - timedelta(hours=9)  # Monday 0:00 there
        at = [tokyo + timedelta(hours=hours) for hours in (21.9, 22, 24 + 5.9, 24 + 6, 24 + 22, 48 + 5, 48 + 22)]
        self.assertEqual(self.force(rule, *at), [False, True, True, False, False, False, True])

    def test_time_zone_of_the_channel(self):
        """Hours are those of the channel's own time zone."""
        self.other.timezone = "Europe/Berlin"
        here, there = (self.rule(channel_ids=c.ids, hour_from=12, hour_to=13) for c in (self.channel, self.other))
        self.assertEqual(self.force(here, MONDAY, MONDAY + timedelta(hours=8)), [True, False])
        self.assertEqual(self.force(there, MONDAY, MONDAY + timedelta(hours=8)), [False, True])

    def test_from_and_to(self):
        """A rule begins at its beginning and is over at its end."""
        rule = self.rule(date_from=MONDAY, date_to=MONDAY + timedelta(hours=1))
        at = [MONDAY + timedelta(seconds=s) for s in (-1, 0, 3599, 3600)]
        self.assertEqual(self.force(rule, *at), [False, True, True, False])

    def test_takes_effect_by_itself(self):
        """When its window opens or closes the channels hear of it, of the products it is about; then no more."""
        with freeze_time(MONDAY):
            self.rule(channel_ids=self.channel.ids, product_ids=self.rice.ids, hour_from=18, is_stopped=True)
            self.assertEqual(self.sells(self.rice), 100)
        with freeze_time(MONDAY + timedelta(hours=5)):
            self.touched()
            self.holds._cron_sweep()
            self.assertEqual((self.touched(), self.sells(self.rice)), (set(), 100))
        with freeze_time(MONDAY + timedelta(hours=6)):
            self.holds._cron_sweep()
            told = {(store.id, self.rice.id) for store in self.stores}
            self.assertEqual((self.touched(), self.sells(self.rice)), (told, 0))
            self.holds._cron_sweep()
            self.assertEqual(self.touched(), set())
        with freeze_time(MONDAY + timedelta(hours=12)):
            self.holds._cron_sweep()
            self.assertEqual((self.touched(), self.sells(self.rice)), (told, 100))

    def test_a_changed_rule_is_told(self):
        """Channels hear of the products a rule was about, and of those it is about now."""
        rule = self.rule(channel_ids=self.other.ids, product_ids=self.rice.ids)
        self.touched()
        rule.product_ids = self.tea
        self.assertEqual(self.touched(), {(self.far.id, p.id) for p in (self.rice, self.tea)})
        rule.unlink()
        self.assertEqual(self.touched(), {(self.far.id, self.tea.id)})


@tagged("post_install", "-at_install")
class TestExclusive(RuleCase):
    """What a rule keeps for its channels is not offered to others."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.left, cls.right = cls.env["stock.location"].create(
            [{"name": name, "location_id": cls.location.id} for name in ("left", "right")]
        )

    def keep(self, **values):
        return self.rule(**{"channel_ids": self.other.ids, "is_exclusive": True, "sequence": 1, **values})

    def test_on_one_place(self):
        """Four are kept for the other channel: it may sell four, everybody else the rest."""
        self.stock(self.rice, 10)
        self.keep(share="fixed", share_quantity=4)
        found = self.found(self.rice)
        self.assertEqual((found.quantity, found.others, self.sells(self.rice, self.far)), (6, 4, 4))

    def test_percentage(self):
        """Percentages are of what is left after the safety stock."""
        self.stock(self.rice, 10)
        self.keep(share="percent", share_percent=50, safety_quantity=2)
        self.assertEqual((self.sells(self.rice, self.far), self.sells(self.rice)), (4, 6))

    def test_earlier_rules_come_first(self):
        """A channel whose own rule comes first is kept nothing from."""
        self.stock(self.rice, 10)
        self.keep(share="fixed", share_quantity=4, sequence=5)
        self.rule(channel_ids=self.channel.ids, sequence=1)
        self.assertEqual(self.sells(self.rice), 10)

    def test_both_keep(self):
        """Of two that keep, the first gets its share, the second what is left to it."""
        self.stock(self.rice, 10)
        self.keep(share="fixed", share_quantity=7)
        self.rule(channel_ids=self.channel.ids, sequence=2, share="fixed", share_quantity=7, is_exclusive=True)
        self.assertEqual((self.sells(self.rice, self.far), self.sells(self.rice)), (7, 3))

    def test_what_gives_nothing_keeps_nothing(self):
        """A rule that stops the sale, or is below its minimum, keeps nothing from others."""
        self.stock(self.rice, 10)
        rule = self.keep(is_stopped=True)
        self.assertEqual((self.sells(self.rice), self.sells(self.rice, self.far)), (10, 0))
        rule.write({"is_stopped": False, "minimum": 11})
        self.assertEqual((self.sells(self.rice), self.sells(self.rice, self.far)), (10, 0))

    def test_only_of_its_products(self):
        """What is kept of one product says nothing about another."""
        self.keep(product_ids=self.rice.ids)
        self.assertEqual((self.sells(self.rice), self.sells(self.tea)), (0, 100))

    def test_kept_in_a_part(self):
        """What a shop is kept is missing in the warehouse around it; the shop next door does not notice."""
        self.stock(self.rice, 0)
        for place in (self.left, self.right):
            self.stock(self.rice, 5, place)
        self.far.location_id = self.left
        self.keep(share="fixed", share_quantity=4)
        self.stores[1].location_id = self.right
        self.assertEqual([self.sells(self.rice, s) for s in (self.far, *self.stores)], [4, 6, 5])

    def test_kept_of_the_whole(self):
        """Of what is kept of the warehouse a shop keeps back what cannot be taken elsewhere."""
        self.stock(self.rice, 0)
        for place in (self.left, self.right):
            self.stock(self.rice, 5, place)
        self.stores[0].location_id, self.stores[1].location_id = self.left, self.right
        rule = self.keep(share="fixed", share_quantity=4)
        self.assertEqual([self.sells(self.rice, s) for s in (self.far, *self.stores)], [4, 5, 5])
        rule.share_quantity = 7
        self.assertEqual([self.sells(self.rice, s) for s in (self.far, *self.stores)], [7, 3, 3])

    def test_a_sale_next_door_is_passed_on(self):
        """What the shop next door sells leaves less for this one, where a rule keeps of the whole: it is told, once."""
        self.stock(self.rice, 0)
        for place in (self.left, self.right):
            self.stock(self.rice, 5, place)
        self.stores[0].location_id, self.stores[1].location_id = self.left, self.right
        self.keep(share="fixed", share_quantity=7)
        self.touched()
        self.stock(self.rice, 4, self.right)
        self.assertEqual(self.touched(), {(s.id, self.rice.id) for s in (self.far, self.stores[1])})
        levels = self.env["bridge.stock.level"]
        self.stock(self.rice, 3, self.right)
        self.env.cr.flush()
        levels._fold(self.other)
        self.env.cr.execute("SELECT store_id FROM bridge_touch WHERE own_quantity IS NULL ORDER BY store_id")
        self.assertEqual([row[0] for row in self.env.cr.fetchall()], sorted(self.stores.ids))
        levels._fold(self.channel)
        self.env.cr.execute("SELECT count(*) FROM bridge_touch")
        self.assertEqual(self.env.cr.fetchone(), (0,))

    def test_a_sale_beside_a_promise_of_the_whole_is_passed_on(self):
        """Of ten in two shops five are promised of the whole; when one shop sells its five, the other has none."""
        self.stock(self.rice, 0)
        for place in (self.left, self.right):
            self.stock(self.rice, 5, place)
        self.stores[0].location_id, self.stores[1].location_id = self.left, self.right
        self.assertTrue(self.claim("A", (self.rice, 5), channel=self.other))
        self.assertEqual(self.sells(self.rice), 5)
        self.touched()
        self.stock(self.rice, 0, self.right)
        self.env.cr.flush()
        self.env["bridge.stock.level"]._fold(self.other)
        self.assertIn((self.stores[0].id, self.rice.id), self.touched())
        self.assertEqual(self.sells(self.rice), 0)

    def test_reservation_leaves_what_a_shop_promised(self):
        """An order of the whole warehouse is not given the piece a shop promised, when another lies next door."""
        self.stock(self.rice, 0)
        self.stock(self.rice, 2, self.left)
        self.stock(self.rice, 2, self.right)
        self.stores[0].location_id, self.stores[1].location_id = self.left, self.right
        for first, second in ((self.left, self.right), (self.right, self.left)):
            with self.subTest(first.name), self.cr.savepoint() as savepoint:
                self.assertTrue(self.claim("A", (self.rice, 2, first)))
                order = self.env["sale.order"].create(
                    {
                        "partner_id": self.env.user.partner_id.id,
                        "order_line": [Command.create({"product_id": self.rice.id, "product_uom_qty": 3})],
                    }
                )
                order.action_confirm()
                lines = order.picking_ids.move_line_ids
                self.assertEqual([(line.location_id, line.quantity) for line in lines], [(second, 2)])
                self.assertEqual(self.available(self.rice, first), 0)
                savepoint.rollback()
                self.env.invalidate_all()


@tagged("post_install", "-at_install")
class TestRuleRights(RuleCase):
    def test_who_may_change_rules(self):
        """Everybody in the bridge reads rules; managers write them."""
        rule = self.rule(share="fixed", share_quantity=5)
        for group, may in (("auditor", False), ("user", False), ("manager", True), ("administrator", True)):
            user = new_test_user(
                self.env, f"rules_{group}", f"pos_erp_bridge.group_bridge_{group}", company_id=self.company.id
            )
            mine = rule.with_user(user)
            self.assertEqual((mine.name, mine.summary), ("Rule", "At most 5"))
            if may:
                mine.share_quantity = 6
                mine.share_quantity = 5
                mine.copy().unlink()
                continue
            for work in (lambda r=mine: r.write({"minimum": 1}), mine.unlink, mine.copy):
                with self.subTest(group), self.assertRaises(AccessError):
                    work()

    def test_a_user_sees_what_is_available(self):
        """What may be sold does not depend on who asks."""
        self.keep = self.rule(channel_ids=self.other.ids, is_exclusive=True, share="fixed", share_quantity=4)
        user = new_test_user(self.env, "asks", "pos_erp_bridge.group_bridge_user,stock.group_stock_user",
                             company_id=self.company.id)  # fmt: skip
        found = self.env["bridge.availability"].with_user(user)._for_stores(self.store.with_user(user), self.rice)
        self.assertEqual(found[self.store.id, self.rice.id].quantity, 96)

    def test_companies_do_not_mix(self):
        """A company's rule is none of another's business, nor may it name another's channel."""
        other = self.env["res.company"].create({"name": "Other company"})
        self.env.user.company_ids |= other
        self.rule(company_id=other.id, is_stopped=True)
        self.assertEqual(self.sells(self.rice), 100)
        with self.assertRaises(UserError):
            self.rule(company_id=other.id, channel_ids=self.channel.ids)
        user = new_test_user(self.env, "elsewhere", "pos_erp_bridge.group_bridge_manager", company_id=other.id,
                             company_ids=[Command.set(other.ids)])  # fmt: skip
        mine = self.rule(name="Mine")
        rules = self.env["bridge.allocation.rule"].with_user(user).with_context(allowed_company_ids=other.ids)
        self.assertNotIn(mine.id, rules.search([]).ids)


@tagged("post_install", "-at_install")
class TestKits(RuleCase):
    """A kit is as many as its scarcest part makes, and is promised as its parts."""

    def setUp(self):
        super().setUp()
        if "mrp.bom" not in self.env:
            raise unittest.SkipTest("manufacturing is not installed: there are no kits")
        self.box, self.gift = self.env["product.product"].create(
            [{"name": name, "is_storable": True, "company_id": self.company.id} for name in ("Box", "Gift")]
        )
        self.bom(self.box, (self.rice, 2), (self.tea, 1))
        self.bom(self.gift, (self.box, 1), (self.bread, 3))
        self.stock(self.rice, 10)
        self.stock(self.tea, 4)
        self.stock(self.bread, 10)

    def bom(self, product, *parts):
        return self.env["mrp.bom"].create(
            {
                "product_tmpl_id": product.product_tmpl_id.id, "type": "phantom", "company_id": self.company.id,
                "bom_line_ids": [Command.create({"product_id": p.id, "product_qty": quantity}) for p, quantity in parts],
            }
        )  # fmt: skip

    def test_scarcest_part_decides(self):
        """Of two rice and one tea each, and of a kit in a kit; whole ones."""
        self.assertEqual((self.sells(self.box), self.sells(self.gift)), (4, 3))
        self.stock(self.rice, 3)
        self.assertEqual((self.sells(self.box), self.sells(self.gift)), (1, 1))
        self.stock(self.tea, 0)
        self.assertEqual(self.sells(self.box), 0)

    def test_promised_as_its_parts(self):
        """A promised kit is missing in its parts, and a part's promise in the kit."""
        self.assertTrue(self.claim("A", (self.box, 3)))
        self.assertEqual([self.available(p) for p in (self.rice, self.tea, self.bread)], [4, 1, 10])
        self.assertEqual((self.sells(self.box), self.sells(self.gift)), (1, 1))
        self.assertFalse(self.claim("B", (self.box, 1), (self.tea, 1)), "together they need two of the last tea")
        self.assertTrue(self.claim("B", (self.tea, 1)))
        self.assertEqual(self.sells(self.box), 0)
        claim = self.claim("C", (self.gift, 1), partial=True)
        self.assertEqual((claim.granted, claim.short), ({}, {"0": 1.0}))

    def test_as_many_whole_kits_as_there_are(self):
        """What was sold is promised in whole kits."""
        self.stock(self.rice, 5)
        claim = self.claim("A", (self.box, 4), partial=True)
        self.assertEqual((claim.granted, claim.short), ({"0": 2.0}, {"0": 2.0}))
        self.assertEqual((self.available(self.rice), self.available(self.tea)), (1, 2))

    def test_channels_are_told_of_the_kit(self):
        """When a part changes the level of every kit with it does, nested ones too."""
        for product in (self.box, self.gift):
            self.env["bridge.binding"]._bind(self.other, "product", [(f"p{product.id}", product)])
        self.touched()
        self.stock(self.tea, 2)
        self.env.cr.flush()
        levels = self.env["bridge.stock.level"]
        levels._fold(self.other)
        told = levels.search([("channel_id", "=", self.other.id)])
        desired = {level.product_id: level.desired for level in told}
        self.assertEqual(desired, {self.tea: 2, self.box: 2, self.gift: 2})

    def test_order_of_a_kit_keeps_its_promise(self):
        """A kit's order reserves the parts that were promised, and the promise ends with it."""
        order = self.env["sale.order"].create(
            {
                "partner_id": self.env.user.partner_id.id,
                "order_line": [Command.create({"product_id": self.box.id, "product_uom_qty": 2})],
            }
        )
        self.claim("A", (self.box, 2))
        self.active("A").sale_line_id = order.order_line
        order.action_confirm()
        reserved = {move.product_id: move.quantity for move in order.picking_ids.move_ids}
        self.assertEqual(reserved, {self.rice: 4, self.tea: 2})
        self.assertFalse(self.active("A"))
        self.assertEqual((self.available(self.rice), self.available(self.tea), self.sells(self.box)), (6, 2, 2))
