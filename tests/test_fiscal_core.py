# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Rounding, splitting, dated rates, registration numbers, types of documents and the purchase ladder."""

import itertools
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from fiscal.calculator import CATEGORIES, by_rate, compute, is_reduced, percent_of, round_tax, split
from fiscal.documents import DOCUMENT_TYPES, document_type, relation_of, return_waiver
from fiscal.purchase import credit_tenths
from fiscal.rates import RATES, food_category, rate_on
from fiscal.registration import check_digit, is_valid_on, parse
from hypothesis import given
from hypothesis import strategies as st

YEN = st.integers(-10_000_000, 10_000_000)
DIRECTION = st.sampled_from(("down", "half_up", "up"))
GROUPS = st.dictionaries(st.sampled_from(CATEGORIES), YEN, min_size=1)


# ---------------------------------------------------------------- rounding


@given(YEN, st.sampled_from((0, 1, 8, 10)), st.booleans(), DIRECTION)
def test_tax_is_rounded_once_as_told(amount, percent, included, direction):
    """Against exact fractions; and a return has its sale's tax with the sign turned."""
    tax = round_tax(amount, percent, included=included, direction=direction)
    exact = Fraction(abs(amount) * percent, 100 + percent if included else 100)
    half_up = int(exact + Fraction(1, 2))
    assert abs(tax) == {"down": int(exact), "half_up": half_up, "up": -int(-exact // 1)}[direction]
    assert round_tax(-amount, percent, included=included, direction=direction) == -tax


def test_direction_by_either_name():
    """Companies say down and up, worked cases floor and ceil; nothing else is guessed."""
    for ours, theirs in (("down", "floor"), ("half_up", "half_up"), ("up", "ceil")):
        found = [round_tax(55, 10, included=False, direction=name) for name in (ours, theirs)]
        assert found[0] == found[1]
    with pytest.raises(ValueError, match="'HALF-UP' is not one of down, half_up, up"):
        round_tax(55, 10, included=False, direction="HALF-UP")


def test_categories():
    """What each is worth, and which are marked."""
    assert {category: percent_of(category) for category in CATEGORIES} == {
        "10": 10, "8R": 8, "8N": 8, "1F": 1, "0E": 0, "0X": 0,
    }  # fmt: skip
    assert [category for category in CATEGORIES if is_reduced(category)] == ["8R", "8N", "1F"]
    for unknown in ("8", 10, None, []):
        with pytest.raises(ValueError, match="is not one of 10, 8R, 8N, 1F, 0E, 0X"):
            percent_of(unknown)


# --------------------------------------------------------------- splitting


@given(st.integers(-100_000, 100_000), st.dictionaries(st.sampled_from(CATEGORIES), st.integers(0, 99_999), min_size=1))
def test_split_adds_up(amount, weights):
    """To the amount; each part within a yen of its exact share; and mirrored for returns."""
    whole = sum(weights.values())
    if not whole:
        return
    parts = split(amount, weights)
    assert sum(parts.values()) == amount and parts.keys() == weights.keys()
    assert all(abs(parts[key] - Fraction(amount * weights[key], whole)) < 1 for key in weights)
    mirrored = split(-amount, {key: -weight for key, weight in weights.items()})
    assert mirrored == {key: -part for key, part in parts.items()}
    assert split(amount, {key: -weight for key, weight in weights.items()}) == parts


def test_split_ties():
    """To the higher rate; of one rate to the first; keys that are no rates: to the one named first."""
    assert split(1, {"8R": 100, "10": 100}) == {"8R": 0, "10": 1}
    assert split(1, {"0E": 5, "1F": 5, "8N": 5, "10": 5}) == {"0E": 0, "1F": 0, "8N": 0, "10": 1}
    assert split(2, {"0E": 5, "1F": 5, "8N": 5, "8R": 5}) == {"0E": 0, "1F": 0, "8N": 1, "8R": 1}
    assert split(2, {"first": 7, "second": 7, "third": 7}) == {"first": 1, "second": 1, "third": 0}
    places = dict.fromkeys(map(str, range(11)), 7)
    assert split(1, places) == {**dict.fromkeys(places, 0), "0": 1}


def test_split_over_what_is_taken_back():
    """A group of the other sign bears nothing; over nothing only nothing can be spread."""
    assert split(100, {"10": 1000, "8R": -540}) == {"10": 100, "8R": 0}
    assert split(-100, {"10": 300, "8R": -540}) == {"10": 0, "8R": -100}
    assert split(0, {"10": 0}) == {"10": 0}
    for weights in ({}, {"10": 0}, {"10": 5, "8R": -5}):
        with pytest.raises(ValueError, match="nothing to spread it over"):
            split(7, weights)


# ------------------------------------------------------------ rates of a document


@given(GROUPS, st.booleans(), DIRECTION)
def test_one_rounding_for_each_rate(groups, included, direction):
    """The taxes of categories of one percentage add up to one rounding of their sum; base + tax = total."""
    rates = by_rate(groups, included=included, direction=direction)
    assert list(rates) == [category for category in CATEGORIES if category in groups]
    for percent in (10, 8, 1, 0):
        same = [category for category in groups if percent_of(category) == percent]
        whole = round_tax(sum(groups[category] for category in same), percent, included=included, direction=direction)
        assert sum(rates[category]["tax"] for category in same) == whole
    for category, rate in rates.items():
        assert rate["taxable_base_excl"] + rate["tax"] == rate["total_incl"]
        assert rate["total_incl" if included else "taxable_base_excl"] == groups[category]
        exact = Fraction(groups[category] * percent_of(category), 100 + percent_of(category) if included else 100)
        assert abs(rate["tax"] - exact) <= 1
    mirrored = by_rate({key: -yen for key, yen in groups.items()}, included=included, direction=direction)
    assert mirrored == {key: {name: -yen for name, yen in rate.items()} for key, rate in rates.items()}


def test_compute_wants_exact_numbers():
    """A float is not the price that was written."""
    sale = {"kind": "sale", "price_basis": "tax_included", "lines": [{"qty": 1, "unit_price": 0.1, "rate": "10"}]}
    with pytest.raises(ValueError, match="line 1: unit_price is 0.1, not a whole number"):
        compute(sale)
    sale["lines"][0]["unit_price"] = Decimal("12.9")
    assert compute(sale)["line_amounts"] == [12]


def test_compute_leaves_its_input_alone():
    """The same document computed twice is the same."""
    sale = {
        "kind": "sale",
        "price_basis": "tax_included",
        "lines": [{"qty": "1", "unit_price": "1000", "rate": "10"}],
        "order_discount": {"type": "percent", "value": "10"},
        "points": {"amount": 5, "treatment": "price_reduction"},
    }
    before = repr(sale)
    assert compute(sale) == compute(sale) and repr(sale) == before


def test_tax_free_begins_on_its_day():
    """Before 2026-11-01 there is no refund method; 5,000 yen without tax is enough."""
    sale = {
        "kind": "sale",
        "price_basis": "tax_excluded",
        "lines": [{"qty": "1", "unit_price": "5000", "rate": "10"}],
        "tax_free": {"candidate": True},
    }
    assert "tax_free" not in compute({**sale, "date": "2026-10-31"})
    found = compute({**sale, "date": "2026-11-01"})["tax_free"]
    assert (found["threshold_met"], found["customs_deadline"]) == (True, "2027-01-30")
    assert "tax_free" not in compute({**sale, "date": "2026-11-01", "tax_free": {"candidate": False}})


def test_net_exchange_needs_one_basis():
    """Two documents that round differently cannot be rounded as one."""
    line = {"unit_price": "100", "rate": "10"}
    sale = {"kind": "sale", "price_basis": "tax_included", "lines": [{**line, "qty": "1"}]}
    back = {"kind": "sale", "price_basis": "tax_included", "lines": [{**line, "qty": "-1"}]}
    assert "method_net" in compute({"kind": "exchange", "sale": sale, "return": back})
    for other in ({"price_basis": "tax_excluded"}, {"tax_rounding": "ceil"}):
        found = compute({"kind": "exchange", "sale": sale, "return": {**back, **other}})
        assert "method_net" not in found and found["method_gross"]["sale"]["total_incl"] == 100


# -------------------------------------------------------------- dated rates


def test_rates_add_up():
    """National and local part make the percentage; rows of one category and kind do not overlap."""
    for rate in RATES:
        assert rate.national + rate.local == rate.percent == percent_of(rate.category)
        assert rate.valid_to is None or rate.valid_from <= rate.valid_to
    assert {rate.category for rate in RATES} == set(CATEGORIES)


def test_rate_by_the_day_of_supply():
    """In force from its first day; nothing before it."""
    assert rate_on("10", date(2019, 10, 1)).national == Decimal("7.8")
    with pytest.raises(ValueError, match="no rate 10 is in force on 2019-09-30"):
        rate_on("10", date(2019, 9, 30))


def test_food_rate_is_prepared_but_off():
    """Nothing chooses the 1 % row while it is not enacted, and the row says so."""
    days = (date(2027, 4, 1), date(2028, 1, 1), date(2029, 3, 31))
    for day in days:
        assert food_category(day) == "8R"
        with pytest.raises(ValueError, match="no rate 1F is in force"):
            rate_on("1F", day)
    pending = [rate for rate in RATES if not rate.is_enacted]
    assert {rate.category for rate in pending} == {"1F", "8R"}
    assert all("not promulgated as far as known" in rate.note for rate in pending)


def test_food_rate_once_enacted():
    """One flag in the data switches it on, from its first to its last day; a return keeps the rate of its sale."""
    enacted = [rate._replace(is_enacted=True) for rate in RATES]
    days = {date(2027, 3, 31): "8R", date(2027, 4, 1): "1F", date(2029, 3, 31): "1F", date(2029, 4, 1): "8R"}
    for day, category in days.items():
        assert food_category(day, rates=enacted) == category
    assert rate_on("8R", date(2027, 4, 5), transitional=True, rates=enacted).transitional
    sold_on = date(2027, 3, 30)
    assert rate_on(food_category(sold_on, rates=enacted), sold_on, rates=enacted).percent == 8


# ------------------------------------------------------ registration numbers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("T7000012050002", ("T7000012050002", True, True)),
        ("t7000-0120-50002 ", ("T7000012050002", True, True)),
        ("Ｔ７００００１２０５０００２", ("T7000012050002", True, True)),
        ("T7000012050003", ("T7000012050003", True, False)),
        ("T9011001029597", ("T9011001029597", True, True)),
        ("7000012050002", ("7000012050002", False, True)),
        ("T700001205000", ("T700001205000", False, None)),
        ("T70000120500021", ("T70000120500021", False, None)),
        ("T70000120५0002", ("T70000120५0002", False, None)),
        ("", ("", False, None)),
        (None, ("", False, None)),
    ],
)
def test_registration_numbers(text, expected):
    """Shape and check digit are told apart; the way it is written does not matter."""
    assert parse(text) == expected


