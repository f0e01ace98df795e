// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { ConnectionLostError } from "@web/core/network/rpc";
import { ProxyError } from "./proxy_client";
import { sleep } from "./sleep";

const POLL_MS = 2000; // the server tells every change; where that is not heard, it is asked
const ANSWER_MS = 8000;
const DECIDE_MS = 8000; // until the proxy has carried out what somebody decided
const DRAWER_MS = 5000; // the proxy opens within three seconds or not at all, and looks for a second

/** The promise, or a rejection with ``makeError()`` when it takes longer. */
export function within(promise, time, makeError) {
    return Promise.race([promise, sleep(time).then(() => Promise.reject(makeError()))]);
}

function base64(bytes) {
    let text = "";
    for (let at = 0; at < bytes.length; at += 8192) {
        text += String.fromCharCode(...bytes.subarray(at, at + 8192));
    }
    return btoa(text);
}

/** The way to the hardware proxy through Odoo: what is left there, the proxy fetches, and Odoo tells how it ends. */
export class Relay {
    /** @param {(method: string, ...args: any[]) => Promise<any>} call of this till's record on the server */
    constructor(call) {
        this.call = call;
        this.waiters = new Map(); // id: {stand, wake}
    }

    /** The server says how a print stands. */
    heard(stand) {
        const waiter = this.waiters.get(stand.id);
        if (waiter) {
            waiter.stand = stand;
            waiter.wake();
        }
    }

    /** @param {number} at when the till asked, in seconds of the server's clock */
    async put({ id, kind = "receipt", width, rows, printer, body, isTried = false }, at) {
        const job = { id, kind, width, rows, printer: printer || "", body: base64(body), at };
        this.waiters.set(id, { stand: null, wake: () => {} });
        return this.answer(await this.ask("bridge_relay_put", job, isTried));
    }

    /** How it stands, as soon as that is other than ``known``, at the latest after a while. */
    async get({ id, isTried = false }, known) {
        const stand = await this.news(id, (stand) => stand.face !== known);
        return this.answer(stand || (await this.ask("bridge_relay_get", id, isTried)));
    }

    async resolve(id, decision) {
        await this.ask("bridge_relay_resolve", id, decision);
        const stand = await this.until(id, (stand) => stand.isDecided, DECIDE_MS);
        if (stand?.refused) {
            throw new ProxyError("refused", stand.refused);
        }
        if (!stand) {
            throw new ProxyError("away");
        }
        return stand;
    }

    async openDrawer(id, printer, at) {
        this.answer(await this.ask("bridge_relay_drawer", id, printer || "", at));
        const stand = await this.until(id, ({ state }) => ["done", "failed"].includes(state), DRAWER_MS);
        this.waiters.delete(id);
        if (stand?.state !== "done") {
            throw new ProxyError("trouble", "", stand?.reason || "too_late");
        }
        return stand.reason;
    }

    async health() {
        if (!(await this.ask("bridge_relay_is_alive"))) {
            throw new ProxyError("away");
        }
        return { isRelayed: true, printers: [], scanners: [], scales: [], displays: [] };
    }

    // -- helpers ---------------------------------------------------------------------------------
    async until(id, isEnough, time) {
        const limit = Date.now() + time;
        while (Date.now() < limit) {
            const stand = (await this.news(id, isEnough)) || (await this.ask("bridge_relay_get", id));
            if (stand && isEnough(stand)) {
                return stand;
            }
        }
    }

    /** What the server says by itself, if that is soon; nothing when it has not been asked about this one before. */
    async news(id, isNews) {
        const isFirst = !this.waiters.has(id);
        const waiter = { stand: null, wake: () => {}, ...this.waiters.get(id) };
        this.waiters.set(id, waiter);
        if (isFirst) {
            return null;
        }
        if (!waiter.stand || !isNews(waiter.stand)) {
            await Promise.race([new Promise((resolve) => (waiter.wake = resolve)), sleep(POLL_MS)]);
        }
        const { stand } = waiter;
        waiter.stand = null;
        return stand && isNews(stand) ? stand : null;
    }

    async ask(method, ...args) {
        try {
            return await within(this.call(method, ...args), ANSWER_MS, () => new ConnectionLostError());
        } catch (error) {
            const isSaid = error.exceptionName === "odoo.exceptions.UserError";
            throw new ProxyError(isSaid ? "refused" : "offline", isSaid ? error.data.message : error.message);
        }
    }

    answer(stand) {
        if (!stand || (stand.state === "new" && !stand.isAlive)) {
            throw new ProxyError("away"); // it lies there, but nobody fetches it
        }
        if (["printed", "failed", "missing"].includes(stand.state)) {
            this.waiters.delete(stand.id);
        }
        if (stand.state === "missing") {
            throw new ProxyError("missing");
        }
        return stand;
    }
}
