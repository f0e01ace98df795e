# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""How much of the tax in a purchase may be deducted: registered sellers, small amounts, and the transitional ladder."""

from datetime import date

from .rounding import direction_of, exact, percent_of, round_ratio

# (first day, tenths of the tax that are creditable) for sellers who are not registered. The day of the supply
# decides, not that of the payment.
LADDER = (
    (date(2023, 10, 1), 8),
    (date(2026, 10, 1), 7),
    (date(2028, 10, 1), 5),
    (date(2030, 10, 1), 3),
    (date(2031, 10, 1), 0),
)
SMALL_AMOUNT = 10000  # yen with tax, of the whole purchase: below it small buyers need no invoice
SMALL_AMOUNT_DAYS = (date(2023, 10, 1), date(2029, 9, 30))


def credit_tenths(day, *, is_registered, is_small_buyer, amount):
    """Tenths of the tax in a purchase of ``amount`` yen with tax that are creditable."""
    small = is_small_buyer and abs(amount) < SMALL_AMOUNT and SMALL_AMOUNT_DAYS[0] <= day <= SMALL_AMOUNT_DAYS[1]
    if is_registered or small:
        return 10
    return next((tenths for first, tenths in reversed(LADDER) if first <= day), 10)


def purchase(document):
    """Credit of a purchase, rounded once; the rest of what was paid is expense or the goods' cost."""
    try:
        day = date.fromisoformat(document["date"])
        amount = round_ratio(*exact(document["amount_incl"], "amount_incl"), "down")
        percent = percent_of(document["rate"])
        is_registered = document["supplier_registered"]
    except KeyError as error:
        raise ValueError(f"the purchase has no {error.args[0]}") from None
    tenths = credit_tenths(
        day,
        is_registered=is_registered,
        is_small_buyer=document.get("buyer_small_amount_eligible", False),
        amount=amount,
    )
    direction = direction_of(document.get("tax_rounding", "floor"))
    credit = round_ratio(amount * percent * tenths, (100 + percent) * 10, direction)
    return {
        "credit_ratio": {10: "1", 0: "0"}.get(tenths, f"0.{tenths}"),
        "creditable_tax": credit,
        "expense_or_asset_amount": amount - credit,
        "amount_incl": amount,
    }
