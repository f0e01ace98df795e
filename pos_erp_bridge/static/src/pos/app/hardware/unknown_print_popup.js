// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { Component, useState } from "@odoo/owl";
import { Dialog } from "@web/core/dialog/dialog";

/** Only a person can say whether the paper came out: the connection broke in the middle. */
export class UnknownPrintPopup extends Component {
    static template = "pos_erp_bridge.UnknownPrintPopup";
    static components = { Dialog };
    static props = { label: String, reason: String, decide: Function, close: Function };

    setup() {
        this.state = useState({ problem: "", isBusy: false });
    }

    async decide(cameOut) {
        this.state.isBusy = true;
        this.state.problem = await this.props.decide(cameOut);
        this.state.isBusy = false;
        if (!this.state.problem) {
            this.props.close();
        }
    }
}
