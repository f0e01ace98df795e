# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The guard before the outward lane: what would zero or multiply many items asks first.

It is more often a mistake (a location unmapped, a count half done, the feature switched on over a full shop) than
the truth. What counts is everything of the last minutes, sent or not: a mistake that trickles in by fifty small
folds is the same mistake.
"""

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..connectors.base import Capability

ACTIVITY = "pos_erp_bridge.mail_activity_held"
FEW = 50  # levels never told that are read one by one; of more the whole list is read
GUARD_BATCH = 1000


class BridgeStockLevel(models.Model):
    _inherit = "bridge.stock.level"

    wild_at = fields.Datetime(readonly=True, help="When it was to be brought to zero or multiplied last.")
    is_kept = fields.Boolean("Channel's number kept", readonly=True)

    _wild_index = models.Index("(channel_id, wild_at) WHERE wild_at IS NOT NULL")

    def _is_wild(self, factor):
        return self.is_known and self.confirmed > 0 and (self.desired <= 0 or self.desired > factor * self.confirmed)

    def _guard(self, channel, due):
        """Hold what looks like a mistake, together with the rest of it, and ask a person once."""
        super()._guard(channel, due)
        now = fields.Datetime.now()
        wild = due.filtered(lambda level: level._is_wild(channel.guard_factor))
        (due - wild).filtered("is_kept").write({"is_kept": False})
        if not wild:
            return
        wild.write({"wild_at": now})
        since = fields.Datetime.subtract(now, minutes=channel.guard_minutes)
        if channel.guard_passed_at:
            since = max(since, channel.guard_passed_at)
        recent = self.search_count([("channel_id", "=", channel.id), ("wild_at", ">=", since)])
        if recent > channel.guard_items:
            changed = self.search_count(self._changed_since(channel, since))
            is_mistake = recent > changed * channel.guard_share / 100
        else:
            is_mistake = False
        if is_mistake or channel.guard_asked_at:
            # Also what earlier folds of the same few minutes left to be sent.
            domain = [("channel_id", "=", channel.id), ("wild_at", ">=", since), ("state", "=", "due"),
                      ("push_id", "=", False)]  # fmt: skip
            wild |= self.search(domain).filtered(lambda level: level._is_wild(channel.guard_factor))
        else:
            wild = wild.filtered("is_kept")
        if wild:
            channel._hold(wild, recent, is_mistake)

    @api.model
    def _changed_since(self, channel, since):
        """Domain of the levels that changed since then."""
        return [("channel_id", "=", channel.id), ("write_date", ">=", since)]

    @api.model
    def _sendable(self, channel):
        """A level the channel was never told is read there first, where that is possible."""
        conditions = super()._sendable(channel)
        if channel._can(Capability.STOCK_IN):
            conditions += ["|", ("pushed_at", "!=", False), ("read_at", "!=", False)]
        return conditions

    # -- the answers -----------------------------------------------------------------------------
    def action_push(self):
        """What a person sends he has decided."""
        channels = self.filtered(lambda level: level.state == "held").channel_id
        self.write({"is_kept": False, "wild_at": False})
        result = super().action_push()
        channels._answer_held(self.env._("Sent by %s.", self.env.user.name))
        return result

    def action_send_held(self):
        """Send the selected changes, or all of the channel: the numbers are right."""
        self._held().action_push()
        return {"type": "ir.actions.client", "tag": "soft_reload"}

    def action_keep_held(self):
        """Keep the channel's numbers for now: nothing of it is sent until somebody sends it or it turns out tame."""
        levels = self._held()
        levels.write({"is_kept": True, "wild_at": False, "message": self._kept_text()})
        levels.channel_id._answer_held(self.env._("The channel's numbers are kept for now (%s).", self.env.user.name))
        return {"type": "ir.actions.client", "tag": "soft_reload"}

    def _held(self):
        """The selected levels; without a selection all that are held of the channel whose list it is."""
        levels = self
        if not levels:
            channel_id = self.env.context.get("default_channel_id")
            if not channel_id:
                raise UserError(self.env._("Select the lines first, or open the list from the channel's card."))
            levels = self.search([("channel_id", "=", channel_id)])
        return levels.filtered(lambda level: level.state == "held")

    def _kept_text(self):
        return self.env._("The channel's number is kept until somebody sends it.")


