# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Web orders claim their goods before they are confirmed, and keep the promise until the goods are reserved."""

from odoo import models
from odoo.tools import SQL

from .bridge_inbound import BOOK_BATCH

ASKED = "bridge_asked"  # context: {order ref: Claim} of orders that were promised what there is


class BridgeChannel(models.Model):
    _inherit = "bridge.channel"

    def _promise(self):
        """Promise stock to the web orders that wait to be booked, before the transaction that books them begins: that
        one then sees the promises, and turns them into reservations. One short transaction each; as much as there is,
        for the web store has sold it already.

        :return: {order ref: Claim}
        """
        if self.kind != "web" or self.state != "live":
            return {}
        claims = {}
        for order_ref, lines, store_id, customer in self._retrying(self._step_wishes):
            with self._transaction() as channel:
                store = channel.env["bridge.store"].browse(store_id)
                product = channel.env["product.product"].browse
                claims[order_ref] = channel.env["bridge.hold"]._claim(
                    channel,
                    order_ref,
                    [(ref, product(product_id), store.location_id, quantity) for ref, product_id, quantity in lines],
                    "import",
                    partial=True,
                    customer=customer,
                    store=store,
                    is_sold=True,
                )
        return claims

    def _step_wishes(self, channel):
        """[(order ref, [(line ref, product id, quantity)], store id, customer)] of orders about to be booked."""
        events = channel._claim(False, BOOK_BATCH)
        outcomes = {}
        groups = channel._translate_events(channel._newest(events, outcomes), outcomes)
        booker = channel.env["bridge.booking.web"]
        items = booker._with_bindings(channel, groups.get("Order", []), outcomes)
        plans = channel._safely(lambda some: booker._plan(channel, some), items)
        return [wish for item, plan in plans.items() for wish in booker._wishes(item, plan)]


class BridgeBookingWeb(models.AbstractModel):
    _inherit = "bridge.booking.web"

    def _wishes(self, item, plan):
        """Yield what a new order wants; nothing for what is known, refused or cancelled."""
        vals = getattr(plan, "vals", None)
        if vals is None or vals.order or item.record.state == "cancelled":
            return
        lines = [
            (line.external_id, vals.products[line.product.external_id].id, float(line.quantity))
            for line in item.record.lines
            if line.product and line.quantity > 0
        ]
        if lines:
            customer = item.record.customer
            buyer = (customer.external_id or customer.email) if customer else ""
            yield item.record.external_id, lines, vals.store.id, buyer

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
        result = super().write(vals)
        if "product_id" in vals or "product_uom_qty" in vals:
            # What is not reserved yet is asked for anew, by the reservation.
            changed = self.filtered(lambda line: line.state == "sale")
            changed._bridge_release()
        return result

    def unlink(self):
        self._bridge_release()
        return super().unlink()
