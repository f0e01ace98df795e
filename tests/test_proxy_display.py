# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Line displays for customers: what they can show, on a line of their own and through a printer."""

import asyncio
import os
import pty
import time
import tty
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pos_hardware_proxy import display
from pos_hardware_proxy.config import Config, ConfigError, DisplayConfig
from pos_hardware_proxy.link import LinkError
from proxy_shop import Till, on_paper, paper, run, shop, until


class Glass:
    """A display: what stands on it after these bytes. It knows nothing of the proxy."""

    SIZES = {b"\x1b@": 2, b"\x1bt": 3, b"\x1bR": 3, b"\x1f$": 4}

    def __init__(self, data, columns=20):
        self.rows = [[" "] * columns for _row in range(2)]
        self.unknown, x, y, at = [], 0, 0, 0
        while at < len(data):
            size = self.SIZES.get(data[at : at + 2], 1)
            command, at = data[at : at + size], at + size
            if command[:2] == b"\x1f$":
                x, y = command[2] - 1, command[3] - 1
            elif command in (b"\x0c", b"\x1b@"):
                self.rows = [[" "] * columns for _row in range(2)]
            elif size == 1 and command[0] >= 0x20:
                self.rows[y][x] = self.character(command[0])
                x, y = ((x + 1) % columns, (y + (x + 1 == columns)) % 2)
            elif command[:2] not in self.SIZES or command not in (b"\x1bt\x01", b"\x1bR\x08"):
                self.unknown.append(command)

    @staticmethod
    def character(byte):
        if byte == 0x5C:
            return "¥"
        return bytes([byte]).decode("shift_jis") if byte < 0x7F or 0xA1 <= byte <= 0xDF else "?"

    @property
    def lines(self):
        return ["".join(row) for row in self.rows]


# -- what it can show ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text, shown",
    [
        ("リンゴ", "ﾘﾝｺﾞ"),
        ("りんごパイ", "ﾘﾝｺﾞﾊﾟｲ"),
        ("ＡＢＣ　１２３", "ABC 123"),
        ("国産リンゴ", "  ﾘﾝｺﾞ"),
        ("ｶﾞｰﾄﾞ", "ｶﾞｰﾄﾞ"),
        ("合計　￥1,080", "   ¥1,080"),
        ("「ヴァ・ヮ」。", "｢ｳﾞｧ･ﾜ｣｡"),
        ("\\100", " 100"),
        ("a\x1b@\x0cb𠮷😀", "a @ b  "),
        ("−50～", "-50~"),
    ],
)
def test_characters(text, shown):
    assert display.narrow(text) == shown


@pytest.mark.parametrize(
    "text, shown",
    [
        ("リンゴ ¥1,080", "ﾘﾝｺﾞ ¥1,080         "),
        ("プレミアムリンゴジュース1L ¥1,234,567", "ﾌﾟﾚﾐｱﾑﾘﾝｺ ¥1,234,567"),
        ("AAAAAAAAAAAAAAAAAAAAAAAA -¥500", "AAAAAAAAAAAAAA -¥500"),
        ("ｱ" * 30, "ｱ" * 20),
        ("", " " * 20),
        ("1" * 30, "1" * 20),
    ],
)
def test_the_amount_always_fits(text, shown):
    assert display.fit(text, 20) == shown


@given(st.lists(st.text(max_size=40), max_size=2), st.integers(16, 40))
def test_every_update_fills_the_glass(lines, columns):
    """Whatever is in it: nothing but known commands, and each line in its place."""
    glass = Glass(display.update(lines, columns), columns)
    assert not glass.unknown
    assert glass.lines == [display.fit(line, columns) for line in (*lines, "", "")[:2]]


def test_all_kana_are_shown():
    """Each hiragana and katakana becomes what Unicode says it is in half width."""
    for code in (*range(0x3041, 0x3094), *range(0x30A1, 0x30F5)):
        if chr(code) in "ゎゐゑヮヰヱ":
            continue  # there are none in half width
        shown = display.narrow(chr(code))
        whole = unicodedata.normalize("NFKC", shown)
        assert " " not in shown and whole == chr(code if code > 0x30A0 else code + 0x60)


