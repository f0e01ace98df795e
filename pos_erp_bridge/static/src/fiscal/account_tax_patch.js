// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
/**
 * Tax of Japanese documents in the browser: the twin of models/account_tax_rounding.py and account_tax_discount.py.
 * Why each step is as it is stands there; change both. Of a company that is not Japanese the field
 * bridge_document_rounding is empty, and Odoo's own helper is used as it is.
 */
import { accountTaxHelpers } from "@account/helpers/account_tax";
import { byRate, convert, percentOf, roundTax, split } from "@pos_erp_bridge/fiscal/tax_calculator";
import { patch } from "@web/core/utils/patch";

const NOISE = 1e-6;
const GLOBAL_DISCOUNT = "global_discount";
const SUFFIXES = ["_currency", ""];

const sum = (amounts) => amounts.reduce((total, amount) => total + amount, 0);
const highest = (taxes) => Math.max(0, ...taxes.map((tax) => tax.amount));
const taxesOf = (line) => line.tax_details.taxes_data.map((data) => data.tax);
const manual = (line, data) => (line.manual_tax_amounts || {})[String(data.tax.id)];

/** An amount in whole yen, rounded on the magnitude whatever floats added to it. */
function whole(amount, direction = "down") {
    const size = Math.abs(amount);
    const half = direction === "half_up" ? 0.5 : 0;
    const rounded = direction === "up" ? Math.ceil(size - NOISE) : Math.floor(size + NOISE + half);
    return Math.sign(amount) * rounded || 0;
}

function isRoundedByRate(line, data) {
    if (!data.tax.bridge_tax_category || data.tax.has_negative_factor) {
        return false;
    }
    return !manual(line, data) || (line.computation_key || "").startsWith(GLOBAL_DISCOUNT);
}

function lineAmount({ tax_details: details }) {
    const withTax = details.taxes_data.some((data) => data.price_include);
    return withTax ? details.raw_total_included_currency : details.raw_total_excluded_currency;
}

function setLineAmount(line, amount, target) {
    if (!amount || Math.abs(target - amount) < NOISE) {
        return;
    }
    const factor = target / amount;
    for (const suffix of SUFFIXES) {
        for (const field of ["total_excluded", "total_included"]) {
            line.tax_details[`raw_${field}${suffix}`] *= factor;
        }
        for (const data of line.tax_details.taxes_data) {
            for (const field of ["base_amount", "tax_amount"]) {
                data[`raw_${field}${suffix}`] *= factor;
            }
        }
    }
}

function cutLines(lines, direction) {
    const total = sum(lines.map((line) => line.tax_details.raw_total_included_currency));
    const discounts = new Map();
    for (const line of lines) {
        const isPercentOnly = line.tax_details.taxes_data.every((data) => data.tax.amount_type === "percent");
        if (Object.keys(line.manual_tax_amounts || {}).length || !isPercentOnly) {
            continue;
        }
        const amount = lineAmount(line);
        if (amount * total < 0) {
            const product = line.product_id?.id;
            discounts.set(product, [...(discounts.get(product) || []), [line, amount]]);
        } else {
            setLineAmount(line, amount, whole(amount, direction));
        }
    }
    for (const pairs of discounts.values()) {
        pairs.sort((a, b) => highest(taxesOf(b[0])) - highest(taxesOf(a[0])));
        const parts = Object.fromEntries(pairs.map(([, amount], place) => [place, Math.trunc(amount * 1000)]));
        const targets = split(whole(sum(pairs.map(([, amount]) => amount))), parts);
        pairs.forEach(([line, amount], place) => setLineAmount(line, amount, targets[place]));
    }
}

/** What the lines of each rate come to, in smallest units, and whether that is with tax. */
function groupsOf(byCategory, suffix, currency, company) {
    const kinds = new Set();
    const sums = {};
    for (const [category, pairs] of Object.entries(byCategory)) {
        const both = { included: 0, excluded: 0 };
        for (const [line, data] of pairs) {
            const prefix = manual(line, data) ? "" : "raw_";
            const base = data[`${prefix}base_amount${suffix}`];
            if (data.price_include) {
                both.included += base + data[`${prefix}tax_amount${suffix}`];
            } else {
                both.excluded += base;
            }
            if (percentOf(category)) {
                kinds.add(Boolean(data.price_include));
            }
        }
        const [included, excluded] = [both.included, both.excluded].map((sum) =>
            Math.round(sum / currency.rounding)
        );
        sums[category] = { included, excluded };
    }
    const isMixed = kinds.size > 1;
    const isIncluded = isMixed ? company.bridge_conversion_basis === "included" : kinds.has(true);
    const options = { included: isIncluded, direction: company.bridge_conversion_rounding };
    const groups = Object.entries(sums).map(([category, { included, excluded }]) => {
        const [same, other] = isIncluded ? [included, excluded] : [excluded, included];
        return [category, same + (isMixed ? convert(other, category, options) : other)];
    });
    return { groups: Object.fromEntries(groups), included: isIncluded };
}

function totalOf({ tax_details: details }, withTax) {
    const tax = withTax ? sum(details.taxes_data.map((data) => data.tax_amount)) : 0;
    return Math.round(details.total_excluded + details.delta_total_excluded + tax);
}

const hasTaxInPrice = (line) => line.tax_ids.some((tax) => tax.price_include);

