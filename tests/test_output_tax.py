# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Output tax of a period by division and by accumulation."""

from fiscal import output_tax


def test_division_rounds_the_base_down_to_a_thousand():
    assert output_tax.division({10: 1_234_567, 8: 999_999}) == {
        10: {"base": 1_122_000, "national": 87_516},
        8: {"base": 925_000, "national": 57_720},
    }


def test_accumulation_takes_78_of_100():
    assert output_tax.accumulation({10: 112_233, 8: 74_001}) == {
        10: {"tax": 112_233, "national": 87_541},
        8: {"tax": 74_001, "national": 57_720},
    }


def test_what_has_no_tax_is_left_out():
    assert output_tax.division({0: 5_000_000}) == output_tax.accumulation({0: 0}) == {}


def test_more_returns_than_sales_mirror_sales():
    assert output_tax.division({10: -1_234_567})[10] == {"base": -1_122_000, "national": -87_516}
    assert output_tax.accumulation({10: -101})[10]["national"] == -78


def test_local_tax():
    assert output_tax.local(87_516) == 24_684
    assert output_tax.local(-100) == -28


def test_one_percent():
    assert output_tax.division({1: 1_010_000})[1] == {"base": 1_000_000, "national": 7_800}
