# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from decimal import Decimal

from odoo import api, fields, models

from ..fiscal.order_amounts import share

ZERO = Decimal(0)


class SaleOrder(models.Model):
    _inherit = "sale.order"

    bridge_channel_id = fields.Many2one("bridge.channel", "Channel", readonly=True, copy=False, index="btree_not_null")
    bridge_store_id = fields.Many2one("bridge.store", "Ships from", readonly=True, copy=False)
    bridge_invoice_rule = fields.Char(readonly=True, copy=False, help="The channel's rule when the order came.")
    bridge_is_pickup = fields.Boolean("Pick up in store", readonly=True, copy=False)
    bridge_note = fields.Text("Customer's note", readonly=True, copy=False)
    bridge_address_key = fields.Char(readonly=True, copy=False)

    def _prepare_confirmation_values(self):
        """A web order was placed when the customer placed it, not when it came here."""
        values = super()._prepare_confirmation_values()
        if self and all(order.bridge_channel_id for order in self):
            values.pop("date_order", None)
        return values

    @api.depends("order_line.invoice_lines")
    def _get_invoiced(self):
        """Credit notes of an amount only belong to no line, and to the order all the same."""
        super()._get_invoiced()
        for order in self.filtered("bridge_channel_id"):
            order.invoice_ids = order._bridge_invoices()
            order.invoice_count = len(order.invoice_ids)

    def _bridge_invoices(self):
        invoices = self.order_line.invoice_lines.move_id.filtered(
            lambda m: m.move_type in ("out_invoice", "out_refund")
        )
        return invoices | invoices.reversal_move_ids

    def _bridge_line(self, ref):
        """The line a channel means; none for "" and for what is not known."""
        return self.order_line.filtered(lambda line: ref and line.bridge_line_ref == ref)[:1]

    def _bridge_is_sent(self):
        """Whether anything reached the customer, or is on its way."""
        return any(p.state == "done" and p.location_dest_id.usage == "customer" for p in self.picking_ids)

    def _bridge_quantities(self):
        """{product id: quantity} of the goods the channel sold on these orders."""
        result = {}
        for line in self.order_line._bridge_lines().filtered(lambda line: line.product_id._bridge_is_stocked()):
            result[line.product_id.id] = result.get(line.product_id.id, 0.0) + line.product_uom_qty
        return result

    def _bridge_alert(self, summary, note):
        """Ask a person to look; the same thing is asked once."""
        self.ensure_one()
        if any(activity.summary == summary and note in (activity.note or "") for activity in self.sudo().activity_ids):
            return
        user = self.user_id or self.sudo().bridge_channel_id.create_uid
        self.sudo().activity_schedule(
            "mail.mail_activity_data_warning", summary=summary, note=note, user_id=user.id or self.env.uid
        )


