# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Till receipts: what is booked, what waits, what is blocked, and why."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from odoo import models

from ..booking import Missing, Outcome, Plan
from ..fiscal.till_amounts import differences, fingerprint, plain

# Tries after which a return is booked without its receipt, when nothing was ever heard of that (an hour or so).
PATIENCE = 5


@dataclass
class Receipt:
    """A receipt ready to be booked: the record with everything found for it in Odoo."""

    record: Any
    store: Any
    lines: list = field(default_factory=list)  # (SaleLine, product.product or None, account.tax)
    tenders: list = field(default_factory=list)  # (Tender, pos.payment.method)
    partner: Any = None
    current: Any = None  # what an older version became and is still in force: to be taken back
    originals: Any = None  # the pos.order given back
    is_void: bool = False
    fingerprint: str = ""


class BridgeBookingTill(models.AbstractModel):
    _name = "bridge.booking.till"
    _inherit = "bridge.booking"
    _description = "Booking of till receipts"

    _entity = "sale"

    # -- plan ------------------------------------------------------------------------------------
    def _plan(self, channel, items):
        found = self._look_up(channel, items)
        return {item: self._plan_one(channel, item, found) for item in items}

    def _look_up(self, channel, items):
        """Everything the receipts refer to, found with a handful of queries for all of them."""
        records = [item.record for item in items]
        lines = [line for record in records for line in record.lines]
        matcher = self.env["bridge.matcher"]
        match = matcher._peek_products if channel.state == "rehearse" else matcher._match_products
        refs = {line.product.external_id: line.product for line in lines if line.product}
        products, missing_products = match(channel, refs.values())
        taxes, missing_taxes = channel._taxes_for({line.tax_rate for line in lines})
        Binding = self.env["bridge.binding"]
        tenders = Binding._get(channel, "tender", {t.code for record in records for t in record.tenders})
        customers = Binding._get(channel, "customer", {r.customer.external_id for r in records if r.customer})
        original_ids = {record.original_id for record in records} - {""}
        return SimpleNamespace(
            stores={store.external_id: store for store in channel.store_ids},
            products=products, missing_products=missing_products, taxes=taxes, missing_taxes=missing_taxes,
            tenders=Binding.union(*tenders.values())._records(),
            customers=Binding.union(*customers.values())._records(),
            originals=self._originals(channel, original_ids),
            here={record.external_id for record in records},
            hopeless=self._hopeless(channel, original_ids, items),
        )  # fmt: skip

    def _originals(self, channel, external_ids):
        """{external id: the document of that receipt in force}."""
        orders = self.env["pos.order"].search(
            [("bridge_channel_id", "=", channel.id), ("bridge_external_id", "in", list(external_ids))], order="id"
        )
        return {order.bridge_external_id: order for order in orders if order.bridge_kind != "reversal"}

    def _hopeless(self, channel, external_ids, items):
        """Receipts given back that will never be booked: knowingly set aside, or unheard of after many tries."""
        events = self.env["bridge.event"].search_fetch(
            [("channel_id", "=", channel.id), ("external_id", "in", list(external_ids))], ["external_id", "state"]
        )
        waiting = {event.external_id for event in events if event.state != "skipped"}
        tried = {i.record.original_id for i in items if i.event.attempts >= PATIENCE}
        return {event.external_id for event in events if event.state == "skipped"} - waiting | (tried - waiting)

    def _plan_one(self, channel, item, found):
        record, current = item.record, self._current(item)
        if record.state == "void":
            return self._plan_void(item, current)
        if current and current.bridge_fingerprint == fingerprint(record):
            return Outcome("done", "unchanged", record=current, entity=self._entity)
        if not current and record.business_date < channel.start_date:
            return Outcome(
                "skipped", "ignored",
                message=self.env._(
                    "Sold on %(day)s; the channel books from %(start)s on.",
                    day=record.business_date,
                    start=channel.start_date,
                ),
            )  # fmt: skip
        if problems := self._problems(channel, record):
            return Outcome("blocked", message=problems)
        receipt, missing, refused = self._map(channel, item, found)
        if missing:
            return Outcome("waiting", missing=tuple(missing), message="\n".join(need.name for need in missing))
        if refused:
            return Outcome("blocked", message=refused)
        if waits := self._wait_for_original(item, receipt, found):
            return waits
        receipt.current, receipt.fingerprint = current, fingerprint(record)
        return Plan(
            receipt, "pos.order", record.total, record.taxes,
            self.env._("Takes %s back and books the new version", current.name) if current else "",
        )  # fmt: skip

    def _current(self, item):
        """What the last version became, when it is in force."""
        record = item.binding._record() if item.binding else None
        if record is None or record._name != "pos.order" or record.bridge_kind == "reversal":
            return self.env["pos.order"]
        return record

    def _plan_void(self, item, current):
        if current:
            total = -item.record.total
            return Plan(
                Receipt(item.record, current.session_id.bridge_store_id, current=current, is_void=True),
                "pos.order",
                total,
                note=self.env._("Takes %s back", current.name),
            )  # fmt: skip
        # Bound to its event, so that an older version that comes late is known to be outdated.
        message = self.env._("Voided before it was booked.")
        return Outcome("done", "ignored", record=item.event, message=message, entity=self._entity)

    # -- checks ----------------------------------------------------------------------------------
    def _problems(self, channel, record):
        """Why the receipt contradicts itself, for people; "" when it does not."""
        texts = list(record.problems)
        if record.currency != channel.currency_id.name:
            texts.append(
                self.env._("The receipt is in %(its)s, the company books in %(ours)s.",
                           its=record.currency, ours=channel.currency_id.name)
            )  # fmt: skip
        amounts = [record.total, *(t.amount for t in record.tenders)]
        amounts += [amount for line in record.lines for amount in (line.amount, line.tax)]
        if any(amount != round(amount, channel.currency_id.decimal_places) for amount in amounts):
            texts.append(
                self.env._("An amount of the receipt is smaller than the smallest coin of %s.", record.currency)
            )
        texts += [self._difference_text(difference) for difference in differences(record)]
        for line in record.lines:
            if line.product and line.quantity * line.amount < 0:
                texts.append(
                    self.env._(
                        "Line %(line)s has %(quantity)s pieces for %(amount)s: one of the two has the wrong sign.",
                        line=line.name or line.external_id,
                        quantity=plain(line.quantity),
                        amount=plain(line.amount),
                    )
                )
            if not line.quantity and line.amount:
                texts.append(
                    self.env._("Line %(line)s has an amount but no quantity.", line=line.name or line.external_id)
                )
        if not texts:
            return ""
        texts.append(
            self.env._(
                "Nothing was booked. Correct receipt %s where it was made, or set it aside, then retry.", record.number
            )
        )
        return "\n".join(texts)

    def _difference_text(self, difference):
        values = {
            "left": plain(difference.left), "right": plain(difference.right), "gap": plain(abs(difference.gap)),
            "rate": plain(difference.rate or 0),
        }  # fmt: skip
        text = {
            "lines": self.env._("The lines add up to %(left)s, the total is %(right)s: a difference of %(gap)s."),
            "tenders": self.env._("The payments add up to %(left)s, the total is %(right)s: a difference of %(gap)s."),
            "rate_total": self.env._(
                "The lines of %(rate)s%% add up to %(left)s, the receipt says %(right)s: a difference of %(gap)s."
            ),
            "rate_tax": self.env._(
                "The tax of the %(rate)s%% lines is %(left)s, the receipt says %(right)s: a difference of %(gap)s."
            ),
        }[difference.what]
        cause = {
            "tax": self.env._("It is the tax: added twice, or left out."),
            "points": self.env._("It is the points: a payment on one side, a discount on the other."),
            "discount": self.env._("It is the discount: not shared out to the lines, or twice."),
            "line": self.env._("It is one line: missing, or counted twice."),
            "change": self.env._("Probably the change was not taken off the money received."),
            "tender": self.env._("It is one payment: missing, or counted twice."),
            "rounding": self.env._("Probably a rounding: one side rounds per line, the other per receipt."),
        }.get(difference.cause, "")
        return f"{text % values} {cause}".strip()

    # -- mapping ---------------------------------------------------------------------------------
    def _map(self, channel, item, found):
        """(receipt, missing, refused): what the record means in Odoo, or what hinders."""
        record, missing = item.record, []
        store = found.stores.get(record.store_id)
        if not store or not store._is_ready():
            name = self.env._(
                "Store %s has no stock location or point of sale yet", store.name if store else record.store_id
            )
            missing.append(Missing("store", record.store_id, name))
        receipt = Receipt(record, store)
        for line in record.lines:
            product = found.products.get(line.product.external_id) if line.product else None
            if line.product and not product:
                missing.append(found.missing_products[line.product.external_id])
            if line.tax_rate in found.missing_taxes:
                missing.append(found.missing_taxes[line.tax_rate])
            receipt.lines.append((line, product, found.taxes.get(line.tax_rate)))
        refused = ""
        for tender in record.tenders if store and store.pos_config_id else ():
            method, need, trouble = self._tender_method(store, tender, found)
            receipt.tenders.append((tender, method))
            missing += [need] if need else []
            refused = refused or trouble
        if record.customer:
            receipt.partner = found.customers.get(record.customer.external_id)
        if not receipt.partner and any(method.split_transactions for _tender, method in receipt.tenders if method):
            refused = refused or self.env._(
                "A means of payment asks for a customer, but the receipt names none we know."
            )
        return receipt, list({(need.entity, need.external_id): need for need in missing}.values()), refused

    def _tender_method(self, store, tender, found):
        """(method, missing, refused). Cash is a store's own drawer, so the store decides; anything else is mapped."""
        config, method = store.pos_config_id, found.tenders.get(tender.code)
        if method and method in config.payment_method_ids:
            return method, None, ""
        drawers = config.payment_method_ids.filtered("is_cash_count")
        if tender.kind == "cash" and len(drawers) == 1:
            return drawers, None, ""
        if method:
            refused = self.env._(
                "“%(method)s” is not among the payment methods of %(config)s. Add it there, then retry.",
                method=method.name, config=config.name,
            )  # fmt: skip
            return None, None, refused
        name = self.env._("Means of payment “%s” is not mapped", tender.name or tender.code)
        return None, Missing("tender", tender.code, name, {"name": tender.name, "kind": tender.kind}), ""

    def _wait_for_original(self, item, receipt, found):
        """A return whose receipt is still on its way waits for it; some seconds at first, some hours in the end."""
        original_id = receipt.record.original_id
        receipt.originals = found.originals.get(original_id)
        if not original_id or receipt.originals or original_id in found.here or original_id in found.hopeless:
            return None
        message = self.env._("Gives back receipt %s, which has not arrived yet.", original_id)
        # Zero: the usual delays between tries.
        return Outcome("waiting", message=message, retry_in=0)
