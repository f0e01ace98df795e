# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The page for people, and /health for machines.

The page shows states. Test prints, decisions about papers, the code for pairing, and opening a drawer to learn its
sensor are only for the machine itself: anybody in the shop's network can send what a page would send.
"""

import time
import uuid
from datetime import datetime
from html import escape

from aiohttp import web
from PIL import Image, ImageDraw, ImageFont

from ..http import CERTIFICATES, GATE, PROXY, body_of, is_here, json_of, language_of
from ..link import LinkError
from ..picture import pack
from ..refusals import Refused
from ..security import Denied
from ..spool import UNKNOWN, Job
from ..words import CERTIFICATE, PAGE, REASONS, RELAY, STATES, say

routes = web.RouteTableDef()
REFRESH = '<meta http-equiv="refresh" content="5;url=/?lang={language}">'
HEAD = """<!doctype html><html lang="{language}"><meta charset="utf-8">{refresh}
<meta name="viewport" content="width=device-width"><title>{name}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 1.5rem auto; padding: 0 1rem; color: #222; }}
table {{ border-collapse: collapse; width: 100%; }} td, th {{ padding: .4rem .6rem; text-align: left; }}
.short {{ white-space: nowrap; }}
tr + tr {{ border-top: 1px solid #ddd; }} .good {{ color: #1b7f3b; }} .bad {{ color: #b3261e; font-weight: 600; }}
.code {{ font: 600 2rem ui-monospace, monospace; letter-spacing: .15em; }}
.note {{ background: #fff3cd; padding: .6rem; }}
form {{ display: inline; }} button {{ font: inherit; padding: .2rem .8rem; }} nav {{ float: right; }}
</style><nav><a href="?lang=ja">日本語</a> <a href="?lang=en">English</a></nav><h1>{name}</h1>"""


@routes.get("/health")
async def health(request):
    return web.json_response(request.app[PROXY].health())


@routes.post("/pair")
async def pair(request):
    """Odoo's settings page sends the code and the secret that it will share with this proxy."""
    content, gate = await json_of(request), request.app[GATE]
    if not gate.pairing.take(content.get("code")):
        raise Denied("The code is wrong or too old. Look at the page of the proxy for a new one.", "code", 401)
    secret = content.get("secret")
    if not isinstance(secret, str) or len(secret) < 32:
        raise Refused("The secret must have 32 characters or more.")
    gate.keys.pair(secret)
    return web.json_response({"proxy": gate.keys.proxy_id, "name": request.app[PROXY].config.name})


@routes.get("/")
async def page(request):
    language = language_of(request)
    proxy, gate = request.app[PROXY], request.app[GATE]
    parts = [HEAD.format(language=language, name=escape(proxy.config.name), refresh=REFRESH.format(language=language))]
    if (told := request.query.get("drawer")) in ("learned", "still"):
        parts.append(f'<p class="note">{say(PAGE, told, language)}</p>')
    if proxy.config.without_token:
        parts.append(f'<p class="note">{say(PAGE, "open_door", language)}</p>')
    parts.append(f"<h2>{say(PAGE, 'printers', language)}</h2>{_printers(request, language)}")
    parts.append(_devices(proxy.health(), language))
    parts.append(f"<h2>{say(PAGE, 'jobs', language)}</h2>{_jobs(proxy, may_act(request), language)}")
    parts.append(f"<h2>{say(PAGE, 'pairing', language)}</h2>{_pairing(request, gate, language)}")
    if request.app[CERTIFICATES]:
        end = f"{request.app[CERTIFICATES].server.end:%Y-%m-%d}"
        parts.append(
            f'<p><a href="/install?lang={language}">{say(CERTIFICATE, "title", language)}</a> '
            f"({say(CERTIFICATE, 'server_end', language)}: {end})"
        )
    return web.Response(text="".join(parts), content_type="text/html", headers={"Cache-Control": "no-store"})


@routes.post("/test/{printer}")
async def test(request):
    _only_actors(request)
    proxy = request.app[PROXY]
    printer = proxy.printer(request.match_info["printer"])
    width = printer.config.width
    job_id, picture = f"test-{uuid.uuid4()}", _test_paper(width)
    proxy.submit(Job(id=job_id, printer=printer.config.name, kind="test", width=width, picture=picture))
    raise _back(request)


@routes.post("/learn/{printer}")
async def learn(request):
    """Somebody has closed the drawer; it is opened to see how its sensor moves."""
    if not is_here(request):
        raise Denied("A drawer is opened from the page on the proxy's own machine only.", "page")
    try:
        moved = await request.app[PROXY].learn_drawer(request.match_info["printer"])
    except LinkError:
        moved = False
    raise _back(request, f"&drawer={'learned' if moved else 'still'}")


@routes.post("/look/{id}")
async def look(request):
    """Somebody looked at the paper of an unknown job."""
    _only_actors(request)
    proxy, job_id = request.app[PROXY], request.match_info["id"]
    await body_of(request)
    decision = (await request.post()).get("came_out")
    if decision == "1":
        proxy.resolve(job_id, True)
    elif decision == "0":
        proxy.reprint(job_id, f"again-{uuid.uuid4()}")
    else:
        raise Refused("Say whether the paper came out: came_out=1 or came_out=0.")
    raise _back(request)


def may_act(request):
    """Whether who asks may print a test and decide about papers."""
    return request.app[PROXY].config.page_from_network or is_here(request)


def _only_actors(request):
    if not may_act(request):
        raise Denied(
            "This is only for the page on the proxy's own machine (page_from_network = true allows it to all).", "page"
        )


def _back(request, more=""):
    """To the page after something was done there, in the language in which it was asked."""
    return web.HTTPSeeOther(f"/?lang={language_of(request)}{more}")


def _form(path, language):
    return f'<form method="post" action="{escape(path, quote=True)}?lang={language}">'


def _printers(request, language):
    rows = []
    for state in request.app[PROXY].health()["printers"]:
        reason = say(REASONS, state["reason"], language) or say(PAGE, "ready", language)
        paper = f"{say(PAGE, 'paper', language)}: {say(PAGE, state['paper'], language)}" if state["paper"] else ""
        rows.append(
            f'<tr><td>{escape(state["name"])}<td class="{"good" if state["ready"] else "bad"}">{escape(reason)}'
            f"<td>{paper}<td>{say(PAGE, 'waiting', language)}: {state['waiting']}"
        )
        if may_act(request):
            rows.append(
                f"<td>{_form('/test/' + state['name'], language)}<button>{say(PAGE, 'test', language)}</button></form>"
            )
            if state["drawer"] and is_here(request):
                rows.append(
                    f" {_form('/learn/' + state['name'], language)}"
                    f'<button title="{say(PAGE, "learn_how", language)}">{say(PAGE, "learn", language)}</button></form>'
                )
    return f"<table>{''.join(rows)}</table>" if rows else f"<p>{say(PAGE, 'no_printers', language)}</p>"


def _devices(health, language):
    """Scanners, scales, displays, and the way through Odoo, where there are any."""
    rows = []
    for kind in ("scanners", "scales", "displays"):
        for state in health[kind]:
            good = state["reason"] in ("", "moving")
            reason = say(REASONS, state["reason"], language) or say(PAGE, "ready", language)
            rows.append((say(PAGE, kind, language), state["name"], good, reason))
    if health["relay"]:
        good = health["relay"] != "no_answer"
        rows.append((say(PAGE, "relay", language), "", good, say(RELAY, health["relay"], language)))
    cells = "".join(
        f'<tr><td>{kind}<td>{escape(name)}<td class="{"good" if good else "bad"}">{escape(reason)}'
        for kind, name, good, reason in rows
    )
    return f"<h2>{say(PAGE, 'devices', language)}</h2><table>{cells}</table>" if rows else ""


def _jobs(proxy, acts, language):
    rows = []
    for job in proxy.spool.last(50):
        moment = datetime.fromtimestamp(job.changed).strftime("%m-%d %H:%M:%S")
        decide = ""
        if job.state == UNKNOWN and not acts:
            decide = say(PAGE, "decide_elsewhere", language)
        elif job.state == UNKNOWN:
            decide = (
                f"{_form('/look/' + job.id, language)}"
                f'<button name="came_out" value="1">{say(PAGE, "came_out", language)}</button> '
                f'<button name="came_out" value="0">{say(PAGE, "reprint", language)}</button></form>'
            )
        was = (job.reason, "") if job.reason == "reprinted" else (job.state, job.reason)
        state, reason = (say(words, key, language) for words, key in zip((STATES, REASONS), was, strict=True))
        rows.append(
            f'<tr><td class="short">{moment}<td>{escape(job.printer)}<td><code>{escape(job.id[-12:])}</code>'
            f'<td class="short">{state}<td>{escape(reason)} {decide}'
        )
    time_, printer, state = (say(PAGE, key, language) for key in ("time", "printer", "state"))
    return f"<table><tr><th>{time_}<th class=short>{printer}<th>#<th colspan=2>{state}{''.join(rows)}</table>"


def _pairing(request, gate, language):
    paired = f"<p>{say(PAGE, 'paired', language)}</p>" if gate.keys.secret else ""
    if not is_here(request):
        return f"{paired}<p>{say(PAGE, 'code_elsewhere', language)}</p>"
    return f'{paired}<p class="code">{gate.pairing.offer()}</p>'


def _test_paper(width):
    """Edges, a grid of grey steps, and the time: shows a wrong width, dead dots and a faint head at a glance."""
    image = Image.new("1", (width, 200), 1)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width - 1, 199), outline=0)
    draw.text((12, 10), f"TEST {time.strftime('%Y-%m-%d %H:%M:%S')}", fill=0, font=ImageFont.load_default(28))
    draw.text((12, 50), f"{width} dots", fill=0, font=ImageFont.load_default(24))
    for step in range(8):
        left, right = width * step // 8, width * (step + 1) // 8
        for x in range(left, right):
            for y in range(100, 190):
                if (x % 4 * 2 + y % 2) <= step:
                    image.putpixel((x, y), 0)
    return pack(image)
