# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models
from odoo.tools import SQL

BATCH = 1000


class BridgeEntrySeal(models.Model):
    """Looks for anything that was changed in an entry, or in its seal, after it was posted."""

    _inherit = "bridge.entry.seal"

    @api.model
    def _verify(self, company, move_ids=None):
        """Compare the posted entries of a company with their seals, and the seals with their chain.

        :param move_ids: only these entries, and no chain
        :return: [(account.move or bridge.entry.seal, field, sentence)], empty when nothing was changed
        """
        self, found = self.sudo(), []
        self._seal_noted()
        if move_ids is None:
            found += [*self._verify_chain(company), *self._verify_sealed(company)]
            query = SQL("SELECT DISTINCT move_id FROM bridge_entry_seal WHERE company_id = %s ORDER BY 1", company.id)
            move_ids = [row[0] for row in self.env.execute_query(query)]
        for start in range(0, len(move_ids), BATCH):
            found += self._verify_entries(move_ids[start : start + BATCH])
        return found

    def _columns_of(self, content):
        names = ("id", "company_id", "move_id", "kind", "move_name", "user_id")
        return {
            **{name: content[name] for name in names}, "sealed_at": fields.Datetime.to_datetime(content["sealed_at"])
        }  # fmt: skip

    def _verify_entries(self, move_ids):
        found, contents = [], self._read_entries(move_ids)
        for move_id, sealed in self._last_seals(move_ids).items():
            move, now, name = self.env["account.move"].browse(move_id), contents.get(move_id), sealed["move_name"]
            if now is None:
                found.append((move, "id", self.env._("%s was sealed, and is no longer in the books.", name)))
            elif sealed["kind"] != "reopened":
                found += self._differences(move, name, sealed, now)
            elif now["entry"]["state"] == "posted":
                text = self.env._("%s was taken back to draft, and is posted without a seal.", name)
                found.append((move, "state", text))
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
            label = (was or line)["name"].split("\n")[0] or f"#{line_id}"
            where = self.env._("%(entry)s, line “%(line)s”", entry=name, line=label)
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
        if not company.bridge_keeps_books:
            return []
        return [
            (self.env["account.move"].browse(move_id), "state", self.env._("%s is posted without a seal.", name))
            for move_id, name in self._unsealed(company)
        ]


class BridgeDocument(models.Model):
    _inherit = "bridge.document"

    def _verify_entries(self, company):
        return super()._verify_entries(company) + self.env["bridge.entry.seal"]._verify(company)
