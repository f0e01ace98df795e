# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models

from ..fiscal import registration


class ResCompany(models.Model):
    _inherit = "res.company"

    bridge_registration_number = fields.Char(
        "Registration number", compute="_compute_bridge_registration_number", compute_sudo=True,
        help="As printed: the tax ID, of a branch without one that of its company.",
    )  # fmt: skip

    @api.depends("vat", "parent_id.vat")
    def _compute_bridge_registration_number(self):
        for company in self:
            number = registration.parse(company.vat or company.root_id.vat)
            company.bridge_registration_number = number.number if number.shape_ok else ""

    @api.model
    def _load_pos_data_fields(self, config):
        """A till prints the registration number only on days on which the company is registered."""
        names = ("bridge_registration_number", "bridge_registration_from", "bridge_registration_to")
        return [*super()._load_pos_data_fields(config), *names]
