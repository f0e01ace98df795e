# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What Odoo's own till shows of stock elsewhere. A cashier has no rights to channels, so these two methods look with
all rights, at numbers of the till's own company only; whoever may not read the till gets nothing."""

from odoo import models

MOST_VARIANTS = 60


class PosConfig(models.Model):
    _inherit = "pos.config"

    def bridge_product_info(self, product_id):
        """Stock of one product here, in other stores and on the web, and what to take instead.

        Quantities are in the product's unit.

        :return: {"product_id", "name", "uom", "is_storable", "quantity" (here),
            "rows": [{"key", "name", "kind": own | till | web | warehouse, "channels", "place", "quantity", "held",
                      "reason", "incoming": {"date", "quantity"} or False}],  this till's place first
            "variants": [{"product_id", "name", "quantity"}],       of the same template, when it has several
            "instead": see ``bridge.substitute``; False while there is some here}
            or False: the product cannot be read
        """
        self.ensure_one()
        self.check_access("read")
        product = self.env["product.product"].browse(product_id).exists()._filtered_access("read")
        if not product:
            return False
        config, product = self._bridge_company_sudo(), product.sudo()
        place = config._bridge_place()
        variants = product.product_tmpl_id.product_variant_ids[:MOST_VARIANTS]
        here = config.env["bridge.availability"]._available(place, product | variants)
        return {
            "product_id": product.id,
            "name": product.with_context(display_default_code=False).display_name,
            "uom": product.uom_id.name,
            "is_storable": product.is_storable,
            "quantity": here.get(product.id),
            "rows": config._bridge_stock_rows(product, place, here.get(product.id)) if product.is_storable else [],
            "variants": [
                {
                    "product_id": variant.id,
                    "name": variant.product_template_attribute_value_ids._get_combination_name() or variant.name,
                    "quantity": here.get(variant.id),
                }
                for variant in variants
            ]
            if len(variants) > 1
            else [],
            "instead": config._bridge_instead(product, place, here.get(product.id)),
        }

    def bridge_shelf(self, product_ids):
        """{product id: what can be sold at this till's place} of those that keep stock; False where the company's
        stock is not told to any channel. One query for all; a till asks for what it has loaded, in its idle time."""
        self.ensure_one()
        self.check_access("read")
        config = self._bridge_company_sudo()
        if not config._bridge_stores():
            return False
        domain = [("id", "in", product_ids), ("is_storable", "=", True)]
        products = self.env["product.product"].search_fetch(domain, ["product_tmpl_id"])
        products.product_tmpl_id.fetch(["is_storable"])  # and none of the many other fields of thousands of products
        return config.env["bridge.availability"]._available(config._bridge_place(), products.sudo())

    # -- helpers ---------------------------------------------------------------------------------
    def _bridge_company_sudo(self):
        """The till with all rights within its company, and there only."""
        config = self.sudo()
        return config.with_company(config.company_id).with_context(allowed_company_ids=config.company_id.ids)

    def _bridge_stores(self):
        """Stores of the company's live channels that have a place."""
        return self.env["bridge.store"].search(
            [
                ("company_id", "=", self.company_id.id),
                ("location_id", "!=", False),
                ("channel_id.state", "=", "live"),
                ("channel_id.active", "=", True),
            ]
        )

    def _bridge_place(self):
        """Where the till's goods lie."""
        store = self.env["bridge.store"].search(
            [("pos_config_id", "=", self.id), ("location_id", "!=", False)], limit=1
        )
        return store.location_id or self.picking_type_id.default_location_src_id

    def _bridge_instead(self, product, place, quantity):
        if quantity is None or product.uom_id.compare(quantity, 0) > 0:
            return False
        return self.env["bridge.substitute"]._for(product, place, is_for_till=True)[product.id]

    def _bridge_stock_rows(self, product, place, quantity):
        """The till's own place, each store, then warehouses no channel sells from. Stores of one place that may sell
        the same share a row."""
        stores = self._bridge_stores()
        others = self.env["bridge.substitute"]._other_warehouses(stores.location_id | place) if stores else {}
        places = place.union(stores.location_id, *others)
        incoming = self.env["bridge.substitute"]._incoming(product, places)
        numbers = self._bridge_numbers(stores, product)
        rows = {}
        mine = stores.filtered(lambda store: store.pos_config_id == self)
        if not mine:
            (_on_hand, _reserved, held, _limit) = self.env["bridge.availability"]._stock(place, product)[product.id]
            rows[place.id, quantity, ""] = self._bridge_row(place, quantity, held, "", "own")
            rows[place.id, quantity, ""]["names"].append(self.name)
        for store in mine | stores:
            number = numbers.get(store)
            if not number:
                continue
            key = store.location_id.id, number["quantity"], number["reason"]
            kind = "own" if store in mine else store.kind
            row = rows.setdefault(key, self._bridge_row(store.location_id, **number, kind=kind))
            if row["kind"] == "own" and store not in mine:
                row["channels"].append(store.channel_id.name)
                continue
            row["names"].append(store.name)
            row["channels"].append(store.channel_id.name)
        for other, name in others.items():
            free = self.env["bridge.availability"]._available(other, product)[product.id]
            row = rows[other.id, free, ""] = self._bridge_row(other, free, 0.0, "", "warehouse")
            row["names"].append(name)
        return [
            {
                **{name: row[name] for name in ("kind", "place", "quantity", "held", "reason")},
                "key": f"{place_id}/{index}",
                "name": ", ".join(dict.fromkeys(row["names"])),
                "channels": ", ".join(dict.fromkeys(row["channels"])),
                "incoming": incoming.get((product.id, place_id), False),
            }
            for index, ((place_id, *_), row) in enumerate(rows.items())
        ]

    def _bridge_row(self, place, quantity, held, reason, kind):
        return {
            "names": [], "channels": [], "kind": kind, "place": place.display_name, "quantity": quantity,
            "held": held, "reason": reason,
        }  # fmt: skip

    def _bridge_numbers(self, stores, product):
        """{store: {"quantity": what its channel may sell, "held", "reason" why nothing may be sold}}."""
        found = self.env["bridge.availability"]._for_stores(stores, product)
        return {
            store: {"quantity": number.quantity, "held": number.held, "reason": self._bridge_reason(number)}
            for store in stores
            if (number := found.get((store.id, product.id)))
        }

    def _bridge_reason(self, number):
        """Why a channel may sell nothing although something lies there; empty when that is not so."""
        reasons = dict(number.reasons)
        if "brake" in reasons:
            return reasons["brake"]
        return self.env._("Selling is stopped.") if "stopped" in reasons else ""
