# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Bar codes and QR codes as rows of modules. What a printer would refuse raises ValueError."""

import barcode
import qrcode
from barcode.errors import BarcodeError
from qrcode.constants import ERROR_CORRECT_H, ERROR_CORRECT_L, ERROR_CORRECT_M, ERROR_CORRECT_Q
from qrcode.exceptions import DataOverflowError

# GS k: the letter of a system and the name of what draws it. UPC-E, CODE93 and DataBar have nothing that draws them.
_SYSTEMS = {65: "upca", 67: "ean13", 68: "ean8", 69: "code39", 70: "itf", 71: "codabar", 73: "code128", 79: "code128"}
_LEVELS = {48: ERROR_CORRECT_L, 49: ERROR_CORRECT_M, 50: ERROR_CORRECT_Q, 51: ERROR_CORRECT_H}
SYSTEM_NAMES = {
    65: "UPC-A", 66: "UPC-E", 67: "EAN13", 68: "EAN8", 69: "CODE39", 70: "ITF", 71: "CODABAR", 72: "CODE93",
    73: "CODE128", 74: "GS1-128", 75: "DataBar", 76: "DataBar Truncated", 77: "DataBar Limited",
    78: "DataBar Expanded", 79: "CODE128",
}  # fmt: skip


def bar_modules(system: int, data: bytes) -> tuple[str, str]:
    """Modules of a bar code ("1" is a bar) and the characters that people read under it.

    Raises ValueError when the data do not fit the system or the system cannot be drawn here.
    """
    name = _SYSTEMS.get(system)
    if name is None:
        raise ValueError(f"{SYSTEM_NAMES.get(system, system)} cannot be drawn")
    text = _code128_text(data) if system == 73 else data.decode("latin-1")
    try:
        if system in (67, 68) and not text.isdigit():
            raise ValueError("only digits make an EAN")
        # Most printers add no check character to CODE39: whoever wants one sends it.
        options = {"add_checksum": False} if system == 69 else {}
        code = barcode.get_barcode_class(name)(text.strip("*") if system == 69 else text, **options)
        modules = code.build()[0]
        text = code.get_fullcode() if system in (65, 67, 68) else text
    except (BarcodeError, KeyError, IndexError, ValueError, TypeError, UnicodeError) as error:
        raise ValueError(f"{SYSTEM_NAMES[system]}: {error}") from error
    if not modules or set(modules) - {"0", "1"}:
        raise ValueError(f"{SYSTEM_NAMES[system]}: nothing to draw")
    return modules, text


def _code128_text(data: bytes) -> str:
    """The characters of a CODE128 command: {A, {B and {C choose a code set; in set C a byte holds two digits."""
    if data[:2] not in (b"{A", b"{B", b"{C"):
        raise ValueError("CODE128: no code set is chosen")
    text, code_set, at = "", "", 0
    while at < len(data):
        byte = data[at : at + 1]
        if byte == b"{":
            mark = data[at + 1 : at + 2].decode("latin-1")
            if mark in ("A", "B", "C"):
                code_set = mark
            elif mark == "{":
                text += "{"
            elif mark not in ("S", "1", "2", "3", "4"):
                raise ValueError("CODE128: a brace that means nothing")
            at += 2
            continue
        if code_set == "C":
            if byte[0] > 99:
                raise ValueError("CODE128: more than two digits in a byte")
            text += f"{byte[0]:02d}"
        else:
            text += byte.decode("latin-1")
        at += 1
    return text


def qr_modules(data: bytes, level: int) -> list[str]:
    """Rows of a QR code; level is 48 to 51 for L, M, Q, H. Raises ValueError when the data are too long or none."""
    if not data:
        raise ValueError("QR: no data")
    code = qrcode.QRCode(error_correction=_LEVELS.get(level, ERROR_CORRECT_L), border=0)
    code.add_data(data)
    try:
        code.make(fit=True)
    except (DataOverflowError, ValueError) as error:
        raise ValueError("QR: too much data") from error
    return ["".join("1" if module else "0" for module in row) for row in code.get_matrix()]
