# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Smaregi's JSON as canonical records. Pure: the same payload always gives the same record.

The vendor leaves some conventions unsaid (signs on a dispose record, which level of a bundle carries the
price, whether staff discounts are already in a line's sum). We never guess: each plausible reading is
worked out, and one is believed only if every figure then adds up. If none does, the receipt is blocked.
"""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import product

from .. import records
from ..base import DataError
from ..records import ZERO
from . import const


def money(row, *names):
    """The sum of some of a row's numbers, which come as text; absent, null and "" are zero."""
    try:
        return sum((Decimal(str(row.get(name) or 0)) for name in names), ZERO)
    except InvalidOperation as error:
        raise DataError(f"Not a number in {', '.join(f'{n}={row.get(n)!r}' for n in names)}.") from error


def moment(text):
    """An aware datetime; a time without zone is Japan's."""
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=const.JAPAN)


def external_id(stream, row):
    return "|".join(str(row[name]) for name in const.RESOURCES[stream][1])


def version(row):
    """Text that sorts by time: UTC, then what only ever moves forward within one second.

    Rows without updDateTime (a closing, none else so far) fall back to the latest of their other moments.
    """
    others = ("cancelDateTime", "transactionDateTime", "terminalTranDateTime", "adjustmentDateTime")
    times = [row[name] for name in (("updDateTime",) if row.get("updDateTime") else others) if row.get(name)]
    stamp = max(map(moment, times), default=datetime(1, 1, 2, tzinfo=UTC)).astimezone(UTC)
    steps = "".join(str(row.get(name) or 0) for name in ("cancelDivision", "disposeDivision", "sumDivision"))
    return stamp.strftime("%Y-%m-%dT%H:%M:%SZ") + (f".{steps}" if "transactionHeadId" in row else "")


def lacks_point_rule(head):
    return bool(money(head, "pointDiscount")) and not head.get("pointSpendDivision")


# -- masters ------------------------------------------------------------------------------------
def product_ref(row, settings):
    jan = str(row.get(settings["jan_field"]) or "")
    is_jan = jan.isdigit() and len(jan) in (8, 12, 13, 14)
    code, name = row.get("productCode") or "", row.get("productName") or ""
    return records.ProductRef(str(row["productId"]), jan if is_jan else "", code, name)


def store(row, _settings):
    is_open, is_warehouse = row.get("pauseFlag") != "1", row.get("division") == "2"
    return records.Store(row["storeId"], row["storeName"], row.get("storeCode") or "", is_open, is_warehouse)


def catalogue_entry(row, settings):
    """The rate is not on a product, only whether it is untaxed or reduced."""
    return records.Product(
        product_ref(row, settings), version(row), money(row, "price"), tax_included=row.get("taxDivision") != "1",
        tax_rate=ZERO if row.get("taxDivision") == "2" else None, reduced=_is_reduced(row),
        is_storable=row.get("stockControlDivision") != "1", active=row.get("displayFlag") != "0",
    )  # fmt: skip


def _is_reduced(row):
    """None where the category decides, or the cashier (eat in or take away)."""
    if row.get("useCategoryReduceTax") == "1":
        return None
    return {"10000001": True, "": False}.get(row.get("reduceTaxId") or "")


def customer(row, _settings=None):
    name = " ".join(filter(None, (row.get("lastName"), row.get("firstName"))))
    phone, code = row.get("mobileNumber") or row.get("phoneNumber") or "", row.get("postCode")
    address = records.Address(name, zip=code, country_code="JP", street=row.get("address") or "", phone=phone)
    return records.Customer(
        row["customerId"], version(row), name, row.get("customerCode") or "", row.get("mailAddress") or "", phone,
        address if code else None,
    )  # fmt: skip


def stock_level(row, _settings):
    return records.StockLevel(row["storeId"], row["productId"], money(row, "stockAmount"), version=version(row))


def closing(row, _settings):
    """One till's closing (精算). Its figures are not documented well enough to be read, so they stay None.

    The business day is not in it: it follows from the time at which the store's day changes.
    """
    closed_at = moment(row["adjustmentDateTime"])
    hours, _, minutes = str(row.get("_sumDateChangeTime") or "0").partition(":")
    day = closed_at.astimezone(const.JAPAN) - timedelta(hours=int(hours), minutes=int(minutes[:2] or 0))
    return records.ZReport(external_id("closing", row), version(row), row["storeId"], day.date(), closed_at)


