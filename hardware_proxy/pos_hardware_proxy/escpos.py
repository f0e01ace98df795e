# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""ESC/POS as bytes: pictures, cuts, pulses and questions. Sources: Epson's command reference and TM manuals.

One of the languages of :mod:`.languages`, which says what each of them has.
"""

import re

from . import status
from .status import Reader  # noqa: F401 - a part of each language

INITIALISE = b"\x1b@"
# After it: half-width katakana, Shift_JIS, the characters of Japan, no space around kanji.
JAPANESE = b"\x1bt\x01\x1cC\x01\x1bR\x08\x1cS\x00\x00"
LINE = 30  # dots from line to line
HELLO = ASB_ON = b"\x1da\xff"
ASK = tuple(b"\x10\x04" + bytes([n]) for n in (1, 2, 3, 4))
CUT = b"\x1dVB\x00"  # feeds to the cutter, cuts all but a point
QUEUED_STATUS = b"\x1dr\x01"
SLICE = 255  # rows; cheap controllers overrun beyond
# When a line breaks within a picture, the printer takes what comes next for the rest of it. So many zeros are the rest
# of any picture of ours, and nothing to a printer that waits for none.
FILL = bytes(SLICE * 128)
BLANK = 24  # rows; shorter gaps cost more as a command than as white
# A printer finds real-time commands also inside a picture. DLE ENQ can throw away its buffer and DLE DC4 opens the
# drawer; one dot more in their first byte is not seen on paper, and is no command.
REAL_TIME = re.compile(rb"\x10(?=\x05[\x00-\x02]|\x14[\x01\x02\x08])")
PULSE_MS, REST_MS = 100, 500  # a solenoid must rest four times as long as it pulls


def picture(data, width):
    """A 1-bit picture as commands, a list of byte strings; each may stand alone.

    :param data: rows of ``width / 8`` bytes, 1 is black
    :param width: dots
    """
    size = width // 8
    white = bytes(size)
    rows = len(data) // size
    commands, at = [], 0
    while at < rows:
        end = at
        while end < rows and data[end * size : (end + 1) * size] == white:
            end += 1
        if end - at >= BLANK:
            commands += feed(end - at)
            at = end
            continue
        end = _end_of_black(data, size, white, at, rows)
        for first in range(at, end, SLICE):
            last = min(first + SLICE, end)
            commands.append(_raster(data[first * size : last * size], size, last - first))
        at = end
    return commands


def _end_of_black(data, size, white, at, rows):
    """Where the next white band of BLANK rows begins, or the end."""
    gap = white * BLANK
    row = at + 1
    while True:
        found = data.find(gap, row * size)
        if found < 0:
            return rows
        row = -(-found // size)
        if row + BLANK > rows:
            return rows
        if data[row * size : (row + BLANK) * size] == gap:
            return row


def _raster(data, size, rows):
    head = b"\x1dv0\x00" + size.to_bytes(2, "little") + rows.to_bytes(2, "little")
    return head + REAL_TIME.sub(b"\x11", data)


def feed(dots):
    """Blank paper, in steps a byte can say."""
    return [b"\x1bJ" + bytes([min(255, dots - done)]) for done in range(0, dots, 255)]


def style(line):
    """How the next characters look, and how far the line is fed; :class:`~.document.Line`."""
    size, align = line.size - 1, ("left", "center", "right").index(line.align)
    codes = (b"\x1b3", LINE * line.size), (b"\x1ba", align), (b"\x1bE", line.bold), (b"\x1d!", size * 0x11)
    return b"".join(name + bytes([value]) for name, value in (*codes, (b"\x1dB", line.reverse)))


def motion_units(dpi):
    """Makes one unit of a feed one dot."""
    return b"\x1dP" + bytes([min(dpi, 255), min(dpi, 255)])


def pulse(pin):
    """Opens the drawer, in its turn among what is printed."""
    return b"\x1bp" + bytes([0 if pin == 2 else 1, PULSE_MS // 2, REST_MS // 2])


def pulse_now(pin):
    """Opens the drawer at once, also when the printer is offline; in steps of 100 ms."""
    return b"\x10\x14\x01" + bytes([0 if pin == 2 else 1, max(1, PULSE_MS // 100)])


def process_id(number):
    """(command, the four bytes of the answer): asks to be told when all before it is printed."""
    digits = bytes(0x20 + number // 95**power % 95 for power in (3, 2, 1, 0))
    return b"\x1d(H\x06\x0000" + digits, digits


# -- what it says ------------------------------------------------------------------------------------
def automatic(answer):
    """The status in what it sends by itself, or None."""
    return status.from_asb(answer.data) if answer.kind == "asb" else None


def is_reply(answer):
    """Whether this may be the reply to one of ASK."""
    return answer.kind == "realtime"


def replied(known, number, answer):
    """``known`` with the reply to the ``number``-th of ASK."""
    return status.with_realtime(known, number, answer.data[0])


def settling(way, known):
    """(question, which answer): process ids are told apart, queued statuses are not."""
    if way == "queued-status":
        return QUEUED_STATUS, lambda answer: answer.kind == "queued"
    return b"", None


def confirmation(way, number, known):
    """(bytes that ask whether all before is printed, which answer says so)."""
    if way == "queued-status":
        return QUEUED_STATUS, lambda answer: answer.kind == "queued"
    question, digits = process_id(number % 95**4)
    return question, lambda answer: answer.kind == "process" and answer.data == digits
