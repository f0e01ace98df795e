# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from psycopg2 import errors

from odoo.exceptions import UserError, ValidationError
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import SQL, mute_logger

from ..models.bridge_entry_seal import LINE_FIELDS, LINE_LISTS, MOVE_FIELDS
from .document_case import DocumentCase
from .web_common import WebCase, line, order


@tagged("post_install", "-at_install")
class TestBooks(DocumentCase):
    """A Japanese company's posted entries are reversed and never edited, whatever is done to them is found."""

    def verify(self):
        self.env.flush_all()
        self.env["bridge.entry.seal"]._seal_noted()
        self.env["bridge.entry.seal"]._seal()
        return self.Document._verify_entries(self.company)

    def entry(self, journal, **more):
        """A posted entry without any document."""
        accounts = self.env["account.account"].search([("company_ids", "in", self.company.ids)], limit=2)
        move = self.env["account.move"].create(
            {
                "journal_id": journal.id,
                "line_ids": [
                    Command.create({"account_id": accounts[0].id, "name": "a", "debit": 100}),
                    Command.create({"account_id": accounts[1].id, "name": "b", "credit": 100}),
                ],
                **more,
            }
        )
        move.action_post()
        return move

    def journal(self, kind):
        return self.env["account.journal"].search([("company_id", "=", self.company.id), ("type", "=", kind)], limit=1)

    # -- defaults ----------------------------------------------------------------------------------
    def test_japanese_company_keeps_its_books(self):
        """Audit trail forced, sales and till journals hashed, new ones too; other countries as Odoo has them."""
        self.assertTrue(self.company.bridge_keeps_books)
        self.assertTrue(self.company.restrictive_audit_trail and self.company.force_restrictive_audit_trail)
        with self.assertRaises(ValidationError):
            self.company.restrictive_audit_trail = False
        sales = self.env["account.journal"].search([("company_id", "=", self.company.id), ("type", "=", "sale")])
        tills = self.stores.pos_config_id.journal_id
        self.assertTrue(sales and tills)
        self.assertEqual(set((sales | tills).mapped("restrict_mode_hash_table")), {True})
        other = self.env["res.company"].create({"name": "Other", "country_id": self.env.ref("base.be").id})
        self.assertFalse(other.bridge_keeps_books or other.restrictive_audit_trail)
        foreign = self.env["account.journal"].create(
            {"name": "Sales", "type": "sale", "code": "SAL", "company_id": other.id}
        )
        self.assertFalse(foreign.restrict_mode_hash_table)

    def test_it_can_be_switched_off(self):
        """Per company; what is hashed stays hashed."""
        self.company.bridge_keeps_books = False
        self.company.restrictive_audit_trail = False
        journal = self.env["account.journal"].create({"name": "New", "type": "sale", "code": "NEW"})
        self.assertFalse(journal.restrict_mode_hash_table)
        move = self.entry(self.journal("general"))
        self.assertEqual(self.verify(), [])
        move.button_draft()
        self.assertEqual(move.state, "draft")
        move.action_post()
        self.company.bridge_keeps_books = True
        self.assertTrue(self.company.restrictive_audit_trail and journal.restrict_mode_hash_table)
        self.assertEqual(self.verify(), [])

    def test_installed_into_running_books(self):
        """Entries from before are sealed; a journal with an entry taken back to draft is left alone."""
        self.company.bridge_keeps_books = False
        busy, calm = self.env["account.journal"].create(
            [{"name": name, "type": "sale", "code": name} for name in ("BUSY", "CALM")]
        )
        first = self.entry(busy)
        self.entry(busy)
        first.button_draft()
        old = self.entry(calm)
        self.env["res.company"].search([]).sudo()._bridge_keep_books()
        self.assertFalse(calm.restrict_mode_hash_table)
        self.company.bridge_keeps_books = True
        self.assertEqual((busy.restrict_mode_hash_table, calm.restrict_mode_hash_table), (False, True))
        self.assertEqual(self.verify(), [])
        self.env.cr.execute("UPDATE account_move SET ref = 'x' WHERE id = %s", [old.id])
        self.assertEqual([finding[:2] for finding in self.verify()], [(old, "ref")])
        first.action_post()
        self.assertEqual(first.state, "posted")

    # -- reversed, not edited ----------------------------------------------------------------------
    def test_posted_invoice_is_credited_not_edited(self):
        """Reset to draft is refused and says what to do; the credit note points to the invoice."""
        invoice = self.invoice((self.battery, 1, 438))
        self.assertTrue(invoice.inalterable_hash)
        self.assertFalse(invoice.show_reset_to_draft_button)
        with self.assertRaisesRegex(UserError, "credit note"):
            invoice.button_draft()
        with self.assertRaises(UserError):
            invoice.button_cancel()
        note = invoice._reverse_moves([{"invoice_date": invoice.invoice_date}], cancel=True)
        self.assertEqual((note.reversed_entry_id, note.state, note.move_type), (invoice, "posted", "out_refund"))
        self.assertEqual(invoice.payment_state, "reversed")

    def test_other_entries_are_reversed(self):
        """Vendor bills and miscellaneous entries, too; nothing posted is deleted."""
        for kind in ("purchase", "general"):
            move = self.entry(self.journal(kind))
            with self.subTest(kind=kind), self.assertRaises(UserError):
                move.button_draft()
            back = move._reverse_moves()
            back.action_post()
            self.assertEqual(back.reversed_entry_id, move)
            with self.assertRaises(UserError):
                move.unlink()

    def test_money_entry_taken_back(self):
        """Odoo corrects payments by posting them again: allowed, and every state stays in the seals."""
        move = self.entry(self.journal("bank"))
        self.verify()
        move.button_draft()
        self.verify()
        move.line_ids[0].name = "other"
        move.action_post()
        self.assertEqual(self.verify(), [])
        seals = self.env["bridge.entry.seal"].search([("move_id", "=", move.id)], order="id")
        self.assertEqual(seals.mapped("kind"), ["posted", "reopened", "posted"])
        move.ref = "noted later"
        self.assertEqual(self.verify(), [])
        self.assertEqual(self.env["bridge.entry.seal"].search([("move_id", "=", move.id)], limit=1).kind, "amended")

    def test_merged_contact_is_an_amendment(self):
        """Odoo replaces a merged contact in entries past its own ORM; that is no tampering."""
        twin = self.env["res.partner"].create({"name": "株式会社買手"})
        move = self.entry(self.journal("bank"), partner_id=twin.id)
        move.line_ids.partner_id = twin
        self.assertEqual(self.verify(), [])
        wizard = self.env["base.partner.merge.automatic.wizard"].create({})
        wizard._update_foreign_keys_generic("res.partner", twin, self.buyer)
        self.env.invalidate_all()
        self.assertEqual(move.partner_id, self.buyer)
        self.assertEqual(self.verify(), [])
        self.assertEqual(self.env["bridge.entry.seal"].search([("move_id", "=", move.id)], limit=1).kind, "amended")

    def test_gap_in_numbers_stops_no_sale(self):
        """A number that is missing from before the journal was hashed does not hinder posting."""
        self.company.bridge_keeps_books = False
        journal = self.env["account.journal"].create({"name": "Gap", "type": "sale", "code": "GAP"})
        moves = [self.entry(journal) for _ in range(3)]
        self.env.cr.execute("DELETE FROM account_move WHERE id = %s", [moves[1].id])
        self.env.invalidate_all()
        self.company.bridge_keeps_books = True
        self.assertTrue(self.entry(journal).inalterable_hash)

    # -- journals ----------------------------------------------------------------------------------
    def test_each_till_has_its_journal(self):
        """Tills made in a Japanese company do not share one; a button gives it to those from before."""
        journals = self.stores.pos_config_id.mapped("journal_id")
        self.assertEqual(len(journals), 2)
        self.assertEqual(set(journals.mapped("type")), {"general"})
        common = self.env["account.journal"]._ensure_company_account_journal()
        old = self.env["pos.config"].create({"name": "From before", "journal_id": common.id})
        self.assertEqual(old.journal_id, common)
        self.env["res.config.settings"].create({}).action_bridge_own_journals()
        self.assertEqual(old.journal_id.name, "From before")
        self.assertTrue(old.journal_id.restrict_mode_hash_table)
        self.assertEqual(self.stores.pos_config_id.mapped("journal_id"), journals)

    def test_company_without_chart_gets_no_journals(self):
        company = self.env["res.company"].create({"name": "New", "country_id": self.env.ref("base.jp").id})
        self.assertTrue(company.bridge_keeps_books)
        channel = self.env["bridge.channel"].create(
            {"name": "W", "system": self.channel.system, "company_id": company.id}
        )
        self.assertFalse(channel.sale_journal_id)

    # -- entries and documents ---------------------------------------------------------------------
    def test_entry_of_a_day_links_to_its_documents(self):
        """Both ways: the entry lists its receipts, a receipt names its entry; an open day has none yet."""
        orders = [self.order(e) for e in self.book(*(self.sale(self.line(self.tea, 138)) for _ in range(3)))]
        documents = self.documents(self.env["pos.order"].union(*orders))
        self.assertFalse(documents.entry_id)
        session = orders[0].session_id
        self.assertTrue(session._bridge_closing()._close(is_forced=True))
        documents.invalidate_recordset(["entry_id"])
        self.assertEqual(documents.entry_id, session.move_id)
        self.assertEqual(session.move_id.sudo().bridge_day_document_ids, documents)
        invoice = self.invoice((self.battery, 1, 438))
        self.assertEqual(invoice.sudo().bridge_day_document_ids, self.documents(invoice))
        self.assertEqual(self.documents(invoice).entry_id, invoice)

    # -- tampering ---------------------------------------------------------------------------------
    def _other_value(self, model, name, record):
        """SQL for a different value of a field."""
        field, column = self.env[model]._fields[name], SQL.identifier(name)
        if field.type == "many2one":
            comodel = SQL.identifier(self.env[field.comodel_name]._table)
            return SQL("(SELECT id FROM %s WHERE id IS DISTINCT FROM %s ORDER BY id LIMIT 1)", comodel,
                       record[name].id or None)  # fmt: skip
        if field.type == "boolean":
            return SQL("NOT coalesce(%s, false)", column)
        if field.type == "date":
            return SQL("coalesce(%s, '2026-01-01'::date) + 1", column)
        if field.type == "datetime":
            return SQL("coalesce(%s, '2026-01-01'::timestamp) + interval '1 day'", column)
        if field.type in ("monetary", "float", "integer"):
            return SQL("coalesce(%s, 0) + 1", column)
        if field.type == "selection":
            others = [key for key, _label in field._description_selection(self.env) if key != record[name]]
            return SQL("%s", others[0])
        return SQL("coalesce(%s, '') || 'x'", column)

    def _tamper(self, model, name, records):
        """Change one field of one of the records by SQL, inside a savepoint that is rolled back; the findings."""
        table = SQL.identifier(self.env[model]._table)
        for record in records:
            savepoint = self.env.cr.savepoint()
            try:
                self.env.cr.execute(SQL("UPDATE %s SET %s = %s WHERE id = %s", table, SQL.identifier(name),
                                        self._other_value(model, name, record), record.id))  # fmt: skip
                return [finding[:2] for finding in self.Document._verify_entries(self.company)]
            except (errors.CheckViolation, errors.NotNullViolation, errors.UniqueViolation):
                continue  # e.g. a line with debit has no credit: another one will do
            finally:
                savepoint.close(rollback=True)
        raise AssertionError(f"{model}.{name} could not be changed")

    def _make_others(self):
        """Something else to point to, for every field that points to something."""
        paid = self.invoice((self.rice, 1, 151))
        wizard = self.env["account.payment.register"].with_context(active_model="account.move", active_ids=paid.ids)
        wizard.create({"journal_id": self.journal("bank").id}).action_create_payments()
        self.env["account.bank.statement.line"].create({"journal_id": self.journal("bank").id, "amount": 1})
        self.env["account.cash.rounding"].create({"name": "R", "rounding": 1})
        self.sell_own(self.own_session(), self.brush, 1, 330, 30)

    @mute_logger("odoo.sql_db")
    def test_any_field_of_an_entry_changed_is_found(self):
        """Every sealed field of an invoice and of its items, changed by SQL, is found and named, and nothing else."""
        invoice = self.invoice((self.battery, 1, 438), (self.tea, 2, 276))
        self._make_others()
        self.assertEqual(self.verify(), [])
        for name in MOVE_FIELDS:
            with self.subTest(field=name):
                self.assertEqual(self._tamper("account.move", name, invoice), [(invoice, name)])
        lines = invoice.line_ids
        for name in LINE_FIELDS:
            with self.subTest(line_field=name):
                self.assertEqual(self._tamper("account.move.line", name, lines), [(invoice, f"line_ids.{name}")])
        self.assertEqual(self.verify(), [])

    def test_taxes_tags_and_lines_changed_are_found(self):
        """Odoo's own hash knows neither taxes nor tags; added, removed and moved lines are found as well."""
        invoice = self.invoice((self.battery, 1, 438), (self.tea, 2, 276))
        other = self.entry(self.journal("general"))
        self.assertEqual(self.verify(), [])
        line = invoice.line_ids.filtered("tax_ids")[0]
        for name, (table, own, _other) in LINE_LISTS.items():
            with self.subTest(field=name):
                savepoint = self.env.cr.savepoint()
                self.env.cr.execute(
                    SQL("DELETE FROM %s WHERE %s = %s", SQL.identifier(table), SQL.identifier(own), line.id)
                )
                found = self.Document._verify_entries(self.company)
                self.assertEqual([finding[:2] for finding in found], [(invoice, f"line_ids.{name}")])
                self.assertIn(invoice.name, found[0][2])
                savepoint.close(rollback=True)
        statements = (
            ("UPDATE account_move_line SET move_id = %s WHERE id = %s", [other.id, line.id], invoice | other),
            ("DELETE FROM account_move_line WHERE id = %s", [line.id], invoice),
            ("DELETE FROM account_move WHERE id = %s", [other.id], other),
            ("DELETE FROM bridge_entry_seal WHERE move_id = %s", [other.id], other),
        )
        for statement, values, named in statements:
            with self.subTest(statement=statement):
                savepoint = self.env.cr.savepoint()
                self.env.cr.execute(statement, values)
                found = self.Document._verify_entries(self.company)
                moves = [record.id for record, *_rest in found if record._name == "account.move"]
                self.assertEqual(sorted(moves), sorted(named.ids))
                savepoint.close(rollback=True)

    @mute_logger("odoo.sql_db")
    def test_any_field_of_a_seal_changed_is_found(self):
        """Whoever changes entry and seal alike breaks the chain."""
        moves = [self.entry(self.journal("general")) for _ in range(3)]
        self.assertEqual(self.verify(), [])
        seal = self.env["bridge.entry.seal"].search([("move_id", "=", moves[1].id)])
        text = seal.content.replace("100", "900")
        self.assertNotEqual(text, seal.content)
        values = {
            "content": text, "move_name": "other", "kind": "amended", "move_id": moves[2].id, "sealed_at": "2026-01-01",
            "previous_hash": "0" * 64, "hash": "0" * 64, "position": 99,
        }  # fmt: skip
        for name, value in values.items():
            with self.subTest(field=name):
                savepoint = self.env.cr.savepoint()
                self.env.cr.execute(
                    SQL("UPDATE bridge_entry_seal SET %s = %s WHERE id = %s", SQL.identifier(name), value, seal.id)
                )
                self.assertTrue(self.Document._verify_entries(self.company))
                savepoint.close(rollback=True)
        for change in (lambda: seal.write({"kind": "amended"}), seal.unlink):
            with self.assertRaises(UserError):
                change()

    def test_posted_behind_our_back(self):
        """An entry that was made posted by SQL has no seal."""
        move = self.env["account.move"].create({"journal_id": self.journal("general").id, "date": "2026-11-20"})
        self.env.flush_all()
        self.env.cr.execute("UPDATE account_move SET state = 'posted' WHERE id = %s", [move.id])
        self.assertEqual([finding[:2] for finding in self.verify()], [(move, "state")])

    def test_sealed_at_commit(self):
        """The seal is written with the entry, in its transaction."""
        move = self.entry(self.journal("general"))
        self.env.cr.precommit.run()
        seal = self.env["bridge.entry.seal"].search([("move_id", "=", move.id)])
        self.assertEqual((seal.kind, bool(seal.hash), seal.move_name), ("posted", True, move.name))


@tagged("post_install", "-at_install")
class TestWebJournal(WebCase):
    def test_web_channel_invoices_in_its_own_journal(self):
        """Made with the channel, named after it; orders of other channels and salespeople are not concerned."""
        journal = self.channel.sale_journal_id
        self.assertEqual((journal.name, journal.type), (self.channel.name, "sale"))
        sale = self.booked(order("J1", line("a", self.mug, 1, 330), paid="card"))
        self.assertEqual(sale.invoice_ids.journal_id, journal)
