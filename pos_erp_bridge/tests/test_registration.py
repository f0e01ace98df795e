# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from psycopg2.errors import CheckViolation

from odoo.exceptions import ValidationError
from odoo.tests import Form, TransactionCase, tagged
from odoo.tools import mute_logger


@tagged("post_install", "-at_install")
class TestRegistration(TransactionCase):
    """Registration numbers of Japanese partners: the shape is required, the check digit is only told."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.jp = cls.env.ref("base.jp")

    def partner(self, number, country=None):
        return self.env["res.partner"].create(
            {"name": "登録事業者", "is_company": True, "vat": number, "country_id": (country or self.jp).id}
        )

    def test_numbers_of_corporations_and_of_others(self):
        for number in ("T7000012050002", "T9011001029597"):
            self.assertFalse(self.partner(number).bridge_registration_note)
        # A sole proprietor's: no check rule is published for it.
        self.assertIn("sole proprietor", self.partner("T1234567890123").bridge_registration_note)

    def test_what_is_no_number_is_refused(self):
        for number in ("7000012050002", "T700001205000", "T70000120500021", "T700001205000X"):
            with self.subTest(number=number), self.assertRaisesRegex(ValidationError, number):
                self.partner(number)
        partner = self.partner("T7000012050002")
        with self.assertRaises(ValidationError):
            partner.vat = "7000012050002"

    def test_nobody_else_is_checked(self):
        """Other countries, partners without a number, and imports that vouch for theirs."""
        self.partner("12345678", self.env.ref("base.us"))
        self.partner(False)
        self.partner("/")
        self.env["res.partner"].with_context(no_vat_validation=True).create(
            {"name": "取込", "vat": "7000012050002", "country_id": self.jp.id}
        )

    def test_form_warns_and_saves(self):
        partner = self.partner("T7000012050002")
        partner.vat = "T7000012050003"
        result = partner._onchange_bridge_registration_number()
        self.assertIn("mistyped", result["warning"]["message"])
        partner.vat = "T7000012050002"
        self.assertFalse(partner._onchange_bridge_registration_number())
        with Form(partner) as form:
            form.bridge_registration_from = "2023-10-01"
            form.bridge_registration_to = "2026-12-31"
        with self.assertRaises(CheckViolation), mute_logger("odoo.sql_db"), self.env.cr.savepoint():
            partner.bridge_registration_to = "2023-09-30"
            partner.flush_recordset()
