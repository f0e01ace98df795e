import { useState } from "@odoo/owl";
import { ProductCard } from "@point_of_sale/app/components/product_card/product_card";
import { patch } from "@web/core/utils/patch";

patch(ProductCard.prototype, {
    setup() {
        super.setup(...arguments);
        const pos = this.env.services.pos;
        this.bridgeShelf = pos?.bridgeShelf && useState(pos.bridgeShelf.quantities);
    },

    /** Whether none of its variants can be sold here. */
    get bridgeIsSoldOut() {
        const variants = this.props.product?.product_variant_ids || [];
        return Boolean(
            this.bridgeShelf && variants.length && variants.every((variant) => this.bridgeShelf[variant.id] <= 0)
        );
    },
});
