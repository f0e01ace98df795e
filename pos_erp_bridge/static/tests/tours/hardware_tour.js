// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import * as ReceiptScreen from "@point_of_sale/../tests/pos/tours/utils/receipt_screen_util";
import { refresh } from "@point_of_sale/../tests/generic_helpers/utils";
import { isClosed, isTold, machine, press, printAgain, sees, sell, tour } from "@pos_erp_bridge/../tests/tours/hardware_util";

const get = (path) => odoo.loader.modules.get(`@pos_erp_bridge/pos/app/hardware/${path}`);
const check = (what, found, wanted) => {
    if (String(found) !== String(wanted)) {
        throw new Error(`${what}: ${found} instead of ${wanted}`);
    }
};
const fails = (kind) => Promise.reject(new (get("proxy_client").ProxyError)(kind));
const kindOf = (promise) => promise.then(() => "none", (error) => error.kind);

/** A picture of some lines, as a job has it. */
async function picture() {
    return { width: 576, rows: 40, body: await get("raster").deflate(new Uint8Array(72 * 40).fill(0xaa)) };
}

/** The till had another proxy, with two prints of which it has not heard the end. */
const hadAnotherProxy = {
    content: "another proxy's prints",
    trigger: "body",
    run: async () => {
        const store = new (get("job_store").JobStore)();
        const scope = `${posmodel.config.id}/999999`;
        const common = { scope, key: "", printer: "old", created: Date.now(), isSent: false, ...(await picture()) };
        await store.save({ ...common, id: crypto.randomUUID(), label: "first", proxy: "" });
        await posmodel.bridgeForgetOthers();
        await store.save({ ...common, id: crypto.randomUUID(), label: "second", proxy: "machine" });
        await posmodel.bridgeForgetOthers();
        check("they are forgotten", (await store.jobs()).length, 0);
    },
};

tour(
    "bridge_hardware_prints",
    sell,
    machine("papers/1"),
    machine("drawer"),
    machine("drawer_first"),
    isClosed,
    printAgain,
    machine("papers/2"),
    hadAnotherProxy,
    sees("second: It may have been printed"),
    press("Ok"),
    sees("first: It was not printed"),
    sees("It was not sent before the till's hardware proxy was changed."),
    press("Retry"),
    isTold("first: It is printed."),
    machine("papers/3")
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
    machine("set/paper_end=false"),
    isClosed,
    isTold("It is printed."),
    machine("papers/1")
);

/** More than a browser has lines to one machine. */
const sevenWait = {
    content: "seven prints wait",
    trigger: "body",
    run: async () => {
        const { printer } = await posmodel.bridgeQueue.client.ready();
        for (let turn = 0; turn < 7; turn++) {
            const id = crypto.randomUUID();
            await posmodel.bridgeQueue.add({ id, key: "", label: "", printer, ...(await picture()) });
        }
        await new Promise((resolve) => setTimeout(resolve, 1000));
    },
};

tour(
    "bridge_hardware_crowd",
    machine("set/paper_end=true"),
    sevenWait,
    sell,
    sees("Out of paper."),
    machine("drawer"),
    machine("set/paper_end=false"),
    isClosed,
    machine("papers/8")
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

        const anew = make("direct", () => ({ state: "printed" }));
        check("never on another machine", await kindOf(anew.client.put({ ...job, proxy: "another" })), "missing");

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

/** What is kept of a print, and when it is given up. */
const keepsItsPrints = {
    content: "prints that are kept",
    trigger: "body",
    run: async () => {
        const { PrintQueue } = get("print_queue");
        const kept = new Map();
        const store = {
            save: async (job) => kept.set(job.id, job),
            forget: async (id) => kept.delete(id),
            jobs: async () => [...kept.values()],
        };
        const slip = {
            id: "slip", scope: "1/1", key: "order", width: 8, rows: 1, body: new Uint8Array(1), kind: "kitchen",
            lifetime: 7_200_000,
        };
        const make = (client) => {
            const went = [];
            const queue = new PrintQueue({
                client: { ready: async () => ({ proxy: "machine" }), put: async () => went.push("put") && {}, ...client },
                store,
                scope: "1/1",
                tell: (job) => went.push(job.state),
            });
            return { queue, went };
        };
        /** How a print ends that a page has left behind. */
        const endOf = async (job, client) => {
            kept.set(job.id, job);
            const { queue, went } = make(client);
            await queue.resume();
            for (let turn = 0; turn < 200 && kept.size; turn++) {
                await new Promise((resolve) => setTimeout(resolve, 50));
            }
            return went;
        };

        let stored;
        const state = { slip: "unknown", again: "waiting" };
        const answer = async ({ id }) => ({ state: state[id], face: state[id] });
        const { queue } = make({
            put: answer,
            get: answer,
            resolve: async () => (stored = kept.get("slip")),
        });
        const job = await queue.outcome(await queue.add(slip));
        const again = await queue.reprint(job, () => "again");
        const { kind, lifetime, proxy } = stored;
        check("what is kept", [kind, lifetime, proxy], ["kitchen", 7_200_000, "machine"]);
        check("asked for again", queue.openWith("order"), again);
        state.again = "printed";
        await queue.outcome(again, true);

        const created = Date.now();
        const sent = { ...slip, created, proxy: "machine" };
        const others = {
            ready: async () => ({ proxy: "other" }),
            get: () => fails("missing"),
            put: async () => ({ state: "printed" }),
        };
        check("another machine", await endOf(sent, others), ["lost"]);
        check("the same one", await endOf(sent, { put: async () => ({ state: "printed" }) }), ["printed"]);

        const gone = { put: () => fails("unreachable"), get: () => fails("unreachable") };
        const old = created - 7_300_000;
        check("old and never sent", await endOf({ ...slip, created: old, proxy: "" }, gone), ["failed"]);
        const { now } = Date;
        try {
            let asked = 0;
            const get = () => {
                const ahead = 30_000 * asked++;
                Date.now = () => now() + ahead;
                return fails("unreachable");
            };
            check("old and sent", (await endOf({ ...sent, created: old }, { get })).at(-1), "lost");
            check("not given up at once", asked, 3);
        } finally {
            Date.now = now;
        }
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
        const client = window.posmodel.bridgeQueue.client;
        client.access.url = await (await fetch("http://control.test/url?extension")).text();
        const job = { id: crypto.randomUUID(), printer: "", created: Date.now(), ...(await picture()) };
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
    keepsItsPrints,
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
