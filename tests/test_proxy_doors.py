# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The doors for Odoo's own till, for people, and against those who have no business here; over real sockets."""

import asyncio
import base64
import io
import json

import aiohttp
import pytest
from lxml import etree
from PIL import Image
from pos_hardware_proxy.doors.epos import EPOS
from pos_hardware_proxy.marks import reprint_mark
from proxy_shop import ORIGIN, WIDTH, Till, on_paper, paper, shop

OPEN = {"without_token": True, "without_token_drawer": True}
JSON = {"Origin": ORIGIN, "Content-Type": "application/json"}


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 60))


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


# -- attacks ---------------------------------------------------------------------------------------
async def status_of(place, method, path, headers, body=b""):
    async with place.session.request(method, place.url + path, headers=headers, data=body) as response:
        return response.status


def test_who_has_no_business_here_is_refused(tmp_path):
    async def story():
        async with shop(tmp_path, settings=OPEN) as place:
            print_ = json.dumps({"id": 1, "params": {"data": {"action": "cashbox"}}})
            for headers, status in (
                ({"Content-Type": "application/json"}, 403),  # no Origin
                ({**JSON, "Origin": "https://evil.example"}, 403),
                ({**JSON, "Origin": "null"}, 403),
                ({**JSON, "Host": "evil.example"}, 421),  # a foreign name that was pointed here
                ({"Origin": ORIGIN, "Content-Type": "text/plain"}, 422),  # what a page can send without asking first
            ):
                assert await status_of(place, "POST", "/hw_proxy/default_printer_action", headers, print_) == status
            evil = {"Origin": "https://evil.example"}
            assert await status_of(place, "GET", "/hw_proxy/hello", evil) == 403
            assert await status_of(place, "POST", "/cgi-bin/epos/service.cgi", evil, soap("<pulse/>")) == 403
            assert await status_of(place, "POST", "/look/x", evil) == 403
            assert await status_of(place, "OPTIONS", "/jobs/x", evil) == 403
            assert not place.devices["receipt"][0].ledger.pulses

    run(story())


def test_unsigned_tills_must_be_allowed(tmp_path):
    async def story():
        async with shop(tmp_path) as place:
            headers, order = {"Origin": ORIGIN}, soap(image(paper()))
            assert await status_of(place, "POST", "/cgi-bin/epos/service.cgi", headers, order) == 403
            assert await status_of(place, "PUT", "/jobs/job-00001?width=8&rows=1", headers) == 401
            waiter = Till(place.session, place.url, place.gate.keys.proxy_id, scopes=("print",))
            status, answer = await waiter.ask("PUT", "/drawer/open-0001", b"{}", {"Content-Type": "application/json"})
            assert status == 403 and "drawer" in answer["error"]

    run(story())


def test_a_request_sent_again_by_somebody_else_is_refused(tmp_path):
    async def story():
        async with shop(tmp_path) as place:
            kind = {"Content-Type": "application/json"}
            sent = {}
            original = place.session.request

            def listening(method, url, **options):
                sent.update(method=method, url=url, **options)
                return original(method, url, **options)

            place.session.request = listening
            assert (await place.till.ask("PUT", "/drawer/open-0001", b"{}", kind))[0] == 200
            async with original(**sent) as response:
                assert response.status == 401 and "sent before" in (await response.json())["error"]

    run(story())


def test_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("pos_hardware_proxy.security.RATE", 0.01)  # however slow the machine is

    async def story():
        async with shop(tmp_path, settings=OPEN) as place:
            headers = {"Origin": ORIGIN}
            huge = b"x" * (9 << 20)
            assert await status_of(place, "POST", "/cgi-bin/epos/service.cgi", headers, huge) == 413
            many = soap(*['<image width="8" height="20000">AAAA</image>'] * 65)
            assert (await epos(place, many))["code"] == "SchemaError"
            bomb = io.BytesIO()
            Image.new("1", (4000, 19000)).save(bomb, "PNG")
            receipt = base64.b64encode(bomb.getvalue()).decode()
            body = json.dumps({"id": 1, "params": {"data": {"action": "print_receipt", "receipt": receipt}}})
            assert await status_of(place, "POST", "/hw_proxy/default_printer_action", JSON, body) == 422
            statuses = [await status_of(place, "GET", "/hw_proxy/hello", headers) for _number in range(150)]
            assert statuses[-1] == 429

    run(story())


def test_a_slow_body_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("pos_hardware_proxy.http.BODY_S", 0.3)

    async def drip():
        for _second in range(50):
            yield b"x"
            await asyncio.sleep(0.1)

    async def story():
        async with shop(tmp_path, settings=OPEN) as place:
            assert await status_of(place, "POST", "/cgi-bin/epos/service.cgi", {"Origin": ORIGIN}, drip()) == 408
            assert (await epos(place, soap(image(paper()))))["success"] == "true"

    run(story())


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


def test_nothing_of_a_receipt_is_in_the_page_or_the_health(tmp_path):
    async def story():
        async with shop(tmp_path) as place:
            await place.till.print(paper())
            async with aiohttp.ClientSession() as session, session.get(f"{place.url}/health") as response:
                assert "picture" not in await response.text()

    run(story())
