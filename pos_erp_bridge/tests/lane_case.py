# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from datetime import UTC, datetime

from odoo.tests import TransactionCase

from . import shop


class LaneCase(TransactionCase):
    """A Japanese shop, and the lanes run for real: their own cursors, commits and rollbacks (as savepoints)."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = shop.make_company(cls.env)
        cls.products = shop.make_products(cls.env)
        cls.location = shop.warehouse(cls.env).lot_stock_id

    @classmethod
    def _request_handler(cls, session, request, /, **kw):
        kw["timeout"] = 30  # the test framework compares it to a number
        return super()._request_handler(session, request, **kw)

    def connect(self, system, **options):
        vendor = shop.Vendor(self.env, system, **options)
        self.addCleanup(vendor.stop)
        self.run_lanes(vendor, "poll", "inbound")
        self.bind_tenders(vendor)
        return vendor

    # -- driving ---------------------------------------------------------------------------------
    def run_lanes(self, vendor, *lanes):
        """Run lanes of the vendor's channel, as their cron jobs would."""
        self.env.cr.precommit.run()
        with self.enter_registry_test_mode():
            for lane in lanes:
                vendor.channel._run_lane(lane)

    def deliver(self, vendor, deliveries=None):
        """Take webhooks as the controller does: verified, kept, nothing else."""
        for body, headers in vendor.deliveries if deliveries is None else deliveries:
            delivery = vendor.channel._connector().verify(body, headers, datetime.now(UTC))
            channel = vendor.channel
            known = self.env["bridge.event"].search_count(
                [("channel_id", "=", channel.id), ("is_hint", "=", True), ("external_id", "=", delivery.delivery_id)]
            )
            if not known:  # a duplicate would roll back this test's transaction; test_race and test_webhook try it
                self.env["bridge.event"]._take_delivery(channel.id, channel.company_id.id, delivery, body.decode())

    def poll(self, vendor):
        """Let the poll find what changed, now."""
        vendor.channel.watermark_ids.polled_at = False
        self.run_lanes(vendor, "poll", "inbound")

    def take_facts(self, vendor, *facts):
        self.env["bridge.event"]._take_facts(vendor.channel, facts, "replay")
        self.run_lanes(vendor, "inbound")

    def fact(self, vendor, stream, external_id):
        (fact,) = vendor.channel._connector().fetch(stream, [external_id])
        return fact

    def bind_tenders(self, vendor):
        """Decide every means of payment the channel uses: its own payment method or journal."""
        items = self.env["bridge.work.item"].search(
            [("channel_id", "=", vendor.channel.id), ("entity", "=", "tender"), ("state", "=", "open")]
        )
        domain = [("type", "=", "bank"), ("company_id", "=", self.env.company.id)]
        bank = self.env["account.journal"].search(domain, limit=1)
        for item in items:
            if vendor.channel.kind == "web":
                item.journal_id = bank
            else:
                method = {"name": item.name, "journal_id": bank.id}
                item.payment_method_id = self.env["pos.payment.method"].create(method)
                vendor.channel.store_ids.pos_config_id.payment_method_ids |= item.payment_method_id
            item.action_map()
        return items

    def settle(self, vendor):
        """Book what came, deciding means of payment on the way."""
        self.run_lanes(vendor, "inbound")
        while self.bind_tenders(vendor):
            self.run_lanes(vendor, "inbound")

    # -- looking ---------------------------------------------------------------------------------
    def events(self, vendor, external_id):
        """What is known of a receipt or order, oldest first (other streams count their ids for themselves)."""
        domain = [("channel_id", "=", vendor.channel.id), ("external_id", "=", external_id)]
        return self.env["bridge.event"].search([*domain, ("stream", "in", ("sale", "order"))], order="id")

    def open_items(self, events):
        return events.work_item_ids.filtered(lambda item: item.state == "open")

    def document(self, vendor, external_id):
        """What the receipt or order became; empty when nothing."""
        binding = self.env["bridge.binding"].search(
            [
                ("channel_id", "=", vendor.channel.id),
                ("external_id", "=", external_id),
                ("entity", "in", ("sale", "order")),
            ]
        )
        self.assertLessEqual(len(binding), 1)
        return binding._record() if binding else None

    def document_count(self):
        return sum(self.env[model].search_count([]) for model in ("pos.order", "sale.order"))
