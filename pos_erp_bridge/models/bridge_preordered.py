# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Where preorders take part: claims, published levels, receipts."""

from odoo import api, fields, models

from ..allocation import floor
from ..connectors.base import Capability
from .bridge_claim import Claim

# What receipts are made of: when it changes, channels that sell against it hear of it.
COMING_FIELDS = {"state", "product_uom_qty", "date", "location_dest_id", "location_final_id"}
# Why nothing is sold at all, of what is there and what is to come.
FINAL = {"stopped", "brake"}


class BridgeHold(models.Model):
    _inherit = "bridge.hold"

    @api.model
    def _refusal(self, lines, reason):
        """A claim that was not even tried."""
        return Claim({}, {line[0]: line[3] for line in lines}, reason)

    @api.model
    def _claim(self, channel, order_ref, lines, purpose, *args, caps=(), is_sold=False, source="hand", **kwargs):
        """A preorder is promised of what comes in. So is what a web store sold already when nothing is at hand."""
        preorder = self.env["bridge.preorder"]
        if purpose == "preorder":
            source = "incoming"
        if source == "incoming":
            caps = caps if is_sold else (*caps, *preorder._caps(channel, lines))
            running = preorder._running(channel, [line[1].id for line in lines])
            # Whoever is not preordered here is looked for in a pool where nothing comes in.
            lines = [(ref, product, preorder._pool(place), quantity) for ref, product, place, quantity in lines]
            missing = [product.display_name for _ref, product, _place, _qty in lines if product.id not in running]
            if missing and not is_sold:  # who waits already waits on when the preorder ended
                reason = self.env._("No preorder runs on this channel for %s.", ", ".join(dict.fromkeys(missing)))
                return self._refusal(lines, reason)
        waiting = {}
        if source == "hand" and is_sold and purpose == "import":
            waiting = self._claim_waiting(channel, order_ref, lines, **kwargs)
            lines = [line for line in lines if line[0] not in waiting]
        claim = super()._claim(
            channel, order_ref, lines, purpose, *args, caps=caps, is_sold=is_sold, source=source, **kwargs
        )
        claim.granted |= waiting
        if source == "hand" and is_sold and purpose == "import" and claim.short:
            bare = [line for line in lines if line[0] in claim.short and not claim.granted.get(line[0])]
            running = preorder._running(channel, [line[1].id for line in bare])
            bare = [line for line in bare if line[1].id in running]
            if bare:
                later = self._claim(channel, order_ref, bare, purpose, *args, is_sold=True, source="incoming", **kwargs)
                claim.granted |= later.granted
                claim.short = {k: v for k, v in claim.short.items() if k not in later.granted} | later.short
        return claim

    def _claim_waiting(self, channel, order_ref, lines, **kwargs):
        """A sold order is promised again what it waits for, and what of that came in; what it waits for in vain it may
        take from stock.

        :return: {line ref: quantity} of lines that have all they want
        """
        if not self.env["bridge.preorder"]._is_used():
            return {}
        own = [("channel_id", "=", channel.id), ("order_ref", "=", order_ref)]
        again = set(self.search([*own, *self.env["bridge.preorder"]._waiting_domain()]).mapped("line_ref"))
        granted = {}
        kwargs |= {"partial": False, "is_sold": True, "source": "incoming"}
        for line in lines:
            if line[0] in again:
                granted |= self._claim(channel, order_ref, [line], "import", **kwargs).granted
        return granted

    def _split(self, quantity):
        """Set apart what came in of a preorder, while the line goes on waiting for the rest; returns that part."""
        self.ensure_one()
        line = [
            ("channel_id", "=", self.channel_id.id), ("order_ref", "=", self.order_ref),
            ("line_ref", "=", self.line_ref), ("product_id", "=", self.product_id.id),
        ]  # fmt: skip
        number = max(self.search(line).mapped("arrival")) + 1
        kits = self.kit_quantity * quantity / self.quantity
        arrived = self.copy({"arrival": number, "quantity": quantity, "kit_quantity": kits})
        self.write({"quantity": self.quantity - quantity, "kit_quantity": self.kit_quantity - kits})
        return arrived

    def _end(self, state):
        """Who does not wait any more is short of nothing."""
        waiting = self.filtered(lambda hold: hold.source == "incoming") if state == "released" else self.browse()
        ended = super()._end(state)
        if waiting:
            self.env["bridge.preorder"].sudo()._check_cover(waiting.product_id)
        return ended