# -- on a line of its own --------------------------------------------------------------------------------
class Terminal:
    """The other end of a serial line; keeps what it was sent."""

    def __init__(self):
        self.fd, self._end = pty.openpty()
        tty.setraw(self.fd)
        tty.setraw(self._end)
        os.set_blocking(self.fd, False)
        self.address, self.data = f"serial://{os.ttyname(self._end)}?baud=9600", b""

    def read(self):
        try:
            self.data += os.read(self.fd, 65536)
        except BlockingIOError:
            pass
        return self.data

    def close(self):
        os.close(self.fd)
        os.close(self._end)


@pytest.fixture
def terminal():
    end = Terminal()
    yield end
    end.close()


def on(address, **options):
    return {"displays": (DisplayConfig("customer", address, **options),)}


async def show(place, *lines):
    status, answer = await place.till.ask_json("PUT", "/display", {"lines": lines})
    assert status == 200, answer
    return answer["displays"][0]


def test_a_serial_display(tmp_path, terminal):
    async def story():
        async with shop(tmp_path, settings=on(terminal.address)) as place:
            assert await show(place, "りんご", "合計 ¥1,080") == {"name": "customer", "reason": ""}
            await until(lambda: "¥1,080" in Glass(terminal.read()).lines[1])
            glass = Glass(terminal.data)
            assert glass.lines == ["ﾘﾝｺﾞ".ljust(20), "   ¥1,080".ljust(20)] and not glass.unknown
            assert terminal.data.startswith(b"\x1b@\x0c")

    run(story())


def test_the_last_of_many_is_shown(tmp_path, terminal):
    """Ten a second at most; what was overtaken is never shown."""

    async def story():
        async with shop(tmp_path, settings=on(terminal.address)) as place:
            began = time.monotonic()
            for number in range(200):
                place.proxy.displays[0].show([f"No {number}", ""])
                await asyncio.sleep(0.001)
            await until(lambda: Glass(terminal.read()).lines[0].startswith("No 199"))
            await asyncio.sleep(0.3)
            updates, most = terminal.read().count(display.KATAKANA), (time.monotonic() - began) / display.PAUSE_S + 1
            assert updates <= most < 150 and Glass(terminal.data).lines[0].startswith("No 199")

    run(story())


def test_a_display_that_is_away_comes_back(tmp_path, monkeypatch):
    monkeypatch.setattr(display, "RETRY_S", 0.1)

    async def story():
        async with shop(tmp_path, settings=on(f"serial://{tmp_path}/none")) as place:
            await show(place, "a", "b")
            await until(lambda: place.proxy.displays[0].reason == "unplugged")
            assert place.proxy.health()["displays"] == [{"name": "customer", "reason": "unplugged"}]
            end = Terminal()
            os.symlink(os.ttyname(end._end), tmp_path / "none")
            await until(lambda: Glass(end.read()).lines[0].startswith("a"))
            await until(lambda: place.proxy.displays[0].reason == "")
            end.close()

    run(story())


# -- through a printer -----------------------------------------------------------------------------------
class Tapped:
    """What a printer hands on: the bytes it got between ESC = 2 and ESC = 1, read from its line by the test."""

    def __init__(self, device):
        self.data, self.device, received = b"", device, device.received

        def tap(connection, data):
            self.data += data
            received(connection, data)

        device.received = tap

    @property
    def handed_on(self):
        parts = self.data.split(display.SELECT)[1:]
        return b"".join(part.split(display.DESELECT)[0] for part in parts)


def test_a_display_on_a_printer(tmp_path):
    """Updates and papers by turns: neither disturbs the other, and nothing of the display is on paper."""

    async def story():
        async with shop(tmp_path, settings=on("printer://receipt")) as place:
            device = place.devices["receipt"][0]
            tapped = Tapped(device)
            for number in range(5):
                await show(place, f"No {number}", "¥100")
                assert (await place.till.print(paper(number + 1)))["state"] == "printed"
                await until(lambda number=number: Glass(tapped.handed_on).lines[0].startswith(f"No {number}"))
            assert on_paper(device) == [paper(number + 1) for number in range(5)]
            assert not any(page.lines for page in device.papers)
            assert tapped.data.count(display.SELECT) == tapped.data.count(display.DESELECT)

    run(story())


