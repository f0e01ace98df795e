# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The authority's certificate for each till, and how it is installed there.

These are the only pages that are served by plain HTTP to other machines: without the certificate no other opens.
"""

from html import escape

from aiohttp import web

from ..http import CERTIFICATES, PROXY, language_of
from ..refusals import Missing
from ..words import CERTIFICATE, PLATFORMS, say
from .pages import HEAD

routes = web.RouteTableDef()
PLAIN = ("/install", "/ca.crt", "/ca.pem", "/ca.mobileconfig")


@routes.get("/install")
async def install(request):
    _certificates(request)
    language = language_of(request)
    head = HEAD.format(language=language, name=escape(request.app[PROXY].config.name), refresh="")
    return web.Response(text=head + section(request, language), content_type="text/html")


@routes.get("/ca.crt")
async def der(request):
    return _file(_certificates(request).der, "application/x-x509-ca-cert", "pos-hardware-proxy.crt")


@routes.get("/ca.pem")
async def pem(request):
    return _file(_certificates(request).pem, "application/x-pem-file", "pos-hardware-proxy.pem")


@routes.get("/ca.mobileconfig")
async def profile(request):
    return _file(
        _certificates(request).profile(), "application/x-apple-aspen-config", "pos-hardware-proxy.mobileconfig"
    )


def section(request, language):
    """What the page says of the certificate; nothing without TLS."""
    certificates = request.app[CERTIFICATES]
    if not certificates:
        return ""
    rows = "".join(
        f"<details><summary>{escape(platform)}</summary><p>{say(PLATFORMS, platform, language)}</p></details>"
        for platform in PLATFORMS
    )
    links = " · ".join(f'<a href="{path}">{name}</a>' for path, name in FILES)
    facts = [
        (say(CERTIFICATE, "fingerprint", language), f"<code>{certificates.fingerprint}</code>"),
        (say(CERTIFICATE, "authority_end", language), f"{certificates.authority.end:%Y-%m-%d}"),
        (say(CERTIFICATE, "server_end", language), f"{certificates.server.end:%Y-%m-%d}"),
    ]
    if certificates.uncovered:
        facts.append((say(CERTIFICATE, "uncovered", language), escape(", ".join(certificates.uncovered))))
    table = "".join(f"<tr><td>{name}<td>{value}" for name, value in facts)
    return (
        f"<h2>{say(CERTIFICATE, 'title', language)}</h2><p>{links}</p><p>{say(CERTIFICATE, 'compare', language)}</p>"
        f"<table>{table}</table>{rows}"
    )


FILES = (
    ("/ca.crt", "Windows / macOS / Android (.crt)"),
    ("/ca.mobileconfig", "iPad / iPhone (.mobileconfig)"),
    ("/ca.pem", "Linux / Firefox (.pem)"),
)


def _certificates(request):
    if not request.app[CERTIFICATES]:
        raise Missing("This proxy has no certificate: tls is not switched on.")
    return request.app[CERTIFICATES]


def _file(data, kind, name):
    return web.Response(body=data, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
