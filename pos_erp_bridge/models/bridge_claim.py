# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Claiming: stock is promised to an order, a cart, a quotation."""

import random
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import ormcache

from ..claim import CALL
from ..locks import CONCURRENCY_ERRORS, promise_cursor

# How long a promise lasts when nobody says otherwise. None: until it is kept or released.
LIFETIMES = {
    "cart": timedelta(minutes=15),
    "order": timedelta(days=3),
    "import": None,
    "pickup": timedelta(days=7),
    "quotation": timedelta(days=3),
    "preorder": None,
    "tally": None,
}
CLAIMABLE = ("cart", "order", "pickup", "preorder")  # by other programs
TRIES = 5
NOTHING = 1e-6


@dataclass
class Claim:
    """``granted``, ``short``: {line ref: quantity in the unit of the product sold}. ``reason`` says what stood in the
    way, for people. Without ``partial`` either everything is granted or nothing."""

    granted: dict = field(default_factory=dict)
    short: dict = field(default_factory=dict)
    why: object = ""  # the reason, or what finds it when asked: most who are refused do not ask, and names cost

    def __bool__(self):
        return not self.short

    @property
    def reason(self):
        return self.why() if callable(self.why) else self.why


@dataclass(frozen=True)
class Part:
    """What one line wants of one product in one place; of a kit there is one part per component."""

    line_ref: str
    product_id: int
    location_id: int
    quantity: float
    per_unit: float  # of the product sold
    kit_id: int = 0
    kit_quantity: float = 0.0  # of the kit; on its first component only, so that kits are counted once
    keep: float = 0.0


class Answer:
    """What ``bridge_claim`` said. ``granted``, ``kept``: {(line ref, product id): quantity}; ``free``: {(product id,
    path of a place): quantity}; ``caps``: {number: left}; ``changed``: [(location id, product id)]."""

    def __init__(self, rows, granted=None):
        self.granted, self.kept = granted or {}, {}
        self.free, self.caps, self.changed, self.is_refused, self.is_mixed = {}, {}, [], False, False
        for kind, ref, product_id, path, quantity in rows:
            if kind == "granted":
                self.granted[ref, product_id] = self.granted.get((ref, product_id), 0.0) + quantity
            elif kind == "kept":
                self.kept[ref, product_id] = quantity
            elif kind == "free":
                self.free[product_id, path] = quantity
            elif kind == "cap":
                self.caps[int(ref)] = quantity
            elif kind == "changed":
                self.changed.append((int(ref), product_id))
            elif kind == "refused":
                self.is_refused = True
            else:
                self.is_mixed = True


