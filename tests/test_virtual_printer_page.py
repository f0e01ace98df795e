# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The virtual printer's page in the browser, and the program that runs both."""

import asyncio
import io
import json
import re
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from PIL import Image
from pos_hardware_proxy.virtual_printer import VirtualPrinter
from pos_hardware_proxy.virtual_printer.page import start_page

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "hardware_proxy" / "pos_hardware_proxy" / "virtual_printer" / "web"
RASTER = b"\x1dv0\x00H\x00\x08\x00" + b"\xaa" * 576 + b"\x1dVB\x00"


class Page:
    def __init__(self, printer, session, port):
        self.printer, self.session, self.host = printer, session, f"127.0.0.1:{port}"

    def get(self, path, **headers):
        return self.session.get(f"http://{self.host}/{path}", headers=headers)

    def post(self, path, body, **headers):
        headers = {"Origin": f"http://{self.host}", **headers}
        return self.session.post(f"http://{self.host}/{path}", json=body, headers=headers)

    async def printed(self, data):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.printer.port)
        writer.write(data + b"\x1dr1")
        await reader.readexactly(1)
        writer.close()


def with_page(test):
    """Run a test's coroutine with a printer and its page."""

    @asynccontextmanager
    async def page():
        printer = VirtualPrinter()
        await printer.start()
        runner, port = await start_page(printer)
        try:
            async with aiohttp.ClientSession() as session:
                yield Page(printer, session, port)
        finally:
            await runner.cleanup()
            await printer.stop()

    def run():
        async def inside():
            async with page() as opened:
                await test(opened)

        asyncio.run(asyncio.wait_for(inside(), 20))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


async def message(stream):
    """The next server-sent event."""
    while True:
        line = await asyncio.wait_for(stream.content.readline(), 5)
        if line.startswith(b"data: "):
            return json.loads(line[6:])


@with_page
async def test_page_is_served_with_strict_headers(page):
    """HTML, script and style from the printer itself, and nothing from anywhere else."""
    for path, kind in (("", "html"), ("page.js", "javascript"), ("page.css", "css")):
        async with page.get(path) as answer:
            assert answer.status == 200 and answer.content_type.endswith(kind)
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert not re.search(r"(https?:)?//[a-z]", re.sub(r"(?m)^\s*//.*$", "", await answer.text()))
    async with page.get("page.py") as answer:
        assert answer.status == 404


@with_page
async def test_events_tell_what_happens(page):
    """What there is at first; then the strip that grows, the cut paper, the events, and each change of state."""
    await page.printed(RASTER)
    async with page.get("events") as stream:
        assert stream.content_type == "text/event-stream"
        first = await message(stream)
        assert first["state"]["power"] and not first["state"]["paper_end"] and first["state"]["width"] == 576
        assert [paper["number"] for paper in first["papers"]] == [1]
        assert "cut" in [event["kind"] for event in first["events"]]
        page.printer.state.paper_end = True
        assert (await message(stream))["state"]["paper_end"]
        page.printer.state.paper_end = False
        await message(stream)
        await page.printed("領収証\n".encode("cp932").join([b"\x1b@\x1cC\x01", b""]))
        seen = {}
        while "current" not in seen:
            seen |= await message(stream)
        assert seen["current"]["text"] == "領収証" and seen["current"]["cut"] is None
        await page.printed(b"\x1dVB\x00")
        while "papers" not in seen:
            seen |= await message(stream)
        assert [(paper["number"], paper["cut"]) for paper in seen["papers"]] == [(2, "partial")]


@with_page
async def test_paper_is_served_as_png(page):
    """The finished strip and the one that hangs in the printer."""
    await page.printed(RASTER + b"abc\n")
    for number, size in ((1, (576, 8)), (2, (576, 30))):
        async with page.get(f"paper/{number}.png?height=1") as answer:
            assert answer.content_type == "image/png"
            assert Image.open(io.BytesIO(await answer.read())).size == size
    async with page.get("paper/9.png") as answer:
        assert answer.status == 404


