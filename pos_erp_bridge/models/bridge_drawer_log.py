# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import logging
from datetime import UTC, datetime

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL

_logger = logging.getLogger(__name__)

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
MOST_ROWS = 500  # taken at once; the till sends the rest in its next call
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
        """Take openings from a till. Those that are known already are not taken twice; only the outcome of one that was
        not known is added. A row that is no opening is set aside alone.

        :param rows: [{"id", "moment" (milliseconds since 1970), "reason", "note", "outcome", "detail", "session_id",
            "user_id", "employee", "order_uuid"}], 500 at most
        :return: {"skipped": positions of the rows that are no openings}
        :raises AccessError: not somebody of that till
        :raises UserError: more rows than are taken at once, or no rows at all
        """
        config = self.env["pos.config"].browse(config_id)
        config.check_access("read")
        if not self.env.user.has_group("point_of_sale.group_pos_user"):
            raise AccessError(self.env._("Only those who work at a till may log openings of its drawer."))
        if not isinstance(rows, list) or len(rows) > MOST_ROWS:
            raise UserError(self.env._("The till sent something that is no opening of a drawer."))
        self.env.flush_all()
        skipped = []
        for position, row in enumerate(rows):
            try:
                self._take(self._opening(config, row))
            except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
                _logger.warning("Till %s sent something that is no opening of a drawer: %.500r", config.id, row)
                skipped.append(position)
        self.sudo().invalidate_model()
        return {"skipped": skipped}

    def _take(self, vals):
        """The key decides whether it is known, not a search: two tabs of the till send the same rows at once."""
        columns = SQL(", ").join(SQL.identifier(name) for name in vals)
        self.env.cr.execute(
            SQL(
                """INSERT INTO bridge_drawer_log AS known (%s, create_uid, create_date, write_uid, write_date)
                   VALUES (%s, %s, now() AT TIME ZONE 'utc', %s, now() AT TIME ZONE 'utc')
                       ON CONFLICT (client_id) DO UPDATE
                      SET outcome = EXCLUDED.outcome, detail = EXCLUDED.detail,
                          write_uid = EXCLUDED.write_uid, write_date = EXCLUDED.write_date
                    WHERE known.outcome = 'unknown' AND known.config_id = EXCLUDED.config_id""",
                columns, SQL(", ").join(SQL("%s", value) for value in vals.values()), self.env.uid, self.env.uid,
            )
        )  # fmt: skip

    def _opening(self, config, row):
        """The row's columns; raises what Python raises for a row that is none."""
        session = self.env["pos.session"].sudo().browse(int(row["session_id"])).exists()
        return {
            "client_id": _text(row["id"] or None),
            "moment": datetime.fromtimestamp(row["moment"] / 1000, UTC).replace(tzinfo=None, microsecond=0),
            "config_id": config.id,
            "company_id": config.company_id.id,
            "session_id": session.id if session.config_id == config else None,
            "user_id": self._user_at(config, int(row["user_id"])).id,
            "employee": _text(row["employee"]),
            "reason": row["reason"] if row["reason"] in dict(REASONS) else "other",
            "note": _text(row["note"]),
            "outcome": row["outcome"] if row["outcome"] in dict(OUTCOMES) else "unknown",
            "detail": _text(row["detail"]),
            "order_uuid": _text(row["order_uuid"]),
        }

    def _user_at(self, config, user_id):
        """Whom the till names: somebody else may send what he left behind. Never one who cannot have been there."""
        user = self.env["res.users"].sudo().browse(user_id).exists()
        return user if config.company_id in user.company_ids and not user.share else self.env.user


def _text(value):
    """No more of it than is kept. A character that PostgreSQL cannot keep would stop the rows after it as well."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(value)
    value.encode()
    return value[:LONGEST]
