"""The way through Odoo for print-faults.py: a real Odoo, a line to it that breaks, and tills that print through it."""

import asyncio
import base64
import contextlib
import os
import time
import zlib

import _till
import aiohttp

LOGIN = "bench_cashier"
WIDTH = 576
LOOK_S = 0.4  # a till that hears nothing asks again
FAULT_SHARE = 0.08  # of the requests to Odoo
BREAKS = (ConnectionError, OSError, asyncio.IncompleteReadError, TimeoutError)


def set_up(env, proxy_id):
    """A till of a proxy that is connected; its id."""
    proxy = env["bridge.hardware.proxy"].create({"name": "bench", "url": "http://127.0.0.1:1"})
    proxy.sudo().write({"secret": _till.SECRET, "proxy_id": proxy_id, "relay_seen": "2026-01-01"})
    groups = env.ref("base.group_user") | env.ref("point_of_sale.group_pos_user")
    env["res.users"].create({"name": LOGIN, "login": LOGIN, "password": LOGIN, "group_ids": groups.ids})
    config = env["pos.config"].create({"name": "bench", "bridge_proxy_id": proxy.id})
    env.cr.commit()
    return config.id


class Line:
    """Odoo's two ports behind one, as a reverse proxy has them. Requests are refused, served without an answer, or
    served twice; open lines are cut."""

    def __init__(self, chance):
        self.random, self.faults, self.is_away, self._open = chance, {}, False, set()
        self.calm = False

    async def start(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def stop(self):
        self._server.close()
        self.cut()

    def cut(self):
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if self.is_away:
                return
            if head.split(b" ", 2)[1].startswith(b"/websocket"):
                await self._pipe(head, reader, writer)
            else:
                await self._request(head, reader, writer)
        except BREAKS:
            pass
        finally:
            writer.transport.abort() if writer.transport.get_write_buffer_size() == 0 else writer.close()

    async def _pipe(self, head, reader, writer):
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", int(os.environ["BRIDGE_GEVENT_PORT"]))
        up_writer.write(head)
        self._open |= {writer, up_writer}
        try:
            ways = [asyncio.ensure_future(_copy(*way)) for way in ((reader, up_writer), (up_reader, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
        finally:
            self._open -= {writer, up_writer}
            up_writer.transport.abort()

    async def _request(self, head, reader, writer):
        lines = [line for line in head.split(b"\r\n") if line and not line.lower().startswith(b"connection:")]
        length = next((int(line[15:]) for line in lines if line.lower().startswith(b"content-length:")), 0)
        request = b"\r\n".join([*lines, b"Connection: close", b"", b""]) + await reader.readexactly(length)
        kind = ""
        if not self.calm and self.random.random() < FAULT_SHARE:
            kind = self.random.choice(("refused", "unanswered", "doubled"))
            self.faults[kind] = self.faults.get(kind, 0) + 1
        if kind == "refused":
            return
        answers = await asyncio.gather(*(_forward(request) for _time in range(2 if kind == "doubled" else 1)))
        if kind != "unanswered":
            writer.write(self.random.choice(answers))
            await writer.drain()
            writer.close()
            await writer.wait_closed()


async def _copy(reader, writer):
    with contextlib.suppress(*BREAKS):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


async def _forward(request):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(os.environ["BRIDGE_HTTP_PORT"]))
    writer.write(request)
    try:
        return await reader.read()
    finally:
        writer.close()


class Till:
    """A till that prints through Odoo; answers are like those of the proxy's own."""

    def __init__(self, session, url, config_id):
        self.session, self.url, self.config_id = session, url, config_id

    async def log_in(self, db):
        params = {"db": db, "login": LOGIN, "password": LOGIN}
        answer = await self._rpc("/web/session/authenticate", params)
        if not answer.get("uid"):
            raise SystemExit(f"the cashier cannot log in: {answer}")

    async def print(self, picture, job_id, printer, is_tried=False):
        body = base64.b64encode(zlib.compress(picture)).decode()
        job = {"id": job_id, "printer": printer, "width": WIDTH, "rows": len(picture) // (WIDTH // 8), "body": body}
        return await self._call("bridge_relay_put", {**job, "at": time.time()}, is_tried)

    async def see(self, job, _seconds=0):
        stand = await self._call("bridge_relay_get", job["id"], True)
        if stand["face"] == job.get("face"):
            await asyncio.sleep(LOOK_S)
        return stand

    async def resolve(self, job, **decision):
        """The print as it then is, or the one that repeats it; {} when it has to be decided again."""
        stand = await self._call("bridge_relay_resolve", job["id"], decision)
        for _look in range(50):
            if stand["isDecided"]:
                break
            await asyncio.sleep(LOOK_S)
            stand = await self._call("bridge_relay_get", job["id"])
        if stand["state"] not in ("printed", "failed"):
            return {}
        is_repeated = stand["reason"] == "reprinted" and "reprint" in decision
        return {"id": decision["reprint"], "state": "new"} if is_repeated else stand

    async def _call(self, method, *args):
        params = {"model": "pos.config", "method": method, "args": [[self.config_id], *args], "kwargs": {}}
        return await self._rpc(f"/web/dataset/call_kw/pos.config/{method}", params)

    async def _rpc(self, path, params):
        content = {"jsonrpc": "2.0", "method": "call", "params": params}
        async with self.session.post(self.url + path, json=content) as response:
            answer = await response.json()
        if "error" in answer:
            raise aiohttp.ClientError(answer["error"]["data"]["message"])
        return answer["result"]
