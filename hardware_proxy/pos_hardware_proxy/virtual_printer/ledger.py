# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The printer's own account of what happened, in order: the judge of tests that make things fail."""

import time
from collections import deque
from typing import NamedTuple

from .paper import Paper


class Event(NamedTuple):
    """Something that happened.

    ``kind``: "connect", "disconnect", "command", "unknown", "reply", "lost reply", "pulse", "cut", "fault", "power"
    or "state". ``at`` is in seconds since the epoch, ``connection`` 0 when none is concerned. ``detail`` of a pulse has
    pin, on_ms, off_ms, real_time; of a cut the paper's number and the kind of cut; of a disconnect the bytes received.
    """

    number: int
    at: float
    kind: str
    connection: int = 0
    name: str = ""
    detail: dict = {}
    paper: Paper | None = None

    @property
    def sha256(self) -> str:
        """Digest of the paper that was cut, "" for other events; computed when it is first asked for."""
        return self.paper.sha256 if self.paper else ""

    def as_dict(self) -> dict:
        """What the page shows of it."""
        return {**self._asdict(), "paper": self.paper.number if self.paper else None}


class Ledger:
    """The events, oldest first. With a ``limit`` the oldest are forgotten; ``total`` counts those too."""

    def __init__(self, limit: int | None = None):
        self.events: deque[Event] = deque(maxlen=limit)
        self.total = 0

    def add(self, kind: str, connection: int = 0, name: str = "", paper: Paper | None = None, **detail) -> Event:
        """Write an event down."""
        self.total += 1
        event = Event(self.total, time.time(), kind, connection, name, detail, paper)
        self.events.append(event)
        return event

    def of(self, *kinds: str) -> list[Event]:
        """Events of these kinds."""
        return [event for event in list(self.events) if event.kind in kinds]

    def since(self, number: int) -> list[Event]:
        """Events after the one with this number."""
        return [event for event in list(self.events) if event.number > number]

    @property
    def pulses(self) -> list[Event]:
        """Drawer pulses that were given."""
        return self.of("pulse")

    @property
    def cuts(self) -> list[Event]:
        """Papers that came out: cut or torn off."""
        return self.of("cut")

    @property
    def unknown(self) -> list[Event]:
        """Bytes that were no command."""
        return self.of("unknown")

    @property
    def faults(self) -> list[Event]:
        """What the printer did wrong because it was told to."""
        return self.of("fault")

    @property
    def commands(self) -> list[str]:
        """Names of the commands carried out."""
        return [event.name for event in self.of("command")]
