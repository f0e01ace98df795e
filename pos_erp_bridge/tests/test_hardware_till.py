# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import hashlib
import hmac
import json
from unittest.mock import patch

from odoo.fields import Command
from odoo.tests import new_test_user, tagged

from .hardware_case import SECRET, HardwareCase
from .hardware_machine import HOST, free_port

SIGN = """
(async () => {
    const { authorization } = odoo.loader.modules.get("@pos_erp_bridge/pos/app/hardware/signature");
    for (const { size, key, header } of %s) {
        const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 7) %% 256);
        const access = { claims: "claims", key };
        for (const subtle of [crypto.subtle, null]) {
            const found = await authorization(access, "PUT", "/jobs/x?width=8", bytes, "1700000000000", subtle);
            if (found !== header) {
                throw new Error(`${subtle ? "the browser's" : "our own"} signature of ${size} bytes is ${found}`);
            }
        }
    }
    console.log("test successful");
})();
"""
# A proxy that is not connected refuses at once, in a promise that is rejected already.
SPIN = """
(async () => {
    const { BarcodeReader } = odoo.loader.modules.get("@point_of_sale/app/services/barcode_reader_service");
    const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));
    let asked = 0, ticks = 0, isConnected = false;
    const scanned = [];
    const reader = Object.assign(Object.create(BarcodeReader.prototype), {
        remoteScanning: false,
        remoteActive: 0,
        scan: (code) => scanned.push(code),
        hardwareProxy: {
            message: () => {
                if (++asked > 1000) { throw new Error("it spins"); }
                return isConnected ? Promise.resolve(asked % 2 ? "4900000000016" : null) : Promise.reject();
            },
        },
    });
    const timer = setInterval(() => ticks++, 20);
    reader.connectToProxy();
    await pause(900);
    const failed = asked;
    isConnected = true;
    await pause(1500);
    reader.disconnectFromProxy();
    await pause(600);
    const last = asked;
    await pause(600);
    clearInterval(timer);
    if (ticks < 60 || failed < 2 || failed > 5) { throw new Error(`${ticks} ticks, ${failed} questions`); }
    if (!scanned.length || scanned.some((code) => code !== "4900000000016")) { throw new Error(`scanned ${scanned}`); }
    if (asked !== last || reader.remoteActive) { throw new Error("it does not stop"); }
    console.log("test successful");
})();
"""
PAIR = """
(async () => {
    const until = async (look, what) => {
        for (let turn = 0; turn < 1000; turn++) {
            const found = look();
            if (found) { return found; }
            await new Promise((resolve) => setTimeout(resolve, 20));
        }
        throw new Error(`${what} is not to be seen: ${document.body.innerText}`);
    };
    const node = (selector, text = "") =>
        until(() => [...document.querySelectorAll(selector)].find((n) => n.textContent.includes(text)), selector);
    const enter = async (code) => {
        const input = await node(".modal input[inputmode=numeric]");
        input.value = code;
        input.dispatchEvent(new Event("input", { bubbles: true }));
        await until(() => !document.querySelector(".modal-footer .btn-primary").disabled, "the button");
        document.querySelector(".modal-footer .btn-primary").click();
    };
    (await node(".bridge-proxy-connect")).click();
    await enter("00000000");
    await node(".modal .text-danger", "The code is wrong or too old");
    await enter("%(code)s");
    await node(".bridge-proxy-health", "receipt (576 dots)");
    await node(".o_field_widget[name=printer_names]", "receipt");
    (await node(".bridge-proxy-print")).click();
    await node(".bridge-proxy-tested", "The test page is printed.");
    console.log("test successful");
})();
"""
# Ten minutes late; a drawer's request is refused three seconds after it was signed.
CLOCK = """
(async () => {
    const now = Date.now;
    Date.now = () => now() - 600_000;
    const { RoadClient } = odoo.loader.modules.get("@pos_erp_bridge/pos/app/hardware/road_client");
    const client = new RoadClient(posmodel.bridgeQueue.client.askAccess, null);
    const outcome = await client.openDrawer(crypto.randomUUID(), "", Date.now());
    if (outcome !== "pulsed") { throw new Error(outcome); }
    Date.now = now;
    console.log("test successful");
})();
"""
NOBODY = """
(async () => {
    document.querySelector(".bridge-proxy-test").click();
    for (let turn = 0; turn < 500; turn++) {
        const text = document.querySelector(".bridge-proxy .alert-danger")?.textContent || "";
        if (text.includes("cannot be reached. Open it in a new tab")) {
            console.log("test successful");
            return;
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(document.body.innerText);
})();
"""


