# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The virtual printer's parser: every command, whatever the split, and no byte sequence harms it."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pos_hardware_proxy.virtual_printer import Parser
from pos_hardware_proxy.virtual_printer import commands as c
from pos_hardware_proxy.virtual_printer.typesetter import Typesetter
from virtual_printer_kit import qr, raster, stored


def parse(data):
    parser = Parser()
    found = parser.feed(data)
    assert not parser.pending
    return found


def bytewise(data):
    parser = Parser()
    return [command for byte in data for command in parser.feed(bytes([byte]))], parser.pending


SNIPPETS = [
    b"\x1b@", b"\x1b!\x38", b"\x1bD\x08\x10\x00", b"\x1bD" + bytes(range(1, 40)), b"\x1dk\x04ABC\x00",
    b"\x1dk\x02" + b"1" * 300, b"\x1dkI\x04{B12", b"\x1dVB\x03", b"\x1dV\x00",
    raster(2, 3, b"\x10\x04\x01\x10\x14\x01"),
    b"\x1b*\x21\x01\x00abc", b"\x1b*\x07", b"\x1b&\x03  \x01abc", b"\x1cq\x01\x01\x00\x01\x00abcdefgh", qr(b"abc"),
    b"\x1d(D\x03\x00\x14\x01\x00", b"\x1d(D\x03\x00\x14\x01\x01", b"\x10\x04\x01", b"\x10\x04", b"\x10\x05\x02",
    b"\x10\x14\x01\x00\x01", b"\x10\x14\x01", b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08",
    b"\x10\x14\x03\x01\x02\x03\x04\x05",
    b"\x1d(H\x06\x0000abcd", b"\x1d8L\xff\xff\xff\xff", b"\x1dv0\x00\xff\xff\xff\xff", b"\x1c2\xec\x40" + bytes(72),
    stored(9, 2, b"abcd"), b"\x82\xa0\x82", b"abc\n", b"\x00\x00", b"\x1f$\x01\x01", b"\x1d", b"\x1b", b"\x1c",
]  # fmt: skip
STREAMS = st.lists(st.sampled_from(SNIPPETS) | st.binary(max_size=40), max_size=25).map(b"".join)


@settings(deadline=None, max_examples=400)
@given(STREAMS, st.randoms(use_true_random=False))
def test_splits_change_nothing(data, chance):
    """However the stream is split, the commands and their order are the same."""
    whole = Parser()
    expected = whole.feed(data)
    assert bytewise(data) == (expected, whole.pending)
    parser, found, at = Parser(), [], 0
    while at < len(data):
        size = chance.randint(1, 30)
        found += parser.feed(data[at : at + size])
        at += size
    assert (found, parser.pending) == (expected, whole.pending)


@settings(deadline=None, max_examples=150)
@given(STREAMS, st.sampled_from(["japanese", "western", "chinese"]))
def test_anything_can_be_printed(data, rom):
    """No stream makes the paper fail, and its picture can always be drawn."""
    typesetter = Typesetter(384, rom)
    for command in Parser().feed(data):
        assert typesetter.apply(command) >= 0
    typesetter.finish("full").png()


