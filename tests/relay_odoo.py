# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Odoo as the hardware proxy sees it: an open line that says "ask", and exchanges; over real sockets."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
import zlib

import aiohttp
from aiohttp import web
from proxy_shop import SECRET, WIDTH

RANKS = {"new": 0, "waiting": 1, "printing": 2, "unknown": 3, "printed": 4, "failed": 4, "done": 4, "missing": 4}


class Odoo:
    """
    :param has_line: whether the open line can be had
    :param greets: whether it says that it works
    """

    def __init__(self, has_line=True, greets=True):
        self.has_line, self.greets = has_line, greets
        self.rows, self.lines, self.told, self.exchanges = {}, set(), [], 0
        self.refused = []  # why a request was not served
        self.fault = None  # called with a request, and whether it was served; may raise instead of an answer
        self.printers = None

    async def open(self):
        app = web.Application(client_max_size=1 << 24)
        app.add_routes([web.get("/websocket", self.line), web.post("/bridge/hardware/{id}", self.exchange)])
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await self._site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self):
        for line in list(self.lines):
            await line.close()
        await self._runner.cleanup()

    # -- tills -----------------------------------------------------------------------------------
    async def leave(self, job_id, picture=None, age=0.0, **query):
        """A till's print, or without a picture only its question."""
        body = query.pop("body", None) or (picture and base64.b64encode(zlib.compress(picture)).decode())
        rows = len(picture or b"") // (WIDTH // 8)
        query = {"kind": "receipt", "printer": "", "width": str(WIDTH), "rows": str(rows), **query}
        self.rows[job_id] = {
            "query": query, "body": body, "asked_at": time.monotonic() - age, "state": "new", "reason": "",
            "decision": None, "refused": "",
        }  # fmt: skip
        await self.call()

    async def decide(self, job_id, **decision):
        self.rows[job_id]["decision"] = decision
        if decision.get("reprint"):
            self.rows[decision["reprint"]] = {**self.rows[job_id], "body": None, "state": "new", "decision": None}
        await self.call()

    async def pulse(self, request_id, printer="", age=0.0):
        self.rows[request_id] = {"printer": printer, "asked_at": time.monotonic() - age, "state": "new", "reason": ""}
        await self.call()

    async def ends(self, job_id, *states):
        """The row once it is in one of the states."""
        async with asyncio.timeout(20):
            while self.rows[job_id]["state"] not in (states or ("printed", "failed", "done")):
                await asyncio.sleep(0.01)
        return self.rows[job_id]

    async def call(self):
        """Say "ask" on the open line."""
        for line in list(self.lines):
            await line.send_json([{"id": 1, "message": {"type": "bridge_hardware", "payload": {}}}])

    # -- the proxy -------------------------------------------------------------------------------
    def is_signed(self, method, path, body, moment, sent, proxy_id):
        key = hmac.new(SECRET.encode(), f"relay {proxy_id}".encode(), hashlib.sha256).hexdigest().encode()
        parts = (method, path, hashlib.sha256(body).hexdigest(), moment, proxy_id)
        wanted = hmac.new(key, "\n".join(parts).encode(), hashlib.sha256).hexdigest()
        return wanted == sent and abs(int(moment) / 1000 - time.time()) < 120

    async def line(self, request):
        if not self.has_line:
            raise web.HTTPNotFound
        line = web.WebSocketResponse()
        await line.prepare(request)
        assert request.headers["Origin"] == self.url
        order = json.loads((await line.receive()).data)
        kind, proxy_id, moment, sent = order["data"]["channels"][0].split(":")
        if kind != "bridge_hardware" or not self.is_signed("SUBSCRIBE", "/websocket", b"", moment, sent, proxy_id):
            self.refused.append("line")
            return line
        if self.greets:
            self.lines.add(line)
            await self.call()
        while (await line.receive()).type is aiohttp.WSMsgType.TEXT:
            pass
        self.lines.discard(line)
        return line

    async def exchange(self, request):
        body, proxy_id = await request.read(), request.match_info["id"]
        scheme, _, rest = request.headers["Authorization"].partition(" ")
        moment, _, sent = rest.partition(".")
        if scheme != "Proxy" or not self.is_signed("POST", request.path, body, moment, sent, proxy_id):
            self.refused.append("exchange")
            raise web.HTTPUnauthorized
        self.exchanges += 1
        if self.fault:
            self.fault(request, False)
        content = json.loads(body)
        self.printers = content["printers"]
        for stand in content["states"]:
            self.told.append((stand["id"], stand["state"]))
            self.note(stand)
        answer = self.answer()
        if self.fault:
            self.fault(request, True)
        return web.json_response(answer)

    def note(self, stand):
        row = self.rows.get(stand["id"])
        if row is None:
            return
        row["refused"] = row.get("refused") or stand.get("refused", "")
        if stand["state"] != "unknown" or stand.get("refused"):
            row["decision"] = None
        if RANKS[stand["state"]] >= RANKS[row["state"]] and RANKS[row["state"]] < 4:
            row.update(state=stand["state"], reason=stand["reason"])

    def answer(self):
        asked, jobs, drawers = [], [], []
        for job_id, row in self.rows.items():
            if RANKS[row["state"]] == 4:
                continue
            age = time.monotonic() - row["asked_at"]
            if "query" not in row:
                drawers.append({"id": job_id, "printer": row["printer"], "age": age})
            elif row["body"] and row["state"] == "new":
                jobs.append({"id": job_id, "query": row["query"], "body": row["body"], "age": age})
            else:
                face = f"{row['state']}:{row['reason']}"
                asked.append({"id": job_id, "face": face, "decision": row["decision"]})
        return {"jobs": jobs, "asked": asked, "drawers": drawers}
