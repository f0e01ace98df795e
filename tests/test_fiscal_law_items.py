# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The mandatory items of each document type: each removed once is the one that is found absent."""

import copy

import pytest
from fiscal.law_items import check, missing

SALE = {
    "type": "simplified",
    "number": "R-000001",
    "issued_at": "2026-11-28T10:00:00+09:00",
    "supply_at": "2026-11-28T10:00:00+09:00",
    "supply_date": "2026-11-28",
    "period": None,
    "issuer": {"name": "見本商店", "registration_number": "T7000012050002", "address": "", "phone": ""},
    "is_qualified": True,
    "counterparty": None,
    "store": "本店",
    "basis": "included",
    "rounding": "down",
    "lines": [
        {"name": "お茶", "quantity": "2", "amount": 324, "category": "8R", "is_reduced": True},
        {"name": "傘", "quantity": "1", "amount": 770, "category": "10", "is_reduced": False},
        {"name": "商品券", "quantity": "1", "amount": 500, "category": "0E", "is_reduced": False},
    ],
    "rates": [
        {"category": "10", "percent": 10, "is_reduced": False, "base": 700, "tax": 70, "total": 770},
        {"category": "8R", "percent": 8, "is_reduced": True, "base": 300, "tax": 24, "total": 324},
    ],
    "original": None,
    "relation": "issue",
    "waiver": "",
}
BUYER = {"name": "株式会社買い手", "honorific": "御中", "address": "", "registration_number": ""}
CONTENTS = {
    "simplified": SALE,
    "qualified": {**SALE, "type": "qualified", "counterparty": BUYER},
    "return": {
        **SALE,
        "type": "return",
        "original": {"number": "R-000000", "supply_date": "2026-11-20", "type": "simplified"},
    },
    "summary": {**SALE, "type": "summary", "counterparty": BUYER, "period": ["2026-11-01", "2026-11-30"]},
}


def _without(content, *path):
    content = copy.deepcopy(content)
    place = content
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return content


def _without_in_rows(content, table, *keys):
    content = copy.deepcopy(content)
    for row in content[table][:1]:  # one row is enough to be incomplete
        for key in keys:
            del row[key]
    return content


# How each item is taken out of a document.
REMOVED = {
    "issuer_name": lambda content: _without(content, "issuer", "name"),
    "registration_number": lambda content: _without(content, "issuer", "registration_number"),
    "supply_date": lambda content: _without(content, "supply_date"),
    "period": lambda content: _without(content, "period"),
    "return_date": lambda content: _without(content, "supply_date"),
    "original_date": lambda content: _without(content, "original", "supply_date"),
    "contents": lambda content: _without_in_rows(content, "lines", "name"),
    "reduced_mark": lambda content: _without_in_rows(content, "lines", "is_reduced"),
    "rate_totals": lambda content: _without_in_rows(content, "rates", "base", "total"),
    "rate_percents": lambda content: _without_in_rows(content, "rates", "percent"),
    "rate_taxes": lambda content: _without_in_rows(content, "rates", "tax"),
    "rate_taxes_or_percents": lambda content: _without_in_rows(content, "rates", "tax", "percent"),
    "recipient": lambda content: _without(content, "counterparty", "name"),
}
# Consumption Tax Act, art. 57-4 (1) to (3); a summary is a full invoice over a period.
HEAD = ("issuer_name", "registration_number")
GOODS = ("contents", "reduced_mark", "rate_totals")
MANDATORY = {
    "simplified": [*HEAD, "supply_date", *GOODS, "rate_taxes_or_percents"],
    "qualified": [*HEAD, "supply_date", *GOODS, "rate_percents", "rate_taxes", "recipient"],
    "return": [*HEAD, "return_date", "original_date", *GOODS, "rate_taxes_or_percents"],
    "summary": [*HEAD, "period", *GOODS, "rate_percents", "rate_taxes", "recipient"],
}
EACH = [(kind, key) for kind, keys in MANDATORY.items() for key in keys]


@pytest.mark.parametrize("kind", MANDATORY)
def test_complete_documents(kind):
    """The mandatory items of each type are these, and a complete document has them all."""
    items = check(CONTENTS[kind])
    assert [item.key for item in items if item.is_required] == MANDATORY[kind]
    assert all(item.is_present for item in items)
    assert all(item.label_en and item.label_ja and item.where for item in items)


