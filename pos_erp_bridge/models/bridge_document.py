# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from ..fiscal.documents import RETURN_WAIVER
from ..fiscal.register import RATE_COLUMNS, REFERENCES, columns

# Where the source of a document names no number of its own.
PREFIXES = {"simplified": "R", "qualified": "Q", "return": "B", "summary": "S"}
STATE = SQL("""
    CASE WHEN EXISTS (SELECT FROM bridge_document_superseded_rel s WHERE s.superseded_id = d.id) THEN 'superseded'
         ELSE coalesce((SELECT CASE min(l.relation) WHEN 'correct' THEN 'corrected' ELSE 'returned' END
                          FROM bridge_document l WHERE l.original_id = d.id AND l.relation IN ('correct', 'return')
                        HAVING count(*) > 0), 'effective') END
""")
# A correction of the same sale replaces its amounts. One booked as a sale of its own (a receipt changed at its till)
# does not: the sale it corrects was booked, and taken back by a document of its own. A summary that replaces nothing
# adds up invoices which count themselves.
STANDS = SQL("""
    ((d.type != 'summary' OR EXISTS (SELECT FROM bridge_document_superseded_rel s WHERE s.document_id = d.id))
     AND NOT EXISTS (SELECT FROM bridge_document l WHERE l.original_id = d.id AND l.relation = 'correct'
                        AND l.pos_order_id IS NOT DISTINCT FROM d.pos_order_id
                        AND l.move_id IS NOT DISTINCT FROM d.move_id))
""")
IS_COUNTED = SQL(
    "(%s AND NOT EXISTS (SELECT FROM bridge_document_superseded_rel s WHERE s.superseded_id = d.id))", STANDS
)


