# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Scanners and scales on pseudo-terminals and pipes, asked through the proxy's doors."""

import asyncio
import json
import os
import pty
import termios
import threading
import time
import tty
from decimal import Decimal

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pos_hardware_proxy import serial_line
from pos_hardware_proxy.config import ScaleConfig, ScannerConfig
from pos_hardware_proxy.link import FileLink, open_link
from pos_hardware_proxy.scale import Weight, parse
from pos_hardware_proxy.scanner import EVENT, Keyboard, Scans
from proxy_shop import ORIGIN, Till, run, shop

ENTER, SHIFT, CONTROL = 28, 42, 29
OPEN = {"without_token": True}


def keys(*codes, at=0.0):
    """Bytes of a keyboard on which these keys are pressed and released; negative: held until the end of the call.

    :param at: seconds by the clock of the events
    """
    moment = int(at), round(at % 1 * 1e6)
    held = [-code for code in codes if code < 0]
    events = [(code, 1) for code in held]
    for code in codes:
        events += [(code, 1), (code, 0)] if code > 0 else []
    events += [(code, 0) for code in held]
    return b"".join(EVENT.pack(*moment, 1, code, value) + EVENT.pack(*moment, 0, 0, 0) for code, value in events)


def digits(text):
    return [11 if digit == "0" else int(digit) + 1 for digit in text]


# -- keys ------------------------------------------------------------------------------------------
def test_keys_become_codes():
    assert Keyboard().feed(keys(*digits("4901234567894"), ENTER), 0) == ["4901234567894"]
    assert Keyboard().feed(keys(-SHIFT, 30, 48) + keys(30, ENTER), 0) == ["ABa"]
    assert Keyboard("us").feed(keys(-SHIFT, 13) + keys(ENTER), 0) == ["+"]
    assert Keyboard("jp").feed(keys(-SHIFT, 39) + keys(ENTER), 0) == ["+"]


def test_the_separator_of_gs1_survives():
    data = keys(*digits("10")) + keys(30) + keys(-CONTROL, 27) + keys(*digits("21"), ENTER)
    assert Keyboard().feed(data, 0) == ["10a\x1d21"]


def test_a_pause_ends_a_code():
    board = Keyboard()
    assert board.feed(keys(*digits("12"), at=100), 1.0) == []
    assert board.due(1.01) == ""
    assert board.due(1.2) == "12"
    board.feed(keys(*digits("3"), at=101), 2.0)
    assert board.feed(keys(*digits("4"), ENTER, at=102), 2.0) == ["3", "4"]  # read at once, typed apart


def test_a_busy_machine_does_not_tear_a_code():
    """Read a second late, but typed in one go by the events' own clock."""
    board = Keyboard()
    assert board.feed(keys(*digits("4901"), at=100.0), 1.0) == []
    assert board.feed(keys(*digits("2345"), ENTER, at=100.04), 2.0) == ["49012345"]


@given(st.binary(max_size=400), st.integers(1, 40))
def test_any_bytes_of_a_keyboard_are_read(data, step):
    board = Keyboard()
    for first in range(0, len(data), step):
        board.feed(data[first : first + step], 0)


# -- scales ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "answer, last, weight",
    [
        (b"01.234", None, Weight(Decimal("1.234"))),
        (b"00.000", None, Weight(Decimal(0))),
        (b"?\x01", Decimal(1), Weight(None, "moving")),
        (b"?\x02", None, Weight(None, "over")),
        (b"?\x04", None, Weight(None, "under")),
        (b"?\x08", None, Weight(None, "not_zero")),
        (b"?\x00", Decimal("1.5"), Weight(Decimal("1.5"))),
        (b"?\x10", None, Weight(None, "moving")),
        (b"?", None, Weight(None, "moving")),
        (b"1,5", None, Weight(None, "garbled")),
        (b"", None, Weight(None, "garbled")),
        (b"nan", None, Weight(None, "garbled")),
        (b"\xff", None, Weight(None, "garbled")),
    ],
)
def test_answers_of_a_scale(answer, last, weight):
    assert parse(answer, last) == weight


