# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The Smaregi connector: streams by pages, hints by id, stock by differences."""

from datetime import UTC, datetime, timedelta

from .. import base
from ..base import Capability, DataError, Fact, Page, UnknownOutcome
from ..http import Http
from ..records import ZERO, PushResult
from . import const, signature, translate
from .client import Client


@base.register
class Smaregi(base.Connector):
    system, label, kind = "smaregi", "Smaregi", "till"
    capabilities = frozenset(
        Capability(name)
        for name in "sales_in closing_in products_in customers_in stock_in stock_out webhooks".split()
    )
    settings_spec, streams, errors, sensitive_keys = const.SETTINGS, const.STREAMS, const.ERRORS, const.SENSITIVE

    def __init__(self, settings, http=None):
        super().__init__(settings, http)
        self.client = Client(self.settings, self.http)

    def _make_http(self):
        calls = self.settings["calls_per_second"]
        if not calls.isdigit() or not int(calls):
            raise base.ConfigError("Calls per second: a whole number above zero is needed.")
        return Http(self.errors, base.Budget(int(calls), burst=int(calls)), self.sensitive_keys)

    def check(self):
        notes = () if self.settings["webhook_secret"] else ("Webhooks are refused until a header value is set.",)
        stores = tuple(translate.store(row, self.settings) for row in self._stores().values())
        return base.ChannelInfo(self.settings["contract_id"], stores, notes)

    def translate(self, stream, payload):
        try:
            return translate.TRANSLATORS[stream](payload, self.settings)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"Smaregi's {stream} has an unknown shape: {error!r}.") from error

    def verify(self, body, headers, now):
        return signature.read(body, headers, self.settings)

    # -- inward ---------------------------------------------------------------------------------
    def pull(self, stream, since, until, cursor=None):
        """The cursor is all there is to resume from: "page|start", for closings the next store."""
        if stream == "closing":
            return self._pull_closings(since, until, cursor)
        path, _, query = const.RESOURCES[stream]
        page, _, start = (cursor or f"1|{_text(since)}").partition("|")
        query = {**query, "limit": self.streams[stream].page_size, "page": page}
        if stream == "sale":
            query["sort"] = "updDateTime:asc,transactionHeadId:asc"
        if stream == "sale" or (stream != "store" and until - since <= const.WINDOW):
            query |= {"upd_date_time-from": start, "upd_date_time-to": _text(until)}
        rows = self.client.get(path, **query)
        cursor = f"{int(page) + 1}|{start}" if len(rows) == query["limit"] else None
        # A receipt touched while we read leaves the period, and all later pages move up by one. So sales go on
        # from the last moment seen; pages count only within one moment. Other lists cannot be sorted by time.
        times = [translate.moment(row["updDateTime"]) for row in rows] if stream == "sale" else []
        if cursor and times == sorted(times) and times[-1:] > [translate.moment(start)]:
            cursor = f"1|{rows[-1]['updDateTime']}"
        return Page(self._facts(stream, rows), cursor)

    def _pull_closings(self, since, until, store_id):
        """One store per page: the vendor takes one store per request and has no pages here."""
        stores = sorted((len(key), key) for key, row in self._stores().items() if row.get("division") != "2")
        queue = [key for size, key in stores if store_id is None or (size, key) >= (len(store_id), store_id)]
        if not queue:
            return Page(())
        period = {"adjustment_date_time-from": _text(since), "adjustment_date_time-to": _text(until)}
        rows = self.client.get("adjustments", store_id=queue[0], **period)
        return Page(self._facts("closing", rows), queue[1] if queue[1:] else None)

    def fetch(self, stream, external_ids):
        wanted = list(dict.fromkeys(external_ids))
        rows = self._stores() if stream == "store" else self._recent_sales(wanted) if stream == "sale" else {}
        for key in wanted:
            if key not in rows and stream != "store":
                rows |= zip([key], self._fetch_one(stream, key), strict=False)
        return list(self._facts(stream, [rows[key] for key in wanted if key in rows]))

    def _fetch_one(self, stream, key):
        path, names, query = const.RESOURCES[stream]
        filters = {"storeId": "store_id", "productId": "product_id", "terminalId": "terminal_id"}
        filters["adjustmentDateTime"] = "adjustment_date_time"
        try:
            if len(names) == 1:
                return [self.client.get(f"{path}/{key}", **query)]
            return self.client.get(path, **dict(zip(map(filters.get, names), key.split("|"), strict=True)))
        except const.Missing:
            return []

    def _recent_sales(self, keys):
        """Receipts by one list call per run of neighbouring ids. A list needs a period; hints are fresh, so we
        look at what changed within a day and leave the rest to calls by id."""
        path, _, query = const.RESOURCES["sale"]
        now, day, runs = datetime.now(UTC), timedelta(days=1), []
        for number in sorted(int(key) for key in keys if key.isdigit()):
            if not runs or number - runs[-1][0] >= const.SALE_LIMIT:
                runs.append([])
            runs[-1].append(number)
        query = {**query, "upd_date_time-from": _text(now - day), "upd_date_time-to": _text(now + day)}
        rows = {}
        for run in (run for run in runs if len(run) > 1):
            span = {"transaction_head_id-from": run[0], "transaction_head_id-to": run[-1]}
            found = self.client.get(path, limit=const.SALE_LIMIT, **query, **span)
            rows |= {row["transactionHeadId"]: row for row in found}
        return rows

    def _stores(self):
        path, _, query = const.RESOURCES["store"]
        return {row["storeId"]: row for row in self.client.pages(path, **query)}

    def _facts(self, stream, rows):
        """Rows as facts. What a row lacks and only its store knows is put into it here, so that translating
        stays pure."""
        if stream == "closing" and rows:
            stores = self._stores()
            rows = [{**r, "_sumDateChangeTime": stores.get(r["storeId"], {}).get("sumDateChangeTime")} for r in rows]
        if stream == "sale" and any(map(translate.lacks_point_rule, rows)):
            rules = {key: row.get("pointCondition") or {} for key, row in self._stores().items()}
            for row in filter(translate.lacks_point_rule, rows):
                row["pointSpendDivision"] = rules.get(row["storeId"], {}).get("pointSpendDivision")
        return tuple(Fact(stream, translate.external_id(stream, r), translate.version(r), r) for r in rows)

    # -- outward --------------------------------------------------------------------------------
    def push_stock(self, levels):
        """Bring each level to its quantity by adding the difference, so that a sale at the till between our
        read and our write still counts. A level that is not the expected one is "stale": its cause is on the
        way to us and would otherwise be counted twice.

        There is no idempotency key: whether an earlier try was applied stands in the stock journal only.
        """
        current = self._current(levels)
        return [self._push(level, current.get((level.store_id, level.stock_id), ZERO)) for level in levels]

    def _current(self, levels):
        """Levels by (store, product), or the error of reading them: what cannot be read is not zero. A product
        that never moved has no row, and only that is zero."""
        wanted, found = {}, {}
        for level in levels:
            wanted.setdefault(level.store_id, set()).add(level.stock_id)
        for store_id, products in wanted.items():
            queries = [{"product_id": key} for key in products] if len(products) <= const.ONE_BY_ONE else [{}]
            try:
                rows = [row for query in queries for row in self.client.pages("stock", store_id=store_id, **query)]
                found |= {(store_id, row["productId"]): translate.money(row, "stockAmount") for row in rows}
            except DataError as error:
                found |= {(store_id, key): error for key in products}
        return found

    def _push(self, level, current):
        try:
            if isinstance(current, DataError):
                raise current
            done = self._journal(level) if level.is_repeat else None
            if done is None and level.expected not in (None, current):
                return PushResult(level.push_id, "stale", current)
            if done is None:
                done = self._add(level, level.quantity - current)
            held, mark = done
            return PushResult(level.push_id, "ok", held, mark=mark)
        except const.Missing:
            return PushResult(level.push_id, "error", message=f"Smaregi has no product {level.stock_id}.")
        except DataError as error:
            return PushResult(level.push_id, "error", message=str(error))

    def _add(self, level, difference, is_last=False):
        """(level afterwards, number of the change in the journal: webhooks name it)"""
        if not difference:
            return level.quantity, ""
        if difference != difference.to_integral_value():
            raise DataError(f"Smaregi counts whole pieces; it cannot show {level.quantity}.")
        data = {"storeId": level.store_id, "stockAmount": str(int(difference)), "stockHistory": {"memo": _memo(level)}}
        try:
            row = self.client.post(f"stock/{level.stock_id}/add", data)
            return translate.money(row, "stockAmount"), str((row.get("stockHistory") or {}).get("id") or "")
        except UnknownOutcome:
            done = self._journal(level)
            if done is None and is_last:
                raise
        return self._add(level, difference, is_last=True) if done is None else done

    def _journal(self, level):
        """The level after our own earlier try and its number, or None when it was never applied."""
        for row in self.client.pages(f"stock/changes/{level.stock_id}/{level.store_id}"):
            if row.get("memo") == _memo(level) and row.get("stockDivision") == const.BY_WEB_API:
                return translate.money(row, "stockAmount"), str(row.get("id") or "")
        return None


def _memo(level):
    return f"{const.MEMO}{level.push_id}"[: const.MEMO_LENGTH]


def _text(when):
    return when.astimezone(const.JAPAN).isoformat(timespec="seconds")
