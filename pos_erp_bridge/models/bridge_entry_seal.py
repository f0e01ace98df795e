# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""A seal per posted entry: all of it, taxes, tax base and tags included, which Odoo's own hash leaves out."""

from functools import partial

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from ..fiscal.chain import canonical, link
from ..locks import BEGIN_SEALS, lock_entries

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


class BridgeEntrySeal(models.Model):
    """What an entry was when it was posted, amended or taken back to draft; append only, chained per company.

    A seal is written with the entry, in its transaction, and chained right after the commit: a place in a chain taken
    inside would make all who post entries of a company wait for each other, and start over.
    """

    _name = "bridge.entry.seal"
    _description = "Seal of a posted entry"
    _order = "id desc"
    _rec_name = "move_name"

    company_id = fields.Many2one("res.company", required=True, readonly=True, index=True, ondelete="restrict")
    # A plain number: an entry that was deleted must not take its seal along, nor be held by it.
    move_id = fields.Integer("Entry id", required=True, readonly=True, index=True)
    move_name = fields.Char("Entry", readonly=True)
    kind = fields.Selection(
        [("posted", "Posted"), ("amended", "Amended"), ("reopened", "Taken back to draft")],
        "Event", required=True, readonly=True,
    )  # fmt: skip
    content = fields.Text(readonly=True, required=True)
    sealed_at = fields.Datetime(readonly=True, required=True, default=lambda self: self.env.cr.now())
    user_id = fields.Many2one("res.users", readonly=True, ondelete="restrict", default=lambda self: self.env.uid)
    position = fields.Integer("Place in the chain", readonly=True)
    previous_hash = fields.Char(readonly=True)
    hash = fields.Char(readonly=True)

    _position_uniq = models.UniqueIndex("(company_id, position) WHERE position IS NOT NULL", "This place is taken.")
    _unchained_index = models.Index("(company_id, id) WHERE position IS NULL")

    def write(self, vals):
        raise self._refusal()

    def unlink(self):
        raise self._refusal()

    # -- noting ------------------------------------------------------------------------------------
    @api.model
    def _note(self, move_ids=(), line_ids=()):
        """Remember entries (or lines of entries) that changed; sealed once, at the end of the transaction."""
        data = self.env.cr.precommit.data
        if DATA_KEY not in data:
            data[DATA_KEY] = set(), set()
            self.env.cr.precommit.add(partial(type(self)._seal_noted, self.sudo()))
        for noted, ids in zip(data[DATA_KEY], (move_ids, line_ids), strict=True):
            noted.update(ids)

    def _seal_noted(self):
        """Seal what was posted, amended or taken back in this transaction."""
        # First of all: flushing notes entries, too.
        self.env["account.move"].flush_model()
        self.env["account.move.line"].flush_model()
        move_ids, line_ids = self.env.cr.precommit.data.pop(DATA_KEY, ((), ()))
        if line_ids:
            query = SQL("SELECT DISTINCT move_id FROM account_move_line WHERE id IN %s", tuple(line_ids))
            move_ids |= {row[0] for row in self.env.execute_query(query)}
        if move_ids:
            self._seal(sorted(move_ids))

    def _seal(self, move_ids):
        """Write a seal for each of these entries that differs from its last one."""
        contents = self._read_entries(move_ids)
        last = self._last_seals(contents)
        rows = []
        for move_id, content in contents.items():
            entry = content["entry"]
            text, (was_kind, was) = canonical(content).decode(), last.get(move_id, ("", ""))
            if entry["state"] == "posted":
                kind = "amended" if was_kind in ("posted", "amended") else "posted"
            elif was_kind in ("", "reopened"):
                continue
            else:
                kind = "reopened"
            if text != was:
                company_id = int(entry["company_id"])
                rows.append({"company_id": company_id, "move_id": move_id, "move_name": entry["name"], "kind": kind,
                             "content": text})  # fmt: skip
        if rows:
            companies = {row["company_id"] for row in rows}
            self.create(rows)
            self.env.cr.postcommit.add(partial(_chain_after_commit, self.env.registry, companies))

    @api.model
    def _seal_unsealed(self, company):
        """Seal the posted entries of a company that have no seal: those from before it kept its books this way."""
        self.env["account.move"].flush_model()
        self.env["account.move.line"].flush_model()
        query = SQL(
            """SELECT m.id FROM account_move m WHERE m.company_id = %s AND m.state = 'posted'
                  AND NOT EXISTS (SELECT 1 FROM bridge_entry_seal s WHERE s.move_id = m.id) ORDER BY m.id""",
            company.id,
        )  # fmt: skip
        move_ids = [row[0] for row in self.env.execute_query(query)]
        for start in range(0, len(move_ids), BATCH):
            self._seal(move_ids[start : start + BATCH])

    # -- reading -----------------------------------------------------------------------------------
    def _last_seals(self, move_ids):
        """{move id: (kind, content) of its newest seal}"""
        query = SQL(
            """SELECT DISTINCT ON (move_id) move_id, kind, content FROM bridge_entry_seal
                WHERE move_id IN %s ORDER BY move_id, id DESC""",
            tuple(move_ids) or (0,),
        )  # fmt: skip
        self.flush_model()
        return {move_id: (kind, content) for move_id, kind, content in self.env.execute_query(query)}

    @api.model
    def _read_entries(self, move_ids):
        """{move id: {"entry": {field: text}, "lines": {line id: {field: text}}}} as it is in the database, of entries
        once posted in companies that keep their books. Texts, so that a seal depends on no number format."""
        move_ids = tuple(move_ids) or (0,)
        moves = self._read_table("account.move", MOVE_FIELDS, SQL(
            """t.id IN %s AND t.posted_before
               AND t.company_id IN (SELECT id FROM res_company WHERE bridge_keeps_books)""", move_ids))  # fmt: skip
        lines = self._read_table("account.move.line", ("move_id", *LINE_FIELDS), SQL("t.move_id IN %s", move_ids))
        for name, table in LINE_LISTS.items():
            for line_id, text in self._read_lists(table, move_ids):
                lines[line_id][name] = text
        contents = {move_id: {"entry": entry, "lines": {}} for move_id, entry in moves.items()}
        for line_id, line in lines.items():
            move_id = int(line.pop("move_id"))
            if move_id in contents:
                contents[move_id]["lines"][str(line_id)] = {"tax_ids": "", "tax_tag_ids": "", **line}
        return contents

    def _read_table(self, model, names, condition):
        """{id: {field: its value as text}}"""
        model = self.env[model]
        columns = []
        for name in names:
            column = SQL.identifier("t", name)
            is_number = model._fields[name].type in ("monetary", "float")
            # As 100, whether it was stored as 100 or as 100.00.
            columns.append(SQL("trim_scale(%s::numeric)::text", column) if is_number else SQL("%s::text", column))
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
                    WHERE l.move_id IN %(move_ids)s GROUP BY l.id""",
                table=table, own=own, other=other, move_ids=move_ids,
            )
        )  # fmt: skip

    # -- chaining ----------------------------------------------------------------------------------
    @api.model
    def _chain(self, company_ids):
        """Give seals their places in the chain. Call it with the lock of these companies."""
        for company_id in company_ids:
            query = SQL(
                "SELECT position, hash FROM bridge_entry_seal WHERE company_id = %s AND position IS NOT NULL"
                " ORDER BY position DESC LIMIT 1", company_id,
            )  # fmt: skip
            position, previous = next(iter(self.env.execute_query(query)), (0, ""))
            for row in self._unchained(company_id):
                position += 1
                value = link(previous, canonical({**payload(row), "position": position}))
                self.env.cr.execute(
                    "UPDATE bridge_entry_seal SET position = %s, previous_hash = %s, hash = %s WHERE id = %s",
                    [position, previous, value, row["id"]],
                )
                previous = value
        self.invalidate_model(["position", "previous_hash", "hash"])

    def _unchained(self, company_id):
        self.flush_model()
        self.env.cr.execute(
            f"SELECT {', '.join(CHAINED)} FROM bridge_entry_seal"
            " WHERE company_id = %s AND position IS NULL ORDER BY id",
            [company_id],
        )
        return self.env.cr.dictfetchall()

    def _refusal(self):
        return UserError(self.env._("A seal is never changed nor deleted: it shows what an entry was."))


CHAINED = ("id", "company_id", "move_id", "move_name", "kind", "content", "sealed_at", "user_id")


def payload(row):
    """What of a seal is chained, from its database row."""
    values = {name: row[name] for name in CHAINED}
    return {**values, "sealed_at": row["sealed_at"].isoformat(), "move_name": row["move_name"] or ""}


def _chain_after_commit(registry, company_ids):
    with registry.cursor() as cr:
        cr.execute(BEGIN_SEALS)
        for company_id in sorted(company_ids):
            lock_entries(cr, company_id)
        api.Environment(cr, api.SUPERUSER_ID, {})["bridge.entry.seal"]._chain(sorted(company_ids))


class AccountMove(models.Model):
    _inherit = "account.move"

    def _write_multi(self, vals_list):
        """Every change goes through here, computed ones included."""
        super()._write_multi(vals_list)
        if any(not MOVE_COLUMNS.isdisjoint(vals) for vals in vals_list):
            self.env["bridge.entry.seal"]._note(self._ids)

    def unlink(self):
        self.env["bridge.entry.seal"]._note(self._ids)
        return super().unlink()


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


MOVE_COLUMNS, LINE_COLUMNS = frozenset(MOVE_FIELDS), frozenset(LINE_FIELDS)
