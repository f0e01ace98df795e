# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import fields, models
from odoo.exceptions import UserError


class BridgeSummaryWizard(models.TransientModel):
    _name = "bridge.summary.wizard"
    _description = "Make summary invoices"

    company_id = fields.Many2one("res.company", required=True, default=lambda self: self.env.company)
    closing_date = fields.Date("Closing day", required=True, default=fields.Date.context_today)
    partner_ids = fields.Many2many(
        "res.partner", string="Only these customers", domain="[('bridge_closing_day', '!=', False)]",
        help="Empty: every customer whose closing day it is.",
    )  # fmt: skip

    def action_make(self):
        """Make drafts and show them."""
        self.ensure_one()
        made = self.env["bridge.summary.invoice"]._make(self.company_id, self.closing_date, self.partner_ids or None)
        if not made:
            raise UserError(
                self.env._("There is nothing to invoice: no customer has this closing day, or all have theirs already.")
            )
        action = self.env["ir.actions.act_window"]._for_xml_id("pos_erp_bridge.bridge_summary_invoice_action")
        return {**action, "domain": [("id", "in", made.ids)]}