@pytest.mark.parametrize(("kind", "key"), EACH)
def test_each_item_removed(kind, key):
    """Without it exactly this item is absent."""
    assert missing(REMOVED[key](CONTENTS[kind])) == [key]


@pytest.mark.parametrize("kind", MANDATORY)
@pytest.mark.parametrize("empty", ["", "  ", None, 7])
def test_empty_is_absent(kind, empty):
    """A field that is there but says nothing counts as absent."""
    content = copy.deepcopy(CONTENTS[kind])
    content["issuer"]["name"] = empty
    assert missing(content) == ["issuer_name"]


def test_a_rate_without_a_row():
    """Every taxed rate that was sold has its row; exempt goods need none."""
    content = copy.deepcopy(CONTENTS["qualified"])
    del content["rates"][1]
    assert missing(content) == ["rate_totals", "rate_percents", "rate_taxes"]


def test_rate_and_tax_of_the_short_forms():
    """Either is enough on a receipt or a return, neither alone on an invoice."""
    for key in ("tax", "percent"):
        assert missing(_without_in_rows(CONTENTS["simplified"], "rates", key)) == []
        assert missing(_without_in_rows(CONTENTS["return"], "rates", key)) == []


def test_either_total_is_enough():
    """With tax or without it."""
    for key in ("base", "total"):
        assert missing(_without_in_rows(CONTENTS["qualified"], "rates", key)) == []


@pytest.mark.parametrize("percent", [10, "8", True, None])
def test_a_wrong_rate_is_none(percent):
    """The percentage must be that of the category."""
    content = copy.deepcopy(CONTENTS["qualified"])
    content["rates"][1]["percent"] = percent
    assert missing(content) == ["rate_percents"]


def test_a_period_may_stand_for_the_day():
    """On an invoice over several supplies."""
    content = {**CONTENTS["qualified"], "supply_date": None, "period": ["2026-11-01", "2026-11-15"]}
    assert missing(content) == []
    for broken in (["2026-11-01"], ["2026-11-01", ""], ["2026-11-01", "2026-13-01"], "2026-11"):
        assert missing({**content, "period": broken}) == ["supply_date"]


@pytest.mark.parametrize("number", ["7000012050002", "T700001205000", "T"])
def test_number_without_its_shape(number):
    """T and 13 digits; a check digit only holds for corporations and is not looked at."""
    content = copy.deepcopy(SALE)
    content["issuer"]["registration_number"] = number
    assert missing(content) == ["registration_number"]
    content["issuer"]["registration_number"] = "T1234567890123"
    assert missing(content) == []


@pytest.mark.parametrize("kind", MANDATORY)
def test_issuer_not_registered(kind):
    """Only what any receipt must say is mandatory, and a registration number must not be shown."""
    content = {**copy.deepcopy(CONTENTS[kind]), "is_qualified": False}
    assert missing(content) == ["no_registration_number"]
    content["issuer"]["registration_number"] = ""
    assert missing(content) == []
    content["original"] = None
    for row in content["rates"]:
        del row["tax"], row["percent"]
    assert missing(content) == []
    content["lines"][0]["is_reduced"] = False
    assert missing(content) == ["reduced_mark"]


def test_waived_return():
    """Below the threshold no return invoice is due: what is absent is seen, but nothing is mandatory."""
    content = {**CONTENTS["return"], "waiver": "return below 10,000 yen", "original": None}
    assert missing(content) == []
    assert [item.key for item in check(content) if not item.is_present] == ["original_date"]
    assert missing({**CONTENTS["simplified"], "waiver": "x", "supply_date": ""}) == ["supply_date"]


@pytest.mark.parametrize("content", [None, {}, {"type": "receipt"}, "simplified"])
def test_no_document(content):
    """Of an unknown type nothing can be said."""
    with pytest.raises(ValueError, match="type is not one of simplified, qualified, return, summary"):
        check(content)


def test_broken_content_has_nothing():
    """Parts of the wrong kind are absent, not an error."""
    broken = dict.fromkeys(SALE, 7) | {"type": "qualified", "is_qualified": True, "lines": ["x"], "rates": [None]}
    assert missing(broken) == MANDATORY["qualified"]
    broken = {"type": "qualified", "is_qualified": True, "lines": [{"category": []}], "rates": [{"category": {}}]}
    assert missing(broken) == [key for key in MANDATORY["qualified"] if key != "reduced_mark"]