@tagged("post_install", "-at_install")
class TestHardwareTill(HardwareCase):
    """Odoo's till in a real browser prints through a real proxy on a printer in software."""

    # -- selling ---------------------------------------------------------------------------------
    def test_sale_prints_and_opens_the_drawer(self):
        """One paper as wide as the roll, and the drawer; asked for again, a second paper. What was not sent to a proxy
        that the till had before is offered, what may have been is told."""
        self.start("bridge_hardware_prints")
        self.assertEqual(self.machine.jobs(), [("printed", "", 0)] * 3)
        self.assertEqual(self.env["pos.order"].search([("config_id", "=", self.shop.config.id)]).nb_print, 2)

    def test_out_of_paper(self):
        """The reason is shown; asked for again meanwhile, and when paper is in, there is one paper."""
        self.start("bridge_hardware_paper")
        self.assertEqual(self.machine.jobs(), [("printed", "", 0)])

    def test_many_prints_wait(self):
        """However many wait for paper, the next sale opens the drawer and says why nothing comes; then all come."""
        self.start("bridge_hardware_crowd")
        self.assertEqual(self.machine.jobs(), [("printed", "", 0)] * 8)

    def test_proxy_is_away(self):
        """A receipt outlives the proxy's and the page's end, and comes out once."""
        self.start("bridge_hardware_away")
        self.assertEqual(self.machine.jobs(), [("printed", "", 0)])

    def test_nobody_knows(self):
        """The line broke in the middle: the cashier looks, and a second paper is marked."""
        self.start("bridge_hardware_unknown")
        self.assertEqual(self.machine.jobs(), [("failed", "reprinted", 0), ("printed", "", 1)])

    def test_it_came_out(self):
        """The line broke in the middle: the cashier sees the paper, and there is no second one."""
        self.start("bridge_hardware_seen")
        self.assertEqual(self.machine.jobs(), [("printed", "seen", 0)])

    def test_relayed_through_odoo(self):
        """The till cannot reach the proxy: through Odoo the drawer opens and one paper comes out, also when the same
        print comes on both ways at once; and when nobody knows, the cashier is asked as always."""
        self.proxy.url = f"http://{HOST}:{free_port()}"
        self.proxy.sudo().write({"secret": SECRET, "proxy_id": self.machine.keys()["proxy_id"]})
        # The proxy asks this Odoo, too, but only while the browser does: it is paired and stopped by the tour.
        with patch.object(self, "http_request_allow_all", True):
            self.start_tour(
                f"/pos/ui/{self.shop.config.id}", "bridge_hardware_relayed", login="bridge_hardware", timeout=120
            )
        printed = ("printed", "", 0)
        self.assertEqual(self.machine.jobs(), [printed, printed, ("failed", "reprinted", 0), ("printed", "", 1)])

    def test_not_connected(self):
        """A proxy that nobody has paired is named as the reason; the sale goes on."""
        self.start_tour(
            f"/pos/ui/{self.shop.config.id}", "bridge_hardware_unpaired", login="bridge_hardware", timeout=90
        )
        self.assertEqual(self.machine.jobs(), [])

    # -- settings --------------------------------------------------------------------------------
    def test_pairing_in_the_browser(self):
        """A manager enters the code that the proxy shows; then both have the same secret."""
        groups = "base.group_user,pos_erp_bridge.group_bridge_manager"
        company = self.shop.company
        companies = {"company_id": company.id, "company_ids": [Command.set(company.ids)]}
        new_test_user(self.env, "bridge_hw_manager", groups, **companies)
        form = f"/odoo/action-pos_erp_bridge.bridge_hardware_proxy_action/{self.proxy.id}"
        ready = "Boolean(document.querySelector('.bridge-proxy-connect'))"
        code = PAIR % {"code": self.machine.code}
        self.browser_js(form, code, ready, login="bridge_hw_manager", timeout=90)
        keys = self.machine.keys()
        proxy = self.proxy.sudo()
        self.assertEqual(len(self.machine.papers()), 1)
        self.assertEqual((proxy.proxy_id, proxy.secret), (keys["proxy_id"], keys["secret"]))
        self.assertEqual(proxy.printers, [{"name": "receipt", "role": "receipt", "width": 576, "drawer": True}])

        self.machine.stop()
        self.browser_js(form, NOBODY, ready, login="bridge_hw_manager", timeout=90)

    # -- parts that need a browser ---------------------------------------------------------------
    def test_signatures(self):
        """The browser's cryptography and our own sign as Python does, at every edge of a block."""
        expected = []
        for size in (0, 1, 55, 56, 63, 64, 65, 119, 120, 100_000):
            for key in ("k" * 64, "k" * 65):
                body = bytes(i * 7 % 256 for i in range(size))
                parts = ("PUT", "/jobs/x?width=8", hashlib.sha256(body).hexdigest(), "1700000000000", "claims")
                signature = hmac.new(key.encode(), "\n".join(parts).encode(), hashlib.sha256).hexdigest()
                expected.append({"size": size, "key": key, "header": f"Till claims.1700000000000.{signature}"})
        self.run_in_till(SIGN % json.dumps(expected))

    def test_wrong_clock(self):
        """A till whose clock is wrong opens the drawer: it signs by the proxy's clock."""
        self.pair()
        self.run_in_till(CLOCK)
        self.assertTrue(self.machine.printer_state()["drawer_open"])

    def test_scanner_does_not_freeze_the_page(self):
        """While a proxy for a scanner is away, timers run; when it is back, codes come; told to stop, it stops."""
        self.run_in_till(SPIN)
