# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The connector against its sandbox; each answer of the sandbox is checked against the vendor's schema."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from connectors import base
from connectors.http import Http
from connectors.records import Parcel, PushResult, StockLevel
from connectors.shopify.connector import Shopify
from shopify_contract import VERSIONS, load, problems_of_answer

TEA, MUG, CARD = "4900000000017", "MUG", "GIFT"
PRODUCTS = [
    {"code": TEA, "name": "お茶", "price": 108, "reduced": True},
    {"code": MUG, "name": "マグ", "price": 1100},
    {"code": CARD, "name": "ギフトカード", "price": 3000, "gift_card": True},
]
STORES = [{"id": "7", "name": "本店"}, {"id": "8", "name": "倉庫"}]
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture
def shop(run_sandbox, request):
    try:
        folder = request.getfixturevalue("contracts")
    except pytest.skip.Exception:
        folder = None
    started = run_sandbox("shopify")
    sandbox, slept, answers = started.sandbox, [], []
    original = sandbox.graphql

    def graphql(asked):
        answer = original(asked)
        answers.append((asked.json["query"], asked.json["variables"], json.loads(answer.get_data())))
        return answer

    sandbox.graphql = graphql
    sandbox.do_load(PRODUCTS, STORES)

    def connect(**settings):
        http = Http(Shopify.errors, base.Budget(1000, burst=1000), Shopify.sensitive_keys, sleep=slept.append)
        return Shopify({**sandbox.settings(started.url), **settings}, http)

    yield SimpleNamespace(sandbox=sandbox, connect=connect, connector=connect(), slept=slept, answers=answers)
    for version in VERSIONS if folder else ():
        for document, variables, answer in answers:
            if answer.get("data"):
                assert list(problems_of_answer(load(folder, version), document, variables, answer["data"])) == []


def pull_all(connector, stream, since=LONG_AGO, until=None):
    facts, cursor = [], None
    while True:
        page = connector.pull(stream, since, until or datetime.now(UTC), cursor)
        facts += page.facts
        cursor = page.cursor
        if cursor is None:
            return facts


def order_of(shop, sold):
    (fact,) = shop.connector.fetch("order", [sold["id"]])
    return shop.connector.translate("order", fact.payload)


def item_of(shop, code):
    return shop.sandbox.codes[code]["inventoryItem"]["legacyResourceId"]


def level(shop, code, quantity, expected, push_id, store="7"):
    expected = None if expected is None else Decimal(expected)
    return StockLevel(store, item_of(shop, code), Decimal(quantity), expected, push_id)


def ok(push_id, quantity):
    return PushResult(push_id, "ok", Decimal(quantity))


# -- settings ------------------------------------------------------------------------------------
def test_check_learns_shop_and_stores(shop):
    info = shop.connector.check()
    assert info.name == "Sandbox"
    assert [(store.external_id, store.name) for store in info.stores] == [("7", "本店"), ("8", "倉庫")]
    assert info.notes == ("Prices include tax; currency JPY, time zone Asia/Tokyo.",)


def test_check_names_the_scope_that_lacks(shop):
    scopes = shop.sandbox.root["currentAppInstallation"]["accessScopes"]
    scopes.remove({"handle": "write_inventory"})
    with pytest.raises(base.ConfigError, match="lacks the scopes write_inventory"):
        shop.connector.check()


def test_check_refuses_another_shops_token(shop):
    with pytest.raises(base.ConfigError, match="bridge-sandbox.myshopify.com"):
        shop.connect(shop="other.myshopify.com").check()


def test_one_kind_of_credentials_is_needed(shop):
    with pytest.raises(base.ConfigError, match="either client ID"):
        shop.connect(client_secret="")


def test_wrong_secret_stops_the_channel(shop):
    with pytest.raises(base.BridgeError) as caught:
        shop.connect(client_secret="wrong").check()
    assert caught.value.kind in ("config", "auth")


# -- reading -------------------------------------------------------------------------------------
@pytest.mark.parametrize("stream", ["store", "product", "customer", "order", "stock"])
def test_pulled_and_fetched_facts_are_the_same(shop, stream):
    """One thing has one identity and version, whichever way it is read."""
    for _ in range(5):
        shop.sandbox.do_sell([{"code": TEA, "quantity": 1}])
    pulled = pull_all(shop.connector, stream)
    assert len(pulled) == {"store": 2, "product": 3, "customer": 3, "order": 5, "stock": 6}[stream]
    assert len({fact.external_id for fact in pulled}) == len(pulled)
    assert shop.connector.fetch(stream, [fact.external_id for fact in pulled]) == pulled
    assert [shop.connector.translate(stream, json.loads(json.dumps(fact.payload))) for fact in pulled]


