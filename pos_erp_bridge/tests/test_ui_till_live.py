# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import json
import logging
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from contextlib import closing
from unittest.mock import patch

from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry
from odoo.orm.registry import DummyRLock
from odoo.tests import BaseCase, tagged
from odoo.tests.common import HOST, ChromeBrowser, get_db_name
from odoo.tools import config

from .till_shop import TillShop

PATIENCE = 180.0  # seconds for a page; the first one compiles all scripts of the till
# What a page that stays empty waits for.
LOADED = """JSON.stringify([location.href, document.readyState, document.documentElement.outerHTML.length,
    performance.getEntriesByType("resource").slice(-20).map((r) => [r.name, r.responseStatus, r.duration])])"""
SOON_MS = 5000  # far below what the till would find out by looking again itself
# What a cashier does and sees, by hand: a tour's helpers are not loaded in a till that runs.
PAGE = """
window.until = async (look, what) => {
    const limit = Date.now() + 75_000;
    for (;;) {
        const found = look();
        if (found) { return found; }
        if (Date.now() > limit) { throw new Error(what + " is not to be seen: " + document.body.innerText); }
        await new Promise((done) => setTimeout(done, 20));
    }
};
window.node = (selector, text) =>
    until(() => [...document.querySelectorAll(selector)].find((n) => n.textContent.includes(text || "")), selector);
window.numberOf = (name) => document.querySelector(`.bridge-row[data-name="${name}"] .bridge-quantity`)?.textContent;
window.becomes = async (name, text) => {
    await until(() => numberOf(name) === text, `${name} ${text}`);
    return Date.now();
};
window.openInfo = async (product) => {
    const card = await node("article.product", product);
    card.dispatchEvent(new MouseEvent("mousedown", { bubbles: true }));
    await node(".section-bridge");
    card.dispatchEvent(new MouseEvent("mouseup", { bubbles: true }));
};
"""


