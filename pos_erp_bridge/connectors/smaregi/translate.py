# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Smaregi's JSON as canonical records. Pure: the same payload always gives the same record.

The vendor leaves some conventions unsaid (signs on a dispose record, which level of a bundle carries the
price, whether staff discounts are already in the line's sum). We never guess: each plausible reading is
worked out, and one is believed only if every figure then adds up. If none does, the receipt is blocked.
"""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import product

from .. import records
from ..base import DataError
from ..records import ZERO
from . import const


def money(row, name):
    """A number of the vendor, which comes as text; absent, null and "" are zero."""
    try:
        return Decimal(str(row.get(name) or 0))
    except InvalidOperation as error:
        raise DataError(f"{name} is {row[name]!r}, which is no number.") from error


def moment(text):
    """An aware datetime; a time without zone is Japan's."""
    try:
        parsed = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise DataError(f"{text!r} is no date and time.") from error
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=const.JAPAN)


def version(row):
    """Text that sorts by time: UTC, then what only ever moves forward within the same second.

    Rows without updDateTime (not seen so far) fall back to their latest other moment.
    """
    times = [row.get("updDateTime")] if row.get("updDateTime") else [
        row[n] for n in ("cancelDateTime", "transactionDateTime", "terminalTranDateTime", "adjustmentDateTime") if row.get(n)
    ]
    stamp = max((moment(t) for t in times), default=datetime.min.replace(tzinfo=UTC))
    steps = "".join(str(row.get(n) or 0) for n in ("cancelDivision", "disposeDivision", "sumDivision"))
    return f"{stamp.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" + (f".{steps}" if "transactionHeadId" in row else "")


def external_id(stream, row):
    return "|".join(str(row[name]) for name in const.RESOURCES[stream][1])


# -- masters ------------------------------------------------------------------------------------
def product_ref(row, jan_field):
    jan = str(row.get(jan_field) or "")
    return records.ProductRef(
        external_id=str(row.get("productId") or ""),
        barcode=jan if jan.isdigit() and len(jan) in (8, 12, 13, 14) else "",
        sku=row.get("productCode") or "",
        name=row.get("productName") or "",
    )


def store(row, _settings):
    return records.Store(
        external_id=row["storeId"],
        name=row["storeName"],
        code=row.get("storeCode") or "",
        is_active=row.get("pauseFlag") != "1",
        is_warehouse=row.get("division") == "2",
    )


def catalogue_entry(row, settings):
    """The rate itself is not on a product: only whether it is untaxed or reduced."""
    return records.Product(
        ref=product_ref(row, settings["jan_field"]),
        version=version(row),
        price=money(row, "price"),
        tax_included=row.get("taxDivision") != "1",
        tax_rate=ZERO if row.get("taxDivision") == "2" else None,
        reduced=row.get("reduceTaxId") == "10000001",
        is_storable=row.get("stockControlDivision") != "1",
        active=row.get("displayFlag") != "0",
    )


def customer(row, _settings):
    name = " ".join(filter(None, (row.get("lastName"), row.get("firstName"))))
    phone = row.get("mobileNumber") or row.get("phoneNumber") or ""
    return records.Customer(
        external_id=row["customerId"],
        version=version(row) if row.get("updDateTime") else "",
        name=name,
        code=row.get("customerCode") or "",
        email=row.get("mailAddress") or "",
        phone=phone,
        address=records.Address(name, zip=row["postCode"], country_code="JP", street=row.get("address") or "", phone=phone)
        if row.get("postCode")
        else None,
    )


def stock_level(row, _settings):
    return records.StockLevel(row["storeId"], row["productId"], money(row, "stockAmount"), version=version(row))


