# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What fits on a paper."""

import paper_layout


def test_yen_and_figures():
    assert [paper_layout.yen(n) for n in (0, 1234567, -540)] == ["¥0", "¥1,234,567", "-¥540"]
    assert [paper_layout.figure(v) for v in ("2", "-1200.50", 1980, "0.125", "1.0")] == [
        "2", "-1,200.5", "1,980", "0.125", "1",
    ]  # fmt: skip


def test_full_width_characters_take_two_columns():
    assert paper_layout.text_lines("あ" * 15 + "a", 31) == 1
    assert paper_layout.text_lines("あ" * 16, 31) == 2
    assert paper_layout.text_lines("", 31) == 1


def test_rows_fill_sheets_in_order_and_none_is_lost():
    first, more = paper_layout.FIRST_SHEET, paper_layout.NEXT_SHEET
    pages = paper_layout.sheets([1] * (first + more + 1), 8)
    assert [len(page) for page in pages] == [first, more, 1]
    assert [position for page in pages for position in page] == list(range(first + more + 1))


def test_totals_never_stand_across_a_break():
    first = paper_layout.FIRST_SHEET
    assert paper_layout.sheets([1] * (first - 8), 8) == [list(range(first - 8))]
    assert paper_layout.sheets([1] * (first - 7), 8) == [list(range(first - 7)), []]