# -- transactions -------------------------------------------------------------------------------
def transaction(head, settings):
    """A transaction of any division; only division 1 is turnover."""
    key, division = head["transactionHeadId"], head["transactionHeadDivision"]
    is_void = head.get("cancelDivision") == "1"
    moved_at = moment(head["terminalTranDateTime"])
    if division == const.SALE:
        return _sale(head, settings, moved_at, is_void)
    if division in (const.CASH_IN, const.CASH_OUT):
        amount = _first(head, "total", "depositCash", "cashTotal") * (1 if division == const.CASH_IN else -1)
        return records.CashMove(
            key, version(head), head["storeId"], moved_at, _business_date(head, moved_at), amount,
            head.get("memo") or "", "void" if is_void else "done",
        )  # fmt: skip
    if division in const.POINTS:
        sign, names, reason = const.POINTS[division]
        points = ZERO if is_void else sign * _first(head, *names)  # a cancelled entry is worth nothing any more
        return records.PointsEntry(key, version(head), head.get("customerId") or "", points, moved_at, reason)
    reason = const.SET_ASIDE.get(division, f"transactionHeadDivision {division} is unknown")
    return records.SetAside(key, version(head), f"transaction/{division}", reason)


def _first(head, *names):
    return next((abs(value) for value in (money(head, name) for name in names) if value), ZERO)


def _business_date(head, moved_at):
    """sumDate, which is empty until the day is closed on some contracts: then the day of the sale in Japan."""
    return date.fromisoformat(head["sumDate"]) if head.get("sumDate") else moved_at.astimezone(const.JAPAN).date()


def _sale(head, settings, sold_at, is_void):
    points_paid = money(head, "pointDiscount") if head.get("pointSpendDivision") == const.POINTS_ARE_MONEY else ZERO
    total, is_dispose = money(head, "total") + points_paid, head.get("disposeDivision") == "2"
    lines, problems = _lines(head, total, settings)
    tenders, note = _tenders(head, points_paid, total)
    problems += _differences(("means of payment", sum(t.amount for t in tenders), "total", total))
    if lacks_point_rule(head):
        problems.append("The receipt does not say whether points are a payment or a discount.")
    if is_dispose and total > 0 and all(line.quantity > 0 for line in lines if line.product):
        problems.append(f"The receipt takes back another one, yet its total is {total} and nothing on it is negative.")
    buyer = {"customerCode": head.get("customerCode"), **(head.get("customer") or {})}
    return records.Sale(
        head["transactionHeadId"], version(head), head["storeId"],
        number=head.get("transactionUuid") or head["transactionHeadId"],
        sold_at=sold_at, business_date=_business_date(head, sold_at), total=total,
        lines=tuple(lines), taxes=_taxes(lines), tenders=tuple(tenders), state="void" if is_void else "done",
        original_id=head.get("disposeServerTransactionHeadId") or "" if is_dispose else "",
        terminal=head.get("terminalId") or "", cashier=head.get("staffName") or "",
        customer=customer({**buyer, "customerId": head["customerId"]}) if head.get("customerId") else None,
        points_earned=money(head, "newPoint"), points_spent=money(head, "spendPoint"),
        note="\n".join(filter(None, (head.get("memo"), note))), problems=tuple(problems),
    )  # fmt: skip


def _lines(head, total, settings):
    """(lines, problems) of the first reading in which all figures agree, else of the very first."""
    first, directions = None, (1, -1) if head.get("disposeDivision") == "2" else (1,)
    for level, direction, has_shares in product(_levels(head["details"]), directions, (False, True)):
        lines = [_line(head, row, direction, has_shares, settings) for row in level]
        lines += _extra_lines(head, level, sum(line.tax for line in lines))
        before = direction * sum(_signed(row, "unitDiscountedSum") for row in level)
        problems = _differences(
            ("lines before receipt discounts", before, "subtotal", money(head, "subtotal")),
            ("lines", sum(line.amount for line in lines), "total", total),
            ("taxes of the lines", sum(line.tax for line in lines), "tax", money(head, "taxInclude", "taxExclude")),
        )
        first = first or (lines, problems)
        if not problems:
            return lines, problems
    return first


def _levels(details):
    """The choices of lines to count: all but bundle parents, or all but bundle parts. Options always count."""
    wholes = {row["transactionDetailId"] for row in details if row.get("productDivision") in const.WHOLES}
    parts = {
        row["transactionDetailId"]
        for row in details
        if row.get("parentTransactionDetailId") in wholes and row.get("productDivision") != const.OPTION
    }
    left_out = [wholes, parts] if parts else [()]
    return [[row for row in details if row["transactionDetailId"] not in left] for left in left_out]


def _signed(row, *names):
    """Figures of a line. On a return line they count as negative however they were sent."""
    is_return = row.get("transactionDetailDivision") == const.RETURNED
    return sum(-abs(money(row, name)) if is_return else money(row, name) for name in names)


