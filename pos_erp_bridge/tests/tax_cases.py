# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Worked tax cases as Odoo documents of a Japanese company."""

import json
import os
from pathlib import Path

from odoo.fields import Command

from odoo.addons.account.tests.common import TestTaxCommon
from odoo.addons.pos_erp_bridge.models.res_company import TAX_SETTINGS

from . import shop

ROOT = Path(__file__).resolve().parents[2]
DIRECTIONS = {"floor": "down", "half_up": "half_up", "ceil": "up"}
PERCENT = {"10": 10, "8R": 8, "8N": 8, "1F": 1, "0E": 0, "0X": 0}


def own_cases():
    return json.loads((ROOT / "tests" / "tax_cases.json").read_text())["cases"]


def golden_cases():
    """The published cases, or None where they are not present."""
    contracts = Path(os.environ.get("BRIDGE_CONTRACTS") or ROOT.parent / "shared" / "contracts")
    path = contracts.parent / "reference" / "japan" / "golden_tax_cases.json"
    return json.loads(path.read_text())["cases"] if path.is_file() else None


def sales(cases):
    """[(name, sale or return, amounts by rate)] of all documents in the cases that are one in Odoo, too."""
    found = []
    for case in cases:
        data, expected = case["input"], case["expected"]
        if data["kind"] == "sale" and "by_rate" in expected:
            found.append((case["id"], data, expected["by_rate"]))
        elif data["kind"] == "exchange" and "method_net" in expected:
            lines = data["sale"]["lines"] + data["return"]["lines"]
            found.append((case["id"], {**data["sale"], "lines": lines}, expected["method_net"]["by_rate"]))
        elif data["kind"] == "exchange" and "sale" in expected:
            found += [(f"{case['id']} {part}", data[part], expected[part]["by_rate"]) for part in ("sale", "return")]
    return found


def settings_of(data):
    """Settings of a company that works out documents as the case does. Its lines are rounded in one direction."""
    conversion = data.get("conversion") or {"to": "tax_excluded"}
    (line_rounding,) = {
        line.get("line_amount_rounding") or data.get("line_amount_rounding") or "floor" for line in data["lines"]
    }
    return {
        "bridge_tax_rounding": DIRECTIONS[data.get("tax_rounding", "floor")],
        "bridge_line_rounding": DIRECTIONS[line_rounding],
        "bridge_conversion_basis": conversion["to"].removeprefix("tax_"),
        "bridge_conversion_rounding": DIRECTIONS[conversion.get("rounding", "floor")],
    }


def parts_of(data):
    """[(kind percent or fixed, amount, category or None)] of what is taken off the whole document."""
    found = []
    if discount := data.get("order_discount"):
        kind = {"percent": "percent", "amount": "fixed"}[discount["type"]]
        category = (discount.get("allocation") or "").partition("to_rate:")[2]
        found.append((kind, float(discount["value"]), category or None))
    points = data.get("points")
    if points and points["treatment"] == "price_reduction":
        found.append(("fixed", float(points["amount"]), None))
    return found


class JapaneseTaxCase(TestTaxCommon):
    """A company with a tax for every category, with and without tax in the price."""

    @classmethod
    def get_default_groups(cls):
        groups = ("point_of_sale.group_pos_manager", "sales_team.group_sale_manager", "base.group_system")
        return super().get_default_groups().union(*map(cls.env.ref, groups))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = shop.make_company(cls.env)
        cls.company = cls.env.company
        cls.env.ref("uom.decimal_product_uom").digits = 3
        cls.jp = cls.env.ref("base.jp")
        cls.taxes = {}
        account = cls.env["account.account"].search(
            [("code", "=", "330800"), ("company_ids", "in", cls.company.ids)], limit=1
        )
        for category, percent in PERCENT.items():
            group = cls.env["account.tax.group"].create({"name": category, "country_id": cls.jp.id})
            for with_tax in (True, False):
                cls.taxes[category, with_tax] = cls.make_tax(category, percent, with_tax, group, account)
        cls.group_category = {tax.tax_group_id.id: category for (category, _), tax in cls.taxes.items()}
        cls.product = cls.env["product.product"].create(
            {"name": "商品", "type": "service", "invoice_policy": "order", "taxes_id": False, "available_in_pos": True}
        )
        cls.customer = cls.env["res.partner"].create({"name": "客", "country_id": cls.jp.id})

    @classmethod
    def make_tax(cls, category, percent, with_tax, group, account):
        lines = [
            Command.create({"document_type": kind, "repartition_type": what, "account_id": to and to.id})
            for kind in ("invoice", "refund")
            for what, to in (("base", False), ("tax", account))
        ]
        return cls.env["account.tax"].create(
            {
                "name": f"{category} {'込' if with_tax else '抜'}",
                "amount": percent,
                "type_tax_use": "sale",
                "country_id": cls.jp.id,
                "tax_group_id": group.id,
                "price_include_override": "tax_included" if with_tax else "tax_excluded",
                "bridge_tax_category": category,
                "repartition_line_ids": lines,
            }
        )

    def lines_of(self, data):
        """Values every Odoo document understands: price, quantity, discount in percent, tax."""
        self.company.write(settings_of(data))
        return [self._line(line, line.get("price_basis") or data["price_basis"]) for line in data["lines"]]

    def _line(self, line, basis):
        quantity, price, discount = float(line["qty"]), float(line["unit_price"]), 0.0
        if taken := line.get("line_discount"):
            value = float(taken["value"])
            discount = value if taken["type"] == "percent" else 100 * value / abs(quantity * price)
        return {
            "product_id": self.product,
            "tax_ids": self.taxes[line["rate"], basis == "tax_included"],
            "price_unit": price,
            "quantity": quantity,
            "discount": discount,
        }

    def rates(self, tax_totals):
        """{category: (base, tax)} of Odoo's totals."""
        groups = [group for subtotal in tax_totals["subtotals"] for group in subtotal["tax_groups"]]
        keys = ("base_amount_currency", "tax_amount_currency")
        return {self.group_category[group["id"]]: tuple(round(group[key]) for key in keys) for group in groups}

    @staticmethod
    def expected(by_rate):
        return {category: (rate["taxable_base_excl"], rate["tax"]) for category, rate in by_rate.items()}

    def assertRates(self, tax_totals, by_rate):
        self.assertEqual(self.rates(tax_totals), self.expected(by_rate))
        total = sum(rate["total_incl"] for rate in by_rate.values())
        self.assertEqual(round(tax_totals["total_amount_currency"], 6), total)

    def assertBooked(self, move, by_rate, sign=1):
        """Journal items of a posted move, by rate."""
        booked = {}
        for line in move.line_ids:
            for tax in line.tax_ids:
                booked.setdefault(tax.bridge_tax_category, [0, 0])[0] -= sign * line.balance
            if line.tax_line_id:
                booked.setdefault(line.tax_line_id.bridge_tax_category, [0, 0])[1] -= sign * line.balance
        self.assertEqual({key: tuple(map(round, both)) for key, both in booked.items()}, self.expected(by_rate))

    # -- the same for the browser ----------------------------------------------------------------
    def _jsonify_tax(self, tax):
        return {**super()._jsonify_tax(tax), "bridge_tax_category": tax.bridge_tax_category}

    def _jsonify_company(self, company):
        names = ("bridge_document_rounding", *TAX_SETTINGS)
        return {**super()._jsonify_company(company), **{name: company[name] for name in names}}