@given(st.integers(0, 10**12 - 1))
def test_check_digit_is_never_zero(base):
    """It is 1 to 9, and makes the number a right one."""
    digit = check_digit(f"{base:012}")
    assert 1 <= digit <= 9
    assert parse(f"T{digit}{base:012}").corporate_check_digit_ok
    assert not parse(f"T{digit % 9 + 1}{base:012}").corporate_check_digit_ok


def test_validity_on_the_day():
    """Both days count; an open end is open."""
    first, last = date(2026, 10, 1), date(2026, 12, 31)
    day = timedelta(days=1)
    valid = {first - day: False, first: True, last: True, last + day: False}
    assert {one: is_valid_on(one, first, last) for one in valid} == valid
    assert is_valid_on(first - day, None, last) and is_valid_on(last + day, first, False)


# ---------------------------------------------------------------- documents


def test_type_of_a_sale():
    """A return is one whoever asks; an invoice only on request."""
    assert document_type() == "simplified"
    assert document_type(is_invoice=True) == "qualified"
    assert document_type(is_summary=True, is_invoice=True) == "summary"
    assert document_type(is_return=True, is_summary=True, is_invoice=True) == "return"


@pytest.mark.parametrize(("yen", "is_waived"), [(9999, 1), (-9999, 1), (0, 1), (10000, 0), (-10000, 0)])
def test_return_waiver(yen, is_waived):
    """Below 10,000 yen with tax, however it is signed."""
    assert return_waiver(yen) == ("return below 10,000 yen" if is_waived else "")


