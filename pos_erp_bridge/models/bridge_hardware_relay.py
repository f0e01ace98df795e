# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The second way from a till to its hardware proxy: through Odoo.

The till leaves a print here; a proxy that is set up for it asks for what waits, and tells how it ends. A proxy proves
who it is with the secret of its pairing: on each exchange, and when it wants to be called on Odoo's bus.
"""

import base64
import binascii
import hashlib
import hmac
import re
import time

from odoo import fields, models
from odoo.exceptions import AccessError, UserError

from .bridge_hardware_job import ENDED, MESSAGE, RANKS
from .bridge_hardware_proxy import MOST_PRINTERS, PRINTER_KEYS, till_key

CLOCK_S = 120  # how far the proxy's clock may be off
SCHEME = "Proxy"
CHANNEL = "bridge_hardware"
SUBCHANNEL = "relay"
ALIVE_S = 60  # a proxy asks twice as often, whatever happens
SEEN_S = 10  # that it asked is written down that often
MOST_STATES = 500  # in one exchange
MAX_BODY = 256 * 1024  # bytes of a deflated picture; a receipt has six thousand
MAX_WIDTH, MAX_ROWS = 1024, 20000  # dots
JOB_ID = re.compile(r"[\w.:-]{8,80}", re.ASCII)
MOMENT = re.compile(r"[0-9]{13}")


def proxy_signature(secret, proxy_id, method, path, body, moment):
    """HMAC (hex) of what a proxy asks; the proxy works out the same.

    :param body: bytes
    :param moment: milliseconds since 1970, as a decimal text
    """
    key = till_key(secret, f"relay {proxy_id}")
    parts = (method, path, hashlib.sha256(body).hexdigest(), moment, proxy_id)
    return hmac.new(key.encode(), "\n".join(parts).encode(), hashlib.sha256).hexdigest()


class BridgeHardwareProxy(models.Model):
    _inherit = "bridge.hardware.proxy"

    relay_seen = fields.Datetime(
        "Asked for prints at", readonly=True, copy=False,
        help="When the proxy last asked Odoo for what tills have left for it. Empty: it is not set up to.",
    )  # fmt: skip

    def pairing_confirm(self, proxy_id):
        proxy = self.sudo()
        old = proxy.proxy_id
        result = super().pairing_confirm(proxy_id)
        if old and old != proxy_id:
            self.env["bridge.hardware.job"].sudo().search([("proxy_id", "=", proxy.id)])._leave_to_people()
        return result

    # -- who asks --------------------------------------------------------------------------------
    def _relay_signed(self, proxy_id, moment, sent, method, path, body=b""):
        """(the proxy that has signed this, or none, with why not as a sentence)."""
        if not MOMENT.fullmatch(moment) or abs(int(moment) / 1000 - time.time()) > CLOCK_S:
            return self.browse(), "The clocks of the proxy and of Odoo differ by more than two minutes."
        for proxy in self.sudo().search([("proxy_id", "=", proxy_id), ("secret", "!=", False)]):
            wanted = proxy_signature(proxy.secret, proxy_id, method, path, body, moment)
            if hmac.compare_digest(wanted.encode(), sent.encode()):
                return proxy, ""
        return self.browse(), "This is not signed by a proxy that is connected here."

    def _relay_of_channel(self, text):
        """The proxy that may be called on the channel which it names so; none when it is not signed."""
        proxy_id, _, rest = text.removeprefix(f"{CHANNEL}:").partition(":")
        moment, _, sent = rest.partition(":")
        return self._relay_signed(proxy_id, moment, sent, "SUBSCRIBE", "/websocket")[0]

    # -- what is exchanged -----------------------------------------------------------------------
    def _relay_exchange(self, content, moment):
        """Take what the proxy tells and answer what it has to do.

        :param content: {"states": [{"id", "state", "reason", "refused"}], "printers": [...]}
        :param moment: milliseconds by the proxy's clock
        :return: see ``bridge.hardware.job._hand_over``
        """
        jobs = self.env["bridge.hardware.job"]
        self._relay_note_seen()
        self._relay_note_printers(content.get("printers"))
        stands = {stand["id"]: stand for stand in content["states"][:MOST_STATES] if _is_stand(stand)}
        for row in jobs.search([("proxy_id", "=", self.id), ("job", "in", list(stands))]):
            if row._note(stands[row.job], moment):
                row.config_id._notify(MESSAGE, row._stand())
        return jobs._hand_over(self)

    def _relay_note_seen(self):
        now = fields.Datetime.now()
        if not self.relay_seen or (now - self.relay_seen).total_seconds() > SEEN_S:
            self.relay_seen = now

    def _relay_note_printers(self, printers):
        rows = printers if isinstance(printers, list) else []
        rows = [row for row in rows[:MOST_PRINTERS] if isinstance(row, dict) and row.keys() == PRINTER_KEYS.keys()]
        if rows and rows != self.printers:
            self.remember_printers(rows)

    def _relay_is_alive(self):
        return bool(self.relay_seen) and (fields.Datetime.now() - self.relay_seen).total_seconds() < ALIVE_S

    def _relay_call(self):
        """Let the proxy know that something waits; it asks by itself as well, only later."""
        self.env["bus.bus"]._sendone((self, SUBCHANNEL), CHANNEL, {})


def _is_stand(stand):
    return (
        isinstance(stand, dict)
        and isinstance(stand.get("id"), str)
        and stand.get("state") in (*RANKS, *ENDED)
        and all(isinstance(stand.get(key, ""), str) for key in ("reason", "refused"))
    )


class IrWebsocket(models.AbstractModel):
    _inherit = "ir.websocket"

    def _build_bus_channel_list(self, channels):
        """A proxy is called on its own channel, whose name only it can sign; anything else of that kind is left out."""
        signed = [channel for channel in channels if isinstance(channel, str) and channel.startswith(f"{CHANNEL}:")]
        channels = [channel for channel in channels if channel not in signed]
        for text in signed:
            if proxy := self.env["bridge.hardware.proxy"]._relay_of_channel(text):
                channels.append((proxy, SUBCHANNEL))
        return super()._build_bus_channel_list(channels)

    def _after_subscribe_data(self, data):
        """The proxy is greeted: only then it knows that it will hear."""
        super()._after_subscribe_data(data)
        for channel in data["channels"]:
            proxy = channel[0] if isinstance(channel, tuple) else None
            if isinstance(proxy, models.Model) and proxy._name == "bridge.hardware.proxy":
                proxy._relay_call()


class PosConfig(models.Model):
    _inherit = "pos.config"

    bridge_road = fields.Selection(
        [("direct", "Shop's network; through Odoo where that fails"), ("relay", "Through Odoo only")],
        "Way to the proxy", default="direct", required=True,
        help="Through Odoo only: for a device that never reaches the proxy itself, such as an iPad without its"
        " certificate.",
    )  # fmt: skip

    def bridge_proxy_access(self, proxy_id=None):
        access = super().bridge_proxy_access(proxy_id)
        if access:
            printers = self.env["bridge.hardware.proxy"].sudo().browse(access["id"]).printers or []
            access |= {"road": self.bridge_road, "printers": printers, "now": time.time()}
        return access

    # -- what a till leaves and asks -------------------------------------------------------------
    def bridge_relay_put(self, job, is_tried=False):
        """Leave a print for this till's proxy; the same id again is answered, not printed.

        :param job: {"id", "kind", "printer", "width" and "rows" in dots, "body": base64 of deflated rows,
            "at": when the till asked, seconds since 1970}
        :param is_tried: whether the till may have reached the proxy with it: then only the proxy knows how it ends
        :return: see ``bridge.hardware.job._stand``; False when the proxy does not ask for prints
        :raises UserError: it cannot be printed; the message says why
        """
        config = self._bridge_relay_sudo()
        if not config.bridge_proxy_id.relay_seen:
            return False  # whatever it is: the till sends it elsewhere
        job_id, kind = self._bridge_job_id(job.get("id")), job.get("kind", "receipt")
        width, rows, printer = (job.get(key) for key in ("width", "rows", "printer"))
        if kind not in ("receipt", "kitchen") or not self._bridge_is_printer(printer):
            raise UserError(self.env._("This is no print."))
        if not (_is_number(width, MAX_WIDTH) and width % 8 == 0 and _is_number(rows, MAX_ROWS)):
            raise UserError(self.env._("The picture is %(width)s × %(rows)s dots; that cannot be printed.",
                                       width=width, rows=rows))  # fmt: skip
        body = self._bridge_body(job.get("body"))
        query = {"kind": kind, "printer": printer, "width": str(width), "rows": str(rows)}
        row = self.env["bridge.hardware.job"].sudo()._keep(config, job_id, kind, _moment(job.get("at")), query, body)
        if is_tried:
            row._ask_again()
        return row._stand()

    def bridge_relay_get(self, job_id, is_tried=False):
        """How a print stands; of one that was not left here the proxy is asked. Arguments as for putting."""
        config = self._bridge_relay_sudo()
        if not config.bridge_proxy_id.relay_seen:
            return False
        row = self.env["bridge.hardware.job"].sudo()._keep(config, self._bridge_job_id(job_id))
        if is_tried:
            row._ask_again()
        return row._stand()

    def bridge_relay_resolve(self, job_id, decision):
        """Somebody has looked at the paper of a print that is unknown.

        :param decision: {"came_out": true or false} or {"reprint": id of the print that repeats it}
        :return: as for putting
        """
        config = self._bridge_relay_sudo()
        if decision.get("reprint"):
            decision = {"reprint": self._bridge_job_id(decision["reprint"])}
        elif isinstance(decision.get("came_out"), bool):
            decision = {"came_out": decision["came_out"]}
        else:
            raise UserError(self.env._("Say whether the paper came out."))
        if not config.bridge_proxy_id.relay_seen:
            return False
        jobs = self.env["bridge.hardware.job"].sudo()
        row = jobs._keep(config, self._bridge_job_id(job_id))
        if decision.get("reprint"):
            jobs._keep(config, decision["reprint"])._ask_anew()
        row._decide(decision)
        return row._stand()

    def bridge_relay_drawer(self, request_id, printer, at):
        """Let the proxy open the drawer, within three seconds of ``at`` (seconds since 1970) or not at all.

        :return: as for putting
        """
        config = self._bridge_relay_sudo()
        if not self._bridge_is_printer(printer):
            raise UserError(self.env._("This is no print."))
        if not config.bridge_proxy_id.relay_seen:
            return False
        request_id, query = self._bridge_job_id(request_id), {"printer": printer}
        row = self.env["bridge.hardware.job"].sudo()._keep(config, request_id, "drawer", _moment(at), query)
        row._expire(config.bridge_proxy_id)
        return row._stand()

    def bridge_relay_is_alive(self):
        """Whether this till's proxy fetches what lies here."""
        return self._bridge_relay_sudo().bridge_proxy_id._relay_is_alive()

    # -- helpers ---------------------------------------------------------------------------------
    def _bridge_relay_sudo(self):
        """This till with all rights, for those who work at it; it leaves prints for its own proxy only.

        :raises AccessError: for others
        """
        self.ensure_one()
        self.check_access("read")
        if not self.env.user.has_group("point_of_sale.group_pos_user"):
            raise AccessError(self.env._("Only those who work at a till may print there."))
        config = self.sudo()
        proxy = config.bridge_proxy_id
        if not (proxy.active and proxy.is_paired and proxy.company_id == config.company_id):
            raise UserError(self.env._("The hardware proxy is not connected yet. Connect it in Odoo's settings."))
        return config

    def _bridge_job_id(self, job_id):
        if not isinstance(job_id, str) or not JOB_ID.fullmatch(job_id):
            raise UserError(self.env._("This is no print."))
        return job_id

    @staticmethod
    def _bridge_is_printer(name):
        return isinstance(name, str) and len(name) <= 100

    def _bridge_body(self, text):
        """:raises UserError: it is no base64, or too large"""
        if not isinstance(text, str) or not text:
            raise UserError(self.env._("This is no print."))
        if len(text) > MAX_BODY * 4 // 3 + 4:
            raise UserError(self.env._("This print is too large to go through Odoo."))
        try:
            base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise UserError(self.env._("This is no print.")) from None
        return text


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    pos_bridge_road = fields.Selection(related="pos_config_id.bridge_road", readonly=False)


def _is_number(value, most):
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most


def _moment(value):
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
