# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The HTTP side: one application with all front doors, behind one gate."""

import logging
import time

from aiohttp import web

from .doors import certificate, devices, epos, hw_proxy, jobs, pages
from .doors.stock import Told
from .http import CERTIFICATES, GATE, PROXY, TOLD, is_here, language_of
from .link import LinkError
from .picture import MAX_BODY
from .proxy import Proxy
from .refusals import Refusal
from .relay import Relay
from .security import Denied, Gate, Keys
from .words import REASONS, say

_logger = logging.getLogger(__name__)
READ_ONLY = ("GET", "HEAD")
PREFLIGHT_S = 86400
HTTP = {
    400: "The request cannot be served.",
    404: "There is nothing at this address.",
    405: "This address is not asked in that way.",
    408: "The request came too slowly.",
    413: "The request is too large.",
    500: "A fault of the proxy. Its log says more.",
}


def make_app(config):
    """The application for :class:`~.config.Config`; it runs the proxy for as long as it lives."""
    app = web.Application(middlewares=[gate, errors], client_max_size=MAX_BODY)
    app[PROXY] = Proxy(config)
    app[GATE] = Gate(config, Keys(config.state / "keys.json"))
    app[TOLD] = Told()
    app[CERTIFICATES] = None
    if config.tls:
        from .certificates import Certificates

        app[CERTIFICATES] = Certificates(config)
    app.cleanup_ctx.append(_running)
    app.on_shutdown.append(_release)
    for door in (jobs, devices, hw_proxy, epos, pages, certificate):
        app.add_routes(door.routes)
    return app


async def _running(app):
    proxy = app[PROXY]
    await proxy.start()
    if proxy.config.odoo:
        proxy.relay = Relay(proxy, app[GATE].keys, proxy.config.odoo)
        await proxy.relay.start()
    yield
    if proxy.relay:
        await proxy.relay.stop()
    await proxy.stop()


async def _release(app):
    app[PROXY].scans.close()


@web.middleware
async def gate(request, handler):
    """Host, Origin and rate before anything else; the headers with which a browser lets the page see the answer."""
    judge, origin = request.app[GATE], request.headers.get("Origin")
    headers = {}
    try:
        judge.host(request.host)
        if origin or request.method not in READ_ONLY:
            judge.origin(origin, request.host, request.scheme)
            headers = _cors(origin)  # a page that may not ask may not read the answer either
        judge.rate(request.remote)
        _only_secure(request)
        if request.method == "OPTIONS":
            response = web.Response(status=204)
        else:
            response = await handler(request)
    except Denied as denied:
        response = _refuse(request, denied, code=denied.code)
    if not response.prepared:
        response.headers.update(headers)
    return response


def _only_secure(request):
    """With TLS, the plain port is for the certificate, which a till cannot get otherwise, and for this machine."""
    if not request.app[CERTIFICATES] or request.secure or request.path in certificate.PLAIN or is_here(request):
        return
    if request.path == "/":
        raise web.HTTPFound(f"/install?lang={language_of(request)}")
    raise Denied("This proxy is asked by https:// only.", "tls")


def _cors(origin):
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
        "Access-Control-Allow-Headers": "Authorization, Content-Type, SOAPAction",
        "Access-Control-Allow-Private-Network": "true",
        "Access-Control-Max-Age": str(PREFLIGHT_S),
        "Vary": "Origin",
    }


@web.middleware
async def errors(request, handler):
    """What cannot be done is said in a sentence of the reader's language, as JSON."""
    try:
        return await handler(request)
    except Denied:
        raise
    except Refusal as refusal:
        return _refuse(request, refusal)
    except LinkError as error:
        word = str(error)
        return _sentence(say(REASONS, word, language_of(request, "en")), 503, reason=word)
    except TimeoutError:
        return _refuse(request, Refusal(HTTP[408]), 408)
    except web.HTTPException as answer:
        if answer.status < 400:
            raise
        return _refuse(request, Refusal(HTTP[answer.status if answer.status in HTTP else 400]), answer.status)
    except Exception:
        _logger.exception("%s %s", request.method, request.path)
        return _refuse(request, Refusal(HTTP[500]), 500)


def _refuse(request, refusal, status=None, **more):
    return _sentence(refusal.text(language_of(request, "en")), status or refusal.status, **more)


def _sentence(text, status, **more):
    # "now": for a till whose clock is wrong, which learns it here and from /health.
    return web.json_response({"error": text, "now": round(time.time() * 1000), **more}, status=status)
