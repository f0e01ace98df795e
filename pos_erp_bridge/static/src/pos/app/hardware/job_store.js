// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
const NAME = "bridge-printing";

const done = (request) =>
    new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });

/**
 * What must outlive a reload of the page: prints whose outcome is not known, the key of this till, and what Odoo has not
 * been told yet. Where the browser keeps nothing (private windows), printing goes on without.
 */
export class JobStore {
    async open() {
        this.db ||= new Promise((resolve, reject) => {
            const request = indexedDB.open(NAME, 1);
            request.onupgradeneeded = () => {
                request.result.createObjectStore("jobs", { keyPath: "id" });
                request.result.createObjectStore("kept");
            };
            request.onsuccess = () => resolve(request.result);
            request.onerror = () => reject(request.error);
        });
        return this.db;
    }

    async use(name, mode, act) {
        try {
            const db = await this.open();
            const transaction = db.transaction(name, mode);
            const result = await done(act(transaction.objectStore(name)));
            if (mode === "readwrite" && !transaction.error) {
                await new Promise((resolve, reject) => {
                    transaction.oncomplete = resolve;
                    transaction.onabort = () => reject(transaction.error);
                });
            }
            return result;
        } catch (error) {
            console.warn("the browser does not keep what is printed", error);
        }
    }

    save(job) {
        return this.use("jobs", "readwrite", (store) => store.put(job));
    }

    forget(id) {
        return this.use("jobs", "readwrite", (store) => store.delete(id));
    }

    async jobs() {
        return (await this.use("jobs", "readonly", (store) => store.getAll())) || [];
    }

    keep(key, value) {
        return this.use("kept", "readwrite", (store) => store.put(value, key));
    }

    kept(key) {
        return this.use("kept", "readonly", (store) => store.get(key));
    }

    /** All that is kept under keys that begin so. */
    async keptUnder(prefix) {
        const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
        return (await this.use("kept", "readonly", (store) => store.getAll(range))) || [];
    }

    drop(key) {
        return this.use("kept", "readwrite", (store) => store.delete(key));
    }
}
