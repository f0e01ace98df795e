// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { _t } from "@web/core/l10n/translation";

const REASONS = {
    paper_end: () => _t("Out of paper."),
    cover_open: () => _t("The printer's cover is open."),
    cutter: () => _t("The cutter is stuck. Remove the paper."),
    unrecoverable: () => _t("The printer has failed. Switch it off and on."),
    recoverable: () => _t("The print head is hot. It goes on in a while."),
    offline: () => _t("The printer is offline."),
    refused: () => _t("The printer refuses the connection. Is it on?"),
    no_answer: () => _t("The printer does not answer. Check its power and cable."),
    unreachable: () => _t("The printer cannot be reached. Check the network."),
    unplugged: () => _t("The printer is unplugged."),
    not_allowed: () => _t("The hardware proxy may not use the printer."),
    busy: () => _t("Another program is using the printer."),
    silent: () => _t("The printer does not tell its state."),
    lost: () => _t("The connection broke while printing."),
    no_confirmation: () => _t("The printer did not confirm."),
    stopped: () => _t("The hardware proxy stopped while printing."),
    fault: () => _t("The hardware proxy has a fault."),
    expired: () => _t("It waited too long."),
    cancelled: () => _t("It was taken back."),
    not_seen: () => _t("No paper had come out."),
    seen: () => _t("Somebody saw the paper."),
    too_late: () => _t("It could not be done in time. Press once more."),
    no_printer: () => _t("That printer is not set up any more."),
    nobody_looked: () => _t("Nobody looked at the paper."),
    no_glyph: () => _t("Characters that no font has were printed as their number."),
    unconfirmed: () => _t("It was sent. This printer cannot confirm."),
    reprinted: () => _t("It was printed once more."),
};

/** Why nothing comes out, for the cashier; of several reasons ("expired: paper_end") all. */
export function reasonText(reason) {
    return (reason || "")
        .split(": ")
        .map((part) => REASONS[part]?.() ?? part)
        .join(" ");
}

/** Why the proxy itself did not do it. ``url`` is where it should be. */
export function proxyText(error, url) {
    switch (error.kind) {
        case "trouble":
            return reasonText(error.reason);
        case "denied":
            return _t("The hardware proxy does not accept this till. Connect it in Odoo's settings, and check the clock.");
        case "unpaired":
            return _t("The hardware proxy is not connected yet. Connect it in Odoo's settings.");
        case "refused":
            return _t("The hardware proxy refuses: %s", error.message);
        case "missing":
            return _t("The hardware proxy does not know this print.");
        case "unreachable":
            return unreachableText(url);
        case "away":
            return _t("The hardware proxy does not fetch prints from Odoo now. Is it on, and does it reach Odoo?");
        case "offline":
            return _t("Odoo cannot be reached, and this till prints through it.");
        case "keyless":
            return _t("This till has no key for the hardware proxy, and Odoo cannot be reached for one.");
        default:
            return error.message;
    }
}

export function unreachableText(url) {
    if (url?.startsWith("https:")) {
        return _t("The hardware proxy cannot be reached at %s. Is it on? Does this device trust its certificate?", url);
    }
    return _t("The hardware proxy cannot be reached at %s. Is it on, and is this device on the shop's network?", url);
}

const SCALE_REASONS = {
    over: () => _t("Too heavy for the scale."),
    under: () => _t("The scale is below zero. Take everything off and press its zero key."),
    not_zero: () => _t("The scale is not at zero. Take everything off and press its zero key."),
    silent: () => _t("The scale does not answer. Check its power and cable."),
    garbled: () => _t("The scale's answer is not understood. Check its settings and cable."),
    unplugged: () => _t("The scale is unplugged."),
    not_allowed: () => _t("The hardware proxy may not use the scale."),
    busy: () => _t("Another program is using the scale."),
};

/** Why there is no weight; empty while something moves on it. */
export function scaleText(reason) {
    return reason === "moving" ? "" : (SCALE_REASONS[reason]?.() ?? reason);
}

const SCANNER_REASONS = {
    unplugged: () => _t("The scanner is unplugged."),
    not_allowed: () => _t("The hardware proxy may not use the scanner."),
    busy: () => _t("Another program is using the scanner."),
};

/** Why no codes come from it. */
export function scannerText(reason) {
    return SCANNER_REASONS[reason]?.() ?? reasonText(reason);
}

/** Why a print is not out yet. ``url`` is where its proxy should be. */
export function troubleText({ state, reason, error }, url) {
    if (error) {
        return proxyText(error, url);
    }
    // Nobody has answered yet, and nobody has refused.
    return state === "new" ? unreachableText(url) : reasonText(reason);
}
