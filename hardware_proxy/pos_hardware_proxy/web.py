# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The HTTP side: one application with all front doors, behind one gate."""

from aiohttp import web

from .doors import devices, epos, hw_proxy, jobs, pages
from .http import GATE, PROXY
from .link import LinkError
from .picture import MAX_BODY, PictureError
from .proxy import Proxy, Refused
from .security import Denied, Gate, Keys

READ_ONLY = ("GET", "HEAD")
PREFLIGHT_S = 86400


def make_app(config):
    """The application for :class:`~.config.Config`; it runs the proxy for as long as it lives."""
    app = web.Application(middlewares=[gate, errors], client_max_size=MAX_BODY)
    app[PROXY] = Proxy(config)
    app[GATE] = Gate(config, Keys(config.state / "keys.json"))
    app.cleanup_ctx.append(_running)
    for door in (jobs, devices, hw_proxy, epos, pages):
        app.add_routes(door.routes)
    return app


async def _running(app):
    await app[PROXY].start()
    yield
    await app[PROXY].stop()


@web.middleware
async def gate(request, handler):
    """Host, Origin and rate before anything else; the headers with which a browser lets the page see the answer."""
    judge, origin = request.app[GATE], request.headers.get("Origin")
    try:
        judge.host(request.host)
        judge.rate(request.remote)
        if origin or request.method not in READ_ONLY:
            judge.origin(origin, request.host, request.scheme)
        if request.method == "OPTIONS":
            response = web.Response(status=204)
        else:
            response = await handler(request)
    except Denied as denied:
        response = _sentence(str(denied), denied.status)
        if denied.status != 401:
            return response  # a page that may not ask may not read either
    if origin and not response.prepared:
        response.headers.update(_cors(origin))
    return response


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
    """What cannot be done is said in a sentence, as JSON."""
    try:
        return await handler(request)
    except (Refused, PictureError) as error:
        return _sentence(str(error), 422)
    except LinkError as error:
        return web.json_response({"error": str(error), "reason": str(error)}, status=503)
    except TimeoutError:
        return _sentence("The request came too slowly.", 408)


def _sentence(text, status):
    return web.json_response({"error": text}, status=status)
