# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Smaregi's receipts as canonical records: to the yen, or blocked with the reason."""

import copy
from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest
from connectors.base import DataError
from connectors.records import CashMove, PointsEntry, SetAside
from connectors.sandboxes.smaregi import Sandbox, outside
from connectors.smaregi import translate
from hypothesis import given, settings
from hypothesis import strategies as st

SETTINGS = {"jan_field": "productCode"}
TEA, CUP, BAG = "4901234567894", "4909876543210", "BAG"


@pytest.fixture(scope="module")
def till():
    sandbox = Sandbox()
    goods = ((TEA, "Tea", 108, True), (CUP, "Cup", 1100, False), (BAG, "Bag", 5, False))
    names = ("code", "name", "price", "reduced")
    sandbox.do_load(products=[dict(zip(names, item, strict=True)) for item in goods])
    return sandbox


def payload(till, answer):
    return copy.deepcopy(outside(till.rows["transactions"][answer["id"]]))


def sell(till, *items, **options):
    return payload(till, till.do_sell([{"code": code, "quantity": number} for code, number in items], **options))


def read(head):
    return translate.transaction(head, SETTINGS)


def assert_adds_up(sale):
    """Lines, tax table and tenders each give the total; every line's tax has the sign of its amount."""
    assert sale.problems == ()
    assert sum(line.amount for line in sale.lines) == sale.total
    assert sum(tax.total for tax in sale.taxes) == sale.total
    assert sum(tender.amount for tender in sale.tenders) == sale.total
    assert sum(tax.tax for tax in sale.taxes) == sum(line.tax for line in sale.lines)
    for line in sale.lines:
        assert line.quantity * line.amount >= 0


def test_plain_sale_is_read_as_printed(till):
    """Two rates, tax included, cash with change: all of the receipt arrives, nothing is recomputed."""
    head = sell(till, (TEA, 3), (CUP, 1), tenders={"cash": 2000}, sold_at="2026-11-21T23:30:00+09:00")
    head |= {"sumDate": "2026-11-20", "memo": "gift", "staffName": "Sato"}
    sale = read(head)
    assert_adds_up(sale)
    assert (sale.total, sale.state, sale.original_id, sale.note, sale.cashier) == (D(1424), "done", "", "gift", "Sato")
    assert [(t.rate, t.reduced, t.total, t.tax) for t in sale.taxes] == [
        (D(8), True, D(324), D(24)),
        (D(10), False, D(1100), D(100)),
    ]
    assert [(t.code, t.kind, t.amount) for t in sale.tenders] == [("cash", "cash", D(1424))]
    line = sale.lines[0]
    assert (line.quantity, line.unit_price, line.amount, line.tax) == (D(3), D(108), D(324), D(24))
    assert (line.product.barcode, line.product.sku, line.product.name) == (TEA, TEA, "Tea")
    assert sale.sold_at == datetime(2026, 11, 21, 14, 30, tzinfo=UTC) and sale.business_date == date(2026, 11, 20)


def test_code_that_is_no_jan_is_a_sku_only(till):
    """A merchant's own code must not be taken for a barcode."""
    (line,) = read(sell(till, (BAG, 1))).lines
    assert (line.product.barcode, line.product.sku) == ("", BAG)


def test_open_day_takes_the_day_of_the_sale_in_japan(till):
    """Before the day is closed there is no sumDate; 23:30 in Japan is not yet tomorrow, 14:30 in London is."""
    sale = read(sell(till, (TEA, 1), sold_at="2026-11-21T15:10:00+00:00"))
    assert sale.business_date == date(2026, 11, 22)


def test_discounts_come_off_the_lines_as_allocated(till):
    """Receipt discount and coupon lower the taxable base by the vendor's own shares."""
    sale = read(sell(till, (TEA, 3), (CUP, 1), discount=100, coupon=24))
    assert_adds_up(sale)
    assert sale.total == D(1300) and [line.amount for line in sale.lines] == [D(297), D(1003)]


def test_points_as_a_discount_lower_the_base(till):
    """pointSpendDivision 2: no tender, smaller lines, smaller tax."""
    sale = read(sell(till, (CUP, 1), points=100, points_rule="2"))
    assert_adds_up(sale)
    assert sale.total == D(1000) and sale.taxes[0].tax == D(90) and [t.code for t in sale.tenders] == ["cash"]


