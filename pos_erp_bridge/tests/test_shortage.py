# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import json
from datetime import date, datetime, timedelta

from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, freeze_time, new_test_user, tagged

from .web_common import FACTS, NOON, D, WebCase, give_back, line, make_web_channel, order, refund


@tagged("post_install", "-at_install")
class TestShortage(WebCase):
    """Ten mugs, and more than ten of them sold."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["stock.quant"]._update_available_quantity(cls.mug, cls.location, -90)
        cls.channel.invoice_rule = "on_delivery"
        cls.other = cls.env["stock.warehouse"].create(
            {"name": "Osaka", "code": "OSA", "company_id": cls.env.company.id}
        )
        cls.osaka = cls.other.lot_stock_id
        cls.user = new_test_user(
            cls.env, "clerk", "pos_erp_bridge.group_bridge_user", company_id=cls.env.company.id,
            company_ids=[(6, 0, cls.env.company.ids)], tz="Asia/Tokyo",
        )  # fmt: skip

    # -- helpers -----------------------------------------------------------------------------------
    def sell(self, ref, quantity, product=None, **more):
        return self.booked(order(ref, line(1, product or self.mug, quantity), **more))

    def short(self, *refs):
        """The shortage of what two orders of 8 leave, as a clerk sees it."""
        self.sell("A", 8)
        second = self.sell("B", 8, **dict(refs))
        return self.of(second)

    def of(self, sale, state="open"):
        self.look()
        rows = self.env["bridge.shortage"].search([("order_id", "=", sale.id), ("state", "=", state)])
        return rows.with_user(self.user).with_context(lang="en_US", allowed_company_ids=self.env.company.ids)

    def look(self):
        """What happens before the commit."""
        self.env.flush_all()
        self.env.cr.precommit.run()
        self.env.invalidate_all()

    def stock(self, product, quantity, place):
        self.env["stock.quant"]._update_available_quantity(product, place, quantity)

    def reserved(self, sale, place=None):
        moves = sale.picking_ids.move_ids.filtered(lambda m: m.state not in ("done", "cancel"))
        return sum(moves.filtered(lambda m: place is None or m.location_id == place).mapped("quantity"))

    def coming(self, product, quantity, moment):
        kind = self.location.warehouse_id.in_type_id
        supplier = self.env.ref("stock.stock_location_suppliers")
        picking = self.env["stock.picking"].create(
            {
                "picking_type_id": kind.id, "location_id": supplier.id, "location_dest_id": self.location.id,
                "scheduled_date": moment,
                "move_ids": [
                    (0, 0, {"product_id": product.id, "product_uom_qty": quantity, "product_uom": product.uom_id.id,
                            "location_id": supplier.id, "location_dest_id": self.location.id, "date": moment})
                ],
            }
        )  # fmt: skip
        picking.action_confirm()
        return picking

    # -- noticing ----------------------------------------------------------------------------------
    def test_two_channels_sell_eight_each_of_ten(self):
        """What two channels sold of the same ten is booked by the real lanes; ten are reserved, six are a shortage
        with proposals; the same events again change nothing."""
        second = make_web_channel(self.env, name="Mall", invoice_rule="on_delivery")
        second.store_ids.external_id = "M1"
        for channel, ref in ((self.channel, "A"), (second, "B")):
            for again in ("1", "2"):
                FACTS[f"{ref}{again}"] = order(ref, line(1, self.mug, 8), version="1")
                self.env["bridge.event"].create(
                    {
                        "channel_id": channel.id, "company_id": channel.company_id.id, "origin": "poll",
                        "stream": "order", "external_id": ref, "external_version": again,
                        "payload": json.dumps({"key": f"{ref}{again}"}),
                    }
                )  # fmt: skip
                self.look()
                with self.enter_registry_test_mode():
                    channel._run_lane("inbound")
                self.env.invalidate_all()
        orders = self.env["sale.order"].search([("bridge_channel_id", "in", (self.channel | second).ids)], order="id")
        self.assertEqual(orders.mapped("state"), ["sale", "sale"])
        self.assertEqual([self.reserved(sale) for sale in orders], [8, 2])
        row = self.env["bridge.shortage"].search([])
        self.assertRecordValues(
            row,
            [{"order_id": orders[1].id, "channel_id": second.id, "product_id": self.mug.id, "ordered": 8.0,
              "missing": 6.0, "state": "open", "location_id": self.location.id, "decision": False}],
        )  # fmt: skip
        self.assertEqual(second.shortage_count, 1)
        self.assertEqual(self.channel.shortage_count, 0)
        self.assertEqual(len(orders[1].activity_ids), 1)
        self.assertIn("Mug: 6 of 8", orders[1].activity_ids.note)
        self.assertEqual(row.partial_text, f"2 pieces are reserved ({orders[1].picking_ids.name}): deliver them now, the rest later.")  # fmt: skip  # noqa: E501
        self.assertEqual(row.cancel_text, "Order 2 instead of 8; the money is given back in the web store.")
        self.assertFalse(row.place_text or row.incoming_text or row.refund_text)

    def test_enough_for_all_is_no_shortage(self):
        """Orders that reserve all they need leave no trace."""
        self.sell("A", 5)
        self.sell("B", 5)
        self.assertFalse(self.env["bridge.shortage"].search([]))

    def test_gone_when_the_goods_are_reserved_after_all(self):
        """A shortage ends by itself when the goods come and are reserved; nobody is asked any more."""
        row = self.short()
        sale = row.order_id.sudo()
        self.stock(self.mug, 6, self.location)
        sale.picking_ids.action_assign()
        self.look()
        self.assertRecordValues(row, [{"state": "gone", "missing": 0.0, "decision": False}])
        self.assertFalse(sale.activity_ids)

    def test_gone_when_less_is_ordered_or_the_order_is_cancelled(self):
        """A line that shrinks and an order that is cancelled need nothing any more."""
        row = self.short()
        goods = order("B", line(1, self.mug, 8))
        self.booked(self.newer(goods, "2", lines=(line(1, self.mug, 5),)))
        self.look()
        self.assertEqual((row.missing, row.state), (3.0, "open"))
        row.order_id.sudo()._action_cancel()
        self.look()
        self.assertEqual(row.state, "gone")

    def test_edit_that_raises_the_quantity(self):
        """The web store adds pieces there are none of: the edit is applied, the rest is a shortage."""
        goods = order("A", line(1, self.mug, 8))
        sale = self.booked(goods)
        self.assertFalse(self.of(sale))
        self.booked(self.newer(goods, "2", lines=(line(1, self.mug, 12),)))
        self.assertEqual(self.of(sale).missing, 2.0)

    def test_till_takes_what_was_reserved(self):
        """A store sells the very pieces: the order that lost them is a shortage, Odoo's own as well."""
        own = self.env["sale.order"].create(
            {
                "partner_id": self.env.user.partner_id.id,
                "order_line": [(0, 0, {"product_id": self.mug.id, "product_uom_qty": 4})],
            }  # fmt: skip  # noqa: E501
        )
        own.action_confirm()
        self.look()
        self.assertEqual(self.reserved(own), 4)
        customers = self.env.ref("stock.stock_location_customers")
        taken = self.env["stock.move"].create(
            {"product_id": self.mug.id, "product_uom_qty": 9, "product_uom": self.mug.uom_id.id,
             "location_id": self.location.id, "location_dest_id": customers.id}
        )  # fmt: skip
        taken._action_confirm()
        taken.quantity, taken.picked = 9, True
        taken._action_done()
        self.assertEqual(self.reserved(own), 1)
        row = self.of(own)
        self.assertRecordValues(row.sudo(), [{"missing": 3.0, "channel_id": False, "state": "open"}])

    def test_own_order_without_stock_is_odoos_matter(self):
        """An order of Odoo's own that never had the goods is no shortage of the bridge."""
        own = self.env["sale.order"].create(
            {
                "partner_id": self.env.user.partner_id.id,
                "order_line": [(0, 0, {"product_id": self.mug.id, "product_uom_qty": 40})],
            }  # fmt: skip  # noqa: E501
        )
        own.action_confirm()
        self.assertFalse(self.of(own))

    def test_preorder_waits_on_purpose(self):
        """What was promised from incoming goods is not missing."""
        sale = self.sell("A", 3, product=self.make_products(("New", "4900000000801"), quantity=0))
        self.assertTrue(self.of(sale))
        self.env["bridge.hold"].create(
            {"company_id": self.env.company.id, "order_ref": "A", "line_ref": "1", "purpose": "preorder",
             "source": "incoming", "product_id": sale.order_line.product_id.id, "location_id": self.location.id,
             "quantity": 3, "sale_line_id": sale.order_line.id}
        )  # fmt: skip
        self.env["bridge.shortage"]._look(set(sale.order_line.ids))
        self.assertFalse(self.of(sale))

    # -- another place -----------------------------------------------------------------------------
    def test_deliver_from_another_place(self):
        """One click: what is missing is delivered from the other warehouse, reserved there; the rest stays."""
        row = self.short()
        self.stock(self.mug, 7, self.osaka)
        self.env.invalidate_all()
        self.assertEqual(row.place_ids, self.osaka)
        self.assertEqual(row.place_text, "Osaka has 7: deliver 6 from there.")
        self.assertEqual(row.proposal, row.place_text)
        row.action_from_best()
        sale = row.order_id.sudo()
        self.assertEqual((self.reserved(sale, self.location), self.reserved(sale, self.osaka)), (2, 6))
        self.assertEqual(sum(sale.order_line.move_ids.mapped("product_uom_qty")), 8)
        self.assertEqual(
            sale.picking_ids.picking_type_id, self.location.warehouse_id.out_type_id | self.other.out_type_id
        )
        self.assertRecordValues(
            row, [{"state": "solved", "decision": "place", "missing": 0.0, "decided_by_id": self.user.id}]
        )
        self.assertFalse(sale.activity_ids)
        # More is ordered later: Odoo adds only that.
        sale.order_line.product_uom_qty = 9
        self.assertEqual(sum(sale.order_line.move_ids.mapped("product_uom_qty")), 9)

    def test_all_of_it_from_another_place(self):
        """When nothing is reserved, the whole delivery moves."""
        self.sell("A", 10)
        sale = self.sell("B", 2)
        self.stock(self.mug, 2, self.osaka)
        self.of(sale).action_from_best()
        moves = sale.picking_ids.move_ids
        self.assertEqual(moves.filtered(lambda m: m.state != "cancel").location_id, self.osaka)
        self.assertEqual(self.reserved(sale), 2)
        self.deliver(sale.picking_ids.filtered(lambda p: p.state == "assigned"))
        self.assertEqual(sale.order_line.qty_delivered, 2)

    def test_some_of_it_from_another_place(self):
        """A place that has only some of it gives what it has; the rest is still to be decided."""
        row = self.short()
        self.stock(self.mug, 4, self.osaka)
        self.assertEqual(row.place_text, "Osaka has 4 of 6: deliver them from there.")
        row.action_from_best()
        self.assertRecordValues(row, [{"state": "open", "decision": False, "missing": 2.0}])

    def test_another_place_that_sold_out_meanwhile(self):
        """Whoever clicks too late hears so, and nothing is changed."""
        row = self.short()
        self.stock(self.mug, 6, self.osaka)
        place = row.place_ids
        self.stock(self.mug, -6, self.osaka)
        self.env.invalidate_all()
        with self.assertRaisesRegex(UserError, "nothing free"):
            row._from_place(place)
        self.assertEqual(row.state, "open")

    def test_place_among_several(self):
        """The nearest place with all of it comes first; another one can be chosen."""
        shop = self.env["stock.location"].create(
            {"name": "Shop", "location_id": self.location.warehouse_id.view_location_id.id}
        )
        self.env["bridge.store"].create(
            {"name": "Shop", "channel_id": self.channel.id, "external_id": "S", "location_id": shop.id}
        )
        self.channel.default_store_id = self.store
        row = self.short()
        self.stock(self.mug, 6, shop)
        self.stock(self.mug, 60, self.osaka)
        self.assertEqual(row.place_ids.ids, [shop.id, self.osaka.id])
        place = self.osaka.with_user(self.user).with_context(bridge_shortage_id=row.id)
        self.assertEqual(place.bridge_free, 60)
        place.action_bridge_deliver()
        self.assertEqual(self.reserved(row.order_id.sudo(), self.osaka), 6)

    def test_pickup_is_brought_to_the_store(self):
        """What is picked up must be where the customer comes: it is brought there, and stays his on the way."""
        row = self.short(("is_pickup", True))
        self.stock(self.mug, 6, self.osaka)
        self.assertIn("bring 6 to the store", row.place_text)
        row.action_from_best()
        self.assertRecordValues(row, [{"state": "solved", "decision": "transfer"}])
        sale = row.order_id.sudo()
        transfer = self.env["stock.picking"].search([("origin", "=", sale.name), ("picking_type_id", "=", self.other.int_type_id.id)])  # fmt: skip  # noqa: E501
        self.assertEqual((transfer.state, transfer.location_dest_id), ("assigned", self.location))
        transfer.move_ids.picked = True
        transfer._action_done()
        self.assertEqual(self.reserved(sale), 8)

    # -- waiting, in part --------------------------------------------------------------------------
    @freeze_time("2026-11-20 03:00:00")
    def test_wait_for_what_comes(self):
        """The next receipt is proposed with its date; waiting sets the date of order and delivery, and stays seen."""
        row = self.short()
        receipt = self.coming(self.mug, 20, datetime(2026, 11, 27, 1, 0))
        self.env.invalidate_all()
        self.assertEqual(row.incoming_text, f"20 are to come until 11/27/2026 ({receipt.name}): wait for them.")
        row.action_wait()
        self.assertRecordValues(
            row, [{"state": "open", "decision": "wait", "expected_date": date(2026, 11, 27), "missing": 6.0}]
        )
        sale = row.order_id.sudo()
        self.assertEqual(sale.commitment_date.date(), date(2026, 11, 27))
        self.assertFalse(sale.activity_ids)
        self.assertIn("waits for 6", row.decision_text)
        # What one waits for is not proposed to the next.
        other = self.of(self.sell("C", 15))
        self.assertIn("14 of 15 are to come", other.incoming_text)
        receipt.move_ids.picked = True
        receipt._action_done()
        sale.picking_ids.action_assign()
        self.look()
        self.assertEqual(row.state, "solved")

    def test_deliver_in_part(self):
        """What is reserved can go; the rest is a backorder, and still seen as a shortage until it is there."""
        row = self.short()
        row.action_deliver_partial()
        sale = row.order_id.sudo()
        ready = sale.picking_ids.filtered(lambda p: p.state == "assigned")
        rest = sale.picking_ids - ready
        self.assertEqual((ready.move_ids.product_uom_qty, rest.move_ids.product_uom_qty), (2, 6))
        self.assertEqual(rest.backorder_id, ready)
        self.assertRecordValues(row, [{"state": "open", "decision": "later", "missing": 6.0}])
        self.assertFalse(row.partial_text)
        self.deliver(ready)
        self.look()
        self.assertEqual((row.state, row.missing), ("open", 6.0))
        self.assertTrue(row.cancel_text)

    # -- cancelling --------------------------------------------------------------------------------
    def test_cancel_what_is_missing(self):
        """The order becomes what there is, with the amounts as sold; somebody refunds it in the web store, and that
        refund takes nothing off a second time."""
        goods = order("B", line(1, self.mug, 8, price=1000))
        self.sell("A", 8)
        sale = self.booked(goods)
        row = self.of(sale)
        row.action_cancel_missing()
        self.assertEqual((sale.order_line.product_uom_qty, sale.amount_total), (2, 2000))
        self.assertEqual((self.reserved(sale), sum(sale.picking_ids.move_ids.mapped("product_uom_qty"))), (2, 2))
        self.assertRecordValues(row, [{"state": "solved", "decision": "cancel"}])
        self.assertEqual(sale.activity_ids.mapped("summary"), ["Refund in the web store"])
        # The same order as before comes again, then with its refund.
        self.booked(self.newer(goods, "2", note="hello"))
        self.assertEqual(sale.order_line.product_uom_qty, 2)
        back = refund("R1", give_back(goods.lines[0], 6, restock="cancel"))
        self.booked(self.newer(goods, "3", refunds=(back,)))
        self.assertEqual((sale.order_line.product_uom_qty, sale.amount_total), (2, 2000))
        self.assertFalse(sale.order_line.bridge_cut)
        self.assertFalse(sale.invoice_ids)

    def test_cancelled_here_then_edited_in_the_web_store(self):
        """When the store takes the pieces off its order instead of refunding them, that is the same cut."""
        goods = order("B", line(1, self.mug, 8, price=1000))
        self.sell("A", 8)
        sale = self.booked(goods)
        self.of(sale).action_cancel_missing()
        self.booked(self.newer(goods, "2", lines=(line(1, self.mug, 2, price=1000),)))
        self.assertEqual((sale.order_line.product_uom_qty, sale.amount_total), (2, 2000))
        self.assertEqual((sale.order_line.bridge_cut, sale.order_line._bridge_taken_off()[0]), (False, D(0)))
        self.booked(self.newer(goods, "3", lines=(line(1, self.mug, 1, price=1000),)))
        self.assertEqual((sale.order_line.product_uom_qty, sale.amount_total), (1, 1000))

    def test_refund_of_more_than_was_cut(self):
        """Of a refund only what was not cut already is taken off."""
        goods = order("B", line(1, self.mug, 8, price=1000))
        self.sell("A", 8)
        sale = self.booked(goods)
        self.of(sale).action_cancel_missing()
        back = refund("R1", give_back(goods.lines[0], 7, restock="cancel"))
        self.booked(self.newer(goods, "2", refunds=(back,)))
        self.assertEqual((sale.order_line.product_uom_qty, sale.amount_total), (1, 1000))

    def test_what_was_invoiced_is_not_edited(self):
        """A paid and invoiced order is not changed here: it says what to do, and follows the refund."""
        self.channel.invoice_rule = "on_payment"
        goods = order("B", line(1, self.mug, 8, price=1000), paid="card")
        self.sell("A", 8)
        sale = self.booked(goods)
        row = self.of(sale)
        self.assertTrue(sale.invoice_ids)
        self.assertFalse(row.cancel_text)
        self.assertIn("Refund 6 in the web store", row.refund_text)
        with self.assertRaisesRegex(UserError, "invoiced already"):
            row.action_cancel_missing()
        row.action_ask_refund()
        self.assertRecordValues(row, [{"state": "open", "decision": "refund"}])
        self.assertEqual(sale.activity_ids.mapped("summary"), ["Refund in the web store"])
        back = refund("R1", give_back(goods.lines[0], 6, restock="cancel"), paid="card")
        self.booked(self.newer(goods, "2", refunds=(back,)))
        self.look()
        self.assertEqual((row.state, sale.order_line.product_uom_qty), ("solved", 2))

    def test_settled_twice(self):
        """Who clicks on what another settled hears so."""
        row = self.short()
        row.action_cancel_missing()
        with self.assertRaisesRegex(UserError, "settled already"):
            row.action_deliver_partial()

    # -- rights, language --------------------------------------------------------------------------
    def test_rights(self):
        """An auditor reads and does not decide; another company sees nothing."""
        row = self.short()
        auditor = new_test_user(self.env, "auditor", "pos_erp_bridge.group_bridge_auditor",
                                company_id=self.env.company.id, company_ids=[(6, 0, self.env.company.ids)])  # fmt: skip
        self.assertEqual(row.with_user(auditor).missing, 6.0)
        with self.assertRaises(AccessError):
            row.with_user(auditor).action_cancel_missing()
        company = self.env["res.company"].create({"name": "Other"})
        stranger = new_test_user(self.env, "stranger", "pos_erp_bridge.group_bridge_administrator",
                                 company_id=company.id, company_ids=[(6, 0, company.ids)])  # fmt: skip
        self.assertFalse(self.env["bridge.shortage"].with_user(stranger).with_context(allowed_company_ids=company.ids).search([]))  # fmt: skip  # noqa: E501

    def test_places_of_other_companies_are_not_proposed(self):
        """Another company's stock is not ours to send."""
        row = self.short()
        company = self.env["res.company"].create({"name": "Other"})
        there = self.env["stock.warehouse"].search([("company_id", "=", company.id)], limit=1) or self.env["stock.warehouse"].create({"company_id": company.id, "name": "O", "code": "O"})  # fmt: skip  # noqa: E501
        product = self.mug.sudo()
        product.company_id = False
        self.stock(product, 50, there.lot_stock_id)
        self.env.invalidate_all()
        self.assertFalse(row.place_ids)

    def test_screens_in_japanese(self):
        """List, form and card render for a clerk in Japanese."""
        self.env["res.lang"]._activate_lang("ja_JP")
        row = self.short().with_context(lang="ja_JP")
        self.stock(self.mug, 6, self.osaka)
        self.env.invalidate_all()
        with Form(row) as form:
            self.assertTrue(form.place_text)
        self.assertTrue(row.proposal and row.display_name and row.incoming_text is False)
        for kind in ("list", "kanban", "search"):
            self.env["bridge.shortage"].with_user(self.user).get_view(view_type=kind)

    def test_queries_do_not_grow_with_orders(self):
        """Proposals of many shortages cost as many queries as those of one."""
        first = self.short()
        for i in range(5):
            self.sell(f"C{i}", 2)
        rows = self.env["bridge.shortage"].search([])
        self.assertEqual(len(rows), 6)
        counts = []
        for some in (first.sudo(), rows):
            self.env.invalidate_all()
            some.mapped("proposal")
            self.env.invalidate_all()
            some.mapped("missing")
            before = self.env.cr.sql_log_count
            some.mapped("proposal")
            counts.append(self.env.cr.sql_log_count - before)
        self.assertLessEqual(counts[1], counts[0])


