# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The program in the shop that prints for tills. Odoo never speaks to it: browsers in the shop do. What Odoo shares
with it since pairing is a secret, from which each till gets a key of its own that ends by itself."""

import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.orm.models import NO_ACCESS

SECRET_BYTES = 36  # 48 characters
LIFETIME_S = 12 * 3600  # of what a till is given: a long day
SCOPES = ("display", "drawer", "print", "scale", "scan")
PROXY_ID = re.compile(r"[0-9a-f]{16}")
TEST_S = 900  # of what prints a test page: a till's browser would renew a shorter one at once
MOST_PRINTERS = 50
PRINTER_KEYS = {"name": str, "role": str, "width": int, "drawer": bool}


def make_claims(proxy_id, till, scopes, until):
    """Who may do what at which proxy until when, as the text that a till carries along."""
    content = {"proxy": proxy_id, "till": till, "scopes": sorted(scopes), "until": until}
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


def till_key(secret, claims):
    """The key with which the till of those claims signs; the proxy works out the same one."""
    return hmac.new(secret.encode(), claims.encode(), hashlib.sha256).hexdigest()


class BridgeHardwareProxy(models.Model):
    _name = "bridge.hardware.proxy"
    _description = "Hardware proxy"
    _order = "name, id"

    name = fields.Char(required=True)
    active = fields.Boolean(default=True)
    url = fields.Char(
        "Address", required=True,
        help="Of the proxy as the tills' browsers reach it, such as http://127.0.0.1:8069 or https://till1.example.jp.",
    )  # fmt: skip
    company_id = fields.Many2one("res.company", required=True, index=True, default=lambda self: self.env.company)
    proxy_id = fields.Char("Proxy's id", readonly=True, copy=False)
    printers = fields.Json(readonly=True, copy=False, help="As the proxy told when it was last asked.")
    printer_names = fields.Char("Printers found", compute="_compute_printer_names")
    is_paired = fields.Boolean("Connected", compute="_compute_is_paired", compute_sudo=True)
    # Read by no client, not even an administrator's: only what is worked out of it leaves the server.
    secret = fields.Char(readonly=True, copy=False, groups=NO_ACCESS)
    offered_secret = fields.Char(readonly=True, copy=False, groups=NO_ACCESS)

    @api.depends("secret", "proxy_id")
    def _compute_is_paired(self):
        for proxy in self:
            proxy.is_paired = bool(proxy.secret and proxy.proxy_id)

    @api.depends("printers")
    def _compute_printer_names(self):
        for proxy in self:
            proxy.printer_names = ", ".join(printer["name"] for printer in proxy.printers or [])

    @api.model_create_multi
    def create(self, vals_list):
        return super().create([self._clean(vals) for vals in vals_list])

    def write(self, vals):
        return super().write(self._clean(vals))

    @staticmethod
    def _clean(vals):
        return {**vals, "url": vals["url"].strip().rstrip("/")} if vals.get("url") else vals

    @api.constrains("url")
    def _check_url(self):
        for proxy in self:
            if not _is_origin(proxy.url):
                raise ValidationError(
                    self.env._(
                        "“%s” is no address of a proxy. Write it like http://192.168.1.20:8069 or"
                        " https://till1.example.jp: with http:// or https://, and nothing after the port.",
                        proxy.url,
                    )
                )

    @api.constrains("company_id")
    def _check_company_of_tills(self):
        """A till prints in its own company only."""
        env = self.sudo().with_context(active_test=False).env
        for proxy in self:
            foreign = [("bridge_proxy_id", "=", proxy.id), ("company_id", "!=", proxy.company_id.id)]
            if env["pos.config"].search_count(foreign) or env["pos.printer"].search_count(foreign):
                raise ValidationError(self.env._("Tills of another company print with %s.", proxy.name))

    # -- pairing ---------------------------------------------------------------------------------
    def pairing_offer(self):
        """A new secret, told once, for the browser to hand to the proxy. What was agreed before still holds."""
        self.ensure_one()
        self.check_access("write")
        secret = secrets.token_urlsafe(SECRET_BYTES)
        self.sudo().offered_secret = secret
        return secret

    def pairing_confirm(self, proxy_id):
        """The proxy took the secret that was offered last: from now on it counts."""
        self.ensure_one()
        self.check_access("write")
        proxy = self.sudo()
        if not proxy.offered_secret:
            raise UserError(self.env._("Nothing was offered to this proxy. Press Connect again."))
        if not isinstance(proxy_id, str) or not PROXY_ID.fullmatch(proxy_id):
            raise UserError(self.env._("What answered is not a hardware proxy. Check the address."))
        proxy.write({"secret": proxy.offered_secret, "offered_secret": False, "proxy_id": proxy_id})
        return True

    def remember_printers(self, printers):
        """Keep which printers the proxy told the browser, for people to choose from."""
        self.ensure_one()
        self.check_access("write")
        rows = printers if isinstance(printers, list) else []
        self.printers = [
            {key: row[key] for key in PRINTER_KEYS}
            for row in rows[:MOST_PRINTERS]
            if isinstance(row, dict) and all(isinstance(row.get(key), kind) for key, kind in PRINTER_KEYS.items())
        ]
        return self.printer_names

    # -- tills -----------------------------------------------------------------------------------
    def test_access(self):
        """What a browser needs to print a test page here within a quarter of an hour, shaped like a till's access."""
        self.ensure_one()
        self.check_access("read")
        if not (self.has_access("write") or self.env.user.has_group("point_of_sale.group_pos_manager")):
            raise AccessError(self.env._("Only those who set tills up may print test pages."))
        access = self._access(self.env.user.name, ("print",), TEST_S)
        return access and {"url": self.url, "printer": "", **access}

    def _access(self, till, scopes=SCOPES, lifetime=LIFETIME_S):
        """What ``till`` needs to print here until its time is over; False when the proxy is not paired."""
        self.ensure_one()
        proxy = self.sudo()
        if not (proxy.active and proxy.is_paired):
            return False
        until = int(time.time()) + lifetime
        claims = make_claims(proxy.proxy_id, till, scopes, until)
        return {"proxy": proxy.proxy_id, "claims": claims, "key": till_key(proxy.secret, claims), "until": until}


