# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""A Shopify shop in memory that executes real GraphQL (shopify.graphql says what); Japanese taxes, included.

The vendor's own actions are ``pay`` and ``edit``, and the keyword arguments of ``sell`` and ``refund``. Unlike
the vendor it stamps microseconds, so that each change is a newer version.
"""

import itertools
import json
import operator
import re
import uuid
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from graphql import GraphQLError, build_schema, execute_sync, get_named_type, parse, validate
from graphql.execution import get_directive_values
from werkzeug.exceptions import NotFound, Unauthorized

from .. import sandbox as base
from ..shopify.const import API_VERSION, GRAPHQL_PATH, SCOPES, TOKEN_PATH
from ..shopify.signature import sign

SHOP, CLIENT_ID, CLIENT_SECRET = "bridge-sandbox.myshopify.com", "sandbox-client", "sandbox-secret"
SCHEMA = build_schema((Path(__file__).parent / "shopify.graphql").read_text())
COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
PEOPLE, EMAIL = (("山田", "太郎"), ("佐藤", "花子"), ("鈴木", "一郎")), "guest@example.com"
ADDRESS = {"zip": "100-0001", "countryCodeV2": "JP", "provinceCode": "JP-13", "province": "Tokyo", "city": "千代田区"}
ADDRESS |= {"address1": "千代田1-1", "phone": "+81312345678"}


def resolve(source, info, **args):
    """Any field. The state holds plain dicts: yen as int, times as datetime, connections as lists."""
    value, kind = source.get(info.field_name), get_named_type(info.return_type).name
    value = value(info, args) if callable(value) else value
    if kind == "MoneyBag" and value is not None:
        return {"shopMoney": {"amount": f"{value}.0"}}
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if kind.endswith("Connection"):
        return paginate(value, **args)
    return value[: args["first"]] if "first" in args else value


def paginate(nodes, first, after=None, query="", sortKey="ID", **_):
    terms = [(COMPARE[by], datetime.fromisoformat(at)) for by, at in re.findall(r"updated_at:([<>]=?)'([^']+)'", query)]
    nodes = [node for node in nodes if all(is_in(node["updatedAt"], at) for is_in, at in terms)]
    stamps = [f"{node['updatedAt']:%Y%m%d%H%M%S%f}" if sortKey == "UPDATED_AT" else "" for node in nodes]
    keyed = {f"{stamp}/{node['legacyResourceId']:>20}": node for stamp, node in zip(stamps, nodes, strict=True)}
    keys = sorted(key for key in keyed if key > (after or ""))
    page = keys[:first]
    info = {"hasNextPage": len(keys) > first, "endCursor": page[-1] if page else None}
    return {"nodes": [keyed[key] for key in page], "pageInfo": info}


def part(amount, before, count, of):
    """What falls on ``count`` of ``of`` pieces after the first ``before``; the parts add up to the amount."""
    return amount * (before + count) // of - amount * before // of


def number(node):
    return int(node["legacyResourceId"])


def refused(message, code=None, *path):
    return {"userErrors": [{"code": code, "field": path or None, "message": message}]}


class Sandbox(base.Sandbox):
    system = "shopify"
    routes = ((TOKEN_PATH, "POST", "give_token"), (GRAPHQL_PATH, "POST", "graphql"))
    fault_names = (*base.FAULTS, "throttled", "access_denied")

    def __init__(self):
        super().__init__()
        self.ids, self.nodes, self.kinds, self.codes = itertools.count(1001), {}, defaultdict(list), {}
        self.tokens, self.keys, self.documents = set(), {}, {}
        self.bucket = self.available = 20000
        self.rate, self.dearest = 1000, 1000  # points restored per second; what one query may cost
        self.last = self.refilled = datetime.now(UTC)
        self.levels, self.pushes = {}, []
        shop = {"name": "Sandbox", "myshopifyDomain": SHOP, "currencyCode": "JPY", "ianaTimezone": "Asia/Tokyo"}
        get = lambda info, args: self.nodes.get(args["id"])  # noqa: E731
        self.root = {
            "shop": shop | {"taxesIncluded": True}, "node": get, "order": get, "location": get,
            "nodes": lambda info, args: [self.nodes.get(gid) for gid in args["ids"]],
            "currentAppInstallation": {"accessScopes": [{"handle": scope} for scope in SCOPES]},
            "locations": self.kinds["Location"], "orders": self.kinds["Order"], "customers": self.kinds["Customer"],
            "productVariants": self.kinds["ProductVariant"],
            "fulfillmentCreate": self.ship,
            "inventorySetQuantities": lambda info, args: self.once(info, args, self.set_quantities),
            "inventoryActivate": lambda info, args: self.once(info, args, self.activate),
        }  # fmt: skip

    def settings(self, url):
        return {"shop": SHOP, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "base_url": url}

    # -- the vendor's API ------------------------------------------------------------------------
    def is_write(self, request):
        return request.path == GRAPHQL_PATH and request.json["query"].startswith("mutation")

    def authorize(self, request):
        if self.fault("expire_token"):
            self.tokens.clear()
        if request.path != TOKEN_PATH and request.headers.get("X-Shopify-Access-Token") not in self.tokens:
            raise Unauthorized("[API] Invalid API key or access token")

    def error(self, status, message):
        return self.json({"errors": message}, status)

    def give_token(self, request):
        given = [request.form.get(name) for name in ("grant_type", "client_id", "client_secret")]
        if given != ["client_credentials", CLIENT_ID, CLIENT_SECRET]:
            return self.json({"error": "invalid_client"}, 400)
        token = uuid.uuid4().hex
        self.tokens.add(token)
        return {"access_token": token, "scope": ",".join(SCOPES), "expires_in": 86399}

    def graphql(self, request):
        text, variables = request.json["query"], request.json.get("variables") or {}
        if text not in self.documents:  # parsed and checked once
            document = parse(text)
            self.documents[text] = document, validate(SCHEMA, document)
        document, errors = self.documents[text]
        asked = 10 + 5 * max(variables.get("first", 1), len(variables.get("ids", ())))  # roughly the vendor's rule
        now = datetime.now(UTC)
        self.available = min(self.bucket, self.available + (now - self.refilled).total_seconds() * self.rate)
        self.refilled, data, actual = now, None, None
        if errors:
            errors = [error.formatted for error in errors]
        elif asked > self.dearest:
            errors = [{"message": f"Query cost is {asked}", "extensions": {"code": "MAX_COST_EXCEEDED"}}]
        elif asked > self.available or self.fault("throttled"):
            errors = [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]
        elif self.fault("access_denied"):
            denied = {"code": "ACCESS_DENIED", "requiredAccess": "`read_orders` access scope."}
            errors = [{"message": "Access denied for orders field.", "extensions": denied}]
        else:
            result = execute_sync(SCHEMA, document, self.root, variable_values=variables, field_resolver=resolve)
            data, errors = result.data, [error.formatted for error in result.errors or ()]
            actual = json.dumps(data).count("{")
            self.available -= actual
        status = {"maximumAvailable": self.bucket, "currentlyAvailable": int(self.available), "restoreRate": self.rate}
        cost = {"requestedQueryCost": asked, "actualQueryCost": actual, "throttleStatus": status}
        answer = {"data": data, "extensions": {"cost": cost}} | ({"errors": errors} if errors else {})
        return self.json(answer, headers={"X-Shopify-API-Version": API_VERSION})

    def once(self, info, args, apply):
        """The @idempotent directive: one key, one input, one result; a refused try uses its key up."""
        given = get_directive_values(SCHEMA.get_directive("idempotent"), info.field_nodes[0], info.variable_values)
        if not given or not given["key"].strip():
            raise GraphQLError("The @idempotent directive is required for this mutation.")
        before, result = self.keys.get(given["key"], (args, None))
        if before != args:
            return refused("The key was used with other parameters", "IDEMPOTENCY_KEY_PARAMETER_MISMATCH")
        if result and result["userErrors"]:
            return refused("An earlier try with this key failed", "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED")
        self.keys[given["key"]] = args, result or apply(**args)
        return self.keys[given["key"]][1]

    def set_quantities(self, input):
        errors, seen = [], []
        for i, entry in enumerate(input["quantities"]):
            if "changeFromQuantity" not in entry:
                raise GraphQLError("changeFromQuantity must be given; null turns the comparison off.")
            item, place, compare = entry["inventoryItemId"], entry["locationId"], entry["changeFromQuantity"]
            now = self.levels.get((item, place), {"available": 0})["available"]
            for is_wrong, code, field in (
                (item not in self.nodes, "INVALID_INVENTORY_ITEM", "inventoryItemId"),
                (place not in self.nodes, "INVALID_LOCATION", "locationId"),
                ((item, place) in seen, "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR", "inventoryItemId"),
                (abs(entry["quantity"]) > 10**9, "INVALID_QUANTITY_TOO_HIGH", "quantity"),
                (compare not in (None, now), "CHANGE_FROM_QUANTITY_STALE", "changeFromQuantity"),
            ):
                if is_wrong:
                    message = f"{code} (the level is {now})"
                    errors += refused(message, code, "input", "quantities", str(i), field)["userErrors"]
                    break
            seen.append((item, place))
        if not errors:
            self.pushes.append(input)
            for entry in input["quantities"]:
                level = self.level(entry["inventoryItemId"], entry["locationId"])
                self.move(level, entry["quantity"] - level["available"])
        return {"userErrors": errors}

    def activate(self, inventoryItemId, locationId):
        if {inventoryItemId, locationId} - set(self.nodes):
            return refused("The item or the location could not be found.", None, "locationId")
        self.level(inventoryItemId, locationId)
        return {"userErrors": []}

    def ship(self, info, args):
        args = args["fulfillment"]
        ships = [self.nodes[entry["fulfillmentOrderId"]] for entry in args["lineItemsByFulfillmentOrder"]]
        entries = [x for entry in args["lineItemsByFulfillmentOrder"] for x in entry["fulfillmentOrderLineItems"]]
        wanted = [(self.nodes[entry["id"]], entry["quantity"]) for entry in entries]
        if any(line["remainingQuantity"] < count for line, count in wanted):
            return refused("Invalid fulfillment order line item quantity requested.", None, "fulfillment")
        for line, count in wanted:
            line["remainingQuantity"] -= count
            self.move(line["lineItem"]["level"], committed=-count)
        for ship in ships:
            ship["status"] = "IN_PROGRESS" if any(x["remainingQuantity"] for x in ship["lineItems"]) else "CLOSED"
        sent = self.node("Fulfillment", status="SUCCESS", trackingInfo=[args.get("trackingInfo") or {}])
        order = ships[0]["order"]
        order["fulfillments"].append(sent)
        self.touch(order, "fulfillments/create", id=number(sent), order_id=number(order))
        return {"fulfillment": sent, "userErrors": []}

    # -- state -----------------------------------------------------------------------------------
    def now(self):
        self.last = max(datetime.now(UTC), self.last + timedelta(microseconds=1))
        return self.last

    def node(self, kind, number=None, /, **values):
        number = str(number or next(self.ids))
        gid = f"gid://shopify/{kind}/{number}"
        node = {"__typename": kind, "id": gid, "legacyResourceId": number, "updatedAt": self.now(), **values}
        self.nodes[gid] = node
        self.kinds[kind].append(node)
        return node

    def find(self, kind, number):
        """The node with this number; of places the first one without."""
        return self.nodes[f"gid://shopify/{kind}/{number}"] if number else self.kinds[kind][0]

    def variant(self, code):
        if code not in self.codes:
            raise NotFound(f"no product {code}")
        return self.codes[code]

    def level(self, item, place):
        """The level of an item at a place; made, active, where there is none yet."""
        if (item, place) not in self.levels:
            level = self.node("InventoryLevel", isActive=True, available=0, committed=0)
            level |= {"item": self.nodes[item], "location": self.nodes[place]}
            level["quantities"] = lambda info, args: [{"quantity": level[name]} for name in args["names"]]
            self.levels[item, place] = level
        return self.levels[item, place]

    def move(self, level, available=0, committed=0):
        level["available"] += available
        level["committed"] += committed
        ids = {"inventory_item_id": number(level["item"]), "location_id": number(level["location"])}
        self.touch(level, "inventory_levels/update", available=level["available"], **ids)

    def touch(self, node, topic="orders/updated", **body):
        node["updatedAt"] = self.now()
        self.announce(topic, body or {"id": number(node), "name": node["name"]})
        return {"stream": "order", "id": node["legacyResourceId"], "total": node.get("totalPriceSet")}

    def sign(self, topic, body):
        headers = {"Topic": topic, "Shop-Domain": SHOP, "API-Version": API_VERSION, "Webhook-Id": str(uuid.uuid4())}
        headers["Triggered-At"] = datetime.now(UTC).isoformat()
        headers["Hmac-SHA256"] = sign(body, self.webhook_secret or CLIENT_SECRET)
        return {f"X-Shopify-{name}": value for name, value in headers.items()}

    def state(self):
        levels = {place["legacyResourceId"]: {} for place in self.kinds["Location"]}
        for level in self.levels.values():
            levels[level["location"]["legacyResourceId"]][level["item"]["sku"]] = level["available"]
        return {"levels": levels, "documents": len(self.kinds["Order"]), "pushes": len(self.pushes)}

    # -- what a shop does ------------------------------------------------------------------------
    def do_load(self, products=(), stores=()):
        """A product may be a ``gift_card``, or not stocked anywhere yet (``is_stocked``)."""
        for store in stores or ([] if self.kinds["Location"] else [{"name": "本店"}]):
            known = store.get("id") if str(store.get("id", "")).isdigit() else None
            place = self.node("Location", known, name=store["name"], isActive=True, fulfillsOnlineOrders=True)
            place["inventoryLevels"] = lambda info, args, place=place["id"]: [
                level for (_, at), level in self.levels.items() if at == place
            ]
        for new in products:
            code, rate = new["code"], 8 if new.get("reduced") else 10
            item = self.node("InventoryItem", sku=code, tracked=True)
            item["inventoryLevel"] = lambda info, args, item=item: self.levels.get((item["id"], args["locationId"]))
            self.codes[code] = self.node(
                "ProductVariant", sku=code, barcode=code if code.isdigit() else None, price=str(new["price"]),
                title="Default Title", product=self.node("Product", title=new["name"], status="ACTIVE"),
                inventoryItem=item, rate=0 if new.get("gift_card") else rate,
            )  # fmt: skip
            for place in self.kinds["Location"] if new.get("is_stocked", True) else ():
                self.level(item["id"], place["id"])
        return {}

    def do_set_stock(self, code, quantity, store=None):
        level = self.level(self.variant(code)["inventoryItem"]["id"], self.find("Location", store)["id"])
        self.move(level, int(quantity) - level["available"])
        return {}

    def add(self, order, amount, tax, *fields):
        """Change the order's current totals, and those before returns where named."""
        for field in ("currentTotalPriceSet", *fields[:1]):
            order[field] += amount
        for field in ("currentTotalTaxSet", *fields[1:]):
            order[field] += tax

    def put(self, order, code, count, discount=0):
        """Add a line to the order and to what is to be shipped; its pieces are no longer available."""
        variant, ship = self.variant(code), order["fulfillmentOrders"][0]
        gross, rate = int(variant["price"]) * count, variant["rate"]
        amount, tax = gross - discount, (gross - discount) * rate // (100 + rate)
        level = self.level(variant["inventoryItem"]["id"], ship["assignedLocation"]["location"]["id"])
        line = self.node(
            "LineItem", name=variant["product"]["title"], sku=variant["sku"], quantity=count, currentQuantity=count,
            isGiftCard=not rate, variant=variant, originalTotalSet=gross, amount=amount, tax=tax, level=level,
            discountAllocations=[{"allocatedAmountSet": discount}] if discount else [],
            taxLines=[{"ratePercentage": rate, "rate": rate / 100, "priceSet": tax}] if rate else [],
        )  # fmt: skip
        order["lineItems"].append(line)
        ship["lineItems"].append(self.node("FulfillmentOrderLineItem", lineItem=line, remainingQuantity=count))
        self.add(order, amount, tax, "totalPriceSet", "totalTaxSet")
        self.move(level, -count, count)

    def take(self, order, items, is_restocked=True):
        """Take pieces (all without ``items``) off an order: yields (line, pieces, amount, tax, already shipped)."""
        wanted = None if items is None else {item["code"]: item["quantity"] for item in items}
        for line, left in zip(order["lineItems"], order["fulfillmentOrders"][0]["lineItems"], strict=True):
            count = line["currentQuantity"]
            count = count if wanted is None else min(count, wanted.pop(line["sku"], 0))
            if not count:
                continue
            share = line["quantity"] - line["currentQuantity"], count, line["quantity"]
            amount, tax = part(line["amount"], *share), part(line["tax"], *share)
            unshipped = min(count, left["remainingQuantity"])
            line["currentQuantity"] -= count
            left["remainingQuantity"] -= unshipped
            self.move(line["level"], count if is_restocked else 0, -unshipped)
            self.add(order, -amount, -tax)
            yield line, count, amount, tax, not unshipped

    def pay(self, order, kind, amount):
        gateway, at = order["gateway"], self.now()
        values = {"gateway": gateway, "formattedGateway": gateway.replace("_", " ").title(), "processedAt": at}
        paid = self.node("OrderTransaction", kind=kind, **values, status="SUCCESS", amountSet=amount)
        order["transactions"].append(paid)
        return paid

    def do_sell(self, items, store=None, discount=0, shipping=0, pickup=False, guest=False, pending=False, test=False,
                gateway="shopify_payments"):  # fmt: skip
        place, kind = self.find("Location", store), "PICK_UP" if pickup else "SHIPPING"
        last, first = PEOPLE[len(self.kinds["Order"]) % len(PEOPLE)]
        address = {"lastName": last, "firstName": first, **ADDRESS}
        customer = next((x for x in self.kinds["Customer"] if x["lastName"] == last), None) or self.node(
            "Customer", **address, defaultEmailAddress={"emailAddress": EMAIL}, defaultAddress=address
        )
        amounts = "totalPriceSet", "totalTaxSet", "currentTotalPriceSet", "currentTotalTaxSet"
        lists = "lineItems", "shippingLines", "additionalFees", "transactions", "refunds", "fulfillments"
        order = self.node(
            "Order", **dict.fromkeys(amounts, 0), **{name: [] for name in lists}, test=test, currencyCode="JPY",
            taxesIncluded=True, sourceName="web", processedAt=self.now(), displayFinancialStatus="PENDING", email=EMAIL,
            customer=None if guest else customer, shippingAddress=None if pickup else address, billingAddress=address,
            gateway=gateway,
        )  # fmt: skip
        order["name"] = f"#{number(order)}"
        order["fulfillmentOrders"] = [self.node(
            "FulfillmentOrder", order=order, status="OPEN", lineItems=[], assignedLocation={"location": place},
            deliveryMethod={"methodType": kind},
        )]  # fmt: skip
        prices = [int(self.variant(item["code"])["price"]) * item["quantity"] for item in items]
        for i, item in enumerate(items):  # the discount is spread so that the shares add up
            share = part(discount, sum(prices[:i]), prices[i], sum(prices)) if discount else 0
            self.put(order, item["code"], item["quantity"], share)
        if shipping:
            taxes = [{"ratePercentage": 10.0, "rate": 0.1, "priceSet": shipping // 11}]
            line = self.node("ShippingLine", title="宅配便", discountedPriceSet=shipping, taxLines=taxes)
            order["shippingLines"].append(line)
            self.add(order, shipping, shipping // 11, "totalPriceSet", "totalTaxSet")
        if not pending:
            self.do_pay(number(order))
        return self.touch(order, "orders/create", id=number(order), name=order["name"])

    def do_pay(self, id):
        order = self.find("Order", id)
        self.pay(order, "SALE", order["currentTotalPriceSet"])
        order["displayFinancialStatus"] = "PAID"
        return self.touch(order)

    def do_change(self, id, note="changed"):
        order = self.find("Order", id)
        order["note"] = note
        return self.touch(order)

    def do_corrupt(self, id, by=1):
        order = self.find("Order", id)
        self.add(order, by, 0, "totalPriceSet")
        return self.touch(order)

    def do_refund(self, id, items=None, restock=None, amount=None):
        """``restock``: RETURN, CANCEL or NO_RESTOCK (by itself as shipped or not); ``amount``: not just the sum."""
        order = self.find("Order", id)
        ships = order["shippingLines"] if items is None and not order["refunds"] else []
        lines = [
            {"lineItem": line, "quantity": count, "subtotalSet": value, "totalTaxSet": tax, "legacyResourceId": str(i),
             "location": line["level"]["location"], "restockType": restock or ("RETURN" if is_shipped else "CANCEL")}
            for i, (line, count, value, tax, is_shipped) in enumerate(self.take(order, items, restock != "NO_RESTOCK"))
        ]  # fmt: skip
        back = []
        for x in ships:
            values = {"subtotalAmountSet": x["discountedPriceSet"], "taxAmountSet": x["taxLines"][0]["priceSet"]}
            back.append(self.node("RefundShippingLine", shippingLine=x, **values))
            self.add(order, -values["subtotalAmountSet"], -values["taxAmountSet"])
        value = sum(x["subtotalSet"] for x in lines) + sum(x["subtotalAmountSet"] for x in back)
        gap = value - (value if amount is None else amount)
        paid = value - gap if order["transactions"] else 0
        refund = self.node(
            "Refund", createdAt=self.now(), refundLineItems=lines, refundShippingLines=back,
            orderAdjustments=[self.node("OrderAdjustment", amountSet=gap, taxAmountSet=0)] if gap else [],
            transactions=[self.pay(order, "REFUND", paid)] if paid else [],
        )  # fmt: skip
        order["refunds"].append(refund)
        if paid:
            is_all = not any(line["currentQuantity"] for line in order["lineItems"])
            order["displayFinancialStatus"] = "REFUNDED" if is_all else "PARTIALLY_REFUNDED"
        return self.touch(order, "refunds/create", id=number(refund), order_id=number(order))

    def do_cancel(self, id):
        self.do_refund(id)
        order = self.find("Order", id)
        order["cancelledAt"], order["fulfillmentOrders"][0]["status"] = self.now(), "CANCELLED"
        order["displayFinancialStatus"] = "REFUNDED" if order["transactions"] else "VOIDED"
        return self.touch(order, "orders/cancelled", id=number(order))

    def do_edit(self, id, add=(), remove=()):
        """Add and take off pieces after the sale; what is taken off leaves no refund."""
        order = self.find("Order", id)
        for item in add:
            self.put(order, item["code"], item["quantity"])
        list(self.take(order, remove))
        if add and order["transactions"]:
            order["displayFinancialStatus"] = "PARTIALLY_PAID"
        return self.touch(order, "orders/edited", order_edit={"order_id": number(order)})
