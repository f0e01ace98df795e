// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
/**
 * Prints until their outcome is known. Each has an id that never changes: however often it is sent, and whoever asks
 * again, one paper comes out. What the proxy does not know yet lies in the browser and survives a reload.
 *
 * A job's state, reason, face and error are what the proxy said last; besides the proxy's own states, "lost": sent, and
 * nobody can be asked any more what became of it.
 */
const HELD = 2; // questions that the proxy holds at once: a browser has six lines to one machine, for everything
const WAIT_S = 8; // the proxy answers earlier when there is something to say
const FRESH_MS = 600_000; // later, nobody waits for that receipt: it is asked for, but not sent any more
const PAUSE_MS = [500, 4000];
const FIRST_MS = 12_000; // until the cashier is told something
const AGAIN_MS = 3000; // the same, when somebody has just put it right and asks again
const SILENT_MS = 60_000; // without an answer for that long, an old print is given up

export const isOver = (job) => ["printed", "failed", "lost"].includes(job.state);
const isFresh = (job) => Date.now() - job.created < (job.lifetime || FRESH_MS);

/** Whether a job is known to lie here only; one that was stored by an older version may have been sent. */
export const isUnsent = (job) => job.proxy === "" && !job.isSent;

/** What is stored of a job. ``proxy``: the id of the machine that it was sent to, or may have been. */
function storable(job) {
    const { id, scope, key, label, printer, width, rows, body, kind, lifetime, created, proxy, reprintId, isSent } = job;
    return { id, scope, key, label, printer, width, rows, body, kind, lifetime, created, proxy, reprintId, isSent };
}

export class PrintQueue {
    /**
     * @param {Object} settings
     * @param {string} settings.scope the till: others in this browser have their own
     * @param {(job: Object) => void} settings.tell called when a job's state, reason or error has changed
     */
    constructor({ client, store, scope, tell }) {
        Object.assign(this, { client, store, scope, tell });
        this.jobs = new Map();
        this.held = 0;
    }

    /**
     * After a reload: what was open is sent again, and answered when it is known there; without its picture (a reprint)
     * it is only asked for.
     */
    async resume() {
        const stored = await this.store.jobs();
        for (const job of stored.filter((job) => job.scope === this.scope && !this.jobs.has(job.id))) {
            this.follow({ ...job, isSent: !job.body, isResumed: true, isTried: true });
        }
    }

    /** The open job of that key: a receipt asked for twice is one paper until the first is known to be out. */
    openWith(key) {
        return key && [...this.jobs.values()].find((job) => job.key === key);
    }

    async add(job) {
        job = { ...job, scope: this.scope, created: Date.now(), proxy: "", isSent: false };
        await this.store.save(storable(job));
        this.follow(job);
        return job;
    }

    /** Resolves when there is something to tell: its end, that somebody must look, what is wrong, or just patience. */
    async outcome(job, isAgain = false) {
        const limit = Date.now() + (isAgain ? AGAIN_MS : FIRST_MS);
        const tells = () =>
            isOver(job) || job.state === "unknown" || (!isAgain && Boolean(job.reason || job.error));
        job.hurry?.();
        while (!tells() && Date.now() < limit) {
            await new Promise((resolve) => {
                job.watchers.add(resolve);
                setTimeout(resolve, limit - Date.now());
            });
        }
        return job;
    }

    // -- following -------------------------------------------------------------------------------
    async follow(job) {
        Object.assign(job, { state: "new", reason: "", face: "", error: null, watchers: new Set(), pause: PAUSE_MS[0] });
        this.jobs.set(job.id, job);
        let pause = PAUSE_MS[0];
        while (!isOver(job)) {
            try {
                await this.ask(job);
                pause = PAUSE_MS[0];
                job.silentSince = 0;
            } catch (error) {
                if (error.kind === "refused") {
                    await this.note(job, { state: "failed", reason: error.message });
                    break;
                }
                job.silentSince ||= Date.now();
                if (!isFresh(job) && Date.now() - job.silentSince >= SILENT_MS) {
                    await this.note(job, { state: "lost" });
                    break;
                }
                this.note(job, { error });
                await this.rest(job, pause);
                pause = Math.min(pause * 2, PAUSE_MS[1]);
            }
        }
    }

