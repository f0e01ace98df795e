# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Turns the bytes a printer receives into commands, however they were split on the way."""

import re
from collections.abc import Callable

from . import lengths
from .commands import (
    AutoStatus,
    Barcode,
    ColumnImage,
    Command,
    Control,
    Cut,
    DefineKanji,
    Feed,
    Other,
    PrintStored,
    ProcessId,
    Pulse,
    Raster,
    Recover,
    StatusRequest,
    StoreRaster,
    Style,
    Symbol,
    Text,
    unknown,
)
from .lengths import word

# Text is handed on when something else follows it, or after so many bytes.
LONGEST_TEXT = 1024
# A command that claims more bytes than this is skipped instead of kept: it may claim four gigabytes.
LARGEST_COMMAND = 8 << 20

_TEXT = re.compile(rb"[\x20-\xff]{1,%d}" % LONGEST_TEXT)
_JUNK = re.compile(rb"[\x00-\x08\x0b\x0e\x0f\x11-\x17\x19\x1a\x1e]{1,%d}" % LONGEST_TEXT)
_CONTROLS = {
    0x09: Control("HT"),
    0x0A: Control("LF"),
    0x0C: Control("FF"),
    0x0D: Control("CR"),
    0x18: Control("CAN"),
}

# Real-time commands. None has 10h inside, so two of them can never overlap.
_REAL_TIME = re.compile(
    rb"\x10(?:\x04(?:[\x01-\x04]|[\x07\x12][\x01\x02]|\x08\x03)"
    rb"|\x05[\x00-\x02]"
    rb"|\x14(?:\x01[\x00\x01][\x01-\x08]|\x02\x01\x08|\x03[^\x10]{5}|\x07[\x01-\x05]|\x08\x01\x03\x14\x01\x06\x02\x08))"
)
_REAL_TIME_BEGUN = re.compile(
    rb"\x10(?:\x04[\x07\x08\x12]?|\x05"
    rb"|\x14(?:\x01[\x00\x01]?|\x02\x01?|\x03[^\x10]{0,4}|\x07"
    rb"|\x08(?:\x01(?:\x03(?:\x14(?:\x01(?:\x06\x02?)?)?)?)?)?)?)?\Z"
)
_LONGEST_REAL_TIME = 10


