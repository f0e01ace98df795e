// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
const KEPT = "drawer/";
const PAUSE_MS = 60_000; // until what Odoo did not take is offered again
const MOST_ROWS = 500; // Odoo takes so many at once
const AWAITED_MS = 30_000; // so long another tab of the till may wait for an outcome that is kept as unknown

/**
 * Each opening of the drawer, kept in the browser until Odoo has it. A row is kept before the drawer is asked, so that
 * the end of the page hides none; each has an id, with which Odoo takes it once.
 */
export class DrawerLog {
    /**
     * @param {Object} settings
     * @param {string} settings.scope the till: others in this browser have their own
     * @param {(rows: Object[]) => Promise<{skipped: number[]}>} settings.send hands rows to Odoo, which sets those at
     *     some positions aside; throws when it does not take them
     */
    constructor({ store, scope, send }) {
        Object.assign(this, { store, send, prefix: `${KEPT}${scope}/` });
        this.open = new Set(); // rows whose outcome this page still waits for
        this.rows = new Map(); // of this page, where the browser keeps nothing
    }

    /** Somebody opens the drawer; its outcome follows. */
    begin(row) {
        this.open.add(row.id);
        return this.store.keep(this.prefix + row.id, { ...row, outcome: "unknown", detail: "" });
    }

    async end(row, { outcome, detail }) {
        const ended = { ...row, outcome, detail };
        this.rows.set(row.id, ended);
        this.open.delete(row.id);
        await this.store.keep(this.prefix + row.id, ended);
        await this.flush();
    }

    /** Hand over what is kept; whether Odoo has all of it. */
    async flush() {
        clearTimeout(this.timer);
        const kept = await this.store.keptUnder(this.prefix);
        const all = [...new Map([...kept.map((row) => [row.id, row]), ...this.rows]).values()];
        const rows = all.filter((row) => !this.isAwaited(row)).sort((one, other) => one.moment - other.moment);
        let isDone = rows.length === all.length;
        try {
            for (let at = 0; at < rows.length; at += MOST_ROWS) {
                await this.handOver(rows.slice(at, at + MOST_ROWS));
            }
        } catch {
            isDone = false;
        }
        if (!isDone) {
            clearTimeout(this.timer);
            this.timer = setTimeout(() => this.flush(), PAUSE_MS);
        }
        return isDone;
    }

    isAwaited({ id, outcome, moment }) {
        return this.open.has(id) || (outcome === "unknown" && moment > Date.now() - AWAITED_MS);
    }

    async handOver(rows) {
        const { skipped } = await this.send(rows);
        for (const at of skipped) {
            console.warn("Odoo takes this for no opening of the drawer", rows[at]);
        }
        for (const { id } of rows) {
            this.rows.delete(id);
            await this.store.drop(this.prefix + id);
        }
    }
}