def _line(head, row, direction, has_shares, settings):
    discounts = ["discountPriceProportional", "discountCouponProportional"]
    if head.get("pointSpendDivision") != const.POINTS_ARE_MONEY:
        discounts.append("discountPointProportional")
    if has_shares:
        discounts += ["productBundleProportional", "staffDiscountProportional", "bargainDiscountProportional"]
    gross = _signed(row, "unitDiscountedSum", "taxExcludeProportional") + money(row, "roundingPriceProportional")
    rate, is_reduced = _rate(head, row)
    return records.SaleLine(
        row["transactionDetailId"], direction * _signed(row, "quantity"),
        unit_price=money(row, "salesPrice") - money(row, "unitDiscountPrice"),
        amount=direction * (gross - _signed(row, *discounts)),
        tax=direction * _signed(row, "taxIncludeProportional", "taxExcludeProportional"),
        tax_rate=rate, reduced=is_reduced, product=product_ref(row, settings) if row.get("productId") else None,
        name=row.get("productName") or row.get("categoryName") or "",
    )  # fmt: skip


def _rate(head, row):
    """(percent, is reduced). Whatever the till says is passed on, known to us or not."""
    names = ["modifiedTaxRate", "reduceTaxRate", "taxRate", "standardTaxRate"]
    if not row.get("reduceTaxId"):
        names.remove("reduceTaxRate")
    rate = money({**head, **{name: row.get(name) for name in names}}, next((n for n in names if row.get(n)), "taxRate"))
    rate = ZERO if row.get("taxDivision") == "2" else rate
    return rate.quantize(Decimal(1)) if rate == rate.to_integral_value() else rate, (
        bool(row.get("reduceTaxId")) and rate == money(row, "reduceTaxRate")
    )


def _extra_lines(head, details, tax_of_lines):
    """Shipping, fee and what rounding is on no line. Tax of the receipt that no line has belongs to them."""
    left, rate = money(head, "taxInclude", "taxExclude") - tax_of_lines, money(head, "taxRate")
    for name, kind in (("carriage", "shipping"), ("commission", "fee")):
        if amount := money(head, name):
            included = (amount * rate / (100 + rate)).to_integral_value()
            # A yen or two of rounding is believed; more is a contradiction and stays visible as one.
            tax = ZERO if not left else left if abs(left - included) <= 2 else included
            left -= tax
            yield _extra_line(name, kind, amount, tax, rate if tax else ZERO)
    if amount := money(head, "roundingPrice") - sum(money(row, "roundingPriceProportional") for row in details):
        yield _extra_line("rounding", "adjustment", amount)


def _extra_line(name, kind, amount, tax=ZERO, rate=ZERO):
    return records.SaleLine(name, Decimal(1).copy_sign(amount), abs(amount), amount, tax, rate, name=name, kind=kind)


def _taxes(lines):
    """Per rate, the sum of what the lines say: the receipt itself has no such table."""
    sums = defaultdict(lambda: [ZERO, ZERO])
    for line in lines:
        entry = sums[line.tax_rate, line.reduced]
        entry[:] = entry[0] + line.amount, entry[1] + line.tax
    return tuple(records.TaxAmount(*key, *sums[key]) for key in sorted(sums))


def _tenders(head, points_paid, total):
    """(tenders, note). Change is netted with the cash and may leave the drawer poorer."""
    cash, card = money(head, "depositCash") - money(head, "change"), head.get("cardCompany") or "Credit card"
    tenders = [
        records.Tender("cash", "cash", "Cash", cash, "cash"),
        records.Tender("credit", "credit", card, money(head, "depositCredit"), "card"),
        records.Tender("points", "points", "Points", points_paid, "points"),
    ]
    others, vouchers = head.get("depositOthers") or [], set()
    for row in others:
        kind, key = "voucher" if row.get("paymentSecuritiesFlag") == "1" else "other", f"other-{row['no']}"
        name, code = row.get("paymentMethodName") or "", str(row["paymentMethodId"])
        tenders.append(records.Tender(key, code, name, money(row, "depositOthers"), kind))
        vouchers |= {key} if row.get("paymentChangeFlag") == "0" else set()
    tenders = [tender for tender in tenders if tender.amount]
    surplus = sum(tender.amount for tender in tenders) - total
    held = money(head.get("layawayPickUp") or {}, "receivedDepositCash", "receivedDepositCredit")
    if total < 0 and surplus == -2 * total:  # a refund with unsigned deposits
        return [replace(tender, amount=-tender.amount) for tender in tenders], ""
    if held and surplus == -held:  # paid in part when the goods were laid away
        return [*tenders, records.Tender("layaway", "layaway", "Deposit of the layaway", held)], ""
    for number, tender in enumerate(tenders):
        if total > 0 and tender.external_id in vouchers and 0 < surplus < tender.amount:
            tenders[number] = replace(tender, amount=tender.amount - surplus)
            return tenders, f"{tender.name} was worth {tender.amount}; {surplus} of it gave no change."
    return tenders, ""


def _differences(*pairs):
    return [
        f"The {left_name} add up to {left}, but the {right_name} is {right}: a difference of {left - right}."
        for left_name, left, right_name, right in pairs
        if left != right
    ]


TRANSLATORS = {
    "store": store, "product": catalogue_entry, "customer": customer,
    "sale": transaction, "closing": closing, "stock": stock_level,
}  # fmt: skip
