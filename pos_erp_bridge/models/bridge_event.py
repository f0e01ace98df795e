# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import json
import random

from psycopg2.errors import UniqueViolation

from odoo import api, fields, models
from odoo.tools import SQL

from ..connectors import registered

# Seconds until the next try, by number of tries so far; after the last the event has failed.
RETRY_DELAYS = (5, 30, 120, 600, 3600, 6 * 3600)
HINT_STREAM = "delivery"


class BridgeEvent(models.Model):
    """Everything a channel ever told us, kept as it came. One row per (channel, stream, external id, version):
    the same fact by webhook, poll, file and replay is one row.

    A *hint* (a webhook) says "look at this"; the lane fetches the current state, which becomes facts.
    """

    _name = "bridge.event"
    _description = "Event"
    _order = "id desc"
    _rec_name = "external_id"

    channel_id = fields.Many2one("bridge.channel", required=True, ondelete="cascade", readonly=True)
    company_id = fields.Many2one("res.company", readonly=True, index=True)
    stream = fields.Selection(selection="_selection_stream", string="Kind", required=True, readonly=True)
    external_id = fields.Char("Id at the channel", required=True, readonly=True, index=True)
    external_version = fields.Char("Version", required=True, readonly=True)
    is_hint = fields.Boolean("Notification", default=False, readonly=True)
    origin = fields.Selection(
        [("webhook", "Webhook"), ("poll", "Poll"), ("file", "File"), ("replay", "Replay")],
        required=True,
        readonly=True,
    )
    payload = fields.Text(readonly=True, prefetch=False)
    payload_text = fields.Text("What the channel said", compute="_compute_payload_text")
    received_at = fields.Datetime("Received", default=fields.Datetime.now, readonly=True)
    parent_id = fields.Many2one("bridge.event", "Told by", readonly=True, index="btree_not_null", ondelete="set null")

    state = fields.Selection(
        [
            ("pending", "Waiting"),
            ("done", "Done"),
            ("skipped", "Set aside"),
            ("waiting", "Needs a mapping"),
            ("blocked", "Blocked"),
            ("failed", "Failed"),
        ],
        default="pending",
        required=True,
        readonly=True,
    )
    result = fields.Selection(
        [
            ("created", "Created"),
            ("updated", "Updated"),
            ("unchanged", "Unchanged"),
            ("outdated", "Outdated"),
            ("corrected", "Corrected"),
            ("ignored", "Not booked"),
            ("fetched", "Fetched"),
            ("rehearsed", "Rehearsed"),
        ],
        readonly=True,
    )
    message = fields.Text("Reason", readonly=True)
    error_class = fields.Selection(
        [("config", "Set-up"), ("auth", "Credentials"), ("transient", "Temporary"), ("data", "Data")], readonly=True
    )
    attempts = fields.Integer(readonly=True)
    priority = fields.Integer(default=5, readonly=True)
    run_at = fields.Datetime("Next try", default=fields.Datetime.now, required=True, readonly=True)
    done_at = fields.Datetime("Settled", readonly=True)
    res_model = fields.Char("Became (model)", readonly=True)
    res_id = fields.Many2oneReference("Became (id)", model_field="res_model", readonly=True)
    work_item_ids = fields.Many2many("bridge.work.item", readonly=True)

    _fact_uniq = models.Constraint(
        "UNIQUE(channel_id, stream, external_id, external_version)", "This event is known already."
    )
    _claim_index = models.Index("(channel_id, is_hint, priority, id) WHERE state = 'pending'")
    _open_index = models.Index("(channel_id, state) WHERE state IN ('waiting', 'blocked', 'failed')")
    _received_index = models.Index("(channel_id, received_at)")

    @api.model
    def _selection_stream(self):
        names = {
            HINT_STREAM: self.env._("Notification"),
            "store": self.env._("Store"),
            "product": self.env._("Product"),
            "customer": self.env._("Customer"),
            "sale": self.env._("Till sale"),
            "order": self.env._("Web order"),
            "closing": self.env._("Closing"),
            "stock": self.env._("Stock level"),
        }
        more = {stream for connector in registered().values() for stream in connector.streams} - names.keys()
        return [*names.items(), *((stream, stream) for stream in sorted(more))]

    @api.depends("payload")
    def _compute_payload_text(self):
        """The payload indented, for people; as it came where it is no JSON."""
        for event in self:
            try:
                event.payload_text = json.dumps(json.loads(event.payload or "null"), ensure_ascii=False, indent=2)
            except ValueError:
                event.payload_text = event.payload

    # -- intake ----------------------------------------------------------------------------------
    @api.model
    def _take_delivery(self, channel_id, company_id, delivery, body):
        """Keep a verified webhook; True when it is new. The unique key decides, never a search: under
        REPEATABLE READ the other delivery's row may be invisible even after it has won."""
        payload = {"hints": [[hint.stream, hint.external_id, hint.mark] for hint in delivery.hints], "body": body}
        try:
            self.env.cr.execute(
                SQL(
                    """INSERT INTO bridge_event (channel_id, company_id, stream, external_id, external_version, is_hint,
                           origin, payload, received_at, state, priority, run_at, attempts, create_date, write_date)
                       SELECT %s, %s, %s, %s, %s, true, 'webhook', %s, now.at, 'pending', 1, now.at, 0, now.at, now.at
                         FROM (SELECT now() AT TIME ZONE 'utc' AS at) now""",
                    channel_id,
                    company_id,
                    HINT_STREAM,
                    delivery.delivery_id,
                    delivery.topic,
                    json.dumps(payload, ensure_ascii=False),
                ),
                log_exceptions=False,
            )
        except UniqueViolation:
            self.env.cr.rollback()  # nothing else was done in this request
            return False
        return True

    @api.model
    def _take_facts(self, channel, facts, origin, parents=None):
        """Keep facts; returns how many were new. One statement for all.

        :param parents: {(stream, external id): id of the hint that told of it}
        """
        if not facts:
            return 0
        now = fields.Datetime.now()
        rows = [
            SQL(
                "(%s, %s, %s, %s, %s, false, %s, %s, %s, 'pending', 5, %s, 0, %s, %s, %s)",
                channel.id,
                channel.company_id.id,
                fact.stream,
                fact.external_id,
                fact.version,
                origin,
                json.dumps(fact.payload, ensure_ascii=False),
                now,
                now,
                now,
                now,
                (parents or {}).get((fact.stream, fact.external_id)),
            )
            for fact in facts
        ]
        self.env.cr.execute(
            SQL(
                """INSERT INTO bridge_event (channel_id, company_id, stream, external_id, external_version, is_hint,
                       origin, payload, received_at, state, priority, run_at, attempts, create_date, write_date,
                       parent_id)
                   VALUES %s ON CONFLICT (channel_id, stream, external_id, external_version) DO NOTHING RETURNING id""",
                SQL(", ").join(rows),
            ),
            log_exceptions=False,  # a serialization failure is the caller's to retry
        )
        return self.env.cr.rowcount

    # -- ending ----------------------------------------------------------------------------------
    def _fail(self, message, error_class="transient", retry_in=None):
        """Write down a failure and when to try again; data errors wait for a person at once."""
        now = fields.Datetime.now()
        for event in self:
            attempts = event.attempts + 1
            vals = {"message": message, "error_class": error_class, "attempts": attempts}
            if error_class == "data" or attempts > len(RETRY_DELAYS):
                vals["state"] = "failed"
            else:
                delay = retry_in or RETRY_DELAYS[attempts - 1] * random.uniform(0.8, 1.2)
                vals["run_at"] = fields.Datetime.add(now, seconds=delay)
            event.write(vals)

    def action_retry(self):
        """Try again now."""
        events = self.filtered(lambda e: e.state not in ("done", "skipped"))
        events.write({"state": "pending", "run_at": fields.Datetime.now(), "attempts": 0, "message": False})
        events.channel_id._wake("inbound")

    def action_set_aside(self):
        """Decide that this will not be booked."""
        self.filtered(lambda e: e.state in ("blocked", "failed", "waiting", "pending")).write(
            {"state": "skipped", "result": "ignored", "message": self.env._("Set aside by %s.", self.env.user.name)}
        )

    def action_open_result(self):
        """What did this become?"""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": self.res_model,
            "res_id": self.res_id,
            "views": [(False, "form")],
        }

    @api.autovacuum
    def _gc_events(self):
        """Hints and unchanged facts are noise after some months; what became a document is kept for good."""
        days = int(self.env["ir.config_parameter"].sudo().get_param("pos_erp_bridge.event_days") or 90)
        limit = fields.Datetime.subtract(fields.Datetime.now(), days=days)
        domain = [("received_at", "<", limit), "|", ("is_hint", "=", True), ("result", "in", ("unchanged", "outdated"))]
        stale = self.search([*domain, ("state", "in", ("done", "skipped"))], limit=10_000)
        stale.unlink()
        return len(stale), self.search_count(domain, limit=1)
