# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Refunds of web orders: money, goods and what was never sent are three things, each booked once."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from odoo import fields, models

from ..connectors.records import RefundLine
from ..fiscal.order_amounts import plain, share, spread_taxes
from .sale_order import exact_tax_data


@dataclass(eq=False)
class Part:
    """One line of a refund and what it means here; the quantities are those of the line, each piece counted once."""

    line: Any
    tax: Decimal
    order_line: Any
    returned: float = 0.0  # comes back
    cancelled: float = 0.0  # never left
    credited: float = 0.0  # was invoiced


class BridgeBookingRefund(models.AbstractModel):
    _name = "bridge.booking.refund"
    _description = "Booking of refunds"

    def _contradictions(self, order):
        """Refunds that do not add up, in words."""
        found = []
        for refund in order.refunds:
            parts = sum(line.amount for line in refund.lines or _lines_of_rates(refund))
            if parts != refund.amount:
                found.append(
                    self.env._(
                        "Refund %(id)s gives back %(amount)s, its parts add up to %(total)s: a difference of %(gap)s.",
                        id=refund.external_id,
                        amount=plain(refund.amount),
                        total=plain(parts),
                        gap=plain(refund.amount - parts),
                    )
                )
        return found

    def _book(self, channel, record, plan):
        """Book the refunds of an order that are not booked yet."""
        known = self.env["bridge.binding"]._get(channel, "refund", [refund.external_id for refund in record.refunds])
        order = plan.order.sudo()
        is_locked = order.locked  # against changes by hand; what the customer got back is a fact
        order.action_unlock()
        for refund in record.refunds:
            if refund.external_id in known:
                # Goods and amounts are settled; the money may have been sent back only since.
                self._pay_back(channel, plan, refund)
                continue
            parts = self._parts(plan, refund)
            self._move_goods(channel, plan, parts)
            note = self._credit_parts(channel, plan, refund, parts)
            payments = self._pay_back(channel, plan, refund)
            became = note or payments[:1] or plan.order
            self.env["bridge.binding"]._bind(channel, "refund", [(refund.external_id, became)])
            order.message_post(body=self._describe(refund, became))
            plan.changed = True
        if is_locked:
            order.action_lock()

    def _describe(self, refund, became):
        what = self.env._("nothing to credit") if became._name == "sale.order" else became.display_name
        text = self.env._(
            "Refund %(id)s of %(amount)s: %(what)s.", id=refund.external_id, amount=plain(refund.amount), what=what
        )
        return f"{text} {refund.reason}".strip()

    # -- what a refund means ---------------------------------------------------------------------
    def _parts(self, plan, refund):
        unit = Decimal(1).scaleb(-plan.order.currency_id.decimal_places)
        lines = refund.lines or _lines_of_rates(refund)
        taxes = spread_taxes(lines, refund.taxes, unit)
        return [self._part(plan, line, tax) for line, tax in zip(lines, taxes, strict=True)]

    def _part(self, plan, line, tax):
        order_line = plan.order.sudo()._bridge_line(line.order_line_id)
        part = Part(line, tax, order_line)
        quantity = float(line.quantity)
        if not order_line or not quantity:
            return part
        is_goods = order_line.product_id.type == "consu"
        if order_line.state == "sale" and line.restock in ("return", "cancel"):
            if line.restock == "return" and is_goods:
                part.returned = min(quantity, order_line._bridge_returnable())
            # Odoo may not have sent what the web store has back already: then it never leaves.
            unsent = order_line.product_uom_qty - (order_line.qty_delivered if is_goods else 0.0)
            part.cancelled = min(quantity - part.returned, unsent)
        self._credit_quantity(part, quantity, is_goods)
        return part

    def _credit_quantity(self, part, quantity, is_goods):
        """How much of it was invoiced. What the refund takes off the quantity due needs no more than that; what stays
        due by the rule is noted on the line, lest it be invoiced a second time."""
        order_line, rule = part.order_line, part.order_line.order_id.bridge_invoice_rule
        if rule == "never":
            return
        is_by_delivery = rule == "on_delivery" and is_goods
        less_due = part.returned if is_by_delivery else part.cancelled
        invoiced = order_line.qty_invoiced - order_line.bridge_qty_refunded
        due = order_line.qty_delivered if is_by_delivery else order_line.product_uom_qty
        over = min(less_due, max(0.0, invoiced - (due - less_due)))
        still_due = quantity - less_due - (part.cancelled if is_by_delivery else 0.0)
        credited = min(still_due, max(0.0, invoiced - over))
        part.credited = over + credited
        order_line.bridge_qty_refunded += credited if is_by_delivery else max(credited, min(still_due, part.returned))

    # -- goods -----------------------------------------------------------------------------------
    def _move_goods(self, channel, plan, parts):
        """What was never sent is taken off the order; what comes back gets a return."""
        back, own = {}, {}
        for part in parts:
            line, order_line = part.line, part.order_line
            if part.cancelled:
                self._take_off(part)
            if part.returned:
                back.setdefault(self._place(channel, plan, line), []).append(part)
            if (
                order_line.product_id._bridge_is_stocked()
                and line.restock in ("return", "cancel")
                and order_line.state == "sale"
            ):
                own[order_line.product_id.id] = own.get(order_line.product_id.id, 0.0) + float(line.quantity)
                self._check_sent(plan, part)
        for place, returned in back.items():
            self._return(plan.order.sudo(), place, returned)
        self.env["bridge.touch"]._touch_own(plan.order.sudo().bridge_store_id, own)

    def _check_sent(self, plan, part):
        rest = float(part.line.quantity) - part.cancelled - part.returned
        if part.line.restock == "cancel" and rest > 0:
            text = self.env._(
                "%(quantity)g × %(name)s was cancelled at the web store, but has been sent: ask for it back.",
                quantity=rest,
                name=part.order_line.name,
            )
            plan.order._bridge_alert(self.env._("Cancelled, but sent"), text)
            plan.notes.append(text)

    def _take_off(self, part):
        """Less is ordered; the amounts as sold follow."""
        order_line, line = part.order_line, part.line
        left = order_line.product_uom_qty - part.cancelled
        unit = Decimal(1).scaleb(-order_line.currency_id.decimal_places)
        sold = order_line._bridge_sold()
        amount, tax = (
            was - share(off, Decimal(0), Decimal(str(part.cancelled)), line.quantity, unit)
            for was, off in ((sold["amount"], line.amount), (sold["tax"], part.tax))
        )
        order_line._bridge_reprice(Decimal(str(left)), amount, tax, is_refund=True)

    def _place(self, channel, plan, line):
        store = channel._web_store(line.store_id) if line.store_id else None
        return (store or plan.order.sudo().bridge_store_id).location_id

    def _return(self, order, place, parts):
        """Goods come back: a done transfer into the store, so that they can be sold again; where returns are inspected,
        into the inspection location, until somebody found them fit for sale."""
        home, place = place, place._bridge_landing()
        kind = place.warehouse_id.out_type_id.return_picking_type_id or place.warehouse_id.in_type_id
        moves = [vals for part in parts for vals in self._prepare_return_moves(part, kind, place)]
        picking = (
            self.env["stock.picking"]
            .sudo()
            .create(
                {
                    "picking_type_id": kind.id,
                    "partner_id": order.partner_shipping_id.id,
                    "location_id": moves[0]["location_id"],
                    "location_dest_id": place.id,
                    "origin": self.env._("Return of %s", order.name),
                    "move_ids": [fields.Command.create(vals) for vals in moves],
                }
            )
        )
        picking.action_confirm()
        for move in picking.move_ids:
            move.quantity = move.product_uom_qty
        picking.move_ids.picked = True
        picking.with_context(bridge_home_id=home.id)._action_done()

    def _prepare_return_moves(self, part, kind, place):
        rest = part.returned
        for move in part.order_line._bridge_sent_moves():
            quantity = min(rest, move._bridge_kept())
            if quantity <= 0:
                continue
            rest -= quantity
            yield {
                "product_id": move.product_id.id,
                "product_uom": move.product_uom.id,
                "product_uom_qty": quantity,
                "location_id": move.location_dest_id.id,
                "location_dest_id": place.id,
                "picking_type_id": kind.id,
                "warehouse_id": place.warehouse_id.id,
                "origin_returned_move_id": move.id,
                "sale_line_id": part.order_line.id,
                "to_refund": True,
                "procure_method": "make_to_stock",
                "company_id": move.company_id.id,
            }

    # -- money -----------------------------------------------------------------------------------
    def _credit_parts(self, channel, plan, refund, parts):
        """The credit note, pointing to the invoice it takes back from. None where nothing of it is invoiced, or it
        was credited already (a cancelled order): then only money moves."""
        order = plan.order.sudo()
        original, open_amount = self._original(order, refund.amount)
        if not refund.amount or open_amount <= 0:
            return self.env["account.move"]
        lines = [vals for part in parts for vals in self._prepare_note_line(channel, plan, part, original)]
        day = self.env["bridge.web.money"]._day(channel, refund.refunded_at)
        return self._credit(order, original, refund.reason, day, lines) if lines else self.env["account.move"]

    def _original(self, order, amount):
        """(the invoice that can bear the amount, else the largest; what is invoiced and not yet credited)."""
        posted = order._bridge_invoices().filtered(lambda move: move.state == "posted")
        invoices = posted.filtered(lambda move: move.move_type == "out_invoice").sorted("amount_total")
        original = invoices.filtered(lambda move: move.amount_total >= float(amount))[:1] or invoices[-1:]
        return original, sum(invoices.mapped("amount_total")) - sum((posted - invoices).mapped("amount_total"))

    def _credit(self, order, original, reason, day, lines):
        note = (
            self.env["account.move"]
            .sudo()
            .create(
                {
                    "move_type": "out_refund",
                    "reversed_entry_id": original.id,
                    "journal_id": original.journal_id.id,
                    "partner_id": original.partner_id.id,
                    "partner_shipping_id": original.partner_shipping_id.id,
                    "currency_id": original.currency_id.id,
                    "company_id": original.company_id.id,
                    "invoice_date": day,
                    "invoice_origin": order.name,
                    "ref": " ".join(part for part in (order.client_order_ref, reason) if part),
                    "invoice_line_ids": [fields.Command.create(vals) for vals in lines],
                }
            )
        )
        note._post()
        self.env["bridge.web.money"]._reconcile(order)
        return note

    def _prepare_note_line(self, channel, plan, part, original):
        """Values of the credited part of a line; the whole of it where no quantity says otherwise."""
        line, order_line = part.line, part.order_line
        unit = Decimal(1).scaleb(-plan.order.currency_id.decimal_places)
        quantity, amount, tax = Decimal(1), line.amount, part.tax
        if order_line and line.quantity:
            quantity = Decimal(str(part.credited))
            amount = share(line.amount, Decimal(0), quantity, line.quantity, unit)
            tax = share(part.tax, Decimal(0), quantity, line.quantity, unit)
        if not amount:
            return
        product = order_line.product_id or channel._line_product("adjustment")
        account_tax = self._tax(plan, order_line, line)
        price = float(amount / quantity)
        source = original.invoice_line_ids.filtered(lambda l: order_line and order_line in l.sale_line_ids)[:1]
        yield {
            "product_id": product.id,
            "name": line.name or order_line.name or product.display_name,
            "quantity": float(quantity),
            "product_uom_id": (order_line.product_uom_id or product.uom_id).id,
            "price_unit": price,
            "discount": 0.0,
            "tax_ids": [fields.Command.set(account_tax.ids)],
            # A pure amount leaves the quantities invoiced as they are.
            "sale_line_ids": [fields.Command.set(order_line.ids if line.quantity else [])],
            "extra_tax_data": account_tax
            and exact_tax_data(account_tax.id, plan.order.currency_id.id, price, 0.0, float(quantity), amount, tax),
            **({"account_id": source.account_id.id} if source else {}),
        }

    def _tax(self, plan, order_line, line):
        """The tax the goods were sold with, not the one they have today."""
        if len(order_line.tax_ids) == 1 and order_line.tax_ids.amount == float(line.tax_rate):
            return order_line.tax_ids
        return plan.taxes[line.tax_rate]

    def _pay_back(self, channel, plan, refund):
        if plan.order.bridge_invoice_rule == "never":
            return self.env["account.payment"]
        payments = self.env["bridge.web.money"]._pay(channel, [(plan, tender, "outbound") for tender in refund.tenders])
        if payments:
            plan.changed = True
            self.env["bridge.web.money"]._reconcile(plan.order)
        return payments

    # -- cancelled orders ------------------------------------------------------------------------
    def _credit_rest(self, channel, plan, day):
        """Credit whatever is still invoiced of an order that was cancelled."""
        order = plan.order.sudo()
        posted = order._bridge_invoices().filtered(lambda move: move.state == "posted")
        for invoice in posted.filtered(lambda move: move.move_type == "out_invoice"):
            credited = posted.filtered(lambda move, i=invoice: move.reversed_entry_id == i)
            lines = self._prepare_rest(plan, invoice, credited)
            if lines:
                self._credit(order, invoice, self.env._("Cancelled"), day, lines)
                plan.changed = True

    def _prepare_rest(self, plan, invoice, credited):
        """One line per line of the invoice, or per tax rate where part of it was credited already."""
        if not credited:
            rows = [
                (line, line.quantity, line.price_total, line.price_total - line.price_subtotal)
                for line in _priced(invoice)
            ]
        else:
            rows = []
            for tax in invoice.invoice_line_ids.tax_ids | self.env["account.tax"]:
                lines = _priced(invoice).filtered(lambda line, t=tax: line.tax_ids == t)
                back = _priced(credited).filtered(lambda line, t=tax: line.tax_ids == t)
                amount = sum(lines.mapped("price_total")) - sum(back.mapped("price_total"))
                base = sum(lines.mapped("price_subtotal")) - sum(back.mapped("price_subtotal"))
                rows.append((lines[:1], 1.0, amount, amount - base))
        return [self._prepare_rest_line(*row) for row in rows if row[2] and row[0]]

    def _prepare_rest_line(self, line, quantity, amount, tax):
        price = amount / quantity
        return {
            "product_id": line.product_id.id,
            "name": line.name,
            "quantity": quantity,
            "product_uom_id": line.product_uom_id.id,
            "price_unit": price,
            "account_id": line.account_id.id,
            "tax_ids": [fields.Command.set(line.tax_ids.ids)],
            "sale_line_ids": [fields.Command.set(line.sale_line_ids.ids)],
            "extra_tax_data": len(line.tax_ids) == 1
            and exact_tax_data(
                line.tax_ids.id, line.currency_id.id, price, 0.0, quantity, Decimal(str(amount)), Decimal(str(tax))
            ),
        }


def _priced(moves):
    return moves.invoice_line_ids.filtered(lambda line: line.display_type == "product")


def _lines_of_rates(refund):
    """Money given back without naming lines: one line per tax rate."""
    return tuple(
        RefundLine("", Decimal(1), t.total, t.tax, t.rate, t.reduced, name=refund.reason) for t in refund.taxes
    )