class BridgeAvailability(models.AbstractModel):
    _inherit = "bridge.availability"

    @api.model
    def _for_stores(self, stores, products):
        """Where nothing is left at hand, what may be preordered; never both together."""
        result = super()._for_stores(stores, products)
        wanted = self.env["bridge.preorder"]._product_ids() & set(products.ids)
        for store in stores if wanted else ():
            bare = {
                product_id
                for product_id in wanted
                if (found := result.get((store.id, product_id))) is not None
                and not found.quantity
                and not FINAL.intersection(code for code, _value in found.reasons)
            }
            for product_id, (left, day) in self.env["bridge.preorder"]._offers(store, bare).items() if bare else ():
                found = result[store.id, product_id]
                found.quantity = floor(left * self._share_factor(store))
                found.reasons.append(("preorder", fields.Date.to_string(day) if day else ""))
        return result


class StockMove(models.Model):
    _inherit = "stock.move"

    def _action_done(self, cancel_backorder=False):
        done = super()._action_done(cancel_backorder=cancel_backorder)
        self.env["bridge.preorder"]._arrived(done)
        return done

    def _action_cancel(self):
        result = super()._action_cancel()
        self._bridge_check_preorders()
        return result

    def write(self, vals):
        result = super().write(vals)
        if vals.keys() & COMING_FIELDS:
            self._bridge_touch_preorders()
        return result

    @api.model_create_multi
    def create(self, vals_list):
        moves = super().create(vals_list)
        moves._bridge_touch_preorders()
        return moves

    def _bridge_coming(self):
        """Moves that bring in, or would have brought in, goods that are preordered."""
        product_ids = self.env["bridge.preorder"]._product_ids()
        return self.filtered(lambda m: m.product_id.id in product_ids) if product_ids else self.browse()

    def _bridge_touch_preorders(self):
        """Channels hear of what is confirmed to come in, and no longer is."""
        for product in self._bridge_coming().product_id:
            for company in self.company_id:
                for rule_id, product_ids, _channels in self.env["bridge.preorder"]._whom(company.id):
                    if product.id in product_ids:
                        channels = self.env["bridge.preorder"].sudo().browse(rule_id)._channels()
                        for channel in channels.filtered(lambda c: c.state == "live"):
                            self.env["bridge.touch"]._touch_products(channel, product)

    def _bridge_check_preorders(self):
        products = self._bridge_coming().product_id
        if products:
            self.env["bridge.preorder"].sudo()._check_cover(products)


class BridgeStockLevel(models.Model):
    _inherit = "bridge.stock.level"

    available_from = fields.Date(
        "Comes in", readonly=True, help="Nothing is at hand: what may be sold are preorders, which come in on this day."
    )
    arrival_told = fields.Date("Arrival told", readonly=True)

    @api.model
    def _desired(self, channel, keys):
        """With the days preordered goods come in; a new day is told like a new level, where a channel can be told."""
        result = super()._desired(channel, keys)
        products = {product_id for _store, product_id in result}
        if self.env["bridge.preorder"]._product_ids() & products:
            self._note_arrivals(channel, result)
        return result

    def _note_arrivals(self, channel, keys):
        stores = self.env["bridge.store"].browse({store_id for store_id, _product in keys})
        product_ids = self.env["bridge.preorder"]._product_ids() & {product_id for _store, product_id in keys}
        products = self.env["product.product"].browse(product_ids)
        found = self.env["bridge.availability"]._for_stores(stores, products)
        levels = self._levels(channel, [key for key in keys if key[1] in product_ids])
        for key, level in levels.items():
            day = dict(found[key].reasons).get("preorder") if key in found else None
            if level.available_from != fields.Date.to_date(day or False):
                level.available_from = day or False

    @api.model
    def _fold(self, channel):
        """A new day is told like a new level, to channels that can be told."""
        count = super()._fold(channel)
        if count and channel._can(Capability.ARRIVAL_OUT):
            domain = [("channel_id", "=", channel.id), ("state", "=", "synced")]
            moved = self.search([*domain, "|", ("available_from", "!=", False), ("arrival_told", "!=", False)])
            moved = moved.filtered(lambda level: level.available_from != level.arrival_told)
            moved.write({"state": "due", "run_at": fields.Datetime.now()})
        return count

    @api.model
    def _record_results(self, sent, results):
        days = {item.push_id: item.available_from or False for item in sent}
        dated = [push_id for push_id, day in days.items() if day]
        domain = [("push_id", "in", list(days)), "|", ("push_id", "in", dated), ("arrival_told", "!=", False)]
        levels = {level.push_id: level for level in self.search_fetch(domain, ["push_id", "arrival_told"])}
        super()._record_results(sent, results)
        for result in results:
            level = levels.get(result.push_id)
            if level and result.status == "ok" and level.arrival_told != (days[result.push_id] or False):
                level.arrival_told = days[result.push_id]