/** {place: tax within its part}, rounded once per rate. */
function taxWithin(lines, parts, direction) {
    const byPercent = {};
    lines.forEach((line, place) => {
        const [tax, other] = line.tax_ids;
        if (tax?.bridge_tax_category && !other) {
            (byPercent[tax.amount] ||= {})[place] = parts[place];
        }
    });
    const taxes = {};
    for (const [percent, same] of Object.entries(byPercent)) {
        const tax = roundTax(sum(Object.values(same)), Number(percent), { included: true, direction });
        const spread = tax ? split(tax, same) : Object.fromEntries(Object.keys(same).map((place) => [place, 0]));
        Object.assign(taxes, spread);
    }
    return taxes;
}

function setTax({ tax_details: details }, total, tax) {
    const [data] = details.taxes_data;
    for (const suffix of SUFFIXES) {
        data[`tax_amount${suffix}`] = tax;
        data[`base_amount${suffix}`] = total - tax;
        details[`delta_total_excluded${suffix}`] = total - tax - details[`total_excluded${suffix}`];
    }
}

patch(accountTaxHelpers, {
    round_base_lines_tax_details(base_lines, company) {
        if (company.bridge_document_rounding) {
            const inYen = base_lines.filter((line) => line.currency_id.id === company.currency_id.id);
            cutLines(inYen, company.bridge_line_rounding);
        }
        return super.round_base_lines_tax_details(...arguments);
    },

    round_tax_details_tax_amounts(base_lines, company, options) {
        if (!company.bridge_document_rounding) {
            return super.round_tax_details_tax_amounts(...arguments);
        }
        const byCategory = {};
        const rest = [];
        for (const line of base_lines) {
            const others = [];
            for (const data of line.tax_details.taxes_data) {
                if (isRoundedByRate(line, data)) {
                    (byCategory[data.tax.bridge_tax_category] ||= []).push([line, data]);
                } else {
                    others.push(data);
                }
            }
            if (others.length) {
                rest.push({ ...line, tax_details: { ...line.tax_details, taxes_data: others } });
            }
        }
        if (Object.keys(byCategory).length) {
            const currency = base_lines[0].currency_id;
            this.bridgeRoundRates(byCategory, "_currency", currency, company);
            this.bridgeRoundRates(byCategory, "", company.currency_id, company);
        }
        return super.round_tax_details_tax_amounts(rest, company, options);
    },

    round_tax_details_base_lines(base_lines, company, options) {
        if (!company.bridge_document_rounding) {
            return super.round_tax_details_base_lines(...arguments);
        }
        const rest = [];
        for (const line of base_lines) {
            const details = line.tax_details;
            const ours = details.taxes_data.find((data) => isRoundedByRate(line, data));
            if (
                !ours ||
                Math.abs(ours.raw_base_amount_currency - details.raw_total_excluded_currency) > NOISE
            ) {
                rest.push(line);
                continue;
            }
            for (const suffix of SUFFIXES) {
                details[`delta_total_excluded${suffix}`] =
                    ours[`base_amount${suffix}`] - details[`total_excluded${suffix}`];
            }
        }
        return super.round_tax_details_base_lines(rest, company, options);
    },

    bridgeRoundRates(byCategory, suffix, currency, company) {
        const { groups, included } = groupsOf(byCategory, suffix, currency, company);
        const rates = byRate(groups, { included, direction: company.bridge_document_rounding });
        for (const [category, amounts] of Object.entries(rates)) {
            const taxesData = byCategory[category].map(([, data]) => data);
            for (const [part, key] of [
                ["tax", "tax"],
                ["base", "taxable_base_excl"],
            ]) {
                const field = `${part}_amount${suffix}`;
                const delta = amounts[key] * currency.rounding - sum(taxesData.map((data) => data[field]));
                const factors = taxesData.map((data) => ({ factor: data[`raw_${field}`] }));
                const steps = this.distribute_delta_amount_smoothly(currency.decimal_places, delta, factors);
                taxesData.forEach((data, place) => (data[field] += steps[place]));
            }
        }
    },

    reduce_base_lines_to_target_amount(base_lines, company, amount_type, amount, options = {}) {
        const direction = company.bridge_document_rounding;
        const isYen = base_lines.every((line) => line.currency_id.id === company.currency_id.id);
        if (!direction || !base_lines.length || !isYen) {
            return super.reduce_base_lines_to_target_amount(...arguments);
        }
        const lines = this.reduce_base_lines_with_grouping_function(base_lines, options);
        lines.sort((a, b) => highest(b.tax_ids) - highest(a.tax_ids));
        const withTax = amount_type === "fixed" || lines.some(hasTaxInPrice);
        const weights = Object.fromEntries(lines.map((line, place) => [place, totalOf(line, withTax)]));
        const total = sum(Object.values(weights));
        if (!total) {
            return [];
        }
        const parts = split(whole(amount_type === "percent" ? (total * amount) / 100 : amount), weights);
        const taxes = withTax ? taxWithin(lines, parts, direction) : {};
        const result = lines.map((line, place) =>
            this.prepare_base_line_for_taxes_computation(line, {
                price_unit: hasTaxInPrice(line) ? parts[place] : parts[place] - (taxes[place] || 0),
                computation_key: options.computation_key,
            })
        );
        this.add_tax_details_in_base_lines(result, company);
        this.round_base_lines_tax_details(result, company);
        for (const [place, tax] of Object.entries(taxes)) {
            setTax(result[place], parts[place], tax);
        }
        return result.filter((line) => line.price_unit);
    },
});
