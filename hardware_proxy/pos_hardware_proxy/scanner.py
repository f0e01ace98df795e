# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Barcode scanners: what was read, once, and not long after it was read.

A scanner that plays a keyboard is read from its own device and grabbed: neither a window that lost the focus nor a
Japanese input method can swallow or widen its characters. Keys are taken as positions and read by a declared layout.
"""

import asyncio
import contextlib
import fcntl
import struct
import time
from collections import deque
from urllib.parse import urlsplit

from .link import LinkError, open_link
from .tasks import end

STALE_S = 5.0  # nobody waits longer for a beep; an old code would land in the next customer's order
GAP_S = 0.05  # a scanner types faster than that; what follows a longer pause is another code
RETRY_S = 1.0
LONGEST = 512  # characters of a code

EVENT = struct.Struct("llHHi")  # struct input_event of a 64-bit kernel: time, type, code, value
EV_KEY, PRESSED, RELEASED = 1, 1, 0
EVIOCGRAB, EVIOCSCLOCKID = 0x40044590, 0x400445A0
SHIFTS, ENDS = (42, 54), (28, 96, 15)  # Enter, the keypad's Enter, Tab
CONTROLS, BRACKET = (29, 97), 27  # Ctrl + ] is what many scanners type for GS1's separator
LAYOUTS = {
    "us": {
        2: "1!", 3: "2@", 4: "3#", 5: "4$", 6: "5%", 7: "6^", 8: "7&", 9: "8*", 10: "9(", 11: "0)", 12: "-_", 13: "=+",
        26: "[{", 27: "]}", 39: ";:", 40: "'\"", 41: "`~", 43: "\\|", 51: ",<", 52: ".>", 53: "/?", 57: "  ",
    },
    "jp": {
        2: "1!", 3: '2"', 4: "3#", 5: "4$", 6: "5%", 7: "6&", 8: "7'", 9: "8(", 10: "9)", 11: "0", 12: "-=", 13: "^~",
        26: "@`", 27: "[{", 39: ";+", 40: ":*", 43: "]}", 51: ",<", 52: ".>", 53: "/?", 57: "  ", 89: "\\_", 124: "\\|",
    },
}  # fmt: skip
LETTERS = {16: "qwertyuiop", 30: "asdfghjkl", 44: "zxcvbnm"}
KEYPAD = {71: "7", 72: "8", 73: "9", 75: "4", 76: "5", 77: "6", 79: "1", 80: "2", 81: "3", 82: "0", 74: "-", 78: "+"}


class Scans:
    """Codes that were read and nobody has taken yet; each is given out once, whoever asks first."""

    def __init__(self):
        self._codes = deque()
        self._news = asyncio.Event()
        self._closed = False

    def close(self):
        """Nothing more will be read: whoever waits need not, for the proxy could not end before."""
        self._closed = True
        self._news.set()

    def add(self, code):
        """A scanner has read ``code``."""
        if code:
            self._codes.append((time.monotonic(), code))
            self._news.set()

    async def take(self, seconds, is_wanted=lambda: True):
        """The oldest code that is not stale, as soon as there is one; None after ``seconds``.

        :param is_wanted: asked before a code is given out; False: who asked has gone, the code is for the next
        """
        limit = time.monotonic() + seconds
        while is_wanted():
            while self._codes:
                moment, code = self._codes.popleft()
                if time.monotonic() - moment <= STALE_S:
                    return code
            if self._closed:
                return None
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), limit - time.monotonic())
            except TimeoutError:
                break
        return None


class Keyboard:
    """Key events to codes. Gaps are those between the events' own times: this program may come late to read them.

    :param layout: ``us`` or ``jp``, as the scanner is set
    """

    def __init__(self, layout="us"):
        self._keys = dict(LAYOUTS[layout]) | KEYPAD
        for first, letters in LETTERS.items():
            self._keys |= {first + place: letter + letter.upper() for place, letter in enumerate(letters)}
        self._held, self._code, self._rest = set(), [], b""
        self._last = self._seen = 0.0  # when the last character was typed, by the events' clock and by ours

    def feed(self, data, now):
        """Codes that are complete after these bytes of the device, read at ``now`` (seconds)."""
        data = self._rest + data
        whole = len(data) // EVENT.size * EVENT.size
        self._rest = data[whole:]
        codes = []
        for seconds, micros, kind, key, value in EVENT.iter_unpack(data[:whole]):
            if kind == EV_KEY:
                codes += self._key(key, value, seconds + micros / 1e6)
                self._seen = now
        return codes

    def _key(self, key, value, moment):
        if value == RELEASED:
            self._held.discard(key)
            return
        if value != PRESSED:
            return  # a key held down repeats itself; a scanner does not
        self._held.add(key)
        if self._code and moment - self._last > GAP_S:
            yield self._done()
        self._last = moment
        if key in ENDS:
            yield self._done()
        elif self._held & set(CONTROLS):
            if key == BRACKET:
                self._code.append("\x1d")
        elif key in self._keys and len(self._code) < LONGEST:
            faces = self._keys[key]
            self._code.append(faces[-1] if self._held & set(SHIFTS) else faces[0])

    def due(self, now):
        """The code whose last character came longer ago than any gap within a code, or an empty text."""
        return self._done() if self._code and now - self._seen > GAP_S else ""

    def _done(self):
        code, self._code = "".join(self._code), []
        return code


class SerialLines:
    """Bytes of a serial scanner to codes; they end with CR, LF or both, and may hold GS1's separator."""

    def __init__(self):
        self._rest = b""

    def feed(self, data, _now):
        *lines, self._rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        self._rest = self._rest[-LONGEST:]
        return [line.decode("shift_jis", "replace") for line in lines if line]

    def due(self, _now):
        return ""


class Scanner:
    """Listens to one scanner for as long as it runs; unplugged, it waits for it to come back.

    :param config: :class:`~.config.ScannerConfig`
    :param scans: :class:`Scans`
    """

    def __init__(self, config, scans):
        self.config, self.scans, self.reason, self._task = config, scans, "", None

    def start(self):
        self._task = asyncio.create_task(self._run(), name=f"scanner {self.config.name}")

    async def stop(self):
        await end(self._task)

    async def _run(self):
        while True:
            is_serial = urlsplit(self.config.address).scheme == "serial"
            decoder = SerialLines() if is_serial else Keyboard(self.config.layout)
            try:
                link = await open_link(self.config.address, lambda data, d=decoder: self._read(d, data))
            except LinkError as error:
                self.reason = str(error)
                await asyncio.sleep(RETRY_S)
                continue
            self.reason = ""
            try:
                if not is_serial:
                    _grab(link)
                await self._listen(link, decoder)
            finally:
                await link.close()
            self.reason = "unplugged"

    async def _listen(self, link, decoder):
        while not link.lost.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(link.lost.wait(), GAP_S)
            self.scans.add(decoder.due(time.monotonic()))

    def _read(self, decoder, data):
        for code in decoder.feed(data, time.monotonic()):
            self.scans.add(code)


def _grab(link):
    """Keep the keys for us, timed by a clock nobody sets. A pipe, as in tests, can do neither and needs neither."""
    with contextlib.suppress(OSError):
        fcntl.ioctl(link.fileno(), EVIOCSCLOCKID, struct.pack("i", time.CLOCK_MONOTONIC))
        fcntl.ioctl(link.fileno(), EVIOCGRAB, 1)