def test_a_stopped_printer_is_not_waited_for(tmp_path, monkeypatch):
    """Out of paper in the middle of a receipt, the display keeps still, and the paper comes out whole."""
    monkeypatch.setattr(display, "RETRY_S", 0.1)

    async def story():
        async with shop(tmp_path, settings=on("printer://receipt"), paper_left=300) as place:
            device = place.devices["receipt"][0]
            job = await place.till.print(paper(rows=900), wait=1)
            await until(lambda: place.proxy.spool.get(job["id"]).reason == "paper_end")
            await show(place, "a", "b")
            await until(lambda: place.proxy.displays[0].reason == "busy")
            device.state.paper_end = False
            await until(lambda: place.proxy.spool.get(job["id"]).state == "printed")
            await until(lambda: place.proxy.displays[0].reason == "")
            assert on_paper(device) == [paper(rows=900)]

    run(story())


def test_a_printer_without_paper_is_sent_nothing(tmp_path, monkeypatch):
    """What waits in its buffer would keep a drawer's pulse from getting through."""
    monkeypatch.setattr(display, "RETRY_S", 0.1)

    async def story():
        async with shop(tmp_path, settings=on("printer://receipt"), paper_end=True) as place:
            device = place.devices["receipt"][0]
            tapped = Tapped(device)
            await show(place, "a", "b")
            await until(lambda: place.proxy.displays[0].reason == "paper_end")
            assert not tapped.handed_on
            device.state.paper_end = False
            await until(lambda: Glass(tapped.handed_on).lines[0].startswith("a"))

    run(story())


def test_a_printer_that_is_off_shows_nothing(tmp_path):
    async def story():
        async with shop(tmp_path, settings=on("printer://receipt")) as place:
            place.devices["receipt"][0].power_off()
            with pytest.raises(LinkError):
                await place.proxy.printers["receipt"].pass_on(b"x")
            await show(place, "a")
            await until(lambda: place.proxy.displays[0].reason == "refused")

    run(story())


def test_a_silent_printer_is_left_alone(tmp_path):
    """Its line is given free: another program may know how to speak with it."""

    async def story():
        async with shop(tmp_path, settings=on("printer://receipt"), silent=True) as place:
            await show(place, "a")
            await until(lambda: place.proxy.displays[0].reason == "silent")
            await until(lambda: not place.devices["receipt"][0].connections)

    run(story())


# -- the door and the file -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "content",
    [{}, {"lines": "a"}, {"lines": ["a", "b", "c"]}, {"lines": [1]}, {"lines": ["a" * 201]}, {"lines": [], "size": 2}],
)
def test_a_bad_request_is_refused_in_a_sentence(tmp_path, content):
    async def story():
        async with shop(tmp_path, settings=on("printer://receipt")) as place:
            status, answer = await place.till.ask_json("PUT", "/display", content)
            assert status == 422 and "at most 2 texts" in answer["error"]

    run(story())


def test_who_may_use_the_display(tmp_path):
    async def story():
        async with shop(tmp_path) as place:
            status, answer = await place.till.ask_json("PUT", "/display", {"lines": []})
            assert status == 422 and "[[display]]" in answer["error"]
            other = Till(place.session, place.url, place.gate.keys.proxy_id, scopes=("scan",))
            status, answer = await other.ask_json("PUT", "/display", {"lines": []})
            assert status == 403 and "the right display" in answer["error"]

    run(story())


FILE = """
[proxy]
state = "/tmp/x"
[[printer]]
name = "レジ 1"
address = "tcp://10.0.0.5"
[[display]]
name = "customer"
address = "printer://レジ 1"
"""


def test_the_file(tmp_path):
    path = tmp_path / "proxy.toml"
    path.write_text(FILE, encoding="utf-8")
    assert Config.load(path).displays == (DisplayConfig("customer", "printer://レジ 1", 20),)
    for old, new, says in (
        ("printer://レジ 1", "printer://kitchen", "names no printer of this file"),
        ("printer://レジ 1", "10.0.0.5", "is not one of tcp://"),
        ('"customer"', '"customer"\ncolumns = 80', "Possible: 16 to 40"),
    ):
        path.write_text(FILE.replace(old, new), encoding="utf-8")
        with pytest.raises(ConfigError, match=says):
            Config.load(path)