def closing(row, _settings):
    """One till's closing (精算). Only what is known to be in the answer is read; the rest stays None.

    The business day is not in it: it follows from the hour at which the store's day changes.
    """
    closed_at = moment(row["adjustmentDateTime"])
    hours, _, minutes = str(row.get("_sumDateChangeTime") or "0").partition(":")
    start = timedelta(hours=int(hours), minutes=int(minutes[:2] or 0))
    cash = row.get("cashAdjustment")
    has_count = isinstance(cash, dict) and any(cash.get(name) not in (None, "") for name in const.DENOMINATIONS)
    return records.ZReport(
        external_id=external_id("closing", row),
        version=version(row),
        store_id=row["storeId"],
        business_date=(closed_at.astimezone(const.JAPAN) - start).date(),
        closed_at=closed_at,
        cash_counted=sum(money(cash, n) * worth for n, worth in const.DENOMINATIONS.items()) if has_count else None,
    )


# -- transactions -------------------------------------------------------------------------------
def transaction(head, settings):
    """A transaction of any division; only division 1 is turnover."""
    division = head["transactionHeadDivision"]
    if division == const.SALE:
        return sale(head, settings)
    if division in (const.CASH_IN, const.CASH_OUT):
        return _cash_move(head, 1 if division == const.CASH_IN else -1)
    if division in const.POINTS:
        return _points_entry(head, *const.POINTS[division])
    reason = const.SET_ASIDE.get(division, f"transactionHeadDivision {division} is unknown")
    return records.SetAside(head["transactionHeadId"], version(head), f"transaction/{division}", reason)


def _first(head, names):
    return next((abs(value) for value in (money(head, n) for n in names) if value), ZERO)


def _is_void(head):
    return head.get("cancelDivision") == "1"


def _business_date(head, sold_at):
    return date.fromisoformat(head["sumDate"]) if head.get("sumDate") else sold_at.astimezone(const.JAPAN).date()


def _cash_move(head, sign):
    moved_at = moment(head["terminalTranDateTime"])
    return records.CashMove(
        external_id=head["transactionHeadId"],
        version=version(head),
        store_id=head["storeId"],
        moved_at=moved_at,
        business_date=_business_date(head, moved_at),
        amount=sign * _first(head, ("total", "depositCash", "cashTotal")),
        reason=head.get("memo") or "",
        state="void" if _is_void(head) else "done",
    )


def _points_entry(head, sign, names, reason):
    """A cancelled entry is worth nothing: zero points in a newer version."""
    return records.PointsEntry(
        external_id=head["transactionHeadId"],
        version=version(head),
        customer_id=head.get("customerId") or "",
        points=ZERO if _is_void(head) else sign * _first(head, names),
        moved_at=moment(head["terminalTranDateTime"]),
        reason=reason,
    )


def sale(head, settings):
    details = head.get("details")
    if not details:
        raise DataError("The receipt came without lines.")
    points_paid = money(head, "pointDiscount") if head.get("pointSpendDivision") == const.POINTS_ARE_MONEY else ZERO
    total = money(head, "total") + points_paid
    lines, problems = _lines(head, details, total, settings["jan_field"])
    tenders, note = _tenders(head, points_paid, total)
    problems += _differences(("means of payment", sum(t.amount for t in tenders), "total", total))
    if money(head, "pointDiscount") and not head.get("pointSpendDivision"):
        problems.append("The receipt does not say whether points are a payment or a discount.")
    if head.get("disposeDivision") == "2" and total > 0 and all(line.quantity > 0 for line in lines if line.product):
        problems.append(f"The receipt takes back another one, yet its total is {total} and nothing on it is negative.")
    sold_at = moment(head["terminalTranDateTime"])
    return records.Sale(
        external_id=head["transactionHeadId"],
        version=version(head),
        store_id=head["storeId"],
        number=head.get("transactionUuid") or head.get("terminalTranId") or head["transactionHeadId"],
        sold_at=sold_at,
        business_date=_business_date(head, sold_at),
        total=total,
        lines=tuple(lines),
        taxes=_taxes(lines),
        tenders=tuple(tenders),
        state="void" if _is_void(head) else "done",
        original_id=head.get("disposeServerTransactionHeadId") or "" if head.get("disposeDivision") == "2" else "",
        terminal=head.get("terminalId") or "",
        cashier=head.get("staffName") or "",
        customer=_buyer(head),
        points_earned=money(head, "newPoint"),
        points_spent=money(head, "spendPoint"),
        note="\n".join(filter(None, (head.get("memo"), note))),
        problems=tuple(problems),
    )


