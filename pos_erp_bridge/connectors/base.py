# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The connector protocol: what an adapter for one outside system declares and does.

A connector is data plus a small adapter. It never imports ``odoo``, keeps no state between calls but
its HTTP session and token, and raises only the error classes below. See docs/add-a-connector.md.
"""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar

from . import records


def _(text):
    """Mark a text of a declaration (label, help) for translation; it is translated when it is shown."""
    return text


class BridgeError(Exception):
    """Base of what a connector raises. ``retry_after`` (seconds) is the channel's own wish, if any."""

    kind = "transient"

    def __init__(self, message, *, retry_after=None):
        super().__init__(message)
        self.retry_after = retry_after


class ConfigError(BridgeError):
    """The channel is set up wrongly: stop it and tell the person who can mend it."""

    kind = "config"


class AuthError(BridgeError):
    """The channel refuses our credentials: stop it."""

    kind = "auth"


class TransientError(BridgeError):
    """The channel is slow, busy or away: try again later."""

    kind = "transient"


class UnknownOutcome(TransientError):
    """The request may have been applied: find out before it is sent again."""


class DataError(BridgeError):
    """This one fact cannot be used; the others can."""

    kind = "data"


class BadDelivery(BridgeError):
    """A webhook that must be refused. ``status`` is the HTTP answer (400, 401)."""

    kind = "data"

    def __init__(self, message, status=401):
        super().__init__(message)
        self.status = status


class Capability(StrEnum):
    SALES_IN = "sales_in"  # till receipts
    ORDERS_IN = "orders_in"  # web orders
    CLOSING_IN = "closing_in"  # end of the business day
    PRODUCTS_IN = "products_in"
    CUSTOMERS_IN = "customers_in"
    STOCK_IN = "stock_in"  # the channel's own levels can be read
    STOCK_OUT = "stock_out"
    FULFILMENT_OUT = "fulfilment_out"
    ARRIVAL_OUT = "arrival_out"  # the day preordered goods come in can be told with their level
    WEBHOOKS = "webhooks"


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the channel's set-up form. Secrets are write-only and never shown or logged."""

    name: str
    label: str
    is_secret: bool = False
    is_required: bool = True
    default: str = ""
    help: str = ""


@dataclass(frozen=True, slots=True)
class Stream:
    """One kind of fact a channel can be asked for.

    ``window``: the longest period one request may span; ``lookback``: how far a poll overlaps what was
    read before, since late commits and clock skew hide facts behind the watermark.
    """

    name: str  # store, product, customer, sale, order, closing, stock
    lookback: timedelta = timedelta(minutes=10)
    window: timedelta | None = None
    page_size: int = 100


@dataclass(frozen=True, slots=True)
class On:
    """What an HTTP status means; the first match wins."""

    status: int | tuple[int, int]
    then: type[BridgeError]
    message: str = ""

    def matches(self, status):
        low, high = (self.status, self.status) if isinstance(self.status, int) else self.status
        return low <= status <= high


@dataclass(frozen=True, slots=True)
class Budget:
    """``calls`` per ``per`` seconds may be sent, ``burst`` at once."""

    calls: float
    per: float = 1.0
    burst: int = 1


@dataclass(frozen=True, slots=True)
class Fact:
    """One version of one thing at the channel. (stream, external_id, version) is its identity;
    versions of the same thing sort as text, newest greatest."""

    stream: str
    external_id: str
    version: str
    payload: Any  # JSON


