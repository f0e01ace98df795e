# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Webhooks: who signed them, for which shop, and when."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from connectors.base import BadDelivery, Hint
from connectors.shopify.connector import Shopify
from connectors.shopify.signature import sign, verify

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
BODY = json.dumps({"id": 820982911946154508, "name": "#9999", "note": "店頭受取"}, ensure_ascii=False).encode()
SETTINGS = {"shop": "test.myshopify.com", "client_id": "id", "client_secret": "new", "old_secret": "old"}


def headers(body=BODY, secret="new", **changed):
    values = {
        "topic": "orders/updated",
        "shop-domain": "test.myshopify.com",
        "webhook-id": "b54557e4",
        "triggered-at": "2026-11-01T11:59:58.123456789Z",
        "hmac-sha256": sign(body, secret),
    } | {key.replace("_", "-"): value for key, value in changed.items()}
    return {f"x-shopify-{key}": value for key, value in values.items() if value is not None}


def deliver(body=BODY, now=NOW, settings=SETTINGS, **changed):
    return Shopify(settings).verify(body, headers(body, **changed), now)


def status(*args, **changed):
    with pytest.raises(BadDelivery) as caught:
        deliver(*args, **changed)
    return caught.value.status


def test_published_vectors(contracts):
    """The formula is the vendor's: known secret, body and signature."""
    vectors = json.loads((contracts / "shopify" / "webhook-signature-vectors.json").read_text())["vectors"]
    assert len(vectors) == 3
    for vector in vectors:
        body = vector["body"].encode()
        assert sign(body, vector["secret"]) == vector["expected"]
        assert verify(body, vector["expected"], [vector["secret"]])
        assert not verify(body + b" ", vector["expected"], [vector["secret"]])


def test_good_delivery_names_what_changed():
    found = deliver()
    assert (found.delivery_id, found.topic) == ("b54557e4", "orders/updated")
    assert found.hints == (Hint("order", "820982911946154508"),)
    assert found.sent_at.replace(microsecond=0) == datetime(2026, 11, 1, 11, 59, 58, tzinfo=UTC)


def test_one_wrong_byte_is_refused():
    signature = sign(BODY, "new")
    assert status(BODY.replace(b"9999", b"9998"), hmac_sha256=signature) == 401
    assert status(hmac_sha256=("A" if signature[0] != "A" else "B") + signature[1:]) == 401


def test_both_secrets_are_good_during_a_rotation_and_no_other():
    assert deliver(secret="old").topic == "orders/updated"
    assert status(secret="older") == 401
    assert status(secret="old", settings={**SETTINGS, "old_secret": ""}) == 401


def test_without_a_secret_nothing_is_accepted():
    """A permanent token alone has no secret: an empty one must not sign."""
    assert status(secret="", settings={"shop": SETTINGS["shop"], "access_token": "t"}) == 401


def test_webhook_secret_of_its_own_replaces_the_client_secret():
    settings = {**SETTINGS, "webhook_secret": "own", "old_secret": ""}
    assert deliver(secret="own", settings=settings).delivery_id == "b54557e4"
    assert status(secret="new", settings=settings) == 401


@pytest.mark.parametrize("name", ["topic", "shop_domain", "webhook_id", "triggered_at", "hmac_sha256"])
def test_missing_header_is_refused(name):
    assert status(**{name: None}) == 400


def test_other_shop_is_refused_though_the_signature_is_good():
    assert status(shop_domain="other.myshopify.com") == 401


@pytest.mark.parametrize(("age", "is_good"), [(timedelta(hours=47), True), (timedelta(hours=49), False)])
def test_old_delivery_is_refused(age, is_good):
    """Retries go on for 4 h; what is older than two days is a replay."""
    at = (NOW - age).isoformat()
    assert deliver(triggered_at=at).hints if is_good else status(triggered_at=at) == 401


def test_delivery_from_the_future_is_refused():
    assert deliver(triggered_at=(NOW + timedelta(minutes=4)).isoformat()).hints
    assert status(triggered_at=(NOW + timedelta(minutes=6)).isoformat()) == 401


@pytest.mark.parametrize("body", [b"not json", b"[1]", b"{}", b'{"id": 1'])
def test_unreadable_body_is_refused(body):
    assert status(body) == 400


@pytest.mark.parametrize(
    ("topic", "body", "hints"),
    [
        ("orders/create", {"id": 1}, [("order", "1")]),
        ("orders/edited", {"order_edit": {"id": 5, "order_id": 1}}, [("order", "1")]),
        ("refunds/create", {"id": 9, "order_id": 1}, [("order", "1")]),
        ("fulfillments/create", {"id": 9, "order_id": 1}, [("order", "1")]),
        ("returns/close", {"id": 9, "order": {"id": 1}}, [("order", "1")]),
        ("inventory_levels/update", {"inventory_item_id": 3, "location_id": 7, "available": 2}, [("stock", "3:7")]),
        ("products/update", {"id": 9, "variants": [{"id": 1}, {"id": 2}]}, [("product", "1"), ("product", "2")]),
        ("products/delete", {"id": 9}, []),
        ("customers/update", {"id": 4}, [("customer", "4")]),
        ("locations/update", {"id": 7}, [("store", "7")]),
        ("app/uninstalled", {"id": 1}, []),
        ("themes/publish", {"id": 1}, []),
    ],
)
def test_topic_becomes_hints(topic, body, hints):
    """The body only says what to fetch; an unknown topic is taken and says nothing."""
    found = deliver(json.dumps(body).encode(), topic=topic)
    assert found.hints == tuple(Hint(*hint) for hint in hints)
