# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The inbound lane: hints become facts, facts become documents, in batches."""

import json
import logging
import time
from datetime import timedelta

from odoo import fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from ..booking import BOOKERS, Item, Outcome, Plan, digest
from ..connectors import base
from ..locks import CLAIM_EVENTS, CONCURRENCY_ERRORS

_logger = logging.getLogger(__name__)

HINT_BATCH = 100
BOOK_BATCH = 400
SLICE = 50.0  # seconds a lane works before it lets others have the worker
# Cron looks at its clock once a minute, so shorter waits for a retry are served here; what comes meanwhile is booked.
SHORT_WAIT, LOOK_AGAIN = 12.0, 0.2  # seconds


class BridgeChannel(models.Model):
    _inherit = "bridge.channel"

    def _run_inbound(self):
        deadline = time.monotonic() + SLICE
        while time.monotonic() < deadline:
            fetched, claims = self._retrying(self._step_hints), self._promise()
            if fetched + self._retrying(lambda channel, c=claims: self._step_book(channel, c)):
                continue
            with self._transaction() as channel:
                pause = channel._seconds_to_next()
                if pause is None:
                    return
                if pause > SHORT_WAIT:
                    return channel._postpone("inbound", pause)
            time.sleep(min(pause, LOOK_AGAIN))
        with self._transaction() as channel:
            channel._wake("inbound")

    def _seconds_to_next(self):
        """Until something that failed may be tried again; None when nothing waits."""
        waiting = self.env["bridge.event"].search_fetch(
            [("channel_id", "=", self.id), ("state", "=", "pending")], ["run_at"], order="run_at", limit=1
        )
        return max(0.1, (waiting.run_at - fields.Datetime.now()).total_seconds()) if waiting else None

    def _claim(self, is_hint, size):
        """Take waiting events; first statement of the transaction, so that it sees the newest state.

        What came within this very second counts: Odoo's clock has whole seconds, the database's has not, and
        an event passed over would lie until somebody wakes the lane again.
        """
        until = fields.Datetime.now() + timedelta(seconds=1)
        self.env.cr.execute(CLAIM_EVENTS, [self.id, until, is_hint, size])
        return self.env["bridge.event"].browse([row[0] for row in self.env.cr.fetchall()])

    # -- hints -----------------------------------------------------------------------------------
    def _step_hints(self, channel):
        """Fetch the current state of what webhooks pointed to. Returns how many hints were settled."""
        events = channel._claim(True, HINT_BATCH)
        if not events:
            return 0
        wanted, parents, stock = {}, {}, {}
        for event in events:
            for stream, external_id, *mark in json.loads(event.payload)["hints"]:
                if stream == "stock":
                    stock.setdefault(external_id, set()).update(mark)
                    continue  # mostly the echo of our own pushes: see bridge.agreement.look
                wanted.setdefault(stream, {})[external_id] = None
                parents.setdefault((stream, external_id), event.id)
        try:
            connector = channel._connector()
            channel._ask_looks(connector, stock)
            facts = [fact for stream, ids in wanted.items() for fact in connector.fetch(stream, list(ids))]
        except base.BridgeError as error:
            events._fail(str(error), error.kind, error.retry_after)
            if isinstance(error, (base.ConfigError, base.AuthError)):
                channel._stop(str(error))
            return 0
        new = self.env["bridge.event"].with_env(channel.env)._take_facts(channel, facts, "webhook", parents)
        events.write({"state": "done", "result": "fetched", "done_at": fields.Datetime.now(), "attempts": 1})
        _logger.debug("%s: %s hints, %s facts, %s new", channel.name, len(events), len(facts), new)
        return len(events)

    # -- booking ---------------------------------------------------------------------------------
    def _step_book(self, channel, claims=None):
        """Translate and book one batch. Returns how many events were settled.

        :param claims: what orders of it were promised, see ``_promise``
        """
        events = channel._claim(False, BOOK_BATCH)
        if events:
            channel.with_context(bridge_asked=claims or {})._book_events(events)
        return len(events)

    def _book_events(self, events):
        """Book these events of the channel; every one of them gets a state and a reason."""
        outcomes = {}
        groups = self._translate_events(self._newest(events, outcomes), outcomes)
        if self.state == "rehearse":
            failures = {event: error for event, error in outcomes.items() if isinstance(error, Exception)}
            self.env["bridge.rehearsal"]._note_failures(self, failures)
        for record_type in sorted(groups, key=list(BOOKERS).index):
            booker = self.env[BOOKERS[record_type]]
            items = booker._with_bindings(self, groups[record_type], outcomes)
            if items:
                outcomes.update(self._book_items(booker, items))
        self._settle(outcomes)

    def _newest(self, events, outcomes):
        """Of several versions of one thing only the newest counts."""
        newest = {}
        for event in events:
            key = (event.stream, event.external_id)
            other = newest.get(key)
            if other is None or event.external_version > other.external_version:
                newest[key], event = event, other
            if event:
                outcomes[event] = Outcome("done", "outdated", message=self.env._("A newer version came with it."))
        return list(newest.values())

    def _translate_events(self, events, outcomes):
        """{record type: [(event, record)]}; what cannot be understood gets its outcome at once."""
        connector = self._connector()
        groups = {}
        for event in events:
            try:
                record = connector.translate(event.stream, json.loads(event.payload))
            except base.BridgeError as error:
                outcomes[event] = error
            except Exception as error:  # a payload no one foresaw must not stop the others
                _logger.info("event %s cannot be translated", event.id, exc_info=True)
                outcomes[event] = base.DataError(
                    self.env._("The payload cannot be read (%s). It is kept; report it, then retry.", repr(error))
                )
            else:
                groups.setdefault(type(record).__name__, []).append((event, record))
        return groups

    def _book_items(self, booker, items):
        """{event: Outcome or exception} of items of one kind."""
        planned = self._safely(lambda some: booker._plan(self, some), items)
        plans = {item: plan for item, plan in planned.items() if isinstance(plan, Plan)}
        settled = {item: plan for item, plan in planned.items() if item not in plans}
        if self.state == "rehearse":
            self.env["bridge.rehearsal"]._note(
                self, {item: plan for item, plan in planned.items() if not isinstance(plan, Exception)}
            )
            done = Outcome("done", "rehearsed", message=self.env._("Rehearsal: nothing was booked."))
            return {item.event: outcome for item, outcome in (settled | dict.fromkeys(plans, done)).items()}
        booked = self._safely(lambda some: booker._execute(self, {item: plans[item] for item in some}), list(plans))
        self._bind_outcomes(settled | booked)
        return {item.event: outcome for item, outcome in (settled | booked).items()}

    def _safely(self, work, items):
        """{item: result} of ``work(items)``; when that fails, of its halves, until the bad ones stand alone, each
        with its exception."""
        if not items:
            return {}
        try:
            with self.env.cr.savepoint():
                return work(items)
        except CONCURRENCY_ERRORS:
            raise
        except Exception as error:
            if len(items) == 1:
                if not isinstance(error, UserError):
                    _logger.warning("event %s cannot be booked", items[0].event.id, exc_info=True)
                return {items[0]: error}
        half = len(items) // 2
        return self._safely(work, items[:half]) | self._safely(work, items[half:])

    def _bind_outcomes(self, booked):
        """Remember what each fact became, and which version and content of it."""
        new = {}
        for item, outcome in booked.items():
            if not isinstance(outcome, Outcome) or outcome.status != "done":
                continue
            # Without a digest the same fact is not taken for settled when it comes back for the rest.
            digest_done = False if outcome.is_partial else item.digest
            vals = {"version": item.event.external_version, "digest": digest_done, **outcome.extra}
            if item.binding:
                record = outcome.record
                if record is not None and record:
                    vals |= {"res_model": record._name, "res_id": record.id}
                item.binding.write(vals)
            elif outcome.entity and outcome.record:
                new.setdefault(outcome.entity, []).append((item.event.external_id, outcome.record, vals))
        for entity, rows in new.items():
            self.env["bridge.binding"]._bind(self, entity, rows)

    def _settle(self, outcomes):
        """Write every event's fate: one statement for those that ended well."""
        missing, rows = {}, []
        for event, outcome in outcomes.items():
            if isinstance(outcome, Exception):
                kind = getattr(outcome, "kind", "data")
                event._fail(str(outcome), kind, getattr(outcome, "retry_after", None))
            elif outcome.retry_in is not None:
                event._fail(outcome.message, "transient", outcome.retry_in)
            else:
                record = outcome.record
                name, res_id = (record._name, record.id) if record else (None, None)
                rows.append(
                    SQL(
                        "(%s, %s, %s, %s, %s, %s::int)",
                        event.id,
                        "pending" if outcome.is_partial else outcome.status,
                        outcome.result or None,
                        outcome.message or None,
                        name,
                        res_id,
                    )
                )
                if outcome.missing:
                    missing[event] = outcome.missing
        if rows:
            self.env["bridge.event"].flush_model()
            self.env.cr.execute(
                SQL(
                    """UPDATE bridge_event e SET state = v.state, result = v.result, message = v.message,
                           res_model = v.model, res_id = v.res_id, attempts = e.attempts + 1, error_class = NULL,
                           done_at = now() AT TIME ZONE 'utc', write_date = now() AT TIME ZONE 'utc'
                         FROM (VALUES %s) AS v (id, state, result, message, model, res_id) WHERE e.id = v.id""",
                    SQL(", ").join(rows),
                )
            )
            self.env["bridge.event"].invalidate_model(["state", "result", "message", "res_model", "res_id", "attempts"])
            self._outdate_earlier(
                [event.id for event, outcome in outcomes.items() if getattr(outcome, "status", "") == "done"]
            )
        self.env["bridge.work.item"]._need(self, missing)

    def _outdate_earlier(self, event_ids):
        """What an older version was blocked for, or waited for, is history once a newer one is booked."""
        self.env.cr.execute(
            """UPDATE bridge_event old SET state = 'done', result = 'outdated', message = %s
                 FROM bridge_event new
                WHERE new.id = ANY(%s) AND old.channel_id = new.channel_id AND old.stream = new.stream
                  AND old.external_id = new.external_id AND old.external_version < new.external_version
                  AND old.state IN ('waiting', 'blocked', 'failed')""",
            [self.env._("A newer version was booked."), event_ids],
        )


