# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Claiming: stock is promised to an order, a cart, a quotation."""

import random
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..claim import CALL
from ..locks import CONCURRENCY_ERRORS, promise_cursor

# How long a promise lasts when nobody says otherwise. None: until it is kept or released.
LIFETIMES = {
    "cart": timedelta(minutes=15),
    "order": timedelta(days=3),
    "import": timedelta(days=3),
    "pickup": timedelta(days=7),
    "quotation": timedelta(days=3),
    "preorder": None,
    "tally": None,
}
TRIES = 5
NOTHING = 1e-6


@dataclass
class Claim:
    """``granted``, ``short``: {line ref: quantity in the unit of the product sold}. ``reason`` says what stood in the
    way, for people. Without ``partial`` either everything is granted or nothing."""

    granted: dict = field(default_factory=dict)
    short: dict = field(default_factory=dict)
    reason: str = ""

    def __bool__(self):
        return not self.short


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
        self._check_may_claim()
        channel = self.env["bridge.channel"].browse(channel_id)
        channel.check_access("read")
        if purpose not in LIFETIMES or not order_ref or not lines:
            raise UserError(
                self.env._("A claim needs an order, at least one line and a purpose (cart, order, pickup).")
            )
        wanted = [self._read_line(channel, line) for line in lines]
        expires_at = fields.Datetime.now() + timedelta(minutes=minutes) if minutes else None
        claim = self.sudo()._claim(channel.sudo(), str(order_ref), wanted, purpose, expires_at=expires_at,
                                   customer=customer)  # fmt: skip
        return {"granted": bool(claim), "lines": claim.granted, "short": claim.short, "reason": claim.reason}

    @api.model
    def release(self, channel_id, order_ref, lines=None):
        """Give back what an order or cart was promised; ``lines``: only these line ids. Returns how many promises."""
        self._check_may_claim()
        channel = self.env["bridge.channel"].browse(channel_id)
        channel.check_access("read")
        return self.sudo()._release(channel.sudo(), str(order_ref), lines and [str(line) for line in lines])

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
        if not product or not store.location_id or quantity <= 0:
            raise UserError(
                self.env._("Line %s: no such product or store of this channel, or no quantity above zero.", reference)
            )
        return reference, product, store.location_id, quantity

    @api.model
    def _claim(self, channel, order_ref, lines, purpose, partial=False, expires_at=None, customer="", store=None,
               caps=(), is_sold=False):  # fmt: skip
        """Promise ``lines`` to an order, in a transaction of its own that is committed when this returns.

        :param channel: bridge.channel; empty for Odoo's own orders
        :param lines: [(line ref, product, location, quantity in the product's base unit)]
        :param partial: grant as much as there is
        :param is_sold: sold already, elsewhere: safety stock, shares and limits have no say any more
        :param caps: limits as ``bridge.availability._caps`` gives them
        :return: :class:`Claim`
        """
        lines = [line for line in lines if line[3] > NOTHING]
        parts = self._parts(lines)
        if not parts:
            return self._as_claim({}, lines, parts, "")
        if not is_sold:
            parts = self._with_keeps(channel, parts)
        values = self._claim_values(channel, order_ref, purpose, expires_at, customer, store, lines)
        values |= self._cap_values(caps)
        for attempt in range(1, TRIES + 1):
            try:
                return self._claim_once(parts, values, lines, partial)
            except CONCURRENCY_ERRORS:
                if attempt == TRIES:
                    raise
                time.sleep(random.uniform(0, 0.02 * 2**attempt))
        return None

    def _claim_once(self, parts, values, lines, partial):
        """One try of ``_claim``."""
        with promise_cursor(self.env.registry) as cr:
            granted, refused, changed = self._call(cr, parts, values)
            reason = ""
            if refused:
                reason, less = self._what_there_is(parts, lines, *refused)
                if partial and less:
                    granted, _refused, more = self._call(cr, less, values)
                    changed += more
            if granted:
                changed += [(part.location_id, part.product_id) for part in parts]
            wake = self.env["bridge.touch"]._insert_places(cr, changed)
        wake()
        return self._as_claim(granted, lines, parts, reason)

    def _call(self, cr, parts, values):
        """({(line ref, product id): promised}, None or (rows of what is free, what limits leave), changed keys)."""
        cr.execute(CALL, values | self._part_values(parts))
        granted, free, caps, changed, is_refused = {}, {}, {}, [], False
        for kind, ref, product_id, path, quantity in cr.fetchall():
            if kind == "granted":
                granted[ref, product_id] = quantity
            elif kind == "free":
                free[product_id, path] = [product_id, path, quantity]
            elif kind == "cap":
                caps[ref] = quantity
            elif kind == "changed":
                changed.append((int(ref), product_id))
            else:
                is_refused = True
        return granted, (list(free.values()), list(caps.values())) if is_refused else None, changed

    def _what_there_is(self, parts, lines, rows, caps):
        """(why it was refused, the parts cut down to what there is), known for sure: we stand behind the gate."""
        locations = self.env["stock.location"].sudo().browse({part.location_id for part in parts})
        paths = {location.id: location.parent_path for location in locations}
        by_line = defaultdict(list)
        for part in parts:
            by_line[part.line_ref].append(part)
        ratios = {}  # of a line: how much of it can be had
        for line_ref, some in by_line.items():
            units = min(
                max(0.0, min([row[2] for row in self._around(rows, part, paths)] or [part.quantity]) - part.keep)
                / part.per_unit
                for part in some
            )
            ratios[line_ref] = min(some[0].quantity / some[0].per_unit, self._whole_units(units, some[0]))
            for part in some:
                for row in self._around(rows, part, paths):
                    row[2] -= ratios[line_ref] * part.per_unit
        names = {line[0]: line[1].display_name for line in lines}
        short = [
            self.env._("%(name)s: %(left)g left", name=names.get(ref, ref), left=ratios[ref])
            for ref, some in by_line.items()
            if ratios[ref] < some[0].quantity / some[0].per_unit - NOTHING
        ]
        if not short and caps:
            short = [self.env._("A limit on sales is reached: %g left", max(0.0, min(caps)))]
        cut = [
            replace(part, quantity=ratios[part.line_ref] * part.per_unit,
                    kit_quantity=ratios[part.line_ref] if part.kit_quantity else 0.0)
            for part in parts if ratios[part.line_ref] > NOTHING
        ]  # fmt: skip
        return ", ".join(short), cut

    @staticmethod
    def _around(rows, part, paths):
        return [row for row in rows if row[0] == part.product_id and paths[part.location_id].startswith(row[1])]

    @staticmethod
    def _whole_units(units, part):
        """Of a kit, whole ones; of anything else what there is."""
        return float(int(units + NOTHING)) if part.kit_id else units

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
    def _parts(self, lines):
        """The lines as parts: kits as their components, the same thing on a line added up."""
        components = self.env["bridge.kit"]._components(
            self.env["product.product"].union(*(line[1] for line in lines)) if lines else self.env["product.product"]
        )
        sums = defaultdict(float)
        per_unit = {}
        for line_ref, product, location, quantity in lines:
            recipe = components.get(product.id)
            for number, (product_id, each) in enumerate((recipe or {product.id: 1.0}).items()):
                key = line_ref, product_id, location.id, product.id if recipe else 0, number == 0
                sums[key] += quantity * each
                per_unit[key] = each
        storable = set(
            self.env["product.product"].browse({key[1] for key in sums}).filtered("is_storable").ids
        )  # fmt: skip
        return [
            Part(line_ref, product_id, location_id, quantity, each := per_unit[key], kit_id,
                 quantity / each if kit_id and is_first else 0.0)
            for key, quantity in sums.items()
            for line_ref, product_id, location_id, kit_id, is_first in [key]
            if product_id in storable
        ]  # fmt: skip

    def _with_keeps(self, channel, parts):
        """Parts with what must be left for others: safety stock, shares of other channels."""
        keeps = self.env["bridge.availability"]._keeps(channel, [(p.location_id, p.product_id) for p in parts])
        if not any(keeps.values()):
            return parts
        return [replace(part, keep=keeps.get((part.location_id, part.product_id), 0.0)) for part in parts]

    def _claim_values(self, channel, order_ref, purpose, expires_at, customer, store, lines):
        now = fields.Datetime.now()
        lifetime = LIFETIMES[purpose]
        company = channel.company_id or lines[0][2].company_id or self.env.company
        return {
            "channel_id": channel.id or 0, "company_id": company.id, "store_id": store.id if store else None,
            "order_ref": order_ref, "purpose": purpose, "customer": customer or "", "now": now,
            "expires_at": expires_at or (now + lifetime if lifetime else None),
        }  # fmt: skip

    @staticmethod
    def _part_values(parts):
        return {
            "line_refs": [part.line_ref for part in parts],
            "products": [part.product_id for part in parts],
            "locations": [part.location_id for part in parts],
            "quantities": [part.quantity for part in parts],
            "keeps": [part.keep for part in parts],
            "kits": [part.kit_id for part in parts],
            "kit_quantities": [part.kit_quantity for part in parts],
        }

    @staticmethod
    def _cap_values(caps):
        """Limits on sales as columns; see ``CLAIM``. A cap: {"product_ids", "channel_id" (0: all), "customer" ("":
        all), "since", "left": units that may still be promised since then, "wanted": units of this order}."""
        return {
            "cap_refs": list(range(len(caps))),
            "cap_channels": [cap["channel_id"] for cap in caps],
            "cap_customers": [cap["customer"] for cap in caps],
            "cap_since": [cap["since"] for cap in caps],
            "cap_lefts": [cap["left"] for cap in caps],
            "cap_wanted": [cap["wanted"] for cap in caps],
            "capped_refs": [ref for ref, cap in enumerate(caps) for _product in cap["product_ids"]],
            "capped_products": [product_id for cap in caps for product_id in cap["product_ids"]],
        }
