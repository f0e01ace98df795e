# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import secrets

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import ormcache

from odoo.addons.base.models.res_partner import _tz_get

from ..connectors import base, get, registered


class BridgeChannel(models.Model):
    """A connected shop system or web store: who it is, how it is set up, how it is doing."""

    _name = "bridge.channel"
    _description = "Channel"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _order = "sequence, id"
    _check_company_auto = True

    name = fields.Char(required=True, tracking=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)
    color = fields.Integer()
    company_id = fields.Many2one("res.company", required=True, default=lambda self: self.env.company, index=True)
    currency_id = fields.Many2one(related="company_id.currency_id")
    system = fields.Selection(selection="_selection_system", required=True, help="The shop system at the other end.")
    kind = fields.Selection([("till", "Till"), ("web", "Web store")], compute="_compute_kind", store=True)
    state = fields.Selection(
        [
            ("draft", "Being set up"),
            ("rehearse", "Rehearsing"),
            ("live", "Live"),
            ("paused", "Paused"),
            ("stopped", "Stopped"),
        ],
        default="draft",
        required=True,
        tracking=True,
        copy=False,
        help="Rehearsing: pulls and translates for real, books nothing.\n"
        "Paused: by a person. Stopped: by the bridge, because something must be mended first.",
    )
    state_reason = fields.Char("Why", copy=False, help="What stopped the channel, and what to do.")

    setting_ids = fields.One2many("bridge.channel.setting", "channel_id", groups="base.group_system")
    token = fields.Char(
        default=lambda self: secrets.token_urlsafe(24), copy=False, groups="base.group_system", required=True
    )
    webhook_url = fields.Char(compute="_compute_webhook_url", groups="base.group_system")

    start_date = fields.Date(
        "Book from",
        default=fields.Date.context_today,
        required=True,
        help="Sales of earlier business days are set aside, not booked.",
    )
    timezone = fields.Selection(_tz_get, default="Asia/Tokyo", required=True)
    poll_minutes = fields.Integer(
        "Poll every (minutes)", default=lambda self: self.env.company.bridge_poll_minutes, required=True
    )
    store_ids = fields.One2many("bridge.store", "channel_id")
    default_store_id = fields.Many2one(
        "bridge.store", domain="[('channel_id', '=', id)]", help="Used where the channel names no store."
    )
    tax_ids = fields.Many2many(
        "account.tax",
        check_company=True,
        domain="[('type_tax_use', '=', 'sale')]",
        help="Sales taxes to book with, one per rate. Empty: the company's sales taxes whose price includes tax.",
    )
    repaired_count = fields.Integer(
        "Found by polling",
        readonly=True,
        copy=False,
        help="Facts that no webhook had told. Above zero, webhooks are being lost.",
    )

    _token_uniq = models.Constraint("UNIQUE(token)", "Two channels cannot share a webhook address.")
    _poll_positive = models.Constraint("CHECK(poll_minutes > 0)", "Poll at least every minute or slower.")

    @api.model
    def _selection_system(self):
        return [(key, connector.label) for key, connector in sorted(registered().items())]

    @api.depends("system")
    def _compute_kind(self):
        for channel in self:
            channel.kind = get(channel.system).kind if channel.system in registered() else False

    @api.depends("token")
    def _compute_webhook_url(self):
        root = self.env["ir.config_parameter"].sudo().get_param("web.base.url")
        for channel in self:
            channel.webhook_url = f"{root}/bridge/webhook/{channel.token}"

    # -- life ------------------------------------------------------------------------------------
    @api.model_create_multi
    def create(self, vals_list):
        channels = super().create(vals_list)
        channels.sudo()._sync_settings()
        channels.sudo()._create_lanes()
        return channels

    def write(self, vals):
        if "system" in vals and any(channel.system != vals["system"] for channel in self):
            raise ValidationError(self.env._("The system of a channel cannot change: make a new channel instead."))
        result = super().write(vals)
        if vals.keys() & {"active", "state", "token", "company_id"}:
            self.env.registry.clear_cache()
        return result

    def unlink(self):
        self.sudo()._remove_lanes()
        return super().unlink()

    def _sync_settings(self):
        """Give every channel one row per setting its connector declares."""
        for channel in self:
            have = set(channel.setting_ids.mapped("name"))
            channel.setting_ids = [
                fields.Command.create({"name": spec.name, "value": spec.default})
                for spec in get(channel.system).settings_spec
                if spec.name not in have
            ]

    # -- connector -------------------------------------------------------------------------------
    def _connector(self):
        """The adapter for this channel, ready to call; raises ConfigError when settings are missing."""
        self.ensure_one()
        values = {row.name: row.value or "" for row in self.sudo().setting_ids}
        return get(self.system)(values)

    @api.model
    @ormcache()
    def _by_token(self):
        """{webhook token: (channel id, company id, system, settings)} of running channels; cached, for the
        webhook's sake. Cleared whenever a channel or a setting changes."""
        channels = self.sudo().search([("state", "in", ("live", "rehearse"))])
        return {
            c.token: (c.id, c.company_id.id, c.system, tuple((s.name, s.value or "") for s in c.setting_ids))
            for c in channels
        }

    def _can(self, capability):
        """Whether the connector declares this :class:`~..connectors.base.Capability`."""
        self.ensure_one()
        return self.system in registered() and capability in get(self.system).capabilities

    def _is_running(self):
        return self.active and self.state in ("live", "rehearse")

    # -- buttons ---------------------------------------------------------------------------------
    def action_check(self):
        """Try the credentials, list the stores found, and say so."""
        self.ensure_one()
        self.sudo()._sync_settings()  # a newer version of the connector may declare more
        try:
            info = self._connector().check()
        except base.BridgeError as error:
            raise UserError(str(error)) from error
        self.env["bridge.store"]._learn(self, info.stores)
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success",
                "title": self.env._("Connected to %s", info.name),
                "message": self.env._("%s stores found.", len(info.stores)),
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }

    def action_go_live(self):
        for channel in self:
            unready = channel.store_ids.filtered(lambda store: store.active and not store._is_ready())
            if not channel.store_ids or unready:
                raise UserError(
                    self.env._(
                        "Map the stores first (%s): each needs a stock location, and a till's store a point of sale.",
                        ", ".join(unready.mapped("name")) or self.env._("none found yet"),
                    )
                )
        self.write({"state": "live", "state_reason": False})
        self._wake("poll")
        self.env["bridge.touch"]._touch_channel(self)

    def action_rehearse(self):
        self.write({"state": "rehearse", "state_reason": False})
        self._wake("poll")

    def action_pause(self):
        self.write({"state": "paused", "state_reason": False})

    def action_poll_now(self):
        self._wake("poll")

    def _stop(self, reason):
        """Stop the channel because nothing can work before a person mends it, and tell one."""
        for channel in self.filtered(lambda c: c.state != "stopped"):
            channel.write({"state": "stopped", "state_reason": reason})
            channel.activity_schedule(
                "mail.mail_activity_data_warning",
                user_id=(channel.create_uid or self.env.user).id,
                summary=self.env._("Channel stopped"),
                note=reason,
            )


