# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""A web store made of plain records: what a connector would translate is handed over as it is."""

import json
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from odoo.fields import Command
from odoo.tests.common import TransactionCase

from ..connectors import base
from ..connectors.records import Address, Customer, Order, ProductRef, Refund, RefundLine, SaleLine, TaxAmount, Tender
from .shop import make_company, warehouse

D = Decimal
NOON = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)  # noon in Tokyo
FACTS = {}  # what the probe "translates", by the key in the payload


class ProbeWeb(base.Connector):
    """Takes orders, and remembers the parcels it is told of."""

    system, label, kind = "probe_web", "Probe (web)", "web"
    capabilities = frozenset({base.Capability.ORDERS_IN, base.Capability.FULFILMENT_OUT})
    streams = {"order": base.Stream("order")}
    parcels = []
    answers = []  # what push_parcel raises or returns, first one first

    def translate(self, stream, payload):
        return FACTS[payload["key"]]

    def push_parcel(self, parcel):
        self.parcels.append(parcel)
        answer = self.answers.pop(0) if self.answers else f"F{len(self.parcels)}"
        if isinstance(answer, Exception):
            raise answer
        return answer


def make_web_channel(env, **values):
    """A live channel of a probe web store, with one store in the company's warehouse."""
    channel = env["bridge.channel"].create(
        {"name": "Web", "system": "probe_web", "start_date": "2026-11-01", "state": "live", **values}
    )
    env["bridge.store"].create(
        {
            "name": "Warehouse",
            "channel_id": channel.id,
            "external_id": "W1",
            "location_id": warehouse(env).lot_stock_id.id,
        }
    )
    return channel


def sale_tax(env, rate):
    return env["account.tax"].search([("type_tax_use", "=", "sale"), ("amount", "=", rate)], limit=1)


def line(ref, product, quantity=1, price=1000, rate=10, **more):
    """A sold line; its tax is floored, as receipts do."""
    amount = more.pop("amount", D(price) * quantity)
    tax = more.pop("tax", D(int(D(amount) * rate / (100 + rate))))
    product = ProductRef(product.barcode, barcode=product.barcode) if product else None
    return SaleLine(
        str(ref),
        D(quantity),
        D(price),
        D(amount),
        D(tax),
        D(rate),
        reduced=rate == 8,
        product=product,
        name=more.pop("name", ""),
        **more,
    )


def per_rate(lines, taxes=None):
    """Document taxes of lines; ``taxes``: {rate: tax} as the document rounds them."""
    sums = defaultdict(lambda: [D(0), D(0)])
    for x in lines:
        sums[x.tax_rate][0] += x.amount
        sums[x.tax_rate][1] += x.tax
    return tuple(
        TaxAmount(rate, rate == 8, total, D((taxes or {}).get(int(rate), tax)))
        for rate, (total, tax) in sorted(sums.items())
    )


def order(ref, *lines, taxes=None, paid="", **more):
    """An order of these lines; ``paid``: code of the tender all of it was paid with."""
    total = more.pop("total", sum((x.amount for x in lines), D(0)))
    if paid:
        more.setdefault("payments", (Tender(f"pay-{ref}", paid, paid.title(), total, "card", NOON),))
        more.setdefault("payment_state", "paid")
    more.setdefault("customer", Customer("C1", name="山田太郎", email="taro@example.com"))
    return Order(
        str(ref),
        more.pop("version", "1"),
        f"#{ref}",
        more.pop("ordered_at", NOON),
        D(total),
        tuple(lines),
        per_rate(lines, taxes),
        **more,
    )


def refund(ref, *lines, paid="", **more):
    """A refund of RefundLines."""
    amount = more.pop("amount", sum((x.amount for x in lines), D(0)))
    if paid:
        more["tenders"] = (Tender(f"back-{ref}", paid, paid.title(), D(amount), "card", NOON),)
    return Refund(str(ref), NOON, D(amount), tuple(lines), per_rate(lines), **more)


def give_back(of, quantity=None, restock="none", **more):
    """A refund line of (part of) an order line."""
    quantity = of.quantity if quantity is None else D(quantity)
    amount = D(more.pop("amount", of.amount * quantity / of.quantity))
    tax = D(more.pop("tax", int(amount * of.tax_rate / (100 + of.tax_rate))))
    return RefundLine(of.external_id, quantity, amount, tax, of.tax_rate, of.reduced, restock, name=of.name, **more)


TOKYO = Address(name="山田太郎", zip="100-0001", country_code="JP", state="13", city="千代田区", street="千代田1-1")
OSAKA = Address(name="山田太郎", zip="530-0001", country_code="JP", state="27", city="大阪市", street="梅田2-2")


