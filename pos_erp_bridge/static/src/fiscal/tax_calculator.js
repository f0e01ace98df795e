// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
/**
 * The amounts of a Japanese sales document, in whole yen: the twin of fiscal/calculator.py, which explains the rules.
 *
 * Every amount that comes in or goes out is a whole number within Number.MAX_SAFE_INTEGER; in between all arithmetic
 * is BigInt, so nothing is rounded but where a rule says so. Errors say what is wrong with the document.
 */

const PERCENT = { 10: 10, "8R": 8, "8N": 8, "1F": 1, "0E": 0, "0X": 0 };
export const CATEGORIES = ["10", "8R", "8N", "1F", "0E", "0X"]; // the highest rate first
// What a company sets, and what files of worked cases call it.
const DIRECTIONS = { down: "down", half_up: "half_up", up: "up", floor: "down", ceil: "up" };
const BASES = { tax_included: true, tax_excluded: false };
const NUMBER = /^([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))$/;
const MAX_DIGITS = 30;
const REFUND_METHOD_FROM = "2026-11-01";
const REFUND_METHOD_LEAST = 5000n;
const REFUND_METHOD_DAYS = 90;

/** Whole percent of a category. */
export function percentOf(category) {
    return oneOf(PERCENT, category, "rate");
}

/** Tax of `amount` yen at `percent`, rounded once, on the magnitude. `included`: the amount contains it. */
export function roundTax(amount, percent, { included, direction }) {
    return yen(tax(whole(amount, "amount"), whole(percent, "percent"), included, directionOf(direction)));
}

/**
 * `amount` yen as {key: yen} in proportion to `weights`, an object {key: yen}. What is left over goes to the largest
 * remainders, ties to the higher rate (where the keys are no rates: to the one named first; mind that JavaScript
 * names keys that are whole numbers before all others). A weight against the sign of them all gets nothing.
 */
export function split(amount, weights) {
    const groups = new Map(Object.entries(weights).map(([key, weight]) => [key, whole(weight, key)]));
    return plain(spread(whole(amount, "amount"), groups));
}

/** `amount` yen brought to the other basis: with tax when `included`, else without; rounded on its own. */
export function convert(amount, category, { included, direction }) {
    const percent = BigInt(percentOf(category));
    return yen(converted(whole(amount, "amount"), percent, included, directionOf(direction)));
}

/** {category: {taxable_base_excl, tax, total_incl}} of `groups`, an object {category: yen, with or without tax}. */
export function byRate(groups, { included, direction }) {
    const entries = Object.entries(groups).map(([category, amount]) => [category, whole(amount, category)]);
    return plain(rates(new Map(entries), included, directionOf(direction)));
}

/** Amounts of a document of the kind sale (also returns) or exchange. */
export function compute(document) {
    return plain(oneOf({ sale, exchange }, need(document, "kind", "the document"), "kind")(document));
}

function oneOf(choices, name, what) {
    if (typeof name !== "string" || !Object.hasOwn(choices, name)) {
        throw new Error(`${what} ${name} is not one of ${Object.keys(choices).join(", ")}`);
    }
    return choices[name];
}

function directionOf(name) {
    return oneOf(DIRECTIONS, name, "rounding");
}

function whole(value, what) {
    if (!Number.isSafeInteger(value)) {
        throw new Error(`${what} is ${value}, not a whole number`);
    }
    return BigInt(value);
}

/** A whole number or decimal text as [numerator, denominator]. */
function exact(value, what) {
    const text = Number.isSafeInteger(value) ? String(value) : value;
    const found = typeof text === "string" && text.length <= MAX_DIGITS && NUMBER.exec(text);
    if (!found) {
        throw new Error(`${what} is ${value}, not a whole number or a decimal number in text`);
    }
    const [, sign, before = "", after = "", only = ""] = found;
    const decimals = after + only;
    const digits = BigInt(before + decimals);
    return [sign === "-" ? -digits : digits, 10n ** BigInt(decimals.length)];
}

function abs(value) {
    return value < 0n ? -value : value;
}

/** Quotient and remainder of a division downward; a remainder is never negative. */
function divmod(value, divisor) {
    const rest = ((value % divisor) + divisor) % divisor;
    return [(value - rest) / divisor, rest];
}