class BridgeChannelSetting(models.Model):
    """One value of a channel's set-up, as its connector declares it. Secrets leave the server never."""

    _name = "bridge.channel.setting"
    _description = "Channel setting"
    _order = "id"

    channel_id = fields.Many2one("bridge.channel", required=True, ondelete="cascade", index=True)
    company_id = fields.Many2one(related="channel_id.company_id")
    name = fields.Char(required=True, readonly=True)
    label = fields.Char(compute="_compute_spec")
    help = fields.Char(compute="_compute_spec")
    is_secret = fields.Boolean(compute="_compute_spec")
    is_required = fields.Boolean(compute="_compute_spec")
    value = fields.Char("Stored value", copy=False, groups="base.group_system")
    shown_value = fields.Char(
        "Value", compute="_compute_shown_value", inverse="_inverse_shown_value", groups="base.group_system"
    )

    _name_uniq = models.Constraint("UNIQUE(channel_id, name)", "A setting has one value per channel.")

    MASK = "••••••••"

    @api.depends("name", "channel_id.system")
    @api.depends_context("lang")
    def _compute_spec(self):
        for row in self:
            specs = {spec.name: spec for spec in get(row.channel_id.system).settings_spec}
            spec = specs.get(row.name)
            # The connectors mark these texts; they are in the catalogue as the rest.
            row.label = self.env._(spec.label) if spec else row.name
            row.help = self.env._(spec.help) if spec and spec.help else ""
            row.is_secret = bool(spec and spec.is_secret)
            row.is_required = bool(spec and spec.is_required)

    @api.depends("value", "is_secret")
    def _compute_shown_value(self):
        for row in self:
            row.shown_value = self.MASK if row.is_secret and row.value else row.value

    def _inverse_shown_value(self):
        for row in self:
            if row.shown_value != self.MASK:
                row.value = row.shown_value

    def write(self, vals):
        self.env.registry.clear_cache()  # the webhook keeps them at hand
        return super().write(vals)
