# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from odoo.tests import tagged

from ..connectors import base, records
from .common import DAY, BridgeCommon


@tagged("post_install", "-at_install")
class TestTillSales(BridgeCommon):
    """A receipt becomes one pos.order with the amounts that were printed, or says why it cannot."""

    def assertBlocked(self, event, *parts):
        self.assertEqual(event.state, "blocked", event.message)
        for part in parts:
            self.assertIn(part, event.message)
        self.assertFalse(self.env["pos.order"].search_count([("bridge_external_id", "=", event.external_id)]))

    def told(self):
        """{product id: what the store is known to have sold (negative) or taken back itself}."""
        self.env.cr.precommit.run()
        self.env.cr.execute(
            """SELECT product_id, sum(own_quantity) FROM bridge_touch
                WHERE store_id = %s GROUP BY 1 HAVING sum(own_quantity) <> 0""",
            [self.store.id],
        )
        return dict(self.env.cr.fetchall())

    def test_receipt_is_booked_as_printed(self):
        """Lines, both rates, tax rounded down, payments, number and moment are those of the receipt."""
        sale = self.sale(
            self.line(self.rice, 302, 2, unit_price=151, tax=22),
            self.line(self.battery, 438, tax=39),
            tenders=[self.tender(240), self.tender(500, "card")],
        )
        event = self.book(sale)
        order = self.order(event)
        self.assertEqual((event.state, event.result), ("done", "created"))
        self.assertRecordValues(
            order,
            [
                {
                    "state": "paid", "pos_reference": sale.number,
                    "amount_total": 740, "amount_tax": 61, "amount_paid": 740,
                    "date_order": sale.sold_at.replace(tzinfo=None), "bridge_external_id": sale.external_id,
                    "bridge_business_date": DAY, "bridge_channel_id": self.channel.id,
                }
            ],
        )  # fmt: skip
        self.assertRecordValues(
            order.lines,
            [
                {"product_id": self.rice.id, "qty": 2, "price_unit": 151, "discount": 0, "tax_ids": self.tax8.ids,
                 "price_subtotal": 280, "price_subtotal_incl": 302, "bridge_line_ref": sale.lines[0].external_id},
                {"product_id": self.battery.id, "qty": 1, "price_unit": 438, "discount": 0, "tax_ids": self.tax10.ids,
                 "price_subtotal": 399, "price_subtotal_incl": 438, "bridge_line_ref": sale.lines[1].external_id},
            ],
        )  # fmt: skip
        self.assertEqual({p.payment_method_id: p.amount for p in order.payment_ids}, {self.cash: 240, self.card: 500})
        self.assertEqual(order.session_id.config_id, self.store.pos_config_id)
        self.assertEqual(order.session_id.bridge_business_date, DAY)
        self.assertEqual((self.on_hand(self.rice), self.on_hand(self.battery)), (98, 99))

    def test_printed_tax_survives_odoos_own_computation(self):
        """Wherever Odoo computes the order again, it comes to the printed tax, not to its own rounding."""
        # 10% in 105: 9.545, printed 10; the company rounds down and would say 9.
        order = self.order(self.book(self.sale(self.line(self.brush, 105, tax=10))))
        order._compute_prices()
        self.assertEqual((order.amount_tax, order.amount_total), (10, 105))

    def test_discount_keeps_the_shelf_price(self):
        """The line shows the price on the shelf and a discount that leads to what was paid, to the yen."""
        order = self.order(self.book(self.sale(self.line(self.bread, 400, 2, unit_price=217))))
        line = order.lines
        self.assertEqual((line.price_unit, line.price_subtotal_incl), (217, 400))
        self.assertAlmostEqual(line.qty * line.price_unit * (1 - line.discount / 100), 400, 6)

    def test_same_product_on_two_lines_stays_two_lines(self):
        """Nothing is merged: the receipt and the document have the same lines."""
        order = self.order(self.book(self.sale(self.line(self.tea, 138), self.line(self.tea, 130, unit_price=138))))
        self.assertEqual(order.lines.mapped("price_subtotal_incl"), [138, 130])
        self.assertEqual(self.on_hand(self.tea), 98)
        self.assertEqual(len(order.bridge_picking_ids.move_ids), 1)

    def test_points_as_payment_and_as_discount(self):
        """Points that pay are a means of payment; points that lower the price are in the lines."""
        paid = self.sale(self.line(self.brush, 327), tenders=[self.tender(27, "points"), self.tender(300)])
        lowered = self.sale(self.line(self.brush, 300, unit_price=327), points_spent=Decimal(27))
        paid, lowered = map(self.order, self.book(paid, lowered))
        self.assertEqual((paid.amount_total, paid.amount_tax), (327, 29))
        self.assertEqual(paid.payment_ids.mapped("payment_method_id"), self.points | self.cash)
        self.assertEqual((lowered.amount_total, lowered.amount_tax), (300, 27))
        self.assertEqual(lowered.payment_ids.mapped("amount"), [300])

    def test_line_without_product(self):
        """A department key has no product: a service stands for it and no goods move."""
        order = self.order(self.book(self.sale(self.line(None, 500, tax=45))))
        self.assertEqual(order.lines.product_id.type, "service")
        self.assertEqual(order.lines.full_product_name, "部門")
        self.assertFalse(order.bridge_picking_ids)

    def test_untaxed_line(self):
        """Rate zero is booked without tax."""
        order = self.order(self.book(self.sale(self.line(self.tea, 1000, rate=0), self.line(self.tea, 138))))
        self.assertEqual(order.lines[0].tax_ids.ids, [])
        self.assertEqual((order.amount_total, order.amount_tax), (1138, 10))

    def test_exchange_of_the_same_value(self):
        """Goods change hands, no money does."""
        event = self.book(self.sale(self.line(self.tea, -138, -1), self.line(self.tea, 138), tenders=[]))
        self.assertEqual((self.order(event).amount_total, self.on_hand(self.tea)), (0, 100))

    # -- blocked -----------------------------------------------------------------------------------
    def test_one_yen_off_is_blocked_and_explained(self):
        """A total that differs by one yen from its lines is not booked; both sums and the difference are said."""
        event = self.book(self.sale(self.line(self.tea, 138), self.line(self.bread, 217), total=356))
        self.assertBlocked(event, "355", "356", "a difference of 1", "rounding")

    def test_bad_receipt_does_not_stop_the_others(self):
        """Of three receipts in a batch, the two good ones are booked."""
        events = self.book(
            self.sale(self.line(self.tea, 138)),
            self.sale(self.line(self.tea, 138), total=1),
            self.sale(self.line(self.tea, 138)),
        )
        self.assertEqual(events.mapped("state"), ["done", "blocked", "done"])
        self.assertEqual(self.on_hand(self.tea), 98)

    def test_failing_document_is_set_aside_alone(self):
        """What Odoo itself refuses fails alone, and the rest of its batch is booked once."""
        sales = [self.sale(self.line(self.tea, 138)) for _ in range(5)]
        create = type(self.env["pos.order"]).create

        def refuse(model, vals_list):
            if any(vals.get("bridge_external_id") == sales[3].external_id for vals in vals_list):
                raise ValueError("no")
            return create(model, vals_list)

        self.patch(type(self.env["pos.order"]), "create", refuse)
        with self.assertLogs("odoo.addons.pos_erp_bridge.models.bridge_inbound", "WARNING"):
            events = self.book(*sales)
        self.assertEqual(events.mapped("state"), ["done", "done", "done", "failed", "done"])
        self.assertEqual(self.on_hand(self.tea), 96)
        self.assertEqual(self.told()[self.tea.id], -4, "told once, though tried often")

    def test_tenders_must_cover_the_total(self):
        """Change that was not taken off is named as the likely cause."""
        event = self.book(self.sale(self.line(self.tea, 138), tenders=[self.tender(150)]))
        self.assertBlocked(event, "150", "138", "a difference of 12", "change")

    def test_tax_table_must_agree_with_the_lines(self):
        """The receipt's own table of rates is compared, per rate."""
        sale = self.sale(self.line(self.tea, 138))
        table = [replace(sale.taxes[0], tax=sale.taxes[0].tax + 1)]
        self.assertBlocked(self.book(replace(sale, taxes=tuple(table))), "8%", "10", "11", "a difference of 1")

    def test_contradictions_of_the_payload_block(self):
        """What the connector found contradictory is shown as it is."""
        self.assertBlocked(self.book(self.sale(self.line(self.tea, 138), problems=("Sides differ.",))), "Sides differ.")

    def test_other_currency_is_blocked(self):
        """A receipt in dollars is not booked in yen."""
        self.assertBlocked(self.book(self.sale(self.line(self.tea, 138), currency="USD")), "USD", "JPY")

    def test_negative_quantity_for_a_positive_amount_is_blocked(self):
        """Goods come back and money comes in: one of the two signs is wrong, so nothing is booked."""
        wrong = replace(self.line(self.tea, 138), quantity=Decimal(-1))
        self.assertBlocked(self.book(self.sale(wrong)), "-1", "138", "wrong sign")

    def test_fractions_of_a_yen_are_blocked(self):
        """There is no tenth of a yen."""
        event = self.book(self.sale(self.line(self.tea, "138.5"), tenders=[self.tender("138.5")]))
        self.assertBlocked(event, "smallest coin")

    # -- waiting -----------------------------------------------------------------------------------
    def test_unknown_rate_becomes_a_work_item(self):
        """A rate no tax has waits for a person; when the tax exists, the receipt is booked."""
        event = self.book(self.sale(self.line(self.tea, 101, rate=1, tax=1)))
        self.assertEqual((event.state, event.work_item_ids.mapped("entity")), ("waiting", ["tax"]))
        self.tax8.copy({"amount": 1, "name": "1%"}).price_include_override = "tax_included"
        event.work_item_ids.action_retry()
        self.channel._book_events(event)
        self.assertEqual((event.state, self.order(event).amount_tax), ("done", 1))

    def test_two_taxes_of_one_rate_are_not_guessed(self):
        """Two sales taxes of 10% whose price includes tax: somebody chooses on the channel."""
        other = self.tax10.copy({"name": "10% service"})
        other.price_include_override = "tax_included"
        event = self.book(self.sale(self.line(self.brush, 327)))
        self.assertEqual(event.state, "waiting")
        self.channel.tax_ids = self.tax10 | self.tax8
        self.retry(event)
        self.assertEqual((event.state, self.order(event).lines.tax_ids), ("done", self.tax10))

    def test_two_candidates_of_a_code_are_not_guessed(self):
        """A code two products have is decided by a person; the receipt waits."""
        self.env["product.product"].create(
            [{"name": name, "default_code": "X-1", "is_storable": True} for name in "AB"]
        )
        line = self.line(self.tea, 138)
        line = replace(line, product=records.ProductRef("ext-1", sku="X-1", name="?"))
        event = self.book(self.sale(line))
        self.assertEqual(event.state, "waiting")
        self.assertEqual(len(event.work_item_ids.candidate_ids), 2)

    def test_unknown_tender_waits_for_a_mapping(self):
        """A means of payment nobody mapped is never booked as another one."""
        event = self.book(self.sale(self.line(self.tea, 138), tenders=[self.tender(138, "paypay")]))
        self.assertEqual((event.state, event.work_item_ids.mapped("entity")), ("waiting", ["tender"]))
        event.work_item_ids.payment_method_id = self.points
        event.work_item_ids.action_map()
        self.channel._book_events(event)
        self.assertEqual(self.order(event).payment_ids.payment_method_id, self.points)

    def test_tender_not_allowed_in_the_store_is_blocked(self):
        """Mapped, but not among the store's payment methods: says where to add it, and it can be added at once."""
        other = self.env["pos.payment.method"].create({"name": "QR", "journal_id": self.card.journal_id.id})
        self.env["bridge.binding"]._bind(self.channel, "tender", [("qr", other)])
        self.book(self.sale(self.line(self.tea, 138)))  # a session is open
        event = self.book(self.sale(self.line(self.tea, 138), tenders=[self.tender(138, "qr")]))
        self.assertBlocked(event, "QR", self.store.pos_config_id.name)
        self.store.pos_config_id.payment_method_ids = [(4, other.id)]
        self.retry(event)
        self.assertEqual(event.state, "done")

    def test_unknown_store_waits(self):
        """A store nobody mapped."""
        event = self.book(self.sale(self.line(self.tea, 138), store_id="77"))
        self.assertEqual((event.state, event.work_item_ids.mapped("entity")), ("waiting", ["store"]))

    def test_before_the_start_is_set_aside(self):
        """Sales of days before the channel's start are knowingly not booked."""
        event = self.book(self.sale(self.line(self.tea, 138), day=self.channel.start_date - timedelta(days=1)))
        self.assertEqual((event.state, event.result), ("skipped", "ignored"))
        self.assertIn(str(self.channel.start_date), event.message)

    def test_rehearsal_books_nothing(self):
        """A rehearsing channel plans receipts and writes neither orders nor mappings."""
        self.channel.state = "rehearse"
        event = self.book(self.sale(self.line(self.tea, 138)))
        self.assertEqual((event.state, event.result), ("done", "rehearsed"))
        self.assertFalse(self.env["pos.order"].search_count([("bridge_channel_id", "=", self.channel.id)]))
        self.assertFalse(self.env["pos.session"].search_count([("bridge_store_id", "=", self.store.id)]))

    # -- once --------------------------------------------------------------------------------------
    def test_unchanged_version_books_nothing(self):
        """A newer version with the same goods and money is noted, not booked again."""
        sale = self.sale(self.line(self.tea, 138))
        order = self.order(self.book(sale))
        event = self.book(replace(sale, version="2", note="seen", number="other"))
        self.assertEqual((event.state, event.result, self.order(event)), ("done", "unchanged", order))

    def test_channel_is_told_what_it_sold(self):
        """The outward lane hears what the channel itself sold, so that it is not taken for a surprise."""
        before = self.told()
        self.book(self.sale(self.line(self.tea, 276, 2), self.line(self.rice, -151, -1)))
        self.assertEqual(before, {})
        self.assertEqual(self.told(), {self.tea.id: -2, self.rice.id: 1})

    def test_queries_grow_with_products_only(self):
        """Fifty receipts of the same goods need as many queries as five."""

        def measure(size):
            events = self.arrive(*(self.sale(self.line(self.tea, 138), self.line(self.rice, 151)) for _ in range(size)))
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.cr.sql_log_count
            self.channel._book_events(events)
            self.env.flush_all()
            self.assertEqual(set(events.mapped("state")), {"done"})
            return self.cr.sql_log_count - before

        measure(2)
        few, many = measure(5), measure(50)
        self.assertLessEqual(many, few + 5)
        self.assertLess(many, 200)

    def test_random_baskets_tie_out(self):
        """Mixed rates, discounts, returns and floor-rounded tax: orders, entry and receipts agree to the yen."""
        rng = random.Random(20261120)
        sales, tax = [], 0
        for _ in range(40):
            lines = []
            for product in rng.sample(list(self.products.values()), rng.randint(1, 4)):
                quantity = rng.choice((1, 1, 2, 3, -1))
                price = rng.randint(1, 999)
                discount = rng.choice((0, 0, 1, 7)) if quantity > 0 and price > 7 else 0
                lines.append(self.line(product, price * quantity - discount, quantity, unit_price=price))
            total = sum(line.amount for line in lines)
            part = rng.randint(0, 100)
            tenders = [self.tender(part, "points"), self.tender(total - part, rng.choice(("cash", "card")))]
            sales.append(self.sale(*lines, tenders=tenders))
            tax += sum(line.tax for line in lines)
        events = self.book(*sales)
        self.assertEqual(set(events.mapped("state")), {"done"}, events.mapped("message"))
        for event, sale in zip(events, sales, strict=True):
            order = self.order(event)
            order._compute_prices()
            self.assertEqual((order.amount_total, order.amount_tax), (sale.total, sum(line.tax for line in sale.lines)))
        session = self.order(events[0]).session_id
        closing = session._bridge_closing()
        self.assertTrue(closing._close(is_forced=True), closing.message)
        lines = session.move_id.line_ids
        self.assertEqual(-sum(lines.filtered("tax_line_id").mapped("balance")), tax)
        self.assertEqual(closing.expected["taxes"], closing.booked["taxes"])
        self.assertEqual(closing.total, sum(sale.total for sale in sales))

    def test_unreadable_payload_fails_alone(self):
        """A payload nobody understands is kept and said."""
        self.env["bridge.event"]._take_facts(self.channel, [base.Fact("sale", "X", "1", {})], "poll")
        event = self.env["bridge.event"].search([("external_id", "=", "X")])
        self.channel._book_events(event)
        self.assertEqual(event.state, "failed")
