# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""A shop's machine: the hardware proxy that lies beside the addon, and a printer in software, as processes."""

import importlib.util
import json
import os
import pty
import re
import select
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import tty
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

BESIDE = Path(__file__).resolve().parents[2] / "hardware_proxy"
HOST = "127.0.0.1"
PATIENCE = 20.0


def missing():
    """Why there is no such machine here; empty when there is."""
    if not (BESIDE / "pos_hardware_proxy").is_dir():
        return "no folder hardware_proxy beside the addon"
    lacking = [name for name in ("aiohttp", "PIL") if importlib.util.find_spec(name) is None]
    return f"the hardware proxy needs {', '.join(lacking)}" if lacking else ""


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def until(look, what):
    """The first true value of ``look``."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        try:
            if found := look():
                return found
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {PATIENCE} s")


class Line:
    """A serial line with a device at its end: a scanner says codes, a scale answers whatever it is asked."""

    def __init__(self, answer=b""):
        self._ours, self._theirs = pty.openpty()
        tty.setraw(self._ours)
        self.path, self.answer, self._is_open = os.ttyname(self._theirs), answer, True
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def say(self, data):
        os.write(self._ours, data)

    def _listen(self):
        while self._is_open:
            if select.select([self._ours], [], [], 0.1)[0] and os.read(self._ours, 100) and self.answer:
                os.write(self._ours, self.answer)

    def close(self):
        self._is_open = False
        self._thread.join()
        os.close(self._ours)
        os.close(self._theirs)


class Machine:
    """
    :param folder: for the proxy's file, its spool, and what is printed
    :param origin: of the Odoo whose pages may print
    :param is_relayed: whether the proxy fetches what tills leave in Odoo
    :param with_devices: a scanner, a scale, and a kitchen printer that is off
    """

    def __init__(self, folder, origin, is_relayed=False, with_devices=False):
        self.folder, self.origin = Path(folder), origin
        self.port, self._page = free_port(), free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.code, self.proxy = "", None
        self.lines, self.kitchen, self._kitchen_port = [], None, free_port()
        printer = free_port()
        self.printer = self._run_printer(printer, self._page, "paper")
        (self.folder / "proxy.toml").write_text(
            f'[proxy]\nname = "本店"\nstate = "{self.folder / "state"}"\nport = {self.port}\norigins = ["{origin}"]\n'
            f'odoo = "{origin if is_relayed else ""}"\n'
            f'[[printer]]\nname = "receipt"\naddress = "tcp://{HOST}:{printer}"\nwidth = 576\ndrawer = true\n'
            + (self._devices() if with_devices else "")
        )
        until(self.printer_state, "the printer")
        self.start()

    def _devices(self):
        self.scanner, self.scale = self.lines = Line(), Line(b"\x0201.234\r")
        return (
            f'[[printer]]\nname = "kitchen"\naddress = "tcp://{HOST}:{self._kitchen_port}"\nrole = "kitchen"\n'
            f'drawer = false\n[[scanner]]\nname = "hand"\naddress = "serial://{self.scanner.path}?baud=9600"\n'
            f'[[scale]]\nname = "scale"\naddress = "serial://{self.scale.path}?baud=9600"\n'
        )

    def _run_printer(self, port, page, folder):
        (self.folder / folder).mkdir()
        return self._run(
            "pos_hardware_proxy.virtual_printer", "--port", port, "--page-port", page, "--folder", self.folder / folder
        )

    def _run(self, module, *arguments):
        return subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            cwd=BESIDE, env={**os.environ, "PYTHONPATH": str(BESIDE), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    # -- the proxy -------------------------------------------------------------------------------
    def start(self):
        is_first = not (self.folder / "state" / "keys.json").exists()
        self.proxy = self._run("pos_hardware_proxy", "--config", self.folder / "proxy.toml")
        until(lambda: self._get(f"{self.url}/health"), "the proxy")
        if is_first:
            self.code = re.search(r"Code: (\d{8})", self.proxy.stdout.readline())[1]

    def stop(self):
        """As a power cut: it is not asked."""
        self.proxy.kill()
        self.proxy.wait()
        self.proxy.stdout.close()

    def end(self):
        self.stop()
        for printer in filter(None, (self.printer, self.kitchen)):
            printer.kill()
            printer.wait()
            printer.stdout.close()
        for line in self.lines:
            line.close()

    def start_kitchen(self):
        self.kitchen = self._run_printer(self._kitchen_port, free_port(), "slips")

    def pair(self, secret):
        body = json.dumps({"code": self.code, "secret": secret}).encode()
        return json.loads(self._post(f"{self.url}/pair", body, self.origin))["proxy"]

    def keys(self):
        """{"proxy_id", "secret"}"""
        return json.loads((self.folder / "state" / "keys.json").read_text())

    def jobs(self, printer="receipt"):
        """[(state, reason, whether it repeats another)] of a printer's jobs, oldest first."""
        query = "SELECT state, reason, reprint_of IS NOT NULL FROM job WHERE printer = ? ORDER BY created"
        with closing(sqlite3.connect(self.folder / "state" / "spool.sqlite")) as db:
            return db.execute(query, [printer]).fetchall()

    # -- the printer -----------------------------------------------------------------------------
    def set(self, name, value):
        page = f"http://{HOST}:{self._page}"
        self._post(f"{page}/state", json.dumps({"name": name, "value": value}).encode(), page)

    def printer_state(self):
        return self._printer_tells()["state"]

    def printer_events(self):
        """What the printer's ledger tells of its last moments: [(kind, name)], oldest first."""
        return [(event["kind"], event["name"]) for event in self._printer_tells()["events"]]

    def _printer_tells(self):
        with urllib.request.urlopen(f"http://{HOST}:{self._page}/events", timeout=5) as events:
            return json.loads(events.readline().removeprefix(b"data: "))

    def papers(self, folder="paper"):
        return sorted((self.folder / folder).glob("*.png"))

    # -- HTTP ------------------------------------------------------------------------------------
    @staticmethod
    def _get(url):
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read()

    @staticmethod
    def _post(url, body, origin):
        headers = {"Content-Type": "application/json", "Origin": origin}
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=5) as answer:
            return answer.read()
