// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { RetryPrintPopup } from "@point_of_sale/app/components/popups/retry_print_popup/retry_print_popup";
import { HardwareProxy } from "@point_of_sale/app/services/hardware_proxy_service";
import { PosStore } from "@point_of_sale/app/services/pos_store";
import { uuidv4 } from "@point_of_sale/utils";
import { JobStore } from "@pos_erp_bridge/pos/app/hardware/job_store";
import { PrintQueue } from "@pos_erp_bridge/pos/app/hardware/print_queue";
import { proxyText, reasonText } from "@pos_erp_bridge/pos/app/hardware/reasons";
import { Relay } from "@pos_erp_bridge/pos/app/hardware/relay";
import { RoadClient } from "@pos_erp_bridge/pos/app/hardware/road_client";
import { UnknownPrintPopup } from "@pos_erp_bridge/pos/app/hardware/unknown_print_popup";
import { BridgePrinter } from "@pos_erp_bridge/pos/app/utils/printer/bridge_printer";
import { _t } from "@web/core/l10n/translation";
import { patch } from "@web/core/utils/patch";

patch(PosStore.prototype, {
    async afterProcessServerData() {
        const result = await super.afterProcessServerData(...arguments);
        if (this.config.raw.bridge_proxy_id) {
            this.bridgeUseProxy();
        }
        return result;
    },

    bridgeUseProxy() {
        const store = new JobStore();
        const relay = new Relay((method, ...args) =>
            this.data.orm.silent.call("pos.config", method, [[this.config.id], ...args])
        );
        this.data.connectWebSocket("BRIDGE_PRINT", (stand) => relay.heard(stand));
        const client = new RoadClient(() => this.bridgeProxyAccess(store), relay);
        const scope = `${this.config.id}/${this.config.raw.bridge_proxy_id}`;
        this.bridgeQueue = new PrintQueue({ client, store, scope, tell: (job) => this.bridgeTell(job) });
        this.hardwareProxy.printer = new BridgePrinter({
            client,
            queue: this.bridgeQueue,
            renderer: this.env.services.renderer,
            notify: (...args) => this.notification.add(...args),
        });
        this.bridgeQueue.resume();
        client.reach().catch(() => {}); // so that the first sale does not wait for it
    },

    /** From the server; while that cannot be reached, what it gave last, until its time is over. */
    async bridgeProxyAccess(store) {
        const key = `access/${this.config.id}`;
        try {
            const access = await this.data.orm.silent.call("pos.config", "bridge_proxy_access", [[this.config.id]]);
            if (access) {
                access.skew = access.now - Date.now() / 1000;
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
    bridgeTell(job) {
        const text = (message) => [job.label, message].filter(Boolean).join(": ");
        if (job.state === "unknown") {
            this.bridgeAskWhetherOut(job);
        } else if (job.state === "printed" && (job.isTold || job.isResumed)) {
            this.notification.add(text(_t("It is printed.")), { type: "success" });
        } else if (job.state === "failed" && job.reason !== "reprinted" && (job.isTold || job.isResumed)) {
            this.bridgeOfferAgain(job);
        } else if (job.isTold && (job.reason || job.error)) {
            this.notification.add(text(this.hardwareProxy.printer.troubleOf(job)), { type: "warning" });
        }
    },

    bridgeAskWhetherOut(job) {
        if (job.isAsked) {
            return;
        }
        job.isAsked = true;
        const decide = async (cameOut) => {
            try {
                if (cameOut) {
                    await this.bridgeQueue.cameOut(job);
                } else {
                    await this.bridgeQueue.reprint(job, uuidv4);
                }
                return "";
            } catch (error) {
                return proxyText(error, this.hardwareProxy.printer.client.access?.url);
            }
        };
        this.dialog.add(
            UnknownPrintPopup,
            { label: job.label, reason: reasonText(job.reason), decide },
            { onClose: () => (job.isAsked = false) }
        );
    },

    /** Nothing came out of it, and nothing will: it may be printed as if it were new. */
    bridgeOfferAgain(job) {
        const { label, printer, width, rows, body } = job;
        this.dialog.add(RetryPrintPopup, {
            title: [label, _t("It was not printed")].filter(Boolean).join(": "),
            message: reasonText(job.reason),
            canRetry: Boolean(body),
            retry: async () => {
                if (!job.again) {
                    const copy = { id: uuidv4(), key: "", label, printer, width, rows, body, isTold: true };
                    job.again = await this.bridgeQueue.add(copy);
                }
            },
        });
    },
});

patch(HardwareProxy.prototype, {
    /** A proxy for a scale or a scanner does not take the receipts away. */
    connectToPrinter() {
        if (!(this.printer instanceof BridgePrinter)) {
            super.connectToPrinter(...arguments);
        }
    },

    /** This printer's drawer does not depend on whether another proxy is connected. */
    async openCashbox(action = false) {
        if (!(this.printer instanceof BridgePrinter)) {
            return super.openCashbox(...arguments);
        }
        if (this.pos.config.iface_cashdrawer) {
            this.printer.openCashbox();
            if (action) {
                this.pos.logEmployeeMessage(action, "CASH_DRAWER_ACTION");
            }
        }
    },
});