def test_points_as_money_are_a_tender(till):
    """pointSpendDivision 1: full turnover and tax, a tender "points" beside the cash."""
    sale = read(sell(till, (CUP, 1), points=100, points_rule="1"))
    assert_adds_up(sale)
    assert sale.total == D(1100) and sale.taxes[0].tax == D(100) and sale.points_spent == D(100)
    assert [(t.kind, t.amount) for t in sale.tenders] == [("cash", D(1000)), ("points", D(100))]


def test_points_of_unknown_kind_block_the_receipt(till):
    """Payment or discount is a matter of tax: never guessed."""
    head = sell(till, (CUP, 1), points=100)
    head["pointSpendDivision"] = None
    assert any("points are a payment or a discount" in problem for problem in read(head).problems)


def test_tax_excluded_store_gives_tax_included_amounts(till):
    """The line's share of the added tax is part of its amount; the unit price stays in the receipt's basis."""
    sale = read(sell(till, (CUP, 1), tax_excluded=True))
    assert_adds_up(sale)
    assert sale.total == D(1210) and sale.lines[0].unit_price == D(1100) and sale.taxes[0].tax == D(110)


def test_mixed_tenders_keep_their_names(till):
    """Cash, card and two other methods, each with the vendor's own key."""
    others = [{"id": 5, "name": "QR", "amount": 300}, {"id": 9, "name": "Gift voucher", "amount": 200, "voucher": 1}]
    sale = read(sell(till, (CUP, 1), tenders={"cash": 200, "credit": 500, "others": others}))
    assert_adds_up(sale)
    assert [(t.external_id, t.code, t.name, t.kind, t.amount) for t in sale.tenders] == [
        ("cash", "cash", "Cash", "cash", D(100)),
        ("credit", "credit", "Credit card", "card", D(500)),
        ("other-1", "5", "QR", "other", D(300)),
        ("other-2", "9", "Gift voucher", "voucher", D(200)),
    ]


def test_change_for_a_voucher_leaves_the_drawer(till):
    """A voucher that gives change: it counts in full, the change is negative cash."""
    voucher = {"id": 9, "name": "Voucher", "amount": 2000, "voucher": 1, "gives_change": 1}
    sale = read(sell(till, (CUP, 1), tenders={"others": [voucher]}))
    assert_adds_up(sale)
    assert [(t.code, t.amount) for t in sale.tenders] == [("cash", D(-900)), ("9", D(2000))]


def test_voucher_without_change_counts_for_what_it_paid(till):
    """paymentChangeFlag 0: the surplus is the shop's and stands in the note."""
    sale = read(sell(till, (CUP, 1), tenders={"others": [{"id": 9, "name": "Voucher", "amount": 2000, "voucher": 1}]}))
    assert_adds_up(sale)
    assert sale.tenders[0].amount == D(1100) and sale.note == "Voucher was worth 2000; 900 of it gave no change."


def test_surplus_of_a_card_is_a_contradiction(till):
    """Only a voucher may be worth more than it pays."""
    head = sell(till, (CUP, 1), tenders={"credit": 1200})
    assert read(head).problems == (
        "The means of payment add up to 1200, but the total is 1100: a difference of 100.",
    )


def test_shipping_and_fee_take_the_tax_no_line_has(till):
    """carriage and commission are lines of their own; what tax the lines do not explain is theirs."""
    head = sell(till, (CUP, 1))
    head |= {"carriage": "550", "commission": "330", "total": "1980", "taxInclude": "180", "depositCash": "1980"}
    sale = read(head)
    assert_adds_up(sale)
    assert [(line.kind, line.amount, line.tax) for line in sale.lines[1:]] == [
        ("shipping", D(550), D(50)),
        ("fee", D(330), D(30)),
    ]


def test_shipping_without_tax_in_the_receipt_stays_untaxed(till):
    """The figures of the receipt decide, not our idea of them."""
    head = sell(till, (CUP, 1)) | {"carriage": "550", "total": "1650", "depositCash": "1650"}
    sale = read(head)
    assert_adds_up(sale)
    assert (sale.lines[1].tax, sale.lines[1].tax_rate) == (D(0), D(0))


def test_rounding_of_the_total_is_a_line(till):
    """What rounding gave the customer is visible as an adjustment."""
    head = sell(till, (TEA, 1)) | {"roundingPrice": "-8", "total": "100", "depositCash": "100"}
    sale = read(head)
    assert_adds_up(sale)
    assert (sale.lines[1].kind, sale.lines[1].amount) == ("adjustment", D(-8))


