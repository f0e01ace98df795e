# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Admin API nodes -> canonical records. Pure; amounts are the shop's money, read as Decimal from text."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

from .. import records as r
from ..records import ZERO
from .const import NO_DECIMALS, PAYMENT_STATES, REFUNDS_MAX, RESTOCK, TENDER_KINDS, TRANSACTIONS_MAX


def tail(gid):
    """"gid://shopify/Order/123" -> "123"."""
    return gid.rpartition("/")[2].partition("?")[0] if gid else ""


def number(node):
    return node["legacyResourceId"] if node else ""


def moment(text):
    return datetime.fromisoformat(text).astimezone(UTC)


def version_of(stream, node):
    """What makes one state of a thing newer than another: UTC as text, for an order with what only ever grows.

    The vendor stamps whole seconds, and an order changes several times in its first one.
    """
    times = [node["updatedAt"], node["product"]["updatedAt"]] if stream == "product" else [node["updatedAt"]]
    version = max(map(moment, times)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if stream != "order":
        return version
    grown = [*node["transactions"], *node["refunds"], *node["lineItems"]["nodes"]]
    return f"{version}-{len(grown) + bool(node['cancelledAt']):04}"


def money(bag):
    amount = Decimal(bag["shopMoney"]["amount"]) if bag else ZERO
    return amount.quantize(Decimal(1)) if amount == amount.to_integral_value() else amount


def total(amounts):
    return sum(amounts, ZERO)


def store(node):
    is_warehouse = node["fulfillsOnlineOrders"] and not node["localPickupSettingsV2"]
    return r.Store(number(node), node["name"], is_active=node["isActive"], is_warehouse=is_warehouse)


def product(node):
    of, item = node["product"], node["inventoryItem"]
    # "Default Title" is the vendor's name for "this product has no variants".
    name = of["title"] if node["title"] == "Default Title" else f"{of['title']} {node['title']}"
    return r.Product(
        _ref(node, node["sku"], name), version_of("product", node), Decimal(node["price"]), node["taxesIncluded"],
        is_storable=item["tracked"], active=of["status"] != "ARCHIVED", stock_id=number(item),
    )  # fmt: skip


def _ref(variant, sku, name):
    return r.ProductRef(number(variant), variant["barcode"] or "", sku or "", name)


def level(node):
    quantity = Decimal(node["quantities"][0]["quantity"])
    return r.StockLevel(number(node["location"]), number(node["item"]), quantity, version=version_of("stock", node))


def _name(node):
    return " ".join(part for part in (node["lastName"], node["firstName"]) if part)


def _address(node):
    if not node:
        return None
    plain = {"company": "company", "zip": "zip", "country_code": "countryCodeV2", "city": "city", "street": "address1"}
    values = {ours: node[theirs] or "" for ours, theirs in plain.items()}
    # The code is "JP-13" for Tokyo.
    state = (node["provinceCode"] or "").rpartition("-")[2] or node["province"] or ""
    return r.Address(_name(node), state=state, street2=node["address2"] or "", phone=node["phone"] or "", **values)


def customer(node, address=None):
    email = (node["defaultEmailAddress"] or {}).get("emailAddress", "")
    phone = (node["defaultPhoneNumber"] or {}).get("phoneNumber", "")
    address = address or _address(node.get("defaultAddress"))
    return r.Customer(number(node), version_of("customer", node), _name(node), "", email, phone, address)


def order(node):
    """An order as sold and edited, with its refunds beside it.

    A line's ``quantity`` counts every unit ever on it, ``currentQuantity`` neither refunded nor removed ones.
    Units gone without a refund were removed by an edit: neither delivered nor given back, they leave the line
    with their share of price, discount and tax. Units an edit took off by a refund (which may move no money)
    stay, because that refund takes them back.

    The stated total is totalPriceSet ("before returns"). Whether it still counts removed units, the vendor does
    not say; where there are some it is what is left (currentTotalPriceSet) plus what the refunds took off.
    """
    is_included, items = node["taxesIncluded"], node["lineItems"]["nodes"]
    gone = {x["id"]: x["quantity"] - x["currentQuantity"] for x in items}
    for x in (x for refund in node["refunds"] for x in refund["refundLineItems"]["nodes"]):
        gone[x["lineItem"]["id"]] -= x["quantity"]
    unit = Decimal(1) if node["currencyCode"] in NO_DECIMALS else Decimal("0.01")
    lines = [_line(x, x["quantity"] - max(0, gone[x["id"]]), is_included, unit) for x in items]
    ships, fees = node["shippingLines"]["nodes"], node["additionalFees"]
    lines += [_extra(x, "shipping", x["discountedPriceSet"], x["title"], is_included) for x in ships]
    lines += [_extra(x, "fee", x["price"], x["name"], is_included) for x in fees]
    lines = {line.external_id: line for line in lines if line.quantity}
    refunds = tuple(_refund(x, lines, is_included) for x in node["refunds"])
    stated, tax = money(node["totalPriceSet"]), money(node["totalTaxSet"])
    if any(left > 0 for left in gone.values()):
        stated = money(node["currentTotalPriceSet"]) + total(x.amount for x in refunds)
        tax = money(node["currentTotalTaxSet"]) + total(x.tax for refund in refunds for x in refund.lines)
        shares = [tail(of) for of, left in gone.items() if left > 0 and tail(of) in lines]
        _place_rest(lines, shares, "amount", stated, unit)
        _place_rest(lines, shares, "tax", tax, unit)
    lines = tuple(lines.values())
    ships = node["fulfillmentOrders"]["nodes"]
    places = [x["assignedLocation"]["location"] for x in ships if x["status"] != "CANCELLED"] + [node["retailLocation"]]
    shipping, billing = _address(node["shippingAddress"]), _address(node["billingAddress"])
    address = billing or shipping
    guest = r.Customer("", "", address.name if address else "", "", node["email"] or "", node["phone"] or "", address)
    return r.Order(
        number(node), version_of("order", node), node["name"], moment(node["processedAt"]), stated, lines,
        _taxes(lines), _payments(node["transactions"]), refunds, node["currencyCode"],
        "cancelled" if node["cancelledAt"] else "closed" if node["closedAt"] else "open",
        PAYMENT_STATES.get(node["displayFinancialStatus"], "pending"), next(map(number, filter(None, places)), ""),
        customer(node["customer"], address) if node["customer"] else guest, shipping, billing,
        any((x["deliveryMethod"] or {}).get("methodType") == "PICK_UP" for x in ships),
        node["test"], node["note"] or "", tuple(_problems(node, lines, refunds, stated, tax)),
    )  # fmt: skip


def _tax(lines):
    """(percentage, amount) of a line's taxes; several add up. Rates are JSON numbers, which money never is."""
    percents = [x["rate"] * 100 if x["ratePercentage"] is None else x["ratePercentage"] for x in lines]
    rate = total(Decimal(str(percent)) for percent in percents).normalize()
    return Decimal(f"{rate:f}"), total(money(x["priceSet"]) for x in lines)


def _line(node, quantity, is_included, unit):
    ordered, kept = Decimal(node["quantity"]), Decimal(quantity)

    def share(amount):  # of the units still on the order
        return amount if kept == ordered else (amount * kept / ordered).quantize(unit, ROUND_HALF_UP)

    gross, variant, (rate, tax) = money(node["originalTotalSet"]), node["variant"], _tax(node["taxLines"])
    tax = share(tax)
    amount = share(gross) - share(total(money(x["allocatedAmountSet"]) for x in node["discountAllocations"]))
    return r.SaleLine(
        tail(node["id"]), kept, gross / ordered if ordered else ZERO, amount if is_included else amount + tax, tax,
        rate, rate == 8, _ref(variant, node["sku"], node["name"]) if variant else None, node["name"],
        "gift_card" if node["isGiftCard"] else "product",
    )  # fmt: skip


def _extra(node, kind, price, name, is_included):
    one, price, (rate, tax) = Decimal(1), money(price), _tax(node["taxLines"])
    amount = price if is_included else price + tax
    return r.SaleLine(f"{kind}-{tail(node['id'])}", one, price, amount, tax, rate, rate == 8, name=name, kind=kind)


def _place_rest(lines, shares, field, stated, unit):
    """Of lines that lost pieces only the sum is known: what rounding left over goes to them, a unit each."""
    rest = stated - total(getattr(line, field) for line in lines.values())
    if abs(rest) <= unit * len(shares):
        for of in shares[: int(abs(rest) / unit)]:
            lines[of] = replace(lines[of], **{field: getattr(lines[of], field) + unit.copy_sign(rest)})


def _taxes(lines):
    """Sums per rate of order or refund lines."""
    sums = defaultdict(lambda: (ZERO, ZERO))
    for x in lines:
        amount, tax = sums[x.tax_rate, x.reduced]
        sums[x.tax_rate, x.reduced] = amount + x.amount, tax + x.tax
    return tuple(r.TaxAmount(*key, *pair) for key, pair in sorted(sums.items()))


def _tenders(transactions, *kinds):
    for x in (x for x in transactions if x["status"] == "SUCCESS" and x["kind"] in kinds):
        code, at = x["gateway"] or "unknown", x["processedAt"] and moment(x["processedAt"])
        kind = next((kind for part, kind in TENDER_KINDS.items() if part in code.lower()), "other")
        yield r.Tender(tail(x["id"]), code, x["formattedGateway"] or code, money(x["amountSet"]), kind, at)


def _payments(transactions):
    """Money that came in; cash handed back as change is taken off the tender it was given on."""
    tenders = list(_tenders(transactions, "SALE", "CAPTURE"))
    for change in _tenders(transactions, "CHANGE"):
        at = next((i for i, x in enumerate(tenders) if x.code == change.code), None)
        if at is None:
            tenders.append(replace(change, amount=-abs(change.amount)))
        else:
            tenders[at] = replace(tenders[at], amount=tenders[at].amount - abs(change.amount))
    return tuple(tenders)


def _refund(node, sold, is_included):
    """Goods and money given back; ``amount`` is what this takes off the order: lines, shipping and adjustments.
    An adjustment is negative where the customer gets more than the lines, positive where less."""
    lines = []

    def add(of, amount, tax, is_net=not is_included, name="", line_id="", quantity=1, restock="none", place=""):
        rate, reduced, name = (of.tax_rate, of.reduced, name or of.name) if of else (ZERO, False, name)
        amount += tax if is_net else ZERO
        lines.append(r.RefundLine(line_id, Decimal(quantity), amount, tax, rate, reduced, restock, place, name))

    for x in node["refundLineItems"]["nodes"]:
        of, restock = tail(x["lineItem"]["id"]), RESTOCK.get(x["restockType"], "none")
        values = {"line_id": of, "quantity": x["quantity"], "restock": restock, "place": number(x["location"])}
        add(sold.get(of), money(x["subtotalSet"]), money(x["totalTaxSet"]), **values)
    for x in node["refundShippingLines"]["nodes"]:
        of = sold.get(f"shipping-{tail(x['shippingLine']['id'])}")
        add(of, money(x["subtotalAmountSet"]), money(x["taxAmountSet"]))
    tenders = tuple(_tenders(node["transactions"]["nodes"], "REFUND"))
    found = node["orderAdjustments"]["nodes"]
    found = [(x["reason"], -money(x["amountSet"]), -money(x["taxAmountSet"])) for x in found]
    # Where prices include tax the vendor does not say whether adjustments do: the money decides. Nor does it say
    # which rate they have: the order's main one, where they carry tax.
    rest = total(x.amount for x in tenders) - total(x.amount for x in lines)
    is_net = not is_included or (bool(tenders) and rest == total(x + tax for _, x, tax in found))
    main = max(sold.values(), key=lambda line: line.amount, default=None)
    for reason, amount, tax in found:
        add(main if tax else None, amount, tax, is_net, (reason or "adjustment").replace("_", " ").capitalize())
    amount = total(x.amount for x in lines)
    at = moment(node["createdAt"])
    return r.Refund(number(node), at, amount, tuple(lines), _taxes(lines), tenders, node["note"] or "")


def _problems(node, lines, refunds, stated, tax):
    """What contradicts itself, for people: the document is blocked."""
    sums = [("The lines and shipping", total(x.amount for x in lines), "the order says", stated)]
    sums += [("The taxes of the lines", total(x.tax for x in lines), "the order's tax is", tax)]
    for x in (x for x in refunds if x.tenders):
        paid = total(tender.amount for tender in x.tenders)
        sums += [(f"The parts of refund {x.external_id}", x.amount, "the money given back is", paid)]
    for what, ours, other, theirs in sums:
        if ours != theirs:
            yield f"{what} add up to {_text(ours)}, {other} {_text(theirs)}: a difference of {_text(ours - theirs)}."
    for what, most in (("refunds", REFUNDS_MAX), ("transactions", TRANSACTIONS_MAX)):
        if len(node[what]) >= most:
            yield f"The order has {most} {what} or more; the connector reads no further."


def _text(amount):
    return f"{amount.normalize():f}"


RECORDS = {"store": store, "product": product, "customer": customer, "order": order, "stock": level}