def test_what_is_gone_is_left_out(shop):
    assert shop.connector.fetch("order", ["999999"]) == []
    assert shop.connector.fetch("stock", ["999999:7"]) == []


def test_order_pages_resume_after_a_cut_and_come_oldest_first(shop):
    """Whoever stops after a page goes on from its cursor; an order changed meanwhile comes again, later."""
    sold = [shop.sandbox.do_sell([{"code": TEA, "quantity": 1}])["id"] for _ in range(9)]
    until = datetime.now(UTC) + timedelta(minutes=1)
    first = shop.connector.pull("order", LONG_AGO, until)
    shop.sandbox.do_change(sold[0])
    seen, cursor = [fact.external_id for fact in first.facts], first.cursor
    while cursor:
        page = shop.connect().pull("order", LONG_AGO, until, cursor)
        seen, cursor = seen + [fact.external_id for fact in page.facts], page.cursor
    assert seen == [*sold, sold[0]]


def test_window_leaves_out_what_is_older_or_newer(shop):
    shop.sandbox.do_sell([{"code": TEA, "quantity": 1}])
    now = datetime.now(UTC)
    assert len(pull_all(shop.connector, "order", now - timedelta(minutes=1), now)) == 1
    assert pull_all(shop.connector, "order", now - timedelta(hours=2), now - timedelta(hours=1)) == []
    assert pull_all(shop.connector, "order", now + timedelta(hours=1), now + timedelta(hours=2)) == []


def test_lines_beyond_the_first_page_are_fetched(shop):
    """130 lines come in three pages; the order still ties out, and so does a refund of them all."""
    codes = [f"P{i}" for i in range(130)]
    shop.sandbox.do_load([{"code": code, "name": code, "price": 110} for code in codes])
    sold = shop.sandbox.do_sell([{"code": code, "quantity": 1} for code in codes])
    shop.sandbox.do_refund(sold["id"])
    order = order_of(shop, sold)
    assert [len(order.lines), order.total, order.problems] == [130, Decimal(14300), ()]
    assert [len(order.refunds[0].lines), order.refunds[0].amount] == [130, Decimal(14300)]


def test_too_dear_query_is_asked_in_smaller_pages(shop):
    for _ in range(4):
        shop.sandbox.do_sell([{"code": TEA, "quantity": 1}])
    shop.sandbox.dearest = 20
    assert len(shop.connector.pull("order", LONG_AGO, datetime.now(UTC)).facts) == 2
    assert len(pull_all(shop.connector, "order")) == 4


def test_change_makes_a_greater_version(shop):
    sold = shop.sandbox.do_sell([{"code": TEA, "quantity": 1}])
    versions = []
    for action in (shop.sandbox.do_change, shop.sandbox.do_refund, shop.sandbox.do_cancel):
        action(sold["id"])
        versions.append(shop.connector.fetch("order", [sold["id"]])[0].version)
    assert versions == sorted(set(versions))


def test_two_states_of_one_second_are_told_apart(shop):
    """The vendor stamps whole seconds: paid and refunded in one second, the later state still is the newer."""
    sold = shop.sandbox.do_sell([{"code": TEA, "quantity": 1}])
    shop.sandbox.now = lambda: datetime(2030, 1, 1, tzinfo=UTC)
    shop.sandbox.do_change(sold["id"])
    before = shop.connector.fetch("order", [sold["id"]])[0].version
    shop.sandbox.do_refund(sold["id"])
    assert shop.connector.fetch("order", [sold["id"]])[0].version > before


# -- stock out -----------------------------------------------------------------------------------
def test_levels_are_set_by_comparison_or_without(shop):
    shop.sandbox.do_set_stock(MUG, 3, "7")
    levels = [level(shop, MUG, 5, 3, "a"), level(shop, TEA, 9, None, "b", "8")]
    assert shop.connector.push_stock(levels) == [ok("a", 5), ok("b", 9)]
    assert shop.sandbox.state()["levels"] == {"7": {TEA: 0, MUG: 5, CARD: 0}, "8": {TEA: 9, MUG: 0, CARD: 0}}
    (push,) = shop.sandbox.pushes
    assert push["referenceDocumentUri"] == "gid://pos-erp-bridge/StockPush/a"
    assert [entry["changeFromQuantity"] for entry in push["quantities"]] == [3, None]


