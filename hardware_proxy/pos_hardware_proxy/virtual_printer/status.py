# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The bytes a printer answers with."""

from .state import State

# Replies of GS I that are a text: firmware, maker, model, serial number, additional fonts.
_TEXTS = {65: b"1.00", 66: b"EPSON", 67: b"VIRTUAL", 68: b"V000001"}
_FONTS = {"japanese": b"KANJI JAPANESE", "chinese": b"CHINESE GB18030", "western": b""}


def real_time(state: State, number: int) -> bytes:
    """Answer to DLE EOT: one byte; nothing for numbers that this printer does not have."""
    if number == 1:
        bits = 0x04 * state.drawer_high | 0x08 * state.stopped
    elif number == 2:
        bits = 0x04 * state.cover_open | 0x20 * state.paper_end | 0x40 * bool(state.error)
    elif number == 3:
        bits = _error(state)
    elif number == 4:
        bits = 0x0C * (state.near_end or state.paper_end) | 0x60 * state.paper_end
    else:
        return b""
    return bytes([0x12 | bits])


def automatic(state: State) -> bytes:
    """The four bytes of automatic status."""
    first = 0x10 | 0x04 * state.drawer_high | 0x08 * state.stopped | 0x20 * state.cover_open
    paper = 0x03 * (state.near_end or state.paper_end) | 0x0C * state.paper_end
    return bytes([first, _error(state), paper, 0])


def changed(before: bytes, after: bytes, mask: int) -> bool:
    """Whether two automatic statuses differ in something that GS a asked for: drawer, online, error, paper."""
    differing = [old ^ new for old, new in zip(before, after, strict=True)]
    watched = [mask & 1 and 0x04, mask & 2 and 0x28, mask & 4 and 0xFF, mask & 8 and 0xFF]
    return any(bits & seen for bits, seen in zip([differing[0], *differing[:3]], watched, strict=True))


def queued(state: State, name: str, number: int) -> bytes:
    """Answer to GS r, GS I, ESC v and ESC u, which come in their turn; nothing for what this printer does not have."""
    if name == "GS I":
        return _identity(state, number)
    if name == "ESC v" or number in (1, 49) and name == "GS r":
        return bytes([0x03 * (state.near_end or state.paper_end) | 0x0C * state.paper_end])
    if name == "ESC u" or number in (2, 50):
        return bytes([int(state.drawer_high)])
    return b""


def process_id(identifier: bytes) -> bytes:
    """Answer to GS ( H; nothing when the id has a character outside 20h–7Eh."""
    return b"\x37\x22" + identifier + b"\0" if all(0x20 <= byte <= 0x7E for byte in identifier) else b""


CLEARED = b"\x37\x25\x00"  # answer to DLE DC4 8: the buffers are empty


def _error(state: State) -> int:
    return {"": 0, "cutter": 0x08, "fatal": 0x20, "recoverable": 0x40}[state.error]


def _identity(state: State, number: int) -> bytes:
    if number in (1, 49):
        return b"\x20"
    if number in (2, 50):
        # Bit 0: two-byte characters, bit 1: a cutter.
        return bytes([0x02 | int(state.rom != "western")])
    if number in (3, 51):
        return b"\x01"
    text = _FONTS[state.rom] if number == 69 else _TEXTS.get(number)
    return b"" if text is None else b"\x5f" + text + b"\0"


def power_off() -> None:
    """Nothing is counted in this language."""
