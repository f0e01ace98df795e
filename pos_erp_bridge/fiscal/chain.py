# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""A hash chain: each row is bound to the one before it, so a change of any byte is found.

What the chain cannot tell by itself: rows cut off at its end, and a chain that was written anew as a whole. For
that its newest hash has to be known elsewhere, for example on a printed day's report.
"""

import hashlib
import json
from typing import NamedTuple

START = ""  # previous hash of the first row


class Row(NamedTuple):
    """``position`` counts from 1 without gaps; ``payload`` is what canonical() made."""

    position: int
    previous_hash: str
    payload: bytes
    hash: str


class Broken(NamedTuple):
    """``why``: position (a row is missing, doubled or misplaced), previous (it does not follow the row before it)
    or payload (its content or its hash was changed)."""

    row: Row
    why: str


def canonical(content):
    """The one way to write a content as bytes: keys sorted, no spaces, UTF-8. ValueError for what has more than one
    way, such as a float."""
    _refuse(content, "content")
    try:
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("content holds half a character (a lone surrogate)") from None


def _refuse(value, where):
    if isinstance(value, dict):
        for key, entry in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{where} has the key {key!r}, which is no text")
            _refuse(entry, f"{where}.{key}")
    elif isinstance(value, list):
        for place, entry in enumerate(value):
            _refuse(entry, f"{where}[{place}]")
    elif not (value is None or isinstance(value, str | int)):
        raise ValueError(f"{where} is {value!r}: only text, whole numbers, yes/no and nothing may be chained")


def link(previous_hash, payload):
    """Hash of a row, in hex, from that of the row before it (START for the first) and its payload."""
    return hashlib.sha256(previous_hash.encode() + b"\n" + payload).hexdigest()


def verify(rows):
    """The first Broken row of a chain given in its order, or None. Reads each row once and keeps none."""
    previous = START
    for position, row in enumerate(rows, 1):
        if row.position != position:
            return Broken(row, "position")
        if row.previous_hash != previous:
            return Broken(row, "previous")
        if row.hash != link(previous, row.payload):
            return Broken(row, "payload")
        previous = row.hash
    return None
