# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The doors for Odoo's own till and for people, over real sockets."""

import asyncio
import base64
import io
import json
import random
import re
import zlib

import pytest
from lxml import etree
from PIL import Image
from pos_hardware_proxy.doors.epos import EPOS
from pos_hardware_proxy.marks import reprint_mark
from proxy_shop import ORIGIN, WIDTH, on_paper, paper, run, shop

OPEN = {"without_token": True, "without_token_drawer": True}
JSON = {"Origin": ORIGIN, "Content-Type": "application/json"}


async def rpc(place, route, params=None):
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": "call", "params": params or {}})
    async with place.session.post(f"{place.url}/hw_proxy/{route}", data=body, headers=JSON) as response:
        content = await response.json()
        assert content["id"] == 7
        return content["result"]


def soap(*elements):
    return (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        f'<epos-print xmlns="{EPOS}">{"".join(elements)}</epos-print></s:Body></s:Envelope>'
    )


def image(bits, width=WIDTH):
    rows = len(bits) // (width // 8)
    text = base64.b64encode(bits).decode()
    return f'<image width="{width}" height="{rows}" color="color_1" mode="mono">{text}</image><cut type="feed"/>'


async def epos(place, body, printer="", **query):
    headers = {"Origin": ORIGIN, "Content-Type": "text/plain"}
    url = f"{place.url}{printer}/cgi-bin/epos/service.cgi"
    params = {"devid": "local_printer", **query}
    async with place.session.post(url, params=params, data=body, headers=headers) as response:
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        return etree.fromstring(await response.read()).find(f".//{{{EPOS}}}response").attrib


# -- Odoo's till -----------------------------------------------------------------------------------
def test_odoo_till_prints_by_hw_proxy(tmp_path):
    async def story():
        async with shop(tmp_path, settings=OPEN) as place:
            async with place.session.get(f"{place.url}/hw_proxy/hello", headers={"Origin": ORIGIN}) as response:
                assert response.status == 200 and response.headers["Access-Control-Allow-Origin"] == ORIGIN
            assert await rpc(place, "handshake")
            stream = io.BytesIO()
            Image.new("L", (512, 40), 0).save(stream, "JPEG")
            receipt = base64.b64encode(stream.getvalue()).decode()
            assert await rpc(place, "default_printer_action", {"data": {"action": "print_receipt", "receipt": receipt}})
            assert on_paper(place.devices["receipt"][0]) == [((bytes(4) + b"\xff" * 64 + bytes(4)) * 40).rstrip(b"\0")]
            assert await rpc(place, "default_printer_action", {"data": {"action": "cashbox"}})
            assert len(place.devices["receipt"][0].ledger.pulses) == 1
            assert (await rpc(place, "status_json"))["printer"]["status"] == "connected"

    run(story())


def test_odoo_names_a_second_printer_by_its_address(tmp_path):
    """Odoo calls every ePOS printer local_printer; with /kitchen after its address it is the one in the kitchen."""

    async def story():
        printers = {"receipt": {}, "kitchen": {"role": "kitchen"}}
        async with shop(tmp_path, printers, OPEN) as place:
            assert (await epos(place, soap(image(paper())), printer="/kitchen"))["success"] == "true"
            assert on_paper(place.devices["kitchen"][0]) == [paper()] and not on_paper(place.devices["receipt"][0])
            assert (await epos(place, soap(image(paper())), printer="/bar"))["code"] == "DeviceNotFound"

    run(story())


def test_odoo_till_prints_by_epos(tmp_path):
    async def story():
        async with shop(tmp_path, settings=OPEN) as place:
            answer = await epos(place, soap(image(paper())))
            assert (answer["success"], answer["code"]) == ("true", "")
            assert on_paper(place.devices["receipt"][0]) == [paper()]
            assert (await epos(place, soap("<pulse/>")))["success"] == "true"
            assert len(place.devices["receipt"][0].ledger.pulses) == 1

    run(story())


