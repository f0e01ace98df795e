# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The proxy itself: takes jobs from any door, hands them to their printers, and tells how they end."""

import asyncio
import contextlib
import logging
import time
from dataclasses import replace

from .display import Display
from .fonts import Fonts
from .picture import fit
from .printer import Printer
from .refusals import Refused
from .scale import Scale
from .scanner import Scanner, Scans
from .spool import ENDED, FAILED, PRINTED, PRINTING, UNKNOWN, WAITING, Spool
from .text import layout

_logger = logging.getLogger(__name__)
LIFETIME = {"receipt": 600, "kitchen": 7200, "test": 60}  # seconds until a job must have begun
PURGE_S = 3600


def _tells(job):
    return job.state in (*ENDED, UNKNOWN) or job.reason


class Proxy:
    """All printers and their spool.

    :param config: :class:`~.config.Config`
    """

    def __init__(self, config):
        self.config = config
        config.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._waiters = {}  # job id → futures of those who want to know of its next change
        self.relay = None  # the way through Odoo, where there is one
        self.watchers = []  # told the id of each job that has changed
        self.spool = Spool(config.state / "spool.sqlite", changed=self._changed)
        self.fonts = Fonts(config.font)
        self.printers = {p.name: Printer(p, self.spool, self.fonts) for p in config.printers}
        self.scans = Scans()
        self.scanners = [Scanner(scanner, self.scans) for scanner in config.scanners]
        self.scales = [Scale(scale) for scale in config.scales]
        self.displays = [Display(display, self.printers) for display in config.displays]
        self._drawers = {}  # id of a request → its outcome, or the task that finds it
        self._purger = None
        self.started = time.time()

    async def start(self):
        broken = self.spool.recover(self.printers)
        for printer in self.printers.values():
            printer.start(hangs=printer.config.name in broken)
        for device in (*self.scanners, *self.scales, *self.displays):
            device.start()
        self._purger = asyncio.create_task(self._purge())

    async def stop(self):
        self._purger.cancel()
        await asyncio.gather(*(display.stop() for display in self.displays))  # before the printers they hang on
        await asyncio.gather(*(device.stop() for device in (*self.printers.values(), *self.scanners, *self.scales)))
        self.spool.close()

    async def _purge(self):
        while True:
            self.spool.purge()
            await asyncio.sleep(PURGE_S)

    # -- jobs ------------------------------------------------------------------------------------
    def printer(self, name=None, role="receipt"):
        """The printer of that name; without one, the first of that role.

        :raises Refused: there is none
        """
        if name:
            if name in self.printers:
                return self.printers[name]
            if self.printers:
                names = ", ".join(self.printers)
                raise Refused("There is no printer {name} here. There are: {names}.", name=name, names=names)
        for printer in self.printers.values():
            if printer.config.role == role:
                return printer
        raise Refused("No printer is set up. Name one in the configuration file.")

    def submit(self, job, age=0.0):
        """Keep a job on disk and let its printer know; the job as it stands. The same id again changes nothing.

        :param age: seconds since it was asked for
        :raises Refused: it was not taken
        """
        printer = self.printer(job.printer)
        if job.format == "picture" and job.width != printer.config.width:
            width = printer.config.width
            job = replace(job, picture=fit(job.picture, job.width, width), packed=None, width=width)
        left = LIFETIME[job.kind] - age
        state = PRINTING if printer.is_idle and left > 0 else WAITING
        job, is_new = self.spool.accept(job, left, state)
        if is_new:
            printer.wake(job if state == PRINTING else None)
        return job

    async def check(self, job):
        """Whether its printer can print this text.

        :raises DocumentError: it cannot
        """
        # Characters that are seen for the first time are looked for in many fonts.
        await asyncio.to_thread(layout, job, self.printer(job.printer).config, self.fonts)

    async def outcome(self, job_id, seconds, enough=_tells):
        """The job when it is ``enough`` (ended, or in trouble), or as it is after ``seconds``."""
        limit = time.monotonic() + seconds
        while True:
            job = self.spool.get(job_id)
            left = limit - time.monotonic()
            if job is None or enough(job) or left <= 0:
                return job
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.setdefault(job_id, []).append(waiter)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await waiter

    def _changed(self, job_id):
        for watcher in self.watchers:
            watcher(job_id)
        for waiter in self._waiters.pop(job_id, ()):
            if not waiter.done():
                waiter.set_result(None)

    def cancel(self, job_id):
        """Take back a job of which no byte has left; whether that was so."""
        return self.spool.move(job_id, WAITING, FAILED, "cancelled")

    def resolve(self, job_id, came_out):
        """Somebody has looked at the paper of a job that is ``unknown``; the job as it stands.

        :raises Refused: nobody was asked about it
        """
        job = self.spool.get(job_id)
        if job is None:
            raise Refused("There is no job {job}.", job=job_id)
        new, reason = (PRINTED, "seen") if came_out else (FAILED, "not_seen")
        if not self.spool.move(job_id, UNKNOWN, new, reason) and job.state != new:
            raise Refused("The job {job} is {state}; there is nothing to decide.", job=job_id, state=job.state)
        return self.spool.get(job_id)

    def reprint(self, job_id, new_id):
        """Print an ``unknown`` job once more, with a mark; the new job. The old one is closed as not seen.

        :raises Refused: it is not unknown, or was printed once more already
        """
        known = self.spool.get(new_id)
        if known and known.reprint_of == job_id:
            return known
        job = self.spool.get_whole(job_id)
        if job is None:
            raise Refused("There is no job {job}.", job=job_id)
        if job.state != UNKNOWN:
            raise Refused("The job {job} is {state}; only an unknown one is repeated.", job=job_id, state=job.state)
        new = self.submit(replace(job, id=new_id, reprint_of=job_id, pulse=False, state=WAITING, reason=""))
        self.spool.move(job_id, UNKNOWN, FAILED, "reprinted")
        return new

    # -- drawer ----------------------------------------------------------------------------------
    async def open_drawer(self, request_id, printer_name=None, asked=None):
        """Open the drawer once for ``request_id``, now or not at all: ``opened``, ``pulsed`` or ``not_seen``.

        :param asked: when somebody asked for it, in seconds since 1970; now, unless it was under way for a while
        :raises LinkError: it was not pulsed
        :raises Refused: there is no drawer
        """
        asked = time.time() if asked is None else asked
        printer = self.printer(printer_name)
        if not printer.config.drawer:
            raise Refused("No drawer hangs on the printer {name}.", name=printer.config.name)
        if request_id not in self._drawers:
            if not self.spool.note_drawer(request_id):
                raise Refused("The drawer was pulsed for this request before; whether it opened is not known.")
            while len(self._drawers) > 1000:
                self._drawers.pop(next(iter(self._drawers)))
            self._drawers[request_id] = asyncio.ensure_future(printer.open_drawer(asked))
        return await asyncio.shield(self._drawers[request_id])

    async def learn_drawer(self, printer_name):
        """Open the drawer, which somebody has closed, to see how its sensor moves; whether it did.

        :raises LinkError: it was not pulsed
        :raises Refused: there is no drawer
        """
        printer = self.printer(printer_name)
        if not printer.config.drawer:
            raise Refused("No drawer hangs on the printer {name}.", name=printer.config.name)
        _logger.info("the drawer at %s is opened to learn its sensor", printer.config.name)
        return await printer.learn_drawer()

    # -- for people ------------------------------------------------------------------------------
    def health(self):
        """State of everything, as plain data; no receipt's contents."""
        return {
            "name": self.config.name,
            "now": round(time.time() * 1000),
            "up_seconds": round(time.time() - self.started),
            "printers": [self._printer_health(printer) for printer in self.printers.values()],
            "scanners": [{"name": s.config.name, "reason": s.reason} for s in self.scanners],
            "scales": [{"name": s.config.name, "reason": s.weight.reason} for s in self.scales],
            "displays": [{"name": d.config.name, "reason": d.reason} for d in self.displays],
            "relay": self.relay.state if self.relay else "",
        }

    def _printer_health(self, printer):
        jobs = self.spool.open_jobs(printer.config.name)
        status = printer.status
        return {
            "name": printer.config.name,
            "role": printer.config.role,
            "width": printer.config.width,
            "drawer": printer.config.drawer,
            "ready": not printer.reason,
            "reason": printer.reason,
            "paper": status.paper,
            "waiting": sum(job.state == WAITING for job in jobs),
            "unknown": sum(job.state == UNKNOWN for job in jobs),
        }
