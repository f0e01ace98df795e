# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from dataclasses import replace
from datetime import timedelta

from odoo.tests import tagged

from .common import DAY, BridgeCommon


@tagged("post_install", "-at_install")
class TestTillChanges(BridgeCommon):
    """Documents are never edited: what is voided, changed or given back gets a document of its own."""

    def close(self, session):
        closing = session._bridge_closing()
        self.assertTrue(closing._close(is_forced=True), closing.message)
        return closing

    def orders(self, external_id):
        return self.env["pos.order"].search([("bridge_external_id", "=", external_id)], order="id")

    # -- void --------------------------------------------------------------------------------------
    def test_void_on_an_open_day(self):
        """A voided receipt is taken back in its own session: same lines, same payments, goods back."""
        sale = self.sale(self.line(self.tea, 276, 2), self.line(self.brush, 300, unit_price=327),
                         tenders=[self.tender(500), self.tender(76, "card")])  # fmt: skip
        order = self.order(self.book(sale))
        event = self.book(replace(sale, version="2", state="void"))
        back = self.order(event)
        self.assertEqual((event.state, event.result), ("done", "corrected"))
        self.assertEqual(
            (back.session_id, back.bridge_kind, back.bridge_corrects_id), (order.session_id, "reversal", order)
        )
        self.assertEqual(back.refunded_order_id, order)
        self.assertEqual(back.lines.refunded_orderline_id, order.lines)
        self.assertEqual((back.amount_total, back.amount_tax), (-576, -order.amount_tax))
        self.assertEqual({p.payment_method_id: p.amount for p in back.payment_ids}, {self.cash: -500, self.card: -76})
        self.assertEqual((self.on_hand(self.tea), self.on_hand(self.brush)), (100, 100))
        self.assertEqual((order.amount_total, order.state), (576, "paid"), "the document itself is as it was")
        closing = self.close(order.session_id)
        self.assertEqual((closing.total, closing.booked["total"]), (0, "0"))

    def test_void_after_closing_goes_to_a_correction_session(self):
        """The day is closed: a marked session of the same business day books the void."""
        sale = self.sale(self.line(self.tea, 138))
        order = self.order(self.book(sale))
        self.close(order.session_id)
        back = self.order(self.book(replace(sale, version="2", state="void")))
        session = back.session_id
        self.assertNotEqual(session, order.session_id)
        self.assertEqual(
            (session.bridge_is_correction, session.bridge_business_date, session.state), (True, DAY, "opened")
        )
        self.assertIn("correction", session.name)
        self.assertEqual(session._bridge_closing().correction, 1)
        self.close(session)
        self.assertEqual(session.move_id.date, DAY)
        self.assertEqual(sum(session.move_id.line_ids.filtered("tax_line_id").mapped("balance")), 10)

    def test_void_twice_books_once(self):
        """A newer version of a voided receipt that is still void changes nothing."""
        sale = self.sale(self.line(self.tea, 138))
        self.book(sale)
        self.book(replace(sale, version="2", state="void"))
        self.book(replace(sale, version="3", state="void", note="again"))
        self.assertEqual(len(self.orders(sale.external_id)), 2)

    def test_void_before_the_sale_arrives(self):
        """The void comes first: nothing is booked, and the older version that comes later is outdated."""
        sale = self.sale(self.line(self.tea, 138))
        void = self.book(replace(sale, version="2", state="void"))
        late = self.book(sale)
        self.assertEqual((void.state, late.state, late.result), ("done", "done", "outdated"))
        self.assertFalse(self.orders(sale.external_id))

    def test_void_and_back_again(self):
        """A receipt that is valid again after its void is booked anew."""
        sale = self.sale(self.line(self.tea, 138))
        self.book(sale)
        self.book(replace(sale, version="2", state="void"))
        order = self.order(self.book(replace(sale, version="3")))
        self.assertEqual((order.amount_total, order.bridge_kind), (138, "replacement"))
        self.assertEqual((sum(self.orders(sale.external_id).mapped("amount_total")), self.on_hand(self.tea)), (138, 99))

    # -- change ------------------------------------------------------------------------------------
    def test_changed_amount_is_reversed_and_booked_again(self):
        """Other money in a newer version: the first document is taken back, a second one replaces it."""
        sale = self.sale(self.line(self.tea, 138))
        first = self.order(self.book(sale))
        event = self.book(
            replace(self.sale(self.line(self.tea, 260, 2, unit_price=138), external_id=sale.external_id), version="2")
        )
        self.assertEqual((event.state, event.result), ("done", "corrected"))
        original, back, new = self.orders(sale.external_id)
        self.assertEqual(original, first)
        self.assertEqual((back.amount_total, new.amount_total), (-138, 260))
        self.assertEqual((back.bridge_corrects_id, new.bridge_corrects_id), (first, first))
        self.assertEqual(self.order(event), new)
        self.assertEqual(self.on_hand(self.tea), 98)
        self.assertEqual(self.close(new.session_id).total, 260)

    def test_changed_tender_is_a_change(self):
        """Paid by card after all."""
        sale = self.sale(self.line(self.tea, 138))
        self.book(sale)
        self.book(replace(sale, version="2", tenders=(self.tender(138, "card"),)))
        payments = self.orders(sale.external_id).payment_ids
        totals = {method: sum(payments.filtered(lambda p, m=method: p.payment_method_id == m).mapped("amount"))
                  for method in payments.payment_method_id}  # fmt: skip
        self.assertEqual(totals, {self.cash: 0, self.card: 138})

    def test_changed_business_day(self):
        """Counted for another day after all: taken back on the first, booked on the second."""
        sale = self.sale(self.line(self.tea, 138))
        self.book(sale)
        self.book(replace(sale, version="2", business_date=DAY - timedelta(days=1)))
        _first, back, new = self.orders(sale.external_id)
        self.assertEqual((back.bridge_business_date, new.bridge_business_date), (DAY, DAY - timedelta(days=1)))

    def test_newer_version_in_the_same_batch(self):
        """Sold and voided before we looked: only the newest version counts."""
        sale = self.sale(self.line(self.tea, 138))
        events = self.book(sale, replace(sale, version="2", state="void"))
        self.assertEqual(events.mapped("result"), ["outdated", "ignored"])

    # -- returns -----------------------------------------------------------------------------------
    def test_return_points_at_its_receipt(self):
        """Given back with its receipt: each line points at the line it gives back, by product and price."""
        sale = self.sale(self.line(self.tea, 138), self.line(self.tea, 100, unit_price=138), self.line(self.brush, 327))
        order = self.order(self.book(sale))
        back = self.order(self.book(self.sale(self.line(self.tea, -100, -1), original_id=sale.external_id)))
        self.assertEqual(back.lines.refunded_orderline_id, order.lines[1])
        self.assertFalse(back.bridge_is_unlinked_return)
        self.assertEqual((back.amount_total, back.amount_tax, back.payment_ids.mapped("amount")), (-100, -7, [-100]))
        self.assertEqual(self.on_hand(self.tea), 99)
        back._compute_prices()
        self.assertEqual((back.amount_total, back.amount_tax), (-100, -7))

    def test_return_in_two_parts(self):
        """Two pieces given back one by one, the last one with the rest of the money."""
        sale = self.sale(self.line(self.tea, 275, 2))
        line = self.order(self.book(sale)).lines
        parts = self.book(
            self.sale(self.line(self.tea, -138, -1), original_id=sale.external_id),
            self.sale(self.line(self.tea, -137, -1), original_id=sale.external_id),
        )
        self.assertEqual(
            self.order(parts[0]).lines.refunded_orderline_id | self.order(parts[1]).lines.refunded_orderline_id, line
        )
        self.assertEqual(line.refunded_qty, 2)

    def test_return_of_a_named_line(self):
        """Where the till names the line given back, nothing is matched."""
        sale = self.sale(self.line(self.tea, 138), self.line(self.tea, 138))
        order = self.order(self.book(sale))
        line = self.line(self.tea, -138, -1, original_line_id=sale.lines[1].external_id)
        back = self.order(self.book(self.sale(line, original_id=sale.external_id)))
        self.assertEqual(back.lines.refunded_orderline_id, order.lines[1])

    def test_return_in_the_batch_of_its_receipt(self):
        """Sold and given back in one batch, in whatever order they came."""
        sale = self.sale(self.line(self.tea, 138))
        back, sold = self.book(self.sale(self.line(self.tea, -138, -1), original_id=sale.external_id), sale)
        self.assertEqual(self.order(back).refunded_order_id, self.order(sold))

    def test_return_before_its_receipt_waits(self):
        """The receipt given back is still on its way: the return waits a little, then finds it."""
        sale = self.sale(self.line(self.tea, 138))
        event = self.book(self.sale(self.line(self.tea, -138, -1), original_id=sale.external_id))
        self.assertEqual((event.state, event.error_class), ("pending", "transient"))
        order = self.order(self.book(sale))
        self.retry(event)
        self.assertEqual(self.order(event).refunded_order_id, order)

    def test_return_of_a_receipt_we_never_book(self):
        """The receipt is older than the channel's start: the return is booked, and marked."""
        old = self.sale(self.line(self.tea, 138), day=self.channel.start_date - timedelta(days=3))
        self.book(old)
        event = self.book(self.sale(self.line(self.tea, -138, -1), original_id=old.external_id))
        self.assertEqual(event.state, "done")
        self.assertTrue(self.order(event).bridge_is_unlinked_return)

    def test_return_of_a_receipt_nobody_ever_heard_of(self):
        """After many tries the return is booked without its receipt, and marked."""
        event = self.arrive(self.sale(self.line(self.tea, -138, -1), original_id="lost"))
        event.attempts = 5
        self.channel._book_events(event)
        self.assertEqual(event.state, "done")
        self.assertTrue(self.order(event).bridge_is_unlinked_return)

    def test_return_without_receipt(self):
        """No receipt at all: a negative document, marked."""
        event = self.book(self.sale(self.line(self.tea, -138, -1)))
        order = self.order(event)
        self.assertEqual((order.amount_total, order.bridge_is_unlinked_return), (-138, True))
        self.assertFalse(order.lines.refunded_orderline_id)
        self.assertIn("without a receipt", event.message)

    def test_return_of_a_changed_receipt(self):
        """What is in force is given back, not what was taken back."""
        sale = self.sale(self.line(self.tea, 138))
        self.book(sale)
        self.book(replace(self.sale(self.line(self.tea, 130), external_id=sale.external_id), version="2"))
        back = self.order(self.book(self.sale(self.line(self.tea, -130, -1), original_id=sale.external_id)))
        self.assertEqual(back.refunded_order_id, self.orders(sale.external_id)[-1])

    def test_exchange(self):
        """One thing back, another one out, the difference paid."""
        sale = self.sale(self.line(self.brush, 327))
        self.book(sale)
        event = self.book(
            self.sale(self.line(self.brush, -327, -1), self.line(self.battery, 438), original_id=sale.external_id)
        )
        order = self.order(event)
        self.assertEqual(
            (order.amount_total, order.lines[0].refunded_orderline_id.order_id), (111, self.orders(sale.external_id))
        )
        self.assertEqual((self.on_hand(self.brush), self.on_hand(self.battery)), (100, 99))

    # -- late --------------------------------------------------------------------------------------
    def test_late_sale_of_an_open_day(self):
        """A sale of the day before joins that day's session while it is open."""
        yesterday = self.order(self.book(self.sale(self.line(self.tea, 138), day=DAY - timedelta(days=1))))
        self.book(self.sale(self.line(self.tea, 138)))
        late = self.order(self.book(self.sale(self.line(self.tea, 138), day=DAY - timedelta(days=1))))
        self.assertEqual(late.session_id, yesterday.session_id)

    def test_late_sale_of_a_closed_day(self):
        """Two sales after the closing share one correction session; after that closed, the next gets another."""
        day = self.order(self.book(self.sale(self.line(self.tea, 138)))).session_id
        self.close(day)
        first, second = (self.order(self.book(self.sale(self.line(self.tea, 138)))).session_id for _ in range(2))
        self.assertEqual(first, second)
        self.close(first)
        third = self.order(self.book(self.sale(self.line(self.tea, 138)))).session_id
        self.assertEqual([s._bridge_closing().correction for s in (day, first, third)], [0, 1, 2])
        self.assertEqual(len({day.name, first.name, third.name}), 3)

    def test_late_sale_of_a_locked_period(self):
        """The books of the month are locked: a correction session, posted on the first open day."""
        self.company.fiscalyear_lock_date = DAY
        order = self.order(self.book(self.sale(self.line(self.tea, 138))))
        self.assertTrue(order.session_id.bridge_is_correction)
        self.close(order.session_id)
        self.assertEqual(order.session_id.move_id.date, DAY + timedelta(days=1))
