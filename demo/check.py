"""``./run demo --check``: the shop goes through its three ways by itself and says what it saw."""

import json
import time

from demo.processes import DemoError
from demo.round_trips import PATIENCE, RoundTrips, TillScreen

DOCUMENT = ["name", "state", "amount_total"]


def figure(name, value, unit, **more):
    print(json.dumps({"figure": name, "value": value, "unit": unit, **more}, ensure_ascii=False), flush=True)


def run(stage, began):
    """Prints one line of JSON per figure; raises DemoError where a way is broken."""
    trips = RoundTrips(stage)
    stage.wait_quiet(trips.odoo)
    figure("demo_started_s", round(time.monotonic() - began, 1), "s")
    _till_in_browser(stage, trips)
    _store_by_webhook(trips)
    _web_order(trips)
    stage.wait_quiet(trips.odoo)
    _nothing_wrong(trips.odoo)
    figure("demo_check_s", round(time.monotonic() - began, 1), "s")


def _way(name, took, since, order):
    figure(name, round(took), "ms", since=since, document=order["name"], total=order["amount_total"])


def _till_in_browser(stage, trips):
    screen = TillScreen(stage, trips.odoo, trips.till.config["id"])
    papers = len(stage.hardware.papers())
    try:
        took = trips.sell_in_browser(screen)
        printed = stage.hardware.wait_for_paper(papers, PATIENCE)
    finally:
        screen.close()
    domain = [("config_id", "=", trips.till.config["id"])]
    orders = trips.odoo.read("pos.order", domain, DOCUMENT, limit=1, order="id desc")
    _expect(orders and orders[0]["state"] in ("paid", "done"), f"the till's order is {orders}")
    _way("demo_till_to_web_ms", took, "Validate pressed in Chromium", orders[0])
    _way("demo_till_to_paper_ms", 1000 * (printed - screen.validated), "Validate pressed in Chromium", orders[0])


def _store_by_webhook(trips):
    took, sale_id = trips.sell_in_store()
    order = trips.document("sale", sale_id, "pos.order", DOCUMENT)
    _expect(order["state"] in ("paid", "done", "invoiced"), f"{order['name']} is {order['state']}")
    _way("demo_store_to_web_ms", took, "receipt answered by the store's sandbox", order)


def _web_order(trips):
    code = trips.pick("GINZA")
    before = trips.reserved(code)
    took, order_id, sold = trips.sell_on_web()
    order = trips.document("order", order_id, "sale.order", DOCUMENT)
    _expect(order["state"] == "sale", f"{order['name']} is {order['state']}")
    _expect(sold == code and trips.reserved(code) == before + 1, f"nothing was reserved for {order['name']}")
    _way("demo_web_to_store_ms", took, "order answered by the web store's sandbox", order)


def _nothing_wrong(odoo):
    channels = odoo.read("bridge.channel", [], ["name", "state", "state_reason", "repaired_count"])
    for channel in channels:
        _expect(channel["state"] == "live", f"{channel['name']} is {channel['state']}: {channel['state_reason']}")
    domain = [("state", "in", ["failed", "blocked", "waiting"])]
    wrong = odoo.read("bridge.event", domain, ["stream", "external_id", "message"])
    _expect(not wrong, f"events are not booked: {wrong[:3]}")
    figure("demo_webhooks_lost", sum(channel["repaired_count"] for channel in channels), "events")


def _expect(fact, otherwise):
    if not fact:
        raise DemoError(f"The check failed: {otherwise}.")