def test_one_effective_document():
    """Every pair of types: what the second is to the first, or why it may not be."""
    allowed = {
        ("simplified", "qualified"): "supersede",
        ("simplified", "summary"): "supersede",
        ("qualified", "summary"): "supersede",
    }
    for old, new in itertools.product(DOCUMENT_TYPES, repeat=2):
        if new == "return":
            assert relation_of(new, old) == "return"
        elif (old, new) in allowed:
            assert relation_of(new, old) == "supersede"
        else:
            with pytest.raises(ValueError, match=f"has its {old} document"):
                relation_of(new, old)
    assert [relation_of(new) for new in DOCUMENT_TYPES] == ["issue", "issue", "return", "issue"]


def test_correction_keeps_the_type():
    """A corrected document stands for one of its own type."""
    for kind in DOCUMENT_TYPES:
        assert relation_of(kind, kind, is_correction=True) == "correct"
    with pytest.raises(ValueError, match="a qualified document corrects none of type simplified"):
        relation_of("qualified", "simplified", is_correction=True)
    with pytest.raises(ValueError, match="document type 'receipt' is not one of"):
        relation_of("receipt")


# ----------------------------------------------------------------- purchases


@pytest.mark.parametrize(
    ("day", "tenths"),
    [
        ("2023-09-30", 10), ("2023-10-01", 8), ("2026-09-30", 8), ("2026-10-01", 7), ("2028-09-30", 7),
        ("2028-10-01", 5), ("2030-09-30", 5), ("2030-10-01", 3), ("2031-09-30", 3), ("2031-10-01", 0),
    ],
)  # fmt: skip
def test_ladder(day, tenths):
    """Each stage, from its first day to its last."""
    terms = {"is_registered": False, "is_small_buyer": False, "amount": 11000}
    assert credit_tenths(date.fromisoformat(day), **terms) == tenths
    assert credit_tenths(date.fromisoformat(day), **terms | {"is_registered": True}) == 10


