# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Odoo's reservations respect promises.

Odoo reserves whatever is on hand and not reserved, and, when two do so at once, reserves it twice. Where channels sell
from the place, a reservation may take what was promised to its own order, and beyond that what is promised to nobody;
for the latter it passes the gate (``locks.py``). Whoever takes goods without reserving (a till) is never stopped: that
is a fact, not a wish.
"""

from collections import defaultdict

from odoo import api, models
from odoo.fields import Domain

from ..allocation import ALLOWANCE, Allowance

WITHOUT = "bridge_without"  # context: ids of places nothing is to be reserved from
PROMISED_WITHIN = """
    SELECT h.location_id, array_agg(DISTINCT h.product_id)
      FROM bridge_hold h JOIN stock_location l ON l.id = h.location_id
     WHERE h.state = 'active' AND h.source = 'hand' AND h.product_id = ANY(%s) AND l.parent_path LIKE %s
     GROUP BY h.location_id
"""


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
        if not (parts := allowance.parts_of(self)):
            vals, taken = super()._update_reserved_quantity_vals(need, location_id, *args, **kwargs)
            allowance.take(self, taken)
            return vals, taken
        # First where nothing is promised of a part on its own, then from such parts what is left there.
        guarded = set().union(*(places for places, _left in parts))
        rest = self.with_context(**{WITHOUT: tuple(guarded)})
        vals, taken = super(StockMove, rest)._update_reserved_quantity_vals(need, location_id, *args, **kwargs)
        for place in self.env["stock.location"].browse(sorted(guarded)).filtered(lambda p: p._child_of(location_id)):
            part = allowance.within(self, place.id, need - taken)
            if self.product_id.uom_id.compare(part, 0.0) > 0:
                only = self.with_context(**{WITHOUT: tuple(guarded - {place.id})})
                more, part = super(StockMove, only)._update_reserved_quantity_vals(part, place, *args, **kwargs)
                allowance.take_within(self, place.id, part)
                vals, taken = vals + more, taken + part
        allowance.take(self, taken)
        return vals, taken

    def _bridge_allowance(self):
        """The :class:`Allowance` of these moves. Promises to their orders end here, where the goods are reserved."""
        own = self._bridge_keep_promises()
        moves = self.filtered(lambda move: move._bridge_is_shared())
        if not moves:
            return Allowance({}, {}, {})
        keys = {move.id: (move.location_id.id, move.product_id.id) for move in moves}
        rest = moves.filtered(
            lambda m: m.product_id.uom_id.compare(m.product_qty - m._bridge_reserved(), own.get(m.id, 0.0)) > 0
        )
        # Orders of a batch were promised what there is a moment ago; there is no more.
        batch = self.env.context.get("bridge_batch")
        if batch is not None:
            rest = rest.filtered(lambda move: move.sale_line_id.id not in batch.promised)
        common = rest._bridge_common(moves, own)
        return Allowance(own, common, keys, moves._bridge_parts(), _related(moves))

    def _bridge_parts(self):
        """{(location id, product id): [[ids of places, what is free there]]}: places within the moves' of which
        something is promised on its own. A promise of the shop is not kept by what lies in the back, nor the other
        way round."""
        touch, result = self.env["bridge.touch"], {}
        whole = self.filtered(lambda move: touch._stores_within(move.location_id.id))
        if not whole:
            return result
        # Their promise says how much there is for them, and not where: for that they pass the gate too.
        self.env["bridge.hold"]._pass_gate(whole.product_id.ids)
        self.env["bridge.hold"].flush_model(["product_id", "location_id", "state", "source"])
        for location in whole.location_id:
            moves = whole.filtered(lambda move, place=location: move.location_id == place)
            self.env.cr.execute(PROMISED_WITHIN, [moves.product_id.ids, f"{location.parent_path}_%"])
            for place_id, product_ids in self.env.cr.fetchall():
                place = self.env["stock.location"].browse(place_id)
                places = set(self.env["stock.location"].sudo().search([("id", "child_of", place_id)]).ids)
                numbers = self.env["bridge.availability"]._plain_stock(place, product_ids)
                for product_id, (on_hand, reserved, held, _limit) in numbers.items():
                    parts = result.setdefault((location.id, product_id), [])
                    parts.append([places, on_hand - reserved - held])
        return result

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
        """{move id: quantity} of promises to the orders of these moves, which end with that. A promise made for another
        place gives nothing here, where the goods are others'."""
        moves = self.filtered(lambda move: move.sale_line_id and not move.move_orig_ids)
        if not moves:
            return {}
        holds = self.env["bridge.hold"].sudo().search(
            [
                ("sale_line_id", "in", moves.sale_line_id.ids),
                ("state", "=", "active"),
                ("source", "=", "hand"),
                ("product_id", "in", moves.product_id.ids),
            ],
            order="id",
        )  # fmt: skip
        holds = holds.filtered(
            lambda hold: any(
                move.sale_line_id == hold.sale_line_id and _are_related(hold.location_id, move.location_id)
                for move in moves
            )
        )
        if not holds:
            return {}
        kept = holds._end("done")
        left = {hold: kept.get(hold.id, 0.0) for hold in holds}
        own = defaultdict(float)
        for move in moves:
            need = move.product_qty - move._bridge_reserved()
            for hold in holds:
                is_its = hold.sale_line_id == move.sale_line_id and hold.product_id == move.product_id
                if is_its and _are_related(hold.location_id, move.location_id):
                    part = min(left[hold], max(0.0, need - own[move.id]))
                    own[move.id] += part
                    left[hold] -= part
        return own

    def _bridge_common(self, moves, own):
        """{(location id, product id): what these moves may reserve beyond ``own``}; nobody else can, meanwhile.

        :param moves: all that are being reserved: what was promised to any of them is promised no more, and not
            reserved yet, but it is spoken for
        """
        if not self:
            return {}
        self.env["bridge.hold"]._pass_gate(self.product_id.ids)
        spoken = defaultdict(list)
        for move in moves:
            if own.get(move.id):
                spoken[move.product_id.id].append((move.location_id, own[move.id]))
        result = {}
        for location in self.location_id:
            products = self.filtered(lambda move, place=location: move.location_id == place).product_id
            for product_id, quantity in self.env["bridge.availability"]._available(location, products).items():
                taken = sum(part for place, part in spoken[product_id] if _are_related(place, location))
                result[location.id, product_id] = quantity - taken
        return result

    def _action_done(self, *args, **kwargs):
        """What left without having been reserved (typed in by hand) was promised to nobody any more."""
        done = super()._action_done(*args, **kwargs)
        done._bridge_end_promises("done")
        return done

    def _action_cancel(self):
        self._bridge_end_promises("released")
        return super()._action_cancel()

    def _bridge_end_promises(self, state):
        """End promises of stock at hand to the order lines of these moves, up to the moves' quantities."""
        holds = self.env["bridge.hold"].sudo()
        if self.sale_line_id:
            holds = holds.search(
                [("sale_line_id", "in", self.sale_line_id.ids), ("state", "=", "active"), ("source", "=", "hand")]
            )
        for hold in holds:
            gone = sum(
                self.filtered(
                    lambda move, h=hold: move.sale_line_id == h.sale_line_id
                    and move.product_id == h.product_id
                    and (
                        _are_related(h.location_id, move.location_id)
                        # The customer has it, wherever it came from.
                        or (state == "done" and move.location_dest_id.usage == "customer")
                    )
                ).mapped("product_qty" if state == "released" else "quantity")
            )
            if hold.product_id.uom_id.compare(gone, hold.quantity) >= 0:
                hold._end(state)
            elif gone > 0:
                hold.quantity -= gone


def _are_related(place, other):
    """Whether one of two places lies in the other."""
    return place.parent_path.startswith(other.parent_path) or other.parent_path.startswith(place.parent_path)


def _related(moves):
    """{(location id, product id): [other such keys, of places around or within]}."""
    keys = {(move.location_id, move.product_id.id) for move in moves}
    return {
        (place.id, product): [
            (other.id, product) for other, p in keys if p == product and other != place and _are_related(place, other)
        ]
        for place, product in keys
    }


class StockQuant(models.Model):
    _inherit = "stock.quant"

    def _get_gather_domain(self, product_id, location_id, lot_id=None, package_id=None, owner_id=None, strict=False):
        domain = super()._get_gather_domain(product_id, location_id, lot_id, package_id, owner_id, strict)
        if without := self.env.context.get(WITHOUT):
            domain = Domain(domain) & Domain("location_id", "not in", without)
        return domain


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
