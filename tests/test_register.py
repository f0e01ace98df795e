# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Where a chain of documents is broken."""

from datetime import date, datetime

import pytest

from fiscal import register
from fiscal.chain import link
from fiscal.register import Row, broken, chained, start

OWNER, OTHER = 1, 2


def make(count=5):
    rows, before = [], start(OWNER)
    for position in range(1, count + 1):
        content = f'{{"n":{position}}}'
        after = link(before, chained(position, content))
        rows.append(Row(10 + position, OWNER, position, before, after, content))
        before = after
    return rows


def findings(rows):
    def find(before):
        return next((row for row in rows if row.previous_hash == before), None)

    mine = [row for row in rows if row.owner == OWNER]
    mine.sort(key=lambda row: (row.position is None, row.position or 0))
    return [(row_id, column) for row_id, column, _position in broken(mine, find, OWNER)]


def test_whole_chain():
    assert findings(make()) == []
    assert findings([]) == []


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("content", '{"n":9}'), ("hash", "f" * 64), ("hash", None), ("previous_hash", "f" * 64), ("previous_hash", None),
        ("position", 99), ("position", 0), ("position", -3), ("position", None),
    ],
)  # fmt: skip
def test_one_change_is_found_and_named(place, column, value):
    """Whichever column of whichever row was changed: that row is named, that column, and nothing else."""
    rows = make()
    rows[place] = rows[place]._replace(**{column: value})
    named = [(rows[place].id, column)]
    # Nothing follows the last row that could tell which of the two was changed.
    assert findings(rows) == ([(rows[place].id, "content")] if (place, column) == (4, "hash") else named)


@pytest.mark.parametrize("place", range(4))
def test_row_gone(place):
    rows = make()
    del rows[place]
    assert findings(rows) == [(None, "position")]


@pytest.mark.parametrize("place", range(5))
def test_row_moved_to_another_owner(place):
    rows = make()
    rows[place] = rows[place]._replace(owner=OTHER)
    assert findings(rows) == [(rows[place].id, "company_id")]


def test_two_rows_changed():
    rows = make()
    rows[1] = rows[1]._replace(content="{}")
    rows[3] = rows[3]._replace(position=50)
    assert findings(rows) == [(12, "content"), (14, "position")]


def test_rows_exchanged():
    """Two documents that changed places are both named."""
    rows = make()
    rows[1], rows[2] = rows[1]._replace(position=3), rows[2]._replace(position=2)
    assert {row_id for row_id, _column in findings(rows)} >= {12, 13}


CONTENT = {
    "type": "return", "number": "1", "relation": "return", "store": "", "terminal": "", "cashier": "",
    "is_qualified": True, "basis": "included", "rounding": "down", "base_total": -90, "tax_total": -9, "total": -99,
    "reason": "", "waiver": "", "period": None, "supply_at": "2026-11-21T00:30:00+09:00", "supply_date": "2026-11-21",
    "issued_at": "2026-11-21T00:30:01+09:00", "counterparty": None, "issuer": {"registration_number": "T1"},
    "rates": [{"category": "10", "percent": 10, "is_reduced": False, "base": -90, "tax": -9, "total": -99}],
    "record": {**dict.fromkeys(register.REFERENCES), "id": 7, "rate_ids": [3], "superseded_ids": []},
}  # fmt: skip


def test_columns():
    columns = register.columns(CONTENT)
    assert (columns["supply_at"], columns["supply_date"]) == (datetime(2026, 11, 20, 15, 30), date(2026, 11, 21))
    assert (columns["counterparty"], columns["period_from"], columns["registration_number"]) == ("", None, "T1")
    assert register.rate_rows(CONTENT)[3]["document_id"] == 7


def test_contradictions():
    """Totals are the sums of the rates, and each rate adds up."""
    assert register.contradictions(CONTENT) == []
    assert register.contradictions({**CONTENT, "tax_total": -8}) == ["tax_total"]
    rate = {**CONTENT["rates"][0], "total": -98}
    assert register.contradictions({**CONTENT, "total": -98, "rates": [rate]}) == ["rates.10"]


def test_content_has_one_text():
    assert register.parse('{"a":1,"b":"円"}') == {"a": 1, "b": "円"}
    for text in ('{"b":"円","a":1}', '{"a": 1}', '{"a":1.0}', "", '{"a":1}\n', None):
        assert register.parse(text) is None


def test_japanese_time():
    moment = datetime(2026, 11, 20, 15, 0)
    assert register.japanese_day(moment) == date(2026, 11, 21)
    assert register.japanese_time(moment) == "2026-11-21T00:00:00+09:00"
    assert register.utc(register.japanese_time(moment)) == moment
