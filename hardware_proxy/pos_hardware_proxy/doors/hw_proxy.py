# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Odoo's door: the routes of its hardware proxy, as the till of Odoo 19 calls them.

JSON-RPC without cookies. Odoo's till cannot sign; an administrator must allow it.
"""

import asyncio
import uuid

from aiohttp import web

from ..http import PROXY, TOLD, authorise_stock, is_listening, json_of, language_of
from ..link import LinkError
from ..picture import from_base64, from_file
from ..printer import ABSENT
from ..refusals import Refused
from ..spool import PRINTED
from .stock import print_once

routes = web.RouteTableDef()
SCANNER_S = 40.0  # a poll is held this long: an empty answer at once makes the till spin


@routes.get("/hw_proxy/hello")
async def hello(request):
    return web.Response(text="ping")


@routes.post("/hw_proxy/handshake")
async def handshake(request):
    await json_of(request)
    return await _result(request, True)


@routes.post("/hw_proxy/status_json")
async def status_json(request):
    await json_of(request)
    try:
        printer = request.app[PROXY].printer()
        state = {"status": "disconnected" if printer.absent else "connected", "messages": [printer.reason]}
    except Refused as refused:
        state = {"status": "disconnected", "messages": [refused.text(language_of(request, "en"))]}
    states = {"printer": state}
    proxy = request.app[PROXY]
    for kind, reasons in (
        ("scanner", [scanner.reason for scanner in proxy.scanners]),
        ("scale", [scale.weight.reason for scale in proxy.scales]),
    ):
        if reasons:
            lost = [reason for reason in reasons if reason in ABSENT]
            states[kind] = {"status": "disconnected" if lost else "connected", "messages": lost}
    return await _result(request, states)


@routes.post("/hw_proxy/default_printer_action")
async def default_printer_action(request):
    data = (await json_of(request)).get("params", {}).get("data", {})
    proxy = request.app[PROXY]
    if data.get("action") == "cashbox":
        authorise_stock(request, drawer=True)
        try:
            return await _result(request, await proxy.open_drawer(f"stock-{uuid.uuid4()}"))
        except (LinkError, Refused):
            return await _result(request, False)
    authorise_stock(request)
    if data.get("action") != "print_receipt":
        raise Refused(
            "The action {action} is not known. There are print_receipt and cashbox.", action=data.get("action")
        )
    printer = proxy.printer()
    width = printer.config.width
    picture = await asyncio.to_thread(from_file, from_base64(data.get("receipt", "")), width)
    job = await print_once(proxy, request.app[TOLD], printer, picture, width)
    return await _result(request, True if job.state == PRINTED else {"result": False, "reason": job.reason})


@routes.post("/hw_proxy/scanner")
async def scanner(request):
    await json_of(request)
    authorise_stock(request)
    code = await request.app[PROXY].scans.take(SCANNER_S, lambda: is_listening(request))
    return await _result(request, code)


@routes.post("/hw_proxy/scale_read")
async def scale_read(request):
    """The weight in kilograms; 0 while there is none at rest, for its screen breaks on no answer."""
    await json_of(request)
    authorise_stock(request)
    scales = request.app[PROXY].scales
    weight = scales[0].weight.kilograms if scales else None
    return await _result(request, {"weight": float(weight or 0)})


async def _result(request, result):
    content = await json_of(request)
    return web.json_response({"jsonrpc": "2.0", "id": content.get("id"), "result": result})
