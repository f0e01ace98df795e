# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What this machine is called in the shop: its addresses and its name."""

import ipaddress
import re
import socket


def local_addresses():
    """Addresses of this machine that a browser can open, loopback last; :class:`ipaddress.IPv4Address` or 6."""
    import ifaddr

    found = set()
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            address = ipaddress.ip_address(ip.ip if ip.is_IPv4 else ip.ip[0])
            # An IPv6 address that is good for one wire only cannot be opened by a browser.
            if not (address.version == 6 and address.is_link_local):
                found.add(address)
    found |= {ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")}
    return sorted(found, key=lambda address: (address.is_loopback, address.version, address))


def machine_name():
    """``till1.local``, by which the shop's machines find this one without a name server."""
    name = re.sub(r"[^a-z0-9-]+", "-", socket.gethostname().partition(".")[0].lower()).strip("-")[:63]
    return f"{name or 'pos-hardware-proxy'}.local"
