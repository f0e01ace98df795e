# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The Smaregi connector against its sandbox, over real HTTP."""

import json
import queue
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from connectors.base import AuthError, BadDelivery, ConfigError, DataError, Hint, TransientError
from connectors.records import StockLevel
from connectors.sandboxes import smaregi as sandbox
from connectors.smaregi import const
from connectors.smaregi.connector import Smaregi

TEA, CUP = "4901234567894", "4909876543210"


@pytest.fixture
def shop(run_sandbox):
    shop = run_sandbox("smaregi")
    shop.sandbox.do_load(products=[{"code": TEA, "price": 108, "reduced": True}, {"code": CUP, "price": 1100}])
    shop.slept = []
    shop.connector.http._sleep = shop.slept.append
    shop.tea, shop.cup = shop.sandbox.codes[TEA], shop.sandbox.codes[CUP]
    return shop


def period():
    now = datetime.now(UTC)
    return now - timedelta(days=1), now + timedelta(minutes=5)


def pull_all(connector, stream, since=None, until=None):
    facts, cursor = [], None
    while True:
        page = connector.pull(stream, *(since and (since, until) or period()), cursor)
        facts += page.facts
        cursor = page.cursor
        if not cursor:
            return facts


def paths(shop, method):
    return [path.removeprefix(sandbox.API) for verb, path, _status in shop.sandbox.calls if verb == method]


# -- set-up -----------------------------------------------------------------------------------------
def test_check_names_the_stores(shop):
    """A connection test shows what is at the other end."""
    info = shop.connector.check()
    assert info.name == "sb_demo" and [store.external_id for store in info.stores] == ["1", "2"] and info.notes == ()


def test_wrong_secret_is_an_auth_error(run_sandbox):
    """Credentials that are refused stop the channel."""
    shop = run_sandbox("smaregi", client_secret="wrong")
    with pytest.raises(AuthError):
        shop.connector.check()


def test_unknown_contract_is_a_config_error(run_sandbox):
    """A contract id nobody knows is a thing to mend on the set-up form."""
    shop = run_sandbox("smaregi", contract_id="sb_other")
    with pytest.raises(ConfigError, match="contract ID"):
        shop.connector.check()


@pytest.mark.parametrize(("contract", "host"), [("sb_abc", "https://api.smaregi.dev"), ("abc", "https://api.smaregi.jp")])
def test_hosts_follow_from_the_contract(contract, host):
    """Sandbox contracts live on other hosts."""
    connector = Smaregi({"contract_id": contract, "client_id": "x", "client_secret": "y"})
    assert connector.client._api == f"{host}/{contract}/pos"


def test_token_is_kept(shop):
    """The vendor asks that a token be used until it ends."""
    for _ in range(3):
        shop.connector.check()
    assert len(paths(shop, "POST")) == 1


def test_expired_token_is_renewed_once(shop):
    """A token revoked early costs one more call, not the channel."""
    shop.connector.check()
    shop.sandbox.faults["expire_token"] = 1
    shop.connector.check()
    shop.sandbox.faults["expire_token"] = -1
    with pytest.raises(AuthError):
        shop.connector.check()


def test_token_is_renewed_before_its_end(shop):
    """No call goes out with a token about to end."""
    now = [0.0]
    shop.connector.client._clock = lambda: now[0]
    shop.connector.check()
    now[0] = sandbox.LIFETIME - 59
    shop.connector.check()
    assert len(shop.sandbox.tokens) == 2


def test_budget_must_be_a_number(run_sandbox):
    """A typing error on the form is told there."""
    with pytest.raises(ConfigError, match="Calls per second"):
        run_sandbox("smaregi", calls_per_second="many")


