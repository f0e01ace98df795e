# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""A seal per posted entry: all of it, taxes, tax base and tags included, which Odoo's own hash leaves out."""

import json

from odoo import api, fields, models
from odoo.tools import SQL

DATA_KEY = "pos_erp_bridge.entry_seal"
BATCH = 500

# What is sealed. Left out is what goes on living after an entry is posted: reconciliation (residuals, matching, payment
# state), how it was sent, who last touched it, and texts for the screen.
MOVE_FIELDS = (
    "name", "ref", "state", "move_type", "date", "invoice_date", "invoice_date_due", "delivery_date", "journal_id",
    "company_id", "partner_id", "commercial_partner_id", "currency_id", "invoice_currency_rate", "fiscal_position_id",
    "invoice_payment_term_id", "invoice_cash_rounding_id", "amount_untaxed", "amount_tax", "amount_total",
    "amount_untaxed_signed", "amount_untaxed_in_currency_signed", "amount_tax_signed", "amount_total_signed",
    "amount_total_in_currency_signed", "reversed_entry_id", "reversed_pos_order_id", "origin_payment_id",
    "statement_line_id", "tax_cash_basis_rec_id", "tax_cash_basis_origin_move_id", "invoice_origin",
    "payment_reference", "narration", "always_tax_exigible", "posted_before", "sequence_prefix", "sequence_number",
    "inalterable_hash", "create_date", "create_uid",
)  # fmt: skip
LINE_FIELDS = (
    "name", "ref", "move_name", "parent_state", "date", "invoice_date", "date_maturity", "journal_id", "company_id",
    "account_id", "partner_id", "currency_id", "company_currency_id", "debit", "credit", "balance", "amount_currency",
    "tax_line_id", "tax_repartition_line_id", "group_tax_id", "tax_base_amount", "product_id", "product_uom_id",
    "quantity", "price_unit", "price_subtotal", "price_total", "discount", "display_type", "sequence", "is_storno",
    "payment_id", "statement_line_id", "create_date", "create_uid",
)  # fmt: skip
# {field of a line: (table, column of the line, column of the other)}: sealed as sorted lists of ids.
LINE_LISTS = {
    "tax_ids": ("account_move_line_account_tax_rel", "account_move_line_id", "account_tax_id"),
    "tax_tag_ids": ("account_account_tag_account_move_line_rel", "account_move_line_id", "account_account_tag_id"),
}
MOVE_COLUMNS, LINE_COLUMNS = frozenset(MOVE_FIELDS), frozenset(LINE_FIELDS)


