# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Where a hardware proxy asks for what tills have left for it, and tells how it ends."""

import json
import logging

from odoo import SUPERUSER_ID, http
from odoo.http import request

from ..models.bridge_hardware_relay import SCHEME

_logger = logging.getLogger(__name__)

MAX_BODY = 512 * 1024  # bytes; a proxy tells states, no pictures


class BridgeHardwareRelay(http.Controller):
    @http.route(
        "/bridge/hardware/<string:proxy_id>",
        type="http",
        auth="none",
        methods=["POST"],
        csrf=False,
        save_session=False,
        readonly=False,
    )
    def exchange(self, proxy_id):
        """Sent twice it does no harm, so a signature may come again as long as it is fresh. 401 when it is not
        signed by a connected proxy, 413 when too large, 400 when it is no such message."""
        if (request.httprequest.content_length or 0) > MAX_BODY:
            return self._refuse(413, "The body is too large.")
        body = request.httprequest.get_data()
        scheme, _, rest = request.httprequest.headers.get("Authorization", "").partition(" ")
        moment, _, sent = rest.partition(".")
        if scheme != SCHEME:
            return self._refuse(401, "This is not signed.")
        proxies = request.env(user=SUPERUSER_ID, su=True)["bridge.hardware.proxy"]
        path = request.httprequest.path
        proxy, problem = proxies._relay_signed(proxy_id, moment, sent, "POST", path, body)
        if not proxy:
            return self._refuse(401, problem)
        try:
            content = json.loads(body)
        except ValueError:
            content = None
        if not isinstance(content, dict) or not isinstance(content.get("states"), list):
            return self._refuse(400, "This is no message of a proxy.")
        return request.make_json_response(proxy._relay_exchange(content, int(moment)))

    def _refuse(self, status, reason):
        _logger.info("hardware proxy refused (%s): %s", status, reason)
        return request.make_response(
            f"{reason}\n", headers=[("Content-Type", "text/plain; charset=utf-8")], status=status
        )