# -- through the doors -----------------------------------------------------------------------------
class Line:
    """A serial line: what the device says goes into ``say``; ``asked`` counts the questions that came."""

    def __init__(self, answer=b""):
        self.ours, theirs = pty.openpty()
        tty.setraw(self.ours)
        self.path, self.answer, self.asked = os.ttyname(theirs), answer, 0
        self._theirs = theirs
        asyncio.get_running_loop().add_reader(self.ours, self._read)

    def _read(self):
        self.asked += os.read(self.ours, 100).count(b"W")
        if self.answer:
            os.write(self.ours, self.answer)

    def say(self, data):
        os.write(self.ours, data)

    def close(self):
        asyncio.get_running_loop().remove_reader(self.ours)
        os.close(self.ours)
        os.close(self._theirs)


def till(place):
    return Till(place.session, place.url, place.gate.keys.proxy_id, scopes=("scan", "scale"))


async def until(ask, seconds=10):
    limit = time.monotonic() + seconds
    while not (answer := await ask()):
        assert time.monotonic() < limit, "it did not happen"
        await asyncio.sleep(0.02)
    return answer


def test_a_scale_is_read(tmp_path):
    async def story():
        line = Line(b"\x0201.234\r")
        config = (ScaleConfig("scale", f"serial://{line.path}?baud=9600&bits=7&parity=E"),)
        async with shop(tmp_path, settings={"scales": config, **OPEN}) as place:
            asker = till(place)

            async def weight():
                return (await asker.ask("GET", "/scale"))[1]

            assert await until(lambda: _is(weight, kilograms="1.234"))
            line.answer = b"\x02?\x01\r"
            assert await until(lambda: _is(weight, reason="moving"))
            body, headers = '{"id": 1, "params": {}}', {"Origin": ORIGIN, "Content-Type": "application/json"}
            async with place.session.post(f"{place.url}/hw_proxy/scale_read", data=body, headers=headers) as response:
                assert (await response.json())["result"] == {"weight": 0.0}
            line.answer = b""
            assert await until(lambda: _is(weight, reason="silent"))
            assert line.asked > 2
        line.close()

    run(story())


async def _is(ask, **wanted):
    answer = await ask()
    return all(answer[key] == value for key, value in wanted.items())


def test_scans_are_given_out_once(tmp_path):
    """From a serial scanner and from one that plays a keyboard; two tills ask, one gets it."""

    async def story():
        line, pipe = Line(), tmp_path / "keyboard"
        os.mkfifo(pipe)
        config = (
            ScannerConfig("hand", f"serial://{line.path}?baud=9600"),
            ScannerConfig("counter", f"file://{pipe}", "jp"),
        )
        async with shop(tmp_path / "state", settings={"scanners": config, **OPEN}) as place:
            await asyncio.sleep(0.2)  # both are open
            asks = [asyncio.create_task(till(place).ask("GET", f"/scans?wait={seconds}")) for seconds in (3, 3.01)]
            await asyncio.sleep(0.1)
            line.say(b"0104912345678904\x1d10AB\r\n")
            answers = [(await ask)[1]["code"] for ask in asks]
            assert sorted(answers, key=str) == ["0104912345678904\x1d10AB", None]
            with open(pipe, "wb", buffering=0) as keyboard:
                keyboard.write(keys(*digits("4901234567894"), ENTER))
                assert (await till(place).ask("GET", "/scans?wait=5"))[1] == {"code": "4901234567894"}
            line.say(b"first\r")
            body, headers = json.dumps({"id": 1}), {"Origin": ORIGIN, "Content-Type": "application/json"}
            async with place.session.post(f"{place.url}/hw_proxy/scanner", data=body, headers=headers) as response:
                assert (await response.json())["result"] == "first"
        line.close()

    run(story())


@pytest.mark.parametrize("door", ["/scans", "/hw_proxy/scanner"])
def test_a_till_that_has_gone_eats_no_scan(tmp_path, door):
    """It asked, and its socket was closed before anything was scanned: the code is for who asks next."""

    async def story():
        async with shop(tmp_path, settings=OPEN) as place:
            asker = till(place)
            if door == "/scans":
                gone = asyncio.create_task(asker.ask("GET", "/scans?wait=30"))
            else:
                headers = {"Origin": ORIGIN, "Content-Type": "application/json"}
                gone = asyncio.create_task(_post(f"{place.url}{door}", '{"id": 1}', headers))
            await asyncio.sleep(0.2)
            gone.cancel()  # closes its connection
            await asyncio.wait([gone])
            await asyncio.sleep(0.2)
            waiting = asyncio.create_task(asker.ask("GET", "/scans?wait=10"))
            await asyncio.sleep(0.2)
            place.proxy.scans.add("4901234567894")
            assert (await waiting)[1] == {"code": "4901234567894"}

    run(story())


