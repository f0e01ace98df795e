"""Opens the pages a visitor will open, so that Odoo compiles and keeps their scripts and styles."""

import os
import subprocess
import time

from demo import layout, stage
from demo.browser import Browser
from demo.odoo_client import Odoo
from demo.processes import DemoError
from demo.round_trips import open_till

CONNECTIONS_GONE = 15.0  # seconds Odoo's workers have to let go of the database


def run(processes, db):
    # No cron workers: nothing may move while the shop is being photographed.
    started = stage.start_odoo(processes, db, cron_threads=0)
    url = f"http://127.0.0.1:{os.environ['BRIDGE_HTTP_PORT']}"
    odoo = Odoo(url, db)
    browser = Browser(processes)
    try:
        browser.open(f"{url}/web/login")
        browser.see("input[name=login]")
        browser.set_cookie(url, "session_id", odoo.session_id)
        browser.open(f"{url}/odoo/action-pos_erp_bridge.bridge_channel_action")
        browser.see(".o_view_controller, .o_action", seconds=120)
        [till] = odoo.read("pos.config", [("name", "=", layout.HONTEN.name)], ["id"])
        open_till(browser, url, till["id"], seconds=240)
    finally:
        browser.close()
        for process in started:
            processes.end(process)
    _wait_alone(db)


def _wait_alone(db):
    deadline = time.monotonic() + CONNECTIONS_GONE
    query = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{db}'"
    while True:
        count = subprocess.run(["psql", "-Atqc", query, "postgres"], capture_output=True, text=True, check=True).stdout
        if count.strip() == "0":
            return
        if time.monotonic() > deadline:
            raise DemoError(f"{count.strip()} connections still hold {db}")
        time.sleep(0.2)
