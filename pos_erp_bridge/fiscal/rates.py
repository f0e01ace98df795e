# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Rates of consumption tax as dated rows. The day of supply chooses; a return takes the day of the sale it undoes."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple


class Rate(NamedTuple):
    """``percent`` = national + local. The last day is included; None: no end is known.

    ``transitional``: kept for supplies a reform leaves at the old rate. ``is_enacted``: false for a row that is only
    prepared; it is never chosen.
    """

    category: str
    percent: int
    national: Decimal
    local: Decimal
    valid_from: date
    valid_to: date | None = None
    transitional: bool = False
    is_enacted: bool = True
    note: str = ""


_2019 = date(2019, 10, 1)
_CUT = (date(2027, 4, 1), date(2029, 3, 31))
_PENDING = "Bill of autumn 2026; not promulgated as far as known. Not in use."

RATES = (
    Rate("10", 10, Decimal("7.8"), Decimal("2.2"), _2019),
    Rate("8R", 8, Decimal("6.24"), Decimal("1.76"), _2019),
    Rate("8N", 8, Decimal("6.24"), Decimal("1.76"), _2019),
    Rate("1F", 1, Decimal("0.78"), Decimal("0.22"), *_CUT, is_enacted=False, note=_PENDING),
    # Mail order and periodic supply that the bill would leave at 8 %.
    Rate("8R", 8, Decimal("6.24"), Decimal("1.76"), *_CUT, transitional=True, is_enacted=False, note=_PENDING),
    Rate("0E", 0, Decimal(0), Decimal(0), _2019),
    Rate("0X", 0, Decimal(0), Decimal(0), _2019),
)


def rate_on(category, day, *, transitional=False, rates=RATES):
    """The enacted row of a category on the day of supply; ValueError when none is in force."""
    for rate in rates:
        if (
            rate.category == category
            and rate.transitional == transitional
            and rate.is_enacted
            and rate.valid_from <= day
            and (rate.valid_to is None or day <= rate.valid_to)
        ):
            return rate
    raise ValueError(f"no rate {category} is in force on {day}")


def food_category(day, *, rates=RATES):
    """Category of food and drinks (no alcohol, not eaten in) supplied on that day."""
    try:
        return rate_on("1F", day, rates=rates).category
    except ValueError:
        return "8R"
