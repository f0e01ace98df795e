// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { ClosePosPopup } from "@point_of_sale/app/components/popups/closing_popup/closing_popup";
import { OpeningControlPopup } from "@point_of_sale/app/components/popups/opening_control_popup/opening_control_popup";
import { TextInputPopup } from "@point_of_sale/app/components/popups/text_input_popup/text_input_popup";
import { PaymentScreen } from "@point_of_sale/app/screens/payment_screen/payment_screen";
import { HardwareProxy } from "@point_of_sale/app/services/hardware_proxy_service";
import { PosStore } from "@point_of_sale/app/services/pos_store";
import { makeAwaitable } from "@point_of_sale/app/utils/make_awaitable_dialog";
import { uuidv4 } from "@point_of_sale/utils";
import { DrawerLog } from "@pos_erp_bridge/pos/app/hardware/drawer_log";
import { JobStore } from "@pos_erp_bridge/pos/app/hardware/job_store";
import { BridgePrinter } from "@pos_erp_bridge/pos/app/utils/printer/bridge_printer";
import { _t } from "@web/core/l10n/translation";
import { patch } from "@web/core/utils/patch";

/** The drawer behind a hardware proxy: who opened it, why, and what came of it. */
patch(PosStore.prototype, {
    async afterProcessServerData() {
        const result = await super.afterProcessServerData(...arguments);
        if (this.config.raw.bridge_proxy_id) {
            this.bridgeLogDrawer();
        }
        return result;
    },

    bridgeLogDrawer() {
        const send = (rows) =>
            this.data.orm.silent.call("bridge.drawer.log", "log_openings", [this.config.id, rows]);
        this.bridgeDrawerLog = new DrawerLog({ store: new JobStore(), scope: this.config.id, send });
        this.bridgeDrawerLog.flush(); // what was left by a page that ended
        window.addEventListener("pos-network-online", () => this.bridgeDrawerLog.flush());
    },

    async bridgeOpenDrawer({ reason, note = "" }) {
        const order = ["sale", "change", "no_sale"].includes(reason) ? this.getOrder() : null;
        const row = {
            id: uuidv4(),
            moment: Date.now(),
            reason,
            note,
            session_id: this.session.id,
            user_id: this.user.id,
            employee: this.getCashier()?.name || "",
            order_uuid: order?.uuid || "",
        };
        this.bridgeDrawerLog.begin(row); // the drawer does not wait for the browser's disk
        await this.bridgeDrawerLog.end(row, await this.hardwareProxy.printer.openCashbox(row.id));
    },

    cashMove() {
        this.hardwareProxy.bridgeWhy = { reason: "cash_move" };
        return super.cashMove(...arguments);
    },
});

patch(OpeningControlPopup.prototype, {
    async openDetailsPopup() {
        this.hardwareProxy.bridgeWhy = { reason: "opening" };
        return super.openDetailsPopup(...arguments);
    },
});

patch(ClosePosPopup.prototype, {
    async openDetailsPopup() {
        this.hardwareProxy.bridgeWhy = { reason: "closing" };
        return super.openDetailsPopup(...arguments);
    },
});

patch(PaymentScreen.prototype, {
    /** @override Nothing is sold: the cashier says why. */
    async openCashbox() {
        if (!this.hardwareProxy.bridgeHasDrawer) {
            return super.openCashbox(...arguments);
        }
        const note = await makeAwaitable(this.dialog, TextInputPopup, {
            title: _t("Why is the drawer opened?"),
            buttons: [_t("Change of notes and coins"), _t("Counting the cash"), _t("Correction")].map((label) => ({ label })),
        });
        if (note?.trim()) {
            this.hardwareProxy.bridgeWhy = { reason: "no_sale", note: note.trim() };
            this.hardwareProxy.openCashbox();
        }
    },
});

patch(HardwareProxy.prototype, {
    get bridgeHasDrawer() {
        return this.printer instanceof BridgePrinter;
    },

    /**
     * @override
     * This printer's drawer does not depend on whether another proxy is connected. Whoever opens it for another reason
     * than a sale has said so right before.
     */
    async openCashbox(action = false) {
        if (!this.bridgeHasDrawer) {
            return super.openCashbox(...arguments);
        }
        const said = this.bridgeWhy;
        this.bridgeWhy = null;
        if (!this.pos.config.iface_cashdrawer) {
            return;
        }
        const sale = this.pos.getOrder()?.isPaidWithCash() ? "sale" : "change";
        this.pos.bridgeOpenDrawer(said || (action ? { reason: "other", note: action } : { reason: sale }));
        if (action) {
            this.pos.logEmployeeMessage(action, "CASH_DRAWER_ACTION");
        }
    },
});
