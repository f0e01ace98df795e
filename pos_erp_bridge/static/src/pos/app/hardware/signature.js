// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
/**
 * Signs a till's requests. The browser's own cryptography exists on secure pages only (https, or this machine); a till
 * that is opened over plain http in the shop's network computes the same here.
 */

const encoder = new TextEncoder();
const BLOCK = 64;

// SHA-256's constants: fractions of the second and third roots of the first primes.
const fraction = (root) => ((root - Math.floor(root)) * 2 ** 32) | 0;
const PRIMES = [];
for (let number = 2; PRIMES.length < 64; number++) {
    if (PRIMES.every((prime) => number % prime)) {
        PRIMES.push(number);
    }
}
const ROUNDS = Int32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)));
const START = Int32Array.from(PRIMES.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));

const rotate = (word, by) => (word >>> by) | (word << (32 - by));

function mix(state, words) {
    for (let i = 16; i < 64; i++) {
        const [early, late] = [words[i - 15], words[i - 2]];
        const low = rotate(early, 7) ^ rotate(early, 18) ^ (early >>> 3);
        const high = rotate(late, 17) ^ rotate(late, 19) ^ (late >>> 10);
        words[i] = words[i - 16] + low + words[i - 7] + high;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
        const upper = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
        const first = (h + upper + ((e & f) ^ (~e & g)) + ROUNDS[i] + words[i]) | 0;
        const lower = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
        const second = (lower + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] += word));
}

/** SHA-256 without the browser's help. */
export function sha256(bytes) {
    const padded = new Uint8Array(Math.ceil((bytes.length + 9) / BLOCK) * BLOCK);
    padded.set(bytes);
    padded[bytes.length] = 0x80;
    const view = new DataView(padded.buffer);
    view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29));
    view.setUint32(padded.length - 4, (bytes.length << 3) >>> 0);
    const state = START.slice();
    const words = new Int32Array(64);
    for (let at = 0; at < padded.length; at += BLOCK) {
        for (let i = 0; i < 16; i++) {
            words[i] = view.getInt32(at + 4 * i);
        }
        mix(state, words);
    }
    const digest = new DataView(new ArrayBuffer(32));
    state.forEach((word, i) => digest.setInt32(4 * i, word));
    return new Uint8Array(digest.buffer);
}

function joined(first, second) {
    const all = new Uint8Array(first.length + second.length);
    all.set(first);
    all.set(second, first.length);
    return all;
}

/** HMAC-SHA-256 without the browser's help. */
export function hmac(key, message) {
    const block = new Uint8Array(BLOCK);
    block.set(key.length > BLOCK ? sha256(key) : key);
    const inner = sha256(joined(block.map((byte) => byte ^ 0x36), message));
    return sha256(joined(block.map((byte) => byte ^ 0x5c), inner));
}

const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");

async function digestOf(bytes, subtle) {
    return hex(subtle ? await subtle.digest("SHA-256", bytes) : sha256(bytes));
}

async function hmacOf(key, message, subtle) {
    if (!subtle) {
        return hex(hmac(key, message));
    }
    const usable = await subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    return hex(await subtle.sign("HMAC", usable, message));
}

/** A moment of this device as milliseconds by the proxy's clock, which is ``skew`` ahead. */
export const momentOf = (time, skew) => String(Math.round(time + skew));

let lastMoment = 0;

/**
 * Milliseconds since 1970 by the proxy's clock, never the same twice: the proxy takes a signature only once.
 * @param {number} skew milliseconds that its clock is ahead of this device's
 */
export function nextMoment(skew) {
    const now = Math.round(Date.now() + skew);
    const isSoon = now <= lastMoment && lastMoment - now < 1000; // farther back, a clock was put right
    lastMoment = isSoon ? lastMoment + 1 : now;
    return String(lastMoment);
}

/**
 * The Authorization header of one request.
 * @param {{claims: string, key: string}} access what Odoo gave to this till
 * @param {string} path with its query, as it is sent
 * @param {Uint8Array} body
 */
export async function authorization(access, method, path, body, moment, subtle = globalThis.crypto?.subtle) {
    const parts = [method, path, await digestOf(body, subtle), moment, access.claims];
    const signature = await hmacOf(encoder.encode(access.key), encoder.encode(parts.join("\n")), subtle);
    return `Till ${access.claims}.${moment}.${signature}`;
}