# -- reading ----------------------------------------------------------------------------------------
def test_masters_are_read_to_the_end(shop):
    """Stores, products and customers arrive whole, in the vendor's pages."""
    shop.sandbox.do_load(products=[{"code": f"P{i:04}", "price": 100} for i in range(1100)])
    customer = shop.sandbox.do_customer("Sato")
    facts = {stream: pull_all(shop.connector, stream) for stream in ("store", "product", "customer")}
    assert {stream: len(rows) for stream, rows in facts.items()} == {"store": 2, "product": 1102, "customer": 1}
    product = shop.connector.translate("product", facts["product"][0].payload)
    assert (product.ref.barcode, product.price, product.reduced, product.tax_included) == (TEA, D(108), True, True)
    person = shop.connector.translate("customer", facts["customer"][0].payload)
    assert (person.external_id, person.name) == (customer["id"], "Sato")


def test_first_read_of_products_asks_for_no_period(shop):
    """The whole catalogue since ever: periods over 31 days are refused, so none is asked for."""
    since, until = datetime(2000, 1, 1, tzinfo=UTC), datetime.now(UTC)
    assert len(pull_all(shop.connector, "product", since, until)) == 2


def test_sales_are_read_oldest_first_once_each(shop):
    """All receipts of the period, in the order of their change, over several pages."""
    ids = [shop.sandbox.do_sell([{"code": TEA}])["id"] for _ in range(250)]
    facts = pull_all(shop.connector, "sale")
    assert list(dict.fromkeys(fact.external_id for fact in facts)) == ids
    assert [fact.version for fact in facts] == sorted(fact.version for fact in facts)


def test_receipts_changed_while_reading_are_not_skipped(shop):
    """A receipt cancelled between two pages moves up in the list; those after it are still read."""
    sold = [shop.sandbox.do_sell([{"code": TEA}])["id"] for _ in range(250)]
    now = datetime.now(sandbox.JAPAN).replace(microsecond=0)
    for number, key in enumerate(sold):
        changed_at = now - timedelta(seconds=600 - number)
        shop.sandbox.rows["transactions"][key]["updDateTime"] = changed_at.isoformat()
    since, until = now - timedelta(hours=1), now - timedelta(seconds=60)
    first = shop.connector.pull("sale", since, until)
    for key in sold[:50]:
        shop.sandbox.do_cancel(key)
    seen, cursor = {fact.external_id for fact in first.facts}, first.cursor
    while cursor:
        page = shop.connector.pull("sale", since, until, cursor)
        seen |= {fact.external_id for fact in page.facts}
        cursor = page.cursor
    assert seen == set(sold)


def test_list_that_is_not_sorted_is_read_by_pages(shop, monkeypatch):
    """If the vendor does not sort as asked, its last row says nothing about the rest."""
    sold = [shop.sandbox.do_sell([{"code": TEA}])["id"] for _ in range(150)]
    for number, key in enumerate(sold):
        row = shop.sandbox.rows["transactions"][key]
        row["updDateTime"] = f"2026-11-01T10:{number % 50:02}:00+09:00"
    get = shop.connector.client.get
    monkeypatch.setattr(shop.connector.client, "get", lambda path, sort="", **query: get(path, **query))
    since = datetime(2026, 11, 1, tzinfo=UTC)
    facts = pull_all(shop.connector, "sale", since, since + timedelta(days=1))
    assert {fact.external_id for fact in facts} == set(sold)


def test_page_cut_in_the_middle_resumes(shop):
    """A pull that died goes on from its last cursor in a new process, without a gap."""
    sold = [shop.sandbox.do_sell([{"code": TEA}])["id"] for _ in range(230)]
    since, until = period()
    first = shop.connector.pull("sale", since, until)
    shop.sandbox.faults["status_500"] = 3
    with pytest.raises(TransientError):
        shop.connector.pull("sale", since, until, first.cursor)
    fresh = Smaregi(shop.sandbox.settings(shop.url))
    facts, cursor = list(first.facts), first.cursor
    while cursor:
        page = fresh.pull("sale", since, until, cursor)
        facts, cursor = facts + list(page.facts), page.cursor
    assert {fact.external_id for fact in facts} == set(sold)


