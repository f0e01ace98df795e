// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { Component, onWillStart, onWillUpdateProps, useState } from "@odoo/owl";
import { ask } from "@pos_erp_bridge/backend/hardware_proxy_widget";
import { testPrint } from "@pos_erp_bridge/backend/test_print";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

/** A printer of a hardware proxy, chosen from those that it told of; Find asks it again, Test prints a page. */
export class ProxyPrinterField extends Component {
    static template = "pos_erp_bridge.ProxyPrinterField";
    static props = { ...standardFieldProps, proxyField: String, role: String, placeholder: { type: String, optional: true } };

    setup() {
        this.orm = useService("orm");
        this.state = useState({ url: "", printers: [], told: null, isBusy: false });
        onWillStart(() => this.load(this.props));
        onWillUpdateProps((props) => this.load(props));
    }

    /** @returns {number|undefined} */
    proxyOf({ record, proxyField }) {
        return record.data[proxyField]?.id;
    }

    async load(props) {
        const proxyId = this.proxyOf(props);
        if (proxyId === this.proxyId) {
            return;
        }
        this.proxyId = proxyId;
        Object.assign(this.state, { url: "", printers: [], told: null });
        if (proxyId) {
            const [{ url, printers }] = await this.orm.read("bridge.hardware.proxy", [proxyId], ["url", "printers"]);
            Object.assign(this.state, { url, printers: printers || [] });
        }
    }

    get value() {
        return this.props.record.data[this.props.name] || "";
    }

    /** With the one that is set, even when the proxy has none of that name. */
    get names() {
        return [...new Set([...this.state.printers.map(({ name }) => name), this.value])].filter(Boolean);
    }

    onChange(ev) {
        this.props.record.update({ [this.props.name]: ev.target.value || false });
    }

    onClickFind() {
        return this.busy(async () => {
            await this.find();
            return { isGood: true, text: _t("Printers found: %s", this.state.printers.length) };
        });
    }

    onClickTest() {
        return this.busy(async () => {
            await this.find();
            const isMine = ({ name, role }) => (this.value ? name === this.value : role === this.props.role);
            const printer = this.state.printers.find(isMine);
            return printer
                ? testPrint(this.orm, this.proxyId, printer)
                : { isGood: false, text: _t("The hardware proxy has no such printer.") };
        });
    }

    async find() {
        const { printers } = await ask(this.state.url, "/health");
        this.state.printers = printers;
    }

    async busy(act) {
        Object.assign(this.state, { isBusy: true, told: null });
        try {
            this.state.told = await act();
        } catch (error) {
            this.state.told = { isGood: false, text: error.data?.message || error.message };
        }
        this.state.isBusy = false;
    }
}

registry.category("fields").add("bridge_proxy_printer", {
    component: ProxyPrinterField,
    supportedTypes: ["char"],
    extractProps: ({ attrs, options }) => ({
        proxyField: options.proxy,
        role: options.role || "receipt",
        placeholder: attrs.placeholder,
    }),
    fieldDependencies: ({ options }) => [{ name: options.proxy, type: "many2one" }],
});
