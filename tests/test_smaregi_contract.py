# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The Smaregi sandbox and the fields we read, held against the vendor's structure file."""

import inspect
import json
import re

import pytest
import requests
from connectors.sandboxes import smaregi as sandbox
from connectors.smaregi import const, translate
from jsonschema import Draft202012Validator

TEA, CUP = "4901234567894", "4909876543210"
# Read from answers the structure file does not cover (products, stock, closings): named in the vendor's own pages.
ELSEWHERE = {"displayFlag", "stockControlDivision", "useCategoryReduceTax", "stockAmount", "categoryName"}


@pytest.fixture(scope="session")
def spec(contracts):
    return json.loads((contracts / "smaregi" / "smaregi-pos.structure.json").read_text())


def nullable(node):
    """The source knows no null, the API answers with it: every property but a required one may be null."""
    if isinstance(node, list):
        return [nullable(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: nullable(value) for key, value in node.items()}
    properties, required = node.get("properties"), node.get("required") or []
    if isinstance(properties, dict):
        free = {name: {"anyOf": [item, {"type": "null"}]} for name, item in properties.items() if name not in required}
        node["properties"] = {**properties, **free}
    return node


@pytest.fixture(scope="session")
def assert_valid(spec):
    components = nullable(spec["components"])

    def check(data, schema):
        validator = Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": components})
        assert [f"{list(e.absolute_path)}: {e.message}" for e in validator.iter_errors(data)] == []

    return check


@pytest.fixture
def ask(run_sandbox):
    shop = run_sandbox("smaregi")
    shop.sandbox.do_load(products=[{"code": TEA, "price": 108, "reduced": True}, {"code": CUP, "price": 1100}])
    token = shop.connector.client._current_token()

    def ask(path, token=token, **query):
        headers = {"Authorization": f"Bearer {token}"}
        return requests.get(f"{shop.url}{sandbox.API}/{path}", params=query, headers=headers, timeout=5)

    ask.sandbox = shop.sandbox
    return ask


def everything(shop):
    """One receipt of every kind; returns their ids."""
    customer = shop.do_customer("Sato")["id"]
    items = [{"code": TEA, "quantity": 2}, {"code": CUP, "discount": 100}]
    others = {"cash": 500, "credit": 100, "others": [{"id": 9, "name": "Voucher", "amount": 2000, "voucher": 1}]}
    sold = [
        shop.do_sell(items, discount=50, coupon=10, points=5, customer=customer, tenders=others),
        shop.do_sell(items, tax_excluded=True, points=5, points_rule="1"),
        shop.do_sell(items),
    ]
    made = [shop.do_cancel(sold[0]["id"]), shop.do_dispose(sold[1]["id"]), shop.do_refund(sold[2]["id"], items[:1])]
    made += [shop.do_cash_in(1000), shop.do_cash_out(500), shop.do_add_points(customer, 5), shop.do_layaway(items)]
    shop.do_close_day()
    return [answer["id"] for answer in sold + made]


WHOLE = {**const.RESOURCES["sale"][2], "with_layaways": "all"}


def test_transactions_have_the_vendors_shape(ask, assert_valid, spec):
    """Every kind of receipt, in the list and by id, with and without details."""
    period = {"sum_date-from": "2020-01-01", "sum_date-to": "2020-01-02"}
    assert ask("transactions", **period).json() == []
    ids = everything(ask.sandbox)
    day = sandbox.now_text()[:10]
    rows = ask("transactions", **{"sum_date-from": day, "sum_date-to": day}, **WHOLE).json()
    assert {row["transactionHeadId"] for row in rows} == set(ids)
    for row in rows:
        assert_valid(row, "getTransactionItem")
        assert_valid(ask(f"transactions/{row['transactionHeadId']}", **WHOLE).json(), "getTransactionId")
        for line in row["details"]:
            assert_valid(line, "transactionDetail")
    assert "details" not in ask(f"transactions/{ids[0]}").json()
    known = spec["components"]["schemas"]
    fields = {*known["getTransactionItem"]["properties"], *known["getTransactionId"]["properties"]}
    assert set().union(*rows) <= fields
    lines = [line for row in rows for line in row["details"]]
    assert set().union(*lines) <= {*known["transactionDetail"]["properties"], *known["transactionDetail"]["required"]}
    # A full head: only the pick-up of a layaway is not played.
    assert {*known["getTransactionItem"]["properties"]} - set().union(*rows) == {"layawayPickUp"}


def test_stores_and_customers_have_the_vendors_shape(ask, assert_valid):
    """Masters, point rules included."""
    ask.sandbox.do_customer("Sato")
    assert_valid(ask("stores", with_point_condition="all").json(), "getStoresResponse")
    for row in ask("customers").json():
        assert_valid(row, "getCustomersItem")


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("transactions", {}, 400),
        ("transactions", {"upd_date_time-from": "2026-01-01T00:00:00+09:00"}, 400),
        ("transactions", {"sum_date-from": "2026-01-01", "sum_date-to": "2026-02-02"}, 400),
        ("transactions", {"sum_date-from": "2026-01-01", "sum_date-to": "2026-01-02", "limit": 101, **WHOLE}, 400),
        ("stores", {"limit": 1001}, 400),
        ("stores", {"page": 0}, 400),
        ("adjustments", {"adjustment_date_time-from": "2026-01-01", "adjustment_date_time-to": "2026-01-02"}, 400),
        ("adjustments", {"store_id": "1"}, 400),
        ("transactions/0", {}, 404),
        ("nothing", {}, 404),
        ("stores", {"token": "bad"}, 401),
    ],
)
def test_refusals_have_the_vendors_shape(ask, assert_valid, path, query, status):
    """problem+json, with the statuses the vendor documents."""
    answer = ask(path, **query)
    assert answer.status_code == status
    assert_valid(answer.json(), "error")


def test_pages_end_with_a_short_one(ask):
    """A bare array, no total and no link."""
    ask.sandbox.do_load(products=[{"code": f"P{i}", "price": 1} for i in range(5)])
    assert [len(ask("products", limit=3, page=page).json()) for page in (1, 2, 3, 4)] == [3, 3, 1, 0]


def test_calls_over_the_budget_are_throttled(ask):
    """429 with Retry-After, per contract."""
    ask.sandbox.calls_per_second = 3
    answers = [ask("stores") for _ in range(8)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused and all(answer.headers["Retry-After"] == "1" for answer in refused)


def test_numbers_are_text(ask):
    """No number leaves the API as a JSON number."""
    everything(ask.sandbox)
    day = sandbox.now_text()[:10]
    text = ask("transactions", **{"sum_date-from": day, "sum_date-to": day}, **WHOLE).text + ask("stock").text
    assert not re.search(r'": ?-?[0-9]', text)


def test_every_field_we_read_is_the_vendors(spec):
    """A misspelt field would silently be zero: each name in the translation is in the structure file."""
    names = set(re.findall(r'"([a-z]+[A-Z][A-Za-z]*)"', inspect.getsource(translate)))
    names |= {name for _sign, fields, _reason in const.POINTS.values() for name in fields}
    names |= {name for _path, fields, _query in const.RESOURCES.values() for name in fields}
    known = {name for schema in spec["components"]["schemas"].values() for name in schema.get("properties", ())}
    assert names - known - ELSEWHERE == set()
