# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Prints that tills have left in Odoo, over real sockets; the virtual printer is the judge."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from pos_hardware_proxy import relay
from pos_hardware_proxy.config import Config, ConfigError
from proxy_shop import WIDTH, on_paper, paper, run, shop, until
from relay_odoo import Odoo

FAR = 3600.0


@pytest.fixture(autouse=True)
def by_the_line_only(monkeypatch):
    """Nothing happens because time passes, unless a test wants that."""
    for name in ("POLL_S", "NET_S"):
        monkeypatch.setattr(relay, name, FAR)
    monkeypatch.setattr(relay, "RETRY_S", (0.05, 0.2))


@asynccontextmanager
async def shops(folder, listens=True, **options):
    """(a shop, Odoo)."""
    odoo = Odoo(**{key: options.pop(key) for key in ("has_line", "greets") if key in options})
    await odoo.open()
    try:
        async with shop(folder, settings={"odoo": odoo.url}, **options) as place:
            if listens:
                await until(lambda: odoo.lines and place.proxy.relay.state == "listening")
            yield place, odoo
    finally:
        await odoo.close()


def device(place, name="receipt"):
    return place.devices[name][0]


# -- printing --------------------------------------------------------------------------------------
def test_print_left_in_odoo(tmp_path):
    """It comes out once; Odoo hears how it stands, and nothing goes on after the end."""

    async def story():
        async with shops(tmp_path) as (place, odoo):
            await odoo.leave("job-00001", paper(1))
            row = await odoo.ends("job-00001")
            assert (row["state"], row["reason"]) == ("printed", "")
            assert on_paper(device(place)) == [paper(1)]
            assert place.proxy.spool.get("job-00001").state == "printed"
            assert odoo.printers == [{"name": "receipt", "role": "receipt", "width": WIDTH, "drawer": True}]
            await until(lambda: not place.proxy.relay._watched)
            exchanges = odoo.exchanges
            await asyncio.sleep(0.3)
            assert odoo.exchanges == exchanges and not odoo.refused

    run(story())


@pytest.mark.parametrize("line", [{"has_line": False}, {"greets": False}])
def test_without_the_line_it_asks(tmp_path, monkeypatch, line):
    """No open line, or one on which nothing is heard: it asks by itself."""
    monkeypatch.setattr(relay, "POLL_S", 0.1)
    monkeypatch.setattr(relay, "HELLO_S", 0.2)

    async def story():
        async with shops(tmp_path, listens=False, **line) as (place, odoo):
            await until(lambda: odoo.exchanges)
            await odoo.leave("job-00001", paper(1))
            assert (await odoo.ends("job-00001"))["state"] == "printed"
            assert place.proxy.health()["relay"] == "asking"

    run(story())


def test_both_ways_at_once(tmp_path):
    """The same id by the shop's network and through Odoo is one paper; both hear the end."""

    async def story():
        async with shops(tmp_path) as (place, odoo):
            jobs = [f"job-{number:05}" for number in range(20)]
            for number, job_id in enumerate(jobs):
                told, _left = await asyncio.gather(
                    place.till.print(paper(number), job_id), odoo.leave(job_id, paper(number))
                )
                assert told["state"] == (await odoo.ends(job_id))["state"] == "printed"
            assert on_paper(device(place)) == [paper(number) for number in range(20)]

    run(story())


def test_lost_and_doubled_exchanges(tmp_path, monkeypatch):
    """Requests do not arrive, or their answers do not: one paper each, every end told, nothing forgotten."""

    async def story():
        async with shops(tmp_path) as (place, odoo):
            faults = 0

            def lose(request, is_served):
                nonlocal faults
                faults += 1
                if faults % 5 in (1, 4):
                    request.transport.abort()
                    raise web.HTTPBadGateway

            odoo.fault = lose
            for number in range(12):
                await odoo.leave(f"job-{number:05}", paper(number))
            for number in range(12):
                assert (await odoo.ends(f"job-{number:05}"))["state"] == "printed"
            assert faults > 3
            assert sorted(on_paper(device(place))) == sorted(paper(number) for number in range(12))

    run(story())


