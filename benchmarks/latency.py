"""From a sale to the other channel's new level, through the whole running system.

    ./run bench latency [--samples 30] [--browser 3]

The demo shop runs as in production (Odoo in prefork mode, two cron workers, sandboxes of the vendors in a process
of their own, signed webhooks) and nobody else buys. Three ways, one after another:

till   Odoo's own till -> the web store: the till's own call pos.order.sync_from_ui over an HTTP session, and some
       sales pressed in a real Chromium
store  a receipt of a store's till -> webhook -> pos.order -> the web store
web    a signed web order -> sale.order, reservation -> the store's till system

The clock starts when the seller has committed (the call's or the sandbox's answer; in the browser already when
Validate is pressed) and stops inside the other sandbox, when it holds the new level. Baseline: the target of 1 s.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from demo.processes import DemoError  # noqa: E402
from demo.round_trips import RoundTrips, TillScreen  # noqa: E402
from demo.stage import Stage  # noqa: E402

TARGET = 1000  # ms
WARM_UP = 3  # sales of each way that are not counted: workers load their caches


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def report(way, took, how):
    """One line per quantile; returns the 95th percentile."""
    found = {"p50": statistics.median(took), "p95": quantile(took, 0.95), "max": max(took)}
    for name, value in found.items():
        figure(f"latency_{way}_{name}_ms", value, samples=len(took), how=how)
    return found["p95"]


def figure(name, value, **more):
    line = {"figure": name, "value": round(value), "unit": "ms", "baseline": TARGET, "ratio": round(value / TARGET, 3)}
    print(json.dumps({**line, **more}), flush=True)


def measure(samples, sell):
    for number in range(WARM_UP):
        sell(number)
    took = []
    for number in range(samples):
        took.append(sell(WARM_UP + number))
        time.sleep(0.3)  # the channel's own echo comes home: each sale meets an idle shop
    return took


def in_browser(stage, trips, samples):
    screen = TillScreen(stage, trips.odoo, trips.till.config["id"])
    try:
        took = []
        for number in range(samples + 1):
            took.append(trips.sell_in_browser(screen, number))
            screen.next_order()
        return took[1:]
    finally:
        screen.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=30, help="sales of each way")
    parser.add_argument("--browser", type=int, default=3, help="sales in a real browser")
    args = parser.parse_args()
    with Stage(db=f"bench_latency_{os.getpid()}", say=lambda text: print(text, file=sys.stderr)) as stage:
        trips = RoundTrips(stage)
        stage.wait_quiet(trips.odoo)
        ways = {
            "till_to_web": (trips.sell_at_till, "pos.order.sync_from_ui over HTTP, from its answer"),
            "store_to_web": (lambda number: trips.sell_in_store(number)[0], "webhook, from the receipt"),
            "web_to_store": (lambda number: trips.sell_on_web(number)[0], "webhook, from the order"),
        }
        worst = [report(way, measure(args.samples, sell), how) for way, (sell, how) in ways.items()]
        if args.browser:
            took = in_browser(stage, trips, args.browser)
            report("browser_to_web", took, "real Chromium, from pressing Validate; includes the till's own call")
        stage.wait_quiet(trips.odoo)
        figure("sale_to_channel_p95_ms", max(worst), samples=args.samples, how="worst p95 of till, store and web")


if __name__ == "__main__":
    try:
        main()
    except DemoError as error:
        sys.exit(f"latency: {error}")
