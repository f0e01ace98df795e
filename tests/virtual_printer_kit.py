# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What the tests of the virtual printer share: ESC/POS to send, what came out, and a client."""

import asyncio
import random
import time
from contextlib import asynccontextmanager

import pytest
from pos_hardware_proxy.virtual_printer import Parser, VirtualPrinter
from pos_hardware_proxy.virtual_printer.commands import Unknown
from pos_hardware_proxy.virtual_printer.typesetter import Typesetter

# What a Japanese text needs after ESC @: katakana page, Shift_JIS, Japan's characters, no kanji spacing.
JAPANESE = b"\x1b@\x1bt\x01\x1cC\x01\x1bR\x08\x1cS\x00\x00"
QR_STEPS = b"\x1d(k\x04\x001A2\x00\x1d(k\x03\x001C\x05\x1d(k\x03\x001E1"
INIT, CUT = b"\x1b@", b"\x1dVB\x00"
# A receipt of 1200 rows whose dots repeat nowhere.
DATA = random.Random(3).randbytes(72 * 1200)


def qr(data):
    """A QR code by GS ( k."""
    return QR_STEPS + b"\x1d(k" + (len(data) + 3).to_bytes(2, "little") + b"1P0" + data + b"\x1d(k\x03\x001Q0"


def raster(width_bytes, rows, data, mode=0):
    """GS v 0."""
    return b"\x1dv0" + bytes([mode]) + width_bytes.to_bytes(2, "little") + rows.to_bytes(2, "little") + data


def full_raster(rows, data=b""):
    """GS v 0 over all of 576 dots."""
    return raster(72, rows, data or b"\xaa" * 72 * rows)


def receipt(data=DATA):
    """A whole receipt in slices, as a careful sender sends it."""
    rows = [(at, min(255, len(data) // 72 - at)) for at in range(0, len(data) // 72, 255)]
    return INIT + b"".join(full_raster(count, data[at * 72 : (at + count) * 72]) for at, count in rows)


def process_id(text=b"0001"):
    """GS ( H: answered when everything before it is printed."""
    return b"\x1d(H\x06\x0000" + text


def stored(width, rows, data, long=False):
    """Store an image and print it, by GS ( L or GS 8 L; width in dots."""
    body = b"0p0\x01\x011" + width.to_bytes(2, "little") + rows.to_bytes(2, "little") + data
    head = b"\x1d8L" + len(body).to_bytes(4, "little") if long else b"\x1d(L" + len(body).to_bytes(2, "little")
    return head + body + b"\x1d(L\x02\x0002"


def print_out(data, width=576, rom="japanese"):
    """Everything on one strip of paper, which need not be cut; nothing may be unknown or left over."""
    typesetter, parser = Typesetter(width, rom), Parser()
    commands = parser.feed(data)
    assert not [command for command in commands if isinstance(command, Unknown)]
    assert not parser.pending
    for command in commands:
        typesetter.apply(command)
    return typesetter.paper


def read_qr(picture):
    """What OpenCV reads, with a white edge and in double size."""
    cv2, numpy = pytest.importorskip("cv2"), pytest.importorskip("numpy")
    picture = picture.convert("L").resize((picture.width * 2, picture.height * 2))
    padded = cv2.copyMakeBorder(numpy.array(picture), 50, 50, 50, 50, cv2.BORDER_CONSTANT, value=255)
    return cv2.QRCodeDetector().detectAndDecode(padded)[0]


class Client:
    """A client that reads what comes; ``seen`` are all bytes so far."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self.seen = reader, writer, b""

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, size, timeout=3):
        """The next bytes."""
        data = await asyncio.wait_for(self.reader.readexactly(size), timeout)
        self.seen += data
        return data

    async def ask(self, data, size=1):
        await self.send(data)
        return await self.answer(size)

    async def rest(self, timeout=3):
        """Everything until the printer closes."""
        return await asyncio.wait_for(self.reader.read(), timeout)

    async def nothing(self, seconds=0.1):
        """Whether no byte comes for a while."""
        try:
            data = await asyncio.wait_for(self.reader.read(1), seconds)
        except TimeoutError:
            return True
        raise AssertionError(f"unexpected {data!r}")


@asynccontextmanager
async def running(**settings):
    printer = VirtualPrinter(**settings)
    await printer.start()
    try:
        yield printer
    finally:
        await printer.stop()


@asynccontextmanager
async def client(printer):
    reader, writer = await asyncio.open_connection("127.0.0.1", printer.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


async def until(condition, timeout=3.0):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.005)


def scenario(**settings):
    """Run a test's coroutine with a printer and a client connected to it."""

    def decorate(test):
        def run():
            async def inside():
                async with running(**settings) as printer, client(printer) as one:
                    await test(printer, one)

            asyncio.run(inside())

        run.__name__, run.__doc__ = test.__name__, test.__doc__
        return run

    return decorate
