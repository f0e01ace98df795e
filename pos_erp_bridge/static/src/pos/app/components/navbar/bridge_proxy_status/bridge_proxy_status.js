// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { Component, useState } from "@odoo/owl";
import { Navbar } from "@point_of_sale/app/components/navbar/navbar";
import { usePos } from "@point_of_sale/app/hooks/pos_hook";
import { proxyText, reasonText, scaleText, scannerText } from "@pos_erp_bridge/pos/app/hardware/reasons";
import { _t } from "@web/core/l10n/translation";
import { Dialog } from "@web/core/dialog/dialog";
import { useService } from "@web/core/utils/hooks";

const PAPER = {
    near_end: () => _t("The paper is near its end."),
    end: () => _t("Out of paper."),
};
const KINDS = {
    printers: () => _t("Printer"),
    scanners: () => _t("Scanner"),
    scales: () => _t("Scale"),
    displays: () => _t("Customer display"),
};
const TEXTS = { printers: reasonText, scanners: scannerText, scales: scaleText, displays: reasonText };

/** What is wrong with a device, in words; empty when nothing is. */
function troubleOf(kind, device) {
    if (device.reason) {
        return TEXTS[kind](device.reason);
    }
    return PAPER[device.paper]?.() || (device.unknown ? _t("Somebody must look at a paper.") : "");
}

/** [{kind, name, trouble, isStopped: nothing comes out of it, waiting}] of all that hangs on the proxy. */
export function devicesOf(health) {
    return Object.keys(KINDS).flatMap((kind) =>
        (health?.[kind] || []).map((device) => ({
            kind: KINDS[kind](),
            name: device.name,
            trouble: troubleOf(kind, device),
            isStopped: Boolean(device.reason) || device.paper === "end",
            waiting: device.waiting || 0,
        }))
    );
}

export class BridgeProxyStatusDialog extends Component {
    static template = "pos_erp_bridge.ProxyStatusDialog";
    static components = { Dialog };
    static props = { devices: Object, problemOf: Function, url: Function, close: Function };

    setup() {
        this.state = useState(this.props.devices.state);
        this.props.devices.look();
    }

    get rows() {
        return this.state.error ? [] : devicesOf(this.state.health);
    }
}

/** Whether the till's hardware proxy can be reached and what hangs on it is well; a click says everything. */
export class BridgeProxyStatus extends Component {
    static template = "pos_erp_bridge.ProxyStatus";
    static props = {};

    setup() {
        this.pos = usePos();
        this.ui = useService("ui");
        this.dialog = useService("dialog");
        this.state = useState(this.pos.bridgeDevices.state);
    }

    get url() {
        return this.pos.bridgeDevices.client.access?.url;
    }

    /** Why the proxy itself cannot be asked. */
    get problem() {
        return this.state.error ? proxyText(this.state.error, this.url) : "";
    }

    get trouble() {
        const devices = devicesOf(this.state.health);
        const device = devices.find(({ trouble }) => trouble);
        // Of a single device nobody needs the name.
        return [devices.length > 1 && device?.name, device?.trouble].filter(Boolean).join(": ");
    }

    get level() {
        if (this.problem) {
            return "danger";
        }
        return this.trouble ? "warning" : this.state.health ? "success" : "muted";
    }

    get text() {
        const { isRelayed } = this.state.health || {};
        const well = isRelayed ? _t("The hardware proxy is reached through Odoo.") : _t("All devices are ready.");
        return this.problem || this.trouble || well;
    }

    onClick() {
        this.dialog.add(BridgeProxyStatusDialog, {
            devices: this.pos.bridgeDevices,
            problemOf: () => this.problem,
            url: () => this.url,
        });
    }
}

Navbar.components = { ...Navbar.components, BridgeProxyStatus };
