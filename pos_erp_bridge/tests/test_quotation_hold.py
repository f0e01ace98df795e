# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from datetime import date, datetime, timedelta

from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, freeze_time, new_test_user, tagged

from .common import BridgeCommon

NOW = datetime(2026, 11, 23, 3, 0)


@tagged("post_install", "-at_install")
class TestQuotationHold(BridgeCommon):
    """Odoo's own quotations hold stock like a web store's orders do."""

    def setUp(self):
        super().setUp()
        self.enterContext(self.enter_registry_test_mode())
        self.enterContext(freeze_time(NOW))
        self.seller = new_test_user(
            self.env, "seller", "sales_team.group_sale_salesman", company_id=self.company.id,
            company_ids=[(6, 0, self.company.ids)], tz="Asia/Tokyo", lang="en_US",
        )  # fmt: skip
        for product, quantity in ((self.rice, 10), (self.tea, 1)):
            have = self.env["stock.quant"]._get_available_quantity(product, self.location)
            self.env["stock.quant"]._update_available_quantity(product, self.location, quantity - have)

    def quotation(self, *lines, **values):
        partner = self.env["res.partner"].create({"name": "山田商事"})
        order = self.env["sale.order"].create(
            {
                "partner_id": partner.id, "user_id": self.seller.id, "validity_date": False,
                "order_line": [(0, 0, {"product_id": p.id, "product_uom_qty": q}) for p, q in lines], **values,
            }
        )  # fmt: skip
        self.env.flush_all()
        return order.with_user(self.seller).with_context(allowed_company_ids=self.company.ids, lang="en_US")

    def available(self, product):
        return self.env["bridge.availability"]._available(self.location, product)[product.id]

    def holds(self, order, state="active"):
        self.env["bridge.hold"].invalidate_model()
        return self.env["bridge.hold"].search(
            [("order_ref", "=", f"sale.order,{order.id}"), ("state", "=", state)], order="line_ref"
        )

    def commit(self):
        """What happens at a commit."""
        self.env.flush_all()
        self.env.cr.precommit.run()
        self.env.cr.postcommit.run()
        self.env.invalidate_all()

    def test_seller_holds_stock(self):
        """A user with sales rights only holds the goods of his quotation; nobody else can have them."""
        order = self.quotation((self.rice, 7), (self.tea, 1))
        self.assertTrue(order.bridge_can_hold)
        order.action_bridge_hold()
        self.env.invalidate_all()
        self.assertEqual((self.available(self.rice), self.available(self.tea)), (3, 0))
        self.assertEqual(self.holds(order).sale_line_id, order.sudo().order_line)
        self.assertEqual(order.bridge_held_until, NOW + timedelta(days=3))
        self.assertEqual(order.bridge_held_text, "Stock is held until 11/26/26, 12:00\u202fPM.")
        other = self.quotation((self.rice, 4))
        offer = (
            self.env[other.action_bridge_hold()["res_model"]]
            .with_user(self.seller)
            .search([], order="id desc", limit=1)
        )
        self.assertEqual(offer.text, f"{self.rice.display_name}: 3 left")
        self.assertFalse(self.holds(other))

    def test_held_until_the_quotation_is_valid(self):
        """A quotation with a date of its own holds to the end of that day; one that ended holds nothing."""
        order = self.quotation((self.rice, 1), validity_date=date(2026, 11, 30))
        order.action_bridge_hold()
        self.env.invalidate_all()
        self.assertEqual(order.bridge_held_until, datetime(2026, 11, 30, 14, 59, 59))
        late = self.quotation((self.rice, 1), validity_date=date(2026, 11, 20))
        with self.assertRaisesRegex(UserError, "valid until"):
            late.action_bridge_hold()

    def test_hold_what_there_is(self):
        """The second choice holds as much as there is, and says what is short."""
        order = self.quotation((self.rice, 12), (self.tea, 1))
        action = order.action_bridge_hold()
        self.assertFalse(self.holds(order))
        self.env["bridge.hold.offer"].with_user(self.seller).browse(action["res_id"]).action_hold_partial()
        self.env.invalidate_all()
        self.assertEqual(self.holds(order).mapped("quantity"), [10, 1])
        self.assertIn(f"in part: 10 of 12 {self.rice.display_name}", order.bridge_held_text)
        empty = self.quotation((self.tea, 1))
        with self.assertRaisesRegex(UserError, "Nothing of it is free"):
            empty.action_bridge_hold_partial()

    def test_hold_what_a_limit_leaves(self):
        """The second choice holds as much as a limit on sales leaves, too."""
        self.env["bridge.sales.limit"].create(
            {"name": "Four", "product_ids": self.rice.ids, "cap_total": 4, "company_id": self.company.id}
        )
        order = self.quotation((self.rice, 7), (self.tea, 1))
        action = order.action_bridge_hold()
        self.assertFalse(self.holds(order))
        self.env["bridge.hold.offer"].with_user(self.seller).browse(action["res_id"]).action_hold_partial()
        self.env.invalidate_all()
        self.assertEqual(self.holds(order).mapped("quantity"), [4, 1])

    def test_give_back(self):
        """Given back is free at once."""
        order = self.quotation((self.rice, 7))
        order.action_bridge_hold()
        order.action_bridge_give_back()
        self.env.invalidate_all()
        self.assertEqual(self.available(self.rice), 10)
        self.assertFalse(order.bridge_held_text)

    def test_confirmed_once(self):
        """Confirming turns what was held into the reservation; it is counted once."""
        order = self.quotation((self.rice, 7))
        order.action_bridge_hold()
        order.action_confirm()
        self.assertEqual(order.picking_ids.sudo().move_ids.quantity, 7)
        self.assertEqual(self.holds(order, "done").quantity, 7)
        self.assertFalse(self.holds(order))
        self.assertEqual(self.available(self.rice), 3)

    def test_confirmed_when_the_link_was_lost(self):
        """A worker killed between promise and link: the promise is found by its order all the same."""
        order = self.quotation((self.rice, 10))
        order.action_bridge_hold()
        self.holds(order).sale_line_id = False
        order.action_confirm()
        self.assertEqual(order.picking_ids.sudo().move_ids.quantity, 10)
        self.assertFalse(self.holds(order))

    def test_changes_are_followed(self):
        """More, less, another product, a line taken away: what is held follows when the change is committed."""
        order = self.quotation((self.rice, 7), (self.tea, 1))
        order.action_bridge_hold()
        rice, tea = order.order_line
        rice.product_uom_qty = 9
        self.assertEqual(self.available(self.rice), 3)
        self.commit()
        self.assertEqual(self.available(self.rice), 1)
        rice.product_uom_qty = 2
        tea.unlink()
        self.commit()
        self.assertEqual((self.available(self.rice), self.available(self.tea)), (8, 1))
        rice.product_uom_qty = 50
        self.commit()
        self.assertEqual((self.available(self.rice), self.holds(order).quantity), (0, 10))
        self.assertIn("10 of 50", order.bridge_held_text)
        rice.product_id = self.bread
        rice.product_uom_qty = 1
        self.commit()
        self.assertEqual((self.available(self.rice), self.holds(order).product_id), (10, self.bread))

    def test_cancelled_or_deleted_gives_back(self):
        """Cancelled and deleted quotations hold nothing; a copy never did."""
        order = self.quotation((self.rice, 7))
        order.action_bridge_hold()
        copy = order.copy()
        self.env.flush_all()
        self.assertFalse(copy.bridge_held_text or self.holds(copy))
        order._action_cancel()
        self.assertEqual(self.available(self.rice), 10)
        second = self.quotation((self.rice, 7))
        second.action_bridge_hold()
        second.sudo().unlink()
        self.assertEqual(self.available(self.rice), 10)

    def test_expired(self):
        """After its day the goods are free, and the quotation does not claim otherwise."""
        order = self.quotation((self.rice, 7))
        order.action_bridge_hold()
        with freeze_time(NOW + timedelta(days=3, minutes=1)):
            self.env.invalidate_all()
            self.assertFalse(order.bridge_held_text)
            self.env["bridge.hold"]._expire()
            self.assertEqual(self.available(self.rice), 10)

    def test_till_sells_what_is_held(self):
        """A store sells held goods: that is a fact; the seller of the last promise is told, once."""
        first, second = self.quotation((self.rice, 4)), self.quotation((self.rice, 6))
        first.action_bridge_hold()
        second.action_bridge_hold()
        for number in (1, 2):
            self.book(self.sale(self.line(self.rice, 151)))
            self.commit()
            notes = second.sudo().activity_ids.mapped("note")
            self.assertEqual(len(notes), number)
        self.assertFalse(first.sudo().activity_ids)
        self.assertIn(self.rice.display_name, notes[0])

    def test_only_quotations(self):
        """A confirmed order, one without goods and another's order hold nothing."""
        order = self.quotation((self.rice, 1))
        order.action_confirm()
        with self.assertRaisesRegex(UserError, "quotations"):
            order.action_bridge_hold()
        service = self.env["product.product"].create({"name": "包装", "type": "service"})
        with self.assertRaisesRegex(UserError, "kept in stock"):
            self.quotation((service, 1)).action_bridge_hold()
        colleague = new_test_user(self.env, "colleague", "sales_team.group_sale_salesman", company_id=self.company.id,
                                  company_ids=[(6, 0, self.company.ids)])  # fmt: skip
        with self.assertRaises(AccessError):
            self.quotation((self.rice, 1)).with_user(colleague).action_bridge_hold()

    def test_form_for_a_seller(self):
        """The order's form renders for a user without rights of the bridge."""
        order = self.quotation((self.rice, 1))
        order.action_bridge_hold()
        self.env.invalidate_all()
        with Form(order) as form:
            self.assertTrue(form.bridge_held_text)
