# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Shopify: online store and Shopify POS through the GraphQL Admin API."""

import hashlib
import json
from collections import defaultdict
from datetime import UTC, timedelta
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from urllib.parse import quote

from .. import base
from ..base import BadDelivery, ConfigError, DataError, Fact, Page
from ..records import PushResult
from . import const, signature, translate
from .client import Client, TooDear
from .translate import number, tail


def gid(kind, external_id):
    return f"gid://shopify/{kind}/{external_id}"


@base.register
class Shopify(base.Connector):
    """External ids are the vendor's numbers as text (webhooks carry those); a stock fact is "item:location"."""

    system, label, kind = "shopify", "Shopify", "web"
    capabilities = frozenset(map(base.Capability, const.CAPABILITIES))
    settings_spec, streams, errors = const.SETTINGS, const.STREAMS, const.ERRORS
    budget = base.Budget(calls=20, burst=40)  # the vendor counts cost, not calls; see client.py
    sensitive_keys = const.SENSITIVE
    push_batch = 100

    def __init__(self, settings, http=None):
        super().__init__(settings, http)
        if not (self.settings["access_token"] or (self.settings["client_id"] and self.settings["client_secret"])):
            raise ConfigError("Fill in either client ID and client secret, or an access token.")
        self.client = Client(self.settings, self.http)

    # -- inward ----------------------------------------------------------------------------------
    def check(self):
        data = self.client.run("Check")
        shop = data["shop"]
        if shop["myshopifyDomain"] != self.settings["shop"].lower():
            raise ConfigError(f"The shop is {shop['myshopifyDomain']}: correct the shop domain of the channel.")
        granted = {scope["handle"] for scope in data["currentAppInstallation"]["accessScopes"]}
        lacking = const.SCOPES - granted - {scope.replace("write_", "read_") for scope in granted}  # writing implies it
        if lacking:
            raise ConfigError(f"The app lacks the scopes {', '.join(sorted(lacking))}. Add them and reinstall the app.")
        basis = "include" if shop["taxesIncluded"] else "do not include"
        notes = [f"Prices {basis} tax; currency {shop['currencyCode']}, time zone {shop['ianaTimezone']}."]
        if self.client.version not in ("", const.API_VERSION):
            notes.append(f"Version {self.client.version} of the API answered instead of {const.API_VERSION}.")
        nodes = self._all("Locations", first=const.STREAMS["store"].page_size)
        return base.ChannelInfo(shop["name"], tuple(translate.store(node) for node in nodes), tuple(notes))

    def pull(self, stream, since, until, cursor=None):
        # Stamps are whole seconds, so the window is widened to them; what comes twice is recognised.
        start, end = (f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for at in (since, until + timedelta(seconds=1)))
        args = {"first": self.streams[stream].page_size, "after": cursor}
        if stream == "stock":
            return self._pull_levels(args, cursor, f"updated_at:>='{start}'")
        if stream != "store":  # the short list of stores has no filter
            args["query"] = f"updated_at:>='{start}' AND updated_at:<='{end}'"
        while True:
            try:
                data = self.client.run(const.LISTS[stream], args)
                return self._page(stream, data, data["page"])
            except TooDear:
                if args["first"] == 1:
                    raise
                args["first"] //= 2

    def _pull_levels(self, args, cursor, query):
        """Levels hang on their location: the cursor is "location:cursor within it"."""
        places = sorted(int(number(node)) for node in self._all("Locations", first=50) if node["isActive"])
        at, _, after = (cursor or "").partition(":")
        place = int(at or (places or [0])[0])
        args |= {"after": after or None, "location": gid("Location", place), "query": query}
        found = self.client.run("Levels", args)["location"]
        page = self._page("stock", {}, found["page"]) if found else Page(())
        later = [x for x in places if x > place]
        return Page(page.facts, f"{place}:{page.cursor}" if page.cursor else f"{later[0]}:" if later else None)

    def _page(self, stream, data, connection):
        info = connection["pageInfo"]
        return Page(self._facts(stream, data, connection["nodes"]), info["endCursor"] if info["hasNextPage"] else None)

    def _all(self, operation, **args):
        after, has_next = None, True
        while has_next:
            page = self.client.run(operation, {**args, "after": after})["page"]
            yield from page["nodes"]
            after, has_next = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]

    def _facts(self, stream, data, nodes):
        facts = []
        for node in nodes:
            external_id = number(node) if stream != "stock" else f"{number(node['item'])}:{number(node['location'])}"
            if stream == "order":
                self._complete(node)
            elif stream == "product":
                node["taxesIncluded"] = data["shop"]["taxesIncluded"]
            facts.append(Fact(stream, external_id, translate.version_of(stream, node), node))
        return tuple(facts)

    def _complete(self, order):
        """Fetch what the first page of an order left out: further lines, and the details of refunds."""
        self._extend("LineItems", order, "lineItems")
        ids, order["refunds"] = [refund["id"] for refund in order["refunds"]], []
        for i in range(0, len(ids), 5):
            order["refunds"] += self.client.run("RefundDetails", {"ids": ids[i : i + 5]})["nodes"]
        for refund in order["refunds"]:
            self._extend("RefundLineItems", refund, "refundLineItems")

    def _extend(self, operation, parent, field):
        connection = parent[field]
        while connection["pageInfo"]["hasNextPage"]:
            after = connection["pageInfo"]["endCursor"]
            more = self.client.run(operation, {"id": parent["id"], "after": after})["parent"][field]
            connection["nodes"] += more["nodes"]
            connection["pageInfo"] = more["pageInfo"]

    def fetch(self, stream, external_ids):
        if stream == "stock":
            items = defaultdict(list)
            for item, _, place in (external_id.partition(":") for external_id in external_ids):
                items[place].append(item)
            nodes = [node for place in items for node in self._levels(items[place], place).values() if node]
            return list(self._facts(stream, {}, nodes))
        ids, size = [gid(const.NODES[stream], x) for x in external_ids], min(self.streams[stream].page_size, 50)
        facts = []
        for i in range(0, len(ids), size):
            data = self.client.run(f"{const.LISTS[stream]}ById", {"ids": ids[i : i + size]})
            facts += self._facts(stream, data, [node for node in data["nodes"] if node])
        return facts

    @staticmethod
    def level_id(store_id, stock_id):
        return f"{stock_id}:{store_id}"

    @staticmethod
    def level_key(external_id):
        stock_id, _, store_id = external_id.partition(":")
        return store_id, stock_id

    def _levels(self, items, place):
        """{item: its level at the place, None where it is not stocked}; items unknown to the shop are left out."""
        found = {}
        for i in range(0, len(items), 50):
            ids = [gid("InventoryItem", item) for item in items[i : i + 50]]
            nodes = self.client.run("LevelsOfItems", {"ids": ids, "location": gid("Location", place)})["nodes"]
            found |= {node["legacyResourceId"]: node["inventoryLevel"] for node in nodes if node}
        return found

    def translate(self, stream, payload):
        try:
            return translate.RECORDS[stream](payload)
        except (KeyError, TypeError, ValueError, IndexError, InvalidOperation) as error:
            raise DataError(f"Shopify's {stream} cannot be read: {type(error).__name__} {error}.") from error

    def verify(self, body, headers, now):
        names = ("hmac-sha256", "topic", "shop-domain", "webhook-id", "triggered-at")
        given, topic, shop, delivery_id, at = found = [headers.get(f"x-shopify-{name}", "") for name in names]
        if not all(found):
            raise BadDelivery("A header of Shopify's webhooks is missing.", status=400)
        secrets = (self.settings["webhook_secret"] or self.settings["client_secret"], self.settings["old_secret"])
        if not signature.verify(body, given, secrets):
            raise BadDelivery("The signature does not fit the body.")
        if shop.lower() != self.settings["shop"].lower():
            raise BadDelivery(f"The delivery is for another shop: {shop}.")
        try:
            sent_at = translate.moment(at)
            stream, ids = next((rest for start, *rest in const.TOPICS if topic.startswith(start)), ("", lambda _: ()))
            hints = tuple(base.Hint(stream, str(x)) for x in ids(json.loads(body)))
        except (ValueError, KeyError, TypeError) as error:
            raise BadDelivery(f"The delivery cannot be read: {error!r}.", status=400) from error
        if not -const.CLOCK_SKEW <= now - sent_at <= const.OLDEST_DELIVERY:
            raise BadDelivery(f"The delivery is from {at}.")
        return base.Delivery(delivery_id, topic, hints, sent_at)

    # -- outward ---------------------------------------------------------------------------------
    def push_stock(self, levels):
        results = {}
        for i in range(0, len(levels), const.PUSH_MAX):
            self._push_slice(levels[i : i + const.PUSH_MAX], results)
        return [results[level.push_id] for level in levels]

    def _push_slice(self, todo, results):
        """One refused entry refuses the whole call: each round settles what it can and sends the rest under a new
        key. Repeated after a lost answer, rounds and keys are the same."""
        if any(x.expected is None for x in todo):  # told for the first time: perhaps not stocked there yet
            todo = self._compare(todo, results)
        again = 0
        for _ in range(const.PUSH_ROUNDS if todo else 0):
            errors = self._set_quantities(todo, again)
            codes = {error["code"] for error in errors}
            if const.BUSY in codes:  # an earlier try of ours is still running
                self.http.wait(1)
                continue
            again += 1
            if const.STALE in codes:
                todo = self._compare(todo, results)
            elif not codes & const.NEW_KEY:
                messages = _by_entry(errors, len(todo))
                for i, x in enumerate(todo):
                    if not errors:
                        results[x.push_id] = PushResult(x.push_id, "ok", Decimal(_whole(x.quantity)))
                    elif i in messages:
                        results[x.push_id] = PushResult(x.push_id, "error", message=f"Shopify: {messages[i]}")
                todo = [x for x in todo if x.push_id not in results]
            if not todo:
                return
        message = "Shopify kept refusing the call this was part of; it will be tried again."
        results.update((x.push_id, PushResult(x.push_id, "error", message=message)) for x in todo)

    def _set_quantities(self, todo, again):
        quantities = [
            {
                "inventoryItemId": gid("InventoryItem", x.stock_id),
                "locationId": gid("Location", x.store_id),
                "quantity": _whole(x.quantity),
                "changeFromQuantity": None if x.expected is None else _whole(x.expected),  # null: do not compare
            }
            for x in todo
        ]
        # The shop's inventory history shows this.
        uri = f"gid://pos-erp-bridge/StockPush/{quote(todo[0].push_id, safe='')}"
        data = {"name": "available", "reason": "correction", "referenceDocumentUri": uri, "quantities": quantities}
        key = _key(again, *(x.push_id for x in todo))
        return self.client.run("SetQuantities", {"input": data, "key": key})["inventorySetQuantities"]["userErrors"]

    def _compare(self, todo, results):
        """Read the levels: what already is as it should be (an earlier try whose answer was lost) or has moved is
        settled, what is not stocked at its place is activated there; the rest is to be sent."""
        rest = []
        for place in sorted({x.store_id for x in todo}):
            here = [x for x in todo if x.store_id == place]
            found = self._levels([x.stock_id for x in here], place)
            for x in here:
                node = found.get(x.stock_id)
                now = translate.level(node).quantity if node else None
                if now == _whole(x.quantity):
                    results[x.push_id] = PushResult(x.push_id, "ok", now)
                elif None not in (now, x.expected) and now != _whole(x.expected):
                    results[x.push_id] = PushResult(x.push_id, "stale", now)
                else:
                    rest.append(x)
                if x.stock_id in found and not node:
                    args = {"item": gid("InventoryItem", x.stock_id), "location": gid("Location", place)}
                    self.client.run("Activate", args | {"key": _key("activate", x.push_id)})
        return rest

    def push_parcel(self, parcel):
        """Fulfilments know no idempotency key: a repeat is recognised by the tracking number (our push id where
        there is none)."""
        order = self.client.run("Shipments", {"id": gid("Order", parcel.order_id)})["order"]
        if not order:
            raise DataError(f"Shopify has no order {parcel.order_id}.")
        mark = parcel.tracking_number or parcel.push_id
        for sent in order["fulfillments"]:
            if sent["status"] == "SUCCESS" and mark in (x["number"] for x in sent["trackingInfo"]):
                return number(sent)
        args = {
            "lineItemsByFulfillmentOrder": _choose_lines(
                parcel, parcel.store_id or self.settings["default_location"], order["fulfillmentOrders"]["nodes"]
            ),
            "notifyCustomer": parcel.notify,
            "trackingInfo": {"number": mark, "company": parcel.carrier or None, "url": parcel.tracking_url or None},
        }
        answer = self.client.run("Ship", {"fulfillment": args}, is_safe_to_repeat=False)["fulfillmentCreate"]
        if answer["userErrors"]:
            raise DataError("Shopify refused the shipment: " + "; ".join(e["message"] for e in answer["userErrors"]))
        return number(answer["fulfillment"])