def _buyer(head):
    if not head.get("customerId"):
        return None
    known = head.get("customer") or {}
    return customer({"customerCode": head.get("customerCode"), **known, "customerId": head["customerId"]}, None)


def _lines(head, details, total, jan_field):
    """The lines under the first reading in which all figures agree, else under the first with its problems."""
    first = None
    for level, direction, shares in product(_levels(details), _directions(head), (False, True)):
        lines = [_line(head, row, direction, shares, jan_field) for row in level]
        goods = sum(direction * _signed(row, "unitDiscountedSum") for row in level)
        lines += _extra_lines(head, sum(line.tax for line in lines), level)
        problems = _differences(
            ("lines before receipt discounts", goods, "subtotal", money(head, "subtotal")),
            ("lines", sum(line.amount for line in lines), "total", total),
            ("tax of the lines", sum(line.tax for line in lines), "tax of the receipt", _tax(head)),
        )
        if not problems:
            return lines, []
        first = first or (lines, problems)
    return first


def _levels(details):
    """The choices of lines to count: all but bundle parents, all but bundle parts. Options always count."""
    wholes = {row["transactionDetailId"] for row in details if row.get("productDivision") in const.WHOLES}
    is_part = [r.get("parentTransactionDetailId") in wholes and r.get("productDivision") != const.OPTION for r in details]
    if not any(is_part):
        return [details]
    without_wholes = [row for row in details if row["transactionDetailId"] not in wholes]
    without_parts = [row for row, part in zip(details, is_part, strict=True) if not part]
    return [without_wholes, without_parts]


def _directions(head):
    """A dispose record may repeat the original's lines unchanged under a negative head."""
    return (1, -1) if head.get("disposeDivision") == "2" else (1,)


def _signed(row, name):
    """A figure of a line. On a return line it counts as negative however it was sent."""
    value = money(row, name)
    return -abs(value) if row.get("transactionDetailDivision") == "2" else value


def _line(head, row, direction, shares, jan_field):
    def figure(*names):
        return direction * sum(_signed(row, name) for name in names)

    discounts = ["discountPriceProportional", "discountCouponProportional"]
    if head.get("pointSpendDivision") != const.POINTS_ARE_MONEY:
        discounts.append("discountPointProportional")
    if shares:
        discounts += ["productBundleProportional", "staffDiscountProportional", "bargainDiscountProportional"]
    tax = figure("taxIncludeProportional", "taxExcludeProportional")
    amount = figure("unitDiscountedSum", "roundingPriceProportional", "taxExcludeProportional") - figure(*discounts)
    rate, is_reduced = _rate(head, row)
    if head.get("taxFreeSalesDivision") not in (None, "", "0") and money(row, "taxFree"):
        relief = figure("taxFree")
        amount, tax = amount - relief, tax - relief
        rate = rate if tax else ZERO
    is_product = bool(row.get("productId"))
    return records.SaleLine(
        external_id=row["transactionDetailId"],
        quantity=figure("quantity"),
        unit_price=money(row, "salesPrice") - money(row, "unitDiscountPrice"),
        amount=amount,
        tax=tax,
        tax_rate=rate,
        reduced=is_reduced,
        product=product_ref(row, jan_field) if is_product else None,
        name=row.get("productName") or row.get("categoryName") or "",
    )


def _rate(head, row):
    """(percent, reduced). Whatever the till says is passed on, known or not."""
    if row.get("taxDivision") == "2":
        return ZERO, False
    names = ("modifiedTaxRate", "reduceTaxRate" if row.get("reduceTaxId") else "", "taxRate", "standardTaxRate")
    text = next((row[name] for name in names if row.get(name)), head.get("taxRate"))
    rate = money({"taxRate": text}, "taxRate")
    rate = rate.quantize(Decimal(1)) if rate == rate.to_integral_value() else rate.normalize()
    return rate, bool(row.get("reduceTaxId")) and rate == money(row, "reduceTaxRate")


def _tax(head):
    return money(head, "taxInclude") + money(head, "taxExclude")


