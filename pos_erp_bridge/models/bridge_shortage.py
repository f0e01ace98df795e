# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Sold, but not there: what was sold elsewhere is booked all the same, and what is missing of it is decided here.

Whatever changes what an order has reserved notes the order line (``stock_shortage.py``); before the transaction is
committed all noted lines are looked at together. So a shortage opens and closes by itself, whoever caused it.
"""

from markupsafe import Markup

from odoo import api, fields, models
from odoo.tools import SQL

DATA_KEY = "pos_erp_bridge.shortage"
DECISIONS = [
    ("place", "Delivered from another place"),
    ("transfer", "Brought from another place"),
    ("wait", "Waits for incoming goods"),
    ("later", "The rest is delivered later"),
    ("refund", "Refund asked for"),
    ("cancel", "Cancelled"),
]


class BridgeShortage(models.Model):
    _name = "bridge.shortage"
    _inherit = ["bridge.readonly"]
    _description = "Shortage"
    _order = "id desc"

    order_id = fields.Many2one("sale.order", required=True, ondelete="cascade", readonly=True, index=True)
    sale_line_id = fields.Many2one(
        "sale.order.line", "Order line", required=True, ondelete="cascade", readonly=True, index=True
    )
    company_id = fields.Many2one("res.company", required=True, readonly=True, index=True)
    channel_id = fields.Many2one("bridge.channel", ondelete="cascade", readonly=True, help="Empty: Odoo's own order.")
    store_id = fields.Many2one("bridge.store", ondelete="set null", readonly=True)
    location_id = fields.Many2one("stock.location", "Missing in", ondelete="set null", readonly=True)
    product_id = fields.Many2one("product.product", required=True, ondelete="cascade", readonly=True, index=True)
    uom_id = fields.Many2one(related="product_id.uom_id")
    ordered = fields.Float(digits="Product Unit", readonly=True, help="In the product's base unit.")
    missing = fields.Float(digits="Product Unit", readonly=True, help="In the product's base unit.")
    state = fields.Selection(
        [("open", "Unsettled"), ("solved", "Solved"), ("gone", "Settled by itself")],
        default="open",
        required=True,
        readonly=True,
        help="Settled by itself: the goods were reserved after all, less is ordered, or the order was cancelled.",
    )
    decision = fields.Selection(DECISIONS, readonly=True)
    decision_text = fields.Char("What was decided", readonly=True)
    decided_by_id = fields.Many2one("res.users", "Decided by", ondelete="set null", readonly=True)
    decided_at = fields.Datetime("Decided on", readonly=True)
    expected_date = fields.Date("Goods expected", readonly=True)
    closed_at = fields.Datetime("Closed", readonly=True)
    activity_id = fields.Many2one("mail.activity", ondelete="set null", readonly=True, index="btree_not_null")

    _open_uniq = models.UniqueIndex("(sale_line_id) WHERE state = 'open'", "What is missing of a line is decided once.")
    _channel_index = models.Index("(channel_id) WHERE state = 'open'")

    @api.depends("order_id.name", "product_id")
    def _compute_display_name(self):
        for shortage in self:
            order, product = shortage.order_id.sudo(), shortage.product_id.sudo()
            shortage.display_name = f"{order.name or ''} {product.display_name or ''}".strip()

    # -- noticing ----------------------------------------------------------------------------------
    @api.model
    def _note(self, lines, is_lost=False, taken=()):
        """Look at these order lines before the transaction is committed.

        :param is_lost: somebody took what was reserved; then Odoo's own orders count too, not only web orders
        :param taken: ids of products that left a place without asking; promises to quotations are looked at
        """
        if not lines and not taken:
            return
        precommit = self.env.cr.precommit
        if DATA_KEY not in precommit.data:
            precommit.data[DATA_KEY] = {"lines": set(), "lost": set(), "taken": set()}
            # Whatever the caller's context says of his batch is not ours.
            precommit.add(self.env(su=True, context={})[self._name]._flush_noted)
        noted = precommit.data[DATA_KEY]
        noted["lines"].update(lines.ids)
        noted["taken"].update(taken)
        if is_lost:
            noted["lost"].update(lines.ids)

    def _flush_noted(self):
        noted = self.env.cr.precommit.data.pop(DATA_KEY, None)
        if noted:
            self._look(noted["lines"], noted["lost"])
            self.env["sale.order"]._bridge_check_holds(noted["taken"])

    @api.model
    def _look(self, line_ids, lost=frozenset()):
        """Open, correct and close the shortages of these order lines; a handful of queries for all of them."""
        lines = self.env["sale.order.line"].browse(sorted(line_ids)).exists()
        known = {
            row.sale_line_id: row for row in self.search([("sale_line_id", "in", lines.ids), ("state", "=", "open")])
        }
        lines = lines.filtered(lambda line: line.order_id.bridge_channel_id or line.id in lost or line in known)
        missing = lines._bridge_missing()
        ended, new = self.browse(), []
        for line in lines:
            quantity, place = missing.get(line, (0.0, None))
            row = known.get(line)
            if row and quantity:
                row._correct(quantity)
            elif row:
                ended |= row
            elif quantity:
                new.append((line, quantity, place))
        ended._end_by_itself()
        self._open(new)

    def _correct(self, quantity):
        difference = self.product_id.uom_id.compare(quantity, self.missing)
        if difference:
            # More than what was decided about is missing: somebody has to look again.
            again = {"decision": False, "decision_text": False, "expected_date": False} if difference > 0 else {}
            self.write({"missing": quantity, **again})
        if difference > 0:
            self._ask()

    def _end_by_itself(self):
        now = fields.Datetime.now()
        decided = self.filtered("decision")
        decided.write({"state": "solved", "missing": 0.0, "closed_at": now})
        (self - decided).write({"state": "gone", "missing": 0.0, "closed_at": now})
        self._close_activities()

    def _open(self, rows):
        """Open shortages of [(sale.order.line, quantity, stock.location)]; the unique index decides who was first."""
        if not rows:
            return self
        self.env.flush_all()
        now = fields.Datetime.now()
        values = SQL(", ").join(
            SQL(
                "(%s, %s, %s, %s, %s, %s, %s, %s, %s, 'open', %s, %s, %s, %s)",
                line.id, line.order_id.id, line.order_id.company_id.id, line.order_id.bridge_channel_id.id or None,
                line.order_id.bridge_store_id.id or None, place.id, line.product_id.id, line._bridge_base_quantity(),
                quantity, self.env.uid, now, self.env.uid, now,
            )
            for line, quantity, place in rows
        )  # fmt: skip
        found = self.env.execute_query(
            SQL(
                """INSERT INTO bridge_shortage (sale_line_id, order_id, company_id, channel_id, store_id, location_id,
                                                product_id, ordered, missing, state, create_uid, create_date, write_uid,
                                                write_date)
                   VALUES %s ON CONFLICT (sale_line_id) WHERE state = 'open' DO NOTHING RETURNING id""",
                values,
            )
        )
        shortages = self.browse([row[0] for row in found])
        shortages._ask()
        return shortages

    # -- people ------------------------------------------------------------------------------------
    def _ask(self):
        """Ask the responsible of each order, once."""
        vals_list, asked = [], []
        kind = self.env.ref("mail.mail_activity_data_warning")
        model_id = self.env["ir.model"]._get_id("sale.order")
        domain = [("order_id", "in", self.order_id.ids), ("state", "=", "open"), ("activity_id", "!=", False)]
        asked_before = {row.order_id: row.activity_id for row in self.search(domain)}
        for order, rows in self.grouped("order_id").items():
            if order in asked_before:
                rows.activity_id = asked_before[order]
                continue
            user = order.user_id or order.bridge_channel_id.create_uid or self.env.user
            speaking = rows.with_context(lang=user.lang)
            notes = [
                speaking.env._(
                    "%(product)s: %(missing)g of %(ordered)g are missing.",
                    product=row.product_id.display_name, missing=row.missing, ordered=row.ordered,
                )
                for row in speaking
            ]  # fmt: skip
            vals_list.append(
                {
                    "activity_type_id": kind.id, "res_model_id": model_id, "res_id": order.id, "user_id": user.id,
                    "summary": speaking.env._("Not enough stock"), "note": Markup("<br/>").join(notes),
                    "date_deadline": fields.Date.context_today(order), "automated": True,
                }
            )  # fmt: skip
            asked.append(rows)
        for activity, rows in zip(self.env["mail.activity"].create(vals_list), asked, strict=True):
            rows.activity_id = activity

    def _close_activities(self):
        """What is decided, or has settled, asks nobody any more."""
        activities = self.activity_id
        waiting = self.search(
            [("activity_id", "in", activities.ids), ("state", "=", "open"), ("decision", "=", False)]
        ).activity_id
        (activities - waiting).unlink()


class SaleOrder(models.Model):
    _inherit = "sale.order"

    bridge_shortage_count = fields.Integer(
        "Shortages", compute="_compute_bridge_shortage_count", compute_sudo=True, help="Settled or not."
    )

    def _compute_bridge_shortage_count(self):
        counts = self.env["bridge.shortage"]._read_group([("order_id", "in", self.ids)], ["order_id"], ["__count"])
        by_order = {order.id: count for order, count in counts}
        for order in self:
            order.bridge_shortage_count = by_order.get(order.id, 0)

    def action_bridge_open_shortages(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("pos_erp_bridge.bridge_shortage_action")
        action |= {"domain": [("order_id", "=", self.id)], "context": {}}
        rows = self.env["bridge.shortage"].search([("order_id", "=", self.id)])
        if len(rows) == 1:
            action |= {"res_id": rows.id, "views": [(False, "form")]}
        return action
