"""Both engines of the lanes at work: Odoo's own cron, and OCA queue_job in a database that has it.

A real server, the till's sandbox beside it, real webhooks: from the sandbox's answer to a sale until its pos.order is
committed. Figures: webhook_to_document_ms, one per engine; the baseline of the second is the first.
"""

import os
import time

import _lab

SALES = 30
PATIENCE = 20.0  # seconds for one sale


def set_up(env):
    """A shop whose till is connected to its sandbox; returns the vendor, with committed data."""
    from odoo.addons.pos_erp_bridge.tests import shop

    env = shop.make_company(env)
    shop.make_products(env)
    vendor = shop.Vendor(env, "smaregi")
    del vendor.sandbox.announce  # deliver for real
    env.cr.commit()
    return vendor


def wait_for(env, channel, external_id):
    """Seconds until the sale is a committed document."""
    start = time.perf_counter()
    while time.perf_counter() - start < PATIENCE:
        env.cr.execute(
            "SELECT 1 FROM bridge_binding WHERE channel_id = %s AND entity = 'sale' AND external_id = %s",
            [channel.id, external_id],
        )
        found = env.cr.fetchone()
        env.cr.rollback()
        if found:
            return time.perf_counter() - start
        time.sleep(0.005)
    left = env["bridge.event"].search([("channel_id", "=", channel.id)], limit=4)
    seen = left.mapped(lambda e: (e.stream, e.external_id, e.state, e.attempts, e.message))
    raise SystemExit(f"sale {external_id} was not booked within {PATIENCE} s; newest events: {seen}")


def measure(engine, modules, *options):
    with _lab.database(f"lanes_{engine}", modules) as db, _lab.environment(db) as env:
        vendor = set_up(env)
        channel = vendor.channel
        path = f"/bridge/webhook/{channel.token}"
        try:
            with _lab.server(db, *options, cron_threads=1) as url:
                vendor.sandbox.webhook_url = url + path
                spent = [wait_for(env, channel, vendor.sell("4900000000023")) for _ in range(SALES + 3)][3:]
            if engine == "queue_job":
                jobs = env["queue.job"].search_count([("state", "=", "done"), ("model_name", "=", "bridge.channel")])
                assert jobs, "nothing went through queue_job"
        finally:
            vendor.stop()
        return spent


def main():
    os.environ["ODOO_QUEUE_JOB_CHANNELS"] = "root:2"
    cron = measure("cron", "pos_erp_bridge")
    queue = measure("queue_job", "pos_erp_bridge,queue_job", "--load=base,rpc,web,queue_job")
    for engine, spent in (("cron", cron), ("queue_job", queue)):
        median, p95 = _lab.median(spent) * 1e3, _lab.quantile(spent, 0.95) * 1e3
        baseline = _lab.median(cron) * 1e3
        _lab.figure(
            "webhook_to_document_ms", median, "ms", engine=engine, p95=p95, baseline=baseline, ratio=median / baseline
        )


if __name__ == "__main__":
    main()
