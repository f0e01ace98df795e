# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Smaregi Platform API (POS): addresses, limits and code tables.

Seen 2025-11 at https://developers.smaregi.dev/platform-api-reference/ (operations getTransactions,
getStock, postStockProductIdAdd, getAdjustments, postWebhookStock, postWebhookAdjustments).
"""

from datetime import timedelta, timezone

from ..base import DataError, On, Setting, Stream, TransientError

HOSTS = {  # sandbox contract? -> (API, identity)
    False: ("https://api.smaregi.jp", "https://id.smaregi.jp"),
    True: ("https://api.smaregi.dev", "https://id.smaregi.dev"),
}
SANDBOX_PREFIX = "sb_"
SCOPES = (
    "pos.stores:read pos.products:read pos.customers:read pos.transactions:read "
    "pos.stock:read pos.stock:write pos.stock-changes:read"
)
SENSITIVE = frozenset(
    "access_token lastName firstName lastKana firstKana alphabetName address postCode phoneNumber mobileNumber "
    "faxNumber mailAddress mailAddress2 mailAddress3 birthDate passportNo pinCode customerPinCode".split()
)

JAPAN = timezone(timedelta(hours=9))  # no daylight saving; for the rare moment without a zone
WINDOW = timedelta(days=31)  # longest period a transaction, stock or closing request may span
MAX_BODY = 1 << 20  # bytes of a webhook; real ones hold ids only
MAX_IDS = 1000  # ids one webhook may name
MEMO = "pos_erp_bridge "  # our mark in the stock journal, before the push id
MEMO_LENGTH = 100
BY_WEB_API = "15"  # stockDivision of a journal row written through the API
ONE_BY_ONE = 10  # levels of one store read singly; more are read as a list
LIST_LIMIT = 1000

SETTINGS = (
    Setting("contract_id", "Contract ID", help="Shown in Smaregi's back office; sandbox contracts start with sb_."),
    Setting("client_id", "Client ID"),
    Setting("client_secret", "Client secret", is_secret=True),
    Setting("webhook_header", "Webhook header name", is_required=False, default="X-Bridge-Key"),
    Setting(
        "webhook_secret",
        "Webhook header value",
        is_secret=True,
        is_required=False,
        help="A long random text, also entered in Smaregi's developer console. Empty: webhooks are refused.",
    ),
    Setting("jan_field", "Product field with the JAN code", is_required=False, default="productCode"),
    Setting("calls_per_second", "Calls per second", is_required=False, default="10", help="All stores together."),
    Setting("api_url", "API address", is_required=False, help="Empty: chosen from the contract ID."),
    Setting("id_url", "Identity address", is_required=False, help="Empty: chosen from the contract ID."),
)
STREAMS = {
    "store": Stream("store"),
    "product": Stream("product", page_size=LIST_LIMIT),
    "customer": Stream("customer", page_size=LIST_LIMIT),
    # 100 is the most the list gives with details. Tills send late: the look-back is about our clock
    # and the vendor's, not about offline tills, whose receipts get a fresh updDateTime on arrival.
    "sale": Stream("sale", window=WINDOW, page_size=100),
    "closing": Stream("closing", window=WINDOW, lookback=timedelta(days=1)),
    "stock": Stream("stock", window=WINDOW, page_size=LIST_LIMIT),
}
# stream -> (path, fields of its id, further query)
RESOURCES = {
    "store": ("stores", ("storeId",), {"with_point_condition": "all"}),
    "product": ("products", ("productId",), {}),
    "customer": ("customers", ("customerId",), {}),
    "sale": (
        "transactions",
        ("transactionHeadId",),
        {"with_details": "all", "with_deposit_others": "all", "with_layaway_pick_ups": "all"},
    ),
    "closing": ("adjustments", ("storeId", "terminalId", "adjustmentDateTime"), {}),
    "stock": ("stock", ("storeId", "productId"), {}),
}
EVENTS = {  # webhook event -> (stream, field of the ids); other lists are looked for under "ids"
    "pos:transactions": ("sale", "transactionHeadIds"),
    "pos:stock": ("stock", "ids"),
    "pos:adjustments": ("closing", "ids"),
    "pos:products": ("product", "productIds"),
    "pos:customers": ("customer", "customerIds"),
    "pos:stores": ("store", "storeIds"),
}


class Missing(DataError):
    """The thing asked for does not exist (404)."""


ERRORS = (
    On(400, DataError, "Smaregi did not accept the request"),
    On(404, Missing, "not found"),
    On(503, TransientError, "Smaregi is under maintenance or overloaded"),
)

SALE, CASH_IN, CASH_OUT = "1", "2", "3"
POINTS = {  # transactionHeadDivision -> (sign, fields the number may be in, reason)
    "6": (1, ("newPoint", "spendPoint"), "points added"),
    "7": (-1, ("spendPoint", "newPoint"), "points taken"),
    "8": (-1, ("spendPoint", "newPoint"), "points expired"),
    "13": (1, ("earnMile", "adjustmentMile"), "miles added"),
    "14": (-1, ("adjustmentMile", "earnMile"), "miles taken"),
}
SET_ASIDE = {
    "4": "a deposit received: no turnover until the goods are handed over",
    "5": "a deposit given back: no turnover",
    "9": "use of a book of tickets: it was turnover when the book was sold",
    "10": "a layaway: it becomes turnover with the receipt of the pick-up",
    "11": "a tip: no turnover of the shop",
    "15": "a top-up of a value card: no turnover until it is spent",
    "16": "a formal receipt issued for an earlier sale",
}
WHOLES = frozenset("456")  # productDivision of bundle and set parents; their children are the parts
OPTION = "2"  # productDivision of an option: a child that is charged beside its parent
POINTS_ARE_MONEY = "1"  # pointSpendDivision; "2": points are a discount
DENOMINATIONS = {
    "tenThousandYen": 10000,
    "fiveThousandYen": 5000,
    "twoThousandYen": 2000,
    "oneThousandYen": 1000,
    "fiveHundredYen": 500,
    "oneHundredYen": 100,
    "fiftyYen": 50,
    "tenYen": 10,
    "fiveYen": 5,
    "oneYen": 1,
}