def test_period_over_31_days_is_refused(shop):
    """The vendor's limit is the caller's to keep; a breach is an error, not an empty page."""
    until = datetime.now(UTC)
    assert shop.connector.pull("sale", until - const.WINDOW, until).facts == ()
    with pytest.raises(DataError, match="31 days"):
        shop.connector.pull("sale", until - const.WINDOW - timedelta(seconds=1), until)


def test_receipt_sent_late_is_found_by_its_change(shop):
    """A till that was offline for days: old time of sale, fresh time of change."""
    at = datetime.now(UTC) - timedelta(days=4)
    sold = shop.sandbox.do_sell([{"code": TEA}], sold_at=at.astimezone(sandbox.JAPAN).isoformat(timespec="seconds"))
    (fact,) = pull_all(shop.connector, "sale", datetime.now(UTC) - timedelta(minutes=1), datetime.now(UTC))
    assert fact.external_id == sold["id"]
    assert shop.connector.translate("sale", fact.payload).sold_at == at.replace(microsecond=0)


def test_missing_point_rule_is_taken_from_the_store(shop):
    """A receipt that does not say what points are gets its store's rule, in the payload."""
    sold = shop.sandbox.do_sell([{"code": CUP}], points=100)
    shop.sandbox.rows["transactions"][sold["id"]]["pointSpendDivision"] = None
    (fact,) = shop.connector.fetch("sale", [sold["id"]])
    assert fact.payload["pointSpendDivision"] == "2"
    assert shop.connector.translate("sale", fact.payload).problems == ()


def test_fetch_leaves_out_what_is_gone(shop):
    """Deleted receipts, products and customers are no facts."""
    sold = shop.sandbox.do_sell([{"code": TEA}])
    assert [fact.external_id for fact in shop.connector.fetch("sale", [sold["id"], "99999"])] == [sold["id"]]
    assert shop.connector.fetch("product", ["1"]) == [] and shop.connector.fetch("customer", ["1"]) == []
    assert [fact.external_id for fact in shop.connector.fetch("store", ["2", "9"])] == ["2"]


def test_many_hints_cost_few_calls(shop):
    """Fresh receipts with neighbouring ids come by one list call per hundred ids."""
    sold = [shop.sandbox.do_sell([{"code": TEA}])["id"] for _ in range(40)]
    facts = shop.connector.fetch("sale", sold[::-1])
    assert [fact.external_id for fact in facts] == sold[::-1]
    assert len(paths(shop, "GET")) <= 2


def test_old_receipt_is_fetched_by_its_id(shop):
    """A hint for something that changed long ago is found too."""
    sold = [shop.sandbox.do_sell([{"code": TEA}])["id"] for _ in range(2)]
    shop.sandbox.rows["transactions"][sold[0]]["updDateTime"] = "2020-01-01T00:00:00+09:00"
    assert [fact.external_id for fact in shop.connector.fetch("sale", sold)] == sold


def test_closing_of_every_store_is_read(shop):
    """One store per page; the receipts of the day become newer versions with their business day."""
    sold = shop.sandbox.do_sell([{"code": TEA}], store="2")
    (before,) = shop.connector.fetch("sale", [sold["id"]])
    ids = [shop.sandbox.do_close_day(store)["id"] for store in ("1", "2")]
    facts = pull_all(shop.connector, "closing")
    assert [fact.external_id for fact in facts] == ids
    assert facts == shop.connector.fetch("closing", ids)
    report = shop.connector.translate("closing", facts[1].payload)
    assert (report.store_id, report.total, report.cash_counted) == ("2", None, None)
    (after,) = shop.connector.fetch("sale", [sold["id"]])
    assert after.version > before.version
    assert shop.connector.translate("sale", after.payload).business_date == report.business_date


def test_stock_levels_can_be_read(shop):
    """A sale lowers the vendor's own level; what never moved has no row."""
    shop.sandbox.do_set_stock(TEA, 10)
    shop.sandbox.do_sell([{"code": TEA, "quantity": 3}])
    (fact,) = pull_all(shop.connector, "stock")
    level = shop.connector.translate("stock", fact.payload)
    assert (level.store_id, level.stock_id, level.quantity) == ("1", shop.tea, D(7))
    assert shop.connector.fetch("stock", [fact.external_id]) == [fact]


