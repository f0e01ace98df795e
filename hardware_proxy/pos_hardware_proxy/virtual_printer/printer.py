# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The virtual printer: state, paper and ledger behind a TCP port on this machine.

Bytes are taken from a connection, real-time commands are answered on the spot, the others wait in a queue for one
printing task, as in a real printer. While the printer is stopped the queue keeps them.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

from . import status
from .commands import AutoStatus, Command, Cut, ProcessId, Pulse, Raster, Recover, StatusRequest, Unknown
from .connections import Connection, Port
from .ledger import Ledger
from .paper import DOTS_PER_MM, Paper
from .parser import Parser
from .star import Mark, StarParser, StarStatus
from .state import State
from .typesetter import Typesetter

SLICE = 64  # rows of a raster that are printed in one go when paper takes time or may run out
LANGUAGES = ("escpos", "star")
COUNTERS = ("paper_left", "drop_after", "reset_after")  # these count down: not worth an event each time
BREATH = 64  # commands carried out before others may use the event loop

Result = TypeVar("Result")


class Job(NamedTuple):
    """A command that waits, the connection that sent it, and how many received bytes it stands for."""

    connection: Connection
    command: Command
    size: int


class VirtualPrinter:
    """A receipt printer on 127.0.0.1.

    ``state`` is what one may set (see State, whose fields are also accepted here), ``ledger`` what happened, ``papers``
    the finished strips, ``paper`` the one still in the printer. With a ``folder`` each finished strip is saved there
    as PNG. Of strips before the last ``keep`` only text and digest stay; None keeps all. ``language`` is "escpos" or
    "star"; a printer has one for life.

    Methods are to be called in the event loop that runs the printer; ``in_thread`` and ``call`` are for others.
    Setting a field of ``state`` is allowed anywhere.
    """

    def __init__(
        self,
        port: int = 0,
        folder: Path | None = None,
        keep: int | None = 1000,
        events: int | None = None,
        language: str = "escpos",
        **settings,
    ):
        if language not in LANGUAGES:
            raise ValueError(f"language is one of {', '.join(LANGUAGES)}")
        self._new_parser = StarParser if language == "star" else Parser
        self._says = StarStatus() if language == "star" else status
        self.state = State(**settings)
        self.ledger = Ledger(events)
        self.papers: list[Paper] = []
        self._folder, self._keep = folder, keep
        self._started = time.strftime("%Y%m%d-%H%M%S")
        self._typesetter = Typesetter(self.state.width, self.state.rom)
        self._port = Port(self, port)
        self._queue: deque[Job] = deque()
        self._queued_bytes = 0
        self._mask, self._status = 0, self._says.automatic(self.state)
        self._printing: asyncio.Task | None = None
        self._saving: set[asyncio.Task] = set()
        self._leftover: Parser | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._moment = 0.0  # when the head is free, in the event loop's seconds; 0 when it is not printing

    @property
    def port(self) -> int:
        """Port it listens on; with port 0, known once it was started."""
        return self._port.number

    @property
    def power(self) -> bool:
        """Whether it is on."""
        return self._printing is not None

    @property
    def paper(self) -> Paper:
        """The strip that is still in the printer."""
        return self._typesetter.paper

    @property
    def idle(self) -> bool:
        """Whether nothing that was received waits for printing."""
        return not self._queue

    @property
    def connections(self) -> list[Connection]:
        """Connections that are being served."""
        return list(self._port.connections)

    # Running

    async def start(self) -> None:
        """Switch it on. Raises OSError when the port is taken."""
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        self._wake, self._room, self._go = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.state.listen(self._state_changed)
        self.power_on()

    async def stop(self) -> None:
        """Switch it off and wait for files that are being written."""
        self.power_off()
        if self._saving:
            await asyncio.wait(self._saving)
        await asyncio.sleep(0)  # what was cancelled ends

    def power_on(self) -> None:
        """Listen on the same port again. Raises OSError when another program has taken it meanwhile."""
        if self.power:
            return
        self._port.open()
        self._printing = self._loop.create_task(self._print())
        self.ledger.add("power", name="on")

    def power_off(self) -> None:
        """Pull the plug: connections are reset, the port refuses, and what is not yet on the paper is lost."""
        if not self.power:
            return
        self._printing.cancel()
        self._printing = None
        self._port.close()
        self.ledger.add("power", name="off", lost_commands=len(self._queue))
        self._empty_queue()
        self._typesetter.power_cycle()
        self._mask, self._leftover = 0, None
        self._says.power_off()
        if self.state.error == "fatal":
            self.state.error = ""

    def tear_off(self) -> Paper | None:
        """Tear off what hangs out of the printer, as people do after a failure; None when nothing does."""
        return self._finish("torn", 0) if self.paper.height else None

    @contextmanager
    def in_thread(self) -> Iterator["VirtualPrinter"]:
        """Run the printer in a thread with an event loop of its own, for callers that have none."""
        started, end = threading.Event(), asyncio.Event()
        failure: list[BaseException] = []

        async def run() -> None:
            try:
                await self.start()
            except BaseException as error:
                failure.append(error)
                return
            finally:
                started.set()
            await end.wait()
            await self.stop()

        thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
        thread.start()
        started.wait()
        if failure:
            raise failure[0]
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(end.set)
            thread.join()

    def call(self, function: Callable[..., Result], *arguments) -> Result:
        """Call a method such as ``power_off`` from another thread and wait for its result."""

        async def run() -> Result:
            return function(*arguments)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    # Receiving, called by the port

    def parser_for(self) -> Parser:
        """Parser of a new connection: a fresh one, or the last one with what is unfinished in it."""
        parser = self._leftover if self.state.keep_partial and self._leftover else self._new_parser()
        self._leftover = parser
        return parser

    def received(self, connection: Connection, data: bytes) -> None:
        """Take bytes: real-time commands are carried out, the others queued."""
        size = len(data)
        for command in connection.parser.feed(data):
            if isinstance(command, Unknown):
                self.ledger.add("unknown", connection.number, command.name, data=command.data[:64].hex(" "))
            elif getattr(command, "real_time", False) or command.name.startswith("DLE"):
                self._real_time(connection, command)
            else:
                self._queue.append(Job(connection, command, size))
                connection.waiting += 1
                self._queued_bytes += size
                size = 0
        if self._queue:
            self._wake.set()

    async def room(self) -> None:
        """Return when there is room for more bytes."""
        while self._queued_bytes > self.state.buffer_bytes:
            self._room.clear()
            await self._room.wait()

    def _real_time(self, connection: Connection, command: Command) -> None:
        self.ledger.add("command", connection.number, command.name)
        if isinstance(command, StatusRequest):
            self._reply(connection, self._says.real_time(self.state, command.number))
        elif isinstance(command, Pulse):
            self._pulse(connection, command)
        elif isinstance(command, Recover):
            self._recover(connection, command)

    def _recover(self, connection: Connection, command: Recover) -> None:
        if command.name == "DLE ENQ":
            if self.state.error != "cutter":
                return  # it is for errors that somebody has put right, and does nothing otherwise
            self.state.error = ""
        if command.clear:
            self._printing.cancel()
            self._empty_queue()
            self._typesetter.clear_line()
            self._printing = self._loop.create_task(self._print())
        if command.name == "DLE DC4":
            self._reply(connection, status.CLEARED)

    def _empty_queue(self) -> None:
        for job in self._queue:
            job.connection.done()
        self._queue.clear()
        self._queued_bytes = 0
        self._room.set()

    # Printing

    async def _print(self) -> None:
        """Carry out what waits, one after the other, for as long as the power is on."""
        carried_out = 0
        while True:
            while self._queue:
                job = self._queue[0]
                await self._ready()
                await self._carry_out(job)
                self._queue.popleft()
                job.connection.done()
                self._queued_bytes -= job.size
                self._room.set()
                carried_out += 1
                if carried_out % BREATH == 0:
                    await asyncio.sleep(0)
            self._moment = 0.0
            self._wake.clear()
            await self._wake.wait()

    async def _ready(self) -> None:
        """Return when the printer is not stopped."""
        while self.state.stopped:
            self._moment = 0.0
            self._go.clear()
            await self._go.wait()

    async def _carry_out(self, job: Job) -> None:
        connection, command = job.connection, job.command
        self.ledger.add("command", connection.number, command.name)
        if isinstance(command, StatusRequest):
            self._reply(connection, status.queued(self.state, command.name, command.number))
        elif isinstance(command, ProcessId):
            if not (self.state.latest_id_only and any(isinstance(j.command, ProcessId) for j in list(self._queue)[1:])):
                self._reply(connection, status.process_id(command.id))
        elif isinstance(command, AutoStatus):
            self._mask, self._status = command.mask, self._says.automatic(self.state)
            if self._mask:
                self._reply(connection, self._status)
        elif isinstance(command, Mark):
            self._says.count(command)
            if self._mask:
                self._reply(connection, self._says.automatic(self.state))
        elif isinstance(command, Pulse):
            self._pulse(connection, command)
        else:
            await self._put_on_paper(connection, command)

    async def _put_on_paper(self, connection: Connection, command: Command) -> None:
        takes_time = self.state.paper_speed or self.state.paper_left is not None
        if takes_time and isinstance(command, Raster):
            for piece in command.slices(SLICE):
                await self._ready()
                await self._moved(self._typesetter.apply(piece))
            return
        moved = self._typesetter.apply(command)
        if moved:
            await self._moved(moved)
        if isinstance(command, Cut) and self.paper.height:
            self._finish("full" if command.full else "partial", connection.number)

    async def _moved(self, dots: int) -> None:
        """The paper has come out by so many dots: let that take its time, and let the roll come to its end."""
        state = self.state
        if state.paper_left is not None:
            state.paper_left = max(0, state.paper_left - dots)
            if not state.paper_left:
                state.paper_end = True
        if state.paper_speed:
            now = self._loop.time()
            self._moment = (self._moment or now) + dots / DOTS_PER_MM / state.paper_speed
            await asyncio.sleep(max(0.0, self._moment - now))

    def _finish(self, cut: str, connection: int) -> Paper:
        paper = self._typesetter.finish(cut)
        self.papers.append(paper)
        self.ledger.add("cut", connection, cut, paper, number=paper.number)
        if self._folder:
            task = self._loop.create_task(asyncio.to_thread(self._save, paper))
            self._saving.add(task)
            task.add_done_callback(self._saving.discard)
        if self._keep is not None and len(self.papers) > self._keep:
            self.papers[-self._keep - 1].drop_picture()
        return paper

    def _save(self, paper: Paper) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / f"{self._started}-{paper.number:04d}.png").write_bytes(paper.png())
        except OSError as error:
            self.ledger.add("fault", name="not saved", reason=str(error))

    # What goes out

    def _pulse(self, connection: Connection, command: Pulse) -> None:
        detail = {"pin": command.pin, "on_ms": command.on_ms, "off_ms": command.off_ms, "real_time": command.real_time}
        self.ledger.add("pulse", connection.number, command.name, **detail)
        if command.pin == self.state.drawer_pin and not self.state.drawer_stuck:
            self.state.drawer_open = True

    def _reply(self, connection: Connection, data: bytes) -> None:
        if data and not self.state.silent:
            sent = connection.send(data)
            self.ledger.add("reply" if sent else "lost reply", connection.number, data.hex(" "))

    def _state_changed(self, name: str) -> None:
        """Called by State, in whatever thread."""
        if threading.get_ident() == self._thread:
            self._follow(name)
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._follow, name)

    def _follow(self, name: str) -> None:
        """Let a change of state take effect."""
        if name not in COUNTERS:
            self.ledger.add("state", name=name, value=getattr(self.state, name))
        if name == "width":
            self._typesetter.set_width(self.state.width)
        elif name == "rom":
            self._typesetter.set_rom(self.state.rom)
        self._port.state_changed()
        self._room.set()
        if not self.state.stopped:
            self._go.set()
        now = self._says.automatic(self.state)
        if self.power and self._mask and self._says.changed(self._status, now, self._mask):
            for connection in self.connections:
                self._reply(connection, now)
        self._status = now
