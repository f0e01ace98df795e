# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, models
from odoo.fields import Command


class BridgeTillStock(models.AbstractModel):
    """Goods of a batch of receipts: one transfer out and one back per session, done at once."""

    _name = "bridge.till.stock"
    _description = "Stock of connected tills"

    @api.model
    def _move_goods(self, session, sold, returned):
        """Move {product: quantity} out of and back into the store of the session.

        :return: (stock.picking, {product id: unit cost of what was sold or, failing that, returned})
        """
        pickings, costs = self.env["stock.picking"], {}
        # Returns last: their value is today's cost, which must not change what the goods sold before cost.
        for quantities, is_return in ((sold, False), (returned, True)):
            quantities = {product: quantity for product, quantity in quantities.items() if product.type == "consu"}
            if not quantities:
                continue
            picking = self._transfer(session, quantities, is_return)
            pickings |= picking
            for move in picking.move_ids:
                if move.product_id.is_storable and move.product_id.cost_method == "fifo":
                    costs.setdefault(move.product_id.id, move._get_price_unit())
        for product in {**sold, **returned}:
            costs.setdefault(product.id, product.standard_price)
        return pickings, costs

    def _transfer(self, session, quantities, is_return):
        store, kind = session.bridge_store_id, session.config_id.picking_type_id
        customers = kind.default_location_dest_id or self.env["stock.warehouse"]._get_partner_locations()[0]
        if is_return:
            source, destination, kind = customers, store.location_id, kind.return_picking_type_id or kind
        else:
            source, destination = store.location_id, customers
        picking = self.env["stock.picking"].create(
            {
                **self.env["stock.picking"]._prepare_picking_vals(False, kind, source.id, destination.id),
                "pos_session_id": session.id,
                "origin": session.name,
            }
        )
        by_hand = {p: q for p, q in quantities.items() if p.tracking != "none" or p._bridge_is_kit()}
        if by_hand:
            picking |= self._transfer_by_hand(picking.copy(), by_hand)
        plain = {p: q for p, q in quantities.items() if p not in by_hand}
        if plain:
            self._transfer_plain(picking[:1], plain, is_return)
        else:
            picking[:1].unlink()
            picking = picking[1:]
        return picking

    def _transfer_plain(self, picking, quantities, is_return):
        """Moves with their lines at once, so that nothing is reserved line by line; quants are written once."""
        products = self.env["product.product"].union(*quantities)
        store_location = picking.location_dest_id if is_return else picking.location_id
        ledger = self.env["stock.quant"].sudo()._bridge_ledger(products.filtered("is_storable"), store_location)
        self.env["stock.move"].with_context(bridge_ledger=ledger).create(
            [self._move_vals(picking, product, quantity, ledger, is_return) for product, quantity in quantities.items()]
        )
        picking.with_context(bridge_ledger=ledger, bridge_checked=True)._action_done()

    def _move_vals(self, picking, product, quantity, ledger, is_return):
        if is_return or not product.is_storable:
            places = [(picking.location_id.id, None, quantity)]
        else:
            places = ledger.places(product.id, picking.location_id.id, quantity, product.uom_id.compare)
        common = {"product_id": product.id, "picking_id": picking.id, "company_id": picking.company_id.id}
        return {
            **common,
            "product_uom": product.uom_id.id,
            "product_uom_qty": quantity,
            "picking_type_id": picking.picking_type_id.id,
            "location_id": picking.location_id.id,
            "location_dest_id": picking.location_dest_id.id,
            "origin": picking.origin,
            "state": "assigned",
            "picked": True,
            "move_line_ids": [
                Command.create(
                    {
                        **common,
                        "product_uom_id": product.uom_id.id,
                        "quantity": part,
                        "location_id": location_id,
                        "package_id": package_id,
                        "location_dest_id": picking.location_dest_id.id,
                        "picked": True,
                    }
                )
                for location_id, package_id, part in places
            ],
        }

    def _transfer_by_hand(self, picking, quantities):
        """Serial numbers and kits: Odoo's own way. A till names no lots, so the transfer may stay open for a person."""
        self.env["stock.move"].create(
            [
                {
                    "product_id": product.id,
                    "product_uom": product.uom_id.id,
                    "product_uom_qty": quantity,
                    "picking_id": picking.id,
                    "picking_type_id": picking.picking_type_id.id,
                    "location_id": picking.location_id.id,
                    "location_dest_id": picking.location_dest_id.id,
                    "company_id": picking.company_id.id,
                }
                for product, quantity in quantities.items()
            ]
        )
        picking.action_confirm()
        if all(move.product_id.tracking == "none" for move in picking.move_ids):
            for move in picking.move_ids:
                move.quantity = move.product_uom_qty
            picking.move_ids.picked = True
            picking._action_done()
        return picking


class ProductProduct(models.Model):
    _inherit = "product.product"

    def _bridge_is_kit(self):
        """Whether selling it moves other products (manufacturing is an optional module)."""
        return "is_kits" in self._fields and self.is_kits

    def _bridge_is_stocked(self):
        """Whether channels are told how many there are: it is kept in stock, or put together from what is."""
        return self.is_storable or self._bridge_is_kit()
