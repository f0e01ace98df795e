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
