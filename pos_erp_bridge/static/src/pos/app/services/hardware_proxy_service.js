// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { RetryPrintPopup } from "@point_of_sale/app/components/popups/retry_print_popup/retry_print_popup";
import { HardwareProxy } from "@point_of_sale/app/services/hardware_proxy_service";
import { PosStore } from "@point_of_sale/app/services/pos_store";
import { uuidv4 } from "@point_of_sale/utils";
import { ProxyDevices } from "@pos_erp_bridge/pos/app/hardware/devices";
import { JobStore } from "@pos_erp_bridge/pos/app/hardware/job_store";
import { isUnsent, PrintQueue } from "@pos_erp_bridge/pos/app/hardware/print_queue";
import { ProxyClient, skewOf } from "@pos_erp_bridge/pos/app/hardware/proxy_client";
import { proxyText, reasonText, troubleText } from "@pos_erp_bridge/pos/app/hardware/reasons";
import { Relay } from "@pos_erp_bridge/pos/app/hardware/relay";
import { RoadClient } from "@pos_erp_bridge/pos/app/hardware/road_client";
import { UnknownPrintPopup } from "@pos_erp_bridge/pos/app/hardware/unknown_print_popup";
import { BridgePrinter, lostText, lostTitle } from "@pos_erp_bridge/pos/app/utils/printer/bridge_printer";
import { gatherFonts } from "@pos_erp_bridge/pos/app/utils/printer/fonts";
import { KitchenPrinter } from "@pos_erp_bridge/pos/app/utils/printer/kitchen_printer";
import { AlertDialog } from "@web/core/confirmation_dialog/confirmation_dialog";
import { _t } from "@web/core/l10n/translation";
import { useBus } from "@web/core/utils/hooks";
import { patch } from "@web/core/utils/patch";

const FONTS_MS = 2000; // after the till is there
const ASK_AGAIN_MS = 20_000; // after a question was closed without an answer

