# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, models
from odoo.fields import Command


class BridgeTillStock(models.AbstractModel):
    """Goods of a batch of receipts: one transfer out and one back per session, done at once. Where returns are
    inspected, what customers bring back lands there; what a corrected receipt undoes never left."""

    _name = "bridge.till.stock"
    _description = "Stock of connected tills"

    @api.model
    def _move_goods(self, session, sold, returned, unsold=None, unreturned=None):
        """Move {product: quantity} out of and back into the store of the session.

        :param unsold: sales that are undone: these goods are in the store
        :param unreturned: returns that are undone: the customer has these goods
        :return: (stock.picking, {product id: unit cost of what was sold or, failing that, returned})
        """
        pickings, costs = self.env["stock.picking"], {}
        home = session.bridge_store_id.location_id
        landing = home._bridge_landing()
        inspected = self._inspected(landing, unreturned or {}) if landing != home else {}
        transfers = (
            (_add(sold, unreturned, inspected), False, home),
            (inspected, False, landing),
            # Returns last: their value is today's cost, which must not change what the goods sold before cost.
            (unsold if landing != home else _add(returned, unsold), True, home),
            (returned if landing != home else {}, True, landing),
        )
        for quantities, is_return, place in transfers:
            quantities = {p: quantity for p, quantity in (quantities or {}).items() if p.type == "consu" and quantity}
            if not quantities:
                continue
            picking = self._transfer(session, quantities, is_return, place)
            pickings |= picking
            for move in picking.move_ids:
                if move.product_id.is_storable and move.product_id.cost_method == "fifo":
                    costs.setdefault(move.product_id.id, move._get_price_unit())
        for quantities in (sold, unreturned, returned, unsold):
            for product in quantities or ():
                costs.setdefault(product.id, product.standard_price)
        return pickings, costs

    def _inspected(self, landing, quantities):
        """How many of {product: quantity} lie in inspection still, undecided; the rest was put back on sale."""
        products = self.env["product.product"].union(*quantities)
        groups = (
            self.env["bridge.inspection"]
            .sudo()
            ._read_group(
                [
                    ("location_id", "=", landing.id),
                    ("state", "=", "to_inspect"),
                    ("product_id", "in", products.ids),
                ],
                ["product_id"],
                ["quantity:sum"],
            )
        )
        lying = {product.id: quantity for product, quantity in groups}
        return {product: min(quantity, lying.get(product.id, 0.0)) for product, quantity in quantities.items()}

    def _transfer(self, session, quantities, is_return, place):
        kind = session.config_id.picking_type_id
        customers = kind.default_location_dest_id or self.env["stock.warehouse"]._get_partner_locations()[0]
        if is_return:
            source, destination, kind = customers, place, kind.return_picking_type_id or kind
        else:
            source, destination = place, customers
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


def _add(quantities, more=None, less=None):
    """{product: quantity} of two such together, less a third."""
    result = dict(quantities)
    for sign, others in ((1, more), (-1, less)):
        for product, quantity in (others or {}).items():
            result[product] = result.get(product, 0.0) + sign * quantity
    return result


class ProductProduct(models.Model):
    _inherit = "product.product"

    def _bridge_is_kit(self):
        """Whether selling it moves other products (manufacturing is an optional module)."""
        return "is_kits" in self._fields and self.is_kits

    def _bridge_is_stocked(self):
        """Whether channels are told how many there are: it is kept in stock, or put together from what is."""
        return self.is_storable or self._bridge_is_kit()
