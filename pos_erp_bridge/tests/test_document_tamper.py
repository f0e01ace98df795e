# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from datetime import date, datetime, timedelta

from odoo.service.model import call_kw
from odoo.tests import tagged
from odoo.tools import SQL

from .document_case import DocumentCase

TABLES = ("bridge_document", "bridge_document_rate", "bridge_document_rendering", "bridge_document_superseded_rel")


@tagged("post_install", "-at_install")
class TestDocumentTamper(DocumentCase):
    """Any column of any row that is changed behind Odoo's back is found and named."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        session = cls.own_session()
        order = cls.sell_own(cls, session, cls.brush, 1, 327, 29)
        cls.receipt = order.sudo().bridge_document_ids
        order.partner_id = cls.buyer
        order.with_context(generate_pdf=False).action_pos_order_invoice()
        cls.document = order.account_move.sudo().bridge_document_ids
        cls.paper = cls.document._freeze(b"%PDF 1")
        cls.document._freeze(b"%PDF 2")
        cls.last = cls.sell_own(cls, session, cls.battery, 1, 438, 39).sudo().bridge_document_ids
        cls.Document._seal()
        cls.env["bridge.document.rendering"]._seal()
        cls.drop_foreign_keys()

    @classmethod
    def drop_foreign_keys(cls):
        """Whoever changes a database by hand can switch them off; the transaction is rolled back in the end."""
        query = SQL(
            """SELECT conrelid::regclass::text, conname FROM pg_constraint
                WHERE contype = 'f' AND (conrelid::regclass::text = ANY(%s) OR confrelid::regclass::text = ANY(%s))""",
            list(TABLES), list(TABLES),
        )  # fmt: skip
        for table, name in cls.env.execute_query(query):
            cls.env.cr.execute(SQL("ALTER TABLE %s DROP CONSTRAINT %s", SQL.identifier(table), SQL.identifier(name)))

    def verify(self):
        self.env.invalidate_all()
        return self.Document._verify(self.company)

    def row(self, table, key, row_id):
        self.env.cr.execute(SQL("SELECT * FROM %s WHERE %s = %s", SQL.identifier(table), SQL.identifier(key), row_id))
        return self.env.cr.dictfetchone()

    def change_each(self, table, key, row_id, check):
        """Change each column of a row once, and empty it where it may be: ``check(column, findings)`` every time."""
        query = SQL(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_nullable = 'YES'", table
        )
        nullable = {name for (name,) in self.env.execute_query(query)}
        for column, value in self.row(table, key, row_id).items():
            for new in [self.other(column, value), *([None] if column in nullable and value is not None else [])]:
                with self.subTest(column=f"{table}.{column}", value=new):
                    with self.env.cr.savepoint() as savepoint:
                        names = SQL.identifier(table), SQL.identifier(column)
                        update = SQL("UPDATE %s SET %s = %s WHERE %s = %s", *names, new, SQL.identifier(key), row_id)
                        self.env.cr.execute(update)
                        self.assertEqual(self.env.cr.rowcount, 1)
                        findings = self.verify()
                        savepoint.rollback()
                        self.env.invalidate_all()
                    check(column, findings)

    @staticmethod
    def other(column, value):
        """Another value of the same kind, one that no constraint forbids."""
        if value is None:
            texts = ("period_from", "period_to")
            return date(2026, 11, 1) if column in texts else 1
        if isinstance(value, bool):
            return not value
        if isinstance(value, int):
            return value + 100_000
        if isinstance(value, (date, datetime)):
            return value + timedelta(days=1)
        return {
            "type": "summary", "relation": "correct", "basis": "excluded", "rounding": "up", "category": "0X",
            "kind": "png",
        }.get(column, f"{value}x")  # fmt: skip

    def ids(self, findings, model="bridge.document"):
        return {(record.id, field) for record, field, _sentence in findings if record._name == model}

    def test_untouched(self):
        """Nothing is found where nothing was changed, and looking changes nothing."""
        self.assertEqual(self.verify(), [])
        self.assertEqual(self.document.position + 1, self.last.position)
        self.assertEqual(self.document.previous_hash, self.receipt.hash)

    def test_every_column_of_a_document(self):
        for document in (self.document, self.last):

            def check(column, findings, document=document):
                # The last one's hash and content are told apart by nothing that follows.
                column = "content" if (document, column) == (self.last, "hash") else column
                self.assertNamed(findings, document, column)
                self.assertTrue(all(sentence for _record, _field, sentence in findings))

            self.change_each("bridge_document", "id", document.id, check)

    def assertNamed(self, findings, record, column):
        """The row and the column are named; of a row whose id was changed, the column."""
        found = self.ids(findings, record._name)
        self.assertIn(column, {field for _id, field in found})
        if column != "id":
            self.assertIn((record.id, column), found)

    def test_every_column_of_a_rate(self):
        def check(column, findings):
            self.assertIn((self.document.id, f"rate_ids.{column}"), self.ids(findings))

        self.change_each("bridge_document_rate", "id", self.document.rate_ids[0].id, check)

    def test_every_column_of_a_paper(self):
        def check(column, findings):
            self.assertNamed(findings, self.paper, column)

        self.change_each("bridge_document_rendering", "id", self.paper.id, check)

    def test_link_to_the_receipt(self):
        def check(column, findings):
            self.assertIn((self.document.id, "superseded_ids"), self.ids(findings))

        self.change_each("bridge_document_superseded_rel", "document_id", self.document.id, check)

    def test_any_byte_of_the_content(self):
        """Also one no column repeats, such as a letter of a product's name or a space."""
        text = self.document.content
        for new in (
            text.replace(self.brush.name, "歯ブラシ かため"),
            text + " ",
            text.replace('"lines":[', '"lines":[ '),
        ):
            self.assertNotEqual(new, text)
            self.env.cr.execute("SAVEPOINT tamper")
            self.env.cr.execute("UPDATE bridge_document SET content = %s WHERE id = %s", [new, self.document.id])
            self.assertIn((self.document.id, "content"), self.ids(self.verify()))
            self.env.cr.execute("ROLLBACK TO SAVEPOINT tamper")

    def test_printed_file(self):
        """Another file in place of the one that was printed."""
        self.paper.attachment_id.sudo().raw = b"%PDF other"
        self.assertEqual(self.ids(self.verify(), "bridge.document.rendering"), {(self.paper.id, "attachment_id")})

    def test_deleted_documents(self):
        """In the middle the chain has a gap; at the end the sale has no document."""
        self.env.cr.execute("SAVEPOINT tamper")
        self.delete(self.receipt)
        self.assertIn("position", {field for _record, field, _text in self.verify()})
        self.env.cr.execute("ROLLBACK TO SAVEPOINT tamper")
        order = self.last.pos_order_id
        self.delete(self.last)
        self.assertEqual(self.ids(self.verify(), "pos.order"), {(order.id, "bridge_document_ids")})

    def delete(self, document):
        self.env.cr.execute("DELETE FROM bridge_document_rate WHERE document_id = %s", [document.id])
        self.env.cr.execute("DELETE FROM bridge_document WHERE id = %s", [document.id])

    def test_row_of_a_rate_added(self):
        self.env.cr.execute(
            """INSERT INTO bridge_document_rate (document_id, category, percent, is_reduced, base, tax, total)
               VALUES (%s, '0X', 0, false, 0, 0, 0)""",
            [self.document.id],
        )
        self.assertEqual(self.ids(self.verify()), {(self.document.id, "rate_ids")})

    def test_screen_names_the_document(self):
        """The button says that all is well, or names what is broken."""
        Document = self.Document.with_context(allowed_company_ids=self.company.ids)
        # As the button of the list calls it: with what is marked there.
        press = lambda: call_kw(Document, "action_verify", [[]], {})  # noqa: E731
        self.assertEqual(press()["params"]["type"], "success")
        self.env.cr.execute("UPDATE bridge_document SET total = total + 1 WHERE id = %s", [self.document.id])
        self.env.invalidate_all()
        params = press()["params"]
        self.assertEqual(params["type"], "danger")
        self.assertIn(self.document.number, params["message"])
        self.assertEqual(params["next"]["domain"], [("id", "in", self.document.ids)])