class BridgeBooker(models.AbstractModel):
    """Base of those who book: see :mod:`..booking`."""

    _name = "bridge.booking"
    _description = "Booking"

    _entity = None  # entity of the bindings this booker makes

    def _with_bindings(self, channel, pairs, outcomes):
        """Items worth planning: what is older than, or the same as, what was applied already is settled here."""
        bindings = {}
        if self._entity:
            bindings = self.env["bridge.binding"]._get(channel, self._entity, [e.external_id for e, _r in pairs])
        items = []
        for event, record in pairs:
            binding = bindings.get(event.external_id, self.env["bridge.binding"])
            fingerprint = digest(record)
            if binding and event.external_version < (binding.version or ""):
                outcomes[event] = self._settled(binding, "outdated", self.env._("A newer version is applied already."))
            elif binding and binding.digest == fingerprint:
                binding.version = event.external_version
                outcomes[event] = self._settled(binding, "unchanged")
            else:
                items.append(Item(event, record, binding, fingerprint))
        return items

    @staticmethod
    def _settled(binding, result, message=""):
        return Outcome("done", result, record=binding._record(), message=message)

    def _plan(self, channel, items):
        raise NotImplementedError

    def _execute(self, channel, plans):
        raise NotImplementedError


class BridgeBookingAside(models.AbstractModel):
    """Facts we recognise and knowingly do not book."""

    _name = "bridge.booking.aside"
    _inherit = "bridge.booking"
    _description = "Set aside"

    def _plan(self, channel, items):
        reason = self.env._("Points are not booked as documents.")
        return {
            item: Outcome("skipped", "ignored", message=getattr(item.record, "reason", "") or reason) for item in items
        }
