# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, models


class AccountPayment(models.Model):
    _inherit = "account.payment"

    @api.model_create_multi
    def create(self, vals_list):
        """Payments of a business day that is closed later belong to that day."""
        if date := self.env.context.get("bridge_accounting_date"):
            vals_list = [{"date": date, **vals} for vals in vals_list]
        return super().create(vals_list)
