# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""A page in the browser that shows the paper as it comes out, and has a switch for everything that can go wrong.

It is served to this machine only: the server listens on 127.0.0.1, takes no other host name (a foreign page could make
its own name point here), and acts only for pages that it has served itself.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from .paper import DOTS_PER_MM, Paper
from .printer import VirtualPrinter

HOSTS = ("127.0.0.1", "localhost")
WEB = Path(__file__).parent / "web"
FILES = {"": "page.html", "page.js": "page.js", "page.css": "page.css"}
INTERVAL = 0.2  # seconds between looks at the printer, while somebody watches
HEARTBEAT = 10.0  # seconds after which a sign of life is sent, which also finds out that nobody watches any more
FIRST_EVENTS, FIRST_PAPERS = 100, 20  # of the past, shown to who begins to watch

_PRINTER = web.AppKey("printer", VirtualPrinter)
_CLOSING = web.AppKey("closing", asyncio.Event)
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def make_app(printer: VirtualPrinter) -> web.Application:
    """The page of a printer that runs in the same event loop."""
    app = web.Application(middlewares=[_guard], client_max_size=4096)
    app[_PRINTER], app[_CLOSING] = printer, asyncio.Event()
    app.router.add_get("/{file:|page\\.js|page\\.css}", _file)
    app.router.add_get("/events", _events)
    app.router.add_get("/paper/{number:\\d{1,9}}.png", _paper)
    app.router.add_post("/state", _set_state)
    app.router.add_post("/action", _act)
    app.on_response_prepare.append(_add_headers)
    app.on_shutdown.append(_close)
    return app


async def start_page(printer: VirtualPrinter, port: int = 0) -> tuple[web.AppRunner, int]:
    """Serve the page on 127.0.0.1; the runner (``cleanup`` ends it) and the port. Raises OSError."""
    runner = web.AppRunner(make_app(printer), access_log=None, shutdown_timeout=2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    try:
        await site.start()
    except OSError:
        await runner.cleanup()
        raise
    return runner, runner.addresses[0][1]


@web.middleware
async def _guard(request: web.Request, handler: Callable[[web.Request], Awaitable]) -> web.StreamResponse:
    try:
        host = urlsplit(f"//{request.host}").hostname
    except ValueError:
        host = None
    if host not in HOSTS:
        raise web.HTTPForbidden(text="This page is for this machine only.\n")
    if request.method == "POST":
        if request.headers.get("Origin") != f"http://{request.host}":
            raise web.HTTPForbidden(text="Only this printer's own page may do that.\n")
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="JSON is expected.\n")
    elif request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise web.HTTPForbidden(text="Other pages may not look at this printer.\n")
    return await handler(request)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


async def _close(app: web.Application) -> None:
    app[_CLOSING].set()


async def _file(request: web.Request) -> web.StreamResponse:
    return web.FileResponse(WEB / FILES[request.match_info["file"]])


async def _paper(request: web.Request) -> web.StreamResponse:
    printer, number = request.app[_PRINTER], int(request.match_info["number"])
    paper = next((paper for paper in [printer.paper, *reversed(printer.papers)] if paper.number == number), None)
    if paper is None:
        raise web.HTTPNotFound(text="There is no such paper.\n")
    # Drawing text takes some ten milliseconds, in which the printer should go on.
    return web.Response(body=await asyncio.to_thread(paper.png), content_type="image/png")


async def _json(request: web.Request) -> dict:
    try:
        body = await request.json()
    except ValueError as error:
        raise web.HTTPBadRequest(text="That is no JSON.\n") from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="An object is expected.\n")
    return body


async def _set_state(request: web.Request) -> web.Response:
    """POST {"name": …, "value": …}: change one field of the printer's state."""
    body, state = await _json(request), request.app[_PRINTER].state
    try:
        setattr(state, str(body.get("name")), body.get("value"))
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"{error}\n") from error
    return web.json_response(state.as_dict())


async def _act(request: web.Request) -> web.Response:
    """POST {"action": "power_on" | "power_off" | "tear_off"}."""
    body, printer = await _json(request), request.app[_PRINTER]
    actions = {"power_on": printer.power_on, "power_off": printer.power_off, "tear_off": printer.tear_off}
    action = actions.get(str(body.get("action")))
    if action is None:
        raise web.HTTPBadRequest(text="There is no such action.\n")
    try:
        action()
    except OSError as error:
        raise web.HTTPConflict(text=f"The port is taken: {error}\n") from error
    return web.json_response({"power": printer.power})


async def _events(request: web.Request) -> web.StreamResponse:
    """Server-sent events: first what there is, then what changes. Each carries only the keys that changed."""
    printer, closing = request.app[_PRINTER], request.app[_CLOSING]
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    view, silent = _View(printer), 0.0
    while not closing.is_set():
        message = view.changes()
        if message or silent > HEARTBEAT:
            text = f"data: {json.dumps(message, ensure_ascii=False)}\n\n" if message else ": still here\n\n"
            try:
                await response.write(text.encode())
            except ConnectionError:
                break
            silent = 0.0
        silent += INTERVAL
        try:
            await asyncio.wait_for(closing.wait(), INTERVAL)
        except TimeoutError:
            pass  # time to look again
    return response


class _View:
    """What one watcher has been told already."""

    def __init__(self, printer: VirtualPrinter):
        self._printer = printer
        self._event = max(0, printer.ledger.total - FIRST_EVENTS)
        self._paper = max(0, len(printer.papers) - FIRST_PAPERS)
        self._told: dict = {}

    def changes(self) -> dict:
        """What has changed since the last call: any of state, current, papers, events."""
        printer = self._printer
        now = {
            "state": {**printer.state.as_dict(), "power": printer.power, "port": printer.port, "idle": printer.idle},
            "current": _describe(printer.paper),
        }
        message = {key: value for key, value in now.items() if self._told.get(key) != value}
        self._told = now
        if printer.ledger.total > self._event:
            message["events"] = [event.as_dict() for event in printer.ledger.since(self._event)[-FIRST_EVENTS:]]
            self._event = printer.ledger.total
        if len(printer.papers) > self._paper:
            message["papers"] = [_describe(paper) for paper in printer.papers[self._paper :][-FIRST_PAPERS:]]
            self._paper = len(printer.papers)
        return message


def _describe(paper: Paper) -> dict:
    return {
        "number": paper.number,
        "width": paper.width,
        "height": paper.height,
        "mm": round(paper.height / DOTS_PER_MM),
        "cut": paper.cut,
        "text": paper.text,
        "missing": [missing.code.hex() for missing in paper.missing],
        "refused": [f"{refused.name}: {refused.reason}" for refused in paper.refused],
        "symbols": [f"{printed.kind}: {printed.data.decode(errors='replace')}" for printed in paper.symbols],
    }