# -- stock out --------------------------------------------------------------------------------------
def level(stock_id, quantity, push_id="p1", store="1", **more):
    return StockLevel(store, stock_id, D(quantity), push_id=push_id, **more)


def held(shop, code=TEA, store="1"):
    return shop.sandbox.state()["levels"][store].get(code)


def journal(shop, stock_id=None, store="1"):
    rows = shop.sandbox.changes.get((store, stock_id or shop.tea), [])
    return [(row["amount"], row["memo"]) for row in rows if row["stockDivision"] == const.BY_WEB_API]


def test_push_sends_the_difference(shop):
    """From 4 to 9 is "add 5", with our reference in the journal; a missing row is zero."""
    shop.sandbox.do_set_stock(TEA, 4)
    results = shop.connector.push_stock([level(shop.tea, 9), level(shop.cup, 3, "p2")])
    assert [(r.push_id, r.status, r.quantity) for r in results] == [("p1", "ok", D(9)), ("p2", "ok", D(3))]
    assert journal(shop) == [(5, "pos_erp_bridge p1")] and journal(shop, shop.cup) == [(3, "pos_erp_bridge p2")]


def test_level_that_is_right_is_not_sent(shop):
    """No difference, no call."""
    shop.sandbox.do_set_stock(TEA, 4)
    (result,) = shop.connector.push_stock([level(shop.tea, 4)])
    assert (result.status, result.quantity) == ("ok", D(4)) and journal(shop) == []


def test_sale_between_read_and_write_still_counts(shop, monkeypatch):
    """A piece sold at the till while we are on our way is not brought back by our write."""
    shop.sandbox.do_set_stock(TEA, 4)
    post = shop.connector.client.post

    def sell_then_post(path, data):
        shop.sandbox.do_sell([{"code": TEA}])
        return post(path, data)

    monkeypatch.setattr(shop.connector.client, "post", sell_then_post)
    shop.connector.push_stock([level(shop.tea, 9, expected=D(4))])
    assert held(shop) == 8


def test_unexpected_level_is_stale(shop):
    """The channel sold what we have not booked yet: nothing is sent, the level is told."""
    shop.sandbox.do_set_stock(TEA, 3)
    (result,) = shop.connector.push_stock([level(shop.tea, 9, expected=D(4))])
    assert (result.status, result.quantity) == ("stale", D(3)) and journal(shop) == []


def test_lost_answer_is_applied_exactly_once(shop):
    """The vendor applied it and hung up: the journal tells, nothing is sent twice."""
    shop.sandbox.do_set_stock(TEA, 4)
    shop.connector.client._current_token()
    shop.sandbox.faults["timeout_after_apply"] = 1
    (result,) = shop.connector.push_stock([level(shop.tea, 9)])
    assert (result.status, result.quantity, held(shop)) == ("ok", D(9), 9)
    assert journal(shop) == [(5, "pos_erp_bridge p1")]


def test_write_that_failed_unapplied_is_sent_again(shop):
    """A 500 before anything happened: the journal has nothing, so it is sent once more."""
    shop.sandbox.do_set_stock(TEA, 4)
    shop.connector.client._current_token()
    post = shop.connector.client.post

    def fail_first(path, data):
        shop.connector.client.post = post
        shop.sandbox.faults["status_500"] = 1
        return post(path, data)

    shop.connector.client.post = fail_first
    (result,) = shop.connector.push_stock([level(shop.tea, 9)])
    assert (result.status, held(shop), journal(shop)) == ("ok", 9, [(5, "pos_erp_bridge p1")])


def test_repeat_after_a_crash_is_not_applied_again(shop):
    """We died before writing the answer down, and a piece was sold since: the repeat finds its own mark."""
    shop.sandbox.do_set_stock(TEA, 4)
    shop.connector.push_stock([level(shop.tea, 9, expected=D(4))])
    shop.sandbox.do_sell([{"code": TEA}])
    (result,) = shop.connector.push_stock([level(shop.tea, 9, expected=D(4), is_repeat=True)])
    assert (result.status, held(shop)) == ("ok", 8) and journal(shop) == [(5, "pos_erp_bridge p1")]