def test_timeout_after_apply_sets_the_level_exactly_once(shop):
    """The answer is lost, the same key brings it again."""
    shop.sandbox.faults["timeout_after_apply"] = 1
    assert shop.connector.push_stock([level(shop, MUG, 5, 0, "a")]) == [ok("a", 5)]
    assert len(shop.sandbox.pushes) == 1
    assert len({a[1]["key"] for a in shop.answers if "SetQuantities" in a[0]}) == 1


def test_push_repeated_by_another_process_sets_the_level_once(shop):
    """Same push ids, same keys; and a sale between the two is not undone."""
    levels = [level(shop, MUG, 5, 0, "a")]
    assert shop.connector.push_stock(levels) == [ok("a", 5)]
    shop.sandbox.do_sell([{"code": MUG, "quantity": 1}])
    assert shop.connect().push_stock(levels) == [ok("a", 5)]  # the vendor repeats its first answer
    assert shop.sandbox.state()["levels"]["7"][MUG] == 4
    assert len(shop.sandbox.pushes) == 1


def test_stale_item_is_given_back_and_the_others_go_on(shop):
    shop.sandbox.do_set_stock(TEA, 4, "7")
    levels = [level(shop, MUG, 5, 0, "a"), level(shop, TEA, 9, 6, "b"), level(shop, MUG, 2, 0, "c", "8")]
    assert shop.connector.push_stock(levels) == [ok("a", 5), PushResult("b", "stale", Decimal(4)), ok("c", 2)]
    assert shop.sandbox.state()["levels"]["7"] == {TEA: 4, MUG: 5, CARD: 0}
    assert shop.connect().push_stock(levels)[1].status == "stale"  # the first key is used up; the rounds repeat
    assert shop.sandbox.state()["levels"]["7"][MUG] == 5


def test_level_that_is_already_right_is_ok_though_the_comparison_is_stale(shop):
    """An earlier try in another batch was applied and its answer lost."""
    shop.sandbox.do_set_stock(MUG, 5, "7")
    assert shop.connector.push_stock([level(shop, MUG, 5, 3, "a")]) == [ok("a", 5)]
    assert shop.sandbox.pushes == []


def test_changed_input_under_the_same_push_ids_gets_a_new_key(shop):
    shop.connector.push_stock([level(shop, MUG, 5, 0, "a")])
    assert shop.connector.push_stock([level(shop, MUG, 6, 5, "a")]) == [ok("a", 6)]


def test_refused_item_is_named_and_the_others_go_on(shop):
    bad = StockLevel("7", "999999", Decimal(1), None, "x")
    nowhere = StockLevel("999", item_of(shop, MUG), Decimal(1), Decimal(0), "y")
    found = shop.connector.push_stock([bad, level(shop, MUG, 5, 0, "a"), nowhere])
    assert [(x.push_id, x.status) for x in found] == [("x", "error"), ("a", "ok"), ("y", "error")]
    assert "INVALID_INVENTORY_ITEM" in found[0].message and "INVALID_LOCATION" in found[2].message


def test_error_without_a_path_is_about_every_item(shop):
    shop.sandbox.set_quantities = lambda input: {"userErrors": [{"code": "INVALID_REASON", "message": "no reason"}]}
    found = shop.connector.push_stock([level(shop, MUG, 5, 0, "a"), level(shop, TEA, 5, 0, "b")])
    assert [(x.status, x.message) for x in found] == [("error", "Shopify: no reason")] * 2


def test_item_not_stocked_at_the_place_is_activated_there(shop):
    """Without activation a level may be set, but nothing is sold from the place."""
    shop.sandbox.do_load([{"code": "NEW", "name": "新品", "price": 500, "is_stocked": False}])
    assert shop.connector.push_stock([level(shop, "NEW", 5, None, "a")]) == [ok("a", 5)]
    assert sum("inventoryActivate" in document for document, _, _ in shop.answers) == 1
    assert shop.connector.push_stock([level(shop, "NEW", 6, 5, "b")]) == [ok("b", 6)]
    assert sum("inventoryActivate" in document for document, _, _ in shop.answers) == 1


def test_call_still_running_is_asked_again_under_its_key(shop):
    once, keys = shop.sandbox.once, []

    def busy(info, args, apply):
        keys.append(info.variable_values["key"] if isinstance(info.variable_values, dict) else None)
        if len(keys) < 3:
            return {"userErrors": [{"code": "IDEMPOTENCY_CONCURRENT_REQUEST", "field": None, "message": "running"}]}
        return once(info, args, apply)

    shop.sandbox.once = busy
    assert shop.connector.push_stock([level(shop, MUG, 5, 0, "a")]) == [ok("a", 5)]
    assert len({a[1]["key"] for a in shop.answers if "SetQuantities" in a[0]}) == 1
    assert shop.slept == [1, 1]


