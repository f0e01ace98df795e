# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The outward lane: every channel is told what it may still sell, until it agrees."""

import uuid
from datetime import timedelta
from decimal import Decimal

from odoo import api, fields, models
from odoo.tools import SQL

from ..booking import Outcome
from ..connectors import get
from ..connectors.base import Capability
from ..connectors.records import StockLevel
from ..locks import CLAIM_TOUCHES

FOLD_BATCH = 5000
# A level the channel says is not what we last knew usually means a sale on its way to us. We wait this long for it
# before we take the channel's word and set the level anew.
STALE_PATIENCE = timedelta(minutes=2)
STALE_PAUSE = 3  # seconds between looks


class BridgeStockLevel(models.Model):
    """What one channel shows for one product in one store, and what it should. Written by the outward lane only."""

    _name = "bridge.stock.level"
    _description = "Published stock"
    _order = "state, id"
    _rec_name = "product_id"

    channel_id = fields.Many2one("bridge.channel", required=True, ondelete="cascade", readonly=True, index=True)
    company_id = fields.Many2one(related="channel_id.company_id", store=True, index=True)
    store_id = fields.Many2one("bridge.store", required=True, ondelete="cascade", readonly=True)
    product_id = fields.Many2one("product.product", required=True, ondelete="cascade", readonly=True, index=True)
    desired = fields.Float(digits="Product Unit", readonly=True, help="What the channel may sell, when last looked at.")
    confirmed = fields.Float(
        digits="Product Unit",
        readonly=True,
        help="What the channel last agreed to, less what it sold itself and we have booked since.",
    )
    is_known = fields.Boolean(readonly=True, help="Whether the channel's level is known at all.")
    state = fields.Selection(
        [
            ("synced", "Agreed"),
            ("due", "To be told"),
            ("stale", "Waiting for a sale on its way"),
            ("held", "Held"),
            ("failed", "Failed"),
        ],
        default="due",
        required=True,
        readonly=True,
    )
    message = fields.Char("Reason", readonly=True)
    push_id = fields.Char(readonly=True, help="The attempt under way; a repeat carries the same id.")
    attempts = fields.Integer(readonly=True)
    run_at = fields.Datetime(default=fields.Datetime.now, readonly=True)
    stale_since = fields.Datetime(readonly=True)
    is_doubtful = fields.Boolean(
        readonly=True,
        help="The channel's own number was taken as it was: a sale we had not booked yet may have been in it. So what "
        "the channel sells is not reckoned with only, it is verified by telling the level.",
    )
    pushed_at = fields.Datetime("Last agreed", readonly=True)
    echo_mark = fields.Char(readonly=True, help="The channel's own id of the change our last push made.")

    _key_uniq = models.Constraint("UNIQUE(store_id, product_id)", "One level per store and product.")
    _echo_index = models.Index("(channel_id, echo_mark) WHERE echo_mark IS NOT NULL")
    _push_index = models.Index("(push_id) WHERE push_id IS NOT NULL")
    _due_index = models.Index("(channel_id, run_at) WHERE state IN ('due', 'stale')")

    def action_push(self):
        """Tell the channel now (also: release what is held)."""
        self.write({"state": "due", "run_at": fields.Datetime.now(), "attempts": 0, "message": False})
        self.channel_id._wake("outward")

    # -- fold ------------------------------------------------------------------------------------
    @api.model
    def _fold(self, channel):
        """Turn touched keys into levels to be told. Returns how many keys were folded."""
        self.env.cr.execute(CLAIM_TOUCHES, [channel.id, FOLD_BATCH])
        own, changed = {}, set()
        for store_id, product_id, quantity in self.env.cr.fetchall():
            own[store_id, product_id] = own.get((store_id, product_id), 0.0) + (quantity or 0.0)
            if quantity is not None:
                changed.add((store_id, product_id))
        if not own:
            return 0
        self._spread(channel, changed)
        self._add_kits(own)
        bound = set(self._stock_ids(channel, {product_id for _store, product_id in own}))
        desired = self._desired(channel, [key for key in own if key[1] in bound])
        self._make_levels(channel, desired)
        changed = self._set_desired(desired, own)
        self._guard(channel, changed.filtered(lambda level: level.state == "due"))
        return len(own)

    def _set_desired(self, desired, own):
        """One statement for all levels. Returns those that changed.

        :param desired: {(store id, product id): what the channel should show}
        :param own: {(store id, product id): what the channel itself sold or took back}
        """
        if not desired:
            return self
        self.flush_model()
        rows = [(store_id, product_id, quantity, own[store_id, product_id])
                for (store_id, product_id), quantity in desired.items()]  # fmt: skip
        stores, products, quantities, owns = (list(column) for column in zip(*rows, strict=True))
        self.env.cr.execute(
            """UPDATE bridge_stock_level l
                  SET desired = v.desired, confirmed = v.confirmed, state = v.state,
                      run_at = CASE WHEN v.state = 'due' THEN %(now)s ELSE l.run_at END,
                      stale_since = CASE WHEN v.state <> 'stale' THEN NULL ELSE l.stale_since END,
                      message = CASE WHEN v.state = 'synced' THEN NULL ELSE l.message END,
                      -- A new goal needs a new attempt; the same goal repeats the old one.
                      push_id = CASE WHEN v.state <> 'synced' AND NOT v.is_new THEN l.push_id END,
                      write_date = %(now)s, write_uid = %(uid)s
                 FROM (SELECT old.id, n.desired, coalesce(old.confirmed, 0) + n.own AS confirmed,
                              n.own <> 0 OR coalesce(old.desired, 0) <> n.desired AS is_new,
                              -- It need not be told what it shows already, where that can be reckoned. Not when it
                              -- contradicted us, nor when nobody knows whether the last attempt reached it. And a
                              -- sale that was in its number already when we took that would be taken off twice.
                              CASE WHEN old.is_known AND coalesce(old.confirmed, 0) + n.own = n.desired
                                        AND old.state <> 'stale' AND coalesce(old.attempts, 0) = 0
                                        AND NOT (n.own <> 0 AND coalesce(old.is_doubtful, false)) THEN 'synced'
                                   WHEN old.state <> 'stale' OR n.own <> 0 THEN 'due'
                                   ELSE 'stale' END AS state
                         FROM unnest(%(stores)s, %(products)s, %(quantities)s::numeric[], %(owns)s::numeric[])
                              AS n(store_id, product_id, desired, own)
                         JOIN bridge_stock_level old ON old.store_id = n.store_id AND old.product_id = n.product_id) v
                WHERE l.id = v.id AND (v.is_new OR v.state <> 'synced' OR l.state <> 'synced')
            RETURNING l.id""",
            {"now": fields.Datetime.now(), "uid": self.env.uid, "stores": stores, "products": products,
             "quantities": quantities, "owns": owns},
        )  # fmt: skip
        changed = self.browse(row[0] for row in self.env.cr.fetchall())
        self.invalidate_model()
        return changed

    def _add_kits(self, own):
        """A kit changes with each of its components."""
        kits = self.env["bridge.kit"]._kits_with({product for _store, product in own})
        if kits:
            components = self.env["bridge.kit"]._components(kits)
            for store_id, product_id in list(own):
                for kit_id, parts in components.items():
                    if product_id in parts:
                        own.setdefault((store_id, kit_id), 0.0)

    @api.model
    def _desired(self, channel, keys):
        """{(store id, product id): whole units the channel should show}; what is not known is left out."""
        by_store = {}
        for store_id, product_id in keys:
            by_store.setdefault(store_id, []).append(product_id)
        by_products = {}  # stores of which the same is asked are asked together
        for store_id, product_ids in by_store.items():
            by_products.setdefault(tuple(product_ids), []).append(store_id)
        availability = self.env["bridge.availability"]
        result = {}
        for product_ids, store_ids in by_products.items():
            stores = self.env["bridge.store"].browse(store_ids).filtered("location_id")
            products = self.env["product.product"].browse(product_ids).exists()
            coming = {store.id: self._own_on_the_way(store) for store in stores}
            for (store_id, product_id), found in availability._for_stores(stores, products).items():
                result[store_id, product_id] = found.quantity + coming[store_id].get(product_id, 0)
        return result

    def _own_on_the_way(self, store):
        """{product id: pieces promised to orders of the channel that are not booked yet}: it has taken them off what it
        shows already, and ``confirmed`` follows when they are booked."""
        self.env["bridge.hold"].flush_model()
        rows = self.env.execute_query(
            SQL(
                """SELECT coalesce(kit_id, product_id),
                          sum(CASE WHEN kit_id IS NULL THEN quantity ELSE kit_quantity END)
                     FROM bridge_hold
                    WHERE channel_id = %s AND store_id = %s AND state = 'active' AND purpose = 'import'
                      AND sale_line_id IS NULL GROUP BY 1""",
                store.channel_id.id,
                store.id,
            )
        )
        return {product_id: float(quantity or 0) for product_id, quantity in rows}

    def _levels(self, channel, keys):
        """{(store id, product id): level}, made where missing."""
        stores, products = {store for store, _p in keys}, {product for _s, product in keys}
        self._make_levels(channel, keys)
        found = self.search([("store_id", "in", list(stores)), ("product_id", "in", list(products))])
        levels = {(level.store_id.id, level.product_id.id): level for level in found}
        return {key: levels[key] for key in keys}

    def _make_levels(self, channel, keys):
        """Make those that are missing."""
        if not keys:
            return
        self.env.cr.execute(
            """INSERT INTO bridge_stock_level (channel_id, company_id, store_id, product_id, desired, confirmed,
                                               is_known, state, attempts, run_at,
                                               create_uid, create_date, write_uid, write_date)
               SELECT %(channel)s, %(company)s, k.store_id, k.product_id, 0, 0, false, 'due', 0, %(now)s,
                      %(uid)s, %(now)s, %(uid)s, %(now)s
                 FROM unnest(%(stores)s, %(products)s) AS k(store_id, product_id)
                WHERE NOT EXISTS (SELECT FROM bridge_stock_level l
                                   WHERE l.store_id = k.store_id AND l.product_id = k.product_id)""",
            {"channel": channel.id, "company": channel.company_id.id, "now": fields.Datetime.now(), "uid": self.env.uid,
             "stores": [store for store, _p in keys], "products": [product for _s, product in keys]},
        )  # fmt: skip

    def _guard(self, channel, due):
        """Hook after a fold: see bridge_stock_guard."""

    # -- push ------------------------------------------------------------------------------------
    @api.model
    def _take_due(self, channel, size):
        """Levels to be told now, each with the id of its attempt; to be committed before anything is sent."""
        levels = self.search_fetch(
            [
                ("channel_id", "=", channel.id),
                ("state", "in", ("due", "stale")),
                ("run_at", "<=", fields.Datetime.now()),
                *self._sendable(channel),
            ],
            ["store_id", "product_id", "desired", "confirmed", "is_known", "push_id", "attempts", "available_from"],
            limit=size,
            order="run_at, id",
        )
        stock_ids = self._stock_ids(channel, levels.product_id.ids)
        unmapped = levels.filtered(lambda level: level.product_id.id not in stock_ids)
        reason = self.env._("The product is not mapped to this channel any more.")
        unmapped.write({"state": "failed", "message": reason})
        levels -= unmapped
        repeats = {level.id for level in levels if level.push_id}
        push_ids = {level.id: level.push_id or uuid.uuid4().hex for level in levels}
        levels._begin_attempt(push_ids)
        work = []
        for level in levels:
            work.append(
                StockLevel(
                    store_id=level.store_id.external_id,
                    stock_id=stock_ids[level.product_id.id],
                    quantity=Decimal(str(level.desired)),
                    expected=Decimal(str(level.confirmed)) if level.is_known else None,
                    push_id=push_ids[level.id],
                    is_repeat=level.id in repeats,
                    available_from=level.available_from or None,
                )
            )
        return work

    def _begin_attempt(self, push_ids):
        """Write down the ids of these attempts, {level id: push id}; one statement for all."""
        if not push_ids:
            return
        self.flush_model()
        self.env.cr.execute(
            """UPDATE bridge_stock_level l SET push_id = v.push_id, attempts = coalesce(l.attempts, 0) + 1
                 FROM unnest(%s, %s) AS v(id, push_id) WHERE l.id = v.id""",
            [list(push_ids), list(push_ids.values())],
        )
        self.invalidate_model(["push_id", "attempts"])

    @api.model
    def _sendable(self, channel):
        """Further conditions for a level to be told."""
        return []

    @api.model
    def _stock_ids(self, channel, product_ids):
        """{product id: id the channel keeps its stock under}."""
        bindings = self.env["bridge.binding"].search_fetch(
            [("channel_id", "=", channel.id), ("entity", "=", "product"), ("res_id", "in", list(product_ids))],
            ["res_id", "stock_external_id", "external_id"], order="id",
        )  # fmt: skip
        return {b.res_id: b.stock_external_id or b.external_id for b in bindings}

    @api.model
    def _record_results(self, sent, results):
        """Write down what the channel answered."""
        by_push = {item.push_id: item for item in sent}
        now = fields.Datetime.now()
        self._confirm([result for result in results if result.status == "ok"], by_push, now)
        rest = [result for result in results if result.status != "ok"]
        levels = {level.push_id: level for level in self.search([("push_id", "in", [r.push_id for r in rest])])}
        for result in rest:
            level = levels.get(result.push_id)
            if level is None:
                continue
            if result.status == "stale":
                level._stale(result, now)
            else:
                level.write({"state": "failed", "message": result.message, "push_id": False})

    def _confirm(self, results, by_push, now):
        """The channel agreed to these; one statement for all."""
        if not results:
            return
        self.flush_model()
        self.env.cr.execute(
            """UPDATE bridge_stock_level l
                  SET confirmed = v.quantity, is_known = true, pushed_at = %(now)s, push_id = NULL, echo_mark = v.mark,
                      is_doubtful = coalesce(l.is_doubtful, false) OR l.pushed_at IS NULL,
                      state = CASE WHEN l.desired = v.quantity THEN 'synced' ELSE 'due' END, message = NULL,
                      attempts = 0, stale_since = NULL, write_date = %(now)s, write_uid = %(uid)s
                 FROM unnest(%(pushes)s, %(quantities)s::numeric[], %(marks)s::text[]) AS v(push_id, quantity, mark)
                WHERE l.push_id = v.push_id""",
            {"now": now, "uid": self.env.uid, "pushes": [result.push_id for result in results],
             "quantities": [by_push[result.push_id].quantity for result in results],
             "marks": [result.mark or None for result in results]},
        )  # fmt: skip
        self.invalidate_model()

    def _stale(self, result, now):
        """The channel holds another number than we thought."""
        self.ensure_one()
        since = self.stale_since or now
        vals = {
            "push_id": False,
            "stale_since": since,
            "state": "stale",
            "run_at": now + timedelta(seconds=STALE_PAUSE),
        }
        vals["message"] = self.env._(
            "The channel shows %(actual)s where %(expected)s was expected: a sale may be on its way.",
            actual=result.quantity,
            expected=self.confirmed,
        )
        # No sale on its way explains more than was expected; one that was booked after we took the number does.
        is_explained = self.is_doubtful and (result.quantity or 0) > self.confirmed
        if not self.is_known or is_explained or now - since >= STALE_PATIENCE:
            # Nothing came: somebody changed the level over there. Take it as the new ground.
            vals |= {
                "confirmed": float(result.quantity or 0),
                "is_known": result.quantity is not None,
                "is_doubtful": True,
                "state": "due",
                "run_at": now,
            }
        self.write(vals)