def test_small_amounts():
    """Below 10,000 yen, for small buyers, from the first to the last day of the rule."""
    terms = {"is_registered": False, "is_small_buyer": True, "amount": 9999}
    first, last = date(2023, 10, 1), date(2029, 9, 30)
    assert [credit_tenths(day, **terms) for day in (first, last, last + timedelta(days=1))] == [10, 10, 5]
    assert credit_tenths(last, **terms | {"amount": 10000}) == 5
    assert credit_tenths(last, **terms | {"amount": -9999}) == 10
    assert credit_tenths(last, **terms | {"is_small_buyer": False}) == 5


@given(st.integers(1, 10_000_000), st.sampled_from(("10", "8R", "8N", "1F")), DIRECTION)
def test_purchase_is_rounded_once(amount, rate, direction):
    """The creditable part and the rest make what was paid."""
    found = compute(
        {"kind": "purchase", "date": "2026-12-01", "rate": rate, "amount_incl": amount, "supplier_registered": False,
         "tax_rounding": direction}
    )  # fmt: skip
    exact = Fraction(amount * percent_of(rate) * 7, (100 + percent_of(rate)) * 10)
    rounded = {"down": int(exact), "half_up": int(exact + Fraction(1, 2)), "up": -int(-exact // 1)}[direction]
    assert found["creditable_tax"] == rounded
    assert found["creditable_tax"] + found["expense_or_asset_amount"] == amount
