# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import json
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from odoo.tests import HttpCase, tagged

from ..connectors import registered
from ..connectors.base import Capability
from . import shop


@tagged("post_install", "-at_install")
class TestWebhook(HttpCase):
    """Bad deliveries are refused with a sentence and leave nothing behind; good ones are kept before the answer."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        env = shop.make_company(cls.env)
        cls.vendors = []
        for system, connector in registered().items():
            if Capability.WEBHOOKS in connector.capabilities:
                vendor = shop.Vendor(env, system)
                vendor.sell("4900000000016")
                cls.vendors.append(vendor)
                cls.addClassCleanup(vendor.stop)

    @classmethod
    def _request_handler(cls, session, request, /, **kw):
        kw["timeout"] = 30  # the test framework compares it to a number
        return super()._request_handler(session, request, **kw)

    def deliver(self, vendor, body=None, headers=None, token=None):
        """Post the vendor's newest delivery, or a changed one; returns the response."""
        kept_body, kept_headers = vendor.deliveries[-1]
        path = f"/bridge/webhook/{token or vendor.channel.token}"
        body = kept_body if body is None else body
        headers = {**kept_headers, "content-type": "application/json", **(headers or {})}
        return self.url_open(path, data=body, headers=headers)

    def hints(self, vendor):
        return self.env["bridge.event"].search([("channel_id", "=", vendor.channel.id), ("is_hint", "=", True)])

    def assertRefused(self, vendor, response, status):
        self.assertEqual(response.status_code, status, response.text)
        self.assertRegex(response.text, r"^[A-Z].*\.\n$", "the refusal says why, in a sentence")
        self.assertFalse(self.hints(vendor))

    def test_delivery_is_kept_whole(self):
        """A verified delivery is one event with its body as it came."""
        for vendor in self.vendors:
            with self.subTest(vendor.system):
                self.assertEqual(self.deliver(vendor).status_code, 200)
                event = self.hints(vendor)
                self.assertEqual(len(event), 1)
                self.assertIn(vendor.deliveries[-1][0].decode(), json.loads(event.payload)["body"])
                self.assertEqual(event.state, "pending")

    def test_same_delivery_twice_is_one_event(self):
        """Vendors deliver at least once: the second is answered 200 and changes nothing."""
        for vendor in self.vendors:
            with self.subTest(vendor.system):
                self.assertEqual(self.deliver(vendor).status_code, 200)
                self.assertEqual(self.deliver(vendor).status_code, 200)
                self.assertEqual(len(self.hints(vendor)), 1)

    def test_oversize_is_refused(self):
        for vendor in self.vendors:
            with self.subTest(vendor.system):
                self.assertRefused(vendor, self.deliver(vendor, body=b"x" * (1024 * 1024 + 1)), 413)

    def test_unknown_channel_is_refused(self):
        vendor = self.vendors[0]
        self.assertRefused(vendor, self.deliver(vendor, token="nobody"), 404)

    def test_paused_channel_is_refused(self):
        """What is refused now comes again by the vendor's retry or by the poll."""
        for vendor in self.vendors:
            with self.subTest(vendor.system):
                vendor.channel.action_pause()
                self.assertRefused(vendor, self.deliver(vendor), 404)

    def test_unsigned_is_refused(self):
        for vendor in self.vendors:
            with self.subTest(vendor.system):
                kept = vendor.deliveries[-1]
                vendor.deliveries.append((kept[0], {}))
                response = self.deliver(vendor)
                vendor.deliveries.pop()
                self.assertIn(response.status_code, (400, 401))
                self.assertRefused(vendor, response, response.status_code)

    def test_wrong_signature_is_refused(self):
        """Signed with another secret: refused, whatever the vendor's scheme."""
        for vendor in self.vendors:
            with self.subTest(vendor.system):
                body = vendor.deliveries[-1][0]
                vendor.sandbox.webhook_secret = "another secret"
                topic = next(iter(vendor.sandbox.sign("orders/updated", body)), "")
                forged = {k.lower(): v for k, v in vendor.sandbox.sign(topic, body).items()}
                vendor.sandbox.webhook_secret = ""
                self.assertRefused(vendor, self.deliver(vendor, headers=forged), 401)

    def test_truncated_json_is_refused(self):
        for vendor in self.vendors:
            with self.subTest(vendor.system):
                body = vendor.deliveries[-1][0][:-5]
                signed = {k.lower(): v for k, v in vendor.sandbox.sign("orders/updated", body).items()}
                self.assertRefused(vendor, self.deliver(vendor, body=body, headers=signed), 400)

    def test_old_delivery_is_refused(self):
        """A recorded delivery cannot be played again days later, where the vendor dates its deliveries."""
        later = datetime.now(UTC) + timedelta(days=30)
        for vendor in self.vendors:
            body, headers = vendor.deliveries[-1]
            if vendor.channel._connector().verify(body, headers, datetime.now(UTC)).sent_at is None:
                continue
            with self.subTest(vendor.system), patch("odoo.addons.pos_erp_bridge.controllers.webhook.datetime") as clock:
                clock.now.return_value = later
                self.assertRefused(vendor, self.deliver(vendor), 401)

    def test_channel_without_secret_refuses_everything(self):
        """A missing secret never means "accept"."""
        for vendor in self.vendors:
            with self.subTest(vendor.system):
                vendor.channel.setting_ids.filtered("is_secret").value = False
                self.assertRefused(vendor, self.deliver(vendor), 401)
