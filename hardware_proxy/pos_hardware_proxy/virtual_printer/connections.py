# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The printer's TCP port and its connections, with the ways in which they can go wrong.

Sockets are used directly, not through asyncio's streams: those read ahead, and a printer that takes its time must not.
"""

import asyncio
import socket
import struct
from typing import TYPE_CHECKING

from .parser import Parser

if TYPE_CHECKING:
    from .printer import VirtualPrinter

HOST = "127.0.0.1"
LARGEST_READ = 65536
TICK = 0.02  # seconds of bytes taken at once when they come at a certain rate
PATIENCE = 1.0  # seconds that a client's half-closed connection stays open for replies that are still to come
DISCARD = 2.0  # seconds that a dropped connection swallows what still arrives, so that it ends with FIN and not RST


class Connection:
    """One client. ``received`` counts its bytes, ``waiting`` its commands that are not carried out yet."""

    def __init__(self, number: int, sock: socket.socket, parser: Parser):
        self.number, self.parser = number, parser
        self.received = self.waiting = 0
        self.task: asyncio.Task | None = None
        self._socket: socket.socket | None = sock
        self._finished = asyncio.Event()

    def done(self) -> None:
        """One of its commands has been carried out, or thrown away."""
        self.waiting -= 1
        if not self.waiting:
            self._finished.set()

    async def all_done(self, patience: float) -> None:
        """Wait until nothing of it waits, but not longer than ``patience`` seconds."""
        try:
            async with asyncio.timeout(patience):
                while self.waiting:
                    self._finished.clear()
                    await self._finished.wait()
        except TimeoutError:
            pass  # the replies will be lost, as with a printer that hangs up

    async def read(self, size: int, timeout: float | None) -> bytes:
        """Some bytes, b"" at their end. Raises TimeoutError, and ConnectionError when the client reset it."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(timeout):
            return await loop.sock_recv(self._socket, size)

    def send(self, data: bytes) -> bool:
        """Send a reply if it can be sent at once; a printer does not wait for a client that does not read."""
        try:
            return self._socket is not None and self._socket.send(data) == len(data)
        except OSError:
            return False

    def close(self, reset: bool = False) -> None:
        """Close it, with RST instead of FIN when ``reset``."""
        sock, self._socket = self._socket, None
        if sock:
            close(sock, reset)

    def take_socket(self) -> socket.socket | None:
        """The socket, which from then on is somebody else's to close."""
        sock, self._socket = self._socket, None
        return sock


def close(sock: socket.socket, reset: bool = False) -> None:
    """Close a socket that the event loop may be waiting for."""
    asyncio.get_running_loop().remove_reader(sock)
    if reset:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Port:
    """Listens, serves connections, and lets them fail as the printer's state says."""

    def __init__(self, printer: "VirtualPrinter", number: int):
        self.number = number
        self.connections: list[Connection] = []
        self._printer, self._state, self._ledger = printer, printer.state, printer.ledger
        self._count = 0
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task | None = None
        self._dropped: dict[asyncio.Task, socket.socket] = {}

    def open(self) -> None:
        """Begin to listen. Raises OSError."""
        self._free = asyncio.Event()
        sock = socket.socket()
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self._state.receive_window:
                # Connections inherit it; after accepting it would come too late for the first window.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._state.receive_window)
            sock.bind((HOST, self.number))
            sock.listen(16)
            sock.setblocking(False)
        except OSError:
            sock.close()
            raise
        self.number = sock.getsockname()[1]
        self._listener = sock
        self._accepting = asyncio.get_running_loop().create_task(self._accept())

    def close(self) -> None:
        """Stop listening and reset all connections, as when the power goes."""
        self._accepting.cancel()
        close(self._listener)
        for connection in list(self.connections):
            connection.task.cancel()
            self._end(connection, "power off", reset=True)
        for task, sock in list(self._dropped.items()):
            task.cancel()
            close(sock, reset=True)
        self._dropped.clear()

    def state_changed(self) -> None:
        """Look again whether a further connection may be served."""
        self._free.set()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while self._state.busy == "wait" and len(self.connections) >= self._state.sessions:
                self._free.clear()
                await self._free.wait()
            sock, _address = await loop.sock_accept(self._listener)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._count += 1
            if len(self.connections) >= self._state.sessions:
                self._ledger.add("fault", self._count, "refused")
                close(sock, reset=True)
                continue
            connection = Connection(self._count, sock, self._printer.parser_for())
            self.connections.append(connection)
            self._ledger.add("connect", connection.number)
            connection.task = loop.create_task(self._serve(connection))

    async def _serve(self, connection: Connection) -> None:
        reason = "closed by client"
        try:
            if self._state.accept_delay:
                self._ledger.add("fault", connection.number, "delayed accept")
                await asyncio.sleep(self._state.accept_delay)
            await self._read(connection)
            await connection.all_done(PATIENCE)
        except TimeoutError:
            reason = "idle"
        except OSError:
            reason = "reset by client"
        self._end(connection, reason)

    async def _read(self, connection: Connection) -> None:
        """Take bytes until the client has no more, or a fault ends the connection."""
        loop, state, moment = asyncio.get_running_loop(), self._state, 0.0
        while not self._fault(connection):
            rate = state.bytes_per_second
            size = LARGEST_READ if rate is None else max(1, min(LARGEST_READ, int(rate * TICK)))
            data = await connection.read(size, state.idle_timeout)
            if not data:
                return
            data = data[: self._count_down(len(data))]
            connection.received += len(data)
            self._printer.received(connection, data)
            await self._printer.room()
            if rate is not None:
                moment = max(moment, loop.time() - TICK) + len(data) / rate
                await asyncio.sleep(max(0.0, moment - loop.time()))

    def _count_down(self, received: int) -> int:
        """How many of these bytes still arrive before a fault that has been ordered."""
        arrive = received
        for name in ("drop_after", "reset_after"):
            left = getattr(self._state, name)
            if left is not None:
                arrive = min(arrive, left)
                setattr(self._state, name, max(0, left - received))
        return arrive

    def _fault(self, connection: Connection) -> bool:
        """End the connection when its time has come."""
        for name, reset in (("drop_after", False), ("reset_after", True)):
            if getattr(self._state, name) == 0:
                setattr(self._state, name, None)
                self._ledger.add("fault", connection.number, "reset" if reset else "drop", received=connection.received)
                if not reset:
                    self._drop(connection)
                self._end(connection, f"fault: {'reset' if reset else 'drop'}", reset)
                return True
        return False

    def _drop(self, connection: Connection) -> None:
        """Send FIN, and swallow what still comes: closing with unread bytes would send RST."""
        sock = connection.take_socket()

        async def swallow() -> None:
            loop = asyncio.get_running_loop()
            try:
                sock.shutdown(socket.SHUT_WR)
                async with asyncio.timeout(DISCARD):
                    while await loop.sock_recv(sock, LARGEST_READ):
                        pass
            except (OSError, TimeoutError):
                pass
            if self._dropped.pop(asyncio.current_task(), None):
                close(sock)

        self._dropped[asyncio.get_running_loop().create_task(swallow())] = sock

    def _end(self, connection: Connection, reason: str, reset: bool = False) -> None:
        if connection in self.connections:
            self.connections.remove(connection)
            connection.close(reset)
            self._ledger.add("disconnect", connection.number, reason, received=connection.received)
            self._free.set()
