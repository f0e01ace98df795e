// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
/** What a Japanese receipt must say of an order: marks and totals per rate. Figures are the tax engine's own. */
import { _t } from "@web/core/l10n/translation";

const REDUCED = ["8R", "8N", "1F"];
const NO_CATEGORY = "0X";

export function categoryOf(taxes) {
    return (taxes || []).map((tax) => tax.bridge_tax_category).find(Boolean) || NO_CATEGORY;
}

export function isReduced(category) {
    return REDUCED.includes(category);
}

export function isJapanese(company) {
    return Boolean(company.bridge_document_rounding);
}

/** The registration number, on a day on which it is valid; else nothing. Days are ISO text. */
export function registrationNumber(company, day) {
    const text = (value) => (value?.toISODate ? value.toISODate() : value || "");
    const from = text(company.bridge_registration_from);
    const to = text(company.bridge_registration_to);
    return (!from || from <= day) && (!to || day <= to) ? company.bridge_registration_number || "" : "";
}

function labelOf(category, percent) {
    if (category === "0E") {
        return _t("Exempt");
    }
    if (category === NO_CATEGORY) {
        return _t("Not subject to tax");
    }
    if (category === "8N") {
        return _t("%s%% (newspapers)", percent);
    }
    return _t("Subject to %s%%", percent);
}

/**
 * [{category, label, base, tax, total}] of the lines as the tax engine rounded them, the highest rate first; of a
 * return below zero, as its total.
 */
export function ratesOf(baseLines) {
    const rates = {};
    for (const line of baseLines) {
        const details = line.tax_details;
        const taxes = details.taxes_data.map((data) => data.tax);
        const category = categoryOf(taxes);
        const percent = Math.max(0, ...taxes.map((tax) => tax.amount));
        const rate = (rates[category] ||= { category, percent, base: 0, tax: 0 });
        rate.base += details.total_excluded + (details.delta_total_excluded || 0);
        rate.tax += details.taxes_data.reduce((sum, data) => sum + data.tax_amount, 0);
    }
    return Object.values(rates)
        .sort((a, b) => b.percent - a.percent)
        .map((rate) => ({
            ...rate,
            label: labelOf(rate.category, rate.percent) + (isReduced(rate.category) ? "※" : ""),
            base: Math.round(rate.base),
            tax: Math.round(rate.tax),
            total: Math.round(rate.base) + Math.round(rate.tax),
        }));
}
