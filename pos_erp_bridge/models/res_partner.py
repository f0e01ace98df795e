# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..fiscal import registration


class ResPartner(models.Model):
    _inherit = "res.partner"

    bridge_registration_from = fields.Date(
        "Registered from", help="First day the partner is an issuer of qualified invoices."
    )
    bridge_registration_to = fields.Date("Registered to", help="Last day of the registration; empty while it lasts.")
    bridge_registration_note = fields.Char("Note on the number", compute="_compute_bridge_registration_note")

    _bridge_registration_period = models.Constraint(
        "CHECK(bridge_registration_to >= bridge_registration_from)", "A registration ends after it begins."
    )

    @api.model
    def check_vat_jp(self, vat):
        """Shape of a registration number. Replaces that of base_vat, where installed: it demands the check digit of
        corporations from everybody, and takes a corporate number (without T) for a registration number."""
        return registration.parse(vat).shape_ok

    @api.constrains("vat", "country_id")
    def _check_bridge_registration_number(self):
        # As in base_vat: "/" says that there is none, and the key is set by imports that vouch for their numbers.
        if self.env.context.get("no_vat_validation"):
            return
        for partner in self.filtered(_is_japanese):
            if partner.vat != "/" and not registration.parse(partner.vat).shape_ok:
                raise ValidationError(
                    self.env._(
                        "%(partner)s: %(number)s is no registration number. It is T and 13 digits,"
                        " e.g. T7000012050002; a corporate number without T goes into the company ID.",
                        partner=partner.display_name,
                        number=partner.vat,
                    )  # fmt: skip
                )

    @api.depends("vat", "country_id")
    def _compute_bridge_registration_note(self):
        for partner in self:
            number = registration.parse(partner.vat) if _is_japanese(partner) else None
            partner.bridge_registration_note = bool(
                number and number.shape_ok and not number.corporate_check_digit_ok
            ) and self.env._("Not a corporation's number: right for a sole proprietor, else mistyped.")

    @api.onchange("vat", "country_id")
    def _onchange_bridge_registration_number(self):
        if note := self.bridge_registration_note:
            return {"warning": {"title": self.env._("Check the registration number"), "message": note}}


def _is_japanese(partner):
    return bool(partner.vat) and partner.commercial_partner_id.country_id.code == "JP"
