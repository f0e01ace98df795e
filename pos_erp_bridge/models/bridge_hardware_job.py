# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Prints and drawers that tills leave in Odoo for a hardware proxy which they cannot reach themselves.

A row is what Odoo was told of a print; whether it is printed, and that it is printed once, is the proxy's own account
under the same id. So a row may be handed over twice, and late news never take it back.
"""

import time

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.orm.models import NO_ACCESS
from odoo.tools import SQL

LIFETIME_S = {"receipt": 600, "kitchen": 7200, "drawer": 3}  # until it must have begun, as at the proxy
# How far it is; what is later in this row is never taken back by news that are late.
RANKS = {"new": 0, "waiting": 1, "printing": 2, "unknown": 3}
ENDED = ("printed", "failed", "done", "missing")
MOST_JOBS, MOST_ASKED = 20, 500  # in one answer to the proxy
MOST_WAITING = 200
KEEP_DAYS = 30
LONGEST_REASON = 300
MESSAGE = "BRIDGE_PRINT"


class BridgeHardwareJob(models.Model):
    _name = "bridge.hardware.job"
    _description = "Print through Odoo"
    _order = "id desc"
    _rec_name = "job"

    proxy_id = fields.Many2one("bridge.hardware.proxy", required=True, readonly=True, index=True, ondelete="cascade")
    company_id = fields.Many2one(related="proxy_id.company_id", store=True, index=True)
    config_id = fields.Many2one("pos.config", "Till", required=True, readonly=True, index=True, ondelete="cascade")
    job = fields.Char("Print's id", required=True, readonly=True)
    kind = fields.Selection(
        [("receipt", "Receipt"), ("kitchen", "Kitchen ticket"), ("drawer", "Cash drawer")], readonly=True
    )
    query = fields.Json("What is printed where", readonly=True)
    # What the customer bought is nobody's business here, and gone when it is printed.
    body = fields.Binary("Picture", attachment=False, readonly=True, groups=NO_ACCESS)
    state = fields.Selection(
        [
            ("new", "Left here"),
            ("waiting", "Waiting"),
            ("printing", "Printing"),
            ("printed", "Printed"),
            ("unknown", "Somebody must look"),
            ("failed", "Not printed"),
            ("done", "Opened"),
            ("missing", "Not known there"),
        ],
        required=True, readonly=True, default="new",
    )  # fmt: skip
    reason = fields.Char(readonly=True)
    decision = fields.Json(readonly=True, help="What somebody who looked at the paper said; until the proxy has it.")
    refusal = fields.Char(readonly=True)
    asked = fields.Float("Asked at (s)", readonly=True)
    until = fields.Float("Of use until (s)", readonly=True)
    told = fields.Float("Told at (ms)", readonly=True, help="By the proxy's clock; 0: it has not told anything.")
    taken = fields.Datetime(readonly=True)

    _job_uniq = models.Constraint("UNIQUE(proxy_id, job)", "One row per print.")
    _open_idx = models.Index("(proxy_id) WHERE state IN ('new', 'waiting', 'printing', 'unknown')")

    # -- for tills -------------------------------------------------------------------------------
    @api.model
    def _keep(self, config, job_id, kind=False, asked=None, query=None, body=False):
        """The row of this id, made when there is none.

        :param kind: False for a mere question how a print stands
        :param asked: seconds since 1970
        :raises UserError: it belongs to another till, or too many wait
        """
        proxy, now = config.bridge_proxy_id, time.time()
        asked = min(asked or now, now)
        until = asked + LIFETIME_S[kind or "receipt"]
        self._expire(proxy)
        row, is_new = self._find(proxy, job_id), False
        if not row:
            row, is_new = self._insert(config, job_id, asked, until)
        if row.config_id != config:
            raise UserError(self.env._("This print belongs to another till."))
        if is_new or (kind and not row.kind and row.state in ("new", "missing")):
            waiting = [("proxy_id", "=", proxy.id), ("state", "in", list(RANKS)), ("body", "!=", False)]
            if body and self.search_count(waiting, limit=MOST_WAITING) >= MOST_WAITING:
                raise UserError(self.env._("%s prints wait for the hardware proxy already.", MOST_WAITING))
            vals = {"state": "new", "reason": False, "kind": kind, "query": query}
            row.write({**vals, "asked": asked, "until": until, "taken": False, "told": 0})
            row._fill(body)
            proxy._relay_call()
        return row

    def _find(self, proxy, job_id):
        return self.search([("proxy_id", "=", proxy.id), ("job", "=", job_id)])

    def _insert(self, config, job_id, asked, until):
        """(the row of this id, whether it is new). Of two that come at once, the key lets one be made."""
        proxy = config.bridge_proxy_id
        query = SQL(
            """INSERT INTO bridge_hardware_job (proxy_id, company_id, config_id, job, state, asked, until, told,
                   create_uid, create_date, write_uid, write_date)
               SELECT %s, %s, %s, %s, 'new', %s, %s, 0, %s, now.at, %s, now.at
                 FROM (SELECT now() AT TIME ZONE 'utc' AS at) now
                   ON CONFLICT (proxy_id, job) DO NOTHING RETURNING id""",
            proxy.id, proxy.company_id.id, config.id, job_id, asked, until, self.env.uid, self.env.uid,
        )  # fmt: skip
        self.env.cr.execute(query, log_exceptions=False)
        made = self.env.cr.fetchone()
        return (self.browse(made), True) if made else (self._find(proxy, job_id), False)

    def _fill(self, body):
        """Keep the picture; not in a statement that would stand in the log when another comes in between."""
        self.flush_recordset()
        query = SQL("UPDATE bridge_hardware_job SET body = %s WHERE id = %s", body or None, self.id)
        self.env.cr.execute(query, log_exceptions=False)
        self.invalidate_recordset(["body"])

    def _ask_again(self):
        """Only the proxy knows the end of a print that may have reached it on another way."""
        if self._is_own_end():
            self._ask_anew()

    def _ask_anew(self):
        if self._is_own_end() or self.state == "missing":
            self.write({"state": "new", "reason": False, "told": 0})
            self.proxy_id._relay_call()

    def _decide(self, decision):
        """Somebody has looked at the paper."""
        if self.state not in ENDED:
            self.write({"decision": decision, "refusal": False})
            self.proxy_id._relay_call()

    def _stand(self):
        """How it stands, for the till.

        :return: {"id", "state", "reason", "face", "refused", "isDecided", "isOwnEnd", "isAlive"}
        """
        return {
            "id": self.job,
            "state": self.state,
            "reason": self.reason or "",
            "face": self._face(),
            "refused": self.refusal or "",
            "isDecided": not self.decision,
            "isOwnEnd": self._is_own_end(),
            "isAlive": self.proxy_id._relay_is_alive(),
        }

    def _face(self):
        return f"{self.state}:{self.reason or ''}"

    def _is_own_end(self):
        """Whether Odoo itself has given it up: nobody has fetched it."""
        return self.state == "failed" and not self.told

    # -- for the proxy ---------------------------------------------------------------------------
    @api.model
    def _hand_over(self, proxy):
        """What the proxy has to do, and what it is asked.

        :return: {"jobs": [{"id", "query", "body", "age"}], "drawers": [{"id", "printer", "age"}],
            "asked": [{"id", "face", "decision"}]}; ages in seconds
        """
        self._expire(proxy)
        rows, now = self._take(proxy), time.time()
        domain = [("proxy_id", "=", proxy.id), ("kind", "!=", "drawer"), ("state", "in", list(RANKS))]
        domain += ["|", ("state", "!=", "new"), ("body", "=", False)]
        asked = self.search(domain, limit=MOST_ASKED)
        return {
            "jobs": [
                {"id": row.job, "query": row.query, "body": row.body.decode(), "age": now - row.asked}
                for row in rows.filtered("body")
            ],
            "drawers": [
                {"id": row.job, "printer": row.query["printer"], "age": now - row.asked}
                for row in rows
                if row.kind == "drawer"
            ],
            "asked": [{"id": row.job, "face": row._face(), "decision": row.decision or None} for row in asked],
        }

    def _take(self, proxy):
        """Rows to hand over, marked. Handed over again until the proxy has told something of them: an answer may be
        lost. Another worker that hands them over at the same time does no harm; waiting for it would."""
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """UPDATE bridge_hardware_job SET taken = COALESCE(taken, now() AT TIME ZONE 'utc')
                    WHERE id IN (SELECT id FROM bridge_hardware_job
                                  WHERE proxy_id = %s AND state = 'new' AND (body IS NOT NULL OR kind = 'drawer')
                                  ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
                   RETURNING id""",
                proxy.id, MOST_JOBS,
            )
        )  # fmt: skip
        rows = self.browse(sorted(row_id for (row_id,) in self.env.cr.fetchall()))
        rows.invalidate_recordset(["taken"])
        return rows

    def _expire(self, proxy):
        """Let fail what nobody waits for any more and the proxy has not seen. What was handed over may be known
        there: it is only asked for from then on."""
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """UPDATE bridge_hardware_job
                      SET body = NULL,
                          state = CASE WHEN kind = 'drawer' OR taken IS NULL THEN 'failed' ELSE state END,
                          reason = CASE WHEN kind = 'drawer' THEN 'too_late'
                                        WHEN taken IS NULL THEN 'expired' ELSE reason END
                    WHERE proxy_id = %s AND state = 'new' AND until < %s AND (body IS NOT NULL OR kind = 'drawer')""",
                proxy.id, time.time(),
            )
        )  # fmt: skip
        if self.env.cr.rowcount:
            self.env.invalidate_all(flush=False)

    def _note(self, stand, moment):
        """What the proxy says of this print; whether the till is to be told.

        :param stand: {"id", "state", "reason", "refused"}
        :param moment: milliseconds by the proxy's clock
        """
        refusal = stand.get("refused") or ""
        before = self._face(), self.decision, self.refusal
        state, reason = self._news(stand["state"], stand.get("reason") or "", moment)
        if stand["state"] == "missing" and before[0] == f"{state}:{reason}":
            return False
        vals = {"told": moment, "state": state, "reason": reason[:LONGEST_REASON]}
        if refusal or state != "unknown":
            vals |= {"decision": False, "refusal": refusal[:LONGEST_REASON]}
        if state in ENDED:
            vals["body"] = False
        if f"{state}:{reason}" == before[0] and not self.decision and not refusal:
            vals = {"told": moment}
        self.write(vals)
        return (self._face(), self.decision, self.refusal) != before

    def _news(self, state, reason, moment):
        """(state, reason) after the proxy said these."""
        known = self.state, self.reason or ""
        if self.state in ENDED and not self._is_own_end():
            return known
        if state == "missing":
            return self._news_missing(known)
        rank, new_rank = RANKS.get(self.state, -1), RANKS.get(state, len(RANKS))
        return (state, reason) if (new_rank, moment) > (rank, self.told) else known

    def _news_missing(self, known):
        if self.state == "new" and not self.body:
            return ("failed", "expired") if self.query else ("missing", "")
        if self.state == "unknown" and self.decision:
            return ("printed", "seen") if self.decision.get("came_out") else ("failed", "not_seen")
        return ("unknown", "stopped") if self.state in ("waiting", "printing") else known

    def _leave_to_people(self):
        """Another machine is the proxy from now on: nobody can ask the old one what it has printed."""
        taken = self.filtered(lambda row: row.taken and row.state == "new")
        taken.write({"state": "unknown", "reason": "stopped", "body": False})

    @api.autovacuum
    def _gc_jobs(self):
        """Forget prints of a month ago, and what was never fetched."""
        proxies = self.env["bridge.hardware.proxy"].with_context(active_test=False)
        for proxy in proxies.search([("relay_seen", "!=", False)]):
            self._expire(proxy)
        self.search([("create_date", "<", fields.Datetime.subtract(fields.Datetime.now(), days=KEEP_DAYS))]).unlink()
