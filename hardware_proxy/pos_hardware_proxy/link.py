# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""A line to a printer that is always listened to.

A printer sends status whenever it likes. Closing a socket while such bytes lie unread resets the line, and the rest of
the receipt is lost without an error. So every line has a reader for as long as it lives, and ends by closing its
sending half first and reading to the end.
"""

import asyncio
import contextlib
import fcntl
import os
import sys
import termios
import time
from urllib.parse import urlsplit

from . import serial_line

CONNECT_S = 0.9  # on a shop's own network; a cashier is told within a second
DRAIN_S = 2.0  # how long the other side may take to close after us
CHUNK = 65536
EMPTY_S = 0.05


class LinkError(Exception):
    """The line is down; the message is a word for the job's reason: ``refused``, ``no_answer``, ``lost`` …"""


class Link:
    """A line that is up. ``on_bytes(data)`` is called with what comes in, ``lost`` is set when the line has ended."""

    def __init__(self, on_bytes):
        self.on_bytes = on_bytes
        self.lost = asyncio.Event()

    async def write(self, data):
        """Give ``data`` to the printer's side; returns when the system has taken it.

        :raises LinkError: ``lost``; some of it may have arrived
        """
        raise NotImplementedError

    async def close(self):
        """End the line without losing what was written."""
        raise NotImplementedError

    def fileno(self):
        """The open device or socket."""
        raise NotImplementedError

    def unsent(self):
        """Bytes that wait on this side, not taken by the printer; 0 also for a device that cannot tell."""
        left = bytearray(4)
        with contextlib.suppress(OSError):
            fcntl.ioctl(self.fileno(), termios.TIOCOUTQ, left)
        return int.from_bytes(left, sys.byteorder)

    @property
    def is_stuck(self):
        """Whether whatever follows would wait, because earlier bytes do."""
        return self.unsent() > 0


class NetworkLink(Link):
    """TCP, usually port 9100."""

    @classmethod
    async def open(cls, host, port, on_bytes):
        link = cls(on_bytes)
        try:
            link._reader, link._writer = await asyncio.wait_for(asyncio.open_connection(host, port), CONNECT_S)
        except TimeoutError:
            raise LinkError("no_answer") from None
        except OSError as error:
            raise LinkError("refused" if isinstance(error, ConnectionRefusedError) else "unreachable") from None
        # What the system took is as good as under way: no second buffer that hides how far a job came.
        link._writer.transport.set_write_buffer_limits(0)
        link._task = asyncio.create_task(link._read())
        return link

    def fileno(self):
        return self._writer.get_extra_info("socket").fileno()

    async def _read(self):
        with contextlib.suppress(OSError):
            while data := await self._reader.read(CHUNK):
                self.on_bytes(data)
        self.lost.set()

    async def write(self, data):
        if self.lost.is_set():
            raise LinkError("lost")
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError:
            self.lost.set()
            raise LinkError("lost") from None

    async def close(self):
        with contextlib.suppress(OSError, TimeoutError):
            if self._writer.can_write_eof():
                self._writer.write_eof()
            await asyncio.wait_for(self.lost.wait(), DRAIN_S)
        self._task.cancel()
        self._writer.transport.abort()  # what it has not taken by now, it does not take
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
        self.lost.set()


class FileLink(Link):
    """A device node: the kernel's USB printer (``/dev/usb/lp0``) or a serial port.

    The kernel's node is read and written like any file, and leaves the device alone when it is opened.
    """

    @classmethod
    def open(cls, path, on_bytes):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
        except FileNotFoundError:
            raise LinkError("unplugged") from None
        except PermissionError:
            raise LinkError("not_allowed") from None
        except OSError:
            raise LinkError("busy") from None
        return cls(descriptor, on_bytes)

    def __init__(self, descriptor, on_bytes, owner=None):
        super().__init__(on_bytes)
        self._fd, self._owner = descriptor, owner
        os.set_blocking(descriptor, False)
        self._loop = asyncio.get_running_loop()
        self._listen()

    def fileno(self):
        return self._fd

    def _readable(self):
        try:
            data = os.read(self._fd, CHUNK)
        except BlockingIOError:
            return
        except OSError:  # unplugged
            self._loop.remove_reader(self._fd)
            self.lost.set()
            return
        if data:
            self.on_bytes(data)
        else:  # a USB printer with nothing to say; it would say so again at once
            self._loop.remove_reader(self._fd)
            self._loop.call_later(EMPTY_S, self._listen)

    def _listen(self):
        if not self.lost.is_set():
            self._loop.add_reader(self._fd, self._readable)

    async def write(self, data):
        view = memoryview(data)
        while view:
            if self.lost.is_set():
                raise LinkError("lost")
            try:
                view = view[os.write(self._fd, view) :]
            except BlockingIOError:
                await self._writable()
            except OSError:
                self.lost.set()
                raise LinkError("lost") from None

    async def _writable(self):
        ready = asyncio.Event()
        self._loop.add_writer(self._fd, ready.set)
        waits = [asyncio.create_task(event.wait()) for event in (ready, self.lost)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._loop.remove_writer(self._fd)
            for task in waits:
                task.cancel()

    async def close(self):
        await self._drain()
        self._loop.remove_reader(self._fd)
        self.lost.set()
        # The kernel may hold a serial line's close() for half a minute: everything else goes on meanwhile.
        await asyncio.to_thread(self._owner.close if self._owner else lambda: os.close(self._fd))

    async def _drain(self):
        """Until the device has taken what was written; what it does not go on taking is thrown away."""
        limit, left = time.monotonic() + DRAIN_S, self.unsent()
        while left and not self.lost.is_set() and time.monotonic() < limit:
            await asyncio.sleep(EMPTY_S)
            now = self.unsent()
            if now < left:
                limit, left = time.monotonic() + DRAIN_S, now
        if left:
            with contextlib.suppress(termios.error, OSError):
                termios.tcflush(self._fd, termios.TCOFLUSH)


async def open_link(address, on_bytes):
    """The line named by a printer's ``address``.

    :raises LinkError: it cannot be opened
    """
    parts = urlsplit(address)
    if parts.scheme == "tcp":
        return await NetworkLink.open(parts.hostname, parts.port or 9100, on_bytes)
    if parts.scheme == "serial":
        return _serial(parts, on_bytes)
    return FileLink.open(parts.path, on_bytes)


def _serial(parts, on_bytes):
    import serial

    options = serial_line.options(parts.geturl())
    try:
        # Exclusive: a second program would take half of the answers.
        port = serial.Serial(parts.path, exclusive=True, **options)
    except (serial.SerialException, OSError) as error:
        missing = isinstance(error, OSError) and not os.path.exists(parts.path)
        raise LinkError("unplugged" if missing else "busy") from None
    return FileLink(port.fileno(), on_bytes, owner=port)
