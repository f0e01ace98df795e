import { registry } from "@web/core/registry";
import { formView } from "@web/views/form/form_view";
import { FormController } from "@web/views/form/form_controller";
import { onMounted, onWillUnmount } from "@odoo/owl";

const REFRESH_MS = 3_000;
const RUNNING = ["reading", "checking"];

/** A form of something a lane works on: read again every few seconds until it is done. */
export class BridgeLiveFormController extends FormController {
    setup() {
        super.setup();
        let timer;
        onMounted(() => {
            timer = setInterval(() => this.refresh(), REFRESH_MS);
        });
        onWillUnmount(() => clearInterval(timer));
    }

    refresh() {
        const root = this.model.root;
        if (document.visibilityState === "visible" && RUNNING.includes(root.data.state)) {
            return root.load();
        }
    }
}

registry.category("views").add("bridge_live_form", { ...formView, Controller: BridgeLiveFormController });