class Parser:
    """Incremental parser; whatever it is fed, it neither raises nor waits for more than one command's bytes.

    Real-time commands are matched anywhere in the stream, also inside another command's data, as printers do; the
    data keeps those bytes. A pulse is not matched while ``GS ( D`` has disabled it.
    """

    def __init__(self):
        self.reset()

    def reset(self) -> None:
        """Forget unfinished commands and settings, as when the power goes."""
        self._buffer = bytearray()
        self._tail = b""  # the end of the stream, where it may be the beginning of a real-time command
        self._need = 1  # bytes the buffer must have before looking at it is of use
        self._skip = 0  # bytes of an oversized command still to be thrown away
        self._pulses = True

    @property
    def pending(self) -> bytes:
        """Bytes of a command that is not complete yet, and text that nothing has followed."""
        return bytes(self._buffer)

    def feed(self, chunk: bytes) -> list[Command]:
        """Commands completed by these bytes, in the order in which a printer notices them."""
        found: list[Command] = []
        data = self._tail + chunk
        done = len(self._tail)
        end = 0
        for match in _REAL_TIME.finditer(data):
            end = match.end()
            # Up to its last byte, so that a setting before it counts and a command that ends with it comes after it.
            self._parse(data[done : end - 1], found)
            done = end - 1
            self._real_time(match[0], found)
        self._parse(data[done:] if done else data, found)
        start = data.rfind(b"\x10", max(end, len(data) - _LONGEST_REAL_TIME))
        self._tail = data[start:] if start >= 0 and _REAL_TIME_BEGUN.match(data, start) else b""
        return found

    def _real_time(self, data: bytes, found: list[Command]) -> None:
        kind, number = data[1], data[2]
        if kind == 0x04:
            found.append(StatusRequest("DLE EOT", number, real_time=True))
        elif kind == 0x05:
            found.append(Recover("DLE ENQ", clear=number == 2) if number else Other("DLE ENQ", data[2:]))
        elif number == 1:
            if self._pulses:
                on = data[4] * 100
                found.append(Pulse("DLE DC4", 2 if data[3] == 0 else 5, on, on, real_time=True))
        elif number == 8:
            found.append(Recover("DLE DC4", clear=True))
            # What is left of this very command is its last byte.
            self._buffer.clear()
            self._need, self._skip = 1, 1
        else:
            found.append(Other("DLE DC4", data[2:]))

    def _parse(self, chunk: bytes, found: list[Command]) -> None:
        if self._skip:
            skipped = min(self._skip, len(chunk))
            self._skip -= skipped
            chunk = chunk[skipped:]
        self._buffer += chunk
        if len(self._buffer) < self._need:
            return
        data = bytes(self._buffer)
        at = 0
        while at < len(data):
            size = self._one(data, at, found)
            if size == 0:
                break
            at += size
        else:
            self._need = 1
        if at > len(data):
            self._skip = at - len(data)
        del self._buffer[:at]

    def _one(self, data: bytes, at: int, found: list[Command]) -> int:
        """Take one command; its size, or 0 (and ``_need`` set) when it is not complete."""
        first = data[at]
        if first in _CONTROLS:
            found.append(_CONTROLS[first])
            return 1
        if first in lengths.PREFIXES:
            return self._command(data, at, found)
        if first == 0x10:
            return self._stray_real_time(data, at, found)
        pattern = _TEXT if first >= 0x20 else _JUNK
        end = pattern.match(data, at).end()
        if end == len(data) and end - at < LONGEST_TEXT:
            self._need = end - at + 1
            return 0
        found.append(Text("text", data[at:end]) if pattern is _TEXT else unknown(data[at:end]))
        return end - at

    def _stray_real_time(self, data: bytes, at: int, found: list[Command]) -> int:
        """A real-time command between other commands has been seen already; a lone 10h is no command."""
        if match := _REAL_TIME.match(data, at):
            return match.end() - at
        if _REAL_TIME_BEGUN.match(data, at):
            self._need = len(data) - at + 1
            return 0
        found.append(unknown(b"\x10"))
        return 1

    def _command(self, data: bytes, at: int, found: list[Command]) -> int:
        size = lengths.size(memoryview(data)[at:])
        if size > LARGEST_COMMAND:
            found.append(unknown(data[at : at + 7]))
            return size
        if at + size > len(data):
            self._need = size
            return 0
        command = _build(data[at : at + size])
        if command.name in ("ESC @", "GS ( D"):
            self._pulse_setting(command)
        found.append(command)
        return size

    def _pulse_setting(self, command: Command) -> None:
        """GS ( D 14h a b …: pairs of a real-time function and whether it is on; ESC @ puts it on again."""
        if command.name == "ESC @":
            self._pulses = True
        elif command.data[2:3] == b"\x14":
            pairs = command.data[3:]
            for function, on in zip(pairs[::2], pairs[1::2], strict=False):
                if function in (1, 49):
                    self._pulses = bool(on & 1)


def _build(data: bytes) -> Command:
    """The command that these bytes are, the whole of them."""
    if not lengths.is_known(data):
        return unknown(data)
    name, rest = lengths.name(data), data[2:]
    builder = _BUILDERS.get(data[:2])
    if builder:
        return builder(name, rest)
    return Style(name, rest) if data[:2] in _STYLES else Other(name, rest)


def _build_cut(name: str, rest: bytes) -> Command:
    mode = rest[0]
    if mode in (0, 1, 48, 49):
        return Cut(name, full=mode in (0, 48))
    if mode in (65, 66):
        return Cut(name, mode == 65, rest[1])
    if mode in (97, 98, 103, 104):
        # These set a cutting position or cut and come back; for the paper it is the same cut.
        return Cut(name, mode in (97, 103), rest[1])
    return unknown(b"\x1dV" + rest)


def _build_pulse(name: str, rest: bytes) -> Command:
    if rest[0] not in (0, 1, 48, 49):
        return unknown(b"\x1bp" + rest)
    return Pulse(name, 2 if rest[0] in (0, 48) else 5, rest[1] * 2, rest[2] * 2)


def _raster(name: str, width_bytes: int, rows: int, data: bytes, scale_x: int = 1, scale_y: int = 1) -> Raster | None:
    """None when there are no dots, or not as many as there should be."""
    if width_bytes * rows == 0 or len(data) < width_bytes * rows:
        return None
    return Raster(name, width_bytes, rows, data[: width_bytes * rows], scale_x, scale_y)


def _build_raster(name: str, rest: bytes) -> Command:
    if rest[0] != 0x30 or rest[1] not in (0, 1, 2, 3, 48, 49, 50, 51):
        return unknown((b"\x1dv" + rest)[:8])
    mode = rest[1] & 3
    raster = _raster(name, word(rest, 2), word(rest, 4), rest[6:], 1 + (mode & 1), 1 + (mode >> 1))
    return raster or Other(name, rest)