async def _post(url, body, headers):
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as response:
        return await response.json()


# -- serial lines ----------------------------------------------------------------------------------
def test_a_serial_line_is_set_as_its_address_says():
    def settings(query):
        return serial_line.options(f"serial:///dev/ttyS0{query}")

    plain = settings("")
    assert (plain["baudrate"], plain["rtscts"], plain["xonxoff"]) == (38400, False, False)
    assert settings("?flow=rtscts") == {**plain, "rtscts": True}
    assert settings("?baud=9600&bits=7&parity=E&stop=2&flow=xonxoff") == {
        "baudrate": 9600, "bytesize": 7, "parity": "E", "stopbits": 2, "rtscts": False, "xonxoff": True,
    }  # fmt: skip


def test_flow_control_reaches_the_kernel():
    async def story():
        line = Line()
        for flow, expected in (("none", 0), ("xonxoff", termios.IXON)):
            link = await open_link(f"serial://{line.path}?flow={flow}", lambda data: None)
            assert termios.tcgetattr(link.fileno())[0] & termios.IXON == expected
            await link.close()
        line.close()

    run(story())


def test_closing_a_serial_line_stops_nobody(monkeypatch):
    """Its close() hangs as the kernel's does behind a printer that takes nothing; meanwhile all else goes on."""
    monkeypatch.setattr("pos_hardware_proxy.link.DRAIN_S", 0.1)
    monkeypatch.setattr("pos_hardware_proxy.link.Link.unsent", lambda link: 9)
    hung, let_go = threading.Event(), threading.Event()

    class Port:
        def close(self):
            hung.set()
            assert let_go.wait(30)

    async def story():
        ours, theirs = pty.openpty()
        closing = asyncio.create_task(FileLink(theirs, lambda data: None, owner=Port()).close())
        await asyncio.to_thread(hung.wait, 30)  # given up: nothing is drained for ever
        assert not closing.done()
        let_go.set()  # by this loop, which is not held
        await closing
        os.close(ours)
        os.close(theirs)

    run(story())


def test_what_was_written_is_sent_before_a_line_is_closed(monkeypatch):
    """As long as the device goes on taking bytes, however slowly, they are not thrown away."""
    monkeypatch.setattr("pos_hardware_proxy.link.DRAIN_S", 0.5)
    left = list(range(20, -1, -1))
    monkeypatch.setattr("pos_hardware_proxy.link.Link.unsent", lambda link: left.pop(0) if left else 0)
    monkeypatch.setattr("termios.tcflush", lambda *arguments: pytest.fail("thrown away"))

    async def story():
        ours, theirs = pty.openpty()
        await FileLink(theirs, lambda data: None).close()
        assert not left
        os.close(ours)

    run(story())


def test_a_till_that_waits_for_a_scan_does_not_hold_up_the_end(tmp_path):
    async def story():
        async with shop(tmp_path, settings=OPEN) as place:
            body, headers = json.dumps({"id": 1}), {"Origin": ORIGIN, "Content-Type": "application/json"}
            url = f"{place.url}/hw_proxy/scanner"
            ask = asyncio.create_task(place.session.post(url, data=body, headers=headers))
            await asyncio.sleep(0.2)
            await asyncio.wait_for(place.end(), 10)  # the poll itself would last 40 s
            assert (await (await ask).json())["result"] is None

    run(story())


def test_old_scans_are_forgotten(monkeypatch):
    monkeypatch.setattr("pos_hardware_proxy.scanner.STALE_S", 0.05)

    async def story():
        scans = Scans()
        scans.add("old")
        await asyncio.sleep(0.1)
        scans.add("new")
        assert await scans.take(0.1) == "new"
        assert await scans.take(0.01) is None

    run(story())


def test_a_scanner_that_was_unplugged_comes_back(tmp_path):
    async def story():
        pipe = tmp_path / "keyboard"
        config = (ScannerConfig("counter", f"file://{pipe}"),)
        async with shop(tmp_path / "state", settings={"scanners": config}) as place:
            await asyncio.sleep(0.1)
            assert place.proxy.health()["scanners"] == [{"name": "counter", "reason": "unplugged"}]
            os.mkfifo(pipe)

            async def plugged():
                return not place.proxy.scanners[0].reason

            await until(plugged)
            with open(pipe, "wb", buffering=0) as keyboard:
                keyboard.write(keys(*digits("12"), ENTER))
                assert await place.proxy.scans.take(5) == "12"

    run(story())