/** numerator / denominator (above zero) as a whole number, rounded on the magnitude: returns mirror sales. */
function roundRatio(numerator, denominator, direction) {
    let [result, rest] = divmod(abs(numerator), denominator);
    if ((direction === "up" && rest) || (direction === "half_up" && 2n * rest >= denominator)) {
        result += 1n;
    }
    return numerator < 0n ? -result : result;
}

function tax(amount, percent, included, direction) {
    return roundRatio(amount * percent, included ? 100n + percent : 100n, direction);
}

function spread(amount, weights) {
    let sum = total(weights.values());
    const bearing = new Map([...weights].map(([key, weight]) => [key, weight * sum > 0n ? weight : 0n]));
    sum = total(bearing.values());
    if (!sum) {
        if (amount) {
            throw new Error(`${amount} yen cannot be spread: there is nothing to spread it over`);
        }
        return new Map([...weights.keys()].map((key) => [key, 0n]));
    }
    const sign = sum > 0n ? 1n : -1n;
    const numerators = new Map([...bearing].map(([key, weight]) => [key, sign * amount * weight]));
    return apportion(amount, numerators, abs(sum));
}

/** Whole parts of `amount`, near numerators[key] / denominator, which add up to it. */
function apportion(amount, numerators, denominator) {
    const order = [...numerators.keys()];
    // Only where all keys are rates: "10" may be the eleventh of some lines.
    if (order.every((key) => Object.hasOwn(PERCENT, key))) {
        order.sort((a, b) => PERCENT[b] - PERCENT[a]);
    }
    // On the magnitude, so that a return is cut exactly as its sale was.
    const leading = amount || order.map((key) => numerators.get(key)).find((numerator) => numerator) || 0n;
    const sign = leading < 0n ? -1n : 1n;
    const parts = new Map();
    const rests = new Map();
    for (const [key, numerator] of numerators) {
        const [part, rest] = divmod(sign * numerator, denominator);
        parts.set(key, part);
        rests.set(key, rest);
    }
    const left = Number(sign * amount - total(parts.values()));
    order.sort((a, b) => (rests.get(b) > rests.get(a) ? 1 : rests.get(b) < rests.get(a) ? -1 : 0));
    for (const key of order.slice(0, left)) {
        parts.set(key, parts.get(key) + 1n);
    }
    return new Map([...parts].map(([key, part]) => [key, sign * part]));
}

function total(values) {
    return [...values].reduce((sum, value) => sum + value, 0n);
}

function rates(groups, included, direction) {
    for (const category of groups.keys()) {
        percentOf(category);
    }
    const categories = CATEGORIES.filter((category) => groups.has(category));
    const taxes = new Map();
    for (const percent of new Set(categories.map(percentOf))) {
        const same = categories.filter((category) => percentOf(category) === percent);
        const rounded = tax(total(same.map((key) => groups.get(key))), BigInt(percent), included, direction);
        const numerators = new Map(same.map((key) => [key, groups.get(key) * BigInt(percent)]));
        for (const [key, part] of apportion(rounded, numerators, included ? BigInt(100 + percent) : 100n)) {
            taxes.set(key, part);
        }
    }
    return new Map(
        categories.map((category) => {
            const [amount, tax] = [groups.get(category), taxes.get(category)];
            const base = included ? amount - tax : amount;
            return [category, { taxable_base_excl: base, tax, total_incl: base + tax }];
        })
    );
}

function need(object, key, where) {
    if (typeof object !== "object" || object === null || Array.isArray(object)) {
        throw new Error(`${where} is ${object}, not an object`);
    }
    if (!Object.hasOwn(object, key)) {
        throw new Error(`${where} has no ${key}`);
    }
    return object[key];
}

/** The document before tax; `groups` is in its basis and after its discounts, `paid` what points pay of it. */
function basketOf(document) {
    const lines = need(document, "lines", "the document");
    if (!Array.isArray(lines)) {
        throw new Error("lines is not a list");
    }
    const amounts = lines.map((line, index) => lineAmount(document, line, `line ${index + 1}`));
    const basket = {
        direction: directionOf(document.tax_rounding ?? "floor"),
        amounts,
        ...groupsOf(document, lines, amounts),
        discount: null,
        paid: 0n,
    };
    if (document.order_discount) {
        const amount = orderDiscount(document.order_discount, basket.groups);
        reduce(basket, amount, document.order_discount.allocation);
    }
    if (document.points) {
        takePoints(basket, document.points);
    }
    return basket;
}

