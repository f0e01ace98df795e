# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The second way to this proxy: through Odoo, for tills that cannot reach it themselves.

The proxy asks, Odoo never calls: no port is open, no certificate is needed. A line that is kept open (Odoo's
websocket) only says "ask now"; where it cannot be had, the proxy asks every two seconds. Each exchange carries how the
prints stand that Odoo wants to know of, and brings back what waits there. Nothing depends on what was said before: what
Odoo believes comes with each answer and is put right, so lost, late and doubled exchanges do no harm. A print has the
till's own id, by which the spool prints it once, whichever way it came.
"""

import asyncio
import contextlib
import json
import logging
import random
import time

import aiohttp

from .document import DocumentError
from .doors.jobs import JOB_ID, as_dict, face_of, job_of
from .link import LinkError
from .picture import PictureError, from_base64
from .refusals import Refused
from .security import signature, till_key
from .spool import FAILED

_logger = logging.getLogger(__name__)
GATHER_S = 0.05  # changes that come within this time are told together
POLL_S, NET_S = 2.0, 25.0  # between two exchanges: without the open line, and with it
RETRY_S = (1.0, 15.0)  # shortest and longest pause while Odoo does not answer
ANSWER_S = 20.0  # for one exchange
HELLO_S = 10.0  # until Odoo has said that the open line works
MOST_TOLD = 200  # states in one exchange
HEADERS = {"User-Agent": "pos-hardware-proxy"}
NOTICE = "bridge_hardware"  # type of Odoo's message on the open line


class RelayError(Exception):
    """Odoo does not take part; the message is for the log."""


class Relay:
    """Fetches what tills have left in Odoo, and tells how it ends.

    :param proxy: :class:`~.proxy.Proxy`
    :param keys: :class:`~.security.Keys`; nothing happens before they are paired
    :param url: of Odoo, ``https://erp.example.jp``
    """

    def __init__(self, proxy, keys, url):
        self.proxy, self.keys, self.url = proxy, keys, url
        self.state = "starting"  # or listening, asking, no_answer: for people
        self._listens = False
        self._news = asyncio.Event()
        self._watched = set()  # ids of prints whose end Odoo does not know
        self._dirty = set()  # ids of which Odoo is to be told
        self._told = {}  # id → (what was told, what Odoo believed then)
        self._answers = {}  # id → what Odoo is told of what the spool does not know: drawers, refused prints
        self._pulsing = set()  # ids of drawers that are being opened
        self._refusals = {}  # id → why a decision was not carried out
        self._moment = 0
        self._tasks = []

    async def start(self):
        # Odoo keeps a session for the open line; a server named by its number may set a cookie, too.
        self._session = aiohttp.ClientSession(headers=HEADERS, cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.proxy.watchers.append(self._changed)
        self._news.set()
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._listen())]

    async def stop(self):
        self.proxy.watchers.remove(self._changed)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    def _changed(self, job_id):
        if job_id in self._watched:
            self._tell(job_id)

    def _tell(self, job_id):
        self._dirty.add(job_id)
        self._news.set()

    # -- asking ----------------------------------------------------------------------------------
    async def _run(self):
        pause = RETRY_S[0]
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), NET_S if self._listens else POLL_S)
            await asyncio.sleep(GATHER_S)
            self._news.clear()
            if not self.keys.secret:
                continue
            try:
                await self._exchange()
                self._say("listening" if self._listens else "asking")
                pause = RETRY_S[0]
            except (aiohttp.ClientError, OSError, TimeoutError, RelayError, ValueError, KeyError, TypeError) as error:
                self._say("no_answer", error)
                await asyncio.sleep(pause * random.uniform(0.8, 1.2))
                pause = min(2 * pause, RETRY_S[1])
                self._news.set()
            except Exception:
                _logger.exception("relay")
                await asyncio.sleep(RETRY_S[1])

    def _say(self, state, error=None):
        if state != self.state:
            self.state = state
            _logger.info("Odoo at %s: %s %s", self.url, state, error or "")

    async def _exchange(self):
        began = time.monotonic()
        telling = set(list(self._dirty)[:MOST_TOLD])
        self._dirty -= telling
        states = [self._stand(job_id) for job_id in telling]
        refusals = {job_id: self._refusals.pop(job_id) for job_id in telling if job_id in self._refusals}
        for stand in states:
            if stand["id"] in refusals:
                stand["refused"] = refusals[stand["id"]]
        try:
            answer = await self._post({"states": states, "printers": self._printers()})
        except BaseException:
            self._dirty |= telling
            self._refusals = {**refusals, **self._refusals}
            raise
        asked = [row for row in answer["asked"] if JOB_ID.fullmatch(row["id"])]
        self._watched = {row["id"] for row in (*asked, *answer["jobs"])}
        self._told = {job_id: told for job_id, told in self._told.items() if job_id in self._watched}
        for row in asked:
            if row.get("decision"):
                self._decide(row["id"], row["decision"])
        for row in answer["jobs"]:
            await self._take(row, began)
        for row in answer["drawers"]:
            self._open_drawer(row, began)
        for row in asked:
            self._compare(row["id"], row["face"])
        if self._dirty:
            self._news.set()

    def _printers(self):
        return [
            {"name": p.config.name, "role": p.config.role, "width": p.config.width, "drawer": p.config.drawer}
            for p in self.proxy.printers.values()
        ]

    async def _post(self, content):
        path = f"/bridge/hardware/{self.keys.proxy_id}"
        body = json.dumps(content).encode()
        moment, sent = self._sign("POST", path, body)
        headers = {"Authorization": f"Proxy {moment}.{sent}", "Content-Type": "application/json"}
        limit = aiohttp.ClientTimeout(total=ANSWER_S)
        async with self._session.post(
            self.url + path, data=body, headers=headers, timeout=limit, allow_redirects=False
        ) as response:
            if response.status != 200:
                raise RelayError(f"{response.status} {(await response.text())[:200]}")
            return await response.json()

    def _sign(self, method, path, body):
        """(moment, signature): only Odoo, which has the secret as well, can tell that it is right."""
        self._moment = max(self._moment + 1, time.time_ns() // 1_000_000)
        key = till_key(self.keys.secret, f"relay {self.keys.proxy_id}")
        moment = str(self._moment)
        return moment, signature(key, method, path, body, moment, self.keys.proxy_id)

    # -- what Odoo is told -----------------------------------------------------------------------
    def _stand(self, job_id):
        """How a print or a drawer stands here."""
        if job := self.proxy.spool.get(job_id):
            return as_dict(job)
        return {"id": job_id, **self._answers.get(job_id, {"state": "missing", "reason": ""})}

    def _compare(self, job_id, theirs):
        stand = self._stand(job_id)
        mine = face_of(stand["state"], stand["reason"])
        # Told before, and not taken over: Odoo knows better (it never goes back), and is not told for ever.
        if mine != theirs and self._told.get(job_id) != (mine, theirs):
            self._told[job_id] = mine, theirs
            self._tell(job_id)

    def _answer(self, job_id, state, reason):
        while len(self._answers) > 1000:
            self._answers.pop(next(iter(self._answers)))
        self._answers[job_id] = {"state": state, "reason": reason}
        self._tell(job_id)

    # -- what Odoo has ---------------------------------------------------------------------------
    async def _take(self, row, began):
        """Print what a till left in Odoo; ``age`` counts from when the till asked."""
        job_id, age = row["id"], row["age"] + time.monotonic() - began
        try:
            if not JOB_ID.fullmatch(job_id):
                raise Refused("The id of a job has 8 to 80 letters, digits, and . : - _")
            job = await job_of(self.proxy, job_id, row["query"], from_base64(row["body"]), time.time() - age)
            self.proxy.submit(job, age)
        except (Refused, PictureError, DocumentError, ValueError) as error:
            return self._answer(job_id, FAILED, str(error))
        self._tell(job_id)

    def _decide(self, job_id, decision):
        """Somebody looked at the paper of a print that is unknown here."""
        try:
            if self.proxy.spool.get(job_id) is None:
                pass  # Odoo is told that it is missing, and settles it
            elif decision.get("reprint"):
                self.proxy.reprint(job_id, decision["reprint"])
            else:
                self.proxy.resolve(job_id, decision["came_out"] is True)
        except Refused as error:
            self._refusals[job_id] = str(error)
        self._tell(job_id)

    def _open_drawer(self, row, began):
        if row["id"] in self._answers:
            self._tell(row["id"])
        elif row["id"] not in self._pulsing and JOB_ID.fullmatch(row["id"]):
            self._pulsing.add(row["id"])
            task = asyncio.create_task(self._pulse(row["id"], row["printer"], row["age"], began))
            self._tasks = [*(t for t in self._tasks if not t.done()), task]

    async def _pulse(self, request_id, printer, age, began):
        try:
            asked = time.time() - age - (time.monotonic() - began)
            self._answer(request_id, "done", await self.proxy.open_drawer(request_id, printer, asked))
        except (LinkError, Refused) as error:
            self._answer(request_id, FAILED, str(error))
        finally:
            self._pulsing.discard(request_id)

    # -- the open line ---------------------------------------------------------------------------
    async def _listen(self):
        pause = RETRY_S[0]
        while True:
            if not self.keys.secret:
                await asyncio.sleep(RETRY_S[0])
                continue
            try:
                if await self._hear():
                    pause = RETRY_S[0]
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError, TypeError) as error:
                _logger.debug("no open line to Odoo: %s", error)
            finally:
                if self._listens:
                    self._news.set()  # what comes while nobody listens
                self._listens = False
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))
            pause = min(2 * pause, RETRY_S[1])

    async def _hear(self):
        """Listen until the line is lost; whether it ever worked."""
        url = "ws" + self.url.removeprefix("http") + "/websocket"
        async with self._session.ws_connect(url, origin=self.url, heartbeat=30, max_msg_size=1 << 20) as line:
            moment, sent = self._sign("SUBSCRIBE", "/websocket", b"")
            channel = f"bridge_hardware:{self.keys.proxy_id}:{moment}:{sent}"
            await line.send_json({"event_name": "subscribe", "data": {"channels": [channel], "last": 0}})
            # Odoo greets on the same channel: only then can nothing be missed.
            limit = HELLO_S
            with contextlib.suppress(TimeoutError):
                while True:
                    message = await line.receive(limit)
                    if message.type is not aiohttp.WSMsgType.TEXT:
                        break
                    if any(row["message"]["type"] == NOTICE for row in json.loads(message.data)):
                        self._listens, limit = True, None
                        self._news.set()
            if not self._listens:
                self._session.cookie_jar.clear()  # a session that Odoo has forgotten is not tried again
            return self._listens
