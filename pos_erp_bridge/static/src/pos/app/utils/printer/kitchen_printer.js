// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { uuidv4 } from "@point_of_sale/utils";
import { sleep } from "@pos_erp_bridge/pos/app/hardware/sleep";
import { BridgePrinter } from "@pos_erp_bridge/pos/app/utils/printer/bridge_printer";
import { _t } from "@web/core/l10n/translation";

const LIFETIME_MS = 7_200_000; // so long a slip is of use in the kitchen; the proxy keeps it as long
const KEPT = "slip/";
const KEEP_MS = 2000; // the sale goes on even where the browser's disk does not answer
const UNDERWAY = new WeakMap(); // queue: ids of the slips that this page draws

/**
 * A printer of the kitchen behind a hardware proxy. Its slips are kept and sent by themselves: neither the cashier nor
 * another printer waits for one that is off. What goes wrong is told when it is known.
 *
 * A slip: {id (its print has the same), label, printer, width, html, created}.
 */
export class KitchenPrinter extends BridgePrinter {
    setup({ name, label, width }) {
        super.setup(...arguments);
        Object.assign(this, { name, label, slipWidth: width });
        if (!UNDERWAY.has(this.queue)) {
            UNDERWAY.set(this.queue, new Set());
            this.resume();
        }
    }

    get prefix() {
        return `${KEPT}${this.queue.scope}/`;
    }

    /** @override The sale goes on as soon as the browser keeps the slip; its drawing is not waited for. */
    async printReceipt(receipt) {
        if (receipt) {
            const slip = {
                id: uuidv4(),
                label: this.label,
                printer: this.name,
                width: this.slipWidth,
                html: receipt.outerHTML,
                created: Date.now(),
            };
            await Promise.race([this.queue.store.keep(this.prefix + slip.id, slip), sleep(KEEP_MS)]);
            this.send(slip);
        }
        return { successful: true };
    }

    /** What a page that ended has not drawn any more, for whichever printer of this proxy. */
    async resume() {
        const slips = await this.queue.store.keptUnder(this.prefix);
        for (const slip of slips.sort((one, other) => one.created - other.created)) {
            this.send(slip);
        }
    }

    async send(slip) {
        const underway = UNDERWAY.get(this.queue);
        if (underway.has(slip.id)) {
            return;
        }
        underway.add(slip.id);
        try {
            const lifetime = LIFETIME_MS - (Date.now() - slip.created);
            if (lifetime <= 0) {
                this.complain(_t("%s: a slip was kept for too long. It is not printed.", slip.label));
            } else {
                await this.mutex.exec(() => this.enqueue(slip, lifetime));
            }
        } catch (error) {
            console.error(error);
            this.complain(_t("%s: the slip could not be drawn. It is not printed.", slip.label));
        }
        await this.queue.store.drop(this.prefix + slip.id);
        underway.delete(slip.id);
    }

    async enqueue(slip, lifetime) {
        const page = new DOMParser().parseFromString(slip.html, "text/html");
        const receipt = document.importNode(page.body.firstElementChild, true);
        const picture = await this.picture(receipt, slip.width);
        if (!this.queue.jobs.has(slip.id)) {
            const { id, label, printer } = slip;
            const job = await this.queue.add({ id, key: "", label, printer, ...picture, kind: "kitchen", lifetime });
            job.isTold = true;
        }
    }

    complain(text) {
        this.notify(text, { type: "danger", sticky: true });
    }
}
