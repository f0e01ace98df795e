# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The character ROM of the printer: which bytes print as which character, and which it does not have."""

from dataclasses import dataclass
from typing import NamedTuple

ROMS = ("japanese", "western", "chinese")

# What is printed in place of a two-byte character that the ROM lacks.
SUBSTITUTE = "〓"

# ESC t: single-byte code pages by number. Number 1 is half-width katakana.
CODE_PAGES = {
    0: "cp437", 2: "cp850", 3: "cp860", 4: "cp863", 5: "cp865", 13: "cp857", 14: "cp737", 15: "iso8859_7",
    16: "cp1252", 17: "cp866", 18: "cp852", 19: "cp858", 33: "cp775", 34: "cp855", 36: "cp862", 37: "cp864",
    38: "cp869", 39: "iso8859_2", 40: "iso8859_15", 45: "cp1250", 46: "cp1251", 47: "cp1253", 48: "cp1254",
    49: "cp1255", 50: "cp1256", 51: "cp1257", 52: "cp1258",
}  # fmt: skip
KATAKANA = 1

# What the katakana page has beside the katakana: 80–9F and E0–FE.
_RULES_LOW = "▁▂▃▄▅▆▇█▏▎▍▌▋▊▉┼┴┬┤├▔─│▕┌┐└┘╭╮╰╯"
_RULES_HIGH = "═╞╪╡◢◣◥◤♠♥♦♣●○╱╲╳円年月日時分秒〒市区町村人▒"

# Lead bytes of IBM's extension in Shift_JIS. A printer knows them neither as kanji nor as lead bytes and prints two
# strange characters; here such a pair counts as one missing character, so that it is noticed.
_IBM_ROWS = (0xFA, 0xFB, 0xFC)

# ESC R: what twelve ASCII places print as, country by country; the first is plain ASCII.
_COUNTRY_PLACES = "#$@[\\]^`{|}~"
_COUNTRIES = (
    "#$@[\\]^`{|}~",
    "#$à°ç§^`éùè¨",
    "#$§ÄÖÜ^`äöüß",
    "£$@[\\]^`{|}~",
    "#$@ÆØÅ^`æøå~",
    "#¤ÉÄÖÅÜéäöåü",
    "#$@°\\é^ùàòèì",
    "₧$@¡Ñ¿^`¨ñ}~",
    "#$@[¥]^`{|}~",
    "#¤ÉÆØÅÜéæøåü",
    "#$ÉÆØÅÜéæøåü",
    "#$á¡Ñ¿é`íñóú",
    "#$á¡Ñ¿éüíñóú",
    "#$@[₩]^`{|}~",
)


@dataclass
class CharacterModes:
    """The printer's settings that decide what a byte means; as they are after ESC @."""

    code_page: int = 0
    country: int = 0
    # FS C: 0 is JIS, where FS & and FS . switch kanji on and off, 1 is Shift_JIS, where the lead byte tells.
    kanji_system: int = 0
    kanji_mode: bool = False


class Character(NamedTuple):
    """One character as the printer takes it: what it prints as, its bytes, whether it has the width of a kanji."""

    text: str
    code: bytes
    wide: bool
    missing: bool = False


def fresh_modes(rom: str) -> CharacterModes:
    """Modes after ESC @: a Chinese model has its two-byte characters switched on."""
    return CharacterModes(kanji_mode=rom == "chinese")


def decode(data: bytes, rom: str, modes: CharacterModes) -> tuple[list[Character], bytes]:
    """Characters of the text, and the bytes at its end that are the first half of a two-byte character."""
    characters, at = [], 0
    while at < len(data):
        if not _is_lead(data[at], rom, modes):
            characters.append(_single(data[at], modes))
            at += 1
        elif at + 1 == len(data):
            return characters, data[at:]
        elif data[at] in _IBM_ROWS and not _is_trail(data[at + 1]):
            characters.append(_single(data[at], modes))
            at += 1
        else:
            characters.append(_double(data[at : at + 2], rom, modes))
            at += 2
    return characters, b""


def shift_jis(code: bytes, modes: CharacterModes) -> bytes:
    """A two-byte code in Shift_JIS, whichever code system is in force."""
    row, cell = code
    if modes.kanji_system or not 0x21 <= row <= 0x7E:
        return code
    lead = (row + 1) // 2 + (0x70 if row < 0x5F else 0xB0)
    trail = cell + (0x1F if cell < 0x60 else 0x20) if row & 1 else cell + 0x7E
    return bytes([lead, trail & 0xFF])


def is_own(code: bytes) -> bool:
    """Whether a Shift_JIS code is in the space for characters of one's own (FS 2)."""
    return code[0] == 0xEC and 0x40 <= code[1] <= 0x9E and code[1] != 0x7F


def _is_lead(byte: int, rom: str, modes: CharacterModes) -> bool:
    if rom == "chinese":
        return modes.kanji_mode and 0x81 <= byte <= 0xFE
    if rom != "japanese":
        return False
    if modes.kanji_system:
        return 0x81 <= byte <= 0x9F or 0xE0 <= byte <= 0xEF or byte in _IBM_ROWS
    return modes.kanji_mode and 0x21 <= byte <= 0x7E


def _is_trail(byte: int) -> bool:
    return 0x40 <= byte <= 0xFC and byte != 0x7F


def _double(code: bytes, rom: str, modes: CharacterModes) -> Character:
    try:
        if rom == "chinese":
            return Character(code.decode("gbk"), code, True)
        return Character(_japanese(shift_jis(code, modes)), code, True)
    except UnicodeDecodeError:
        return Character(SUBSTITUTE, code, True, missing=True)


def _japanese(code: bytes) -> str:
    """JIS X 0208 and NEC's row 13; the extensions in rows ED, EE and FA–FC are not in the ROM.

    Raises UnicodeDecodeError for what is not there.
    """
    if is_own(code):
        return chr(0xE000 + code[1])
    if code[0] in _IBM_ROWS:
        raise UnicodeDecodeError("shift_jis", code, 0, 2, "not in the ROM")
    if code[0] != 0x87:
        # Only this codec knows what is in the standard; the other one says what today's systems call it.
        code.decode("shift_jis")
    return code.decode("cp932")


def _single(byte: int, modes: CharacterModes) -> Character:
    code = bytes([byte])
    if byte < 0x80:
        text = chr(byte)
        if text in _COUNTRY_PLACES and modes.country < len(_COUNTRIES):
            text = _COUNTRIES[modes.country][_COUNTRY_PLACES.index(text)]
        return Character(text, code, False)
    if modes.code_page == KATAKANA:
        return _katakana(byte)
    try:
        return Character(code.decode(CODE_PAGES.get(modes.code_page, "cp437")), code, False)
    except UnicodeDecodeError:
        return Character(" ", code, False, missing=True)


def _katakana(byte: int) -> Character:
    code = bytes([byte])
    if 0xA1 <= byte <= 0xDF:
        return Character(chr(0xFF61 + byte - 0xA1), code, False)
    if byte < 0xA0:
        return Character(_RULES_LOW[byte - 0x80], code, False)
    if 0xE0 <= byte <= 0xFE:
        return Character(_RULES_HIGH[byte - 0xE0], code, False)
    return Character(" ", code, False)
