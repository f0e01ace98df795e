# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import base64
import json
from datetime import datetime

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command
from odoo.service.model import call_kw
from odoo.tests import TransactionCase, new_test_user, tagged

PROXY_ID = "0123456789abcdef"


@tagged("post_install", "-at_install")
class TestHardwareRecords(TransactionCase):
    """Openings of drawers, kitchen printers and barcodes, as the till's calls bring and read them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.proxy = cls.env["bridge.hardware.proxy"].create({"name": "Ginza", "url": "http://127.0.0.1:8069"})
        cls.config = cls.env["pos.config"].create({"name": "レジ1", "bridge_proxy_id": cls.proxy.id})
        cls.config.open_ui()
        cls.session = cls.config.current_session_id
        cls.cashier = new_test_user(cls.env, "hr_cashier", "base.group_user,point_of_sale.group_pos_user")
        cls.manager = new_test_user(cls.env, "hr_manager", "base.group_user,point_of_sale.group_pos_manager")

    def opening(self, **more):
        return {
            "id": "6f1c2d1e-0000-4000-8000-000000000001", "moment": 1795143600123, "reason": "no_sale",
            "note": "両替", "outcome": "opened", "detail": "", "session_id": self.session.id,
            "user_id": self.cashier.id, "employee": "山田", "order_uuid": "", **more,
        }  # fmt: skip

    def log(self, *rows, user=None, config=None):
        """As a browser calls it."""
        user = user or self.cashier
        args = [(config or self.config).id, list(rows)]
        return call_kw(self.env["bridge.drawer.log"].with_user(user), "log_openings", args, {})

    def logs(self):
        return self.env["bridge.drawer.log"].search([("config_id", "=", self.config.id)])

    # -- drawer ----------------------------------------------------------------------------------
    def test_opening_is_logged_once(self):
        """What a till sends twice is one row, with its own moment, person and words."""
        row = self.opening()
        self.assertEqual(self.log(row, row), {"skipped": []})
        self.log(row, self.opening(id="6f1c2d1e-0000-4000-8000-000000000002", reason="sale", note=""))
        second, first = self.logs().sorted("client_id", reverse=True)
        self.assertEqual(second.reason, "sale")
        self.assertEqual(
            (first.moment, first.reason, first.note, first.outcome, first.employee, first.user_id, first.session_id),
            (datetime(2026, 11, 20, 3, 0), "no_sale", "両替", "opened", "山田", self.cashier, self.session),
        )
        self.assertEqual(first.company_id, self.config.company_id)

    def test_order_comes_later(self):
        """The opening is there before its order is."""
        uuid = "0b7c2f6e-0000-4000-8000-00000000000a"
        self.log(self.opening(reason="sale", order_uuid=uuid))
        self.assertFalse(self.logs().order_id)
        order = self.env["pos.order"].create(
            {
                "session_id": self.session.id, "uuid": uuid, "amount_tax": 0, "amount_total": 0, "amount_paid": 0,
                "amount_return": 0,
            }
        )  # fmt: skip
        self.logs().invalidate_recordset()
        self.assertEqual(self.logs().order_id, order)

    def test_what_is_no_opening(self):
        """Nonsense is set aside alone, whatever it is; unknown words are taken as such, foreign sessions are not."""
        other = self.env["pos.config"].create({"name": "レジ2"})
        other.open_ui()
        bad = [
            {"moment": "soon"}, {"moment": 1e30}, {"moment": float("nan")}, {"id": 7}, {"id": ""}, {"id": ["x"]},
            {"id": "x\0"}, {"note": None}, {"note": "\ud800"}, {"session_id": "x"}, {"session_id": 1e400},
            {"reason": {}}, {"employee": ["x"]},
        ]  # fmt: skip
        rows = [self.opening(**{"id": f"bad-{at}", **changed}) for at, changed in enumerate(bad)]
        good = self.opening(reason="whim", outcome="burnt", session_id=other.current_session_id.id)
        with self.assertLogs("odoo.addons.pos_erp_bridge.models.bridge_drawer_log", "WARNING"):
            answer = self.log(*rows, "nonsense", good, None)
        self.assertEqual(answer["skipped"], [*range(len(bad) + 1), len(bad) + 2])
        found = self.logs()
        self.assertEqual((found.reason, found.outcome, found.session_id.id), ("other", "unknown", False))
        for rows in ("nonsense", [self.opening()] * 501):
            args = [self.config.id, rows]
            with self.assertRaisesRegex(UserError, "no opening of a drawer"):
                call_kw(self.env["bridge.drawer.log"].with_user(self.cashier), "log_openings", args, {})

    def test_outcome_comes_later(self):
        """From another tab, which waited for it. What is known once stays, and is that till's."""
        self.log(self.opening(outcome="unknown", detail=""))
        second = self.env["pos.config"].create({"name": "レジ2"})
        self.log(self.opening(outcome="refused"), config=second)
        self.assertEqual(self.logs().outcome, "unknown")
        for sent, detail in (("opened", "seen"), ("unknown", ""), ("trouble", "late")):
            self.log(self.opening(outcome=sent, detail=detail, note="x"))
            log = self.logs()
            self.assertEqual((log.outcome, log.detail, log.note), ("opened", "seen", "両替"))

    def test_who_opened(self):
        """Somebody of the till's company, or else whoever sends it."""
        company = self.env["res.company"].create({"name": "Other"})
        stranger = new_test_user(
            self.env, "hr_other", "base.group_user", company_id=company.id, company_ids=[Command.set(company.ids)]
        )
        customer = new_test_user(self.env, "hr_portal", "base.group_portal")
        users = [self.manager, stranger, customer, self.env["res.users"].browse(2**31 - 1)]
        self.log(*[self.opening(id=f"row-{at}", user_id=user.id) for at, user in enumerate(users)])
        found = [log.user_id.login for log in self.logs().sorted("client_id")]
        self.assertEqual(found, ["hr_manager", "hr_cashier", "hr_cashier", "hr_cashier"])

    def test_who_may_log_and_look(self):
        """Cashiers log through the till and change nothing; managers look; others neither."""
        self.log(self.opening())
        outsider = new_test_user(self.env, "hr_outsider", "base.group_user")
        with self.assertRaises(AccessError):
            self.log(self.opening(id="6f1c2d1e-0000-4000-8000-000000000003"), user=outsider)
        logs = self.env["bridge.drawer.log"]
        self.assertEqual(len(logs.with_user(self.manager).search([("config_id", "=", self.config.id)])), 1)
        with self.assertRaises(AccessError):
            logs.with_user(self.cashier).search([])
        for user in (self.cashier, self.manager):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                self.logs().with_user(user).write({"note": "x"})
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                self.logs().with_user(user).unlink()

    def test_openings_of_other_companies(self):
        """Neither seen nor logged across companies."""
        company = self.env["res.company"].create({"name": "Other"})
        groups = "base.group_user,point_of_sale.group_pos_manager"
        stranger = new_test_user(
            self.env, "hr_stranger", groups, company_id=company.id, company_ids=[Command.set(company.ids)]
        )
        self.log(self.opening())
        self.assertFalse(self.env["bridge.drawer.log"].with_user(stranger).search([]))
        with self.assertRaises(AccessError):
            self.log(self.opening(id="6f1c2d1e-0000-4000-8000-000000000004"), user=stranger)

    # -- kitchen ---------------------------------------------------------------------------------
    def kitchen(self, **more):
        return self.env["pos.printer"].create(
            {"name": "厨房", "printer_type": "bridge", "bridge_proxy_id": self.proxy.id, **more}
        )

    def test_kitchen_printer(self):
        """The till loads where a kitchen's printer is and how wide; its proxy gives the till a key of its own."""
        annex = self.env["bridge.hardware.proxy"].create({"name": "Annex", "url": "http://127.0.0.2:8069"})
        annex.sudo().write({"secret": "s" * 48, "proxy_id": PROXY_ID})
        annex.printers = [
            {"name": "front", "role": "receipt", "width": 512, "drawer": True},
            {"name": "stove", "role": "kitchen", "width": 384, "drawer": False},
        ]
        first = self.kitchen(bridge_proxy_id=annex.id)
        named, unknown = self.kitchen(bridge_proxy_id=annex.id, bridge_printer="front"), self.kitchen()
        self.assertEqual([p.bridge_width for p in (first, named, unknown)], [384, 512, 576])
        ask = (self.config.ids, annex.id)
        self.assertFalse(call_kw(self.env["pos.config"].with_user(self.cashier), "bridge_proxy_access", [*ask], {}))
        self.config.write({"is_order_printer": True, "printer_ids": [Command.set((first | named).ids)]})
        access = call_kw(self.env["pos.config"].with_user(self.cashier), "bridge_proxy_access", [*ask], {})
        self.assertEqual((access["id"], access["url"], access["proxy"]), (annex.id, annex.url, PROXY_ID))
        fields = self.env["pos.printer"]._load_pos_data_fields(self.config)
        row = first.with_user(self.cashier).read(fields, load=False)[0]
        self.assertEqual((row["bridge_proxy_id"], row["bridge_printer"], row["bridge_width"]), (annex.id, False, 384))

    def test_kitchen_printer_needs_a_proxy(self):
        """One of its own company."""
        with self.assertRaisesRegex(ValidationError, "Choose the hardware proxy"):
            self.kitchen(bridge_proxy_id=False)
        other = self.env["res.company"].create({"name": "Other"})
        theirs = self.env["bridge.hardware.proxy"].create(
            {"name": "Theirs", "url": "http://127.0.0.3", "company_id": other.id}
        )
        with self.assertRaises(UserError):
            self.kitchen(bridge_proxy_id=theirs.id)
        self.kitchen()
        with self.assertRaisesRegex(ValidationError, "another company"):
            self.config.bridge_proxy_id = False
            self.proxy.company_id = other

    # -- scale, test page ------------------------------------------------------------------------
    def test_scale_of_the_proxy(self):
        """A till that weighs at the proxy asks for weights as with Odoo's own box; without a proxy it does not."""

        def loaded():
            row = self.config._load_pos_data_read(self.config, self.config)[0]
            return row["bridge_scale"], row["iface_electronic_scale"]

        self.assertEqual(loaded(), (False, False))
        self.config.bridge_scale = True
        self.assertEqual(loaded(), (True, True))
        self.config.bridge_proxy_id = False
        self.assertEqual(loaded(), (False, False))

    def test_scanners_serve_one_till(self):
        """Set up as the second at a proxy, a till leaves its codes to the first; whoever wants it otherwise says so."""

        def chosen(config, proxy):
            settings = self.env["res.config.settings"].new({"pos_config_id": config.id})
            settings.pos_bridge_proxy_id = proxy
            settings._onchange_bridge_scan()
            return settings.pos_bridge_scan

        second = self.env["pos.config"].create({"name": "レジ2"})
        self.assertFalse(chosen(second, self.proxy))
        self.assertTrue(chosen(self.config, self.proxy), "it is there already")
        second.bridge_proxy_id = self.proxy
        self.assertTrue(chosen(second, self.proxy), "somebody said so")
        self.config.bridge_scan = second.bridge_proxy_id = False
        self.assertTrue(chosen(second, self.proxy), "the first does not take them")

    def test_test_page(self):
        """Who sets tills up may print test pages, and nothing else with that key."""
        self.proxy.sudo().write({"secret": "s" * 48, "proxy_id": PROXY_ID})
        access = self.proxy.with_user(self.manager).test_access()
        self.assertEqual((access["url"], access["proxy"]), ("http://127.0.0.1:8069", PROXY_ID))
        claims = json.loads(base64.urlsafe_b64decode(access["claims"]))
        self.assertEqual(claims["scopes"], ["print"])
        with self.assertRaises(AccessError):
            self.proxy.with_user(self.cashier).test_access()

    # -- barcodes --------------------------------------------------------------------------------
    def test_rule_with_a_digit_that_checks(self):
        """Only where the pattern has a place for it."""
        rule = {
            "name": "r", "type": "price", "encoding": "ean13", "bridge_value_digit": True,
            "barcode_nomenclature_id": self.env.ref("pos_erp_bridge.bridge_nomenclature_in_store").id,
        }  # fmt: skip
        for good in ("02......{NNNN}", "20.....{NNNNN}", "231.....{NNDD}", "2.......{NNNN}"):
            with self.subTest(pattern=good):
                self.env["barcode.rule"].create({**rule, "pattern": good})
        for bad in ("02.....{NNNNNN}", "02......{NNN}", "02.....{NNNN}", "02......1234", ".*"):
            with self.subTest(pattern=bad), self.assertRaisesRegex(ValidationError, "no place for a digit"):
                self.env["barcode.rule"].create({**rule, "pattern": bad})
        with self.assertRaisesRegex(ValidationError, "no place for a digit"):
            self.env["barcode.rule"].create({**rule, "pattern": "02......{NNNN}", "type": "product"})

    def test_label_of_a_box_of_meat(self):
        """What Odoo's GS1 rules lack is added: the date of production and the number of the animal, as a lot."""
        nomenclature = self.env.ref("barcodes_gs1_nomenclature.default_gs1_nomenclature")
        found = nomenclature.parse_barcode("01949012340000113102001234112611202511234567890")
        self.assertEqual(
            [(row["ai"], row["type"], row["value"]) for row in found],
            [
                ("01", "product", "94901234000011"), ("3102", "quantity", 12.34),
                ("11", "pack_date", datetime(2026, 11, 20).date()), ("251", "lot", "1234567890"),
            ],
        )  # fmt: skip
