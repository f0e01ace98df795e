# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Confirming many new orders at once.

Odoo confirms orders one by one even when it is given many: a rule, a picking, a message, an orderpoint and five
quant searches for each line. Nothing here changes what comes out; it is the same documents with the searching done
once. Everything is bound to a context key, so that nobody else's orders pass through.
"""

from collections import defaultdict

from odoo import models

from ..allocation import ALLOWANCE

BATCH = "bridge_batch"  # context: a Batch


class Batch:
    """What is found once per batch. ``promised``: ids of order lines that were promised what there is."""

    def __init__(self, promised=frozenset()):
        self.rules = {}
        self.promised = promised


class StockRule(models.Model):
    _inherit = "stock.rule"

    def _get_rule(self, product_id, location_id, values):
        batch = self.env.context.get(BATCH)
        if batch is None:
            return super()._get_rule(product_id, location_id, values)
        routes = (
            product_id.route_ids | product_id.categ_id.total_route_ids | values.get("route_ids", product_id.route_ids)
        )
        packaging = values.get("packaging_uom_id")
        key = (
            frozenset(routes.ids),
            frozenset(packaging.package_type_id.route_ids.ids if packaging else ()),
            location_id.id,
            values["warehouse_id"].id if values.get("warehouse_id") else False,
            values["company_id"].id if values.get("company_id") else False,
        )
        if key not in batch.rules:
            batch.rules[key] = super()._get_rule(product_id, location_id, values)
        return batch.rules[key]

    def _get_stock_move_values(
        self, product_id, product_qty, product_uom, location_dest_id, name, origin, company_id, values
    ):
        """A web order takes from the place its store sells from, where that lies within what the rule takes from."""
        result = super()._get_stock_move_values(
            product_id, product_qty, product_uom, location_dest_id, name, origin, company_id, values
        )
        if values.get("sale_line_id"):
            order = self.env["sale.order.line"].browse(values["sale_line_id"]).order_id
            place = order.bridge_store_id.sudo().location_id
            if place and place._child_of(self.location_src_id):
                result["location_id"] = place.id
        return result


class StockPicking(models.Model):
    _inherit = "stock.picking"

    def action_confirm(self):
        batch = self.env.context.get(BATCH)
        if batch is None:
            return super().action_confirm()
        # Called once per order, when its moves are confirmed already; what is left is done for all at the end.
        return True

    def message_post_with_source(self, *args, **kwargs):
        if self.env.context.get(BATCH) is None:
            return super().message_post_with_source(*args, **kwargs)
        return self.env["mail.message"]


class StockMove(models.Model):
    _inherit = "stock.move"

    def _action_confirm(self, merge=True, merge_into=False, create_proc=True):
        if self.env.context.get(BATCH) is None or merge_into:
            return super()._action_confirm(merge=merge, merge_into=merge_into, create_proc=create_proc)
        # New moves of new orders, one per order line: there is nothing to merge them with.
        self.filtered(lambda move: move.state == "draft" and move._should_be_assigned())._assign_new_pickings()
        return super()._action_confirm(merge=False, create_proc=create_proc)

    def _assign_new_pickings(self):
        """One picking for each order and pair of places, created together."""
        groups = defaultdict(list)
        for move in self:
            groups[move._key_assign_picking()].append(move.id)
        groups = [self.browse(ids) for ids in groups.values()]
        if not groups:
            return
        pickings = self.env["stock.picking"].create([moves._get_new_picking_values() for moves in groups])
        for moves, picking in zip(groups, pickings, strict=True):
            moves.write({"picking_id": picking.id})
            moves._assign_picking_post_process(new=True)

    def _trigger_scheduler(self):
        if self.env.context.get(BATCH) is not None:
            points = self.env["stock.warehouse.orderpoint"].search(
                [("trigger", "=", "auto"), ("product_id", "in", self.product_id.ids)]
            )
            self = self.filtered(lambda move: move.product_id in points.product_id)
        return super()._trigger_scheduler()

    # -- reservation -----------------------------------------------------------------------------
    def _action_assign(self, force_qty=False):
        if self.env.context.get(BATCH) is None or force_qty:
            return super()._action_assign(force_qty=force_qty)
        plain = self.filtered(lambda move: move._is_plain_reservation())
        for location in plain.location_id:
            plain.filtered(lambda move, place=location: move.location_id == place)._reserve_plain(location)
        return super(StockMove, self - plain)._action_assign()

    def _is_plain_reservation(self):
        """Whether the move takes untracked goods straight from stock, in their own unit."""
        product = self.product_id
        return (
            self.state == "confirmed"
            and not self.picked
            and not self.move_orig_ids
            and not self.move_line_ids
            and self.procure_method == "make_to_stock"
            and product.is_storable
            and product.tracking == "none"
            and self.product_uom == product.uom_id
            and not self.restrict_partner_id
            and not self._should_bypass_reservation()
            and product.categ_id.packaging_reserve_method != "full"
            and self.env["stock.quant"]._get_removal_strategy(product, self.location_id) == "fifo"
        )

    def _reserve_plain(self, location):
        """Reserve what is free, oldest first, as ``_action_assign`` does with five queries for each move. The quants
        are held meanwhile; Odoo would reserve the pieces somebody else is at a second time."""
        Quant = self.env["stock.quant"].sudo()
        ledger = Quant._bridge_ledger(self.product_id, location)
        lines, taken, allowance = [], defaultdict(float), self.env.context[ALLOWANCE]
        for move in self:
            need = allowance.of(move, move.product_uom_qty)
            for location_id, package_id, quantity in take_free(ledger, move, need, taken, allowance):
                allowance.take(move, quantity)
                vals = move._prepare_move_line_vals(quantity=quantity)
                lines.append(vals | {"location_id": location_id, "package_id": package_id})
        self.env["stock.move.line"].with_context(bridge_ledger=ledger).create(lines)._apply_putaway_strategy()
        Quant._bridge_post(ledger)


def take_free(ledger, move, need, taken, allowance):
    """Yield (location id, package id, quantity) for what a move can have, less than it needs when stock is short;
    counts it in ``taken``."""
    product = move.product_id
    compare = product.uom_id.compare
    shelves = ledger.shelves[product.id]
    for place in sorted(shelves, key=lambda place: min((shelf.in_date, shelf.id) for shelf in shelves[place])):
        # Per place, not per quant: what was promised twice there is not free on its other quants.
        free = sum(shelf.free for shelf in shelves[place]) - taken[product.id, place]
        part = allowance.within(move, place[0], min(free, need))
        if compare(part, 0.0) > 0:
            allowance.take_within(move, place[0], part)
            taken[product.id, place] += part
            need -= part
            yield (*place, part)
