# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Summary invoices: tax rounded once or added up (golden cases G39 and G40), closing days, periods."""

from datetime import date

from fiscal import summary

NOTES = [{"10": (1333, 133)}, {"10": (2666, 266)}, {"10": (999, 99)}]


def test_tax_is_rounded_once_on_the_summary():
    found = summary.tax_of(NOTES, included=False, direction="down", is_rounded_once=True)
    assert found == ({"10": (4998, 499)}, {"10": 1})


def test_tax_of_qualified_notes_is_added_up():
    found = summary.tax_of(NOTES, included=False, direction="down", is_rounded_once=False)
    assert found == ({"10": (4998, 498)}, {})


def test_with_tax_in_the_price_the_total_stays():
    notes = [{"10": (96, 9)}, {"10": (96, 9), "8R": (100, 8)}]
    found = summary.tax_of(notes, included=True, direction="down", is_rounded_once=True)
    assert found == ({"10": (191, 19), "8R": (100, 8)}, {"10": 1})


def test_returns_are_taken_off_before_rounding():
    notes = [{"10": (1333, 133)}, {"10": (-334, -33)}]
    found = summary.tax_of(notes, included=False, direction="down", is_rounded_once=True)
    assert found == ({"10": (999, 99)}, {"10": -1})


def test_end_of_month_is_the_last_day_whatever_the_month():
    assert summary.is_closing(date(2026, 11, 30), 31)
    assert summary.is_closing(date(2027, 2, 28), 31)
    assert not summary.is_closing(date(2026, 11, 29), 31)
    assert summary.is_closing(date(2026, 11, 20), 20)


def test_a_period_begins_the_day_after_the_closing_before():
    assert summary.period_start(date(2026, 11, 20), 20) == date(2026, 10, 21)
    assert summary.period_start(date(2027, 3, 31), 31) == date(2027, 3, 1)
    assert summary.period_start(date(2027, 1, 10), 10) == date(2026, 12, 11)
