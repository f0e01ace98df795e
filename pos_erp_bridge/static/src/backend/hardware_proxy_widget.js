// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { Component, useState } from "@odoo/owl";
import { testPrint } from "@pos_erp_bridge/backend/test_print";
import { THIS_MACHINE } from "@pos_erp_bridge/pos/app/hardware/proxy_client";
import { reasonText } from "@pos_erp_bridge/pos/app/hardware/reasons";
import { _t } from "@web/core/l10n/translation";
import { Dialog } from "@web/core/dialog/dialog";
import { registry } from "@web/core/registry";
import { useAutofocus, useService } from "@web/core/utils/hooks";
import { standardWidgetProps } from "@web/views/widgets/standard_widget_props";

const LIMIT_MS = 8000;

/** Why this browser does not reach the address, as far as a page may know. */
export function whyUnreachable(url) {
    const { protocol, hostname } = new URL(url);
    if (window.location.protocol === "https:" && protocol === "http:" && !THIS_MACHINE.test(hostname)) {
        return _t(
            "%s cannot be reached: this page is secure (https) and browsers do not let it speak to an http address on the network. Give the proxy a certificate and an https address, or run it on the till's own machine as http://127.0.0.1.",
            url
        );
    }
    if (protocol === "https:") {
        return _t(
            "%(url)s cannot be reached. Open it in a new tab: if the browser warns, this device does not trust the proxy's certificate; if nothing answers, the address is wrong or the proxy is off; if its page comes, add %(origin)s to origins in the proxy's file.",
            { url, origin: window.location.origin }
        );
    }
    return _t(
        "%(url)s cannot be reached. Open it in a new tab: if nothing answers, the address is wrong or the proxy is off; if its page comes, add %(origin)s to origins in the proxy's file.",
        { url, origin: window.location.origin }
    );
}

export async function ask(url, path, content) {
    let response, answer;
    try {
        response = await fetch(url + path, {
            method: content ? "POST" : "GET",
            headers: content && { "Content-Type": "application/json" },
            body: content && JSON.stringify(content),
            credentials: "omit",
            cache: "no-store",
            signal: AbortSignal.timeout(LIMIT_MS),
        });
        answer = await response.json();
    } catch {
        throw new Error(whyUnreachable(url));
    }
    if (!response.ok) {
        const isCode = path === "/pair" && response.status === 401;
        throw new Error(isCode ? _t("The code is wrong or too old. The proxy's page shows a new one.") : answer.error);
    }
    return answer;
}

export class PairProxyDialog extends Component {
    static template = "pos_erp_bridge.PairProxyDialog";
    static components = { Dialog };
    static props = { url: String, pair: Function, close: Function };

    setup() {
        useAutofocus({ refName: "code" });
        this.state = useState({ code: "", problem: "", isBusy: false });
    }

    async connect() {
        Object.assign(this.state, { isBusy: true, problem: "" });
        try {
            await this.props.pair(this.state.code.replace(/\D/g, ""));
            this.props.close();
        } catch (error) {
            this.state.problem = error.data?.message || error.message;
        }
        this.state.isBusy = false;
    }
}

/** Connects with the proxy and shows how it is. Odoo's server never reaches into the shop: this browser does. */
export class HardwareProxyWidget extends Component {
    static template = "pos_erp_bridge.HardwareProxyWidget";
    static props = { ...standardWidgetProps };

    setup() {
        this.orm = useService("orm");
        this.dialog = useService("dialog");
        this.notification = useService("notification");
        this.state = useState({ health: null, problem: "", tested: {} });
        this.reasonText = reasonText;
    }

    get url() {
        return this.props.record.data.url;
    }

    call(method, ...args) {
        return this.orm.call("bridge.hardware.proxy", method, [[this.props.record.resId], ...args]);
    }

    async onClickConnect() {
        if (await this.props.record.save()) {
            this.dialog.add(PairProxyDialog, { url: this.url, pair: (code) => this.pair(code) });
        }
    }

    async pair(code) {
        const secret = await this.call("pairing_offer");
        const { proxy } = await ask(this.url, "/pair", { code, secret });
        await this.call("pairing_confirm", proxy);
        this.notification.add(_t("The hardware proxy is connected."), { type: "success" });
        await this.look();
    }

    async onClickTest() {
        if (await this.props.record.save()) {
            await this.look();
        }
    }

    async onClickPrint(printer) {
        this.state.tested[printer.name] = await testPrint(this.orm, this.props.record.resId, printer);
    }

    async look() {
        Object.assign(this.state, { health: null, problem: "", tested: {} });
        try {
            this.state.health = await ask(this.url, "/health");
        } catch (error) {
            this.state.problem = error.message;
            return;
        }
        await this.call("remember_printers", this.state.health.printers);
        await this.props.record.load();
    }
}

registry.category("view_widgets").add("bridge_hardware_proxy", { component: HardwareProxyWidget });
