# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Odoo's own till and kiosk, without the addon, in a real browser: they print, open the drawer and scan by the proxy.

./run test --only stock
"""

import base64
import contextlib
import os
import time
from pathlib import Path

import chromium
import pytest
from lxml import etree
from PIL import Image, ImageFilter
from stock_shop import BARCODE, NOODLES, TEA, Shop, until
from virtual_printer_kit import read_qr

EPOS = "{http://www.epson-pos.com/schemas/2011/03/epos-print}"
PAPER = "It seems that the printer runs out of paper."
COVER = "Printer cover is open. Please close it and try again!"
QUIET_S = 1.0  # what would come out a second time comes within that


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where logs go; the stage names a folder that stays."""
    path = Path(os.environ.get("BRIDGE_STOCK_FOLDER") or tmp_path_factory.mktemp("stock"))
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture(scope="module")
def place(folder):
    if not os.environ.get("BRIDGE_STOCK_DB"):
        pytest.skip("needs Odoo: ./run test --only stock")
    if not chromium.program():
        pytest.skip("no Chromium")
    with contextlib.ExitStack() as ends:
        shop = Shop(folder, ends)
        page = shop.page = chromium.Chromium(folder)
        ends.callback(page.close)
        page.call("Network.setCookie", name="session_id", value=shop.log_in(), url=shop.url)
        shop.tills = shop.furnish()
        open_till(shop, 0)
        yield shop


def open_till(place, number):
    place.page.go(f"{place.url}/pos/ui/{place.tills[number]}")
    place.page.press(".screen-login button", "Open Register")
    place.page.press(".modal button", "Open Register")
    place.page.gone(".modal")


def add(page, name):
    page.press("article.product .product-name", name)
    page.see(".order-container .orderline .product-name", name)


def pay(page):
    page.press("button.pay-order-button")
    page.press(".payment-screen .paymentmethod", "Cash")
    page.press(".payment-screen .validation-button.next")
    page.see(".receipt-screen")


def sell(page, name=TEA):
    """One of it, for cash."""
    if page.sees(".receipt-screen"):
        page.press(".receipt-screen .button.next")
    add(page, name)
    pay(page)


def pictures_sent(page):
    """[(address, width, rows, bits)] of the pictures the till has sent to ePOS printers."""
    found = []
    for request in page.sent:
        if "/cgi-bin/epos/service.cgi" in request["url"] and "<image" in request.get("postData", ""):
            image = etree.fromstring(request["postData"].strip().encode()).find(f".//{EPOS}image")
            width, rows = int(image.get("width")), int(image.get("height"))
            found.append((request["url"], width, rows, base64.b64decode(image.text)))
    return found


