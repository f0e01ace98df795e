# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from decimal import Decimal
from itertools import count

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command
from odoo.tests import new_test_user, tagged

from ..connectors import base, records, registered
from .common import BridgeCommon, to_json
from .lane_case import LaneCase


class ProductCase(BridgeCommon):
    """A channel that tells of its products."""

    versions = count(1)

    def tell(self, product, **said):
        """The channel tells of a product, as Odoo has it unless ``said`` otherwise; returns its event."""
        ref = records.ProductRef(f"p{product.id}", said.pop("barcode", product.barcode) or "", name=product.name)
        said = {"price": Decimal(str(product.list_price)), "reduced": product.taxes_id.amount == 8, **said}
        record = records.Product(ref, f"{next(self.versions):06}", **said)
        fact = base.Fact("product", ref.external_id, record.version, to_json(record))
        event = self.env["bridge.event"]
        last = event.search([], order="id desc", limit=1).id or 0
        event._take_facts(self.channel, [fact], "poll")
        events = event.search([("id", ">", last), ("channel_id", "=", self.channel.id)])
        self.channel._book_events(events)
        self.compare()
        return events

    def compare(self):
        self.env["bridge.mismatch"]._compare_due(self.channel)

    def rows(self, state="open"):
        return self.env["bridge.mismatch"].search([("channel_id", "=", self.channel.id), ("state", "=", state)])

    def paused(self, product):
        """The sentences that stop the product in the stores of the channel."""
        return self.env["bridge.availability"]._brakes(self.stores, product)


