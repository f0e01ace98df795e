# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Where shortages come from: moves to customers that could not reserve all they need, or lost it again."""

import math

from odoo import fields, models

PLACE = "bridge_place"  # context: id of the place the goods of a procurement are taken from
NOTICED = {"state", "product_uom_qty", "location_id", "move_orig_ids", "procure_method"}


class StockMove(models.Model):
    _inherit = "stock.move"

    def write(self, vals):
        result = super().write(vals)
        if not NOTICED.isdisjoint(vals):
            self.env["bridge.shortage"]._note(self.sale_line_id)
        return result

    def _compute_quantity(self):
        result = super()._compute_quantity()
        if any(self._ids):
            self.env["bridge.shortage"]._note(self.sudo().sale_line_id)
        return result

    def _action_done(self, cancel_backorder=False):
        moves = super()._action_done(cancel_backorder=cancel_backorder)
        taken = moves.filtered(lambda m: m.location_id.usage == "internal" and m.location_dest_id.usage != "internal")
        self.env["bridge.shortage"]._note(self.env["sale.order.line"], taken=taken.product_id.ids)
        return moves

    def _bridge_lack(self):
        """What a move that takes goods for a customer from stock could not reserve; in the product's base unit."""
        self.ensure_one()
        if (
            self.state not in ("confirmed", "partially_available")
            or self.procure_method != "make_to_stock"
            or self.move_orig_ids
            or self.picked
            or (self.location_final_id or self.location_dest_id).usage != "customer"
            or not self.product_id.is_storable
            or self._should_bypass_reservation()
            or not self._bridge_is_due()
        ):
            return 0.0
        lack = self.product_qty - self._bridge_reserved()
        return lack if self.product_id.uom_id.compare(lack, 0.0) > 0 else 0.0

    def _bridge_is_due(self):
        """Whether the goods should be reserved by now: some kinds of transfers wait on purpose."""
        method = self.picking_type_id.reservation_method
        if method == "by_date":
            return bool(self.reservation_date and self.reservation_date <= fields.Date.context_today(self))
        return method != "manual"


class StockMoveLine(models.Model):
    _inherit = "stock.move.line"

    def _free_reservation(self, product_id, location_id, quantity, *args, **kwargs):
        """Somebody took what orders had reserved: those that are left without are noticed."""
        victims = self.env["stock.move.line"].search(
            [
                ("product_id", "=", product_id.id),
                ("location_id", "=", location_id.id),
                ("state", "not in", ("done", "cancel")),
                ("picked", "=", False),
                ("move_id.sale_line_id", "!=", False),
            ]
        ).move_id  # fmt: skip
        before = {move: move.quantity for move in victims}
        result = super()._free_reservation(product_id, location_id, quantity, *args, **kwargs)
        lost = victims.exists().filtered(lambda move: move.quantity < before[move])
        self.env["bridge.shortage"]._note(lost.sale_line_id, is_lost=True)
        return result


class StockRule(models.Model):
    _inherit = "stock.rule"

    def _get_stock_move_values(self, *args, **kwargs):
        result = super()._get_stock_move_values(*args, **kwargs)
        place = self.env.context.get(PLACE)
        if place and self.location_src_id.usage == "internal":
            result["location_id"] = place
        return result


class SaleOrderLine(models.Model):
    _inherit = "sale.order.line"

    def _bridge_base_quantity(self):
        return self.product_uom_id._compute_quantity(self.product_uom_qty, self.product_id.uom_id, round=False)

    def _bridge_missing(self):
        """{line: (missing, place)} of lines that could not reserve all they need; in the product's base unit. Of a
        kit, as many as cannot be put together. Preorders wait on purpose and are left out."""
        lacks = {}
        for move in self.move_ids:
            lack = move._bridge_lack()
            if lack:
                parts, places = lacks.setdefault(move.sale_line_id, ({}, []))
                parts[move.product_id.id] = parts.get(move.product_id.id, 0.0) + lack
                places.append(move.location_id)
        if not lacks:
            return {}
        lines = self.browse([line.id for line in lacks])
        domain = [("sale_line_id", "in", lines.ids), ("source", "=", "incoming"), ("state", "=", "active")]
        preorders = self.env["bridge.hold"].sudo().search(domain).sale_line_id
        recipes = self.env["bridge.kit"]._components(lines.product_id)
        return {
            line: (_units(parts, recipes.get(line.product_id.id)), places[0])
            for line, (parts, places) in lacks.items()
            if line not in preorders
        }

    def _bridge_lacking(self, quantity):
        """Yield (move, part of what it lacks) that together make ``quantity`` of the line's product."""
        recipe = self.env["bridge.kit"]._components(self.product_id).get(self.product_id.id)
        for product_id, each in (recipe or {self.product_id.id: 1.0}).items():
            need = quantity * each
            for move in self.move_ids.filtered(lambda m, p=product_id: m.product_id.id == p):
                part = min(need, move._bridge_lack())
                if move.product_id.uom_id.compare(part, 0.0) > 0:
                    need -= part
                    yield move, part

    def _bridge_cut_moves(self, quantity):
        """Deliver ``quantity`` less than planned, of what could not be reserved."""
        for move, part in list(self._bridge_lacking(quantity)):
            rest = move.product_qty - part
            if move.product_id.uom_id.compare(rest, 0.0) <= 0:
                move._action_cancel()
            else:
                rest = move.product_id.uom_id._compute_quantity(rest, move.product_uom, round=False)
                move.with_context(do_not_unreserve=True).write({"product_uom_qty": rest})
                move._recompute_state()

    def _bridge_split_moves(self, quantity):
        """Moves of their own for ``quantity`` of what could not be reserved."""
        result = self.env["stock.move"]
        for move, part in list(self._bridge_lacking(quantity)):
            if move.product_id.uom_id.compare(move.product_qty, part) <= 0:
                result |= move
                continue
            rest = self.env["stock.move"].create(move._split(part))
            rest._action_confirm(merge=False)
            result |= rest
        return result


def _units(parts, recipe):
    """How many units of a product (a kit, when there is a recipe) the missing parts stand for."""
    if not recipe:
        return sum(parts.values())
    return float(max((math.ceil(parts.get(p, 0.0) / each - 1e-6) for p, each in recipe.items() if each), default=0))
