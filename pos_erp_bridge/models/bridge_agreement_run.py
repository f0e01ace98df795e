# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The comparison as the poll lane runs it: pages are asked for outside of any transaction and kept in short ones."""

import time
from datetime import UTC, datetime, timedelta

from psycopg2.errors import UniqueViolation

from odoo import api, fields, models

from ..connectors.base import Capability, DataError
from .bridge_poll import BEGINNING

SLICE = 40.0  # seconds of a lane's run; the next one goes on at the page
OUTDATED = timedelta(hours=6)  # a comparison cut off so long ago starts again
SALES = {"sale": Capability.SALES_IN, "order": Capability.ORDERS_IN}
SALES_PATIENCE = timedelta(minutes=2)  # for sales that were told of and are not booked yet
LINES = 1000  # differences judged in one transaction
LOOK_BATCH, LOOKS_AT_ONCE, LOOK_PAUSE = 50, 200, 10  # levels read singly: in one go, in one run; seconds between runs


class BridgeChannel(models.Model):
    _inherit = "bridge.channel"

    reconciled_at = fields.Datetime("Stock compared", readonly=True, copy=False)
    reconcile_message = fields.Char("Last comparison", readonly=True, copy=False)
    agreement_ids = fields.One2many("bridge.agreement", "channel_id")
    can_compare = fields.Boolean(compute="_compute_can_compare")

    def _compute_can_compare(self):
        for channel in self:
            channel.can_compare = channel._can(Capability.STOCK_IN)

    # -- asking ----------------------------------------------------------------------------------
    def _is_reconcile_due(self):
        """Once a night, in the channel's own time zone."""
        today = self._local_midnight(fields.Date.context_today(self), self.timezone)
        return not self.reconciled_at or self.reconciled_at < today

    def _ask_agreement(self, kind):
        """Have the poll lane compare the channel's levels soon; returns the comparison."""
        self.ensure_one()
        try:
            with self.env.cr.savepoint():
                run = self.env["bridge.agreement"].sudo()._start(self, kind)
        except UniqueViolation:  # another user asked in this very moment
            run = self.env["bridge.agreement"]
        self._wake("poll")
        return run

    def _compare_after_outage(self):
        """The channel answers again: nobody knows what happened over there meanwhile."""
        for channel in self.filtered(lambda c: c.state == "live" and c._can(Capability.STOCK_IN)):
            channel._ask_agreement("outage")

    def action_reconcile_now(self):
        """Start a comparison and show how it gets on."""
        self.env["bridge.agreement"]._check_may_act()
        self.ensure_one()
        self.check_access("read")
        if self.state != "live" or not self._can(Capability.STOCK_IN):
            return self.action_open_agreements()
        run = self._ask_agreement("demand")
        if not run:
            return self.action_open_agreements()
        return {
            "type": "ir.actions.act_window",
            "res_model": "bridge.agreement",
            "res_id": run.id,
            "views": [(False, "form")],
        }

    def action_open_agreements(self):
        return self._open("bridge_agreement_action")

    # -- running ---------------------------------------------------------------------------------
    def _run_poll_extra(self):
        super()._run_poll_extra()
        if self._can(Capability.STOCK_IN):
            self._run_agreement()
        self._retrying(lambda channel: channel._watch_drift())

    def _run_agreement(self):
        connector, deadline = self._connector(), time.monotonic() + SLICE
        run_id = self._retrying(lambda channel: channel._agreement_to_run())
        if not run_id:
            run_id = self._look_at_hints(connector)
        while run_id and (state := self._agreement_state(run_id)) in ("reading", "checking"):
            if time.monotonic() > deadline:
                self._retrying(lambda channel: channel._wake("poll"))
                return
            step = self._read_step if state == "reading" else self._check_step
            if not step(connector, run_id):
                return

    def _agreement_to_run(self):
        """Id of the comparison to work on now: the one under way, or tonight's."""
        if self.state != "live":
            return None
        Agreement = self.env["bridge.agreement"]
        run = Agreement._open(self)
        if run and run.write_date < fields.Datetime.now() - OUTDATED:
            run.action_stop()
            run = Agreement._start(self, run.kind)
        levels = self.env["bridge.stock.level"]
        if not run and self._is_reconcile_due() and levels.search_count([("channel_id", "=", self.id)], limit=1):
            # Noted at once: when the channel cannot be read, the night is over, not the day.
            self.reconciled_at = fields.Datetime.now()
            run = Agreement._start(self, "night")
        return run.id

    def _agreement_state(self, run_id):
        with self._transaction() as channel:
            return channel.env["bridge.agreement"].browse(run_id).exists().state

    def _clock(self):
        """The database's time now, with its fractions: levels are stamped by the same clock."""
        self.env.cr.execute("SELECT clock_timestamp() AT TIME ZONE 'utc'")
        return self.env.cr.fetchone()[0]

    def _read_step(self, connector, run_id):
        """Read and compare one page."""
        with self._transaction() as channel:
            cursor, read_at = channel.env["bridge.agreement"].browse(run_id).cursor or None, channel._clock()
        page = connector.pull("stock", BEGINNING.replace(tzinfo=UTC), datetime.now(UTC), cursor)

        def keep(channel):
            run = channel.env["bridge.agreement"].browse(run_id).exists()
            if run.state == "reading" and (run.cursor or None) == cursor:
                run._take_page(connector, page, read_at)

        self._retrying(keep)
        return True

    # -- causes ----------------------------------------------------------------------------------
    def _check_step(self, connector, run_id):
        """Know of all sales made before the reading, wait until they are booked, judge; False when it must wait."""
        with self._transaction() as channel:
            run = channel.env["bridge.agreement"].browse(run_id)
            has_lines = bool(run.line_ids.filtered(lambda line: line.state == "check"))
            is_polled = run.is_polled
        if has_lines and not is_polled:
            for stream in (s for s, capability in SALES.items() if s in connector.streams and self._can(capability)):
                while self._retrying(lambda channel, stream=stream: channel._poll_page(connector, stream)):
                    pass
            self._retrying(
                lambda channel: channel.env["bridge.agreement"].browse(run_id).exists().write({"is_polled": True})
            )
        if has_lines and self._retrying(lambda channel: channel._must_wait(run_id)):
            return False
        if has_lines and self._judge_lines(connector, run_id):
            self._retrying(lambda channel: channel._postpone("poll", LOOK_PAUSE))
            return False
        self._retrying(lambda channel: channel.env["bridge.agreement"].browse(run_id).exists()._finish())
        return True

    def _must_wait(self, run_id):
        """Whether sales are just being booked: soon the numbers will tell more."""
        run = self.env["bridge.agreement"].browse(run_id).exists()
        if not run or fields.Datetime.now() - run.checked_at > SALES_PATIENCE:
            return False
        domain = [("channel_id", "=", self.id), ("state", "=", "pending"), ("attempts", "=", 0)]
        if not self.env["bridge.event"].search_count(domain, limit=1):
            return False
        self._wake("inbound")
        self._postpone("poll", LOOK_PAUSE)
        return True

    def _judge_lines(self, connector, run_id):
        """Give every line its cause. Levels that moved meanwhile are looked at again; returns how many must wait."""
        with self._transaction() as channel:
            lines = channel.env["bridge.agreement"].browse(run_id).line_ids
            ids = lines.filtered(lambda line: line.state == "check").sorted("id").ids
        again = []
        for start in range(0, len(ids), LINES):
            again += self._retrying(lambda channel, some=ids[start : start + LINES]: channel._judge(some).ids)
        looked, rest = again[:LOOKS_AT_ONCE], again[LOOKS_AT_ONCE:]
        for start in range(0, len(looked), LOOK_BATCH):
            self._look_again(connector, looked[start : start + LOOK_BATCH])
        moving = self._retrying(lambda channel: channel._judge(looked).ids) if looked else []
        return len(moving) + len(rest)

    def _judge(self, line_ids):
        lines = self.env["bridge.agreement.line"].browse(line_ids).exists().filtered(lambda line: line.state == "check")
        return self.env["bridge.agreement.cause"]._judge(self, lines)

    def _look_again(self, connector, line_ids):
        """Read the levels of these lines once more, one by one."""
        with self._transaction() as channel:
            lines = channel.env["bridge.agreement.line"].browse(line_ids).exists()
            keys, read_at = lines.level_id._keys(channel), channel._clock()
            wanted = {line.id: keys[line.level_id.id] for line in lines if line.level_id.id in keys}
        shown = self._fetch_levels(connector, wanted.values())

        def keep(channel):
            for line in channel.env["bridge.agreement.line"].browse(wanted).exists():
                key = wanted[line.id]
                line.write({"shown": shown.get(key, 0.0), "is_listed": key in shown, "seen_at": read_at,
                            "looks": line.looks + 1})  # fmt: skip

        self._retrying(keep)

    @api.model
    def _fetch_levels(self, connector, keys):
        """{(store id, stock id): quantity} of these levels at the channel; what it does not list is left out."""
        ids = [connector.level_id(*key) for key in dict.fromkeys(keys)]
        try:
            facts = connector.fetch("stock", ids)
        except DataError:
            if len(ids) == 1:
                return {}
            # One the channel cannot make sense of must not hide the others.
            return {key: found for one in keys for key, found in self._fetch_levels(connector, [one]).items()}
        levels = [connector.translate("stock", fact.payload) for fact in facts]
        return {(level.store_id, level.stock_id): float(level.quantity) for level in levels}

    # -- hints -----------------------------------------------------------------------------------
    def _look_at_hints(self, connector):
        """Levels the channel told of some minutes ago, and not as the echo of our push: does it still differ?
        Returns the comparison that finds out why, or None."""
        with self._transaction() as channel:
            levels = channel.env["bridge.agreement.look"]._due(channel) if channel.state == "live" else ()
            keys, read_at = (levels._keys(channel), channel._clock()) if levels else ({}, None)
            level_ids = list(levels.ids) if levels else []
        if not level_ids:
            return None
        shown = self._fetch_levels(connector, keys.values())

        def keep(channel):
            channel.env["bridge.agreement.look"]._done(channel, level_ids)
            levels = channel.env["bridge.stock.level"].browse(level_ids).exists()
            differing = {
                level: shown[keys[level.id]]
                for level in levels
                if keys.get(level.id) in shown and shown[keys[level.id]] != level.desired
            }
            if not differing:
                return None
            now = fields.Datetime.now()
            values = {"state": "checking", "checked_at": now, "read_count": len(shown), "compared_count": len(shown)}
            run = channel.env["bridge.agreement"]._start(channel, "hint", **values)
            run._note_lines(differing, read_at)
            return run.id

        return self._retrying(keep)


