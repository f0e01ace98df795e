# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The figures of the dashboard: a handful of grouped queries for all channels together, never one per channel."""

import json

from odoo import api, fields, models
from odoo.tools import SQL

SALES_STREAMS = ("sale", "order")


class BridgeChannel(models.Model):
    _inherit = "bridge.channel"

    pending_count = fields.Integer("Waiting events", compute="_compute_dashboard_events")
    attention_count = fields.Integer("Failed or blocked", compute="_compute_dashboard_events")
    lag_seconds = fields.Integer("Lag (seconds)", compute="_compute_dashboard_events")
    lag_text = fields.Char(
        "Lag", compute="_compute_dashboard_events", help="Age of the oldest event that waits to be worked on."
    )
    decide_count = fields.Integer("To decide", compute="_compute_dashboard_work")
    stock_due_count = fields.Integer("Stock to be told", compute="_compute_dashboard_work")
    stock_problem_count = fields.Integer("Stock held or failed", compute="_compute_dashboard_work")
    sales_today = fields.Integer("Sales today", compute="_compute_dashboard_sales")
    sales_graph = fields.Text(compute="_compute_dashboard_sales")
    last_sale_at = fields.Datetime("Last sale", compute="_compute_last_sale_at")
    setup_hint = fields.Char("Next step", compute="_compute_setup_hint")

    # -- figures ---------------------------------------------------------------------------------
    def _counts(self, model, domain):
        """{channel id: number of records}"""
        groups = self.env[model]._read_group([("channel_id", "in", self.ids), *domain], ["channel_id"], ["__count"])
        return {channel.id: count for channel, count in groups}

    def _compute_dashboard_events(self):
        now = fields.Datetime.now()
        domain = [("channel_id", "in", self.ids), ("state", "=", "pending")]
        groups = self.env["bridge.event"]._read_group(domain, ["channel_id"], ["__count", "received_at:min"])
        pending = {channel.id: (count, oldest) for channel, count, oldest in groups}
        # A query of its own: each of the two has its own partial index.
        attention = self._counts("bridge.event", [("state", "in", ("failed", "blocked"))])
        for channel in self:
            count, oldest = pending.get(channel.id, (0, None))
            channel.pending_count = count
            channel.attention_count = attention.get(channel.id, 0)
            channel.lag_seconds = max(0, (now - oldest).total_seconds()) if oldest else 0
            channel.lag_text = channel._duration_text(channel.lag_seconds)

    def _compute_dashboard_work(self):
        decide = self._counts("bridge.work.item", [("state", "=", "open")])
        due = self._counts("bridge.stock.level", [("state", "in", ("due", "stale"))])
        problem = self._counts("bridge.stock.level", [("state", "in", ("held", "failed"))])
        for channel in self:
            channel.decide_count = decide.get(channel.id, 0)
            channel.stock_due_count = due.get(channel.id, 0)
            channel.stock_problem_count = problem.get(channel.id, 0)

    @api.depends_context("tz", "lang")
    def _compute_dashboard_sales(self):
        """Sales that came in since the user's midnight, by hour."""
        now = fields.Datetime.context_timestamp(self, fields.Datetime.now())
        offset = now.utcoffset()
        midnight = fields.Datetime.to_datetime(now.date()) - offset
        domain = [
            ("channel_id", "in", self.ids),
            ("received_at", ">=", midnight),
            ("stream", "in", SALES_STREAMS),
            ("is_hint", "=", False),
            ("result", "not in", ("outdated", "unchanged", "ignored")),
        ]
        groups = self.env["bridge.event"]._read_group(domain, ["channel_id", "received_at:hour"], ["__count"])
        by_hour = {}
        for channel, hour, count in groups:
            by_hour.setdefault(channel.id, {})[hour.hour] = count
        title = self.env._("Sales")
        for channel in self:
            hours = by_hour.get(channel.id, {})
            values = [{"x": f"{hour}:00", "y": hours.get(hour, 0) if hour <= now.hour else None} for hour in range(24)]
            channel.sales_today = sum(hours.values())
            channel.sales_graph = json.dumps([{"key": title, "values": values}])

    def _compute_last_sale_at(self):
        """One statement for all; for each channel the newest sale is found from the end of its index."""
        self.env["bridge.event"].flush_model(["channel_id", "stream", "is_hint", "received_at"])
        rows = self.env.execute_query(
            SQL(
                """SELECT c.id, e.received_at FROM unnest(%s::int[]) AS c(id) CROSS JOIN LATERAL (
                       SELECT received_at FROM bridge_event
                        WHERE channel_id = c.id AND stream IN %s AND is_hint IS NOT TRUE
                        ORDER BY received_at DESC LIMIT 1) e""",
                self.ids, SALES_STREAMS,
            )
        )
        newest = dict(rows)
        for channel in self:
            channel.last_sale_at = newest.get(channel.id)

    def _duration_text(self, seconds):
        days, rest = divmod(int(seconds), 24 * 3600)
        hours, rest = divmod(rest, 3600)
        minutes, seconds = divmod(rest, 60)
        if days:
            return self.env._("%(days)s d %(hours)s h", days=days, hours=hours)
        if hours:
            return self.env._("%(hours)s h %(minutes)s min", hours=hours, minutes=minutes)
        if minutes:
            return self.env._("%(minutes)s min %(seconds)s s", minutes=minutes, seconds=seconds)
        return self.env._("%(seconds)s s", seconds=seconds)

    # -- set-up guide ----------------------------------------------------------------------------
    @api.depends("state", "state_reason", "setting_ids.value", "store_ids.location_id", "store_ids.pos_config_id")
    def _compute_setup_hint(self):
        for channel in self:
            channel.setup_hint = channel._next_step()

    def _next_step(self):
        """What a person does next to get the channel going; False when there is nothing to do."""
        if self.state in ("live", "paused"):
            return False
        if self.state == "stopped":
            return self.env._("Mend what stopped the channel, then go live again.")
        empty = self.sudo().setting_ids.filtered(lambda row: row.is_required and not row.value)
        if empty:
            return self.env._("Fill in the connection: %s.", ", ".join(empty.mapped("label")))
        stores = self.store_ids
        if not stores:
            return self.env._("Check the connection: the channel's stores are then listed below.")
        unready = stores.filtered(lambda store: not store._is_ready())
        if unready:
            return self.env._("Say where the stores are in Odoo: %s.", ", ".join(unready.mapped("name")))
        if self.state == "rehearse":
            return self.env._("Read the rehearsal's report. When it is right, go live.")
        return self.env._("Everything is set up: rehearse with real data, or go live.")

    # -- buttons ---------------------------------------------------------------------------------
    def _open(self, xml_id, **filters):
        """An action of the bridge, narrowed to this channel."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(f"pos_erp_bridge.{xml_id}")
        action["domain"] = [("channel_id", "=", self.id)]
        action["context"] = {"default_channel_id": self.id, **{f"search_default_{key}": 1 for key in filters}}
        return action

    def action_open_events(self):
        return self._open("bridge_event_action")

    def action_open_pending(self):
        return self._open("bridge_event_action", pending=True)

    def action_open_attention(self):
        return self._open("bridge_event_action", failed=True, blocked=True)

    def action_open_sales(self):
        return self._open("bridge_event_action", sales=True, today=True)

    def action_open_work_items(self):
        return self._open("bridge_work_item_action", open=True)

    def action_open_bindings(self):
        return self._open("bridge_binding_action")

    def action_open_stock(self):
        return self._open("bridge_stock_level_action")

    def action_open_stock_due(self):
        return self._open("bridge_stock_level_action", due=True)

    def action_open_stock_problems(self):
        return self._open("bridge_stock_level_action", problem=True)
