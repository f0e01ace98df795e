# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Orders as records: every amount adds up, whatever was bought, given back or edited."""

import copy
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from connectors.base import DataError
from connectors.sandboxes import shopify as sandbox
from connectors.shopify import client
from connectors.shopify.connector import Shopify
from hypothesis import given, settings
from hypothesis import strategies as st

CODES = {"A": (108, True), "B": (1100, False), "C": (333, False), "D": (1, True), "G": (3000, False)}
SETTINGS = {"shop": sandbox.SHOP, "client_id": "x", "client_secret": "x"}


class Direct(Shopify):
    """The connector on a sandbox without a network between them."""

    def __init__(self, shop):
        super().__init__(SETTINGS)
        self.client.run = lambda operation, variables=None, **_: sandbox.execute_sync(
            sandbox.SCHEMA, sandbox.parse(client.OPERATIONS[operation]), shop.root,
            variable_values=variables, field_resolver=sandbox.resolve,
        ).data  # fmt: skip


@pytest.fixture(scope="module")
def shop():
    made = sandbox.Sandbox()
    products = [
        {"code": code, "name": code, "price": price, "reduced": reduced, "gift_card": code == "G"}
        for code, (price, reduced) in CODES.items()
    ]
    made.do_load(products, [{"id": "7", "name": "本店"}])
    connector = Direct(made)

    def payload(number):
        return copy.deepcopy(connector.fetch("order", [number])[0].payload)

    def order(number):
        return connector.translate("order", payload(number))

    return SimpleNamespace(sandbox=made, connector=connector, order=order, payload=payload)


def bag(amount):
    return {"shopMoney": {"amount": str(amount)}}


def check_sums(order):
    assert order.problems == ()
    assert sum(line.amount for line in order.lines) == order.total
    assert sum(tax.total for tax in order.taxes) == order.total
    assert sum(tax.tax for tax in order.taxes) == sum(line.tax for line in order.lines)
    for refund in order.refunds:
        assert sum(line.amount for line in refund.lines) == refund.amount
        assert sum(tax.total for tax in refund.taxes) == refund.amount
    for value in (line.amount for line in order.lines):
        assert value == value.to_integral_value()  # yen have no decimals


items = st.lists(st.tuples(st.sampled_from(sorted(CODES)), st.integers(1, 9)), min_size=1, max_size=6)
parts = st.lists(st.tuples(st.sampled_from(sorted(CODES)), st.integers(1, 4)), max_size=3, unique_by=lambda x: x[0])


def as_items(pairs):
    return [{"code": code, "quantity": count} for code, count in pairs]


