# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What a claim that was refused could have had: for people, and for who takes what there is."""

from collections import defaultdict
from dataclasses import replace

from odoo import models

from .bridge_claim import NOTHING


class BridgeHold(models.Model):
    _inherit = "bridge.hold"

    def _what_there_is(self, parts, lines, answer, values):
        """(why it was refused, the parts cut down to what there is, what each limit is then asked for); known for sure
        by who stands behind the gate. The first line takes what it can, the next what is left."""
        rows = [[*key, quantity] for key, quantity in answer.free.items()]
        paths = {part.location_id: self._place(part.location_id)[0] for part in parts}
        by_line = defaultdict(list)
        for part in parts:
            by_line[part.line_ref].append(part)
        limits_of = defaultdict(list)  # {id of a product sold: numbers of its limits}
        for ref, product_id in zip(values["capped_refs"], values["capped_products"], strict=True):
            limits_of[product_id].append(ref)
        lefts, wanted = dict(answer.caps), dict.fromkeys(values["cap_refs"], 0.0)
        there, ratios = {}, {}  # of a line: how much of it there is; how much can be had
        for line_ref, some in by_line.items():
            there[line_ref] = min(self._units(some[0]), self._units_there(some, rows, paths))
            limits = limits_of[some[0].kit_id or some[0].product_id]
            left = max(0.0, min((lefts[ref] for ref in limits), default=there[line_ref]))
            ratios[line_ref] = there[line_ref] if left >= there[line_ref] else self._whole_units(left, some[0])
            for ref in limits:
                lefts[ref] -= ratios[line_ref]
                wanted[ref] += ratios[line_ref]
            for part in some:
                for row in self._around(rows, part, paths):
                    row[2] -= ratios[line_ref] * part.per_unit
        cut = [
            replace(part, quantity=ratios[part.line_ref] * part.per_unit,
                    kit_quantity=ratios[part.line_ref] if part.kit_quantity else 0.0)
            for part in parts if ratios[part.line_ref] > NOTHING
        ]  # fmt: skip
        short = self._say_limits(answer, values) + self._say_short(lines, by_line, there)
        return ", ".join(short), cut, list(wanted.values())

    def _say_limits(self, answer, values):
        limits = [(values["cap_names"][ref], left, values["cap_wanted"][ref]) for ref, left in answer.caps.items()]
        return [
            self.env._("Limit “%(name)s”: %(left)g left", name=name, left=max(0.0, left))
            for name, left, wanted in limits if wanted > left + NOTHING
        ]  # fmt: skip

    def _say_short(self, lines, by_line, there):
        names = {line[0]: line[1].display_name for line in lines}
        return [
            self.env._("%(name)s: %(left)g left", name=names.get(ref, ref), left=there[ref])
            for ref, some in by_line.items()
            if there[ref] < self._units(some[0]) - NOTHING
        ]

    @staticmethod
    def _units(part):
        """How much of the product sold a line wants, by one of its parts."""
        return part.quantity / part.per_unit

    def _units_there(self, some, rows, paths):
        """How much of a line there is, by what is free of each of its parts."""
        units = min(
            max(0.0, min([row[2] for row in self._around(rows, part, paths)] or [part.quantity]) - part.keep)
            / part.per_unit
            for part in some
        )
        return self._whole_units(units, some[0])

    @staticmethod
    def _around(rows, part, paths):
        return [row for row in rows if row[0] == part.product_id and paths[part.location_id].startswith(row[1])]

    @staticmethod
    def _whole_units(units, part):
        """Of a kit, whole ones; of anything else what there is."""
        return float(int(units + NOTHING)) if part.kit_id else units
