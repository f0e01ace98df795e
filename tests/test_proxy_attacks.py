# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Who has no business at the proxy, at each of its doors: nothing is printed, no drawer opens, it goes on serving."""

import asyncio
import base64
import io
import json
import zlib
from typing import NamedTuple

import pytest
from PIL import Image
from pos_hardware_proxy import serve
from pos_hardware_proxy.addresses import local_addresses
from pos_hardware_proxy.doors.epos import EPOS
from proxy_shop import ORIGIN, Till, on_paper, paper, run, shop

OPEN = {"without_token": True, "without_token_drawer": True}
EVIL = "https://evil.example"
RPC = json.dumps({"id": 1, "params": {"data": {"action": "cashbox"}}}).encode()
RECEIPT = zlib.compress(paper())


class Door(NamedTuple):
    """A way in: a request that would be served if it came from the right one."""

    method: str
    path: str
    kind: str = ""  # content type
    body: bytes = b""
    signed: bool = False

    @property
    def changes(self):
        return self.method != "GET"


def soap(content):
    return f'<Envelope><Body><epos-print xmlns="{EPOS}">{content}</epos-print></Body></Envelope>'.encode()


DOORS = [
    Door("PUT", "/jobs/attack-0001?width=576&rows=120", "application/octet-stream", RECEIPT, signed=True),
    Door("GET", "/jobs/attack-0001", signed=True),
    Door("DELETE", "/jobs/attack-0001", signed=True),
    Door("POST", "/jobs/attack-0001/resolution", "application/json", b'{"came_out": true}', signed=True),
    Door("PUT", "/drawer/attack-0001", "application/json", b"{}", signed=True),
    Door("GET", "/scans", signed=True),
    Door("GET", "/scale", signed=True),
    Door("GET", "/hw_proxy/hello"),
    Door("POST", "/hw_proxy/handshake", "application/json", RPC),
    Door("POST", "/hw_proxy/status_json", "application/json", RPC),
    Door("POST", "/hw_proxy/default_printer_action", "application/json", RPC),
    Door("POST", "/hw_proxy/scanner", "application/json", RPC),
    Door("POST", "/hw_proxy/scale_read", "application/json", RPC),
    Door("POST", "/cgi-bin/epos/service.cgi?devid=local_printer", "text/plain", soap("<pulse/>")),
    Door("GET", "/"),
    Door("GET", "/health"),
    Door("POST", "/pair", "application/json", json.dumps({"code": "1", "secret": "n" * 40}).encode()),
    Door("POST", "/test/receipt"),
    Door("POST", "/learn/receipt"),
    Door("POST", "/look/attack-0001", "application/x-www-form-urlencoded", b"came_out=0"),
]
every_door = pytest.mark.parametrize("door", DOORS, ids=lambda door: f"{door.method} {door.path.partition('?')[0]}")


def only(wanted):
    doors = [door for door in DOORS if wanted(door)]
    return pytest.mark.parametrize("door", doors, ids=lambda door: f"{door.method} {door.path.partition('?')[0]}")


async def knock(place, door, headers=None, body=None):
    """(status, answer) at a door, asked by a till that may do everything, but for these headers (None: left out)."""
    till = Till(place.session, place.url, place.gate.keys.proxy_id, ("print", "drawer", "scan", "scale", "admin"))
    body = door.body if body is None else body
    headers = {"Origin": ORIGIN, **({"Content-Type": door.kind} if door.kind else {}), **(headers or {})}
    if door.signed:
        headers = {"Authorization": till.sign(door.method, door.path, body), **headers}
    headers = {name: value for name, value in headers.items() if value is not None}
    options = {"data": body, "headers": headers, "allow_redirects": False}
    async with place.session.request(door.method, place.url + door.path, **options) as response:
        text = await response.text()
        return response.status, json.loads(text) if response.content_type == "application/json" else text


def untouched(place):
    device = place.devices["receipt"][0]
    return not device.ledger.pulses and on_paper(device) == [] and not place.proxy.spool.last(9)


@every_door
def test_each_door_opens_to_who_may_come_in(tmp_path, door):
    """Or else what follows would prove nothing."""
    refusals = {"/scale": (422, "No scale"), "/pair": (401, "code is wrong"), "/look": (422, "only an unknown one")}

    async def story():
        async with shop(tmp_path, settings=OPEN) as place:
            await place.till.print(paper(), "attack-0001")
            place.proxy.scans.add("4901234567894")
            status, answer = await knock(place, door)
            for path, (refusal, says) in refusals.items():
                if door.path.startswith(path):
                    assert status == refusal and says in answer["error"]
                    return
            assert status in (200, 303) and "SchemaError" not in answer
            drawer = any(word in door.path for word in ("drawer", "epos", "default_printer", "learn"))
            assert len(place.devices["receipt"][0].ledger.pulses) == int(drawer)

    run(story())


