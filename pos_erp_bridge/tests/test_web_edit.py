# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from dataclasses import replace

from odoo.tests import tagged

from ..connectors.records import Tender
from .web_common import NOON, OSAKA, TOKYO, D, WebCase, line, order


@tagged("post_install", "-at_install")
class TestWebEdit(WebCase):
    def test_lines_change_before_delivery(self):
        """Lines added, removed and changed at the web store are so on the order, its delivery and its reservation."""
        record = order(1, line("a", self.mug, 2, 550), line("b", self.tea, 1, 138, 8))
        sale = self.booked(record)
        self.own_touches()
        event = self.book(self.newer(record, 2, lines=(line("a", self.mug, 3, 500), line("c", self.pen, 1, 330))))
        self.assertEqual((event.state, event.result), ("done", "updated"))
        rows = {row.bridge_line_ref: (row.product_uom_qty, row.price_total) for row in sale.order_line}
        self.assertEqual(rows, {"a": (3.0, 1500.0), "b": (0.0, 0.0), "c": (1.0, 330.0)})
        self.assertEqual((sale.amount_total, sale.amount_tax), (1830.0, 166.0))
        moves = {m.product_id: m.quantity for m in sale.picking_ids.move_ids if m.state != "cancel"}
        self.assertEqual(moves, {self.mug: 3.0, self.pen: 1.0})
        self.assertEqual(
            (self.free(self.mug), self.free(self.tea), self.free(self.pen)), ((100.0, 3.0), (100.0, 0.0), (100.0, 1.0))
        )
        self.assertEqual(self.own_touches(), {self.mug: -1.0, self.tea: 1.0, self.pen: -1.0})

    def test_older_version_is_history(self):
        record = order(1, line("a", self.mug, 2), version="5")
        sale = self.booked(record)
        event = self.book(self.newer(record, "4", lines=(line("a", self.mug, 9),)))
        self.assertEqual((event.result, sale.order_line.product_uom_qty), ("outdated", 2.0))

    def test_line_added_by_staff_stays(self):
        """A line added in Odoo is not the web store's to drop."""
        record = order(1, line("a", self.mug, 2, 550))
        sale = self.booked(record)
        sale.write({"order_line": [(0, 0, {"product_id": self.pen.id, "product_uom_qty": 1, "price_unit": 77})]})
        self.book(self.newer(record, 2, lines=(line("a", self.mug, 1, 550),)))
        self.assertEqual(sale.order_line.mapped("product_uom_qty"), [1.0, 1.0])
        self.assertEqual(sale.order_line[1].product_id, self.pen)

    def test_quantity_changed_by_staff_stays(self):
        """What staff changed stays, until the web store changes that very line."""
        record = order(1, line("a", self.mug, 2, 550))
        sale = self.booked(record)
        sale.order_line.product_uom_qty = 1
        self.book(self.newer(record, 2, note="Ring twice"))
        self.assertEqual(sale.order_line.product_uom_qty, 1.0)

    def test_edit_after_delivery_asks(self):
        """What was sent cannot be edited away: a person is told the difference."""
        record = order(1, line("a", self.mug, 2, 550))
        sale = self.booked(record)
        self.deliver(sale.picking_ids)
        event = self.book(self.newer(record, 2, lines=(line("a", self.mug, 1, 550),)))
        self.assertEqual((event.state, event.result, sale.order_line.product_uom_qty), ("done", "corrected", 2.0))
        self.assertIn("2 for 1,100 became 1 for 550. 2 were sent already", event.message)
        self.assertEqual(sale.activity_ids.mapped("summary"), ["Changed at the web store"])
        # The same again is the same question.
        self.book(self.newer(record, 3, lines=(line("a", self.mug, 1, 550),), note="x"))
        self.assertEqual(len(sale.activity_ids), 1)

    def test_price_change_after_invoice_asks(self):
        record = order(1, line("a", self.mug, 1, 550), paid="card")
        sale = self.booked(record)
        event = self.book(self.newer(record, 2, lines=(line("a", self.mug, 1, 500),)))
        self.assertEqual((event.result, sale.amount_total), ("corrected", 550.0))
        self.assertIn("It was invoiced already", event.message)

    def test_line_added_after_payment(self):
        """More is bought and paid: a second invoice for the rest, none of the first changed."""
        record = order(1, line("a", self.mug, 1, 550), paid="card")
        sale = self.booked(record)
        more = self.newer(
            record, 2, lines=(line("a", self.mug, 1, 550), line("b", self.pen, 1, 330)), payment_state="partial"
        )
        self.book(more)
        self.assertEqual(sale.invoice_ids.mapped("amount_total"), [550.0])
        self.book(
            replace(
                more,
                version="3",
                payment_state="paid",
                payments=(*more.payments, Tender("p2", "card", "Card", D(330), "card", NOON)),
            )
        )
        self.assertEqual(sale.invoice_ids.sorted("id").mapped("amount_total"), [550.0, 330.0])
        self.assertEqual(sale.invoice_ids.mapped("payment_state"), ["paid", "paid"])

    def test_address_changes(self):
        """A new address is where the parcel goes, as long as it has not left."""
        record = order(1, line("a", self.mug), shipping_address=TOKYO)
        sale = self.booked(record)
        self.assertEqual(sale.partner_shipping_id.city, "千代田区")
        self.book(self.newer(record, 2, shipping_address=OSAKA))
        self.assertEqual(
            (sale.partner_shipping_id.city, sale.picking_ids.partner_id), ("大阪市", sale.partner_shipping_id)
        )
        self.deliver(sale.picking_ids)
        event = self.book(self.newer(record, 3, shipping_address=TOKYO))
        self.assertEqual((event.result, sale.partner_shipping_id.city), ("corrected", "大阪市"))

    def test_other_store_ships(self):
        """The web store lets another store ship: the reservation moves with it."""
        second = self.env["stock.warehouse"].create({"name": "Second", "code": "W2"})
        other = self.env["bridge.store"].create(
            {
                "name": "Shop 2",
                "channel_id": self.channel.id,
                "external_id": "W2",
                "location_id": second.lot_stock_id.id,
            }
        )
        self.env["stock.quant"]._update_available_quantity(self.mug, second.lot_stock_id, 5)
        record = order(1, line("a", self.mug, 2), store_id="W1")
        sale = self.booked(record)
        event = self.book(self.newer(record, 2, store_id="W2"))
        self.assertEqual((event.result, sale.warehouse_id, sale.bridge_store_id), ("updated", second, other))
        self.assertEqual(self.free(self.mug), (100.0, 0.0))
        live = sale.picking_ids.filtered(lambda p: p.state != "cancel")
        self.assertEqual((live.location_id, live.state), (second.lot_stock_id, "assigned"))
        self.assertEqual(sale.order_line.product_uom_qty, 2.0)

    def test_deleted_order_is_not_made_again(self):
        record = order(1, line("a", self.mug))
        sale = self.booked(record)
        sale._action_cancel()
        sale.unlink()
        event = self.book(self.newer(record, 2, note="x"))
        self.assertEqual(
            (event.state, event.message), ("skipped", "The sales order was deleted in Odoo; it is not made again.")
        )
