import { Component, onWillUnmount, useState } from "@odoo/owl";
import { usePos } from "@point_of_sale/app/hooks/pos_hook";
import { formatDate } from "@web/core/l10n/dates";
import { _t } from "@web/core/l10n/translation";
import { useBus } from "@web/core/utils/hooks";

const { DateTime } = luxon;
const GATHER_MS = 150; // changes that come together are asked for once
const LOOK_MS = 5000;
const STALE_MS = 30000; // ask again although nobody told of a change
const OLD_MS = 60000; // from here on the age is shown

const ICONS = { own: "fa-map-marker", till: "fa-shopping-basket", web: "fa-globe", warehouse: "fa-building-o" };

/** Stock of one product here, in other stores and on the web, kept up to date while it is shown. */
export class BridgeStock extends Component {
    static template = "pos_erp_bridge.BridgeStock";
    static props = {
        productTemplate: Object,
        info: [Object, Boolean],
        isOld: Boolean,
        close: Function,
    };

    setup() {
        this.pos = usePos();
        this.state = useState({ info: false, at: 0, now: Date.now(), isBusy: false });
        this.begin();
        useBus(this.pos.bridgeBus, "stock", ({ detail }) => this.onStock(detail.productIds));
        const timer = setInterval(() => this.look(), LOOK_MS);
        onWillUnmount(() => {
            this.isGone = true;
            clearInterval(timer);
            clearTimeout(this.gathering);
        });
    }

    begin() {
        const { info, isOld, productTemplate } = this.props;
        if (info && !isOld) {
            this.set(this.pos.bridgeRemember(info));
            return;
        }
        const first = productTemplate.product_variant_ids[0]?.id;
        this.set(this.known(info ? info.product_id : first));
        this.refresh();
    }

    /** What was last seen of a product; at least what lies here. */
    known(productId) {
        const known = this.pos.bridgeInfos[productId];
        if (known) {
            return known;
        }
        const quantity = this.pos.bridgeShelf.quantities[productId];
        const rows =
            quantity === undefined
                ? []
                : [{ key: "here", kind: "own", name: this.pos.config.name, quantity, held: 0, channels: "", reason: "" }];
        const info = { product_id: productId, is_storable: true, quantity, rows, variants: [], instead: false };
        return { info, at: quantity === undefined ? 0 : this.pos.bridgeShelf.at };
    }

    set({ info, at }) {
        Object.assign(this.state, { info, at, now: Date.now() });
    }

    // -- up to date ------------------------------------------------------------------------------
    onStock(productIds) {
        if (productIds === false || productIds.some((id) => this.shownIds.has(id))) {
            this.gathering ||= setTimeout(() => this.refresh(), GATHER_MS);
        }
    }

    get shownIds() {
        const { info } = this.state;
        const options = [...(info.instead?.variants || []), ...(info.instead?.alternatives || [])];
        return new Set([info, ...info.variants, ...options].map((shown) => shown.product_id));
    }

    look() {
        this.state.now = Date.now();
        if (this.age > STALE_MS) {
            this.refresh();
        }
    }

    /** Ask for the numbers anew; while an answer is on its way, once more after it. */
    async refresh() {
        this.gathering = undefined;
        if (this.isAsking) {
            this.isAskedAgain = true;
            return;
        }
        this.isAsking = true;
        do {
            this.isAskedAgain = false;
            const productId = this.state.info.product_id;
            const known = await this.pos.bridgeFetchInfo(productId);
            if (!this.isGone && known && productId === this.state.info.product_id) {
                this.set(known);
            }
        } while (this.isAskedAgain && !this.isGone);
        this.isAsking = false;
    }

    // -- what is shown ---------------------------------------------------------------------------
    get age() {
        return this.state.now - this.state.at;
    }

    get ageText() {
        if (!this.state.at) {
            return _t("Not known: no connection");
        }
        if (this.age < OLD_MS) {
            return "";
        }
        const { at } = this.state;
        return _t("Last known %s", DateTime.fromMillis(at).toRelative() || formatDate(DateTime.fromMillis(at)));
    }

    /** Where no channel runs and there is nothing to offer, Odoo's own popup says it all. */
    get isShown() {
        const { rows, instead } = this.state.info;
        const hasOffer = this.options.length || instead?.places?.length || instead?.incoming;
        return rows.length > 1 || this.pos.bridgeShelf.at || (this.isSoldOut && hasOffer);
    }

    get isSoldOut() {
        return this.state.info.quantity <= 0;
    }

    get soldOutText() {
        return _t("%s is sold out here.", this.state.info.name || this.props.productTemplate.display_name);
    }

    get options() {
        const { variants, alternatives } = this.state.info.instead || { variants: [], alternatives: [] };
        return [
            { key: "variants", title: _t("Other sizes and colours"), items: variants },
            { key: "alternatives", title: _t("Alternatives"), items: alternatives },
        ].filter(({ items }) => items.length);
    }

    quantity(value) {
        return typeof value === "number" ? this.env.utils.formatProductQty(value, false) : "";
    }

    date(value) {
        return formatDate(DateTime.fromISO(value));
    }

    icon(row) {
        return ICONS[row.kind];
    }

    kindName(row) {
        const names = { own: _t("This till"), till: _t("Store"), web: _t("Web store"), warehouse: _t("Warehouse") };
        return names[row.kind];
    }

    get elsewhere() {
        return this.state.info.instead?.places?.map(({ name, quantity }) => `${name} ${this.quantity(quantity)}`);
    }

    // -- doing -----------------------------------------------------------------------------------
    show(productId) {
        this.set(this.known(productId));
        this.refresh();
    }

    async take(productId) {
        this.state.isBusy = true;
        const isTaken = await this.pos.bridgeTake(productId, this.state.info.product_id);
        this.state.isBusy = false;
        if (isTaken) {
            this.props.close();
        }
    }
}
