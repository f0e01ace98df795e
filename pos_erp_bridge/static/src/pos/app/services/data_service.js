import { PosData } from "@point_of_sale/app/services/data_service";
import { ConnectionLostError } from "@web/core/network/rpc";
import { patch } from "@web/core/utils/patch";

const PATIENCE_MS = 3000;

/** Product info opens without the server as well: with what was last known of it, after at most PATIENCE_MS. */
patch(PosData.prototype, {
    async call(model, method, args = [], kwargs = {}, queue = false) {
        const answer = super.call(...arguments);
        if (method !== "get_product_info_pos") {
            return answer;
        }
        this.bridgeKnownInfos ||= {};
        const [[templateId], , , , variantId] = args;
        const key = `${templateId}/${variantId || 0}`;
        const kept = answer.then((info) => (this.bridgeKnownInfos[key] = info));
        let timer;
        const patience = new Promise((resolve) => (timer = setTimeout(resolve, PATIENCE_MS)));
        let info;
        try {
            info = await Promise.race([kept, patience]);
        } catch (error) {
            if (!(error instanceof ConnectionLostError)) {
                throw error;
            }
        } finally {
            clearTimeout(timer);
        }
        if (!info) {
            kept.catch(() => {}); // it comes too late to be told
        }
        return info || { ...this.bridgeLocalInfo(templateId, key), bridgeIsOld: true };
    },

    bridgeLocalInfo(templateId, key) {
        const prices = this.models["product.template"].get(templateId).getTaxDetails();
        return {
            pricelists: [],
            warehouses: [],
            suppliers: [],
            variants: [],
            optional_products: [],
            ...this.bridgeKnownInfos[key],
            all_prices: {
                price_without_tax: prices.total_excluded,
                price_with_tax: prices.total_included,
                tax_details: [],
            },
        };
    },
});
