# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""In which entry a document is booked: read from the orders and invoices themselves, so it is never out of date."""

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

# (document_id, entry_id, sign) of a company. An invoice is its own entry. A till sale is in the entry of its session;
# one that was invoiced before its session was closed is left out of it, and one invoiced later is taken out by an entry
# of its own. Of a document that was corrected for the same sale only the last correction counts. A summary invoice
# books by how much its tax differs from that of the invoices it replaced.
BOOKED = """
    SELECT d.id AS document_id, e.entry_id, e.sign
      FROM bridge_document d
      LEFT JOIN pos_order o ON o.id = d.pos_order_id AND d.move_id IS NULL
      LEFT JOIN pos_session s ON s.id = o.session_id
     CROSS JOIN LATERAL (
           SELECT d.move_id AS entry_id, 1 AS sign WHERE d.move_id IS NOT NULL
            UNION ALL
           SELECT s.move_id, 1 WHERE s.move_id IS NOT NULL
              AND (o.account_move IS NULL OR EXISTS (SELECT FROM account_move r WHERE r.reversed_pos_order_id = o.id))
            UNION ALL
           SELECT r.id, -1 FROM account_move r WHERE r.reversed_pos_order_id = o.id
     ) e
     WHERE d.company_id = {company}
       AND NOT EXISTS (SELECT FROM bridge_document c
                        WHERE c.original_id = d.id AND c.relation = 'correct'
                          AND c.pos_order_id IS NOT DISTINCT FROM d.pos_order_id
                          AND c.move_id IS NOT DISTINCT FROM d.move_id)
     UNION ALL
    SELECT s.document_id, s.adjustment_id, 1 FROM bridge_summary_invoice s
     WHERE s.company_id = {company} AND s.adjustment_id IS NOT NULL AND s.document_id IS NOT NULL
     UNION ALL
    SELECT r.superseded_id, s.adjustment_id, -1
      FROM bridge_summary_invoice s JOIN bridge_document_superseded_rel r ON r.document_id = s.document_id
     WHERE s.company_id = {company} AND s.adjustment_id IS NOT NULL
"""


def booked(company):
    """The query above for a company id (or, as text, for a column)."""
    return SQL(BOOKED.format(company="%(company)s"), company=company)


class BridgeDocument(models.Model):
    _inherit = "bridge.document"

    entry_id = fields.Many2one(
        "account.move", compute="_compute_entry_id", search="_search_entry_id", compute_sudo=True,
        help="The journal entry that books it: the invoice itself, or the entry of its till's day.",
    )  # fmt: skip

    def _compute_entry_id(self):
        for company, documents in self.grouped("company_id").items():
            query = SQL("SELECT document_id, entry_id FROM (%s) b WHERE document_id = ANY(%s) AND sign = 1",
                        booked(company.id), documents.ids)  # fmt: skip
            entries = dict(self.env.execute_query(query))
            for document in documents:
                document.entry_id = entries.get(document.id)

    def _search_entry_id(self, operator, value):
        if operator != "in":
            return NotImplemented
        entries = self.env["account.move"].sudo().browse(value).exists()
        found = SQL(" UNION ALL ").join(
            SQL("(SELECT document_id FROM (%s) b WHERE entry_id = ANY(%s))", booked(company.id), moves.ids)
            for company, moves in entries.grouped("company_id").items()
        )  # fmt: skip
        return Domain("id", "in", SQL("(%s)", found)) if entries else Domain.FALSE


class AccountMove(models.Model):
    _inherit = "account.move"

    bridge_day_document_ids = fields.Many2many(
        "bridge.document", compute="_compute_bridge_day_document_ids", string="Documents booked here",
        groups="pos_erp_bridge.group_bridge_auditor,pos_erp_bridge.group_bridge_user",
    )  # fmt: skip

    @api.depends("state")
    def _compute_bridge_day_document_ids(self):
        Document = self.env["bridge.document"]
        for move in self:
            move.bridge_day_document_ids = Document.search([("entry_id", "in", move.ids)]) if move.ids else Document

    def _bridge_all_documents(self):
        """Those of the receipts of its day, too."""
        return super()._bridge_all_documents() | self.sudo().bridge_day_document_ids
