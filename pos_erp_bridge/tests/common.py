# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""A channel of canonical records: what the core does with them, without any vendor."""

import dataclasses
import types
import typing
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import count
from unittest.mock import patch
from uuid import uuid4
from zoneinfo import ZoneInfo

from odoo.fields import Command
from odoo.tests import TransactionCase

from ..connectors import base, records
from . import shop

TOKYO = ZoneInfo("Asia/Tokyo")
DAY = date(2026, 11, 20)


def to_json(value):
    """A canonical record as JSON, as a probe's payload."""
    if dataclasses.is_dataclass(value):
        content = {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": type(value).__name__, **content}
    if isinstance(value, (tuple, list)):
        return [to_json(part) for part in value]
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def from_json(value, hint):
    """The opposite of ``to_json``, by type hints."""
    if value is None:
        return None
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hint = next(arg for arg in typing.get_args(hint) if arg is not type(None))
    if isinstance(hint, typing.ForwardRef) or isinstance(hint, str):
        hint = getattr(records, getattr(hint, "__forward_arg__", hint))
    if typing.get_origin(hint) is tuple:
        args = typing.get_args(hint)
        return tuple(from_json(part, args[0] if args[-1] is ... else args[i]) for i, part in enumerate(value))
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint, vars(records))
        return hint(**{name: from_json(part, hints[name]) for name, part in value.items() if name != "type"})
    if hint is Decimal:
        return Decimal(value)
    if isinstance(hint, type) and issubclass(hint, date):
        return hint.fromisoformat(value)
    return value


class Probe(base.Connector):
    """A till system that speaks canonical records."""

    system = "probe"
    label = "Probe"
    kind = "till"
    capabilities = frozenset({base.Capability.SALES_IN, base.Capability.STOCK_OUT, base.Capability.CLOSING_IN})
    streams = {name: base.Stream(name) for name in ("sale", "closing")}

    def translate(self, stream, payload):
        if "type" not in payload:
            raise base.DataError("This payload has no type.")
        return from_json(payload, getattr(records, payload["type"]))

    def pull(self, stream, since, until, cursor=None):
        return base.Page(())

    def fetch(self, stream, external_ids):
        return []


STREAMS = {"Sale": "sale", "CashMove": "sale", "ZReport": "closing", "Order": "order", "Product": "product",
           "Customer": "customer", "Store": "store"}  # fmt: skip


