# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Summary invoices: the tax of several deliveries, rounded once together or added up as it was rounded on each."""

import calendar
from datetime import date, timedelta

from .calculator import by_rate

CLOSING_DAYS = (5, 10, 15, 20, 25, 31)  # 31: the last day of the month


def tax_of(notes, *, included, direction, is_rounded_once):
    """What the deliveries come to for each rate.

    :param notes: [{category: (base, tax)}] of each delivery note, in yen; returns are negative
    :param bool included: whether the notes' prices are with tax
    :param bool is_rounded_once: the summary is the qualified invoice, so its tax is rounded once per rate; else the
        notes are, and their taxes are only added up
    :return: ({category: (base, tax)} of the summary, {category: tax of the summary less that of the notes})
    """
    sums = {}
    for note in notes:
        for category, (base, tax) in note.items():
            before = sums.get(category, (0, 0))
            sums[category] = (before[0] + base, before[1] + tax)
    if not is_rounded_once:
        return sums, {}
    groups = {category: base + tax if included else base for category, (base, tax) in sums.items()}
    rounded = by_rate(groups, included=included, direction=direction)
    figures = {category: (rounded[category]["taxable_base_excl"], rounded[category]["tax"]) for category in sums}
    differences = {category: figures[category][1] - tax for category, (_base, tax) in sums.items()}
    return figures, {category: difference for category, difference in differences.items() if difference}


def is_closing(day, closing_day):
    """Whether a customer of that closing day is invoiced at the end of ``day``."""
    return day == _closing(day.year, day.month, closing_day)


def period_start(closing, closing_day):
    """First day of the period that ends on ``closing``: the day after the closing day of the month before."""
    last = closing.replace(day=1) - timedelta(days=1)
    return _closing(last.year, last.month, closing_day) + timedelta(days=1)


def _closing(year, month, closing_day):
    return date(year, month, min(closing_day, calendar.monthrange(year, month)[1]))
