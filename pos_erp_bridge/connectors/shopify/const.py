# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Facts about Shopify's Admin API. Read 2026-11 at https://shopify.dev/docs/api/admin-graphql/2026-10"""

from datetime import timedelta

from ..base import ConfigError, On, Setting, Stream, TransientError, _

API_VERSION = "2026-10"
GRAPHQL_PATH, TOKEN_PATH = f"/admin/api/{API_VERSION}/graphql.json", "/admin/oauth/access_token"
CAPABILITIES = "orders_in products_in customers_in stock_in stock_out fulfilment_out webhooks".split()
SCOPES = frozenset(
    "read_orders read_products read_inventory write_inventory read_locations read_customers"
    " read_merchant_managed_fulfillment_orders write_merchant_managed_fulfillment_orders".split()
)
SENSITIVE = frozenset(
    "access_token client_secret email emailAddress phone phoneNumber address1 address2 zip firstName lastName".split()
)
SETTINGS = (
    Setting("shop", _("Shop domain"), help="your-shop.myshopify.com"),
    Setting("client_id", _("Client ID"), is_required=False, help=_("Of the app made in the Dev Dashboard.")),
    Setting("client_secret", _("Client secret"), is_secret=True, is_required=False, help=_("Of the same app.")),
    Setting(
        "access_token", _("Access token"), is_secret=True, is_required=False, help=_("Only for apps made before 2026.")
    ),
    Setting(
        "webhook_secret", _("Webhook secret"), is_secret=True, is_required=False, help=_("Empty: the client secret.")
    ),
    Setting(
        "old_secret", _("Previous secret"), is_secret=True, is_required=False, help=_("Accepted during a rotation.")
    ),
    Setting(
        "default_location", _("Default location"), is_required=False, help=_("Number of the location that ships.")
    ),
    Setting("base_url", _("Address"), is_required=False, help=_("Only for rehearsals; empty: the shop domain.")),
)
ERRORS = (
    On(402, ConfigError, "the shop is frozen for unpaid bills"),
    On(404, ConfigError, "no such shop or API version"),
    On(423, ConfigError, "the shop is locked"),
    On(430, TransientError, "the call looked suspicious"),
)

# A query may cost 1,000 points: full orders are dear, the rest is cheap. The second is what ids are fetched by.
STREAMS = {
    name: Stream(name, page_size=size)
    for name, size in {"store": 50, "product": 100, "customer": 100, "order": 4, "stock": 100}.items()
}
NODES = {"store": "Location", "product": "ProductVariant", "customer": "Customer", "order": "Order"}
LISTS = {"store": "Locations", "product": "Variants", "customer": "Customers", "order": "Orders"}
REFUNDS_MAX, TRANSACTIONS_MAX = 30, 20  # what the order fragment asks for

# Prefix of the topic, stream, ids in the body (numbers, as in REST); the first match wins.
TOPICS = (
    ("orders/edited", "order", lambda body: [body["order_edit"]["order_id"]]),
    ("orders/", "order", lambda body: [body["id"]]),
    ("refunds/", "order", lambda body: [body["order_id"]]),
    ("order_transactions/", "order", lambda body: [body["order_id"]]),
    ("fulfillments/", "order", lambda body: [body["order_id"]]),
    ("returns/", "order", lambda body: [body["order"]["id"]]),
    ("products/", "product", lambda body: [variant["id"] for variant in body.get("variants", ())]),
    ("customers/", "customer", lambda body: [body["id"]] if "id" in body else []),
    ("locations/", "store", lambda body: [body["id"]]),
    ("inventory_levels/", "stock", lambda body: [f"{body['inventory_item_id']}:{body['location_id']}"]),
)
# Retries carry the moment of the first try and go on for 4 h; the vendor's own queues have been late by hours
# more. A replay within this time does no harm: the delivery id is unique and the body only a hint.
OLDEST_DELIVERY, CLOCK_SKEW = timedelta(hours=48), timedelta(minutes=5)

PAYMENT_STATES = {"AUTHORIZED": "authorized", "PARTIALLY_PAID": "partial", "PAID": "paid", "VOIDED": "voided"}
PAYMENT_STATES |= {"PARTIALLY_REFUNDED": "paid", "REFUNDED": "refunded", "EXPIRED": "voided", "PENDING": "pending"}
TENDER_KINDS = {  # part of the gateway's name; the first match wins
    "gift_card": "gift_card", "cash on delivery": "cod", "cash_on_delivery": "cod", "cash": "cash", "bank": "bank",
    "paypay": "qr", "shopify_payments": "card", "card": "card", "bogus": "card",
}  # fmt: skip
RESTOCK = {"RETURN": "return", "LEGACY_RESTOCK": "return", "CANCEL": "cancel", "NO_RESTOCK": "none"}
NO_DECIMALS = frozenset({"JPY", "KRW", "VND", "CLP"})

PUSH_MAX, PUSH_ROUNDS = 250, 6  # entries in one input array; tries with a smaller or re-keyed batch
STALE, BUSY = "CHANGE_FROM_QUANTITY_STALE", "IDEMPOTENCY_CONCURRENT_REQUEST"
NEW_KEY = frozenset({"IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"})
