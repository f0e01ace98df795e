# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""A shop for tests of the hardware proxy: virtual printers, the proxy, and a till, all over real sockets."""

import asyncio
import json
import socket
import ssl
import sys
import time
import uuid
import zlib
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
from pos_hardware_proxy.config import Config, PrinterConfig
from pos_hardware_proxy.http import CERTIFICATES, GATE, PROXY
from pos_hardware_proxy.security import Keys, make_claims, signature, till_key
from pos_hardware_proxy.serve import serving
from pos_hardware_proxy.virtual_printer import VirtualPrinter
from pos_hardware_proxy.web import make_app

ORIGIN = "https://erp.example.jp"
SECRET = "s" * 32
WIDTH = 576
BESIDE = Path(__file__).resolve().parent.parent / "hardware_proxy"


def paper(seed=1, rows=120):
    """A picture whose every row differs, so that any loss, doubling or shift is seen; its last dot is black."""
    return b"".join((seed << 32 | row << 8 | 0x81).to_bytes(WIDTH // 8, "big") for row in range(rows))


class Till:
    """What a till does: it signs, sends, and may not hear the answer."""

    def __init__(self, session, url, proxy_id, scopes=("print", "drawer", "display")):
        self.session, self.url = session, url
        self.claims = make_claims(proxy_id, "till 1", scopes, 3600)
        self.key = till_key(SECRET, self.claims)
        self.last = self.late = 0  # late: milliseconds that a request was under way

    def sign(self, method, path, body=b""):
        """The header Authorization of a request."""
        self.last = max(self.last + 1, time.time_ns() // 1_000_000)  # two requests never carry the same moment
        moment = str(self.last - self.late)
        sent = signature(self.key, method, path, body, moment, self.claims)
        return f"Till {self.claims}.{moment}.{sent}"

    async def ask(self, method, path, body=b"", headers=None, **options):
        """(status, answer) of a signed request."""
        headers = {"Origin": ORIGIN, "Authorization": self.sign(method, path, body), **(headers or {})}
        async with self.session.request(method, self.url + path, data=body, headers=headers, **options) as response:
            return response.status, await response.json()

    async def print(self, picture, job_id=None, wait=8, printer="", width=WIDTH, **query):
        """The job as the proxy answers."""
        rows = len(picture) // (width // 8)
        return await self.print_packed(zlib.compress(picture), width, rows, job_id, wait=wait, printer=printer, **query)

    async def print_packed(self, body, width, rows, job_id=None, wait=8, **query):
        """The same for rows that are deflated already."""
        extra = "".join(f"&{key}={value}" for key, value in query.items())
        path = f"/jobs/{job_id or uuid.uuid4()}?width={width}&rows={rows}&wait={wait}{extra}"
        status, answer = await self.ask("PUT", path, body)
        assert status == 200, answer
        return answer

    async def print_text(self, lines, job_id=None, wait=8, **query):
        """The job of a text, as the proxy answers."""
        extra = "".join(f"&{key}={value}" for key, value in query.items())
        path = f"/jobs/{job_id or uuid.uuid4()}?format=text&wait={wait}{extra}"
        status, answer = await self.ask_json("PUT", path, {"lines": lines})
        assert status == 200, answer
        return answer

    async def ask_json(self, method, path, content):
        """(status, answer) of a signed request with a JSON body."""
        return await self.ask(method, path, json.dumps(content).encode(), {"Content-Type": "application/json"})

    async def resolve(self, job, **decision):
        """What somebody who looked at the paper says of a job; the job as it then is."""
        return (await self.ask_json("POST", f"/jobs/{job['id']}/resolution", decision))[1]

    async def see(self, job, seconds=8):
        """The job once it is no longer as the till last saw it."""
        status, answer = await self.ask("GET", f"/jobs/{job['id']}?wait={seconds}&known={job['face']}")
        assert status == 200, answer
        return answer


class Shop:
    """The proxy in this process, opened and closed in good order; for what dies see :class:`Process`."""

    def __init__(self, folder, printers, **settings):
        self.folder, self.devices, self.settings = folder, printers, settings

    async def open(self):
        settings = {"origins": (ORIGIN,), "printers": self.printer_configs(), "port": 0, **self.settings}
        self.config = Config(state=self.folder, **settings)
        app = make_app(self.config)
        self.proxy, self.gate = app[PROXY], app[GATE]
        self.gate.keys.pair(SECRET)
        self._serving = AsyncExitStack()
        ports = await self._serving.enter_async_context(serving(app))
        self.port, *_plain = ports
        self.certificates = app[CERTIFICATES]
        self.url = f"{'https' if self.config.tls else 'http'}://127.0.0.1:{self.port}"
        self.session = client(self.certificates.pem if self.config.tls else None)
        self.till = Till(self.session, self.url, self.gate.keys.proxy_id)

    def printer_configs(self):
        return tuple(
            PrinterConfig(name=name, address=f"tcp://127.0.0.1:{device.port}", **options)
            for name, (device, options) in self.devices.items()
        )

    async def end(self):
        """The proxy is told to end."""
        await self._serving.aclose()

    async def close(self):
        await self.session.close()
        await self.end()


@asynccontextmanager
async def shop(folder, printers=None, settings=None, **state):
    """A shop with one printer, or with ``printers``: {name: options in its configuration}; ``state`` of the devices."""
    devices = {}
    for name, options in (printers or {"receipt": {"drawer": True, "drawer_open_level": 1}}).items():
        device = VirtualPrinter(language=options.get("language", "escpos"), **state)
        await device.start()
        devices[name] = (device, options)
    place = Shop(folder, devices, **(settings or {}))
    await place.open()
    try:
        yield place
    finally:
        await place.close()
        for device, _options in devices.values():
            await device.stop()


class Process:
    """The proxy as a program of its own, which can be killed."""

    def __init__(self, folder, addresses, lines=""):
        self.folder, self.file = folder, folder / "proxy.toml"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.keys = Keys(folder / "keys.json")
        self.keys.pair(SECRET)
        printers = "".join(f'[[printer]]\nname = "p{n}"\naddress = "{a}"\n' for n, a in enumerate(addresses))
        self.file.write_text(
            f'[proxy]\nstate = "{folder}"\nport = {self.port}\norigins = ["{ORIGIN}"]\n{lines}{printers}'
        )

    async def start(self):
        program = (sys.executable, "-m", "pos_hardware_proxy", "--config", str(self.file))
        self.running = await asyncio.create_subprocess_exec(*program, cwd=BESIDE)
        limit = time.monotonic() + 30
        while True:
            try:
                async with self.session.get(f"{self.url}/health"):
                    return
            except aiohttp.ClientConnectionError:
                assert self.running.returncode is None and time.monotonic() < limit, "it does not start"
                await asyncio.sleep(0.05)

    async def kill(self):
        """As when the power fails: it is not asked."""
        self.running.kill()
        await self.running.wait()


@asynccontextmanager
async def process(folder, addresses, lines=""):
    """A :class:`Process` with printers at these addresses, and ``lines`` more in its file."""
    place = Process(folder, addresses, lines)
    async with aiohttp.ClientSession() as place.session:
        place.till = Till(place.session, place.url, place.keys.proxy_id)
        await place.start()
        try:
            yield place
        finally:
            await place.kill()


def run(coroutine, seconds=60):
    """What it gives, unless it hangs."""
    return asyncio.run(asyncio.wait_for(coroutine, seconds))


async def until(look, seconds=20):
    """Wait for ``look()`` to be true."""
    limit = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < limit, "it did not happen"
        await asyncio.sleep(0.01)


async def is_closed(reader):
    """Whether the other side hangs up."""
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


def client(pem=None):
    """A browser that trusts the authority ``pem``, and no other."""
    trust = ssl.create_default_context(cadata=pem.decode()) if pem else True
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def on_paper(device):
    """Pictures of the papers that came out, packed rows without the white at their end; white papers are left out."""
    pictures = (strip.bits().rstrip(b"\0") for strip in device.papers)
    return [picture for picture in pictures if picture]
