# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import fields, models


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    bridge_event_days = fields.Integer(
        "Keep unneeded events (days)", config_parameter="pos_erp_bridge.event_days", default=90,
        help="Notifications, and facts that changed nothing. What became a document is kept for good.",
    )
    bridge_poll_minutes = fields.Integer(related="company_id.bridge_poll_minutes", readonly=False)
    bridge_lang = fields.Selection(related="company_id.bridge_lang", readonly=False)
    bridge_document_rounding = fields.Selection(related="company_id.bridge_document_rounding")
    bridge_tax_rounding = fields.Selection(related="company_id.bridge_tax_rounding", readonly=False)
    bridge_line_rounding = fields.Selection(related="company_id.bridge_line_rounding", readonly=False)
    bridge_conversion_basis = fields.Selection(related="company_id.bridge_conversion_basis", readonly=False)
    bridge_conversion_rounding = fields.Selection(related="company_id.bridge_conversion_rounding", readonly=False)
    bridge_output_tax_method = fields.Selection(related="company_id.bridge_output_tax_method", readonly=False)
    bridge_registration_number = fields.Char(
        "Registration number", related="company_id.vat", readonly=False,
        help="T and 13 digits, as on the company's contact.",
    )  # fmt: skip
    bridge_registration_from = fields.Date(related="company_id.bridge_registration_from", readonly=False)
    bridge_registration_to = fields.Date(related="company_id.bridge_registration_to", readonly=False)
