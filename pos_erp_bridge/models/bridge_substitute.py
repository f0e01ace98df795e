# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What to offer when a product is sold out, at the till and on an order: other sizes and colours, then alternatives,
then where it lies, then when it comes in."""

from collections import defaultdict

from odoo import api, fields, models
from odoo.fields import Domain

MOST_OPTIONS = 12  # of one kind; nobody reads more
MOST_OF_ONE = 3  # variants of one alternative
COMING = ("waiting", "confirmed", "partially_available", "assigned")


class BridgeSubstitute(models.AbstractModel):
    _name = "bridge.substitute"
    _description = "Substitutes"

    @api.model
    def _for(self, products, location, is_for_till=False):
        """What to take instead of each product at a location.

        Options stand in the order to offer them. Only what can be sold is among them; quantities are in the option's
        base unit. Reads with all rights, within the location's company only.

        :return: {product id: {
            "quantity": what can be sold of the product here,
            "variants": [{"product_id", "name", "quantity", "uom"}]   of the same template
            "alternatives": [the same]
            "places": [{"name", "location_id", "quantity"}]           where the product itself lies
            "incoming": {"date": date, "quantity"} or False           its next arrival here
        }}
        """
        location = location.sudo()
        company = location.company_id or self.env.company
        self = self.sudo().with_company(company).with_context(allowed_company_ids=company.ids, active_test=True)
        products = products.sudo().with_env(self.env)
        shown = self._is_shown_at_till if is_for_till else self._is_sold
        siblings = {product: self._siblings(product).filtered(shown) for product in products}
        alternatives = {product: self._alternatives(product).filtered(shown) for product in products}
        everything = products.union(*siblings.values(), *alternatives.values())
        here = self.env["bridge.availability"]._available(location, everything)
        places = self._places(products, location)
        incoming = self._incoming(products, location)
        return {
            product.id: {
                "quantity": here.get(product.id),
                "variants": self._options(siblings[product], here),
                "alternatives": self._options(alternatives[product], here, MOST_OF_ONE),
                "places": places[product.id],
                "incoming": incoming.get((product.id, location.id), False),
            }
            for product in products
        }

    # -- instead of it ---------------------------------------------------------------------------
    def _siblings(self, product):
        """Other variants, those most alike first; of what differs, the product's first attribute weighs most."""
        mine = product.product_template_attribute_value_ids

        def unlike(other):
            differing = (mine - other.product_template_attribute_value_ids).attribute_line_id
            return len(differing), [line in differing for line in product.attribute_line_ids]

        return (product.product_tmpl_id.product_variant_ids - product).sorted(unlike)

    def _alternatives(self, product):
        """Variants of alternative products, in the order somebody put them."""
        template = product.product_tmpl_id
        templates = template.bridge_alternative_ids
        if "alternative_product_ids" in template._fields:
            templates |= template.alternative_product_ids
        return (templates - template).product_variant_ids

    def _is_sold(self, product):
        return product.sale_ok and product.company_id in (self.env.company, product.company_id.browse())

    def _is_shown_at_till(self, product):
        return self._is_sold(product) and product.available_in_pos

    def _options(self, products, here, most_of_one=MOST_OPTIONS):
        """Those that can be sold here; a product that keeps no stock always can (its quantity is None)."""
        result, seen = [], defaultdict(int)
        for product in products:
            quantity = here.get(product.id)
            template = product.product_tmpl_id.id
            if (quantity is None or product.uom_id.compare(quantity, 0) > 0) and seen[template] < most_of_one:
                seen[template] += 1
                result.append(
                    {
                        "product_id": product.id,
                        "name": product.with_context(display_default_code=False).display_name,
                        "quantity": quantity,
                        "uom": product.uom_id.name,
                    }
                )
        return result[:MOST_OPTIONS]

    # -- the product itself ----------------------------------------------------------------------
    def _places(self, products, location):
        """{product id: [{"name", "location_id", "quantity"}]} elsewhere in the company, most first. Places are the
        stores' and the warehouses'; a place within another one counts there only."""
        company = self.env.company
        stores = self.env["bridge.store"].search(
            [("company_id", "=", company.id), ("location_id", "!=", False), ("channel_id.state", "=", "live")]
        )
        names = {}
        for store in stores:
            names.setdefault(store.location_id, store.name)
        names |= self._other_warehouses(location.union(*names))
        result = {product.id: [] for product in products}
        for place, name in names.items():
            if place._child_of(location) or location._child_of(place):
                continue
            for product_id, quantity in self.env["bridge.availability"]._available(place, products).items():
                product = products.browse(product_id)
                if product.uom_id.compare(quantity, 0) > 0:
                    result[product_id].append({"name": name, "location_id": place.id, "quantity": quantity})
        for rows in result.values():
            rows.sort(key=lambda row: (-row["quantity"], row["name"]))
        return result

    @api.model
    def _other_warehouses(self, places):
        """{stock location: name} of the company's warehouses none of these places lies in."""
        warehouses = self.env["stock.warehouse"].search([("company_id", "=", self.env.company.id)])
        return {
            warehouse.lot_stock_id: warehouse.name
            for warehouse in warehouses
            if not any(place._child_of(warehouse.lot_stock_id) for place in places)
        }

    @api.model
    def _incoming(self, products, locations):
        """{(product id, location id): {"date", "quantity"}}: what arrives next, on the first day something does."""
        moves = (
            self.env["stock.move"]
            .sudo()
            .search_fetch(
                Domain("product_id", "in", products.ids)
                & Domain("state", "in", COMING)
                & Domain("location_dest_id", "child_of", locations.ids),
                ["product_id", "location_id", "location_dest_id", "product_qty", "date"],
                order="date, id",
            )
        )
        result = {}
        for location in locations:
            for move in moves:
                if not move.location_dest_id._child_of(location) or move.location_id._child_of(location):
                    continue
                day = fields.Datetime.context_timestamp(self, move.date).date()
                row = result.setdefault((move.product_id.id, location.id), {"date": day, "quantity": 0.0})
                if row["date"] == day:
                    row["quantity"] += move.product_qty
        return result
