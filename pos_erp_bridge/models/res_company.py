# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models


class ResCompany(models.Model):
    _inherit = "res.company"

    bridge_poll_minutes = fields.Integer("Poll new channels every (minutes)", default=10)
    bridge_lang = fields.Selection(
        selection="_selection_bridge_lang", string="Language of explanations",
        help="In which the bridge writes down reasons in the background. Empty: the language of the company's contact.",
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
