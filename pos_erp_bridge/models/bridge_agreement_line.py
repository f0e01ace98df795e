# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_datetime


class BridgeAgreementLine(models.Model):
    """One level a channel shows differently than it should: the numbers, the likely cause, what was done about it."""

    _name = "bridge.agreement.line"
    _description = "Difference of stock"
    _order = "id desc"
    _rec_name = "product_id"

    agreement_id = fields.Many2one("bridge.agreement", required=True, ondelete="cascade", index=True, readonly=True)
    channel_id = fields.Many2one("bridge.channel", required=True, ondelete="cascade", index=True, readonly=True)
    company_id = fields.Many2one(related="channel_id.company_id", store=True, index=True)
    level_id = fields.Many2one("bridge.stock.level", ondelete="cascade", index="btree_not_null", readonly=True)
    store_id = fields.Many2one("bridge.store", ondelete="cascade", readonly=True)
    product_id = fields.Many2one("product.product", ondelete="cascade", readonly=True)
    external_id = fields.Char("Stock id at the channel", readonly=True)
    shown = fields.Float("Channel shows", digits="Product Unit", readonly=True)
    believed = fields.Float("We believed", digits="Product Unit", readonly=True, help="What it agreed to last.")
    wanted = fields.Float("Should show", digits="Product Unit", readonly=True)
    difference = fields.Float(
        digits="Product Unit", compute="_compute_difference", store=True, help="What the channel shows too much."
    )
    cause = fields.Selection(
        [
            ("push", "Being told"),
            ("sale", "Sale on its way"),
            ("hold", "Promised stock"),
            ("foreign", "Changed over there"),
            ("missing", "Unknown there"),
            ("unmapped", "Not mapped here"),
        ],
        "Likely cause",
        readonly=True,
    )
    reason = fields.Char(readonly=True)
    action_taken = fields.Char("Done about it", readonly=True)
    state = fields.Selection(
        [
            ("check", "Being looked into"),
            ("open", "Open"),
            ("sent", "Being repaired"),
            ("repaired", "Repaired"),
            ("settled", "Settled by itself"),
            ("ignored", "Ignored"),
        ],
        default="open",
        required=True,
        readonly=True,
    )
    found_at = fields.Datetime("Found", default=fields.Datetime.now, readonly=True)
    seen_at = fields.Datetime("Channel read", readonly=True)
    ended_at = fields.Datetime("Ended", readonly=True)
    looks = fields.Integer(readonly=True)
    is_listed = fields.Boolean("Listed there", default=True, readonly=True)

    # Two comparisons of one level cannot both find it.
    _level_uniq = models.UniqueIndex(
        "(level_id) WHERE state IN ('check', 'open', 'sent')", "This difference is known already."
    )
    _open_index = models.Index("(channel_id, state) WHERE state IN ('check', 'open', 'sent')")

    @api.depends("shown", "wanted")
    def _compute_difference(self):
        for line in self:
            line.difference = line.shown - line.wanted

    # -- buttons ---------------------------------------------------------------------------------
    def action_repair(self):
        """Set the levels anew, with the channel's number as the ground."""
        self.env["bridge.agreement"]._check_may_act()
        self.check_access("read")
        lines = self.sudo().filtered(lambda line: line.state == "open")
        ready = lines.filtered(
            # What the guard holds is decided there, with all that belongs to it.
            lambda line: (
                line.cause in ("foreign", "missing") or (line.cause == "push" and line.level_id.state != "held")
            )
        )
        if not ready:
            raise UserError(
                self.env._(
                    "Nothing here can be repaired: a sale or promise on its way is waited for, and an item that is not "
                    "mapped is decided under Mappings."
                )
            )
        ready._repair(self.env._("By %s.", self.env.user.name))
        left = len(lines - ready)
        text = self.env._("%s levels are set anew.", len(ready))
        if left:
            text += " " + self.env._("%s are left alone: a sale is on its way, it is held, or not mapped.", left)
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {"message": text, "type": "success", "next": {"type": "ir.actions.client", "tag": "soft_reload"}},
        }

    def action_ignore(self):
        """Leave the channel's number as it is; the same numbers are not reported again."""
        self.env["bridge.agreement"]._check_may_act()
        self.check_access("read")
        lines = self.sudo().filtered(lambda line: line.state == "open")
        lines.write(
            {
                "state": "ignored",
                "action_taken": self.env._("Ignored by %s.", self.env.user.name),
                "ended_at": fields.Datetime.now(),
            }
        )

    def action_open_level(self):
        """Row click: the level, or the mappings where no product is known."""
        self.ensure_one()
        if not self.level_id:
            return self.channel_id.action_open_work_items()
        action = self.env["ir.actions.act_window"]._for_xml_id("pos_erp_bridge.bridge_stock_level_action")
        return {**action, "domain": [("id", "=", self.level_id.id)], "context": {}}

    # -- repair ----------------------------------------------------------------------------------
    def _repair(self, who):
        """Set the levels anew through the outward lane. Compare-and-set there is what keeps a sale made in this very
        moment: a channel that holds yet another number is waited for, not overwritten."""
        now = fields.Datetime.now()
        for line in self:
            level = line.level_id
            vals = {"state": "due", "run_at": now, "attempts": 0, "message": False}
            if line.cause == "missing":
                vals |= {"is_known": False, "read_at": now, "push_id": False}
            elif line.cause != "push":
                # What was sold and booked since the comparison moved both numbers alike.
                ground = level.confirmed + line.shown - line.believed
                vals |= {"confirmed": ground, "is_known": True, "push_id": False, "stale_since": False}
                vals["is_doubtful"] = True
            elif line.shown != level.confirmed:
                vals["attempts"] = 1  # told even when what it should show becomes what we believed it shows
            level.write(vals)
            line.write({"state": "sent", "action_taken": who})
        for channel, lines in self.grouped("channel_id").items():
            due = lines.level_id.filtered(lambda level: level.state == "due")
            due._guard(channel, due)
        self.channel_id._wake("outward")

    def _settle(self):
        self.write(
            {
                "state": "settled",
                "action_taken": self.env._("The next comparison found it agreed."),
                "ended_at": fields.Datetime.now(),
            }
        )

    @api.model
    def _end_sent(self, channel):
        """Repairs the channel has agreed to are done; those it refused are open again."""
        lines = self.search([("channel_id", "=", channel.id), ("state", "=", "sent")])
        done = lines.filtered(lambda line: line.level_id.state == "synced")
        done.write({"state": "repaired", "ended_at": fields.Datetime.now()})
        for line in lines.filtered(lambda line: line.level_id.state in ("failed", "held")):
            line.write({"state": "open", "cause": "push", "reason": line.level_id.message})

    def _judged(self, cause, reason):
        """Keep the likely cause, and repair by the channel's rule what only somebody over there can have changed."""
        self.ensure_one()
        channel, level = self.channel_id, self.level_id
        self.write({"cause": cause, "reason": reason, "state": "open", "believed": level.confirmed,
                    "wanted": level.desired, "action_taken": False})  # fmt: skip
        if not level.differs_since:
            level.differs_since = self.found_at
        if cause in ("sale", "push", "hold"):
            self.action_taken = self.env._("Left to settle; the next comparison looks again.")
        elif cause == "foreign":
            size, rule = abs(self.shown - level.confirmed), channel.drift_repair
            if rule == "all" or (rule == "small" and size <= channel.drift_small):
                return True
        return False

    def _moment(self, at):
        return format_datetime(self.env, at, tz=self.channel_id.timezone, dt_format="short")
