# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The JavaScript calculator of till and screens: worked cases, and the same yen as Python on generated documents."""

import json
import random
from collections import Counter
from decimal import Decimal
from pathlib import Path

import javascript
import pytest
from conftest import ROOT
from fiscal import calculator, tax_cases

MODULE = ROOT / "pos_erp_bridge" / "static" / "src" / "fiscal" / "tax_calculator.js"
NAMES = ("compute", "roundTax", "split", "byRate")
KINDS = ("sale", "exchange")
DOCUMENTS = 3000
BASES = ("tax_included", "tax_excluded", "mixed")
DIRECTIONS = ("floor", "half_up", "ceil")


@pytest.fixture(scope="session")
def js():
    """``js(calls)``: see javascript.call."""
    program = javascript.engine()
    if not program:
        pytest.skip("neither node nor Chromium is installed")
    return lambda calls: javascript.call(program, MODULE, NAMES, calls)


def _check_cases(js, path):
    """Cases about sales, returns and exchanges; purchases and the sums of many documents are Python's only."""
    cases = [case for case in tax_cases.read(path)["cases"] if case["input"]["kind"] in KINDS]
    answers = js([("compute", [case["input"]]) for case in cases])
    wrong = []
    for case, answer in zip(cases, answers, strict=True):
        sentences = tax_cases.differences(case["expected"], answer.get("value", answer))
        wrong += [f"{case['id']}: {sentence}" for sentence in sentences]
    assert wrong == []
    return len(cases)


def test_golden_cases(js, golden_tax_cases):
    """Every published case of a sale, a return or an exchange."""
    assert _check_cases(js, golden_tax_cases) == 35


def test_own_cases(js):
    """And the project's own."""
    assert _check_cases(js, Path(__file__).with_name("tax_cases.json")) == 19


# ------------------------------------------------------- generated documents


def _number(dice, most, decimals):
    """Decimal text: mostly whole, sometimes with a fraction."""
    places = dice.choice((0, 0, 0, *range(1, decimals + 1)))
    return f"{Decimal(dice.randint(0, most * 10**places)).scaleb(-places):f}"


def _line(dice, basis, sign):
    line = {
        "qty": ("-" if sign < 0 else "") + dice.choice(("1", "1", "1", "2", "3", "12", _number(dice, 9, 3))),
        # Now and then so much that floats would no longer be exact.
        "unit_price": _number(dice, dice.choice((99, 999, 9999, 99999, 10**12)), 2),
        "rate": dice.choice(("10", "10", "10", "8R", "8R", "8R", "8N", "1F", "0E", "0X")),
    }
    if dice.random() < 0.3:
        kind = dice.choice(("amount", "percent"))
        line["line_discount"] = {"type": kind, "value": _number(dice, 99, 1)}
    if dice.random() < 0.1:
        line["line_amount_rounding"] = dice.choice(DIRECTIONS)
    if basis == "mixed":
        line["price_basis"] = dice.choice(BASES[:2])
    return line


def _sale(dice, sign):
    basis = dice.choice(BASES)
    lines = [_line(dice, basis, sign if dice.random() < 0.95 else -sign) for _ in range(dice.randint(1, 8))]
    sale = {
        "kind": "sale",
        "document_type": "return_invoice" if sign < 0 else "simplified_invoice",
        "date": "2026-11-28",
        "price_basis": basis,
        "tax_rounding": dice.choice(DIRECTIONS),
        "lines": lines,
    }
    if basis == "mixed":
        sale["conversion"] = {"to": dice.choice(BASES[:2]), "rounding": dice.choice(DIRECTIONS)}
    allocation = dice.choice(("proportional_by_rate", "proportional_by_rate", f"to_rate:{lines[0]['rate']}"))
    if dice.random() < 0.4:
        kind = dice.choice(("amount", "percent"))
        value = _number(dice, 99, 1) if kind == "percent" else str(dice.randint(0, 2000))
        sale["order_discount"] = {"type": kind, "value": value, "allocation": allocation}
    if dice.random() < 0.4:
        treatment = dice.choice(("price_reduction", "payment"))
        sale["points"] = {"amount": dice.randint(0, 500), "treatment": treatment}
    if dice.random() < 0.2:
        sale["cash_tendered"] = dice.choice((1000, 10000, "50000"))
    if dice.random() < 0.2:
        sale.update(date=dice.choice(("2026-10-31", "2026-11-01", "2027-12-31")), tax_free={"candidate": True})
    return sale


def _document(dice):
    if dice.random() < 0.1:
        return {"kind": "exchange", "date": "2026-11-28", "sale": _sale(dice, 1), "return": _sale(dice, -1)}
    return _sale(dice, dice.choice((1, 1, -1)))


def _python(function, *values, **options):
    try:
        return {"value": function(*values, **options)}
    except ValueError as error:
        return {"error": str(error)}


