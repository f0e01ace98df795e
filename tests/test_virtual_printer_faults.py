# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The virtual printer over real sockets: how it fails when it is told to."""

import asyncio
import socket
import time

import pytest
from PIL import Image
from pos_hardware_proxy.virtual_printer import State, VirtualPrinter
from virtual_printer_kit import CUT, DATA, client, full_raster, process_id, receipt, running, scenario, until


@pytest.mark.parametrize("reset", [False, True])
def test_connection_ends_after_so_many_bytes(reset):
    """The byte is exact, the slices before it are on the paper, and the client sees FIN or RST as ordered."""

    async def run():
        setting = {"reset_after" if reset else "drop_after": 40_000}
        async with running(**setting) as printer, client(printer) as one:
            if reset:
                with pytest.raises(ConnectionError):
                    await one.send(receipt() + CUT)
                    await one.rest()
            else:
                await one.send(receipt() + CUT)
                assert await one.rest() == b""
            await until(lambda: not printer.connections)
            (fault,) = printer.ledger.faults
            assert fault.name == ("reset" if reset else "drop") and fault.detail == {"received": 40_000}
            assert printer.paper.height == 510 and not printer.papers
            assert printer.state.drop_after is None and printer.state.reset_after is None
            # The next connection is served, and what it prints hangs on the unfinished receipt until that is torn off.
            torn = printer.tear_off()
            assert torn.cut == "torn" and torn.bits() == DATA[: 510 * 72]
            async with client(printer) as two:
                await two.send(receipt() + CUT + process_id())
                assert await two.answer(7) == b"\x37\x220001\0"
            assert [paper.bits() == DATA for paper in printer.papers] == [False, True]

    asyncio.run(run())


@scenario()
async def test_fault_counts_from_when_it_was_ordered(printer, one):
    """Also on a connection that is open and idle."""
    assert await one.ask(b"\x10\x04\x01") == b"\x12"
    printer.state.drop_after = 10
    await one.send(b"a" * 50)
    assert await one.rest() == b""
    assert printer.ledger.of("disconnect")[0].detail == {"received": 13}


@pytest.mark.parametrize(("keep", "lines"), [(True, ["ond"]), (False, ["second"])])
def test_unfinished_command_may_swallow_the_next_connection(keep, lines):
    """Some printers go on with a broken image when the next client comes; others forget it."""

    async def run():
        async with running(keep_partial=keep) as printer:
            async with client(printer) as one:
                await one.send(b"\x1dv0\x00\x02\x00\x02\x00a")
            await until(lambda: printer.ledger.of("disconnect"))
            async with client(printer) as two:
                await two.ask(b"second\n\x1dr1")
            assert printer.paper.lines == lines

    asyncio.run(run())


def test_further_connection_waits_or_is_refused():
    """One session: the second one is served when the first ends, or reset at once."""

    async def run():
        async with running() as printer:
            async with client(printer) as one:
                assert await one.ask(b"\x10\x04\x01") == b"\x12"
                async with client(printer) as two:
                    await two.send(b"\x10\x04\x02")
                    assert await two.nothing()
                    one.writer.close()
                    assert await two.answer(1) == b"\x12"
            await until(lambda: not printer.connections)
            printer.state.busy = "refuse"
            async with client(printer) as one, client(printer) as two:
                assert await one.ask(b"\x10\x04\x01") == b"\x12"
                with pytest.raises(ConnectionResetError):
                    await two.rest()
                assert [fault.name for fault in printer.ledger.faults] == ["refused"]
                printer.state.sessions = 2
                async with client(printer) as three:
                    assert await three.ask(b"\x10\x04\x01") == b"\x12"

    asyncio.run(run())


@scenario(accept_delay=0.3)
async def test_delayed_accept(printer, one):
    """The connection stands, but nobody reads it for a while."""
    start = time.monotonic()
    assert await one.ask(b"\x10\x04\x01") == b"\x12"
    assert time.monotonic() - start >= 0.25


@scenario(idle_timeout=0.1)
async def test_idle_connection_is_closed(printer, one):
    """As printers do after some minutes."""
    assert await one.rest() == b""
    assert printer.ledger.of("disconnect")[0].name == "idle"


