# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import hashlib
import json
import logging
import threading
import time

from PIL import Image, ImageOps

from odoo.fields import Command
from odoo.tests import new_test_user, tagged

from .hardware_case import HardwareCase

_logger = logging.getLogger(__name__)
TEA = "4901234567894"
PORK = "0212345000000"  # item 12345, without its price: what is on the product
PARTS = """
(async () => {
    const get = (name) => odoo.loader.modules.get(name);
    const { BarcodeParser } = get("@barcodes/js/barcode_parser");
    const { RefusedCode, valueDigit } = get("@pos_erp_bridge/pos/app/hardware/barcodes");
    const { ProxyDevices, linesOf } = get("@pos_erp_bridge/pos/app/hardware/devices");
    const { DrawerLog } = get("@pos_erp_bridge/pos/app/hardware/drawer_log");
    const { JobStore } = get("@pos_erp_bridge/pos/app/hardware/job_store");
    const { htmlToCanvas } = get("@point_of_sale/app/services/render_service");
    const { outcomeOf } = get("@pos_erp_bridge/pos/app/utils/printer/bridge_printer");
    const { KitchenPrinter } = get("@pos_erp_bridge/pos/app/utils/printer/kitchen_printer");
    const same = (found, wanted, what) => {
        if (JSON.stringify(found) !== JSON.stringify(wanted)) {
            throw new Error(`${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);
        }
    };
    const refused = (act) => {
        try {
            act();
        } catch (error) {
            return error instanceof RefusedCode;
        }
        return false;
    };

    // Codes. 2875 and 14685 are the examples of the GS1 General Specifications (7.9.3, 7.9.4).
    same(["2875", "14685", "0000", "00000"].map(valueDigit), [9, 6, 0, 0], "digits that check");
    const parserOf = async (id) =>
        new BarcodeParser({ nomenclature: await BarcodeParser.fetchNomenclature(posmodel.env.services.orm, id) });
    const shop = await parserOf(%(shop)d);
    const read = ({ type, value, base_code }) => [type, value, base_code];
    for (const [code, ...wanted] of [
        ["0212345928752", "price", 2875, "0212345000007"],
        ["212345928752", "price", 2875, "0212345000007"], // as UPC-A, without its first zero
        ["2012346146852", "price", 14685, "2012340000006"],
        ["2112002515005", "price", 1500, "2112002500001"],
        ["4901234567894", "product", 0, "4901234567894"],
        ["2312345678904", "product", 0, "2312345678904"],
    ]) {
        same(read(shop.parse_barcode(code)), wanted, code);
    }
    same(refused(() => shop.parse_barcode("0212345828755")), true, "a price that does not fit");
    same(refused(() => shop.parse_barcode("2012347146844")), true, "a longer price that does not fit");
    const gs1 = await parserOf(%(gs1)d);
    const box = gs1.parse_barcode("01949012340000113102001234112611201012345\u001d2511234567890");
    same(box.map(({ ai, type, code }) => [ai, type, code]), [
        ["01", "product", "94901234000011"], ["3102", "quantity", "001234"], ["11", "pack_date", "261120"],
        ["10", "lot", "12345"], ["251", "lot", "1234567890"],
    ], "a label of meat");
    same(box[1].value, 12.34, "its weight");
    same(refused(() => gs1.parse_barcode("0194901234000012")), true, "a number of a product that does not fit");

    // What a customer reads.
    const line = { productName: "国産りんご ふじ 特大", price: "¥ 1,980" };
    const show = (lines) => linesOf({ lines, amount: "¥ 2,090" }, "合計", 20);
    same(show([line, { ...line, isSelected: true }]), ["国産りんご   ¥ 1,980", "合計         ¥ 2,090"], "two lines");
    same(show([]), [" ".repeat(20), "合計         ¥ 2,090"], "an empty order");
    const shown = [];
    const client = { show: async (lines) => shown.push(lines[1].trim()), weigh: async () => weights.shift() };
    const devices = new ProxyDevices({ client });
    devices.show({ lines: [], amount: "1" }, "");
    same(shown, [], "without a display nothing is sent");
    devices.state.health = { displays: [{ name: "line" }] };
    for (const amount of ["1", "2", "3", "4"]) {
        devices.show({ lines: [], amount }, "");
    }
    await devices.showing;
    same(shown, ["1", "4"], "the last one wins");

    // What a scale says.
    const weights = [
        { kilograms: "1.234", reason: "" }, { kilograms: null, reason: "moving" }, { kilograms: null, reason: "over" },
        { kilograms: null, reason: "over" }, { kilograms: null, reason: "over" },
    ];
    same([await devices.weigh(), await devices.weigh(), await devices.weigh()], [1.234, 0, 0], "weights");
    await devices.weigh();
    same(await devices.weigh().catch((error) => error.message), "Too heavy for the scale.", "a scale in trouble");

    // Openings of the drawer outlive the page, and are sent once.
    const sent = [], calls = [];
    let isOnline = false;
    const open = () =>
        new DrawerLog({
            store: new JobStore(),
            scope: "test",
            send: async (rows) => {
                if (!isOnline) { throw new Error("offline"); }
                sent.push(...rows.map(({ id, outcome }) => [id, outcome]));
                calls.push(rows.length);
                return { skipped: [] };
            },
        });
    const page = open();
    await page.begin({ id: "one" });
    await page.end({ id: "one" }, { outcome: "opened", detail: "" });
    await page.begin({ id: "two" });
    clearTimeout(page.timer);
    isOnline = true;
    await page.flush();
    same(sent, [["one", "opened"]], "what is known");
    await open().flush();
    same(sent, [["one", "opened"], ["two", "unknown"]], "what a page left behind");
    await open().flush();
    same(sent.length, 2, "once");

    // Another tab of the till waits for its drawer; what it left long ago is sent, in parts.
    const tab = open();
    await tab.begin({ id: "three", moment: Date.now() });
    await tab.begin({ id: "four", moment: Date.now() - 31_000 });
    const other = open();
    same(await other.flush(), false, "something is still awaited");
    clearTimeout(other.timer);
    same(sent.slice(2), [["four", "unknown"]], "what nobody waits for");
    await tab.end({ id: "three" }, { outcome: "opened", detail: "" });
    same(sent.slice(3), [["three", "opened"]], "what was awaited");
    calls.length = 0;
    const many = [...Array(501).keys()].map((at) => ({ id: `many-${at}`, outcome: "opened" }));
    many.forEach((row) => tab.rows.set(row.id, row));
    same(await tab.flush(), true, "all of them");
    same(calls, [500, 1], "as many as Odoo takes at once");

    same(
        [
            ["trouble", "too_late"], ["trouble", "busy"], ["unreachable"], ["away"], ["offline"], ["denied"],
        ].map(([kind, reason]) => outcomeOf({ kind, reason })),
        ["too_late", "trouble", "unreachable", "unreachable", "unreachable", "refused"], "outcomes of a drawer"
    );

    // Codes are asked for by a page that somebody sees.
    let isHidden = true;
    Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
    const look = async (hidden) => {
        isHidden = hidden;
        document.dispatchEvent(new Event("visibilitychange"));
        await new Promise((resolve) => setTimeout(resolve, 600));
    };
    const polls = [];
    const scan = (seconds, signal) =>
        new Promise((resolve, reject) => {
            polls.push(signal);
            signal?.addEventListener("abort", () => reject(new Error("ended")));
        });
    const listener = new ProxyDevices({ client: { scan }, onCode: () => {} });
    listener.state.health = { scanners: [{}] };
    listener.listen();
    await look(true);
    same(polls.length, 0, "nobody sees the page");
    await look(false);
    same(polls.map((signal) => signal.aborted), [false], "somebody sees it");
    await look(true);
    same(polls.map((signal) => signal.aborted), [true], "somebody has left it");
    await look(false);
    same(polls.map((signal) => signal.aborted), [true, false], "somebody has come back");
    delete document.hidden;

    // A slip is kept before it is drawn: a page that ends meanwhile loses nothing.
    const paperOf = (text) => {
        const paper = document.createElement("div");
        paper.className = "pos-receipt";
        paper.textContent = text;
        return paper;
    };
    const store = new JobStore();
    const added = [];
    const told = [];
    const parts = () => ({
        client: {}, renderer: posmodel.env.services.renderer, notify: (text) => told.push(text),
        queue: { store, scope: "test/1", jobs: new Map(), add: async (job) => (added.push(job), job) },
        name: "stove", label: "厨房", width: 384,
    });
    const kitchen = () => new KitchenPrinter(parts());
    const slips = () => store.keptUnder("slip/test/1/");
    const until = async (isSo, what) => {
        for (let turn = 0; !(await isSo()); turn++) {
            if (turn > 500) { throw new Error(`${what}: not so`); }
            await new Promise((resolve) => setTimeout(resolve, 20));
        }
    };
    const dying = kitchen();
    dying.picture = () => new Promise(() => {}); // the page ends meanwhile
    await dying.printReceipt(paperOf("緑茶 1"));
    const [slip] = await slips();
    same([slip.label, slip.printer, slip.width], ["厨房", "stove", 384], "a slip that is not drawn yet");
    await store.keep("slip/test/1/old", { ...slip, id: "old", created: Date.now() - 7_200_001 });
    kitchen();
    await until(async () => !(await slips()).length, "the next page has drawn it");
    same(added.map(({ id, kind, width, printer }) => [id, kind, width, printer]), [[slip.id, "kitchen", 384, "stove"]],
        "what the page before has left");
    const { lifetime, rows, body } = added[0];
    same([lifetime <= 7_200_000, rows > 10, body.length > 20], [true, true, true], "a picture");
    same(told, ["厨房: a slip was kept for too long. It is not printed."], "what nobody in the kitchen wants any more");

    // What the page prints otherwise does not wipe what is drawn meanwhile.
    const drawn = kitchen().draw(paperOf("緑茶 1"), 384);
    await htmlToCanvas(paperOf("領収書"), { addClass: "pos-receipt-print" });
    const picture = await drawn.catch((error) => ({ height: error.message }));
    same([picture.width, picture.height], [384, rows], "a slip that was drawn at the same time");
    console.log("test successful");
})();
"""