def test_epos_says_why_and_retry_prints_once(tmp_path):
    async def story():
        async with shop(tmp_path, settings=OPEN, paper_end=True) as place:
            device = place.devices["receipt"][0]
            answer = await epos(place, soap(image(paper())))
            assert (answer["success"], answer["code"]) == ("false", "EPTR_REC_EMPTY")
            assert int(answer["status"]) & 0x80000
            device.state.paper_end, device.state.cover_open = False, True
            assert (await epos(place, soap(image(paper()))))["code"] == "EPTR_COVER_OPEN"
            device.state.cover_open = False
            assert (await epos(place, soap(image(paper()))))["success"] == "true"
            assert on_paper(device) == [paper()]
            device.power_off()
            assert (await epos(place, soap(image(paper(2)))))["code"] == "EX_BADPORT"
            device.power_on()
            await asyncio.sleep(1.5)
            assert on_paper(device) == [paper()]  # it was taken back: the cashier was told, and decides

    run(story())


def test_retry_after_it_came_out_prints_nothing(tmp_path):
    """Paper ended in the middle, the cashier was told, put paper in, the receipt came out, and Retry is pressed."""

    async def story():
        async with shop(tmp_path, settings=OPEN, paper_left=300) as place:
            device, order = place.devices["receipt"][0], soap(image(paper(rows=900)))
            assert (await epos(place, order))["code"] == "EPTR_REC_EMPTY"
            device.state.paper_left, device.state.paper_end = None, False
            while not device.papers:
                await asyncio.sleep(0.02)
            assert (await epos(place, order))["success"] == "true"
            assert on_paper(device) == [paper(rows=900)]

    run(story())


def test_two_customers_with_the_same_receipt_get_one_each(tmp_path):
    async def story():
        async with shop(tmp_path, settings=OPEN, paper_speed=200) as place:
            answers = await asyncio.gather(*(epos(place, soap(image(paper()))) for _customer in range(2)))
            assert {answer["success"] for answer in answers} == {"true"}
            assert on_paper(place.devices["receipt"][0]) == [paper(), paper()]

    run(story())


def test_retry_after_an_unknown_end_is_marked(tmp_path):
    async def story():
        async with shop(tmp_path, settings=OPEN) as place:
            device = place.devices["receipt"][0]
            device.state.reset_after = 5000
            assert (await epos(place, soap(image(paper(rows=400)))))["success"] == "false"
            assert (await epos(place, soap(image(paper(rows=400)))))["success"] == "true"
            assert on_paper(device)[-1] == reprint_mark(WIDTH) + paper(rows=400)

    run(story())


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<no",
        "<a/>",
        soap('<image width="576" height="9">AAAA</image>'),
        soap('<image width="x" height="9">AAAA</image>'),
        soap('<image width="576" height="9">%%%</image>'),
        '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + soap("<text>&e;</text>", '<image width="&e;"/>'),
    ],
)
def test_epos_that_is_none(tmp_path, body):
    async def story():
        async with shop(tmp_path, settings=OPEN) as place:
            assert (await epos(place, body))["code"] == "SchemaError"
            assert (await epos(place, soap(image(paper())), devid="kitchen"))["code"] == "DeviceNotFound"
            assert on_paper(place.devices["receipt"][0]) == []

    run(story())


# -- answers ----------------------------------------------------------------------------------------
def test_a_page_that_may_ask_may_read_why_not(tmp_path):
    async def story():
        async with shop(tmp_path) as place:
            for method, path, status in (("GET", "/nothing", 404), ("PUT", "/jobs/job-00001?width=8&rows=1", 401)):
                async with place.session.request(method, place.url + path, headers={"Origin": ORIGIN}) as response:
                    assert response.status == status and response.headers["Access-Control-Allow-Origin"] == ORIGIN
                    assert (await response.json())["error"]

    run(story())


