# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Odoo's reservations respect promises.

Odoo reserves whatever is on hand and not reserved, and, when two do so at once, reserves it twice. Where channels sell
from the place, a reservation may take what was promised to its own order, and beyond that what is promised to nobody;
for the latter it passes the gate (``locks.py``). Whoever takes goods without reserving (a till) is never stopped: that
is a fact, not a wish.
"""

from collections import defaultdict

from odoo import api, models

from ..allocation import ALLOWANCE, Allowance


class StockMove(models.Model):
    _inherit = "stock.move"

    def _action_assign(self, force_qty=False):
        if self.env.context.get(ALLOWANCE) is None:
            self = self.with_context(**{ALLOWANCE: self._bridge_allowance()})
        return super()._action_assign(force_qty=force_qty)

    def _update_reserved_quantity_vals(self, need, location_id, *args, **kwargs):
        allowance = self.env.context.get(ALLOWANCE)
        if allowance is None or need <= 0:
            return super()._update_reserved_quantity_vals(need, location_id, *args, **kwargs)
        need = allowance.of(self, need)
        if self.product_id.uom_id.compare(need, 0.0) <= 0:
            return [], 0.0
        vals, taken = super()._update_reserved_quantity_vals(need, location_id, *args, **kwargs)
        allowance.take(self, taken)
        return vals, taken

    def _bridge_allowance(self):
        """The :class:`Allowance` of these moves. Promises to their orders end here, where the goods are reserved."""
        moves = self.filtered(lambda move: move._bridge_is_shared())
        if not moves:
            return Allowance({}, {}, {})
        own = moves._bridge_keep_promises()
        keys = {move.id: (move.location_id.id, move.product_id.id) for move in moves}
        rest = moves.filtered(
            lambda m: m.product_id.uom_id.compare(m.product_qty - m._bridge_reserved(), own.get(m.id, 0.0)) > 0
        )
        # Orders of a batch were promised what there is a moment ago; there is no more.
        batch = self.env.context.get("bridge_batch")
        if batch is not None:
            rest = rest.filtered(lambda move: move.sale_line_id.id not in batch.promised)
        return Allowance(own, rest._bridge_common(own), keys)

    def _bridge_is_shared(self):
        """Whether the move would reserve from a place that channels sell from."""
        return (
            self.state in ("confirmed", "waiting", "partially_available")
            and self.product_id.is_storable
            and self.location_id.id in self.env["bridge.hold"]._shared_location_ids()
            and not self.move_orig_ids
            and not self.picking_id.pos_session_id
            and not self._should_bypass_reservation()
        )

    def _bridge_reserved(self):
        return sum(self.move_line_ids.mapped("quantity_product_uom"))

    def _bridge_keep_promises(self):
        """{move id: quantity} of promises to the orders of these moves, which end with that."""
        holds = self.env["bridge.hold"].sudo().search(
            [
                ("sale_line_id", "in", self.sale_line_id.ids),
                ("state", "=", "active"),
                ("source", "=", "hand"),
                ("product_id", "in", self.product_id.ids),
            ],
            order="id",
        )  # fmt: skip
        if not holds:
            return {}
        kept = holds._end("done")
        left = defaultdict(float)
        for hold in holds:
            left[hold.sale_line_id.id, hold.product_id.id] += kept.get(hold.id, 0.0)
        own = {}
        for move in self:
            key = move.sale_line_id.id, move.product_id.id
            own[move.id] = min(left[key], move.product_qty)
            left[key] -= own[move.id]
        return own

    def _bridge_common(self, own):
        """{(location id, product id): what these moves may reserve beyond ``own``}; nobody else can, meanwhile."""
        if not self:
            return {}
        self.env["bridge.hold"]._pass_gate(self.product_id.ids)
        result = {}
        promised = defaultdict(float)
        for move in self:
            promised[move.location_id.id, move.product_id.id] += own.get(move.id, 0.0)
        for location in self.location_id:
            products = self.filtered(lambda move, place=location: move.location_id == place).product_id
            for product_id, quantity in self.env["bridge.availability"]._available(location, products).items():
                result[location.id, product_id] = quantity - promised[location.id, product_id]
        return result


class StockLocation(models.Model):
    _inherit = "stock.location"

    # Which stores sell from a place is cached.

    @api.model_create_multi
    def create(self, vals_list):
        locations = super().create(vals_list)
        self.env.registry.clear_cache()
        return locations

    def write(self, vals):
        result = super().write(vals)
        if vals.keys() & {"location_id", "usage"}:
            self.env.registry.clear_cache()
        return result