def test_many_levels_go_in_calls_the_vendor_takes(shop):
    codes = [f"P{i}" for i in range(260)]
    shop.sandbox.do_load([{"code": code, "name": code, "price": 110} for code in codes])
    found = shop.connector.push_stock([level(shop, code, 1, 0, code) for code in codes])
    assert {x.status for x in found} == {"ok"} and len(found) == 260
    assert [len(push["quantities"]) for push in shop.sandbox.pushes] == [250, 10]


def test_fraction_is_rounded_down(shop):
    assert shop.connector.push_stock([level(shop, MUG, "2.7", 0, "a")]) == [ok("a", 2)]


def test_order_takes_from_available(shop):
    shop.sandbox.do_set_stock(MUG, 5, "7")
    sold = shop.sandbox.do_sell([{"code": MUG, "quantity": 2}])
    assert shop.sandbox.state()["levels"]["7"][MUG] == 3
    shop.sandbox.do_cancel(sold["id"])
    assert shop.sandbox.state()["levels"]["7"][MUG] == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("@idempotent(key: $key)", "@idempotent directive is required"),
        ("changeFromQuantity", "changeFromQuantity must be given"),
    ],
)
def test_sandbox_refuses_what_the_vendor_refuses_since_2026_04(shop, monkeypatch, text, said):
    from connectors.shopify import client

    if text.startswith("@"):
        document = client.OPERATIONS["SetQuantities"].replace(text, "").replace(", $key: String!", "")
        monkeypatch.setitem(client.OPERATIONS, "SetQuantities", document)
    entry = {"inventoryItemId": f"gid://shopify/InventoryItem/{item_of(shop, MUG)}", "quantity": 1}
    entry["locationId"] = "gid://shopify/Location/7"
    data = {"name": "available", "reason": "correction", "quantities": [entry]}
    with pytest.raises(base.ConfigError, match=said):
        shop.connector.client.run("SetQuantities", {"input": data, "key": "k"})


# -- parcels -------------------------------------------------------------------------------------
def test_parcel_tells_tracking_once(shop):
    """Fulfilments have no key: the lost answer is found by its tracking number."""
    sold = shop.sandbox.do_sell([{"code": MUG, "quantity": 2}])
    parcel = Parcel("p1", sold["id"], carrier="ヤマト運輸", tracking_number="1234-5678")
    shop.sandbox.faults["timeout_after_apply"] = 1
    with pytest.raises(base.UnknownOutcome):
        shop.connector.push_parcel(parcel)
    number = shop.connector.push_parcel(parcel)
    sent = shop.sandbox.find("Order", sold["id"])["fulfillments"]
    assert [(x["legacyResourceId"], x["trackingInfo"][0]["number"]) for x in sent] == [(number, "1234-5678")]


def test_parts_of_an_order_go_one_by_one(shop):
    sold = shop.sandbox.do_sell([{"code": MUG, "quantity": 2}, {"code": TEA, "quantity": 1}])
    mug, tea = (line.external_id for line in order_of(shop, sold).lines)
    first = Parcel("p1", sold["id"], ((mug, Decimal(1)),))
    assert shop.connector.push_parcel(first) == shop.connector.push_parcel(first)
    with pytest.raises(base.DataError, match="lacks"):
        shop.connector.push_parcel(Parcel("p2", sold["id"], ((mug, Decimal(2)),)))
    shop.connector.push_parcel(Parcel("p3", sold["id"]))
    ship = shop.sandbox.find("Order", sold["id"])["fulfillmentOrders"][0]
    assert [line["remainingQuantity"] for line in ship["lineItems"]] == [0, 0] and ship["status"] == "CLOSED"
    assert len(shop.sandbox.kinds["Fulfillment"]) == 2


@pytest.mark.parametrize("prepare", ["do_cancel", None])
def test_parcel_of_a_dead_order_is_refused(shop, prepare):
    sold = shop.sandbox.do_sell([{"code": MUG, "quantity": 1}])
    if prepare:
        getattr(shop.sandbox, prepare)(sold["id"])
    with pytest.raises(base.DataError):
        shop.connector.push_parcel(Parcel("p1", sold["id"] if prepare else "999999"))