class BridgeChannel(models.Model):
    _inherit = "bridge.channel"

    def _run_outward(self):
        """Fold what was touched and tell the channel, until nothing is due."""
        if self.state != "live":
            return
        while self._retrying(lambda channel: channel.env["bridge.stock.level"]._fold(channel)):
            pass
        if self._can(Capability.STOCK_OUT):
            self._push_levels()
        if self._can(Capability.FULFILMENT_OUT):
            self._push_parcels()

    def _push_levels(self):
        connector = self._connector()
        self._before_push(connector)
        size = get(self.system).push_batch
        while True:
            sent = self._retrying(lambda channel: channel.env["bridge.stock.level"]._take_due(channel, size))
            if not sent:
                break
            # Outside of any transaction: an answer may take its time.
            results = connector.push_stock(sent)
            self._retrying(lambda channel, s=sent, r=results: channel.env["bridge.stock.level"]._record_results(s, r))
        self._retrying(lambda channel: channel._wake_stale())

    def _before_push(self, connector):
        """Hook before anything is told: learn what the channel shows."""

    def _wake_stale(self):
        if self.env["bridge.stock.level"].search_count(
            [("channel_id", "=", self.id), ("state", "=", "stale")], limit=1
        ):
            self._postpone("outward", STALE_PAUSE)


class BridgeBookingLevel(models.AbstractModel):
    """A level the channel tells of: mostly the echo of our own push. What we know decides, not the number."""

    _name = "bridge.booking.level"
    _inherit = "bridge.booking"
    _description = "Level told by a channel"

    def _plan(self, channel, items):
        reason = self.env._("Stock is counted in Odoo; the nightly comparison looks at the channel's levels.")
        return {item: Outcome("skipped", "ignored", message=reason) for item in items}
