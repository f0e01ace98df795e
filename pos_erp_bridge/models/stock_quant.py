# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, models


class StockQuant(models.Model):
    _inherit = "stock.quant"

    # Everything that changes what is free goes through these two. Nothing is searched, sent or queued here:
    # the keys are written once per transaction and the outward lane does the rest.

    @api.model_create_multi
    def create(self, vals_list):
        quants = super().create(vals_list)
        self.env["bridge.touch"]._touch_quants(quants)
        return quants

    def write(self, vals):
        result = super().write(vals)
        if "quantity" in vals or "reserved_quantity" in vals:
            self.env["bridge.touch"]._touch_quants(self)
        return result
