# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from collections import defaultdict

from odoo import models
from odoo.tools import SQL

from ..fiscal.register import columns, contradictions, parse, rate_rows


class BridgeDocument(models.Model):
    """Looks for anything that was changed after it was issued."""

    _inherit = "bridge.document"

    def _verify(self, company):
        """Recompute the whole register of a company: chains, columns, rates, printed files.

        :return: [(record, field, sentence)], the earliest document first; empty when nothing was changed
        """
        self = self.sudo().with_context(active_test=False)
        found = self._verify_chain(company)
        found += self.env["bridge.document.rendering"].sudo()._verify_chain(company)
        found += self._verify_complete(company)
        return found + self._verify_entries(company)

    def _verify_entries(self, company):
        """Findings in posted entries linked to documents: [(record, field, sentence)]."""
        return []

    def _columns_of(self, content):
        return columns(content)

    def _verify_batch(self, rows):
        found, contents = super()._verify_batch(rows), {}
        for row in rows:
            if self._said(row["content"]) is not None:
                contents[row["id"]] = parse(row["content"])
        for document_id, content in contents.items():
            if wrong := contradictions(content):
                text = self.env._("Its figures do not add up: %s.", ", ".join(wrong))
                found.append((self.browse(document_id), wrong[0], text))
        return found + self._verify_rates(contents) + self._verify_replaced(contents)

    def _verify_rates(self, contents):
        """Rows of rates against the contents: {document id: content}."""
        wanted = {}
        for content in contents.values():
            wanted.update(rate_rows(content))
        query = SQL(
            "SELECT * FROM bridge_document_rate WHERE document_id = ANY(%s) OR id = ANY(%s) ORDER BY id",
            list(contents), list(wanted),
        )  # fmt: skip
        self.env.cr.execute(query)
        have = {row["id"]: row for row in self.env.cr.dictfetchall()}
        found = []
        for row_id, said in wanted.items():
            document, row = self.browse(said["document_id"]), have.pop(row_id, None)
            if row is None:
                text = self.env._("The row of its rate %s is gone.", said["category"])
                found.append((document, "rate_ids.id", text))
                continue
            Rate = self.env["bridge.document.rate"]
            found += [
                (document, f"rate_ids.{name}", Rate._differs_text(name, row[name], value))
                for name, value in said.items()
                if row[name] != value
            ]
        return found + [
            (self.browse(row["document_id"]), "rate_ids", self.env._("It has a row of a rate it was not issued with."))
            for row in have.values()
        ]

    def _verify_replaced(self, contents):
        """Which documents they replace, against the contents."""
        query = SQL(
            """SELECT document_id, superseded_id FROM bridge_document_superseded_rel
                WHERE document_id = ANY(%s) ORDER BY superseded_id""",
            list(contents),
        )
        have = defaultdict(list)
        for document_id, superseded_id in self.env.execute_query(query):
            have[document_id].append(superseded_id)
        return [
            (
                self.browse(document_id),
                "superseded_ids",
                self._differs_text("superseded_ids", have[document_id], content["record"]["superseded_ids"]),
            )
            for document_id, content in contents.items()
            if have[document_id] != content["record"]["superseded_ids"]
        ]

    def _verify_complete(self, company):
        """Sales and invoices without a document, though ones before them have theirs; and issued summary invoices."""
        query = SQL(
            """SELECT 'pos.order', o.id, o.name FROM pos_order o
                WHERE o.company_id = %(company)s AND o.state IN ('paid', 'done')
                  AND o.id >= (SELECT min(pos_order_id) FROM bridge_document WHERE company_id = %(company)s)
                  AND NOT EXISTS (SELECT FROM bridge_document d
                                   WHERE d.pos_order_id = o.id AND d.company_id = o.company_id)
                  AND EXISTS (SELECT FROM pos_order_line l WHERE l.order_id = o.id)
               UNION ALL
               SELECT 'account.move', m.id, m.name FROM account_move m
                WHERE m.company_id = %(company)s AND m.state = 'posted'
                  AND m.move_type IN ('out_invoice', 'out_refund', 'out_receipt')
                  AND m.id >= (SELECT min(move_id) FROM bridge_document WHERE company_id = %(company)s)
                  AND NOT EXISTS (SELECT FROM bridge_document d
                                   WHERE d.move_id = m.id AND d.company_id = m.company_id)
               UNION ALL
               SELECT 'bridge.summary.invoice', s.id, p.name || ' ' || s.closing_date
                 FROM bridge_summary_invoice s JOIN res_partner p ON p.id = s.partner_id
                WHERE s.company_id = %(company)s AND s.state = 'issued' AND s.document_id IS NULL
               ORDER BY 1, 2""",
            company=company.id,
        )
        self.env.flush_all()
        return [
            (self.env[model].browse(row_id), "bridge_document_ids", self.env._("%s has no document.", name))
            for model, row_id, name in self.env.execute_query(query)
        ]