function lineAmount(document, line, where) {
    const [quantity, quantityUnit] = exact(need(line, "qty", where), `${where}: qty`);
    const [price, priceUnit] = exact(need(line, "unit_price", where), `${where}: unit_price`);
    let [amount, unit] = [quantity * price, quantityUnit * priceUnit];
    if (line.line_discount) {
        const kind = need(line.line_discount, "type", `${where}: line_discount`);
        const given = need(line.line_discount, "value", `${where}: line_discount`);
        const [value, valueUnit] = exact(given, `${where}: line_discount`);
        if (kind === "percent") {
            [amount, unit] = [amount * (100n * valueUnit - value), unit * 100n * valueUnit];
        } else if (kind === "amount") {
            [amount, unit] = [amount * valueUnit - towardZero(value, amount) * unit, unit * valueUnit];
        } else {
            throw new Error(`${where}: line_discount type ${kind} is not one of amount, percent`);
        }
    }
    const rounding = line.line_amount_rounding || document.line_amount_rounding || "floor";
    return roundRatio(amount, unit, directionOf(rounding));
}

/** What a reduction takes from `sum`: of something taken back, less is taken back. */
function towardZero(value, sum) {
    return sum < 0n ? -abs(value) : value;
}

function groupsOf(document, lines, amounts) {
    const basis = need(document, "price_basis", "the document");
    const isMixed = basis === "mixed";
    const conversion = isMixed ? document.conversion || {} : { to: basis };
    const included = oneOf(BASES, need(conversion, "to", "conversion"), "price_basis");
    const sums = new Map();
    lines.forEach((line, index) => {
        const where = `line ${index + 1}`;
        const category = need(line, "rate", where);
        percentOf(category);
        const ownBasis = isMixed ? need(line, "price_basis", where) : line.price_basis ?? basis;
        const isSame = oneOf(BASES, ownBasis, "price_basis") === included;
        if (!isSame && !isMixed) {
            throw new Error(`${where}: price_basis differs from the document's, which is not mixed`);
        }
        const sum = sums.get(category) || { same: 0n, other: 0n };
        sum[isSame ? "same" : "other"] += amounts[index];
        sums.set(category, sum);
    });
    const direction = directionOf(conversion.rounding ?? "floor");
    const groups = new Map();
    for (const category of CATEGORIES.filter((key) => sums.has(key))) {
        const { same, other } = sums.get(category);
        groups.set(category, same + converted(other, BigInt(percentOf(category)), included, direction));
    }
    return { included, groups };
}

function converted(amount, percent, included, direction) {
    return included
        ? roundRatio(amount * (100n + percent), 100n, direction)
        : roundRatio(amount * 100n, 100n + percent, direction);
}

function orderDiscount(discount, groups) {
    const kind = need(discount, "type", "order_discount");
    const [value, unit] = exact(need(discount, "value", "order_discount"), "order_discount");
    if (kind === "amount") {
        return roundRatio(value, unit, "down");
    } else if (kind === "percent") {
        return roundRatio(total(groups.values()) * value, 100n * unit, "down");
    }
    throw new Error(`order_discount type ${kind} is not one of amount, percent`);
}

function takePoints(basket, points) {
    const treatment = need(points, "treatment", "points");
    const amount = roundRatio(...exact(need(points, "amount", "points"), "points"), "down");
    if (treatment === "price_reduction") {
        reduce(basket, amount, points.allocation);
    } else if (treatment === "payment") {
        basket.paid += towardZero(amount, total(basket.groups.values()));
    } else {
        throw new Error(`points treatment ${treatment} is not one of price_reduction, payment`);
    }
}