class BridgeEntrySeal(models.Model):
    """What an entry was when it was posted, amended or taken back to draft; append only, in a chain per company."""

    _name = "bridge.entry.seal"
    _inherit = ["bridge.chained"]
    _description = "Seal of a posted entry"
    _order = "id desc"
    _rec_name = "move_name"
    _log_access = False

    # A plain number: an entry that was deleted must not take its seal along, nor be held by it.
    move_id = fields.Integer("Entry id", required=True, readonly=True, index=True)
    move_name = fields.Char("Entry", readonly=True)
    kind = fields.Selection(
        [("posted", "Posted"), ("amended", "Amended"), ("reopened", "Taken back to draft")],
        "Event", required=True, readonly=True,
    )  # fmt: skip
    sealed_at = fields.Datetime(required=True, readonly=True)
    user_id = fields.Many2one("res.users", "Who", required=True, readonly=True, ondelete="restrict")

    _place_uniq = models.UniqueIndex("(company_id, position)")

    # -- noting ------------------------------------------------------------------------------------
    @api.model
    def _note(self, move_ids=(), line_ids=()):
        """Remember entries (or lines of entries) that changed; sealed once, at the end of the transaction."""
        data = self.env.cr.precommit.data
        if DATA_KEY not in data:
            data[DATA_KEY] = set(), set()
            self.env.cr.precommit.add(self.sudo()._seal_noted)
        for noted, ids in zip(data[DATA_KEY], (move_ids, line_ids), strict=True):
            noted.update(ids)

    def _seal_noted(self):
        """Seal what was posted, amended or taken back in this transaction."""
        # First of all: flushing notes entries, too.
        self._flush_entries()
        move_ids, line_ids = self.env.cr.precommit.data.pop(DATA_KEY, (set(), set()))
        if line_ids:
            query = SQL("SELECT DISTINCT move_id FROM account_move_line WHERE id = ANY(%s)", list(line_ids))
            move_ids |= {row[0] for row in self.env.execute_query(query)}
        if move_ids:
            self._seal_entries(move_ids)

    def _flush_entries(self):
        for model in ("account.move", "account.move.line"):
            self.env[model].flush_model()

    def _seal_entries(self, move_ids):
        """Write a seal for each of these entries that differs from its last one."""
        keeping = self.env["res.company"].sudo().search([("bridge_keeps_books", "=", True)])
        query = SQL(
            "SELECT id FROM account_move WHERE id = ANY(%s) AND posted_before AND company_id = ANY(%s) ORDER BY id",
            list(move_ids), keeping.ids,
        )  # fmt: skip
        contents = self._read_entries([row[0] for row in self.env.execute_query(query)])
        last, rows = self._last_seals(contents), []
        for move_id, content in contents.items():
            was = last.get(move_id)
            is_posted, was_posted = content["entry"]["state"] == "posted", bool(was and was["kind"] != "reopened")
            if not is_posted and not was_posted:
                continue
            if is_posted and was_posted and all(was[part] == content[part] for part in ("entry", "lines")):
                continue
            kind = ("amended" if was_posted else "posted") if is_posted else "reopened"
            head = {
                "company_id": int(content["entry"]["company_id"]), "move_id": move_id, "kind": kind,
                "move_name": content["entry"]["name"], "sealed_at": fields.Datetime.to_string(self.env.cr.now()),
                "user_id": self.env.uid,
            }  # fmt: skip
            rows.append({**head, "content": {**head, **content}})
        if rows:
            ids = self._take_ids(len(rows))
            self._append([
                {"id": row_id, **row, "content": {"id": row_id, **row["content"]}}
                for row_id, row in zip(ids, rows, strict=True)
            ])  # fmt: skip

    @api.model
    def _seal_unsealed(self, company):
        """Seal the posted entries of a company that have no seal: those from before it kept its books this way."""
        self._flush_entries()
        move_ids = [move_id for move_id, _name in self._unsealed(company)]
        for start in range(0, len(move_ids), BATCH):
            self._seal_entries(move_ids[start : start + BATCH])

    def _unsealed(self, company):
        query = SQL(
            """SELECT m.id, m.name FROM account_move m WHERE m.company_id = %s AND m.state = 'posted'
                  AND NOT EXISTS (SELECT FROM bridge_entry_seal s WHERE s.move_id = m.id) ORDER BY m.id""",
            company.id,
        )  # fmt: skip
        return self.env.execute_query(query)

    @api.model
    def _seal(self):
        # What is appended from here on asks for its place anew.
        self.env.cr.precommit.data.pop(f"bridge.chained.{self._name}", None)
        return super()._seal()

    # -- reading -----------------------------------------------------------------------------------
    def _last_seals(self, move_ids):
        """{move id: content of its newest seal}"""
        query = SQL(
            """SELECT DISTINCT ON (move_id) move_id, content FROM bridge_entry_seal
                WHERE move_id = ANY(%s) ORDER BY move_id, id DESC""",
            list(move_ids),
        )  # fmt: skip
        return {move_id: json.loads(content) for move_id, content in self.env.execute_query(query)}

    @api.model
    def _read_entries(self, move_ids):
        """{move id: {"entry": {field: text}, "lines": {line id: {field: text}}}} as it is in the database. Texts, so
        that a seal depends on no number format."""
        move_ids = list(move_ids)
        entries = self._read_table("account.move", MOVE_FIELDS, SQL("t.id = ANY(%s)", move_ids))
        contents = {move_id: {"entry": entry, "lines": {}} for move_id, entry in entries.items()}
        lines = self._read_table("account.move.line", ("move_id", *LINE_FIELDS), SQL("t.move_id = ANY(%s)", move_ids))
        for line in lines.values():
            line.update(dict.fromkeys(LINE_LISTS, ""))
        for name, table in LINE_LISTS.items():
            for line_id, text in self._read_lists(table, move_ids):
                lines[line_id][name] = text
        for line_id, line in lines.items():
            contents[int(line.pop("move_id"))]["lines"][str(line_id)] = line
        return contents

    def _read_table(self, model, names, condition):
        """{id: {field: its value as text}}"""
        model = self.env[model]
        columns = []
        for name in names:
            column, kind = SQL.identifier("t", name), model._fields[name].type
            # As 100, whether it was stored as 100 or as 100.00.
            text = "trim_scale(%s::numeric)::text" if kind in ("monetary", "float") else "%s::text"
            columns.append(SQL(text, column))
        query = SQL("SELECT t.id, %s FROM %s t WHERE %s ORDER BY t.id", SQL(", ").join(columns),
                    SQL.identifier(model._table), condition)  # fmt: skip
        return {
            record_id: {name: value or "" for name, value in zip(names, values, strict=True)}
            for record_id, *values in self.env.execute_query(query)
        }

    def _read_lists(self, table, move_ids):
        table, own, other = map(SQL.identifier, table)
        return self.env.execute_query(
            SQL(
                """SELECT l.id, string_agg(r.%(other)s::text, ',' ORDER BY r.%(other)s)
                     FROM account_move_line l JOIN %(table)s r ON r.%(own)s = l.id
                    WHERE l.move_id = ANY(%(move_ids)s) GROUP BY l.id""",
                table=table, own=own, other=other, move_ids=move_ids,
            )
        )  # fmt: skip


