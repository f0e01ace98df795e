# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Vendors that fail while stock is promised, sold and told: no piece is lost or doubled."""

from odoo import fields
from odoo.tests import tagged

from . import shop
from .test_outage import OutageCase

RICE, TEA = (code for code, *_rest in shop.PRODUCTS[:2])


@tagged("post_install", "-at_install")
class TestHoldFaults(OutageCase):
    def setUp(self):
        super().setUp()
        # A level the channel was told is compared to what may be sold.
        self.availability = self.env["bridge.availability"]

    def connected(self, system):
        vendor = self.connect(system)
        vendor.channel.payment_journal_id = self.env["account.journal"].search(
            [("type", "=", "bank"), ("company_id", "=", self.env.company.id)], limit=1
        )
        self.env["bridge.touch"]._touch_channel(vendor.channel)
        self.run_lanes(vendor, "outward")
        return vendor

    def claim(self, vendor, ref, code, quantity):
        self.env.flush_all()
        lines = [("1", self.products[code], self.location, quantity)]
        with self.enter_registry_test_mode():
            return self.env["bridge.hold"]._claim(vendor.channel, ref, lines, "cart")

    def shown(self, vendor, code):
        return vendor.sandbox.state()["levels"][vendor.channel.store_ids[:1].external_id][code]

    def sellable(self, vendor, code):
        store = vendor.channel.store_ids[:1]
        self.env.invalidate_all()
        return self.availability._for_stores(store, self.products[code])[store.id, self.products[code].id].quantity

    def outward_again(self, vendor):
        """The lane, five minutes later."""
        earlier = fields.Datetime.subtract(fields.Datetime.now(), minutes=5)
        levels = self.env["bridge.stock.level"].search([("channel_id", "=", vendor.channel.id)])
        levels.filtered(lambda level: level.state in ("due", "stale")).run_at = earlier
        levels.filtered("stale_since").stale_since = earlier
        self.run_lanes(vendor, "outward")

    def test_applied_and_timed_out(self):
        """The vendor applies a level and hangs up, for two promises in a row: it shows each once, and we agree."""
        for system in ("smaregi", "shopify"):
            with self.subTest(system):
                vendor = self.connected(system)
                before = self.shown(vendor, RICE)
                self.assertEqual(before, self.sellable(vendor, RICE))
                for number, quantity in enumerate((3, 4)):
                    vendor.sandbox.faults["timeout_after_apply"] = 1
                    self.assertTrue(self.claim(vendor, f"{system}-{number}", RICE, quantity))
                    self.run_lanes(vendor, "outward")
                for _again in range(2):
                    self.outward_again(vendor)
                self.assertFalse(vendor.sandbox.faults["timeout_after_apply"], "the fault never happened")
                self.assertEqual(self.shown(vendor, RICE), before - 7)
                self.assertEqual(self.sellable(vendor, RICE), before - 7)
                levels = self.env["bridge.stock.level"].search(
                    [("channel_id", "=", vendor.channel.id), ("product_id", "=", self.products[RICE].id)]
                )
                for level in levels:  # one for each store
                    self.assertEqual((level.state, level.confirmed, level.desired), ("synced", before - 7, before - 7))

    def test_two_hours_down_and_back(self):
        """A till system is silent for two hours while a web store sells and a cart is filled: back again, it shows what
        is left, and every order is booked once."""
        till, web = self.connected("smaregi"), self.connected("shopify")
        before = self.shown(till, RICE)
        self.go_down(till)
        sold = [web.sell(RICE) for _ in range(3)]
        self.deliver(web)
        self.run_lanes(web, "inbound")
        self.assertTrue(self.claim(web, "cart", RICE, 2))
        self.run_lanes(web, "outward")
        self.run_lanes(till, "outward")
        self.poll_lane(till)
        self.age(till, hours=2)
        self.run_lanes(till, "outward")
        self.assertEqual(self.shown(till, RICE), before, "nothing reached it")
        self.come_back(till)
        self.poll_lane(till)
        for vendor in (till, web, till):
            self.outward_again(vendor)
        self.assertEqual([len(self.document(web, ref)) for ref in sold], [1, 1, 1])
        self.assertEqual(self.sellable(web, RICE), before - 5)
        self.assertEqual((self.shown(till, RICE), self.shown(web, RICE)), (before - 5, before - 5))
