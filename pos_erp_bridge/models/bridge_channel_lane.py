# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Lanes: the background workers of a channel.

A lane is one cron job (the same job never runs twice at once). Where OCA ``queue_job`` is installed the same
method is enqueued through it instead, one queue channel per bridge channel.
"""

import logging
import random
import threading
import time
from contextlib import contextmanager
from functools import partial

import psycopg2

from odoo import SUPERUSER_ID, api, fields, models, sql_db
from odoo.tools import SQL, ormcache

from odoo.addons.base.models.ir_cron import ODOO_NOTIFY_FUNCTION

from ..connectors import base
from ..locks import CONCURRENCY_ERRORS, lane_lock

_logger = logging.getLogger(__name__)

# lane: (minutes between runs nobody asked for, priority)
LANES = {"inbound": (1, 2), "outward": (1, 3), "poll": (1, 6)}
# Waking costs an insert and a connection, so what one process commits shortly after another is told together, after
# the commit and outside of it. Seconds: from a lone wake-up to its telling; from one telling to the next. A process
# killed in between loses nothing: the lane runs every minute anyway.
NOTIFY_DELAY, NOTIFY_PAUSE = 0.01, 0.25
TRIES = 5  # of a transaction another one got in the way of
_pending_wakes, _notified_at = {}, {}  # by database
_notify_lock = threading.Lock()


def _wake_soon(dbname, cron_ids):
    """Have these cron jobs run, together with all others this process asks for until then."""
    with _notify_lock:
        if dbname in _pending_wakes:
            _pending_wakes[dbname] |= cron_ids
            return
        _pending_wakes[dbname] = set(cron_ids)
        pause = _notified_at.get(dbname, 0) + NOTIFY_PAUSE - time.monotonic()
    threading.Timer(max(NOTIFY_DELAY, pause), _wake_now, [dbname]).start()


def _wake_now(dbname):
    with _notify_lock:
        cron_ids = _pending_wakes.pop(dbname)
        _notified_at[dbname] = time.monotonic()
    try:
        with sql_db.db_connect(dbname).cursor() as cr:
            # Whole seconds: the cron clears no later ones when it starts, and the lane would run for nothing again.
            cr.execute(
                """INSERT INTO ir_cron_trigger (cron_id, call_at)
                   SELECT id, date_trunc('second', now() AT TIME ZONE 'utc') FROM ir_cron WHERE id = ANY(%s)""",
                [list(cron_ids)],
            )
        # As ``ir.cron._notifydb``, without an environment: this thread must not wait for a registry being loaded.
        with sql_db.db_connect("postgres").cursor() as cr:
            cr.execute(SQL("SELECT %s('cron_trigger', %s)", SQL.identifier(ODOO_NOTIFY_FUNCTION), dbname))
    except psycopg2.Error:  # e.g. the database was dropped meanwhile
        _logger.info("the lanes of %s were not woken; they run within a minute", dbname, exc_info=True)


class Heard:
    """What a run of a lane heard of its channel: nothing (it did not ask), an answer, or silence and its reason."""

    is_answer = False
    silence = ""


class BridgeChannel(models.Model):
    _inherit = "bridge.channel"

    cron_ids = fields.One2many("ir.cron", "bridge_channel_id", groups="base.group_system")

    def _create_lanes(self):
        """One cron job per channel and lane, owned by the superuser, who has no company rules to trip over."""
        model = self.env["ir.model"]._get("bridge.channel")
        self.env["ir.cron"].create(
            [
                {
                    "name": f"Bridge: {channel.name} ({lane})",
                    "bridge_channel_id": channel.id,
                    "bridge_lane": lane,
                    "model_id": model.id,
                    "state": "code",
                    "code": f"model.browse({channel.id})._run_lane({lane!r})",
                    "user_id": SUPERUSER_ID,
                    "interval_number": minutes,
                    "interval_type": "minutes",
                    "priority": priority,
                }
                for channel in self
                for lane, (minutes, priority) in LANES.items()
            ]
        )
        self.env.registry.clear_cache()

    def _remove_lanes(self):
        self.with_context(active_test=False).cron_ids.unlink()

    # -- waking ----------------------------------------------------------------------------------
    @api.model
    def _wake_many(self, channel_ids, lane):
        """Run ``lane`` of these channels soon after the transaction is committed."""
        if "queue.job" in self.env:
            for channel in self.sudo().browse(channel_ids):
                channel.with_delay(
                    channel=f"root.bridge_{channel.id}",
                    identity_key=f"bridge_{lane}_{channel.id}",
                    description=f"{channel.name}: {lane}",
                )._run_lane(lane)
            return
        if cron_ids := self._cron_ids(channel_ids, lane):
            self.env.cr.postcommit.add(partial(_wake_soon, self.env.cr.dbname, cron_ids))

    @api.model
    def _wake_now(self, channel_ids, lane):
        """As ``_wake_many``, for what is committed already."""
        if channel_ids and "queue.job" in self.env:
            with self.env.registry.cursor() as cr:
                self.with_env(api.Environment(cr, SUPERUSER_ID, {}))._wake_many(channel_ids, lane)
            return
        if cron_ids := self._cron_ids(channel_ids, lane):
            _wake_soon(self.env.cr.dbname, cron_ids)

    def _cron_ids(self, channel_ids, lane):
        crons = self._lane_crons()
        return {crons[i, lane] for i in channel_ids if (i, lane) in crons}

    def _wake(self, lane):
        self._wake_many(self.ids, lane)

    @api.model
    @ormcache()
    def _lane_crons(self):
        """{(channel id, lane): cron id}, cached: asked at every stock change."""
        crons = self.env["ir.cron"].sudo().search_fetch([("bridge_channel_id", "!=", False)], ["bridge_lane"])
        return {(cron.bridge_channel_id.id, cron.bridge_lane): cron.id for cron in crons}

    # -- running ---------------------------------------------------------------------------------
    def _run_lane(self, lane):
        """Entry of the cron job and of the queued job. Works in transactions of its own, so that what is
        done stays done, and what failed can be written down after its rollback."""
        self.ensure_one()
        if not self.exists() or not self._is_running():
            return
        self = self.with_context(bridge_heard=Heard())
        with lane_lock(self.env.registry, self.id, lane) as is_mine:
            if not is_mine:
                return
            try:
                getattr(self, f"_run_{lane}")()
            except (base.ConfigError, base.AuthError) as error:
                with self._transaction() as channel:
                    channel._stop(str(error))
            except (base.BridgeError, *CONCURRENCY_ERRORS) as error:
                _logger.info("%s: %s; the %s lane tries again later", self.name, error, lane)
                with self._transaction() as channel:
                    channel._postpone(lane, getattr(error, "retry_after", None))
            self._after_lane()

    def _after_lane(self):
        """Hook: a lane ran, whether it worked or failed; the context says what was heard of the channel. Called
        outside of any transaction."""

    def _compare_after_outage(self):
        """Hook: the channel answers again after an outage, and is not told anything new by this. Called in a
        transaction of its own, once for an outage; a TransientError or a lost race calls it again later."""

    @contextmanager
    def _transaction(self):
        """This channel in a transaction of its own, committed at the end, rolled back on an exception."""
        with self.env.registry.cursor() as cr:
            heard = {"bridge_heard": self.env.context["bridge_heard"]} if self.env.context.get("bridge_heard") else {}
            env = api.Environment(cr, SUPERUSER_ID, {"tracking_disable": True, **heard})
            channel = env["bridge.channel"].browse(self.id)
            company = channel.company_id
            context = {"allowed_company_ids": company.ids, "tz": channel.timezone, "lang": company._bridge_language()}
            yield channel.with_company(company).with_context(**context)

    def _retrying(self, step):
        """Run ``step(channel)`` in a transaction of its own, again when another transaction got in between."""
        for attempt in range(1, TRIES + 1):
            try:
                with self._transaction() as channel:
                    return step(channel)
            except CONCURRENCY_ERRORS:
                if attempt == TRIES:
                    raise
                time.sleep(random.uniform(0, 0.05 * 2**attempt))

    def _postpone(self, lane, seconds=None):
        """Wake the lane again after a pause (the cron looks once a minute; shorter waits are not told apart)."""
        at = fields.Datetime.add(fields.Datetime.now(), seconds=max(10, seconds or 30))
        cron = self.env["ir.cron"].sudo().browse(self._lane_crons().get((self.id, lane)))
        cron._trigger(at)


class IrCron(models.Model):
    _inherit = "ir.cron"

    bridge_channel_id = fields.Many2one("bridge.channel", ondelete="cascade", index="btree_not_null")
    bridge_lane = fields.Char()
