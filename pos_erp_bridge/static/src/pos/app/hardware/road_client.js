// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { DRAWER_MS, inTime, ProxyClient, ProxyError } from "./proxy_client";
import { within } from "./relay";

const REACH_MS = 1500; // a proxy in the shop's network answers in some milliseconds
const PROBE_MS = 15_000; // one that did not answer is tried again after that

/**
 * Speaks to the hardware proxy through the shop's network, and through Odoo where that fails. A print has one id on
 * both ways, by which the proxy prints it once: so neither has to know what became of the other.
 */
export class RoadClient extends ProxyClient {
    constructor(askAccess, relay) {
        super(askAccess);
        this.relay = relay;
        this.isUp = null; // whether the proxy was reached when last tried; null: not tried yet
        this.probedAt = 0;
    }

    /** Whether the proxy can be reached directly. Known to be away, it is tried again in the background only. */
    async reach() {
        const { road } = await this.ready();
        if (road === "relay") {
            return false;
        }
        if (!this.isUp && Date.now() - this.probedAt > PROBE_MS) {
            this.probing ||= this.probe().finally(() => (this.probing = null));
        }
        if (this.isUp === null) {
            await this.probing;
        }
        return this.isUp;
    }

    async probe() {
        this.probedAt = Date.now();
        try {
            await this.direct(super.health(), REACH_MS);
            this.isUp = true;
        } catch (error) {
            this.isUp = error.kind !== "unreachable";
        }
    }

    /** An answer through the shop's network; without one for that long, the proxy is away. */
    direct(promise, time) {
        return within(promise, time, () => new ProxyError("unreachable"));
    }

    /**
     * What the first says; where the proxy cannot be reached, what Odoo says.
     * @param {Object} settings
     * @param {number} settings.limit milliseconds after which Odoo is asked as well; the first may still answer
     * @param {boolean} settings.isTried whether it may have reached the proxy before
     * @param {number} settings.until after this moment nothing more is tried
     */
    async either(direct, relayed, { limit, isTried = false, until = Infinity } = {}) {
        let first;
        if (await this.reach()) {
            first = direct();
            try {
                return await (limit ? this.direct(first, limit) : first);
            } catch (error) {
                if (error.kind !== "unreachable") {
                    throw error;
                }
                this.isUp = false;
                this.probedAt = Date.now();
            }
        }
        try {
            return await relayed();
        } catch (error) {
            // What the proxy may have is not refused by Odoo.
            const isRefused = error.kind === "refused" && Boolean(first || isTried);
            if (!isRefused && !["away", "offline"].includes(error.kind)) {
                throw error;
            }
            if (this.access.road === "relay") {
                throw isRefused ? new ProxyError("away") : error;
            }
        }
        if (!first && Date.now() > until) {
            throw new ProxyError("unreachable");
        }
        const answer = await (first || this.direct(direct(), REACH_MS));
        this.isUp = true;
        return answer;
    }

    /** Seconds of the server's clock. */
    now(moment = Date.now()) {
        return moment / 1000 + (this.access?.skew || 0);
    }

    /** Through Odoo it is known that the proxy lives, not how its devices are. */
    async health() {
        return this.either(
            () => super.health(),
            () => this.relay.health()
        );
    }

    async printers() {
        return this.either(
            async () => (await super.health()).printers,
            () => this.access.printers || []
        );
    }

    async put(job) {
        const { isTried } = job;
        return this.either(
            () => {
                job.isTried = true; // it may arrive whatever is heard of it
                return super.put(job, 0);
            },
            () => this.relay.put(job, this.now(job.created)),
            { limit: REACH_MS, isTried }
        );
    }

    async get(job, known, seconds) {
        return this.either(
            () => super.get(job, known, seconds),
            () => this.relay.get(job, known),
            { isTried: job.isTried }
        );
    }

    async resolve(id, content) {
        return this.either(
            () => super.resolve(id, content),
            () => this.relay.resolve(id, content)
        );
    }

    async openDrawer(id, printer, asked) {
        return this.either(
            () => super.openDrawer(id, printer, asked),
            () => {
                inTime(asked);
                return this.relay.openDrawer(id, printer, this.now(asked));
            },
            { limit: REACH_MS, until: asked + DRAWER_MS }
        );
    }
}
