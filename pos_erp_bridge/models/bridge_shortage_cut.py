# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What was cut off a web order here because it was not there, until the web store says the same.

The cut is booked at once, like a refund. When the store then refunds it, or edits the order, that is the same fact
told a second time, and must not be taken off again.
"""

from dataclasses import replace
from decimal import Decimal

from odoo import fields, models

from ..fiscal.order_amounts import share
from .bridge_booking_refund import Part

KEYS = ("quantity", "amount", "tax")
ZERO = Decimal(0)


class SaleOrderLine(models.Model):
    _inherit = "sale.order.line"

    bridge_cut = fields.Json(readonly=True, copy=False, help="Cut here for lack of stock; the web store does not know.")

    def _bridge_cut_off(self):
        """{"quantity", "amount", "tax"} cut here and not yet told by the web store."""
        return {key: Decimal((self.bridge_cut or {}).get(key, 0)) for key in KEYS}

    def _bridge_remember_cut(self, quantity, amount, tax):
        cut = self._bridge_cut_off()
        new = (cut["quantity"] + quantity, cut["amount"] + amount, cut["tax"] + tax)
        self.bridge_cut = dict(zip(KEYS, map(str, new), strict=True)) if new[0] > 0 else False

    def _bridge_settle_cut(self, quantity):
        """The web store told ``quantity`` of the cut: returns {"quantity", "amount", "tax"} of that part."""
        cut = self._bridge_cut_off()
        part = min(quantity, cut["quantity"])
        unit = Decimal(1).scaleb(-self.currency_id.decimal_places)
        told = {key: part if key == "quantity" else share(cut[key], ZERO, part, cut["quantity"], unit) for key in KEYS}
        self._bridge_remember_cut(*(-told[key] for key in KEYS))
        return told

    def _bridge_order_less(self, quantity):
        """Order only ``quantity``; of a web order the amounts as sold follow, and what was cut is remembered until the
        web store's refund or edit says the same."""
        if not self.bridge_line_ref:
            self.product_uom_qty = quantity
            return
        sold, left = self._bridge_sold(), Decimal(str(quantity))
        cut = sold["quantity"] - left
        unit = Decimal(1).scaleb(-self.currency_id.decimal_places)
        amount, tax = (sold[key] - share(sold[key], ZERO, cut, sold["quantity"], unit) for key in ("amount", "tax"))
        self._bridge_remember_cut(cut, sold["amount"] - amount, sold["tax"] - tax)
        self._bridge_reprice(left, amount, tax, is_refund=True)


class BridgeWebEdit(models.AbstractModel):
    _inherit = "bridge.web.edit"

    def _change_line(self, line, said, unit_price, own, troubles, plan):
        if line.bridge_cut:
            counted = line._bridge_sold()["quantity"] + line._bridge_taken_off()[0]
            less = counted - said[0]
            if less > 0:  # the web store's order has it no more: there is nothing left to take off
                told = line._bridge_settle_cut(less)
                off = dict(zip(KEYS, line._bridge_taken_off(), strict=True))
                line.bridge_off = {key: str(off[key] - told[key]) for key in KEYS}
        return super()._change_line(line, said, unit_price, own, troubles, plan)


class BridgeBookingRefund(models.AbstractModel):
    _inherit = "bridge.booking.refund"

    def _part(self, plan, line, tax):
        order_line = plan.order.sudo()._bridge_line(line.order_line_id)
        if not order_line.bridge_cut or not line.quantity:
            return super()._part(plan, line, tax)
        told = order_line._bridge_settle_cut(line.quantity)["quantity"]
        if order_line.product_id._bridge_is_stocked() and line.restock in ("return", "cancel"):
            own = {order_line.product_id.id: float(told)}
            self.env["bridge.touch"]._touch_own(plan.order.sudo().bridge_store_id, own)
        rest = line.quantity - told
        if not rest:  # money only: the goods were taken off here already
            return Part(replace(line, restock="none"), tax, order_line)
        unit = Decimal(1).scaleb(-order_line.currency_id.decimal_places)
        amount = line.amount - share(line.amount, ZERO, told, line.quantity, unit)
        rest_tax = tax - share(tax, ZERO, told, line.quantity, unit)
        return super()._part(plan, replace(line, quantity=rest, amount=amount, tax=rest_tax), rest_tax)