class SaleOrderLine(models.Model):
    _inherit = "sale.order.line"

    bridge_line_ref = fields.Char("Id of the line at the channel", readonly=True, copy=False)
    bridge_amount = fields.Json(readonly=True, copy=False, help="As sold: amount with tax, tax and quantity, as text.")
    bridge_off = fields.Json(readonly=True, copy=False, help="What refunds took off the line, in the same way.")
    bridge_qty_refunded = fields.Float(
        "Refunded Quantity",
        digits="Product Unit",
        readonly=True,
        copy=False,
        help="Credited, though still ordered or delivered: not to be invoiced again.",
    )

    def _bridge_lines(self):
        return self.filtered("bridge_line_ref")

    # What the customer was charged is settled: a changed quantity or price list changes none of it.
    @api.depends("product_id", "product_uom_id", "product_uom_qty")
    def _compute_price_unit(self):
        return super(SaleOrderLine, self - self._bridge_lines())._compute_price_unit()

    @api.depends("product_id", "product_uom_id", "product_uom_qty")
    def _compute_discount(self):
        return super(SaleOrderLine, self - self._bridge_lines())._compute_discount()

    @api.depends("qty_invoiced", "qty_delivered", "product_uom_qty", "state", "bridge_qty_refunded")
    def _compute_qty_to_invoice(self):
        """Web orders are invoiced by their channel's rule, whatever the product says."""
        super()._compute_qty_to_invoice()
        for line in self:
            rule = line.order_id.bridge_invoice_rule
            if rule not in ("on_payment", "on_delivery") or line.state != "sale" or line.display_type:
                continue
            is_by_delivery = rule == "on_delivery" and line.product_id.type == "consu"
            due = line.qty_delivered if is_by_delivery else line.product_uom_qty
            line.qty_to_invoice = due - line.qty_invoiced - line.bridge_qty_refunded

    @api.depends("bridge_qty_refunded")
    def _compute_invoice_status(self):
        super()._compute_invoice_status()
        for line in self.filtered("bridge_qty_refunded"):
            if line.state == "sale" and not line.qty_to_invoice:
                line.invoice_status = "invoiced"

    # -- amounts as sold -------------------------------------------------------------------------
    def _bridge_sold(self):
        """{"amount", "tax", "quantity"} the channel sold the line for, less what refunds took off."""
        self.ensure_one()
        return {key: Decimal(value) for key, value in self.bridge_amount.items()}

    def _bridge_taken_off(self):
        """(quantity, amount, tax) that refunds took off: the channel still counts them."""
        off = self.bridge_off or {}
        return tuple(Decimal(off.get(key, 0)) for key in ("quantity", "amount", "tax"))

    def _bridge_reprice(self, quantity, amount, tax, unit_price=None, is_refund=False):
        """Change the line to ``quantity`` for exactly ``amount``, ``tax`` of it tax."""
        self.ensure_one()
        sold = self._bridge_sold()
        unit_price = Decimal(str(self.price_unit)) if unit_price is None else unit_price
        values = amounts_as_sold(self.currency_id, self.tax_ids, quantity, unit_price, amount, tax)
        if is_refund:
            now, was = (quantity, amount, tax), (sold["quantity"], sold["amount"], sold["tax"])
            off = [o + w - n for o, w, n in zip(self._bridge_taken_off(), was, now, strict=True)]
            values["bridge_off"] = dict(zip(("quantity", "amount", "tax"), map(str, off), strict=True))
        self.write(values)

    def _prepare_invoice_line(self, **optional_values):
        """A part of a line is invoiced with its part of the tax as sold; the last part takes what is left."""
        values = super()._prepare_invoice_line(**optional_values)
        if self.bridge_amount and not self.display_type:
            values["extra_tax_data"] = self._bridge_tax_data(Decimal(str(values["quantity"])))
        return values

    def _bridge_is_as_sold(self):
        """Whether price and discount are still the channel's."""
        was = self.extra_tax_data or {}
        return len(self.tax_ids) == 1 and (was.get("price_unit"), was.get("discount")) == (
            self.price_unit,
            self.discount,
        )

    def _bridge_tax_data(self, quantity):
        sold = self._bridge_sold()
        left = sold["quantity"] - Decimal(str(self.qty_invoiced))
        if not self._bridge_is_as_sold() or not 0 < quantity <= left:
            return False
        amount, tax = sold["amount"], sold["tax"]
        for line in self._get_invoice_lines().filtered(lambda line: line.parent_state != "cancel"):
            sign = -1 if line.move_id.move_type == "out_refund" else 1
            amount -= sign * Decimal(str(line.price_total))
            tax -= sign * Decimal(str(line.price_total - line.price_subtotal))
        unit = Decimal(1).scaleb(-self.currency_id.decimal_places)
        amount, tax = (share(whole, ZERO, quantity, left, unit) for whole in (amount, tax))
        return exact_tax_data(
            self.tax_ids.id, self.currency_id.id, self.price_unit, self.discount, float(quantity), amount, tax
        )

    # -- goods -----------------------------------------------------------------------------------
    def _bridge_sent_moves(self):
        """Moves that brought goods of the line to the customer."""
        return self.move_ids.filtered(
            lambda m: m.state == "done" and m.location_dest_id.usage == "customer" and not m.origin_returned_move_id
        )

    def _bridge_returnable(self):
        return sum(move._bridge_kept() for move in self._bridge_sent_moves())


def amounts_as_sold(currency, tax, quantity, unit_price, amount, tax_amount):
    """Values of a sales order line that reproduce what was charged, to the smallest unit."""
    price, discount = _price(currency, quantity, unit_price, amount)
    values = {
        "product_uom_qty": float(quantity),
        "price_unit": price,
        "discount": discount,
        "extra_tax_data": False,
        "bridge_amount": {"amount": str(amount), "tax": str(tax_amount), "quantity": str(quantity)},
    }
    if tax:
        values["extra_tax_data"] = exact_tax_data(
            tax.id, currency.id, price, discount, float(quantity), amount, tax_amount
        )
    return values


def _price(currency, quantity, unit_price, amount):
    """(price, discount in percent): the list price and what was taken off it where the two lead to the amount
    paid, else the amount paid for one."""
    if not quantity:
        return float(unit_price), 0.0
    listed = unit_price * quantity
    if unit_price > 0 and listed > amount >= 0:
        price, discount = float(unit_price), float(round((1 - amount / listed) * 100, 2))
        if currency.round(price * float(quantity) * (1 - discount / 100)) == float(amount):
            return price, discount
    return float(amount / quantity), 0.0


def exact_tax_data(tax_id, currency_id, price_unit, discount, quantity, amount, tax):
    """``extra_tax_data`` that makes Odoo's engine reproduce base and tax, for as long as quantity, price and discount
    stay as they are. Web orders are booked in the company's currency, so both currencies have the same amounts."""
    base, tax = float(amount - tax), float(tax)
    return {
        "currency_id": currency_id,
        "price_unit": price_unit,
        "discount": discount,
        "quantity": quantity,
        "rate": 1.0,
        "manual_total_excluded_currency": base,
        "manual_total_excluded": base,
        "manual_tax_amounts": {
            str(tax_id): {
                "base_amount_currency": base,
                "base_amount": base,
                "tax_amount_currency": tax,
                "tax_amount": tax,
            }
        },
    }
