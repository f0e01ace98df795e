# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The one file an administrator writes (TOML), read into plain objects."""

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from urllib.parse import urlsplit

DOTS = range(200, 1025)  # per line; the narrowest and widest paper a receipt printer takes
CONFIRMATIONS = ("process-id", "queued-status", "none")
ROLES = ("receipt", "kitchen")
SCHEMES = ("tcp", "file", "serial")
# Values of keys that have but some.
ALLOWED = {
    "width": DOTS,
    "confirm": CONFIRMATIONS,
    "role": ROLES,
    "drawer_pin": (2, 5),
    "drawer_open_level": (0, 1),
    "layout": ("us", "jp"),
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
    :param confirm: how the printer says that it has printed: ``process-id``, ``queued-status``, or ``none``
    :param role: ``receipt`` (never printed again by itself) or ``kitchen``
    :param drawer: whether a cash drawer hangs on it
    :param drawer_pin: 2 or 5, the pin of the drawer's plug that is pulsed
    :param drawer_open_level: level (0, 1) of the sensor while the drawer is open; None: not learned yet
    """

    name: str
    address: str
    width: int = 576
    dpi: int = 203
    confirm: str = "process-id"
    role: str = "receipt"
    drawer: bool = False
    drawer_pin: int = 2
    drawer_open_level: int | None = None


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
class Config:
    """The whole file.

    :param listen: address to listen on; the machine itself unless a shop network is named
    :param state: folder of the spool and of the keys
    :param origins: web addresses of Odoo whose pages may print, ``https://erp.example.jp``
    :param odoo: where Odoo is, for tills that can reach it but not this proxy; empty: they cannot print here
    :param hosts: names by which this proxy is called besides its addresses, against DNS rebinding
    :param without_token: whether tills that cannot send a token (Odoo's own) may print; off by default
    :param without_token_drawer: whether they may open the drawer, too
    """

    state: Path
    name: str = "POS hardware proxy"
    listen: str = "127.0.0.1"
    port: int = 8069
    origins: tuple[str, ...] = ()
    odoo: str = ""
    hosts: tuple[str, ...] = ()
    without_token: bool = False
    without_token_drawer: bool = False
    printers: tuple[PrinterConfig, ...] = field(default=())
    scanners: tuple[ScannerConfig, ...] = field(default=())
    scales: tuple[ScaleConfig, ...] = field(default=())

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
        return cls(**devices, **proxy)


def _check_origin(key, text):
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path or parts.query or parts.fragment:
        raise ConfigError(f'{key}: "{text}" is not like "https://erp.example.jp" (no slash at the end).')


DEVICES = {"printer": PrinterConfig, "scanner": ScannerConfig, "scale": ScaleConfig}


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
        wanted = {str: str, int: int, bool: bool, int | None: int, Path: str}.get(types[key])
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
    if parts.scheme not in SCHEMES or (not parts.hostname if parts.scheme == "tcp" else not parts.path):
        raise ConfigError(
            f'{where} address "{row["address"]}" is not one of tcp://10.0.0.5:9100, file:///dev/usb/lp0, '
            "serial:///dev/ttyUSB0?baud=38400."
        )
    for key, allowed in ALLOWED.items():
        if key in row and row[key] not in allowed:
            choices = f"{allowed[0]} to {allowed[-1]}" if isinstance(allowed, range) else ", ".join(map(str, allowed))
            raise ConfigError(f"{where} {key} = {row[key]!r} is not possible. Possible: {choices}.")
    if row.get("width", 0) % 8:
        raise ConfigError(f"{where} width = {row['width']} is not a multiple of 8 dots; {row['width'] // 8 * 8} is.")
    return DEVICES[kind](**row)
