# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The one file an administrator writes (TOML), read into plain objects."""

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from urllib.parse import unquote, urlsplit

from . import serial_line
from .fonts import Face, is_japanese
from .models import UnknownModel, paper_of

DOTS = range(200, 1025)  # per line; the narrowest and widest paper a receipt printer takes
CONFIRMATIONS = ("process-id", "queued-status", "none")
ROLES = ("receipt", "kitchen")
SCHEMES = ("tcp", "file", "serial")
THROUGH = "printer"  # the scheme of a display that is plugged into a printer
LANGUAGES = ("escpos", "star")
ROMS = ("none", "japanese")
# Values of keys that have but some.
ALLOWED = {
    "width": DOTS,
    "confirm": CONFIRMATIONS,
    "role": ROLES,
    "drawer_pin": (2, 5),
    "drawer_open_level": (0, 1),
    "layout": ("us", "jp"),
    "language": LANGUAGES,
    "rom": ROMS,
    "columns": range(16, 41),
}


class ConfigError(Exception):
    """The file cannot be used; the message says where, what is wrong, and what to write instead."""


@dataclass(frozen=True)
class PrinterConfig:
    """One printer.

    :param name: short name the till uses, unique in the file
    :param address: ``tcp://10.0.0.5:9100``, ``file:///dev/usb/lp0`` or ``serial:///dev/ttyUSB0?baud=38400``
    :param width: printable dots per line (576 for 80 mm paper at 203 dpi, 512 at 180 dpi, 384 for 58 mm)
    :param dpi: dots per inch
    :param model: name of a model, ``TM-T88V``, from which width and dpi are taken when they are not given
    :param confirm: how the printer says that it has printed: ``process-id``, ``queued-status``, or ``none``
    :param role: ``receipt`` (never printed again by itself) or ``kitchen``
    :param shared: whether other programs print there, too: the line is given free when nothing is printed
    :param drawer: whether a cash drawer hangs on it
    :param drawer_pin: 2 or 5, the pin of the drawer's plug that is pulsed
    :param drawer_open_level: level (0, 1) of the sensor while the drawer is open; None: not learned yet
    :param language: ``escpos`` or ``star`` (Star Line Mode), which confirms in a way of its own unless ``none``
    :param rom: characters that the printer itself has: ``japanese``, or ``none``: all texts are drawn
    """

    name: str
    address: str
    width: int = 576
    dpi: int = 203
    model: str = ""
    confirm: str = "process-id"
    role: str = "receipt"
    shared: bool = False
    drawer: bool = False
    drawer_pin: int = 2
    drawer_open_level: int | None = None
    language: str = "escpos"
    rom: str = "none"


@dataclass(frozen=True)
class ScannerConfig:
    """One barcode scanner.

    :param address: ``file:///dev/input/by-id/…-event-kbd`` (it plays a keyboard) or ``serial:///dev/ttyACM0?baud=9600``
    :param layout: of the keyboard it plays, ``us`` or ``jp``
    """

    name: str
    address: str
    layout: str = "us"


@dataclass(frozen=True)
class ScaleConfig:
    """One scale that speaks Toledo 8217: ``serial:///dev/ttyUSB0?baud=9600&bits=7&parity=E``."""

    name: str
    address: str


@dataclass(frozen=True)
class DisplayConfig:
    """One line display of two lines: at an address like a scanner's, or ``printer://NAME``, plugged into that printer.

    :param columns: characters in a line
    """

    name: str
    address: str
    columns: int = 20


@dataclass(frozen=True)
class Config:
    """The whole file.

    :param listen: address to listen on; the machine itself unless a shop network is named
    :param state: folder of the spool and of the keys
    :param tls: whether the port speaks HTTPS, with a certificate of the proxy's own authority
    :param plain_port: with TLS: port where tills get the authority's certificate by plain HTTP; 0: none
    :param mdns: whether it is announced in the shop's network; None: when it listens beyond this machine
    :param origins: web addresses of Odoo whose pages may print, ``https://erp.example.jp``
    :param odoo: where Odoo is, for tills that can reach it but not this proxy; empty: they cannot print here
    :param hosts: names by which this proxy is called besides its addresses, against DNS rebinding
    :param without_token: whether tills that cannot send a token (Odoo's own) may print; off by default
    :param without_token_drawer: whether they may open the drawer, too
    :param page_from_network: whether the page prints tests and decides about papers also for other machines
    :param font: file of the font with which texts are drawn; else a Japanese one is looked for
    """

    state: Path
    name: str = "POS hardware proxy"
    listen: str = "127.0.0.1"
    port: int = 8069
    tls: bool = False
    plain_port: int = 8070
    mdns: bool | None = None
    origins: tuple[str, ...] = ()
    odoo: str = ""
    hosts: tuple[str, ...] = ()
    without_token: bool = False
    without_token_drawer: bool = False
    page_from_network: bool = False
    font: str = ""
    printers: tuple[PrinterConfig, ...] = field(default=())
    scanners: tuple[ScannerConfig, ...] = field(default=())
    scales: tuple[ScaleConfig, ...] = field(default=())
    displays: tuple[DisplayConfig, ...] = field(default=())

    @classmethod
    def load(cls, path):
        """The configuration in the file ``path``.

        :raises ConfigError: with a sentence for people
        """
        try:
            table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} is not TOML in UTF-8: {error}.") from None
        proxy = dict(table.pop("proxy", {}))
        devices = {f"{kind}s": _devices(table.pop(kind, []), kind) for kind in DEVICES}
        if table:
            known = ", ".join(f"[[{kind}]]" for kind in DEVICES)
            raise ConfigError(f"[{next(iter(table))}] is not known. There are [proxy], {known}.")
        _known(proxy, cls, "[proxy]", without=set(devices))
        if "state" not in proxy:
            raise ConfigError('[proxy] state is missing. Name a folder: state = "/var/lib/pos-hardware-proxy".')
        proxy["state"] = Path(proxy["state"])
        proxy |= {key: tuple(_texts(proxy[key], key)) for key in ("origins", "hosts") if key in proxy}
        for origin in proxy.get("origins", ()):
            _check_origin("origins", origin)
        if proxy.get("odoo"):
            _check_origin("odoo", proxy["odoo"])
        for host in proxy.get("hosts", ()):
            if not host.isascii():
                raise ConfigError(f'hosts: "{host}" must be written in ASCII (xn--…).')
        if proxy.get("font") and not is_japanese(Face(proxy["font"])):
            raise ConfigError(f'font = "{proxy["font"]}" is no file of a font with Japanese characters.')
        _plugged(devices["displays"], [printer.name for printer in devices["printers"]])
        config = cls(**devices, **proxy)
        if config.tls and config.port == config.plain_port:
            raise ConfigError(f"[proxy] plain_port = {config.port} is port, too. Give it another, or 0 for none.")
        return config


