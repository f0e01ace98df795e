# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models


class BridgeStore(models.Model):
    """A store or location of a channel, and where it lies in Odoo."""

    _name = "bridge.store"
    _description = "Store of a channel"
    _order = "channel_id, name"
    _check_company_auto = True

    name = fields.Char(required=True)
    active = fields.Boolean(default=True)
    channel_id = fields.Many2one("bridge.channel", required=True, ondelete="cascade", index=True)
    company_id = fields.Many2one(related="channel_id.company_id", store=True, index=True)
    kind = fields.Selection(related="channel_id.kind")
    external_id = fields.Char("Id at the channel", required=True)
    code = fields.Char()
    location_id = fields.Many2one(
        "stock.location",
        check_company=True,
        domain="[('usage', '=', 'internal')]",
        help="Stock the store sells from. The channel is told what is free here, places within included.",
    )
    warehouse_id = fields.Many2one(related="location_id.warehouse_id")
    pos_config_id = fields.Many2one(
        "pos.config",
        "Point of sale",
        check_company=True,
        help="Till sales of the store are booked here, in one session per business day.",
    )

    _external_uniq = models.Constraint("UNIQUE(channel_id, external_id)", "A store is mapped once per channel.")
    _pos_config_uniq = models.Constraint(
        "UNIQUE(pos_config_id)", "A point of sale can book the sales of one store only."
    )

    def _is_ready(self):
        return bool(self.location_id and (self.kind != "till" or self.pos_config_id))

    @api.model
    def _learn(self, channel, stores):
        """Add the stores a channel reports; those known keep what a person decided."""
        known = {s.external_id: s for s in channel.with_context(active_test=False).store_ids}
        new = [
            {
                "channel_id": channel.id,
                "external_id": s.external_id,
                "name": s.name,
                "code": s.code,
                "active": s.is_active,
            }
            for s in stores
            if s.external_id not in known
        ]
        return self.create(new)

    @api.model_create_multi
    def create(self, vals_list):
        stores = super().create(vals_list)
        self.env.registry.clear_cache()
        return stores

    def write(self, vals):
        result = super().write(vals)
        if vals.keys() & {"location_id", "active", "channel_id"}:
            self.env.registry.clear_cache()
            self.env["bridge.touch"]._touch_channel(self.channel_id)
        return result

    def unlink(self):
        self.env.registry.clear_cache()
        return super().unlink()
