# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The till's door to scanners and scales.

    GET /scans?wait=25     → {"code": "4901234567894"}, or null after that time; each code is given out once
    GET /scale             → {"kilograms": "1.234", "reason": ""}
"""

from aiohttp import web

from ..http import PROXY, authorise, seconds_of
from ..proxy import Refused

routes = web.RouteTableDef()
WAIT_S = 50.0


@routes.get("/scans")
async def scans(request):
    await authorise(request, "scan")
    # A page that was closed or loaded again has left its question behind; the code is for the one that asks now.
    code = await request.app[PROXY].scans.take(seconds_of(request, WAIT_S), lambda: request.transport is not None)
    return web.json_response({"code": code})


@routes.get("/scale")
async def scale(request):
    await authorise(request, "scale")
    scales = request.app[PROXY].scales
    if not scales:
        raise Refused("No scale is set up. Name one in the configuration file ([[scale]]).")
    kilograms, reason = scales[0].weight
    return web.json_response({"kilograms": None if kilograms is None else str(kilograms), "reason": reason})