def test_generated_documents(js):
    """Python and JavaScript agree to the yen, or both refuse with the same sentence."""
    dice = random.Random(20261128)
    documents = [_document(dice) for _ in range(DOCUMENTS)]
    answers = js([("compute", [document]) for document in documents])
    computed = Counter()
    for document, answer in zip(documents, answers, strict=True):
        assert answer == _python(calculator.compute, document), json.dumps(document)
        if "value" in answer:
            sale = document.get("sale", document)
            computed.update([document["kind"], sale["document_type"], (sale["price_basis"], sale["tax_rounding"])])
            computed.update(sale.keys() & {"order_discount", "points", "cash_tendered", "tax_free"})
            computed.update({(line.get("line_discount") or {}).get("type") for line in sale["lines"]})
            computed.update({f"{len({line['rate'] for line in sale['lines']})} rates"})
    # The documents are what the test is about: most compute, and each feature is there often.
    assert computed["sale"] + computed["exchange"] > 0.95 * DOCUMENTS
    often = [
        "exchange",
        "return_invoice",
        "order_discount",
        "points",
        "tax_free",
        "amount",
        "percent",
        "1 rates",
        "3 rates",
    ]
    often += [(basis, direction) for basis in BASES for direction in DIRECTIONS]
    assert [feature for feature in often if computed[feature] < 200] == []


def test_generated_roundings(js):
    """The functions a till calls one by one."""
    dice = random.Random(7)
    calls, expected = [], []
    for _ in range(2000):
        amount = dice.choice((1, -1)) * dice.randint(0, dice.choice((100, 100_000, 10**14)))
        percent, direction = dice.choice((0, 1, 8, 10)), dice.choice((*DIRECTIONS, "down", "up"))
        options = {"included": dice.random() < 0.5, "direction": direction}
        weights = {key: dice.randint(-9, 999) for key in dice.sample(calculator.CATEGORIES, dice.randint(1, 6))}
        # A JavaScript object names "10" before all others, and Python's keeps the order given.
        weights = dict(sorted(weights.items(), key=lambda entry: entry[0] != "10"))
        calls += [
            ("roundTax", [amount, percent, options]),
            ("byRate", [weights, options]),
            ("split", [amount % 10_000, weights]),
            ("split", [amount % 100, {str(place): weight for place, weight in enumerate([7, 7, *range(12)])}]),
        ]
        expected += [
            _python(calculator.round_tax, amount, percent, **options),
            _python(calculator.by_rate, weights, **options),
            _python(calculator.split, amount % 10_000, weights),
            _python(calculator.split, *calls[-1][1]),
        ]
    for call, answer, wanted in zip(calls, js(calls), expected, strict=True):
        assert answer == wanted, call


LINE = {"qty": "1", "unit_price": "100", "rate": "10"}
SALE = {"kind": "sale", "price_basis": "tax_included", "lines": [LINE]}


WRONG = [
    "text",
    {},
    {**SALE, "price_basis": "net"},
    {**SALE, "tax_rounding": "bankers"},
    {**SALE, "lines": "none"},
    {**SALE, "lines": [7]},
    {**SALE, "lines": [{"qty": "1", "rate": "10"}]},
    {**SALE, "lines": [{**LINE, "rate": "5"}]},
    {**SALE, "lines": [{**LINE, "qty": "one"}]},
    {**SALE, "lines": [{**LINE, "qty": ""}]},
    {**SALE, "lines": [{**LINE, "qty": "."}]},
    {**SALE, "lines": [{**LINE, "qty": 0.1}]},
    {**SALE, "lines": [{**LINE, "qty": True}]},
    {**SALE, "lines": [{**LINE, "qty": None}]},
    {**SALE, "lines": [{**LINE, "unit_price": "1e3"}]},
    {**SALE, "lines": [{**LINE, "price_basis": "tax_excluded"}]},
    {**SALE, "lines": [{**LINE, "line_discount": {"type": "gift", "value": "1"}}]},
    {**SALE, "price_basis": "mixed"},
    {**SALE, "order_discount": {"type": "amount"}},
    {**SALE, "order_discount": {"type": "amount", "value": "1", "allocation": "to_rate:8R"}},
    {**SALE, "order_discount": {"type": "amount", "value": "1", "allocation": "10"}},
    {**SALE, "lines": [], "order_discount": {"type": "amount", "value": "1"}},
    {**SALE, "points": {"amount": 1, "treatment": "gift"}},
    {**SALE, "points": 500},
    {"kind": "exchange", "sale": SALE},
]


def test_both_refuse(js):
    """What Python refuses, JavaScript does not compute."""
    for wrong, answer in zip(WRONG, js([("compute", [wrong]) for wrong in WRONG]), strict=True):
        assert "error" in _python(calculator.compute, wrong), wrong
        assert "error" in answer, wrong


def test_too_many_yen(js):
    """An amount a JavaScript number cannot hold is refused, not rounded."""
    sale = {**SALE, "lines": [{**LINE, "unit_price": str(2**53)}]}
    assert js([("compute", [sale]), ("roundTax", [2**53, 10, {"included": True, "direction": "down"}])]) == [
        {"error": f"{2**53} yen are too many to be exact"},
        {"error": f"amount is {2**53}, not a whole number"},
    ]
    sale["lines"][0]["unit_price"] = str(2**53 - 1)
    assert js([("compute", [sale])])[0]["value"]["total_incl"] == 2**53 - 1
