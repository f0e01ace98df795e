# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from psycopg2.errors import UniqueViolation

from odoo.exceptions import UserError
from odoo.fields import Date
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from ..fiscal import law_items
from .document_case import DocumentCase

CLOSING = Date.to_date("2026-11-30")


@tagged("post_install", "-at_install")
class TestSummaryInvoice(DocumentCase):
    """A customer who closes at the end of the month, with prices without tax (golden cases G39 and G40)."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        (cls.tax10 | cls.tax8).price_include_override = "tax_excluded"
        cls.buyer.bridge_closing_day = "31"
        cls.Summary = cls.env["bridge.summary.invoice"]

    def deliver(self, *amounts, product=None):
        days = ("2026-11-10", "2026-11-20", "2026-11-29")
        return [
            self.invoice((product or self.battery, 1, amount), day=day)
            for amount, day in zip(amounts, days, strict=False)
        ]

    def make(self, closing=CLOSING):
        return self.Summary._make(self.company, closing)

    def issued(self, closing=CLOSING):
        made = self.make(closing)
        made.action_issue()
        return made

    def owed(self):
        self.env.flush_all()
        return self.Summary.new({"company_id": self.company.id, "partner_id": self.buyer.id})._ledger([])

    def pay(self, amount, day):
        payment = self.env["account.payment"].create(
            {"partner_id": self.buyer.id, "amount": amount, "date": day, "payment_type": "inbound"}
        )
        payment.action_post()
        return payment

    def test_tax_is_rounded_once_and_the_books_follow(self):
        """1,333 + 2,666 + 999: the tax is 499, a yen more than on the invoices, and that yen is posted."""
        moves = self.deliver(1333, 2666, 999)
        self.assertEqual([move.amount_tax for move in moves], [133, 266, 99])
        made = self.issued()
        self.assertEqual((made.base_total, made.tax_total, made.balance), (4998, 499, 5497))
        document = made.document_id
        self.assertEqual(self.rates(document), {"10": (4998, 499, 5497)})
        self.assertEqual((document.type, document.is_qualified, document.total), ("summary", True, 5497))
        self.assertEqual(law_items.missing(self.content(document)), [])
        tax_line = moves[0].line_ids.filtered("tax_line_id")
        booked = made.adjustment_id.line_ids.filtered("tax_line_id")
        self.assertEqual((booked.balance, booked.account_id), (-1, tax_line.account_id))
        self.assertEqual(booked.tax_tag_ids, tax_line.tax_tag_ids)
        self.assertEqual(made.adjustment_id.state, "posted")
        self.assertEqual(self.owed(), 5497)

    def test_it_replaces_the_documents_of_its_invoices(self):
        """One effective qualified document for each supply."""
        moves = self.deliver(1333, 2666, 999)
        made = self.issued()
        covered = self.documents(self.env["account.move"].union(*moves))
        self.assertEqual(made.document_id.superseded_ids, covered)
        self.assertEqual(set(covered.mapped("state")), {"superseded"})
        self.assertFalse(covered.filtered("is_counted"))

    def test_its_tax_ties_out(self):
        """The yen that is posted is the yen by which the summary differs from the invoices."""
        self.deliver(1333, 2666, 999)
        made = self.issued()
        first = Date.to_date("2026-11-01")
        days = self.env["bridge.tie.out"]._check(self.company, first, CLOSING)
        self.assertIn(made.adjustment_id.journal_id, days.journal_id)
        self.assertEqual(set(days.mapped("state")), {"ok"}, days.mapped("message"))

    def test_a_period_that_was_declared_stays(self):
        """What was delivered in one month counts there, though a summary of the next month replaced its invoice."""
        self.buyer.bridge_closing_day = "20"
        self.invoice((self.battery, 1, 1333), day="2026-10-25")
        self.invoice((self.battery, 1, 2666), day="2026-11-10")
        self.invoice((self.battery, 1, 999), day="2026-11-15")
        october = self.env["bridge.output.tax"].create({"date_from": "2026-10-01", "date_to": "2026-10-31"})
        november = self.env["bridge.output.tax"].create({"date_from": "2026-11-01", "date_to": "2026-11-30"})
        before = october._figures()["rates"]
        self.assertEqual([(rate["percent"], rate["tax"]) for rate in before], [(10, 133)])
        self.issued(Date.to_date("2026-11-20"))
        self.assertEqual(october._figures()["rates"], before)
        self.assertEqual([(rate["percent"], rate["tax"]) for rate in november._figures()["rates"]], [(10, 499 - 133)])

    def test_no_period_crosses_the_end_of_a_year(self):
        self.company.write({"fiscalyear_last_month": "3", "fiscalyear_last_day": 31})
        periods = self.Summary._periods(self.company, Date.to_date("2026-03-21"), Date.to_date("2026-04-20"))
        self.assertEqual([str(day) for pair in periods for day in pair],
                         ["2026-03-21", "2026-03-31", "2026-04-01", "2026-04-20"])  # fmt: skip

    def test_a_summary_that_is_gone_is_found(self):
        self.deliver(1333)
        made = self.issued()
        self.assertEqual(self.Document._verify(self.company), [])
        self.env.flush_all()
        for table in ("bridge_document_superseded_rel", "bridge_document_rate"):
            self.cr.execute(f"DELETE FROM {table} WHERE document_id = %s", [made.document_id.id])
        self.cr.execute("UPDATE bridge_summary_invoice SET document_id = NULL WHERE id = %s", [made.id])
        self.cr.execute("DELETE FROM bridge_document WHERE id = %s", [made.document_id.id])
        self.env.invalidate_all()
        self.assertIn(made, [record for record, _field, _text in self.Document._verify(self.company)])

    def test_one_document_for_a_period(self):
        """Whatever calls twice, side by side or again: a customer's period has one summary."""
        self.deliver(1333)
        made = self.issued()
        made.action_issue()
        self.assertEqual(self.Document.search_count([("type", "=", "summary"), ("partner_id", "=", self.buyer.id)]), 1)
        with mute_logger("odoo.sql_db"), self.assertRaises(UniqueViolation), self.cr.savepoint():
            self.Document.sudo()._issue([made._document_vals(made._figures()[0])])

    def test_notes_that_are_the_qualified_invoices_are_added_up(self):
        self.company.bridge_summary_tax = "notes"
        moves = self.deliver(1333, 2666, 999)
        made = self.issued()
        self.assertEqual((made.tax_total, made.balance), (498, 5496))
        self.assertFalse(made.adjustment_id)
        document = made.document_id
        self.assertEqual((document.is_qualified, document.registration_number), (False, ""))
        self.assertEqual({self.documents(move).state for move in moves}, {"effective"})
        self.assertFalse(document.is_counted, "its invoices count already")
        self.assertEqual(self.owed(), 5496)

    def test_with_tax_in_the_price_the_customer_owes_the_same(self):
        (self.tax10 | self.tax8).price_include_override = "tax_included"
        moves = self.deliver(105, 105)
        self.assertEqual([move.amount_tax for move in moves], [9, 9])
        made = self.issued()
        self.assertEqual((made.base_total, made.tax_total, made.balance), (191, 19, 210))
        balances = made.adjustment_id.line_ids.mapped("balance")
        self.assertEqual(sorted(balances), [-1, 1])
        self.assertFalse(made.adjustment_id.line_ids.filtered(lambda line: made._is_receivable(line)))
        self.assertEqual(self.owed(), 210)

    def test_what_was_not_paid_is_carried_over(self):
        self.deliver(1000, 2000)
        first = self.issued()
        self.assertEqual((first.previous_balance, first.received, first.balance), (0, 0, 3300))
        self.pay(2000, "2026-12-10")
        self.invoice((self.battery, 1, 500), day="2026-12-15")
        second = self.issued(Date.to_date("2026-12-31"))
        figures = ("previous_balance", "received", "carried_over", "base_total", "tax_total", "balance")
        self.assertEqual([second[name] for name in figures], [3300, 2000, 1300, 500, 50, 1850])
        said = self.content(second.document_id)["summary"]
        self.assertEqual(
            (said["previous_balance"], said["received"], said["carried_over"], said["this_period"], said["balance"]),
            (3300, 2000, 1300, 550, 1850),
        )
        self.assertEqual(len(said["deliveries"]), 1)
        self.assertEqual(self.owed(), 1850)

    def test_what_was_open_before_the_first_one(self):
        self.invoice((self.battery, 1, 1000), day="2026-09-10")
        self.deliver(1000)
        made = self.issued()
        self.assertEqual((made.previous_balance, made.received, made.balance), (1100, 0, 2200))
        self.assertEqual(len(made.move_ids), 1)

    def test_a_credit_note_is_taken_off(self):
        self.deliver(1333)
        self.invoice((self.battery, 1, 333), day="2026-11-25", move_type="out_refund")
        made = self.issued()
        self.assertEqual((made.base_total, made.tax_total, made.balance), (1000, 100, 1100))
        self.assertEqual(
            [row["amount"] for row in self.content(made.document_id)["summary"]["deliveries"]], [1333, -333]
        )
        self.assertEqual(self.owed(), 1100)

    def test_each_rate_by_itself(self):
        self.deliver(1333, 2666)
        self.deliver(101, product=self.rice)
        made = self.issued()
        self.assertEqual(self.rates(made.document_id), {"10": (3999, 399, 4398), "8R": (101, 8, 109)})
        marked = [line["is_reduced"] for line in self.content(made.document_id)["lines"]]
        self.assertEqual(sorted(marked), [False, False, True])

    def test_only_whose_closing_day_it_is_and_only_once(self):
        self.deliver(1000)
        self.assertFalse(self.make(Date.to_date("2026-11-20")))
        made = self.make()
        self.assertEqual((made.partner_id, made.period_from), (self.buyer, Date.to_date("2026-11-01")))
        self.assertFalse(self.make())

    def test_days_before_the_registration_are_on_a_paper_of_their_own(self):
        self.company.bridge_registration_from = "2026-11-15"
        self.deliver(1000, 2000)
        made = self.issued().sorted("closing_date")
        periods = [(Date.to_string(s.period_from), Date.to_string(s.closing_date)) for s in made]
        self.assertEqual(periods, [("2026-11-01", "2026-11-14"), ("2026-11-15", "2026-11-30")])
        self.assertEqual(made.document_id.sorted("period_from").mapped("is_qualified"), [False, True])
        self.assertEqual([s.balance for s in made], [1100, 3300])

    def test_what_was_issued_stays(self):
        moves = self.deliver(1333, 2666, 999)
        made = self.issued()
        for move in (moves[0], made.adjustment_id):
            with self.assertRaises(UserError):
                move.button_draft()
        with self.assertRaises(UserError):
            made.unlink()

    def test_a_draft_follows_what_is_posted_and_can_go(self):
        self.deliver(1000)
        made = self.make()
        self.deliver(0, 500)
        made.action_fill()
        self.assertEqual(made.balance, 1650)
        moves = made.move_ids
        made.unlink()
        self.assertFalse(moves.bridge_summary_id)

    def test_the_order_of_periods_is_kept(self):
        self.deliver(1000)
        self.make()
        later = self.Summary.create(
            {"partner_id": self.buyer.id, "period_from": "2026-12-01", "closing_date": "2026-12-31"}
        )
        with self.assertRaises(UserError):
            later.action_issue()

    def test_an_accountant_can_do_it_by_himself(self):
        user = new_test_user(
            self.env, "keiri", "base.group_user,account.group_account_invoice", company_id=self.company.id,
            company_ids=[(6, 0, self.company.ids)],
        )  # fmt: skip
        self.deliver(1333, 2666, 999)
        wizard = self.env["bridge.summary.wizard"].with_user(user).create({"closing_date": CLOSING})
        action = wizard.action_make()
        made = self.Summary.with_user(user).search(action["domain"])
        made.action_issue()
        self.assertEqual((made.state, made.balance, made.document_id.total), ("issued", 5497, 5497))
