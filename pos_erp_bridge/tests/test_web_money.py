# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo.tests import tagged

from ..connectors.records import Refund, TaxAmount, Tender
from .web_common import NOON, D, WebCase, give_back, line, order, refund


@tagged("post_install", "-at_install")
class TestWebMoney(WebCase):
    def invoices(self, sale, kind="out_invoice"):
        return sale.invoice_ids.filtered(lambda m: m.move_type == kind and m.state == "posted").sorted("id")

    def payments(self, sale):
        return self.env["account.payment"].search([("bridge_order_id", "=", sale.id)], order="id")

    def balance(self, sale):
        """What the customer of an order owes, by the books."""
        partner = sale.partner_invoice_id.commercial_partner_id
        lines = self.env["account.move.line"].search(
            [
                ("partner_id", "=", partner.id),
                ("account_type", "=", "asset_receivable"),
                ("parent_state", "=", "posted"),
            ]
        )
        return sum(lines.mapped("balance"))

    # -- invoice and payment ---------------------------------------------------------------------
    def test_paid_order_is_invoiced_and_paid(self):
        """A paid order has one posted, paid invoice, with the tax per rate as charged, and one payment."""
        lines = [line("a", self.mug, 3, 333, amount=899, tax=81), line("b", self.pen, 1, 105, tax=9),
                 line("c", self.tea, 7, 151, 8, amount=1007, tax=74), line("d", self.tea, 1, 138, 8, tax=10),
                 line("s", None, 1, 660, kind="shipping")]  # fmt: skip
        sale = self.booked(order(1, *lines, taxes={10: 151, 8: 84}, paid="card"))
        invoice = self.invoices(sale)
        self.assertEqual(
            (invoice.state, invoice.payment_state, invoice.amount_total, invoice.amount_tax),
            ("posted", "paid", 2809.0, 235.0),
        )
        self.assertEqual(self.taxes_of(invoice), {10.0: (1664.0, 151.0), 8.0: (1145.0, 84.0)})
        self.assertEqual(self.taxes_of(invoice), self.taxes_of(sale))
        self.assertEqual(str(invoice.invoice_date), "2026-11-20")
        payment = self.payments(sale)
        self.assertEqual((payment.amount, payment.journal_id, payment.state), (2809.0, self.card, "paid"))
        self.assertEqual(payment.reconciled_invoice_ids, invoice)
        self.assertEqual((sale.invoice_status, self.balance(sale)), ("invoiced", 0.0))

    def test_payment_comes_later(self):
        """An unpaid order waits; the version that says it is paid has it invoiced, once."""
        record = order(1, line("a", self.mug))
        sale = self.booked(record)
        self.assertFalse(self.invoices(sale))
        paid = self.newer(
            record, 2, payment_state="paid", payments=(Tender("p1", "card", "Card", D(1000), "card", NOON),)
        )
        event = self.book(paid)
        self.assertEqual((event.state, event.result), ("done", "updated"))
        self.book(
            self.newer(paid, 3, note="x"),
        )
        self.assertEqual((len(self.invoices(sale)), self.invoices(sale).payment_state), (1, "paid"))
        self.assertEqual(self.payments(sale).mapped("amount"), [1000.0])

    def test_two_tenders(self):
        """Each means of payment is a payment in its own journal."""
        points = self.env["account.journal"].create({"name": "Points", "type": "bank", "code": "PTS"})
        self.env["bridge.binding"]._bind(self.channel, "tender", [("points", points)])
        tenders = (
            Tender("p1", "card", "Card", D(700), "card", NOON),
            Tender("p2", "points", "Points", D(300), "points", NOON),
        )
        sale = self.booked(order(1, line("a", self.mug), payments=tenders, payment_state="paid"))
        self.assertEqual(self.payments(sale).mapped("amount"), [700.0, 300.0])
        self.assertEqual(self.payments(sale).journal_id, self.card | points)
        self.assertEqual(self.invoices(sale).payment_state, "paid")

    def test_authorized_is_not_paid(self):
        sale = self.booked(order(1, line("a", self.mug), payment_state="authorized"))
        self.assertEqual((self.invoices(sale).ids, self.payments(sale).ids), ([], []))

    def test_other_journal(self):
        """With a journal for other means of payment, nobody has to map each of them."""
        self.channel.payment_journal_id = self.card
        sale = self.booked(order(1, line("a", self.mug), paid="somepay"))
        self.assertEqual(self.payments(sale).journal_id, self.card)

    def test_never(self):
        """A channel invoiced elsewhere leaves no trace in the books, and needs no journal."""
        self.channel.invoice_rule = "never"
        item = line("a", self.mug)
        sale = self.booked(
            order(1, item, paid="unknown", refunds=(refund("r1", give_back(item, amount=100), paid="unknown"),))
        )
        self.assertEqual((sale.state, sale.invoice_ids.ids, self.payments(sale).ids), ("sale", [], []))

    def test_on_delivery(self):
        """Invoiced when it leaves: each part with its part of the tax, the parts adding up to the whole."""
        self.channel.invoice_rule = "on_delivery"
        record = order(
            1, line("a", self.mug, 3, 333, amount=899, tax=81), line("s", None, 1, 660, kind="shipping"), paid="card"
        )
        sale = self.booked(record)
        self.assertFalse(self.invoices(sale))
        self.assertEqual(self.balance(sale), -1559.0)
        self.deliver(sale.picking_ids, {self.mug: 1})
        self.assertEqual(self.invoices(sale).mapped("amount_total"), [960.0])  # 300 and the shipping
        self.deliver(sale.picking_ids.filtered(lambda p: p.state == "assigned"))
        self.assertEqual(self.invoices(sale).mapped("amount_total"), [960.0, 599.0])
        self.assertEqual(sum(self.invoices(sale).mapped("amount_tax")), 141.0)
        self.assertEqual(self.invoices(sale).mapped("payment_state"), ["paid", "paid"])
        self.assertEqual((sale.invoice_status, self.balance(sale)), ("invoiced", 0.0))

    # -- refunds ---------------------------------------------------------------------------------
    def test_refund_is_one_credit_note(self):
        """Money given back is a credit note pointing to the invoice, with its tax per rate, and a payment out; once."""
        items = line("a", self.mug, 2, 550), line("b", self.tea, 1, 138, 8)
        record = order(1, *items, paid="card")
        sale = self.booked(record)
        back = refund("r1", give_back(items[0], 1), give_back(items[1], 1), paid="card", reason="Broken")
        event = self.book(self.newer(record, 2, refunds=(back,)))
        self.assertEqual((event.state, event.result), ("done", "updated"))
        self.book(self.newer(record, 3, refunds=(back,), note="again"))
        note = self.invoices(sale, "out_refund")
        self.assertEqual((len(note), note.reversed_entry_id, note.amount_total), (1, self.invoices(sale), 688.0))
        self.assertEqual(self.taxes_of(note), {10.0: (550.0, 50.0), 8.0: (138.0, 10.0)})
        self.assertEqual(note.payment_state, "paid")
        self.assertEqual(
            self.payments(sale).mapped(lambda p: (p.payment_type, p.amount)), [("inbound", 1238.0), ("outbound", 688.0)]
        )
        binding = self.env["bridge.binding"]._get(self.channel, "refund", ["r1"])["r1"]
        self.assertEqual(binding._record(), note)
        self.assertEqual((sale.invoice_status, self.balance(sale)), ("invoiced", 0.0))
        self.assertEqual(sale.picking_ids.move_ids.mapped("product_uom_qty"), [2.0, 1.0])

    def test_refund_with_goods_back(self):
        """Goods that come back are in stock again, and the web store has counted them itself."""
        item = line("a", self.mug, 3, 550)
        record = order(1, item, paid="card")
        sale = self.booked(record)
        self.deliver(sale.picking_ids)
        self.own_touches()
        self.assertEqual(self.free(self.mug), (97.0, 0.0))
        self.book(self.newer(record, 2, refunds=(refund("r1", give_back(item, 2, "return"), paid="card"),)))
        self.assertEqual(self.free(self.mug), (99.0, 0.0))
        back = sale.picking_ids.filtered(lambda p: p.location_id.usage == "customer")
        self.assertEqual((back.state, back.location_dest_id, back.move_ids.quantity), ("done", self.location, 2.0))
        self.assertEqual(back.move_ids.origin_returned_move_id.sale_line_id, sale.order_line)
        self.assertEqual((sale.order_line.qty_delivered, sale.order_line.qty_to_invoice), (1.0, 0.0))
        self.assertEqual(self.invoices(sale, "out_refund").amount_total, 1100.0)
        self.assertEqual(self.own_touches(), {self.mug: 2.0})

    def test_refund_of_unsent_goods(self):
        """What was never sent is taken off the order: less is reserved, and amounts follow to the yen."""
        item = line("a", self.mug, 3, 333, amount=1000, tax=90)
        record = order(1, item, paid="card")
        sale = self.booked(record)
        self.own_touches()
        self.book(
            self.newer(
                record, 2, refunds=(refund("r1", give_back(item, 1, "cancel", amount=333, tax=30), paid="card"),)
            )
        )
        self.assertEqual((sale.order_line.product_uom_qty, sale.amount_total, sale.amount_tax), (2.0, 667.0, 60.0))
        self.assertEqual((sale.picking_ids.state, sale.picking_ids.move_ids.quantity), ("assigned", 2.0))
        self.assertEqual(self.free(self.mug), (100.0, 2.0))
        self.assertEqual(self.own_touches(), {self.mug: 1.0})
        self.assertEqual((sale.order_line.qty_invoiced, sale.order_line.qty_to_invoice), (2.0, 0.0))
        # The next version still counts three, and one refund: nothing more happens.
        self.book(
            self.newer(
                record,
                3,
                note="x",
                refunds=(refund("r1", give_back(item, 1, "cancel", amount=333, tax=30), paid="card"),),
            )
        )
        self.assertEqual((sale.order_line.product_uom_qty, sale.amount_total), (2.0, 667.0))
        self.assertFalse(sale.activity_ids)

    def test_refund_of_a_locked_order(self):
        """A lock is against changes by hand: what the customer got back is booked, and the lock stays."""
        item = line("a", self.mug, 2, 550)
        record = order(1, item, paid="card")
        sale = self.booked(record)
        sale.action_lock()
        event = self.book(self.newer(record, 2, refunds=(refund("r1", give_back(item, 1, "cancel"), paid="card"),)))
        self.assertEqual((event.state, sale.locked, sale.order_line.product_uom_qty), ("done", True, 1.0))

    def test_return_of_what_odoo_has_not_sent(self):
        """The web store has goods back that never left here: they are not sent any more."""
        item = line("a", self.mug, 2, 550)
        record = order(1, item, paid="card")
        sale = self.booked(record)
        self.book(self.newer(record, 2, refunds=(refund("r1", give_back(item, 2, "return"), paid="card"),)))
        self.assertEqual((sale.order_line.product_uom_qty, sale.picking_ids.state), (0.0, "cancel"))
        self.assertEqual((self.free(self.mug), self.balance(sale)), ((100.0, 0.0), 0.0))

    def test_cancelled_after_sending_asks(self):
        """A piece cancelled at the web store that has left is for a person to chase."""
        item = line("a", self.mug, 1, 550)
        record = order(1, item, paid="card")
        sale = self.booked(record)
        self.deliver(sale.picking_ids)
        event = self.book(self.newer(record, 2, refunds=(refund("r1", give_back(item, 1, "cancel"), paid="card"),)))
        self.assertEqual((event.state, event.result), ("done", "corrected"))
        self.assertEqual(sale.activity_ids.mapped("summary"), ["Cancelled, but sent"])
        self.assertEqual(self.invoices(sale, "out_refund").amount_total, 550.0)

    def test_amount_only(self):
        """A refund that names rates only, and one of an adjustment, are credited at their rates."""
        item = line("a", self.mug, 1, 1100)
        record = order(1, item, paid="card")
        sale = self.booked(record)
        kind = Refund("r1", NOON, D(110), taxes=(TaxAmount(D(10), False, D(110), D(10)),), reason="Kindness")
        self.book(self.newer(record, 2, refunds=(kind,)))
        note = self.invoices(sale, "out_refund")
        self.assertEqual((note.amount_total, self.taxes_of(note)), (110.0, {10.0: (110.0, 10.0)}))
        self.assertEqual(
            (note.payment_state, sale.order_line.qty_invoiced, sale.invoice_status), ("not_paid", 1.0, "invoiced")
        )
        # The money goes back later: same refund, now with its payment.
        sent = Refund(
            "r1", NOON, D(110), taxes=kind.taxes, tenders=(Tender("t9", "card", "Card", D(110), "card", NOON),)
        )
        self.book(self.newer(record, 3, refunds=(sent,)))
        self.assertEqual((len(self.invoices(sale, "out_refund")), note.payment_state), (1, "paid"))

    def test_refund_of_zero(self):
        """A refund of zero is real: it is recorded, and its goods come back."""
        item = line("a", self.mug, 1, 550)
        record = order(1, item, paid="card")
        sale = self.booked(record)
        self.deliver(sale.picking_ids)
        self.book(self.newer(record, 2, refunds=(refund("r0", give_back(item, 1, "return", amount=0)),)))
        self.assertEqual(self.env["bridge.binding"]._get(self.channel, "refund", ["r0"])["r0"]._record(), sale)
        self.assertEqual((self.free(self.mug), self.invoices(sale, "out_refund").ids), ((100.0, 0.0), []))

    def test_refund_that_does_not_add_up(self):
        item = line("a", self.mug, 1, 550)
        event = self.book(order(1, item, paid="card", refunds=(refund("r1", give_back(item), amount=549),)))
        self.assertEqual(event.state, "blocked")
        self.assertEqual(event.message, "Refund r1 gives back 549, its parts add up to 550: a difference of -1.")

    def test_first_seen_with_its_refund(self):
        """An order that comes with a past of its own arrives at the same end."""
        item = line("a", self.mug, 2, 550)
        sale = self.booked(
            order(1, item, paid="card", refunds=(refund("r1", give_back(item, 1, "cancel"), paid="card"),))
        )
        self.assertEqual((sale.order_line.product_uom_qty, sale.amount_total, self.balance(sale)), (1.0, 550.0, 0.0))
        self.assertEqual(
            (self.invoices(sale).amount_total, self.invoices(sale, "out_refund").amount_total), (1100.0, 550.0)
        )
        self.assertEqual(self.own_touches(), {self.mug: -1.0})

    def test_unsent_refund_on_delivery(self):
        """Invoiced on delivery, what is cancelled before is never invoiced: only money goes back."""
        self.channel.invoice_rule = "on_delivery"
        item = line("a", self.mug, 2, 550)
        record = order(1, item, paid="card")
        sale = self.booked(record)
        self.deliver(sale.picking_ids, {self.mug: 1})
        self.book(self.newer(record, 2, refunds=(refund("r1", give_back(item, 1, "cancel"), paid="card"),)))
        self.assertEqual((self.invoices(sale).amount_total, self.invoices(sale, "out_refund").ids), (550.0, []))
        self.assertEqual(self.payments(sale).mapped("payment_type"), ["inbound", "outbound"])
        self.assertEqual(
            (self.balance(sale), sale.invoice_status, sale.picking_ids.sorted("id").mapped("state")),
            (0.0, "invoiced", ["done", "cancel"]),
        )

    # -- cancelled orders ------------------------------------------------------------------------
    def test_cancel_unpaid(self):
        """A cancelled order releases what it reserved."""
        record = order(1, line("a", self.mug, 2))
        sale = self.booked(record)
        self.own_touches()
        event = self.book(self.newer(record, 2, state="cancelled"))
        self.assertEqual((event.result, sale.state, sale.picking_ids.state), ("updated", "cancel", "cancel"))
        self.assertEqual((self.free(self.mug), self.own_touches()), ((100.0, 0.0), {self.mug: 2.0}))
        self.book(self.newer(record, 3, state="cancelled", note="x"))
        self.assertEqual(self.own_touches(), {})

    def test_cancel_paid_with_refund(self):
        """A paid order that is cancelled with a refund: credit note and payment out, nothing twice."""
        item = line("a", self.mug, 2, 550)
        record = order(1, item, paid="card")
        sale = self.booked(record)
        self.own_touches()
        back = refund("r1", give_back(item, 2, "cancel"), paid="card")
        self.book(self.newer(record, 2, state="cancelled", payment_state="refunded", refunds=(back,)))
        self.assertEqual(
            (sale.state, self.free(self.mug), self.own_touches()), ("cancel", (100.0, 0.0), {self.mug: 2.0})
        )
        note = self.invoices(sale, "out_refund")
        self.assertEqual(
            (note.amount_total, note.reversed_entry_id, note.payment_state), (1100.0, self.invoices(sale), "paid")
        )
        self.assertEqual(self.payments(sale).mapped("amount"), [1100.0, 1100.0])
        self.assertEqual(self.balance(sale), 0.0)

    def test_cancel_paid_refund_comes_later(self):
        """The invoice is credited with the cancellation; the money when the web store sends it."""
        item, other = line("a", self.mug, 2, 550), line("b", self.tea, 1, 138, 8)
        record = order(1, item, other, paid="card")
        sale = self.booked(record)
        self.book(self.newer(record, 2, state="cancelled"))
        note = self.invoices(sale, "out_refund")
        self.assertEqual(
            (note.amount_total, self.taxes_of(note)), (1238.0, {10.0: (1100.0, 100.0), 8.0: (138.0, 10.0)})
        )
        self.assertEqual(self.balance(sale), -1238.0)
        back = refund("r1", give_back(item, 2, "cancel"), give_back(other, 1, "cancel"), paid="card")
        self.book(self.newer(record, 3, state="cancelled", payment_state="refunded", refunds=(back,)))
        self.assertEqual((self.invoices(sale, "out_refund"), self.balance(sale)), (note, 0.0))

    def test_cancel_refunded_without_transactions(self):
        """Where the channel only says "refunded", the money went back the way it came."""
        record = order(1, line("a", self.mug), paid="card")
        sale = self.booked(record)
        for version in (2, 3):
            self.book(self.newer(record, version, state="cancelled", payment_state="refunded"))
        self.assertEqual(self.payments(sale).mapped("payment_type"), ["inbound", "outbound"])
        self.assertEqual(self.balance(sale), 0.0)

    def test_cancel_with_part_credited(self):
        """Of an order credited in part already, a cancellation credits the rest, per rate."""
        item, other = line("a", self.mug, 1, 1000, tax=90), line("b", self.tea, 1, 138, 8)
        record = order(1, item, other, paid="card")
        sale = self.booked(record)
        part = refund("r1", give_back(item, 1, amount=333, tax=30), paid="card")
        self.book(self.newer(record, 2, refunds=(part,)))
        self.book(self.newer(record, 3, refunds=(part,), state="cancelled"))
        notes = self.invoices(sale, "out_refund")
        self.assertEqual(notes.mapped("amount_total"), [333.0, 805.0])
        self.assertEqual(self.taxes_of(notes[1]), {10.0: (667.0, 60.0), 8.0: (138.0, 10.0)})

    def test_cancel_after_delivery_asks(self):
        """A cancellation after goods left is never automatic."""
        record = order(1, line("a", self.mug), paid="card")
        sale = self.booked(record)
        self.deliver(sale.picking_ids)
        event = self.book(self.newer(record, 2, state="cancelled"))
        self.assertEqual((event.state, event.result, sale.state), ("done", "corrected", "sale"))
        self.assertEqual(sale.activity_ids.mapped("summary"), ["Cancelled, but sent"])
        self.assertFalse(self.invoices(sale, "out_refund"))

    def test_cancelled_and_paid_before_seen(self):
        """Money that came and went is in the books though the order was over before it came here."""
        item = line("a", self.mug)
        back = refund("r1", give_back(item, 1, "cancel"), paid="card")
        sale = self.booked(order(1, item, paid="card", state="cancelled", refunds=(back,)))
        self.assertEqual((sale.state, self.free(self.mug), self.balance(sale)), ("cancel", (100.0, 0.0), 0.0))
        self.assertEqual(self.payments(sale).mapped("payment_type"), ["inbound", "outbound"])
