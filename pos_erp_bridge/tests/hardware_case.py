# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import json
import tempfile
from urllib.parse import urlsplit

from odoo.tests import HttpCase

from .hardware_machine import Machine, missing
from .till_shop import TillShop

CONTROL = "control.test"  # a name that exists in these browsers only
SECRET = "a secret of more than forty characters, all told"


class HardwareCase(HttpCase):
    """A till in a real browser, and beside it the shop's machine with a real proxy and a printer in software."""

    with_devices = False

    def setUp(self):
        super().setUp()
        if reason := missing():
            self.skipTest(reason)
        folder = tempfile.TemporaryDirectory(prefix="bridge-hardware-")
        self.addCleanup(folder.cleanup)
        is_relayed = "relay" in self._testMethodName
        self.machine = Machine(folder.name, self.base_url(), is_relayed, self.with_devices)
        self.addCleanup(self.machine.end)
        shop = self.shop = TillShop(self.env)
        self.env = shop.env
        shop.stock(shop.tea.product_variant_id, shop.main, 9)
        shop.cashier("bridge_hardware")
        self.proxy = self.env["bridge.hardware.proxy"].create({"name": "本店", "url": self.machine.url})
        shop.config.write(
            {
                "bridge_proxy_id": self.proxy.id, "iface_cashdrawer": True,
                "iface_print_auto": True, "iface_print_skip_screen": False,
            }
        )  # fmt: skip

    def pair(self):
        self.proxy.sudo().write({"secret": SECRET, "proxy_id": self.machine.pair(SECRET)})

    def start(self, tour):
        self.pair()
        self.start_tour(f"/pos/ui/{self.shop.config.id}", tour, login="bridge_hardware", timeout=90)

    def fetch_proxy(self, url):
        """What the tour asks for happens on the shop's machine: ``http://control.test/ACTION/VALUE``. Nothing waits
        here: meanwhile the browser would get no answer to anything. The tour asks again."""
        parts = urlsplit(url)
        if parts.hostname != CONTROL:
            return super().fetch_proxy(url)
        action, _, value = parts.path.strip("/").partition("/")
        try:
            return self.make_fetch_proxy_response(str(getattr(self, f"do_{action}")(value) or ""))
        except AssertionError as error:
            return self.make_fetch_proxy_response(str(error), 418)

    def do_set(self, text):
        name, value = text.split("=")
        self.machine.set(name, json.loads(value))

    def do_stop(self, _value):
        self.machine.stop()

    def do_start(self, _value):
        self.machine.start()

    def do_pair(self, _value):
        self.machine.pair(SECRET)

    def do_url(self, _value):
        return self.machine.url

    def do_papers(self, count):
        self.assertEqual(len(self.machine.papers()), int(count))

    def do_drawer(self, _value):
        self.assertTrue(self.machine.printer_state()["drawer_open"], "the drawer is closed")

    def do_drawer_first(self, _value):
        """The drawer was told to open before the first dots of the receipt came to the printer."""
        events = self.machine.printer_events()
        pulse = next((place for place, (kind, _name) in enumerate(events) if kind == "pulse"), len(events))
        self.assertIn(("command", "GS v 0"), events[pulse:], "there is no pulse before a picture")
        self.assertNotIn(("command", "GS v 0"), events[:pulse], "a picture came before the pulse")

    def run_in_till(self, code):
        ready = "Boolean(window.posmodel && document.querySelector('.pos'))"
        self.browser_js(f"/pos/ui/{self.shop.config.id}", code, ready, login="bridge_hardware", timeout=90)