    /** For that time, or until somebody is in a hurry. */
    rest(job, time) {
        return new Promise((resolve) => {
            job.hurry = resolve;
            setTimeout(resolve, time);
        });
    }

    /** How it stands. The proxy may hold the question about the newest print until there is news: somebody waits for it. */
    async look(job) {
        const waiting = [...this.jobs.values()].filter(({ state }) => state !== "unknown");
        const isHeld = waiting.at(-1) === job && this.held < HELD;
        let answer;
        this.held += isHeld;
        try {
            answer = await this.client.get(job, job.face, isHeld ? WAIT_S : 0);
        } finally {
            this.held -= isHeld;
        }
        if (answer.face !== job.face) {
            job.pause = PAUSE_MS[0];
        } else {
            await this.rest(job, isHeld ? PAUSE_MS[0] : job.pause); // however soon it was answered
            job.pause = Math.min(job.pause * 2, PAUSE_MS[1]);
        }
        return answer;
    }

    async ask(job) {
        if (isUnsent(job) && !isFresh(job)) {
            return this.note(job, { state: "failed", reason: "expired" });
        }
        const { proxy } = await this.client.ready();
        const isElsewhere = job.proxy && job.proxy !== proxy; // another machine has it, or has printed it
        if (!job.isSent && isFresh(job) && !isElsewhere) {
            if (!job.proxy) {
                job.proxy = proxy;
                await this.store.save(storable(job));
            }
            const answer = await this.client.put(job, 0);
            job.isSent = true;
            return this.note(job, answer);
        }
        try {
            return await this.note(job, await this.look(job));
        } catch (error) {
            if (error.kind !== "missing") {
                throw error;
            }
        }
        if (isElsewhere) {
            return this.note(job, { state: "lost" });
        }
        // It never arrived there.
        if (job.body && isFresh(job)) {
            job.isSent = false;
            return;
        }
        return this.note(job, { state: "failed", reason: "expired" });
    }

    async note(job, { state = job.state, reason = job.reason, face = job.face, error = null }) {
        if (isOver(job)) {
            return; // somebody decided while the last question was on its way
        }
        const isNews = state !== job.state || reason !== job.reason || error?.kind !== job.error?.kind;
        Object.assign(job, { state, reason, face, error });
        if (isOver(job)) {
            this.jobs.delete(job.id);
            if (reason === "reprinted" && job.reprintId) {
                job.again = await this.followReprint(job);
            }
            await this.store.forget(job.id);
        }
        if (isNews) {
            this.tell(job);
        }
        const watchers = [...job.watchers];
        job.watchers.clear();
        watchers.forEach((wake) => wake());
    }

    // -- when nobody but a person can say --------------------------------------------------------
    async cameOut(job) {
        await this.note(job, await this.client.resolve(job.id, { came_out: true }));
    }

    /** Print once more, marked; the new job. Asked for twice, it is the same one. */
    async reprint(job, makeId) {
        job.reprintId ||= makeId();
        await this.store.save({ ...storable(job), isSent: true });
        await this.client.resolve(job.id, { reprint: job.reprintId });
        await this.note(job, { state: "failed", reason: "reprinted" });
        return job.again;
    }

    /** Its reprint is followed from now on; without a picture, for sent from here it would lack the mark. */
    async followReprint(job) {
        const again = { ...storable(job), id: job.reprintId, body: null, reprintId: undefined, isSent: true };
        again.created = Date.now();
        await this.store.save(again);
        this.follow(again);
        again.isTold = true;
        return again;
    }
}