# -- pairing and pages -----------------------------------------------------------------------------
def test_pairing_by_the_code_on_the_page(tmp_path):
    async def story():
        async with shop(tmp_path) as place:
            async with place.session.get(f"{place.url}/?lang=en") as response:
                page = await response.text()
            code = place.gate.pairing.offer()
            assert code in page and "receipt" in page
            url, secret = f"{place.url}/pair", "n" * 40
            wrong, right = (json.dumps({"code": text, "secret": secret}) for text in ("1", code))
            async with place.session.post(url, data=wrong, headers=JSON) as response:
                assert response.status == 401
            async with place.session.post(url, data=right, headers=JSON) as response:
                assert (await response.json())["proxy"] == place.gate.keys.proxy_id
            assert place.gate.keys.secret == secret
            status, _answer = await place.till.ask("GET", "/jobs/x")
            assert status == 401  # signed with the secret from before

    run(story())


def test_the_page_shows_troubles_and_takes_decisions(tmp_path):
    async def story():
        async with shop(tmp_path) as place:
            place.devices["receipt"][0].state.reset_after = 5000
            job = await place.till.print(paper(rows=400))
            own = {"Origin": place.url}
            for language, words in (("ja", ("要確認", "用紙を確かめて")), ("en", ("please look", "Look at the paper"))):
                async with place.session.get(f"{place.url}/?lang={language}") as response:
                    page = await response.text()
                assert all(word in page for word in words), page
            look = f"{place.url}/look/{job['id']}"
            async with place.session.post(look, data={"came_out": "1"}, headers=own) as response:
                assert response.status == 200
            assert place.proxy.spool.get(job["id"]).state == "printed"
            async with place.session.post(f"{place.url}/test/receipt", headers=own) as response:
                assert response.status == 200
            async with place.session.get(f"{place.url}/health") as response:
                assert (await response.json())["printers"][0]["name"] == "receipt"

    run(story())


@pytest.mark.parametrize("language, says", [("ja", "テスト印刷"), ("en", "Test print")], ids=["ja", "en"])
def test_the_page_keeps_its_language(tmp_path, language, says):
    """After each button, whatever the browser prefers; the buttons pressed are those on the page."""

    async def story():
        async with shop(tmp_path, settings={"page_from_network": True}) as place:
            other = {"Accept-Language": "en" if language == "ja" else "ja"}
            place.devices["receipt"][0].state.reset_after = 5000
            await place.till.print(paper(rows=400))
            pressed = []
            while True:
                async with place.session.get(f"{place.url}/?lang={language}", headers=other) as response:
                    forms = re.findall('action="(.+?)"', await response.text())
                left = [form for form in forms if form not in pressed]
                if not left:
                    break
                pressed.append(left[0])
                headers = {"Origin": place.url, **other}
                async with place.session.post(place.url + left[0], data={"came_out": "1"}, headers=headers) as response:
                    assert response.status == 200 and says in await response.text(), left[0]
            assert {form.split("/")[1] for form in pressed} == {"test", "learn", "look"}

    run(story())


def test_nothing_of_a_receipt_is_in_the_pages_or_the_log(tmp_path, caplog):
    """Neither its bits, nor as digits or letters; also of one that nobody knows the end of."""
    caplog.set_level("DEBUG")

    async def story():
        async with shop(tmp_path) as place:
            picture = random.Random(7).randbytes(WIDTH // 8 * 400)
            await place.till.print(picture)
            place.devices["receipt"][0].state.reset_after = 5000
            job = await place.till.print(picture)
            assert job["state"] == "unknown"
            told = [json.dumps(job).encode(), caplog.text.encode()]
            for path in ("/health", "/?lang=ja", "/?lang=en"):
                async with place.session.get(place.url + path) as response:
                    told.append(await response.read())
            packed = zlib.compress(picture)
            for data in (picture, packed):
                for start in range(0, len(data) - 12, 3):  # a multiple of 3, as base64 packs them
                    piece = data[start : start + 12]
                    for face in (piece, piece.hex().encode(), base64.b64encode(piece)):
                        assert not any(face in text for text in told)

    run(story())