@scenario(paper_speed=200.0)
async def test_power_off_loses_what_is_not_printed(printer, one):
    """The connection dies, the port refuses; after power on the rest never comes, and settings are forgotten."""
    await one.send(b"\x1da\xff" + receipt() + CUT + process_id())
    assert await one.answer(4) == b"\x10\0\0\0"
    await until(lambda: printer.paper.height)
    printer.power_off()
    with pytest.raises(ConnectionResetError):
        await one.rest()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", printer.port)
    height = printer.paper.height
    assert 0 < height < 1200 and not printer.papers
    printer.power_on()
    async with client(printer) as two:
        printer.state.near_end = True
        assert await two.ask(b"\x1dr1") == b"\x03"
        assert await two.nothing()
    assert printer.paper.height == height
    assert [event.name for event in printer.ledger.of("power")] == ["on", "off", "on"]


@scenario()
async def test_half_closed_connection_gets_its_answers(printer, one):
    """shutdown(SHUT_WR), then read until the printer closes: everything arrives, the answer too."""
    await one.send(receipt() + CUT + process_id())
    one.writer.write_eof()
    assert await one.rest() == b"\x37\x220001\0"
    assert printer.papers[0].bits() == DATA
    assert printer.ledger.of("disconnect")[0].name == "closed by client"


def test_client_that_goes_away_does_not_stop_the_printer():
    """What was received is printed; the answer is lost, and the ledger says so."""

    async def run():
        async with running(paper_end=True) as printer:
            async with client(printer) as one:
                await one.send(receipt() + CUT + process_id())
                await until(lambda: printer.connections and printer.connections[0].received > 86_400)
                one.writer.transport.abort()
            await until(lambda: not printer.connections)
            printer.state.paper_end = False
            await until(lambda: printer.ledger.of("lost reply"))
            assert printer.papers[0].bits() == DATA

    asyncio.run(run())


def test_model_can_change_while_it_runs():
    """Another width counts from the next strip on, another ROM from the next line."""

    async def run():
        async with running() as printer, client(printer) as one:
            await one.ask(b"abc\n\x1dr1")
            printer.state.width, printer.state.rom = 384, "western"
            await one.ask("日\n".encode("cp932") + CUT + full_raster(1) + CUT + b"\x1dr1")
            assert [paper.width for paper in printer.papers] == [576, 384]
            assert printer.papers[0].lines == ["abc", "ô·"]

    asyncio.run(run())


def test_state_refuses_what_cannot_be():
    """Unknown names and values of the wrong kind."""
    state = State()
    for name, value in [("width", 5), ("rom", "greek"), ("paper_end", 1), ("nonsense", 1), ("paper_speed", 0)]:
        with pytest.raises(ValueError):
            setattr(state, name, value)
    for name in ("sessions", "width", "buffer_bytes"):
        with pytest.raises(ValueError):
            setattr(state, name, None)
    assert state == State()


def test_papers_are_saved_and_old_ones_forgotten(tmp_path):
    """A PNG per cut; of old strips the digest stays and the dots go. Also from a thread without an event loop."""
    folder = tmp_path / "papers"
    printer = VirtualPrinter(folder=folder, keep=1)
    with printer.in_thread():
        for number in range(3):
            with socket.create_connection(("127.0.0.1", printer.port)) as one:
                one.sendall(full_raster(10 + number) + CUT + process_id())
                assert one.recv(7) == b"\x37\x220001\0"
        printer.state.cover_open = True
        assert printer.call(printer.tear_off) is None
    assert [Image.open(file).size for file in sorted(folder.iterdir())] == [(576, 10), (576, 11), (576, 12)]
    assert [len(paper.bands) for paper in printer.papers] == [0, 0, 1]
    assert len({paper.sha256 for paper in printer.papers}) == 3
    with VirtualPrinter().in_thread() as other, pytest.raises(OSError), VirtualPrinter(other.port).in_thread():
        pass


@scenario(keep=None)
async def test_accepting_a_receipt_is_cheap(printer, one):
    """A 576 x 1200 receipt with its process id costs the machine under 2 ms, the client of this test included."""
    spent = []
    for _receipt in range(15):
        start = time.process_time()
        await one.ask(receipt() + process_id() + CUT, 7)
        spent.append(time.process_time() - start)
    assert min(spent) < 0.002
    await until(lambda: len(printer.papers) == 15)
