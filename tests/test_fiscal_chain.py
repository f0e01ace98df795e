# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The hash chain: one form of a content, and every change of any field is found."""

import copy
from decimal import Decimal

import pytest
from fiscal.chain import START, Row, canonical, link, verify
from hypothesis import given
from hypothesis import strategies as st
from test_fiscal_law_items import CONTENTS

CHAIN = [CONTENTS["simplified"], CONTENTS["return"], CONTENTS["summary"]]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


def _rows(contents):
    rows, previous = [], START
    for position, content in enumerate(contents, 1):
        payload = canonical(content)
        rows.append(Row(position, previous, payload, link(previous, payload)))
        previous = rows[-1].hash
    return rows


def _leaves(value, path=()):
    if isinstance(value, dict | list):
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(entry, (*path, key))
    else:
        yield path


def _changed(content, path):
    content = copy.deepcopy(content)
    place = content
    for key in path[:-1]:
        place = place[key]
    old = place[path[-1]]
    if isinstance(old, bool) or old is None:
        place[path[-1]] = not old
    else:
        place[path[-1]] = old + (1 if isinstance(old, int) else "!")
    return content


def test_whole_chain():
    """Untouched nothing is found; nor in an empty chain."""
    assert verify(_rows(CHAIN)) is None
    assert verify([]) is None


@pytest.mark.parametrize("place", range(len(CHAIN)))
def test_every_field_of_every_content(place):
    """Each field changed once: the row is found, and it is this one."""
    rows = _rows(CHAIN)
    paths = list(_leaves(CHAIN[place]))
    assert len(paths) > 30
    for path in paths:
        changed = list(rows)
        changed[place] = rows[place]._replace(payload=canonical(_changed(CHAIN[place], path)))
        assert verify(changed) == (changed[place], "payload"), path


@pytest.mark.parametrize("place", range(len(CHAIN)))
def test_every_bit(place):
    """So is every flipped bit of the bytes kept."""
    rows = _rows(CHAIN)
    for at in range(len(rows[place].payload)):
        bits = bytearray(rows[place].payload)
        bits[at] ^= 1
        changed = [*rows[:place], rows[place]._replace(payload=bytes(bits)), *rows[place + 1 :]]
        assert verify(changed) == (changed[place], "payload")


@pytest.mark.parametrize("place", range(len(CHAIN)))
@pytest.mark.parametrize(
    ("field", "value", "why"),
    [("position", 9, "position"), ("previous_hash", "0" * 64, "previous"), ("hash", "0" * 64, "payload")],
)
def test_every_field_of_a_row(place, field, value, why):
    """And what the row keeps beside its content."""
    rows = _rows(CHAIN)
    rows[place] = rows[place]._replace(**{field: value})
    assert verify(rows) == (rows[place], why)


def test_rewritten_row():
    """Who changes a content and its hash breaks the row after it."""
    rows = _rows(CHAIN)
    payload = canonical(_changed(CHAIN[1], ("number",)))
    rows[1] = rows[1]._replace(payload=payload, hash=link(rows[0].hash, payload))
    assert verify(rows) == (rows[2], "previous")


def test_removed_doubled_and_swapped_rows():
    """The first row that is not in its place."""
    one, two, three = _rows(CHAIN)
    assert verify([two, three]) == (two, "position")
    assert verify([one, three]) == (three, "position")
    assert verify([one, one, two]) == (one, "position")
    assert verify([one, three, two]) == (three, "position")
    assert verify([one, three._replace(position=2)]) == (three._replace(position=2), "previous")


def test_known_bytes_and_hash():
    """The form and the hash are fixed for ever: what was issued must stay verifiable."""
    payload = canonical({"b": [1, None, True], "a": "登録\n", "A": {}})
    assert payload == '{"A":{},"a":"登録\\n","b":[1,null,true]}'.encode()
    first = link(START, payload)
    assert first == "d1a6972cc5270b382a7afdc4109ffd3703a9e5f71c7f0e0170fcf5812423d7dd"
    assert link(first, payload) == "c25601f56997d9b59ac1a8711588ce6ef020377763a8bd95376b660bead13c8e"


@pytest.mark.parametrize("value", [1.0, float("nan"), Decimal(1), b"x", (1, 2), {1: 2}, {"a": [{"b": 0.5}]}, "\ud800"])
def test_what_has_no_single_form(value):
    """A float, or what JSON would turn into something else, is refused."""
    with pytest.raises(ValueError, match="content"):
        canonical(value)


@given(JSON, JSON)
def test_different_contents_have_different_bytes(left, right):
    """Two contents have the same bytes only when they are the same (true is not 1)."""
    try:
        same = canonical(left) == canonical(right)
    except ValueError:
        return  # half a character
    assert same == (repr(_sorted(left)) == repr(_sorted(right)))


def _sorted(value):
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(entry) for entry in value] if isinstance(value, list) else value
