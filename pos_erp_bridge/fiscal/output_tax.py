# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Output tax of a period by both methods a Japanese return allows, in whole yen. No Odoo.

Division (the default): the taxed amounts of a rate less their tax, rounded down to 1,000 yen, times the national rate.
Accumulation: 78/100 of the tax printed on the documents issued. The local tax is 22/78 of the national one either way.

Not covered: input tax, bad debts, interim payments, proportions of taxable sales, and returns as a line of their own:
sales are net of returns here. Who accumulates output tax must accumulate input tax, too.
"""

from fractions import Fraction

NATIONAL = {10: Fraction(78, 10), 8: Fraction(624, 100), 1: Fraction(78, 100)}  # percent
LOCAL_SHARE = Fraction(22, 78)
NATIONAL_SHARE = Fraction(78, 100)
BASE_UNIT = 1000  # yen


def division(totals):
    """By division.

    :param totals: {percent: amount with tax of the period}
    :return: {percent: {"base", "national"}}; base is rounded down to 1,000 yen
    """
    rates = {}
    for percent, total in totals.items():
        if percent in NATIONAL:
            base = _down(Fraction(total * 100, 100 + percent), BASE_UNIT)
            rates[percent] = {"base": base, "national": _down(base * NATIONAL[percent] / 100)}
    return rates


def accumulation(taxes):
    """By accumulation.

    :param taxes: {percent: sum of the tax printed on documents}
    :return: {percent: {"tax", "national"}}
    """
    return {
        percent: {"tax": tax, "national": _down(tax * NATIONAL_SHARE)}
        for percent, tax in taxes.items()
        if percent in NATIONAL
    }


def local(national):
    """Local consumption tax that goes with a national one."""
    return _down(national * LOCAL_SHARE)


def _down(amount, unit=1):
    """Toward zero, to a multiple of ``unit``: a period of more returns than sales mirrors one of sales."""
    return (abs(amount) // unit) * unit * (1 if amount >= 0 else -1)
