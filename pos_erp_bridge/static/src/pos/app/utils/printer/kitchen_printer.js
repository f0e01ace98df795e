// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { BridgePrinter } from "@pos_erp_bridge/pos/app/utils/printer/bridge_printer";
import { _t } from "@web/core/l10n/translation";

const LIFETIME_MS = 7_200_000; // so long a slip is of use in the kitchen; the proxy keeps it as long

/**
 * A printer of the kitchen behind a hardware proxy. Its slips are kept and sent by themselves: neither the cashier nor
 * another printer waits for one that is off. What goes wrong is told when it is known.
 */
export class KitchenPrinter extends BridgePrinter {
    setup({ name, label, width }) {
        super.setup(...arguments);
        Object.assign(this, { name, label, slipWidth: width });
    }

    /** @override The sale goes on at once, not even the slip's drawing is waited for. */
    async printReceipt(receipt) {
        if (receipt) {
            this.send(receipt);
        }
        return { successful: true };
    }

    async send(receipt) {
        try {
            const [job] = await this.mutex.exec(() => this.jobOf(receipt));
            job.isTold = true;
        } catch (error) {
            console.error(error);
            this.notify(_t("%s: the slip could not be drawn. It is not printed.", this.label), {
                type: "danger",
                sticky: true,
            });
        }
    }

    /** @override Known since the till was opened: nothing is asked for it. */
    async target() {
        return { printer: this.name, width: this.slipWidth };
    }

    /** @override */
    async makeJob() {
        const job = await super.makeJob(...arguments);
        return { ...job, label: this.label, kind: "kitchen", lifetime: LIFETIME_MS };
    }
}
