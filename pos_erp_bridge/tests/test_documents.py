# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import new_test_user, tagged

from ..fiscal import law_items
from .common import DAY, TOKYO
from .document_case import NUMBER, DocumentCase


@tagged("post_install", "-at_install")
class TestTillDocuments(DocumentCase):
    """A receipt is registered with what was printed on it."""

    def test_receipt_of_a_connected_till(self):
        """Figures per rate, number, time, store and means of payment are those of the receipt."""
        sale = self.sale(
            self.line(self.rice, 302, 2, unit_price=151, tax=22), self.line(self.battery, 438, tax=39),
            tenders=[self.tender(240), self.tender(500, "card")],
        )  # fmt: skip
        document = self.documents(self.order(self.book(sale)))
        self.assertRecordValues(
            document,
            [
                {
                    "type": "simplified", "relation": "issue", "state": "effective", "number": sale.number,
                    "supply_at": sale.sold_at.replace(tzinfo=None), "supply_date": DAY, "store": "店舗1",
                    "bridge_store_id": self.store.id, "channel_id": self.channel.id, "registration_number": NUMBER,
                    "is_qualified": True, "basis": "included", "rounding": "down", "base_total": 679, "tax_total": 61,
                    "total": 740, "original_id": False, "waiver": "", "is_counted": True,
                }
            ],
        )  # fmt: skip
        self.assertEqual(self.rates(document), {"8R": (280, 22, 302), "10": (399, 39, 438)})
        content = self.content(document)
        self.assertEqual(
            [(x["name"], x["quantity"], x["unit_price"], x["amount"], x["is_reduced"]) for x in content["lines"]],
            [(self.rice.name, "2", 151, 302, True), (self.battery.name, "1", 438, 438, False)],
        )
        self.assertEqual(
            [(t["name"], t["amount"]) for t in content["tenders"]], [(self.cash.name, 240), ("カード", 500)]
        )
        self.assertEqual(law_items.missing(content), [])

    def test_printed_tax_is_registered_as_it_is(self):
        """A till that rounds another way than the company: what it printed counts, nothing is computed again."""
        self.assertEqual(self.rates(self.sold(self.line(self.brush, 105, tax=10))), {"10": (95, 10, 105)})

    def test_after_midnight_in_japan(self):
        """A sale at 00:30 belongs to that day, though it is still the day before in UTC and for the business day."""
        moment = datetime(2026, 11, 21, 0, 30, tzinfo=TOKYO).astimezone(UTC)
        document = self.sold(self.line(self.tea, 138), sold_at=moment)
        self.assertEqual(
            (document.supply_date, document.supply_at), (date(2026, 11, 21), datetime(2026, 11, 20, 15, 30))
        )
        self.assertEqual(self.content(document)["supply_at"], "2026-11-21T00:30:00+09:00")

    def test_discounts_stand_apart(self):
        """A line that takes off is a discount of its rate; lines and discounts add up to the total."""
        document = self.sold(self.line(self.tea, 138), self.line(None, -38, 1, rate=8))
        content = self.content(document)
        self.assertEqual([line["amount"] for line in content["lines"]], [138])
        self.assertEqual([discount["by_rate"] for discount in content["discounts"]], [{"8R": -38}])
        self.assertEqual(self.rates(document), {"8R": (92, 8, 100)})

    def test_goods_back_and_goods_out(self):
        """One receipt that takes goods back and sells others becomes two documents, each with its own figures."""
        first = self.sold(self.line(self.battery, 438), external_id="A")
        # The till rounds up, the company down: what is printed counts for each part.
        sale = self.sale(self.line(self.battery, -438, -1, tax=-40), self.line(self.rice, 151, tax=12),
                         tenders=[self.tender(-287)], original_id="A")  # fmt: skip
        out, back = self.documents(self.order(self.book(sale)))
        self.assertEqual((out.type, out.relation, self.rates(out)), ("simplified", "issue", {"8R": (139, 12, 151)}))
        self.assertEqual((back.type, back.relation, self.rates(back)), ("return", "return", {"10": (-398, -40, -438)}))
        self.assertEqual((back.original_id, back.number), (first, f"{sale.number}-R"))
        self.assertEqual((out.total + back.total, first.state), (-287, "returned"))

    def test_return_names_the_sale(self):
        """A return points to the sale, says its day and number, and has every mandatory item."""
        sold = self.sold(self.line(self.brush, 3270, 10), external_id="A", day=DAY - timedelta(days=3))
        back = self.sold(self.line(self.brush, -327, -1), external_id="B", original_id="A")
        self.assertEqual((back.original_id, back.waiver, sold.state), (sold, "return below 10,000 yen", "returned"))
        self.assertEqual(
            self.content(back)["original"], {"number": sold.number, "supply_date": "2026-11-17", "type": "simplified"}
        )
        self.assertTrue(all(item.is_present for item in law_items.check(self.content(back))))

    def test_large_return_is_not_waived(self):
        """Ten thousand yen and more, all rates together: the return invoice has to be handed over."""
        self.sold(self.line(self.brush, 6000, 20), self.line(self.tea, 4000, 30), external_id="A")
        lines = self.line(self.brush, -6000, -20), self.line(self.tea, -3999, -30)
        below = self.sold(*lines, external_id="B", original_id="A")
        self.assertEqual(below.waiver, "return below 10,000 yen")
        at = self.sold(lines[0], replace(lines[1], amount=-4000), external_id="C", original_id="A")
        self.assertEqual((at.total, at.waiver), (-10000, ""))

    def test_voided_receipt(self):
        """What takes a receipt back is a return document of its own; the sums come to nothing."""
        sale = self.sale(self.line(self.tea, 138))
        issued = self.documents(self.order(self.book(sale)))
        back = self.documents(self.order(self.book(replace(sale, version="2", state="void"))))
        self.assertRecordValues(
            back, [{"type": "return", "relation": "return", "original_id": issued.id, "total": -138}]
        )
        self.assertTrue(back.reason)
        self.assertEqual((issued.state, issued.is_counted, back.is_counted), ("returned", True, True))

    def test_changed_receipt(self):
        """The new version corrects the old one and is numbered after it; sums count sale, taking back and new sale."""
        sale = self.sale(self.line(self.tea, 138))
        issued = self.documents(self.order(self.book(sale)))
        changed = replace(sale, version="2", total=130, lines=(self.line(self.tea, 130, unit_price=138),),
                          tenders=(self.tender(130),), taxes=())  # fmt: skip
        new = self.documents(self.order(self.book(changed)))
        self.assertRecordValues(
            new, [{"relation": "correct", "original_id": issued.id, "number": f"{issued.number}-2", "total": 130}]
        )
        self.assertEqual((issued.state, issued._in_force()), ("corrected", new))
        counted = self.Document.search([("is_counted", "=", True), ("company_id", "=", self.company.id)])
        self.assertEqual(sum(counted.mapped("total")), 130)

    def test_own_till(self):
        """A sale on Odoo's own till is registered when it is paid, in the same transaction."""
        order = self.sell_own(self.own_session(), self.brush, 1, 327, 29)
        document = self.documents(order)
        self.assertRecordValues(
            document,
            [
                {
                    "type": "simplified", "number": order.pos_reference, "supply_date": DAY, "store": "本店レジ",
                    "config_id": order.config_id.id, "channel_id": False, "total": 327, "tax_total": 29,
                }
            ],
        )  # fmt: skip
        self.assertEqual(self.content(document)["cashier"], self.env.user.name)
        self.assertEqual(order.sudo().bridge_document_count, 1)

    def test_cashier_with_only_his_own_rights(self):
        """Whoever may sell can: he registers without any right to the register, and cannot read it."""
        cashier = new_test_user(
            self.env, "cashier", "base.group_user,point_of_sale.group_pos_user", company_id=self.company.id,
            company_ids=self.company.ids,
        )  # fmt: skip
        document = self.documents(self.sell_own(self.own_session(), self.brush, 1, 327, 29, cashier))
        self.assertEqual((document.total, document.user_id), (327, cashier))
        with self.assertRaises(AccessError):
            document.with_user(cashier).read(["total"])

    def test_same_number_in_two_stores(self):
        """Two tills may print the same number: both are registered, the second with its id behind the number."""
        one = self.sold(self.line(self.tea, 138), external_id="A", number="1001")
        two = self.sold(self.line(self.tea, 138), external_id="B", number="1001", store_id="2")
        self.assertEqual((one.number, two.number), ("1001", f"1001-{two.id}"))
        self.assertEqual(self.content(two)["number"], two.number)

    def test_registering_again_changes_nothing(self):
        """The same order has one document, however often it is registered."""
        document = self.sold(self.line(self.tea, 138))
        again = document.pos_order_id._bridge_register()
        self.assertEqual((again, self.documents(document.pos_order_id)), (document, document))

    def test_batch(self):
        """Documents of a batch are inserted together: statements do not grow with the number of receipts."""
        counts = []
        for size in (2, 12):
            orders = self.order(self.book(*[self.sale(self.line(self.tea, 138)) for _ in range(size)])[0]).session_id
            orders = orders.order_ids.sorted("id")[-size:]
            contents = orders.mapped(lambda o: o._bridge_document_vals(self.Document._issuer(self.company))[0])
            for vals in contents:
                vals["pos_order_id"] = False
            before = self.env.cr.sql_log_count
            self.Document._issue(contents)
            counts.append(self.env.cr.sql_log_count - before)
        self.assertEqual(counts[0], counts[1])

    # -- registration ------------------------------------------------------------------------------
    def test_day_of_supply_decides_on_the_registration(self):
        """Before the first and after the last day nothing may look like a qualified invoice."""
        self.company.write({"bridge_registration_from": DAY, "bridge_registration_to": DAY + timedelta(days=1)})
        days = {}
        for offset in (-1, 0, 1, 2):
            document = self.sold(self.line(self.tea, 138), day=DAY + timedelta(days=offset))
            days[offset] = (document.is_qualified, document.registration_number, document.type)
            self.assertEqual(law_items.missing(self.content(document)), [])
        self.assertEqual(
            days,
            {
                -1: (False, "", "simplified"), 0: (True, NUMBER, "simplified"), 1: (True, NUMBER, "simplified"),
                2: (False, "", "simplified"),
            },
        )  # fmt: skip

    def test_return_follows_the_registration_of_the_sale(self):
        """Goods sold before the registration and returned after it: the return is no qualified one."""
        self.company.bridge_registration_from = DAY
        self.sold(self.line(self.tea, 138), external_id="A", day=DAY - timedelta(days=2))
        self.assertFalse(self.sold(self.line(self.tea, -138, -1), external_id="B", original_id="A").is_qualified)

    def test_other_countries(self):
        """A company elsewhere has no register."""
        self.company.account_fiscal_country_id = self.env.ref("base.be")
        order = self.order(self.book(self.sale(self.line(self.tea, 138))))
        self.assertFalse(self.documents(order))
        self.tea.taxes_id = False
        self.assertFalse(self.documents(self.invoice((self.tea, 1, 138))))

    # -- never changed -----------------------------------------------------------------------------
    def test_nobody_changes_a_document(self):
        """Not even the superuser writes, deletes or makes one; nor its rates and papers."""
        document = self.sold(self.line(self.tea, 138)).sudo()
        for record in (document, document.rate_ids, document._freeze(b"%PDF").sudo()):
            with self.subTest(record._name):
                with self.assertRaises(UserError):
                    record.write({"display_name": "x"})
                with self.assertRaises(UserError):
                    record.unlink()
                with self.assertRaises(UserError):
                    record.create({})


