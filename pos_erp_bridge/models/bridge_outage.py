# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import SQL

# Shorter than this, a channel merely stuttered: the lanes' own tries made up for it.
STUTTER = timedelta(minutes=2)
STEP = 5  # percent


class BridgeOutage(models.Model):
    """A time a channel did not answer.

    Rows of their own, so that whoever notes the silence of a channel never writes the channel's row, which the lanes
    write in long transactions of theirs.
    """

    _name = "bridge.outage"
    _description = "Outage of a channel"
    _order = "started_at desc, id desc"
    _rec_name = "started_at"

    channel_id = fields.Many2one("bridge.channel", required=True, ondelete="cascade", readonly=True, index=True)
    company_id = fields.Many2one(related="channel_id.company_id", store=True, index=True)
    started_at = fields.Datetime("No answer since", required=True, readonly=True)
    ended_at = fields.Datetime("Answered again", readonly=True)
    reason = fields.Char("What the channel last said", readonly=True)
    duration_text = fields.Char("Length", compute="_compute_duration_text")
    is_settled = fields.Boolean(readonly=True, help="Everything that follows from the channel's answering is done.")
    told_percent = fields.Integer(
        default=100, readonly=True, help="The part of the channel's share the other channels were told of last."
    )
    alarm_activity_id = fields.Many2one("mail.activity", readonly=True, ondelete="set null")
    is_alarmed = fields.Boolean(readonly=True)

    _open_uniq = models.UniqueIndex("(channel_id) WHERE ended_at IS NULL", "The outage of this channel is known.")
    _unsettled_index = models.Index("(channel_id) WHERE is_settled IS NOT TRUE")

    @api.depends("started_at", "ended_at")
    @api.depends_context("lang")
    def _compute_duration_text(self):
        now = fields.Datetime.now()
        for outage in self:
            age = (outage.ended_at or now) - outage.started_at
            outage.duration_text = outage.channel_id._age_text(age.total_seconds())

    @api.model
    def _begin(self, channel, reason):
        """Note that a channel did not answer, or why it still does not."""
        now = fields.Datetime.now()
        self.env.cr.execute(
            SQL(
                """INSERT INTO bridge_outage (channel_id, company_id, started_at, reason, told_percent, is_settled,
                                              is_alarmed, create_uid, create_date, write_uid, write_date)
                   VALUES (%(channel)s, %(company)s, %(now)s, %(reason)s, 100, false, false, %(uid)s, %(now)s, %(uid)s,
                           %(now)s)
                   ON CONFLICT (channel_id) WHERE ended_at IS NULL
                   DO UPDATE SET reason = excluded.reason
                   WHERE bridge_outage.reason IS DISTINCT FROM excluded.reason""",
                channel=channel.id, company=channel.company_id.id, now=now, reason=reason, uid=self.env.uid,
            )
        )  # fmt: skip

    @api.model
    def _end(self, channel):
        """Note that a channel answered. One look at an index when all is well."""
        now = fields.Datetime.now()
        self.env.cr.execute(
            SQL(
                """UPDATE bridge_outage SET ended_at = %(now)s, is_settled = %(now)s - started_at < %(stutter)s
                    WHERE channel_id = %(channel)s AND ended_at IS NULL""",
                now=now, channel=channel.id, stutter=STUTTER,
            )
        )  # fmt: skip

    def _percent(self, now):
        """How much of its share a channel keeps, by the age of its silence: whole steps, 100 to 0."""
        self.ensure_one()
        channel = self.channel_id
        hours = (now - self.started_at).total_seconds() / 3600 - channel.blind_after_minutes / 60
        left = 100 - max(0.0, hours) * channel.blind_shrink_percent
        return max(0, int(left // STEP) * STEP)

    @api.autovacuum
    def _gc_outages(self):
        """Stutters tell nothing after a week, outages nothing after two years."""
        now = fields.Datetime.now()
        self.env.cr.execute(
            """DELETE FROM bridge_outage
                WHERE is_settled AND (ended_at < %s OR ended_at < %s AND ended_at - started_at < %s)""",
            [now - timedelta(days=730), now - timedelta(days=7), STUTTER],
        )


class BridgeStockLevel(models.Model):
    _inherit = "bridge.stock.level"

    is_shrunk = fields.Boolean(
        readonly=True, help="Reckoned with the smaller share of a silent channel; not told before it is reckoned anew."
    )

    _shrunk_index = models.Index("(channel_id) WHERE is_shrunk")

    # A silent channel's levels fall by rule, which is no mistake to ask about; but a mistake may be among them, and
    # cannot be told apart there. So nothing of it is sent: the channel could not hear it anyway, and when it answers,
    # the whole share is its own again. What is reckoned with that passes the guard as ever. (The poll lane goes on
    # asking, so the answer is heard.)

    @api.model
    def _fold(self, channel):
        """What is left from a silence that is over is folded anew, however short the silence was."""
        count = super()._fold(channel)
        if not count and channel._blind_percent() == 100:
            left = self.search([("channel_id", "=", channel.id), ("is_shrunk", "=", True)])
            left.is_shrunk = False
            self.env["bridge.touch"]._touch_products(channel, left.product_id)
            count = len(left)
        return count

    def _set_desired(self, desired, own):
        changed = super()._set_desired(desired, own)
        is_blind = changed and changed.channel_id._blind_percent() < 100
        shrunk = changed.filtered(lambda level: is_blind and level.state != "synced")
        shrunk.filtered(lambda level: not level.is_shrunk).is_shrunk = True
        (changed - shrunk).filtered("is_shrunk").is_shrunk = False
        return changed

    def _guard(self, channel, due):
        super()._guard(channel, due.filtered(lambda level: not level.is_shrunk))

    @api.model
    def _sendable(self, channel):
        return [*super()._sendable(channel), ("is_shrunk", "=", False)]

    @api.model
    def _changed_since(self, channel, since):
        """After a silence all levels are reckoned anew: of those, only what is to be told has changed."""
        domain = super()._changed_since(channel, since)
        lately = [("channel_id", "=", channel.id), "|", ("ended_at", "=", False), ("ended_at", ">=", since)]
        if self.env["bridge.outage"].search_count(lately, limit=1):
            domain += [("is_shrunk", "=", False), "|", ("state", "!=", "synced"), ("pushed_at", ">=", since)]
        return domain


class BridgeAvailability(models.AbstractModel):
    _inherit = "bridge.availability"

    @api.model
    def _share_factor(self, store):
        """1.0 while the channel answers, down to 0.0 the longer it does not."""
        return super()._share_factor(store) * store.sudo().channel_id._blind_percent() / 100
