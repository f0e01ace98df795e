"""Fills a database that has the addon with the demo shop.  build.py DB '{"system": url, …}'

Runs as a process of its own, so that starting a finished demo need not load Odoo twice. The sandboxes are up
and record; what they sold is pulled, booked and told on by the very lanes that do it in a running server.
"""

import json
import os
import sys
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import odoo.api
import odoo.modules.registry
import odoo.tools

from demo import history, on_account, one_stock, shop
from demo.processes import DemoError
from demo.sandbox_client import SandboxClient

ROUNDS = 20


def main(db, urls):
    odoo.tools.config.parse_config(["-c", os.environ["BRIDGE_ODOO_CONF"], "-d", db, "--log-level=warn"])
    registry = odoo.modules.registry.Registry(db)
    sandboxes = {system: SandboxClient(system, url) for system, url in urls.items()}
    began = time.monotonic()

    def say(text):
        print(f"  [{time.monotonic() - began:5.1f} s] {text}", flush=True)

    yesterday = datetime.now(history.TOKYO).replace(hour=6, minute=0, second=0, microsecond=0) - timedelta(days=1)
    history.load(sandboxes, yesterday)
    with registry.cursor() as cr:
        env = odoo.api.Environment(cr, odoo.api.SUPERUSER_ID, {})
        places, tills = shop.build_master_data(env)
        say("company, products, stock and tills are there")
        channels = shop.build_channels(env, urls, places, tills, yesterday.date())
        cr.commit()
        made = history.play(sandboxes)
        say("sold in the sandboxes: " + ", ".join(f"{system} {count}" for system, count in made.items()))
        channels.action_go_live()
        cr.commit()
        _run_lanes(channels)
        say("pulled, booked and told on")
        one_stock.build(env, places, channels)
        on_account.build(env)
        cr.commit()
        _run_lanes(channels)
        say("rules made, told on")
        report = _verify(env, channels, sandboxes)
        say(report)


def _run_lanes(channels):
    """What the cron workers would do, until there is nothing left."""
    env = channels.env
    for number in range(ROUNDS):
        for channel in channels:
            for lane in ("poll", "inbound", "outward"):
                channel._run_lane(lane)
        env.cr.rollback()
        env.invalidate_all()
        open_events = env["bridge.event"].search_count([("state", "=", "pending")])
        open_levels = env["bridge.stock.level"].search_count([("state", "in", ("due", "stale"))])
        if number and not open_events and not open_levels and not env["bridge.touch"].search_count([]):
            return
        # A level the vendor changed meanwhile, or an event that waits, is looked at again in a while.
        time.sleep(0 if open_events + open_levels == 0 else 3)


def _verify(env, channels, sandboxes):
    """The demo must start in order: all booked, all levels agreed, nobody stopped."""
    problems = [f"{c.name} is {c.state}: {c.state_reason}" for c in channels if c.state != "live"]
    for event in env["bridge.event"].search([("state", "not in", ("done", "skipped"))], limit=5):
        problems.append(f"event {event.stream} {event.external_id} is {event.state}: {event.message}")
    for level in env["bridge.stock.level"].search([("state", "!=", "synced")], limit=5):
        problems.append(f"level of {level.product_id.display_name} is {level.state}: {level.message}")
    compared = 0
    for channel in channels:
        levels = sandboxes[channel.system].levels()
        for level in env["bridge.stock.level"].search([("channel_id", "=", channel.id)]):
            product = level.product_id
            shown = levels[level.store_id.external_id].get(product.barcode, 0)
            compared += 1
            if shown != level.desired:
                problems.append(f"{channel.name} shows {shown} of {product.display_name}, not {level.desired:g}")
    if not compared:
        problems.append("no level was ever told to a channel")
    if problems:
        raise DemoError("The demo shop is not in order:\n  " + "\n  ".join(problems[:12]))
    booked = Counter(env["bridge.event"].search([("state", "=", "done")]).mapped("stream"))
    return f"{booked['sale']} till sales and {booked['order']} web orders booked, {compared} levels agree"


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    try:
        main(sys.argv[1], json.loads(sys.argv[2]))
    except DemoError as error:
        sys.exit(str(error))
