# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, models

from ..booking import Missing


class BridgeMatcher(models.AbstractModel):
    """Which Odoo product a channel means: binding first, then barcode (JAN), then SKU. Never a guess."""

    _name = "bridge.matcher"
    _description = "Product matching"

    # Tried in this order; the first key with exactly one product wins.
    KEYS = (("barcode", "barcode"), ("sku", "default_code"))

    @api.model
    def _match_products(self, channel, refs, stock_ids=None):
        """Match many at once; newly found ones are bound.

        :param refs: iterable of ProductRef
        :param stock_ids: {external id: the id stock is kept under at the channel}, where known
        :return: ({external id: product.product}, {external id: Missing})
        """
        refs = {ref.external_id: ref for ref in refs}
        bound = self._bound(channel, refs)
        unknown = {key: ref for key, ref in refs.items() if key not in bound}
        found, missing = self._search(channel, unknown)
        self.env["bridge.binding"]._bind(
            channel,
            "product",
            [
                (key, product, {"external_name": refs[key].name, "stock_external_id": (stock_ids or {}).get(key)})
                for key, product in found.items()
            ],
        )
        return {**bound, **found}, missing

    @api.model
    def _peek_products(self, channel, refs):
        """As ``_match_products``, but writes nothing (rehearsal)."""
        refs = {ref.external_id: ref for ref in refs}
        bound = self._bound(channel, refs)
        found, missing = self._search(channel, {key: ref for key, ref in refs.items() if key not in bound})
        return {**bound, **found}, missing

    def _bound(self, channel, refs):
        bindings = self.env["bridge.binding"]._get(channel, "product", refs)
        return self.env["bridge.binding"].union(*bindings.values())._records()

    def _search(self, channel, refs):
        if not refs:
            return {}, {}
        by_key = {field: {} for _key, field in self.KEYS}
        for key, field in self.KEYS:
            values = {getattr(ref, key) for ref in refs.values()} - {""}
            if values:
                domain = [(field, "in", list(values)), ("company_id", "in", (False, channel.company_id.id))]
                for product in self.env["product.product"].with_context(active_test=False).search(domain):
                    by_key[field][product[field]] = by_key[field].get(product[field], product.browse()) | product
        found, missing = {}, {}
        for external_id, ref in refs.items():
            product, candidates = self._decide(ref, by_key)
            if product:
                found[external_id] = product
            else:
                missing[external_id] = self._missing(ref, candidates)
        return found, missing

    def _decide(self, ref, by_key):
        """(product, candidates): a product only when a key leads to exactly one."""
        candidates = self.env["product.product"]
        for key, field in self.KEYS:
            hits = by_key[field].get(getattr(ref, key), candidates.browse())
            if len(hits) > 1:
                hits = hits.filtered("active") if len(hits.filtered("active")) == 1 else hits
            if len(hits) == 1:
                return hits, candidates
            candidates |= hits
        return None, candidates

    def _missing(self, ref, candidates):
        label = ref.barcode or ref.sku or ref.external_id
        if candidates:
            name = self.env._("%(code)s %(name)s fits several products", code=label, name=ref.name)
        else:
            name = self.env._("%(code)s %(name)s is unknown", code=label, name=ref.name)
        hints = {"barcode": ref.barcode, "sku": ref.sku, "name": ref.name}
        return Missing("product", ref.external_id, name, hints, candidates)
