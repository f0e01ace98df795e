# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""How much of what is there a channel may sell."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
from allocation import EVERYTHING, Allowance, Share, allocate, floor
from hypothesis import given
from hypothesis import strategies as st

QUANTITY = st.integers(-50, 500) | st.floats(-50, 500, allow_nan=False).map(lambda x: round(x, 3))
COUNT = st.integers(0, 100)
SHARE = st.builds(
    Share,
    rule_id=st.just(7),
    mode=st.sampled_from(("all", "percent", "fixed")),
    amount=st.integers(0, 100),
    safety=st.integers(0, 20),
    safety_hours=st.sampled_from((0, 4, 12, 24.5)),
    minimum=st.integers(0, 6),
    is_stopped=st.booleans(),
)
PLACE = st.fixed_dictionaries(
    {
        "on_hand": QUANTITY,
        "reserved": COUNT,
        "held": COUNT,
        "limit": st.none() | QUANTITY,
        "share": SHARE,
        "per_day": st.sampled_from((0.0, 1.5, 30.0)),
        "others": COUNT,
        "factor": st.sampled_from((1.0, 0.5, 0.0)),
        "brake": st.sampled_from(("", "the prices differ")),
    }
)


@given(PLACE)
def test_never_negative_and_never_more_than_there_is(place):
    """What may be sold is whole, not below zero, and at most what is left, here and in the place around."""
    found = allocate(**place)
    assert found.quantity == int(found.quantity) >= 0
    assert found.quantity <= max(0.0, found.net) + 1e-6
    if place["limit"] is not None:
        assert found.quantity <= max(0.0, place["limit"] - found.safety - found.others) + 1e-6


@given(PLACE)
def test_net_is_what_the_numbers_say(place):
    """The numbers that are shown add up."""
    found = allocate(**place)
    assert found.net == found.on_hand - found.reserved - found.held - found.safety - found.others
    assert (found.on_hand, found.reserved, found.held) == (place["on_hand"], place["reserved"], place["held"])
    assert (found.others, found.rule_id) == (place["others"], 7)


@given(PLACE, COUNT)
def test_more_stock_never_means_less(place, more):
    """Goods that come in never lower what may be sold; promises and reservations never raise it."""
    found = allocate(**place).quantity
    limit = None if place["limit"] is None else place["limit"] + more
    assert allocate(**{**place, "on_hand": place["on_hand"] + more, "limit": limit}).quantity >= found
    for name in ("reserved", "held", "others"):
        assert allocate(**{**place, name: place[name] + more}).quantity <= found


@given(PLACE, st.integers(0, 20))
def test_a_stricter_rule_never_means_more(place, more):
    """Safety stock, a minimum, a stop only ever lower it."""
    found, share = allocate(**place).quantity, place["share"]
    for stricter in (
        replace(share, safety=share.safety + more),
        replace(share, minimum=share.minimum + more),
        replace(share, is_stopped=True),
    ):
        assert allocate(**{**place, "share": stricter}).quantity <= found


@given(PLACE)
def test_explained_by_its_reasons(place):
    """Whoever goes through the reasons in order comes to the same number."""
    found = allocate(**place)
    quantity = found.net
    for code, value in found.reasons:
        if code == "limit":
            quantity = value - found.safety - found.others
        elif code == "share":
            quantity = value
        elif code == "factor":
            quantity *= value
        elif code == "minimum":
            assert floor(quantity) < value
            quantity = 0
        else:
            assert (code, value) in (("stopped", 7), ("brake", "the prices differ"))
            quantity = 0
    assert found.quantity == floor(quantity)


@pytest.mark.parametrize(
    ("share", "quantity"),
    [
        (EVERYTHING, 10),
        (Share(mode="percent", amount=50), 5),
        (Share(mode="percent", amount=33), 3),
        (Share(mode="percent", amount=0), 0),
        (Share(mode="fixed", amount=4), 4),
        (Share(mode="fixed", amount=40), 10),
        (Share(safety=3), 7),
        (Share(safety=3, mode="percent", amount=50), 3),
        (Share(safety=30), 0),
        (Share(minimum=10), 10),
        (Share(minimum=11), 0),
        (Share(is_stopped=True), 0),
    ],
)
def test_a_share_of_ten(share, quantity):
    """Safety stock goes off first, then the share is taken of what is left."""
    assert allocate(12, 1, 1, None, share).quantity == quantity


def test_hours_of_sales_are_kept_back():
    """Four hours of 24 pieces a day are four; a part of a piece is a piece."""
    share = Share(safety=1, safety_hours=4)
    assert allocate(10, 0, 0, None, share, per_day=24).safety == 5
    assert allocate(10, 0, 0, None, share, per_day=1).safety == 2
    assert allocate(10, 0, 0, None, share, per_day=0).safety == 1


@given(st.integers(0, 100), st.integers(0, 100))
def test_shares_of_all_channels_fit(on_hand, percent):
    """Two channels with shares that make a hundred are never told more than there is."""
    one, two = (allocate(on_hand, 0, 0, None, Share(mode="percent", amount=p)).quantity for p in (percent, 100 - percent))
    assert on_hand - 1 <= one + two <= on_hand


@given(st.floats(-1e6, 1e6, allow_nan=False))
def test_floor(quantity):
    """Whole units; what is whole but for the arithmetic of floats stays whole."""
    assert floor(quantity) == max(0, math.floor(quantity + 1e-6))
    assert floor(0.1 * 3 * 10) == 3


# -- what a reservation may take ------------------------------------------------------------------
MOVES = st.lists(st.tuples(COUNT, COUNT), min_size=1, max_size=6)  # (promised to it, needed)


@given(MOVES, st.integers(-20, 100))
def test_allowance_gives_each_its_own_and_the_common_once(moves, common):
    """What was promised to a move is its own; beyond that they share what is free, and never take it twice."""
    own = {i: float(promised) for i, (promised, _need) in enumerate(moves)}
    allowance = Allowance(dict(own), {"key": float(common)}, dict.fromkeys(own, "key"))
    beyond = 0.0
    for i, (promised, need) in enumerate(moves):
        move = SimpleNamespace(id=i)
        taken = allowance.of(move, float(need))
        assert min(promised, need) <= taken <= need
        allowance.take(move, taken)
        beyond += max(0.0, taken - promised)
    assert beyond <= max(0, common)
    assert beyond == min(max(0, common), sum(max(0, need - promised) for promised, need in moves))


def test_allowance_leaves_other_moves_alone():
    """A move that takes from elsewhere is not limited."""
    allowance = Allowance({}, {}, {})
    move = SimpleNamespace(id=1)
    assert allowance.of(move, 5.0) == 5.0
    allowance.take(move, 5.0)
    assert allowance.within(move, 3, 5.0) == 5.0


@given(st.lists(st.tuples(st.sampled_from((1, 2, 3)), COUNT), max_size=8), COUNT, COUNT)
def test_allowance_within_parts(takes, shop, shelf):
    """Of a shop no more is taken than is free in it, of a shelf in it no more than on it; elsewhere as needed."""
    parts = [[{1, 2}, float(shop)], [{2}, float(shelf)]]
    allowance = Allowance({1: 1e9}, {}, {1: "key"}, {"key": parts})
    move, taken = SimpleNamespace(id=1), {1: 0.0, 2: 0.0, 3: 0.0}
    for place, need in takes:
        part = allowance.within(move, place, float(need))
        allowance.take_within(move, place, part)
        taken[place] += part
        assert 0 <= part <= need
        assert place != 3 or part == need
    assert taken[2] <= shelf
    assert taken[1] + taken[2] <= shop
