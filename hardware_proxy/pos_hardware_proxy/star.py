# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Star Line Mode as bytes, one of the languages of :mod:`.languages`; for printers that print pictures in raster mode.

Source: Star's "STAR Line Mode Command Specifications" (raster commands, external devices, automatic status).
No printer of Star was at hand. Not certain, and avoided where possible, is what is marked so here.
"""

from .status import Answer, Status

INITIALISE = b"\x1b@"
ASB_ON = b"\x1b\x1ea\x01"
# The status at once. The manual wants it only while automatic status is off; receiptio, which is used with such
# printers, asks it over a network where that is on from the start.
ASK = (b"\x1b\x06\x01",)
CUT = b"\x1bd\x02"  # feeds to the cutter, cuts
ENTER = b"\x1b*rA\x1b*rP0\x00\x1b*rE1\x00"  # a page without end; leaving it prints what is left and does not cut
LEAVE = b"\x1b*rB"
# More than what any row of ours may still lack; then out of raster mode. That zeros are nothing to a printer that waits
# for none is not certain.
FILL = bytes(1024) + LEAVE
HELLO = FILL + ASB_ON  # half a row that waits in the printer would swallow the first question, too
BLANK = 24  # rows; shorter gaps are sent as rows of one white byte
TOGETHER = 32  # rows that are sent at once
ETB = b"\x17"
# The counter goes up with each ETB. Those that an earlier job left behind are waited for before the next one
# (settling); four of our own stand for up to three that come late all the same.
COUNTS, RANGE = 4, 32
MOST = 15  # bytes of a status; those that are known have 7 to 9


def picture(data, width):
    """A 1-bit picture as commands, a list of byte strings that belong together.

    :param data: rows of ``width / 8`` bytes, 1 is black
    :param width: dots
    """
    size = width // 8
    rows = [data[at : at + size].rstrip(b"\0") for at in range(0, len(data), size)]
    commands, blank, group = [ENTER], 0, []
    for row in rows:
        if not row:
            blank += 1
            continue
        group += _blank(blank)
        blank = 0
        group.append(b"b" + len(row).to_bytes(2, "little") + row)
        if len(group) >= TOGETHER:
            commands.append(b"".join(group))
            group = []
    return [*commands, b"".join(group + _blank(blank)), LEAVE]


def _blank(rows):
    return [b"\x1b*rY%d\x00" % rows] if rows >= BLANK else [b"b\x01\x00\x00"] * rows


def motion_units(dpi):
    """Feeds are in dots there."""
    return b""


def pulse(pin):
    """Opens the drawer in its turn; the second one (pin 5) knows no turn. 200 ms, as after power on."""
    return b"\x07" if pin == 2 else b"\x1a"


def pulse_now(pin):
    """Opens the drawer at once, also when the printer is offline."""
    return b"\x1c" if pin == 2 else b"\x1a"


# -- what it says ------------------------------------------------------------------------------------
class Reader:
    """Sorts incoming bytes into automatic status; keeps what is incomplete for the next call."""

    def __init__(self):
        self._rest = b""

    def feed(self, data):
        """The answers that are complete now, in order."""
        data = self._rest + data
        answers, at = [], 0
        while at < len(data):
            answer, length = _answer(data[at:])
            if not length:
                break
            if answer:
                answers.append(answer)
            at += length
        self._rest = data[at:]
        return answers


def _answer(data):
    """(answer or None, bytes it takes; 0 when more are needed)."""
    if data[0] & 0x91 != 0x01:
        return None, 1
    length = data[0] >> 2 & 0x18 | data[0] >> 1 & 0x07
    if not 3 <= length <= MOST:
        return None, 1
    follow = data[1:length]
    # Fixed bits tell a status from a byte that only looks like its first. The second byte's highest bit says that,
    # over a network, two bytes follow with the length of what else there is: zeros, for we ask for nothing else.
    if any(byte & (0x11 if place == 0 else 0x91) for place, byte in enumerate(follow)):
        return None, 1
    return (Answer("asb", data[:length]), length) if len(data) >= length else (None, 0)


def automatic(answer):
    """Status from what it sends by itself; bytes that a model does not send say nothing."""
    _head, _version, printer, *more = answer.data
    error, _other, paper, _slip, count = (more + [None] * 5)[:5]
    return Status(
        online=not printer & 0x08,
        cover_open=bool(printer & 0x20),
        drawer=int(bool(printer & 0x04)),
        error=None if error is None else _error(error),
        paper=None if paper is None else "end" if paper & 0x08 else "near_end" if paper & 0x06 else "ok",
        count=None if count is None else count >> 2 & 0x18 | count >> 1 & 0x07,
    )


def _error(byte):
    if byte & 0x08:
        return "cutter"
    if byte & 0x24:  # not recoverable, or mechanical
        return "unrecoverable"
    return "recoverable" if byte & 0x40 else ""


def is_reply(answer):
    """Whether this may be the reply to ASK."""
    return answer.kind == "asb"


def replied(known, number, answer):
    """The status in the reply; it says everything."""
    return automatic(answer)


def settling(way, known):
    """(question, which answer): the counter has moved."""
    if way == "none":
        return b"", None
    before = known.count

    def moved(answer):
        count = automatic(answer).count if answer.kind == "asb" else None
        return count is not None and count != before

    return ETB, moved


def confirmation(way, number, known):
    """(bytes that ask whether all before is printed, which answer says so).

    A printer counts an ETB when all before it is printed, and tells. Which models only tell, and do not count, is not
    certain: those never confirm, and want ``confirm = "none"``.
    """
    before = known.count or 0

    def says_so(answer):
        count = automatic(answer).count
        return count is not None and COUNTS <= (count - before) % RANGE < RANGE // 2

    return ETB * COUNTS, says_so
