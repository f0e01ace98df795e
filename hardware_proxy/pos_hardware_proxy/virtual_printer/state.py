# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What can be set on the virtual printer while it runs: its condition, its model, and how it misbehaves."""

from collections.abc import Callable
from dataclasses import dataclass, fields

from .rom import ROMS

ERRORS = ("", "cutter", "recoverable", "fatal")
BUSY = ("wait", "refuse")


@dataclass
class State:
    """Every field may be changed at any time and from any thread; ValueError when the value cannot be.

    width: dots of the head (576, 512, 420, 384); counts from the next strip of paper on
    rom: "japanese", "western" or "chinese"
    paper_end, near_end, cover_open, drawer_open, offline: the condition; while the paper is out, the cover open or the
        printer offline or in error it keeps what it receives and prints it afterwards
    error: "", "cutter" (DLE ENQ recovers), "recoverable" (goes away when set to ""), "fatal" (power off and on)
    silent: answers nothing
    paper_speed: mm/s at which paper comes out; None takes no time
    paper_left: dots until the paper is out; None is an endless roll
    bytes_per_second: how fast bytes are taken from the connection; None is as fast as they come
    receive_window: bytes of the socket's receive buffer (the system has a lower limit); counts from power on
    buffer_bytes: received bytes that wait for printing before no more are taken
    sessions, busy: so many connections at once; a further one waits, or is reset ("refuse")
    accept_delay: seconds until a new connection is served
    idle_timeout: seconds without a byte after which a connection is closed; None is never
    drop_after, reset_after: close, or reset, the connection that brings the N-th byte from now; 0 hits the next
        connection or byte; cleared once it has happened
    keep_partial: a command that a connection left unfinished swallows the next connection's first bytes
    latest_id_only: of several process ids that wait, only the last one is answered
    drawer_pin: pin (2 or 5) whose pulse opens the drawer; drawer_stuck: pulses do not open it
    drawer_high_open: whether the sensor's level is high when the drawer is open
    """

    width: int = 576
    rom: str = "japanese"
    paper_end: bool = False
    near_end: bool = False
    cover_open: bool = False
    drawer_open: bool = False
    offline: bool = False
    error: str = ""
    silent: bool = False
    paper_speed: float | None = None
    paper_left: int | None = None
    bytes_per_second: float | None = None
    receive_window: int | None = None
    buffer_bytes: int = 1 << 20
    sessions: int = 1
    busy: str = "wait"
    accept_delay: float = 0
    idle_timeout: float | None = None
    drop_after: int | None = None
    reset_after: int | None = None
    keep_partial: bool = False
    latest_id_only: bool = False
    drawer_pin: int = 2
    drawer_stuck: bool = False
    drawer_high_open: bool = True

    def __setattr__(self, name: str, value: object) -> None:
        value = _checked(name, value)
        before = getattr(self, name, None)
        object.__setattr__(self, name, value)
        if name == "paper_end" and not value and self.__dict__.get("paper_left") == 0:
            object.__setattr__(self, "paper_left", None)  # a new roll is in
        listener = self.__dict__.get("_listener")
        if listener and before != value:
            listener(name)

    def listen(self, listener: Callable[[str], None]) -> None:
        """Call ``listener`` with a field's name after each change, in the thread that changed it."""
        self.__dict__["_listener"] = listener

    @property
    def stopped(self) -> bool:
        """Whether the printer is offline, for whatever reason, and therefore does not print."""
        return self.paper_end or self.cover_open or self.offline or bool(self.error)

    @property
    def drawer_high(self) -> bool:
        """Level of the drawer's sensor (pin 3)."""
        return self.drawer_open == self.drawer_high_open

    def as_dict(self) -> dict:
        """All fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


_DEFAULTS = {field.name: field.default for field in fields(State)}
_CHOICES = {"rom": ROMS, "error": ERRORS, "busy": BUSY, "drawer_pin": (2, 5)}
_SECONDS_AND_RATES = {"paper_speed", "bytes_per_second", "accept_delay", "idle_timeout"}
_RANGES = {"width": (64, 1024), "sessions": (1, 100), "paper_speed": (0.001, 1e6), "bytes_per_second": (0.001, 1e12)}


def _checked(name: str, value: object) -> object:
    """The value as the field's type. Raises ValueError for an unknown field and for a value that cannot be."""
    if name not in _DEFAULTS:
        raise ValueError(f"no such setting: {name}")
    default = _DEFAULTS[name]
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise ValueError(f"{name} is one of {_CHOICES[name]}")
        return value
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise ValueError(f"{name} is true or false")
        return value
    if value is None and default is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{name} is a number")
    lowest, highest = _RANGES.get(name, (0, 1 << 40))
    if not lowest <= value <= highest:
        raise ValueError(f"{name} is out of range")
    return float(value) if name in _SECONDS_AND_RATES else int(value)
