// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import * as ReceiptScreen from "@point_of_sale/../tests/pos/tours/utils/receipt_screen_util";
import { refresh } from "@point_of_sale/../tests/generic_helpers/utils";
import { isClosed, isTold, machine, press, printAgain, sees, sell, tour } from "@pos_erp_bridge/../tests/tours/hardware_util";

tour(
    "bridge_hardware_prints",
    sell,
    machine("papers/1"),
    machine("drawer"),
    isClosed,
    printAgain,
    machine("papers/2")
);

tour(
    "bridge_hardware_paper",
    machine("set/paper_end=true"),
    sell,
    sees("Out of paper."),
    sees("It is printed by itself as soon as that is put right."),
    press("Retry"),
    sees("Out of paper."),
    press("Continue"),
    isClosed,
    printAgain,
    sees("Out of paper."),
    press("Continue"),
    isClosed,
    machine("set/paper_end=false"),
    isTold("It is printed."),
    machine("papers/1")
);

tour(
    "bridge_hardware_away",
    machine("stop"),
    sell,
    sees("The hardware proxy cannot be reached at http://127.0.0.1:"),
    press("Continue"),
    isClosed,
    refresh(),
    { content: "the till is back", trigger: ".pos .pos-content" },
    machine("start"),
    isTold("It is printed."),
    machine("papers/1")
);

tour(
    "bridge_hardware_unknown",
    machine("set/drop_after=3000"),
    sell,
    sees("Did the paper come out?"),
    sees("The connection broke while printing."),
    press("Print again, marked 再発行"),
    isTold("It is printed."),
    isClosed
);

tour(
    "bridge_hardware_seen",
    machine("set/drop_after=3000"),
    sell,
    sees("Did the paper come out?"),
    press("It came out"),
    isClosed
);

const get = (path) => odoo.loader.modules.get(`@pos_erp_bridge/pos/app/hardware/${path}`);
const check = (what, found, wanted) => {
    if (String(found) !== String(wanted)) {
        throw new Error(`${what}: ${found} instead of ${wanted}`);
    }
};
const fails = (kind) => Promise.reject(new (get("proxy_client").ProxyError)(kind));
const kindOf = (promise) => promise.then(() => "none", (error) => error.kind);

/** Which way a print takes, with a proxy and an Odoo that answer as each case wants. */
const takesItsWay = {
    content: "the way a print takes",
    trigger: "body",
    run: async () => {
        const { RoadClient } = get("road_client");
        const job = { id: "job-00001", width: 8, rows: 1, body: new Uint8Array(1), created: Date.now() };
        const make = (road, direct, relayed = () => ({ state: "new" })) => {
            const access = { road, claims: "c", key: "k", url: "http://127.0.0.1:1", until: Date.now() };
            const went = [];
            const client = new RoadClient(async () => access, {
                put: async () => went.push("odoo") && relayed(),
                health: async () => went.push("odoo") && relayed(),
                openDrawer: async (id, printer, at) => went.push("odoo") && relayed(at),
            });
            client.fetch = async (url, options) => {
                const kind = url.includes("/health") ? "look" : "direct";
                went.push(kind);
                return direct(kind, options);
            };
            return { client, went, print: async () => (await client.put({ ...job })).state };
        };

        const near = make("direct", () => ({ state: "printed" }));
        check("near", await near.print(), "printed");
        check("near", near.went, ["look", "direct"]);

        const away = make("direct", () => fails("unreachable"));
        check("away", [await away.print(), await away.print()], ["new", "new"]);
        check("away", away.went, ["look", "odoo", "odoo"]);
        away.client.probedAt = 0;
        await away.print();
        await away.client.probing;
        check("tried again beside", away.went.sort(), ["look", "look", "odoo", "odoo", "odoo"]);

        const hangs = make("direct", (kind) => (kind === "look" ? {} : new Promise(() => {})));
        check("hangs", await hangs.print(), "new");
        check("hangs", hangs.went, ["look", "direct", "odoo"]);

        const slow = (answer) => (kind) =>
            kind === "look" ? {} : new Promise((resolve) => setTimeout(resolve, 2000, answer));
        const late = make("direct", slow({ state: "printing" }), () => fails("refused"));
        check("Odoo does not refuse what is printing", await late.print(), "printing");
        const lost = make("direct", (kind) => (kind === "look" ? {} : fails("unreachable")), () => fails("refused"));
        check("nor what may be", await kindOf(lost.print()), "unreachable");
        const resumed = make("relay", null, () => fails("refused"));
        check("nor what was tried", await kindOf(resumed.client.put({ ...job, isTried: true })), "away");
        check("it refuses what is new", await kindOf(resumed.print()), "refused");

        const slowDrawer = make("direct", slow({ outcome: "opened" }), (at) => at);
        const pressed = Date.now() - 200;
        const at = await slowDrawer.client.openDrawer("drawer-01", "", pressed);
        check("a slow drawer", slowDrawer.went, ["look", "direct", "odoo"]);
        check("Odoo hears when somebody pressed", at, pressed / 1000);
        const lateDrawer = make("direct", () => ({ outcome: "opened" }));
        check("too late", await kindOf(lateDrawer.client.openDrawer("drawer-02", "", Date.now() - 3100)), "trouble");
        check("too late", lateDrawer.went, ["look"]);
        const lateThere = make("relay", null, () => "opened");
        check("too late", await kindOf(lateThere.client.openDrawer("drawer-03", "", Date.now() - 3100)), "trouble");
        check("too late", lateThere.went, []);
        let signed;
        const pressedNow = Date.now() - 200;
        const signs = make("direct", (kind, { headers }) => (signed = headers?.Authorization) && { outcome: "opened" });
        signs.client.skew = 60_000;
        await signs.client.openDrawer("drawer-04", "", pressedNow);
        check("what is signed", signed.split(".")[1], pressedNow + 60_000);

        let isBack = false;
        const hiccup = make("direct", () => (isBack ? { state: "printed" } : fails("unreachable")), () => fails("away"));
        check("a hiccup", await kindOf(hiccup.print()), "unreachable");
        isBack = true;
        check("after a hiccup", [await hiccup.print(), hiccup.client.isUp], ["printed", true]);

        const dead = make("direct", () => fails("unreachable"), () => fails("away"));
        check("dead", await kindOf(dead.client.health()), "unreachable");
        dead.client.access.printers = [{ width: 384 }];
        check("what it printed on", (await dead.client.printers())[0].width, 384);

        const refuses = make("direct", (kind) => (kind === "look" ? {} : fails("refused")));
        check("refuses", await kindOf(refuses.print()), "refused");
        check("refuses", refuses.went, ["look", "direct"]);

        const nowhere = make("direct", () => fails("unreachable"), () => fails("offline"));
        check("nowhere", await kindOf(nowhere.print()), "unreachable");
        const only = make("relay", () => ({ state: "printed" }), () => fails("offline"));
        check("through Odoo only", await kindOf(only.print()), "offline");
        check("through Odoo only", only.went, ["odoo"]);
    },
};

