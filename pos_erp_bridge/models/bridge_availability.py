# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from collections import defaultdict

from odoo import api, models
from odoo.tools import SQL

from ..allocation import EVERYTHING, allocate, floor


class BridgeAvailability(models.AbstractModel):
    """Available to sell: the one definition everything uses.

    On hand − reserved − promised (holds) − safety stock − what is kept for other channels; of that the channel's share.
    In the product's base unit. A kit's is that of its scarcest component, in whole kits. A product that keeps no stock
    is unknown and left out.
    """

    _name = "bridge.availability"
    _description = "Available to sell"

    # -- the numbers of a place --------------------------------------------------------------------
    @api.model
    def _stock(self, location, products):
        """{product id: (on hand, reserved, held, limit)} at a location and the places within it.

        ``limit`` is None, or what is left of a larger place around this one where something is promised of that one
        as a whole. Kits as their components make them.
        """
        plain, components = self.env["bridge.kit"]._sort(products)
        return self._stock_of(location, plain, components)

    def _stock_of(self, location, plain, components):
        """As ``_stock``, of the ids of products that keep stock, and of kits."""
        return self._stocks_of(location, plain, components)[location.id]

    def _stocks_of(self, locations, plain, components):
        """{location id: what ``_stock_of`` says of it}; all places are read together."""
        numbers = self._plain_stocks(locations, set(plain).union(*components.values()))
        nothing = (0.0, 0.0, 0.0, None)
        result = {}
        for location_id, rows in numbers.items():
            result[location_id] = {product_id: rows.get(product_id, nothing) for product_id in plain}
            for kit_id, parts in components.items():
                if parts:
                    result[location_id][kit_id] = self._kit_stock(rows, parts, nothing)
        return result

    @staticmethod
    def _kit_stock(numbers, parts, nothing):
        """The numbers of the scarcest component, as whole kits."""

        def left(row):
            return min(row[0] - row[1] - row[2], row[3] if row[3] is not None else float("inf"))

        rows = [tuple(n and n / each for n in numbers.get(part, nothing)) for part, each in parts.items()]
        on_hand, reserved, held, limit = min(rows, key=left)
        return (on_hand, reserved, held, limit)

    def _plain_stock(self, location, product_ids):
        return self._plain_stocks(location, product_ids)[location.id]

    def _plain_stocks(self, locations, product_ids):
        """{location id: {product id: (on hand, reserved, held, limit)}} of products that keep stock themselves."""
        result = {location.id: {} for location in locations}
        if not product_ids:
            return result
        self.env["stock.quant"].flush_model(["product_id", "location_id", "quantity", "reserved_quantity"])
        self.env["bridge.hold"].flush_model(["product_id", "location_id", "quantity", "state", "source"])
        ids = sorted(product_ids)
        # Places are few and goods are many: each row of goods is read once, for all the places it lies in.
        within = SQL(
            """JOIN (SELECT l.id, w.id AS place_id
                       FROM stock_location l JOIN unnest(%s::int[], %s::text[]) AS w(id, path) ON l.parent_path LIKE w.path || '%%'
                    ) l ON l.id = s.location_id""",
            locations.ids, locations.mapped("parent_path"),
        )  # fmt: skip
        for place_id, product_id, quantity, reserved in self.env.execute_query(
            SQL(
                """SELECT l.place_id, s.product_id, sum(s.quantity)::float8, sum(s.reserved_quantity)::float8
                     FROM stock_quant s %s WHERE s.product_id = ANY(%s) GROUP BY 1, 2""",
                within, ids,
            )
        ):  # fmt: skip
            result[place_id][product_id] = (quantity or 0.0, reserved or 0.0, 0.0, None)
        for place_id, product_id, held in self.env.execute_query(
            SQL(
                """SELECT l.place_id, s.product_id, sum(s.quantity)::float8
                     FROM bridge_hold s %s
                    WHERE s.state = 'active' AND s.source = 'hand' AND s.product_id = ANY(%s) GROUP BY 1, 2""",
                within, ids,
            )
        ):  # fmt: skip
            on_hand, reserved, _held, _limit = result[place_id].get(product_id, (0.0, 0.0, 0.0, None))
            result[place_id][product_id] = (on_hand, reserved, held, None)
        for place_id, limits in self._limits(locations, ids).items():
            for product_id, limit in limits.items():
                on_hand, reserved, held, _limit = result[place_id].get(product_id, (0.0, 0.0, 0.0, None))
                result[place_id][product_id] = (on_hand, reserved, held, limit)
        return result

    def _limits(self, locations, product_ids):
        """{location id: {product id: what is left of the tightest place around it that something is promised of}}."""
        around = {place: {int(part) for part in place.parent_path.split("/")[:-2]} for place in locations}
        if not any(around.values()):
            return {}
        promised = self.env.execute_query(
            SQL(
                """SELECT DISTINCT h.product_id, l.id, l.parent_path
                     FROM bridge_hold h JOIN stock_location l ON l.id = h.location_id
                    WHERE h.state = 'active' AND h.source = 'hand' AND h.product_id = ANY(%s)
                      AND h.location_id = ANY(%s)""",
                product_ids, list(set().union(*around.values())),
            )
        )  # fmt: skip
        by_place = defaultdict(list)
        for product_id, place_id, path in promised:
            by_place[place_id, path].append(product_id)
        result = defaultdict(dict)
        for (place_id, path), ids in by_place.items():
            lefts = self._left_of(path, ids)
            for location, places in around.items():
                if place_id in places:
                    limits = result[location.id]
                    for product_id, left in lefts.items():
                        limits[product_id] = min(left, limits.get(product_id, float("inf")))
        return result

    def _left_of(self, path, product_ids):
        """{product id: on hand − reserved − promised} of the place with this path and what lies within it."""
        rows = self.env.execute_query(
            SQL(
                """SELECT p.id,
                          coalesce((SELECT sum(q.quantity - q.reserved_quantity) FROM stock_quant q
                                      JOIN stock_location l ON l.id = q.location_id
                                     WHERE q.product_id = p.id AND l.parent_path LIKE %(path)s), 0)
                        - coalesce((SELECT sum(h.quantity) FROM bridge_hold h
                                      JOIN stock_location l ON l.id = h.location_id
                                     WHERE h.product_id = p.id AND h.state = 'active' AND h.source = 'hand'
                                       AND l.parent_path LIKE %(path)s), 0)
                     FROM unnest(%(ids)s) AS p(id)""",
                path=f"{path}%", ids=product_ids,
            )
        )  # fmt: skip
        return {product_id: float(left) for product_id, left in rows}

    @api.model
    def _available(self, location, products):
        """{product id: on hand − reserved − promised} at a location and the places within it; no rule applied."""
        return {
            product_id: min(on_hand - reserved - held, on_hand - reserved - held if limit is None else limit)
            for product_id, (on_hand, reserved, held, limit) in self._stock(location, products).items()
        }

    @api.model
    def _publishable(self, quantity):
        """Whole units a channel may be told; never below zero."""
        return floor(quantity)

    # -- what a channel may sell of it -------------------------------------------------------------
    @api.model
    def _for_stores(self, stores, products):
        """{(store id, product id): :class:`~..allocation.Availability`} for stores (of any channels) that have a place.

        What is not known is left out.
        """
        rules = self.env["bridge.allocation.rule"]._book(stores.company_id)
        brakes = self._brakes(stores, products)
        plain, components = self.env["bridge.kit"]._sort(products)
        stores = stores.filtered("location_id")
        stocks = self._stocks_of(stores.location_id, plain, components)
        result = {}
        for store in stores:
            location, shares = store.location_id, rules.shares(store, products)
            numbers = stocks[location.id]
            others = self._others(rules, store, products, numbers)
            per_day = self._per_day(location, products, shares)
            safeties = self._safeties(store, products, numbers, shares)
            factor = self._share_factor(store)
            for product_id, (on_hand, reserved, held, limit) in numbers.items():
                result[store.id, product_id] = allocate(
                    on_hand,
                    reserved,
                    held,
                    limit,
                    shares.get(product_id, EVERYTHING),
                    per_day.get(product_id, 0.0),
                    others.get(product_id, 0.0),
                    factor,
                    brakes.get((store.id, product_id), ""),
                    safeties.get(product_id),
                )
        return result

    def _safeties(self, store, products, numbers, shares):
        """{product id: units kept back} for a store that sells from several places (the shops of a warehouse), each of
        which keeps its own back, as far as it has any; {} for all others."""
        careful = products.browse(
            product_id for product_id, share in shares.items() if share.safety or share.safety_hours
        )
        places = self._places_within(store) if careful else []
        if not places:
            return {}
        kept, rest = defaultdict(float), {}
        for product_id in careful.ids:
            on_hand, reserved, held, _limit = numbers.get(product_id, (0.0, 0.0, 0.0, None))
            rest[product_id] = on_hand - reserved - held
        for place in places:
            per_day = self._per_day(place, careful, shares)
            for product_id, (on_hand, reserved, held, _limit) in self._stock(place, careful).items():
                free = on_hand - reserved - held
                kept[product_id] += min(max(0.0, free), shares[product_id].back(per_day.get(product_id, 0.0)))
                rest[product_id] -= free
        for product_id, free in rest.items():  # what lies in none of the shops
            kept[product_id] += min(max(0.0, free), shares[product_id].back(0.0))
        return kept

    def _places_within(self, store):
        """Places of other stores within the store's own, the outermost of them."""
        path = store.location_id.parent_path
        places = self.env["bridge.store"].sudo().search([("company_id", "=", store.company_id.id)]).location_id
        places = places.filtered(lambda p: p.parent_path.startswith(path) and p != store.location_id)
        paths = tuple(places.mapped("parent_path"))
        return [p for p in places if not any(p.parent_path.startswith(o) and p.parent_path != o for o in paths)]

    def _per_day(self, location, products, shares):
        """Pieces sold a day, where a rule keeps hours' worth of it back."""
        slow = {product_id for product_id, share in shares.items() if share.safety_hours}
        if not slow or "bridge.velocity" not in self.env:
            return {}
        return self.env["bridge.velocity"]._per_day(location, products.filtered(lambda p: p.id in slow))

    def _others(self, rules, store, products, numbers):
        """{product id: what rules that come first keep for other channels, out of the same place}."""
        kept = defaultdict(float)
        for other in rules.exclusive_stores(store):
            shares = rules.shares(other, products)
            first = rules.shares(store, products)
            mine = {
                product_id: share
                for product_id, share in shares.items()
                if share.is_exclusive and share.sequence < first.get(product_id, EVERYTHING).sequence
            }
            if not mine:
                continue
            place, here = other.location_id, store.location_id
            concerned = products.browse(mine)
            theirs = self._stock(place, concerned) if place != here else numbers
            # What they keep back themselves they do not give.
            safeties, per_day = self._safeties(other, concerned, theirs, mine), self._per_day(place, concerned, mine)
            factor = self._share_factor(other)
            is_larger = here != place and here.parent_path.startswith(place.parent_path)
            for product_id, share in mine.items():
                on_hand, reserved, held, limit = theirs.get(product_id, (0.0, 0.0, 0.0, None))
                back = safeties.get(product_id, share.back(per_day.get(product_id, 0.0)))
                quantity = floor(share.of(on_hand - reserved - held - back) * factor)
                if share.is_stopped or quantity < share.minimum:
                    continue  # it gives nothing
                if is_larger:
                    # Theirs is the larger place: only what they cannot have elsewhere is kept here.
                    mine_here = numbers.get(product_id, (0.0, 0.0, 0.0, None))
                    elsewhere = on_hand - reserved - held - (mine_here[0] - mine_here[1] - mine_here[2])
                    quantity = max(0.0, quantity - max(0.0, elsewhere))
                kept[product_id] += quantity
        return kept

    @api.model
    def _keeps(self, channel, keys):
        """{(location id, product id): units a promise to this channel must leave}: safety stock and others' shares.

        :param keys: [(location id, product id)]; for Odoo's own orders (no channel) nothing is kept
        """
        rules = self.env["bridge.allocation.rule"]
        if not channel or not rules._is_used() or not rules._has_any(channel.company_id):
            return {}
        _company_id, places = self.env["bridge.touch"]._places_of(channel.id)
        result = {}
        for location_id in {location_id for location_id, _product in keys}:
            ids = [store_id for store_id, place in places.items() if place == location_id]
            store = self.env["bridge.store"].browse(ids[:1])
            products = self.env["product.product"].browse({p for place, p in keys if place == location_id})
            for (_store, product_id), found in self._for_stores(store, products).items():
                # What may be preordered is not at hand.
                is_coming = any(code == "preorder" for code, _value in found.reasons)
                quantity = 0 if is_coming else found.quantity
                result[location_id, product_id] = max(0.0, found.on_hand - found.reserved - found.held - quantity)
        return result

    # -- what features add -------------------------------------------------------------------------
    @api.model
    def _brakes(self, stores, products):
        """{(store id, product id): sentence} where nothing may be sold just now, and why; features add theirs."""
        return {}

    @api.model
    def _share_factor(self, store):
        """0–1: how much of its share a channel keeps; less while it does not answer."""
        return 1.0
