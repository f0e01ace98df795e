# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""A shop that has Odoo and the hardware proxy, but not the addon: the server, the proxy, a scanner, two printers."""

import contextlib
import json
import os
import pty
import socket
import subprocess
import sys
import time
import tty
from pathlib import Path
from urllib.request import Request, urlopen

from pos_hardware_proxy.virtual_printer import VirtualPrinter

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
LOGIN = "admin"
TEA, NOODLES = "緑茶", "ラーメン"
BARCODE = "4901234567894"
ANSWER_S = 300  # the longest that is asked of Odoo is to install a module


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def until(look, what, seconds=60):
    """The first true value of ``look``."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        with contextlib.suppress(OSError):
            if found := look():
                return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds} s")


class Shop:
    """
    :param folder: for the proxy's file and state, and for logs
    """

    def __init__(self, folder, ends):
        self.folder, self.database = folder, os.environ["BRIDGE_STOCK_DB"]
        self.receipts, self.kitchen = (self._printer(ends, name) for name in ("receipt", "kitchen"))
        self.url = f"http://{HOST}:{free_port()}"
        self.session = ""
        self.proxy = f"{HOST}:{free_port()}"  # as it is written in Odoo's settings
        self._scanner, scanner = pty.openpty()
        tty.setraw(self._scanner)
        self._start_proxy(ends, os.ttyname(scanner))
        self._start_odoo(ends)
        until(lambda: self._get(f"{self.url}/web/health"), "Odoo")
        until(lambda: self._get(f"http://{self.proxy}/health"), "the proxy")

    # -- programs ----------------------------------------------------------------------------------
    def _printer(self, ends, name):
        (self.folder / name).mkdir()
        return ends.enter_context(VirtualPrinter(folder=self.folder / name).in_thread())

    def _start_proxy(self, ends, scanner):
        path = self.folder / "proxy.toml"
        path.write_text(
            f'[proxy]\nstate = "{self.folder / "state"}"\nport = {self.proxy.rpartition(":")[2]}\n'
            f'origins = ["{self.url}"]\nwithout_token = true\nwithout_token_drawer = true\n'
            f'[[printer]]\nname = "receipt"\naddress = "tcp://{HOST}:{self.receipts.port}"\ndrawer = true\n'
            f'[[printer]]\nname = "kitchen"\naddress = "tcp://{HOST}:{self.kitchen.port}"\nrole = "kitchen"\n'
            f'[[scanner]]\nname = "counter"\naddress = "serial://{scanner}?baud=9600"\n'
        )
        environment = {"PYTHONPATH": str(ROOT / "hardware_proxy")}
        self._run(ends, "proxy", environment, "-m", "pos_hardware_proxy", "--config", path)

    def _start_odoo(self, ends):
        port = self.url.rpartition(":")[2]
        given = os.environ
        options = ("-d", self.database, "--http-port", port, "--gevent-port", free_port(), "--max-cron-threads=0")
        command = (given["BRIDGE_ODOO_BIN"], "-c", given["BRIDGE_ODOO_CONF"], "--workers=0", *options)
        self._run(ends, "odoo", {"PYTHONPATH": given["BRIDGE_ODOO_LIB"]}, *command)

    def _run(self, ends, name, environment, *arguments):
        log = ends.enter_context(open(self.folder / f"{name}.log", "w"))
        command = [sys.executable, *map(str, arguments)]
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        ends.callback(process.wait, 30)
        ends.callback(process.terminate)

    @staticmethod
    def _get(url):
        with urlopen(url, timeout=5) as answer:
            return answer.read()

    # -- Odoo --------------------------------------------------------------------------------------
    def do(self, model, method, *arguments, **keywords):
        """A method of a model, called as the web client calls it."""
        params = {"model": model, "method": method, "args": arguments, "kwargs": keywords}
        return self._ask("/web/dataset/call_kw", params)[0]

    def log_in(self):
        """As the administrator, who also is the cashier; the cookie."""
        _result, cookie = self._ask(
            "/web/session/authenticate", {"db": self.database, "login": LOGIN, "password": LOGIN}
        )
        self.session = cookie.partition("session_id=")[2].partition(";")[0]
        return self.session

    def _ask(self, path, params):
        """(result, cookie) of a JSON-RPC call."""
        body = json.dumps({"jsonrpc": "2.0", "method": "call", "params": params}).encode()
        headers = {"Content-Type": "application/json", "Cookie": f"session_id={self.session}"}
        with urlopen(Request(self.url + path, body, headers), timeout=ANSWER_S) as answer:
            content = json.load(answer)
            assert "error" not in content, content["error"]
            return content["result"], answer.headers.get("Set-Cookie", "")

    def furnish(self):
        """Two tills, as an administrator sets them up in Odoo's own settings; their ids (by ePOS, by hw_proxy)."""
        yen = self.do("res.currency", "search", [("name", "=", "JPY")], context={"active_test": False})
        self.do("res.currency", "write", yen, {"active": True})
        self.do("res.company", "write", [1], {"name": "本店", "currency_id": yen[0]})
        kitchen = self.do("pos.category", "create", {"name": "厨房"})
        goods = {"available_in_pos": True, "taxes_id": [(5,)]}
        self.do("product.template", "create", {"name": TEA, "list_price": 110, "barcode": BARCODE, **goods})
        noodles = {"name": NOODLES, "list_price": 880, "pos_categ_ids": [(4, kitchen)]}
        self.do("product.template", "create", {**noodles, **goods})
        printer = {"name": "厨房", "printer_type": "epson_epos", "epson_printer_ip": f"{self.proxy}/kitchen"}
        common = {"iface_cashdrawer": True, "iface_print_auto": True, "iface_print_skip_screen": False}
        epos = {
            "other_devices": True, "epson_printer_ip": self.proxy, "is_order_printer": True,
            "printer_ids": [(0, 0, {**printer, "product_categories_ids": [(4, kitchen)]})],
        }  # fmt: skip
        first = self.do("pos.config", "create", {"name": "レジ1", **common, **epos})
        by_proxy = {
            "is_posbox": True, "proxy_ip": self.proxy,
            "iface_print_via_proxy": True, "iface_scan_via_proxy": True, "payment_method_ids": [(4, self._cash())],
        }  # fmt: skip
        return first, self.do("pos.config", "create", {"name": "レジ2", **common, **by_proxy})

    def _cash(self):
        """A second till's money: two cannot share a drawer, and the first till takes what there is."""
        journal = self.do("account.journal", "create", {"name": "レジ2", "type": "cash", "code": "CSH2"})
        return self.do("pos.payment.method", "create", {"name": "Cash", "journal_id": journal})

    def open_kiosk(self):
        """A kiosk with the first till's printers, paid for at the counter; the address of its page."""
        module = self.do("ir.module.module", "search", [("name", "=", "pos_self_order")])
        self.do("ir.module.module", "button_immediate_install", module)
        till = self.do("pos.config", "read", self.tills[0], ["printer_ids"])[0]
        cards = self.do("pos.payment.method", "search", [("journal_id.type", "=", "bank")])
        kiosk = {
            "self_ordering_mode": "kiosk", "self_ordering_pay_after": "each", "payment_method_ids": [(6, 0, cards)],
            "other_devices": True, "epson_printer_ip": self.proxy,
            "is_order_printer": True, "printer_ids": [(6, 0, till["printer_ids"])],
        }  # fmt: skip
        config = self.do("pos.config", "create", {"name": "キオスク", **kiosk})
        return self.do("pos.config", "action_open_wizard", config)["url"]

    # -- devices -----------------------------------------------------------------------------------
    def scan(self, code):
        """The scanner reads a code."""
        os.write(self._scanner, code.encode() + b"\r")
