# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The hold ledger: a promise of stock is a row.

Two can never be promised the last piece: who promises passes the product's gate (``locks.py``), and decision and claim
are one call in a short transaction of its own (``claim.py``). What is promised and what is reserved never overlaps:
a promise ends in the very transaction that reserves.
"""

from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import ormcache

from ..claim import CREATE
from ..locks import END, EXPIRE, OPEN_GATE, PASS_GATE, promise_cursor

SWEEP = 5000  # promises ended in one transaction


class BridgeGate(models.Model):
    """One row per product, where promises queue; see ``locks.py``."""

    _name = "bridge.gate"
    _description = "Queue for promises of a product"
    _log_access = False

    product_id = fields.Many2one("product.product", required=True, ondelete="cascade")
    passed = fields.Integer(default=0)

    _product_uniq = models.Constraint("UNIQUE(product_id)", "There is one gate per product.")


class BridgeHold(models.Model):
    _name = "bridge.hold"
    _description = "Promised stock"
    _order = "id desc"
    _rec_name = "order_ref"
    _log_access = False  # who and when is said by channel, order and "since"; claims are many, and quick

    channel_id = fields.Many2one("bridge.channel", ondelete="cascade", readonly=True, help="Empty: Odoo's own.")
    company_id = fields.Many2one("res.company", required=True, readonly=True)
    store_id = fields.Many2one("bridge.store", ondelete="set null", readonly=True)
    order_ref = fields.Char("Order", required=True, readonly=True, index=True)
    line_ref = fields.Char("Line", required=True, readonly=True)
    arrival = fields.Integer(
        "Part that came in", default=0, required=True, readonly=True,
        help="Above 0: what came in of a preorder before the rest. 0: the line itself.",
    )  # fmt: skip
    product_id = fields.Many2one("product.product", required=True, ondelete="cascade", readonly=True)
    location_id = fields.Many2one("stock.location", "Place", required=True, ondelete="cascade", readonly=True)
    quantity = fields.Float(digits="Product Unit", required=True, readonly=True)
    kit_id = fields.Many2one("product.product", "Part of", ondelete="cascade", readonly=True)
    kit_quantity = fields.Float(digits="Product Unit", readonly=True)
    customer = fields.Char(readonly=True, help="The buyer, as the channel knows him; for limits per customer.")
    purpose = fields.Selection(
        [
            ("cart", "Cart"),
            ("order", "Unpaid order"),
            ("import", "Order on its way"),
            ("pickup", "Pick up in store"),
            ("preorder", "Preorder"),
            ("quotation", "Quotation"),
            ("tally", "Sold during an outage"),
        ],
        required=True,
        readonly=True,
    )
    source = fields.Selection(
        [("hand", "Stock at hand"), ("incoming", "Incoming")], default="hand", required=True, readonly=True
    )
    is_preorder = fields.Boolean("Preordered", readonly=True, help="Promised before it had come in.")
    state = fields.Selection(
        [
            ("active", "Promised"),
            ("done", "Kept"),
            ("released", "Given back"),
            ("expired", "Expired"),
        ],
        default="active",
        required=True,
        readonly=True,
        help="Kept: it became a reservation of the order.",
    )
    expires_at = fields.Datetime("Until", readonly=True)
    claimed_at = fields.Datetime("Since", readonly=True)
    ended_at = fields.Datetime("Ended", readonly=True)
    sale_line_id = fields.Many2one("sale.order.line", "Order line", ondelete="set null", readonly=True)
    sale_id = fields.Many2one(related="sale_line_id.order_id", string="Sales order")

    _key_uniq = models.UniqueIndex(
        "(COALESCE(channel_id, 0), order_ref, line_ref, product_id, arrival)", "A line is promised once."
    )
    _active_index = models.Index("(product_id) WHERE state = 'active'")
    _expiry_index = models.Index("(expires_at) WHERE state = 'active'")
    _sale_line_index = models.Index("(sale_line_id) WHERE sale_line_id IS NOT NULL")
    # Limited goods are counted over what was promised, kept or not.
    _cap_index = models.Index("(product_id, claimed_at)")

    def init(self):
        self.env.cr.execute(CREATE)

    # -- ending ------------------------------------------------------------------------------------
    @api.model
    def _release(self, channel, order_ref, line_refs=None):
        """Give back what an order was promised, in a transaction of its own. Returns how many promises."""
        with promise_cursor(self.env.registry) as cr:
            cr.execute(
                """SELECT id FROM bridge_hold WHERE coalesce(channel_id, 0) = %s AND order_ref = %s AND state = 'active'
                      AND (%s::text[] IS NULL OR line_ref = ANY(%s)) ORDER BY id FOR UPDATE""",
                [channel.id or 0, order_ref, line_refs, line_refs],
            )
            values = {"state": "released", "now": fields.Datetime.now(), "ids": [row[0] for row in cr.fetchall()]}
            cr.execute(END, values)
            keys = [(location_id, product_id) for _id, location_id, product_id, _quantity in cr.fetchall()]
            wake = self.env["bridge.touch"]._insert_places(cr, keys)
        wake()
        return len(keys)

    def _end(self, state):
        """End these promises in the current transaction. Returns {id: quantity} of those that were still active.

        "done" belongs into the transaction that reserves what was promised: both become visible at once.
        """
        self.flush_model()
        self.env.cr.execute(END, {"state": state, "now": fields.Datetime.now(), "ids": self.ids})
        rows = self.env.cr.fetchall()
        self.invalidate_model(["state", "ended_at"])
        self.env["bridge.touch"]._touch_places([(location, product) for _id, location, product, _qty in rows])
        return {row[0]: row[3] for row in rows}

    def action_release(self):
        """Give back, by hand."""
        self._check_may_claim()
        for (channel, order_ref), holds in self.grouped(lambda hold: (hold.channel_id, hold.order_ref)).items():
            self.sudo()._release(channel, order_ref, holds.mapped("line_ref"))
        self.invalidate_recordset()

    @api.model
    def _expire(self):
        """End what expired. Returns how many promises."""
        count = 0
        while True:
            with promise_cursor(self.env.registry) as cr:
                cr.execute(EXPIRE, {"now": fields.Datetime.now(), "limit": SWEEP})
                keys = cr.fetchall()
                wake = self.env["bridge.touch"]._insert_places(cr, keys)
            wake()
            count += len(keys)
            if len(keys) < SWEEP:
                return count

    @api.model
    def _cron_sweep(self):
        """End what expired; let rules begin or end. Every minute."""
        self._expire()
        self.env["bridge.allocation.rule"]._check_windows()

    @api.autovacuum
    def _gc_holds(self):
        """Carts that came to nothing are of no interest after three months; what was kept is counted by limits."""
        limit = fields.Datetime.now() - timedelta(days=90)
        self.search([("state", "in", ("released", "expired")), ("ended_at", "<", limit)], limit=10000).unlink()

    # -- the ORM's reservations --------------------------------------------------------------------
    @api.model
    @ormcache()
    def _shared_location_ids(self):
        """Ids of all places that channels sell from, what lies within and around them included; cached."""
        inside = self.env["bridge.touch"]._stores_by_location()
        around = self.env["stock.location"].sudo().search([("id", "parent_of", list(inside))])
        return frozenset(inside) | frozenset(around.filtered(lambda l: l.usage == "internal").ids)

    @api.model
    def _pass_gate(self, product_ids):
        """Pass the gates of these products in the current transaction: nobody promises any of them until it ends, and
        if somebody did since it began, it starts over."""
        product_ids = sorted(product_ids)
        # Starting over is what it is for: nothing to be logged as an error.
        self.env.cr.execute(PASS_GATE, [product_ids], log_exceptions=False)
        if self.env.cr.rowcount < len(product_ids):
            self.env.cr.execute(OPEN_GATE, [product_ids], log_exceptions=False)
            self.env.cr.execute(PASS_GATE, [product_ids], log_exceptions=False)
