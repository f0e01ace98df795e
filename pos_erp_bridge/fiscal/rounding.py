# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Rates, directions and the rounding of yen, on whole numbers only: no float ever touches an amount."""

import re
from decimal import Decimal

# 10 standard; 8R reduced (food, drinks); 8N reduced (newspapers); 1F food at 1 %; 0E exempt; 0X out of scope.
PERCENT = {"10": 10, "8R": 8, "8N": 8, "1F": 1, "0E": 0, "0X": 0}
CATEGORIES = tuple(PERCENT)  # the highest rate first
REDUCED = frozenset(("8R", "8N", "1F"))
# What a company sets, and what files of worked cases call it.
DIRECTIONS = {"down": "down", "half_up": "half_up", "up": "up", "floor": "down", "ceil": "up"}

NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
MAX_DIGITS = 30


def percent_of(category):
    """Whole percent of a category; ValueError for one that does not exist."""
    try:
        return PERCENT[category]
    except (KeyError, TypeError):
        raise ValueError(f"rate {category!r} is not one of {', '.join(CATEGORIES)}") from None


def is_reduced(category):
    """Goods of the category are marked on a document."""
    return category in REDUCED


def direction_of(name):
    """down, half_up or up, from either way of writing it."""
    try:
        return DIRECTIONS[name]
    except (KeyError, TypeError):
        raise ValueError(f"rounding {name!r} is not one of {', '.join(DIRECTIONS)}") from None


def exact(value, what="amount"):
    """A whole number or decimal text as (numerator, denominator). Floats are refused: they are not what was written."""
    is_plain = isinstance(value, Decimal) and abs(value.adjusted()) < MAX_DIGITS
    text = f"{value:f}" if is_plain else str(value)
    if isinstance(value, bool | float) or len(text) > MAX_DIGITS or not NUMBER.fullmatch(text):
        raise ValueError(f"{what} is {value!r}, not a whole number or a decimal number in text")
    return Decimal(text).as_integer_ratio()


def round_ratio(numerator, denominator, direction):
    """numerator / denominator (above zero) as a whole number, rounded on the magnitude: returns mirror sales."""
    whole, rest = divmod(abs(numerator), denominator)
    if (direction == "up" and rest) or (direction == "half_up" and 2 * rest >= denominator):
        whole += 1
    return whole if numerator >= 0 else -whole


def round_tax(amount, percent, *, included, direction):
    """Tax of ``amount`` yen at ``percent``, rounded once. ``included``: the amount contains it."""
    return round_ratio(amount * percent, 100 + percent if included else 100, direction_of(direction))


def split(amount, weights):
    """``amount`` yen as {key: yen} in proportion to ``weights`` {key: yen}; what is left over goes to the largest
    remainders, ties to the higher rate (where the keys are no rates: to the one named first).

    A weight against the sign of them all gets nothing: goods taken back bear no discount. ValueError when there
    is an amount but nothing to spread it over.
    """
    whole = sum(weights.values())
    bearing = {key: weight if weight * whole > 0 else 0 for key, weight in weights.items()}
    whole = sum(bearing.values())
    if not whole:
        if amount:
            raise ValueError(f"{amount} yen cannot be spread: there is nothing to spread it over")
        return dict.fromkeys(weights, 0)
    sign = 1 if whole > 0 else -1
    return apportion(amount, {key: sign * amount * weight for key, weight in bearing.items()}, abs(whole))


def apportion(total, numerators, denominator):
    """Whole parts of ``total``, near numerators[key] / denominator, which add up to it give or take one rounding."""
    # Only where all keys are rates: "10" may be the eleventh of some lines.
    order = sorted(numerators, key=PERCENT.get, reverse=True) if numerators.keys() <= PERCENT.keys() else [*numerators]
    # On the magnitude, so that a return is cut exactly as its sale was.
    sign = -1 if (total or next((numerators[key] for key in order if numerators[key]), 0)) < 0 else 1
    parts, rests = {}, {}
    for key, numerator in numerators.items():
        parts[key], rests[key] = divmod(sign * numerator, denominator)
    left = sign * total - sum(parts.values())
    for key in sorted(order, key=lambda key: -rests[key])[:left]:
        parts[key] += 1
    return {key: sign * part for key, part in parts.items()}
