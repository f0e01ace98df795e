# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Says by mDNS that this proxy is here, so that its address needs not be looked up on the machine."""

import ipaddress
import logging

from .addresses import local_addresses, machine_name

_logger = logging.getLogger(__name__)
SERVICE = "_pos-hw-proxy._tcp.local."  # the standard allows 15 letters
LONGEST = 63  # bytes of a label


def reachable(listen):
    """Addresses at which others find what listens on ``listen``."""
    if listen in ("", "0.0.0.0", "::"):
        found = [address for address in local_addresses() if not address.is_loopback]
        return [address for address in found if address.version == 4 or listen != "0.0.0.0"]
    try:
        return [ipaddress.ip_address(listen)]
    except ValueError:
        return [ipaddress.ip_address("127.0.0.1")] if listen == "localhost" else local_addresses()


class Announcer:
    """Announces the proxy for as long as it is up. A network that cannot do that breaks nothing.

    :param config: :class:`~.config.Config`
    :param proxy_id: as Odoo knows it
    :param port: on which it listens
    """

    def __init__(self, config, proxy_id, port):
        self.config, self.proxy_id, self.port = config, proxy_id, port
        self._zeroconf, self._addresses, self._trouble = None, [], ""

    async def refresh(self):
        """Begin, or begin anew where this machine has other addresses than before."""
        if self.config.mdns is False:
            return
        try:
            addresses = reachable(self.config.listen)
            if self.config.mdns is None and all(address.is_loopback for address in addresses):
                return
            if addresses != self._addresses:
                await self.stop()
                self._addresses = addresses
                await self._start()
        except Exception as error:  # whatever the network has against it, or a package that is not installed
            trouble = str(error) or type(error).__name__
            if trouble != self._trouble:
                _logger.warning("This proxy is not announced by mDNS: %s. Everything else works.", trouble)
            self._trouble = trouble
            await self.stop()

    async def _start(self):
        from zeroconf import IPVersion
        from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

        own = [str(address) for address in self._addresses if address.version == 4]
        if not own:
            raise OSError("no IPv4 address")
        self._zeroconf = AsyncZeroconf(interfaces=own, ip_version=IPVersion.V4Only)
        name = self.config.name.encode()[:LONGEST].decode(errors="ignore")
        info = AsyncServiceInfo(
            SERVICE,
            f"{name}.{SERVICE}",
            port=self.port,
            properties={"id": self.proxy_id, "tls": str(int(self.config.tls)), "name": self.config.name},
            server=f"{machine_name()}.",
            parsed_addresses=[str(address) for address in self._addresses],
        )
        await (await self._zeroconf.async_register_service(info, allow_name_change=True))

    async def stop(self):
        zeroconf, self._zeroconf = self._zeroconf, None
        if zeroconf:
            await zeroconf.async_close()  # says good-bye
