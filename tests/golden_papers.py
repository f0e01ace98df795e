# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Papers whose every dot is known: what is printed for each picture in tests/golden, and how it got there.

``golden/receipt.png`` is the picture that is sent; the others are papers. Drawn anew by scripts/make_golden.py.
"""

import asyncio
import base64
import io
import tempfile
from pathlib import Path

from lxml import etree
from PIL import Image
from pos_hardware_proxy.doors.epos import EPOS
from pos_hardware_proxy.picture import pack
from proxy_shop import ORIGIN, WIDTH, shop

FOLDER = Path(__file__).parent / "golden"
SENT = "receipt"  # the picture that is sent
OPEN = {"without_token": True}


def load(name):
    """A picture, one bit per dot."""
    with Image.open(FOLDER / f"{name}.png") as image:
        return image.convert("1")


def as_it_is(place):
    return place.till.print(pack(load(SENT)))


async def reprinted(place):
    """The line breaks in the middle, nobody has seen a paper: it comes once more, with the mark."""
    place.devices["receipt"][0].state.reset_after = 3000
    job = await place.till.print(pack(load(SENT)))
    assert job["state"] == "unknown"
    again = await place.till.resolve(job, reprint="reprint-1")
    while again["state"] != "printed":
        again = await place.till.see(again)


def with_blank_bands(place):
    """White of 23 rows is sent as it is, of 24 and of 600 as a feed."""
    band, size = pack(load(SENT).crop((0, 0, WIDTH, 100))), WIDTH // 8
    return place.till.print(band + bytes(23 * size) + band + bytes(24 * size) + band + bytes(600 * size) + band)


def narrow(place):
    """Drawn for 58 mm."""
    picture = load(SENT).resize((384, 400))
    return place.till.print(pack(picture), width=384)


def cropped(place):
    """Drawn for 80 mm, printed on 58 mm: both edges are lost."""
    return place.till.print(pack(load(SENT)))


async def by_epos(place):
    """512 dots, as Odoo's till draws, in the middle of 576."""
    bits = base64.b64encode(pack(load(SENT).crop((32, 0, 544, 300)))).decode()
    body = etree.tostring(
        etree.fromstring(
            f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><epos-print xmlns="{EPOS}">'
            f'<image width="512" height="300">{bits}</image><cut type="feed"/></epos-print></s:Body></s:Envelope>'
        )
    )
    url = f"{place.url}/cgi-bin/epos/service.cgi?devid=local_printer"
    async with place.session.post(url, data=body, headers={"Origin": ORIGIN}) as response:
        assert b'success="true"' in await response.read()


async def from_grey(place):
    """Odoo's routes: a picture with each grey once, made black and white here."""
    picture = Image.linear_gradient("L").resize((500, 256))
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    data = {"action": "print_receipt", "receipt": base64.b64encode(stream.getvalue()).decode()}
    body, url = {"id": 1, "params": {"data": data}}, f"{place.url}/hw_proxy/default_printer_action"
    async with place.session.post(url, json=body, headers={"Origin": ORIGIN}) as response:
        assert (await response.json())["result"] is True


# Name of the paper: how it is printed, on how wide a head.
PAPERS = {
    "as-it-is": (as_it_is, 576),
    "reprinted": (reprinted, 576),
    "blank-bands": (with_blank_bands, 576),
    "58mm": (narrow, 384),
    "58mm-cropped": (cropped, 384),
    "epos-512": (by_epos, 576),
    "hw-proxy-grey": (from_grey, 576),
}


def print_paper(name):
    """The paper as it comes out of the virtual printer, an image with one bit per dot."""
    how, width = PAPERS[name]

    async def story():
        with tempfile.TemporaryDirectory() as folder:
            async with shop(Path(folder), {"receipt": {"width": width}}, OPEN, width=width) as place:
                await how(place)
                return place.devices["receipt"][0].papers[-1].image()

    return asyncio.run(asyncio.wait_for(story(), 60))
