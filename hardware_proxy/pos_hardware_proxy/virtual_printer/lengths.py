# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""How many bytes a command has.

Every function here gets what has arrived of the command and answers its size in bytes. While that cannot be known yet
the answer is the number of bytes, more than have arrived, with which it may be; until then the parser need not ask.
"""

from collections.abc import Callable

# Longest string of a bar code that ends in NUL, and most tab stops of ESC D; a real printer's buffer is not larger.
LONGEST_BARCODE, MOST_TABS = 255, 32

PREFIXES = {0x1B: "ESC", 0x1C: "FS", 0x1D: "GS", 0x1F: "US"}


Bytes = bytes | memoryview


def word(data: Bytes, at: int) -> int:
    """Two bytes, low byte first."""
    return data[at] | data[at + 1] << 8


def _parametric(data: Bytes) -> int:
    """ESC ( x, FS ( x, GS ( x: a two-byte length after the letter."""
    return 5 + word(data, 3) if len(data) >= 5 else 5


def _long_graphics(data: Bytes) -> int:
    """GS 8 L: a four-byte length after the letter."""
    if len(data) < 3 or data[2] != 0x4C:
        return 3
    return 7 + int.from_bytes(data[3:7], "little") if len(data) >= 7 else 7


def _raster(data: Bytes) -> int:
    """GS v 0 m xL xH yL yH d…"""
    if len(data) < 3 or data[2] != 0x30:
        return 3
    return 8 + word(data, 4) * word(data, 6) if len(data) >= 8 else 8


def _column_image(data: Bytes) -> int:
    """ESC * m nL nH d…; a density that does not exist takes no data."""
    if len(data) < 3 or data[2] not in (0, 1, 32, 33):
        return 3
    if len(data) < 5:
        return 5
    return 5 + word(data, 3) * (1 if data[2] < 32 else 3)


def _barcode(data: Bytes) -> int:
    """GS k m d… NUL, or GS k m n d…"""
    if len(data) < 3 or not (data[2] <= 6 or 65 <= data[2] <= 79):
        return 3
    if len(data) < 4:
        return 4
    if data[2] >= 65:
        return 4 + data[3]
    end = bytes(data[3 : 4 + LONGEST_BARCODE]).find(0)
    if end >= 0:
        return 3 + end + 1
    return min(len(data) + 1, 4 + LONGEST_BARCODE)


def _tabs(data: Bytes) -> int:
    """ESC D n1 … NUL."""
    end = bytes(data[2 : 3 + MOST_TABS]).find(0)
    if end >= 0:
        return 2 + end + 1
    return min(len(data) + 1, 3 + MOST_TABS)


def _cut(data: Bytes) -> int:
    """GS V m, or GS V m n for the forms that feed."""
    if len(data) < 3:
        return 3
    return 4 if data[2] in (65, 66, 97, 98, 103, 104) else 3


def _own_characters(data: Bytes) -> int:
    """ESC & y c1 c2, then for each character its width x and x × y bytes."""
    if len(data) < 5:
        return 5
    height, first, last = data[2], data[3], data[4]
    if height != 3 or not 32 <= first <= last <= 126:
        return 5
    size = 5
    for _character in range(first, last + 1):
        if size >= len(data):
            return size + 1
        size += 1 + height * data[size]
    return size


def _stored_images(data: Bytes) -> int:
    """FS q n, then for each image xL xH yL yH and x × y × 8 bytes."""
    if len(data) < 3:
        return 3
    size = 3
    for _image in range(data[2]):
        if size + 4 > len(data):
            return size + 4
        size += 4 + word(data, size) * word(data, size + 2) * 8
    return size


def _download_image(data: Bytes) -> int:
    """GS * x y and x × y × 8 bytes."""
    return 4 + data[2] * data[3] * 8 if len(data) >= 4 else 4


def _user_memory(data: Bytes) -> int:
    """FS g 1 m a1–a4 nL nH d… writes, FS g 2 m a1–a4 nL nH reads."""
    if len(data) < 3 or data[2] not in (0x31, 0x32):
        return 3
    if len(data) < 10:
        return 10
    return 10 + (word(data, 8) if data[2] == 0x31 else 0)


# Commands with a fixed number of parameters: the letters, by that number. \x0c and \x20 are letters here too.
_FIXED = {
    0x1B: {0: "@2LSim<v\x0c", 1: " !%+-3=?AEGJKMRTUVadertu{", 2: "$\\Bcf", 3: "p", 8: "W"},
    0x1C: {0: "&.", 1: "!-CW", 2: "?Sp", 74: "2"},
    0x1D: {0: ":<c", 1: "!/BEHITabfhjrw|", 2: "$LPW\\", 3: "^z", 4: "g"},
    # These are for a line display that is passed through; a printer skips them.
    0x1F: {0: ":@", 1: "CEXr", 2: "$", 3: ".,;"},
}

_VARIABLE = {
    b"\x1b(": _parametric,
    b"\x1c(": _parametric,
    b"\x1d(": _parametric,
    b"\x1b*": _column_image,
    b"\x1b&": _own_characters,
    b"\x1bD": _tabs,
    b"\x1cq": _stored_images,
    b"\x1cg": _user_memory,
    b"\x1d*": _download_image,
    b"\x1d8": _long_graphics,
    b"\x1dV": _cut,
    b"\x1dk": _barcode,
    b"\x1dv": _raster,
}


def _table() -> dict[bytes, int | Callable[[Bytes], int]]:
    table = {}
    for prefix, groups in _FIXED.items():
        for count, letters in groups.items():
            table |= {bytes([prefix, ord(letter)]): 2 + count for letter in letters}
    return table | _VARIABLE


_SIZES = _table()


def size(data: Bytes) -> int:
    """Size in bytes of the command that ``data`` begins with, or a number larger than ``len(data)`` (see above).

    ``data`` begins with ESC, FS, GS or US. A letter that is no command makes two bytes.
    """
    if len(data) < 2:
        return 2
    known = _SIZES.get(bytes(data[:2]), 2)
    return known if isinstance(known, int) else known(data)


def is_known(data: Bytes) -> bool:
    """Whether the first two bytes begin a command at all."""
    return bytes(data[:2]) in _SIZES


def name(data: bytes) -> str:
    """The command as the manuals write it: "ESC @", "GS v 0", "GS ( L"."""
    letters = data[1:3] if data[1:2] in (b"(", b"8", b"v") or data[:2] == b"\x1bc" else data[1:2]
    shown = {0x20: "SP", 0x0C: "FF"}
    return " ".join([PREFIXES[data[0]], *(shown.get(letter, chr(letter)) for letter in letters)])
