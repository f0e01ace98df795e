# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo.fields import Command, Date
from odoo.tests import HttpCase, tagged

from .till_shop import TillShop


@tagged("post_install", "-at_install")
class TestReceiptScreen(HttpCase):
    """The paper receipt of Odoo's own till, read in a real browser."""

    def setUp(self):
        super().setUp()
        shop = self.shop = TillShop(self.env)
        self.env = shop.env
        reduced = self.env["account.tax"].search(
            [("type_tax_use", "=", "sale"), ("amount", "=", 8), ("company_id", "=", shop.company.id)], limit=1
        )
        shop.tea.write({"taxes_id": [Command.set(reduced.ids)], "list_price": 108})
        for product in (shop.tea, shop.sweater):
            shop.stock(product.product_variant_id, shop.main, 9)
        shop.company.write({"vat": "T7000012050002", "phone": "03-1234-5678"})
        shop.cashier("bridge_till")

    def start(self, tour):
        self.start_tour(f"/pos/ui/{self.shop.config.id}", tour, login="bridge_till", timeout=90)

    def test_receipt_of_a_registered_issuer(self):
        """Number, kind, marks, legend, totals and tax of each rate; narrow enough for 58 mm."""
        self.shop.config.bridge_receipt_width = "58"
        self.start("bridge_receipt_registered")

    def test_receipt_of_who_is_not_registered_yet(self):
        """Before the registration begins no word of it is printed; totals per rate are."""
        self.shop.company.bridge_registration_from = Date.add(Date.today(), days=30)
        self.start("bridge_receipt_unregistered")

    def test_receipt_of_a_return(self):
        """It says what it is, when the goods were sold, and only what came back."""
        self.start("bridge_receipt_return")
        document = self.env["bridge.document"].search([("type", "=", "return")], order="id desc", limit=1)
        self.assertEqual((document.total, document.tax_total, document.original_id.total), (-108, -8, 5608))
        self.assertTrue(document.waiver)
