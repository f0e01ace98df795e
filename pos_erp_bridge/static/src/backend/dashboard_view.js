import { registry } from "@web/core/registry";
import { kanbanView } from "@web/views/kanban/kanban_view";
import { KanbanController } from "@web/views/kanban/kanban_controller";
import { onMounted, onWillUnmount } from "@odoo/owl";

const REFRESH_MS = 10_000;

/** The channels' cards, read again every few seconds while somebody can see them. */
export class BridgeDashboardController extends KanbanController {
    setup() {
        super.setup();
        let timer;
        onMounted(() => {
            timer = setInterval(() => this.refresh(), REFRESH_MS);
        });
        onWillUnmount(() => clearInterval(timer));
    }

    refresh() {
        const isDialogOpen = document.querySelector(".o_dialog");
        if (document.visibilityState === "visible" && !isDialogOpen) {
            return this.model.root.load();
        }
    }
}

registry.category("views").add("bridge_dashboard", { ...kanbanView, Controller: BridgeDashboardController });