def test_pick_up_of_a_layaway_counts_the_deposit(till):
    """The part paid earlier is a tender of the pick-up's receipt."""
    head = sell(till, (CUP, 1), tenders={"cash": 800})
    head["layawayPickUp"] = {"receivedDepositCash": "300", "receivedDepositCredit": None}
    sale = read(head)
    assert_adds_up(sale)
    assert [(t.code, t.amount) for t in sale.tenders] == [("cash", D(800)), ("layaway", D(300))]


def test_void_is_the_same_receipt_in_another_state(till):
    """cancelDivision 1: same id, newer version, state void, figures unchanged."""
    answer = till.do_sell([{"code": CUP}])
    before = read(payload(till, answer))
    till.do_cancel(answer["id"])
    after = read(payload(till, answer))
    assert (after.external_id, after.state, after.total) == (before.external_id, "void", before.total)
    assert after.version > before.version


def test_cancel_within_the_same_second_is_newer():
    """The vendor's time has a grain of a second: what only moves forward decides within it."""
    row = {"transactionHeadId": "1", "updDateTime": "2026-11-21T10:00:00+09:00", "cancelDivision": "0"}
    assert translate.version({**row, "cancelDivision": "1"}) > translate.version(row)
    assert translate.version(row) == "2026-11-21T01:00:00Z.000"


def test_versions_of_different_zones_sort_by_time():
    """UTC text sorts; the vendor's local text would not."""
    earlier, later = {"updDateTime": "2026-11-21T09:30:00+09:00"}, {"updDateTime": "2026-11-21T01:00:00Z"}
    assert translate.version(earlier) < translate.version(later)


def test_dispose_is_a_return_that_names_its_original(till):
    """disposeDivision 2: everything negative, original_id set; the original itself stays a sale."""
    answer = till.do_sell([{"code": TEA, "quantity": 3}, {"code": CUP}], discount=50, tenders={"cash": 2000})
    back = read(payload(till, till.do_dispose(answer["id"])))
    assert_adds_up(back)
    assert (back.original_id, back.total, back.tenders[0].amount) == (answer["id"], D(-1374), D(-1374))
    assert [line.quantity for line in back.lines] == [D(-3), D(-1)]
    original = read(payload(till, answer))
    assert (original.state, original.original_id, original.total) == ("done", "", D(1374))


FLIPPED = ("quantity", "unitNonDiscountSum", "unitDiscountSum", "unitDiscountedSum", "taxIncludeProportional")


def test_dispose_that_repeats_the_original_lines_is_turned_round(till):
    """Lines sent as they were sold, under a negative head: the head decides."""
    answer = till.do_sell([{"code": TEA, "quantity": 3}, {"code": CUP}])
    head = payload(till, till.do_dispose(answer["id"]))
    for line in head["details"]:
        line |= {name: line[name].lstrip("-") for name in FLIPPED} | {"transactionDetailDivision": "1"}
    back = read(head)
    assert_adds_up(back)
    assert back.total == D(-1424) and all(line.quantity < 0 for line in back.lines)


def test_dispose_without_anything_negative_is_blocked(till):
    """A return that looks like a sale would be booked as a second sale: a person must look."""
    answer = till.do_sell([{"code": CUP}])
    head = sell(till, (CUP, 1)) | {"disposeDivision": "2", "disposeServerTransactionHeadId": answer["id"]}
    assert any("takes back another" in problem for problem in read(head).problems)


@pytest.mark.parametrize("fields", [(), ("quantity",), FLIPPED])
def test_return_line_is_negative_however_it_is_signed(till, fields):
    """transactionDetailDivision 2: quantity and sums may come positive or negative under a negative subtotal."""
    head = sell(till, (CUP, -2))
    for line in head["details"]:
        line |= {name: line[name].lstrip("-") for name in fields}
    back = read(head)
    assert_adds_up(back)
    assert (back.total, back.original_id, back.lines[0].quantity) == (D(-2200), "", D(-2))


def test_refund_with_unsigned_deposits_pays_out(till):
    """A negative total with a positive deposit of the same size is money handed back."""
    head = sell(till, (CUP, -1))
    head["depositCash"] = head["depositCash"].lstrip("-")
    back = read(head)
    assert_adds_up(back)
    assert back.tenders[0].amount == D(-1100)


def test_exchange_has_lines_of_both_signs(till):
    """Goods back and new goods on one receipt; the difference is paid."""
    sale = read(sell(till, (TEA, -3), (CUP, 1)))
    assert_adds_up(sale)
    assert sale.total == D(776) and [line.quantity for line in sale.lines] == [D(-3), D(1)]