@tagged("post_install", "-at_install")
class TestChainEnd(DocumentCase):
    def test_newest_rows_that_are_gone(self):
        """A correction nothing follows yet: its place was noted in the night, and something else is no stand-in."""
        session = self.own_session()
        first = self.documents(self.sell_own(session, self.brush, 1, 327, 29))
        second = self.documents(self.sell_own(session, self.battery, 1, 438, 39))
        correction = first.action_correct("宛名の記載もれ").sudo()
        self.Document._seal()
        self.env["bridge.tie.out"]._cron_check()
        self.assertEqual(self.Document._verify(self.company), [])
        self.env.cr.execute("DELETE FROM bridge_document_rate WHERE document_id = %s", [correction.id])
        self.env.cr.execute("DELETE FROM bridge_document WHERE id = %s", [correction.id])
        self.env.invalidate_all()
        gone = (self.Document, "position")
        self.assertIn(gone, [finding[:2] for finding in self.Document._verify(self.company)])
        self.env["bridge.tie.out"]._cron_check()
        self.assertIn(gone, [finding[:2] for finding in self.Document._verify(self.company)], "not forgotten")
        other = second.action_correct("品名の誤り").sudo()
        self.assertIn((other, "position"), [finding[:2] for finding in self.Document._verify(self.company)])