def test_repeat_that_never_arrived_is_applied(shop):
    """A repeat without a mark in the journal is sent like any other."""
    shop.sandbox.do_set_stock(TEA, 4)
    (result,) = shop.connector.push_stock([level(shop.tea, 9, expected=D(4), is_repeat=True)])
    assert (result.status, held(shop)) == ("ok", 9)


def test_one_bad_level_does_not_stop_the_others(shop):
    """Unknown product, unknown store and half a piece are errors of their own."""
    results = shop.connector.push_stock(
        [
            *(level("77", 1, "a"), level(shop.tea, 1, "b", store="9")),
            *(level(shop.tea, "1.5", "c"), level(shop.cup, 2, "d")),
        ]
    )
    assert [(r.push_id, r.status) for r in results] == [("a", "error"), ("b", "error"), ("c", "error"), ("d", "ok")]
    assert "no product 77" in results[0].message and "no such store" in results[1].message
    assert "whole pieces" in results[2].message


def test_level_that_cannot_be_read_is_not_zero(shop, monkeypatch):
    """A store whose levels are refused gets nothing added; the other store goes on."""
    shop.sandbox.do_set_stock(TEA, 4)
    get = shop.connector.client.get

    def refuse_first_store(path, **query):
        if query.get("store_id") == "1":
            raise DataError("no such store")
        return get(path, **query)

    monkeypatch.setattr(shop.connector.client, "get", refuse_first_store)
    results = shop.connector.push_stock([level(shop.tea, 9, "a"), level(shop.tea, 2, "b", store="2")])
    assert [(r.push_id, r.status) for r in results] == [("a", "error"), ("b", "ok")] and held(shop) == 4


def test_many_levels_are_read_as_a_list(shop):
    """One page of a store instead of one call per product."""
    shop.sandbox.do_load(products=[{"code": f"P{i}", "price": 100} for i in range(30)])
    levels = [level(shop.sandbox.codes[f"P{i}"], i, f"p{i}") for i in range(1, 30)]
    shop.connector.push_stock(levels)
    assert len(paths(shop, "GET")) == 1 and held(shop, "P29") == 29


def test_throttled_push_waits_and_goes_on(shop):
    """429 with Retry-After: the wish is obeyed, the call repeated."""
    shop.sandbox.do_set_stock(TEA, 4)
    shop.connector.client._current_token()
    shop.sandbox.faults["status_429"] = 2
    (result,) = shop.connector.push_stock([level(shop.tea, 9)])
    assert (result.status, held(shop)) == ("ok", 9) and shop.slept.count(1.0) == 2


