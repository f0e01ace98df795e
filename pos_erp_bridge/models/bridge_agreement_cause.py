# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Why a channel shows another number: decided from what is known to be under way, never from equal numbers alone."""

import json
from dataclasses import dataclass, field
from datetime import timedelta

from odoo import api, fields, models

from ..connectors import base
from ..connectors.records import Order, Sale

EVENTS_READ = 2000  # unbooked sales one comparison looks into
HOLD_MEMORY = timedelta(minutes=10)  # a promise that ended this recently may still explain a number
LOOKS = 3  # at a level that moves while it is being compared
NOT_BOOKED = ("pending", "waiting", "blocked", "failed")


@dataclass
class Evidence:
    """What is under way at one channel; keys are (store id, product id), quantities in the product's base unit."""

    touched: set = field(default_factory=set)  # changed here, not folded yet
    sales: dict = field(default_factory=dict)  # key: [(signed quantity, document)] not booked yet
    holds: dict = field(default_factory=dict)  # key: [(quantity, order, whether the channel's own)]


class BridgeAgreementCause(models.AbstractModel):
    _name = "bridge.agreement.cause"
    _description = "Likely cause of a difference"

    @api.model
    def _evidence(self, channel, levels):
        """The :class:`Evidence` about these levels."""
        self.env.cr.execute(
            "SELECT DISTINCT store_id, product_id FROM bridge_touch WHERE channel_id = %s", [channel.id]
        )
        found = Evidence(touched=set(self.env.cr.fetchall()))
        found.sales = self._unbooked(channel)
        found.holds = self._holds(channel, levels)
        return found

    def _unbooked(self, channel):
        """{(store id, product id): [(signed quantity, number of the document)]} of sales that wait or failed."""
        events = self.env["bridge.event"].search(
            [
                ("channel_id", "=", channel.id),
                ("stream", "in", ("sale", "order")),
                ("is_hint", "=", False),
                ("state", "in", NOT_BOOKED),
            ],
            limit=EVENTS_READ,
        )
        connector, records = channel._connector(), []
        for event in events:
            try:
                record = connector.translate(event.stream, json.loads(event.payload))
            except (base.BridgeError, ValueError, KeyError, TypeError):
                continue  # it cannot be read: it names no product
            if isinstance(record, (Sale, Order)):
                records.append(record)
        refs = [line.product for record in records for line in record.lines if line.product]
        products, _missing = self.env["bridge.matcher"]._peek_products(channel, refs)
        stores = {store.external_id: store.id for store in channel.store_ids}
        found = {}
        for record in records:
            store_id = stores.get(record.store_id) or channel.default_store_id.id
            number = record.number or record.external_id
            for line in record.lines:
                product = products.get(line.product.external_id) if line.product else None
                if product:
                    key = (store_id, product.id)
                    found.setdefault(key, []).append((-float(line.quantity), number))
        return found

    def _holds(self, channel, levels):
        """{(store id, product id): [(quantity, order, whether the channel's own)]} promised now or a moment ago."""
        recent = fields.Datetime.now() - HOLD_MEMORY
        domain = [
            ("product_id", "in", levels.product_id.ids),
            ("source", "=", "hand"),
            "|",
            ("state", "=", "active"),
            ("ended_at", ">=", recent),
        ]
        holds = self.env["bridge.hold"].sudo().search(domain)
        found = {}
        for store in levels.store_id:
            place = store.location_id.parent_path or "-"
            for hold in holds:
                other = hold.location_id.parent_path or "-"
                if other.startswith(place) or place.startswith(other):
                    entry = (hold.quantity, hold.order_ref, hold.channel_id == channel)
                    found.setdefault((store.id, hold.product_id.id), []).append(entry)
        return found

    @api.model
    def _judge(self, channel, lines):
        """Give each line its cause; by rule repair. Returns the lines whose level moved while it was read: only
        another look can tell."""
        evidence = self._evidence(channel, lines.level_id)
        again = repair = agreed = lines.browse()
        for line in lines:
            level = line.level_id
            key = (level.store_id.id, level.product_id.id)
            is_moving = key in evidence.touched or level.write_date > line.seen_at
            if is_moving and line.looks < LOOKS:
                again |= line
            elif line.is_listed and line.shown == level.desired:
                agreed |= line
            elif line._judged(*self._cause(line, level, evidence, is_moving)):
                repair |= line
        fresh = agreed.filtered(lambda line: not line.cause)
        (agreed - fresh)._settle()
        fresh.unlink()  # it moved while we read: it never differed
        if repair:
            repair._repair(self.env._("By the channel's rule."))
        return again

    def _cause(self, line, level, evidence, is_moving):
        """(cause, sentence) of one difference."""
        key = (level.store_id.id, level.product_id.id)
        numbers = {"shown": _text(line.shown), "believed": _text(level.confirmed), "wanted": _text(level.desired)}
        if not line.is_listed:
            text = self.env._("The channel does not list this item; it should show %(wanted)s.", **numbers)
            return "missing", text
        if level.push_id:
            text = self.env._(
                "The channel shows %(shown)s; it is being told %(wanted)s (push %(push)s, not confirmed yet).",
                push=level.push_id[:8],
                **numbers,
            )
            return "push", text
        gap = line.shown - level.confirmed
        if gap and evidence.sales.get(key):
            return "sale", self._sale_text(evidence.sales[key], gap, numbers)
        # A channel takes off by itself only what it promised itself; what others promised shows in what we want.
        held = [entry for entry in evidence.holds.get(key, ()) if entry[2] or not gap]
        quantity = sum(entry[0] for entry in held)
        if quantity and quantity == abs(gap or line.shown - level.desired):
            text = self.env._(
                "The channel shows %(shown)s, it should show %(wanted)s; %(held)s are or were promised: %(orders)s.",
                held=_text(quantity),
                orders=", ".join(dict.fromkeys(entry[1] for entry in held[:5])),
                **numbers,
            )
            return "hold", text
        if level.state != "synced" or is_moving or not gap:
            return "push", self._push_text(level, numbers)
        text = self.env._(
            "The channel shows %(shown)s, we believed %(believed)s and it should show %(wanted)s. Nothing of ours "
            "explains it: somebody changed it over there.",
            **numbers,
        )
        return "foreign", text

    def _sale_text(self, sales, gap, numbers):
        quantity = sum(amount for amount, _number in sales)
        text = self.env._(
            "The channel shows %(shown)s, we believed %(believed)s. Sale not booked yet: %(documents)s "
            "(%(quantity)s pieces).",
            documents=", ".join(dict.fromkeys(number for _amount, number in sales[:5])),
            quantity=_text(quantity),
            **numbers,
        )
        if quantity != gap:
            text += " " + self.env._("%s pieces remain unexplained.", _text(gap - quantity))
        return text

    def _push_text(self, level, numbers):
        if level.state in ("held", "failed"):
            return self.env._(
                "The channel shows %(shown)s and should show %(wanted)s; telling it is held back: %(why)s",
                why=level.message or level.state,
                **numbers,
            )
        return self.env._("The channel shows %(shown)s; it is about to be told %(wanted)s.", **numbers)


def _text(quantity):
    return f"{quantity:g}"
