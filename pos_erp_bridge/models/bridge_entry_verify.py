# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import json

from odoo import api, models
from odoo.tools import SQL

from ..fiscal.chain import canonical, link
from .bridge_entry_seal import CHAINED, payload

BATCH = 1000


class BridgeEntrySeal(models.Model):
    _inherit = "bridge.entry.seal"

    @api.model
    def _verify(self, company, move_ids=None):
        """Compare every posted entry of a company with its seal, and the seals with their chain.

        :param move_ids: only these entries, and no chain
        :return: [(account.move or bridge.entry.seal, field, sentence)], empty when nothing was changed
        """
        self = self.sudo().with_company(company)
        self._seal_noted()
        found = [] if move_ids is not None else [*self._verify_chain(company), *self._verify_sealed(company)]
        if move_ids is None:
            query = SQL("SELECT DISTINCT move_id FROM bridge_entry_seal WHERE company_id = %s ORDER BY 1", company.id)
            move_ids = [row[0] for row in self.env.execute_query(query)]
        for start in range(0, len(move_ids), BATCH):
            found += self._verify_entries(move_ids[start : start + BATCH])
        return found

    # -- entries -----------------------------------------------------------------------------------
    def _verify_entries(self, move_ids):
        found, contents = [], self._read_entries(move_ids)
        for move_id, (kind, text) in self._last_seals(move_ids).items():
            move, sealed, now = self.env["account.move"].browse(move_id), json.loads(text), contents.get(move_id)
            name = sealed["entry"]["name"]
            if now is None:
                found.append((move, "id", self.env._("%s was sealed, and is no longer in the books.", name)))
            elif kind != "reopened":
                found += self._differences(move, name, sealed, now)
            elif now["entry"]["state"] == "posted":
                found.append(
                    (move, "state", self.env._("%s was taken back to draft, and is posted without a seal.", name))
                )
        return found

    def _differences(self, move, name, sealed, now):
        """One finding for each field of the entry or of its lines that is not as sealed."""
        found = [
            (move, field, self._sentence(name, "account.move", field, sealed["entry"].get(field, ""), value))
            for field, value in now["entry"].items()
            if sealed["entry"].get(field, "") != value
        ]
        for line_id in sorted({*sealed["lines"], *now["lines"]}, key=int):
            was, line = sealed["lines"].get(line_id), now["lines"].get(line_id)
            where = self.env._("%(entry)s, line %(line)s", entry=name, line=(was or line)["name"] or f"#{line_id}")
            if was is None:
                found.append((move, "line_ids", self.env._("%s was added after the entry was sealed.", where)))
            elif line is None:
                found.append((move, "line_ids", self.env._("%s was removed.", where)))
            else:
                found += [
                    (move, f"line_ids.{field}",
                     self._sentence(where, "account.move.line", field, was.get(field, ""), value))
                    for field, value in line.items()
                    if was.get(field, "") != value
                ]  # fmt: skip
        return found

    def _sentence(self, where, model, field, was, value):
        label = self.env[model]._fields[field]._description_string(self.env)
        return self.env._(
            "%(where)s: “%(field)s” was %(was)s when it was sealed, and is %(now)s.",
            where=where, field=label, was=was or "–", now=value or "–",
        )  # fmt: skip

    def _verify_sealed(self, company):
        """Posted entries without a seal."""
        query = SQL(
            """SELECT m.id, m.name FROM account_move m WHERE m.company_id = %s AND m.state = 'posted'
                  AND NOT EXISTS (SELECT 1 FROM bridge_entry_seal s WHERE s.move_id = m.id) ORDER BY m.id""",
            company.id,
        )  # fmt: skip
        if not company.bridge_keeps_books:
            return []
        return [
            (self.env["account.move"].browse(move_id), "state", self.env._("%s is posted without a seal.", name))
            for move_id, name in self.env.execute_query(query)
        ]

    # -- chain -------------------------------------------------------------------------------------
    def _verify_chain(self, company):
        """The first place at which the chain of seals is broken."""
        columns = SQL(", ").join(map(SQL.identifier, (*CHAINED, "position", "previous_hash", "hash")))
        last, previous = 0, ""
        while True:
            self.env.cr.execute(
                SQL(
                    "SELECT %s FROM bridge_entry_seal WHERE company_id = %s AND position > %s"
                    " ORDER BY position LIMIT %s", columns, company.id, last, BATCH,
                )
            )  # fmt: skip
            rows = self.env.cr.dictfetchall()
            if not rows:
                return []
            for row in rows:
                broken = self._break_of(row, last, previous)
                if broken:
                    return [(self.browse(row["id"]), broken[0], broken[1])]
                last, previous = row["position"], row["hash"]

    def _break_of(self, row, last, previous):
        name = row["move_name"] or row["move_id"]
        if row["position"] != last + 1:
            return "position", self.env._(
                "A seal is missing in the chain before the one of %(entry)s: place %(place)s follows %(last)s.",
                entry=name, place=row["position"], last=last,
            )  # fmt: skip
        content = canonical({**payload(row), "position": row["position"]})
        if row["previous_hash"] != previous:
            return "previous_hash", self.env._("The seal of %s does not follow the one before it.", name)
        if row["hash"] != link(previous, content):
            return "hash", self.env._("The seal of %s was changed.", name)
        return None
