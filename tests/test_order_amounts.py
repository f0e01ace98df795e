# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Arithmetic of web orders: whatever is spread or cut adds up again."""

from decimal import Decimal as D
from types import SimpleNamespace

import pytest
from connectors.records import TaxAmount
from fiscal.order_amounts import difference, likely_cause, plain, share, spread_taxes, tax_gaps
from hypothesis import given
from hypothesis import strategies as st

amounts = st.integers(-10_000, 1_000_000).map(D)


def line(amount, rate=10, tax=0, kind="product"):
    return SimpleNamespace(amount=D(amount), tax_rate=D(rate), tax=D(tax), kind=kind)


def order(*lines, total, taxes=(), refunds=(), payments=()):
    return SimpleNamespace(lines=lines, total=D(total), taxes=taxes, refunds=refunds, payments=payments)


@given(st.lists(st.tuples(amounts, st.sampled_from([8, 10])), min_size=1, max_size=12), st.integers(-30, 30))
def test_spread_taxes_reach_the_document(rows, off):
    """Per rate the lines' taxes are the document's, and no line is further off than its share of the units."""
    lines = [line(amount, rate, amount * rate // (100 + rate)) for amount, rate in rows]
    taxes = [
        TaxAmount(D(rate), rate == 8, D(0), sum(x.tax for x in lines if x.tax_rate == rate) + off)
        for rate in {rate for _amount, rate in rows}
    ]
    spread = spread_taxes(lines, taxes)
    for tax in taxes:
        places = [i for i, x in enumerate(lines) if x.tax_rate == tax.rate]
        assert sum(spread[i] for i in places) == tax.tax
        assert max(abs(spread[i] - lines[i].tax) for i in places) <= -(-abs(off) // len(places))


def test_spread_taxes_without_document():
    assert spread_taxes([line(108, 8, 8), line(110, 10, 10)], ()) == [D(8), D(10)]


@given(amounts, st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_shares_add_up(amount, parts):
    """However a line is cut, its parts are the whole."""
    whole, done, total = sum(parts), 0, D(0)
    for part in parts:
        total += share(amount, D(done), D(part), D(whole))
        done += part
    assert total == amount


def test_share_of_nothing():
    assert share(D(100), D(0), D(1), D(0)) == 0


@pytest.mark.parametrize(
    ("document", "cause"),
    [
        (order(line(1000, tax=90), total=910), "tax"),
        (order(line(1000), total=600, refunds=[SimpleNamespace(amount=D(400))]), "refund"),
        (order(line(1000), total=700, payments=[SimpleNamespace(amount=D(300), kind="gift_card")]), "gift_card"),
        (order(line(1000), total=700, payments=[SimpleNamespace(amount=D(300), kind="points")]), "points"),
        (order(line(1000), line(660, kind="shipping"), total=1000), "shipping"),
        (order(line(1000), line(330, kind="fee"), total=1000), "fee"),
        (order(line(1000), line(550), total=1000), "line"),
        (order(line(1000), line(550), total=1551), "rounding"),
        (order(line(1000), line(550), total=1234), ""),
    ],
)
def test_likely_cause(document, cause):
    assert difference(document) != 0
    assert likely_cause(document) == cause


def test_tax_gaps():
    document = order(
        line(1000),
        line(108, 8),
        total=1108,
        taxes=[TaxAmount(D(8), True, D(100), D(7)), TaxAmount(D(10), False, D(1000), D(90))],
    )
    assert tax_gaps(document) == [(D(8), D(108), D(100))]
    assert tax_gaps(order(line(1000), total=1000)) == []


@pytest.mark.parametrize(
    ("amount", "text"), [("1E+3", "1,000"), ("0.50", "0.5"), ("-12", "-12"), ("0", "0"), ("1234567", "1,234,567")]
)
def test_plain(amount, text):
    assert plain(D(amount)) == text
