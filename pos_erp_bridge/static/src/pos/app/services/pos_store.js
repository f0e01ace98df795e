import { EventBus } from "@odoo/owl";
import { PosStore } from "@point_of_sale/app/services/pos_store";
import { _t } from "@web/core/l10n/translation";
import { patch } from "@web/core/utils/patch";

const SHELF_PART = 2000; // products asked for at once
const SHELF_DELAY_MS = 1500; // after the till is there
const SHELF_PAUSE_MS = 3000; // between two looks at what changed

/**
 * Stock in the till: what lies at its own place (the shelf, read in bulk when the till is idle), and what was last
 * seen of products in other stores and on the web. The server says which products changed; nothing here ever holds up
 * or forbids a sale: goods may lie there whatever the numbers say.
 */
patch(PosStore.prototype, {
    async setup() {
        this.bridgeShelf = { quantities: {}, at: 0 };
        this.bridgeInfos = {}; // product id: {info, at}
        this.bridgeBus = new EventBus();
        this.bridgeHinted = new Set();
        this.bridgeChanged = new Set();
        await super.setup(...arguments);
    },

    async initServerData() {
        const result = await super.initServerData(...arguments);
        this.data.connectWebSocket("BRIDGE_STOCK", this.bridgeOnStock.bind(this));
        window.addEventListener("pos-network-online", () => this.bridgeOnStock({ product_ids: false }));
        setTimeout(() => this.bridgeLoadShelf(), SHELF_DELAY_MS);
        return result;
    },

    // -- what is known ---------------------------------------------------------------------------
    async bridgeLoadShelf(productIds = null) {
        const ids =
            productIds ||
            this.models["product.product"]
                .filter((product) => product.product_tmpl_id?.is_storable)
                .map((product) => product.id);
        for (let start = 0; start < ids.length; start += SHELF_PART) {
            const found = await this.bridgeAsk("bridge_shelf", ids.slice(start, start + SHELF_PART));
            if (!found) {
                return;
            }
            Object.assign(this.bridgeShelf.quantities, found);
            this.bridgeShelf.at = Date.now();
        }
    },

    /** Ask the server quietly; undefined when it does not answer. */
    async bridgeAsk(method, ...args) {
        if (this.data.network.offline) {
            return;
        }
        try {
            return await this.data.orm.silent.call("pos.config", method, [[this.config.id], ...args]);
        } catch (error) {
            console.debug("stock is not known now", error);
        }
    },

    async bridgeFetchInfo(productId) {
        const info = await this.bridgeAsk("bridge_product_info", productId);
        return info ? this.bridgeRemember(info) : undefined;
    },

    bridgeRemember(info) {
        const known = { info, at: Date.now() };
        this.bridgeInfos[info.product_id] = known;
        if (this.bridgeShelf.at) {
            for (const { product_id, quantity } of [info, ...info.variants]) {
                if (typeof quantity === "number") {
                    this.bridgeShelf.quantities[product_id] = quantity;
                }
            }
        }
        return known;
    },

    /** The server says that the stock of products changed somewhere ("product_ids": false: of whatever you show). */
    bridgeOnStock({ product_ids }) {
        this.bridgeBus.trigger("stock", { productIds: product_ids });
        if (product_ids === false) {
            this.bridgeChanged = null;
        } else if (this.bridgeChanged) {
            const isLoaded = (id) => this.models["product.product"].get(id);
            product_ids.filter(isLoaded).forEach((id) => this.bridgeChanged.add(id));
        }
        this.bridgeShelfTimer ||= setTimeout(() => {
            const changed = this.bridgeChanged;
            this.bridgeChanged = new Set();
            this.bridgeShelfTimer = undefined;
            if (!changed || changed.size) {
                this.bridgeLoadShelf(changed && [...changed]);
            }
        }, SHELF_PAUSE_MS);
    },

    bridgeIsSoldOut(product) {
        return this.bridgeShelf.quantities[product.id] <= 0;
    },

    // -- what is offered -------------------------------------------------------------------------
    async addLineToCurrentOrder() {
        const line = await super.addLineToCurrentOrder(...arguments);
        if (line?.product_id && line.qty > 0 && this.bridgeIsSoldOut(line.product_id)) {
            this.bridgeHint(line);
        }
        return line;
    },

    /** Say once per order and product that it is sold out here; the line stays. */
    bridgeHint(line) {
        const key = `${line.order_id.uuid}/${line.product_id.id}`;
        if (this.bridgeHinted.has(key)) {
            return;
        }
        this.bridgeHinted.add(key);
        const product = line.product_id;
        const close = this.notification.add(_t("%s is sold out here.", product.display_name), {
            type: "warning",
            className: "bridge-hint",
            buttons: [
                {
                    name: _t("What instead?"),
                    primary: true,
                    onClick: () => {
                        close();
                        this.onProductInfoClick(product.product_tmpl_id, product);
                    },
                },
            ],
        });
    },

    /** Put a product on the order; the selected line is replaced when it is the one it stands in for. */
    async bridgeTake(productId, insteadOfId) {
        let product = this.models["product.product"].get(productId);
        if (!product && !this.data.network.offline) {
            await this.loadNewProducts([["product_variant_ids", "in", [productId]]]);
            product = this.models["product.product"].get(productId);
        }
        if (!product) {
            this.notification.add(_t("This product is not loaded. Try again when the till is connected."));
            return false;
        }
        const template = product.product_tmpl_id;
        const vals = { product_id: product, product_tmpl_id: template };
        const line = this.getOrder()?.getSelectedOrderline();
        const isReplaced =
            line?.product_id.id === insteadOfId && !line.combo_parent_id && !line.refunded_orderline_id;
        if (isReplaced) {
            vals.qty = line.qty;
        }
        const added = await this.addLineToCurrentOrder(vals, {}, template.needToConfigure());
        if (added && isReplaced && added !== line) {
            const order = line.order_id;
            order.removeOrderline(line);
            this.selectOrderLine(order, added);
        }
        return Boolean(added);
    },
});