@tagged("post_install", "-at_install")
class TestInvoiceDocuments(DocumentCase):
    """Invoices and credit notes, and what they do to the receipts before them."""

    def test_invoice(self):
        """A posted invoice is a full qualified invoice, with the figures of its entry."""
        move = self.invoice((self.rice, 2, 151), (self.battery, 1, 438))
        document = self.documents(move)
        self.assertRecordValues(
            document,
            [
                {
                    "type": "qualified", "relation": "issue", "number": move.name, "counterparty": "株式会社買手",
                    "supply_date": DAY, "total": 740, "is_qualified": True, "move_id": move.id, "basis": "included",
                }
            ],
        )  # fmt: skip
        content = self.content(document)
        self.assertEqual(content["counterparty"]["honorific"], "御中")
        self.assertEqual(law_items.missing(content), [])
        tax = -sum(move.line_ids.filtered("tax_line_id").mapped("balance"))
        self.assertEqual((document.tax_total, document.base_total), (tax, 740 - tax))

    def test_day_of_delivery_is_the_day_of_supply(self):
        move = self.invoice((self.tea, 1, 138), delivery_date="2026-11-18")
        self.assertEqual(self.documents(move).supply_date, date(2026, 11, 18))

    def test_web_order(self):
        """The invoice of a web order is registered with its channel and store."""
        order = self.env["sale.order"].create(
            {
                "partner_id": self.buyer.id, "bridge_channel_id": self.channel.id, "bridge_store_id": self.store.id,
                "order_line": [Command.create({"product_id": self.tea.id, "product_uom_qty": 1, "price_unit": 138})],
            }
        )  # fmt: skip
        self.tea.invoice_policy = "order"
        order.action_confirm()
        document = self.documents(self.env["bridge.web.money"]._invoice(order))
        self.assertRecordValues(
            document,
            [{"channel_id": self.channel.id, "bridge_store_id": self.store.id, "store": "店舗1", "total": 138}],
        )

    def test_draft_and_vendor_bill_have_none(self):
        """Only what is posted and ours."""
        bill = self.invoice((self.tea, 1, 138), move_type="in_invoice")
        self.assertFalse(self.documents(bill))

    def test_credit_note_points_to_its_invoice(self):
        move = self.invoice((self.battery, 1, 438))
        refund = move._reverse_moves([{"invoice_date": "2026-11-22", "date": "2026-11-22"}])
        refund.action_post()
        back = self.documents(refund)
        self.assertRecordValues(
            back,
            [
                {
                    "type": "return", "relation": "return", "original_id": self.documents(move).id, "total": -438,
                    "waiver": "return below 10,000 yen", "number": refund.name,
                }
            ],
        )  # fmt: skip
        self.assertEqual(self.content(back)["original"]["supply_date"], "2026-11-20")
        self.assertEqual(self.documents(move).state, "returned")

    def test_invoice_after_the_receipt_replaces_it(self):
        """One effective document: the receipt is replaced, the invoice names it and keeps its day."""
        order = self.sell_own(self.own_session(), self.brush, 1, 327, 29)
        receipt = self.documents(order)
        order.partner_id = self.buyer
        order.with_context(generate_pdf=False).action_pos_order_invoice()
        document = self.documents(order.account_move)
        self.assertRecordValues(
            document,
            [
                {
                    "type": "qualified", "relation": "supersede", "original_id": receipt.id,
                    "superseded_ids": receipt.ids, "supply_date": DAY, "total": 327,
                }
            ],
        )  # fmt: skip
        self.assertEqual(
            self.content(document)["original"],
            {"number": receipt.number, "supply_date": "2026-11-20", "type": "simplified"},
        )
        self.assertEqual((receipt.state, receipt.is_counted, document.state), ("superseded", False, "effective"))
        self.assertEqual(self.Document.search([("state", "=", "superseded")]) & receipt, receipt)
        self.assertEqual(order.action_bridge_documents()["domain"], [("id", "in", (receipt | document).ids)])

    def test_change(self):
        """What was handed over and what was given back of it are told apart, as on the till's own receipt."""
        session = self.own_session()
        order = self.sell_own(session, self.brush, 1, 327, 29, tendered=1000)
        content = self.content(self.documents(order))
        self.assertEqual([tender["amount"] for tender in content["tenders"]], [1000])
        self.assertEqual(content["change"], 673)
        paper = self.env["bridge.paper"]._html(content, "80", lang="en_US")
        self.assertIn("Change", paper)
        self.assertNotIn("-673", paper)

    def test_exchange(self):
        """Goods out and goods back on one paper are rounded together, as the paper shows and the books say; an invoice
        replaces both documents."""
        session = self.own_session()
        lines = [
            {"product_id": self.brush.id, "qty": quantity, "price_unit": price, "price_subtotal": subtotal,
             "price_subtotal_incl": quantity * price, "tax_ids": [Command.set(self.tax10.ids)]}
            for quantity, price, subtotal in ((1, 110, 100), (-1, 105, -95))
        ]  # fmt: skip
        both = self.env["pos.order"].create(
            {"session_id": session.id, "company_id": self.company.id, "amount_total": 0, "amount_tax": 0,
             "amount_paid": 0, "amount_return": 0, "lines": [Command.create(line) for line in lines]}
        )  # fmt: skip
        both._compute_prices()
        both.add_payment({"pos_order_id": both.id, "amount": both.amount_total,
                          "payment_method_id": session.payment_method_ids.id})  # fmt: skip
        both.action_pos_order_paid()
        sold, returned = self.documents(both)
        self.assertEqual((sold.type, returned.type), ("simplified", "return"))
        self.assertEqual((both.amount_total, both.amount_tax), (5, 0))
        self.assertEqual((sold.total, sold.tax_total), (110, 10))
        self.assertEqual((returned.total, returned.tax_total), (-105, -10))
        both.partner_id = self.buyer
        both.with_context(generate_pdf=False).action_pos_order_invoice()
        document = self.documents(both.account_move)
        self.assertEqual((document.superseded_ids, document.total), (sold | returned, 5))

    def test_return_of_a_connected_till_becomes_a_credit_note(self):
        order = self.order(self.book(self.sale(self.line(self.battery, -438, quantity=-1, tax=-39))))
        receipt = self.documents(order)
        order.partner_id = self.buyer
        order.with_context(generate_pdf=False).action_pos_order_invoice()
        document = self.documents(order.account_move)
        self.assertEqual((order.account_move.move_type, document.type), ("out_refund", "return"))
        self.assertEqual((document.total, document.tax_total), (-438, -39))
        self.assertEqual(document.superseded_ids, receipt)

    def test_a_branch_is_its_company(self):
        """A branch without a tax ID of its own issues under its company's, on the screen of the till as well."""
        branch = self.env["res.company"].create({"name": "支店", "parent_id": self.company.id})
        self.assertEqual(branch.bridge_registration_number, self.company.vat)
        self.company.vat = "t7000012050002"
        self.assertEqual(self.company.bridge_registration_number, "T7000012050002")

    def test_invoice_of_several_receipts(self):
        """It replaces all of them, and names all of them."""
        session = self.own_session()
        orders = self.sell_own(session, self.brush, 1, 327, 29) | self.sell_own(session, self.battery, 1, 438, 39)
        receipts = self.documents(orders)
        orders.partner_id = self.buyer
        orders.with_context(generate_pdf=False)._generate_pos_order_invoice()
        document = self.documents(orders.account_move)
        self.assertEqual((document.superseded_ids, set(receipts.mapped("state"))), (receipts, {"superseded"}))
        self.assertEqual(self.content(document)["original"]["number"], "、".join(receipts.mapped("number")))

    def test_return_after_the_invoice_points_to_the_invoice(self):
        """The receipt is replaced: what comes back later is about the invoice."""
        session = self.own_session()
        order = self.sell_own(session, self.brush, 1, 327, 29)
        order.partner_id = self.buyer
        order.with_context(generate_pdf=False).action_pos_order_invoice()
        refund = order._refund()
        payment = {"pos_order_id": refund.id, "amount": refund.amount_total,
                   "payment_method_id": session.payment_method_ids.id}  # fmt: skip
        refund.add_payment(payment)
        refund.action_pos_order_paid()
        back = self.documents(refund)
        self.assertEqual((back.original_id, back.total), (self.documents(order.account_move), -327))

    def test_posted_again(self):
        """Where a company lets posted entries be edited: reset and posted unchanged, nothing new. Changed: a correction
        that says so."""
        self.company.bridge_keeps_books = False
        journals = self.env["account.journal"].search([("company_id", "=", self.company.id)])
        journals.restrict_mode_hash_table = False
        move = self.invoice((self.battery, 1, 438))
        document = self.documents(move)
        move.button_draft()
        move.action_post()
        self.assertEqual(self.documents(move), document)
        move.button_draft()
        move.invoice_line_ids.price_unit = 400
        move.action_post()
        first, second = self.documents(move)
        self.assertEqual((first, first.state), (document, "corrected"))
        self.assertRecordValues(
            second, [{"relation": "correct", "original_id": first.id, "total": 400, "number": f"{move.name}-2"}]
        )
        self.assertTrue(second.reason)
        self.assertEqual([d.is_counted for d in (first, second)], [False, True])

    def test_merged_customer(self):
        """Contacts may be merged: the one a document was made out to is gone, and that is no change of the document."""
        document = self.documents(self.invoice((self.tea, 1, 138)))
        other = self.env["res.partner"].create({"name": "株式会社 買手", "is_company": True})
        self.env["base.partner.merge.automatic.wizard"].create({})._merge((self.buyer | other).ids, other)
        self.env.invalidate_all()
        self.assertEqual(document.partner_id, other)
        self.assertEqual(self.Document._verify(self.company), [])

    # -- correcting --------------------------------------------------------------------------------
    def test_correction(self):
        """A correction is a new, full document with a link and a reason; the old one stays as it was."""
        document = self.sold(self.line(self.tea, 138))
        old = document.content
        document.pos_order_id.partner_id = self.buyer
        new = document.action_correct("宛名の記載もれ")
        self.assertRecordValues(
            new,
            [
                {
                    "relation": "correct", "original_id": document.id, "counterparty": "株式会社買手", "total": 138,
                    "reason": "宛名の記載もれ", "number": f"{document.number}-2", "type": "simplified",
                }
            ],
        )  # fmt: skip
        self.assertEqual((document.content, document.state, document.counterparty), (old, "corrected", ""))
        third = new.action_correct("再訂正")
        self.assertEqual((third.number, document._in_force()), (f"{document.number}-3", third))
        with self.assertRaisesRegex(UserError, third.number):
            document.action_correct("もう一度")

    def test_correction_needs_a_reason_and_a_manager(self):
        document = self.sold(self.line(self.tea, 138))
        with self.assertRaises(UserError):
            document.action_correct("  ")
        user = new_test_user(
            self.env, "clerk", "base.group_user,pos_erp_bridge.group_bridge_user", company_id=self.company.id,
            company_ids=self.company.ids,
        )  # fmt: skip
        with self.assertRaises(UserError):
            document.with_user(user).action_correct("理由")
        user.group_ids |= self.env.ref("pos_erp_bridge.group_bridge_manager")
        wizard = self.env["bridge.document.correction"].with_user(user)
        action = wizard.create({"document_id": document.id, "reason": "理由"}).action_correct()
        self.assertEqual(self.Document.browse(action["res_id"]).original_id, document)

    # -- papers ------------------------------------------------------------------------------------
    def test_first_paper_and_reissue(self):
        """Each paper is kept as it was printed; every one after the first is a reissue."""
        document = self.documents(self.invoice((self.tea, 1, 138)))
        self.assertFalse(document._is_reissue())
        papers = document._freeze(b"%PDF 1") | document._freeze(b"%PDF 2")
        self.assertTrue(document._is_reissue())
        self.assertRecordValues(papers, [{"is_reissue": False}, {"is_reissue": True}])
        self.assertEqual([paper.attachment_id.raw for paper in papers], [b"%PDF 1", b"%PDF 2"])

    # -- screen ------------------------------------------------------------------------------------
    def test_search_by_day_amount_and_counterparty(self):
        """As the rules for electronic books ask: ranges of date and amount, counterparty, and all together."""
        wanted = self.documents(self.invoice((self.battery, 10, 438)))
        self.invoice((self.battery, 10, 438), day="2026-11-10")
        self.invoice((self.battery, 1, 438))
        domain = [
            ("supply_date", ">=", "2026-11-15"), ("supply_date", "<=", "2026-11-30"), ("total", ">", 4000),
            ("total", "<=", 4380), ("counterparty", "ilike", "買手"), ("company_id", "=", self.company.id),
        ]  # fmt: skip
        self.assertEqual(self.Document.search(domain), wanted)

    def test_document_shows_what_is_missing(self):
        """A qualified invoice names its recipient; the screen says when a mandatory item is absent."""
        document = self.documents(self.invoice((self.tea, 1, 138)))
        self.assertFalse(document.missing_items)
        self.assertIn(self.tea.name, str(document.said))
        content = self.content(document)
        content["counterparty"] = None
        vals = {"content": {**content, "number": ""}, "company_id": self.company.id}
        self.assertEqual(self.Document._issue([vals]).with_context(lang="en_US").missing_items, "Recipient")
