# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import fields, models


class ResCompany(models.Model):
    _inherit = "res.company"

    bridge_velocity_days = fields.Integer(
        "Sell-through over (days)", default=28, help="Days of sales that pieces per day are taken from."
    )
    bridge_cover_target_days = fields.Integer(
        "Fill up to (days of cover)", default=7, help="A store that has less for its sales is proposed a transfer."
    )
    bridge_cover_give_days = fields.Integer(
        "Give down to (days of cover)", default=21, help="A store gives only what it has beyond this."
    )
    bridge_transfer_warehouses = fields.Boolean(
        "Transfers from warehouses too", help="Warehouses no channel sells from also give to the stores."
    )
    bridge_reorder_lead_days = fields.Integer(
        "Usual lead time (days)", default=3, help="For products without a vendor; else the vendor's own lead time."
    )
    bridge_reorder_safety_days = fields.Integer(
        "Safety (days)", default=3, help="Sales kept in reserve when goods are ordered."
    )
    bridge_reorder_cycle_days = fields.Integer(
        "Order every (days)", default=7, help="Sales that one order brings, beyond the minimum."
    )

    _bridge_places_days = models.Constraint(
        """CHECK(bridge_velocity_days > 0 AND bridge_cover_target_days > 0
                 AND bridge_cover_give_days >= bridge_cover_target_days AND bridge_reorder_lead_days >= 0
                 AND bridge_reorder_safety_days >= 0 AND bridge_reorder_cycle_days > 0)""",
        "Days are counted from one, lead time and safety from zero; a store must not give below what others are "
        "filled up to.",
    )


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    bridge_velocity_days = fields.Integer(related="company_id.bridge_velocity_days", readonly=False)
    bridge_cover_target_days = fields.Integer(related="company_id.bridge_cover_target_days", readonly=False)
    bridge_cover_give_days = fields.Integer(related="company_id.bridge_cover_give_days", readonly=False)
    bridge_transfer_warehouses = fields.Boolean(related="company_id.bridge_transfer_warehouses", readonly=False)
    bridge_reorder_lead_days = fields.Integer(related="company_id.bridge_reorder_lead_days", readonly=False)
    bridge_reorder_safety_days = fields.Integer(related="company_id.bridge_reorder_safety_days", readonly=False)
    bridge_reorder_cycle_days = fields.Integer(related="company_id.bridge_reorder_cycle_days", readonly=False)
