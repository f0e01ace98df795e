# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Smaregi Platform API (POS): addresses, limits and code tables.

Seen in November 2025 at https://developers.smaregi.dev/platform-api-reference/ (operations getTransactions,
getStock, postStockProductIdAdd, getAdjustments, postWebhookStock, postWebhookAdjustments).
"""

from datetime import timedelta, timezone

from ..base import DataError, On, Setting, Stream, _

HOSTS = {  # is a sandbox contract: (API, identity)
    False: ("https://api.smaregi.jp", "https://id.smaregi.jp"),
    True: ("https://api.smaregi.dev", "https://id.smaregi.dev"),
}
SCOPES = "pos.stores:read pos.products:read pos.customers:read pos.transactions:read pos.stock:read pos.stock:write"
SCOPES += " pos.stock-changes:read"
SENSITIVE = frozenset(
    "access_token lastName firstName lastKana firstKana alphabetName address postCode phoneNumber mobileNumber "
    "faxNumber mailAddress mailAddress2 mailAddress3 birthDate passportNo pinCode customerPinCode".split()
)
JAPAN = timezone(timedelta(hours=9))  # no daylight saving
WINDOW = timedelta(days=31)  # longest period a request may span
LIST_LIMIT, SALE_LIMIT = 1000, 100  # rows per page; a list of receipts with details is shorter
MAX_BODY, MAX_IDS = 1 << 20, 1000  # a webhook holds ids only
ONE_BY_ONE = 10  # levels of one store that are read singly; more are read as a list
MEMO, MEMO_LENGTH = "pos_erp_bridge ", 100  # our mark in the stock journal, before the push id
BY_WEB_API = "15"  # stockDivision of what was written through the API

_optional = {"is_required": False}
SETTINGS = (
    Setting("contract_id", _("Contract ID"), help=_("Shown in the back office; sandbox contracts start with sb_.")),
    Setting("client_id", _("Client ID")),
    Setting("client_secret", _("Client secret"), is_secret=True),
    Setting("webhook_header", _("Webhook header name"), default="X-Bridge-Key", **_optional),
    Setting(
        "webhook_secret", _("Webhook header value"), is_secret=True, help=_("Empty: webhooks are refused."), **_optional
    ),
    Setting("jan_field", _("Product field with the JAN code"), default="productCode", **_optional),
    Setting("calls_per_second", _("Calls per second"), default="10", help=_("All stores together."), **_optional),
    Setting("api_url", _("API address"), help=_("Empty: follows from the contract ID."), **_optional),
    Setting("id_url", _("Identity address"), help=_("Empty: follows from the contract ID."), **_optional),
)
STREAMS = {
    "store": Stream("store", page_size=LIST_LIMIT),
    "product": Stream("product", page_size=LIST_LIMIT),
    "customer": Stream("customer", page_size=LIST_LIMIT),
    # The look-back covers clocks and late commits. Offline tills need none: updDateTime is set on arrival.
    "sale": Stream("sale", window=WINDOW, page_size=SALE_LIMIT),
    "closing": Stream("closing", window=WINDOW, lookback=timedelta(days=1)),
    "stock": Stream("stock", page_size=LIST_LIMIT),
}
_details = {"with_details": "all", "with_deposit_others": "all", "with_layaway_pick_ups": "all"}
RESOURCES = {  # stream: (path, fields of the id, further query)
    "store": ("stores", ("storeId",), {"with_point_condition": "all"}),
    "product": ("products", ("productId",), {}),
    "customer": ("customers", ("customerId",), {}),
    "sale": ("transactions", ("transactionHeadId",), _details),
    "closing": ("adjustments", ("storeId", "terminalId", "adjustmentDateTime"), {}),
    "stock": ("stock", ("storeId", "productId"), {}),
}
EVENTS = {  # webhook event: (stream, field of the ids)
    "pos:transactions": ("sale", "transactionHeadIds"),
    "pos:stock": ("stock", "ids"),
    "pos:adjustments": ("closing", "ids"),
    "pos:products": ("product", "productIds"),
    "pos:customers": ("customer", "customerIds"),  # this name and the next by analogy; "ids" is taken too
    "pos:stores": ("store", "storeIds"),
}


class Missing(DataError):
    """The thing asked for does not exist (404)."""


ERRORS = (On(400, DataError, "Smaregi does not accept the request"), On(404, Missing, "there is no such thing"))

SALE, CASH_IN, CASH_OUT = "1", "2", "3"  # transactionHeadDivision, as are the keys of the next two
POINTS = {  # (sign, fields the number may be in, reason)
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
RETURNED, OPTION, WHOLES = "2", "2", frozenset("456")  # a line's division; a line's productDivision (twice)
POINTS_ARE_MONEY = "1"  # pointSpendDivision; "2": points are a discount
