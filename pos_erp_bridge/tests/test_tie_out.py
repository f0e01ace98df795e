# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from datetime import date, timedelta

from odoo.fields import Command
from odoo.tests import freeze_time, new_test_user, tagged

from .common import DAY, TOKYO
from .document_case import DocumentCase
from .month import Month, book, close, goods

DAYS, RECEIPTS = 3, 40
LAST = DAY + timedelta(days=DAYS - 1)


class TieOutCase(DocumentCase):
    def check(self, date_from=DAY, date_to=LAST):
        return self.env["bridge.tie.out"]._check(self.company, date_from, date_to)

    def close(self, session):
        closing = session._bridge_closing()
        self.assertTrue(closing._close(is_forced=True), closing.message)

    def rates_of(self, day):
        return {
            rate.percent: [
                (rate[f"{side}_base"], rate[f"{side}_tax"], rate[f"{side}_total"])
                for side in ("document", "entry", "report")
            ]
            for rate in day.rate_ids
        }

    def sql(self, query, *values):
        self.env.flush_all()
        self.env.cr.execute(query, values)
        self.env.invalidate_all()


@tagged("post_install", "-at_install")
class TestMonth(TieOutCase):
    """A stretch of business with all that makes tax difficult: register, journals and tax report, to the yen."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        third = cls.env["bridge.store"].create(
            {"channel_id": cls.channel.id, "external_id": "3", "name": "店舗3", "location_id": cls.location.id}
        )
        journal = cls.env["account.journal"].create({"name": "現金3", "type": "cash", "code": "CSH3"})
        cash = cls.env["pos.payment.method"].create({"name": "現金 店舗3", "journal_id": journal.id})
        third.pos_config_id = cls.env["pos.config"].create(
            {"name": third.name, "payment_method_ids": [Command.set((cash | cls.card | cls.points).ids)]}
        )
        month = Month(goods(cls.products.values()), ("1", "2", "3"), DAY)
        cls.sales = [sale for number in range(DAYS) for sale in month.day(number, RECEIPTS)]
        cls.sessions = book(cls.channel, cls.sales).session_id
        close(cls.sessions)
        # As autovacuum does with what is committed: else the database plans for tables it believes to be empty, and
        # the same comparison takes minutes on one machine and a second on another.
        cls.env.flush_all()
        cls.env.cr.execute(
            "ANALYZE account_move, account_move_line, pos_order, pos_session, bridge_document, bridge_document_rate,"
            " bridge_document_superseded_rel, bridge_summary_invoice, account_move_line_account_tax_rel,"
            " account_account_tag_account_move_line_rel, bridge_entry_seal"
        )

    def test_month_ties_out(self):
        """Nine days of stores, each rate: documents as printed = journal items = tax report; the output tax follows."""
        kinds = {(bool(s.original_id), s.sold_at.astimezone(TOKYO).date() > s.business_date) for s in self.sales}
        self.assertEqual(len(kinds), 4, "returns and sales, before and after midnight")
        days = self.check()
        self.assertEqual(len(days), 3 * DAYS)
        self.assertEqual((set(days.mapped("state")), sum(days.mapped("gap"))), ({"ok"}, 0), days.mapped("message"))
        said = {8: [0, 0], 10: [0, 0]}
        for sale in self.sales:
            for tax in sale.taxes:
                said[tax.rate] = [said[tax.rate][0] + tax.total, said[tax.rate][1] + tax.tax]
        for side in ("document", "entry", "report"):
            for percent, (total, tax) in said.items():
                rates = days.rate_ids.filtered(lambda r, percent=percent: r.percent == percent)
                sums = sum(rates.mapped(f"{side}_total")), sum(rates.mapped(f"{side}_tax"))
                self.assertEqual(sums, (total, tax), (side, percent))
        self.assertEqual(self.env["bridge.document"]._verify(self.company), [])
        output = self.env["bridge.output.tax"].create({"date_from": DAY, "date_to": LAST + timedelta(days=1)})
        figures = {rate["percent"]: rate for rate in output._figures()["rates"]}
        for percent, (total, tax) in said.items():
            self.assertEqual((figures[percent]["total"], figures[percent]["tax"]), (total, tax))
            base = total * 100 // (100 + percent) // 1000 * 1000
            self.assertEqual(figures[percent]["base"], base)
            self.assertEqual(figures[percent]["division"], base * {10: 780, 8: 624}[percent] // 10000)
            self.assertEqual(figures[percent]["accumulation"], tax * 78 // 100)
        self.assertIn(f"{said[10][0]:,}", output.table)

    def test_one_yen_in_a_document(self):
        """One document a yen off, by SQL: its day is red and names it; the others are not."""
        document = self.sessions[0].order_ids.sudo().bridge_document_ids[5]
        for statement in (
            "UPDATE bridge_document_rate SET tax = tax + 1 WHERE id = (SELECT min(id) FROM bridge_document_rate"
            " WHERE document_id = %s)",
            "UPDATE bridge_document SET tax_total = tax_total + 1, base_total = base_total - 1 WHERE id = %s",
            "UPDATE bridge_document SET total = total - 1 WHERE id = %s",
        ):
            with self.subTest(statement=statement):
                savepoint = self.env.cr.savepoint()
                self.sql(statement, document.id)
                red = self.check().filtered(lambda day: day.state == "red")
                self.assertEqual(red.mapped("journal_id"), self.sessions[0].config_id.journal_id)
                self.assertEqual((len(red), red.date), (1, self.sessions[0].move_id.date))
                self.assertEqual(red.document_ids, document)
                self.assertIn(document.number, red.message)
                savepoint.close(rollback=True)
                self.env.invalidate_all()

    def test_one_yen_in_an_entry(self):
        """An amount, a tax or a tag of the entry changed by SQL: red, and the entry, item and field are named."""
        entry = self.sessions[1].move_id
        self.env["bridge.entry.seal"]._seal_noted()
        line = entry.line_ids.filtered("tax_line_id")[0]
        tags = "account_account_tag_account_move_line_rel"
        for statement, field in (
            ("UPDATE account_move_line SET balance = balance - 1, credit = credit + 1 WHERE id = %s", "Credit"),
            (f"DELETE FROM {tags} WHERE account_move_line_id = %s", "Tags"),
        ):
            with self.subTest(statement=statement):
                savepoint = self.env.cr.savepoint()
                self.sql(statement, line.id)
                red = self.check().filtered(lambda day: day.state == "red")
                self.assertEqual((len(red), red.entry_ids, len(red.document_ids)), (1, entry, 0))
                self.assertIn(entry.name, red.message)
                self.assertIn(field, red.message)
                savepoint.close(rollback=True)
                self.env.invalidate_all()

    def test_red_day_is_told_once_and_settled(self):
        """The nightly check raises one activity for a red day; when it ties out again the activity is done."""
        session = self.sessions[0]
        rate = session.order_ids.sudo().bridge_document_ids[0].rate_ids[0]
        with freeze_time("2026-11-28 01:00:00"):
            self.sql("UPDATE bridge_document_rate SET tax = tax + 1, total = total + 1 WHERE id = %s", rate.id)
            for _night in range(2):
                self.env["bridge.tie.out"]._cron_check()
            day = self.env["bridge.tie.out"].search([("company_id", "=", self.company.id), ("state", "=", "red")])
            self.assertEqual((len(day), len(day.activity_ids)), (1, 1))
            self.assertIn(rate.document_id.number, day.activity_ids.note)
            self.sql("UPDATE bridge_document_rate SET tax = tax - 1, total = total - 1 WHERE id = %s", rate.id)
            self.env["bridge.tie.out"]._cron_check()
        self.assertEqual((day.state, len(day.activity_ids), day.message), ("ok", 0, False))


@tagged("post_install", "-at_install")
class TestTieOut(TieOutCase):
    """Each way a document comes into the books."""

    def test_open_day_is_not_red(self):
        """What is not booked yet is said, and is no difference."""
        order = self.order(self.book(self.sale(self.line(self.tea, 138))))
        day = self.check()
        self.assertRecordValues(day, [{"state": "open", "open_count": 1, "open_total": 138, "gap": 0}])
        self.close(order.session_id)
        self.assertRecordValues(self.check(), [{"state": "ok", "open_count": 0, "total": 138, "gap": 0}])
        self.assertEqual(self.rates_of(self.check()), {8: [(128, 10, 138)] * 3})

    def test_invoices_and_credit_notes(self):
        """Invoices of any sales journal count by their own date; a credit note takes off."""
        invoice = self.invoice((self.battery, 3, 438), (self.tea, 1, 138), day="2026-11-20")
        invoice._reverse_moves([{"invoice_date": DAY, "date": DAY}], cancel=True)
        self.invoice((self.battery, 1, 438), day="2026-11-21")
        days = self.check().sorted("date")
        self.assertEqual(days.mapped("state"), ["ok", "ok"])
        self.assertEqual((days.mapped("total"), self.rates_of(days[1])), ([0, 438], {10: [(399, 39, 438)] * 3}))

    def test_changed_and_voided_receipts(self):
        """What takes a receipt back, and the correction that replaces it, are both booked and both count."""
        from dataclasses import replace

        sale, other = self.sale(self.line(self.tea, 138)), self.sale(self.line(self.battery, 438))
        order = self.order(self.book(sale, other)[0])
        self.book(replace(self.sale(self.line(self.tea, 276, 2)), external_id=sale.external_id, version="2"))
        self.book(replace(other, version="2", state="void"))
        self.close(order.session_id)
        day = self.check()
        self.assertEqual((day.state, self.rates_of(day)), ("ok", {8: [(256, 20, 276)] * 3}))

    def test_odoos_own_till_agrees(self):
        """A session of Odoo's own till: the entry holds the tax of each receipt as printed, not of their sum."""
        session = self.own_session()
        for amount, tax in ((105, 9), (105, 9), (109, 9)):
            self.sell_own(session, self.brush, 1, amount, tax)
        session.post_closing_cash_details(319)
        with freeze_time("2026-11-20 15:30:00"):  # half past midnight in Japan
            self.assertEqual(session.close_session_from_ui(), {"successful": True})
        self.assertEqual(session.move_id.date, date(2026, 11, 21))
        day = self.check()
        self.assertEqual((day.state, day.message), ("ok", False))
        self.assertEqual(self.rates_of(day), {10: [(292, 27, 319)] * 3})

    def test_receipt_invoiced_before_and_after_closing(self):
        """The invoice replaces the receipt: its session leaves it out, or an entry of its own takes it out again."""
        session = self.own_session()
        early, late, plain = (self.sell_own(session, self.brush, 1, 330, 30) for _ in range(3))
        (early | late).partner_id = self.buyer
        with freeze_time("2026-11-20 09:00:00"):
            early.action_pos_order_invoice()
            session.post_closing_cash_details(990)
            session.close_session_from_ui()
        day = self.check()
        self.assertEqual(set(day.mapped("state")), {"ok"}, day.mapped("message"))
        with freeze_time("2026-11-22 09:00:00"):
            late.action_pos_order_invoice()
        days = self.check()
        self.assertEqual(set(days.mapped("state")), {"ok"}, days.mapped("message"))
        self.assertEqual(sum(days.mapped("total")), 990)
        till = days.filtered(lambda d: d.journal_id == session.config_id.journal_id)
        self.assertEqual({d.date.day: d.total for d in till}, {20: 660, 22: -330})
        self.assertEqual(self.documents(plain).entry_id, session.move_id)

    def test_entry_without_a_document(self):
        """Sales tax booked by hand has no document: red, and the entry is named."""
        self.invoice((self.battery, 1, 438))
        accounts = self.env["account.account"].search([("company_ids", "in", self.company.ids)])
        income = accounts.filtered(lambda a: a.account_type == "income")[0]
        bank = accounts.filtered(lambda a: a.account_type == "asset_current")[0]
        move = self.env["account.move"].create(
            {
                "date": DAY,
                "line_ids": [
                    Command.create({"account_id": bank.id, "debit": 110}),
                    Command.create({"account_id": income.id, "credit": 100, "tax_ids": [Command.set(self.tax10.ids)]}),
                ],
            }
        )
        move.action_post()
        red = self.check().filtered(lambda day: day.state == "red")
        self.assertEqual(red.entry_ids, move)
        self.assertIn(move.name, red.message)

    def test_reader_with_his_own_rights(self):
        """An auditor reads days and output tax, checks again, and writes nothing; other companies stay unseen."""
        self.invoice((self.battery, 1, 438))
        day = self.check()
        groups = "base.group_user,pos_erp_bridge.group_bridge_auditor"
        auditor = new_test_user(
            self.env, "tie_auditor", groups, company_id=self.company.id, company_ids=[Command.set(self.company.ids)]
        )
        mine = day.with_user(auditor)
        mine.action_check()
        self.assertEqual((mine.state, mine.rate_ids.document_total), ("ok", 438))
        output = self.env["bridge.output.tax"].with_user(auditor).create({"date_from": DAY, "date_to": LAST})
        self.assertIn("438", output.table)
        other = self.env["res.company"].create({"name": "Other"})
        output.sudo().company_id = other
        self.assertEqual(output._figures()["rates"], [])
