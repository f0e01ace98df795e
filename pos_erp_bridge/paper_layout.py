# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""How much fits on a paper: text lines by width, pages by lines, the length of a roll. No Odoo, no document."""

import unicodedata

# Columns of half-width characters in the widest cell of a line's name.
ROLL_COLUMNS = {"80": 46, "58": 31}
SHEET_COLUMNS, SLIP_COLUMNS = 50, 32
# Text lines of the body of an A4 sheet, below the heads of the first one and of those that follow.
FIRST_SHEET, NEXT_SHEET = 30, 40
ROLL_LINE_MM = 4.5


def yen(amount):
    """¥1,234, or -¥1,234. Takes whole yen."""
    return f"{'-' if amount < 0 else ''}¥{abs(amount):,}"


def figure(value):
    """A price or quantity, an int or a decimal string, with thousands set apart and no idle zeros."""
    whole, _, decimals = str(value).partition(".")
    decimals = decimals.rstrip("0")
    sign, whole = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    return f"{sign}{int(whole or 0):,}" + (f".{decimals}" if decimals else "")


def width(text):
    """Columns a text takes: two for each full-width character."""
    return sum(2 if unicodedata.east_asian_width(char) in "WFA" else 1 for char in text)


def text_lines(text, columns):
    """How many lines of so many columns a text takes."""
    return sum(max(1, -(-width(part) // columns)) for part in (text or "").split("\n"))


def sheets(heights, foot):
    """Which rows go on which sheet, as lists of their positions.

    ``heights`` are the rows' text lines, ``foot`` those of what stands below the last row: it never stands across a
    break, so a last sheet may hold no row.
    """
    pages, left = [[]], FIRST_SHEET
    for position, height in enumerate(heights):
        if height > left and pages[-1]:
            pages.append([])
            left = NEXT_SHEET
        pages[-1].append(position)
        left -= height
    if foot > left and pages[-1]:
        pages.append([])
    return pages
