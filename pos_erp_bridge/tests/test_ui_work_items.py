# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo.exceptions import UserError
from odoo.tests import Form, TransactionCase, tagged

from .test_ui_dashboard import make_channel, make_event


@tagged("post_install", "-at_install")
class TestWorkItems(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.channel = make_channel(cls.env, "Shops")
        cls.event = make_event(cls.channel, "1", state="waiting")

    def item(self, entity="product", external_id="9", **vals):
        return self.env["bridge.work.item"].create(
            {
                "channel_id": self.channel.id, "name": "4900000000023 Tea is unknown", "entity": entity,
                "external_id": external_id, "event_ids": self.event.ids, **vals,
            }
        )

    def binding(self, external_id="9"):
        return self.env["bridge.binding"].search(
            [("channel_id", "=", self.channel.id), ("external_id", "=", external_id)]
        )

    def test_product_is_created_from_what_the_channel_says(self):
        """One click makes the product, binds it and tries again what waited."""
        hints = {"name": "Tea", "barcode": "4900000000023", "sku": "TEA", "price": "138", "stock_id": "S9"}
        item = self.item(hints=hints)
        self.assertEqual(item.event_count, 1)
        item.action_create_product()
        product = self.binding()._record()
        self.assertEqual((product.name, product.barcode), ("Tea", "4900000000023"))
        self.assertEqual((product.default_code, product.list_price), ("TEA", 138))
        self.assertEqual(self.binding().stock_external_id, "S9")
        self.assertEqual((item.state, self.event.state), ("done", "pending"))

    def test_products_are_created_in_bulk(self):
        """The list creates one product per selected unknown one."""
        items = self.item(hints={"name": "Tea"}) | self.item(external_id="10", hints={"name": "Bread"})
        items.action_create_product()
        self.assertEqual(items.mapped("state"), ["done", "done"])
        self.assertEqual({self.binding(i)._record().name for i in ("9", "10")}, {"Tea", "Bread"})

    def test_mapping_needs_a_choice(self):
        """Map without a product says so; with one it binds."""
        item = self.item()
        with self.assertRaises(UserError):
            item.action_map()
        product = self.env["product.product"].create({"name": "Tea"})
        with Form(item) as form:
            form.product_id = product
        item.action_map()
        self.assertEqual(self.binding()._record(), product)

    def test_candidate_is_chosen_by_one_click(self):
        """The button beside a candidate maps it."""
        product = self.env["product.product"].create({"name": "Tea"})
        item = self.item(candidate_ids=product.ids)
        product.with_context(bridge_work_item_id=item.id).action_bridge_choose()
        self.assertEqual((item.state, self.binding()._record()), ("done", product))

    def test_dismissed_leaves_the_event_waiting(self):
        """Dismissing decides nothing: what waits goes on waiting."""
        item = self.item()
        item.action_dismiss()
        self.assertEqual((item.state, self.event.state), ("dismissed", "waiting"))

    def test_hints_in_the_users_words(self):
        """What the channel says is shown with names, and only what it says."""
        item = self.item(hints={"name": "Tea", "barcode": "", "price": "138"})
        self.assertEqual(set(item.hint_text.split(", ")), {"Name: Tea", "Price: 138"})

    def test_payload_is_shown_indented(self):
        """JSON is indented, Japanese stays readable, anything else is shown as it came."""
        self.event.payload = '{"name": "緑茶"}'
        self.assertEqual(self.event.payload_text, '{\n  "name": "緑茶"\n}')
        self.event.payload = "<xml/>"
        self.assertEqual(self.event.payload_text, "<xml/>")

    def test_retention_follows_the_setting(self):
        """Notifications older than the days set are removed; documents' events stay."""
        old, kept = (
            make_event(self.channel, name, state="done", received_at="2020-01-01", is_hint=is_hint, result=result)
            for name, is_hint, result in (("old", True, "fetched"), ("kept", False, "created"))
        )
        with Form(self.env["res.config.settings"]) as form:
            form.bridge_event_days = 100_000
        form.save().execute()
        self.env["bridge.event"]._gc_events()
        self.assertTrue(old.exists())
        self.env["ir.config_parameter"].set_param("pos_erp_bridge.event_days", "30")
        self.env["bridge.event"]._gc_events()
        self.assertFalse(old.exists())
        self.assertTrue(kept.exists())

    def test_explanations_speak_the_companys_language(self):
        """Lanes write in the language of the settings, else of the company; an uninstalled one is not used."""
        company = self.env.company
        self.env["res.lang"]._activate_lang("ja_JP")
        company.partner_id.lang = "en_US"
        self.assertEqual(company._bridge_language(), "en_US")
        company.bridge_lang = "ja_JP"
        self.assertEqual(company._bridge_language(), "ja_JP")

    def test_texts_of_connectors_are_translated(self):
        """Labels that connectors declare are shown in the user's language."""
        self.env["res.lang"]._activate_lang("ja_JP")
        rows = self.channel.setting_ids
        row = next(row for row in rows if row.label == "Client ID")
        self.assertEqual(row.with_context(lang="ja_JP").label, "クライアントID")
