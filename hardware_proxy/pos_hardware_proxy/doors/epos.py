# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The door of an ePOS printer: Odoo's till, kiosk and kitchen printers print here without any change to them.

One SOAP request with a picture, a cut, or a pulse; one answer when it is done. Codes and status bits are those of
Epson's ePOS-Print XML. Odoo calls every printer by the same name; ``ADDRESS/kitchen`` as the address of a printer in
Odoo is the one that is named kitchen here.
"""

import uuid

from aiohttp import web
from lxml import etree

from ..http import PROXY, TOLD, authorise_stock, body_of
from ..link import LinkError
from ..picture import MAX_ROWS, PictureError, fit, from_raster
from ..printer import ABSENT
from ..refusals import Refused
from ..spool import PRINTED
from .stock import print_once

routes = web.RouteTableDef()
EPOS = "http://www.epson-pos.com/schemas/2011/03/epos-print"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
CODES = {
    "paper_end": "EPTR_REC_EMPTY",
    "cover_open": "EPTR_COVER_OPEN",
    "cutter": "EPTR_CUTTER",
    "unrecoverable": "EPTR_UNRECOVERABLE",
    "recoverable": "EPTR_AUTOMATICAL",
    "offline": "EPTR_MECHANICAL",
    "no_confirmation": "EX_TIMEOUT",
}
PRINTED_BIT, OFFLINE_BIT, COVER_BIT, NEAR_END_BIT, PAPER_END_BIT = 0x2, 0x8, 0x20, 0x20000, 0x80000
MAX_IMAGES = 64  # of one paper
LOCAL = "local_printer"  # how Odoo calls the printer it was given the address of


@routes.post("/cgi-bin/epos/service.cgi")
@routes.post("/{printer}/cgi-bin/epos/service.cgi")
async def service(request):
    authorise_stock(request)
    proxy = request.app[PROXY]
    name = request.match_info.get("printer") or request.query.get("devid")
    try:
        printer = proxy.printer(None if name == LOCAL else name)
        order = _parse(await body_of(request))
        if order.find(f"{{{EPOS}}}pulse") is not None:
            authorise_stock(request, drawer=True)
            await proxy.open_drawer(f"stock-{uuid.uuid4()}", printer.config.name)
        pictures = order.findall(f"{{{EPOS}}}image")
        if not pictures:
            return _answer(True, "", PRINTED_BIT)
        picture = b"".join(_picture(image, printer.config.width) for image in pictures[: MAX_IMAGES + 1])
        if len(pictures) > MAX_IMAGES or len(picture) > printer.config.width // 8 * MAX_ROWS:
            raise ValueError("too long a paper")
        job = await print_once(proxy, request.app[TOLD], printer, picture, printer.config.width, printer.config.role)
    except Refused:
        return _answer(False, "DeviceNotFound", 0)
    except (etree.XMLSyntaxError, PictureError, ValueError):
        return _answer(False, "SchemaError", 0)
    except LinkError:
        return _answer(False, "EX_BADPORT", OFFLINE_BIT)
    code = "" if job.state == PRINTED else _code(job.reason)
    return _answer(job.state == PRINTED, code, _bits(printer.status, job))


def _parse(body):
    """The element <epos-print>.

    :raises etree.XMLSyntaxError: no XML, or entities in it
    :raises ValueError: no such element
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True, load_dtd=False)
    order = etree.fromstring(body, parser).find(f".//{{{EPOS}}}epos-print")
    if order is None:
        raise ValueError("no epos-print")
    return order


def _picture(image, paper):
    width, rows = int(image.get("width", "")), int(image.get("height", ""))
    return fit(from_raster(image.text or "", width, rows), width, paper)


def _code(reason):
    return "EX_BADPORT" if reason in ABSENT else CODES.get(reason, "EX_TIMEOUT")


def _bits(status, job):
    bits = PRINTED_BIT if job.state == PRINTED else 0
    if job.reason in ABSENT or status.online is False:
        bits |= OFFLINE_BIT
    if status.cover_open:
        bits |= COVER_BIT
    return bits | {"near_end": NEAR_END_BIT, "end": PAPER_END_BIT}.get(status.paper, 0)


def _answer(success, code, bits):
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"s": SOAP})
    body = etree.SubElement(envelope, f"{{{SOAP}}}Body")
    flags = {"success": "true" if success else "false", "code": code, "status": str(bits), "battery": "0"}
    etree.SubElement(body, f"{{{EPOS}}}response", flags, nsmap={None: EPOS})
    return web.Response(body=etree.tostring(envelope, xml_declaration=True, encoding="utf-8"), content_type="text/xml")
