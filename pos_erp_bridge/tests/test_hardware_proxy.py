# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import base64
import json
import sys
from pathlib import Path
from unittest.mock import patch

from freezegun import freeze_time

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command
from odoo.service.model import call_kw
from odoo.tests import Form, TransactionCase, new_test_user, tagged

from ..models.bridge_hardware_proxy import SCOPES, make_claims, till_key

BESIDE = Path(__file__).resolve().parents[2] / "hardware_proxy"
PROXY_ID = "0123456789abcdef"
SECRET = "s3cret-" * 7


@tagged("post_install", "-at_install")
class TestHardwareProxy(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.proxy = cls.env["bridge.hardware.proxy"].create({"name": "Ginza", "url": "http://192.168.1.20:8069"})
        cls.config = cls.env["pos.config"].create({"name": "レジ1", "bridge_proxy_id": cls.proxy.id})
        cls.cashier = new_test_user(cls.env, "hw_cashier", "base.group_user,point_of_sale.group_pos_user")
        cls.manager = new_test_user(cls.env, "hw_manager", "base.group_user,pos_erp_bridge.group_bridge_manager")

    def pair(self):
        self.proxy.sudo().write({"secret": SECRET, "proxy_id": PROXY_ID})

    def rpc(self, record, user, method, *args):
        """As a browser calls it: private methods and rights included."""
        return call_kw(self.env[record._name].with_user(user), method, [record.ids, *args], {})

    # -- address ---------------------------------------------------------------------------------
    def test_address(self):
        """An address is a scheme, a host and perhaps a port; blanks and a last slash are forgiven."""
        for good in ("http://127.0.0.1:8069", "https://till1.example.jp", "http://till1.local:80", "http://[::1]:8069"):
            with self.subTest(url=good):
                self.proxy.url = f" {good}/ "
                self.assertEqual(self.proxy.url, good)
        for bad in (
            "till1.example.jp", "ftp://till1", "http://", "http://till1/path", "http://till1:99999", "http://a b",
            "http://user:word@till1", "https://till1?x=1", "https://till1#x", "javascript:alert(1)", "http://till1:0",
        ):  # fmt: skip
            with self.subTest(url=bad), self.assertRaisesRegex(ValidationError, "no address of a proxy"):
                self.proxy.url = bad

    # -- pairing ---------------------------------------------------------------------------------
    def test_pairing(self):
        """The secret is told once, counts from the confirmation on, and is new each time."""
        secret = self.rpc(self.proxy, self.manager, "pairing_offer")
        self.assertGreaterEqual(len(secret), 40)
        self.assertFalse(self.proxy.is_paired)
        self.rpc(self.proxy, self.manager, "pairing_confirm", PROXY_ID)
        self.assertTrue(self.proxy.is_paired)
        proxy = self.proxy.sudo()
        self.assertEqual((proxy.secret, proxy.offered_secret, proxy.proxy_id), (secret, False, PROXY_ID))

        again = self.rpc(self.proxy, self.manager, "pairing_offer")
        self.assertNotEqual(again, secret)
        self.assertEqual(proxy.secret, secret, "until it is confirmed, the old one counts")

    def test_pairing_refused(self):
        """Nothing is confirmed that was not offered, nor for something that is no proxy."""
        with self.assertRaisesRegex(UserError, "Nothing was offered"):
            self.rpc(self.proxy, self.manager, "pairing_confirm", PROXY_ID)
        self.rpc(self.proxy, self.manager, "pairing_offer")
        for name in ("", None, "0123", PROXY_ID + "\n"):
            with self.subTest(name=name), self.assertRaisesRegex(UserError, "not a hardware proxy"):
                self.rpc(self.proxy, self.manager, "pairing_confirm", name)
        for method, *args in (("pairing_offer",), ("pairing_confirm", PROXY_ID), ("remember_printers", [])):
            with self.subTest(method=method), self.assertRaises(AccessError):
                self.rpc(self.proxy, self.cashier, method, *args)

    def test_secret_is_sent_to_nobody(self):
        """Not even an administrator's browser reads the secret, nor does a copy have it."""
        self.pair()
        groups = "base.group_system,pos_erp_bridge.group_bridge_administrator"
        administrator = new_test_user(self.env, "hw_admin", groups)
        for user in (administrator, self.manager, self.cashier):
            with self.subTest(user=user.login):
                self.assertNotIn(SECRET, str(self.rpc(self.proxy, user, "read")))
                for field in ("secret", "offered_secret"):
                    with self.assertRaises(AccessError):
                        self.rpc(self.proxy, user, "read", [field])
                    with self.assertRaises(AccessError):
                        self.proxy.with_user(user).search([(field, "=", SECRET)])
        with self.assertRaises(AccessError):
            self.rpc(self.proxy, administrator, "write", {"secret": "x" * 40})
        self.assertEqual(self.proxy.sudo().copy().secret, False)

    def test_printers_as_found(self):
        """Of what the proxy tells, only what is needed and of the right kind is kept."""
        printer = {"name": "receipt", "role": "receipt", "width": 576, "drawer": True}
        told = [{**printer, "reason": "paper_end"}, {"name": "bad"}, "worse", {**printer, "width": "wide"}]
        self.assertEqual(self.rpc(self.proxy, self.manager, "remember_printers", told), "receipt")
        self.assertEqual(self.proxy.printers, [printer])
        self.rpc(self.proxy, self.manager, "remember_printers", "nonsense")
        self.assertFalse(self.proxy.printers)

    # -- tills -----------------------------------------------------------------------------------
    @freeze_time("2026-11-20 03:00:00")
    def test_access_of_a_till(self):
        """A cashier gets this till's own key for twelve hours, and nothing from which the secret could be read."""
        self.pair()
        self.config.bridge_printer = "kitchen"
        access = self.rpc(self.config, self.cashier, "bridge_proxy_access")
        claims = make_claims(PROXY_ID, f"レジ1 ({self.config.id})", SCOPES, 1795143600 + 12 * 3600)
        self.assertEqual(
            access,
            {
                "id": self.proxy.id, "url": "http://192.168.1.20:8069", "printer": "kitchen", "proxy": PROXY_ID,
                "claims": claims, "key": till_key(SECRET, claims), "until": 1795143600 + 12 * 3600,
                "road": "direct", "printers": [], "now": 1795143600,
            },
        )  # fmt: skip
        self.assertEqual(
            json.loads(base64.urlsafe_b64decode(claims)),
            {
                "proxy": PROXY_ID, "till": f"レジ1 ({self.config.id})", "scopes": list(SCOPES),
                "until": 1795143600 + 12 * 3600,
            },
        )  # fmt: skip
        self.assertNotIn(SECRET, str(access))

    def test_no_access(self):
        """Without a proxy, one that is connected, or a cashier's rights there is no key."""
        unpaired = self.rpc(self.config, self.cashier, "bridge_proxy_access")
        self.assertEqual((unpaired["claims"], unpaired["key"]), (None, None))
        self.pair()
        with self.assertRaises(AccessError):
            self.rpc(self.config, self.manager, "bridge_proxy_access")
        self.proxy.active = False
        self.assertFalse(self.rpc(self.config, self.cashier, "bridge_proxy_access"))
        self.proxy.active = True
        self.config.bridge_proxy_id = False
        self.assertFalse(self.rpc(self.config, self.cashier, "bridge_proxy_access"))

    def test_same_as_the_proxy_computes(self):
        """Claims and key are those of the proxy's own code, which lets them pass."""
        if not (BESIDE / "pos_hardware_proxy").is_dir():
            self.skipTest("no folder hardware_proxy beside the addon")
        with patch.object(sys, "path", [str(BESIDE), *sys.path]):
            from pos_hardware_proxy import security
        with freeze_time("2026-11-20 03:00:00"):
            theirs = security.make_claims(PROXY_ID, "レジ1 (7)", ["print", "drawer"], 60)
        ours = make_claims(PROXY_ID, "レジ1 (7)", ("print", "drawer"), 1795143660)
        self.assertEqual(ours, theirs)
        self.assertEqual(till_key(SECRET, ours).encode(), security.till_key(SECRET, theirs))

    # -- companies -------------------------------------------------------------------------------
    def test_other_companies(self):
        """A proxy is seen, used and handed over in its own company only."""
        other = self.env["res.company"].create({"name": "Other"})
        stranger = new_test_user(
            self.env, "hw_stranger", "base.group_user,point_of_sale.group_pos_user,pos_erp_bridge.group_bridge_manager",
            company_id=other.id, company_ids=[Command.set(other.ids)],
        )  # fmt: skip
        self.pair()
        proxies = self.env["bridge.hardware.proxy"].with_user(stranger)
        self.assertFalse(proxies.search([]))
        for record, method in ((self.proxy, "pairing_offer"), (self.config, "bridge_proxy_access")):
            with self.subTest(method=method), self.assertRaises(AccessError):
                self.rpc(record, stranger, method)
        theirs = proxies.create({"name": "Theirs", "url": "http://127.0.0.1:8069"})
        self.assertEqual(theirs.company_id, other)
        with self.assertRaises(UserError):
            self.config.bridge_proxy_id = theirs.sudo()
        with self.assertRaisesRegex(ValidationError, "another company"):
            self.proxy.company_id = other

    # -- screens and Odoo's own ------------------------------------------------------------------
    def test_manager_makes_one(self):
        """A bridge manager sets a proxy up with nothing but his own rights; a cashier only looks."""
        with Form(self.env["bridge.hardware.proxy"].with_user(self.manager)) as form:
            form.name, form.url = "New", "http://127.0.0.1:8069"
        self.assertFalse(form.record.is_paired)
        seen = self.proxy.with_user(self.cashier)
        self.assertEqual(seen.read(["name"])[0]["name"], "Ginza")
        with self.assertRaises(AccessError):
            seen.name = "Mine"

    def test_settings_of_a_till(self):
        """Proxy and printer are chosen in the till's settings; with a proxy the drawer's switch stays as it is."""
        self.config.bridge_proxy_id = False
        settings = self.env["res.config.settings"].create({"pos_config_id": self.config.id})
        self.assertFalse(settings._is_cashdrawer_displayed(settings))
        settings.write({"pos_bridge_proxy_id": self.proxy.id, "pos_bridge_printer": "receipt"})
        settings.pos_iface_cashdrawer = True
        settings.execute()
        self.assertEqual((self.config.bridge_proxy_id, self.config.bridge_printer), (self.proxy, "receipt"))
        again = self.env["res.config.settings"].create({"pos_config_id": self.config.id})
        self.assertTrue(again._is_cashdrawer_displayed(again))

    def test_display_is_not_hijacked(self):
        """The address of a box does not take the customer's display away from the till."""
        self.config.write({"is_posbox": True, "proxy_ip": "192.168.1.30"})
        self.assertFalse(self.config._get_customer_display_data()["proxy_ip"])

    def test_till_is_told(self):
        """The till loads which proxy and printer it has, and no secret."""
        self.pair()
        rows = self.env["pos.config"].with_user(self.cashier)._load_pos_data_read(self.config, self.config)
        self.assertEqual(rows[0]["bridge_proxy_id"], self.proxy.id)
        self.assertNotIn(SECRET, str(rows))
