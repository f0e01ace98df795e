// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { toCanvas } from "@point_of_sale/app/utils/html-to-image";
import { BasePrinter } from "@point_of_sale/app/utils/printer/base_printer";
import { uuidv4, waitImages } from "@point_of_sale/utils";
import { isOver } from "@pos_erp_bridge/pos/app/hardware/print_queue";
import { deflate, pack } from "@pos_erp_bridge/pos/app/hardware/raster";
import { proxyText, reasonText, troubleText } from "@pos_erp_bridge/pos/app/hardware/reasons";
import { fontsFor } from "@pos_erp_bridge/pos/app/utils/printer/fonts";
import { _t } from "@web/core/l10n/translation";
import { Mutex } from "@web/core/utils/concurrency";

const USUAL_WIDTH = 576; // dots: 80 mm paper at 203 dpi
const HEALTH_MS = 300_000; // a printer's width is asked for again after that
const CONTROL = /[\x00-\x08\x0B\x0C\x0E-\x1F]/g; // eslint-disable-line no-control-regex
const OPENED = ["opened", "pulsed"];
const DRAWING = new Mutex(); // one after the other: the page stays alive

export const lostTitle = () => _t("It may have been printed");
export const lostText = () =>
    _t("The hardware proxy that had it cannot be asked any more. Look at the paper, and print it again if there is none.");

/** A receipt printer behind the hardware proxy. */
export class BridgePrinter extends BasePrinter {
    setup({ client, queue, renderer, notify }) {
        super.setup(...arguments);
        Object.assign(this, { client, queue, renderer, notify });
        this.mutex = new Mutex();
        this.byReceipt = new WeakMap(); // Retry brings the same element again
        this.width = { at: 0, dots: USUAL_WIDTH };
    }

    /**
     * @override
     * A receipt keeps the id of its first attempt: asked for again, it is not printed again.
     */
    async printReceipt(receipt) {
        if (!receipt) {
            return { successful: true };
        }
        let job, isAgain;
        try {
            [job, isAgain] = await this.mutex.exec(() => this.jobOf(receipt));
        } catch (error) {
            return this.failure(_t("Printing failed"), proxyText(error, this.client.access?.url));
        }
        return this.resultOf(await this.queue.outcome(job, isAgain));
    }

    async jobOf(receipt) {
        const key = receipt.dataset?.bridgePrint || "";
        let known = this.byReceipt.get(receipt);
        while (known?.again) {
            known = known.again; // what took its place meanwhile
        }
        const isUsable = known && (known.state !== "failed" || known.reason === "reprinted");
        const job = isUsable ? known : this.queue.openWith(key);
        const found = job || (await this.queue.add(await this.makeJob(receipt, key)));
        if (known && known !== found) {
            known.again = found;
        }
        this.byReceipt.set(receipt, found);
        return [found, Boolean(job)];
    }

    async makeJob(receipt, key) {
        const { printer, width } = await this.target();
        const label = receipt.dataset?.bridgeLabel || "";
        return { id: uuidv4(), key, label, printer, ...(await this.picture(receipt, width)) };
    }

    /** @returns {{width: number, rows: number, body: Uint8Array}} in dots */
    async picture(receipt, width) {
        const image = await DRAWING.exec(() => this.draw(receipt, width));
        return { width, rows: image.height, body: await deflate(pack(image, width)) };
    }

    async target() {
        const { printer } = await this.client.ready();
        return { printer, width: await this.dots(printer) };
    }

    /** Dots of the printer's line, as the proxy tells; what was known before when it does not. */
    async dots(name) {
        if (Date.now() - this.width.at > HEALTH_MS) {
            try {
                const printers = await this.client.printers();
                const isMine = (printer) => (name ? printer.name === name : printer.role === "receipt");
                this.width = { at: Date.now(), dots: printers.find(isMine)?.width || USUAL_WIDTH };
            } catch {
                this.width.at = 0;
            }
        }
        return this.width.dots;
    }

    /**
     * The receipt's pixels, as wide as the paper: laid out as always, and drawn in that size so that text is sharp. In a
     * place of its own: from the page's one for receipts, whoever comes next takes away what is there.
     */
    async draw(receipt, width) {
        receipt.classList.add("pos-receipt-print");
        const container = document.createElement("div");
        Object.assign(container.style, { position: "fixed", left: "-1000px" });
        document.body.append(container);
        const draws = this.renderer.whenMounted({
            el: receipt,
            container,
            callback: async (el) => {
                const texts = document.createTreeWalker(el, NodeFilter.SHOW_TEXT);
                while (texts.nextNode()) {
                    texts.currentNode.textContent = texts.currentNode.textContent.replace(CONTROL, "");
                }
                await waitImages(el);
                const canvas = await toCanvas(el, {
                    backgroundColor: "#ffffff",
                    height: Math.ceil(el.clientHeight),
                    width: Math.ceil(el.clientWidth),
                    pixelRatio: width / el.clientWidth,
                    fontEmbedCSS: await fontsFor(el),
                });
                return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            },
        });
        return draws.finally(() => container.remove());
    }

    // -- what the cashier is told ----------------------------------------------------------------
    resultOf(job) {
        if (job.state === "unknown") {
            this.queue.tell(job); // again, when somebody has only closed the question
            return { successful: true };
        }
        if (job.state === "lost") {
            return { ...this.failure(lostTitle(), lostText()), canRetry: false };
        }
        if (job.state === "failed" && job.reason !== "reprinted") {
            return this.failure(_t("It was not printed"), reasonText(job.reason));
        }
        job.isTold = !isOver(job); // how it ends is told later
        const trouble = troubleText(job, this.client.access?.url);
        if (!isOver(job) && trouble) {
            job.told = _t("%s\nIt is printed by itself as soon as that is put right.", trouble);
            return this.failure(_t("It is not printed yet"), job.told);
        }
        return { successful: true };
    }

    failure(title, body) {
        return { successful: false, canRetry: true, message: { title, body } };
    }

    // -- drawer ----------------------------------------------------------------------------------
    /**
     * @override
     * Now or not at all: nothing is kept for later.
     * @returns {{outcome: string, detail: string}} for the log of the drawer
     */
    async openCashbox(id = uuidv4()) {
        const asked = Date.now();
        let result, problem;
        try {
            const { printer } = await this.client.ready();
            result = { outcome: await this.client.openDrawer(id, printer, asked), detail: "" };
            problem = OPENED.includes(result.outcome) ? "" : _t("It was not seen to open.");
        } catch (error) {
            result = { outcome: outcomeOf(error), detail: error.reason || error.message };
            problem = proxyText(error, this.client.access?.url);
        }
        if (problem) {
            this.notify(_t("Cash drawer: %s", problem), { type: "warning" });
        }
        return result;
    }
}

/** What stands in the drawer's log for an error of the proxy's client. */
export function outcomeOf({ kind, reason }) {
    if (kind === "trouble") {
        return reason === "too_late" ? "too_late" : "trouble";
    }
    return ["unreachable", "away", "offline"].includes(kind) ? "unreachable" : "refused";
}