def _is_origin(url):
    try:
        parts = urlsplit(url or "")
        port = parts.port
    except ValueError:
        return False
    rest = parts.path or parts.query or parts.fragment or "@" in parts.netloc or "?" in url or "#" in url
    is_host = re.fullmatch(r"[a-z0-9.-]+|[0-9a-f:.]+", parts.hostname or "", re.ASCII)
    return parts.scheme in ("http", "https") and bool(is_host) and port != 0 and not rest


class PosConfig(models.Model):
    _inherit = "pos.config"

    bridge_proxy_id = fields.Many2one(
        "bridge.hardware.proxy", "Hardware proxy", check_company=True, index="btree_not_null", ondelete="restrict",
        help="Prints this till's receipts and opens its drawer.",
    )  # fmt: skip
    bridge_printer = fields.Char(
        "Proxy's printer", help="Its name, as the proxy tells. Empty: the first receipt printer."
    )

    def bridge_proxy_access(self, proxy_id=None):
        """How this till prints: where, on what, and its own key for the next hours; False when it has no proxy.

        ``claims`` is None as long as nobody has connected the proxy.

        :param proxy_id: of its kitchen's printer instead of its own
        :return: {"id", "url", "printer", "proxy", "claims", "key", "until"}
        """
        self.ensure_one()
        self.check_access("read")
        if not self.env.user.has_group("point_of_sale.group_pos_user"):
            raise AccessError(self.env._("Only those who work at a till may print there."))
        own = self.sudo().bridge_proxy_id
        proxy = (own | self.sudo().printer_ids.bridge_proxy_id).filtered(lambda p: p.id == (proxy_id or own.id))
        if not proxy.active:
            return False
        nothing = dict.fromkeys(("proxy", "claims", "key", "until"))
        access = proxy._access(f"{self.name} ({self.id})") or nothing
        return {"id": proxy.id, "url": proxy.url, "printer": self.bridge_printer or "", **access}

    def _get_display_device_ip(self):
        """Without an address where the bridge prints: with one, the customer's display asks Odoo's own box there, and
        hears no more of the till itself."""
        return False if self.bridge_proxy_id else super()._get_display_device_ip()


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    pos_bridge_proxy_id = fields.Many2one(related="pos_config_id.bridge_proxy_id", readonly=False)
    pos_bridge_printer = fields.Char(related="pos_config_id.bridge_printer", readonly=False)

    @api.model
    def _is_cashdrawer_displayed(self, res_config):
        return super()._is_cashdrawer_displayed(res_config) or bool(res_config.pos_bridge_proxy_id)

    @api.depends("pos_bridge_proxy_id")
    def _compute_pos_iface_cashdrawer(self):
        super()._compute_pos_iface_cashdrawer()