@pytest.mark.parametrize(
    "piece", [b"\x1d", b"\x10", b"\x1cq\x00", b"\x1b@", b"a\x00", b"\x1bD\x01", b"\x1dk\x02", b"\n"]
)
def test_long_streams_take_linear_time(piece):
    """The worst is read in one go or by pieces; a parser that copies what is left each time would need minutes."""
    data = piece * (100_000 // len(piece))
    start = time.process_time()
    Parser().feed(data)
    parser = Parser()
    for at in range(0, len(data), 1000):
        parser.feed(data[at : at + 1000])
    assert time.process_time() - start < 4


def test_command_that_claims_gigabytes_is_skipped_not_kept():
    """It swallows what it claims, as in a printer, but takes no memory; what is real-time is still seen."""
    parser = Parser()
    assert parser.feed(b"\x1d8L\xff\xff\xff\x7f" + bytes(5000)) == [c.unknown(b"\x1d8L\xff\xff\xff\x7f")]
    assert parser.feed(b"text\n\x10\x04\x02") == [c.StatusRequest("DLE EOT", 2, real_time=True)]
    assert not parser.pending
    parser = Parser()


@pytest.mark.parametrize(
    ("data", "command"),
    [
        (b"\x1b@", c.Style("ESC @")),
        (b"\x1bt\x01", c.Style("ESC t", b"\x01")),
        (b"\x1bR\x08", c.Style("ESC R", b"\x08")),
        (b"\x1bE\x01", c.Style("ESC E", b"\x01")),
        (b"\x1b-\x02", c.Style("ESC -", b"\x02")),
        (b"\x1bG\x01", c.Style("ESC G", b"\x01")),
        (b"\x1b!\x30", c.Style("ESC !", b"\x30")),
        (b"\x1ba\x01", c.Style("ESC a", b"\x01")),
        (b"\x1b2", c.Style("ESC 2")),
        (b"\x1b3\x18", c.Style("ESC 3", b"\x18")),
        (b"\x1bM\x01", c.Style("ESC M", b"\x01")),
        (b"\x1b{\x01", c.Style("ESC {", b"\x01")),
        (b"\x1b \x02", c.Style("ESC SP", b"\x02")),
        (b"\x1b$\x02\x01", c.Style("ESC $", b"\x02\x01")),
        (b"\x1b\\\x02\x00", c.Style("ESC \\", b"\x02\x00")),
        (b"\x1bV\x01", c.Style("ESC V", b"\x01")),
        (b"\x1br\x00", c.Style("ESC r", b"\x00")),
        (b"\x1b=\x01", c.Style("ESC =", b"\x01")),
        (b"\x1bW" + bytes(8), c.Style("ESC W", bytes(8))),
        (b"\x1bL", c.Style("ESC L")),
        (b"\x1bS", c.Style("ESC S")),
        (b"\x1bT\x01", c.Style("ESC T", b"\x01")),
        (b"\x1b\x0c", c.Style("ESC FF")),
        (b"\x1bD\x08\x00", c.Style("ESC D", b"\x08\x00")),
        (b"\x1bJ\x18", c.Feed("ESC J", units=24)),
        (b"\x1bd\x03", c.Feed("ESC d", lines=3)),
        (b"\x1be\x01", c.Feed("ESC e", lines=-1)),
        (b"\x1bp\x00\x32\xfa", c.Pulse("ESC p", 2, 100, 500)),
        (b"\x1bp1\x19\xfa", c.Pulse("ESC p", 5, 50, 500)),
        (b"\x1bi", c.Cut("ESC i", full=False)),
        (b"\x1bm", c.Cut("ESC m", full=False)),
        (b"\x1bc5\x00", c.Other("ESC c 5", b"5\x00")),
        (b"\x1b*\x21\x01\x00abc", c.ColumnImage("ESC *", 24, 1, b"abc")),
        (b"\x1b*\x00\x02\x00ab", c.ColumnImage("ESC *", 8, 2, b"ab", 2, 3)),
        (b"\x1b(A\x02\x00ab", c.Other("ESC ( A", b"A\x02\x00ab")),
        (b"\x1cS\x00\x02", c.Style("FS S", b"\x00\x02")),
        (b"\x1c&", c.Style("FS &")),
        (b"\x1c.", c.Style("FS .")),
        (b"\x1cC1", c.Style("FS C", b"1")),
        (b"\x1c!\x0c", c.Style("FS !", b"\x0c")),
        (b"\x1c-\x01", c.Style("FS -", b"\x01")),
        (b"\x1cW\x01", c.Style("FS W", b"\x01")),
        (b"\x1c2\xec\x40" + bytes(72), c.DefineKanji("FS 2", b"\xec\x40", bytes(72))),
        (b"\x1c(A\x02\x0000", c.Other("FS ( A", b"A\x02\x0000")),
        (b"\x1d!\x11", c.Style("GS !", b"\x11")),
        (b"\x1dB\x01", c.Style("GS B", b"\x01")),
        (b"\x1dL\x10\x00", c.Style("GS L", b"\x10\x00")),
        (b"\x1dW\x10\x00", c.Style("GS W", b"\x10\x00")),
        (b"\x1da\xff", c.AutoStatus("GS a", 255)),
        (b"\x1dr1", c.StatusRequest("GS r", 49)),
        (b"\x1dIC", c.StatusRequest("GS I", 67)),
        (b"\x1dh\x40", c.Style("GS h", b"\x40")),
        (b"\x1dw\x02", c.Style("GS w", b"\x02")),
        (b"\x1dH\x02", c.Style("GS H", b"\x02")),
        (b"\x1df\x01", c.Style("GS f", b"\x01")),
        (b"\x1dk\x04ABC\x00", c.Barcode("GS k", 69, b"ABC")),
        (b"\x1dkI\x05{B12\x00", c.Barcode("GS k", 73, b"{B12\x00")),
        (b"\x1dVB\x10", c.Cut("GS V", full=False, units=16)),
        (b"\x1dVA\x00", c.Cut("GS V", full=True)),
        (b"\x1dV\x01", c.Cut("GS V", full=False)),
        (raster(1, 2, b"\xf0\x0f", 3), c.Raster("GS v 0", 1, 2, b"\xf0\x0f", 2, 2)),
        (b"\x1d(H\x06\x0000 ~ab", c.ProcessId("GS ( H", b" ~ab")),
        (b"\x1d(D\x03\x00\x14\x01\x00", c.Other("GS ( D", b"\x03\x00\x14\x01\x00")),
        (b"\x1d(k\x03\x001C\x05", c.Symbol("GS ( k", 49, 67, b"\x05")),
        (b"\x1d$\x10\x00", c.Style("GS $", b"\x10\x00")),
        (b"\x1d\\\x10\x00", c.Style("GS \\", b"\x10\x00")),
        (b"\x1dP\xcb\xcb", c.Style("GS P", b"\xcb\xcb")),
        (b"\x1db\x01", c.Style("GS b", b"\x01")),
        (b"\t", c.Control("HT")),
        (b"\n", c.Control("LF")),
        (b"\r", c.Control("CR")),
        (b"\x0c", c.Control("FF")),
        (b"\x18", c.Control("CAN")),
        (b"\x10\x04\x04", c.StatusRequest("DLE EOT", 4, real_time=True)),
        (b"\x10\x05\x01", c.Recover("DLE ENQ", clear=False)),
        (b"\x10\x05\x02", c.Recover("DLE ENQ", clear=True)),
        (b"\x10\x14\x01\x01\x02", c.Pulse("DLE DC4", 5, 200, 200, real_time=True)),
        (b"\x1bX", c.unknown(b"\x1bX")),
        (b"\x1dV\x09", c.unknown(b"\x1dV\x09")),
        (b"\x1dv1", c.unknown(b"\x1dv1")),
        (b"\x1d(!\x01\x00a", c.unknown(b"\x1d(!\x01\x00a")),
    ],
)
def test_command(data, command):
    """Each command is understood as what it is, and so is what follows it."""
    assert parse(data + b"\x1b2") == [command, c.Style("ESC 2")]


@pytest.mark.parametrize("long", [False, True])
def test_buffered_graphics(long):
    """Both forms store an image, and function 50 prints it."""
    image = c.Raster("GS 8 L" if long else "GS ( L", 2, 2, b"abcd")
    name = "GS 8 L" if long else "GS ( L"
    assert parse(stored(9, 2, b"abcd", long)) == [c.StoreRaster(name, image), c.PrintStored("GS ( L")]


def test_real_time_commands_are_seen_inside_a_raster():
    """As printers do: the status is asked for at once, and the dots are printed all the same."""
    data = b"ab\x10\x04\x01cd\x10\x14\x01\x00\x01"
    first, second, third = parse(raster(6, 2, data))
    assert first == c.StatusRequest("DLE EOT", 1, real_time=True)
    assert second == c.Pulse("DLE DC4", 2, 100, 100, real_time=True)
    assert third.data == data


def test_pulse_in_a_raster_can_be_disabled():
    """GS ( D is for that: from there on, until it is enabled again or the printer initialised."""
    dots = raster(5, 1, b"\x10\x14\x01\x00\x01")
    off, on = b"\x1d(D\x03\x00\x14\x01\x00", b"\x1d(D\x03\x00\x14\x01\x01"
    pulses = [command for command in parse(dots + off + dots + dots + on + dots) if isinstance(command, c.Pulse)]
    assert len(pulses) == 2
    assert len([command for command in parse(off + b"\x1b@" + dots) if isinstance(command, c.Pulse)]) == 1


def test_clearing_the_buffer_forgets_an_unfinished_command():
    """DLE DC4 8 works inside a raster too, and what follows it is read afresh."""
    clear = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"
    assert parse(raster(72, 100, b"")[:8] + b"dots" + clear + b"\n") == [
        c.Recover("DLE DC4", clear=True),
        c.Control("LF"),
    ]
