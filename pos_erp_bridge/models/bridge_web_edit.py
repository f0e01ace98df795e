# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from collections import defaultdict
from decimal import Decimal

from odoo import fields, models

from ..fiscal.order_amounts import plain, spread_taxes

ZERO = Decimal(0)


class BridgeWebEdit(models.AbstractModel):
    """Newer versions of a web order: applied while the document allows it, told to a person where it does not.
    Lines somebody added in Odoo have no id of the channel, and are never touched."""

    _name = "bridge.web.edit"
    _description = "Changes of web orders"

    def _apply(self, channel, item, plan):
        """Bring the order to what the channel says now."""
        order = plan.order.sudo()
        if order.state != "sale":
            return
        self._change_store(order, plan)
        troubles = self._change_lines(channel, item.record, plan, order)
        troubles += self._change_address(channel, item, plan, order)
        if troubles:
            text = "\n".join(troubles)
            order._bridge_alert(self.env._("Changed at the web store"), text)
            plan.notes.append(text)

    # -- lines -----------------------------------------------------------------------------------
    def _change_lines(self, channel, record, plan, order):
        """Returns what could not be done, in words."""
        lines = {line.bridge_line_ref: line for line in order.order_line._bridge_lines()}
        unit = Decimal(1).scaleb(-order.currency_id.decimal_places)
        own, new, troubles = defaultdict(float), [], []
        for said, tax in zip(record.lines, spread_taxes(record.lines, record.taxes, unit), strict=True):
            line = lines.pop(said.external_id, None)
            if line:
                self._change_line(line, (said.quantity, said.amount, tax), said.unit_price, own, troubles, plan)
            elif said.quantity or said.amount:
                new.append((said, tax))
        for line in lines.values():  # no longer on the order
            self._change_line(line, (ZERO, ZERO, ZERO), None, own, troubles, plan)
        if new and order.locked:
            troubles += [
                self.env._("%(quantity)s × %(name)s was added.", quantity=plain(s.quantity), name=s.name)
                for s, _t in new
            ]
        elif new:
            self._add_lines(channel, plan, order, new, own)
        self.env["bridge.touch"]._touch_own(order.bridge_store_id, own)
        return troubles

    def _change_line(self, line, said, unit_price, own, troubles, plan):
        """Give a line what the channel says of it, less what refunds took off since."""
        goal = tuple(now - off for now, off in zip(said, line._bridge_taken_off(), strict=True))
        sold = line._bridge_sold()
        if goal == (sold["quantity"], sold["amount"], sold["tax"]):
            return
        quantity, amount, tax = goal
        reason = self._obstacle(line, quantity, amount, sold)
        if reason:
            troubles.append(
                self.env._(
                    "%(name)s: %(old)s for %(old_amount)s became %(new)s for %(new_amount)s. %(reason)s",
                    name=line.name,
                    old=plain(sold["quantity"]),
                    old_amount=plain(sold["amount"]),
                    new=plain(quantity),
                    new_amount=plain(amount),
                    reason=reason,
                )
            )
            return
        if line.product_id._bridge_is_stocked():
            own[line.product_id.id] -= float(quantity) - line.product_uom_qty
        line._bridge_reprice(quantity, amount, tax, unit_price)
        plan.changed = True

    def _obstacle(self, line, quantity, amount, sold):
        """Why a line cannot become what the channel says, or None."""
        if line.order_id.locked:
            return self.env._("The order is locked.")
        if float(quantity) < line.qty_delivered:
            return self.env._("%g were sent already: ask for them back, or correct the web store.", line.qty_delivered)
        if line.qty_invoiced and float(quantity) < line.qty_invoiced:
            return self.env._("%g were invoiced already, and no refund says otherwise.", line.qty_invoiced)
        if line.qty_invoiced and amount != sold["amount"] and quantity == sold["quantity"]:
            return self.env._("It was invoiced already: correct the invoice by hand.")
        return None

    def _add_lines(self, channel, plan, order, new, own):
        booking = self.env["bridge.booking.web"]
        sequence = max(order.order_line.mapped("sequence"), default=0)
        made = (
            self.env["sale.order.line"]
            .sudo()
            .create(
                [
                    {"order_id": order.id, **booking._prepare_line(channel, said, tax, plan, sequence + count)}
                    for count, (said, tax) in enumerate(new, 1)
                ]
            )
        )
        for line in made.filtered(lambda line: line.product_id._bridge_is_stocked()):
            own[line.product_id.id] -= line.product_uom_qty
        plan.changed = True

    # -- where it goes, where it comes from ------------------------------------------------------
    def _change_address(self, channel, item, plan, order):
        key = self.env["bridge.contact"]._address_key(item.record.shipping_address)
        if not key or key == order.bridge_address_key:
            return []
        _partner, _invoice_to, ship_to = self.env["bridge.contact"]._buyers(channel, [item])[item]
        if order._bridge_is_sent():
            return [self.env._("The delivery address became %s, but goods were sent already.", ship_to.display_name)]
        order.with_context(update_delivery_shipping_partner=True).write(
            {"partner_shipping_id": ship_to.id, "bridge_address_key": key}
        )
        plan.changed = True
        return []

    def _change_store(self, order, plan):
        """Another store ships now: what is not sent yet leaves the old one's queue and reservation."""
        store, old = plan.store, order.bridge_store_id
        if store == old or order._bridge_is_sent():
            return
        order.picking_ids.filtered(lambda picking: picking.state != "done").action_cancel()
        order.write({"warehouse_id": store.location_id.warehouse_id.id, "bridge_store_id": store.id})
        order.order_line._action_launch_stock_rule()
        own = order._bridge_quantities()
        self.env["bridge.touch"]._touch_own(old, own)
        self.env["bridge.touch"]._touch_own(store, {product: -quantity for product, quantity in own.items()})
        plan.changed = True

    # -- cancelling ------------------------------------------------------------------------------
    def _cancel_goods(self, plan):
        """Cancel an order that has not left; release what it reserved. Returns whether it is cancelled."""
        order = plan.order.sudo()
        if order.state == "cancel":
            return True
        if order._bridge_is_sent():
            text = self.env._(
                "The web store cancelled the order after goods were sent. Ask for them back, or talk to the customer."
            )
            order._bridge_alert(self.env._("Cancelled, but sent"), text)
            plan.notes.append(text)
            return False
        own = order._bridge_quantities()
        order.action_unlock()
        order._action_cancel()
        self.env["bridge.touch"]._touch_own(order.bridge_store_id, own)
        plan.changed = True
        return True

    def _cancel_money(self, channel, record, plan):
        """Credit what is still invoiced of a cancelled order, and send back what the channel says was sent back."""
        self.env["bridge.booking.refund"]._credit_rest(channel, plan, fields.Date.context_today(self))
        if record.payment_state != "refunded" or any(refund.tenders for refund in record.refunds):
            return
        # The channel names no single transactions: everything went back the way it came.
        rows = [(plan, tender, "outbound") for tender in record.payments]
        money = self.env["bridge.web.money"]
        if money._pay(channel, rows, suffix=":refund"):
            money._reconcile(plan.order)
            plan.changed = True
