# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL, groupby

from ..fiscal.chain import canonical, link
from ..fiscal.register import Row, broken, chained, parse, start
from ..locks import chain_end

BATCH = 1000


class BridgeUnchanged(models.AbstractModel):
    _name = "bridge.unchanged"
    _description = "Row that is written once"

    # pylint: disable=method-required-super,no-raise-unlink
    @api.model_create_multi
    def create(self, vals_list):
        raise UserError(self.env._("A document is only registered with the sale or invoice it is about."))

    def write(self, vals):
        raise UserError(
            self.env._("A document that was issued is never changed. Correct it: a new document will point to it.")
        )

    def unlink(self):
        raise UserError(self.env._("A document that was issued is never deleted. Correct or return it instead."))

    def _differs_text(self, name, value, said):
        label = self._fields[name]._description_string(self.env) if name in self._fields else name
        return self.env._("“%(field)s” is %(value)s; issued was %(said)s.", field=label, value=value, said=said)


class ResCompany(models.Model):
    _inherit = "res.company"

    bridge_chain_ends = fields.Json(
        "Ends of the chains", readonly=True, copy=False, groups="base.group_system",
        help="The newest place and hash of each chain when it was last noted.",
    )  # fmt: skip


class BridgeChained(models.AbstractModel):
    """Rows that are written once and never changed. Each carries its own full text (``content``, canonical JSON) and a
    hash over that text, its place and the hash before it: whoever changes a byte of any column breaks something.

    A row gets its place when the transaction ends, so that nobody waits for somebody else's printing or picking.
    """

    _name = "bridge.chained"
    _inherit = ["bridge.unchanged"]
    _description = "Row of a chain of hashes"

    company_id = fields.Many2one("res.company", required=True, readonly=True)
    content = fields.Text(required=True, readonly=True, prefetch=False)
    position = fields.Integer("Place in the chain", readonly=True)
    previous_hash = fields.Char("Hash before", readonly=True)
    hash = fields.Char(readonly=True)

    # -- appending ---------------------------------------------------------------------------------
    @api.model
    def _take_ids(self, count, table=None):
        """Ids of rows about to be inserted: they are part of what is hashed."""
        query = SQL("SELECT nextval(%s) FROM generate_series(1, %s)", f"{table or self._table}_id_seq", count)
        return [row_id for (row_id,) in self.env.execute_query(query)]

    @api.model
    def _insert(self, rows, table=None):
        """One statement for all rows, {column: value} with the same columns each."""
        if rows:
            self.env.cr.execute(
                SQL(
                    "INSERT INTO %s (%s) VALUES %s",
                    SQL.identifier(table or self._table),
                    SQL(", ").join(map(SQL.identifier, rows[0])),
                    SQL(", ").join(tuple(row.values()) for row in rows),
                )
            )

    @api.model
    def _append(self, rows):
        """Insert rows of this model; ``content`` is a dict. They get their places when the transaction ends."""
        self._insert([{**row, "content": canonical(row["content"]).decode()} for row in rows])
        precommit, key = self.env.cr.precommit, f"bridge.chained.{self._name}"
        if key not in precommit.data:
            precommit.data[key] = True
            precommit.add(self.sudo()._seal)

    @api.model
    def _seal(self):
        """Give what this transaction appended its place. No committed row is without one."""
        rows = self.env.execute_query(
            SQL(
                """SELECT id, company_id, content FROM %s
                    WHERE position IS NULL AND previous_hash IS NULL AND hash IS NULL ORDER BY company_id, id""",
                SQL.identifier(self._table),
            )
        )
        sealed = []
        for company_id, group in groupby(rows, lambda row: row[1]):
            last, before = chain_end(self.env.cr, self.pool, self._table, company_id) or (0, start(company_id))
            for position, (row_id, _company, content) in enumerate(group, last + 1):
                after = link(before, chained(position, content))
                sealed.append((row_id, position, before, after))
                before = after
        if sealed:
            self.env.cr.execute(
                SQL(
                    """UPDATE %s SET position = v.position, previous_hash = v.before, hash = v.after
                         FROM (VALUES %s) AS v(id, position, before, after) WHERE %s.id = v.id""",
                    SQL.identifier(self._table),
                    SQL(", ").join(sealed),
                    SQL.identifier(self._table),
                )
            )
            self.invalidate_model(["position", "previous_hash", "hash"], flush=False)

    # -- verifying ---------------------------------------------------------------------------------
    @api.model
    def _columns_of(self, content):
        """{column: value} that a content says. KeyError, TypeError or ValueError: it is none of ours."""
        raise NotImplementedError

    @api.model
    def _verify_chain(self, company):
        """[(record, column, sentence)] of what is broken in a company's chain, or differs from its content."""
        self._seal()
        found = [
            (self.browse(row_id), column, self._broken_text(column, position))
            for row_id, column, position in broken(self._rows(company), self._find_after, company.id)
        ]
        for batch in self._batches(company):
            found += self._verify_batch(batch)
        return found + self._verify_end(company)

    @api.model
    def _verify_end(self, company):
        """Nothing follows the newest row that would miss it: so its place and hash are noted apart, every night."""
        position, expected = (company.sudo().bridge_chain_ends or {}).get(self._name, (0, ""))
        row = self._end(company, position)
        if not position or (row and row[1] == expected):
            return []
        return [(self.browse(row and row[2]), "position", self._broken_text("position", position))]

    @api.model
    def _note_end(self, company):
        """Note the newest row, where the one noted before is still there."""
        if not self._verify_end(company) and (row := self._end(company)):
            company.bridge_chain_ends = {**(company.bridge_chain_ends or {}), self._name: row[:2]}

    @api.model
    def _end(self, company, position=None):
        """(position, hash, id) of a company's newest row, or of the one in that place; None."""
        there = SQL("position IS NOT NULL") if position is None else SQL("position = %s", position)
        query = SQL(
            "SELECT position, hash, id FROM %s WHERE company_id = %s AND %s ORDER BY position DESC LIMIT 1",
            SQL.identifier(self._table), company.id, there,
        )  # fmt: skip
        return next(iter(self.env.execute_query(query)), None)

    @api.model
    def _verify_batch(self, rows):
        """Findings in some rows, [{column: value}]: their columns against their contents."""
        found = []
        for row in rows:
            said = self._said(row["content"])
            if said is None:
                found.append((self.browse(row["id"]), "content", self.env._("The kept content cannot be read.")))
                continue
            found += [
                (self.browse(row["id"]), name, self._differs_text(name, row[name], value))
                for name, value in said.items()
                if row[name] != value and not self._may_differ(name, value)
            ]
        return found

    @api.model
    def _said(self, text):
        try:
            return self._columns_of(parse(text))
        except (AttributeError, KeyError, TypeError, ValueError):
            return None

    def _may_differ(self, name, value):
        """A contact that was merged into another is gone; the other one stands for it."""
        return name == "partner_id" and value and not self.env["res.partner"].sudo().browse(value).exists()

    @api.model
    def _batches(self, company):
        last, rows = None, True
        while rows:
            self.env.cr.execute(
                SQL(
                    "SELECT * FROM %s WHERE company_id = %s AND id > %s ORDER BY id LIMIT %s",
                    SQL.identifier(self._table), company.id, last or 0, BATCH,
                )
            )  # fmt: skip
            rows = self.env.cr.dictfetchall()
            if rows:
                last = rows[-1]["id"]
                yield rows

    @api.model
    def _rows(self, company):
        """Rows of a company's chain by place, those without one last."""
        query = SQL(
            "SELECT id, company_id, position, previous_hash, hash, content FROM %s WHERE company_id = %s",
            SQL.identifier(self._table), company.id,
        )  # fmt: skip
        last, rows = None, True
        while rows:
            beyond = SQL("AND position > %s", last) if last is not None else SQL("AND position IS NOT NULL")
            rows = self.env.execute_query(SQL("%s %s ORDER BY position LIMIT %s", query, beyond, BATCH))
            yield from (Row(*row) for row in rows)
            last = rows[-1][2] if rows else None
        yield from (Row(*row) for row in self.env.execute_query(SQL("%s AND position IS NULL ORDER BY id", query)))

    @api.model
    def _find_after(self, before):
        """The row that names this hash as the one before it, of whatever company."""
        query = SQL(
            """SELECT id, company_id, position, previous_hash, hash, content FROM %s WHERE previous_hash = %s
                ORDER BY id LIMIT 1""",
            SQL.identifier(self._table), before,
        )  # fmt: skip
        return next((Row(*row) for row in self.env.execute_query(query)), None)

    def _broken_text(self, column, position):
        texts = {
            "content": self.env._("Its content was changed after it was issued (or its hash, if it is the last)."),
            "hash": self.env._("Its hash was changed after it was issued."),
            "previous_hash": self.env._("It does not follow the document before it: that, or the link, was changed."),
            "company_id": self.env._("It was moved to another company."),
            "position": self.env._("Place %s of the chain is not held by what was issued there.", position),
        }
        return texts[column]
