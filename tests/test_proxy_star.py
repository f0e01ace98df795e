# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Star printers: their bytes, their status, and the proxy with a virtual one; judged by other people's bytes, too."""

import asyncio
import base64
import io
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pos_hardware_proxy import escpos, languages, star
from pos_hardware_proxy.marks import reprint_mark
from pos_hardware_proxy.status import Status
from pos_hardware_proxy.virtual_printer.commands import Unknown, unknown
from pos_hardware_proxy.virtual_printer.star import StarParser, StarStatus
from pos_hardware_proxy.virtual_printer.state import State
from pos_hardware_proxy.virtual_printer.typesetter import Typesetter
from proxy_shop import WIDTH, on_paper, paper, run, shop, until

SHOP = {"receipt": {"language": "star", "drawer": True, "drawer_open_level": 1}}


def the(place):
    return place.devices["receipt"][0]


def print_out(data, width=WIDTH):
    """(paper, names of commands) of these bytes; nothing may be unknown or left over."""
    typesetter, parser = Typesetter(width, "japanese"), StarParser()
    commands = parser.feed(data)
    assert not [command for command in commands if isinstance(command, Unknown)] and not parser.pending
    for command in commands:
        typesetter.apply(command)
    return typesetter.paper, [command.name for command in commands]


# -- bytes ---------------------------------------------------------------------------------------------
def test_both_languages_have_the_same_names():
    names = {name for name in dir(star) if not name.startswith("_")}
    for name in (
        *("INITIALISE", "FILL", "CUT", "HELLO", "ASB_ON", "ASK", "picture", "motion_units", "pulse", "pulse_now"),
        *("Reader", "automatic", "is_reply", "replied", "confirmation"),
    ):
        assert name in names and hasattr(escpos, name)
    assert set(languages.LANGUAGES) == {"escpos", "star"}


def test_a_picture_is_the_documented_bytes():
    row = b"\x01\x80" + bytes(6)
    assert b"".join(star.picture(row + bytes(8) + row, 64)) == (
        b"\x1b*rA\x1b*rP0\x00\x1b*rE1\x00" + b"b\x02\x00\x01\x80" + b"b\x01\x00\x00" + b"b\x02\x00\x01\x80" + b"\x1b*rB"
    )
    assert b"\x1b*rY400\x00" in b"".join(star.picture(bytes(8 * 400) + row, 64))
    assert (star.CUT, star.pulse(2), star.pulse(5)) == (b"\x1bd\x02", b"\x07", b"\x1a")
    assert star.ASK == (b"\x1b\x06\x01",) and star.ASB_ON == b"\x1b\x1ea\x01"


@given(st.lists(st.sampled_from([bytes(8), b"\x01" * 8, b"\x80" + bytes(7), b"\x1b*rB\x00\x07\x17\x00"]), max_size=120))
def test_a_picture_comes_out_dot_for_dot(rows):
    """Whatever is in it: rows that look like commands are dots."""
    data = b"".join(rows)
    page, names = print_out(b"".join(star.picture(data, 64)), 64)
    assert page.bits() == data
    assert "ESC * r B" in names and not {"BEL", "ETB", "ESC d"} & set(names)


# -- status --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "state, known",
    [
        ({}, {"online": True, "paper": "ok", "error": "", "cover_open": False, "drawer": 0}),
        ({"paper_end": True}, {"online": False, "paper": "end"}),
        ({"near_end": True}, {"online": True, "paper": "near_end"}),
        ({"cover_open": True}, {"online": False, "cover_open": True}),
        ({"error": "cutter"}, {"error": "cutter"}),
        ({"error": "fatal"}, {"error": "unrecoverable"}),
        ({"error": "recoverable"}, {"error": "recoverable"}),
        ({"drawer_open": True}, {"drawer": 1}),
    ],
)
def test_status_is_understood(state, known):
    (answer,) = star.Reader().feed(StarStatus().automatic(State(**state)))
    status = star.automatic(answer)
    assert {name: getattr(status, name) for name in known} == known


def test_status_without_a_network_and_of_old_models():
    """Nine bytes, or seven without a counter; from the manual, not from the virtual printer."""
    full = bytes([0x23, 0x06, 0x20, 0x08, 0, 0x08, 0, 0x4A, 0])
    answers = star.Reader().feed(full + bytes([0x0F, 0x06, 0, 0, 0, 0x04, 0]))
    assert [star.automatic(answer) for answer in answers] == [
        Status(online=True, cover_open=True, paper="end", error="cutter", drawer=0, count=21),
        Status(online=True, cover_open=False, paper="near_end", error="", drawer=0),
    ]


