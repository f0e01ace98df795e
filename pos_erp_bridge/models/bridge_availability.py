# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import math

from odoo import api, models


class BridgeAvailability(models.AbstractModel):
    """Available to sell: the one definition everything uses. Today on hand − reserved; holds, safety stock
    and each channel's share are subtracted here when they come."""

    _name = "bridge.availability"
    _description = "Available to sell"

    @api.model
    def _available(self, location, products):
        """{product id: quantity in its base unit} at a location and the places within it.

        A product without any quant has none; a product that keeps no stock is unknown and left out.
        """
        products = products.filtered("is_storable")
        groups = (
            self.env["stock.quant"]
            .sudo()
            ._read_group(
                [("product_id", "in", products.ids), ("location_id", "child_of", location.id)],
                ["product_id"],
                ["quantity:sum", "reserved_quantity:sum"],
            )
        )
        free = {product.id: quantity - reserved for product, quantity, reserved in groups}
        return {product_id: free.get(product_id, 0.0) for product_id in products.ids}

    @api.model
    def _brakes(self, stores, products):
        """{(store id, product id): sentence} of what is not sold there; features extend it."""
        return {}

    @api.model
    def _publishable(self, quantity):
        """Whole units a channel may be told; never below zero."""
        return max(0, math.floor(quantity + 1e-6))
