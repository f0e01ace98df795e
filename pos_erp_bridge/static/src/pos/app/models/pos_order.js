// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { markRaw, toRaw } from "@odoo/owl";
import { PosOrderAccounting } from "@point_of_sale/app/models/accounting/pos_order_accounting";
import { patch } from "@web/core/utils/patch";

/**
 * Prices when they are read. Odoo computes all prices of an order anew at each change of a line, and adding a product
 * is up to five changes: a cashier who scans waits for four that nobody reads.
 */
patch(PosOrderAccounting.prototype, {
    /** @override */
    triggerRecomputeAllPrices() {
        if (this._prices) {
            Object.assign(this._prices, { original: undefined, unit: undefined });
        }
    },

    /** @override */
    get prices() {
        return this.bridgePrices("original", {});
    },

    /** @override */
    get unitPrices() {
        return this.bridgePrices("unit", { baseLineOpts: { quantity: 1 } });
    },

    bridgePrices(name, options) {
        if (!this._prices[name]) {
            // Whoever reads has just asked to be told of the next change; that there are prices now is none. They are
            // replaced, never changed.
            const order = toRaw(this);
            order._prices[name] = markRaw(order._constructPriceData(options));
        }
        return this._prices[name];
    },

    /**
     * @override
     * Odoo computes twice, with the discounts and without. An order that has none needs one of them.
     */
    _constructPriceData({ lines = this.lines } = {}) {
        const order = toRaw(this);
        order.bridgeComputed = lines.some((line) => line.discount) ? undefined : {};
        try {
            return super._constructPriceData(...arguments);
        } finally {
            order.bridgeComputed = undefined;
        }
    },

    /** @override */
    _computeAllPrices() {
        const computed = toRaw(this).bridgeComputed || {};
        computed.data ||= super._computeAllPrices(...arguments);
        // Odoo writes all of it to the log in the browser, at each change; the total is enough there.
        const { total_amount } = computed.data.taxDetails;
        Object.defineProperty(computed.data, "toJSON", { value: () => ({ total_amount }), configurable: true });
        return computed.data;
    },
});