class BridgeStockLevel(models.Model):
    _inherit = "bridge.stock.level"

    read_at = fields.Datetime("Read at the channel", readonly=True, help="Before it was told for the first time.")

    @api.model
    def _of_channel(self, channel, keys):
        """Levels by the channel's own ids, and what is not ours.

        :param keys: iterable of (store id, stock id), as the channel names them
        :return: ({key: level}, [keys of items no product is mapped to]); stores that are not mapped are left out
        """
        stores = {store.external_id: store for store in channel.store_ids if store.location_id}
        keys = [key for key in keys if key[0] in stores]
        stock_ids = list({stock_id for _store, stock_id in keys})
        bindings = self.env["bridge.binding"].search(
            [
                ("channel_id", "=", channel.id),
                ("entity", "=", "product"),
                "|",
                ("stock_external_id", "in", stock_ids),
                "&",
                ("stock_external_id", "in", (False, "")),
                ("external_id", "in", stock_ids),
            ],
            order="id",
        )
        products = {b.stock_external_id or b.external_id: b.res_id for b in bindings}
        told = self._stock_ids(channel, set(products.values()))
        levels = self.search(
            [
                ("store_id", "in", [stores[store_id].id for store_id in {key[0] for key in keys}]),
                ("product_id", "in", list(set(products.values()))),
            ]
        )
        by_key = {(level.store_id.id, level.product_id.id): level for level in levels}
        found, unmapped = {}, []
        for store_id, stock_id in keys:
            product_id = products.get(stock_id)
            level = by_key.get((stores[store_id].id, product_id))
            if product_id is None:
                unmapped.append((store_id, stock_id))
            elif level and told.get(product_id) == stock_id:
                found[store_id, stock_id] = level
        return found, unmapped

    def _keys(self, channel):
        """{level id: (store id, stock id)} as the channel names them; what is not mapped is left out."""
        stock_ids = self._stock_ids(channel, self.product_id.ids)
        return {
            level.id: (level.store_id.external_id, stock_ids[level.product_id.id])
            for level in self
            if level.product_id.id in stock_ids
        }