# -- webhooks ---------------------------------------------------------------------------------------
@pytest.fixture
def inbox(shop):
    """Deliveries as they arrive: (body, headers in lower case)."""
    received = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.put((body, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    shop.sandbox.webhook_url = f"http://127.0.0.1:{server.server_port}/"
    yield received
    server.shutdown()
    server.server_close()


def test_delivery_becomes_hints(shop, inbox):
    """A sale announces its stock and itself; each hint can be fetched."""
    sold = shop.sandbox.do_sell([{"code": TEA}])
    deliveries = [shop.connector.verify(*inbox.get(timeout=5), datetime.now(UTC)) for _ in range(2)]
    change = str(shop.sandbox.changes["1", shop.tea][-1]["id"])
    assert [(d.topic, d.hints) for d in deliveries] == [
        ("pos:stock/edited", (Hint("stock", f"1|{shop.tea}", change),)),
        ("pos:transactions/created", (Hint("sale", sold["id"]),)),
    ]
    assert deliveries[0].delivery_id != deliveries[1].delivery_id
    for delivery in deliveries:
        (hint,) = delivery.hints
        (fact,) = shop.connector.fetch(hint.stream, [hint.external_id])
        assert fact.external_id == hint.external_id


def test_our_own_push_is_known_by_its_number(shop, inbox):
    """The webhook about our own push names the change our push was answered with; a sale's names another."""
    (result,) = shop.connector.push_stock([level(shop.tea, 9)])
    shop.sandbox.do_sell([{"code": TEA}])
    ours, sale = (shop.connector.verify(*inbox.get(timeout=5), datetime.now(UTC)).hints[0] for _ in range(2))
    assert result.mark and ours == Hint("stock", shop.connector.level_id("1", shop.tea), result.mark)
    assert sale.external_id == ours.external_id and sale.mark not in ("", result.mark)


def test_closing_delivery_can_be_fetched(shop, inbox):
    """The three ids of a closing are one external id."""
    key = shop.sandbox.do_close_day()["id"]
    delivery = shop.connector.verify(*inbox.get(timeout=5), datetime.now(UTC))
    assert delivery.hints == (Hint("closing", key),)
    assert [fact.external_id for fact in shop.connector.fetch("closing", [key])] == [key]


def body(**changes):
    data = {"contractId": "sb_demo", "event": "pos:transactions", "action": "created", "transactionHeadIds": ["5"]}
    return json.dumps({**data, **changes}).encode()


def verify(shop, content, **headers):
    given = {sandbox.HEADER.lower(): sandbox.HEADER_VALUE, "smaregi-event-id": "e-1", "smaregi-contract-id": "sb_demo"}
    return shop.connector.verify(content, {**given, **headers}, datetime.now(UTC))


def test_delivery_id_is_the_vendors(shop):
    """The vendor's event id; without one the body's hash, equal for equal bodies."""
    assert verify(shop, body()).delivery_id == "e-1"
    header = {"smaregi-event-id": ""}
    assert verify(shop, body(), **header) == verify(shop, body(), **header) != verify(shop, body(action="x"), **header)


RIGHT = sandbox.HEADER_VALUE


@pytest.mark.parametrize("value", ["", RIGHT[:-1], RIGHT + "x", RIGHT.upper(), "é"])
def test_wrong_header_is_refused(shop, value):
    """The shared header is the only proof there is: one wrong byte is no proof."""
    with pytest.raises(BadDelivery) as caught:
        verify(shop, body(), **{sandbox.HEADER.lower(): value})
    assert caught.value.status == 401


def test_unset_secret_refuses_everything(run_sandbox):
    """Fail closed: an empty secret matches nothing, not even an empty header."""
    shop = run_sandbox("smaregi", webhook_secret="")
    with pytest.raises(BadDelivery):
        verify(shop, body(), **{sandbox.HEADER.lower(): ""})


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (body(contractId="sb_else"), {}, 401),
        (body(), {"smaregi-contract-id": "sb_else"}, 401),
        (b"{", {}, 400),
        (b"\xff\xfe", {}, 400),
        (b"[]", {}, 400),
        (body(event=None), {}, 400),
        (body(transactionHeadIds="5"), {}, 400),
        (body(transactionHeadIds=[{"id": 1}]), {}, 400),
        (body(transactionHeadIds=[None]), {}, 400),
        (body(transactionHeadIds=list(range(const.MAX_IDS + 1))), {}, 400),
        (body(padding="x" * const.MAX_BODY), {}, 400),
    ],
)
def test_doubtful_delivery_is_refused(shop, content, headers, status):
    """Another contract's, no JSON, unknown shapes, too many, too large."""
    with pytest.raises(BadDelivery) as caught:
        verify(shop, content, **headers)
    assert caught.value.status == status


def test_unknown_event_is_accepted_without_hints(shop):
    """A new kind of event is no reason for the vendor to see an error."""
    assert verify(shop, body(event="pos:losses")).hints == ()


def test_ids_named_twice_are_one_hint(shop):
    """Numbers or text, each thing once."""
    assert verify(shop, body(transactionHeadIds=["5", 5, "6"])).hints == (Hint("sale", "5"), Hint("sale", "6"))
