# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Canonical records: what any shop system says, in one vocabulary.

Every amount is a :class:`decimal.Decimal` in the currency's unit (yen for JPY), every moment an
aware ``datetime``, every quantity in the product's base unit of measure. Records are immutable:
a connector builds them from a vendor's payload and the Odoo side books them as they are.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class ProductRef:
    """How a channel names a product. Keys are tried in the order binding, barcode (JAN), SKU."""

    external_id: str
    barcode: str = ""
    sku: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Product:
    """A catalogue entry. ``price`` is in the channel's own tax basis (see ``tax_included``)."""

    ref: ProductRef
    version: str
    price: Decimal | None = None
    tax_included: bool = True
    tax_rate: Decimal | None = None  # percent; None: the channel does not say
    reduced: bool | None = None  # reduced rate; None: the channel does not say
    is_storable: bool = True
    active: bool = True
    # The id stock is kept under, where it is not the product's own (e.g. an "inventory item").
    stock_id: str = ""


@dataclass(frozen=True, slots=True)
class Store:
    """A shop or stock location of a channel."""

    external_id: str
    name: str
    code: str = ""
    is_active: bool = True
    is_warehouse: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address as the channel gives it; ``state_code`` is ISO 3166-2 without the country ("13")."""

    name: str = ""
    company: str = ""
    zip: str = ""
    country_code: str = ""
    state: str = ""
    city: str = ""
    street: str = ""
    street2: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer; ``external_id`` is empty for a guest."""

    external_id: str
    version: str = ""
    name: str = ""
    code: str = ""
    email: str = ""
    phone: str = ""
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class TaxAmount:
    """One rate of one document, exactly as printed.

    ``total`` is the taxable consideration including tax, ``tax`` the tax contained in it.
    """

    rate: Decimal  # percent, e.g. Decimal("8")
    reduced: bool
    total: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class SaleLine:
    """One line of a document.

    ``quantity`` is negative on a returned line. ``unit_price`` is the price before document-level
    discounts in the document's tax basis. ``amount`` is what the line finally contributes to the
    document total *including tax*, after this line's share of every discount; ``tax`` the tax in it.
    ``amount`` carries the sign of ``quantity``.
    """

    external_id: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    tax: Decimal
    tax_rate: Decimal  # percent; 0 for untaxed
    reduced: bool = False
    product: ProductRef | None = None  # None: a line without a product (department key, fee, shipping)
    name: str = ""
    kind: str = "product"  # product | shipping | fee | adjustment | gift_card
    original_line_id: str = ""  # the line this one gives back, where the channel says so


@dataclass(frozen=True, slots=True)
class Tender:
    """A means of payment used on a document; negative for money handed back (change is already netted)."""

    external_id: str
    code: str  # the channel's own key of the method, e.g. "cash" or a vendor id
    name: str
    amount: Decimal
    kind: str = "other"  # cash | card | points | voucher | qr | bank | cod | gift_card | other
    paid_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sale:
    """A till receipt: sale, return or exchange.

    ``total`` is tax included and equals the sum of the lines' amounts and of the tenders.
    ``state``: "done", or "void" when the same receipt was cancelled afterwards.
    ``original_id``: receipt this one takes back as a whole or in part ("" when unknown or none).
    """

    external_id: str
    version: str  # sorts as text: a newer version of the same receipt is greater
    store_id: str
    number: str
    sold_at: datetime
    business_date: date
    total: Decimal
    lines: tuple[SaleLine, ...]
    taxes: tuple[TaxAmount, ...]
    tenders: tuple[Tender, ...]
    currency: str = "JPY"
    state: str = "done"
    original_id: str = ""
    terminal: str = ""
    cashier: str = ""
    customer: Customer | None = None
    points_earned: Decimal = ZERO
    points_spent: Decimal = ZERO
    note: str = ""
    problems: tuple[str, ...] = ()  # contradictions inside the payload: the document is blocked