@tagged("post_install", "-at_install")
class TestPickup(WebCase):
    def pickup(self, ref="A", **more):
        return self.booked(order(ref, line(1, self.mug, 2), is_pickup=True, **more))

    def test_kept_until_the_pickup_day(self):
        """Goods to be picked up are kept for the channel's days, counted from the order."""
        self.channel.pickup_days = 5
        self.assertEqual(self.pickup().bridge_pickup_until, NOON.date() + timedelta(days=5))
        self.assertFalse(self.booked(order("B", line(1, self.mug))).bridge_pickup_until)

    def test_asked_once_when_overdue(self):
        """After the pickup day somebody is asked, once; nothing is cancelled. Kept longer, the question comes again."""
        sale = self.pickup()
        with freeze_time(NOON + timedelta(days=7)):
            self.env["sale.order"]._cron_bridge_pickups()
            self.assertFalse(sale.activity_ids)
        with freeze_time(NOON + timedelta(days=8)):
            for _again in range(2):
                self.env["sale.order"]._cron_bridge_pickups()
            self.assertEqual(sale.activity_ids.mapped("summary"), ["Not picked up"])
            self.assertTrue(sale.bridge_is_pickup_overdue)
            self.assertEqual((sale.state, self.free(self.mug)), ("sale", (100, 2)))
            sale.activity_ids.action_done()
            self.env["sale.order"]._cron_bridge_pickups()
            self.assertFalse(sale.activity_ids)
        sale.bridge_pickup_until = NOON.date() + timedelta(days=20)
        with freeze_time(NOON + timedelta(days=21)):
            self.env["sale.order"]._cron_bridge_pickups()
            self.assertEqual(len(sale.activity_ids), 1)

    def test_picked_up_is_not_overdue(self):
        """What was handed over is asked about by nobody."""
        sale = self.pickup()
        self.deliver(sale.picking_ids)
        with freeze_time(NOON + timedelta(days=30)):
            self.env["sale.order"]._cron_bridge_pickups()
            self.assertFalse(sale.activity_ids)

    def test_return_to_stock(self):
        """One click cancels the order, frees its goods and asks for the refund; what was handed over is not undone."""
        sale = self.pickup()
        sale.action_bridge_return_pickup()
        self.assertEqual((sale.state, self.free(self.mug)), ("cancel", (100, 0)))
        self.assertEqual(sale.activity_ids.mapped("summary"), ["Cancel and refund in the web store"])
        other = self.pickup("B")
        self.deliver(other.picking_ids, {self.mug: 1})
        with self.assertRaisesRegex(UserError, "picked up already"):
            other.action_bridge_return_pickup()