SETTINGS = """
(async () => {
    const node = async (selector, text = "") => {
        for (let turn = 0; turn < 1000; turn++) {
            const found = [...document.querySelectorAll(selector)].find((n) => n.textContent.includes(text));
            if (found) { return found; }
            await new Promise((resolve) => setTimeout(resolve, 20));
        }
        throw new Error(`${selector} ${text} is not to be seen: ${document.body.innerText}`);
    };
    const test = async (name, outcome) => {
        const choice = await node(".bridge-proxy-printer select");
        choice.value = name;
        choice.dispatchEvent(new Event("change", { bubbles: true }));
        await new Promise((resolve) => setTimeout(resolve, 100));
        document.querySelector(".bridge-told").dataset.old = "1";
        (await node(".bridge-test:not([disabled])")).click();
        await node(".bridge-told:not([data-old])", outcome);
    };
    (await node(".bridge-find:not([disabled])")).click();
    await node(".bridge-told", "Printers found: 2");
    await test("kitchen", "The printer refuses the connection.");
    await test("receipt", "The test page is printed.");
    await test("", "The test page is printed.");
    (await node(".o_form_button_cancel")).click();
    await node("body:not(:has(.o_dirty_warning))");
    console.log("test successful");
})();
"""


class ShopWithDevices(HardwareCase):
    """Scanner, scale, drawer and kitchen of a till, each real up to a line whose far end is in software."""

    with_devices = True

    def setUp(self):
        super().setUp()
        env, shop = self.env, self.shop
        shop.company.nomenclature_id = env.ref("pos_erp_bridge.bridge_nomenclature_in_store")
        parser = shop.company.nomenclature_id
        env["decimal.precision"].search([("name", "=", "Product Unit")]).digits = 3  # grams
        shop.tea.barcode = TEA
        category = env["pos.category"].create({"name": "調理"})
        common = {
            "available_in_pos": True, "company_id": shop.company.id, "taxes_id": [Command.set(shop.tea.taxes_id.ids)]
        }  # fmt: skip
        env["product.product"].create(
            [
                {"name": "焼豚", "list_price": 1, "barcode": parser.sanitize_ean(PORK), **common},
                {
                    "name": "りんご", "list_price": 500, "to_weight": True,
                    "uom_id": env.ref("uom.product_uom_kgm").id, **common,
                },
            ]
        )  # fmt: skip
        shop.tea.pos_categ_ids = category
        kitchen = env["pos.printer"].create(
            {
                "name": "厨房", "printer_type": "bridge", "bridge_proxy_id": self.proxy.id,
                "product_categories_ids": [Command.set(category.ids)], "company_id": shop.company.id,
            }
        )  # fmt: skip
        shop.config.write({"bridge_scale": True, "is_order_printer": True, "printer_ids": [Command.set(kitchen.ids)]})

    def do_scan(self, code):
        moment = time.time() * 1000
        self.machine.scanner.say(f"{code}\r\n".encode())
        return moment


