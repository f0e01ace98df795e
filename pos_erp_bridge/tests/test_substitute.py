# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from datetime import date
from unittest.mock import patch

from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import Form, TransactionCase, new_test_user, tagged

from ..models import bridge_live
from .till_shop import TillShop


@tagged("post_install", "-at_install")
class TestSubstitute(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shop = TillShop(cls.env(context={**cls.env.context, "tracking_disable": True}))
        cls.env = cls.shop.env
        cls.blue_m = cls.shop.variant("M", "青")
        cls.cashier = cls.shop.cashier("till_cashier")
        cls.salesman = new_test_user(
            cls.env, "till_salesman", "base.group_user,sales_team.group_sale_salesman",
            company_id=cls.shop.company.id, company_ids=[Command.set(cls.shop.company.ids)],
        )  # fmt: skip

    def found(self, product=None, location=None, **options):
        product = product or self.blue_m
        return self.env["bridge.substitute"]._for(product, location or self.shop.main, **options)[product.id]

    def info(self, product, user=None):
        return self.shop.config.with_user(user or self.cashier).bridge_product_info(product.id)

    # -- what and in which order -----------------------------------------------------------------
    def test_order_of_what_is_offered(self):
        """Sizes and colours most alike first, alternatives as chosen, then places with most, then the next arrival."""
        shop = self.shop
        red_l, red_m, blue_s = shop.variant("L", "赤"), shop.variant("M", "赤"), shop.variant("S", "青")
        for product, quantity in ((red_l, 9), (red_m, 1), (blue_s, 2), (shop.sweater.product_variant_id, 4)):
            shop.stock(product, shop.main, quantity)
        shop.shirt.bridge_alternative_ids = shop.tea | shop.sweater | shop.shirt
        shop.stock(self.blue_m, shop.ginza, 3)
        shop.stock(self.blue_m, shop.net, 5)
        shop.expect(self.blue_m, shop.main, 6, "2026-12-03 02:00:00")
        shop.expect(self.blue_m, shop.main, 12, "2026-12-01 02:00:00")
        shop.expect(self.blue_m, shop.main, 1, "2026-12-01 08:00:00")
        unit = self.blue_m.uom_id.name
        self.assertEqual(
            self.found(),
            {
                "quantity": 0.0,
                "variants": [
                    {"product_id": red_m.id, "name": "シャツ (M, 赤)", "quantity": 1.0, "uom": unit},
                    {"product_id": blue_s.id, "name": "シャツ (S, 青)", "quantity": 2.0, "uom": unit},
                    {"product_id": red_l.id, "name": "シャツ (L, 赤)", "quantity": 9.0, "uom": unit},
                ],
                "alternatives": [
                    {"product_id": shop.sweater.product_variant_id.id, "name": "セーター", "quantity": 4.0, "uom": unit}
                ],
                "places": [
                    {"name": "オンライン", "location_id": shop.net.id, "quantity": 5.0},
                    {"name": "銀座店", "location_id": shop.ginza.id, "quantity": 3.0},
                ],
                "incoming": {"date": date(2026, 12, 1), "quantity": 13.0},
            },
        )

    def test_only_what_is_sold_there_is_offered(self):
        """A product that is archived, not sold, or not shown at the till is no substitute."""
        shop = self.shop
        for variant in shop.shirt.product_variant_ids - self.blue_m:
            shop.stock(variant, shop.main, 1)
        shop.variant("S", "青").active = False
        shop.variant("L", "青").active = False
        names = [option["name"] for option in self.found()["variants"]]
        self.assertEqual(names, ["シャツ (M, 赤)", "シャツ (S, 赤)", "シャツ (L, 赤)"])
        shop.sweater.available_in_pos = False
        shop.stock(shop.sweater.product_variant_id, shop.main, 1)
        shop.shirt.bridge_alternative_ids = shop.sweater
        self.assertEqual(len(self.found()["alternatives"]), 1)
        self.assertEqual(self.found(is_for_till=True)["alternatives"], [])

    def test_a_product_without_stock_keeping_can_always_be_taken(self):
        """An alternative that keeps no stock is offered without a quantity."""
        self.shop.sweater.is_storable = False
        self.shop.shirt.bridge_alternative_ids = self.shop.sweater
        self.assertEqual([o["quantity"] for o in self.found()["alternatives"]], [None])

    def test_many_products_cost_no_more_looks_into_stock(self):
        """Stock is asked for all products and their substitutes at once."""
        shop = self.shop
        products = shop.shirt.product_variant_ids | shop.sweater.product_variant_id | shop.tea.product_variant_id
        availability = type(self.env["bridge.availability"])
        with patch.object(availability, "_available", autospec=True, side_effect=availability._available) as few:
            self.found()
        with patch.object(availability, "_available", autospec=True, side_effect=availability._available) as many:
            self.env["bridge.substitute"]._for(products, shop.main)
        self.assertEqual(many.call_count, few.call_count)

    def test_other_companies_are_left_out(self):
        """Neither stock, stores nor products of another company are told."""
        other = TillShop(self.env(su=True), "別会社")
        tea = self.shop.tea.product_variant_id
        self.shop.tea.company_id = False
        other.stock(tea, other.ginza, 50)
        other.stock(other.sweater.product_variant_id, other.main, 50)
        # A product shared by both names an alternative of theirs.
        self.env.cr.execute(
            "INSERT INTO bridge_product_alternative_rel (product_tmpl_id, alternative_id) VALUES (%s, %s)",
            [self.shop.tea.id, other.sweater.id],
        )
        self.env.invalidate_all()
        found = self.found(tea)
        self.assertEqual((found["places"], found["alternatives"]), ([], []))
        self.assertEqual([row["name"] for row in self.info(tea)["rows"]], ["本店レジ", "銀座店", "オンライン"])
        with self.assertRaises(AccessError):
            other.config.with_user(self.cashier).bridge_product_info(tea.id)
        with self.assertRaises(AccessError):
            other.config.with_user(self.cashier).bridge_shelf(tea.ids)
        self.assertFalse(self.info(other.sweater.product_variant_id))

    # -- till ------------------------------------------------------------------------------------
    def test_rows_of_product_info(self):
        """A cashier sees his place first, then every store and the web, with what comes in and when."""
        shop, tea = self.shop, self.shop.tea.product_variant_id
        shop.stock(tea, shop.main, 2)
        shop.stock(tea, shop.ginza, 7)
        shop.expect(tea, shop.net, 24, "2026-12-01 02:00:00")
        rows = self.info(tea)["rows"]
        nothing = {"held": 0.0, "reason": ""}
        self.assertEqual(
            rows,
            [
                {"key": f"{shop.main.id}/0", "kind": "own", "name": "本店レジ", "channels": "", "quantity": 2,
                 "place": shop.main.display_name, "incoming": False, **nothing},
                {"key": f"{shop.ginza.id}/1", "kind": "till", "name": "銀座店", "channels": "Shop tills", "quantity": 7,
                 "place": shop.ginza.display_name, "incoming": False, **nothing},
                {"key": f"{shop.net.id}/2", "kind": "web", "name": "オンライン", "channels": "Web shop", "quantity": 0,
                 "place": shop.net.display_name, "incoming": {"date": date(2026, 12, 1), "quantity": 24.0}, **nothing},
            ],
        )  # fmt: skip

    def test_stores_of_one_place_share_a_row(self):
        """Two channels that sell from one place are one row, both named; so are those that sell from the till's."""
        shop, tea = self.shop, self.shop.tea.product_variant_id
        shop.stock(tea, shop.main, 2)
        self.env["bridge.store"].create(
            [
                {"channel_id": shop.web.id, "external_id": "W2", "name": "Web 2", "location_id": shop.ginza.id},
                {"channel_id": shop.web.id, "external_id": "W3", "name": "Web 3", "location_id": shop.main.id},
            ]
        )
        rows = [(row["kind"], row["name"], row["channels"]) for row in self.info(tea)["rows"]]
        self.assertEqual(
            rows,
            [
                ("own", "本店レジ", "Web shop"),
                ("till", "銀座店, Web 2", "Shop tills, Web shop"),
                ("web", "オンライン", "Web shop"),
            ],
        )

    def hold(self, product, location, quantity, **values):
        return self.env["bridge.hold"].create(
            {
                "company_id": self.shop.company.id, "order_ref": "P1", "line_ref": "1", "product_id": product.id,
                "location_id": location.id, "quantity": quantity, "purpose": "pickup", **values,
            }
        )  # fmt: skip

    def test_promised_and_kept_back(self):
        """What is promised is shown and cannot be sold; a channel's rule decides what it may sell, and says why not."""
        shop, tea = self.shop, self.shop.tea.product_variant_id
        for place in (shop.main, shop.ginza, shop.net):
            shop.stock(tea, place, 10)
        self.hold(tea, shop.main, 3)
        self.hold(tea, shop.ginza, 4, order_ref="P2")
        self.env["bridge.allocation.rule"].create(
            {"name": "Stop", "channel_ids": shop.web.ids, "company_id": shop.company.id, "is_stopped": True}
        )
        self.assertEqual(
            [(row["quantity"], row["held"], row["reason"]) for row in self.info(tea)["rows"]],
            [(7, 3, ""), (6, 4, ""), (0, 0, "Selling is stopped.")],
        )

    def test_warehouse_no_channel_sells_from(self):
        """What lies in a warehouse that is no channel's store is shown last; Odoo's own list of them is not needed."""
        shop, tea = self.shop, self.shop.tea.product_variant_id
        reserve = self.env["stock.warehouse"].create({"name": "予備", "code": "RSV"})
        shop.stock(tea, reserve.lot_stock_id, 40)
        row = self.info(tea)["rows"][-1]
        self.assertEqual((row["kind"], row["name"], row["quantity"], row["channels"]), ("warehouse", "予備", 40, ""))
        self.assertEqual(self.found(tea)["places"][0]["name"], "予備")

    def test_till_of_a_connected_store(self):
        """A point of sale that is a store of a channel shows that store first."""
        shop, tea = self.shop, self.shop.tea.product_variant_id
        shop.store.pos_config_id = shop.config
        shop.stock(tea, shop.ginza, 7)
        info = self.info(tea)
        self.assertEqual(info["quantity"], 7)
        self.assertEqual(
            [(r["kind"], r["name"], r["quantity"]) for r in info["rows"]],
            [("own", "銀座店", 7), ("web", "オンライン", 0), ("warehouse", "本店商店", 0)],
        )

    def test_product_info_of_odoo_carries_it(self):
        """Odoo's own product info brings the stock along, for a cashier without any right to channels."""
        self.assertFalse(self.cashier.has_group("pos_erp_bridge.group_bridge_user"))
        template = self.shop.shirt.with_user(self.cashier)
        info = template.get_product_info_pos(3300, 1, self.shop.config.id, self.blue_m.id)
        self.assertEqual(info["bridge"]["product_id"], self.blue_m.id)
        self.assertEqual(len(info["bridge"]["variants"]), 6)
        self.assertEqual(len(info["bridge"]["rows"]), 3)
        with self.assertRaises(AccessError):
            self.shop.store.with_user(self.cashier).read(["name"])

    def test_shelf(self):
        """The till learns in one call what lies at its place; nothing where no channel runs."""
        shop = self.shop
        shop.stock(self.blue_m, shop.main, 2)
        service = self.env["product.product"].create({"name": "Wrapping", "type": "service"})
        ids = [self.blue_m.id, shop.tea.product_variant_id.id, service.id]
        config = shop.config.with_user(self.cashier)
        self.assertEqual(config.bridge_shelf(ids), {ids[0]: 2.0, ids[1]: 0.0})
        (shop.till | shop.web).state = "paused"
        self.assertIs(config.bridge_shelf(ids), False)

    # -- live ------------------------------------------------------------------------------------
    def announced(self, keys):
        """[(config, message)] sent for (store, product) keys."""
        sent = []
        configs = type(self.env["pos.config"])
        with patch.object(configs, "_notify", autospec=True, side_effect=lambda *args: sent.append(args)):
            self.env["bridge.live"]._announce({(store.id, product_id) for store, product_id in keys})
        return [(config, name, message) for config, name, message in sent]

    def test_one_message_per_open_till(self):
        """A batch is one message, to tills of that company that are open, with no more ids than a message bears."""
        shop = self.shop
        keys = [(shop.store, 5), (shop.store, 3), (shop.web_store, 3)]
        self.assertEqual(self.announced(keys), [])
        shop.config.with_user(self.cashier).open_ui()
        other = TillShop(self.env(su=True), "別会社")
        other.config.open_ui()
        self.assertEqual(self.announced(keys), [(shop.config, "BRIDGE_STOCK", {"product_ids": [3, 5]})])
        many = [(shop.store, i) for i in range(1, bridge_live.MOST_PRODUCTS + 2)]
        self.assertEqual(self.announced(many), [(shop.config, "BRIDGE_STOCK", {"product_ids": False})])

    def test_telling_costs_a_transaction_nothing(self):
        """What changed is told after the commit; the flush of touched keys is one statement, as before."""
        shop, tea = self.shop, self.shop.tea.product_variant_id
        shop.config.open_ui()
        shop.stock(tea, shop.ginza, 1)
        self.env.flush_all()
        touch = self.env["bridge.touch"].sudo()
        with self.assertQueryCount(1), patch.object(bridge_live, "_announce_now") as announce:
            touch._flush_touched()
        announce.assert_not_called()
        with patch("odoo.addons.pos_erp_bridge.models.bridge_live.threading.Timer") as timer:
            self.env.cr.postcommit.run()
            self.addCleanup(bridge_live._pending.pop, self.env.cr.dbname, None)
        (_delay, function, (dbname,)) = timer.call_args.args
        self.assertEqual((function, dbname), (bridge_live._announce_now, self.env.cr.dbname))
        self.assertEqual(bridge_live._pending[dbname], {(shop.store.id, tea.id)})

    # -- order screen ----------------------------------------------------------------------------
    def quotation(self, product, quantity=2, user=None):
        orders = self.env["sale.order"].with_user(user or self.salesman)
        partner = self.env["res.partner"].create({"name": "Customer"})
        return orders.create(
            {
                "partner_id": partner.id, "warehouse_id": self.shop.main.warehouse_id.id,
                "order_line": [Command.create({"product_id": product.id, "product_uom_qty": quantity})],
            }
        ).order_line  # fmt: skip

    def test_sold_out_line(self):
        """A quotation's line is sold out where its warehouse has less than it wants, whatever other places have."""
        shop = self.shop
        shop.stock(self.blue_m, shop.main, 1)
        shop.stock(self.blue_m, shop.ginza, 9)
        line = self.quotation(self.blue_m, 2)
        self.assertTrue(line.bridge_is_sold_out)
        line.product_uom_qty = 1
        self.assertFalse(line.bridge_is_sold_out)
        line.product_uom_id = self.env.ref("uom.product_uom_dozen")
        self.assertTrue(line.bridge_is_sold_out)
        line.order_id.warehouse_id = shop.ginza.warehouse_id
        line.product_uom_qty = 0.5
        self.assertFalse(line.bridge_is_sold_out)

    def test_promised_to_the_line_itself(self):
        """A quotation that was promised its goods is not sold out."""
        self.shop.stock(self.blue_m, self.shop.main, 2)
        line, other = self.quotation(self.blue_m, 2), self.quotation(self.blue_m, 1)
        self.hold(self.blue_m, self.shop.main, 2, purpose="quotation", sale_line_id=line.id)
        self.env.invalidate_all()
        self.assertEqual([line.bridge_is_sold_out, other.bridge_is_sold_out], [False, True])

    def test_salesman_takes_another_colour(self):
        """The dialog lists what to offer in order; a click replaces the product and keeps the quantity."""
        shop = self.shop
        red = shop.variant("M", "赤")
        red.product_template_attribute_value_ids.filtered(lambda v: v.name == "赤").price_extra = 200
        shop.stock(red, shop.main, 5)
        shop.stock(self.blue_m, shop.ginza, 9)
        shop.expect(self.blue_m, shop.main, 12, "2026-12-01 02:00:00")
        line = self.quotation(self.blue_m, 2)
        action = line.action_bridge_substitutes()
        wizard = self.env[action["res_model"]].with_user(self.salesman).browse(action["res_id"])
        self.assertEqual(
            [(o.kind, o.product_id, o.place, o.quantity, o.date, o.can_take) for o in wizard.option_ids],
            [
                ("variant", red, False, 5, False, True),
                ("place", self.blue_m, "銀座店", 9, False, False),
                ("incoming", self.blue_m, False, 12, date(2026, 12, 1), False),
            ],
        )
        Form(wizard)
        wizard.option_ids[0].action_take()
        self.assertEqual((line.product_id, line.product_uom_qty, line.price_unit), (red, 2, 3500))
        self.assertIn("赤", line.name)
        self.assertFalse(line.bridge_is_sold_out)
        with self.assertRaises(UserError):
            wizard.option_ids[1].action_take()

    def test_only_quotations_are_changed(self):
        """A confirmed order, or one a customer paid for in a web store, keeps its products."""
        shop = self.shop
        shop.stock(shop.variant("M", "赤"), shop.main, 5)
        line, paid = self.quotation(self.blue_m), self.quotation(self.blue_m)
        paid.sudo().order_id.bridge_channel_id = shop.web
        wizards = [self.env["bridge.substitute.wizard"]._open(each) for each in (line, paid)]
        line.order_id.action_confirm()
        for wizard in wizards:
            with self.assertRaises(UserError):
                wizard.option_ids.filtered(lambda o: o.kind == "variant").action_take()
            self.assertEqual(wizard.line_id.product_id, self.blue_m)
