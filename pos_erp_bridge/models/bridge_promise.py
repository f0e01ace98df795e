# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Web orders claim their goods before they are confirmed, and keep the promise until the goods are reserved."""

import logging

import psycopg2

from odoo import models
from odoo.exceptions import UserError
from odoo.tools import SQL

from .bridge_inbound import BOOK_BATCH

_logger = logging.getLogger(__name__)

ASKED = "bridge_asked"  # context: {order ref: Claim} of orders that were promised what there is


class BridgeChannel(models.Model):
    _inherit = "bridge.channel"

    def _promise(self):
        """Promise stock to the web orders that wait to be booked, before the transaction that books them begins: that
        one then sees the promises, and turns them into reservations. One short transaction each; as much as there is,
        for the web store has sold it already. One that cannot be promised just now (somebody keeps the gate of its
        product) is booked all the same, and reserves as any order does.

        :return: {order ref: Claim}
        """
        if self.kind != "web" or self.state != "live":
            return {}
        claims = {}
        wishes = self._retrying(self._step_wishes)
        with self._transaction() as channel:
            holds = channel.env["bridge.hold"]
            product = channel.env["product.product"].browse
            for order_ref, lines, store, customer in wishes:
                if not lines:
                    holds._release(channel, order_ref)
                    continue
                store = channel.env["bridge.store"].browse(store)
                lines = [(ref, product(product_id), store.location_id, quantity) for ref, product_id, quantity in lines]
                try:
                    claims[order_ref] = holds._claim(
                        channel, order_ref, lines, "import", partial=True, customer=customer, store=store, is_sold=True
                    )
                except (psycopg2.Error, UserError):
                    _logger.info("%s: order %s is booked without a promise", self.name, order_ref, exc_info=True)
        return claims

    def _step_wishes(self, channel):
        """[(order ref, [(line ref, product id, quantity)], store id, customer)] of orders about to be booked."""
        events = channel._claim(False, BOOK_BATCH)
        outcomes = {}
        groups = channel._translate_events(channel._newest(events, outcomes), outcomes)
        booker = channel.env["bridge.booking.web"]
        items = booker._with_bindings(channel, groups.get("Order", []), outcomes)
        plans = channel._safely(lambda some: booker._plan(channel, some), items)
        products, _unknown = booker._match(channel, items)
        return [wish for item, plan in plans.items() for wish in booker._wishes(channel, item, plan, products)]


class BridgeBookingWeb(models.AbstractModel):
    _inherit = "bridge.booking.web"

    def _wishes(self, channel, item, plan, products):
        """Yield what a new order wants; no lines when it wants nothing any more. Also of one that cannot be booked yet
        (a mapping is missing, its amounts contradict each other): it is sold all the same."""
        order = item.record
        is_out = getattr(plan, "status", "") in ("done", "skipped")
        store = channel._web_store(order.store_id)
        if item.binding or not store:
            return
        if is_out or order.state == "cancelled":
            yield order.external_id, [], store.id, ""
            return
        lines = [
            (line.external_id, products[line.product.external_id].id, float(line.quantity))
            for line in order.lines
            if line.product and line.product.external_id in products and line.quantity > 0
        ]
        if lines:
            buyer = (order.customer.external_id or order.customer.email) if order.customer else ""
            yield order.external_id, lines, store.id, buyer

    def _adopt(self, channel, plans):
        """Hang what was promised to these new orders on their lines, for as long as the orders live.

        :return: ids of the lines of orders that asked: they were given what there is, and no more is to be had
        """
        asked = self.env.context.get(ASKED, {})
        rows, lines = [], set()
        for item, plan in plans.items():
            if item.record.external_id in asked:
                for line in plan.order.sudo().order_line._bridge_lines():
                    rows.append(SQL("(%s, %s, %s)", item.record.external_id, line.bridge_line_ref, line.id))
                    lines.add(line.id)
        if rows:
            self.env.flush_all()
            self.env.cr.execute(
                SQL(
                    """UPDATE bridge_hold h SET sale_line_id = v.line_id, expires_at = NULL
                         FROM (VALUES %s) AS v (order_ref, line_ref, line_id)
                        WHERE h.channel_id = %s AND h.state = 'active'
                          AND h.order_ref = v.order_ref AND h.line_ref = v.line_ref""",
                    SQL(", ").join(rows),
                    channel.id,
                )
            )
            self.env["bridge.hold"].invalidate_model(["sale_line_id", "expires_at"])
        return lines


class BridgeEvent(models.Model):
    _inherit = "bridge.event"

    def action_set_aside(self):
        """What will not be booked was not sold from here."""
        result = super().action_set_aside()
        for event in self.sudo().filtered(lambda e: e.stream == "order" and e.state == "skipped"):
            if not self.env["bridge.binding"]._get(event.channel_id, "order", [event.external_id]):
                self.env["bridge.hold"].sudo()._release(event.channel_id, event.external_id)
        return result


class SaleOrder(models.Model):
    _inherit = "sale.order"

    def _action_cancel(self):
        self.order_line._bridge_release()
        return super()._action_cancel()


class SaleOrderLine(models.Model):
    _inherit = "sale.order.line"

    def _bridge_active_holds(self):
        domain = [("sale_line_id", "in", self.ids), ("state", "=", "active")]
        return self.env["bridge.hold"].sudo().search(domain)

    def _bridge_release(self):
        """Give back what these lines were promised and did not reserve yet."""
        self._bridge_active_holds()._end("released")

    def write(self, vals):
        """What a confirmed line was promised and did not reserve yet follows it down, and ends with another product;
        more is asked for by the reservation."""
        before = {}
        if vals.keys() & {"product_id", "product_uom_qty", "product_uom_id"}:
            before = {line: (line.product_id, line._bridge_base_wanted()) for line in self if line.state == "sale"}
        result = super().write(vals)
        for line, (product, quantity) in before.items():
            if line.product_id != product:
                line._bridge_release()
            elif quantity > line._bridge_base_wanted():
                for hold in line._bridge_active_holds():
                    # A kit's components go down with it; never more than is wanted now.
                    hold.quantity *= line._bridge_base_wanted() / quantity
                line._bridge_active_holds().filtered(lambda hold: hold.quantity <= 0)._end("released")
        return result

    def _bridge_base_wanted(self):
        """What is ordered, in the product's base unit."""
        return self.product_uom_id._compute_quantity(self.product_uom_qty, self.product_id.uom_id, round=False)

    def unlink(self):
        self._bridge_release()
        return super().unlink()