/** How far the proxy's clock is ahead; what the answer was under way for does not count. */
const takesTheTime = {
    content: "the proxy's clock",
    trigger: "body",
    run: () => {
        const { skewOf } = get("proxy_client");
        const skews = [1000, 3000, 2000, 400, 3500].map((now) => skewOf(now, 1000, 3000));
        check("skew", skews, [0, 0, 0, -600, 500]);
    },
};

const isSetUp = {
    content: "the proxy asks Odoo for prints",
    trigger: "body",
    run: async () => {
        const { data, config } = window.posmodel;
        for (let turn = 0; turn < 50; turn++) {
            if (await data.orm.call("pos.config", "bridge_relay_get", [[config.id], "a-question"])) {
                return;
            }
            await new Promise((resolve) => setTimeout(resolve, 200));
        }
        throw new Error("the proxy does not ask");
    },
};

/** The proxy is within reach again, and the same print goes to it on both ways. */
const printOnBothWays = {
    content: "the same print through the shop's network and through Odoo",
    trigger: "body",
    run: async () => {
        const { ProxyClient } = get("proxy_client");
        const { deflate } = get("raster");
        const client = window.posmodel.bridgeQueue.client;
        client.access.url = await (await fetch("http://control.test/url?extension")).text();
        const bytes = new Uint8Array(72 * 40).fill(0xaa);
        const body = await deflate(bytes);
        const job = { id: crypto.randomUUID(), width: 576, rows: 40, printer: "", body, created: Date.now() };
        const direct = ProxyClient.prototype.put.call(client, job, 8);
        const relayed = client.relay.put(job, client.now());
        const states = [(await direct).state];
        for (let stand = await relayed; states.length < 2; ) {
            stand = await client.relay.get(job, stand.face);
            if (stand.state === "printed") {
                states.push(stand.state);
            }
        }
        client.access.url = "http://127.0.0.1:1";
        if (states[0] !== "printed") {
            throw new Error(`the proxy says ${states[0]}`);
        }
    },
};

tour(
    "bridge_hardware_relayed",
    takesItsWay,
    takesTheTime,
    machine("pair"),
    isSetUp,
    sell,
    machine("papers/1"),
    isClosed,
    { trigger: "body", run: () => window.posmodel.hardwareProxy.openCashbox() },
    machine("drawer"),
    printOnBothWays,
    machine("papers/2"),
    machine("set/drop_after=3000"),
    ReceiptScreen.clickNextOrder(),
    sell,
    sees("Did the paper come out?"),
    press("Print again, marked 再発行"),
    isTold("It is printed."),
    isClosed,
    machine("stop")
);

tour(
    "bridge_hardware_unpaired",
    sell,
    sees("The hardware proxy is not connected yet."),
    press("Continue"),
    isClosed
);