def bundle(till, parent_price, *part_prices):
    """A receipt of one set with parts, and one more cup outside of it."""
    head = sell(till, (TEA, 1), *[(CUP, 1)] * len(part_prices), (CUP, 1))
    parent, *parts = head["details"][:-1]
    parent |= {"productDivision": "5", "reduceTaxId": None, "reduceTaxRate": None, "taxRate": "10.0"}
    for line, price in zip([parent, *parts], (parent_price, *part_prices), strict=True):
        tax = str(price * 10 // 110)
        line |= {"salesPrice": str(price), "unitDiscountedSum": str(price), "taxIncludeProportional": tax}
    for line in parts:
        line |= {"parentTransactionDetailId": parent["transactionDetailId"], "productDivision": "7"}
    return head


@pytest.mark.parametrize(("prices", "counted"), [((0, 660, 440), ["2", "3", "4"]), ((1100, 700, 600), ["1", "4"])])
def test_one_level_of_a_bundle_is_counted(till, prices, counted):
    """Whichever level adds up to the subtotal carries the money, never both."""
    head = bundle(till, *prices)
    head |= {"subtotal": "2200", "total": "2200", "taxInclude": "200", "depositCash": "2200"}
    sale = read(head)
    assert_adds_up(sale)
    assert [line.external_id for line in sale.lines] == counted


def test_option_is_charged_beside_its_parent(till):
    """An option under a set is no part of it."""
    head = bundle(till, 1100, 110)
    head["details"][1]["productDivision"] = "2"
    head |= {"subtotal": "2310", "total": "2310", "taxInclude": "210", "depositCash": "2310"}
    sale = read(head)
    assert_adds_up(sale)
    assert len(sale.lines) == 3


def test_staff_discount_is_subtracted_only_if_the_receipt_says_so(till):
    """Whether the line's sum already has it is not documented: the reading that adds up is taken."""
    head = sell(till, (CUP, 1))
    head["details"][0]["staffDiscountProportional"] = "100"
    assert_adds_up(read(head))
    assert read(head).lines[0].amount == D(1100)
    head |= {"total": "1000", "depositCash": "1000"}
    assert read(head).lines[0].amount == D(1000) and read(head).problems == ()


@pytest.mark.parametrize("by", [1, -1, 1000])
def test_total_that_differs_from_its_parts_is_blocked(till, by):
    """One yen is enough; both numbers and the difference are told."""
    answer = till.do_sell([{"code": CUP}])
    till.do_corrupt(answer["id"], by)
    assert read(payload(till, answer)).problems == (
        f"The lines add up to 1100, but the total is {1100 + by}: a difference of {-by}.",
        f"The means of payment add up to 1100, but the total is {1100 + by}: a difference of {-by}.",
    )


def test_shares_of_tax_that_differ_from_the_receipt_block_it(till):
    """The tax table comes from allocated shares: it must agree with the head."""
    head = sell(till, (CUP, 1)) | {"taxInclude": "101"}
    assert read(head).problems == ("The taxes of the lines add up to 100, but the tax is 101: a difference of -1.",)


def test_unknown_rate_is_passed_through(till):
    """A rate we never heard of is not ours to judge."""
    head = sell(till, (CUP, 1))
    head["details"][0] |= {"modifiedTaxRate": "12.5"}
    assert read(head).taxes[0].rate == D("12.5")


def test_old_eight_percent_is_not_the_reduced_rate(till):
    """8 % standard and 8 % reduced are two rows of the tax table."""
    head = sell(till, (TEA, 1), (CUP, 1))
    head["details"][1]["modifiedTaxRate"] = "8"
    assert [(tax.rate, tax.reduced) for tax in read(head).taxes] == [(D(8), False), (D(8), True)]


def test_untaxed_line_has_rate_zero(till):
    """taxDivision 2, whatever rates stand beside it."""
    head = sell(till, (CUP, 1)) | {"taxInclude": "0"}
    head["details"][0] |= {"taxDivision": "2", "taxIncludeProportional": "0"}
    assert [(t.rate, t.total, t.tax) for t in read(head).taxes] == [(D(0), D(1100), D(0))]


@pytest.mark.parametrize(
    ("changes", "reduced"),
    [
        ({}, True),
        ({"reduceTaxId": None}, False),
        ({"reduceTaxId": "10000002"}, None),  # the cashier decides: eat in or take away
        ({"useCategoryReduceTax": "1", "reduceTaxId": None}, None),  # the category decides
    ],
)
def test_reduced_rate_of_a_product_is_said_only_where_it_is_known(till, changes, reduced):
    """Whoever else decides the rate, the product does not say it, so nothing is compared."""
    row = next(row for row in till.rows["products"].values() if row["reduceTaxId"]) | changes
    product = translate.catalogue_entry(row, {"jan_field": "productCode"})
    assert (product.reduced, product.tax_rate, product.tax_included) == (reduced, None, True)


def test_line_by_category_has_no_product(till):
    """A department key sells no product; the line stays, with the name it has."""
    head = sell(till, (CUP, 1))
    head["details"][0] |= {"productId": None, "productName": None, "categoryName": "Books"}
    head["details"][0]["transactionDetailDivision"] = "3"
    (line,) = read(head).lines
    assert line.product is None and line.name == "Books"


def test_cash_moves(till):
    """Divisions 2 and 3: money in is positive, money out negative; a cancelled one is void."""
    into, out = till.do_cash_in(30000), till.do_cash_out(12000)
    assert read(payload(till, into)).amount == D(30000)
    move = read(payload(till, out))
    assert isinstance(move, CashMove) and (move.amount, move.reason, move.state) == (D(-12000), "to the bank", "done")
    till.do_cancel(out["id"])
    assert read(payload(till, out)).state == "void"


@pytest.mark.parametrize(
    ("division", "fields", "points"),
    [
        *(("6", {"newPoint": "50"}, 50), ("7", {"spendPoint": "50"}, -50), ("8", {"spendPoint": "-50"}, -50)),
        *(("13", {"earnMile": "5"}, 5), ("14", {"adjustmentMile": "5"}, -5)),
    ],
)
def test_points_entries(till, division, fields, points):
    """Divisions that only move points; cancelled they are worth nothing."""
    head = payload(till, till.do_add_points("77", 0)) | {"transactionHeadDivision": division, **fields}
    entry = read(head)
    assert isinstance(entry, PointsEntry) and (entry.customer_id, entry.points) == ("77", D(points))
    assert read(head | {"cancelDivision": "1"}).points == 0


@pytest.mark.parametrize("division", ["4", "5", "9", "10", "11", "12", "15", "16", "99"])
def test_what_is_no_turnover_is_set_aside_with_a_reason(till, division):
    """Only division 1 is turnover: the rest is kept and explained, also what we do not know."""
    aside = read(sell(till, (CUP, 1)) | {"transactionHeadDivision": division})
    assert isinstance(aside, SetAside) and aside.kind == f"transaction/{division}" and len(aside.reason) > 5


def test_number_that_is_none_is_a_data_error(till):
    """One bad record is one failure, named."""
    with pytest.raises(DataError, match="total"):
        read(sell(till, (CUP, 1)) | {"total": "1,100"})


def test_closing_belongs_to_the_day_before_the_change():
    """A till closed at 3:00 where the day changes at 5:00 closes yesterday; unknown figures are None."""
    row = {"storeId": "1", "terminalId": "2", "adjustmentDateTime": "2026-11-22T03:00:00+09:00"}
    row["_sumDateChangeTime"] = "5"
    report = translate.closing(row, SETTINGS)
    assert (report.business_date, report.total, report.cash_counted) == (date(2026, 11, 21), None, None)


BASKETS = st.lists(
    st.fixed_dictionaries(
        {"code": st.sampled_from([TEA, CUP, BAG]), "quantity": st.integers(1, 30), "price": st.integers(1, 99999)}
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(
    items=BASKETS,
    shares=st.tuples(*[st.integers(0, 33)] * 3),
    rule=st.sampled_from(["1", "2"]),
    is_excluded=st.booleans(),
    is_return=st.booleans(),
)
def test_any_basket_adds_up(items, shares, rule, is_excluded, is_return):
    """Lines, taxes and tenders of any basket with any discounts agree to the yen, sold and taken back."""
    till = Sandbox()
    till.do_load(products=[{"code": c, "price": 1, "reduced": c == TEA} for c in (TEA, CUP, BAG)])
    gross = sum(item["quantity"] * item["price"] for item in items)
    off = dict(zip(("discount", "coupon", "points"), (gross * share // 100 for share in shares), strict=True))
    answer = till.do_sell(items, points_rule=rule, tax_excluded=is_excluded, **off)
    sale = read(payload(till, till.do_dispose(answer["id"]) if is_return else answer))
    assert_adds_up(sale)
    sign = -1 if is_return else 1
    for tax in sale.taxes:
        assert 0 <= sign * tax.tax <= sign * tax.total
    assert sale.total == sign * (answer["total"] + (off["points"] if rule == "1" else 0))
