# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Star Line Mode for the virtual printer: its bytes as the commands that the paper knows, and its status.

Enough to judge a sender: raster mode with what leaving it does, text, cuts, drawers, automatic status, and ETB. Bar
codes and QR codes are skipped.
"""

from dataclasses import dataclass

from .commands import AutoStatus, Command, Control, Cut, Feed, Other, Pulse, Raster, StatusRequest, Style, Text, unknown
from .state import State

ESC = 0x1B
PULSE_MS = 200
COLUMN = 12  # dots
FEED_TO_CUTTER = 0  # dots; left out, so that what was sent is what is on the paper

# Commands of fixed size by how they begin; the longest beginning counts.
_SIZES = {
    **dict.fromkeys([b"\x1b@", b"\x1b0", b"\x1bE", b"\x1bF", b"\x1b4", b"\x1b5", b"\x1bp", b"\x1bq"], 2),
    **dict.fromkeys([b"\x1b" + bytes([letter]) for letter in b" zlQd-_WhaJIR$C\x0c"], 3),
    b"\x1b\x06\x01": 3,
    **dict.fromkeys([b"\x1bs", b"\x1bi", b"\x1b\x07", b"\x1b\x1ea", b"\x1b\x1eF", b"\x1b\x1eR", b"\x1b\x1eE"], 4),
    **dict.fromkeys([b"\x1b\x1da", b"\x1b\x1dt", b"\x1b*rA", b"\x1b*rB", b"\x1b*rC"], 4),
    **dict.fromkeys([b"\x1b\x1dA", b"\x1b\x1dR"], 5),
    b"\x1b\x1d\x03": 6,
}
_LONGEST = max(map(len, _SIZES))
_CUTS = {0: True, 1: False, 2: True, 3: False}  # ESC d: whether it is a full one
_ENDS = {8: True, 9: True, 12: False, 13: False}  # raster EOT and FF modes that cut, likewise
_USUAL_END = 13


@dataclass(frozen=True, slots=True)
class Mark(Command):
    """ETB, or what sets its counter back (``restart``)."""

    restart: bool = False


_SINGLE = {
    0x07: Pulse("BEL", 2, PULSE_MS, PULSE_MS),
    0x1C: Pulse("FS", 2, PULSE_MS, PULSE_MS, real_time=True),
    0x1A: Pulse("SUB", 5, PULSE_MS, PULSE_MS, real_time=True),
    0x19: Pulse("EM", 5, PULSE_MS, PULSE_MS, real_time=True),
    0x17: Mark("ETB"),
    0x0A: Control("LF"),
    0x0D: Control("CR"),
    0x04: Other("EOT"),
    0x05: Other("ENQ"),
    0x0F: Style("ESC {", b"\x01"),
    0x12: Style("ESC {", b"\x00"),
}


class StarParser:
    """Incremental parser like :class:`~.parser.Parser`; whatever it is fed, it neither raises nor waits for ever."""

    def __init__(self):
        self.reset()

    def reset(self) -> None:
        """Forget unfinished commands and modes."""
        self._buffer = b""
        self._is_raster = self._has_dots = False
        self._left = 0  # margin, in columns
        self._ends = {b"E": _USUAL_END, b"F": _USUAL_END}

    @property
    def pending(self) -> bytes:
        """Bytes of a command that is not complete yet."""
        return self._buffer

    def feed(self, chunk: bytes) -> list[Command]:
        """Commands completed by these bytes."""
        data, at, found = self._buffer + chunk, 0, []
        while at < len(data):
            size = self._size(data[at:])
            if size > len(data) - at:
                break
            found += self._commands(data[at : at + size])
            at += size
        self._buffer = data[at:]
        return found

    def _size(self, data: bytes) -> int:
        """Bytes of the first command; more than there are, while that is not known."""
        if self._is_raster and data[:1] in (b"b", b"k"):
            return 3 + int.from_bytes(data[1:3], "little") if len(data) >= 3 else 3
        if data[0] == ESC:
            return self._escape_size(data)
        if data[0] < 0x20 or self._is_raster:
            return 1
        end = next((place for place, byte in enumerate(data) if byte < 0x20), len(data))
        return end

    @staticmethod
    def _escape_size(data: bytes) -> int:
        if len(data) < 2:
            return 2
        for length in range(_LONGEST, 1, -1):
            if data[:length] in _SIZES:
                return _SIZES[data[:length]]
        if data[:2] == b"\x1bb" or data[:3] == b"\x1b*r":
            end = data.find(b"\x1e" if data[1:2] == b"b" else b"\0", 4)
            return end + 1 if end >= 0 else len(data) + 1
        if data[:2] == b"\x1bk":
            return 4 + 24 * int.from_bytes(data[2:4], "little") if len(data) >= 4 else 4
        if data[:3] == b"\x1b\x1dS":
            known = len(data) >= 9
            return 9 + _word(data, 4) * _word(data, 6) if known else 9
        if data[:3] == b"\x1b\x1dy":
            return _symbol_size(data)
        return min(len(data) + 1, 4) if any(known.startswith(data) for known in _SIZES) else 2

    def _commands(self, data: bytes) -> list[Command]:
        if self._is_raster and data[:1] in (b"b", b"k"):
            return self._row(data)
        if data[0] == ESC:
            return self._escape(data)
        if data[0] in _SINGLE:
            return [_SINGLE[data[0]]]
        if data == b"\x18":
            self._is_raster = False
            return [Control("CAN"), Mark("CAN", restart=True)]
        return [Text("text", data)] if data[0] >= 0x20 and not self._is_raster else [unknown(data)]

    def _row(self, data: bytes) -> list[Command]:
        """b and its row of dots; k, which does not feed and is drawn over, is not done here."""
        if data[:1] == b"k" or len(data) == 3:
            return [unknown(data)]
        self._has_dots = True
        return [Raster("b", len(data) - 3, 1, data[3:])]

    def _escape(self, data: bytes) -> list[Command]:
        if data[:3] == b"\x1b*r":
            return self._raster_command(data[3:4], data[4:].rstrip(b"\0"))
        if data[:2] == b"\x1b\x0c":
            return self._end(b"F" if data[2] == 0 else b"E", "ESC FF")
        if data == b"\x1b@":
            self._is_raster = False
        if data[:2] in (b"\x1bl", b"\x1bQ"):
            return [self._margin(data[1:2], data[2])]
        return _line_command(data)

    def _margin(self, letter: bytes, columns: int) -> Command:
        """ESC l: columns on the left; ESC Q: the last column, from the edge of the paper."""
        if letter == b"l":
            self._left = columns
            return Style("GS L", (columns * COLUMN).to_bytes(2, "little"))
        return Style("GS W", (max(0, columns - self._left) * COLUMN).to_bytes(2, "little"))

    def _raster_command(self, letter: bytes, value: bytes) -> list[Command]:
        name, number = f"ESC * r {letter.decode('latin-1')}", int(value) if value.isdigit() else 0
        if letter == b"A":
            if not self._is_raster:
                self._is_raster, self._has_dots = True, False
                self._ends = {b"E": _USUAL_END, b"F": _USUAL_END}
        elif letter == b"B" and self._is_raster:
            commands = self._end(b"E", name) if self._has_dots else [Other(name)]
            self._is_raster = False
            return commands
        elif letter in self._ends:
            self._ends[letter] = number or _USUAL_END
        elif letter == b"Y":
            return [Feed(name, units=number)]
        return [Other(name, value)]

    def _end(self, mode: bytes, name: str) -> list[Command]:
        """What is left is printed, and, as the mode says, cut."""
        self._has_dots = False
        end = self._ends[mode]
        return [Cut(name, _ENDS[end], FEED_TO_CUTTER)] if end in _ENDS else [Other(name)]


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _symbol_size(data: bytes) -> int:
    """ESC GS y: settings, the data, and the order to print a QR code."""
    letter = data[3:4]
    if letter == b"D":
        return 8 + _word(data, 6) if len(data) >= 8 else 8
    return {b"S": 6, b"": 4}.get(letter, 4)


def _line_command(data: bytes) -> list[Command]:
    """A command of line mode."""
    value = data[-1]
    simple = {
        b"\x1b@": [Style("ESC @"), Style("ESC t", b"\x01")],
        b"\x1bE": [Style("ESC E", b"\x01")],
        b"\x1bF": [Style("ESC E", b"\x00")],
        b"\x1b4": [Style("GS B", b"\x01")],
        b"\x1b5": [Style("GS B", b"\x00")],
        b"\x1b0": [Style("ESC 3", b"\x18")],
        b"\x1b\x06\x01": [StatusRequest("ESC ACK SOH", 1, real_time=True)],
        # The Japanese model has kanji in Shift_JIS when it is told so.
        b"\x1b$\x01": [Style("FS C", b"\x01")],
        b"\x1b$1": [Style("FS C", b"\x01")],
        b"\x1b$\x00": [Style("FS C", b"\x00")],
        b"\x1b$0": [Style("FS C", b"\x00")],
        b"\x1bR8": [Style("ESC R", b"\x08")],
    }.get(data)
    if simple:
        return simple
    if data[:3] == b"\x1b\x1dS" and _word(data, 4) * _word(data, 6):
        return [Raster("ESC GS S", _word(data, 4), _word(data, 6), data[9:])]
    kind = data[:3] if data[1] in b"\x1d\x1e" else data[:2]
    return {
        b"\x1b\x1ea": [AutoStatus("ESC RS a", value & 1)],
        b"\x1b\x1eE": [Mark("ESC RS E", restart=True)],
        b"\x1bd": [Cut("ESC d", _CUTS[value & 3], FEED_TO_CUTTER)] if value & ~0x33 == 0 else [unknown(data)],
        b"\x1b\x1da": [Style("ESC a", data[-1:])],
        b"\x1b\x1dA": [Style("ESC $", data[-2:])],
        b"\x1b\x1dR": [Style("ESC \\", data[-2:])],
        b"\x1bz": [Style("ESC 2")],
        b"\x1b-": [Style("ESC -", data[-1:])],
        b"\x1bi": [Style("GS !", bytes([(data[-1] & 7) << 4 | data[-2] & 7]))],
        b"\x1ba": [Feed("ESC a", lines=value)],
        b"\x1bJ": [Feed("ESC J", units=value * 2)],
        b"\x1bI": [Feed("ESC I", units=value)],
    }.get(kind) or ([Other("ESC", data[1:])] if _is_known(data) else [unknown(data)])


def _is_known(data: bytes) -> bool:
    if data[:2] in (b"\x1bb", b"\x1bk") or data[:3] in (b"\x1b\x1dS", b"\x1b\x1dy"):
        return True
    return any(data[:length] in _SIZES for length in range(2, _LONGEST + 1))


class StarStatus:
    """The bytes of automatic status: nine, and over a network the length of what follows, which is nothing."""

    def __init__(self):
        self._count, self._marked = 0, False

    def power_off(self) -> None:
        """The counter begins anew."""
        self._count, self._marked = 0, False

    def count(self, mark: Mark) -> None:
        """An ETB's turn has come."""
        self._count, self._marked = (0, False) if mark.restart else ((self._count + 1) % 32, True)

    def automatic(self, state: State) -> bytes:
        """As the printer sends it by itself."""
        printer = 0x02 * self._marked | 0x04 * state.drawer_high | 0x08 * state.stopped | 0x20 * state.cover_open
        error = {"": 0, "cutter": 0x08, "fatal": 0x20, "recoverable": 0x40}[state.error]
        paper = 0x04 * (state.near_end or state.paper_end) | 0x08 * state.paper_end
        count = (self._count & 0x18) << 2 | (self._count & 0x07) << 1
        return bytes([0x23, 0x86, printer, error, 0, paper, 0, count, 0, 0, 0])

    def real_time(self, state: State, number: int) -> bytes:
        """Answer to ESC ACK SOH."""
        return self.automatic(state)

    @staticmethod
    def changed(before: bytes, after: bytes, mask: int) -> bool:
        """Whether there is something to tell."""
        return before != after
