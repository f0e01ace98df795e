# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Webhooks. Smaregi signs nothing and dates nothing: its only proof is a header the merchant made up.

A replayed delivery is harmless, since bodies name ids only and the thing itself is read again.
"""

import hashlib
import json

from ..base import BadDelivery, Delivery, Hint, same_secret
from .const import EVENTS, MAX_BODY, MAX_IDS, RESOURCES


def read(body, headers, settings):
    """The :class:`Delivery` of an authentic request; anything doubtful raises BadDelivery."""
    if not same_secret(headers.get(settings["webhook_header"].lower(), ""), settings["webhook_secret"]):
        raise BadDelivery("The shared header is missing or wrong.")
    try:
        data = json.loads(body) if len(body) <= MAX_BODY else None
    except ValueError:
        data = None
    if not isinstance(data, dict) or not isinstance(data.get("event"), str):
        raise BadDelivery("The delivery is too large, no JSON or names no event.", status=400)
    ours = settings["contract_id"]
    if data.get("contractId") != ours or headers.get("smaregi-contract-id", ours) != ours:
        raise BadDelivery("The delivery belongs to another contract.")
    stream, field = EVENTS.get(data["event"], ("", "ids"))
    ids = (data.get(field) or data.get("ids") or []) if stream else []
    if not isinstance(ids, list) or len(ids) > MAX_IDS:
        raise BadDelivery("The delivery's ids have an unknown shape.", status=400)
    hints = tuple(dict.fromkeys(Hint(stream, _external_id(stream, item), _mark(stream, item)) for item in ids))
    delivery_id = headers.get("smaregi-event-id") or hashlib.sha256(body).hexdigest()
    return Delivery(delivery_id, f"{data['event']}/{data.get('action', '')}", hints)


def _external_id(stream, item):
    parts = [item.get(name) for name in RESOURCES[stream][1]] if isinstance(item, dict) else [item]
    if not all(isinstance(part, str | int) and str(part) for part in parts):
        raise BadDelivery("The delivery names an id of unknown shape.", status=400)
    return "|".join(map(str, parts))


def _mark(stream, item):
    """The number of the change in the stock journal."""
    return str(item.get("id") or "") if stream == "stock" and isinstance(item, dict) else ""
