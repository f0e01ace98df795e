# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from datetime import UTC, datetime

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

REASONS = [
    ("sale", "Sale in cash"),
    ("change", "Change"),
    ("opening", "Opening control"),
    ("closing", "Closing control"),
    ("cash_move", "Cash in/out"),
    ("no_sale", "No sale"),
    ("other", "Other"),
]
OUTCOMES = [
    ("opened", "Opened"),
    ("pulsed", "Pulsed, no sensor"),
    ("not_seen", "Not seen to open"),
    ("too_late", "Too late"),
    ("trouble", "Printer in trouble"),
    ("refused", "Refused"),
    ("unreachable", "Proxy not reached"),
    ("unknown", "Not known"),
]
MOST_ROWS = 1000  # taken at once
LONGEST = 200  # characters of a text from the till


class BridgeDrawerLog(models.Model):
    _name = "bridge.drawer.log"
    _description = "Opening of a cash drawer"
    _order = "moment desc, id desc"
    _rec_name = "moment"

    moment = fields.Datetime(required=True, readonly=True, help="By the till's clock.")
    config_id = fields.Many2one("pos.config", "Till", required=True, readonly=True, index=True, ondelete="restrict")
    company_id = fields.Many2one(related="config_id.company_id", store=True, index=True)
    session_id = fields.Many2one("pos.session", readonly=True, index="btree_not_null")
    user_id = fields.Many2one("res.users", required=True, readonly=True)
    employee = fields.Char("Cashier", readonly=True)
    reason = fields.Selection(REASONS, required=True, readonly=True)
    note = fields.Char("In words", readonly=True)
    outcome = fields.Selection(OUTCOMES, required=True, readonly=True)
    detail = fields.Char(readonly=True, help="What the proxy said.")
    order_uuid = fields.Char("Order's id in the till", readonly=True)
    order_id = fields.Many2one("pos.order", compute="_compute_order_id", compute_sudo=True)
    client_id = fields.Char("Id in the till", required=True, readonly=True, copy=False)

    _client_id_uniq = models.Constraint("UNIQUE(client_id)", "This opening is known already.")

    @api.depends("order_uuid")
    def _compute_order_id(self):
        """The till logs before its order is here, so it is looked for when somebody reads."""
        uuids = [uuid for uuid in self.mapped("order_uuid") if uuid]
        orders = self.env["pos.order"].search([("uuid", "in", uuids)]) if uuids else self.env["pos.order"]
        by_uuid = {(order.config_id, order.uuid): order for order in orders}
        for log in self:
            log.order_id = by_uuid.get((log.config_id, log.order_uuid))

    @api.model
    def log_openings(self, config_id, rows):
        """Take openings from a till; those that are known already are not taken twice.

        :param rows: [{"id", "moment" (milliseconds since 1970), "reason", "note", "outcome", "detail", "session_id",
            "user_id", "employee", "order_uuid"}]
        :raises AccessError: not somebody of that till
        """
        config = self.env["pos.config"].browse(config_id)
        config.check_access("read")
        if not self.env.user.has_group("point_of_sale.group_pos_user"):
            raise AccessError(self.env._("Only those who work at a till may log openings of its drawer."))
        try:
            vals_list = [self._opening(config, row) for row in rows[:MOST_ROWS]]
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
            raise UserError(self.env._("The till sent something that is no opening of a drawer.")) from None
        logs = self.sudo()
        known = set(logs.search([("client_id", "in", [v["client_id"] for v in vals_list])]).mapped("client_id"))
        new = {vals["client_id"]: vals for vals in vals_list if vals["client_id"] not in known}
        logs.create(list(new.values()))
        return True

    def _opening(self, config, row):
        session = self.env["pos.session"].sudo().browse(int(row["session_id"])).exists()
        user = self.env["res.users"].sudo().browse(int(row["user_id"])).exists()
        return {
            "client_id": row["id"][:LONGEST],
            "moment": datetime.fromtimestamp(row["moment"] / 1000, UTC).replace(tzinfo=None, microsecond=0),
            "config_id": config.id,
            "session_id": session.id if session.config_id == config else False,
            "user_id": (user or self.env.user).id,
            "employee": row["employee"][:LONGEST],
            "reason": row["reason"] if row["reason"] in dict(REASONS) else "other",
            "note": row["note"][:LONGEST],
            "outcome": row["outcome"] if row["outcome"] in dict(OUTCOMES) else "unknown",
            "detail": row["detail"][:LONGEST],
            "order_uuid": row["order_uuid"][:LONGEST],
        }