def _extra_lines(head, tax_of_lines, details):
    """Shipping, fee and what rounding is on no line. Tax of the receipt that no line has is theirs."""
    kinds = (("carriage", "shipping", "Shipping"), ("commission", "fee", "Fee"))
    extras = [(name, kind, label, money(head, name)) for name, kind, label in kinds if money(head, name)]
    rounding = money(head, "roundingPrice") - sum(_signed(row, "roundingPriceProportional") for row in details)
    tax_left = _tax(head) - tax_of_lines
    rate = money(head, "taxRate")
    for number, (name, kind, label, amount) in enumerate(extras, 1):
        included = (amount * rate / (100 + rate)).to_integral_value()
        tax = included if number < len(extras) else tax_left
        # At most two yen of rounding are believed; any more is a contradiction and shows as one.
        tax = tax if tax_left and abs(tax - included) <= 2 else ZERO
        tax_left -= tax
        yield records.SaleLine(name, Decimal(1), amount, amount, tax, rate if tax else ZERO, name=label, kind=kind)
    if rounding:
        yield records.SaleLine("rounding", Decimal(1), rounding, rounding, ZERO, ZERO, name="Rounding", kind="adjustment")


def _taxes(lines):
    """Per rate, the sum of what the lines say: the receipt itself has no such table."""
    totals, taxes = defaultdict(Decimal), defaultdict(Decimal)
    for line in lines:
        key = line.tax_rate, line.reduced
        totals[key] += line.amount
        taxes[key] += line.tax
    return tuple(records.TaxAmount(*key, totals[key], taxes[key]) for key in sorted(totals))


def _tenders(head, points_paid, total):
    """(tenders, note). Change is netted with the cash, which may leave the drawer poorer."""
    rows = head.get("depositOthers") or []
    tenders = [
        records.Tender("cash", "cash", "Cash", money(head, "depositCash") - money(head, "change"), "cash"),
        records.Tender("credit", "credit", head.get("cardCompany") or "Credit card", money(head, "depositCredit"), "card"),
        *(_other_tender(row) for row in rows),
        records.Tender("points", "points", "Points", points_paid, "points"),
    ]
    tenders = [tender for tender in tenders if tender.amount]
    paid, note = sum(tender.amount for tender in tenders), ""
    pick_up = head.get("layawayPickUp") or {}
    held = money(pick_up, "receivedDepositCash") + money(pick_up, "receivedDepositCredit")
    keeps_change = {f"other-{row.get('no')}": row.get("paymentChangeFlag") == "0" for row in rows}
    if paid == -total and total < 0:
        # Refunds with unsigned deposits: money went out, since the receipt's total is negative.
        tenders = [_with_amount(tender, -tender.amount) for tender in tenders]
    elif held and paid + held == total:
        tenders.append(records.Tender("layaway", "layaway", "Deposit of the layaway", held))
    elif paid > total > 0:
        # A voucher without change may be worth more than what it paid for.
        surplus = paid - total
        for number, tender in enumerate(tenders):
            if keeps_change.get(tender.external_id) and tender.amount > surplus:
                tenders[number] = _with_amount(tender, tender.amount - surplus)
                note = f"{tender.name} was worth {tender.amount}; {surplus} of it gave no change."
                break
    return tenders, note


def _other_tender(row):
    return records.Tender(
        external_id=f"other-{row.get('no')}",
        code=str(row.get("paymentMethodId") or ""),
        name=row.get("paymentMethodName") or "",
        amount=money(row, "depositOthers"),
        kind="voucher" if row.get("paymentSecuritiesFlag") == "1" else "other",
    )


def _with_amount(tender, amount):
    return records.Tender(tender.external_id, tender.code, tender.name, amount, tender.kind)


def _differences(*pairs):
    return [
        f"The {left_name} add up to {left}, but the {right_name} says {right}: a difference of {left - right}."
        for left_name, left, right_name, right in pairs
        if left != right
    ]


TRANSLATORS = {
    "store": store,
    "product": catalogue_entry,
    "customer": customer,
    "sale": transaction,
    "closing": closing,
    "stock": stock_level,
}