patch(PosStore.prototype, {
    async afterProcessServerData() {
        const result = await super.afterProcessServerData(...arguments);
        if (this.config.raw.bridge_proxy_id) {
            this.bridgeUseProxy();
        }
        this.bridgeForgetOthers();
        return result;
    },

    bridgeUseProxy() {
        const road = this.bridgeRoad(this.config.raw.bridge_proxy_id);
        this.bridgeQueue = road.queue;
        this.hardwareProxy.printer = new BridgePrinter(this.bridgePrinterParts(this.config.raw.bridge_proxy_id));
        this.bridgeDevices = new ProxyDevices({
            client: road.client,
            isScanning: this.config.bridge_scan,
            onCode: (code) => this.barcodeReader?.scan(code),
        });
        this.bridgeDevices.start();
        // So that the first sale waits for neither.
        road.client.reach().catch(() => {});
        setTimeout(gatherFonts, FONTS_MS);
    },

    /** The way to a proxy, one for whatever is asked there: {client, queue}. */
    bridgeRoad(proxyId) {
        this.bridgeRoads ||= new Map();
        if (!this.bridgeRoads.has(proxyId)) {
            const store = new JobStore();
            const client = this.bridgeClient(proxyId, () => this.bridgeProxyAccess(store, proxyId));
            const road = { client };
            const tell = (job) => this.bridgeTell(job, road);
            road.queue = new PrintQueue({ client, store, scope: `${this.config.id}/${proxyId}`, tell });
            this.bridgeRoads.set(proxyId, road);
            road.queue.resume();
        }
        return this.bridgeRoads.get(proxyId);
    },

    /** Odoo carries prints to the till's own proxy only. */
    bridgeClient(proxyId, askAccess) {
        if (proxyId !== this.config.raw.bridge_proxy_id) {
            return new ProxyClient(askAccess);
        }
        const relay = new Relay((method, ...args) =>
            this.data.orm.silent.call("pos.config", method, [[this.config.id], ...args])
        );
        this.data.connectWebSocket("BRIDGE_PRINT", (stand) => relay.heard(stand));
        return new RoadClient(askAccess, relay);
    },

    bridgePrinterParts(proxyId) {
        const notify = (...args) => this.notification.add(...args);
        return { ...this.bridgeRoad(proxyId), renderer: this.env.services.renderer, notify };
    },

    createPrinter(config) {
        if (config.printer_type !== "bridge") {
            return super.createPrinter(...arguments);
        }
        return new KitchenPrinter({
            ...this.bridgePrinterParts(config.bridge_proxy_id),
            name: config.bridge_printer || "",
            label: config.name,
            width: config.bridge_width,
        });
    },

    /** From the server; while that cannot be reached, what it gave last, until its time is over. */
    async bridgeProxyAccess(store, proxyId) {
        const key = `access/${this.config.id}/${proxyId}`;
        const sent = Date.now();
        try {
            const access = await this.data.orm.silent.call("pos.config", "bridge_proxy_access", [
                [this.config.id],
                proxyId,
            ]);
            if (access) {
                access.skew = skewOf(access.now * 1000, sent, Date.now()) / 1000;
            }
            await store.keep(key, access);
            return access;
        } catch (error) {
            const kept = await store.kept(key);
            if (kept?.until > Date.now() / 1000) {
                return kept;
            }
            throw error;
        }
    },

    // -- what happens to a print after the cashier went on ---------------------------------------
    bridgeTell(job, road) {
        const text = (message) => [job.label, message].filter(Boolean).join(": ");
        if (job.state === "unknown") {
            this.bridgeAskWhetherOut(job, road);
        } else if (job.state === "lost") {
            this.bridgeTellLost(job);
        } else if (job.state === "printed" && (job.isTold || job.isResumed)) {
            this.bridgeBus.trigger("printed", job.told);
            this.notification.add(text(_t("It is printed.")), { type: "success" });
        } else if (job.state === "failed" && job.reason !== "reprinted" && (job.isTold || job.isResumed)) {
            this.bridgeOfferAgain(job, road);
        } else if (job.isTold && (job.reason || job.error)) {
            this.notification.add(text(troubleText(job, road.client.access?.url)), { type: "warning" });
        }
    },

    /** Somebody must look. Closed without an answer (or by Odoo, with all dialogs), the question comes back. */
    bridgeAskWhetherOut(job, road) {
        const { client, queue } = road;
        if (job.isAsked || job.state !== "unknown") {
            return;
        }
        job.isAsked = true;
        const decide = async (cameOut) => {
            try {
                if (cameOut) {
                    await queue.cameOut(job);
                } else {
                    await queue.reprint(job, uuidv4);
                }
                return "";
            } catch (error) {
                return proxyText(error, client.access?.url);
            }
        };
        this.dialog.add(
            UnknownPrintPopup,
            { label: job.label, reason: reasonText(job.reason), decide },
            {
                onClose: () => {
                    job.isAsked = false;
                    setTimeout(() => this.bridgeAskWhetherOut(job, road), ASK_AGAIN_MS);
                },
            }
        );
    },

    bridgeTellLost({ label }) {
        const title = [label, lostTitle()].filter(Boolean).join(": ");
        this.dialog.add(AlertDialog, { title, body: lostText() });
    },

    /** Prints for a proxy that this till had: nobody sends them any more. The cashier is told once. */
    async bridgeForgetOthers() {
        const store = new JobStore();
        const used = [...(this.bridgeRoads?.values() || [])].map(({ queue }) => queue.scope);
        for (const job of await store.jobs()) {
            if (job.scope.startsWith(`${this.config.id}/`) && !used.includes(job.scope)) {
                await store.forget(job.id);
                if (isUnsent(job)) {
                    this.bridgeOfferHere(job);
                } else {
                    this.bridgeTellLost(job);
                }
            }
        }
    },

    /** What was never sent to the till's old proxy, on the printer that stands for it now. */
    bridgeOfferHere(job) {
        const reason = _t("It was not sent before the till's hardware proxy was changed.");
        const isKitchen = job.kind === "kitchen";
        const printer = isKitchen
            ? this.unwatched.printers.find((found) => found instanceof KitchenPrinter && found.label === job.label)
            : this.bridgeQueue && { queue: this.bridgeQueue, name: this.config.bridge_printer || "" };
        const body = printer ? job.body : null;
        this.bridgeOfferAgain({ ...job, body, reason, printer: printer?.name }, { queue: printer?.queue });
    },

    /** Nothing came out of it, and nothing will: it may be printed as if it were new. */
    bridgeOfferAgain(job, { queue }) {
        const { key, label, printer, width, rows, body, kind, lifetime } = job;
        this.dialog.add(RetryPrintPopup, {
            title: [label, _t("It was not printed")].filter(Boolean).join(": "),
            message: reasonText(job.reason),
            canRetry: Boolean(body),
            retry: async () => {
                if (!job.again) {
                    const copy = { id: uuidv4(), key, label, printer, width, rows, body, kind, lifetime };
                    job.again = queue.openWith(key) || (await queue.add({ ...copy, isTold: true }));
                }
            },
        });
    },
});

patch(RetryPrintPopup.prototype, {
    setup() {
        super.setup(...arguments);
        // What it says is over: nobody shall ask for that paper again.
        const { bridgeBus } = this.env.services.pos;
        useBus(bridgeBus, "printed", ({ detail }) => detail === this.props.message && this.props.close());
    },
});

patch(HardwareProxy.prototype, {
    /** A proxy for a scale or a scanner does not take the receipts away. */
    connectToPrinter() {
        if (!(this.printer instanceof BridgePrinter)) {
            super.connectToPrinter(...arguments);
        }
    },
});
