# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Line displays for customers: two lines of a few characters, of which the last is usually an amount.

They have half-width katakana and ASCII. What else there is becomes a space; the amount at the end of a line always
fits. Updates follow quickly while goods are scanned: only the last one counts.
"""

import asyncio
import contextlib
import re
import unicodedata

from .config import printer_of
from .link import LinkError, open_link

LINES = 2
INITIALISE = b"\x1b@\x0c"
KATAKANA = b"\x1bt\x01\x1bR\x08"  # half-width katakana, and ¥ for 5C; with every update, for displays get unplugged
SELECT, DESELECT = b"\x1b=\x02", b"\x1b=\x01"  # of a printer: what follows is for the display, or for itself again
PAUSE_S = 0.1  # from one update to the next
RETRY_S = 2.0
BUSY = "busy"
AMOUNT = re.compile(r"[^\s\d]?\S*\d\S*\Z")
HALF = {
    unicodedata.normalize("NFKC", chr(code)): chr(code)
    for code in range(0xFF61, 0xFFA0)
    if code not in (0xFF9E, 0xFF9F)
} | {"\u3099": "ﾞ", "\u309a": "ﾟ", "゛": "ﾞ", "゜": "ﾟ", "〜": "~", "～": "~", "−": "-", "ヮ": "ﾜ", "ヵ": "ｶ", "ヶ": "ｹ"}


def narrow(text):
    """``text`` in the display's characters, each of one column."""
    shown = []
    for character in text:
        for part in unicodedata.normalize("NFD", _katakana(character)):
            part = part if _code(part) else HALF.get(part) or unicodedata.normalize("NFKC", part)
            shown.append(part if len(part) == 1 and _code(part) else " ")
    return "".join(shown)


def _katakana(character):
    return chr(ord(character) + 0x60) if "ぁ" <= character <= "ゖ" else character


def _code(character):
    """Its byte, or b"" when the display lacks it; a backslash is ¥ there."""
    if character == "¥":
        return b"\\"
    if " " <= character <= "~" and character != "\\":
        return character.encode()
    return bytes([ord(character) - 0xFF61 + 0xA1]) if "｡" <= character <= "ﾟ" else b""


def fit(text, columns):
    """One line of the display: what is too long loses the end of its name, not of its amount."""
    text = narrow(text).rstrip()
    amount = AMOUNT.search(text)
    if len(text) > columns and amount and len(amount[0]) < columns:
        name = text[: amount.start()].rstrip()
        text = name[: columns - 1 - len(amount[0])].ljust(columns - len(amount[0])) + amount[0]
    return text[:columns].ljust(columns)


def update(lines, columns):
    """Bytes that show ``lines``; each goes to its place, so nothing flickers."""
    rows = [fit(line, columns) for line in (*lines, *[""] * LINES)[:LINES]]
    places = (b"\x1f$\x01" + bytes([number]) + b"".join(map(_code, row)) for number, row in enumerate(rows, 1))
    return KATAKANA + b"".join(places)


class Display:
    """One line display, for as long as it runs.

    :param config: :class:`~.config.DisplayConfig`
    :param printers: :class:`~.printer.Printer` by name
    """

    def __init__(self, config, printers):
        self.config, self.reason = config, ""
        self._printer = printers.get(printer_of(config.address))
        self._lines, self._news = None, asyncio.Event()
        self._link, self._task = None, None

    def start(self):
        self._task = asyncio.create_task(self._run(), name=f"display {self.config.name}")

    async def stop(self):
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        if self._link:
            await self._link.close()

    def show(self, lines):
        """Show these lines as soon as it can be; what was to be shown before and was not is forgotten."""
        self._lines = tuple(lines)
        self._news.set()

    async def _run(self):
        while True:
            await self._news.wait()
            self._news.clear()
            lines, pause = self._lines, PAUSE_S
            try:
                await self._write(update(lines, self.config.columns))
                self.reason = ""
            except LinkError as error:
                self.reason = str(error)
                pause = PAUSE_S if self.reason == BUSY else RETRY_S
                self._news.set()  # again, with what is then the last
            await asyncio.sleep(pause)

    async def _write(self, data):
        if self._printer:
            await self._printer.pass_on(SELECT + data + DESELECT)
            return
        if self._link and self._link.lost.is_set():
            await self._link.close()
            self._link = None
        if not self._link:
            self._link = await open_link(self.config.address, lambda answer: None)
            data = INITIALISE + data
        if self._link.is_stuck:
            raise LinkError(BUSY)
        await self._link.write(data)
