// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { reactive } from "@odoo/owl";
import { scaleText } from "@pos_erp_bridge/pos/app/hardware/reasons";
import { sleep } from "@pos_erp_bridge/pos/app/hardware/sleep";

const LOOK_MS = 10_000; // between two looks at how everything is
const SCAN_S = 25; // a question is held so long
const SHOWN_MS = 30; // until the order shows what was scanned, which is more urgent than the next question
const PAUSE_MS = [250, 2000]; // a code waits at the proxy for five seconds: after it was away, none is lost
const SHOW_MS = 200; // a line display is written at most five times a second
const COLUMNS = 20; // of a line display that does not say
const RESTLESS = ["moving", "under", ""]; // the cashier waits: something is being put on or taken off
const PATIENCE = 3; // answers without a weight until the cashier is told; one may be lost on the line

/** Nothing is asked by a page that nobody sees. */
async function seen() {
    while (document.hidden) {
        await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
    }
}

/** ``ask`` gets a signal that ends the question as soon as nobody sees the page: what came then would be lost. */
async function whileSeen(ask) {
    const leaving = new AbortController();
    const leave = () => document.hidden && leaving.abort();
    document.addEventListener("visibilitychange", leave);
    try {
        return await ask(leaving.signal);
    } finally {
        document.removeEventListener("visibilitychange", leave);
    }
}

/**
 * What hangs on the proxy beside the printer, for one till. Nothing here is waited for by a sale; every loop pauses
 * when it is refused, and the browser ends what is asked when the page ends.
 *
 * state: {health, error} as the proxy told last; both null until it was asked.
 */
export class ProxyDevices {
    /**
     * @param {Object} settings
     * @param {boolean} settings.isScanning whether this till takes the scanners' codes
     * @param {(code: string) => void} settings.onCode
     */
    constructor({ client, isScanning, onCode }) {
        Object.assign(this, { client, isScanning, onCode });
        this.state = reactive({ health: null, error: null });
        this.silent = 0;
        this.shown = null;
    }

    start() {
        this.watch();
        if (this.isScanning) {
            this.listen();
        }
    }

    // -- how it is -------------------------------------------------------------------------------
    async watch() {
        for (;;) {
            await seen();
            await this.look();
            await sleep(LOOK_MS);
        }
    }

    async look() {
        try {
            const health = await this.client.health();
            Object.assign(this.state, { health, error: null });
        } catch (error) {
            this.state.error = error;
        }
    }

    // -- scanners --------------------------------------------------------------------------------
    /** Codes, one question after the other, from the moment on that the proxy tells of a scanner. */
    async listen() {
        let pause = PAUSE_MS[0];
        for (;;) {
            await seen();
            const asked = Date.now();
            let code = null;
            let isRefused = !this.state.health?.scanners?.length;
            if (!isRefused) {
                try {
                    code = await whileSeen((signal) => this.client.scan(SCAN_S, signal));
                } catch {
                    isRefused = true;
                }
            }
            if (isRefused) {
                await sleep(pause);
                pause = Math.min(pause * 2, PAUSE_MS[1]);
                continue;
            }
            pause = PAUSE_MS[0];
            if (code) {
                this.onCode(code);
                await sleep(SHOWN_MS);
            } else if (Date.now() - asked < PAUSE_MS[0]) {
                await sleep(PAUSE_MS[0]); // it should have held the question until there is a code
            }
        }
    }

    // -- scales ----------------------------------------------------------------------------------
    /** Kilograms at rest; 0 while there are none. Throws in words when the scale cannot weigh. */
    async weigh() {
        const { kilograms, reason } = await this.client.weigh();
        if (kilograms !== null) {
            this.silent = 0;
            return Number(kilograms);
        }
        if (!RESTLESS.includes(reason) && ++this.silent >= PATIENCE) {
            this.silent = 0;
            throw new Error(scaleText(reason));
        }
        return 0;
    }

    // -- the customer's line display -------------------------------------------------------------
    /** Two lines of what is being sold; the last ones win, and nobody waits. */
    show(data, total) {
        const [display] = this.state.health?.displays || [];
        if (!display) {
            return;
        }
        const lines = linesOf(data, total, display.columns || COLUMNS);
        if (lines.join("\n") === this.shown?.join("\n")) {
            return;
        }
        this.shown = lines;
        this.showing ||= this.write();
    }

    async write() {
        let last;
        while (last !== this.shown) {
            last = this.shown;
            await this.client.show(last).catch(() => {});
            await sleep(SHOW_MS);
        }
        this.showing = null;
    }
}

/** Full-width characters take two places. */
const isWide = (character) => /[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6]/.test(character);
const placesOf = (text) => [...text].reduce((places, character) => places + (isWide(character) ? 2 : 1), 0);

/** ``left`` is cut where ``right`` needs the place. */
function justified(left, right, columns) {
    const room = columns - placesOf(right) - 1;
    let text = "";
    for (const character of left) {
        if (placesOf(text + character) > room) {
            break;
        }
        text += character;
    }
    return text + " ".repeat(Math.max(columns - placesOf(text) - placesOf(right), 0)) + right;
}

/**
 * What the customer reads: the product and its price, the total below.
 * @param {Object} data of Odoo's customer display
 * @param {string} total the word for it
 */
export function linesOf({ lines, amount }, total, columns) {
    const line = lines.find(({ isSelected }) => isSelected) || lines.at(-1);
    const first = line ? justified(line.productName, line.price, columns) : " ".repeat(columns);
    return [first, justified(total, amount, columns)];
}
