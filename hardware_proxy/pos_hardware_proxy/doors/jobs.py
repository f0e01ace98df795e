# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The till's door: jobs with an id that the till made.

    PUT  /jobs/ID?printer=&kind=receipt&width=576&rows=1200&pulse=1     body: deflated bits    → the job
    PUT  /jobs/ID?printer=&kind=kitchen&format=text                    body: JSON, see document.py → the job
    GET  /jobs/ID?wait=8                                               → the job, when it has changed
    POST /jobs/ID/resolution  {"came_out": true}                       → somebody looked at the paper
    POST /jobs/ID/resolution  {"reprint": "NEW-ID"}                    → once more, with a mark
    DELETE /jobs/ID                                                    → taken back, if nothing has left
    PUT  /drawer/ID  {"printer": ""}                                   → open the drawer, now or not at all

PUT with the same id again is answered from the spool and never prints.
"""

import re

from aiohttp import web

from .. import document
from ..http import PROXY, authorise, body_of, json_of, seconds_of
from ..picture import from_bits
from ..printer import is_in_time
from ..proxy import LIFETIME
from ..refusals import Missing, Refused
from ..spool import Job

routes = web.RouteTableDef()
WAIT_S = 8.0  # at most, for one answer
JOB_ID = re.compile(r"[\w.:-]{8,80}", re.ASCII)


@routes.put("/jobs/{id}")
async def put(request):
    asked = await authorise(request, "print")
    proxy = request.app[PROXY]
    if request.query.get("format") == "text" and request.content_type != "application/json":
        raise Refused("A text must be JSON (Content-Type: application/json).")
    job = await job_of(proxy, _id(request.match_info["id"]), request.query, await body_of(request), asked)
    job = proxy.submit(job)
    job = await proxy.outcome(job.id, seconds_of(request, WAIT_S))
    return web.json_response(as_dict(job))


@routes.get("/jobs/{id}")
async def get(request):
    await authorise(request, "print")
    proxy = request.app[PROXY]
    first = _known(proxy, request.match_info["id"])
    known = request.query.get("known")
    job = await proxy.outcome(
        first.id, seconds_of(request, WAIT_S), lambda job: face_of(job.state, job.reason) != known
    )
    return web.json_response(as_dict(job))


@routes.delete("/jobs/{id}")
async def delete(request):
    await authorise(request, "print")
    proxy = request.app[PROXY]
    job = _known(proxy, request.match_info["id"])
    proxy.cancel(job.id)
    return web.json_response(as_dict(proxy.spool.get(job.id)))


@routes.post("/jobs/{id}/resolution")
async def resolution(request):
    await authorise(request, "print")
    proxy, content = request.app[PROXY], await json_of(request)
    job = _known(proxy, request.match_info["id"])
    if content.get("reprint"):
        return web.json_response(as_dict(proxy.reprint(job.id, _id(content["reprint"]))))
    if not isinstance(content.get("came_out"), bool):
        raise Refused('Say whether the paper came out: {{"came_out": true}}, or name the id of a reprint.')
    return web.json_response(as_dict(proxy.resolve(job.id, content["came_out"])))


@routes.put("/drawer/{id}")
async def drawer(request):
    asked = await authorise(request, "drawer")
    content = await json_of(request)
    outcome = await request.app[PROXY].open_drawer(_id(request.match_info["id"]), content.get("printer"), asked)
    return web.json_response({"outcome": outcome})


async def job_of(proxy, job_id, query, body, asked):
    """The job that a till asks for.

    :param query: mapping of texts: ``kind``, ``printer``, ``format``, ``pulse``; ``width``, ``rows`` of a picture
    :param body: bytes
    :param asked: when it asked, in seconds since 1970
    :raises Refused, PictureError, DocumentError: it cannot be printed
    """
    kind = query.get("kind", "receipt")
    if kind not in LIFETIME:
        raise Refused("kind = {kind} is not known. There are: {kinds}.", kind=kind, kinds=", ".join(LIFETIME))
    job = Job(
        id=job_id,
        printer=proxy.printer(query.get("printer"), kind).config.name,
        kind=kind,
        pulse=query.get("pulse") == "1" and is_in_time(asked),
        **_content(query, body),
    )
    if job.format == "text":
        await proxy.check(job)
    return job


def _content(query, body):
    """What is to be printed, as fields of the job."""
    form = query.get("format", "picture")
    if form == "text":
        return {"format": form, "width": 0, "picture": document.pack(document.read(body))}
    if form != "picture":
        raise Refused("format = {form} is not known. There are: picture, text.", form=form)
    width, rows = _number(query, "width"), _number(query, "rows")
    return {"width": width, "picture": from_bits(body, width, rows), "packed": body}


def as_dict(job):
    """A job for the till, without its picture."""
    return {
        "id": job.id,
        "printer": job.printer,
        "state": job.state,
        "reason": job.reason,
        "reprint_of": job.reprint_of,
        "face": face_of(job.state, job.reason),
    }


def face_of(state, reason):
    """What a till has seen of a job, to be told when it is no longer so."""
    return f"{state}:{reason}"


def _known(proxy, job_id):
    job = proxy.spool.get(job_id)
    if job is None:
        raise Missing("There is no such job.")
    return job


def _id(text):
    if not isinstance(text, str) or not JOB_ID.fullmatch(text):
        raise Refused("The id of a job has 8 to 80 letters, digits, and . : - _")
    return text


def _number(query, key):
    text = query.get(key, "")
    if not text.isdecimal() or len(text) > 6:
        raise Refused("{key} must be a number of dots.", key=key)
    return int(text)
