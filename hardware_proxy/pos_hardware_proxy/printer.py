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
from .drawer import Drawer, is_in_time
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
TROUBLE_S, IDLE_S = 2.0, 10.0  # between two looks without a job: at one that was in trouble, and else
# Bytes that are written at once: few packets; but on a serial line soon enough gone for the printer not to seem silent.
PIECE, SLOW_PIECE = 65536, 8192
ABSENT = ("refused", "no_answer", "unreachable", "unplugged", "not_allowed", "busy", "silent", "lost")
SHARED_S = 30.0  # then the line of a shared printer is given free for others


class Printer(Drawer):
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
        self.know_drawer()
        self._link = None
        self._lock = asyncio.Lock()  # one speaks to the printer at a time
        self._news = asyncio.Event()  # a job has come
        self._handed = None  # a job that is ``printing`` already, of which no byte has left
        self._rests = False  # nothing waits
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
        if self._handed:
            self._put_back(self._handed, "")
            self._handed = None
        await self._hang_up()

    @property
    def is_idle(self):
        """Whether a job that comes now is begun at once."""
        is_up = self._link and not self._link.lost.is_set()
        is_busy = self._handed or self._news.is_set() or self._lock.locked()
        return bool(self._rests and is_up and not (is_busy or self.reason or self.torn))

    def wake(self, job=None):
        """A job waits in the spool; or ``job``, which was told to be begun at once."""
        self._handed = job or self._handed
        self._news.set()

    async def _run(self):
        pause = RETRY_S[0]
        while True:
            job = None
            try:
                job, self._handed = self._handed or self.spool.next_waiting(self.config.name), None
                if job is None:
                    await self._rest()
                    continue
                async with self._lock:
                    try:
                        await self._ready()
                    except (LinkError, asyncio.CancelledError) as error:
                        self._put_back(job, str(error))
                        raise
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

    def _put_back(self, job, reason):
        """Nothing of it has left; it waits like others."""
        if job.state == PRINTING:
            self.spool.move(job.id, PRINTING, WAITING, reason)

    async def _after_fault(self, job):
        """A fault of ours, or of the disk, must not stop the printer: what is on disk says what is known."""
        self.reason, self.torn = "fault", True
        await self._hang_up()
        await asyncio.sleep(RETRY_S[1])
        with contextlib.suppress(Exception):
            if job:
                self.spool.move(job.id, PRINTING, UNKNOWN, "fault")

    async def _rest(self):
        """Until a job comes. The printer is looked at all the same; the line of a shared one is given free."""
        is_first = not self._link and not self.reason  # it says how it is before anybody prints
        idle = SHARED_S if self.config.shared else 0 if is_first else IDLE_S
        self._rests = True
        came = await self._wait_for_news(TROUBLE_S if self.reason else idle)
        self._rests = False
        if came:
            return
        async with self._lock:
            if not self.reason and self.config.shared:
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
            self._put_back(job, self.reason)
            return False
        if self.torn:
            await self._settle()
        if job.state == WAITING and not self.spool.move(job.id, WAITING, PRINTING):
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

    async def _settle(self):
        """What an earlier job has asked may be answered only now, and must not pass for the answer to the next one.

        :raises LinkError: it does not answer
        """
        question, wanted = self._says.settling(self.config.confirm, self.status)
        if not question:
            return
        self._answers.clear()
        await self._link.write(self._says.FILL + self._says.INITIALISE + self._says.ASB_ON + question)
        if not await self._hear(wanted, SILENCE_S):
            raise LinkError("lost" if self._link.lost.is_set() else "silent")
        await asyncio.sleep(ANSWER_S)  # ours comes right behind it

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