/** Take `amount` yen off the groups: in proportion, or all from the rate the document names. */
function reduce(basket, amount, allocation) {
    const { groups } = basket;
    const reduction = towardZero(amount, total(groups.values()));
    let parts;
    if ((allocation ?? "proportional_by_rate") === "proportional_by_rate") {
        parts = spread(reduction, groups);
    } else {
        const named = String(allocation).startsWith("to_rate:") && String(allocation).slice("to_rate:".length);
        if (!groups.has(named)) {
            throw new Error(
                `allocation ${allocation} is neither proportional_by_rate nor to_rate: a rate sold here`
            );
        }
        parts = new Map([...groups.keys()].map((key) => [key, key === named ? reduction : 0n]));
    }
    const before = basket.discount || new Map();
    basket.groups = new Map([...groups].map(([key, amount]) => [key, amount - parts.get(key)]));
    basket.discount = new Map([...parts].map(([key, part]) => [key, (before.get(key) ?? 0n) + part]));
}

function resultOf(basket) {
    const by_rate = rates(basket.groups, basket.included, basket.direction);
    const sum = (name) => total([...by_rate.values()].map((rate) => rate[name]));
    const result = {
        line_amounts: basket.amounts,
        by_rate,
        total_excl: sum("taxable_base_excl"),
        total_tax: sum("tax"),
        total_incl: sum("total_incl"),
    };
    result.amount_due = result.total_incl - basket.paid;
    if (basket.discount) {
        result.discount_by_rate = basket.discount;
    }
    return result;
}

function sale(document) {
    const result = resultOf(basketOf(document));
    if (document.cash_tendered !== undefined && document.cash_tendered !== null) {
        const tendered = roundRatio(...exact(document.cash_tendered, "cash_tendered"), "down");
        result.change = tendered - result.amount_due;
    }
    if (document.tax_free?.candidate) {
        const day = String(need(document, "date", "a tax-free sale"));
        if (day >= REFUND_METHOD_FROM) {
            result.tax_free = taxFree(result, day);
        }
    }
    return result;
}

/** Refund method: the till takes the tax, the customs' confirmation makes it refundable. */
function taxFree(result, day) {
    const taxed = [...result.by_rate].filter(([category]) => percentOf(category));
    const base = total(taxed.map(([, rate]) => rate.taxable_base_excl));
    const found = { threshold_excl_total: base, threshold_met: base >= REFUND_METHOD_LEAST };
    if (found.threshold_met) {
        const deadline = new Date(`${day}T00:00:00Z`);
        deadline.setUTCDate(deadline.getUTCDate() + REFUND_METHOD_DAYS);
        found.paid_at_till = result.amount_due;
        found.refundable_tax_after_customs_confirmation = result.total_tax;
        found.customs_deadline = deadline.toISOString().slice(0, 10);
    }
    return found;
}

/** Goods back and goods out: each part its own block per rate (gross), or both rounded as one document (net). */
function exchange(document) {
    const out = basketOf(need(document, "sale", "the exchange"));
    const back = basketOf(need(document, "return", "the exchange"));
    const [sold, returned] = [resultOf(out), resultOf(back)];
    const result = { sale: sold, return: returned, amount_due: sold.amount_due + returned.amount_due };
    result.method_gross = { sale: sold, return: returned, net_tax: sold.total_tax + returned.total_tax };
    if (out.included === back.included && out.direction === back.direction) {
        const groups = new Map(out.groups);
        for (const [category, amount] of back.groups) {
            groups.set(category, (groups.get(category) ?? 0n) + amount);
        }
        result.method_net = resultOf({
            ...out,
            amounts: [...out.amounts, ...back.amounts],
            groups,
            discount: null,
            paid: out.paid + back.paid,
        });
    }
    return result;
}

function yen(amount) {
    const number = Number(amount);
    if (!Number.isSafeInteger(number)) {
        throw new Error(`${amount} yen are too many to be exact`);
    }
    return number;
}

/** A result with plain objects and numbers instead of maps and BigInts. */
function plain(value) {
    if (typeof value === "bigint") {
        return yen(value);
    } else if (typeof value !== "object") {
        return value;
    } else if (Array.isArray(value)) {
        return value.map(plain);
    }
    const entries = value instanceof Map ? [...value] : Object.entries(value);
    return Object.fromEntries(entries.map(([key, entry]) => [key, plain(entry)]));
}