@tagged("post_install", "-at_install")
class TestHardwareDevices(ShopWithDevices):
    def do_kitchen(self, _value):
        self.machine.start_kitchen()

    def do_slips(self, count):
        self.assertEqual(len(self.machine.papers("slips")), int(count))

    def openings(self):
        """[(reason, in words, outcome, cashier, order)] as logged, oldest first."""
        logs = self.env["bridge.drawer.log"].search([("config_id", "=", self.shop.config.id)], order="moment, id")
        return [(log.reason, log.note, log.outcome, log.employee, log.order_id) for log in logs]

    def test_day_with_devices(self):
        """Codes become lines, a weight a quantity; the drawer is logged; a kitchen that is off delays nothing."""
        self.start("bridge_hardware_devices")
        order = self.env["pos.order"].search([("config_id", "=", self.shop.config.id)])
        lines = {line.product_id.name: (line.qty, line.price_unit) for line in order.lines}
        self.assertEqual(lines, {"緑茶": (1, 110), "焼豚": (1, 2875), "りんご": (1.234, 500)})
        cashier = self.env["res.users"].search([("login", "=", "bridge_hardware")]).name
        self.assertCountEqual(  # two within one second have no order
            self.openings(),
            [("no_sale", "Counting the cash", "pulsed", cashier, order), ("sale", "", "pulsed", cashier, order)],
        )
        self.assertEqual(order.nb_print, 1)

    def test_proxy_comes_and_goes(self):
        """Selling goes on while the proxy is away, the page lives, receipts come out once, codes come again."""
        self.start("bridge_hardware_flaps")
        self.assertEqual(self.machine.jobs(), [("printed", "", 0)] * 3)
        outcomes = [outcome for _reason, _note, outcome, *_ in self.openings()]
        self.assertEqual(outcomes, ["pulsed", "unreachable", "unreachable"])

    def test_parts(self):
        """Codes of Japan, the lines of a display, weights and the log of the drawer, each alone."""
        gs1 = self.env.ref("barcodes_gs1_nomenclature.default_gs1_nomenclature")
        self.pair()
        self.run_in_till(PARTS % {"shop": self.shop.company.nomenclature_id.id, "gs1": gs1.id})

    def test_settings_in_the_browser(self):
        """Whoever sets a till up chooses among the printers that the proxy tells, and sees what a test came to."""
        company = self.shop.company
        groups = "base.group_system,point_of_sale.group_pos_manager"
        companies = {"company_id": company.id, "company_ids": [Command.set(company.ids)]}
        new_test_user(self.env, "bridge_hw_system", groups, **companies)
        self.pair()
        ready = "Boolean(document.querySelector('.bridge-proxy-printer'))"
        url = "/odoo/action-point_of_sale.action_pos_configuration"
        self.browser_js(url, SETTINGS, ready, login="bridge_hw_system", timeout=90)
        self.assertEqual(len(self.machine.papers()), 2)

    def do_drawn(self, digest):
        self.drawn = digest

    def test_in_japanese(self):
        """A Japanese cashier reads Japanese, and the paper is dot for dot what his till has drawn."""
        self.env["res.lang"]._activate_lang("ja_JP")
        self.env["ir.module.module"].search([("name", "in", ("point_of_sale", "pos_erp_bridge"))])._update_translations(
            "ja_JP"
        )
        self.env["res.users"].search([("login", "=", "bridge_hardware")]).lang = "ja_JP"
        self.start("bridge_hardware_japanese")
        [paper] = self.machine.papers()
        picture = ImageOps.invert(Image.open(paper).convert("L")).convert("1")
        self.assertEqual(picture.width, 576)
        dots = picture.crop((0, picture.getbbox()[1], picture.width, picture.getbbox()[3])).tobytes()
        self.assertEqual(hashlib.sha256(dots).hexdigest(), self.drawn)
        self.assertIn(("no_sale", "両替", "pulsed"), [opening[:3] for opening in self.openings()])


