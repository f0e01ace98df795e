# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from dataclasses import replace

from odoo.tests import tagged

from ..connectors.records import Customer, Product, ProductRef, Store
from .web_common import OSAKA, TOKYO, D, WebCase, line, order


@tagged("post_install", "-at_install")
class TestWebContact(WebCase):
    def guests(self, count, **values):
        values = {
            "customer": Customer("", name="佐藤花子", email="Hanako@Example.com"),
            "shipping_address": TOKYO,
        } | values
        return [order(f"g{n}", line("a", self.mug), **values) for n in range(count)]

    def test_five_guest_orders_are_one_contact(self):
        """Five guest orders from one person: one contact, whether they come together or one by one."""
        records = self.guests(5)
        sales = self.booked(*records[:3])
        for record in records[3:]:
            sales |= self.booked(record)
        self.assertEqual(len(sales.partner_id), 1)
        partner = sales.partner_id
        self.assertEqual(
            (partner.name, partner.email, partner.zip, partner.state_id.code, partner.country_id.code),
            ("佐藤花子", "Hanako@Example.com", "100-0001", "JP-13", "JP"),
        )
        self.assertEqual(sales.partner_shipping_id, partner)
        self.assertEqual(self.env["res.partner"].search_count([("email", "ilike", "hanako@example.com")]), 1)

    def test_one_child_per_address(self):
        """Each distinct address is one child contact; spelling does not make it another."""
        spelled = replace(OSAKA, zip="５３０－０００１", street="梅田 2ー2".replace("ー", "-"))
        sales = self.booked(
            *self.guests(1),
            *(
                replace(r, external_id=f"o{n}", shipping_address=a)
                for n, (r, a) in enumerate(zip(self.guests(3), (OSAKA, spelled, TOKYO), strict=True))
            ),
        )
        partner = sales.partner_id
        self.assertEqual(len(partner), 1)
        self.assertEqual(partner.child_ids.mapped(lambda c: (c.type, c.city)), [("delivery", "大阪市")])
        self.assertEqual(sales.mapped("partner_shipping_id"), partner | partner.child_ids)

    def test_nobody_is_merged(self):
        """A contact that looks alike is another person until somebody says otherwise."""
        twin = self.env["res.partner"].create({"name": "佐藤花子", "email": "hanako@example.com"})
        sale = self.booked(*self.guests(1))
        self.assertNotEqual(sale.partner_id, twin)
        registered = self.booked(
            order(9, line("a", self.mug), customer=Customer("C77", name="佐藤花子", email="hanako@example.com"))
        )
        self.assertNotEqual(registered.partner_id, sale.partner_id)

    def test_guests_without_mail(self):
        """Without a mail the address tells guests apart; without either, nobody shares a contact."""
        nobody = {"customer": Customer("", name="匿名"), "shipping_address": None}
        sales = self.booked(
            *self.guests(1, customer=Customer("", name="佐藤花子")),
            replace(self.guests(1, customer=Customer("", name="佐藤花子"))[0], external_id="g2"),
            *(replace(r, external_id=f"n{n}") for n, r in enumerate(self.guests(2, **nobody))),
        )
        self.assertEqual(sales[0].partner_id, sales[1].partner_id)
        self.assertEqual(len(sales.partner_id), 3)

    def test_one_contact_for_all_guests(self):
        """A channel may keep all its guests under one contact, their addresses below it."""
        self.channel.guest_policy = "shared"
        first, second = self.booked(
            *self.guests(1), order(8, line("a", self.mug), customer=None, shipping_address=OSAKA)
        )
        self.assertEqual(
            (first.partner_id, second.partner_id), (self.channel.guest_partner_id, self.channel.guest_partner_id)
        )
        self.assertEqual(sorted(first.partner_id.child_ids.mapped("city")), sorted(["千代田区", "大阪市"]))

    def test_known_customer(self):
        """A customer bound already is used as it is; what staff wrote stays."""
        self.channel.create_customers = True
        partner = self.booked(Customer("C5", "1", name="鈴木", email="s@example.com", address=TOKYO))
        partner.write({"name": "鈴木様（VIP）", "phone": False})
        sale = self.booked(order(1, line("a", self.mug), customer=Customer("C5", name="鈴木"), shipping_address=TOKYO))
        self.assertEqual((sale.partner_id, sale.partner_shipping_id), (partner, partner))
        again = self.book(Customer("C5", "2", name="鈴木二郎", phone="03-1234-5678", email="new@example.com"))
        self.assertEqual(
            (again.result, partner.name, partner.email, partner.phone),
            ("updated", "鈴木様（VIP）", "s@example.com", "03-1234-5678"),
        )

    def test_customers_only_with_orders(self):
        """Unless the channel says so, who never bought is no contact."""
        event = self.book(Customer("C6", "1", name="見込み客"))
        self.assertEqual(
            (event.state, self.env["res.partner"].search_count([("name", "=", "見込み客")])), ("skipped", 0)
        )

    # -- products and stores ---------------------------------------------------------------------
    def test_products_are_bound_not_written(self):
        """A catalogue entry is bound by its JAN, with the id stock is kept under; the product keeps its data."""
        self.env.cr.precommit.run()
        self.env.cr.execute("DELETE FROM bridge_touch")
        entry = Product(
            ProductRef("V1", "4900000000047", "MUG", "Web name"), "1", D(777), tax_rate=D(10), stock_id="I1"
        )
        product = self.booked(entry)
        binding = self.env["bridge.binding"]._get(self.channel, "product", ["V1"])["V1"]
        self.assertEqual((product, binding.stock_external_id, binding.version), (self.mug, "I1", "1"))
        self.assertEqual((self.mug.name, self.mug.list_price), ("Mug", 1.0))
        self.env.cr.precommit.run()
        self.env.cr.execute("SELECT count(*) FROM bridge_touch WHERE product_id = %s", [self.mug.id])
        self.assertEqual(self.env.cr.fetchone(), (1,))

    def test_stock_id_is_learned_later(self):
        """A product bound by an order learns from the catalogue where its stock is kept."""
        self.booked(order(1, line("a", self.mug)))
        event = self.book(Product(ProductRef("4900000000047", "4900000000047"), "1", stock_id="I1"))
        binding = self.env["bridge.binding"]._get(self.channel, "product", ["4900000000047"])["4900000000047"]
        self.assertEqual((event.result, binding.stock_external_id), ("updated", "I1"))

    def test_unknown_product(self):
        """What is unknown becomes a work item with all it takes to make the product, unless it is no longer sold."""
        entry = Product(ProductRef("V2", "4912345678904", "NEW", "New"), "1", D("540"), tax_rate=D(8), stock_id="I2")
        waiting, gone = self.book(entry, replace(entry, ref=ProductRef("V3", sku="OLD"), active=False))
        self.assertEqual((waiting.state, gone.state), ("waiting", "skipped"))
        need = self.env["bridge.work.item"].search([("channel_id", "=", self.channel.id)])
        self.assertEqual(
            need.hints,
            {
                "barcode": "4912345678904",
                "sku": "NEW",
                "name": "New",
                "price": "540",
                "tax_rate": "8",
                "stock_id": "I2",
            },
        )
        need.action_create_product()
        product = self.env["bridge.binding"]._get(self.channel, "product", ["V2"])["V2"]._record()
        self.assertEqual((product.barcode, product.list_price, product.taxes_id), ("4912345678904", 540.0, self.tax8))

    def test_stores_are_learned(self):
        events = self.book(Store("W1", "Other name"), Store("W5", "Shibuya", "S5"))
        self.assertEqual(events.mapped("result"), ["unchanged", "created"])
        store = self.channel.store_ids.filtered(lambda s: s.external_id == "W5")
        self.assertEqual((store.name, store.code, self.store.name), ("Shibuya", "S5", "Warehouse"))