def test_new_start_tells_what_odoo_missed(tmp_path):
    """The proxy ended before it could tell; started again, it answers what Odoo asks, and prints nothing anew."""

    async def story():
        async with shops(tmp_path) as (place, odoo):
            await place.till.print(paper(1), "job-00001")
            await place.close()
            await odoo.leave("job-00001", paper(1))
            await odoo.leave("job-00002")
            await place.open()
            assert (await odoo.ends("job-00001"))["state"] == "printed"
            assert (await odoo.ends("job-00002", "missing"))["state"] == "missing"
            assert on_paper(device(place)) == [paper(1)]

    run(story())


def test_reason_is_told(tmp_path):
    """Out of paper is told while it waits, and the end when paper is in."""

    async def story():
        async with shops(tmp_path, paper_end=True) as (place, odoo):
            await odoo.leave("job-00001", paper(1))
            await until(lambda: odoo.rows["job-00001"]["reason"] == "paper_end")
            device(place).state.paper_end = False
            assert (await odoo.ends("job-00001"))["state"] == "printed"

    run(story())


# -- what is not printed ---------------------------------------------------------------------------
def test_too_old(tmp_path):
    """What nobody waits for any more is not printed; what was printed before is told as it is."""

    async def story():
        async with shops(tmp_path) as (place, odoo):
            await place.till.print(paper(1), "job-00001")
            await odoo.leave("job-00001", paper(1), age=601)
            await odoo.leave("job-00002", paper(2), age=601)
            assert (await odoo.ends("job-00001"))["state"] == "printed"
            row = await odoo.ends("job-00002")
            assert (row["state"], row["reason"]) == ("failed", "expired")
            assert on_paper(device(place)) == [paper(1)]

    run(story())


def test_age_counts(tmp_path):
    """A print that waited in Odoo has less time left here."""

    async def story():
        async with shops(tmp_path, paper_end=True) as (place, odoo):
            await odoo.leave("job-00001", paper(1), age=400)
            await odoo.ends("job-00001", "waiting")
            job = place.proxy.spool.get("job-00001")
            assert 195 < job.expires - job.created < 201

    run(story())


def test_what_cannot_be_printed(tmp_path):
    """A sentence says why; other prints go on."""

    async def story():
        async with shops(tmp_path) as (place, odoo):
            await odoo.leave("job-00001", paper(1), rows="7")
            await odoo.leave("job-00002", paper(2), printer="nowhere")
            await odoo.leave("job-00003", paper(3), body="=")
            await odoo.leave("../../etc", paper(4))
            await odoo.leave("job-00005", paper(5))
            assert (await odoo.ends("job-00005"))["state"] == "printed"
            reasons = [(await odoo.ends(f"job-0000{number}"))["reason"] for number in (1, 2, 3)]
            assert reasons[0].startswith("The picture is not")
            assert reasons[1].startswith("There is no printer nowhere here")
            assert reasons[2] == "The picture is damaged: it is no base64."
            assert on_paper(device(place)) == [paper(5)]

    run(story())


# -- somebody looked -------------------------------------------------------------------------------
def test_decisions(tmp_path):
    """Unknown: seen, or printed once more with a mark; a second decision is refused with a sentence."""

    async def story():
        async with shops(tmp_path) as (place, odoo):
            for number, decision in ((1, {"came_out": True}), (2, {"reprint": "again-0002"})):
                job_id = f"job-0000{number}"
                device(place).state.drop_after = 500
                await odoo.leave(job_id, paper(number))
                assert (await odoo.ends(job_id, "unknown"))["reason"] == "lost"
                await odoo.decide(job_id, **decision)
            row = await odoo.ends("job-00001")
            assert (row["state"], row["reason"]) == ("printed", "seen")
            assert (await odoo.ends("again-0002"))["state"] == "printed"
            assert (await odoo.ends("job-00002"))["reason"] == "reprinted"
            assert place.proxy.spool.get("again-0002").reprint_of == "job-00002"

    run(story())


