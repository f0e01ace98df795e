// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { CustomerDisplayPosAdapter } from "@point_of_sale/app/customer_display/customer_display_adapter";
import { Chrome } from "@point_of_sale/app/pos_app";
import { PosScaleService } from "@point_of_sale/app/screens/scale_screen/scale_service";
import { _t } from "@web/core/l10n/translation";
import { patch } from "@web/core/utils/patch";

const AFTER_DRAWING_MS = 30;

patch(PosScaleService.prototype, {
    get bridgeDevices() {
        const { pos } = this.hardwareProxy;
        return pos?.config.bridge_scale ? pos.bridgeDevices : undefined;
    },

    /** @override */
    _checkScaleIsConnected() {
        if (!this.bridgeDevices) {
            super._checkScaleIsConnected(...arguments);
        }
    },

    /** @override */
    _getWeightFromScale() {
        return this.bridgeDevices ? this.bridgeDevices.weigh() : super._getWeightFromScale(...arguments);
    },
});

patch(CustomerDisplayPosAdapter.prototype, {
    /** @override */
    dispatch(pos) {
        super.dispatch(...arguments);
        pos.bridgeDevices?.show(this.data, _t("Total"));
    },
});

patch(Chrome.prototype, {
    /**
     * @override
     * Odoo comes here before it draws the cashier's own screen. The customer's is served after it, with what is last.
     * Whoever reads an order that he got from an effect is told of its changes, also when he reads it later.
     */
    sendOrderToCustomerDisplay(order) {
        clearTimeout(this.bridgeShowing);
        this.bridgeShowing = setTimeout(() => {
            if (order.uuid === this.pos.selectedOrderUuid) {
                super.sendOrderToCustomerDisplay(...arguments);
            }
        }, AFTER_DRAWING_MS);
    },
});
