# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, models
from odoo.tools import SQL


class BridgeKit(models.AbstractModel):
    """Kits: products that are not kept but put together from others when they are sold (a phantom bill of materials;
    manufacturing is an optional module, so without it there are none)."""

    _name = "bridge.kit"
    _description = "Kits"

    @api.model
    def _boms(self, domain):
        if "mrp.bom" not in self.env:
            return None
        company = [("company_id", "in", (False, self.env.company.id))]
        return self.env["mrp.bom"].sudo().search([("type", "=", "phantom"), *company, *domain])

    @api.model
    def _kinds(self, product_ids):
        """{product id: (whether it keeps stock, whether it may be a kit)}; one query: it is asked at every claim."""
        self.env["product.template"].flush_model(["is_storable"])
        bom = SQL("false")
        if "mrp.bom" in self.env:
            self.env["mrp.bom"].flush_model(["product_tmpl_id", "type"])
            bom = SQL("EXISTS (SELECT FROM mrp_bom b WHERE b.product_tmpl_id = t.id AND b.type = 'phantom')")
        rows = self.env.execute_query(
            SQL(
                """SELECT p.id, t.is_storable, %s FROM product_product p
                     JOIN product_template t ON t.id = p.product_tmpl_id WHERE p.id = ANY(%s)""",
                bom,
                list(product_ids),
            )
        )
        return {product_id: (bool(is_storable), may_be_kit) for product_id, is_storable, may_be_kit in rows}

    @api.model
    def _sort(self, products):
        """(ids of products that keep stock themselves, {kit's product id: {component's id: quantity for one kit}})."""
        kinds = self._kinds(products.ids)
        suspects = [product_id for product_id, (_is_storable, may_be_kit) in kinds.items() if may_be_kit]
        components = self._components(products.browse(suspects)) if suspects else {}
        return [p for p, (is_storable, _kit) in kinds.items() if is_storable and p not in components], components

    @api.model
    def _components(self, products):
        """{kit's product id: {component's product id: quantity of it, in its base unit, for one kit}}; products that
        are no kits are left out."""
        templates = products.product_tmpl_id
        boms = self._boms([("product_tmpl_id", "in", templates.ids)])
        if not boms:
            return {}
        kits = products.filtered(lambda product: product.product_tmpl_id in boms.product_tmpl_id)
        found = self.env["mrp.bom"].sudo()._bom_find(kits, company_id=self.env.company.id, bom_type="phantom")
        result = {}
        for product, bom in found.items():
            if not bom:
                continue
            # How many times the bill of materials makes one base unit of the kit.
            times = product.uom_id._compute_quantity(1.0, bom.product_uom_id, round=False) / bom.product_qty
            _boms, lines = bom.explode(product, times)
            parts = result.setdefault(product.id, {})
            for line, values in lines:
                part = line.product_id
                quantity = line.product_uom_id._compute_quantity(values["qty"], part.uom_id, round=False)
                parts[part.id] = parts.get(part.id, 0.0) + quantity
        return result

    @api.model
    def _kits_with(self, product_ids):
        """Kits (product.product) that contain any of these products, directly or in a kit within."""
        kits = self.env["product.product"]
        new = set(product_ids)
        while new:
            boms = self._boms([("bom_line_ids.product_id", "in", list(new))])
            if not boms:
                break
            found = boms.product_id | boms.filtered(lambda bom: not bom.product_id).product_tmpl_id.product_variant_ids
            new = set((found - kits).ids)
            kits |= found
        return kits