# -- wrong page, wrong name ------------------------------------------------------------------------
@every_door
def test_each_door_asks_who_comes(tmp_path, door):
    async def story():
        async with shop(tmp_path, settings=OPEN) as place:
            for origin in (EVIL, "null", f"{ORIGIN}.evil.example", ORIGIN.replace("https", "http")):
                status, answer = await knock(place, door, {"Origin": origin})
                assert (status, answer["code"]) == (403, "origin")
            status, answer = await knock(place, door, {"Host": "evil.example"})
            assert (status, answer["code"]) == (421, "host")
            if door.changes:
                status, answer = await knock(place, door, {"Origin": None})
                assert (status, answer["code"]) == (403, "origin")
            assert untouched(place)

    run(story())


@only(lambda door: door.kind == "application/json")
def test_a_page_cannot_ask_without_asking_first(tmp_path, door):
    """JSON is what a browser sends to strangers only after a preflight; the same as plain text is refused."""

    async def story():
        async with shop(tmp_path, settings=OPEN) as place:
            status, answer = await knock(place, door, {"Content-Type": "text/plain"})
            assert status == 422 and "must be JSON" in answer["error"]
            assert untouched(place)

    run(story())


@only(lambda door: door.signed)
def test_signed_doors(tmp_path, door):
    """Unsigned, signed by another Odoo, for something else, and sent again by somebody who listened."""

    async def story():
        async with shop(tmp_path, settings=OPEN) as place:
            till = Till(place.session, place.url, place.gate.keys.proxy_id, ("nothing",))
            status, answer = await knock(place, door, {"Authorization": None})
            assert (status, answer["code"]) == (401, "unsigned")
            status, answer = await knock(place, door, {"Authorization": till.sign(door.method, door.path, door.body)})
            assert (status, answer["code"]) == (403, "scope")
            status, answer = await knock(place, door, {"Authorization": till.sign(door.method, "/other", door.body)})
            assert (status, answer["code"]) == (401, "other_odoo")
            till.key = b"0" * 64
            status, answer = await knock(place, door, {"Authorization": till.sign(door.method, door.path, door.body)})
            assert (status, answer["code"]) == (401, "other_odoo")
            assert untouched(place)
            good = Till(place.session, place.url, place.gate.keys.proxy_id, ("print", "drawer", "scan", "scale"))
            heard = {"Authorization": good.sign(door.method, door.path, door.body)}
            status, _answer = await knock(place, door, heard)
            assert status not in (401, 403)
            status, answer = await knock(place, door, heard)
            assert (status, answer["code"]) == (401, "replayed")

    run(story())


@only(lambda door: "hw_proxy/" in door.path and door.changes or "epos" in door.path)
def test_unsigned_tills_must_be_allowed(tmp_path, door):
    async def story():
        async with shop(tmp_path) as place:
            status, answer = await knock(place, door)
            harmless = door.path.endswith(("/handshake", "/status_json"))
            assert (status, harmless) == (200, True) or answer["code"] == "without_token"
            assert untouched(place)

    run(story())


# -- too much --------------------------------------------------------------------------------------
@only(lambda door: door.body)
def test_a_body_that_is_too_large(tmp_path, door):
    async def story():
        async with shop(tmp_path, settings=OPEN) as place:
            status, _answer = await knock(place, door, body=b" " * (9 << 20))
            assert status == 413
            assert untouched(place)

    run(story())


@only(lambda door: door.body)
def test_a_body_that_drips(tmp_path, monkeypatch, door):
    monkeypatch.setattr("pos_hardware_proxy.http.BODY_S", 0.2)
    monkeypatch.setattr(serve, "STOP_S", 0.1)

    async def story():
        async with shop(tmp_path, settings=OPEN) as place:
            reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
            till = Till(place.session, place.url, place.gate.keys.proxy_id)
            writer.write(
                f"{door.method} {door.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: {ORIGIN}\r\n"
                f"Content-Type: {door.kind}\r\nAuthorization: {till.sign(door.method, door.path, door.body)}\r\n"
                f"Content-Length: {len(door.body) + 1}\r\n\r\n".encode()
                + door.body
            )
            assert (await reader.readline()).split()[1] == b"408"
            writer.close()
            assert untouched(place)

    run(story())


