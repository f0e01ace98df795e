# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Where limits on sales are kept: claims, published levels, orders that were sold elsewhere."""

from odoo import api, models
from odoo.tools import ormcache

from ..allocation import floor


class BridgeHold(models.Model):
    _inherit = "bridge.hold"

    @api.model
    def _claim(self, channel, order_ref, lines, purpose, *args, customer="", caps=(), is_sold=False, **kwargs):
        """What is stopped is refused, and limits are part of the claim; what is sold already is not asked."""
        if not is_sold:
            if stopped := self._stopped(channel, lines):
                return self._refusal(lines, ", ".join(dict.fromkeys(stopped)))
            caps = (*caps, *self.env["bridge.sales.limit"]._caps(channel, lines, customer))
        return super()._claim(
            channel, order_ref, lines, purpose, *args, customer=customer, caps=caps, is_sold=is_sold, **kwargs
        )

    def _stopped(self, channel, lines):
        """Why a channel may not sell these lines just now."""
        places = {line[2].id for line in lines}
        if not channel or not lines:
            return []
        _company_id, places_of = self.env["bridge.touch"]._places_of(channel.id)
        here = [store_id for store_id, place in places_of.items() if place in places]
        stores = self.env["bridge.store"].sudo().browse(here)
        if not stores:
            return []
        products = self.env["product.product"].union(*(line[1] for line in lines))
        return list(self.env["bridge.availability"]._brakes(stores, products).values())


class BridgeAvailability(models.AbstractModel):
    _inherit = "bridge.availability"

    @api.model
    def _for_stores(self, stores, products):
        """No channel is told more than a limit leaves."""
        result = super()._for_stores(stores, products)
        for key, (_limit, left) in self.env["bridge.sales.limit"]._lefts(stores, products).items():
            found = result.get(key)
            if found is not None and floor(left) < found.quantity:
                found.quantity = floor(left)
                found.reasons.append(("cap", left))
        return result

    @api.model
    def _brakes(self, stores, products):
        return super()._brakes(stores, products) | self.env["bridge.sales.limit"]._closed(stores, products)


class BridgeTouch(models.Model):
    _inherit = "bridge.touch"

    @api.model
    @ormcache()
    def _limited_stores(self):
        """{product id: {(channel id, store id)}} that hear of each sale of limited goods, wherever it was; cached."""
        result = {}
        for limit in self.env["bridge.sales.limit"].sudo().search([("cap_total", ">", 0)]):
            channels = limit._channels().filtered(lambda channel: channel.state == "live")
            stores = {(store.channel_id.id, store.id) for store in channels.store_ids.filtered("location_id")}
            for product_id in limit._products().ids:
                result.setdefault(product_id, set()).update(stores)
        return result

    @api.model
    def _with_others(self, pending):
        """What one channel sells of limited goods, all the others may sell less."""
        pending = super()._with_others(pending)
        limited = self._limited_stores() if pending else {}
        for product_id in {product_id for _channel, _store, product_id in pending} & limited.keys():
            for pair in limited[product_id]:
                pending.setdefault((*pair, product_id), 0.0)
        return pending


class BridgeBookingWeb(models.AbstractModel):
    _inherit = "bridge.booking.web"

    def _create_orders(self, channel, plans):
        """Orders a web store sold beyond a limit are booked; a person hears of it."""
        super()._create_orders(channel, plans)
        for plan in plans.values():
            self._note_excess(channel, plan.order)

    def _note_excess(self, channel, order):
        lines = order.sudo().order_line.filtered("product_id")
        limits = self.env["bridge.sales.limit"]._of(order.company_id, lines.product_id.ids, channel.id)
        for limit, product_ids in limits.items():
            if not limit._is_open():
                continue
            sold = sum(line._bridge_base_wanted() for line in lines if line.product_id.id in product_ids)
            notes = []
            if limit.cap_total and (over := limit._used() - limit.cap_total) > 0:
                notes.append(
                    self.env._(
                        "%(cap)g may be sold in total; with this order it is %(over)g more.",
                        cap=limit.cap_total,
                        over=over,
                    )
                )
            if limit.cap_customer:
                customer = self._buyer_of(lines)
                bought = max(sold, limit._used(customer)) if customer else sold
                if bought > limit.cap_customer:
                    notes.append(
                        self.env._(
                            "A customer may buy %(cap)g; this one bought %(bought)g.",
                            cap=limit.cap_customer,
                            bought=bought,
                        )
                    )
            if notes:
                order.sudo().activity_schedule(
                    "mail.mail_activity_data_warning",
                    user_id=(order.user_id or channel.create_uid or self.env.user).id,
                    summary=self.env._("Sold beyond the limit: %s", limit.name),
                    note=" ".join([*notes, self.env._("Deliver it, or agree on less with the customer.")]),
                )

    def _buyer_of(self, lines):
        """Who bought, as the channel knows him; "" of a guest."""
        domain = [("sale_line_id", "in", lines.ids), ("customer", "!=", False)]
        return self.env["bridge.hold"].sudo().search(domain, limit=1).customer or ""