class BridgeHold(models.Model):
    _inherit = "bridge.hold"

    # -- claiming ----------------------------------------------------------------------------------
    @api.model
    def claim(self, channel_id, order_ref, lines, purpose="cart", minutes=None, customer=""):
        """Promise stock to an order or cart; for web carts and other programs (JSON-2 API, bridge managers).

        All or nothing. The same call again changes nothing; other quantities for the same lines replace the old ones.

        :param lines: [{"line": id of the line, "product_id": …, "store_id": bridge.store, "quantity": base unit}]
        :param minutes: how long the promise lasts; by purpose when not given
        :return: {"granted": bool, "lines": {line: quantity}, "short": {line: quantity missing}, "reason": text}
        """
        channel = self._claiming_channel(channel_id)
        if purpose not in CLAIMABLE or not order_ref or not lines:
            raise UserError(
                self.env._("A claim needs an order, at least one line and a purpose (%s).", ", ".join(CLAIMABLE))
            )
        wanted = [self._read_line(channel, line) for line in lines]
        if len({line[0] for line in wanted}) < len(wanted):
            raise UserError(self.env._("Two lines of the claim have the same id: give each its own."))
        expires_at = fields.Datetime.now() + timedelta(minutes=minutes) if minutes else None
        own = self.sudo().with_company(channel.company_id)
        claim = own._claim(channel.sudo(), str(order_ref), wanted, purpose, expires_at=expires_at,
                                   customer=customer)  # fmt: skip
        return {"granted": bool(claim), "lines": claim.granted, "short": claim.short, "reason": claim.reason}

    @api.model
    def release(self, channel_id, order_ref, lines=None):
        """Give back what an order or cart was promised; ``lines``: only these line ids. Returns how many promises."""
        channel = self._claiming_channel(channel_id)
        return self.sudo()._release(channel.sudo(), str(order_ref), lines and [str(line) for line in lines])

    def _claiming_channel(self, channel_id):
        """The channel of a public call; only those who may, and only a channel they can see."""
        self._check_may_claim()
        channel = self.env["bridge.channel"].browse(channel_id).exists()
        channel.check_access("read")
        if not channel:
            raise UserError(self.env._("There is no channel %s.", channel_id))
        return channel

    def _check_may_claim(self):
        if not self.env.user.has_group("pos_erp_bridge.group_bridge_manager"):
            raise UserError(self.env._("Only a manager of the bridge may promise stock or give it back."))

    def _read_line(self, channel, line):
        """(line ref, product, location, quantity) of one line of the public call."""
        try:
            product = self.env["product.product"].browse(int(line["product_id"])).exists()
            store_id = int(line.get("store_id") or channel.default_store_id)
            store = channel.store_ids.filtered(lambda store: store.id == store_id)
            quantity = float(line["quantity"])
            reference = str(line["line"])
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(self.env._("A line needs line, product_id, store_id and quantity (%s).", error)) from error
        if not product or not store.location_id or not quantity > 0:  # "not a number" is not above zero
            raise UserError(
                self.env._("Line %s: no such product or store of this channel, or no quantity above zero.", reference)
            )
        return reference, product, store.location_id, quantity

    @api.model
    def _claim(self, channel, order_ref, lines, purpose, partial=False, expires_at=None, customer="", store=None,
               caps=(), is_sold=False, source="hand"):  # fmt: skip
        """Promise ``lines`` to an order, in a transaction of its own that is committed when this returns.

        :param channel: bridge.channel; empty for Odoo's own orders
        :param lines: [(line ref, product, location, quantity in the product's base unit)]
        :param partial: grant as much as there is
        :param is_sold: sold already, elsewhere: safety stock, shares and limits have no say any more
        :param caps: limits on sales, see ``_cap_values``
        :param source: the pool: "hand", or "incoming" of what is confirmed to come in to the location
        :return: :class:`Claim`
        """
        lines = [line for line in lines if line[3] > NOTHING]
        values = self._claim_values(channel, order_ref, purpose, expires_at, customer, store, lines) if lines else {}
        values |= self._cap_values(caps) | {"source": source, "queues": partial, "has_boms": "mrp.bom" in self.env}
        self.env["product.template"].flush_model(["is_storable"])
        # Mostly every line is a product that keeps stock; the claim itself finds out when it is not so.
        for is_plain in (True, False):
            parts = self._plain_parts(lines) if is_plain else self._parts(lines)
            if not parts:
                return self._as_claim({}, lines, parts, "")
            if not is_sold and source == "hand":
                parts = self._with_keeps(channel, parts)
            values |= {"is_plain": is_plain, "gates": self._gates(parts, caps)}
            claim = self._claim_patiently(parts, values, lines, partial)
            if claim is not None:
                return claim
        return None

    def _claim_patiently(self, parts, values, lines, partial):
        """``_claim_once``, again when another transaction got in between."""
        for attempt in range(1, TRIES + 1):
            try:
                return self._claim_once(parts, values, lines, partial)
            except CONCURRENCY_ERRORS:
                if attempt == TRIES:
                    raise
                time.sleep(random.uniform(0, 0.02 * 2**attempt))
        return None

    def _claim_once(self, parts, values, lines, partial):
        """One try of ``_claim``; None when the lines are not as plain as they were said to be.

        Others wait behind us meanwhile: what can be done after the commit is done then.
        """
        touch = self.env["bridge.touch"]
        with promise_cursor(self.env.registry) as cr:
            answer = self._call(cr, parts, values)
            if answer.is_mixed:
                return None
            granted, reason = answer.granted, ""
            if answer.is_refused:
                if not partial:
                    reason = lambda: self._what_there_is(parts, lines, answer, values)[0]  # noqa: E731
                else:
                    reason, less, wanted = self._what_there_is(parts, lines, answer, values)
                    if less:
                        more = self._call(cr, less, values | {"cap_wanted": wanted})
                        granted = more.granted
                        answer.changed.extend(more.changed)
            if answer.changed:
                touch._insert(cr, touch._rows_of_places(answer.changed))
        if granted or answer.changed:
            places = [(part.location_id, part.product_id) for part in parts]
            touch._wake_places(places + answer.changed)
        return self._as_claim(granted, lines, parts, reason)

    def _call(self, cr, parts, values):
        """Ask, and ask again for the rest when some of it was kept already. Returns an :class:`Answer`."""
        kept, answer = {}, Answer([])
        for _again in range(TRIES):
            if not parts:
                break
            cr.execute(CALL, values | self._part_values(parts))
            answer = Answer(cr.fetchall())
            kept |= answer.kept
            settled = answer.is_refused or answer.is_mixed or len(answer.granted) == len(parts)
            if not answer.kept and settled:
                answer.granted |= kept
                return answer
            parts = [part for part in parts if (part.line_ref, part.product_id) not in kept]
        answer.granted |= kept
        return answer

    def _as_claim(self, granted, lines, parts, reason):
        per_unit = {(part.line_ref, part.product_id): part.per_unit for part in parts}
        units = {}
        for key, quantity in granted.items():
            if key in per_unit:
                units[key[0]] = min(units.get(key[0], float("inf")), quantity / per_unit[key])
        wanted, kept = defaultdict(float), {part.line_ref for part in parts}
        for line_ref, _product, _location, quantity in lines:
            wanted[line_ref] += quantity
            if line_ref not in kept:  # nothing of it is kept in stock
                units[line_ref] = wanted[line_ref]
        short = {ref: quantity - units.get(ref, 0.0) for ref, quantity in wanted.items()}
        return Claim(units, {ref: quantity for ref, quantity in short.items() if quantity > NOTHING}, reason)

    # -- what a claim is made of -------------------------------------------------------------------
    def _plain_parts(self, lines):
        """As ``_parts``, when no product is a kit and each keeps stock."""
        sums = defaultdict(float)
        for line_ref, product, location, quantity in lines:
            sums[line_ref, product.id, location.id] += quantity
        return [Part(*key, quantity, 1.0) for key, quantity in sums.items()]

    def _parts(self, lines):
        """The lines as parts: kits as their components, the same thing on a line added up."""
        kinds = self.env["bridge.kit"]._kinds({line[1].id for line in lines})
        suspects = [line[1].id for line in lines if kinds.get(line[1].id, (False, False))[1]]
        suspects = self.env["product.product"].browse(suspects)
        components = self.env["bridge.kit"]._components(suspects) if suspects else {}
        sums = defaultdict(float)
        per_unit = {}
        for line_ref, product, location, quantity in lines:
            recipe = components.get(product.id)
            for number, (product_id, each) in enumerate((recipe or {product.id: 1.0}).items()):
                key = line_ref, product_id, location.id, product.id if recipe else 0, number == 0
                sums[key] += quantity * each
                per_unit[key] = each
        if components:
            kinds = self.env["bridge.kit"]._kinds({key[1] for key in sums})
        return [
            Part(line_ref, product_id, location_id, quantity, each := per_unit[key], kit_id,
                 quantity / each if kit_id and is_first else 0.0)
            for key, quantity in sums.items()
            for line_ref, product_id, location_id, kit_id, is_first in [key]
            if kinds.get(product_id, (False, False))[0]
        ]  # fmt: skip

    def _with_keeps(self, channel, parts):
        """Parts with what must be left for others: safety stock, shares of other channels."""
        keeps = self.env["bridge.availability"]._keeps(channel, [(p.location_id, p.product_id) for p in parts])
        if not any(keeps.values()):
            return parts
        return [replace(part, keep=keeps.get((part.location_id, part.product_id), 0.0)) for part in parts]

    @api.model
    @ormcache("location_id")
    def _place(self, location_id):
        """(path, company id) of a location; cached, for it is asked at every claim."""
        location = self.env["stock.location"].sudo().browse(location_id)
        return location.parent_path, location.company_id.id

    def _claim_values(self, channel, order_ref, purpose, expires_at, customer, store, lines):
        now = fields.Datetime.now()
        lifetime = LIFETIMES[purpose]
        company_id = self.env["bridge.touch"]._places_of(channel.id)[0] if channel else self._place(lines[0][2].id)[1]
        return {
            "channel_id": channel.id or 0, "company_id": company_id or self.env.company.id,
            "store_id": store.id if store else None,
            "order_ref": order_ref, "purpose": purpose, "customer": customer or "", "now": now,
            "expires_at": expires_at or (now + lifetime if lifetime else None),
        }  # fmt: skip

    def _part_values(self, parts):
        """Parts as columns, and what follows from them; see ``claim.py``."""
        paths = {part.location_id: self._place(part.location_id)[0] for part in parts}
        places = {}
        for part in parts:
            key = part.product_id, paths[part.location_id]
            places[key] = max(part.keep, places.get(key, 0.0))
        for (product_id, path), keep in places.items():
            places[product_id, path] = keep + sum(
                part.quantity for part in parts
                if part.product_id == product_id and paths[part.location_id].startswith(path)
            )  # fmt: skip
        touched = self.env["bridge.touch"]._rows_of_places([(part.location_id, part.product_id) for part in parts])
        return {
            "line_refs": [part.line_ref for part in parts],
            "products": [part.product_id for part in parts],
            "locations": [part.location_id for part in parts],
            "paths": [paths[part.location_id] for part in parts],
            "quantities": [part.quantity for part in parts],
            "kits": [part.kit_id for part in parts],
            "kit_quantities": [part.kit_quantity for part in parts],
            "place_products": [product_id for product_id, _path in places],
            "place_paths": [path for _product_id, path in places],
            "place_needs": list(places.values()),
            "touch_channels": [row[0] for row in touched],
            "touch_stores": [row[1] for row in touched],
            "touch_products": [row[2] for row in touched],
        }

    def _gates(self, parts, caps):
        """Ids of the products whose gates are passed, in order. Limits over several have their queue at the first."""
        return sorted({part.product_id for part in parts} | {min(cap["product_ids"]) for cap in caps})

    @staticmethod
    def _cap_values(caps):
        """Limits on sales as columns; see ``CLAIM``. A cap: {"name", "product_ids", "channel_ids" (empty: all),
        "customer" ("": all), "since", "left": units that may still be promised since then, "wanted": units of this
        order, "is_preorder": only preorders count}."""
        return {
            "cap_refs": list(range(len(caps))),
            "cap_names": [cap["name"] for cap in caps],
            "cap_channels": [f",{','.join(map(str, ids))}," if (ids := cap["channel_ids"]) else "" for cap in caps],
            "cap_preorders": [cap.get("is_preorder", False) for cap in caps],
            "cap_customers": [cap["customer"] for cap in caps],
            "cap_since": [cap["since"] for cap in caps],
            "cap_lefts": [cap["left"] for cap in caps],
            "cap_wanted": [cap["wanted"] for cap in caps],
            "capped_refs": [ref for ref, cap in enumerate(caps) for _product in cap["product_ids"]],
            "capped_products": [product_id for cap in caps for product_id in cap["product_ids"]],
        }