def png_bomb():
    stream = io.BytesIO()
    Image.new("1", (4000, 19000)).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


BOMBS = {
    "jobs": (DOORS[0], zlib.compress(bytes(1 << 26), 9)),
    "jobs, rows": (DOORS[0]._replace(path="/jobs/attack-0001?width=576&rows=999999"), RECEIPT),
    "hw_proxy": (
        Door("POST", "/hw_proxy/default_printer_action", "application/json"),
        json.dumps({"id": 1, "params": {"data": {"action": "print_receipt", "receipt": png_bomb()}}}).encode(),
    ),
    "epos, rows": (DOORS[13], soap('<image width="576" height="99999999">AAAA</image>')),
    "epos, images": (DOORS[13], soap('<image width="8" height="1">/w==</image>' * 65)),
    "epos, paper": (
        DOORS[13],
        soap(f'<image width="8" height="20000">{base64.b64encode(bytes(20000)).decode()}</image>' * 2),
    ),
    "epos, entities": (
        DOORS[13],
        b'<!DOCTYPE a [<!ENTITY a "AAAA"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'
        + soap('<image width="8" height="48">&c;</image>'),  # a picture, were they resolved
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_pictures_that_explode(tmp_path, name):
    door, body = BOMBS[name]

    async def story():
        async with shop(tmp_path, settings=OPEN) as place:
            status, answer = await knock(place, door, body=body)
            assert status == 422 or "SchemaError" in answer
            assert untouched(place)

    run(story())


@every_door
def test_too_many_requests(tmp_path, monkeypatch, door):
    monkeypatch.setattr("pos_hardware_proxy.security.RATE", 0.01)  # however slow the machine is
    monkeypatch.setattr("pos_hardware_proxy.security.BURST", 2.0)

    async def story():
        async with shop(tmp_path, settings=OPEN) as place:
            for _number in range(2):
                await knock(place, DOORS[7])
            status, answer = await knock(place, door)
            assert (status, answer["code"]) == (429, "rate")

    run(story())


# -- the page --------------------------------------------------------------------------------------
ELSEWHERE = {"X-Forwarded-For": "10.0.0.9"}  # a web server on the same machine hands it over


@only(lambda door: door.path.startswith(("/test/", "/look/")))
def test_only_the_machine_itself_acts_on_the_page(tmp_path, door):
    async def story():
        for allowed in (False, True):
            async with shop(tmp_path / str(allowed), settings={"page_from_network": allowed}) as place:
                place.devices["receipt"][0].state.reset_after = 5000
                job = await place.till.print(paper(rows=400))
                path = door.path.replace("attack-0001", job["id"])
                status, answer = await knock(place, door._replace(path=path), ELSEWHERE)
                assert status == 303 if allowed else (status, answer["code"]) == (403, "page")
                jobs = len(place.proxy.spool.last(9))
                assert jobs == (2 if allowed else 1)
                status, _answer = await knock(place, door._replace(path=path), {"Origin": place.url})
                assert status == (422 if allowed and "look" in path else 303)  # decided already, or from here: done

    run(story())


def test_the_page_shows_no_code_and_no_buttons_elsewhere(tmp_path):
    async def story():
        async with shop(tmp_path) as place:
            place.devices["receipt"][0].state.reset_after = 5000
            await place.till.print(paper(rows=400))
            here = (await knock(place, DOORS[14]))[1]
            there = (await knock(place, DOORS[14], ELSEWHERE))[1]
            code = place.gate.pairing.offer()
            assert here.count("<form") == 3 and code in here
            assert "<form" not in there and code not in there and "receipt" in there

    run(story())


def test_another_machine_is_told_apart_by_its_address(tmp_path):
    """Over real sockets: from an address of the shop's network to loopback it is another's, to itself it is ours."""
    pytest.importorskip("ifaddr", reason="the package ifaddr is not installed")
    outer = next((str(a) for a in local_addresses() if a.version == 4 and not a.is_loopback), None)
    if outer is None:
        pytest.skip("this machine has no address but loopback")

    async def story():
        async with shop(tmp_path, settings={"listen": "0.0.0.0", "mdns": False}) as place:
            for host, source, codes in (
                ("127.0.0.1", "127.0.0.1", 1),
                (outer, outer, 1),
                ("127.0.0.1", outer, 0),
            ):
                reader, writer = await asyncio.open_connection(host, place.port, local_addr=(source, 0))
                writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                assert (await reader.read()).decode().count('class="code"') == codes, (host, source)
                writer.close()

    run(story())
