// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { authorization, momentOf, nextMoment } from "./signature";

const PROMPT_MS = 4000; // for what the proxy answers at once
const SLACK_MS = 6000; // beyond the seconds that it was asked to wait
export const DRAWER_MS = 3000; // later, whoever pressed has gone on: a drawer stays closed
const EARLY_S = 600; // before a key ends, a new one is asked for
// The till's service worker keeps every answer that it fetches, and gives an old one when there is no new one; addresses
// with this word it leaves alone.
const NOT_KEPT = { by: "extension" };
export const THIS_MACHINE = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/**
 * The proxy did not do what it was asked.
 * kind: unreachable (nothing answered), denied (not this till), missing (no such job), refused (cannot be done),
 * trouble (the printer; ``reason`` says what), unpaired (nobody connected it), keyless (Odoo does not answer). Through
 * Odoo: away (the proxy does not fetch what lies there), offline (Odoo does not answer).
 */
export class ProxyError extends Error {
    constructor(kind, message = "", reason = "") {
        super(message || kind);
        Object.assign(this, { kind, reason });
    }
}

const KINDS = { 401: "denied", 403: "denied", 404: "missing", 421: "denied", 503: "trouble" };

/** What fetch needs to know for a proxy at ``url``: Chromium lets a secure page reach the shop's network only so. */
export function addressSpace(url) {
    const isNear = THIS_MACHINE.test(new URL(url).hostname);
    return odoo.use_lna && !isNear ? { targetAddressSpace: "local" } : {};
}

/** @throws {ProxyError} the drawer was to be opened at ``asked`` (milliseconds), too long ago */
export function inTime(asked) {
    if (Date.now() - asked > DRAWER_MS) {
        throw new ProxyError("trouble", "", "too_late");
    }
}

/**
 * How far a clock is ahead that showed ``now`` at some moment between these two; 0 where it may be right.
 * @param {number} sent by this device's clock; all in milliseconds
 */
export function skewOf(now, sent, received) {
    return now < sent ? now - sent : Math.max(now - received, 0);
}

/** Speaks to the hardware proxy for one till. */
export class ProxyClient {
    /** @param {() => Promise<Object>} askAccess what the server gives to this till; throws when it cannot be asked */
    constructor(askAccess) {
        this.askAccess = askAccess;
        this.access = null;
        this.skew = 0; // milliseconds that the proxy's clock is ahead of this device's, as far as it has told
    }

    async ready(isStale = false) {
        if (isStale || !this.access?.claims || this.access.until - EARLY_S < Date.now() / 1000) {
            try {
                this.access = await this.askAccess();
            } catch (error) {
                throw new ProxyError("keyless", error.message);
            }
        }
        if (!this.access?.claims) {
            throw new ProxyError("unpaired");
        }
        return this.access;
    }

    /** Everything about the proxy; needs no key. */
    async health() {
        const { url } = await this.ready();
        return this.fetch(`${url}/health?${new URLSearchParams(NOT_KEPT)}`, { method: "GET" }, PROMPT_MS);
    }

    /** What it prints on, with the width of the paper. */
    async printers() {
        return (await this.health()).printers;
    }

    /** Hand a picture over, or ask how it stands when the proxy knows its id already. */
    async put({ id, width, rows, printer, body, kind, proxy }, seconds) {
        const query = { width, rows, wait: seconds, ...(printer && { printer }), ...(kind && { kind }) };
        return this.signed("PUT", `/jobs/${id}?${new URLSearchParams(query)}`, body, { seconds, proxy });
    }

    /** The job when it has changed since ``known``, at the latest after some seconds. */
    async get({ id }, known, seconds) {
        const query = new URLSearchParams({ known, wait: seconds, ...NOT_KEPT });
        return this.signed("GET", `/jobs/${id}?${query}`, null, { seconds });
    }

    resolve(id, content) {
        return this.signed("POST", `/jobs/${id}/resolution`, content);
    }

    /** @param {number} asked when somebody pressed, by this device's clock; soon after that or not at all */
    async openDrawer(id, printer, asked) {
        const { outcome } = await this.signed("PUT", `/drawer/${id}`, { printer }, { asked });
        return outcome;
    }

    /**
     * @param {Uint8Array|Object|null} content bytes, or what is sent as JSON
     * @param {Object} settings
     * @param {number} settings.asked the moment that is signed, of what is of no use later
     * @param {string} settings.proxy the only machine that it may go to
     * @param {AbortSignal} settings.signal ends the question
     */
    async signed(method, path, content, settings = {}) {
        const { seconds = 0, asked = null, proxy = "", isStale = false, signal = null } = settings;
        const access = await this.ready(isStale);
        if (asked) {
            inTime(asked);
        }
        if (proxy && proxy !== access.proxy) {
            throw new ProxyError("missing");
        }
        const isBytes = content instanceof Uint8Array;
        const body = isBytes ? content : new TextEncoder().encode(content ? JSON.stringify(content) : "");
        const target = new URL(path, access.url);
        const line = target.pathname + target.search;
        const moment = asked ? momentOf(asked, this.skew) : nextMoment(this.skew);
        const headers = { Authorization: await authorization(access, method, line, body, moment) };
        if (content && !isBytes) {
            headers["Content-Type"] = "application/json";
        }
        const limit = seconds * 1000 + SLACK_MS;
        try {
            const options = { method, headers, body: content ? body : undefined, signal };
            return await this.fetch(target.href, options, limit);
        } catch (error) {
            if (error.kind !== "denied" || isStale) {
                throw error;
            }
        }
        // The proxy may have been connected anew meanwhile: once more with a fresh key.
        return this.signed(method, path, content, { ...settings, isStale: true });
    }

    async fetch(url, options, limit) {
        const sent = Date.now();
        let response, content;
        try {
            response = await fetch(url, {
                ...options,
                ...addressSpace(url),
                credentials: "omit",
                cache: "no-store",
                signal: AbortSignal.any([AbortSignal.timeout(limit), options.signal].filter(Boolean)),
            });
            content = await response.json();
            if (content.now) {
                this.skew = skewOf(content.now, sent, Date.now());
            }
        } catch (error) {
            throw new ProxyError("unreachable", error.message);
        }
        if (!response.ok) {
            throw new ProxyError(KINDS[response.status] || "refused", content.error, content.reason);
        }
        return content;
    }

    // -- what is no printer ----------------------------------------------------------------------
    /** The next code that a scanner reads, or null when there is none for some seconds; ``signal`` ends the question. */
    async scan(seconds, signal) {
        const query = new URLSearchParams({ wait: seconds, ...NOT_KEPT });
        const { code } = await this.signed("GET", `/scans?${query}`, null, { seconds, signal });
        return code;
    }

    /** What lies on the scale: {kilograms, a decimal text or null, reason}. */
    weigh() {
        return this.signed("GET", `/scale?${new URLSearchParams(NOT_KEPT)}`, null);
    }

    /** @param {string[]} lines what the customer's line display shows */
    show(lines) {
        return this.signed("PUT", "/display", { lines });
    }
}