@dataclass(frozen=True, slots=True)
class CashMove:
    """Money put into (positive) or taken out of (negative) a drawer without a sale."""

    external_id: str
    version: str
    store_id: str
    moved_at: datetime
    business_date: date
    amount: Decimal
    reason: str = ""
    state: str = "done"


@dataclass(frozen=True, slots=True)
class PointsEntry:
    """Loyalty points granted or taken outside a sale (kept for the points ledger)."""

    external_id: str
    version: str
    customer_id: str
    points: Decimal
    moved_at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SetAside:
    """A payload we recognise and knowingly do not book; ``reason`` says why, for people."""

    external_id: str
    version: str
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class ZReport:
    """End of a business day of one store. Unknown figures are None, never zero."""

    external_id: str
    version: str
    store_id: str
    business_date: date
    closed_at: datetime | None = None
    total: Decimal | None = None
    tenders: tuple[Tender, ...] = ()
    cash_counted: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """Goods and/or money given back on a web order. Each of the three parts may be empty.

    ``amount`` is tax included and positive. ``restock`` per line: "return" (goods come back),
    "cancel" (never shipped), "none" (money only or scrapped).
    """

    external_id: str
    refunded_at: datetime
    amount: Decimal
    lines: tuple["RefundLine", ...] = ()
    taxes: tuple[TaxAmount, ...] = ()
    tenders: tuple[Tender, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RefundLine:
    """``amount`` (positive, tax included) and ``tax`` are what is given back for the line."""

    order_line_id: str  # "" for shipping and adjustments
    quantity: Decimal
    amount: Decimal
    tax: Decimal
    tax_rate: Decimal
    reduced: bool = False
    restock: str = "none"
    store_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """A web order in its current state; ``total`` is tax included, after edits, before refunds.

    ``state``: "open", "cancelled" or "closed". ``payment_state``: "pending", "authorized",
    "partial", "paid", "refunded" or "voided". ``store_id`` is where it ships from ("" = channel's default).
    """

    external_id: str
    version: str
    number: str
    ordered_at: datetime
    total: Decimal
    lines: tuple[SaleLine, ...]
    taxes: tuple[TaxAmount, ...]
    payments: tuple[Tender, ...] = ()
    refunds: tuple[Refund, ...] = ()
    currency: str = "JPY"
    state: str = "open"
    payment_state: str = "pending"
    store_id: str = ""
    customer: Customer | None = None
    shipping_address: Address | None = None
    billing_address: Address | None = None
    is_pickup: bool = False
    is_test: bool = False
    note: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StockLevel:
    """What a channel shall (outward) or does (inward) show as sellable for one product in one store.

    ``expected`` is the level the channel holds as far as we know: last confirmed, less what it sold itself
    and we have booked since (None: never told). ``push_id`` is unique for this attempt and stays the same
    when the attempt is repeated; ``is_repeat`` says an earlier try of it may have been applied.
    """

    store_id: str
    stock_id: str
    quantity: Decimal
    expected: Decimal | None = None
    push_id: str = ""
    version: str = ""
    is_repeat: bool = False
    # Nothing is at hand: ``quantity`` is what may be preordered, and this is when it comes in (None: it is at hand, or
    # the day is not known). For connectors that declare ``Capability.ARRIVAL_OUT``.
    available_from: date | None = None


@dataclass(frozen=True, slots=True)
class PushResult:
    """Answer for one pushed item: ``status`` "ok", "stale" (re-read ``quantity`` and decide again) or "error".

    ``mark``: the vendor's id of the change the push made, where its webhook about that change names it."""

    push_id: str
    status: str
    quantity: Decimal | None = None  # the level the channel holds now, when it says so
    message: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One shipment of an order on its way back to the channel."""

    push_id: str
    order_id: str
    lines: tuple[tuple[str, Decimal], ...] = ()  # (order line id, quantity); empty: everything
    store_id: str = ""
    carrier: str = ""
    tracking_number: str = ""
    tracking_url: str = ""
    notify: bool = True
    extra: dict = field(default_factory=dict)
