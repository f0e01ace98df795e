# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""One printer: its line, its state, and the jobs that wait for it, one at a time.

Each printer has a worker of its own, so that one that is dead does not delay another. The worker keeps the promise of
the spool: a job is ``printing`` on disk before its first byte leaves, and from there it ends as ``printed`` only when
the printer says so.
"""

import asyncio
import contextlib
import logging
import random
import time

from . import status, text
from .fonts import Fonts
from .languages import LANGUAGES
from .link import LinkError, open_link
from .marks import reprint_mark
from .spool import PRINTED, PRINTING, UNKNOWN, WAITING
from .tasks import end

_logger = logging.getLogger(__name__)
ANSWER_S = 0.5  # for a question of a byte or two
SILENCE_S = 20.0  # without any word of the printer while it should be printing
LOOK_S = 1.0  # between two looks at a printer that is not ready
RETRY_S = (0.5, 15.0)  # shortest and longest wait before the next attempt to connect
TROUBLE_S = 2.0  # between two looks at one that was in trouble, without a job
# Bytes that are written at once: few packets; but on a serial line soon enough gone for the printer not to seem silent.
PIECE, SLOW_PIECE = 65536, 8192
PULSE_S = 3.0  # a drawer opens now or not at all
SEEN_S = 1.0  # the sensor's time to notice
ABSENT = ("refused", "no_answer", "unreachable", "unplugged", "not_allowed", "busy", "silent", "lost")
IDLE_CLOSE_S = 30.0  # then the line is given free for others


def is_in_time(asked):
    """Whether a drawer that was ``asked`` for then (seconds since 1970) is still wanted open."""
    return time.time() - asked <= PULSE_S


class Printer:
    """The worker of one printer.

    :param config: :class:`~.config.PrinterConfig`
    :param spool: :class:`~.spool.Spool`
    :param fonts: :class:`~.fonts.Fonts`, for texts that are drawn
    """

    def __init__(self, config, spool, fonts=None):
        self.config, self.spool, self.fonts = config, spool, fonts or Fonts()
        self._says = LANGUAGES[config.language]
        self.status = status.Status()
        self.reason = ""  # why nothing can be printed now
        learned = spool.open_level(config.name) if config.drawer else None
        self.open_level = learned if config.drawer_open_level is None else config.drawer_open_level
        self._link = None
        self._lock = asyncio.Lock()  # one speaks to the printer at a time
        self._news = asyncio.Event()  # a job has come
        self._heard = asyncio.Event()  # the printer has said something
        self._answers = []
        self._stopped = False  # a job is in the printer, which waits for paper or the like
        # What came before may have ended in the middle of a command (always possible at the start), and of a paper.
        self.torn, self._hangs = True, False
        self._alive = 0.0  # when the printer last took or said something
        self._number = random.randrange(95**4)
        self._note = ""  # what there is to say of a job that was printed
        self._task = None

    @property
    def absent(self):
        """Whether the printer itself does not answer, rather than being in trouble."""
        return self.reason in ABSENT

    # -- life ----------------------------------------------------------------------------------
    def start(self, hangs=False):
        """Begin; ``hangs``: half a paper may hang out of the printer."""
        self._hangs = hangs
        self._task = asyncio.create_task(self._run(), name=f"printer {self.config.name}")

    async def stop(self):
        await end(self._task)
        await self._hang_up()

    def wake(self):
        """A job waits in the spool."""
        self._news.set()

    async def _run(self):
        pause = RETRY_S[0]
        while True:
            job = None
            try:
                job = self.spool.next_waiting(self.config.name)
                if job is None:
                    await self._rest()
                    continue
                async with self._lock:
                    await self._ready()
                    done = await self._print(job)
                pause = RETRY_S[0]
                if not done:
                    await self._wait_for_news(LOOK_S)
            except LinkError as error:
                self._say(str(error))
                await self._hang_up()
                await self._wait_for_news(pause * random.uniform(0.8, 1.2))
                pause = min(pause * 2, RETRY_S[1])
            except Exception:
                _logger.exception("printer %s, job %s", self.config.name, job and job.id)
                await self._after_fault(job)

    async def _after_fault(self, job):
        """A fault of ours, or of the disk, must not stop the printer: what is on disk says what is known."""
        self.reason, self.torn = "fault", True
        await self._hang_up()
        await asyncio.sleep(RETRY_S[1])
        with contextlib.suppress(Exception):
            if job:
                self.spool.move(job.id, PRINTING, UNKNOWN, "fault")

    async def _rest(self):
        """Until a job comes. A printer in trouble is looked at again; an idle line is given free."""
        if await self._wait_for_news(TROUBLE_S if self.reason else IDLE_CLOSE_S):
            return
        async with self._lock:
            if not self.reason:
                await self._hang_up()
                return
            await self._ready()
            self._say(self.status.trouble)

    async def _wait_for_news(self, seconds):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        came = self._news.is_set()
        self._news.clear()
        return came

    # -- the line --------------------------------------------------------------------------------
    async def _ready(self):
        """The line is up and the printer's state is known.

        :raises LinkError: it does not answer
        """
        if self._link and self._link.lost.is_set():
            await self._hang_up()
        is_new = not self._link
        if is_new:
            self.status, self._reader, self._answers = status.Status(), self._says.Reader(), []
            self._link = await open_link(self.config.address, self._on_bytes)
            self._watch = asyncio.create_task(self._wake_at_loss(self._link))
        if self.config.confirm == "none":
            return
        if is_new:
            await self._link.write(self._says.HELLO)
        # From then on it tells every change by itself; one question proves that it is still there.
        questions = self._says.ASK
        await self._ask(questions if is_new or self.status.trouble else questions[:1])

    async def _wake_at_loss(self, link):
        await link.lost.wait()
        self._heard.set()

    async def _hang_up(self):
        link, self._link = self._link, None
        if link:
            await link.close()
            self._watch.cancel()

    def _on_bytes(self, data):
        for answer in self._reader.feed(data):
            if told := self._says.automatic(answer):
                self.status = told
                if not self._lock.locked():
                    self.reason = self.status.trouble
            self._answers.append(answer)
        self._alive = time.monotonic()
        self._heard.set()

    async def _ask(self, questions):
        """Ask for its state, question by question: an answer does not say to which it belongs."""
        for number, question in enumerate(questions, 1):
            self._answers.clear()
            await self._link.write(question)
            answer = await self._hear(self._says.is_reply, ANSWER_S)
            if answer is None:
                raise LinkError("lost" if self._link.lost.is_set() else "silent")
            self.status = self._says.replied(self.status, number, answer)

    async def _hear(self, wanted, seconds):
        """The first answer that is ``wanted`` and comes within ``seconds``, or None; also when the line is lost."""
        limit = time.monotonic() + seconds
        while True:
            while self._answers:
                answer = self._answers.pop(0)
                if wanted(answer):
                    return answer
            left = limit - time.monotonic()
            if left <= 0 or self._link.lost.is_set():
                return None
            self._heard.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._heard.wait()

    # -- jobs ------------------------------------------------------------------------------------
    async def _print(self, job):
        """Print ``job`` and settle it; False when the printer is not ready and the job goes on waiting."""
        self._say(self.status.trouble)
        if self.reason:
            return False
        if not self.spool.move(job.id, WAITING, PRINTING):
            return True  # taken back while we looked
        try:
            reason = await self._deliver(job)
        except LinkError:
            reason = "lost"
        self.torn = self._hangs = reason not in ("", "unconfirmed")
        if self.torn:
            self.spool.move(job.id, PRINTING, UNKNOWN, reason)
        else:
            self.spool.move(job.id, PRINTING, PRINTED, self._note or reason)
        if reason:
            await self._hang_up()
        return True

    async def _deliver(self, job):
        """Send ``job`` and wait until the printer says that all is printed; "" then, else why it is not known.

        It goes on by itself when paper is in and the cover is closed: then wait, and never send again.
        """
        question, wanted = self._question()
        self._note = ""
        self._answers.clear()
        self._alive = time.monotonic()
        sending = asyncio.create_task(self._send(job, question))
        try:
            while time.monotonic() < self._alive + SILENCE_S:
                if not question:
                    await asyncio.wait([sending], timeout=LOOK_S)
                    if sending.done():
                        await sending
                        return "unconfirmed"
                elif await self._hear(wanted, LOOK_S):
                    return ""
                if self._link.lost.is_set():
                    return "lost"
                # Where the printer has not even taken all of the job, a pulse would be stuck behind it.
                self._stopped = bool(self.status.trouble) and sending.done() and not self._link.is_stuck
                self._say(self.status.trouble, job)
                if self.status.trouble:
                    self._alive = time.monotonic()
                elif sending.done():
                    await sending
                    await self._link.write(self._says.ASK[0])  # still there?
            return "no_confirmation"
        finally:
            self._stopped = False
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    def _question(self):
        """(bytes that ask whether all before is printed, which answer says so)."""
        if self.config.confirm == "none":
            return b"", lambda answer: False
        self._number += 1
        return self._says.confirmation(self.config.confirm, self._number, self.status)

    async def _send(self, job, question):
        data = b"".join(self._commands(job, await self._body(job), question))
        piece = SLOW_PIECE if self.config.address.startswith("serial") else PIECE
        for at in range(0, len(data), piece):
            await self._link.write(data[at : at + piece])
            self._alive = time.monotonic()

    async def _body(self, job):
        """What the job has on paper, as commands."""
        if job.format == "picture":
            return self._says.picture(job.picture, job.width)
        page = await asyncio.to_thread(text.layout, job, self.config, self.fonts)
        self._note = text.LACKING if page.lacking else ""
        return await asyncio.to_thread(page.commands, self._says)

    def _commands(self, job, body, question):
        """All of a job, as a list of commands."""
        says, width = self._says, self.config.width
        head = [says.INITIALISE]
        if self.torn:
            head = [says.FILL, says.INITIALISE]
            if self._hangs:
                head.append(says.CUT)
        if job.pulse and is_in_time(job.created):
            head.append(says.pulse(self.config.drawer_pin))
        if question:
            head.append(says.ASB_ON)
        head.append(says.motion_units(self.config.dpi))
        if job.reprint_of:
            body = says.picture(reprint_mark(width), width) + body
        return [*head, *body, says.CUT, question]

    def _say(self, reason, job=None):
        """Note why nothing comes out: for the printer, the job that is being printed, and all that wait."""
        self.reason = reason
        if job and self.spool.get(job.id).reason != reason:
            self.spool.move(job.id, PRINTING, PRINTING, reason)
        self.spool.explain(self.config.name, reason)

    async def pass_on(self, data):
        """Give ``data`` to what is plugged into the printer, between two jobs, or not at all.

        :raises LinkError: ``busy``, or why the printer cannot be reached
        """
        if self.absent:
            raise LinkError(self.reason)  # the worker looks for it; nobody else needs to wait for that
        if self._lock.locked() or self._news.is_set():
            raise LinkError("busy")
        async with self._lock:
            try:
                await self._ready()
            except LinkError:
                await self._hang_up()
                raise
            # It would wait in the printer's buffer, and keep a drawer's pulse from getting through.
            if self.status.trouble or self._link.is_stuck:
                raise LinkError(self.status.trouble or "busy")
            await self._link.write(data)

    # -- drawer ----------------------------------------------------------------------------------
    async def open_drawer(self, asked):
        """Pulse the drawer now or not at all.

        :param asked: when somebody asked for it, in seconds since 1970
        :return: ``opened``, ``not_seen`` (the sensor did not move), ``pulsed`` (no sensor is known)
        :raises LinkError: no pulse was sent
        """
        while self._lock.locked() and not self._stopped and is_in_time(asked):
            await asyncio.sleep(0.02)
        if not is_in_time(asked):
            raise LinkError("too_late")
        if self._stopped:
            # A receipt waits for paper in the printer; what is real-time passes it.
            await self._link.write(self._says.pulse_now(self.config.drawer_pin))
            return await self._seen()
        await self._lock.acquire()
        try:
            await self._ready()
            if not is_in_time(asked):  # another was quicker, or the printer slow to answer
                raise LinkError("too_late")
            # In the buffer of a printer that is offline, or behind half a picture, it would come too late or never.
            command = self._says.pulse_now if self.status.trouble or self.torn else self._says.pulse
            await self._link.write(command(self.config.drawer_pin))
            return await self._seen()
        except LinkError:
            await self._hang_up()
            raise
        finally:
            self._lock.release()

    async def learn_drawer(self):
        """Pulse the drawer, which somebody has just closed, and keep the level to which its sensor goes.

        :return: whether the sensor moved
        :raises LinkError: no pulse was sent
        """
        async with self._lock:
            await self._ready()
        closed = self.status.drawer
        await self.open_drawer(time.time())
        limit = time.monotonic() + SEEN_S
        while self.status.drawer == closed and time.monotonic() < limit:
            await asyncio.sleep(0.02)
        if closed is None or self.status.drawer == closed:
            return False
        self.open_level = self.status.drawer
        self.spool.learn_sensor(self.config.name, self.open_level)
        return True

    async def _seen(self):
        """Whether the sensor says "open"; the printer tells that by itself."""
        level = self.open_level
        if self.config.confirm == "none" or level is None:
            return "pulsed"
        limit = time.monotonic() + SEEN_S
        while time.monotonic() < limit and not self._link.lost.is_set():
            if self.status.drawer == level:
                return "opened"
            await asyncio.sleep(0.02)
        return "not_seen"
