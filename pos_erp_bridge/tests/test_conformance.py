# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""One list of promises every registered connector keeps, tried against its own sandbox."""

import json
import time
from dataclasses import replace
from unittest.mock import patch

from odoo.tests import tagged

from ..connectors import registered
from ..connectors.base import Capability, TransientError
from .lane_case import LaneCase

ONIGIRI, TEA, BREAD, BATTERY, BRUSH = (
    "4900000000016", "4900000000023", "4900000000030", "4900000000047", "4900000000054",
)  # fmt: skip


class Conformance:
    """The promises; a class per connector is made of them below."""

    system = ""

    def connected(self, *capabilities):
        """The connector's channel, freshly connected; skipped when it does not claim these capabilities."""
        lacking = set(capabilities) - registered()[self.system].capabilities
        if lacking:
            self.skipTest(f"{self.system} does not claim {', '.join(sorted(lacking))}")
        return self.connect(self.system)

    def sold(self):
        """The channel with one sale of tea and batteries booked: (vendor, external id, document)."""
        vendor = self.connected(Capability.WEBHOOKS)
        external_id = vendor.sell(TEA, BATTERY)
        self.deliver(vendor)
        self.settle(vendor)
        document = self.document(vendor, external_id)
        events = self.env["bridge.event"].search([("channel_id", "=", vendor.channel.id), ("state", "!=", "done")])
        self.assertTrue(document, f"nothing was booked: {events.mapped('message')}")
        return vendor, external_id, document

    def test_a_sale_is_booked_to_the_yen(self):
        """The document's total is the channel's, and its products are ours."""
        _vendor, _external_id, document = self.sold()
        self.assertEqual(document.amount_total, 138 + 438)
        lines = document.lines if document._name == "pos.order" else document.order_line
        self.assertEqual(
            {line.product_id for line in lines if line.product_id.barcode}, {self.products[TEA], self.products[BATTERY]}
        )

    def test_same_fact_many_ways_is_one_document(self):
        """Webhook, the same webhook again, poll and replay: one document, and it is not written again."""
        vendor, external_id, document = self.sold()
        count, written = self.document_count(), document.write_date
        body, headers = vendor.deliveries[-1]
        vendor.sandbox.announce(next(iter(headers)), json.loads(body))
        self.deliver(vendor)
        self.run_lanes(vendor, "inbound")
        self.poll(vendor)
        stream = self.events(vendor, external_id)[:1].stream
        self.take_facts(vendor, self.fact(vendor, stream, external_id))
        self.assertEqual(self.document_count(), count)
        self.assertEqual(document.write_date, written)
        self.assertEqual(len(self.events(vendor, external_id)), 1)

    def test_newest_version_wins_whatever_the_order(self):
        """Versions that arrive reversed: the newest state stays, the older one is history."""
        vendor, external_id, document = self.sold()
        stream = self.events(vendor, external_id)[:1].stream
        vendor.do("change", external_id)
        fact = self.fact(vendor, stream, external_id)
        # Some vendors count in seconds, so the versions are set apart here.
        older, newer = (replace(fact, version=fact.version + mark) for mark in "ab")
        count = self.document_count()
        self.take_facts(vendor, newer)
        self.take_facts(vendor, older)
        self.assertEqual(self.events(vendor, external_id)[-1].result, "outdated")
        self.assertEqual(self.document_count(), count)
        self.assertEqual(self.document(vendor, external_id), document)
        binding = self.env["bridge.binding"].search([("external_id", "=", external_id)], limit=1)
        self.assertEqual(binding.version, newer.version)

    def test_a_page_cut_in_the_middle_resumes(self):
        """The line breaks between two pages: nothing is lost, nothing read is thrown away."""
        vendor = self.connected(Capability.WEBHOOKS)
        stream = "sale" if vendor.channel._can(Capability.SALES_IN) else "order"
        connector = registered()[vendor.system]
        spec = connector.streams[stream]
        small = {**connector.streams, stream: type(spec)(spec.name, spec.lookback, spec.window, 2)}
        ids = [vendor.sell(TEA) for _ in range(5)]
        pull, calls = connector.pull, []

        def cut(self, *args, pull=pull, calls=calls):
            calls.append(args)
            if args[0] in ("sale", "order") and len([c for c in calls if c[0] in ("sale", "order")]) == 2:
                raise TransientError("the line broke")
            return pull(self, *args)

        with patch.object(connector, "streams", small), patch.object(connector, "pull", cut):
            self.poll(vendor)
            read = sum(bool(self.events(vendor, external_id)) for external_id in ids)
            self.assertIn(read, range(1, 5), "the first page was kept, the rest is to come")
            self.poll(vendor)
        self.assertTrue(all(self.events(vendor, external_id) for external_id in ids))

    def test_a_slow_pass_ends(self):
        """A pass reads the last minutes of the one before again. One that takes its time must not go on for that."""
        vendor = self.connected(Capability.WEBHOOKS)
        stream = "sale" if vendor.channel._can(Capability.SALES_IN) else "order"
        connector = registered()[vendor.system]
        spec = connector.streams[stream]
        small = {**connector.streams, stream: type(spec)(spec.name, spec.lookback, spec.window, 2)}
        for _ in range(5):
            vendor.sell(TEA)
        pull, periods = connector.pull, []

        def slow(self, name, since, until, cursor=None):
            if name == stream:
                periods.append((since, until))
                if len(periods) > 20:
                    raise AssertionError("the poll does not end")
                time.sleep(0.6)
            return pull(self, name, since, until, cursor)

        with patch.object(connector, "streams", small), patch.object(connector, "pull", slow):
            self.poll(vendor)
        self.assertGreater(len(periods), 2, "several pages")
        self.assertEqual(len(set(periods)), 1, "one pass")

    def test_too_many_requests_waits_and_goes_on(self):
        vendor = self.connected(Capability.WEBHOOKS)
        external_id = vendor.sell(TEA)
        vendor.sandbox.faults["status_429"] = 1
        self.deliver(vendor)
        self.settle(vendor)
        self.assertTrue(self.document(vendor, external_id))

    def test_an_outage_keeps_everything_for_later(self):
        """The service fails for a while: the notification waits with its reason and is not given up."""
        vendor = self.connected(Capability.WEBHOOKS)
        external_id = vendor.sell(TEA)
        self.deliver(vendor)
        connector = registered()[vendor.system]
        with patch.object(connector, "fetch", side_effect=TransientError("closed for repairs", retry_after=600)):
            self.run_lanes(vendor, "inbound")
        domain = [("channel_id", "=", vendor.channel.id), ("is_hint", "=", True)]
        hint = self.env["bridge.event"].search(domain, limit=1)
        self.assertEqual((hint.state, hint.error_class, hint.message), ("pending", "transient", "closed for repairs"))
        hint.search([("channel_id", "=", vendor.channel.id), ("state", "=", "pending")]).action_retry()
        self.settle(vendor)
        self.assertTrue(self.document(vendor, external_id))

    def test_refused_credentials_stop_this_channel_only(self):
        vendor = self.connected(Capability.WEBHOOKS)
        other = self.connect(vendor.system)
        vendor.sell(TEA)
        external_id = other.sell(TEA)
        vendor.channel.setting_ids.filtered(lambda s: s.name == "client_secret").value = "wrong"
        vendor.sandbox.tokens.clear()
        for each in (vendor, other):
            self.poll(each)
        self.settle(other)
        self.assertEqual(vendor.channel.state, "stopped")
        self.assertTrue(vendor.channel.state_reason)
        self.assertTrue(vendor.channel.activity_ids)
        self.assertEqual(other.channel.state, "live")
        self.assertTrue(self.document(other, external_id))

    def test_total_off_by_one_is_blocked_and_explained(self):
        """One yen between the parts and the total: nothing is booked, both figures are named."""
        vendor = self.connected(Capability.WEBHOOKS)
        external_id = vendor.sell(TEA, BATTERY)
        vendor.do("corrupt", external_id, by=1)
        self.deliver(vendor)
        self.settle(vendor)
        event = self.events(vendor, external_id)[-1]
        self.assertEqual(event.state, "blocked", event.message)
        self.assertRegex(event.message.replace(",", ""), r"576[^0-9].*577|577[^0-9].*576")
        self.assertFalse(self.document(vendor, external_id))

    def test_unknown_product_waits_for_a_decision(self):
        """A product nobody knows: one work item; deciding it books what waited."""
        vendor = self.connected(Capability.WEBHOOKS)
        new = {"code": f"490000009{len(vendor.system):04d}", "name": "新商品 みかん", "price": 108, "reduced": True}
        vendor.do("load", products=[new])
        vendor.do("set_stock", new["code"], 10)
        external_id = vendor.sell(new["code"], TEA)
        self.deliver(vendor)
        self.settle(vendor)
        event = self.events(vendor, external_id)
        self.assertEqual(event.state, "waiting", event.message)
        item = self.open_items(event)
        self.assertEqual((len(item), item.entity), (1, "product"))
        self.assertIn(new["code"], item.name)
        item.action_create_product()
        self.settle(vendor)
        self.assertTrue(self.document(vendor, external_id))
        self.assertEqual(item.state, "done")

    def test_two_candidates_are_never_guessed(self):
        """Two products share the code as SKU: a person chooses between them."""
        vendor = self.connected(Capability.WEBHOOKS)
        code = f"SKU-{vendor.system}"
        twins = self.env["product.product"].create([{"name": f"Twin {i}", "default_code": code} for i in (1, 2)])
        vendor.do("load", products=[{"code": code, "name": "双子", "price": 110, "reduced": False}])
        vendor.do("set_stock", code, 10)
        external_id = vendor.sell(code)
        self.deliver(vendor)
        self.settle(vendor)
        item = self.open_items(self.events(vendor, external_id))
        self.assertEqual(item.candidate_ids, twins)
        item.product_id = twins[0]
        item.action_map()
        self.settle(vendor)
        self.assertTrue(self.document(vendor, external_id))

    def test_unknown_tax_rate_waits(self):
        """A rate without a tax in Odoo is never booked as another one."""
        vendor = self.connected(Capability.WEBHOOKS)
        tax = vendor.channel._tax_for(10)
        tax.active = False
        external_id = vendor.sell(BATTERY)
        self.deliver(vendor)
        self.settle(vendor)
        event = self.events(vendor, external_id)
        self.assertEqual(event.state, "waiting", event.message)
        self.assertEqual(self.open_items(event).mapped("entity"), ["tax"])
        tax.active = True
        self.open_items(event).action_retry()
        self.settle(vendor)
        self.assertTrue(self.document(vendor, external_id))

    def test_refund_twice_is_one(self):
        """The same refund told twice gives the goods and the money back once."""
        vendor, external_id, _document = self.sold()
        vendor.do("refund", external_id)
        self.deliver(vendor)
        self.settle(vendor)
        refunds = self.refund_count()
        self.assertTrue(refunds)
        self.poll(vendor)
        vendor.do("change", external_id)
        self.poll(vendor)
        self.assertEqual(self.refund_count(), refunds)

    def refund_count(self):
        credit_notes = self.env["account.move"].search_count([("move_type", "=", "out_refund")])
        return credit_notes + self.env["pos.order"].search_count([("amount_total", "<", 0)])

    # -- outward ---------------------------------------------------------------------------------
    def level(self, vendor, code):
        return next(iter(vendor.sandbox.state()["levels"].values())).get(code)

    def test_the_channel_is_told_what_is_free(self):
        """After going live the channel shows our stock; a change elsewhere follows."""
        vendor = self.connected(Capability.STOCK_OUT)
        self.env["bridge.touch"]._touch_channel(vendor.channel)
        self.run_lanes(vendor, "outward")
        product = self.products[TEA]
        free = product.with_context(location=self.location.id).free_qty
        self.assertEqual(self.level(vendor, TEA), free)
        self.env["stock.quant"]._update_available_quantity(product, self.location, -7)
        self.run_lanes(vendor, "outward")
        self.assertEqual(self.level(vendor, TEA), free - 7)

    def test_a_lost_answer_does_not_tell_twice(self):
        """The call is applied, the answer lost: the level is right, and set once."""
        vendor = self.connected(Capability.STOCK_OUT)
        self.env["bridge.touch"]._touch_channel(vendor.channel)
        self.run_lanes(vendor, "outward")
        free = self.level(vendor, TEA)
        self.env["stock.quant"]._update_available_quantity(self.products[TEA], self.location, -3)
        vendor.sandbox.faults["timeout_after_apply"] = 1
        self.run_lanes(vendor, "outward", "outward")
        self.env["bridge.stock.level"].search([("state", "=", "due")]).run_at = "2020-01-01"
        self.run_lanes(vendor, "outward")
        self.assertEqual(self.level(vendor, TEA), free - 3)

    def test_own_push_does_not_come_back(self):
        """The vendor tells us of our own change: it books nothing and is not told again."""
        vendor = self.connected(Capability.STOCK_OUT, Capability.WEBHOOKS)
        self.env["bridge.touch"]._touch_channel(vendor.channel)
        self.run_lanes(vendor, "outward")
        count, moves = self.document_count(), self.env["stock.move"].search_count([])
        self.deliver(vendor)
        self.settle(vendor)
        calls = len([c for c in vendor.sandbox.calls if c[0] != "GET"])
        self.run_lanes(vendor, "outward")
        self.assertEqual(self.document_count(), count)
        self.assertEqual(self.env["stock.move"].search_count([]), moves)
        self.assertEqual(len([c for c in vendor.sandbox.calls if c[0] != "GET"]), calls)

    def test_unknown_stock_is_not_sent(self):
        """A product that keeps no stock is not published as zero."""
        vendor = self.connected(Capability.STOCK_OUT)
        product = self.products[BREAD]
        vendor.do("set_stock", BREAD, 5)
        product.is_storable = False
        self.env["bridge.touch"]._touch_channel(vendor.channel)
        self.run_lanes(vendor, "outward")
        self.assertEqual(self.level(vendor, BREAD), 5)
        self.assertFalse(self.env["bridge.stock.level"].search([("product_id", "=", product.id)]))
        product.is_storable = True


for _system in sorted(registered()):
    _name = f"Test{_system.title().replace('_', '')}Conformance"
    _members = {"system": _system, "__module__": __name__, "allow_inherited_tests_method": True}
    globals()[_name] = tagged("post_install", "-at_install")(type(_name, (Conformance, LaneCase), _members))
