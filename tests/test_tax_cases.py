# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Worked consumption-tax cases: those kept with the tests, those published beside the contracts, and bad files."""

import copy
import json
from pathlib import Path

import pytest
from fiscal import tax_cases

OWN = Path(__file__).with_name("tax_cases.json")
OWN_CASES = json.loads(OWN.read_text(encoding="utf-8"))["cases"]


def _run(capsys, path):
    """(exit status, lines printed)."""
    status = tax_cases.main([str(path)])
    return status, capsys.readouterr().out.splitlines()


@pytest.fixture
def run(capsys, tmp_path):
    """Runs a file with this object in it."""

    def run(data):
        path = tmp_path / "cases.json"
        path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
        return _run(capsys, path)

    return run


def test_golden_cases(capsys, golden_tax_cases):
    """Every published case is computed to the yen."""
    status, lines = _run(capsys, golden_tax_cases)
    assert [line for line in lines if line.startswith("FAILED")] == []
    assert (status, lines[-1]) == (0, "43 passed, 0 failed")
    assert lines[-2] == "registration numbers: 7 agree, 0 differ"


def test_own_cases(capsys):
    """So are the project's own."""
    status, lines = _run(capsys, OWN)
    assert [line for line in lines if line.startswith("FAILED")] == []
    assert (status, lines[-1]) == (0, f"{len(OWN_CASES)} passed, 0 failed")


def _figures(expected, path=()):
    """Path of every single figure in an expected result."""
    if isinstance(expected, dict | list):
        for key, value in expected.items() if isinstance(expected, dict) else enumerate(expected):
            yield from _figures(value, (*path, key))
    else:
        yield path


@pytest.mark.parametrize("case", OWN_CASES, ids=lambda case: case["id"])
def test_every_figure_is_compared(case):
    """One expected figure changed, any of them, and the case fails by its name."""
    for path in _figures(case["expected"]):
        changed = copy.deepcopy(case)
        place = changed["expected"]
        for key in path[:-1]:
            place = place[key]
        old = place[path[-1]]
        place[path[-1]] = (not old) if isinstance(old, bool) else old + 1 if isinstance(old, int) else old + "9"
        name = ".".join(str(key + 1 if isinstance(key, int) else key) for key in path)
        assert [sentence.split(" is ")[0] for sentence in tax_cases.judge(changed)] == [name]


def test_a_rate_too_many_is_a_difference():
    """by_rate is compared as a whole, other figures only where they are asked for."""
    case = copy.deepcopy(OWN_CASES[0])
    case["expected"] = {"by_rate": {}}
    assert tax_cases.judge(case) == ["by_rate.10 is not expected"]
    case["expected"] = {"amount_due": 999}
    assert tax_cases.judge(case) == []