class BridgeChannel(models.Model):
    _inherit = "bridge.channel"

    guard_items = fields.Integer(
        "Ask above (items)", default=30, required=True,
        help="More items than this brought to zero, or multiplied, within the minutes below: a person is asked first.",
    )  # fmt: skip
    guard_share = fields.Integer(
        "… and this share of the changes (%)", default=50, required=True,
        help="Of all levels that changed meanwhile. A busy day sells out many items among many other changes.",
    )  # fmt: skip
    guard_factor = fields.Integer("Multiplied means more than (times)", default=10, required=True)
    guard_minutes = fields.Integer("Counted over (minutes)", default=10, required=True)
    guard_asked_at = fields.Datetime("Stock question open since", readonly=True, copy=False)
    guard_passed_at = fields.Datetime(readonly=True, copy=False)
    held_count = fields.Integer("Held stock changes", compute="_compute_held_count")

    _guard_positive = models.Constraint(
        "CHECK(guard_items >= 0 AND guard_share BETWEEN 0 AND 100 AND guard_factor > 1 AND guard_minutes > 0)",
        "Items and share cannot be negative (at most 100 %), the factor is above one, the minutes above zero.",
    )

    def _compute_held_count(self):
        held = self._counts("bridge.stock.level", [("state", "=", "held")])
        for channel in self:
            channel.held_count = held.get(channel.id, 0)

    def _hold(self, levels, count, is_new):
        """Hold these levels; ask when nobody was asked yet."""
        reason = self.env._(
            "%(count)s items within %(minutes)s minutes would be set to zero or to more than %(factor)s times what the "
            "channel shows. Decide: send them, or keep the channel's numbers for now.",
            count=count,
            minutes=self.guard_minutes,
            factor=self.guard_factor,
        )
        kept = levels.filtered("is_kept")
        kept.write({"state": "held", "message": kept._kept_text()})
        (levels - kept).write({"state": "held", "message": reason})
        if not is_new or self.guard_asked_at:
            return
        self.guard_asked_at = fields.Datetime.now()
        self.activity_schedule(
            ACTIVITY,
            user_id=(self.create_uid or self.env.user).id,
            summary=self.env._("Stock held: decide"),
            note=reason,
        )

    # -- the question ----------------------------------------------------------------------------
    def action_open_held(self):
        action = self._open("bridge_stock_held_action")
        return {**action, "domain": [*action["domain"], ("state", "=", "held")]}

    def _answer_held(self, feedback):
        """A person decided about held changes; the question is closed when none is left undecided."""
        held = self.env["bridge.stock.level"].sudo()
        now = fields.Datetime.now()
        for channel in self.sudo():
            channel.guard_passed_at = now
            domain = [("channel_id", "=", channel.id), ("state", "=", "held"), ("is_kept", "=", False)]
            if not held.search_count(domain, limit=1):
                channel.guard_asked_at = False
                channel.activity_feedback([ACTIVITY], feedback=feedback)  # the chatter says who decided

    # -- before the first push -------------------------------------------------------------------
    def _before_push(self, connector):
        """Read what the channel shows of levels it was never told: switched on late, this must not wipe the other
        side. A few are read one by one; for many the poll lane reads the whole list, and they wait for it."""
        super()._before_push(connector)
        if not self._can(Capability.STOCK_IN):
            return
        with self._transaction() as channel:
            levels = channel.env["bridge.stock.level"].search(channel._unread(), limit=FEW + 1)
            keys, level_ids, now = levels._keys(channel), levels.ids, fields.Datetime.now()
        if not level_ids:
            return
        if len(level_ids) > FEW:
            self._retrying(lambda channel: channel._read_first())
            return
        shown = self._fetch_levels(connector, keys.values())

        def keep(channel):
            levels = channel.env["bridge.stock.level"].browse(level_ids).exists()
            for level in levels.filtered(lambda level: keys.get(level.id) in shown):
                level.write({"confirmed": shown[keys[level.id]], "is_known": True})
            levels.write({"read_at": now})
            levels._guard(channel, levels.filtered(lambda level: level.state == "due"))

        self._retrying(keep)

    def _unread(self):
        return [("channel_id", "=", self.id), ("state", "in", ("due", "stale")), ("pushed_at", "=", False),
                ("read_at", "=", False)]  # fmt: skip

    def _watch_drift(self):
        super()._watch_drift()
        if self.guard_asked_at and not self._is_undecided():  # the question has answered itself
            self.guard_asked_at = False
            self.activity_feedback([ACTIVITY], feedback=self.env._("Nothing is held any more."))

    def _is_undecided(self):
        return bool(self.held_count)

    def _read_first(self):
        """Have the channel's list read before many levels are told for the first time."""
        # An open comparison may be past their page: it is another one's turn then.
        self._ask_agreement("first")


class BridgeAgreement(models.Model):
    _inherit = "bridge.agreement"

    def _finish(self):
        """Levels first seen now may be told; what the channel does not list, too."""
        super()._finish()
        if self.kind == "hint":
            return
        channel = self.channel_id
        Level = self.env["bridge.stock.level"]
        # Together and not page by page, so that the guard sees the whole of it.
        levels = Level.search(
            [*channel._unread(), "|", ("is_known", "=", True), ("create_date", "<=", self.create_date)]
        )
        if levels:
            levels.write({"read_at": self.finished_at})
            levels._guard(channel, levels)
            channel._wake("outward")