@tagged("post_install", "-at_install", "-standard", "bridge_speed")
class TestHardwareSpeed(ShopWithDevices):
    """Not a test: the figures of ``./run bench till-hardware``."""

    took, why, moment = (), (), ""

    def do_scan(self, code):
        """In a while: meanwhile the page has got its answer, and does nothing."""
        self.moment = ""
        threading.Timer(0.1, self._scan, [code]).start()

    def _scan(self, code):
        self.moment = super().do_scan(code)

    def do_moment(self, _value):
        return self.moment

    def do_why(self, text):
        self.why = [*self.why, [float(number) for number in text.split(",")]]

    def do_took(self, text):
        self.took = [*self.took, [float(number) for number in text.split(",")]]

    def test_scan_to_line(self):
        """Each code and each pressed product becomes a line; how long that took is told, and judged nowhere here."""
        session_info = self.registry["ir.http"].session_info
        # In its tests Odoo's pages check the parameters of every component at each drawing; a cashier's page does not.
        self.patch(self.registry["ir.http"], "session_info", lambda http: {**session_info(http), "test_mode": False})
        self.start("bridge_hardware_speed")
        self.assertEqual(len(self.took), 30)
        heard, shown, pressed = map(list, zip(*self.took, strict=True))
        figures = {"heard": heard, "shown": shown, "pressed": pressed, "why": self.why}
        _logger.info("bridge figures %s", json.dumps(figures))