class AccountMove(models.Model):
    _inherit = "account.move"

    def _write_multi(self, vals_list):
        """Every change of a column goes through here, computed ones included."""
        super()._write_multi(vals_list)
        if any(not MOVE_COLUMNS.isdisjoint(vals) for vals in vals_list):
            self.env["bridge.entry.seal"]._note(self._ids)


class AccountMoveLine(models.Model):
    _inherit = "account.move.line"

    @api.model_create_multi
    def create(self, vals_list):
        lines = super().create(vals_list)
        self.env["bridge.entry.seal"]._note(line_ids=lines._ids)
        return lines

    def write(self, vals):
        result = super().write(vals)
        if vals.keys() & LINE_LISTS.keys():  # these are no columns
            self.env["bridge.entry.seal"]._note(line_ids=self._ids)
        return result

    def _write_multi(self, vals_list):
        super()._write_multi(vals_list)
        if any(not LINE_COLUMNS.isdisjoint(vals) for vals in vals_list):
            self.env["bridge.entry.seal"]._note(line_ids=self._ids)

    def unlink(self):
        self.env["bridge.entry.seal"]._note(self.move_id._ids)
        return super().unlink()


class BasePartnerMergeAutomaticWizard(models.TransientModel):
    _inherit = "base.partner.merge.automatic.wizard"

    def _update_foreign_keys_generic(self, model, src_records, dst_record):
        """Merged contacts and accounts are replaced in entries by plain SQL: noted, as any change through Odoo is."""
        lists = {"res.partner": ("partner_id", "commercial_partner_id"), "account.account": ()}
        query = SQL(" UNION ").join(
            [
                *(SQL("SELECT id FROM account_move WHERE %s = ANY(%s)", SQL.identifier(name), src_records.ids)
                  for name in lists.get(model, ())),
                SQL("SELECT move_id FROM account_move_line WHERE %s = ANY(%s)",
                    SQL.identifier("partner_id" if model == "res.partner" else "account_id"), src_records.ids),
            ]
        )  # fmt: skip
        self.env.flush_all()
        move_ids = [row[0] for row in self.env.execute_query(query)] if model in lists else []
        super()._update_foreign_keys_generic(model, src_records, dst_record)
        self.env["bridge.entry.seal"]._note(move_ids)
