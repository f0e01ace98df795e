# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Webhooks in: verify, keep, answer. Nothing else happens in the request."""

import logging
from datetime import UTC, datetime

from odoo import SUPERUSER_ID, http
from odoo.http import request

from ..connectors import base

_logger = logging.getLogger(__name__)

MAX_BODY = 1024 * 1024  # bytes; vendors' notifications are some kilobytes


class BridgeWebhook(http.Controller):
    @http.route(
        "/bridge/webhook/<string:token>",
        type="http",
        auth="none",
        methods=["POST"],
        csrf=False,
        save_session=False,
        readonly=False,
    )
    def webhook(self, token):
        """Answers 200 once the delivery is committed (also when it was known already); 404 for an unknown or
        resting channel, 413 when too large, 401 or 400 when it cannot be trusted. Refused ones are not kept:
        the vendor sends them again, and the poll is the net."""
        if (request.httprequest.content_length or 0) > MAX_BODY:
            return self._refuse(413, "The body is larger than 1 MB.")
        body = request.httprequest.get_data()  # never longer than its stated length; kept, for Odoo may retry
        env = request.env(user=SUPERUSER_ID, su=True)
        known = env["bridge.channel"]._by_token().get(token)
        if not known:
            return self._refuse(404, "No running channel has this address.")
        channel_id, company_id, system, settings = known
        try:
            connector = base.get(system)(dict(settings))
            headers = {name.lower(): value for name, value in request.httprequest.headers.items()}
            delivery = connector.verify(body, headers, datetime.now(UTC))
        except base.BadDelivery as error:
            return self._refuse(error.status, str(error), channel_id)
        except base.BridgeError as error:
            return self._refuse(401, str(error), channel_id)
        if env["bridge.event"]._take_delivery(channel_id, company_id, delivery, body.decode("utf-8", "replace")):
            env["bridge.channel"]._wake_many([channel_id], "inbound")
        return request.make_response("")

    def _refuse(self, status, reason, channel_id=None):
        _logger.info("webhook refused (%s) for channel %s: %s", status, channel_id, reason)
        return request.make_response(
            reason + "\n", headers=[("Content-Type", "text/plain; charset=utf-8")], status=status
        )