def _check_origin(key, text):
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query or parts.fragment:
        raise ConfigError(f'{key}: "{text}" is not like "https://erp.example.jp" (no slash at the end).')


DEVICES = {"printer": PrinterConfig, "scanner": ScannerConfig, "scale": ScaleConfig, "display": DisplayConfig}


def _plugged(displays, printers):
    for display in displays:
        parts = urlsplit(display.address)
        if parts.scheme == THROUGH and printer_of(display.address) not in printers:
            raise ConfigError(f'[[display]] {display.name}: "{display.address}" names no printer of this file.')


def printer_of(address):
    """The printer through which a display is reached, or "" when it has a line of its own."""
    return unquote(address.removeprefix(f"{THROUGH}://")) if address.startswith(f"{THROUGH}://") else ""


def _devices(rows, kind):
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigError(f"{kind} must be written as [[{kind}]], with two brackets, once per {kind}.")
    devices = tuple(_device(row, kind, number) for number, row in enumerate(rows, 1))
    names = [device.name for device in devices]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f'Two {kind}s are named "{name}". Give each a name of its own.')
    return devices


def _texts(value, key):
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ConfigError(f'{key} must be a list of texts: {key} = ["…"].')
    return value


def _known(row, cls, where, without=frozenset()):
    types = {f.name: f.type for f in fields(cls) if f.name not in without}
    for key, value in row.items():
        if key not in types:
            raise ConfigError(f"{where} {key} is not known. There are: {', '.join(types)}.")
        wanted = {str: str, int: int, bool: bool, int | None: int, bool | None: bool, Path: str}.get(types[key])
        if wanted and (not isinstance(value, wanted) or (wanted is int and isinstance(value, bool))):
            kind = {str: "a text in quotes", int: "a whole number", bool: "true or false"}[wanted]
            raise ConfigError(f"{where} {key} must be {kind}, not {value!r}.")


def _device(row, kind, number):
    where = f"[[{kind}]] {row.get('name', number)}:"
    _known(row, DEVICES[kind], where)
    for key in ("name", "address"):
        if not row.get(key):
            raise ConfigError(f"{where} {key} is missing.")
    parts = urlsplit(row["address"])
    if (kind, parts.scheme) == ("display", THROUGH):
        pass  # where the printers are known, its name is looked at
    elif parts.scheme not in SCHEMES or (not parts.hostname if parts.scheme == "tcp" else not parts.path):
        raise ConfigError(
            f'{where} address "{row["address"]}" is not one of tcp://10.0.0.5:9100, file:///dev/usb/lp0, '
            "serial:///dev/ttyUSB0?baud=38400."
        )
    if parts.scheme == "serial":
        try:
            serial_line.options(row["address"])
        except ValueError as error:
            raise ConfigError(f"{where} address: {error}") from None
    if row.get("model"):
        row = {**_of_model(row, where), **row}
    for key, allowed in ALLOWED.items():
        if key in row and row[key] not in allowed:
            choices = f"{allowed[0]} to {allowed[-1]}" if isinstance(allowed, range) else ", ".join(map(str, allowed))
            raise ConfigError(f"{where} {key} = {row[key]!r} is not possible. Possible: {choices}.")
    if row.get("width", 0) % 8:
        raise ConfigError(f"{where} width = {row['width']} is not a multiple of 8 dots; {row['width'] // 8 * 8} is.")
    if row.get("language") == "star":
        if row.get("rom", "none") != "none":
            raise ConfigError(f'{where} rom = "{row["rom"]}": texts for a Star printer are drawn; leave rom out.')
        if row.get("confirm", "none") != "none":
            raise ConfigError(
                f'{where} confirm: a Star printer confirms in its own way; leave it out, or write "none".'
            )
    return DEVICES[kind](**row)


def _of_model(row, where):
    """Width and dpi as far as the printer's model says them."""
    try:
        width, dpi = paper_of(row["model"])
    except UnknownModel as error:
        raise ConfigError(f"{where} {error} Or leave model out, and write width and dpi.") from None
    width = width and width // 8 * 8  # rather a margin than dots that no paper takes
    if width not in DOTS and "width" not in row:
        raise ConfigError(f'{where} the profile of model = "{row["model"]}" has no width. Write width, in dots.')
    return {key: value for key, value in (("width", width), ("dpi", dpi)) if value}