def test_decision_that_cannot_be(tmp_path):
    """While its printer is full, a reprint is refused; the print stays unknown and can be decided again."""

    async def story():
        async with shops(tmp_path) as (place, odoo):
            device(place).state.drop_after = 500
            await odoo.leave("job-00001", paper(1))
            await odoo.ends("job-00001", "unknown")
            place.proxy.spool.quota = 0
            await odoo.decide("job-00001", reprint="again-0001")
            await until(lambda: odoo.rows["job-00001"]["refused"])
            assert "jobs wait" in odoo.rows["job-00001"]["refused"]
            assert odoo.rows["job-00001"]["state"] == "unknown"

    run(story())


def test_it_does_not_insist(tmp_path, monkeypatch):
    """Odoo that keeps to what it knows is told once, not for ever."""
    monkeypatch.setattr(relay, "POLL_S", 0.05)
    monkeypatch.setattr(relay, "NET_S", 0.05)

    async def story():
        async with shops(tmp_path, paper_end=True) as (_place, odoo):
            await odoo.leave("job-00001", paper(1))
            await odoo.ends("job-00001", "waiting")
            odoo.rows["job-00001"].update(state="unknown", reason="stopped")
            told = len(odoo.told)
            exchanges = odoo.exchanges
            await until(lambda: odoo.exchanges > exchanges + 5)
            assert len(odoo.told) - told <= 1

    run(story())


# -- drawer ----------------------------------------------------------------------------------------
def test_drawer(tmp_path):
    """Opened once for one request, however often and by whichever way it is asked; too late, it stays shut."""

    async def story():
        async with shops(tmp_path) as (place, odoo):
            await odoo.pulse("drawer-001", age=3.5)
            row = await odoo.ends("drawer-001")
            assert (row["state"], row["reason"]) == ("failed", "too_late")
            assert not device(place).state.drawer_open

            body, kind = b'{"printer": ""}', {"Content-Type": "application/json"}
            told, _left = await asyncio.gather(
                place.till.ask("PUT", "/drawer/drawer-002", body, kind), odoo.pulse("drawer-002")
            )
            row = await odoo.ends("drawer-002")
            assert (row["state"], row["reason"]) == ("done", "opened") and told[1] == {"outcome": "opened"}
            odoo.rows["drawer-002"]["state"] = "new"
            await odoo.call()
            assert (await odoo.ends("drawer-002"))["reason"] == "opened"
            assert len(device(place).ledger.pulses) == 1
            await odoo.pulse("drawer-003", printer="nowhere")
            assert (await odoo.ends("drawer-003"))["reason"].startswith("There is no printer nowhere here")

    run(story())


# -- settings --------------------------------------------------------------------------------------
def test_secret_of_another(tmp_path):
    """Odoo refuses a signature that is not from its pairing; paired anew, the proxy goes on by itself."""

    async def story():
        async with shops(tmp_path, listens=False) as (place, odoo):
            secret = place.gate.keys.secret
            place.gate.keys.pair("x" * 40)
            await odoo.leave("job-00001", paper(1))
            await until(lambda: {"line", "exchange"} <= set(odoo.refused))
            await until(lambda: place.proxy.relay.state == "no_answer")
            assert not on_paper(device(place))
            place.gate.keys.pair(secret)
            assert (await odoo.ends("job-00001"))["state"] == "printed"

    run(story())


def test_nothing_of_receipts_is_logged(tmp_path, caplog):
    """Not what is printed, and not the secret."""
    caplog.set_level("DEBUG")

    async def story():
        async with shops(tmp_path) as (place, odoo):
            await odoo.leave("job-00001", paper(1))
            await odoo.leave("job-00002", paper(2), rows="7")
            await odoo.ends("job-00001")
            await odoo.ends("job-00002")
            for text in (odoo.rows["job-00001"]["body"], place.gate.keys.secret):
                assert text not in caplog.text

    run(story())


def test_configuration(tmp_path):
    path = tmp_path / "proxy.toml"
    path.write_text('[proxy]\nstate = "/tmp"\nodoo = "https://erp.example.jp"\n')
    assert Config.load(path).odoo == "https://erp.example.jp"
    for bad in ("erp.example.jp", "https://erp.example.jp/", "wss://erp.example.jp", "https://erp.example.jp?db=x"):
        path.write_text(f'[proxy]\nstate = "/tmp"\nodoo = "{bad}"\n')
        with pytest.raises(ConfigError, match="odoo"):
            Config.load(path)