@given(st.binary(max_size=60), st.integers(1, 7))
def test_status_survives_noise_and_splitting(noise, size):
    """It is found behind anything that cannot be its beginning, in whatever pieces it comes."""
    noise = bytes(byte | 0x80 for byte in noise)
    data = noise + StarStatus().automatic(State(paper_end=True)) + b"\x11" + StarStatus().automatic(State())
    reader = star.Reader()
    found = [answer for at in range(0, len(data), size) for answer in reader.feed(data[at : at + size])]
    assert [star.automatic(answer).paper for answer in found] == ["end", "ok"]


def test_a_counter_of_before_confirms_nothing():
    """Marks that earlier papers left in the printer are fewer than ours; the counter begins anew after 31."""

    def says(before, count):
        _question, wanted = star.confirmation("", 1, Status(count=before))
        status = StarStatus()
        status._count = count % 32
        (answer,) = star.Reader().feed(status.automatic(State()))
        return wanted(answer)

    for before in range(32):
        assert not any(says(before, before + left) for left in range(4))
        assert says(before, before + 4) and says(before, before + 7)


# -- the proxy -----------------------------------------------------------------------------------------
def test_a_receipt_is_printed_dot_for_dot(tmp_path):
    """And cut once: leaving raster mode would cut, too, if it were not told otherwise."""

    async def story():
        async with shop(tmp_path, SHOP) as place:
            for number in range(40):  # the counter goes round
                job = await place.till.print(paper(number + 1, rows=300 if number else 1200))
                assert (job["state"], job["reason"]) == ("printed", "")
            want = [paper(number + 1, rows=300 if number else 1200) for number in range(40)]
            assert on_paper(the(place)) == want and len(the(place).papers) == 40
            assert {event.name for event in the(place).ledger.cuts} == {"full"}
            unknown = {event.detail["data"].replace(" ", "").strip("0") for event in the(place).ledger.unknown}
            assert unknown <= {""}

    run(story())


def test_printed_is_said_when_the_paper_is_out(tmp_path):
    async def story():
        async with shop(tmp_path, SHOP, paper_speed=100) as place:
            job = await place.till.print(paper(rows=800), wait=0)
            await until(lambda: place.proxy.spool.get(job["id"]).state == "printed")
            assert on_paper(the(place)) == [paper(rows=800)]

    run(story())


def test_paper_out_is_said_and_goes_on_by_itself(tmp_path):
    async def story():
        async with shop(tmp_path, SHOP, paper_end=True) as place:
            job = await place.till.print(paper())
            assert (job["state"], job["reason"]) == ("waiting", "paper_end")
            the(place).state.paper_end = False
            await until(lambda: place.proxy.spool.get(job["id"]).state == "printed")
            the(place).state.paper_left = 300
            job = await place.till.print(paper(rows=900), wait=1)
            await until(lambda: place.proxy.spool.get(job["id"]).reason == "paper_end")
            assert place.proxy.spool.get(job["id"]).state == "printing"
            the(place).state.paper_end = False
            await until(lambda: place.proxy.spool.get(job["id"]).state == "printed")
            assert on_paper(the(place)) == [paper(), paper(rows=900)]

    run(story())


def test_after_a_broken_line_the_next_paper_is_whole(tmp_path):
    """Half a row is in the printer, and swallows what comes; the reprint carries its mark."""

    async def story():
        async with shop(tmp_path, SHOP, keep_partial=True) as place:
            the(place).state.reset_after = 5000
            job = await place.till.print(paper(rows=400))
            assert (job["state"], job["reason"]) == ("unknown", "lost")
            assert (await place.till.print(paper(2)))["state"] == "printed"
            assert on_paper(the(place))[-1] == paper(2)
            await place.till.resolve(job, reprint="reprint-1")
            await until(lambda: place.proxy.spool.get("reprint-1").state == "printed")
            assert on_paper(the(place))[-1] == reprint_mark(WIDTH) + paper(rows=400)

    run(story())


def test_the_drawer_opens(tmp_path):
    async def story():
        async with shop(tmp_path, SHOP) as place:
            status, answer = await place.till.ask_json("PUT", "/drawer/drawer-01", {})
            assert (status, answer) == (200, {"outcome": "opened"})
            the(place).state.drawer_open = False
            assert (await place.till.print(paper(), pulse=1))["state"] == "printed"
            the(place).state.paper_end = True
            await asyncio.sleep(0.1)
            assert (await place.till.ask_json("PUT", "/drawer/drawer-02", {}))[0] == 200
            # Before the first paper something unfinished may lie in the printer: then at once, and later in its turn.
            assert [(event.name, event.detail["pin"]) for event in the(place).ledger.pulses] == [
                *[("FS", 2), ("BEL", 2), ("FS", 2)]
            ]

    run(story())


