# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models
from odoo.exceptions import ValidationError

TAX_ROUNDINGS = [("down", "Down"), ("half_up", "Half up"), ("up", "Up")]
# How a document comes to the amounts its tax is rounded of; the till needs them, too.
TAX_SETTINGS = ("bridge_line_rounding", "bridge_conversion_basis", "bridge_conversion_rounding")


class ResCompany(models.Model):
    _inherit = "res.company"

    bridge_poll_minutes = fields.Integer("Poll new channels every (minutes)", default=10)
    bridge_lang = fields.Selection(
        selection="_selection_bridge_lang", string="Language of explanations",
        help="In which the bridge writes down reasons in the background. Empty: the language of the company's contact.",
    )
    bridge_tax_rounding = fields.Selection(
        TAX_ROUNDINGS, "Rounding of consumption tax", default="down", required=True,
        help="Of the tax of each rate on a document, once. The law leaves the direction to the seller: keep to one.",
    )
    bridge_line_rounding = fields.Selection(
        TAX_ROUNDINGS, "Rounding of line amounts", default="down", required=True,
        help="Of quantity times price less its discount, where that is no whole yen.",
    )
    bridge_conversion_basis = fields.Selection(
        [("excluded", "Prices without tax"), ("included", "Prices with tax")], "Mixed prices are brought to",
        default="excluded", required=True,
        help="A document with prices of both kinds has to bring them to one before its tax is rounded.",
    )  # fmt: skip
    bridge_conversion_rounding = fields.Selection(
        TAX_ROUNDINGS, "Rounding of that conversion", default="down", required=True,
        help="Once for each rate; it is not the rounding of tax.",
    )
    bridge_output_tax_method = fields.Selection(
        [("division", "Division: from the sales of the period"), ("accumulation", "Accumulation: tax as printed")],
        "Output tax in the return", default="division", required=True,
        help="How output tax is worked out at the end of a period. Where it is the accumulated tax of the documents"
        " issued, input tax must be accumulated too.",
    )
    bridge_registration_from = fields.Date(
        "Registered from", help="First day the company is an issuer of qualified invoices. Its number is its tax ID."
    )
    bridge_registration_to = fields.Date("Registered to", help="Last day of the registration; empty while it lasts.")
    bridge_document_rounding = fields.Selection(
        TAX_ROUNDINGS, "Rounding of documents", compute="_compute_bridge_document_rounding", compute_sudo=True,
        help="Of a Japanese company its rounding of consumption tax; empty: documents are rounded as Odoo does.",
    )

    _bridge_registration_period = models.Constraint(
        "CHECK(bridge_registration_to >= bridge_registration_from)", "A registration ends after it begins."
    )
    _bridge_poll_positive = models.Constraint(
        "CHECK(bridge_poll_minutes > 0)", "Poll at least every minute or slower."
    )

    @api.model
    def _selection_bridge_lang(self):
        return self.env["res.lang"].get_installed()

    def _bridge_language(self):
        """The language background work writes in; always an installed one."""
        installed = {code for code, _name in self.env["res.lang"].get_installed()}
        wanted = (self.bridge_lang, self.partner_id.lang, self.env.lang)
        return next((code for code in wanted if code in installed), "en_US")

    def _bridge_is_jp(self):
        """Whether documents of the company follow the rules of Japanese consumption tax."""
        self.ensure_one()
        return self.account_fiscal_country_id.code == "JP" and self.currency_id.name == "JPY"

    @api.depends("account_fiscal_country_id", "currency_id", "bridge_tax_rounding")
    def _compute_bridge_document_rounding(self):
        for company in self:
            company.bridge_document_rounding = company._bridge_is_jp() and company.bridge_tax_rounding

    @api.constrains("tax_calculation_rounding_method", "account_fiscal_country_id", "currency_id")
    def _check_bridge_tax_per_document(self):
        for company in self:
            if company._bridge_is_jp() and company.tax_calculation_rounding_method == "round_per_line":
                raise ValidationError(
                    self.env._(
                        "%s: a Japanese qualified invoice rounds tax once per rate, not on every line."
                        " Set the rounding of taxes to 'Round per Tax'.",
                        company.name,
                    )
                )

    def _get_company_root_delegated_field_names(self):
        # A branch is the same taxable person as its company.
        return [
            *super()._get_company_root_delegated_field_names(),
            *TAX_SETTINGS,
            "bridge_tax_rounding",
            "bridge_output_tax_method",
            "bridge_registration_from",
            "bridge_registration_to",
        ]

    @api.model
    def _load_pos_data_fields(self, config):
        return [*super()._load_pos_data_fields(config), "bridge_document_rounding", *TAX_SETTINGS]
