# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models

from ..fiscal.summary import CLOSING_DAYS


class ResCompany(models.Model):
    _inherit = "res.company"

    bridge_summary_tax = fields.Selection(
        [("summary", "Once, on the summary invoice"), ("notes", "On each invoice; the summary adds up")],
        "Tax of summary invoices", default="summary", required=True,
        help="Which paper is the qualified invoice. Keep to one: customers check the tax by it.",
    )  # fmt: skip


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    bridge_summary_tax = fields.Selection(related="company_id.bridge_summary_tax", readonly=False)


class ResPartner(models.Model):
    _inherit = "res.partner"

    bridge_closing_day = fields.Selection(
        "_selection_bridge_closing_day", "Closing day", company_dependent=True,
        help="The customer gets one summary invoice a month, over what was invoiced until this day. Empty: each"
        " invoice is sent by itself.",
    )  # fmt: skip

    @api.model
    def _selection_bridge_closing_day(self):
        return [(str(day), self.env._("End of month") if day == 31 else str(day)) for day in CLOSING_DAYS]