def test_texts_are_drawn(tmp_path):
    async def story():
        async with shop(tmp_path, SHOP) as place:
            job = await place.till.print_text([{"text": "髙島屋 ¥1,080"}, {"cut": True}, {"text": "控"}])
            assert (job["state"], len(the(place).papers)) == ("printed", 2)
            assert all(page.bits().strip(b"\0") and not page.lines for page in the(place).papers)

    run(story())


# -- other people's bytes ------------------------------------------------------------------------------
def test_leaving_raster_mode_cuts_unless_told_otherwise():
    """As the manual says: raster EOT mode is 13 from the start, form feed and partial cut."""
    rows = b"\x1b*rA" + b"b\x01\x00\xff" * 3
    cuts = [command.name for command in StarParser().feed(rows + b"\x1b*rB") if type(command).__name__ == "Cut"]
    assert cuts == ["ESC * r B"]
    quiet = StarParser().feed(b"\x1b*rA\x1b*rE1\x00" + b"b\x01\x00\xff" * 3 + b"\x1b*rB")
    assert not [command for command in quiet if type(command).__name__ == "Cut"]


@given(st.binary(max_size=300), st.integers(1, 50))
def test_the_parser_takes_anything(data, size):
    parser = StarParser()
    for at in range(0, len(data), size):
        parser.feed(data[at : at + size])
    assert len(parser.pending) <= len(data)


def test_bytes_may_come_one_by_one():
    data = star.HELLO + star.INITIALISE + b"".join(star.picture(b"\x81" * 80 + bytes(800), 64)) + star.CUT
    data += b"\x1b\x1da\x01\x1bi\x01\x01\x1b\x1dS\x01\x01\x00\x02\x00\x00\xff\xff\n" + star.pulse(2) + star.ETB
    parser = StarParser()
    found = [command for byte in data for command in parser.feed(bytes([byte]))]
    assert found == StarParser().feed(data) and not parser.pending
    assert [command for command in found if isinstance(command, Unknown)] == [unknown(b"\0")] * 1024


def receiptline(document, command):
    """What receiptline makes of a document; it is no part of this project."""
    folder = os.environ.get("RECEIPTLINE_MODULES")
    if not folder or not (Path(folder) / "receiptline").is_dir():
        pytest.skip("RECEIPTLINE_MODULES does not name a node_modules folder with receiptline")
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    script = (
        "const r = require('receiptline');"
        f"const options = {{command: '{command}', encoding: 'cp932', cpl: 48, cutting: true, gradient: false}};"
        "const text = require('fs').readFileSync(0, 'utf8');"
        "process.stdout.write(Buffer.from(r.transform(text, options), 'binary'));"
    )
    environment = {**os.environ, "NODE_PATH": folder}
    command = ["node", "-e", script]
    return subprocess.run(command, input=document.encode(), capture_output=True, env=environment, check=True).stdout


DOCUMENT = """^^^領収証
りんご (税率8%)|￥1,080
合計|^"￥1,630"
{code:https://example.jp/;option:qrcode,5,m}
ｶﾀｶﾅ ①
"""


@pytest.mark.parametrize("command", ["starmbcs", "starlinembcs"])
def test_receiptline_prints_as_it_means_to(command):
    """An independent generator of Star's bytes: nothing unknown, the text is the document's, cut once."""
    page, names = print_out(receiptline(DOCUMENT, command))
    lines = [line.strip() for line in page.lines]
    assert "領収証" in lines and "ｶﾀｶﾅ ①" in lines and not page.missing
    assert [line.split() for line in lines if "りんご" in line] == [["りんご", "(税率8%)", "￥1,080"]]
    assert names.count("ESC d") == 1


def test_receiptline_draws_as_we_do():
    """Its raster mode and ours put the same dots on paper for the same picture."""
    size = 48
    picture = random.Random(5).randbytes(size // 8 * size)
    image = Image.frombytes("1", (size, size), picture, "raw", "1;I")
    stream = io.BytesIO()
    image.convert("RGBA").save(stream, "PNG")
    document = "{image:" + base64.b64encode(stream.getvalue()).decode() + "}\n"
    theirs, names = print_out(receiptline(document, "stargraphic"))
    assert {"ESC * r A", "ESC * r P", "b", "ESC * r B"} <= set(names)
    mine, _names = print_out(b"".join(star.picture(picture, size)), WIDTH)
    ink = [page.ink() for page in (theirs, mine)]
    assert ink[0].crop(ink[0].getbbox()).tobytes() == ink[1].crop(ink[1].getbbox()).tobytes()
