# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from collections import defaultdict

from odoo import api, models


class BridgeStockLevel(models.Model):
    _inherit = "bridge.stock.level"

    # What lies in one shop may decide what another one sells: where something is promised of the warehouse around both,
    # or where a rule keeps stock of the warehouse for a channel. A sale in the one says nothing to the other; whoever
    # folds it passes it on. Here, not where the sale is booked: that transaction may not see the promise yet.

    @api.model
    def _spread(self, channel, keys):
        """Touch what else depends on changed stock; once, for what is passed on is not passed on again.

        :param keys: {(store id, product id)} of the channel whose stock changed
        """
        by_product = defaultdict(set)
        for store_id, product_id in keys:
            by_product[product_id].add((channel.id, store_id))
        rows = self._rows_of_promises(by_product) | self._rows_of_rules(channel, by_product)
        rows -= {(channel.id, *key) for key in keys}
        if rows:
            # Without a quantity: passed on.
            self.env["bridge.touch"]._insert(self.env.cr, dict.fromkeys(sorted(rows)))
            self.env["bridge.channel"]._wake_many(sorted({row[0] for row in rows}), "outward")

    def _rows_of_promises(self, by_product):
        """{(channel id, store id, product id)} within places that something is promised of as a whole."""
        touch = self.env["bridge.touch"]
        self.env.cr.execute(
            """SELECT DISTINCT location_id, product_id FROM bridge_hold
                WHERE product_id = ANY(%s) AND state = 'active' AND source = 'hand'""",
            [list(by_product)],
        )
        around, rows = touch._stores_around_location(), set()
        for location_id, product_id in self.env.cr.fetchall():
            if by_product[product_id] & set(around.get(location_id, ())):
                rows |= {(*pair, product_id) for pair in touch._stores_within(location_id)}
        return rows

    def _rows_of_rules(self, channel, by_product):
        """{(channel id, store id, product id)} within places a rule keeps something of for this channel."""
        rules, touch = self.env["bridge.allocation.rule"]._book(channel.company_id), self.env["bridge.touch"]
        rows = set()
        if rules.has_exclusive():
            products = self.env["product.product"].browse(by_product)
            for store in channel.store_ids.filtered("location_id"):
                within = touch._stores_within(store.location_id.id)
                shares = rules.shares(store, products) if within else {}
                for product_id, share in shares.items():
                    if share.is_exclusive and (channel.id, store.id) in by_product[product_id]:
                        rows |= {(*pair, product_id) for pair in within}
        return rows


class BridgeTouch(models.Model):
    _inherit = "bridge.touch"

    @api.model
    def _stores_within(self, location_id):
        """[(channel id, store id)] that sell from a part of a place only."""
        whole = self._stores_by_location().get(location_id, ())
        return [pair for pair in self._stores_around_location().get(location_id, ()) if pair not in whole]
