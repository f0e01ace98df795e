# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from datetime import UTC, datetime

from odoo.tests import tagged

from ..connectors import registered
from ..connectors.base import Capability
from . import shop
from .race_case import RaceCase

THREADS = 6
SALES = 5


@tagged("-standard", "-at_install", "post_install", "bridge_race")
class TestRace(RaceCase):
    """The same facts by every way at once, over real connections: one document each."""

    @classmethod
    def _set_up_shop(cls, env):
        cls.vendors, cls.sold = [], {}
        shop.make_products(env)
        for system, connector in sorted(registered().items()):
            if Capability.WEBHOOKS in connector.capabilities:
                vendor = shop.Vendor(env, system)
                cls.addClassCleanup(vendor.stop)
                cls.vendors.append(vendor)

    def deliver(self, vendor, deliveries):
        """Each delivery as a request of its own would take it."""
        for body, headers in deliveries:
            with self.registry.cursor() as cr:
                channel = self.channel_env(cr, vendor)
                delivery = channel._connector().verify(body, headers, datetime.now(UTC))
                channel.env["bridge.event"]._take_delivery(channel.id, self.company_id, delivery, body.decode())

    def replay(self, vendor, ids, stream):
        with self.registry.cursor() as cr:
            channel = self.channel_env(cr, vendor)
            facts = channel._connector().fetch(stream, ids)

            def take(channel):
                channel.env["bridge.event"]._take_facts(channel, reversed(facts), "replay")

            channel._retrying(take)

    def test_same_facts_by_every_way_at_once_are_booked_once(self):
        """Every webhook twice and reversed, poll, replay, and two workers on the lane, all at once."""
        for vendor in self.vendors:
            with self.subTest(vendor.system):
                stream = "sale" if Capability.SALES_IN in registered()[vendor.system].capabilities else "order"
                ids = [self.sell(vendor, "4900000000023", "4900000000047") for _ in range(SALES)]
                told = list(vendor.deliveries)
                self.in_parallel(
                    lambda _i, v=vendor, d=told: self.deliver(v, d),
                    lambda _i, v=vendor, d=told: self.deliver(v, d[::-1]),
                    lambda _i, v=vendor: self.run_lane(v, "poll"),
                    lambda _i, v=vendor, x=ids, s=stream: self.replay(v, x, s),
                    lambda _i, v=vendor: self.run_lane(v, "inbound"),
                    lambda _i, v=vendor: self.run_lane(v, "inbound"),
                )
                self._decide_tenders(vendor)
                self.in_parallel(*[lambda _i, v=vendor: self.run_lane(v, "inbound")] * 2)
                self.assertBookedOnce(vendor)

    def _decide_tenders(self, vendor):
        """A new means of payment is decided by a person; what waited goes on."""
        self.run_lane(vendor, "inbound")
        with self.registry.cursor() as cr:
            env = self.channel_env(cr, vendor).env
            domain = [("type", "=", "bank"), ("company_id", "=", self.company_id)]
            journal = env["account.journal"].search(domain, limit=1)
            items = env["bridge.work.item"].search([("channel_id", "=", vendor.channel.id), ("state", "=", "open")])
            self.assertLessEqual(set(items.mapped("entity")), {"tender"}, items.mapped("name"))
            items.journal_id = journal
            items.action_map()

    def sell(self, vendor, *codes):
        external_id = vendor.sell(*codes)
        self.sold.setdefault(vendor.system, []).append(external_id)
        return external_id

    def assertBookedOnce(self, vendor):
        ids = self.sold[vendor.system]
        with self.registry.cursor() as cr:
            env = self.channel_env(cr, vendor).env
            domain = [("channel_id", "=", vendor.channel.id)]
            sales = [*domain, ("entity", "in", ("sale", "order"))]
            bindings = env["bridge.binding"].search(sales)
            self.assertEqual(sorted(bindings.mapped("external_id")), sorted(ids))
            model = bindings[0].res_model
            documents = env[model].browse(bindings.mapped("res_id")).exists()
            self.assertEqual(len(documents), len(ids))
            self.assertEqual(env[model].search_count([("company_id", "=", self.company_id)]), len(ids))
            facts = env["bridge.event"].search([*domain, ("stream", "in", ("sale", "order"))])
            self.assertEqual(len(facts), len(ids), facts.mapped("external_version"))
            left = env["bridge.event"].search([*domain, ("state", "not in", ("done", "skipped"))])
            self.assertFalse(left, left.mapped("message"))
            sold = sum(
                line.qty if model == "pos.order" else line.product_uom_qty
                for line in documents.mapped("lines" if model == "pos.order" else "order_line")
                if line.product_id.barcode == "4900000000023"
            )
            self.assertEqual(sold, SALES)

    def test_same_delivery_at_the_same_moment_is_one_row(self):
        """Many connections take one delivery at once: one row, no error, and it is announced as new once."""
        vendor = self.vendors[0]
        self.sell(vendor, "4900000000016")
        body, headers = vendor.deliveries[-1]
        new = []

        def take(_index):
            with self.registry.cursor() as cr:
                channel = self.channel_env(cr, vendor)
                delivery = channel._connector().verify(body, headers, datetime.now(UTC))
                event = channel.env["bridge.event"]
                new.append(event._take_delivery(channel.id, self.company_id, delivery, body.decode()))

        self.in_parallel(*[take] * THREADS)
        self.assertEqual(sorted(new), [False] * (THREADS - 1) + [True])
