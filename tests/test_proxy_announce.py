# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""How the proxy is found: announced by real mDNS, over loopback, to a browser of its own."""

import asyncio
import ipaddress
import logging

import pytest
from pos_hardware_proxy import announce, serve
from pos_hardware_proxy.addresses import machine_name
from proxy_shop import on_paper, paper, run, shop

LOOPBACK = ipaddress.ip_address("127.0.0.1")


@pytest.fixture
def zeroconf():
    """The module, where datagrams to a group come back over loopback."""
    module = pytest.importorskip("zeroconf", reason="the package zeroconf is not installed")
    try:
        module.Zeroconf(interfaces=["127.0.0.1"], ip_version=module.IPVersion.V4Only).close()
    except OSError as error:
        pytest.skip(f"no multicast on this machine: {error}")
    return module


class Browser:
    """Sees what is announced: {name of a service: what it says, or None when it has said good-bye}."""

    def __init__(self, zeroconf):
        from zeroconf.asyncio import AsyncServiceBrowser, AsyncZeroconf

        self._zeroconf = AsyncZeroconf(interfaces=["127.0.0.1"], ip_version=zeroconf.IPVersion.V4Only)
        self._gone = zeroconf.ServiceStateChange.Removed
        self.seen, self._tasks = {}, []
        self._browser = AsyncServiceBrowser(self._zeroconf.zeroconf, announce.SERVICE, handlers=[self._changed])

    def _changed(self, zeroconf, service_type, name, state_change):
        if state_change is self._gone:
            self.seen[name] = None
        else:
            self._tasks.append(asyncio.ensure_future(self._look(zeroconf, service_type, name)))

    async def _look(self, zeroconf, service_type, name):
        from zeroconf.asyncio import AsyncServiceInfo

        info = AsyncServiceInfo(service_type, name)
        if await info.async_request(zeroconf, 3000):
            self.seen[name] = info

    async def until(self, wanted):
        limit = asyncio.get_running_loop().time() + 15
        while not (found := wanted(self.seen)):
            assert asyncio.get_running_loop().time() < limit, self.seen
            await asyncio.sleep(0.05)
        return found

    async def close(self):
        await asyncio.gather(*self._tasks)
        await self._browser.async_cancel()
        await self._zeroconf.async_close()


def test_a_proxy_is_found_and_says_good_bye(tmp_path, zeroconf):
    async def story():
        browser, name = Browser(zeroconf), f"銀座店 レジ1.{announce.SERVICE}"
        async with shop(tmp_path, settings={"mdns": True, "name": "銀座店 レジ1"}) as place:
            info = await browser.until(lambda seen: seen.get(name))
            assert (info.port, info.server) == (place.port, f"{machine_name()}.")
            assert info.parsed_addresses() == ["127.0.0.1"]
            said = {key.decode(): value.decode() for key, value in info.properties.items()}
            assert said == {"id": place.gate.keys.proxy_id, "tls": "0", "name": "銀座店 レジ1"}
        await browser.until(lambda seen: seen[name] is None)
        await browser.close()

    run(story())


def test_two_proxies_of_one_name_are_both_found(tmp_path, zeroconf):
    async def story():
        browser = Browser(zeroconf)
        async with shop(tmp_path / "a", settings={"mdns": True}), shop(tmp_path / "b", settings={"mdns": True}):
            found = await browser.until(lambda seen: all(seen.values()) and len(seen) == 2 and seen)
            assert len({info.port for info in found.values()}) == 2
        await browser.close()

    run(story())


def test_only_what_others_can_reach_is_announced(tmp_path, zeroconf, monkeypatch):
    begun = []

    async def start(announcer):
        begun.append([str(address) for address in announcer._addresses])

    monkeypatch.setattr(announce.Announcer, "_start", start)
    outer = ipaddress.ip_address("10.0.0.5")
    monkeypatch.setattr(announce, "local_addresses", lambda: [outer, LOOPBACK])
    monkeypatch.setattr(serve, "KEEP_S", 0.02)

    async def announced(**settings):
        begun.clear()
        async with shop(tmp_path, settings=settings):
            await asyncio.sleep(0.2)
        return begun

    async def story():
        assert await announced() == []
        assert await announced(mdns=True) == [["127.0.0.1"]]
        assert await announced(listen="0.0.0.0") == [["10.0.0.5"]]  # once, though it is looked at again and again
        assert await announced(listen="0.0.0.0", mdns=False) == []
        monkeypatch.setattr(announce, "local_addresses", lambda: [next(moving), LOOPBACK])
        assert (await announced(listen="0.0.0.0"))[:2] == [["10.0.0.5"], ["10.0.0.6"]]

    moving = iter([outer, *[ipaddress.ip_address("10.0.0.6")] * 1000])
    run(story())


@pytest.mark.parametrize(
    "place, trouble",
    [
        ("Announcer._start", OSError(19, "No such device")),
        ("Announcer._start", ImportError("No module named 'zeroconf'")),
        ("reachable", ImportError("No module named 'ifaddr'")),
    ],
)
def test_a_network_without_multicast_breaks_nothing(tmp_path, monkeypatch, caplog, place, trouble):
    def fail(_argument):
        raise trouble

    monkeypatch.setattr(f"pos_hardware_proxy.announce.{place}", fail)
    monkeypatch.setattr(serve, "KEEP_S", 0.02)
    caplog.set_level(logging.INFO)

    async def story():
        async with shop(tmp_path, settings={"mdns": True}) as place:
            assert (await place.till.print(paper()))["state"] == "printed"
            assert on_paper(place.devices["receipt"][0]) == [paper()]
            await asyncio.sleep(0.2)
        (line,) = [record for record in caplog.records if "mDNS" in record.message]  # said once
        assert str(trouble) in line.message and line.exc_info is None

    run(story())
