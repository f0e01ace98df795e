# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What the doors share: reading requests, and letting them pass."""

import asyncio
import ipaddress
import json

from aiohttp import web

from .proxy import Proxy
from .refusals import Refused
from .security import Denied, Gate, moment_of
from .words import LANGUAGES, preferred

BODY_S = 10.0  # for the whole body of a request
PASSED_ON = {"Forwarded", "X-Forwarded-For", "Via"}
PROXY = web.AppKey("proxy", Proxy)
GATE = web.AppKey("gate", Gate)
CERTIFICATES = web.AppKey("certificates", object)  # certificates.Certificates, or None without TLS
TOLD = web.AppKey("told", object)  # doors.stock.Told


async def body_of(request):
    """The body, within ten seconds.

    :raises TimeoutError: it came too slowly
    """
    async with asyncio.timeout(BODY_S):
        return await request.read()


async def json_of(request):
    """The body as a JSON object.

    :raises Refused: it is none
    """
    if request.content_type != "application/json":
        raise Refused("The request must be JSON (Content-Type: application/json).")
    try:
        content = json.loads(await body_of(request))
    except ValueError:
        raise Refused("The request is no JSON.") from None
    if not isinstance(content, dict):
        raise Refused("The request must be a JSON object.")
    return content


async def authorise(request, scope):
    """Let the request pass when it is signed for ``scope``; when it was signed, in seconds since 1970.

    :raises Denied: it is not
    """
    header = request.headers.get("Authorization")
    scopes = request.app[GATE].scopes(header, request.method, request.raw_path, await body_of(request))
    if scope not in scopes:
        raise Denied("This till may not do that (it would need the right {scope}).", "scope", scope=scope)
    return moment_of(header)


def authorise_stock(request, drawer=False):
    """Let a till pass that cannot sign: Odoo's own, when the administrator said so.

    :raises Denied: it may not
    """
    config = request.app[PROXY].config
    if not config.without_token:
        raise Denied("Tills that are not paired may not print here (without_token = true allows it).", "without_token")
    if drawer and not config.without_token_drawer:
        raise Denied(
            "Tills that are not paired may not open the drawer here (without_token_drawer = true allows it).",
            "without_token_drawer",
        )


def is_here(request):
    """Whether it comes from a browser on this machine: from loopback, or from the very address it was sent to."""
    peer, own = (request.transport.get_extra_info(name) for name in ("peername", "sockname"))
    if request.headers.keys() & PASSED_ON:  # a web server on this machine handed it over
        return False
    return peer[0] == own[0] or ipaddress.ip_address(peer[0]).is_loopback


def language_of(request, otherwise="ja"):
    """``ja`` or ``en``, as the visitor has chosen or his browser says; ``otherwise`` when neither does."""
    chosen, header = request.query.get("lang"), request.headers.get("Accept-Language")
    if chosen in LANGUAGES:
        return chosen
    return preferred(header) if header else otherwise


def is_listening(request):
    """Whether who asked is still there to hear the answer."""
    return request.transport is not None and not request.transport.is_closing()


def seconds_of(request, longest):
    """How long the asker would wait (``?wait=8``), at most ``longest`` seconds."""
    text = request.query.get("wait", "0")
    return min(float(text), longest) if text.replace(".", "", 1).isdecimal() else 0.0
