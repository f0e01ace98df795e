# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, models


class ResCompany(models.Model):
    _inherit = "res.company"

    @api.model
    def _load_pos_data_fields(self, config):
        """A till prints the registration number only on days on which the company is registered."""
        return [*super()._load_pos_data_fields(config), "bridge_registration_from", "bridge_registration_to"]
