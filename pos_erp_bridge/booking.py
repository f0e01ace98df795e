# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The words between the lane and those who book: what goes in, what comes out.

A booker is an abstract model with two methods::

    _plan(channel, items)    -> {item: Plan | Outcome}   reads only; also what a rehearsal shows
    _execute(channel, plans) -> {item: Outcome}          writes, vectorised, in the current transaction

``_plan`` settles what cannot be booked (an Outcome with status "blocked" or "waiting"); ``_execute`` books
the rest together. It may raise: the lane rolls back and tries smaller batches until the bad one is alone.
"""

import hashlib
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

# Record types and the model that books them.
BOOKERS = {
    "Sale": "bridge.booking.till",
    "CashMove": "bridge.booking.cash",
    "ZReport": "bridge.booking.closing",
    "Order": "bridge.booking.web",
    "Product": "bridge.booking.product",
    "Customer": "bridge.booking.customer",
    "Store": "bridge.booking.store",
    "PointsEntry": "bridge.booking.aside",
    "SetAside": "bridge.booking.aside",
    "StockLevel": "bridge.booking.level",
}


@dataclass(frozen=True, eq=False)
class Item:
    """One fact to book. ``binding`` is what an older version became (empty recordset: nothing yet)."""

    event: Any
    record: Any
    binding: Any
    digest: str = ""


@dataclass(frozen=True)
class Missing:
    """A mapping somebody has to decide; becomes a work item. ``hints`` are shown and used to create it.
    ``candidates``: Odoo records it may be, when there are several."""

    entity: str
    external_id: str
    name: str
    hints: dict = field(default_factory=dict)
    candidates: Any = None


@dataclass
class Outcome:
    """What became of one fact.

    status: "done"; "waiting" (for the ``missing`` mappings, or ``retry_in`` seconds); "blocked" (a person must
    look: ``message`` says what, why and what to do); "skipped" (knowingly not booked, ``message`` says why).
    result: created | updated | unchanged | outdated | corrected | ignored.
    ``record`` is what the fact became; ``entity`` binds it (None: no binding). ``is_partial``: this much may be
    committed now, for others wait for it; the fact comes back at once, with its binding, for the rest.
    """

    status: str
    result: str = ""
    record: Any = None
    message: str = ""
    missing: tuple = ()
    retry_in: float | None = None
    entity: str | None = None
    extra: dict = field(default_factory=dict)  # further values of the binding
    is_partial: bool = False


@dataclass
class Plan:
    """A document that would be booked. ``vals`` is the booker's own; the rest is for people."""

    vals: Any
    document: str = ""  # kind of document, e.g. "pos.order"
    total: Any = None
    taxes: tuple = ()
    note: str = ""


def digest(record):
    """Fingerprint of what matters in a canonical record: everything but its version."""
    return hashlib.blake2b(repr(_plain(record)).encode(), digest_size=16).hexdigest()


def _plain(value):
    if is_dataclass(value):
        return tuple((f.name, _plain(getattr(value, f.name))) for f in fields(value) if f.name != "version")
    if isinstance(value, (tuple, list)):
        return tuple(_plain(item) for item in value)
    return str(value)
