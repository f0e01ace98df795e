# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The virtual printer over real sockets: what it answers and when, and what its ledger says."""

import asyncio
import socket
import time

from virtual_printer_kit import CUT, DATA, INIT, full_raster, process_id, receipt, scenario, until


@scenario()
async def test_status_bytes(printer, one):
    """DLE EOT 1 to 4 for each condition."""
    state = printer.state

    async def four():
        return (await one.ask(b"\x10\x04\x01\x10\x04\x02\x10\x04\x03\x10\x04\x04", 4)).hex()

    assert await four() == "12121212"
    for name, value, expected in [
        ("drawer_open", True, "16121212"),
        ("cover_open", True, "1a161212"),
        ("offline", True, "1a121212"),
        ("near_end", True, "1212121e"),
        ("paper_end", True, "1a32127e"),
        ("error", "cutter", "1a521a12"),
        ("error", "fatal", "1a523212"),
        ("error", "recoverable", "1a525212"),
    ]:
        before = getattr(state, name)
        setattr(state, name, value)
        assert await four() == expected, name
        setattr(state, name, before)
    state.drawer_high_open = False
    assert await four() == "16121212"


@scenario()
async def test_automatic_status(printer, one):
    """GS a answers at once and then whenever something it asked for changes; 0 ends that."""
    assert await one.ask(b"\x1da\xff", 4) == b"\x10\0\0\0"
    printer.state.cover_open = True
    assert await one.answer(4) == b"\x38\0\0\0"
    printer.state.cover_open = False
    assert await one.answer(4) == b"\x10\0\0\0"
    printer.state.near_end = True
    assert await one.answer(4) == b"\x10\0\x03\0"
    printer.state.paper_end = True
    assert await one.answer(4) == b"\x18\0\x0f\0"
    printer.state.paper_end = False
    assert await one.answer(4) == b"\x10\0\x03\0"
    assert await one.ask(b"\x1da\x01", 4) == b"\x10\0\x03\0"
    printer.state.near_end = False
    assert await one.nothing()
    printer.state.drawer_open = True
    assert await one.answer(4) == b"\x14\0\0\0"
    assert await one.ask(b"\x1da\x00\x1dr1") == b"\0"
    printer.state.drawer_open = False
    assert await one.nothing()


@scenario()
async def test_queued_answers(printer, one):
    """GS r, GS I and the process id."""
    assert await one.ask(b"\x1dr1") == b"\0"
    printer.state.near_end = True
    assert await one.ask(b"\x1dr\x01") == b"\x03"
    assert await one.ask(b"\x1dr2") == b"\0"
    printer.state.drawer_open = True
    assert await one.ask(b"\x1dr\x02") == b"\x01"
    assert await one.ask(b"\x1dIC", 9) == b"\x5fVIRTUAL\0"
    assert await one.ask(b"\x1dIE", 16) == b"\x5fKANJI JAPANESE\0"
    assert await one.ask(b"\x1dI\x02") == b"\x03"
    assert await one.ask(process_id(b"a~ 0"), 7) == b"\x37\x22a~ 0\0"
    await one.send(process_id(b"a\x1f00"))
    assert await one.nothing()


@scenario(silent=True)
async def test_silent_printer_answers_nothing(printer, one):
    """It prints all the same."""
    await one.send(b"\x10\x04\x01\x1da\xff" + receipt() + process_id() + CUT)
    await until(lambda: printer.papers)
    assert await one.nothing() and not printer.ledger.of("reply")


@scenario()
async def test_ledger_tells_what_happened(printer, one):
    """Commands, pulse, cut with the digest of the dots, unknown bytes, and who it was."""
    await one.send(INIT + b"\x1bp\x01\x32\xfa" + full_raster(10, DATA[:720]) + CUT + b"\x1bX" + process_id())
    await one.answer(7)
    ledger = printer.ledger
    assert ledger.commands == ["ESC @", "ESC p", "GS v 0", "GS V", "GS ( H"]
    (pulse,) = ledger.pulses
    assert pulse.detail == {"pin": 5, "on_ms": 100, "off_ms": 500, "real_time": False} and pulse.connection == 1
    assert abs(pulse.at - time.time()) < 5
    (cut,) = ledger.cuts
    (paper,) = printer.papers
    assert cut.paper is paper and cut.detail == {"number": 1} and paper.bits() == DATA[:720]
    assert cut.sha256 == paper.sha256 and paper.cut == "partial"
    assert [event.detail["data"] for event in ledger.unknown] == ["1b 58"]
    assert [event.kind for event in ledger.events][:2] == ["power", "connect"]
    assert [event.number for event in ledger.events] == list(range(1, ledger.total + 1))


