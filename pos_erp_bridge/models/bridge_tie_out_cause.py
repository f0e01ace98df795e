# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import models
from odoo.tools import SQL

from .bridge_document_entry import booked
from .bridge_tie_out_figures import HEAD

SHOWN = 10

# Documents of some entries whose own figures contradict each other: head, rows of rates, the content they were issued
# with (what was handed to the customer), or the order they are about.
CONTRADICTING = """
    WITH mine AS (SELECT DISTINCT document_id, entry_id FROM ({booked}) b WHERE entry_id = ANY({entries})),
    said AS (
        SELECT d.id, d.number, m.entry_id, d.pos_order_id, d.base_total, d.tax_total, d.total,
               rows.base, rows.tax, rows.sum, rows.list, d.content::jsonb AS content
          FROM mine m JOIN bridge_document d ON d.id = m.document_id
         CROSS JOIN LATERAL (SELECT sum(base) AS base, sum(tax) AS tax, sum(total) AS sum,
                                    jsonb_object_agg(r.category, jsonb_build_array(r.base, r.tax, r.total)) AS list
                               FROM bridge_document_rate r WHERE r.document_id = d.id) rows)
    SELECT s.id, s.number, s.total, s.tax_total,
           (s.content->>'total')::int, (s.content->>'tax_total')::int, o.total::bigint, o.tax::bigint
      FROM said s
      LEFT JOIN LATERAL (
           SELECT p.amount_total AS total, p.amount_tax AS tax FROM pos_order p
            WHERE p.id = s.pos_order_id AND 1 = (SELECT count(*) FROM bridge_document x WHERE x.pos_order_id = p.id)) o
        ON true
     WHERE (s.base_total, s.tax_total, s.total) IS DISTINCT FROM (s.base, s.tax, s.sum)
        OR s.base_total + s.tax_total != s.total
        OR s.list IS DISTINCT FROM (
           SELECT jsonb_object_agg(c->>'category', jsonb_build_array(c->'base', c->'tax', c->'total'))
             FROM jsonb_array_elements(s.content->'rates') c)
        OR (o.total IS NOT NULL AND (o.total != s.total OR o.tax != s.tax_total))
     ORDER BY s.id
"""


class BridgeTieOut(models.Model):
    """Which document or entry makes a day red."""

    _inherit = "bridge.tie.out"

    def _explain(self):
        """Name what causes the difference of a red day."""
        self.ensure_one()
        if self.state != "red":
            if self.message or self.document_ids or self.entry_ids:
                self.write({"message": False, "document_ids": False, "entry_ids": False})
            return
        self = self.with_context(lang=self.company_id._bridge_language())
        each = self._figures(self.company_id, self.date, self.date, self.journal_id)
        off = {key[2]: rates for key, rates in each.items() if self._gap(rates)}
        texts, documents = self._contradictions(list(off))
        entries = self.env["account.move"].browse(off)
        for entry in entries:
            found = self.env["bridge.entry.seal"]._verify(self.company_id, entry.ids)
            texts += [sentence for _record, _field, sentence in found]
            if not found and entry not in documents.entry_id:
                texts.append(self._entry_text(entry, off[entry.id]))
                own = entry.bridge_document_ids
                documents |= own if len(own) == 1 else own.browse()
        shown = texts[:SHOWN]
        if len(texts) > SHOWN:
            shown.append(self.env._("… and %s more.", len(texts) - SHOWN))
        self.write({"message": "\n".join(shown), "document_ids": documents.ids, "entry_ids": entries.ids})

    def _contradictions(self, entry_ids):
        """(sentences, documents) of documents that are not what they were issued as, or not what was sold."""
        query = SQL(
            CONTRADICTING.format(booked="%(booked)s", entries="%(entries)s"),
            booked=booked(self.company_id.id), entries=entry_ids,
        )  # fmt: skip
        texts, ids = [], []
        for document_id, number, *figures in self.env.execute_query(query):
            total, tax, said_total, said_tax, sold, sold_tax = figures
            ids.append(document_id)
            if (total, tax) != (said_total, said_tax):
                text = self.env._(
                    "Document %(number)s: total %(total)s, tax %(tax)s; issued were total %(said)s, tax %(said_tax)s.",
                    number=number, total=total, tax=tax, said=said_total, said_tax=said_tax,
                )  # fmt: skip
            elif sold is not None and (total, tax) != (sold, sold_tax):
                text = self.env._(
                    "Document %(number)s: total %(total)s, tax %(tax)s; its order has %(sold)s, tax %(sold_tax)s.",
                    number=number, total=total, tax=tax, sold=sold, sold_tax=sold_tax,
                )  # fmt: skip
            else:
                text = self.env._("Document %s: its rates are not those it was issued with.", number)
            texts.append(text)
        return texts, self.env["bridge.document"].browse(ids)

    def _entry_text(self, entry, rates):
        """Where an entry and its documents, or the tax report, part."""
        documents = entry.sudo().bridge_day_document_ids
        if not documents:
            return self.env._("Entry %s books sales tax, but no document.", entry.name)
        parts = [
            self.env._(
                "%(rate)s%%: documents %(document)s, entry %(entry)s, tax report %(report)s (tax %(taxes)s)",
                rate=percent, document=figures["document"][2], entry=figures["entry"][2],
                report=figures["report"][2], taxes=" / ".join(str(f[1]) for f in figures.values()),
            )
            for percent, figures in sorted(rates.items(), reverse=True)
            if percent != HEAD and self._is_off(percent, figures)
        ]  # fmt: skip
        what = documents.number if len(documents) == 1 else self.env._("%s documents", len(documents))
        return self.env._(
            "Entry %(entry)s (%(what)s): %(parts)s.", entry=entry.name, what=what, parts="; ".join(parts)
        )  # fmt: skip
