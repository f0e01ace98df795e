# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What a printer says: its status bytes, told apart and understood.

The printer speaks at any time: replies, status by itself, and answers to bytes that only looked like a request within a
picture. So bytes are sorted by their fixed bits, and nothing is taken for an answer because it came next.
"""

from dataclasses import dataclass, replace

PROCESS_ID, HEAD = 0x37, 0x22
PROCESS_LENGTH = 7  # 37 22 d1 d2 d3 d4 00
BLOCKS = (0x35, PROCESS_ID, 0x3B, 0x3D, 0x5F)  # first bytes of longer answers, which end with 00
BLOCK_LIMIT = 128


@dataclass(frozen=True)
class Status:
    """What is known of a printer; None where it has not said.

    :param drawer: level of the drawer's sensor, 0 or 1
    :param paper: ``ok``, ``near_end`` or ``end``
    :param error: ``""``, ``cutter``, ``unrecoverable`` or ``recoverable``
    :param count: marks (ETB) whose turn has come, for printers that count them
    """

    online: bool | None = None
    cover_open: bool | None = None
    paper: str | None = None
    error: str | None = None
    drawer: int | None = None
    count: int | None = None

    @property
    def trouble(self):
        """Why it cannot print now, or an empty text."""
        if self.cover_open:
            return "cover_open"
        if self.paper == "end":
            return "paper_end"
        if self.error:
            return self.error
        return "offline" if self.online is False else ""


@dataclass(frozen=True)
class Answer:
    """``kind`` is ``realtime`` (answer to DLE EOT), ``asb`` (four bytes), ``queued``, ``process`` or ``block``."""

    kind: str
    data: bytes


class Reader:
    """Sorts incoming bytes; keeps what is incomplete for the next call."""

    def __init__(self):
        self._rest = b""

    def feed(self, data):
        """The answers that are complete now, in order."""
        data = self._rest + data
        answers, at = [], 0
        while at < len(data):
            answer, length = self._answer(data, at)
            if not length:
                break
            if answer:
                answers.append(answer)
            at += length
        self._rest = data[at:]
        return answers

    @staticmethod
    def _answer(data, at):
        """(answer or None, bytes it takes; 0 when more are needed)."""
        byte = data[at]
        if byte in BLOCKS:
            end = data.find(b"\0", at)
            if byte == PROCESS_ID and len(data) > at + 1 and data[at + 1] == HEAD:
                if len(data) < at + PROCESS_LENGTH:
                    return None, 0
                return Answer("process", data[at + 2 : at + 6]), PROCESS_LENGTH
            if end < 0:
                return (None, 0) if len(data) - at < BLOCK_LIMIT else (None, 1)
            return Answer("block", data[at:end]), end - at + 1
        if byte & 0x93 == 0x12:
            return Answer("realtime", data[at : at + 1]), 1
        if byte & 0x93 == 0x10:
            follow = data[at + 1 : at + 4]
            if any(b & 0x90 for b in follow):
                return None, 1  # three bytes without these bits belong to it; a lone one says nothing
            return (Answer("asb", data[at : at + 4]), 4) if len(follow) == 3 else (None, 0)
        if byte & 0x90 == 0:
            return Answer("queued", data[at : at + 1]), 1
        return None, 1  # XON, XOFF, noise


def from_asb(data):
    """Status from the four bytes a printer sends by itself."""
    first, second, third, _fourth = data
    return Status(
        online=not first & 0x08,
        cover_open=bool(first & 0x20),
        paper=_paper(third & 0x0C, third & 0x03),
        error=_error(second),
        drawer=int(bool(first & 0x04)),
    )


def with_realtime(status, request, byte):
    """``status`` with the answer to DLE EOT ``request`` (1 printer, 2 offline cause, 3 error, 4 paper)."""
    if request == 1:
        return replace(status, online=not byte & 0x08, drawer=int(bool(byte & 0x04)))
    if request == 2:
        return replace(status, cover_open=bool(byte & 0x04))
    if request == 3:
        return replace(status, error=_error(byte))
    return replace(status, paper=_paper(byte & 0x60, byte & 0x0C))


def _paper(end, near_end):
    return "end" if end else "near_end" if near_end else "ok"


def _error(byte):
    if byte & 0x08:
        return "cutter"
    if byte & 0x20:
        return "unrecoverable"
    return "recoverable" if byte & 0x40 else ""
