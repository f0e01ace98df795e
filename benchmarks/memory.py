"""One lane works through 50,000 events: how much the process grows. Figure: lane_memory_growth_mb.

A busy channel is told most things several times; here every tenth event is a new sale to book. Looked
at after 5,000 events, when caches are
warm, and at the end.
"""

import gc
import itertools

import _lab
import psutil
from ingest import Shop

EVENTS, WARM, SLICE = 50_000, 5_000, 2_500
TELLINGS = 10  # times each receipt is told, each in a newer version
_ids = itertools.count(10_000_000)


def take(shop, sold, size):
    """Keep ``size`` events, made of receipts the sandbox really sold, under new numbers."""
    from odoo.addons.pos_erp_bridge.connectors.base import Fact

    facts = []
    for fact in itertools.islice(itertools.cycle(sold), size // TELLINGS):
        number = str(next(_ids))
        payload = {**fact.payload, "transactionHeadId": number}
        facts += [Fact(fact.stream, number, f"{fact.version}~{n}", payload) for n in range(TELLINGS)]
    shop.env["bridge.event"]._take_facts(shop.channel, facts, "replay")
    shop.env.cr.commit()
    shop.env.invalidate_all()


def resident():
    gc.collect()
    return psutil.Process().memory_info().rss / 2**20


def main():
    with _lab.database("memory") as db, _lab.environment(db) as env:
        shop = Shop(env)
        done = base = 0
        try:
            ids = [shop.vendor.do("sell", items=shop.items())["id"] for _ in range(100)]
            sold = shop.channel._connector().fetch("sale", ids)
            while done < EVENTS:
                take(shop, sold, SLICE)
                shop.channel._run_inbound()
                env.cr.rollback()
                done += SLICE
                if done == WARM:
                    base = resident()
        finally:
            shop.vendor.stop()
        kept = env["bridge.event"].search_count([("is_hint", "=", False)])
        left = env["bridge.event"].search([("state", "not in", ("done", "skipped"))])
        assert kept >= EVENTS and not left, f"{len(left)} of {kept} are left: {left[:3].mapped('message')}"
        _lab.figure("lane_memory_growth_mb", resident() - base, "MB", baseline=base, events=kept, target=50)


if __name__ == "__main__":
    main()