@settings(max_examples=60, deadline=None)
@given(items, st.integers(0, 100), st.sampled_from([0, 1, 550, 1003]), parts, parts, parts, st.booleans())
def test_lines_shipping_and_refunds_add_up(shop, bought, percent, shipping, removed, back, added, is_all_back):
    """Random baskets with discount and shipping, edited, refunded in part and perhaps in whole."""
    worth = sum(CODES[code][0] * count for code, count in bought)
    values = {"discount": worth * percent // 100, "shipping": shipping}
    number = shop.sandbox.do_sell(as_items(bought), **values)["id"]
    check_sums(shop.order(number))
    assert shop.order(number).total == worth - values["discount"] + shipping
    shop.sandbox.do_edit(number, as_items(added), as_items(removed))
    check_sums(shop.order(number))
    shop.sandbox.do_refund(number, as_items(back))
    if is_all_back:
        shop.sandbox.do_refund(number)
    order = shop.order(number)
    check_sums(order)
    if is_all_back and sum(x.amount for x in order.refunds) != order.total:
        # All goods are back; the first refund, of goods only, left the shipping with the shop.
        assert order.total - sum(x.amount for x in order.refunds) == shipping


def test_order_says_everything(shop):
    number = shop.sandbox.do_sell(as_items([("A", 3), ("B", 2)]), discount=100, shipping=550, pickup=True)["id"]
    order = shop.order(number)
    lines = [(x.name, x.kind, x.quantity, x.unit_price, x.amount, x.tax, x.tax_rate, x.reduced) for x in order.lines]
    assert lines == [
        ("A", "product", 3, 108, 312, 23, 8, True),
        ("B", "product", 2, 1100, 2112, 192, 10, False),
        ("宅配便", "shipping", 1, 550, 550, 50, 10, False),
    ]
    assert [(x.rate, x.reduced, x.total, x.tax) for x in order.taxes] == [(8, True, 312, 23), (10, False, 2662, 242)]
    assert [(x.code, x.kind, x.amount) for x in order.payments] == [("shopify_payments", "card", 2974)]
    assert (order.state, order.payment_state, order.store_id, order.currency) == ("open", "paid", "7", "JPY")
    assert (order.is_pickup, order.is_test, order.shipping_address) == (True, False, None)
    address = order.billing_address
    assert (address.name, address.state, address.zip) in [(f"{a} {b}", "13", "100-0001") for a, b in sandbox.PEOPLE]
    assert order.customer.name == address.name and order.customer.external_id


def test_guest_test_and_pending_order(shop):
    number = shop.sandbox.do_sell(as_items([("A", 1)]), guest=True, test=True, pending=True)["id"]
    order = shop.order(number)
    assert (order.customer.external_id, order.customer.email) == ("", "guest@example.com")
    assert order.is_test and order.payment_state == "pending" and order.payments == ()
    shop.sandbox.do_pay(number)
    assert shop.order(number).payment_state == "paid"


def test_gift_card_has_no_tax(shop):
    line = shop.order(shop.sandbox.do_sell(as_items([("G", 1)]))["id"]).lines[0]
    assert (line.kind, line.amount, line.tax, line.tax_rate, line.reduced) == ("gift_card", 3000, 0, 0, False)


@pytest.mark.parametrize("restock", ["RETURN", "CANCEL", "NO_RESTOCK"])
def test_partial_refund_keeps_the_order_as_sold(shop, restock):
    """A refund stands beside the order: its lines and total do not shrink."""
    number = shop.sandbox.do_sell(as_items([("B", 3)]), shipping=550)["id"]
    before = shop.order(number)
    shop.sandbox.do_refund(number, as_items([("B", 1)]), restock=restock)
    order = shop.order(number)
    assert (order.lines, order.total, order.payment_state) == (before.lines, before.total, "paid")
    (refund,) = order.refunds
    (line,) = refund.lines
    said = {"RETURN": "return", "CANCEL": "cancel", "NO_RESTOCK": "none"}[restock]
    assert (line.order_line_id, line.quantity, line.amount, line.tax) == (before.lines[0].external_id, 1, 1100, 100)
    assert (line.tax_rate, line.restock, line.store_id) == (10, said, "7")
    assert [x.amount for x in refund.tenders] == [1100]


def test_refund_of_zero_is_a_refund(shop):
    """Goods came back, no money went: the gap is an adjustment."""
    number = shop.sandbox.do_sell(as_items([("B", 1)]))["id"]
    shop.sandbox.do_refund(number, amount=0)
    (refund,) = shop.order(number).refunds
    assert (refund.amount, refund.tenders) == (0, ())
    assert [(x.order_line_id != "", x.amount) for x in refund.lines] == [(True, 1100), (False, -1100)]


def test_cancelled_order(shop):
    number = shop.sandbox.do_sell(as_items([("B", 2)]), pending=True)["id"]
    shop.sandbox.do_cancel(number)
    order = shop.order(number)
    assert (order.state, order.payment_state, order.total) == ("cancelled", "voided", 2200)
    assert [(x.amount, x.tenders, x.lines[0].restock) for x in order.refunds] == [(2200, (), "cancel")]


def test_removed_pieces_leave_the_line_and_refunded_ones_stay(shop):
    number = shop.sandbox.do_sell(as_items([("B", 3), ("A", 2)]), discount=400)["id"]
    shop.sandbox.do_refund(number, as_items([("B", 1)]))
    shop.sandbox.do_edit(number, add=as_items([("C", 1)]), remove=as_items([("B", 1), ("A", 2)]))
    order = shop.order(number)
    assert [(x.name, x.quantity) for x in order.lines] == [("B", 2), ("C", 1)]
    check_sums(order)
    assert order.total == 2 * (1100 - 125) + 333  # 375 of the discount fell on the three B


def test_yen_left_over_by_rounding_goes_to_the_line_that_lost_pieces(shop):
    """Of 23 yen tax on three pieces, two thirds are 15; the vendor's sum says that 16 are left."""
    number = shop.sandbox.do_sell(as_items([("A", 3), ("B", 2)]), discount=100)["id"]
    shop.sandbox.do_edit(number, remove=as_items([("A", 1)]))
    order = shop.order(number)
    check_sums(order)
    assert [(x.quantity, x.amount, x.tax) for x in order.lines] == [(2, 208, 16), (2, 2112, 192)]


def test_wrong_total_is_said_with_both_numbers(shop):
    number = shop.sandbox.do_sell(as_items([("B", 1)]))["id"]
    shop.sandbox.do_corrupt(number, by=1)
    assert shop.order(number).problems == (
        "The lines and shipping add up to 1100, the order says 1101: a difference of -1.",
    )


def test_wrong_tax_and_wrong_refund_are_said(shop):
    number = shop.sandbox.do_sell(as_items([("B", 1)]))["id"]
    shop.sandbox.do_refund(number)
    payload = shop.payload(number)
    payload["totalTaxSet"] = bag("99.0")
    payload["refunds"][0]["transactions"]["nodes"][0]["amountSet"] = bag("1000.0")
    tax, refund = shop.connector.translate("order", payload).problems
    assert tax == "The taxes of the lines add up to 100, the order's tax is 99: a difference of 1."
    assert refund.endswith("add up to 1100, the money given back is 1000: a difference of 100.")


@pytest.mark.parametrize(("amount", "tax"), [("-110.0", "-10.0"), ("-100.0", "-10.0")])
def test_adjustment_with_or_without_its_tax(shop, amount, tax):
    """Money beyond the lines; whether the adjustment counts its tax, the money paid tells."""
    number = shop.sandbox.do_sell(as_items([("B", 1)]))["id"]
    shop.sandbox.do_refund(number, [], amount=110)
    payload = shop.payload(number)
    adjustment = payload["refunds"][0]["orderAdjustments"]["nodes"][0]
    adjustment["amountSet"], adjustment["taxAmountSet"] = bag(amount), bag(tax)
    order = shop.connector.translate("order", payload)
    assert order.problems == () and order.refunds[0].amount == 110
    assert [(x.amount, x.tax, x.tax_rate) for x in order.refunds[0].lines] == [(110, 10, 10)]


def test_taxes_on_top_are_added(shop):
    """A shop whose prices exclude tax: amounts include it all the same."""
    number = shop.sandbox.do_sell(as_items([("B", 1)]), shipping=550)["id"]
    shop.sandbox.do_refund(number)
    payload = shop.payload(number)
    payload["taxesIncluded"] = False
    payload["totalPriceSet"], payload["refunds"][0]["transactions"]["nodes"][0]["amountSet"] = bag(1800), bag(1800)
    order = shop.connector.translate("order", payload)
    assert order.problems == ()
    assert [(x.unit_price, x.amount, x.tax) for x in order.lines] == [(1100, 1200, 100), (550, 600, 50)]
    assert order.refunds[0].amount == 1800


def test_only_money_that_came_counts_and_change_is_netted(shop):
    number = shop.sandbox.do_sell(as_items([("B", 1)]), pending=True)["id"]
    payload = shop.payload(number)
    kinds = [("AUTHORIZATION", "SUCCESS", 1100), ("SALE", "FAILURE", 1100), ("SALE", "PENDING", 1100)]
    kinds += [("VOID", "SUCCESS", 1), ("SALE", "SUCCESS", 2000), ("CHANGE", "SUCCESS", 900)]
    payload["transactions"] = [
        {"id": f"gid://shopify/OrderTransaction/{i}", "kind": kind, "status": status, "gateway": "cash",
         "formattedGateway": "Cash", "processedAt": "2026-11-01T00:00:00Z", "amountSet": bag(f"{amount}.0")}
        for i, (kind, status, amount) in enumerate(kinds)
    ]  # fmt: skip
    payments = shop.connector.translate("order", payload).payments
    assert [(x.external_id, x.kind, x.amount) for x in payments] == [("4", "cash", 1100)]
    assert payments[0].paid_at == datetime(2026, 11, 1, tzinfo=UTC)


def test_more_refunds_than_are_read_block_the_order(shop):
    number = shop.sandbox.do_sell(as_items([("A", 40)]))["id"]
    for _ in range(31):
        shop.sandbox.do_refund(number, as_items([("A", 1)]))
    assert "The order has 30 refunds or more; the connector reads no further." in shop.order(number).problems


@pytest.mark.parametrize("spoil", [{"totalPriceSet": bag("x")}, {"lineItems": None}, {"updatedAt": "yesterday"}])
def test_unreadable_payload_is_a_data_error(shop, spoil):
    payload = shop.payload(shop.sandbox.do_sell(as_items([("A", 1)]))["id"])
    with pytest.raises(DataError, match="Shopify's order cannot be read"):
        shop.connector.translate("order", {**payload, **spoil})


def test_amounts_are_never_floats(shop):
    order = shop.order(shop.sandbox.do_sell(as_items([("A", 3), ("C", 1)]), discount=7, shipping=550)["id"])
    names = ("quantity", "unit_price", "amount", "tax", "tax_rate")
    values = [getattr(line, name) for line in order.lines for name in names]
    assert {type(value) for value in [*values, order.total]} == {Decimal}
