# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The Smaregi connector: streams by pages, hints by id, stock by differences."""

from datetime import UTC, datetime, timedelta

from .. import base, records
from ..base import Capability, DataError, Fact, Page, UnknownOutcome
from . import const, signature, translate
from .client import Client


@base.register
class Smaregi(base.Connector):
    system, label, kind = "smaregi", "Smaregi", "till"
    capabilities = frozenset({
        Capability.SALES_IN, Capability.CLOSING_IN, Capability.PRODUCTS_IN, Capability.CUSTOMERS_IN,
        Capability.STOCK_IN, Capability.STOCK_OUT, Capability.WEBHOOKS,
    })  # fmt: skip
    settings_spec, streams, errors, sensitive_keys = const.SETTINGS, const.STREAMS, const.ERRORS, const.SENSITIVE

    def __init__(self, settings, http=None):
        super().__init__(settings, http)
        self.client = Client(self.settings, self.http)

    def _make_http(self):
        from ..http import Http

        calls = max(1.0, float(self.settings["calls_per_second"]))
        return Http(self.errors, base.Budget(calls, burst=int(calls)), self.sensitive_keys)

    def check(self):
        stores = tuple(translate.store(row, self.settings) for row in self._stores())
        notes = () if self.settings["webhook_secret"] else ("Webhooks are refused until a header value is set.",)
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
        """The cursor is all there is to resume from: "page|start" (closing: the next store)."""
        if stream == "closing":
            return self._pull_closings(since, until, cursor)
        path, _, query = const.RESOURCES[stream]
        page, _, start = (cursor or f"1|{_text(since)}").partition("|")
        query = {**query, "limit": self.streams[stream].page_size, "page": page}
        if stream != "store":
            query |= {"upd_date_time-from": start, "upd_date_time-to": _text(until)}
        if stream == "sale":
            query["sort"] = "updDateTime:asc,transactionHeadId:asc"
        rows = self.client.get(path, **query)
        if len(rows) < query["limit"]:
            return Page(self._facts(stream, rows))
        # A receipt touched while we read leaves the window, and every later page moves up by one. Receipts
        # come in order of their change, so we go on from the last moment seen instead of by page number,
        # except within one moment. Other lists cannot be sorted so; the caller's nightly check covers them.
        last = rows[-1].get("updDateTime") or start
        if stream == "sale" and translate.moment(last) > translate.moment(start):
            return Page(self._facts(stream, rows), f"1|{last}")
        return Page(self._facts(stream, rows), f"{int(page) + 1}|{start}")

    def _pull_closings(self, since, until, store_id):
        """One store per page: the vendor takes one store per request and has no pages here."""
        stores = {row["storeId"]: row for row in self._stores() if row.get("division") != "2"}
        queue = sorted((s for s in stores if store_id is None or int(s) >= int(store_id)), key=int)
        if not queue:
            return Page(())
        window = {"adjustment_date_time-from": _text(since), "adjustment_date_time-to": _text(until)}
        rows = self.client.get("adjustments", store_id=queue[0], **window)
        return Page(self._facts("closing", rows, stores), queue[1] if len(queue) > 1 else None)

    def fetch(self, stream, external_ids):
        path, names, query = const.RESOURCES[stream]
        wanted = list(dict.fromkeys(external_ids))
        if stream == "store":
            return [fact for fact in self._facts(stream, self._stores()) if fact.external_id in set(wanted)]
        rows = self._fetch_recent(wanted) if stream == "sale" else {}
        for item in (item for item in wanted if item not in rows):
            try:
                if stream == "stock":
                    found = self.client.get(path, **dict(zip(("store_id", "product_id"), item.split("|"), strict=True)))
                elif stream == "closing":
                    keys = ("store_id", "terminal_id", "adjustment_date_time")
                    found = self.client.get(path, **dict(zip(keys, item.split("|"), strict=True)))
                else:
                    found = [self.client.get(f"{path}/{item}", **query)]
            except const.Missing:
                continue
            rows |= {item: row for row in found}
        stores = {row["storeId"]: row for row in self._stores()} if stream == "closing" else {}
        return list(self._facts(stream, [rows[item] for item in wanted if item in rows], stores))

    def _fetch_recent(self, ids):
        """Receipts by one list call per run of neighbouring ids. A list needs a period: hints are fresh, so
        what changed within a day; anything else is left for a call by id."""
        limit, rows, now = self.streams["sale"].page_size, {}, datetime.now(UTC)
        path, _, query = const.RESOURCES["sale"]
        runs = []
        for number in sorted(int(item) for item in ids if item.isdigit()):
            if runs and number - runs[-1][0] < limit:
                runs[-1].append(number)
            else:
                runs.append([number])
        for run in (run for run in runs if len(run) > 1):
            window = {"upd_date_time-from": _text(now - timedelta(days=1)), "upd_date_time-to": _text(now + timedelta(days=1))}
            span = {"transaction_head_id-from": run[0], "transaction_head_id-to": run[-1]}
            found = self.client.get(path, limit=limit, **query, **window, **span)
            rows |= {row["transactionHeadId"]: row for row in found if row["transactionHeadId"] in ids}
        return rows

    def _stores(self):
        path, _, query = const.RESOURCES["store"]
        return self.client.pages(path, **query)

    def _facts(self, stream, rows, stores=None):
        """Rows as facts. What translating needs and a row lacks is put into it here."""
        if stream == "sale" and any(r.get("pointDiscount") not in (None, "", "0") and not r.get("pointSpendDivision") for r in rows):
            rules = {row["storeId"]: (row.get("pointCondition") or {}).get("pointSpendDivision") for row in self._stores()}
            rows = [{**r, "pointSpendDivision": r.get("pointSpendDivision") or rules.get(r["storeId"])} for r in rows]
        if stream == "closing":
            rows = [{**r, "_sumDateChangeTime": stores.get(r["storeId"], {}).get("sumDateChangeTime")} for r in rows]
        return tuple(Fact(stream, translate.external_id(stream, r), translate.version(r), r) for r in rows)

    # -- outward --------------------------------------------------------------------------------
    def push_stock(self, levels):
        """Bring each level to its quantity by adding the difference, so that a sale at the till between our
        read and our write still counts.

        The vendor knows no idempotency key. A repeat after a crash needs none: it reads the level again, finds no
        difference left and sends nothing. Only an answer lost on the way needs the stock journal (see _add).
        """
        current = self._current(levels)
        return [self._push(level, current.get((level.store_id, level.stock_id), records.ZERO)) for level in levels]

    def _current(self, levels):
        """Levels by (store, product); a product that never moved has no row and holds zero."""
        by_store, rows = {}, []
        for level in levels:
            by_store.setdefault(level.store_id, set()).add(level.stock_id)
        for store_id, products in by_store.items():
            if len(products) > const.ONE_BY_ONE:
                rows += self.client.pages("stock", store_id=store_id)
            else:
                for product_id in products:
                    rows += self.client.get("stock", store_id=store_id, product_id=product_id)
        return {(row["storeId"], row["productId"]): translate.money(row, "stockAmount") for row in rows}

    def _push(self, level, current):
        difference = level.quantity - current
        try:
            if not difference:
                return records.PushResult(level.push_id, "ok", current)
            if difference != difference.to_integral_value():
                raise DataError(f"Smaregi keeps stock in whole pieces; {level.quantity} cannot be reached from {current}.")
            return records.PushResult(level.push_id, "ok", self._add(level, difference))
        except const.Missing:
            return records.PushResult(level.push_id, "error", message=f"Smaregi has no product {level.stock_id}.")
        except DataError as error:
            return records.PushResult(level.push_id, "error", message=str(error))

    def _add(self, level, difference, repeat=True):
        memo = f"{const.MEMO}{level.push_id}"[: const.MEMO_LENGTH]
        data = {"storeId": level.store_id, "stockAmount": f"{difference:.0f}", "stockHistory": {"memo": memo}}
        try:
            return translate.money(self.client.post(f"stock/{level.stock_id}/add", data), "stockAmount")
        except UnknownOutcome:
            for row in self.client.pages(f"stock/changes/{level.stock_id}/{level.store_id}"):
                if row.get("memo") == memo and row.get("stockDivision") == const.BY_WEB_API:
                    return translate.money(row, "stockAmount")
            if not repeat:
                raise
        return self._add(level, difference, repeat=False)


def _text(when):
    return when.astimezone(const.JAPAN).isoformat(timespec="seconds")
