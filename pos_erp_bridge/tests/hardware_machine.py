# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""A shop's machine: the hardware proxy that lies beside the addon, and a printer in software, as processes."""

import importlib.util
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
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


class Machine:
    """
    :param folder: for the proxy's file, its spool, and what is printed
    :param origin: of the Odoo whose pages may print
    :param is_relayed: whether the proxy fetches what tills leave in Odoo
    """

    def __init__(self, folder, origin, is_relayed=False):
        self.folder, self.origin = Path(folder), origin
        self.port, self._page = free_port(), free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.code, self.proxy = "", None
        (self.folder / "paper").mkdir()
        printer = free_port()
        self.printer = self._run(
            "pos_hardware_proxy.virtual_printer", "--port", printer, "--page-port", self._page,
            "--folder", self.folder / "paper",
        )  # fmt: skip
        (self.folder / "proxy.toml").write_text(
            f'[proxy]\nname = "本店"\nstate = "{self.folder / "state"}"\nport = {self.port}\norigins = ["{origin}"]\n'
            f'odoo = "{origin if is_relayed else ""}"\n'
            f'[[printer]]\nname = "receipt"\naddress = "tcp://{HOST}:{printer}"\nwidth = 576\ndrawer = true\n'
        )
        until(self.printer_state, "the printer")
        self.start()

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
        self.printer.kill()
        self.printer.wait()
        self.printer.stdout.close()

    def pair(self, secret):
        body = json.dumps({"code": self.code, "secret": secret}).encode()
        return json.loads(self._post(f"{self.url}/pair", body, self.origin))["proxy"]

    def keys(self):
        """{"proxy_id", "secret"}"""
        return json.loads((self.folder / "state" / "keys.json").read_text())

    def jobs(self):
        """[(state, reason, whether it repeats another)] of all jobs, oldest first."""
        with closing(sqlite3.connect(self.folder / "state" / "spool.sqlite")) as db:
            return db.execute("SELECT state, reason, reprint_of IS NOT NULL FROM job ORDER BY created").fetchall()

    # -- the printer -----------------------------------------------------------------------------
    def set(self, name, value):
        page = f"http://{HOST}:{self._page}"
        self._post(f"{page}/state", json.dumps({"name": name, "value": value}).encode(), page)

    def printer_state(self):
        with urllib.request.urlopen(f"http://{HOST}:{self._page}/events", timeout=5) as events:
            return json.loads(events.readline().removeprefix(b"data: "))["state"]

    def papers(self):
        return sorted((self.folder / "paper").glob("*.png"))

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
