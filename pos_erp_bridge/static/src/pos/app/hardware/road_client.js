// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { ProxyClient, ProxyError } from "./proxy_client";
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

    /** What the first says; where the proxy cannot be reached, what Odoo says. */
    async either(direct, relayed) {
        let away;
        if (await this.reach()) {
            try {
                return await direct();
            } catch (error) {
                if (error.kind !== "unreachable") {
                    throw error;
                }
                this.isUp = false;
                this.probedAt = Date.now();
                away = error;
            }
        }
        try {
            return await relayed();
        } catch (error) {
            const isNoWay = ["away", "offline"].includes(error.kind) && this.access.road !== "relay";
            throw isNoWay ? away || new ProxyError("unreachable") : error;
        }
    }

    /** Seconds of the server's clock; rather early than late. */
    now(moment = Date.now()) {
        return moment / 1000 + (this.access?.skew || 0);
    }

    async health() {
        return this.either(
            () => super.health(),
            () => ({ printers: this.access.printers || [] })
        );
    }

    async put(job) {
        return this.either(
            () => {
                job.isTried = true; // it may arrive whatever is heard of it
                return this.direct(super.put(job, 0), REACH_MS);
            },
            () => this.relay.put(job, this.now(job.created))
        );
    }

    async get(job, known, seconds) {
        return this.either(
            () => super.get(job, known, seconds),
            () => this.relay.get(job, known)
        );
    }

    async resolve(id, content) {
        return this.either(
            () => super.resolve(id, content),
            () => this.relay.resolve(id, content)
        );
    }

    async openDrawer(id, printer) {
        const at = this.now();
        return this.either(
            () => super.openDrawer(id, printer),
            () => this.relay.openDrawer(id, printer, at)
        );
    }
}
