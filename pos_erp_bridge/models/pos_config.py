# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import models


class PosConfig(models.Model):
    _inherit = "pos.config"

    def _compute_current_session(self):
        """Sessions of connected tills are not orphans to be rescued: the dashboard must not ask for it."""
        super()._compute_current_session()
        for config in self.filtered("number_of_rescue_session"):
            config.number_of_rescue_session = len(
                config.session_ids.filtered(lambda s: s.state != "closed" and s.rescue and not s.bridge_store_id)
            )

    def write(self, vals):
        """A connected till has always a session open, so its means of payment could never be extended."""
        opened = self.session_ids.filtered(lambda s: s.state != "closed") if "payment_method_ids" in vals else None
        if opened and all(session.bridge_store_id for session in opened):
            self = self.with_context(bypass_payment_method_ids_forbidden_change=True)
        return super().write(vals)
