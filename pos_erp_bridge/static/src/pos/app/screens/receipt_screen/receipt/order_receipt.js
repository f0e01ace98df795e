// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { Orderline } from "@point_of_sale/app/components/orderline/orderline";
import { OrderReceipt } from "@point_of_sale/app/screens/receipt_screen/receipt/order_receipt";
import { ReceiptHeader } from "@point_of_sale/app/screens/receipt_screen/receipt/receipt_header/receipt_header";
import { patch } from "@web/core/utils/patch";
import { _t } from "@web/core/l10n/translation";
import { categoryOf, isJapanese, isReduced, ratesOf, registrationNumber } from "./receipt_tax";

const { DateTime } = luxon;

/** The day of supply in Japan; of a return the one of the sale, whose registration counts. */
function supplyDay(order) {
    const original = order.lines.map((line) => line.refunded_orderline_id?.order_id).find(Boolean);
    const moment = (original || order).date_order || DateTime.now();
    return moment.setZone("Asia/Tokyo");
}

/** Whether nothing was sold: also of an order of negative lines nobody called a return. */
function isReturn(order) {
    return order.lines.length > 0 && order.lines.every((line) => line.qty < 0);
}

patch(OrderReceipt.prototype, {
    get bridgeIsJapanese() {
        return isJapanese(this.order.company);
    },

    get bridgeIsNarrow() {
        return this.bridgeIsJapanese && this.order.config.bridge_receipt_width === "58";
    },

    get bridgeIsIncluded() {
        return this.order.config.iface_tax_included === "total";
    },

    /** The same for the same paper; a bill may change before it is paid. */
    get bridgePrintKey() {
        const { order } = this;
        return order.finalized ? `${order.uuid}/${Boolean(this.props.basic_receipt)}` : "";
    },

    get bridgeRates() {
        return ratesOf(this.order.prices.baseLines);
    },

    get bridgeHasReduced() {
        return this.bridgeRates.some((rate) => isReduced(rate.category));
    },

    get vatText() {
        if (!this.bridgeIsJapanese) {
            return super.vatText;
        }
        // Above, and only when registered.
        return "";
    },
});

patch(ReceiptHeader.prototype, {
    get bridgeNumber() {
        const { order } = this;
        // One document for a sale: where there is an invoice, that is the qualified one.
        const isQualified = isJapanese(order.company) && !order.isToInvoice();
        return isQualified && registrationNumber(order.company, supplyDay(order).toISODate());
    },

    get bridgeKind() {
        return isReturn(this.order) ? _t("Qualified return invoice") : _t("Simplified qualified invoice");
    },

    get bridgeOriginalDay() {
        const isKnown = isJapanese(this.order.company) && isReturn(this.order) && this.order.isRefund;
        return isKnown ? supplyDay(this.order).toISODate().replaceAll("-", "/") : "";
    },
});

patch(Orderline.prototype, {
    get lineScreenValues() {
        const values = super.lineScreenValues;
        const { line } = this;
        if (values.isReceipt && isJapanese(line.order_id.company) && isReduced(categoryOf(line.tax_ids))) {
            values.name = `${values.name}※`;
        }
        return values;
    },
});
