# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The till's door to scanners, scales and displays.

GET /scans?wait=25     → {"code": "4901234567894"}, or null after that time; each code is given out once
GET /scale             → {"kilograms": "1.234", "reason": ""}
PUT /display  {"lines": ["りんご", "合計 ¥1,080"]}   → shown as soon as it can be; the last one counts
"""

from aiohttp import web

from ..display import LINES
from ..http import PROXY, authorise, is_listening, json_of, seconds_of
from ..refusals import Refused

routes = web.RouteTableDef()
WAIT_S = 50.0
LONGEST = 200  # characters of a line


@routes.get("/scans")
async def scans(request):
    await authorise(request, "scan")
    seconds = seconds_of(request, WAIT_S)
    code = await request.app[PROXY].scans.take(seconds, lambda: is_listening(request))
    return web.json_response({"code": code})


@routes.get("/scale")
async def scale(request):
    await authorise(request, "scale")
    scales = request.app[PROXY].scales
    if not scales:
        raise Refused("No scale is set up. Name one in the configuration file ([[scale]]).")
    kilograms, reason = scales[0].weight
    return web.json_response({"kilograms": None if kilograms is None else str(kilograms), "reason": reason})


@routes.put("/display")
async def display(request):
    await authorise(request, "display")
    content, displays = await json_of(request), request.app[PROXY].displays
    lines = content.get("lines")
    are_texts = isinstance(lines, list) and all(isinstance(line, str) and len(line) <= LONGEST for line in lines)
    if not are_texts or len(lines) > LINES or set(content) != {"lines"}:
        raise Refused(
            'A display shows {{"lines": ["…", "…"]}}: at most {lines} texts of {longest} characters.',
            lines=LINES,
            longest=LONGEST,
        )
    if not displays:
        raise Refused("No display is set up. Name one in the configuration file ([[display]]).")
    for each in displays:
        each.show(lines)
    return web.json_response({"displays": [{"name": each.config.name, "reason": each.reason} for each in displays]})
