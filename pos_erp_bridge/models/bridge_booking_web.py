# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Web orders become sales orders: a batch is created, confirmed and reserved together."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from odoo import models
from odoo.exceptions import UserError

from ..booking import Missing, Outcome, Plan
from ..fiscal.order_amounts import difference, likely_cause, plain, spread_taxes, tax_gaps
from .sale_order import amounts_as_sold
from .stock_batch import BATCH, Batch

NO_STORE = "(default)"  # the work item of an order that names no store


@dataclass(eq=False)
class WebPlan:
    """What one order will be booked with. ``order``: what an older version of it became."""

    order: Any
    store: Any
    products: dict  # {external id of a product: product.product}
    taxes: dict  # {rate: account.tax}
    journals: dict  # {code of a tender: account.journal}
    notes: list = field(default_factory=list)  # what could not be done, for people
    changed: bool = False


class BridgeBookingWeb(models.AbstractModel):
    _name = "bridge.booking.web"
    _inherit = "bridge.booking"
    _description = "Booking of web orders"

    _entity = "order"

    # -- plan ------------------------------------------------------------------------------------
    def _plan(self, channel, items):
        result = {}
        for item in items:
            refused = self._refuse(channel, item)
            if refused:
                result[item] = refused
        rest = [item for item in items if item not in result]
        orders = self._known_orders(rest)
        products, unknown = self._match(channel, rest)
        journals = self._journals(channel, rest)
        taxes, untaxed = channel._taxes_for({rate for item in rest for rate in _rates(item.record)})
        for item in rest:
            if item.binding and not orders.get(item.binding):
                message = self.env._("The sales order was deleted in Odoo; it is not made again.")
                result[item] = Outcome("skipped", "ignored", message=message)
                continue
            missing = self._missing(channel, item.record, unknown, journals, untaxed)
            if missing:
                result[item] = Outcome(
                    "waiting", missing=tuple(missing), message="\n".join(need.name for need in missing)
                )
                continue
            plan = WebPlan(
                order=orders.get(item.binding, self.env["sale.order"]),
                store=channel._web_store(item.record.store_id),
                products=products,
                taxes=taxes,
                journals=journals,
            )
            result[item] = Plan(plan, "sale.order", item.record.total, item.record.taxes)
        return result

    def _refuse(self, channel, item):
        """The Outcome of an order that is not booked, or None."""
        order = item.record
        if order.is_test:
            return Outcome("skipped", "ignored", message=self.env._("A test order."))
        if not item.binding:
            day = order.ordered_at.astimezone(ZoneInfo(channel.timezone)).date()
            if day < channel.start_date:
                message = self.env._("Ordered on %(day)s, before %(start)s.", day=day, start=channel.start_date)
                return Outcome("skipped", "ignored", message=message)
            if order.state == "cancelled" and not order.payments:
                return Outcome("skipped", "ignored", message=self.env._("Cancelled, unpaid, before it came here."))
        contradictions = self._contradictions(channel, order)
        return Outcome("blocked", message="\n".join(contradictions)) if contradictions else None

    def _contradictions(self, channel, order):
        """What is wrong with an order in itself, each with what to do."""
        found = list(order.problems)
        if order.currency != channel.company_id.currency_id.name:
            found.append(
                self.env._(
                    "The order is in %(currency)s, the company keeps its books in %(own)s. Let the web store settle in "
                    "%(own)s, or book this order by hand.",
                    currency=order.currency,
                    own=channel.company_id.currency_id.name,
                )
            )
        for line in order.lines:
            if line.quantity < 0:
                found.append(
                    self.env._(
                        "Line %(line)s orders %(quantity)s pieces. An order cannot take goods back; a refund does.",
                        line=line.name or line.external_id,
                        quantity=plain(line.quantity),
                    )
                )
        gap = difference(order)
        if gap:
            found.append(
                self.env._(
                    "The lines add up to %(lines)s, the order says %(total)s: a difference of %(gap)s %(currency)s. "
                    "%(cause)s",
                    lines=plain(order.total + gap),
                    total=plain(order.total),
                    gap=plain(gap),
                    currency=order.currency,
                    cause=self._explain(likely_cause(order)),
                )
            )
        for rate, lines, said in tax_gaps(order):
            found.append(
                self.env._(
                    "At %(rate)s%% the lines add up to %(lines)s, the order says %(total)s: a difference of %(gap)s.",
                    rate=plain(rate),
                    lines=plain(lines),
                    total=plain(said),
                    gap=plain(lines - said),
                )
            )
        return found + self.env["bridge.booking.refund"]._contradictions(order)

    def _explain(self, cause):
        causes = {
            "tax": self.env._("The difference is the tax: either lines or total are without tax."),
            "refund": self.env._("The difference is a refund, which the total has lost already."),
            "gift_card": self.env._("The difference was paid by gift card, which the total has lost already."),
            "points": self.env._("The difference was paid with points, which the total has lost already."),
            "shipping": self.env._("The difference is the shipping."),
            "fee": self.env._("The difference is a fee."),
            "line": self.env._("The difference is one line: it is missing or counted twice."),
            "rounding": self.env._("Likely the web store rounds per line and per order differently."),
        }
        hint = causes.get(cause, self.env._("Nothing in the order explains it."))
        return f"{hint} " + self.env._("Correct the order at the web store, or book it by hand and set this aside.")

    def _known_orders(self, items):
        bindings = [item.binding for item in items if item.binding]
        records = self.env["bridge.binding"].union(*bindings)._records()
        return {binding: records.get(binding.external_id) for binding in bindings}

    def _match(self, channel, items):
        refs = [line.product for item in items for line in item.record.lines if line.product]
        matcher = self.env["bridge.matcher"]
        return (matcher._peek_products if channel.state == "rehearse" else matcher._match_products)(channel, refs)

    def _journals(self, channel, items):
        """{code of a tender: journal it is booked in}."""
        codes = {tender.code for item in items for tender in _tenders(item.record)}
        bindings = self.env["bridge.binding"]._get(channel, "tender", codes)
        mapped = (
            self.env["bridge.binding"].union(*bindings.values()).filtered(lambda b: b.res_model == "account.journal")
        )
        journals = mapped._records()
        if channel.payment_journal_id:
            journals = dict.fromkeys(codes, channel.payment_journal_id) | journals
        return journals

    def _missing(self, channel, order, unknown, journals, untaxed):
        """Mappings somebody has to decide before the order can be booked."""
        missing = {}
        for line in order.lines:
            if line.product and line.product.external_id in unknown:
                need = unknown[line.product.external_id]
                need.hints.setdefault("price", plain(line.unit_price))
                need.hints.setdefault("tax_rate", plain(line.tax_rate))
                missing[need.entity, need.external_id] = need
        for rate in _rates(order) & untaxed.keys():
            missing["tax", rate] = untaxed[rate]
        if not channel._web_store(order.store_id):
            known = channel.with_context(active_test=False).store_ids.filtered(
                lambda s: s.external_id == order.store_id
            )
            label = known.name or order.store_id or self.env._("The default store")
            name = self.env._("%s has no stock location in a warehouse", label)
            missing["store", order.store_id] = Missing(
                "store", order.store_id or NO_STORE, name, {"name": known.name or ""}
            )
        if channel.invoice_rule != "never":
            for tender in _tenders(order):
                if tender.amount and tender.code not in journals:
                    name = self.env._("No journal for %s", tender.name or tender.code)
                    hints = {"name": tender.name, "kind": tender.kind}
                    missing["tender", tender.code] = Missing("tender", tender.code, name, hints)
        return list(missing.values())

    # -- execute ---------------------------------------------------------------------------------
    def _execute(self, channel, plans):
        # Copies: when the batch fails, the same plans are tried again in smaller ones.
        everything = {item: replace(plan.vals, notes=[]) for item, plan in plans.items()}
        new = {item: plan for item, plan in everything.items() if not plan.order}
        old = {item: plan for item, plan in everything.items() if plan.order}
        self._create_orders(channel, new)
        # Other channels wait to hear what is reserved, so that is committed before the money is booked.
        later = {item: plan for item, plan in new.items() if self._has_more(item.record)}
        now = {item: plan for item, plan in everything.items() if item not in later}
        edit, refunds = self.env["bridge.web.edit"], self.env["bridge.booking.refund"]
        for item, plan in old.items():
            if item.record.state != "cancelled":
                edit._apply(channel, item, plan)
        self.env["bridge.web.money"]._settle(channel, now)
        for item, plan in now.items():
            is_cancelled = item.record.state == "cancelled" and edit._cancel_goods(plan)
            if item.record.refunds:
                refunds._book(channel, item.record, plan)
            if is_cancelled:
                edit._cancel_money(channel, item.record, plan)
        return {item: self._outcome(item, plan, item in later) for item, plan in everything.items()}

    @staticmethod
    def _has_more(record):
        return bool(record.payments or record.refunds or record.state == "cancelled")

    def _outcome(self, item, plan, is_partial):
        if plan.notes:
            return Outcome("done", "corrected", plan.order, "\n".join(plan.notes), entity="order")
        is_new = not item.binding or not item.binding.digest
        result = "created" if is_new else "updated" if plan.changed else "unchanged"
        return Outcome("done", result, plan.order, entity="order", is_partial=is_partial)

    # -- create ----------------------------------------------------------------------------------
    def _create_orders(self, channel, plans):
        """Create, confirm and reserve all orders together."""
        if not plans:
            return
        buyers = self.env["bridge.contact"]._buyers(channel, list(plans))
        Order = (
            self.env["sale.order"]
            .sudo()
            .with_context(mail_create_nosubscribe=True, mail_create_nolog=True, sale_no_log_for_new_lines=True)
        )
        defaults, line_defaults = self._defaults(Order), self._defaults(self.env["sale.order.line"].sudo())
        if not self.env["account.analytic.distribution.model"].sudo().search_count([], limit=1):
            line_defaults["analytic_distribution"] = False  # else asked for every line
        values = []
        for item, plan in plans.items():
            lines = self._prepare_lines(channel, item.record, plan)
            vals = self._prepare_order(channel, item.record, plan, buyers[item])
            values.append(defaults | vals | {"order_line": [(0, 0, line_defaults | line) for line in lines]})
        orders = Order.create(values)
        for (item, plan), order in zip(plans.items(), orders, strict=True):
            self._check_totals(item.record, order)
            plan.order = order.with_env(self.env)
        self._confirm(orders, self._adopt(channel, plans))
        for plan in plans.values():
            own = {product: -quantity for product, quantity in plan.order._bridge_quantities().items()}
            self.env["bridge.touch"]._touch_own(plan.store, own)

    def _defaults(self, model):
        """Odoo's default values, asked once for all; some of them cost a search each."""
        return model.default_get([name for name, field in model._fields.items() if field.store])

    def _confirm(self, orders, promised=frozenset()):
        """As ``action_confirm``, see :mod:`.stock_batch`."""
        self.env["stock.reference"].sudo().create([{"name": o.name, "sale_ids": [(4, o.id)]} for o in orders])
        orders = orders.with_context(**{BATCH: Batch(promised)})
        orders.action_confirm()
        orders.picking_ids.move_ids.filtered(lambda m: m.state not in ("draft", "cancel", "done"))._trigger_scheduler()

    def _check_totals(self, record, order):
        """The order must say what the channel says; anything else is a mistake of ours, and stops."""
        compare = order.currency_id.compare_amounts
        tax = sum(line._bridge_sold()["tax"] for line in order.order_line if line.tax_ids)
        if compare(order.amount_total, float(record.total)) or compare(order.amount_tax, float(tax)):
            raise UserError(
                self.env._(
                    "Order %(number)s would be %(ours)s with %(our_tax)s tax, but is %(theirs)s with %(tax)s. "
                    "Nothing was booked; report it.",
                    number=record.number,
                    ours=plain(str(order.amount_total)),
                    our_tax=plain(str(order.amount_tax)),
                    theirs=plain(record.total),
                    tax=plain(tax),
                )
            )

    def _prepare_order(self, channel, record, plan, buyer):
        partner, invoice_to, ship_to = buyer
        # Whatever Odoo would compute from the buyer, but has no say in here, is given: it is quicker, and it stays.
        return {
            "partner_id": partner.id,
            "partner_invoice_id": invoice_to.id,
            "partner_shipping_id": ship_to.id,
            "company_id": channel.company_id.id,
            "currency_id": channel.company_id.currency_id.id,
            "pricelist_id": False,
            "payment_term_id": False,
            "fiscal_position_id": False,
            "user_id": channel.order_user_id.id,
            "team_id": channel.order_team_id.id,
            "note": False,
            "require_signature": False,
            "require_payment": False,
            "validity_date": False,
            "date_order": _naive(record.ordered_at),
            "client_order_ref": record.number,
            "origin": record.number,
            "warehouse_id": plan.store.location_id.warehouse_id.id,
            "bridge_channel_id": channel.id,
            "bridge_store_id": plan.store.id,
            "bridge_invoice_rule": channel.invoice_rule,
            "bridge_is_pickup": record.is_pickup,
            "bridge_note": record.note or False,
            "bridge_address_key": self.env["bridge.contact"]._address_key(record.shipping_address) or False,
        }

    def _prepare_lines(self, channel, record, plan):
        unit = Decimal(1).scaleb(-channel.company_id.currency_id.decimal_places)
        taxes = spread_taxes(record.lines, record.taxes, unit)
        return [
            self._prepare_line(channel, line, tax, plan, sequence)
            for sequence, (line, tax) in enumerate(zip(record.lines, taxes, strict=True), 1)
            if line.quantity or line.amount
        ]

    def _prepare_line(self, channel, line, tax, plan, sequence):
        product = plan.products[line.product.external_id] if line.product else channel._line_product(line.kind)
        return {
            "product_id": product.id,
            "product_uom_id": product.uom_id.id,
            "name": line.name or product.display_name,
            "sequence": sequence,
            "customer_lead": product.sale_delay,
            "bridge_line_ref": line.external_id,
            **self._prepare_amounts(channel, line, tax, plan.taxes[line.tax_rate]),
        }

    def _prepare_amounts(self, channel, line, tax, account_tax):
        """Quantity, price, discount and tax of a line, exactly as sold."""
        currency, quantity = channel.company_id.currency_id, line.quantity or Decimal(1)
        return amounts_as_sold(currency, account_tax, quantity, line.unit_price, line.amount, tax) | {
            "tax_ids": [(6, 0, account_tax.ids)]
        }


def _rates(order):
    """All tax rates an order and its refunds mention."""
    rates = {line.tax_rate for line in order.lines}
    for refund in order.refunds:
        rates |= {line.tax_rate for line in refund.lines} | {tax.rate for tax in refund.taxes}
    return rates


def _tenders(order):
    yield from order.payments
    for refund in order.refunds:
        yield from refund.tenders


def _naive(moment):
    return moment.astimezone(ZoneInfo("UTC")).replace(tzinfo=None)
