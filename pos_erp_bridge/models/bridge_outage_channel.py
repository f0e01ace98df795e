# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""A channel that does not answer: noticed, shown, alarmed, trusted less, and taken back in."""

import logging
from functools import partial

from odoo import api, fields, models

from ..connectors import base
from ..locks import CONCURRENCY_ERRORS

_logger = logging.getLogger(__name__)


class Watched:
    """A connector whose calls are listened to: the one place that knows whether a channel answers. The last call
    of a run decides. Everything else is the connector's own."""

    def __init__(self, connector, heard):
        self._connector, self._heard = connector, heard

    def __getattr__(self, name):
        value = getattr(self._connector, name)
        is_call = name in ("pull", "fetch") or name.startswith("push_") and callable(value)
        return partial(self._listen, value) if is_call else value

    def _listen(self, call, *args, **kwargs):
        heard = self._heard
        try:
            answer = call(*args, **kwargs)
        except base.TransientError as error:
            heard.is_answer, heard.silence = False, str(error)
            raise
        except base.BridgeError:
            heard.is_answer, heard.silence = True, ""  # an answer nobody likes is an answer
            raise
        heard.is_answer, heard.silence = True, ""
        return answer


class BridgeChannel(models.Model):
    _inherit = "bridge.channel"

    outage_ids = fields.One2many("bridge.outage", "channel_id")
    unanswered_since = fields.Datetime("No answer since", compute="_compute_unanswered", compute_sudo=True)
    unanswered_reason = fields.Char("What it last said", compute="_compute_unanswered", compute_sudo=True)
    unanswered_text = fields.Char("Answering", compute="_compute_unanswered_text")
    unanswered_advice = fields.Char(compute="_compute_unanswered_text")
    alarm_minutes = fields.Integer(
        "Alarm after (minutes)", default=15, help="So long a channel may be silent before somebody is told. 0: never."
    )
    blind_after_minutes = fields.Integer(
        "Trust after silence for (minutes)", default=15,
        help="So long a silent channel keeps its whole share. After that, the others get what was kept for it.",
    )  # fmt: skip
    blind_shrink_percent = fields.Integer(
        "Share lost per hour (%)", default=25,
        help="By how much the share of a silent channel shrinks each hour; it comes back at once when the channel "
        "answers. 0: never.",
    )  # fmt: skip

    _outage_settings = models.Constraint(
        "CHECK(alarm_minutes >= 0 AND blind_after_minutes >= 0 AND blind_shrink_percent BETWEEN 0 AND 100)",
        "Minutes cannot be negative, and a share can lose 0 to 100 % an hour.",
    )

    # -- looking ---------------------------------------------------------------------------------
    def _compute_unanswered(self):
        """One query for all channels: the open outages, mostly none."""
        outages = self.env["bridge.outage"].search([("channel_id", "in", self.ids), ("ended_at", "=", False)])
        by_channel = {outage.channel_id.id: outage for outage in outages}
        for channel in self:
            outage = by_channel.get(channel.id)
            channel.unanswered_since = outage and outage.started_at
            channel.unanswered_reason = outage and outage.reason

    @api.depends("unanswered_since")
    @api.depends_context("lang")
    def _compute_unanswered_text(self):
        now = fields.Datetime.now()
        tills = self.env._(
            "The shops go on selling. Print the emergency sheet where the tills are down too, and enter what was sold "
            "as a tally when they are back."
        )
        web = self.env._("The store is told of the stock again when it answers. Orders are fetched then; none is lost.")
        for channel in self:
            since = channel.unanswered_since
            channel.unanswered_text = since and self.env._(
                "No answer for %s", channel._age_text((now - since).total_seconds())
            )
            channel.unanswered_advice = since and (tills if channel.kind == "till" else web)

    @api.model
    def _age_text(self, seconds):
        """How long something lasts, for people: to the minute."""
        minutes = int(seconds) // 60
        if minutes < 60:
            return self.env._("%(minutes)s min", minutes=minutes)
        return self._duration_text(minutes * 60)

    def _blind_percent(self):
        """How much of its share the channel keeps: 100 while it answers."""
        self.ensure_one()
        if not self.unanswered_since:
            return 100
        outage = self.env["bridge.outage"].sudo().search([("channel_id", "=", self.id), ("ended_at", "=", False)])
        return outage._percent(fields.Datetime.now()) if outage else 100

    def _is_undecided(self):
        """What was held before a silence is asked about again after it."""
        shrunk = [("channel_id", "=", self.id), ("is_shrunk", "=", True)]
        return super()._is_undecided() or bool(self.env["bridge.stock.level"].search_count(shrunk, limit=1))

    # -- listening -------------------------------------------------------------------------------
    def _connector(self):
        """In a lane, the connector is listened to. On a form, a person sees the answer himself."""
        connector, heard = super()._connector(), self.env.context.get("bridge_heard")
        return Watched(connector, heard) if heard else connector

    def _after_lane(self):
        """Note whether the channel answered; then alarm, shrink or take back in, whatever its outages ask for. Mostly
        nothing: then it costs two looks at an index."""
        super()._after_lane()
        try:
            self._retrying(lambda channel: channel._note_heard())
            while self._retrying(lambda channel: channel._settle_outage()):
                pass
        except base.TransientError as error:
            _logger.info("%s is silent again: %s", self.name, error)
        except CONCURRENCY_ERRORS:
            _logger.info("%s: another lane looks after its outage", self.name)

    def _note_heard(self):
        """Written in a transaction of its own, after the lane's: what failed was rolled back by then."""
        heard, Outage = self.env.context["bridge_heard"], self.env["bridge.outage"]
        if heard.silence:
            Outage._begin(self, heard.silence)
        elif heard.is_answer:
            Outage._end(self)
        self._follow_outages()

    # -- what follows ----------------------------------------------------------------------------
    def _follow_outages(self):
        """What a silence asks for as it lasts, and the share given back when it ends."""
        now = fields.Datetime.now()
        for outage in self.env["bridge.outage"].search([("channel_id", "=", self.id), ("is_settled", "=", False)]):
            percent = 100 if outage.ended_at else outage._percent(now)
            if percent != outage.told_percent:
                outage.told_percent = percent
                self._touch_sharing()
            age = (now - outage.started_at).total_seconds() / 60
            if not outage.ended_at and not outage.is_alarmed and 0 < self.alarm_minutes <= age:
                outage.write({"is_alarmed": True, "alarm_activity_id": self._alarm_silence(outage).id})

    def _touch_sharing(self):
        """Have the channel's levels computed again, and those of all who sell from the same places."""
        products = self.env["product.product"].browse(
            self.env["bridge.binding"]
            .search([("channel_id", "=", self.id), ("entity", "=", "product")])
            .mapped("res_id")
        )
        places = self.store_ids.location_id.ids
        domain = ["|", ("location_id", "child_of", places), ("location_id", "parent_of", places)]
        sharing = self.env["bridge.store"].sudo().search(domain).channel_id
        for channel in (self | sharing).filtered(lambda channel: channel.state == "live"):
            self.env["bridge.touch"]._touch_products(channel, products)

    def _alarm_silence(self, outage):
        return self.activity_schedule(
            "mail.mail_activity_data_warning",
            user_id=(self.create_uid or self.env.user).id,
            summary=self.env._("Channel does not answer"),
            note=self.env._(
                "%(age)s without an answer: %(reason)s\n%(advice)s",
                age=outage.duration_text, reason=outage.reason, advice=self.unanswered_advice or "",
            ),
        )  # fmt: skip

    def _settle_outage(self):
        """One outage that is over: say how long it took, and have the stock compared. True when there was one."""
        unsettled = self.env["bridge.outage"].search(
            [("channel_id", "=", self.id), ("is_settled", "=", False)], order="id"
        )
        if not unsettled or not all(unsettled.mapped("ended_at")):
            return False
        outage = unsettled[0]
        outage.is_settled = True
        text = self.env._(
            "Answered again after %(age)s. It last said: %(reason)s", age=outage.duration_text, reason=outage.reason
        )
        activity = outage.alarm_activity_id
        if activity and activity.active:
            activity.action_feedback(feedback=text)
        else:
            self.message_post(body=text)
        try:
            with self.env.cr.savepoint():
                self._compare_after_outage()
        except (base.TransientError, *CONCURRENCY_ERRORS):
            raise
        except Exception:
            # What is wrong there would be wrong at the next try; the nightly comparison shows it.
            _logger.warning("%s: the stock could not be compared after an outage", self.name, exc_info=True)
        return True

    # -- buttons ---------------------------------------------------------------------------------
    def action_emergency_sheet(self):
        action = self.env["ir.actions.act_window"]._for_xml_id("pos_erp_bridge.bridge_emergency_sheet_action")
        stores = self.store_ids.filtered("location_id")
        action["context"] = {"default_store_ids": stores.ids} if stores else {}
        return action

    def action_open_tallies(self):
        action = self._open("bridge_tally_action", open=True)
        # The channel of a tally is that of its store, whatever store is chosen.
        del action["context"]["default_channel_id"]
        action["context"]["bridge_tally_channel_id"] = self.id
        return action

    def action_enter_tally(self):
        """A new tally of this channel; of its store, where there is only one."""
        action = self.action_open_tallies() | {"views": [(False, "form")], "view_mode": "form"}
        stores = self.store_ids.filtered("location_id")
        if len(stores) == 1:
            action["context"]["default_store_id"] = stores.id
        return action

    def action_open_outages(self):
        return self._open("bridge_outage_action")