class WebCase(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        base.register(ProbeWeb)
        cls.addClassCleanup(base._REGISTRY.pop, ProbeWeb.system)
        env = make_company(cls.env)
        cls.env = env(context={**env.context, "tracking_disable": True})
        cls.tax10, cls.tax8 = sale_tax(cls.env, 10), sale_tax(cls.env, 8)
        cls.channel = make_web_channel(cls.env)
        cls.store = cls.channel.store_ids
        cls.location = cls.store.location_id
        cls.mug, cls.tea, cls.pen = cls.make_products(
            ("Mug", "4900000000047"), ("Tea", "4900000000023"), ("Pen", "4900000000054")
        )
        cls.card = cls.env["account.journal"].create({"name": "Card", "type": "bank", "code": "CARD"})
        cls.env["bridge.binding"]._bind(cls.channel, "tender", [("card", cls.card)])

    def setUp(self):
        super().setUp()
        ProbeWeb.parcels.clear()
        ProbeWeb.answers.clear()

    @classmethod
    def make_products(cls, *named, quantity=100):
        products = cls.env["product.product"].create(
            [
                {"name": name, "barcode": code, "is_storable": True, "company_id": cls.env.company.id}
                for name, code in named
            ]
        )
        for product in products if quantity else ():
            cls.env["stock.quant"]._update_available_quantity(product, cls.location, quantity)
        return products

    # -- booking ---------------------------------------------------------------------------------
    def book(self, *records, channel=None):
        """Book these records as the inbound lane does; returns their events."""
        channel = channel or self.channel
        events = self.env["bridge.event"]
        for record in records:
            key = f"{len(FACTS)}"
            FACTS[key] = record
            external_id = record.ref.external_id if hasattr(record, "ref") else record.external_id
            events |= self.env["bridge.event"].create(
                {
                    "channel_id": channel.id,
                    "company_id": channel.company_id.id,
                    "origin": "poll",
                    "stream": type(record).__name__.lower(),
                    "external_id": external_id,
                    "external_version": getattr(record, "version", "") or "1",
                    "payload": json.dumps({"key": key}),
                }
            )
        channel._book_events(events)
        self.env.flush_all()
        # As the lane does: what came back for its money is taken up at once.
        if rest := events.filtered(lambda e: e.state == "pending" and e.result):
            channel._book_events(rest)
            self.env.flush_all()
        return events

    def booked(self, *records, channel=None):
        """Book records that must go well; returns what they became."""
        events = self.book(*records, channel=channel)
        self.assertEqual(events.mapped("state"), ["done"] * len(records), events.mapped("message"))
        return self.env[events[:1].res_model].browse(events.mapped("res_id"))

    def newer(self, record, version, **changes):
        """The record as a later version says it; totals follow the lines."""
        if "lines" in changes:
            changes.setdefault("total", sum((x.amount for x in changes["lines"]), D(0)))
            changes.setdefault("taxes", per_rate(changes["lines"]))
        return replace(record, version=str(version), **changes)

    # -- looking ---------------------------------------------------------------------------------
    def deliver(self, picking, quantities=None):
        """Hand over a delivery; ``quantities``: {product: quantity}, the rest becomes a backorder."""
        for move in picking.move_ids:
            move.quantity = move.product_uom_qty if quantities is None else quantities.get(move.product_id, 0)
        picking.move_ids.picked = True
        if quantities is not None:
            picking.move_ids.filtered(lambda m: not m.quantity).picked = False
        picking.with_context(skip_backorder=True).button_validate()

    def free(self, product):
        """(on hand, reserved) at the store."""
        quants = self.env["stock.quant"].search(
            [("product_id", "=", product.id), ("location_id", "=", self.location.id)]
        )
        return sum(quants.mapped("quantity")), sum(quants.mapped("reserved_quantity"))

    def taxes_of(self, document):
        """{rate: (total with tax, tax)} as the document prints it."""
        result = {}
        if document._name == "account.move":
            for row in document.line_ids.filtered("tax_line_id"):
                rate = row.tax_line_id.amount
                base, tax = abs(row.tax_base_amount), abs(row.balance)
                result[rate] = (base + tax, tax)
            return result
        for subtotal in document.tax_totals["subtotals"]:
            for group in subtotal["tax_groups"]:
                rate = self.env["account.tax"].browse(group["involved_tax_ids"]).amount
                result[rate] = (group["base_amount"] + group["tax_amount"], group["tax_amount"])
        return result

    def own_touches(self):
        """{product: what the channel was told it did to its own level since last asked}."""
        self.env.cr.precommit.run()
        self.env.cr.execute("DELETE FROM bridge_touch WHERE own_quantity != 0 RETURNING product_id, own_quantity")
        result = defaultdict(float)
        for product_id, quantity in self.env.cr.fetchall():
            result[self.env["product.product"].browse(product_id)] += quantity
        return {product: quantity for product, quantity in result.items() if quantity}


__all__ = ["NOON", "OSAKA", "TOKYO", "Command", "D", "ProbeWeb", "WebCase", "give_back", "line", "order", "refund"]