@tagged("post_install", "-at_install")
class TestMismatch(ProductCase):
    def test_what_agrees_is_sold(self):
        """Price, tax and JAN as in Odoo, or not told at all, raise no question."""
        self.tell(self.rice, tax_rate=Decimal(8))
        self.tell(self.battery, reduced=False, tax_rate=Decimal(10))
        self.tell(self.tea, price=None, reduced=None, barcode="")
        self.tell(self.bread, active=False, price=Decimal(1))
        self.assertFalse(self.rows())
        self.assertEqual(self.paused(self.products_all()), {})

    def products_all(self):
        return self.rice | self.tea | self.bread | self.battery | self.brush

    def test_another_price_pauses_the_product_in_every_store_of_the_channel(self):
        """A price that differs stops the sale of that product on that channel, with both prices in the reason."""
        self.tell(self.rice, price=Decimal(150))
        self.tell(self.tea)
        row = self.rows()
        self.assertEqual(
            (row.product_id, row.field, row.channel_value, row.odoo_value, row.tax_included),
            (self.rice, "price", "150", "151", True),
        )
        stopped = self.paused(self.products_all())
        self.assertEqual(set(stopped), {(store.id, self.rice.id) for store in self.stores})
        self.assertEqual(
            stopped[self.store.id, self.rice.id],
            "Price differs: the channel says ¥ 150 with tax, Odoo ¥ 151 with tax. "
            "Decide under Mappings, Product differences.".replace("¥ ", self.company.currency_id.format(1)[:-1]),
        )
        self.assertEqual(self.channel.mismatch_count, 1)
        self.channel.state = "paused"
        self.assertEqual(self.paused(self.rice), {})

    def test_a_cart_is_refused_with_the_reason(self):
        """Nobody is promised what is paused; what was sold already is."""
        self.tell(self.rice, price=Decimal(150))
        line = ("1", self.rice, self.location, 1)
        self.env.flush_all()
        with self.enter_registry_test_mode():
            claim = self.env["bridge.hold"]._claim(self.channel, "A", [line], "cart")
            self.assertFalse(claim)
            self.assertIn("Price differs", claim.reason)
            self.assertTrue(self.env["bridge.hold"]._claim(self.channel, "B", [line], "import", is_sold=True))

    def test_another_channel_goes_on_selling(self):
        """The pause is the channel's alone."""
        other = self.env["bridge.channel"].create({"name": "Other", "system": "probe", "state": "live"})
        store = self.env["bridge.store"].create(
            {"channel_id": other.id, "external_id": "9", "name": "Other", "location_id": self.location.id}
        )
        self.tell(self.rice, price=Decimal(150))
        stopped = self.env["bridge.availability"]._brakes(self.stores | store, self.rice)
        self.assertNotIn((store.id, self.rice.id), stopped)

    def test_prices_are_compared_in_the_channels_tax_basis(self):
        """A channel that shows prices without tax is compared with Odoo's price without tax, rounded to the yen."""
        self.tell(self.rice, price=Decimal(140), tax_included=False)  # 151 with 8 % are 139.8 without
        self.assertFalse(self.rows())
        self.tell(self.rice, price=Decimal(151), tax_included=False)
        self.assertEqual(self.rows().odoo_value, "140")

    def test_tax_rates_and_the_reduced_flag(self):
        """Either a rate or the flag may be told; each is compared by itself."""
        self.tell(self.rice, reduced=False)
        self.assertEqual(
            (self.rows().field, self.rows().channel_value, self.rows().odoo_value), ("tax", "/standard", "8/reduced")
        )
        self.assertEqual(self.rows().channel_text, "not reduced")
        self.assertEqual(self.rows().odoo_text, "8% reduced rate")
        self.tell(self.rice, reduced=None, tax_rate=Decimal(10))
        self.assertEqual(self.rows().channel_value, "10/")
        self.tell(self.rice, reduced=None, tax_rate=Decimal("8.0"))
        self.assertFalse(self.rows())

    def test_another_jan(self):
        """Another JAN pauses; leading zeros of a wider code do not."""
        self.tell(self.rice)
        self.tell(self.rice, barcode="4900000000993")
        self.assertEqual((self.rows().field, self.rows().channel_value), ("barcode", "4900000000993"))
        self.tell(self.rice, barcode="0" + self.rice.barcode)
        self.assertFalse(self.rows())

    def test_newer_version_that_agrees_resolves(self):
        """Corrected over there, the question goes away, and the product is told to be sold again."""
        self.tell(self.rice, price=Decimal(150))
        self.forget_touches()
        self.tell(self.rice)
        self.assertFalse(self.rows())
        self.assertEqual(len(self.rows("agreed")), 1)
        self.assertEqual(self.touched(), {(store.id, self.rice.id) for store in self.stores})

    def forget_touches(self):
        self.env.cr.precommit.run()
        self.env["bridge.touch"].search([]).unlink()

    def touched(self):
        self.env.cr.precommit.run()
        rows = self.env["bridge.touch"].search([("channel_id", "=", self.channel.id)])
        return {(row.store_id, row.product_id) for row in rows}

    def test_corrected_in_odoo_resolves(self):
        """A price changed by hand in Odoo is compared again, both ways."""
        self.tell(self.rice, price=Decimal(150))
        self.rice.list_price = 150
        self.compare()
        self.assertFalse(self.rows())
        self.rice.list_price = 160
        self.compare()
        self.assertEqual((self.rows().channel_value, self.rows().odoo_value), ("150", "160"))
        self.rice.write({"list_price": 150, "barcode": "4900000000993"})
        self.compare()
        self.assertEqual((self.rows().field, self.rows().odoo_value), ("barcode", "4900000000993"))

    def test_odoo_is_right_is_asked_once(self):
        """The same difference is not asked again, another one is; after an agreement it is a new one."""
        self.tell(self.rice, price=Decimal(150))
        self.forget_touches()
        self.rows().action_odoo_is_right()
        self.assertEqual(self.rice.list_price, 151)
        self.assertEqual(self.touched(), {(store.id, self.rice.id) for store in self.stores})
        self.tell(self.rice, price=Decimal(150), tax_rate=Decimal(8))
        self.assertFalse(self.rows())
        self.tell(self.rice, price=Decimal(149))
        self.assertEqual(self.rows().channel_value, "149")
        self.tell(self.rice)
        self.tell(self.rice, price=Decimal(150))
        self.assertEqual(self.rows().channel_value, "150")

    def test_what_was_accepted_stays_while_something_differs(self):
        """Accepted, then told otherwise: the decision stays in the list as it was made, until all agrees. Told as
        accepted again, the newer question is gone and the product is sold."""
        self.tell(self.rice, price=Decimal(150))
        accepted = self.rows()
        accepted.action_odoo_is_right()
        self.tell(self.rice, price=Decimal(149))
        self.env["bridge.mismatch"]._compare(self.channel, self.rice)
        question = self.rows()
        self.assertEqual((question.channel_value, accepted.state, accepted.channel_value), ("149", "odoo", "150"))
        self.tell(self.rice, price=Decimal(148))
        self.assertEqual((self.rows(), question.channel_value, accepted.state), (question, "148", "odoo"))
        self.forget_touches()
        self.tell(self.rice, price=Decimal(150))
        self.assertEqual((question.state, accepted.state), ("agreed", "odoo"))
        self.assertEqual(self.paused(self.rice), {})
        self.assertEqual(self.touched(), {(store.id, self.rice.id) for store in self.stores})
        self.tell(self.rice)
        self.assertEqual(accepted.state, "agreed")

    def test_channel_is_right_changes_the_list_price(self):
        """Without a pricelist the channel's price becomes the list price, in its own tax basis."""
        self.tell(self.rice, price=Decimal(150))
        self.rows().action_channel_is_right()
        self.assertEqual(self.rice.list_price, 150)
        self.compare()
        self.assertFalse(self.rows())
        self.tell(self.rice, price=Decimal(200), tax_included=False)
        self.rows().action_channel_is_right()
        self.assertEqual(self.rice.list_price, 216)
        self.assertEqual(self.paused(self.rice), {})

    def test_channel_is_right_goes_into_its_pricelist(self):
        """With a pricelist the price is compared with, and written into, that list; the list price stays."""
        pricelist = self.env["product.pricelist"].create(
            {"name": "Web", "currency_id": self.company.currency_id.id, "company_id": self.company.id}
        )
        self.channel.pricelist_id = pricelist
        self.tell(self.rice, price=Decimal(140))
        self.rows().action_channel_is_right()
        self.assertEqual((pricelist.item_ids.fixed_price, self.rice.list_price), (140, 151))
        self.tell(self.rice, price=Decimal(139))
        self.rows().action_channel_is_right()
        self.assertEqual(pricelist.item_ids.mapped("fixed_price"), [139])
        pricelist.item_ids.fixed_price = 130
        self.compare()
        self.assertEqual(self.rows().odoo_value, "130")

    def test_channel_is_right_about_tax_and_jan(self):
        """The tax and the JAN are taken over just so."""
        self.tell(self.rice)
        self.tell(self.rice, reduced=False, barcode="4900000000993")
        self.rows().action_channel_is_right()
        self.assertEqual((self.rice.taxes_id, self.rice.barcode), (self.tax10, "4900000000993"))
        self.tell(self.battery, reduced=True)
        self.rows().action_channel_is_right()
        self.assertEqual(self.battery.taxes_id, self.tax8)

    def test_what_cannot_be_taken_over_says_why(self):
        """A JAN another product has, or a price variants share, is refused with a sentence; nothing changes."""
        self.tell(self.rice)
        self.tell(self.rice, barcode=self.tea.barcode)
        with self.assertRaisesRegex(ValidationError, self.tea.barcode):
            self.rows().action_channel_is_right()
        attribute = self.env["product.attribute"].create(
            {"name": "Size", "value_ids": [Command.create({"name": name}) for name in "SM"]}
        )
        line = {"attribute_id": attribute.id, "value_ids": [Command.set(attribute.value_ids.ids)]}
        shirt = self.env["product.template"].create(
            {
                "name": "Shirt", "list_price": 1000, "is_storable": True, "company_id": self.company.id,
                "taxes_id": [Command.set(self.tax10.ids)], "attribute_line_ids": [Command.create(line)],
            }
        )  # fmt: skip
        small = shirt.product_variant_ids[0]
        self.env["bridge.binding"]._bind(self.channel, "product", [(f"p{small.id}", small)])
        self.tell(small, price=Decimal(900))
        with self.assertRaisesRegex(UserError, "share one price"):
            self.rows().filtered(lambda row: row.product_id == small).action_channel_is_right()

    def test_what_is_compared_is_the_channels_setting(self):
        """Switched off, open questions about it go away; switched on, they come back."""
        self.tell(self.rice, price=Decimal(150), reduced=False)
        self.assertEqual(set(self.rows().mapped("field")), {"price", "tax"})
        self.channel.check_price = False
        self.compare()
        self.assertEqual(self.rows().mapped("field"), ["tax"])
        self.channel.write({"check_price": True, "check_tax": False})
        self.compare()
        self.assertEqual(self.rows().mapped("field"), ["price"])

    def test_mapped_to_another_product(self):
        """What is mapped to another product says nothing about the old one any more."""
        self.tell(self.rice, price=Decimal(150))
        binding = self.env["bridge.binding"]._get(self.channel, "product", [f"p{self.rice.id}"])[f"p{self.rice.id}"]
        binding.res_id = self.tea.id
        self.compare()
        self.assertEqual(self.rows().product_id, self.tea)
        self.assertEqual(self.paused(self.rice), {})
        binding.unlink()
        self.assertFalse(self.rows())

    def test_rehearsal_shows_and_pauses_nothing(self):
        """While rehearsing, the report says what differs; no row is made."""
        self.channel.action_rehearse()
        event = self.tell(self.rice, price=Decimal(150))
        line = self.env["bridge.rehearsal.line"].search([("event_id", "=", event.id)])
        self.assertEqual(line.status, "book")
        self.assertIn("Price differs", line.reason)
        self.assertFalse(self.rows())

    def test_who_may_decide(self):
        """A user may say that Odoo is right; only a manager changes Odoo, with no right of his own to do so."""
        names = ("user", "manager", "auditor")
        user, manager, auditor = (
            new_test_user(
                self.env, f"m_{name}", f"base.group_user,pos_erp_bridge.group_bridge_{name}",
                company_id=self.company.id, company_ids=[Command.set(self.company.ids)],
            )
            for name in names
        )  # fmt: skip
        self.tell(self.rice, price=Decimal(150))
        self.tell(self.tea, price=Decimal(150))
        row, other = self.rows().sorted("product_id")
        with self.assertRaises(AccessError):
            row.with_user(auditor).action_odoo_is_right()
        with self.assertRaisesRegex(AccessError, "managers of the bridge"):
            row.with_user(user).action_channel_is_right()
        row.with_user(user).action_odoo_is_right()
        self.assertEqual((row.state, row.decided_by_id), ("odoo", user))
        other.with_user(manager).action_channel_is_right()
        self.assertEqual((other.state, other.product_id.list_price), ("channel", 150))

    def test_pricelist_in_another_currency_is_refused(self):
        """Prices of a channel are compared in the company's money."""
        usd = self.env["product.pricelist"].create({"name": "USD", "currency_id": self.env.ref("base.USD").id})
        with self.assertRaisesRegex(ValidationError, "keeps its books in JPY"):
            self.channel.pricelist_id = usd


@tagged("post_install", "-at_install")
class TestVendorsAgree(LaneCase):
    def test_a_catalogue_like_ours_raises_no_question(self):
        """Every vendor's products, translated, agree with the same products in Odoo; a changed one does not."""
        for system in sorted(registered()):
            with self.subTest(system):
                vendor = self.connect(system)
                self.run_lanes(vendor, "outward")
                domain = [("channel_id", "=", vendor.channel.id)]
                told = self.env["bridge.binding"].search([*domain, ("entity", "=", "product")]).mapped("told")
                self.assertEqual(len([said for said in told if said and said["price"]]), 5)
                self.assertFalse(self.env["bridge.mismatch"].search(domain))
                product = next(iter(self.products.values()))
                product.list_price += 1
                self.run_lanes(vendor, "outward")
                rows = self.env["bridge.mismatch"].search(domain)
                self.assertEqual((rows.product_id, rows.field), (product, "price"))
                level = self.env["bridge.stock.level"].search([*domain, ("product_id", "=", product.id)])
                self.assertEqual(set(level.mapped("desired")), {0})
                product.list_price -= 1
                self.run_lanes(vendor, "outward")
                self.assertEqual(rows.state, "agreed")
                self.assertNotEqual(set(level.mapped("desired")), {0})
