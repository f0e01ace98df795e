# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models


class PosConfig(models.Model):
    _inherit = "pos.config"

    bridge_scan = fields.Boolean(
        "Proxy's scanners", default=True,
        help="What the scanners at the hardware proxy read goes to this till. Each code goes to one till only: "
        "of those that share a proxy, leave it on at one.",
    )  # fmt: skip
    bridge_scale = fields.Boolean(
        "Proxy's scale", help="Goods sold by weight are weighed on the hardware proxy's scale."
    )

    def _load_pos_data_read(self, records, config):
        """With a scale at the proxy, the till weighs as it does with Odoo's own box."""
        rows = super()._load_pos_data_read(records, config)
        for row in rows:
            row["bridge_scale"] = bool(row["bridge_scale"] and row["bridge_proxy_id"])
            row["iface_electronic_scale"] = row["iface_electronic_scale"] or row["bridge_scale"]
        return rows


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    pos_bridge_scan = fields.Boolean(related="pos_config_id.bridge_scan", readonly=False)
    pos_bridge_scale = fields.Boolean(related="pos_config_id.bridge_scale", readonly=False)

    @api.onchange("pos_bridge_proxy_id")
    def _onchange_bridge_scan(self):
        """The first till at a proxy takes its codes, unless somebody says otherwise."""
        proxy, config = self.pos_bridge_proxy_id, self.pos_config_id
        if proxy and proxy != config.bridge_proxy_id:
            domain = [("bridge_proxy_id", "=", proxy.id), ("bridge_scan", "=", True), ("id", "!=", config.id)]
            self.pos_bridge_scan = not self.env["pos.config"].search_count(domain, limit=1)