class BridgeDocument(models.Model):
    """A receipt, invoice, return invoice or summary invoice as it was issued: the register. A document is never edited;
    it is corrected, returned or superseded by another that points to it.
    """

    _name = "bridge.document"
    _inherit = ["bridge.chained"]
    _description = "Fiscal document"
    _order = "supply_at desc, id desc"
    _rec_name = "number"
    _log_access = False  # who and when is part of the document

    type = fields.Selection(
        [
            ("simplified", "Simplified invoice"),
            ("qualified", "Qualified invoice"),
            ("return", "Return invoice"),
            ("summary", "Summary invoice"),
        ],
        required=True, readonly=True,
    )  # fmt: skip
    number = fields.Char(required=True, readonly=True)
    relation = fields.Selection(
        [("issue", "Issued"), ("correct", "Correction"), ("return", "Return"), ("supersede", "Replaces others")],
        "Issued as", required=True, readonly=True,
    )  # fmt: skip
    supply_at = fields.Datetime("Time of supply", required=True, readonly=True)
    supply_date = fields.Date("Day of supply", required=True, readonly=True, help="In Japan.")
    period_from = fields.Date("From", readonly=True)
    period_to = fields.Date("To", readonly=True)
    issued_at = fields.Datetime("Issued", required=True, readonly=True)
    user_id = fields.Many2one("res.users", "Issued by", readonly=True, ondelete="restrict")
    channel_id = fields.Many2one("bridge.channel", readonly=True, ondelete="restrict")
    bridge_store_id = fields.Many2one("bridge.store", "Connected store", readonly=True, ondelete="restrict")
    config_id = fields.Many2one("pos.config", "Point of sale", readonly=True, ondelete="restrict")
    store = fields.Char(readonly=True)
    terminal = fields.Char(readonly=True)
    cashier = fields.Char(readonly=True)
    partner_id = fields.Many2one("res.partner", "Customer", readonly=True, ondelete="restrict", index="btree_not_null")
    counterparty = fields.Char(readonly=True, help="As printed.")
    registration_number = fields.Char(readonly=True, help="Of the issuer; empty when not registered on the day.")
    is_qualified = fields.Boolean(
        "Registered issuer", readonly=True, help="On the day of supply; else it must not look like a qualified invoice."
    )
    basis = fields.Selection([("included", "Tax included"), ("excluded", "Tax excluded")], readonly=True)
    rounding = fields.Selection([("down", "Down"), ("half_up", "Half up"), ("up", "Up")], readonly=True)
    base_total = fields.Integer("Without tax", readonly=True, aggregator="sum")
    tax_total = fields.Integer("Tax", readonly=True, aggregator="sum")
    total = fields.Integer(readonly=True, aggregator="sum")
    rate_ids = fields.One2many("bridge.document.rate", "document_id", "Rates", readonly=True)
    rendering_ids = fields.One2many("bridge.document.rendering", "document_id", "Printed", readonly=True)
    original_id = fields.Many2one("bridge.document", readonly=True, ondelete="restrict", index="btree_not_null")
    later_ids = fields.One2many("bridge.document", "original_id", "Documents pointing here", readonly=True)
    superseded_ids = fields.Many2many(
        "bridge.document", "bridge_document_superseded_rel", "document_id", "superseded_id", "Replaces", readonly=True
    )
    superseded_by_ids = fields.Many2many(
        "bridge.document", "bridge_document_superseded_rel", "superseded_id", "document_id", "Replaced by",
        readonly=True,
    )  # fmt: skip
    reason = fields.Char(readonly=True)
    waiver = fields.Selection(
        [(RETURN_WAIVER, "Return below 10,000 yen")], readonly=True,
        help="Why this return invoice did not have to be handed over.",
    )  # fmt: skip
    pos_order_id = fields.Many2one("pos.order", "Order", readonly=True, ondelete="restrict")
    move_id = fields.Many2one("account.move", "Invoice", readonly=True, ondelete="restrict")
    state = fields.Selection(
        [
            ("effective", "Effective"),
            ("superseded", "Replaced by an invoice"),
            ("corrected", "Corrected"),
            ("returned", "Returned (also in part)"),
        ],
        compute="_compute_state", search="_search_state",
    )  # fmt: skip
    is_counted = fields.Boolean(
        "Counts", compute="_compute_state", search="_search_is_counted",
        help="Its amounts are part of the day: neither replaced by an invoice nor by a correction of the same sale, nor"
        " a summary of invoices that stay in force.",
    )  # fmt: skip

    _number_uniq = models.Constraint("UNIQUE(company_id, number)", "There is a document of this number already.")
    _place_uniq = models.UniqueIndex("(company_id, position)")
    _order_uniq = models.UniqueIndex("(pos_order_id, relation) WHERE relation IN ('issue', 'return')")
    _move_uniq = models.UniqueIndex("(move_id, relation) WHERE relation != 'correct'")
    _correct_uniq = models.UniqueIndex(
        "(original_id) WHERE relation = 'correct'", "Somebody else corrected this document a moment ago."
    )
    _summary_uniq = models.UniqueIndex("(company_id, partner_id, period_to) WHERE type = 'summary'")
    _order_index = models.Index("(pos_order_id) WHERE pos_order_id IS NOT NULL")
    _move_index = models.Index("(move_id) WHERE move_id IS NOT NULL")
    _day_index = models.Index("(company_id, supply_date)")
    _unsealed_index = models.Index("(company_id, id) WHERE position IS NULL")

    # -- state -------------------------------------------------------------------------------------
    @api.depends("later_ids", "superseded_by_ids")
    def _compute_state(self):
        query = SQL("SELECT d.id, %s, %s FROM bridge_document d WHERE d.id = ANY(%s)", STATE, IS_COUNTED, self.ids)
        rows = {row_id: (state, counts) for row_id, state, counts in self.env.execute_query(query)}
        for document in self:
            document.state, document.is_counted = rows.get(document.id, ("effective", True))

    def _search_state(self, operator, value):
        if operator != "in":
            return NotImplemented
        query = SQL("(SELECT d.id FROM bridge_document d WHERE %s IN %s)", STATE, tuple(value) or (None,))
        return Domain("id", "in", query)

    def _search_is_counted(self, operator, value):
        if operator != "in":
            return NotImplemented
        truth = IS_COUNTED if True in value else SQL("NOT %s", IS_COUNTED)
        return Domain("id", "in", SQL("(SELECT d.id FROM bridge_document d WHERE %s)", truth))

    def _in_force(self):
        """The document that stands for each of these now: what replaced or corrected it last."""
        found = self
        while later := found.superseded_by_ids | found.later_ids.filtered(lambda d: d.relation == "correct"):
            gone = found.filtered(lambda d: d.superseded_by_ids or "correct" in d.later_ids.mapped("relation"))
            found = found - gone | later
        return found

    # -- issuing -----------------------------------------------------------------------------------
    @api.model
    def _issue(self, vals_list):
        """Register documents: the only way to make one. All of a batch together.

        :param vals_list: dicts of ``content`` (see fiscal/documents.py) and the records it is about: ``company_id`` and
            any of REFERENCES, as ids; ``superseded_ids``, a list of ids. Without a number in the content it gets one.
        :return: documents in the same order; one that was registered before (same order or invoice and relation, same
            document corrected) is returned as it is
        """
        self = self.sudo()
        found = self._known(vals_list)
        new = {}
        for vals in vals_list:
            if (key := self._key(vals)) not in found:
                new.setdefault(key, vals)
        self._write_new(list(new.values()), found)
        return self.browse(found[self._key(vals)] for vals in vals_list)

    @staticmethod
    def _key(vals):
        """What makes a document the same one; a document about nothing of ours is always a new one."""
        relation = vals["content"]["relation"]
        if relation == "correct":
            return "original_id", vals["original_id"], relation
        source = "move_id" if vals.get("move_id") else "pos_order_id"
        return (source, vals[source], relation) if vals.get(source) else ("vals", id(vals), relation)

    @api.model
    def _known(self, vals_list):
        """{key: id} of those that are registered."""
        found, wanted = {}, {self._key(vals) for vals in vals_list}
        for source in ("move_id", "pos_order_id", "original_id"):
            ids = [record_id for name, record_id, _relation in wanted if name == source]
            if ids:
                query = SQL(
                    "SELECT %s, relation, id FROM bridge_document WHERE %s = ANY(%s)",
                    SQL.identifier(source), SQL.identifier(source), ids,
                )  # fmt: skip
                rows = self.env.execute_query(query)
                found.update({(source, record_id, relation): row_id for record_id, relation, row_id in rows})
        return {key: found[key] for key in wanted & found.keys()}

    @api.model
    def _write_new(self, vals_list, found):
        if not vals_list:
            return
        self._give_ids(vals_list)
        self._give_numbers(vals_list)
        rows, rates, superseded = [], [], []
        for vals in vals_list:
            content = vals["content"]
            record = content["record"]
            found[self._key(vals)] = record["id"]
            rows.append({**columns(content), "content": content})
            rates += [
                {"id": rate_id, "document_id": record["id"], **{name: rate[name] for name in RATE_COLUMNS}}
                for rate_id, rate in zip(record["rate_ids"], content["rates"], strict=True)
            ]
            superseded += [
                {"document_id": record["id"], "superseded_id": row_id} for row_id in record["superseded_ids"]
            ]
        self._append(rows)
        self._insert(rates, "bridge_document_rate")
        self._insert(superseded, "bridge_document_superseded_rel")
        self.env["pos.order"].invalidate_model(["bridge_document_ids"], flush=False)
        self.env["account.move"].invalidate_model(["bridge_document_ids"], flush=False)
        self.invalidate_model(["later_ids", "superseded_by_ids", "state", "is_counted"], flush=False)

    @api.model
    def _give_ids(self, vals_list):
        """Write down in each content which records it is about, ids of its own rows included."""
        ids = self._take_ids(len(vals_list))
        count = sum(len(vals["content"]["rates"]) for vals in vals_list)
        rate_ids = iter(self._take_ids(count, "bridge_document_rate"))
        for vals, document_id in zip(vals_list, ids, strict=True):
            content = vals["content"]
            vals.setdefault("user_id", self.env.uid)
            content["record"] = {
                **{name: vals.get(name) or None for name in REFERENCES},
                "id": document_id,
                "rate_ids": [next(rate_ids) for _rate in content["rates"]],
                "superseded_ids": sorted(vals.get("superseded_ids") or ()),
            }

    @api.model
    def _give_numbers(self, vals_list):
        """Keep the numbers printed on paper. Tills of several stores may use the same: the second gets its id, too."""
        numbers = [vals["content"].get("number") or "" for vals in vals_list]
        company_ids = list({vals["company_id"] for vals in vals_list})
        query = SQL(
            "SELECT company_id, number FROM bridge_document WHERE company_id = ANY(%s) AND number = ANY(%s)",
            company_ids, numbers,
        )  # fmt: skip
        taken = set(self.env.execute_query(query))
        for vals, number in zip(vals_list, numbers, strict=True):
            content = vals["content"]
            document_id = content["record"]["id"]
            if not number:
                number = f"{PREFIXES[content['type']]}{document_id:08d}"  # noqa: PLW2901
            elif (vals["company_id"], number) in taken:
                number = f"{number}-{document_id}"  # noqa: PLW2901
            taken.add((vals["company_id"], number))
            content["number"] = number


class BridgeDocumentRate(models.Model):
    _name = "bridge.document.rate"
    _inherit = ["bridge.unchanged"]
    _description = "Figures of a fiscal document by rate"
    _order = "id"
    _log_access = False

    document_id = fields.Many2one("bridge.document", required=True, readonly=True, ondelete="restrict", index=True)
    category = fields.Selection(
        [
            ("10", "10%"), ("8R", "8% reduced"), ("8N", "8% reduced (newspapers)"), ("1F", "1% food"), ("0E", "Exempt"),
            ("0X", "Out of scope"),
        ],
        required=True, readonly=True,
    )  # fmt: skip
    percent = fields.Integer(readonly=True)
    is_reduced = fields.Boolean("Reduced", readonly=True)
    base = fields.Integer("Without tax", readonly=True)
    tax = fields.Integer(readonly=True)
    total = fields.Integer(readonly=True)
