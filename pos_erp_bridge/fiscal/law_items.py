# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What each type of document must say (Consumption Tax Act, art. 57-4), looked for in a document's content.

It reads the content a document was issued with, the same that is printed. It looks for what is listed here and is
no legal opinion on a document.
"""

from datetime import date
from typing import NamedTuple

from .documents import DOCUMENT_TYPES
from .registration import parse
from .rounding import PERCENT, is_reduced


class Item(NamedTuple):
    """``where`` is the place in the content. An item that is not required may be present all the same."""

    key: str
    label_en: str
    label_ja: str
    is_required: bool
    is_present: bool
    where: str


def check(content):
    """[Item] of the content's type, in the order of the law; ValueError for an unknown type."""
    if not isinstance(content, dict) or content.get("type") not in DOCUMENT_TYPES:
        raise ValueError(f"the content's type is not one of {', '.join(DOCUMENT_TYPES)}")
    is_qualified = content.get("is_qualified") is True
    found = []
    for key, types, group, where, label_en, label_ja, is_there in ITEMS:
        if content["type"] not in types or (group == UNREGISTERED and is_qualified):
            continue
        is_required = group != REGISTERED or is_qualified
        # A return below the threshold needs no document, so nothing on it is mandatory.
        if content["type"] == "return" and content.get("waiver"):
            is_required = group == UNREGISTERED
        found.append(Item(key, label_en, label_ja, is_required, bool(is_there(content)), where))
    return found


def missing(content):
    """Keys of the mandatory items that are absent."""
    return [item.key for item in check(content) if item.is_required and not item.is_present]


def _text(content, *path):
    for key in path:
        content = content.get(key) if isinstance(content, dict) else None
    return content.strip() if isinstance(content, str) else ""


def _is_day(text):
    try:
        return bool(date.fromisoformat(text))
    except (TypeError, ValueError):
        return False


def _entries(content, key):
    entries = content.get(key)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _category(entry):
    return _text(entry, "category")


def _has_number(content):
    return parse(_text(content, "issuer", "registration_number")).shape_ok


def _shows_no_number(content):
    return not _text(content, "issuer", "registration_number")


def _has_period(content):
    period = content.get("period")
    return isinstance(period, list) and len(period) == 2 and all(map(_is_day, period))


def _has_supply(content):
    return _is_day(_text(content, "supply_date")) or _has_period(content)


def _has_contents(content):
    lines = _entries(content, "lines")
    return lines and all(_text(line, "name") for line in lines)


def _has_marks(content):
    lines = _entries(content, "lines")
    return lines and all(line.get("is_reduced") is True for line in lines if is_reduced(_category(line)))


def _each_rate(content, says):
    """Each taxed rate sold has a row that ``says`` it. Exempt and out-of-scope goods need none."""
    rows = {_category(row): row for row in _entries(content, "rates")}
    sold = {_category(line) for line in _entries(content, "lines")} | set(rows)
    return sold and all(category in rows and says(rows[category]) for category in sold if PERCENT.get(category, 1))


def _is_yen(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _says_total(row):
    return _is_yen(row.get("base")) or _is_yen(row.get("total"))


def _says_percent(row):
    return _is_yen(row.get("percent")) and row["percent"] == PERCENT.get(_category(row))


def _says_tax(row):
    return _is_yen(row.get("tax"))


ALWAYS, REGISTERED, UNREGISTERED = "always", "registered", "unregistered"
EVERY = DOCUMENT_TYPES
SALES = ("simplified", "qualified")
FULL = ("qualified", "summary")
SHORT = ("simplified", "return")

# key, types, whether it depends on the issuer's registration, where, label, what to look for
ITEMS = (
    ("issuer_name", EVERY, ALWAYS, "issuer.name",
     "Name of the issuer", "発行者の氏名又は名称",
     lambda content: _text(content, "issuer", "name")),
    ("registration_number", EVERY, REGISTERED, "issuer.registration_number",
     "Registration number", "登録番号",
     _has_number),
    # Papers of an issuer who is not registered must not look like qualified ones.
    ("no_registration_number", EVERY, UNREGISTERED, "issuer.registration_number",
     "No registration number: not registered on the date of supply", "登録番号の記載なし（取引日に未登録）",
     _shows_no_number),
    ("supply_date", SALES, ALWAYS, "supply_date or period",
     "Date of supply", "取引年月日",
     _has_supply),
    ("period", ("summary",), ALWAYS, "period",
     "Period of the supplies", "取引の期間",
     _has_period),
    ("return_date", ("return",), ALWAYS, "supply_date",
     "Date of the return", "返還等を行った年月日",
     lambda content: _is_day(_text(content, "supply_date"))),
    ("original_date", ("return",), REGISTERED, "original.supply_date",
     "Date of the original supply", "返還等の基となった取引の年月日",
     lambda content: _is_day(_text(content, "original", "supply_date"))),
    ("contents", EVERY, ALWAYS, "lines[].name",
     "What was supplied", "取引の内容",
     _has_contents),
    ("reduced_mark", EVERY, ALWAYS, "lines[].is_reduced",
     "Mark of goods at the reduced rate", "軽減税率の対象品目である旨",
     _has_marks),
    ("rate_totals", EVERY, ALWAYS, "rates[].base or rates[].total",
     "Total for each rate", "税率ごとに区分して合計した対価の額",
     lambda content: _each_rate(content, _says_total)),
    ("rate_percents", FULL, REGISTERED, "rates[].percent",
     "Rate that applies", "適用税率",
     lambda content: _each_rate(content, _says_percent)),
    ("rate_taxes", FULL, REGISTERED, "rates[].tax",
     "Tax for each rate", "税率ごとに区分した消費税額等",
     lambda content: _each_rate(content, _says_tax)),
    ("rate_taxes_or_percents", SHORT, REGISTERED, "rates[].tax or rates[].percent",
     "Tax for each rate, or the rate", "税率ごとに区分した消費税額等又は適用税率",
     lambda content: _each_rate(content, _says_tax) or _each_rate(content, _says_percent)),
    ("recipient", FULL, ALWAYS, "counterparty.name",
     "Recipient", "書類の交付を受ける事業者の氏名又は名称",
     lambda content: _text(content, "counterparty", "name")),
)  # fmt: skip