def _choose_lines(parcel, place, orders):
    """What of which fulfilment order left: of those at ``place``, or all where there is no choice."""
    ready = defaultdict(list)  # one fulfilment has one location
    for order in orders:
        if order["status"] in ("OPEN", "IN_PROGRESS"):
            ready[number(order["assignedLocation"]["location"])].append(order)
    if place not in ready and len(ready) > 1:
        raise DataError(f"Order {parcel.order_id} ships from the locations {', '.join(sorted(ready))}: say which one.")
    wanted, chosen = {line: _whole(quantity) for line, quantity in parcel.lines}, []
    for order in ready.get(place) or next(iter(ready.values()), ()):
        lines = []
        for line in order["lineItems"]["nodes"]:
            of = tail(line["lineItem"]["id"])
            sent = min(line["remainingQuantity"], wanted.get(of, 0) if parcel.lines else line["remainingQuantity"])
            if sent > 0:
                lines.append({"id": line["id"], "quantity": sent})
                wanted[of] = wanted.get(of, 0) - sent
        if lines:
            chosen.append({"fulfillmentOrderId": order["id"], "fulfillmentOrderLineItems": lines})
    short = {line: left for line, left in wanted.items() if left > 0}
    if short or not chosen:
        lacking = short or "anything"
        raise DataError(f"Order {parcel.order_id} lacks {lacking} to ship: is it held, cancelled or sent already?")
    return chosen


def _whole(quantity):
    """The vendor counts whole pieces; rounded down, since what is not whole cannot be sold."""
    return int(Decimal(quantity).to_integral_value(ROUND_FLOOR))


def _key(*parts):
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:48]


def _by_entry(errors, count):
    """{index: message} from the errors' paths ("input", "quantities", "3", …); one without a number is for all."""
    messages = {}
    for error in errors:
        indexes = [int(part) for part in error["field"] or () if part.isdigit()][:1]
        messages |= dict.fromkeys(indexes or range(count), error["message"])
    return messages
