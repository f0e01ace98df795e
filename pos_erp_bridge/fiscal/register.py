# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The register of documents without Odoo: what a document's content says in columns, and where a chain is broken."""

import json
from datetime import UTC, date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from .chain import canonical, link

TOKYO = ZoneInfo("Asia/Tokyo")
# Figures of a rate that have a column of their own.
RATE_COLUMNS = ("category", "percent", "is_reduced", "base", "tax", "total")
# What points to records; the rest of the columns is said by the document itself.
REFERENCES = (
    "company_id", "channel_id", "bridge_store_id", "config_id", "partner_id", "pos_order_id", "move_id", "original_id",
    "user_id",
)  # fmt: skip
COPIED = (
    "type", "number", "relation", "store", "terminal", "cashier", "is_qualified", "basis", "rounding", "base_total",
    "tax_total", "total", "reason", "waiver",
)  # fmt: skip


def japanese_day(moment):
    """The day in Japan of a naive moment in UTC."""
    return moment.replace(tzinfo=UTC).astimezone(TOKYO).date()


def japanese_time(moment):
    """A naive moment in UTC as ISO text of Japan, to the second."""
    return moment.replace(tzinfo=UTC).astimezone(TOKYO).isoformat(timespec="seconds")


def columns(content):
    """{column: value} that a document's content says; moments are naive UTC.

    :raise KeyError, TypeError, ValueError: the content is not one of a document
    """
    first, last = content["period"] or (None, None)
    return {
        **{name: content[name] for name in COPIED},
        **{name: content["record"][name] for name in REFERENCES},
        "id": content["record"]["id"],
        "supply_at": utc(content["supply_at"]),
        "supply_date": date.fromisoformat(content["supply_date"]),
        "period_from": date.fromisoformat(first) if first else None,
        "period_to": date.fromisoformat(last) if last else None,
        "issued_at": utc(content["issued_at"]),
        "counterparty": (content["counterparty"] or {}).get("name", ""),
        "registration_number": content["issuer"]["registration_number"],
    }


def rate_rows(content):
    """{id of the row: its columns} of a document's rates."""
    document_id = content["record"]["id"]
    return {
        row_id: {"id": row_id, "document_id": document_id, **{name: rate[name] for name in RATE_COLUMNS}}
        for row_id, rate in zip(content["record"]["rate_ids"], content["rates"], strict=True)
    }


def contradictions(content):
    """Names of totals that are not the sum of the document's own figures."""
    rates = content["rates"]
    sums = {"base_total": "base", "tax_total": "tax", "total": "total"}
    wrong = [name for name, part in sums.items() if content[name] != sum(rate[part] for rate in rates)]
    return wrong + [f"rates.{r['category']}" for r in rates if r["base"] + r["tax"] != r["total"]]


def parse(text):
    """A kept content, or None where it is not what was written: one content has one text."""
    try:
        content = json.loads(text)
        return content if canonical(content).decode() == text else None
    except (TypeError, ValueError):
        return None


def chained(position, content):
    """What is hashed of a row beside the hash before it."""
    return b"%d\n%s" % (position or 0, content.encode())


class Row(NamedTuple):
    """A row of a chain; ``content`` is its text."""

    id: int
    owner: int
    position: int | None
    previous_hash: str | None
    hash: str | None
    content: str


def start(owner):
    """What the first row of an owner's chain names as the hash before it."""
    return f"company {owner}"


def broken(rows, find, owner):
    """Yield (row id or None, column, position) for every break of an owner's chain.

    :param rows: its Rows by position
    :param find: the Row (of any owner) with this previous hash, or None; asked where a row is missing, and at the end
    """
    rows, before, expected, misplaced = iter(rows), start(owner), 1, set()
    row, after = next(rows, None), next(rows, None)
    while row:
        if row.id not in misplaced and row.position != expected:
            moved = find(before)
            if moved and (moved.owner, moved.position) != (owner, expected):
                if moved.id not in misplaced:
                    yield moved.id, "position" if moved.owner == owner else "company_id", expected
                misplaced.add(moved.id)
                before, expected = moved.hash, expected + 1
                continue
            if row.position and row.position > expected:
                yield None, "position", expected
                before, expected = row.previous_hash, row.position
            else:
                yield row.id, "position", expected
                misplaced.add(row.id)
        if row.id not in misplaced:
            right = link(before, chained(row.position, row.content))
            # Where the next row still names the right hash it is this row's copy of it that was changed.
            is_hash = after is not None and after.previous_hash == right
            if row.previous_hash != before:
                yield row.id, "previous_hash", expected
            elif row.hash != right:
                yield row.id, "hash" if is_hash else "content", expected
            before, expected = right if is_hash else row.hash, expected + 1
        row, after = after, next(rows, None)
    if (moved := find(before)) and moved.owner != owner:
        yield moved.id, "company_id", expected


def utc(text):
    """ISO text with a zone as a naive moment in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)