@dataclass(frozen=True, slots=True)
class Page:
    """``cursor`` continues the same pull (None: this was the last page)."""

    facts: tuple[Fact, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Hint:
    """ "Something happened to this": fetched before it is believed.

    ``mark`` (stream "stock"): the vendor's id of the change, by which the echo of our own push is told from a sale
    or an edit; empty where the vendor names none."""

    stream: str
    external_id: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A verified webhook. ``delivery_id`` is unique per delivery at the vendor."""

    delivery_id: str
    topic: str
    hints: tuple[Hint, ...]
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """What a successful connection test learned, for the set-up form."""

    name: str
    stores: tuple[records.Store, ...] = ()
    notes: tuple[str, ...] = ()


class Connector:
    """Base of every adapter. Subclasses declare the class variables and override what they can do.

    :param settings: the values of ``settings`` by name, as text
    :param http: a :class:`~.http.Http`, given in tests; otherwise made from the declarations
    """

    system: ClassVar[str]  # key of the registry, e.g. "acme"
    label: ClassVar[str]
    kind: ClassVar[str]  # "till" or "web"
    capabilities: ClassVar[frozenset[Capability]] = frozenset()
    settings_spec: ClassVar[tuple[Setting, ...]] = ()
    streams: ClassVar[Mapping[str, Stream]] = {}
    errors: ClassVar[tuple[On, ...]] = ()
    budget: ClassVar[Budget] = Budget(calls=5)
    sensitive_keys: ClassVar[frozenset[str]] = frozenset()
    push_batch: ClassVar[int] = 100  # items the vendor takes in one stock call (or one slice)

    def __init__(self, settings: Mapping[str, str], http=None):
        missing = [s.label for s in self.settings_spec if s.is_required and not settings.get(s.name)]
        if missing:
            raise ConfigError(f"Not filled in: {', '.join(missing)}. Fill them in on the channel's set-up form.")
        self.settings = {s.name: settings.get(s.name) or s.default for s in self.settings_spec}
        self.http = http or self._make_http()

    def _make_http(self):
        from .http import Http

        return Http(errors=self.errors, budget=self.budget, sensitive=self.sensitive_keys)

    # -- inward ---------------------------------------------------------------------------------
    def check(self) -> ChannelInfo:
        """Try the credentials and say what is at the other end; raises ConfigError or AuthError."""
        raise NotImplementedError

    def pull(self, stream: str, since: datetime, until: datetime, cursor: str | None = None) -> Page:
        """One page of facts changed in [since, until), oldest first. The caller keeps the window within
        ``Stream.window`` and passes the page's cursor back until it is None."""
        raise NotImplementedError

    def fetch(self, stream: str, external_ids: Iterable[str]) -> list[Fact]:
        """The current state of these things; what no longer exists is left out."""
        raise NotImplementedError

    @staticmethod
    def level_id(store_id: str, stock_id: str) -> str:
        """The external id of the fact (stream "stock") that tells one level."""
        return f"{store_id}|{stock_id}"

    @staticmethod
    def level_key(external_id: str) -> tuple[str, str]:
        """(store id, stock id) of such an external id."""
        store_id, _, stock_id = external_id.partition("|")
        return store_id, stock_id

    def translate(self, stream: str, payload: Any):
        """A payload as a canonical record; pure. Raises DataError when it cannot be understood."""
        raise NotImplementedError

    def verify(self, body: bytes, headers: Mapping[str, str], now: datetime) -> Delivery:
        """Check a webhook's signature, age and shape; raises :class:`BadDelivery`. Header names are lower case."""
        raise BadDelivery("This channel takes no webhooks.", status=404)

    # -- outward --------------------------------------------------------------------------------
    def push_stock(self, levels: list[records.StockLevel]) -> list[records.PushResult]:
        """Make the channel show these levels. Safe to repeat with the same push ids."""
        raise NotImplementedError

    def push_parcel(self, parcel: records.Parcel) -> str:
        """Tell the channel that goods left; returns the vendor's id. Safe to repeat."""
        raise NotImplementedError


def same_secret(given: str, expected: str) -> bool:
    """Constant-time comparison; an empty expected secret never matches."""
    return bool(expected) and hmac.compare_digest(given.encode(), expected.encode())


_REGISTRY: dict[str, type[Connector]] = {}


def register(connector: type[Connector]) -> type[Connector]:
    """Class decorator: make a connector known by its ``system`` key. Other addons may call it too."""
    _REGISTRY[connector.system] = connector
    return connector


def registered() -> dict[str, type[Connector]]:
    """All known connectors by key."""
    return dict(_REGISTRY)


def get(system: str) -> type[Connector]:
    """The connector class of ``system``; raises ConfigError when its addon is not installed."""
    try:
        return _REGISTRY[system]
    except KeyError:
        raise ConfigError(f"No connector named {system!r} is installed.") from None
