# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""A small Smaregi: its token, lists, stock journal, tills and webhooks. Yen are integers inside, text outside.

Beside the standard actions: sell(discount, coupon, points, points_rule, tenders, customer, sold_at, tax_excluded),
dispose(id), cash_in/cash_out(amount), add_points(customer, points), layaway(items) and close_day().
"""

import secrets
import time
from datetime import datetime, timedelta
from itertools import count

from werkzeug.exceptions import BadRequest, NotFound, Unauthorized

from .. import sandbox
from .const import BY_WEB_API, JAPAN, WINDOW

CONTRACT, CLIENT, HEADER, LIFETIME = "sb_demo", ("sandbox-client", "sandbox-secret"), "X-Bridge-Key", 3600
API = f"/{CONTRACT}/pos"
WINDOWS = ("transaction_date_time", "terminal_tran_date_time", "sum_date", "upd_date_time", "adjustment_date_time")
EMPTY_HEAD = dict.fromkeys(
    "subtotalDiscountRate subtotalDiscountDivision tipCash tipCredit currentMile earnMile totalMile adjustmentMile "
    "adjustmentMileDivision adjustmentMileValue customerId customerCode adjustmentDateTime sumDate customerRank "
    "customerGroupId customerGroupId2 customerGroupId3 customerGroupId4 customerGroupId5 staffId staffCode staffName "
    "creditDivision paymentCount slipNumber cancelSlipNumber authNumber authDate cardCompany denomination memo receiptMemo "
    "carriage commission guestNumbersMale guestNumbersFemale guestNumbersUnknown tags pointGivingDivision "
    "pointGivingUnitPrice pointGivingUnit mileageDivision mileageLabel customerPinCode disposeServerTransactionHeadId "
    "cancelDateTime exchangeTicketNo giftReceiptValidDays barcode".split()
)
ZERO_HEAD = dict.fromkeys(
    "unitDiscountsubtotal unitStaffDiscountsubtotal unitBargainDiscountsubtotal subtotal subtotalDiscountPrice pointDiscount "
    "couponDiscount total taxInclude taxExclude roundingPrice cashTotal creditTotal deposit depositCash depositCredit change "
    "amount returnAmount costTotal salesHeadDivision inTaxSalesTotal outTaxSalesTotal nonTaxSalesTotal nonSalesTargetTotal "
    "newPoint spendPoint point totalPoint sumDivision guestNumbers taxFreeSalesDivision netTaxFreeGeneralTaxInclude "
    "netTaxFreeGeneralTaxExclude netTaxFreeConsumableTaxInclude netTaxFreeConsumableTaxExclude returnSales disposeDivision "
    "cancelDivision roundingDivision discountRoundingDivision".split(),
    0,
)
MONEY_OF_LINE = (
    "unitNonDiscountSum unitDiscountSum unitDiscountedSum discountPriceProportional discountPointProportional "
    "discountCouponProportional taxIncludeProportional taxExcludeProportional"
).split()
MONEY_OF_HEAD = (
    "subtotal subtotalDiscountPrice pointDiscount couponDiscount total taxInclude taxExclude cashTotal creditTotal deposit "
    "depositCash depositCredit newPoint spendPoint amount"
).split()


def now_text(seconds=0):
    return (datetime.now(JAPAN) + timedelta(seconds=seconds)).isoformat(timespec="seconds")


def outside(value):
    """As the vendor writes it: every number is text, nothing is null."""
    if isinstance(value, dict):
        return {key: outside(item) for key, item in value.items()}
    if isinstance(value, list):
        return [outside(item) for item in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def allocate(amount, weights):
    """``amount`` in whole yen over ``weights``; the parts add up."""
    whole, parts, done, seen = sum(weights), [], 0, 0
    for weight in weights:
        seen += weight
        parts.append(amount * seen // whole - done if whole else 0)
        done += parts[-1]
    return parts


class Sandbox(sandbox.Sandbox):
    system = "smaregi"
    calls_per_second = 200  # more than the vendor grants, so that a rehearsal is not slow
    routes = (
        (f"/app/{CONTRACT}/token", "POST", "token"),
        (f"{API}/stores", "GET", "list_stores"),
        (f"{API}/products", "GET", "list_products"),
        (f"{API}/products/<key>", "GET", "get_product"),
        (f"{API}/customers", "GET", "list_customers"),
        (f"{API}/customers/<key>", "GET", "get_customer"),
        (f"{API}/transactions", "GET", "list_transactions"),
        (f"{API}/transactions/<key>", "GET", "get_transaction"),
        (f"{API}/adjustments", "GET", "list_adjustments"),
        (f"{API}/stock", "GET", "list_stock"),
        (f"{API}/stock/<key>/add", "POST", "add_stock"),
        (f"{API}/stock/changes/<key>/<store>", "GET", "list_changes"),
    )

    def __init__(self):
        super().__init__()
        self.tokens, self.codes, self.products, self.customers, self.stores = {}, {}, {}, {}, {}
        self.transactions, self.adjustments, self.stock, self.changes = {}, [], {}, {}
        self._ids, self._second = count(1), (0, 0)
        self.do_load(stores=[{"id": "1", "name": "Shinjuku"}, {"id": "2", "name": "Umeda"}])

    def settings(self, url):
        names = ("contract_id", "client_id", "client_secret", "webhook_secret", "api_url", "id_url", "calls_per_second")
        return dict(zip(names, (CONTRACT, *CLIENT, self.webhook_secret or "sandbox-header", url, url, "200"), strict=True))

    def state(self):
        levels = {store: {} for store in self.stores}
        for (store, product), row in self.stock.items():
            levels[store][self.products[product]["productCode"]] = row["stockAmount"]
        return {"levels": levels, "documents": len(self.transactions)}

    # -- vendor's manners --------------------------------------------------------------------------
    def error(self, status, message):
        return self.json({"type": "about:blank", "title": "Error", "detail": message, "status": status}, status)

    def authorize(self, request):
        if request.path.startswith("/app/"):
            return
        if self.fault("expire_token"):
            self.tokens.clear()
        if self.tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "), 0) < time.monotonic():
            raise Unauthorized("The access token is not valid.")

    def throttle(self, request):
        second, calls = self._second
        self._second = (int(time.monotonic()), calls + 1 if second == int(time.monotonic()) else 1)
        if self._second[1] <= self.calls_per_second:
            return None
        answer = self.error(429, "Too many requests.")
        answer.headers["Retry-After"] = "1"
        return answer

    def token(self, request):
        given = request.authorization
        if not given or (given.username, given.password) != CLIENT:
            raise Unauthorized("The client is not known.")
        if request.form.get("grant_type") != "client_credentials":
            raise BadRequest("unsupported_grant_type")
        token = secrets.token_urlsafe(16)
        self.tokens[token] = time.monotonic() + LIFETIME
        return {"scope": request.form["scope"], "token_type": "Bearer", "expires_in": LIFETIME, "access_token": token}

    def sign(self, topic, body):
        return {
            "User-Agent": "Smaregi-Platform-Api-Webhook/1.0",
            "smaregi-contract-id": CONTRACT,
            "smaregi-event": topic,
            "smaregi-event-id": secrets.token_hex(16),
            HEADER: self.webhook_secret,
        }

    def tell(self, event, action, **ids):
        self.announce(event, {"contractId": CONTRACT, "event": event, "action": action, **ids})

    # -- reading -----------------------------------------------------------------------------------
    def page(self, request, rows, sort="", needs=()):
        """The page of ``rows`` the query asks for; text dates of one zone compare as text."""
        query = request.args
        given = False
        for name in WINDOWS:
            limits = [query.get(f"{name}-{side}") for side in ("from", "to")]
            if None in limits:
                continue
            given, field = True, "".join(part.title() for part in name.split("_"))
            low, high = (datetime.fromisoformat(text) for text in limits)
            if high - low > WINDOW:
                raise BadRequest(f"{name}: at most 31 days.")
            low, high = (m.astimezone(JAPAN).isoformat(timespec="seconds") if m.tzinfo else m.isoformat()[:10] for m in (low, high))
            field = field[0].lower() + field[1:]
            rows = [row for row in rows if low <= (row.get(field) or "") <= high]
        if needs and not given:
            raise BadRequest(f"One of {', '.join(needs)} is required.")
        for name in ("store_id", "product_id", "terminal_id", "transaction_head_division", "adjustment_date_time"):
            if name in query:
                head, *rest = name.split("_")
                field = head + "".join(part.title() for part in rest)
                rows = [row for row in rows if str(row[field]) == query[name]]
        try:
            limit, number = int(query.get("limit", 100)), int(query.get("page", 1))
        except ValueError:
            raise BadRequest("limit and page are numbers.") from None
        if not (1 <= limit <= (100 if query.get("with_details") == "all" else 1000) and number >= 1):
            raise BadRequest("limit or page is out of range.")
        if query.get("sort", sort).startswith("updDateTime"):
            rows = sorted(rows, key=lambda row: (row["updDateTime"], int(row["transactionHeadId"])))
        return outside(list(rows)[(number - 1) * limit : number * limit])

    def one(self, rows, key):
        if key not in rows:
            raise NotFound("Nothing has this id.")
        return outside(rows[key])

    def list_stores(self, request):
        return self.page(request, self.stores.values())

    def list_products(self, request):
        return self.page(request, self.products.values())

    def get_product(self, request, key):
        return self.one(self.products, key)

    def list_customers(self, request):
        return self.page(request, self.customers.values())

    def get_customer(self, request, key):
        return self.one(self.customers, key)

    def list_transactions(self, request):
        low, high = (int(request.args.get(f"transaction_head_id-{s}", d)) for s, d in (("from", 0), ("to", 10**15)))
        rows = [row for row in self.transactions.values() if low <= int(row["transactionHeadId"]) <= high]
        return [self.expanded(request, row) for row in self.page(request, rows, needs=WINDOWS[:4])]

    def get_transaction(self, request, key):
        return self.expanded(request, self.one(self.transactions, key))

    def expanded(self, request, row):
        expansions = {"details": "with_details", "depositOthers": "with_deposit_others", "layaway": "with_layaways"}
        hidden = {field for field, flag in expansions.items() if request.args.get(flag, "none") == "none"}
        return {key: value for key, value in row.items() if key not in hidden}

    def list_adjustments(self, request):
        if "store_id" not in request.args:
            raise BadRequest("store_id is required.")
        needs = () if "adjustment_date_time" in request.args else WINDOWS[4:]
        return self.page(request, self.adjustments, needs=needs)

    def list_stock(self, request):
        return self.page(request, self.stock.values())

    def list_changes(self, request, key, store):
        return self.page(request, self.changes.get((store, key), []))

    def add_stock(self, request, key):
        data = request.get_json()
        if key not in self.products:
            raise NotFound("Nothing has this id.")
        if data.get("storeId") not in self.stores:
            raise BadRequest("There is no such store.")
        memo = data.get("stockHistory", {}).get("memo", "")
        if len(memo) > 100:
            raise BadRequest("memo: at most 100 characters.")
        self.move(data["storeId"], key, int(data["stockAmount"]), BY_WEB_API, memo)
        return outside({**self.stock[data["storeId"], key], "stockHistory": {"id": next(self._ids), "memo": memo}})

    def move(self, store, product, amount, division, memo=""):
        row = self.stock.setdefault((store, product), {"storeId": store, "productId": product, "stockAmount": 0})
        row |= {"stockAmount": row["stockAmount"] + amount, "layawayStockAmount": 0, "updDateTime": now_text()}
        change = {"id": next(self._ids), "amount": amount, "stockDivision": division, "memo": memo, **row}
        self.changes.setdefault((store, product), []).append(change)
        self.tell("pos:stock", "edited", ids=[outside({"id": change["id"], "productId": product, "storeId": store})])

    # -- what a shop does --------------------------------------------------------------------------
    def do_load(self, products=(), stores=()):
        for item in stores:
            key = str(item["id"])
            self.stores[key] = {
                "storeId": key, "storeCode": f"S{key}", "storeName": item["name"], "division": "1", "sellDivision": "0",
                "sumDateChangeTime": "0", "pauseFlag": "0", "insDateTime": now_text(), "updDateTime": now_text(),
                "pointCondition": {"storeId": key, "pointUseDivision": "1", "pointSpendDivision": "2"},
            }  # fmt: skip
        for item in products:
            key = self.codes.setdefault(item["code"], str(8000000 + len(self.codes) + 1))
            self.products[key] = {
                "productId": key, "productCode": item["code"], "productName": item.get("name", item["code"]),
                "categoryId": "1", "taxDivision": "0", "price": int(item["price"]), "division": "0", "salesDivision": "0",
                "reduceTaxId": "10000001" if item.get("reduced") else None, "useCategoryReduceTax": "0", "cost": "0.00000",
                "stockControlDivision": "0", "displayFlag": "1", "insDateTime": now_text(), "updDateTime": now_text(),
            }  # fmt: skip
        self.tell("pos:products", "edited", productIds=[self.codes[item["code"]] for item in products])
        return {"products": len(self.products), "stores": len(self.stores)}

    def do_set_stock(self, code, quantity, store=None):
        store, product = self.shop(store), self.product(code)["productId"]
        held = self.stock.get((store, product), {"stockAmount": 0})["stockAmount"]
        self.move(store, product, int(quantity) - held, "01")
        return {}

    def do_customer(self, name, code=None):
        key = str(next(self._ids))
        self.customers[key] = {
            "customerId": key, "customerCode": code or key, "lastName": name, "firstName": None, "sex": "0",
            "mailReceiveFlag": "0", "status": "0", "insDateTime": now_text(), "updDateTime": now_text(),
        }  # fmt: skip
        return {"stream": "customer", "id": key}

    def do_sell(self, items, store=None, **options):
        return self.book(self.receipt(self.shop(store), items, **options))

    def do_layaway(self, items, store=None):
        row = self.receipt(self.shop(store), items, tenders={})
        row |= {"transactionHeadDivision": "10", "layaway": {"transactionHeadId": row["transactionHeadId"], "status": "0"}}
        return self.book(row, moves=False)

    def do_change(self, id):
        return self.touch(id, memo=f"changed {next(self._ids)}")

    def do_corrupt(self, id, by=1):
        return self.touch(id, total=self.transactions[id]["total"] + by)

    def do_cancel(self, id):
        self.restock(self.transactions[id], "02")
        return self.touch(id, action="canceled", cancelDivision=1, cancelDateTime=now_text())

    def do_refund(self, id, items=None):
        """All: the vendor's dispose, linked to the original. Some: return lines on a receipt of their own, unlinked."""
        if items is None:
            return self.do_dispose(id)
        original = self.transactions[id]
        backs = [{**item, "quantity": -abs(int(item.get("quantity", 1)))} for item in items]
        return self.book(self.receipt(original["storeId"], backs))

    def do_dispose(self, id):
        original = self.transactions[id]
        row = {**original, **self.identity(original["storeId"]), "disposeServerTransactionHeadId": id, "disposeDivision": 2}
        row |= {name: -row[name] for name in MONEY_OF_HEAD} | {"change": 0, "sumDivision": 0, "sumDate": None}
        row |= {"depositCash": original["change"] - original["depositCash"], "returnAmount": original["amount"]}
        row["depositOthers"] = [{**d, "depositOthers": -d["depositOthers"]} for d in original["depositOthers"]]
        row["details"] = [
            {**d, **{name: -d[name] for name in (*MONEY_OF_LINE, "quantity")}, "transactionDetailDivision": "2"}
            | {"transactionHeadId": row["transactionHeadId"]}
            for d in original["details"]
        ]
        self.touch(id, action="disposed", disposeDivision=1)
        return self.book(row)

    def do_cash_in(self, amount, store=None, division="2", memo="change money"):
        row = {**self.head(self.shop(store)), "transactionHeadDivision": division, "total": amount, "depositCash": amount}
        return self.book({**row, "memo": memo})

    def do_cash_out(self, amount, store=None, memo="to the bank"):
        return self.do_cash_in(amount, store, "3", memo)

    def do_add_points(self, customer, points, store=None):
        row = {**self.head(self.shop(store)), "transactionHeadDivision": "6", "customerId": customer, "newPoint": points}
        return self.book(row)

    def do_close_day(self, store=None):
        store, at = self.shop(store), now_text()
        for row in [r for r in self.transactions.values() if r["storeId"] == store and r["sumDivision"] == 0]:
            day = row["terminalTranDateTime"][:10]
            self.touch(row["transactionHeadId"], sumDivision=2, sumDate=day, adjustmentDateTime=at)
        self.adjustments.append({"storeId": store, "terminalId": "1", "adjustmentDateTime": at, "childTerminals": []})
        self.tell("pos:adjustments", "executed", ids=[{"storeId": store, "terminalId": "1", "adjustmentDateTime": at}])
        return {"stream": "closing", "id": f"{store}|1|{at}"}

    # -- the till ----------------------------------------------------------------------------------
    def shop(self, store):
        store = str(store or next(iter(self.stores)))
        if store not in self.stores:
            raise NotFound("There is no such store.")
        return store

    def product(self, code):
        if code not in self.codes:
            raise NotFound(f"There is no product {code}.")
        return self.products[self.codes[code]]

    def identity(self, store, sold_at=None):
        key, at = next(self._ids), now_text()
        return {
            "transactionHeadId": str(key), "transactionUuid": f"{int(time.time()) % 10**9:09}{key % 10**4:04}",
            "storeId": store, "terminalId": "1", "terminalTranId": str(key), "transactionDateTime": at, "updDateTime": at,
            "enterDateTime": at, "terminalTranDateTime": sold_at or at,
        }  # fmt: skip

    def head(self, store, sold_at=None):
        fixed = {"transactionHeadDivision": "1", "sellDivision": "0", "taxRate": "10", "taxRounding": "1", "details": []}
        rules = {"pointSpendDivision": "2", "depositOthers": [], "storeCode": self.stores[store]["storeCode"]}
        return {**EMPTY_HEAD, **ZERO_HEAD, **fixed, **rules, **self.identity(store, sold_at)}

    def receipt(self, store, items, discount=0, coupon=0, points=0, points_rule="2", tenders=None, customer=None,
                sold_at=None, tax_excluded=False):  # fmt: skip
        row = self.head(store, sold_at)
        row |= {"sellDivision": "1" if tax_excluded else "0", "pointSpendDivision": points_rule, "customerId": customer}
        lines = [self.line(row, number, item) for number, item in enumerate(items, 1)]
        sums = [line["unitDiscountedSum"] for line in lines]
        row |= {"subtotal": sum(sums), "subtotalDiscountPrice": discount, "couponDiscount": coupon}
        row |= {"pointDiscount": points, "spendPoint": points, "details": lines}
        shares = [("discountPriceProportional", discount), ("discountCouponProportional", coupon)]
        for name, amount in [*shares, ("discountPointProportional", points)]:
            for line, part in zip(lines, allocate(amount, sums), strict=True):
                line[name] = part
        self.tax(row, lines, [*shares, ("discountPointProportional", points if points_rule == "2" else 0)])
        row["total"] = row["subtotal"] - discount - coupon - points + row["taxExclude"]
        row["amount"] = sum(max(line["quantity"], 0) for line in lines)
        row["returnAmount"] = -sum(min(line["quantity"], 0) for line in lines)
        row["returnSales"] = int(row["returnAmount"] > 0)
        self.pay(row, {"cash": row["total"]} if tenders is None else tenders)
        return row

    def line(self, head, number, item):
        product, quantity = self.product(item["code"]), int(item.get("quantity", 1))
        price, off = item.get("price", product["price"]), item.get("discount", 0)
        reduced = product["reduceTaxId"]
        return {
            "transactionHeadId": head["transactionHeadId"], "transactionDetailId": str(number),
            "parentTransactionDetailId": None, "transactionDetailDivision": "1" if quantity > 0 else "2",
            "terminalTranDateTime": head["terminalTranDateTime"], "productId": product["productId"],
            "productCode": product["productCode"], "productName": product["productName"], "categoryId": "1",
            "taxDivision": head["sellDivision"], "price": product["price"], "salesPrice": price, "unitDiscountPrice": off,
            "quantity": quantity, "unitNonDiscountSum": price * quantity, "unitDiscountSum": off * quantity,
            "unitDiscountedSum": (price - off) * quantity, "salesDivision": "0", "productDivision": "0",
            "taxRate": "8.0" if reduced else "10.0", "standardTaxRate": "10.0", "reduceTaxId": reduced,
            "reduceTaxRate": "8.0" if reduced else None, "modifiedTaxRate": None, "taxFree": 0, "productBundleProportional": 0,
            "staffDiscountProportional": 0, "bargainDiscountProportional": 0, "roundingPriceProportional": 0,
        }  # fmt: skip

    def tax(self, head, lines, discounts):
        """One rounding (down) per rate, spread over the rate's lines."""
        excluded = head["sellDivision"] == "1"
        used, idle = ("Exclude", "Include") if excluded else ("Include", "Exclude")
        for line in lines:
            line[f"tax{idle}Proportional"] = 0
        for rate, text in ((8, "8.0"), (10, "10.0")):
            group = [line for line in lines if line["taxRate"] == text]
            bases = [line["unitDiscountedSum"] - sum(line[name] for name, amount in discounts if amount) for line in group]
            base = sum(bases)
            tax = abs(base) * rate // (100 if excluded else 100 + rate) * (1 if base >= 0 else -1)
            head[f"tax{used}"] += tax
            for line, part in zip(group, allocate(tax, bases), strict=True):
                line[f"tax{used}Proportional"] = part

    def pay(self, head, tenders):
        """``tenders``: cash (tendered; more than due gives change), credit, others=[{id, name, amount, …}]."""
        others = tenders.get("others", [])
        head["depositOthers"] = [
            {
                "transactionHeadId": head["transactionHeadId"], "no": number, "paymentMethodId": str(other["id"]),
                "paymentMethodName": other["name"], "depositOthers": other["amount"],
                "paymentChangeFlag": str(other.get("gives_change", 0)), "paymentDivision": "1",
                "paymentSecuritiesFlag": str(other.get("voucher", 0)),
            }
            for number, other in enumerate(others, 1)
        ]  # fmt: skip
        cash, credit = tenders.get("cash", 0), tenders.get("credit", 0)
        other = sum(other["amount"] for other in others)
        change = max(0, cash + credit + other - head["total"]) if cash > 0 else 0
        head |= {"depositCash": cash, "depositCredit": credit, "deposit": cash + credit + other, "change": change}
        head |= {"cashTotal": cash - change, "creditTotal": credit}

    def book(self, row, moves=True):
        key = row["transactionHeadId"]
        self.transactions[key] = row
        for line in row["details"] if moves else ():
            self.move(row["storeId"], line["productId"], -line["quantity"], "12" if line["quantity"] < 0 else "02")
        self.tell("pos:transactions", "created", transactionHeadIds=[key])
        return {"stream": "sale", "id": key, "total": row["total"]}

    def restock(self, row, division):
        for line in row["details"]:
            self.move(row["storeId"], line["productId"], line["quantity"], division)

    def touch(self, key, action="edited", **values):
        """A later version: at least a second newer, since the vendor's time has no finer grain."""
        row = self.transactions[key]
        later = (datetime.fromisoformat(row["updDateTime"]) + timedelta(seconds=1)).isoformat(timespec="seconds")
        row |= {**values, "updDateTime": max(now_text(), later)}
        self.tell("pos:transactions", action, transactionHeadIds=[key])
        return {"stream": "sale", "id": key}