@with_page
async def test_switches(page):
    """Every switch of the page reaches the printer; what cannot be is refused."""
    state = page.printer.state
    for name in ("paper_end", "near_end", "cover_open", "drawer_open", "offline", "silent"):
        for value in (True, False):
            async with page.post("state", {"name": name, "value": value}) as answer:
                assert answer.status == 200 and getattr(state, name) is value
    async with page.post("state", {"name": "error", "value": "cutter"}) as answer:
        assert state.error == "cutter" and (await answer.json())["error"] == "cutter"
    async with page.post("action", {"action": "power_off"}) as answer:
        assert await answer.json() == {"power": False} and not page.printer.power
    async with page.post("action", {"action": "power_on"}) as answer:
        assert await answer.json() == {"power": True} and page.printer.power
    state.error = ""
    await page.printed(b"abc\n")
    async with page.post("action", {"action": "tear_off"}):
        assert page.printer.papers[0].cut == "torn"
    for path, body in [
        ("state", {"name": "error", "value": "melted"}),
        ("state", {"name": "_listener", "value": 1}),
        ("state", []),
        ("action", {"action": "stop"}),
    ]:
        async with page.post(path, body) as answer:
            assert answer.status == 400


@with_page
async def test_strangers_are_refused(page):
    """Another host name, another page's request, no Origin, another content type."""
    body = {"name": "paper_end", "value": True}
    for path in ("", "events", "paper/1.png"):
        for host in ("evil.example", "127.0.0.1.evil.example:80", "192.168.0.1", "[x"):
            async with page.get(path, Host=host) as answer:
                assert answer.status == 403
    async with page.get("events", **{"Sec-Fetch-Site": "cross-site"}) as answer:
        assert answer.status == 403
    for origin in ("http://evil.example", "null", "", f"https://{page.host}", "http://localhost"):
        async with page.post("state", body, Origin=origin) as answer:
            assert answer.status == 403
    async with page.session.post(f"http://{page.host}/state", json=body) as answer:
        assert answer.status == 403
    headers = {"Origin": f"http://{page.host}", "Content-Type": "text/plain"}
    async with page.session.post(f"http://{page.host}/state", data=json.dumps(body), headers=headers) as answer:
        assert answer.status == 415
    async with page.post("state", {"name": "x" * 5000}) as answer:
        assert answer.status == 413
    assert not page.printer.state.paper_end
    async with page.get("", Host="localhost:1") as answer:
        assert answer.status == 200


def test_page_has_every_text_in_both_languages():
    """The words of the HTML and of the script exist in English and in Japanese."""
    script = (WEB / "page.js").read_text()
    english, japanese = (
        set(
            re.findall(
                r'(\w+): ""', re.sub(r'"[^"]*"', '""', re.search(rf"  {name}: \{{(.*?)\n  \}}", script, re.S)[1])
            )
        )
        for name in ("en", "ja")
    )
    assert english == japanese
    assert set(re.findall(r'data-text="(\w+)"', (WEB / "page.html").read_text())) <= english
    assert set(re.findall(r'say\("(\w+)"\)', script)) <= english


def test_program_runs_and_ends():
    """``python -m`` prints its addresses and ends at a signal; a port that is taken is said plainly."""
    command = [
        sys.executable,
        "-m",
        "pos_hardware_proxy.virtual_printer",
        "--page-port",
        "0",
        "--width",
        "384",
        "--port",
    ]
    options = {"cwd": ROOT / "hardware_proxy", "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, "0"], **options) as program:
        port = program.stdout.readline().rpartition(":")[2].strip()
        assert "page: http://127.0.0.1:" in program.stdout.readline()
        second = subprocess.run([*command, port], **options, check=False, timeout=20)
        assert second.returncode == 1 and "in use" in second.stderr and "Traceback" not in second.stderr
        program.terminate()
        assert program.wait(10) == 0 and program.stderr.read() == ""
