"""Durable intake of webhooks beside the same server's floor, /web/health.

Figures: webhook_intake_per_second (8 connections, as fast as they go; baseline: /web/health the same way) and
webhook_p99_ms at 100 requests a second. Every request is signed and new, so every one is a committed row.
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import threading
import time
import uuid
from datetime import UTC, datetime

import _lab

SECONDS = 8.0
ROUNDS = 3
CONNECTIONS = 8
PACE = 100  # requests a second
READY = 5000  # deliveries signed before each round: more than it can take
SECRET, SHOP = "bench-secret", "bench.myshopify.com"


def set_up(env):
    channel = env["bridge.channel"].create({"name": "Web", "system": "shopify"})
    values = {"shop": SHOP, "shop_domain": SHOP, "client_id": "x", "client_secret": SECRET, "access_token": "t"}
    for row in channel.setting_ids:
        row.value = values.get(row.name, row.value)
    channel.state = "live"
    env.cr.commit()
    return f"/bridge/webhook/{channel.token}"


def delivery():
    """(body, headers) of one new, correctly signed webhook."""
    body = json.dumps(
        {"id": uuid.uuid4().int % 10**12, "admin_graphql_api_id": "gid://shopify/Order/1", "note": "x" * 600}
    )
    digest = hmac.new(SECRET.encode(), body.encode(), hashlib.sha256).digest()
    return body, {
        "Content-Type": "application/json",
        "X-Shopify-Hmac-SHA256": base64.b64encode(digest).decode(),
        "X-Shopify-Topic": "orders/updated",
        "X-Shopify-Shop-Domain": SHOP,
        "X-Shopify-Webhook-Id": str(uuid.uuid4()),
        "X-Shopify-Triggered-At": datetime.now(UTC).isoformat(),
    }


def load(port, send, seconds, pace=None):
    """Latencies in seconds of ``send(connection)`` over CONNECTIONS connections; ``pace`` in requests a second."""
    latencies, end = [], time.perf_counter() + seconds

    def work(index):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        due = time.perf_counter() + index / (pace or 1)
        while time.perf_counter() < end:
            if pace:
                time.sleep(max(0, due - time.perf_counter()))
                due += CONNECTIONS / pace
            start = time.perf_counter()
            send(connection)
            latencies.append(time.perf_counter() - start)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return latencies


def main():
    port = int(os.environ["BRIDGE_HTTP_PORT"])

    def health(connection):
        connection.request("GET", "/web/health")
        connection.getresponse().read()

    ready = []  # signed beforehand: the sender's work is not the server's

    def webhook(connection):
        body, headers = ready.pop()
        connection.request("POST", path, body.encode(), headers)
        response = connection.getresponse()
        said = response.read()
        assert response.status == 200, said

    with _lab.database("webhooks") as db:
        with _lab.environment(db) as env:
            path = set_up(env)
        # Nothing listens at the other end, so no lane runs; waking them is part of what is measured.
        with _lab.server(db, cron_threads=0):
            ready += [delivery() for _ in range(READY)]
            load(port, webhook, 2)  # warm up
            rates, floors, sent = [], [], 0
            for _ in range(ROUNDS):
                ready += [delivery() for _ in range(READY - len(ready))]
                floors.append(len(load(port, health, SECONDS / 2)) / (SECONDS / 2))
                taken = load(port, webhook, SECONDS / 2)
                rates.append(len(taken) / (SECONDS / 2))
                sent += len(taken)
            paced = load(port, webhook, SECONDS, PACE)
        with _lab.environment(db) as env:
            kept = env["bridge.event"].search_count([("is_hint", "=", True)])
    assert kept >= sent + len(paced), f"{sent + len(paced)} accepted, {kept} kept"
    rate, floor = _lab.median(rates), _lab.median(floors)
    _lab.figure("webhook_intake_per_second", rate, "1/s", baseline=floor, ratio=rate / floor, baseline_is="/web/health")
    p50, p99 = (_lab.quantile(paced, q) * 1e3 for q in (0.5, 0.99))
    _lab.figure("webhook_p99_ms", p99, "ms", p50=p50, at_per_second=len(paced) / SECONDS, target=100)


if __name__ == "__main__":
    main()
