# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Drift: levels that do not agree for longer than a channel's limit are an alarm."""

from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import SQL

TROUBLED_AFTER = 5  # minutes; until then a level that is being told is nothing worth noting
ALARM_AGAIN = timedelta(days=1)
ACTIVITY = "pos_erp_bridge.mail_activity_drift"


class BridgeStockLevel(models.Model):
    _inherit = "bridge.stock.level"

    differs_since = fields.Datetime("Differs since", readonly=True)

    _drift_index = models.Index("(channel_id, differs_since) WHERE differs_since IS NOT NULL")
    _restless_index = models.Index("(channel_id) WHERE state != 'synced'")


class BridgeChannel(models.Model):
    _inherit = "bridge.channel"

    drift_repair = fields.Selection(
        [("ask", "Ask"), ("small", "Repair small differences"), ("all", "Repair")],
        "Stock changed over there",
        default="all",
        required=True,
        help="What happens to a level somebody changed at the channel. Sales on their way are always waited for.\n"
        "Ask: it is listed, and set anew by a person or with the next change of stock.",
    )
    drift_small = fields.Integer("Small is up to (pieces)", default=3, required=True)
    drift_hours = fields.Integer("Alarm after (hours)", default=24, required=True)
    drift_alarmed_at = fields.Datetime(readonly=True, copy=False)
    drift_count = fields.Integer(
        "Drift", compute="_compute_drift", help="Levels that differ for longer than the limit."
    )
    drift_text = fields.Char("Age of the drift", compute="_compute_drift")
    drift_open_count = fields.Integer("Open differences", compute="_compute_drift")
    compare_text = fields.Char("Comparison under way", compute="_compute_drift")

    _drift_positive = models.Constraint(
        "CHECK(drift_hours > 0 AND drift_small >= 0)",
        "The limit is at least one hour, a small difference not negative.",
    )

    @api.depends_context("lang")
    def _compute_drift(self):
        now = fields.Datetime.now()
        drift = self._drift() if self.ids else {}
        # Items nobody mapped are counted under "To decide" already.
        domain = [("state", "in", ("check", "open")), ("cause", "!=", "unmapped")]
        opened = self._counts("bridge.agreement.line", domain)
        runs = self.env["bridge.agreement"].search(
            [("channel_id", "in", self.ids), ("state", "in", ("reading", "checking"))]
        )
        running = {run.channel_id.id: run.read_count for run in runs}
        for channel in self:
            count, since = drift.get(channel.id, (0, None))
            channel.drift_count = count
            channel.drift_text = channel._duration_text((now - since).total_seconds()) if since else False
            channel.drift_open_count = opened.get(channel.id, 0)
            channel.compare_text = (
                self.env._("Comparing: %s levels read", running[channel.id]) if channel.id in running else False
            )

    def _drift(self):
        """{channel id: (levels not agreed for longer than the limit, since when the oldest)}"""
        self.env["bridge.stock.level"].flush_model(["channel_id", "differs_since"])
        self.flush_model(["drift_hours"])
        rows = self.env.execute_query(
            SQL(
                """SELECT l.channel_id, count(*), min(l.differs_since)
                     FROM bridge_stock_level l JOIN bridge_channel c ON c.id = l.channel_id
                    WHERE l.channel_id = ANY(%s) AND l.differs_since IS NOT NULL
                      AND l.differs_since < %s - c.drift_hours * interval '1 hour'
                    GROUP BY l.channel_id""",
                self.ids,
                fields.Datetime.now(),
            )
        )
        return {channel_id: (count, since) for channel_id, count, since in rows}

    def action_open_drift(self):
        action = self._open("bridge_stock_level_action")
        limit = fields.Datetime.subtract(fields.Datetime.now(), hours=self.drift_hours)
        return {**action, "domain": [*action["domain"], ("differs_since", "<", limit)], "name": self.env._("Drift")}

    def action_open_differences(self):
        return self._open("bridge_agreement_line_action", open=True)

    # -- watching --------------------------------------------------------------------------------
    def _push_levels(self):
        super()._push_levels()
        self._retrying(lambda channel: channel.env["bridge.agreement.line"]._end_sent(channel))

    def _may_alarm(self, now):
        """Once; again after a day where somebody ticked it off and it still differs."""
        last = self.drift_alarmed_at
        return not last or (last < now - ALARM_AGAIN and not self.activity_search([ACTIVITY]))

    def _watch_drift(self):
        """Keep since when each level differs, end repairs that are done, raise the alarm once and take it back."""
        self.env["bridge.agreement.line"]._end_sent(self)
        self.env.flush_all()
        now = fields.Datetime.now()
        self.env.cr.execute(
            """UPDATE bridge_stock_level SET differs_since = write_date
                WHERE channel_id = %s AND state != 'synced' AND differs_since IS NULL AND write_date < %s
                  AND EXISTS (SELECT FROM bridge_binding b WHERE b.channel_id = bridge_stock_level.channel_id
                                 AND b.entity = 'product' AND b.res_id = bridge_stock_level.product_id)""",
            [self.id, fields.Datetime.subtract(now, minutes=TROUBLED_AFTER)],
        )
        self.env.cr.execute(
            """UPDATE bridge_stock_level l SET differs_since = NULL
                WHERE channel_id = %s AND state = 'synced' AND differs_since IS NOT NULL
                  AND NOT EXISTS (SELECT FROM bridge_agreement_line d
                                   WHERE d.level_id = l.id AND d.state IN ('check', 'open', 'sent'))""",
            [self.id],
        )
        self.env["bridge.stock.level"].invalidate_model(["differs_since"])
        count, since = self._drift().get(self.id, (0, None))
        if count and self.state == "live" and self._may_alarm(now):
            self.drift_alarmed_at = now
            note = self.env._(
                "Levels of this channel that do not agree with Odoo: %(count)s, the oldest for %(age)s. Open Drift and "
                "Open differences on the dashboard: each line says its likely cause.",
                count=count,
                age=self._duration_text((now - since).total_seconds()),
            )
            self.activity_schedule(
                ACTIVITY,
                user_id=(self.create_uid or self.env.user).id,
                summary=self.env._("Stock does not agree"),
                note=note,
            )
        elif self.drift_alarmed_at and not count:
            self.drift_alarmed_at = False
            self.activity_feedback([ACTIVITY], feedback=self.env._("All levels agree again."))