@scenario()
async def test_pulse_opens_the_drawer(printer, one):
    """Only the pin that the drawer is at, only when it is not stuck; real-time pulses also while it is stopped."""
    await one.send(b"\x1bp\x01\x32\xfa\x1dr1")
    await one.answer(1)
    assert not printer.state.drawer_open
    printer.state.drawer_stuck = True
    assert await one.ask(b"\x10\x14\x01\x00\x01\x10\x04\x01") == b"\x12"
    printer.state.drawer_stuck = False
    printer.state.paper_end = True
    await one.send(b"\x1bp\x00\x32\xfa")
    assert await one.ask(b"\x10\x04\x01") == b"\x1a"
    assert await one.ask(b"\x10\x14\x01\x00\x02\x10\x04\x01") == b"\x1e"
    assert [pulse.detail["on_ms"] for pulse in printer.ledger.pulses] == [100, 100, 200]


@scenario(paper_speed=400.0)
async def test_process_id_comes_when_the_paper_is_out(printer, one):
    """800 dots are 100 mm: at 400 mm/s the answer takes a quarter of a second; the status comes at once."""
    start = time.monotonic()
    await one.send(full_raster(800) + process_id() + b"\x1dr1")
    assert await one.ask(b"\x10\x04\x01") == b"\x12"
    assert await one.answer(8) == b"\x37\x220001\0\0"
    assert 0.24 <= time.monotonic() - start < 3


@scenario(paper_speed=500.0)
async def test_printing_stops_and_goes_on_by_itself(printer, one):
    """Paper out, cover open and offline keep what was received; nothing is lost or doubled."""
    for name in ("paper_end", "cover_open", "offline"):
        await one.send(full_raster(1200, DATA) + CUT + process_id())
        await until(lambda: printer.paper.height)
        setattr(printer.state, name, True)
        await asyncio.sleep(0.1)
        height = printer.paper.height
        assert 0 < height < 1200
        assert await one.nothing() and printer.paper.height == height
        setattr(printer.state, name, False)
        assert await one.answer(7) == b"\x37\x220001\0"
    assert [paper.bits() for paper in printer.papers] == [DATA] * 3


@scenario(paper_left=500)
async def test_roll_runs_out_in_the_middle(printer, one):
    """The printer stops where the roll ends, says so, and goes on with a new roll."""
    await one.send(b"\x1da\xff")
    await one.answer(4)
    await one.send(receipt() + CUT + process_id())
    assert await one.answer(4) == b"\x18\0\x0f\0"
    assert 500 <= printer.paper.height < 564
    assert await one.nothing()
    printer.state.paper_end = False
    assert (await one.answer(11))[4:] == b"\x37\x220001\0"
    assert printer.papers[0].bits() == DATA and printer.state.paper_left is None


@scenario(latest_id_only=True, paper_end=True)
async def test_only_the_latest_of_several_ids(printer, one):
    """Some printers answer only the last id of those that wait."""
    await one.send(process_id(b"0001") + process_id(b"0002"))
    await asyncio.sleep(0.05)
    printer.state.paper_end = False
    assert await one.answer(7) == b"\x37\x220002\0"


@scenario()
async def test_error_recovery(printer, one):
    """DLE ENQ 1 goes on after a cutter error, DLE ENQ 2 throws away what waits; without an error neither does."""
    await one.send(b"\x10\x05\x02" + full_raster(5) + CUT)
    await until(lambda: printer.papers)
    printer.state.error = "cutter"
    await one.send(full_raster(5) + CUT + b"\x10\x05\x01")
    await until(lambda: len(printer.papers) == 2)
    printer.state.error = "cutter"
    await one.send(full_raster(5) + CUT + b"\x10\x05\x02")
    assert await one.ask(process_id(), 7) == b"\x37\x220001\0"
    assert len(printer.papers) == 2 and printer.paper.height == 0
    printer.state.paper_end = True
    assert await one.ask(full_raster(5) + CUT + b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08", 3) == b"\x37\x25\0"
    printer.state.paper_end = False
    assert await one.ask(process_id(), 7) == b"\x37\x220001\0"
    assert len(printer.papers) == 2


@scenario(bytes_per_second=20000.0)
async def test_bytes_are_taken_at_a_rate(printer, one):
    """7.2 kB at 20 kB/s take more than a third of a second."""
    start = time.monotonic()
    await one.send(full_raster(100) + process_id())
    await one.answer(7)
    assert 0.33 <= time.monotonic() - start < 3


@scenario(receive_window=2048, buffer_bytes=4000, paper_end=True)
async def test_small_window_and_buffer_hold_the_sender_back(printer, one):
    """A printer that is out of paper takes some kilobytes and no more; with paper it takes the rest."""
    one.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    sending = asyncio.create_task(one.send(full_raster(10) * 500 + process_id() + CUT))
    await until(lambda: printer.connections and printer.connections[0].received >= 4000)
    await asyncio.sleep(0.1)
    assert 4000 <= printer.connections[0].received < 40_000 and not sending.done()
    printer.state.paper_end = False
    await sending
    assert await one.answer(7) == b"\x37\x220001\0"
    await until(lambda: printer.papers)
    assert printer.papers[0].height == 5000