def as_printed(width, rows, bits, paper=576):
    """The picture in the middle of the paper, as an image in black and white."""
    image = Image.frombytes("1", (width, rows), bytes(255 ^ byte for byte in bits))
    full = Image.new("1", (paper, rows), 1)
    full.paste(image, ((paper - width) // 2, 0))
    return full


def ink(image):
    """Dots of an image without the white below the last of them."""
    rows = image.convert("1").tobytes("raw", "1;I").rstrip(b"\0")
    return rows + bytes(-len(rows) % (image.width // 8))


def printed(printer, count):
    """The papers of a printer, which are ``count`` and stay so many."""
    until(lambda: len(printer.papers) >= count, f"{count} papers", 20)
    time.sleep(QUIET_S)
    assert len(printer.papers) == count
    strange = [event.detail["data"] for event in printer.ledger.unknown]
    assert not [data for data in strange if data.strip("0 ")]  # zeros come first: the rest of what may be torn
    assert printer.paper.height == 0
    return printer.papers


def read_ticket(paper):
    """What the QR code says, seen a little out of focus, as by a camera: Odoo has dithered it."""
    image = paper.image().convert("L")
    return next(filter(None, (read_qr(image.filter(ImageFilter.GaussianBlur(r / 2))) for r in range(5))), "")


def ticket_address(place):
    """What the QR code on the last receipt must say."""
    fields = place.do("pos.order", "search_read", [], ["access_token"], order="id desc", limit=1)
    return f"{place.url}/pos/ticket/validate?access_token={fields[0]['access_token']}"


# -- by the door of an ePOS printer ----------------------------------------------------------------
def test_addon_is_not_there(place):
    """Neither the module in the database nor its code in the till."""
    assert place.do("ir.module.module", "search_count", [("state", "=", "installed"), ("name", "=", "point_of_sale")])
    assert not place.do("ir.module.module", "search_count", [("state", "=", "installed"), ("name", "like", "bridge")])
    modules = place.page.evaluate("[...odoo.loader.modules.keys()]")
    assert "@point_of_sale/app/utils/printer/epson_printer" in modules
    assert not [name for name in modules if "bridge" in name]


def test_sale_prints_once_and_opens_the_drawer(place):
    """The paper is what the till has drawn, dot for dot; the drawer opens before the picture comes."""
    sell(place.page)
    (paper,) = printed(place.receipts, 1)
    ((address, *picture),) = pictures_sent(place.page)
    assert address == f"http://{place.proxy}/cgi-bin/epos/service.cgi?devid=local_printer"
    assert paper.width == 576 and ink(paper.image()) == ink(as_printed(*picture))
    assert len(ink(paper.image()).strip(b"\0")) > 72 * 300
    assert read_ticket(paper) == ticket_address(place)
    events = place.receipts.ledger.of("pulse", "command")
    (pulse,) = place.receipts.ledger.pulses
    first = next(event for event in events if event.kind == "command" and event.name == "GS v 0")
    assert pulse.number < first.number and not place.page.sees(".modal")
    assert place.do("pos.order", "search_count", [("state", "in", ("paid", "done")), ("nb_print", "=", 1)]) == 1


@pytest.mark.parametrize("trouble, message", [("paper_end", PAPER), ("cover_open", COVER)])
def test_trouble_is_told_by_odoo_and_retry_prints_once(place, trouble, message):
    """Odoo's own words on the screen, no paper; put right, Retry brings one paper."""
    page, before = place.page, len(place.receipts.papers)
    setattr(place.receipts.state, trouble, True)
    sell(page)
    page.see(".modal", message)
    assert len(place.receipts.papers) == before
    page.press(".modal-footer button", "Retry")
    page.see(".modal", message)
    setattr(place.receipts.state, trouble, False)
    time.sleep(QUIET_S)
    page.press(".modal-footer button", "Retry")
    page.gone(".modal")
    papers = printed(place.receipts, before + 1)
    assert read_ticket(papers[-1]) == ticket_address(place)
    assert ink(papers[-1].image()) == ink(as_printed(*pictures_sent(page)[-1][1:]))


def test_kitchen_gets_its_ticket(place):
    """What is cooked is printed in the kitchen, by the same proxy; tea is not, and the receipt comes out, too."""
    before = len(place.receipts.papers)
    assert not place.kitchen.papers
    sell(place.page, NOODLES)
    (ticket,) = printed(place.kitchen, 1)
    printed(place.receipts, before + 1)
    (sent,) = [sent for sent in pictures_sent(place.page) if "/kitchen/" in sent[0]]
    assert ink(ticket.image()) == ink(as_printed(*sent[1:])) and ticket.width == 576
    assert not place.kitchen.ledger.pulses


# -- by the routes of Odoo's hardware proxy --------------------------------------------------------
def test_hardware_proxy_scans_and_prints(place):
    """What the scanner reads is a line of the order; the receipt and the drawer go by Odoo's routes."""
    page, printer = place.page, place.receipts
    before, pulses, epos = len(printer.papers), len(printer.ledger.pulses), len(pictures_sent(page))
    open_till(place, 1)
    place.scan(BARCODE)
    page.see(".order-container .orderline .product-name", TEA)
    pay(page)
    paper = printed(printer, before + 1)[-1]
    assert paper.width == 576 and read_ticket(paper) == ticket_address(place)
    assert len(printer.ledger.pulses) == pulses + 1 and len(pictures_sent(page)) == epos
    lines = place.do("pos.order.line", "search_read", [], ["qty", "full_product_name"], order="id desc", limit=1)
    assert (lines[0]["qty"], lines[0]["full_product_name"]) == (1, TEA)


# -- Odoo's kiosk; last, for it puts its module into the database -----------------------------------
@pytest.fixture(scope="module")
def kiosk(place):
    place.page.go(place.open_kiosk())
    return place.page


def order(page):
    """Noodles, as a customer does; they are paid for at the counter."""
    page.press(".btn", "Order Now")
    page.press(".o_self_product_box span", NOODLES)
    page.press(".cart:not(.disabled)", "Checkout")
    page.press(".o_self_cart_page .cart:not(.disabled)", "Order")
    page.see(".confirmation-page .tracking-number")


def test_kiosk_prints_receipt_and_kitchen_ticket(place, kiosk):
    """One order: one receipt at the kiosk and one ticket in the kitchen, as the kiosk's page has drawn them."""
    receipts, tickets, before = len(place.receipts.papers), len(place.kitchen.papers), len(pictures_sent(kiosk))
    order(kiosk)
    receipt, ticket = printed(place.receipts, receipts + 1)[-1], printed(place.kitchen, tickets + 1)[-1]
    sent = {address.partition("/cgi-bin/")[0]: picture for address, *picture in pictures_sent(kiosk)[before:]}
    assert len(pictures_sent(kiosk)) == before + 2
    for paper, door in ((receipt, f"http://{place.proxy}"), (ticket, f"http://{place.proxy}/kitchen")):
        assert paper.width == 576 and ink(paper.image()) == ink(as_printed(*sent[door]))
        assert len(ink(paper.image()).strip(b"\0")) > 72 * 100
    ours = [("source", "=", "kiosk"), ("amount_total", "=", 880), ("nb_print", "=", 1)]
    until(lambda: place.do("pos.order", "search_count", ours) == 1, "the order, with its receipt")


def test_kiosk_without_paper_says_so(place, kiosk):
    """Odoo's own words send the customer to the counter; no receipt comes out behind his back, his food is cooked."""
    receipts, tickets = len(place.receipts.papers), len(place.kitchen.papers)
    kiosk.press(".confirmation-page .btn", "Close")
    place.receipts.state.paper_end = True
    order(kiosk)
    kiosk.see(".self_order_out_of_paper_popup", PAPER)
    place.receipts.state.paper_end = False
    printed(place.kitchen, tickets + 1)
    printed(place.receipts, receipts)
    papers = ("pos.config", "search_count", [("self_ordering_mode", "=", "kiosk"), ("has_paper", "=", False)])
    until(lambda: place.do(*papers) == 1, "Odoo knows that the kiosk has no paper")
