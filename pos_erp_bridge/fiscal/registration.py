# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Registration numbers of issuers of qualified invoices: T and 13 digits."""

import re
import unicodedata
from typing import NamedTuple

SHAPE = re.compile(r"T[0-9]{13}")
DIGITS = re.compile(r"T?([0-9]{13})")


class Registration(NamedTuple):
    """``corporate_check_digit_ok`` is None when there are not 13 digits. Only corporations' numbers are known to follow
    that rule: the shape is required, a wrong check digit is a warning."""

    number: str
    shape_ok: bool
    corporate_check_digit_ok: bool | None


def parse(text):
    """A number as people write it (full-width, with spaces or hyphens) → Registration."""
    number = re.sub(r"[\s\-‐‑–−ー]", "", unicodedata.normalize("NFKC", str(text or ""))).upper()
    digits = DIGITS.fullmatch(number)
    checks = check_digit(digits[1][1:]) == int(digits[1][0]) if digits else None
    return Registration(number, bool(SHAPE.fullmatch(number)), checks)


def check_digit(base):
    """First digit of a corporate number from its other twelve."""
    weighted = sum(int(digit) * (1 if place % 2 else 2) for place, digit in enumerate(reversed(base), 1))
    return 9 - weighted % 9


def is_valid_on(day, valid_from, valid_to):
    """Registered on the day of supply. Both days are included; None leaves that end open."""
    return (not valid_from or valid_from <= day) and (not valid_to or day <= valid_to)
