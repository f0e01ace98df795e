"""The demo on its feet: sandboxes, Odoo in prefork mode, webhooks between them. Used by demo and benchmarks."""

import contextlib
import json
import os
import sys
import time
from pathlib import Path

import psycopg2

from demo import layout, template
from demo.hardware import Hardware
from demo.odoo_client import Odoo
from demo.processes import DemoError, Processes, need_free, wait_for
from demo.sandbox_client import SandboxClient

HERE = Path(__file__).resolve().parent


class Stage:
    """Context manager: everything is up inside, nothing is left after it.

    :param db: name of the demo's database; made anew from the finished shop
    :param say: takes a line of progress
    """

    def __init__(self, db="bridge_demo", say=lambda text: None):
        self.db, self.say = db, say
        self.processes = Processes(Path(os.environ["BRIDGE_RUNTIME"]) / "log")
        self.url = f"http://127.0.0.1:{os.environ['BRIDGE_HTTP_PORT']}"
        self.sandboxes = {}
        self.hardware = Hardware(self.processes, self.url)

    def __enter__(self):
        try:
            self._check_ports()
            ready = template.find_or_build(self.processes, self.say)
            template.copy(ready.db, self.db)
            self._start_sandboxes(ready)
            self._point_channels()
            self.start_odoo(self.db)
            self.connect_webhooks()
            self.hardware.start()
            self.hardware.connect(self.login())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error):
        self.processes.stop()
        with contextlib.suppress(Exception):
            template.drop(self.db)

    def _check_ports(self):
        for name in layout.PORTS:
            need_free(layout.port(name), layout.PORTS[name][0])
        need_free(int(os.environ["BRIDGE_HTTP_PORT"]), "BRIDGE_HTTP_PORT")
        need_free(int(os.environ["BRIDGE_GEVENT_PORT"]), "BRIDGE_GEVENT_PORT")

    def _start_sandboxes(self, ready):
        start_sandboxes(self.processes, "--replay", ready.folder)
        self.sandboxes = {system: SandboxClient(system, url) for system, url in sandbox_urls().items()}
        expected = json.loads((ready.folder / "levels.json").read_text())
        for system, sandbox in self.sandboxes.items():
            if sandbox.levels() != expected[system]:
                raise DemoError(
                    f"The {system} sandbox does not hold what it did when the shop was built. "
                    "Build it anew: ./run demo --rebuild"
                )

    def _point_channels(self):
        """What may have changed since the shop was built: ports, and the time."""
        with contextlib.closing(psycopg2.connect(dbname=self.db)) as connection, connection, connection.cursor() as cr:
            cr.execute("UPDATE ir_config_parameter SET value = %s WHERE key = 'web.base.url'", [self.url])
            # Odoo's own housekeeping of the time since then would keep both cron workers busy for the first seconds.
            cr.execute(
                """UPDATE ir_cron SET nextcall = now() AT TIME ZONE 'utc' + interval '1 hour'
                    WHERE bridge_lane IS NULL AND nextcall < now() AT TIME ZONE 'utc' + interval '1 hour'"""
            )
            cr.execute("SELECT id, system, token FROM bridge_channel")
            self.tokens = {}
            for channel_id, system, token in cr.fetchall():
                self.tokens[system] = token
                old = r"^http://127\.0\.0\.1:\d+$"
                cr.execute(
                    "UPDATE bridge_channel_setting SET value = %s WHERE channel_id = %s AND value ~ %s",
                    [sandbox_urls()[system], channel_id, old],
                )

    def start_odoo(self, db):
        start_odoo(self.processes, db)

    def connect_webhooks(self):
        for system, sandbox in self.sandboxes.items():
            sandbox.set_webhook(f"{self.url}/bridge/webhook/{self.tokens[system]}", layout.SECRETS[system])

    def login(self, login="admin"):
        return Odoo(self.url, self.db, login, login)

    def wait_quiet(self, odoo, seconds=60):
        """Until nothing is waiting to be booked or told."""
        deadline = time.monotonic() + seconds
        while True:
            open_events = odoo.call("bridge.event", "search_count", [("state", "=", "pending")])
            open_levels = odoo.call("bridge.stock.level", "search_count", [("state", "in", ["due", "stale"])])
            if not open_events + open_levels + odoo.call("bridge.touch", "search_count", []):
                return
            if time.monotonic() > deadline:
                raise DemoError(f"After {seconds} s {open_events} events and {open_levels} levels are still waiting.")
            time.sleep(0.2)


def sandbox_urls():
    return {system: f"http://127.0.0.1:{layout.port(system)}" for system in layout.CHANNELS}


def start_sandboxes(processes, mode, folder):
    ports = [f"{system}={layout.port(system)}" for system in layout.CHANNELS]
    process = processes.start("sandboxes", [sys.executable, HERE / "sandboxes.py", mode, folder, *ports])
    for url in sandbox_urls().values():
        wait_for(f"{url}/_sandbox/state", processes, 60)
    return process


def start_odoo(processes, db, cron_threads=2):
    """Odoo as in production: worker processes, cron workers, an evented child, one door before them."""
    door, evented = int(os.environ["BRIDGE_HTTP_PORT"]), int(os.environ["BRIDGE_GEVENT_PORT"])
    inner = int(os.environ.get("BRIDGE_WORKER_PORT") or door - 1)
    need_free(inner, "BRIDGE_WORKER_PORT")
    command = [*template.odoo_command(), "-d", db, f"--db-filter=^{db}$", "--no-database-list", "--log-level=warn"]
    command += [f"--http-port={inner}", f"--gevent-port={evented}", "--workers=2", f"--max-cron-threads={cron_threads}"]
    odoo = processes.start("odoo", command)
    front = processes.start("front", [sys.executable, HERE / "front.py", door, inner, evented])
    wait_for(f"http://127.0.0.1:{inner}/web/health", processes, 120)
    wait_for(f"http://127.0.0.1:{door}/web/login", processes, 120)
    return odoo, front
