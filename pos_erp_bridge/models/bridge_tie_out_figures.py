# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Documents, journal items and tax report of some days beside each other: one query for all of them."""

from collections import defaultdict

from odoo import models
from odoo.tools import SQL

from .bridge_document_entry import booked

SIDES = ("document", "entry", "report")
HEAD = -1  # in place of a rate: what the heads of the documents add up to

# Credit counts as positive. Of an entry that is about sales the items without a tax are the rate 0; cost of goods,
# which Odoo books in the same entry where stock is valued continuously, cancels out there. The tax report reads tags.
FIGURES = """
    WITH booked AS ({booked}),
    entries AS (
        SELECT m.id, m.journal_id, m.date,
               m.move_type IN ('out_invoice', 'out_refund', 'out_receipt') OR b.entry_id IS NOT NULL AS is_sale
          FROM account_move m
          LEFT JOIN (SELECT DISTINCT entry_id FROM booked) b ON b.entry_id = m.id
         WHERE m.company_id = {company} AND m.state = 'posted' AND m.date BETWEEN {date_from} AND {date_to}
           AND (b.entry_id IS NOT NULL OR m.id > (SELECT min(entry_id) FROM booked)) AND {where}),
    taxes AS (
        SELECT t.id, round(t.amount)::int AS percent FROM account_tax t
         WHERE t.type_tax_use = 'sale' AND t.amount_type = 'percent' AND t.company_id = ANY({companies})),
    tags AS (
        SELECT DISTINCT g.account_account_tag_id AS id, t.percent, p.repartition_type AS kind
          FROM taxes t JOIN account_tax_repartition_line p ON p.tax_id = t.id
          JOIN account_account_tag_account_tax_repartition_line_rel g ON g.account_tax_repartition_line_id = p.id
         WHERE t.percent != 0),
    items AS (
        SELECT l.id, l.move_id, -l.balance AS amount, tax.percent AS tax_percent, base.percent AS base_percent,
               e.is_sale AND l.display_type = 'product' AND a.account_type != 'asset_receivable' AS is_product
          FROM entries e JOIN account_move_line l ON l.move_id = e.id
          JOIN account_account a ON a.id = l.account_id
          LEFT JOIN taxes tax ON tax.id = l.tax_line_id
          LEFT JOIN LATERAL (
               SELECT max(t.percent) AS percent FROM account_move_line_account_tax_rel r
                 JOIN taxes t ON t.id = r.account_tax_id WHERE r.account_move_line_id = l.id) base ON true),
    parts AS (
        SELECT 'entry' AS side, move_id AS entry_id, coalesce(tax_percent, base_percent, 0) AS percent,
               CASE WHEN tax_percent IS NULL THEN amount ELSE 0 END AS base,
               CASE WHEN tax_percent IS NULL THEN 0 ELSE amount END AS tax, amount AS total
          FROM items WHERE tax_percent IS NOT NULL OR base_percent IS NOT NULL OR is_product
        UNION ALL
        SELECT 'report', i.move_id, t.percent, CASE WHEN t.kind = 'base' THEN amount ELSE 0 END,
               CASE WHEN t.kind = 'tax' THEN amount ELSE 0 END, amount
          FROM items i JOIN account_account_tag_account_move_line_rel g ON g.account_move_line_id = i.id
          JOIN tags t ON t.id = g.account_account_tag_id
        UNION ALL
        SELECT 'document', b.entry_id, r.percent, b.sign * r.base, b.sign * r.tax, b.sign * r.total
          FROM booked b JOIN bridge_document_rate r ON r.document_id = b.document_id
        UNION ALL
        SELECT 'document', b.entry_id, {head}, b.sign * d.base_total, b.sign * d.tax_total, b.sign * d.total
          FROM booked b JOIN bridge_document d ON d.id = b.document_id)
    SELECT e.journal_id, e.date, {entry} AS entry_id, p.side, p.percent,
           sum(p.base)::bigint, sum(p.tax)::bigint, sum(p.total)::bigint
      FROM parts p JOIN entries e ON e.id = p.entry_id
     GROUP BY 1, 2, 3, 4, 5
"""


class BridgeTieOut(models.AbstractModel):
    _name = "bridge.tie.out.figures"
    _description = "Figures of a tie-out"

    def _figures(self, company, date_from, date_to, journal=None):
        """What documents, entries and tax report say of these days.

        :param journal: only its days, and each entry for itself
        :return: {(journal id, date, entry id or None): {percent: {side: [base, tax, total]}}} in yen
        """
        names = ("booked", "company", "date_from", "date_to", "where", "companies", "head", "entry")
        values = (
            booked(company.id), company.id, date_from, date_to,
            SQL("m.journal_id = %s", journal.id) if journal else SQL("true"), company.sudo().parent_ids.ids, HEAD,
            SQL("e.id") if journal else SQL("NULL::int"),
        )  # fmt: skip
        query = SQL(FIGURES.format(**{name: f"%({name})s" for name in names}), **dict(zip(names, values, strict=True)))
        result = defaultdict(lambda: defaultdict(lambda: {side: [0, 0, 0] for side in SIDES}))
        self.env.flush_all()
        for journal_id, day, entry_id, side, percent, *amounts in self.env.execute_query(query):
            result[journal_id, day, entry_id][percent][side] = amounts
        return result

    def _is_off(self, percent, figures):
        """Whether one side of a rate differs by a yen. There is no tax report of what has no tax."""
        document, entry, report = (figures[side] for side in SIDES)
        return document != entry or (percent != 0 and entry != report)

    def _gap(self, rates):
        """Sum of all differences of a day or an entry, in yen."""
        gap, heads = 0, rates.get(HEAD, {}).get("document", [0, 0, 0])
        sums = [0, 0, 0]
        for percent, figures in rates.items():
            if percent == HEAD:
                continue
            document, entry, report = (figures[side] for side in SIDES)
            gap += sum(abs(a - b) for a, b in zip(document, entry, strict=True))
            gap += sum(abs(a - b) for a, b in zip(entry, report, strict=True)) if percent else 0
            sums = [a + b for a, b in zip(sums, document, strict=True)]
        return gap + sum(abs(a - b) for a, b in zip(sums, heads, strict=True))
