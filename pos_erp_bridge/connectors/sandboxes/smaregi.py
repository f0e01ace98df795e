# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""A small Smaregi: token, lists, stock journal, tills and webhooks. Yen are integers inside, text outside.

Beside the standard actions: sell(discount, coupon, points, points_rule, tenders, customer, sold_at, tax_excluded),
dispose(id), customer(name), cash_in(amount), cash_out(amount), add_points(customer, points), layaway(items) and
close_day().
"""

import secrets
import time
from datetime import datetime, timedelta
from itertools import count

from werkzeug.exceptions import BadRequest, NotFound, Unauthorized

from .. import sandbox
from ..smaregi.const import BY_WEB_API, JAPAN, LIST_LIMIT, MEMO_LENGTH, SALE_LIMIT, WINDOW

CONTRACT, CLIENT, LIFETIME = "sb_demo", ("sandbox-client", "sandbox-secret"), 3600
HEADER, HEADER_VALUE = "X-Bridge-Key", "sandbox-header-value"
API = f"/{CONTRACT}/pos"
PERIODS = {  # query: field; a list of receipts wants one of the first four
    "transaction_date_time": "transactionDateTime", "terminal_tran_date_time": "terminalTranDateTime",
    "sum_date": "sumDate", "upd_date_time": "updDateTime", "adjustment_date_time": "adjustmentDateTime",
}  # fmt: skip
FILTERS = {
    "store_id": "storeId", "product_id": "productId", "terminal_id": "terminalId",
    "transaction_head_division": "transactionHeadDivision", "adjustment_date_time": "adjustmentDateTime",
}  # fmt: skip
EXPANSIONS = {"details": "with_details", "depositOthers": "with_deposit_others", "layaway": "with_layaways"}
DISCOUNTS = {"discount": "discountPriceProportional", "coupon": "discountCouponProportional"}
DISCOUNTS["points"] = "discountPointProportional"
SIGNED_LINE = [
    *("quantity", "unitNonDiscountSum", "unitDiscountSum", "unitDiscountedSum"),
    *("taxIncludeProportional", "taxExcludeProportional", *DISCOUNTS.values()),
]
SIGNED_HEAD = (
    "subtotal subtotalDiscountPrice pointDiscount couponDiscount total taxInclude taxExclude cashTotal creditTotal "
    "depositCash depositCredit deposit newPoint spendPoint"
).split()
EMPTY = (
    "subtotalDiscountRate subtotalDiscountDivision tipCash tipCredit currentMile earnMile totalMile adjustmentMile "
    "adjustmentMileDivision adjustmentMileValue customerId customerCode adjustmentDateTime sumDate customerRank "
    "customerGroupId customerGroupId2 customerGroupId3 customerGroupId4 customerGroupId5 staffId staffCode staffName "
    "creditDivision paymentCount slipNumber cancelSlipNumber authNumber authDate cardCompany denomination memo "
    "receiptMemo carriage commission guestNumbersMale guestNumbersFemale guestNumbersUnknown tags pointGivingDivision "
    "pointGivingUnitPrice pointGivingUnit mileageDivision mileageLabel customerPinCode cancelDateTime exchangeTicketNo "
    "disposeServerTransactionHeadId giftReceiptValidDays barcode"
).split()
ZERO = (
    "unitNonDiscountsubtotal unitDiscountsubtotal unitStaffDiscountsubtotal unitBargainDiscountsubtotal costTotal "
    "amount roundingPrice change returnAmount salesHeadDivision inTaxSalesTotal outTaxSalesTotal nonTaxSalesTotal "
    "point nonSalesTargetTotal nonSalesTargetOutTaxTotal nonSalesTargetInTaxTotal nonSalesTargetTaxFreeTotal "
    "nonSalesTargetCostTotal nonSalesTargetAmount nonSalesTargetReturnAmount subtotalForDiscount totalPoint "
    "sumDivision guestNumbers taxFreeSalesDivision netTaxFreeGeneralTaxInclude netTaxFreeGeneralTaxExclude "
    "netTaxFreeConsumableTaxInclude netTaxFreeConsumableTaxExclude returnSales disposeDivision cancelDivision "
    "roundingDivision discountRoundingDivision"
).split()
HEAD = dict.fromkeys(EMPTY) | dict.fromkeys((*ZERO, *SIGNED_HEAD), 0)
HEAD |= {"transactionHeadDivision": "1", "sellDivision": "0", "taxRate": "10", "taxRounding": "1"}
HEAD |= {"pointSpendDivision": "2"}


def now_text():
    return datetime.now(JAPAN).isoformat(timespec="seconds")


def outside(value):
    """As the vendor writes it: every number is text."""
    if isinstance(value, dict):
        return {key: outside(item) for key, item in value.items()}
    return list(map(outside, value)) if isinstance(value, list) else str(value) if type(value) is int else value


def allocate(amount, weights):
    """``amount`` in whole yen over ``weights``; the parts add up."""
    parts, seen = [], 0
    for weight in weights:
        seen += weight
        parts.append(amount * seen // (sum(weights) or 1) - sum(parts))
    return parts


class Sandbox(sandbox.Sandbox):
    system = "smaregi"
    calls_per_second = 200  # more than the vendor grants, so that a rehearsal is not slow
    routes = (
        (f"/app/{CONTRACT}/token", "POST", "token"),
        (f"{API}/<any(stores,products,customers,transactions,adjustments,stock):name>", "GET", "list_rows"),
        (f"{API}/<any(products,customers,transactions):name>/<key>", "GET", "one_row"),
        (f"{API}/stock/changes/<product>/<store>", "GET", "list_changes"),
        (f"{API}/stock/<product>/add", "POST", "add_stock"),
    )

    def __init__(self):
        super().__init__()
        self.tokens, self.codes, self.changes = {}, {}, {}
        self.rows = {name: {} for name in ("stores", "products", "customers", "transactions", "adjustments", "stock")}
        self._ids, self._second = count(1), [0, 0]
        self.do_load(stores=[{"id": "1", "name": "Shinjuku"}, {"id": "2", "name": "Umeda"}])

    def settings(self, url):
        credentials = {"contract_id": CONTRACT, "client_id": CLIENT[0], "client_secret": CLIENT[1]}
        credentials["webhook_secret"] = self.webhook_secret or HEADER_VALUE
        return {**credentials, "api_url": url, "id_url": url, "calls_per_second": "100"}

    def state(self):
        levels = {store: {} for store in self.rows["stores"]}
        for (store, product), row in self.rows["stock"].items():
            levels[store][self.rows["products"][product]["productCode"]] = row["stockAmount"]
        return {"levels": levels, "documents": len(self.rows["transactions"])}

    # -- the vendor's manners ---------------------------------------------------------------------
    def error(self, status, message):
        return self.json({"type": "about:blank", "title": "Error", "detail": message, "status": status}, status)

    def authorize(self, request):
        if self.fault("expire_token"):
            self.tokens.clear()
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not request.path.startswith("/app/") and self.tokens.get(token, 0) < time.monotonic():
            raise Unauthorized("The access token is not valid.")

    def throttle(self, request):
        second = int(time.monotonic())
        self._second = [second, self._second[1] + 1 if self._second[0] == second else 1]
        if self._second[1] > self.calls_per_second:
            answer = self.error(429, "Too many requests.")
            answer.headers["Retry-After"] = "1"
            return answer

    def token(self, request):
        given, token = request.authorization, secrets.token_urlsafe(16)
        if not given or (given.username, given.password) != CLIENT:
            raise Unauthorized("The client is not known.")
        self.tokens[token] = time.monotonic() + LIFETIME
        return {"scope": request.form["scope"], "token_type": "Bearer", "expires_in": LIFETIME, "access_token": token}

    def sign(self, topic, body):
        ids = {"smaregi-contract-id": CONTRACT, "smaregi-event": topic, "smaregi-event-id": secrets.token_hex(16)}
        return {"User-Agent": "Smaregi-Platform-Api-Webhook/1.0", HEADER: self.webhook_secret or HEADER_VALUE, **ids}

    def tell(self, event, action, **ids):
        self.announce(event, outside({"contractId": CONTRACT, "event": event, "action": action, **ids}))

    # -- the API ----------------------------------------------------------------------------------
    def list_rows(self, request, name):
        rows, query = self.rows[name].values(), request.args
        periods = [period for period in PERIODS if f"{period}-from" in query]
        if name == "transactions" and not periods:
            raise BadRequest("A period is required.")
        if name == "adjustments" and not ("store_id" in query and (periods or "adjustment_date_time" in query)):
            raise BadRequest("store_id and a period are required.")
        for period in periods:
            low, high = (query.get(f"{period}-{side}") or "" for side in ("from", "to"))
            if not high or datetime.fromisoformat(high) - datetime.fromisoformat(low) > WINDOW:
                raise BadRequest(f"{period}: from and to are required, at most 31 days apart.")
            if "T" in low:  # times of one zone compare as text
                low, high = (datetime.fromisoformat(text).astimezone(JAPAN).isoformat() for text in (low, high))
            rows = [row for row in rows if low <= (row[PERIODS[period]] or "") <= high]
        for key in FILTERS.keys() & query.keys():
            rows = [row for row in rows if row[FILTERS[key]] == query[key]]
        if name == "transactions":
            low, high = (int(query.get(f"transaction_head_id-{side}", d)) for side, d in (("from", 0), ("to", 1e15)))
            rows = [row for row in rows if low <= int(row["transactionHeadId"]) <= high]
            if query.get("sort", "").startswith("updDateTime"):
                rows.sort(key=lambda row: (row["updDateTime"], int(row["transactionHeadId"])))
        return [self.expanded(query, row) for row in self.page(request, rows)]

    def page(self, request, rows):
        limit, page = (request.args.get(name, default, int) for name, default in (("limit", 100), ("page", 1)))
        most = SALE_LIMIT if request.args.get("with_details") == "all" else LIST_LIMIT
        if not 1 <= limit <= most or page < 1:
            raise BadRequest("limit or page is out of range.")
        return outside(list(rows)[(page - 1) * limit : page * limit])

    def expanded(self, query, row):
        hidden = {field for field, flag in EXPANSIONS.items() if query.get(flag, "none") == "none"}
        return {field: value for field, value in row.items() if field not in hidden}

    def one_row(self, request, name, key):
        if key not in self.rows[name]:
            raise NotFound("Nothing has this id.")
        return self.expanded(request.args, outside(self.rows[name][key]))

    def list_changes(self, request, product, store):
        return self.page(request, self.changes.get((store, product), []))

    def add_stock(self, request, product):
        data = request.get_json()
        store, memo = data.get("storeId"), data.get("stockHistory", {}).get("memo", "")
        if product not in self.rows["products"]:
            raise NotFound("Nothing has this id.")
        if store not in self.rows["stores"] or len(memo) > MEMO_LENGTH:
            raise BadRequest("There is no such store, or the memo is too long.")
        change = self.move(store, product, int(data["stockAmount"]), BY_WEB_API, memo)
        history = {"id": change["id"], "memo": memo}
        return outside({**self.rows["stock"][store, product], "stockHistory": history})

    def move(self, store, product, amount, division, memo=""):
        new = {"storeId": store, "productId": product, "stockAmount": 0, "layawayStockAmount": 0}
        row = self.rows["stock"].setdefault((store, product), new)
        row |= {"stockAmount": row["stockAmount"] + amount, "updDateTime": now_text()}
        change = {**row, "id": next(self._ids), "amount": amount, "stockDivision": division, "memo": memo}
        self.changes.setdefault((store, product), []).append(change)
        self.tell("pos:stock", "edited", ids=[{"id": change["id"], "productId": product, "storeId": store}])
        return change

    # -- what a shop does -------------------------------------------------------------------------
    def do_load(self, products=(), stores=()):
        stamps = {"insDateTime": now_text(), "updDateTime": now_text()}
        for item in stores:
            key = str(item["id"])
            self.rows["stores"][key] = {
                "storeId": key, "storeCode": f"S{key}", "storeName": item["name"], "division": "1", "pauseFlag": "0",
                "sellDivision": "0", "sumDateChangeTime": "0", **stamps,
                "pointCondition": {"storeId": key, "pointUseDivision": "1", "pointSpendDivision": "2"},
            }  # fmt: skip
        for item in products:
            key = self.codes.setdefault(item["code"], str(8000001 + len(self.codes)))
            self.rows["products"][key] = {
                "productId": key, "productCode": item["code"], "productName": item.get("name", item["code"]),
                "categoryId": "1", "taxDivision": "0", "price": int(item["price"]), "cost": "0.00000", "division": "0",
                "reduceTaxId": "10000001" if item.get("reduced") else None, "useCategoryReduceTax": "0",
                "salesDivision": "0", "stockControlDivision": "0", "displayFlag": "1", **stamps,
            }  # fmt: skip
            self.tell("pos:products", "edited", productIds=[key])
        return {"products": len(self.rows["products"]), "stores": len(self.rows["stores"])}

    def do_set_stock(self, code, quantity, store=None):
        store, product = self.shop(store), self.product(code)["productId"]
        held = self.rows["stock"].get((store, product), {"stockAmount": 0})["stockAmount"]
        self.move(store, product, int(quantity) - held, "01")
        return {}

    def do_customer(self, name):
        key, at = str(next(self._ids)), now_text()
        fixed = {"sex": "0", "mailReceiveFlag": "0", "status": "0", "firstName": None, "insDateTime": at}
        names = {"customerId": key, "customerCode": key, "lastName": name, "updDateTime": at}
        self.rows["customers"][key] = {**names, **fixed}
        return {"stream": "customer", "id": key}

    def do_sell(self, items, store=None, **options):
        return self.book(self.receipt(store, items, **options))

    def do_layaway(self, items, store=None):
        row = self.receipt(store, items, tenders={})
        layaway = {"transactionHeadId": row["transactionHeadId"], "status": "0"}
        return self.book({**row, "transactionHeadDivision": "10", "layaway": layaway}, moves=False)

    def do_change(self, id):
        return self.touch(id, memo=f"changed {next(self._ids)}")

    def do_corrupt(self, id, by=1):
        return self.touch(id, total=self.rows["transactions"][id]["total"] + by)

    def do_cancel(self, id):
        for line in self.rows["transactions"][id]["details"]:
            self.move(self.rows["transactions"][id]["storeId"], line["productId"], line["quantity"], "02")
        return self.touch(id, "canceled", cancelDivision=1, cancelDateTime=now_text())

    def do_refund(self, id, items=None):
        """Everything: the vendor's dispose, which names the original. Some lines: a receipt of its own, unlinked."""
        if items is None:
            return self.do_dispose(id)
        backs = [{**item, "quantity": -abs(int(item.get("quantity", 1)))} for item in items]
        return self.do_sell(backs, self.rows["transactions"][id]["storeId"])

    def do_dispose(self, id):
        original = self.rows["transactions"][id]
        row = {**original, **self.identity(original["storeId"]), "disposeServerTransactionHeadId": id}
        row |= {name: -row[name] for name in SIGNED_HEAD} | {"change": 0, "sumDivision": 0, "sumDate": None}
        row |= {"depositCash": row["cashTotal"], "amount": 0, "returnAmount": row["amount"], "disposeDivision": 2}
        row["depositOthers"] = [{**other, "depositOthers": -other["depositOthers"]} for other in row["depositOthers"]]
        fixed = {"transactionHeadId": row["transactionHeadId"], "transactionDetailDivision": "2"}
        row["details"] = [{**line, **{name: -line[name] for name in SIGNED_LINE}, **fixed} for line in row["details"]]
        self.touch(id, "disposed", disposeDivision=1)
        return self.book(row)

    def do_cash_in(self, amount, store=None, division="2", memo="change money"):
        money = {"total": amount, "depositCash": amount, "cashTotal": amount, "memo": memo}
        return self.book({**self.head(store), **money, "transactionHeadDivision": division})

    def do_cash_out(self, amount, store=None, memo="to the bank"):
        return self.do_cash_in(amount, store, "3", memo)

    def do_add_points(self, customer, points, store=None):
        fields = {"transactionHeadDivision": "6", "customerId": customer, "newPoint": points}
        return self.book({**self.head(store), **fields})

    def do_close_day(self, store=None):
        closing = {"storeId": self.shop(store), "terminalId": "1", "adjustmentDateTime": now_text()}
        for key, row in self.rows["transactions"].items():
            if row["storeId"] == closing["storeId"] and not row["sumDivision"]:
                self.touch(key, sumDivision=2, sumDate=row["terminalTranDateTime"][:10])
        key = "|".join(closing.values())
        self.rows["adjustments"][key] = {**closing, "childTerminals": []}
        self.tell("pos:adjustments", "executed", ids=[closing])
        return {"stream": "closing", "id": key}

    # -- the till ---------------------------------------------------------------------------------
    def shop(self, store):
        store = str(store or next(iter(self.rows["stores"])))
        if store not in self.rows["stores"]:
            raise NotFound("There is no such store.")
        return store

    def product(self, code):
        if code not in self.codes:
            raise NotFound(f"There is no product {code}.")
        return self.rows["products"][self.codes[code]]

    def identity(self, store, sold_at=None):
        key, at = next(self._ids), now_text()
        ids = {"transactionHeadId": str(key), "storeId": store, "terminalId": "1", "terminalTranId": str(key)}
        ids["transactionUuid"] = f"{int(time.time()) % 10**9:09}{key % 10**4:04}"
        ids |= dict.fromkeys(("transactionDateTime", "updDateTime", "enterDateTime"), at)
        return ids | {"terminalTranDateTime": sold_at or at}

    def head(self, store, sold_at=None):
        ids = self.identity(self.shop(store), sold_at)
        fixed = {"storeCode": self.rows["stores"][ids["storeId"]]["storeCode"], "depositOthers": [], "details": []}
        return {**HEAD, **fixed, **ids}

    def receipt(self, store, items, discount=0, coupon=0, points=0, points_rule="2", tenders=None, customer=None,
                sold_at=None, tax_excluded=False):  # fmt: skip
        row = self.head(store, sold_at)
        row |= {"sellDivision": str(int(tax_excluded)), "pointSpendDivision": points_rule, "customerId": customer}
        lines = row["details"] = [self.line(row, number, item) for number, item in enumerate(items, 1)]
        left = [line["unitDiscountedSum"] for line in lines]  # a discount falls on what the ones before it left
        row["subtotal"] = sum(left)
        for field, amount in zip(DISCOUNTS.values(), (discount, coupon, points), strict=True):
            for number, part in enumerate(allocate(amount, left)):
                lines[number][field] = part
                left[number] -= part
        row |= {"subtotalDiscountPrice": discount, "couponDiscount": coupon}
        row |= {"pointDiscount": points, "spendPoint": points}
        self.tax(row)
        row["total"] = row["subtotal"] - discount - coupon - points + row["taxExclude"]
        row["amount"] = sum(max(line["quantity"], 0) for line in lines)
        row["returnAmount"] = row["amount"] - sum(line["quantity"] for line in lines)
        row["returnSales"] = int(row["returnAmount"] > 0)
        self.pay(row, **({"cash": row["total"]} if tenders is None else tenders))
        return row

    def line(self, head, number, item):
        product, quantity = self.product(item["code"]), int(item.get("quantity", 1))
        price, off, reduced = item.get("price", product["price"]), item.get("discount", 0), product["reduceTaxId"]
        return {name: product[name] for name in ("productId", "productCode", "productName", "categoryId", "price")} | {
            "transactionHeadId": head["transactionHeadId"], "transactionDetailId": str(number), "salesDivision": "0",
            "parentTransactionDetailId": None, "transactionDetailDivision": "1" if quantity > 0 else "2",
            "terminalTranDateTime": head["terminalTranDateTime"], "taxDivision": head["sellDivision"], "taxFree": 0,
            "salesPrice": price, "unitDiscountPrice": off, "quantity": quantity, "unitNonDiscountSum": price * quantity,
            "unitDiscountSum": off * quantity, "unitDiscountedSum": (price - off) * quantity, "productDivision": "0",
            "taxRate": "8.0" if reduced else "10.0", "standardTaxRate": "10.0", "modifiedTaxRate": None,
            "reduceTaxId": reduced, "reduceTaxRate": "8.0" if reduced else None, "productBundleProportional": 0,
            "staffDiscountProportional": 0, "bargainDiscountProportional": 0, "roundingPriceProportional": 0,
        }  # fmt: skip

    def tax(self, head):
        """One rounding (down) per rate, spread over the rate's lines."""
        is_excluded, points_are_money = head["sellDivision"] == "1", head["pointSpendDivision"] == "1"
        discounts = [field for name, field in DISCOUNTS.items() if not (name == "points" and points_are_money)]
        used, idle = ("Exclude", "Include") if is_excluded else ("Include", "Exclude")
        for rate in (8, 10):
            group = [line for line in head["details"] if line["taxRate"] == f"{rate}.0"]
            bases = [line["unitDiscountedSum"] - sum(line[field] for field in discounts) for line in group]
            tax = abs(sum(bases)) * rate // (100 if is_excluded else 100 + rate) * (1 if sum(bases) > 0 else -1)
            head[f"tax{used}"] += tax
            for line, part in zip(group, allocate(tax, bases), strict=True):
                line |= {f"tax{used}Proportional": part, f"tax{idle}Proportional": 0}

    def pay(self, head, cash=0, credit=0, others=()):
        """``cash`` is what is handed over; others=[{id, name, amount, voucher, gives_change}]."""
        head["depositOthers"] = [
            {
                "transactionHeadId": head["transactionHeadId"], "no": number, "paymentMethodId": str(other["id"]),
                "paymentMethodName": other["name"], "depositOthers": other["amount"], "paymentDivision": "1",
                "paymentChangeFlag": str(other.get("gives_change", 0)),
                "paymentSecuritiesFlag": str(other.get("voucher", 0)),
            }
            for number, other in enumerate(others, 1)
        ]  # fmt: skip
        paid = cash + credit + sum(other["amount"] for other in others)
        change = max(0, paid - head["total"]) if cash > 0 or any(other.get("gives_change") for other in others) else 0
        head |= {"depositCash": cash, "depositCredit": credit, "deposit": paid, "change": change}
        head |= {"cashTotal": cash - change, "creditTotal": credit}

    def book(self, row, moves=True):
        key = row["transactionHeadId"]
        self.rows["transactions"][key] = row
        for line in row["details"] if moves else ():
            self.move(row["storeId"], line["productId"], -line["quantity"], "02" if line["quantity"] > 0 else "12")
        self.tell("pos:transactions", "created", transactionHeadIds=[key])
        return {"stream": "sale", "id": key, "total": row["total"]}

    def touch(self, key, action="edited", **values):
        """A newer version, at least a second later: the vendor's time has no finer grain."""
        row = self.rows["transactions"][key]
        later = (datetime.fromisoformat(row["updDateTime"]) + timedelta(seconds=1)).isoformat()
        row |= {**values, "updDateTime": max(now_text(), later)}
        self.tell("pos:transactions", action, transactionHeadIds=[key])
        return {"stream": "sale", "id": key, "total": row["total"]}
