// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { BarcodeParser } from "@barcodes/js/barcode_parser";
import { GS1BarcodeError } from "@barcodes_gs1_nomenclature/js/barcode_parser";
import { ProductScreen } from "@point_of_sale/app/screens/product_screen/product_screen";
import { BarcodeReader } from "@point_of_sale/app/services/barcode_reader_service";
import { _t } from "@web/core/l10n/translation";
import { patch } from "@web/core/utils/patch";

/** A code that must not be sold; the message is for the cashier. */
export class RefusedCode extends Error {}

// GS1 General Specifications 7.9.2: what a digit counts at its place.
const TWO_MINUS = [0, 2, 4, 6, 8, 9, 1, 3, 5, 7];
const THREE = [0, 3, 6, 9, 2, 5, 8, 1, 4, 7];
const FIVE_PLUS = [0, 5, 1, 6, 2, 7, 3, 8, 4, 9];
const FIVE_MINUS = [0, 5, 9, 4, 8, 3, 7, 2, 6, 1];

const sum = (digits, places) =>
    [...digits].reduce((total, digit, index) => total + places[index][Number(digit)], 0);

/** The digit that checks a price or weight of four or five digits (GS1 General Specifications 7.9.3, 7.9.4). */
export function valueDigit(digits) {
    if (digits.length === 4) {
        return (sum(digits, [TWO_MINUS, TWO_MINUS, THREE, FIVE_MINUS]) * 3) % 10;
    }
    const total = sum(digits, [FIVE_PLUS, TWO_MINUS, FIVE_MINUS, FIVE_PLUS, TWO_MINUS]);
    return FIVE_MINUS.indexOf((10 - (total % 10)) % 10);
}

patch(BarcodeParser, {
    barcodeRuleFields: [...BarcodeParser.barcodeRuleFields, "bridge_value_digit"],
});

patch(BarcodeParser.prototype, {
    /**
     * @override
     * Odoo puts zeros in place of the price, to find the product. The digit before it belongs to the price, too.
     */
    parseBarcodeNomenclature() {
        const result = super.parseBarcodeNomenclature(...arguments);
        const rule = this.bridgeCheckedRule(result);
        if (!rule) {
            return result;
        }
        const start = rule.pattern.indexOf("{");
        const length = rule.pattern.indexOf("}") - start - 1;
        const { code, base_code: base } = result;
        if (valueDigit(code.slice(start, start + length)) !== Number(code[start - 1])) {
            throw new RefusedCode(_t("The price in the code %s does not fit its check digit. Scan it again.", code));
        }
        return { ...result, base_code: this.sanitize_ean(`${base.slice(0, start - 1)}0${base.slice(start)}`) };
    },

    /** The rule that read ``result``, if it has a digit that checks the value. */
    bridgeCheckedRule({ type, encoding, code }) {
        const rules = this.nomenclature?.rules || [];
        if (encoding !== "ean13" || !rules.some((rule) => rule.bridge_value_digit)) {
            return;
        }
        const isItsRule = (rule) =>
            rule.type === type && rule.encoding === encoding && this.match_pattern(code, rule.pattern, encoding).match;
        const rule = rules.find(isItsRule);
        return rule?.bridge_value_digit ? rule : undefined;
    },

    /** @override */
    parse_gs1_rule_pattern() {
        try {
            return super.parse_gs1_rule_pattern(...arguments);
        } catch (error) {
            throw error instanceof GS1BarcodeError ? error : new RefusedCode(error.message);
        }
    },
});

patch(BarcodeReader.prototype, {
    /** @override */
    async _scan() {
        try {
            return await super._scan(...arguments);
        } catch (error) {
            if (!(error instanceof RefusedCode)) {
                throw error;
            }
            this.notification.add(error.message, { type: "danger" });
        }
    },

    /** @override */
    showNotFoundNotification({ code }) {
        const encoding = { 8: "ean8", 13: "ean13" }[code.length];
        if (encoding && /^\d+$/.test(code) && !this.parser.check_encoding(code, encoding)) {
            this.notification.add(_t("The check digit of the code %s is wrong. Scan it again.", code), {
                type: "danger",
            });
        } else {
            super.showNotFoundNotification(...arguments);
        }
    },
});

patch(ProductScreen.prototype, {
    /**
     * @override
     * GS1 writes each product's number with fourteen digits; on the product it has as many as its own symbol. Known
     * here, it is found without asking the server.
     */
    async _getProductByBarcode({ base_code: code }) {
        const products = this.pos.models["product.product"];
        const shorter = /^0\d{13}$/.test(code) ? [13, 12, 8].map((length) => code.slice(-length)) : [];
        const isSame = (short) => Number(short) === Number(code);
        const found = shorter.filter(isSame).map((short) => products.getBy("barcode", short));
        return found.find(Boolean) || super._getProductByBarcode(...arguments);
    },
});
