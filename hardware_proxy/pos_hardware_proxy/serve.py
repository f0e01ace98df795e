# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The ports on which the proxy listens, and how much one visitor may take of them."""

import asyncio
import logging
from collections import Counter
from contextlib import asynccontextmanager

from aiohttp import web

from .announce import Announcer
from .http import CERTIFICATES, GATE, PROXY
from .tasks import end

_logger = logging.getLogger(__name__)
IDLE_S = 30.0  # a connection without a whole request, be its headers dripping or none
HANDSHAKE_S = 10.0  # then a line that wants TLS and has not come to it is closed
KEEP_S = 60.0  # between two looks at the certificate and at this machine's addresses
STOP_S = 2.0  # for those who are being answered, when the proxy is told to stop
PER_ADDRESS, ALTOGETHER = 32, 256  # connections at once; a browser opens six


@asynccontextmanager
async def serving(app):
    """Serve ``app`` as configured, for as long as the context lives; gives its ports, the main one first."""
    config, certificates = app[PROXY].config, app[CERTIFICATES]
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=IDLE_S, shutdown_timeout=STOP_S)
    await runner.setup()
    visitors, doors, keeper = Visitors(runner.server), [], None
    try:
        doors.append(await _listen(visitors, config.listen, config.port, certificates and certificates.context))
        if certificates and config.plain_port:
            doors.append(await _listen(visitors, config.listen, config.plain_port))
        ports = [door.sockets[0].getsockname()[1] for door in doors]
        announcer = Announcer(config, app[GATE].keys.proxy_id, ports[0])
        keeper = asyncio.create_task(_keep(certificates, announcer))
        yield ports
    finally:
        if keeper:
            await end(keeper)
        for door in doors:
            door.close()
        await visitors.close()
        await runner.cleanup()


async def _listen(visitors, host, port, tls=None):
    # TLS begins only when the visitor has been counted: asyncio would tell of him no sooner than he has greeted.
    return await asyncio.get_running_loop().create_server(lambda: visitors.welcome(tls), host, port)


async def _keep(certificates, announcer):
    """What changes while it runs: certificates end, and machines get other addresses."""
    try:
        while True:
            try:
                if certificates and certificates.renew():
                    _logger.info("The server's certificate was made anew; it ends %s.", certificates.server.end)
            except Exception:  # a full disk, say: the old one is good for weeks
                _logger.exception("The server's certificate could not be made anew.")
            await announcer.refresh()
            await asyncio.sleep(KEEP_S)
    finally:
        await announcer.stop()


class Visitors:
    """Counts connections, so that nobody who opens many keeps others out.

    :param server: makes the protocol of a connection
    """

    def __init__(self, server):
        self._server, self._open = server, Counter()
        self._greeting = set()  # tasks of those who have not finished their handshake

    def welcome(self, tls):
        """The protocol of a new connection.

        :param tls: :class:`ssl.SSLContext`, or None for plain HTTP
        """
        return Visit(self, self._server(), tls)

    def enter(self, address):
        """Whether one more is let in."""
        if self._open[address] >= PER_ADDRESS or self._open.total() >= ALTOGETHER:
            return False
        self._open[address] += 1
        return True

    def leave(self, address):
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]

    def greet(self, coroutine):
        task = asyncio.create_task(coroutine)
        self._greeting.add(task)
        task.add_done_callback(self._greeting.discard)

    async def close(self):
        for task in [*self._greeting]:
            await end(task)


class Visit(asyncio.Protocol):
    """One connection, handed to the server's own protocol when there is room for it, and when it is secured."""

    def __init__(self, visitors, protocol, tls):
        self._visitors, self._protocol, self._tls = visitors, protocol, tls
        self._address = None  # of who was let in and is still here
        self._is_served, self._early = False, []

    def connection_made(self, transport):
        peer = transport.get_extra_info("peername")  # None: gone already
        if not peer or not self._visitors.enter(peer[0]):
            transport.abort()
            return
        self._address = peer[0]
        if self._tls:
            transport.pause_reading()  # what comes is for TLS, which begins in a task
            self._visitors.greet(self._secure(transport))
        else:
            self._serve(transport)

    async def _secure(self, transport):
        loop, secured = asyncio.get_running_loop(), None
        try:
            secured = await loop.start_tls(
                transport, self, self._tls, server_side=True, ssl_handshake_timeout=HANDSHAKE_S
            )
        except OSError as error:  # not TLS, silent for too long, or gone
            _logger.debug("no TLS with %s: %s", self._address, error)
        finally:
            if not secured or transport.is_closing():
                transport.abort()
                self._leave()
        if self._address is not None:
            self._serve(secured)

    def _serve(self, transport):
        self._is_served = True
        self._protocol.connection_made(transport)
        for data in self._early:
            self._protocol.data_received(data)
        self._early.clear()

    def _leave(self):
        if self._address is not None:
            self._visitors.leave(self._address)
            self._address = None

    def connection_lost(self, exc):
        self._leave()
        if self._is_served:
            self._protocol.connection_lost(exc)

    def data_received(self, data):
        if self._is_served:
            self._protocol.data_received(data)
        elif self._address is not None:  # a request that came with the last bytes of the handshake
            self._early.append(data)

    def eof_received(self):
        return self._protocol.eof_received() if self._is_served else None

    def pause_writing(self):
        self._protocol.pause_writing()

    def resume_writing(self):
        self._protocol.resume_writing()
