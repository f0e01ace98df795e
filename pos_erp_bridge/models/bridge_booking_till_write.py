# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Till receipts: writing them, all of a batch together."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from odoo import models
from odoo.fields import Command

from ..booking import Outcome
from ..fiscal.till_amounts import negated, source_figures

NAMESPACE = uuid5(NAMESPACE_URL, "pos_erp_bridge")
# What goods do, by whether the document undoes another and whether they come in.
DIRECTIONS = {(False, False): "sold", (False, True): "returned", (True, True): "unsold", (True, False): "unreturned"}
NOTHING = {"sold": {}, "returned": {}}


@dataclass
class Draft:
    """A pos.order about to be created."""

    item: Any
    receipt: Any
    key: tuple  # (bridge.store, business day)
    vals: dict
    lines: list  # of values
    goods: list = field(default_factory=list)  # (product.product, signed quantity)
    kind: str = "receipt"
    order: Any = None


class BridgeBookingTill(models.AbstractModel):
    _inherit = "bridge.booking.till"

    def _execute(self, channel, plans):
        """Book all receipts: one transfer per session and direction, one ``create`` for all orders."""
        receipts = {item: plan.vals for item, plan in plans.items()}
        outcomes, drafts = {}, []
        for item, receipt in receipts.items():
            if receipt.current:
                drafts.append(self._draft_reversal(item, receipt))
            if not receipt.is_void:
                drafts.append(self._draft_receipt(channel, item, receipt))
        self._give_sessions(drafts)
        costs = self._move_goods(drafts)
        for wave in self._waves(drafts, receipts):
            self._create_orders(channel, wave, costs, receipts, outcomes)
        self.env.flush_all()
        # Last: what is told here outlives a savepoint, so nothing may fail after it.
        self._tell_own(drafts)
        return outcomes

    # -- drafts ------------------------------------------------------------------------------------
    def _draft_receipt(self, channel, item, receipt):
        record, kind = receipt.record, "replacement" if item.binding else "receipt"
        name = f"{channel.id}/{record.external_id}" + (f"/{record.version}" if item.binding else "")
        sold_at = record.sold_at.astimezone(UTC).replace(tzinfo=None, microsecond=0)
        is_refund = record.total < 0
        lines, goods = [], []
        for number, (line, product, tax) in enumerate(receipt.lines, 1):
            lines.append(
                self._line_vals(
                    channel, name, number, line, product or channel._line_product(line.kind), tax, is_refund
                )
            )
            if product:
                goods.append((product, float(line.quantity)))
        is_return = any(line.quantity < 0 for line, product, _tax in receipt.lines if product)
        tax = sum(line.tax for line in record.lines)
        vals = {
            "uuid": str(uuid5(NAMESPACE, name)),
            "pos_reference": record.number or record.external_id,
            "date_order": sold_at,
            "partner_id": receipt.partner.id if receipt.partner else False,
            "amount_total": float(record.total),
            "amount_tax": float(tax),
            "amount_paid": float(record.total),
            "general_customer_note": record.note or False,
            "payment_ids": [
                Command.create(
                    {
                        "payment_method_id": method.id,
                        "amount": float(tender.amount),
                        "payment_date": tender.paid_at.astimezone(UTC).replace(tzinfo=None)
                        if tender.paid_at
                        else sold_at,
                        "name": tender.name,
                    }
                )
                for tender, method in receipt.tenders
                if tender.amount
            ],
            "bridge_external_id": record.external_id,
            "bridge_business_date": record.business_date,
            "bridge_corrects_id": receipt.current.id if receipt.current else False,
            "bridge_is_unlinked_return": is_return and not record.original_id,
            "bridge_source": source_figures(record),
            "bridge_fingerprint": receipt.fingerprint,
        }
        return Draft(item, receipt, (receipt.store, record.business_date), vals, lines, goods, kind)

    def _line_vals(self, channel, name, number, line, product, tax, is_refund):
        """A line as sold: shelf price, quantity and one discount that holds this line's share of every discount.

        The price stays visible and a refund on a screen gives back what was paid. Odoo would recompute tax from
        it as the company rounds; the receipt's own tax is the legal one, so it is handed to the tax engine with
        the line and every later computation (closing entry, invoice) uses it as it is.
        """
        quantity, amount, tax_amount = float(line.quantity), float(line.amount), float(line.tax)
        gross = amount if not tax or tax.price_include else amount - tax_amount
        price, discount = float(line.unit_price), 0.0
        if not price or not quantity or not 0 <= gross / (price * quantity) <= 1:
            # Not explained by a discount (e.g. the till's price is without tax, this line's amount with it).
            price = gross / quantity if quantity else gross
        elif gross != price * quantity:
            discount = (1 - gross / (price * quantity)) * 100
        extra = False
        if tax:
            # The engine turns refunds around (see pos.order.line._prepare_base_line_for_taxes_computation).
            sign = -1 if is_refund else 1
            base = sign * (amount - tax_amount)
            extra = {
                "currency_id": channel.currency_id.id, "price_unit": price, "discount": discount,
                "quantity": sign * quantity, "rate": 1.0,
                "manual_total_excluded_currency": base, "manual_total_excluded": base,
                "manual_tax_amounts": {
                    str(tax.id): {
                        "tax_amount_currency": sign * tax_amount, "tax_amount": sign * tax_amount,
                        "base_amount_currency": base, "base_amount": base,
                    }
                },
            }  # fmt: skip
        return {
            "uuid": str(uuid5(NAMESPACE, f"{name}/line/{number}")),
            "name": f"{number}",
            "product_id": product.id,
            "full_product_name": line.name or product.display_name,
            "qty": quantity,
            "price_unit": price,
            "discount": discount,
            "tax_ids": [Command.set(tax.ids)] if tax else False,
            "price_subtotal": amount - tax_amount,
            "price_subtotal_incl": amount,
            "extra_tax_data": extra,
            "bridge_line_ref": line.external_id,
        }

    def _draft_reversal(self, item, receipt):
        """The mirror image of the document in force: same lines, same means of payment, other sign."""
        order, name = (
            receipt.current,
            f"{item.binding.channel_id.id}/{item.record.external_id}/{item.record.version}/back",
        )
        lines, goods = [], []
        reverse_extra = self.env["account.tax"]._reverse_quantity_base_line_extra_tax_data
        for number, line in enumerate(order.lines, 1):
            extra = line.extra_tax_data
            if extra and not order.amount_total:
                # Neither document is a refund to the engine, so the quantity itself turns around.
                extra = reverse_extra(extra)
            lines.append(
                {
                    "uuid": str(uuid5(NAMESPACE, f"{name}/line/{number}")),
                    "name": f"{number}",
                    "product_id": line.product_id.id,
                    "full_product_name": line.full_product_name,
                    "qty": -line.qty,
                    "price_unit": line.price_unit,
                    "discount": line.discount,
                    "tax_ids": [Command.set(line.tax_ids.ids)],
                    "price_subtotal": -line.price_subtotal,
                    "price_subtotal_incl": -line.price_subtotal_incl,
                    "extra_tax_data": extra,
                    "refunded_orderline_id": line.id,
                    "bridge_line_ref": line.bridge_line_ref,
                }
            )
            goods.append((line.product_id, -line.qty))
        vals = {
            "uuid": str(uuid5(NAMESPACE, name)),
            "pos_reference": order.pos_reference,
            "date_order": order.date_order,
            "partner_id": order.partner_id.id,
            "amount_total": -order.amount_total,
            "amount_tax": -order.amount_tax,
            "amount_paid": -order.amount_paid,
            "payment_ids": [
                Command.create(
                    {
                        "payment_method_id": payment.payment_method_id.id,
                        "amount": -payment.amount,
                        "payment_date": payment.payment_date,
                        "name": payment.name,
                    }
                )
                for payment in order.payment_ids
            ],
            "bridge_external_id": item.record.external_id,
            "bridge_business_date": order.bridge_business_date,
            "bridge_corrects_id": order.id,
            "bridge_source": negated(order.bridge_source),
        }
        key = order.session_id.bridge_store_id, order.bridge_business_date
        return Draft(item, receipt, key, vals, lines, goods, "reversal")

    # -- sessions and goods ------------------------------------------------------------------------
    def _give_sessions(self, drafts):
        sessions = self.env["pos.session"]._bridge_sessions(draft.key for draft in drafts)
        self.env["bridge.closing"]._reopen(self.env["pos.session"].union(*sessions.values()))
        by_session = defaultdict(list)
        for draft in drafts:
            by_session[sessions[draft.key]].append(draft)
        for session, many in sorted(by_session.items(), key=lambda pair: pair[0].id):
            config, first = session.config_id, session._bridge_take_numbers(len(many))
            for number, draft in enumerate(many, first):
                draft.vals |= {
                    "session_id": session.id,
                    "company_id": config.company_id.id,
                    "name": f"{config.name} - {draft.vals['pos_reference']}",
                    "sequence_number": number,
                    "tracking_number": f"{number % 1000}",
                }

    def _move_goods(self, drafts):
        """Move the goods of all drafts. Returns {session id: {product id: unit cost}}."""
        quantities = defaultdict(lambda: defaultdict(lambda: defaultdict(float)))
        for draft in drafts:
            for product, quantity in draft.goods:
                kind = DIRECTIONS[draft.kind == "reversal", quantity < 0]
                quantities[draft.vals["session_id"]][kind][product] += abs(quantity)
        costs, pickings, stock = {}, {}, self.env["bridge.till.stock"]
        for session_id, goods in sorted(quantities.items()):
            session = self.env["pos.session"].browse(session_id)
            pickings[session_id], costs[session_id] = stock._move_goods(session, **{**NOTHING, **goods})
        for draft in drafts:
            moved = pickings.get(draft.vals["session_id"]) if draft.goods else None
            draft.vals["bridge_picking_ids"] = [Command.set(moved.ids)] if moved else False
        return costs

    def _tell_own(self, drafts):
        own = defaultdict(lambda: defaultdict(float))
        for draft in drafts:
            for product, quantity in draft.goods:
                if product._bridge_is_stocked():
                    own[draft.key[0]][product.id] -= quantity
        for store, quantities in own.items():
            self.env["bridge.touch"]._touch_own(store, quantities)

    # -- orders ------------------------------------------------------------------------------------
    def _waves(self, drafts, receipts):
        """Drafts in an order in which what is given back exists before it is given back."""
        coming = {item.record.external_id for item in receipts}
        waves, done = [], set()
        while drafts:
            wave = [
                draft for draft in drafts
                if draft.kind == "reversal" or draft.receipt.record.original_id not in coming - done
            ]  # fmt: skip
            wave = wave or drafts  # receipts that give back each other: contradictory, but no reason to stop
            drafts = [draft for draft in drafts if not any(draft is other for other in wave)]
            done |= {draft.item.record.external_id for draft in wave if draft.kind != "reversal"}
            waves.append(wave)
        return waves

    def _create_orders(self, channel, drafts, costs, receipts, outcomes):
        self._link_returns(channel, drafts)
        common = {
            "bridge_channel_id": channel.id,
            "user_id": self.env.uid,
            "state": "paid",
            "amount_return": 0.0,
            "amount_difference": 0.0,
            "currency_rate": 1.0,
            "fiscal_position_id": False,
        }
        for draft in drafts:
            unit_costs = costs.get(draft.vals["session_id"], {})
            for vals in draft.lines:
                vals["total_cost"] = vals["qty"] * unit_costs.get(vals["product_id"], 0.0)
                vals["is_total_cost_computed"] = True
            if not draft.vals["partner_id"]:
                draft.vals |= {"email": "", "mobile": ""}
        orders = (
            self.env["pos.order"]
            .with_context(bridge_new_orders=True)
            .create(
                [
                    {
                        **common,
                        **draft.vals,
                        "bridge_kind": draft.kind,
                        "lines": [Command.create(vals) for vals in draft.lines],
                    }
                    for draft in drafts
                ]
            )
        )
        orders._bridge_register()
        for draft, order in zip(drafts, orders, strict=True):
            draft.order = order.with_env(self.env)
            if draft.kind != "reversal" or draft.receipt.is_void:
                outcomes[draft.item] = self._outcome(draft)

    def _outcome(self, draft):
        result = "corrected" if draft.receipt.current else "created"
        message = ""
        if draft.order.bridge_is_unlinked_return:
            message = self.env._("Goods came back without a receipt we know.")
        return Outcome("done", result, record=draft.order, message=message, entity=self._entity)

    def _link_returns(self, channel, drafts):
        """Point returned lines at the lines they give back."""
        returns = [d for d in drafts if d.kind != "reversal" and d.receipt.record.original_id]
        if not returns:
            return
        # Looked up again: the originals may have been booked in this very batch.
        originals = self._originals(channel, {d.receipt.record.original_id for d in returns})
        taken = defaultdict(float)
        for draft in returns:
            original = originals.get(draft.receipt.record.original_id, self.env["pos.order"])
            is_linked = True
            for vals, (line, product, _tax) in zip(draft.lines, draft.receipt.lines, strict=True):
                if line.quantity >= 0 or not product:
                    continue
                target = self._returned_line(original, line, product, taken)
                if target:
                    vals["refunded_orderline_id"] = target.id
                    taken[target.id] += float(-line.quantity)
                else:
                    is_linked = False
            draft.vals["bridge_is_unlinked_return"] = not is_linked

    def _returned_line(self, original, line, product, taken):
        """The line given back: the one the till names, else the same product with enough of it left, at the nearest
        price where there are several."""
        lines = original.lines.filtered(lambda l: l.product_id == product and l.qty > 0)
        named = lines.filtered(lambda l: line.original_line_id and l.bridge_line_ref == line.original_line_id)
        if named:
            return named[:1]
        left = lines.filtered(lambda l: l.qty - l.refunded_qty - taken[l.id] >= float(-line.quantity) - 1e-6)
        unit = float(line.amount / line.quantity)
        return left.sorted(lambda l: abs(l.price_subtotal_incl / l.qty - unit))[:1]