SALE = OWN_CASES[0]["input"]
LINE = SALE["lines"][0]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("text", "the document is 'text', not an object"),
        ({}, "the document has no kind"),
        ({**SALE, "kind": "loan"}, "kind 'loan' is not one of"),
        ({**SALE, "kind": ["sale"]}, "kind ['sale'] is not one of"),
        ({**SALE, "price_basis": "net"}, "price_basis 'net' is not one of"),
        ({**SALE, "tax_rounding": "bankers"}, "rounding 'bankers' is not one of"),
        ({**SALE, "lines": "none"}, "lines is not a list"),
        ({**SALE, "lines": [7]}, "line 1 is 7, not an object"),
        ({**SALE, "lines": [{"qty": "1", "rate": "10"}]}, "line 1 has no unit_price"),
        ({**SALE, "lines": [LINE, {**LINE, "rate": "5"}]}, "rate '5' is not one of"),
        ({**SALE, "lines": [{**LINE, "rate": [10]}]}, "rate [10] is not one of"),
        ({**SALE, "lines": [{**LINE, "qty": "one"}]}, "line 1: qty is 'one'"),
        ({**SALE, "lines": [{**LINE, "qty": "1e999999999"}]}, "line 1: qty is '1e999999999'"),
        ({**SALE, "lines": [{**LINE, "qty": True}]}, "line 1: qty is True"),
        ({**SALE, "lines": [{**LINE, "price_basis": "tax_excluded"}]}, "line 1: price_basis differs"),
        ({**SALE, "lines": [{**LINE, "line_discount": {"type": "gift", "value": "1"}}]}, "type 'gift' is not one of"),
        ({**SALE, "price_basis": "mixed"}, "conversion has no to"),
        ({**SALE, "order_discount": {"type": "amount"}}, "order_discount has no value"),
        ({**SALE, "order_discount": {"type": "amount", "value": "1", "allocation": "to_rate:8R"}}, "allocation"),
        ({**SALE, "lines": [], "order_discount": {"type": "amount", "value": "1"}}, "nothing to spread it over"),
        ({**SALE, "points": {"amount": 1, "treatment": "gift"}}, "points treatment 'gift'"),
        ({**SALE, "points": 500}, "points is 500, not an object"),
        ({"kind": "exchange", "sale": SALE}, "the exchange has no return"),
        ({"kind": "session"}, "the session has no receipts"),
        ({"kind": "session", "receipts": 4}, "the case is malformed (TypeError"),
        ({"kind": "purchase", "date": "2026-10-01"}, "the purchase has no amount_incl"),
        ({"kind": "return_duty", "returns": [{}]}, "return 1 has no by_rate_incl"),
    ],
)
def test_malformed_case_fails_with_a_sentence(run, wrong, sentence):
    """It is counted as failed, says why, and the cases after it are still computed."""
    good = OWN_CASES[0]
    status, lines = run({"cases": [{"id": "X", "input": wrong, "expected": good["expected"]}, good]})
    assert (status, lines[-1]) == (1, "1 passed, 1 failed")
    assert lines[0].startswith("FAILED  X: ") and sentence in lines[0]


@pytest.mark.parametrize(
    "case", [7, None, {}, {"input": SALE}, {"input": SALE, "expected": {}}, {"expected": {"a": 1}}]
)
def test_case_without_its_parts(run, case):
    """What is no case at all is a failed one."""
    status, lines = run({"cases": [case]})
    assert (status, lines[-1]) == (1, "0 passed, 1 failed")


def test_unknown_keys_are_left_alone(run):
    """Notes and keys of later versions of the schema do not matter."""
    case = copy.deepcopy(OWN_CASES[0])
    case.update(notes="…", reviewer="…")
    case["input"].update(till="7", notes=["…"])
    case["input"]["lines"][0]["colour"] = "red"
    assert run({"cases": [case], "more": 1}) == (
        0,
        ["passed  P01  One included amount, rounded down", "1 passed, 0 failed"],
    )


def test_a_number_of_json_is_taken_as_it_is_written(run):
    """0.1 in the file is one tenth, not the float beside it."""
    sale = '{"kind": "sale", "price_basis": "tax_included", "lines": [{"qty": 0.1, "unit_price": 30, "rate": "10"}]}'
    case = f'{{"input": {sale}, "expected": {{"amount_due": 3}}}}'
    assert run(f'{{"cases": [{case}]}}') == (0, ["passed  case 1", "1 passed, 0 failed"])


def test_registration_number_that_differs(run):
    """It fails the run, beside the count of the cases."""
    entry = {"number": "T7000012050003", "shape_ok": True, "corporate_check_digit_ok": True}
    status, lines = run({"cases": [OWN_CASES[0]], "registration_number_cases": [entry]})
    assert (status, lines[-2:]) == (1, ["registration numbers: 0 agree, 1 differ", "1 passed, 0 failed"])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read: No such file"),
        (b"\xff\xfe\x00", "is not a text file in UTF-8."),
        (b"{", "is not JSON: "),
        (b"[]", 'has no list "cases".'),
        (b'{"cases": {}}', 'has no list "cases".'),
    ],
)
def test_unreadable_file(tmp_path, content, sentence):
    """A clear sentence instead of a traceback, and an exit status that is not 0."""
    path = tmp_path / "cases.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SystemExit) as stopped:
        tax_cases.main([str(path)])
    assert sentence in stopped.value.code and str(path) in stopped.value.code


def test_no_cases_is_no_success(run):
    """Nothing was proven."""
    assert run({"cases": []}) == (1, ["The file has no cases.", "0 passed, 0 failed"])