# -- trouble -------------------------------------------------------------------------------------
@pytest.mark.parametrize("fault", ["status_429", "status_500", "expire_token", "throttled"])
def test_reading_survives(shop, fault):
    shop.sandbox.do_sell([{"code": TEA, "quantity": 1}])
    shop.connector.check()
    shop.sandbox.faults[fault] = 1
    assert len(pull_all(shop.connector, "order")) == 1
    assert shop.sandbox.faults[fault] == 0


@pytest.mark.parametrize("fault", ["status_429", "status_500", "expire_token", "throttled", "timeout_after_apply"])
def test_pushing_survives_and_sets_once(shop, fault):
    shop.connector.check()
    shop.sandbox.faults[fault] = 1
    assert shop.connector.push_stock([level(shop, MUG, 5, 0, "a")]) == [ok("a", 5)]
    assert len(shop.sandbox.pushes) == 1 and shop.sandbox.faults[fault] == 0


def test_long_trouble_is_handed_back(shop):
    shop.connector.check()
    for fault, kind in (("status_500", base.TransientError), ("throttled", base.TransientError)):
        shop.sandbox.faults[fault] = -1
        with pytest.raises(kind):
            pull_all(shop.connector, "order")
        shop.sandbox.faults[fault] = 0


def test_permanent_token_is_not_renewed(shop):
    """It stops the channel instead."""
    with pytest.raises(base.AuthError):
        shop.connect(access_token="revoked").check()


def test_token_is_asked_once(shop):
    for _ in range(3):
        shop.connector.check()
    assert sum(path.endswith("access_token") for _, path, _ in shop.sandbox.calls) == 1


def test_throttled_waits_as_long_as_the_bucket_needs(shop):
    """(requested - available) / restored per second; a longer wait than a call may take goes to the lane."""
    shop.connector.check()
    sandbox = shop.sandbox
    sandbox.rate, sandbox.available = 100, -585  # 30 points are asked for 4 orders
    pause = 6
    sandbox.bucket = -585  # it does not refill during the test
    with pytest.raises(base.TransientError) as caught:
        shop.connector.pull("order", LONG_AGO, datetime.now(UTC))
    assert round(caught.value.retry_after) == pause and [round(x) for x in shop.slept][:1] == [pause]
    sandbox.bucket = sandbox.available = -9000
    shop.slept.clear()
    with pytest.raises(base.TransientError) as caught:
        shop.connect().pull("order", LONG_AGO, datetime.now(UTC))
    assert round(caught.value.retry_after) == 90 and shop.slept == []


def test_short_bucket_is_waited_for_before_sending(shop):
    """What the last answer told saves a refused call."""
    shop.connector.pull("order", LONG_AGO, datetime.now(UTC))
    shop.sandbox.rate, shop.sandbox.bucket, shop.sandbox.available = 10, 30, 30
    shop.connector.pull("order", LONG_AGO, datetime.now(UTC))  # says that little is left
    shop.slept.clear()
    shop.sandbox.available = 30
    shop.connector.pull("order", LONG_AGO, datetime.now(UTC))
    assert len(shop.slept) == 1 and 0 < shop.slept[0] <= 3


def test_missing_permission_names_the_scope(shop):
    shop.connector.check()
    shop.sandbox.faults["access_denied"] = 1
    with pytest.raises(base.ConfigError, match="read_orders"):
        shop.connector.pull("order", LONG_AGO, datetime.now(UTC))


def test_webhooks_of_the_sandbox_are_good(shop, monkeypatch):
    """Signed by the real formula; a sale announces the order and the level it took from."""
    sent = []
    shop.sandbox.webhook_url = "http://127.0.0.1:9"
    monkeypatch.setattr(shop.sandbox._outbox, "put", sent.append)
    sold = shop.sandbox.do_sell([{"code": MUG, "quantity": 1}])
    shop.connector.push_stock([level(shop, MUG, 5, -1, "a")])
    found = []
    monkeypatch.undo()
    for _, body, headers in sent:
        lower = {name.lower(): value for name, value in headers.items()}
        found.append(shop.connector.verify(body, lower, datetime.now(UTC)))
    hints = [(x.topic, *((hint.stream, hint.external_id) for hint in x.hints)) for x in found]
    stock = ("inventory_levels/update", ("stock", f"{item_of(shop, MUG)}:7"))
    assert stock == hints[0] and ("orders/create", ("order", sold["id"])) in hints
    assert hints[-1] == stock  # our own write echoes
    assert len({x.delivery_id for x in found}) == len(found)
