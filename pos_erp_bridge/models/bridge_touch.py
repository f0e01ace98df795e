# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from functools import partial

from odoo import api, fields, models
from odoo.tools import ormcache

from .bridge_live import announce_soon

DATA_KEY = "pos_erp_bridge.touch"


class BridgeTouch(models.Model):
    """Stock keys that changed and no channel was told of yet. Append only: business transactions add rows, the
    outward lane takes them away. ``own_quantity`` is what the channel itself sold (negative) or took back, and so
    knows already."""

    _name = "bridge.touch"
    _description = "Touched stock"
    _log_access = False

    # Plain numbers: a foreign key is looked up for every row, and business transactions write these rows.
    # Keys of what was deleted meanwhile fall through when they are folded.
    channel_id = fields.Integer(required=True, index=True)
    store_id = fields.Integer(required=True)
    product_id = fields.Integer(required=True)
    own_quantity = fields.Float(digits="Product Unit")

    @api.model
    @ormcache()
    def _stores_by_location(self):
        """{location id: ((channel id, store id), …)} of running channels, places within a store's location
        included; cached, for it is asked at every stock change."""
        stores = (
            self.env["bridge.store"]
            .sudo()
            .search(
                [
                    ("location_id", "!=", False),
                    ("channel_id.state", "in", ("live", "rehearse")),
                    ("channel_id.active", "=", True),
                ]
            )
        )
        result = {}
        for store in stores:
            for location in self.env["stock.location"].sudo().search([("id", "child_of", store.location_id.id)]):
                result.setdefault(location.id, []).append((store.channel_id.id, store.id))
        return {location: tuple(pairs) for location, pairs in result.items()}

    @api.model
    @ormcache()
    def _stores_around_location(self):
        """As ``_stores_by_location``, and for the places around a store's too: what is promised of a whole warehouse
        is promised of its shops."""
        inside = self._stores_by_location()
        result = {location: list(pairs) for location, pairs in inside.items()}
        Store, Location = self.env["bridge.store"].sudo(), self.env["stock.location"].sudo()
        for pair in {pair for pairs in inside.values() for pair in pairs}:
            place = Store.browse(pair[1]).location_id
            for location in Location.search([("id", "parent_of", place.id), ("id", "!=", place.id)]):
                result.setdefault(location.id, []).append(pair)
        return {location: tuple(pairs) for location, pairs in result.items()}

    @api.model
    @ormcache("channel_id")
    def _places_of(self, channel_id):
        """(company id, {store id: location id}) of a channel's stores that have a place; cached."""
        channel = self.env["bridge.channel"].sudo().browse(channel_id)
        stores = channel.store_ids.filtered("location_id")
        return channel.company_id.id, {store.id: store.location_id.id for store in stores}

    @api.model
    def _touch_places(self, keys):
        """Remember [(location id, product id)] where promises were made or ended."""
        stores = self._stores_around_location()
        pending = self._pending() if stores and keys else {}
        for location_id, product_id in keys:
            for pair in stores.get(location_id, ()):
                pending.setdefault((*pair, product_id), 0.0)

    @api.model
    def _rows_of_places(self, keys):
        """{(channel id, store id, product id): 0.0} of those who hear of changes at [(location id, product id)]."""
        stores = self._stores_around_location()
        rows = {(*pair, product_id) for location_id, product_id in keys for pair in stores.get(location_id, ())}
        return self._with_others(dict.fromkeys(sorted(rows), 0.0))

    @api.model
    def _with_others(self, pending):
        """Rows about to be added, and those of stores that are concerned too; features extend it.

        :param pending: {(channel id, store id, product id): own quantity}
        """
        return pending

    @api.model
    def _wake_places(self, keys):
        """Tell the channels that sell what lies at [(location id, product id)] of what is committed already."""
        self.env["bridge.channel"]._wake_now(sorted({row[0] for row in self._rows_of_places(keys)}), "outward")

    @api.model
    def _insert_places(self, cr, keys):
        """As ``_touch_places``, at once and on another cursor.

        :return: to be called after its commit: wakes the channels
        """
        self._insert(cr, self._rows_of_places(keys))
        return partial(self._wake_places, keys)

    @api.model
    def _touch_quants(self, quants):
        """Remember the keys of changed quants; written once, when the transaction is about to commit."""
        stores = self._stores_by_location()
        if not stores:
            return
        pending = self._pending()
        for quant in quants:
            for pair in stores.get(quant.location_id.id, ()):
                pending.setdefault((*pair, quant.product_id.id), 0.0)

    @api.model
    def _touch_own(self, store, quantities):
        """The channel changed its own level by {product id: signed quantity} (it sold, or took back)."""
        pending = self._pending()
        for product_id, quantity in quantities.items():
            key = (store.channel_id.id, store.id, product_id)
            pending[key] = pending.get(key, 0.0) + quantity

    @api.model
    def _touch_products(self, channel, products):
        """Tell the channel about these products whether they changed or not."""
        pending = self._pending()
        for store in channel.store_ids.filtered("location_id"):
            for product_id in products.ids:
                pending.setdefault((channel.id, store.id, product_id), 0.0)

    @api.model
    def _touch_channel(self, channels):
        """Tell live channels about everything they sell."""
        for channel in channels.filtered(lambda c: c.state == "live"):
            self._touch_products(channel, self.env["bridge.binding"]._products_of(channel))

    def _pending(self):
        precommit = self.env.cr.precommit
        if DATA_KEY not in precommit.data:
            precommit.data[DATA_KEY] = {}
            precommit.add(self.sudo()._flush_touched)
        return precommit.data[DATA_KEY]

    def _flush_touched(self):
        pending = self.env.cr.precommit.data.pop(DATA_KEY, {})
        if not pending:
            return
        pending = self._with_others(pending)
        self._insert(self.env.cr, pending)
        self.env["bridge.channel"]._wake_many(sorted({key[0] for key in pending}), "outward")

    @staticmethod
    def _insert(cr, pending):
        if not pending:
            return
        channels, stores, products = zip(*pending, strict=True)
        cr.execute(
            """INSERT INTO bridge_touch (channel_id, store_id, product_id, own_quantity)
               SELECT * FROM unnest(%s::int[], %s::int[], %s::int[], %s::float8[])""",
            [list(channels), list(stores), list(products), list(pending.values())],
        )
        # Open tills hear of it after the commit, whatever the lanes are doing.
        keys = set(zip(stores, products, strict=True))
        cr.postcommit.add(partial(announce_soon, cr.dbname, keys))