@tagged("-standard", "-at_install", "post_install", "bridge_race")
class TestTillLive(BaseCase):
    """A till in a browser, served by an Odoo process of its own, while stock changes in this one: nothing is faked.

    Works on committed data of a company of its own.
    """

    _logger = logging.getLogger(__name__)
    browser_size, touch_enabled = "1366x768", False  # what ChromeBrowser asks its test for

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.registry = Registry(get_db_name())
        cls.startClassPatcher(patch.object(Registry, "_lock", DummyRLock()))
        cls.login = f"live-{uuid.uuid4().hex[:8]}"
        with cls.registry.cursor() as cr:
            shop = TillShop(api.Environment(cr, SUPERUSER_ID, {}), f"本店 {cls.login}")
            shop.cashier(cls.login, "stock.group_stock_manager")
            cls.stock(shop, 7)
            cls.config_id, cls.company_id = shop.config.id, shop.company.id
            cls.channel_ids = (shop.till | shop.web).ids
            cls.tea_id, cls.place_ids = shop.tea.product_variant_id.id, (shop.ginza.id, shop.net.id)
        cls.addClassCleanup(cls._retire)
        cls._start_server()
        cls._start_browser()
        cls.addClassCleanup(lambda: cls.browser.stop())

    @classmethod
    def stock(cls, shop, quantity):
        shop.stock(shop.tea.product_variant_id, shop.ginza, quantity)

    @classmethod
    def _retire(cls):
        with cls.registry.cursor() as cr:
            api.Environment(cr, SUPERUSER_ID, {})["bridge.channel"].browse(cls.channel_ids).active = False

    @classmethod
    def _start_browser(cls):
        cls.browser = ChromeBrowser(cls)

    @classmethod
    def _start_server(cls):
        with closing(socket.socket()) as free:
            free.bind((HOST, 0))
            port = free.getsockname()[1]
        cls.url = f"http://{HOST}:{port}"
        cls.log = log = tempfile.NamedTemporaryFile(prefix="bridge-live-", suffix=".log")  # noqa: SIM115
        cls.addClassCleanup(log.close)
        command = [
            sys.executable, sys.argv[0], "-c", config["config"], "-d", get_db_name(), "--http-interface", HOST,
            "--http-port", str(port), "--workers", "0", "--max-cron-threads", "0", "--log-level", "warn",
        ]  # fmt: skip
        cls.server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        cls.addClassCleanup(cls.server.wait, 30)
        cls.addClassCleanup(cls.server.terminate)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(f"{cls.url}/web/health", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                if time.monotonic() > deadline or cls.server.poll() is not None:
                    raise
                time.sleep(0.1)

    @staticmethod
    def fetch_proxy(url):
        """The page asks nobody but the server."""
        return {"body": "", "responseCode": 404, "responseHeaders": []}

    # -- driving ---------------------------------------------------------------------------------
    def run_js(self, script):
        """The value of an asynchronous function's body, run in the page."""
        params = {"expression": f"(async () => {{ {script} }})()", "awaitPromise": True, "returnByValue": True}
        answer = self.browser._websocket_request("Runtime.evaluate", params=params, timeout=PATIENCE + 5)
        self.assertNotIn("exceptionDetails", answer, json.dumps(answer, ensure_ascii=False)[:3000])
        return answer["result"].get("value")

    def open(self, path):
        self.browser.navigate_to(self.url + path, wait_stop=True)
        self.run_js(PAGE)

    def open_till(self):
        """Up to the shelves. A Chromium on a busy machine now and then never gets there: then a fresh one, once."""
        try:
            self._open_till()
        except AssertionError:
            self._logger.info("The till did not open: %s", self.explain())
            self.browser.stop()
            self._start_browser()
            self._open_till()

    def explain(self):
        """What the page threw, what it has loaded, what the database waits for, and what the server said."""
        params = {"expression": LOADED, "returnByValue": True}
        loaded = self.browser._websocket_request("Runtime.evaluate", params=params)["result"].get("value")
        result = self.browser._result
        thrown = result.exception() if result.done() and not result.cancelled() else None
        with self.registry.cursor() as cr:
            cr.execute(
                "SELECT state, wait_event, left(query, 120) FROM pg_stat_activity WHERE datname = current_database()"
            )
            waits = cr.fetchall()
        with open(self.log.name, encoding="utf-8", errors="replace") as log:
            said = log.read()[-3000:]
        return f"thrown {thrown!r}\nloaded {loaded}\ndatabase {waits}\nserver {said}"

    def _open_till(self):
        self.open("/web/login")
        params = {"db": get_db_name(), "login": self.login, "password": self.login}
        body = json.dumps({"jsonrpc": "2.0", "params": params})
        self.run_js(
            f"""const headers = {{ "Content-Type": "application/json" }};
            const answer = await fetch("/web/session/authenticate",
                {{ method: "POST", headers, body: {json.dumps(body)} }});
            if (!(await answer.json()).result.uid) {{ throw new Error("no session"); }}"""
        )
        self.open(f"/pos/ui/{self.config_id}")
        self.run_js(
            """(await node('.open-register-btn')).click();
            (await node('.modal-footer .btn-primary', 'Open Register')).click();
            await until(() => !document.querySelector('.modal'), 'the open till');
            await node('article.product', '緑茶');"""
        )

    def change(self, place_id, quantity):
        """Goods come to a place and are committed; the moment of the commit, in milliseconds."""
        with self.registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {"allowed_company_ids": [self.company_id]})
            product, place = env["product.product"].browse(self.tea_id), env["stock.location"].browse(place_id)
            env["stock.quant"]._update_available_quantity(product, place, quantity)
        return time.time() * 1000

    def messages(self):
        with self.registry.cursor() as cr:
            cr.execute("SELECT count(*) FROM bus_bus WHERE message LIKE '%%BRIDGE_STOCK%%'")
            return cr.fetchone()[0]

    def offline(self, is_offline):
        params = {"offline": is_offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.browser._websocket_request("Network.enable")
        self.browser._websocket_request("Network.emulateNetworkConditions", params=params)

    def test_till_follows_stock_while_the_server_runs(self):
        """Stock changed by another process is in the open popup within seconds, without reload; offline, it is old."""
        ginza, net = self.place_ids
        self.open_till()
        self.run_js("window.mark = true; await openInfo('緑茶'); await becomes('銀座店', '7');")

        took = []
        for place, name, number in ((ginza, "銀座店", 17), (net, "オンライン", 10), (ginza, "銀座店", 27)):
            committed = self.change(place, 10)
            took.append(self.run_js(f"return becomes('{name}', '{number}')") - committed)
        self._logger.info("till_live_ms: %s", [round(ms) for ms in took])
        self.assertLess(max(took), SOON_MS)

        # Many changes are few messages.
        before = self.messages()
        for _i in range(50):
            self.change(ginza, 1)
        self.run_js("await becomes('銀座店', '77')")
        self.assertLess(self.messages() - before, 25)

        # Cut off: the popup opens all the same, with what was last seen and how old it is.
        self.offline(True)
        self.run_js("(await node('.modal-footer .btn-primary', 'Close')).click();")
        self.change(ginza, 3)
        self.run_js(
            f"""await until(() => !document.querySelector('.section-bridge'), 'no popup');
            posmodel.bridgeInfos[{self.tea_id}].at -= 600_000;
            await openInfo('緑茶'); await becomes('銀座店', '77');
            await node('.bridge-age', '10 minutes ago');"""
        )
        self.offline(False)
        self.run_js("window.dispatchEvent(new Event('online')); await becomes('銀座店', '80');")
        self.assertTrue(self.run_js("return window.mark"), "the page was loaded again")