def _build_column_image(name: str, rest: bytes) -> Command:
    if rest[0] not in (0, 1, 32, 33):
        return unknown(b"\x1b*" + rest)
    columns = word(rest, 1)
    if not columns:
        return Other(name, rest)
    # In single density a dot is two dots wide; with 8 dots in the height it is three dots high.
    dots, scale_y = (8, 3) if rest[0] < 32 else (24, 1)
    return ColumnImage(name, dots, columns, rest[3:], 1 if rest[0] & 1 else 2, scale_y)


def _build_barcode(name: str, rest: bytes) -> Command:
    if rest[0] <= 6 and rest[-1] == 0:
        return Barcode(name, rest[0] + 65, rest[1:-1])
    if 65 <= rest[0] <= 79 and len(rest) >= 2:
        return Barcode(name, rest[0], rest[2:])
    return unknown(b"\x1dk" + rest)


def _build_graphics(name: str, parameters: bytes) -> Command:
    """GS ( L and GS 8 L: m fn, then what the function takes."""
    kind, function = parameters[:1], parameters[1:2]
    if kind != b"0" or not function:
        return Other(name, parameters)
    if function in (b"\x02", b"2"):
        return PrintStored(name)
    if function == b"p" and len(parameters) >= 10:
        width_bytes, rows = (word(parameters, 6) + 7) // 8, word(parameters, 8)
        scale_x, scale_y = (2 if scale == 2 else 1 for scale in parameters[3:5])
        raster = _raster(name, width_bytes, rows, parameters[10:], scale_x, scale_y)
        return StoreRaster(name, raster) if raster else unknown(b"\x1d(L" + parameters[:10])
    return Other(name, parameters)


def _build_function(name: str, rest: bytes) -> Command:
    """GS ( x: rest is x pL pH and the parameters."""
    letter, parameters = rest[:1], rest[3:]
    if letter == b"L":
        return _build_graphics(name, parameters)
    if letter == b"k":
        if len(parameters) < 2:
            return unknown(b"\x1d(" + rest)
        return Symbol(name, parameters[0], parameters[1], parameters[2:])
    if letter == b"H" and parameters[:2] == b"00" and len(parameters) == 6:
        return ProcessId(name, parameters[2:])
    if letter == b"D":
        return Other(name, rest[1:])
    return Other(name, parameters) if letter in b"ACEHKMNPQVYZz" else unknown(b"\x1d(" + rest)


def _build_long_graphics(name: str, rest: bytes) -> Command:
    return _build_graphics(name, rest[5:]) if rest[:1] == b"L" else unknown(b"\x1d8" + rest)


_BUILDERS: dict[bytes, Callable[[str, bytes], Command]] = {
    b"\x1bJ": lambda name, rest: Feed(name, units=rest[0]),
    b"\x1bK": lambda name, rest: Feed(name, units=-rest[0]),
    b"\x1bd": lambda name, rest: Feed(name, lines=rest[0]),
    b"\x1be": lambda name, rest: Feed(name, lines=-rest[0]),
    b"\x1bi": lambda name, rest: Cut(name, full=False),
    b"\x1bm": lambda name, rest: Cut(name, full=False),
    b"\x1dV": _build_cut,
    b"\x1bp": _build_pulse,
    b"\x1bv": lambda name, rest: StatusRequest(name, 1),
    b"\x1bu": lambda name, rest: StatusRequest(name, rest[0]),
    b"\x1dr": lambda name, rest: StatusRequest(name, rest[0]),
    b"\x1dI": lambda name, rest: StatusRequest(name, rest[0]),
    b"\x1da": lambda name, rest: AutoStatus(name, rest[0]),
    b"\x1b*": _build_column_image,
    b"\x1c2": lambda name, rest: DefineKanji(name, rest[:2], rest[2:]),
    b"\x1dv": _build_raster,
    b"\x1dk": _build_barcode,
    b"\x1d(": _build_function,
    b"\x1d8": _build_long_graphics,
}

_STYLES = frozenset(
    [b"\x1b" + bytes([letter]) for letter in b"@2LS<\x0c !+-3=AEGMRTVart{$\\WD"]
    + [b"\x1c" + bytes([letter]) for letter in b"&.!-CWS?"]
    + [b"\x1d" + bytes([letter]) for letter in b"!BHTbfhw$LPW\\"]
)