class BridgeCommon(TransactionCase):
    """A Japanese company with taxes of 10% and 8% included in prices, a live channel with two stores, products."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        patcher = patch.dict(base._REGISTRY, {Probe.system: Probe})
        patcher.start()
        cls.addClassCleanup(patcher.stop)
        cls.env = shop.make_company(cls.env(context={**cls.env.context, "tracking_disable": True}))
        cls._set_up_shop()

    @classmethod
    def _set_up_shop(cls):
        cls.company = cls.env.company
        sale_taxes = cls.env["account.tax"].search([("type_tax_use", "=", "sale"), ("company_id", "=", cls.company.id)])
        cls.tax10, cls.tax8 = (
            sale_taxes.filtered(lambda t, rate=rate: t.amount == rate and t.price_include)[:1] for rate in (10, 8)
        )
        cls.products = shop.make_products(cls.env)
        cls.rice, cls.tea, cls.bread, cls.battery, cls.brush = cls.products.values()
        cls.location = shop.warehouse(cls.env).lot_stock_id
        cls.channel = cls.env["bridge.channel"].create(
            {"name": "Probe", "system": Probe.system, "start_date": DAY - timedelta(days=30)}
        )
        cls.stores = cls.env["bridge.store"].create(
            [
                {
                    "channel_id": cls.channel.id,
                    "external_id": str(i),
                    "name": f"店舗{i}",
                    "location_id": cls.location.id,
                }
                for i in (1, 2)
            ]
        )
        cls.store = cls.stores[0]
        BridgeCommon._map_tills.__func__(cls)
        cls.channel.state = "live"
        cls.numbers = count(1)

    @classmethod
    def _map_tills(cls):
        """Each store its own point of sale and drawer; one card method for both."""
        journals = cls.env["account.journal"].create(
            [{"name": f"現金{i}", "type": "cash", "code": f"CSH{i}"} for i in (1, 2)]
            + [{"name": "カード", "type": "bank", "code": "CARD"}]
        )
        Method = cls.env["pos.payment.method"]
        cls.card, cls.points = Method.create(
            [{"name": "カード", "journal_id": journals[2].id}, {"name": "ポイント", "split_transactions": False}]
        )
        for store, journal in zip(cls.stores, journals[:2], strict=True):
            cash = Method.create({"name": f"現金 {store.name}", "journal_id": journal.id})
            store.pos_config_id = cls.env["pos.config"].create(
                {"name": store.name, "payment_method_ids": [Command.set([cash.id, cls.card.id, cls.points.id])]}
            )
        cls.cash = cls.store.pos_config_id.payment_method_ids.filtered("is_cash_count")
        cls.env["bridge.binding"]._bind(cls.channel, "tender", [("card", cls.card), ("points", cls.points)])

    # -- records -----------------------------------------------------------------------------------
    def line(self, product, amount, quantity=1, rate=None, tax=None, unit_price=None, **more):
        """A line; tax is rounded down unless given, the price is the amount's unless given."""
        amount, quantity = Decimal(amount), Decimal(str(quantity))
        rate = Decimal(rate if rate is not None else int(product.taxes_id.amount) if product else 10)
        if tax is None:
            tax = int(abs(amount) * rate / (100 + rate)) * (1 if amount >= 0 else -1)
        price = Decimal(unit_price) if unit_price is not None else abs(amount / quantity) if quantity else amount
        ref = None
        if product:
            ref = records.ProductRef(f"p{product.id}", product.barcode or "", product.default_code or "", product.name)
        more.setdefault("external_id", str(next(self.numbers)))
        return records.SaleLine(
            quantity=quantity, unit_price=price, amount=amount, tax=Decimal(tax), tax_rate=rate, reduced=rate == 8,
            product=ref, name=product.name if product else "部門", **more,
        )  # fmt: skip

    def tender(self, amount, code="cash"):
        kind = code if code in ("cash", "card", "points") else "other"
        return records.Tender(f"t-{code}", code, code.title(), Decimal(amount), kind)

    def sale(self, *lines, external_id=None, tenders=None, taxes=None, total=None, day=DAY, **more):
        """A receipt of these lines; what is not given agrees with them."""
        external_id = external_id or f"R{next(self.numbers)}"
        total = sum((line.amount for line in lines), Decimal(0)) if total is None else Decimal(total)
        if taxes is None:
            taxes = self.tax_table(lines)
        more = {"version": "1", "store_id": "1", "number": f"No.{external_id}", "business_date": day, **more}
        more.setdefault("sold_at", datetime.combine(more["business_date"], time(12, 34), TOKYO).astimezone(UTC))
        return records.Sale(
            external_id=external_id, total=total, lines=tuple(lines), taxes=tuple(taxes),
            tenders=(self.tender(total),) if tenders is None else tuple(tenders), **more,
        )  # fmt: skip

    def tax_table(self, lines):
        rates = sorted({(line.tax_rate, line.reduced) for line in lines})
        return [
            records.TaxAmount(
                rate, reduced,
                sum((x.amount for x in lines if x.tax_rate == rate), Decimal(0)),
                sum((x.tax for x in lines if x.tax_rate == rate), Decimal(0)),
            )
            for rate, reduced in rates
        ]  # fmt: skip

    # -- doing -------------------------------------------------------------------------------------
    def arrive(self, *facts, channel=None):
        """Keep records as facts, as the intake does; returns their events."""
        channel = channel or self.channel
        facts = [base.Fact(STREAMS[type(f).__name__], f.external_id, f.version, to_json(f)) for f in facts]
        Event = self.env["bridge.event"]
        last = Event.search([], order="id desc", limit=1).id or 0
        Event._take_facts(channel, facts, "poll")
        return Event.search([("id", ">", last), ("channel_id", "=", channel.id)], order="id")

    def book(self, *facts, channel=None):
        """Let records arrive and book them in one batch; returns their events."""
        events = self.arrive(*facts, channel=channel)
        (channel or self.channel)._book_events(events)
        events.invalidate_recordset()
        return events

    def retry(self, event):
        event.action_retry()
        event.channel_id._book_events(event)
        event.invalidate_recordset()

    def order(self, event):
        """The document an event became."""
        self.assertEqual(event.state, "done", event.message)
        return self.env[event.res_model].browse(event.res_id)

    def sell_own(self, session, product, quantity, amount, tax, cashier=None, tendered=None):
        """A sale on Odoo's own till, as its screen sends it; returns the order. ``tendered``: with change given."""
        tendered = tendered or amount
        line = {
            "product_id": product.id, "qty": quantity, "price_unit": amount / quantity, "discount": 0,
            "tax_ids": [Command.set(self.tax10.ids)], "price_subtotal": amount - tax, "price_subtotal_incl": amount,
            "uuid": str(uuid4()),
        }  # fmt: skip
        payment = {"amount": tendered, "payment_method_id": session.payment_method_ids.id, "uuid": str(uuid4())}
        order = {
            "session_id": session.id, "company_id": self.company.id, "uuid": str(uuid4()), "state": "paid",
            "partner_id": False, "amount_total": amount, "amount_tax": tax, "amount_paid": tendered,
            "amount_return": amount - tendered,
            "user_id": (cashier or self.env.user).id, "date_order": "2026-11-20 03:00:00", "to_invoice": False,
            "fiscal_position_id": False, "lines": [Command.create(line)], "payment_ids": [Command.create(payment)],
        }  # fmt: skip
        orders = self.env["pos.order"].with_user(cashier or self.env.user)
        return self.env["pos.order"].browse(orders.sync_from_ui([order])["pos.order"][0]["id"])

    def on_hand(self, product, location=None):
        quants = self.env["stock.quant"].search(
            [("product_id", "=", product.id), ("location_id", "child_of", (location or self.location).id)]
        )
        return sum(quants.mapped("quantity"))
