# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The virtual printer's paper: the dots and the text that come out of it."""

import hashlib
import random

import pytest
from pos_hardware_proxy.fonts import find_font
from pos_hardware_proxy.virtual_printer import Parser
from pos_hardware_proxy.virtual_printer import commands as c
from pos_hardware_proxy.virtual_printer.typesetter import Typesetter
from virtual_printer_kit import JAPANESE, print_out, qr, raster, read_qr, stored


def test_raster_comes_out_dot_for_dot():
    """Full-width rasters in slices give exactly the bytes that were sent; the digest is theirs."""
    data = random.Random(1).randbytes(72 * 300)
    paper = print_out(raster(72, 255, data[: 72 * 255]) + raster(72, 45, data[72 * 255 :]))
    assert paper.bits() == data and paper.height == 300
    assert paper.sha256 == hashlib.sha256(data).hexdigest()
    seen = paper.image().convert("L").tobytes()
    assert len(seen) == 576 * 300 and seen.count(0) == sum(map(int.bit_count, data)) == len(seen) - seen.count(255)


@pytest.mark.parametrize("long", [False, True])
def test_buffered_graphics_come_out_dot_for_dot(long):
    """GS ( L and GS 8 L print what GS v 0 prints."""
    data = random.Random(2).randbytes(72 * 50)
    assert print_out(stored(576, 50, data, long)).bits() == data


@pytest.mark.parametrize(("align", "x"), [(0, 0), (1, 284), (2, 568)])
def test_raster_is_aligned(align, x):
    """ESC a moves an image."""
    paper = print_out(b"\x1ba" + bytes([align]) + raster(1, 1, b"\xff"))
    assert paper.ink().getbbox() == (x, 0, x + 8, 1)


def test_raster_is_enlarged_and_clipped():
    """Double size repeats dots; what is wider than the paper is lost."""
    assert print_out(raster(1, 1, b"\x80", 3)).ink().getbbox() == (0, 0, 2, 2)
    assert print_out(raster(100, 1, b"\xff" * 100), width=384).bits() == b"\xff" * 48


def test_column_image_turns_columns_into_rows():
    """24-dot columns, the highest bit on top; the line is as high as the image."""
    paper = print_out(b"\x1b3\x18\x1b*\x21\x02\x00\x80\x00\x00\x00\x00\x01\n")
    assert paper.height == 24
    assert [place for place in [(0, 0), (1, 0), (0, 23), (1, 23)] if paper.ink().getpixel(place)] == [(0, 0), (1, 23)]


def test_feeds_and_spacing():
    """Dots, lines, and a line spacing that text is never smaller than."""
    assert print_out(b"\x1bJ\x0a\x1bd\x02").height == 10 + 60
    assert print_out(b"\x1b3\x05a\n\n").height == 24 + 5
    assert print_out(b"\x1dP\x00\x65\x1bJ\x0a").height == 20
    assert print_out(b"a\x1bd\x02").height == 60
    assert print_out(b"\x1bJ\x0a\x1bK\x04").height == 10


def test_styles_change_the_cells():
    """Double width and height, font B, spacing, underline and reverse, in dots."""
    plain = print_out(b"HH\n").ink().getbbox()
    double = print_out(b"\x1d!\x11HH\n").ink().getbbox()
    assert double[2] - double[0] == 2 * (plain[2] - plain[0]) and double[3] - double[1] == 2 * (plain[3] - plain[1])
    assert print_out(b"\x1b!\x30HH\n").bits() == print_out(b"\x1d!\x11HH\n").bits()
    assert print_out(b"\x1d!\x01H\n").height == 48
    assert print_out(b"\x1bM\x01" + b"H" * 64 + b"\n").lines == ["H" * 64]
    assert print_out(b"\x1b \x0cHH\n").ink().getbbox()[2] > plain[2] + 6
    assert print_out(b"\x1b-\x01 \n").ink().getbbox() == (0, 23, 12, 24)
    assert print_out(b"\x1b-\x02 \n").ink().getbbox() == (0, 22, 12, 24)
    assert print_out(b"\x1dB\x01 \n").ink().getbbox() == (0, 0, 12, 24)
    bold = print_out(b"\x1bE\x01H\n")
    assert sum(map(int.bit_count, bold.bits())) > sum(map(int.bit_count, print_out(b"H\n").bits()))
    assert bold.bits() == print_out(b"\x1bG\x01H\n").bits()
    assert print_out(b"\x1bV\x01H\n").ink().size == (576, 30)


def test_upside_down_is_the_line_turned():
    """ESC { turns the whole line, so that it begins at the right."""
    assert print_out(b"\x1b{\x01 \x1dB\x01 \n").ink().getbbox() == (552, 0, 564, 24)


def test_positions_tabs_and_margins():
    """The decoded line keeps the gaps; the margin moves the dots."""
    assert print_out(b"a\x1b$\x78\x00b\n").lines == ["a         b"]
    assert print_out(b"a\x1b\\\x0c\x00b\n").lines == ["a b"]
    assert print_out(b"a\tb\n").lines == ["a       b"]
    assert print_out(b"\x1bD\x03\x00a\tb\n").lines == ["a  b"]
    assert print_out(b"\x1dL\x14\x00\x1dB\x01 \n").ink().getbbox() == (20, 0, 32, 24)
    assert print_out(b"\x1dW\x18\x00abc\n").lines == ["ab", "c"]


def test_long_lines_wrap():
    """48 characters fit on 576 dots; the next one begins a line."""
    paper = print_out(b"a" * 50 + b"\n")
    assert paper.lines == ["a" * 48, "aa"] and paper.height == 60


def test_japanese_text():
    """The sequence a Japanese printer needs: kanji, kana, half-width katakana, yen."""
    text = "領収証 ﾃﾞﾝﾜ①～－".encode("cp932") + b" \x5c100"
    paper = print_out(JAPANESE + text + b"\n")
    assert paper.lines == ["領収証 ﾃﾞﾝﾜ①～－ ¥100"] and not paper.missing
    if find_font():
        assert paper.ink().getbbox()[2] > 16 * 12


def test_japanese_text_in_jis():
    """The code system of power on: pairs of 21–7E between FS & and FS ., none of which look like text outside."""
    data = "印刷".encode("iso2022_jp")[3:-3]
    assert print_out(b"\x1c&" + data + b"\x1c.ab\n").lines == ["印刷ab"]


def test_character_halves_may_come_apart():
    """A two-byte character that two text commands share is still one."""
    typesetter = Typesetter(576, "japanese")
    commands = [*Parser().feed(JAPANESE), c.Text("text", b"\x82"), c.Text("text", b"\xa0"), c.Control("LF")]
    for command in commands:
        typesetter.apply(command)
    assert typesetter.paper.lines == ["あ"]


def test_characters_that_the_rom_lacks_are_recorded():
    """NEC and IBM extensions are in no ROM; the paper shows a geta and the record has the code."""
    paper = print_out(JAPANESE + "髙﨑①".encode("cp932") + b"\xfb\xfc\xfb\n")
    assert [missing.code.hex() for missing in paper.missing] == ["eee0", "ed95", "fbfc"]
    assert paper.lines == ["〓〓①〓"]


def test_characters_of_ones_own():
    """FS 2 fills EC40 and after; an empty place is missing, FS ? empties it again."""
    own = b"\x1c2\xec\x40" + b"\xff\xff\xff" * 24
    paper = print_out(JAPANESE + own + b"\xec\x40\xec\x41\n")
    assert [missing.code.hex() for missing in paper.missing] == ["ec41"]
    assert paper.ink().crop((0, 0, 24, 24)).tobytes() == b"\xff" * 72
    assert print_out(JAPANESE + own + b"\x1c?\xec\x40\xec\x40\n").missing


def test_kanji_have_settings_of_their_own():
    """FS !, FS W, FS - and FS S are for kanji; GS ! is for both; ESC - is not for kanji."""
    kanji = "　".encode("cp932")
    assert print_out(JAPANESE + b"\x1cW\x01" + kanji + b"\n").height == 48
    assert print_out(JAPANESE + b"\x1c!\x08" + kanji + b"\n").height == 48
    assert print_out(JAPANESE + b"\x1d!\x01" + kanji + b"\n").height == 48
    assert print_out(JAPANESE + b"\x1b-\x01" + kanji + b"\n").ink().getbbox() is None
    assert print_out(JAPANESE + b"\x1c-\x01" + kanji + b"\n").ink().getbbox() == (0, 23, 24, 24)
    assert print_out(JAPANESE + b"\x1cS\x04\x08\x1dB\x01" + kanji + b"\n").ink().getbbox() == (4, 0, 36, 24)


@pytest.mark.parametrize(("rom", "line"), [("western", "ô·û{"), ("chinese", "擔杮")])
def test_other_roms_print_japanese_as_garbage(rom, line):
    """What a Western or Chinese model makes of Shift_JIS is not what was meant."""
    paper = print_out(b"\x1b@" + "日本".encode("cp932") + b"\n", rom=rom)
    assert paper.lines == [line]


def test_code_pages_and_countries():
    """Single bytes follow ESC t and ESC R."""
    assert print_out(b"\x1bt\x10\x80\n", rom="western").lines == ["€"]
    assert print_out(b"\x1bt\x02\x82\n", rom="western").lines == ["é"]
    assert print_out(b"\x5c\x1bR\x08\x5c\x1bR\x03#\n").lines == ["\\¥£"]
    assert print_out(b"\x1bt\x01\xb1\x95\n").lines == ["ｱ─"]


def test_page_mode_prints_areas_where_they_belong():
    """Two areas, the second one turned, come out as one piece as high as they reach."""
    area = b"\x1bW\x0a\x00\x14\x00\x64\x00\x32\x00"
    turned = b"\x1bW\xc8\x00\x00\x00\x1e\x00\x3c\x00\x1bT\x01"
    paper = print_out(b"\x1bL" + area + b"\x1dB\x01 \n" + turned + b" \n\x0c")
    assert paper.height == 70
    assert paper.ink().crop((0, 0, 200, 70)).getbbox() == (10, 20, 22, 44)
    assert paper.ink().crop((200, 0, 576, 70)).getbbox() == (0, 48, 24, 60)
    assert print_out(b"\x1bLtext\n\x18\x0c").height == 0
    assert print_out(b"\x1bLtext\n\x1bSa\n").lines[-1] == "a"
    based = print_out(b"\x1bL\x1d$\x32\x00\x1dB\x01 \n\x1b\x0c\x1d\\\x00\x00")
    assert based.ink().getbbox() == (0, 30, 12, 54)


def test_barcodes():
    """Bars of the ordered width and height; what cannot be printed is left out and recorded."""
    paper = print_out(b"\x1dh\x32\x1dw\x02\x1dk\x02490123456789\x00")
    assert paper.symbols == [("EAN13", b"490123456789")] and paper.ink().getbbox() == (0, 0, 190, 50)
    below = print_out(b"\x1dh\x32\x1dH\x02\x1dkE\x03ABC")
    assert below.height == 50 + 24 and below.symbols
    assert print_out(b"\x1dkI\x08{BNo{C\x0c\x22").symbols == [("CODE128", b"{BNo{C\x0c\x22")]
    for bad in (b"\x1dkC\x03abc", b"\x1dkI\x03abc", b"\x1dkH\x01a", b"\x1dkE\xc8" + b"A" * 200):
        paper = print_out(bad)
        assert not paper.symbols and len(paper.refused) == 1 and paper.height == 0


def test_qr_code_by_both_ways_is_read():
    """OpenCV reads the QR code of GS ( k, and the same dots sent as a raster."""
    text = "https://example.jp/r/123?t=¥"
    paper = print_out(b"\x1ba\x01" + qr(text.encode()))
    assert read_qr(paper.image()) == text and paper.symbols == [("QR", text.encode())]
    assert read_qr(print_out(raster(72, paper.height, paper.bits())).image()) == text


def test_symbols_that_cannot_be_printed():
    """A symbol without data, of another kind, or too large."""
    for data in (b"\x1d(k\x03\x001Q0", b"\x1d(k\x03\x000Q0", qr(b"x" * 3000), qr(b"x" * 1500)):
        paper = print_out(data)
        assert len(paper.refused) == 1 and not paper.symbols


def test_nothing_is_printed_while_the_display_is_selected():
    """ESC = 2 sends data to a line display that is connected through the printer."""
    assert print_out(b"\x1b=\x02hello\n\x1f$\x01\x01\x1b=\x01a\n").lines == ["a"]


def test_bits_without_drawing_are_those_of_the_drawing():
    """The quick way for plain paper, and paper that is nearly plain."""
    full, narrow = raster(72, 3, random.Random(4).randbytes(216)), raster(71, 3, b"\xf0" * 213)
    for data in (full + b"\x1bJ\x09" + full, full + narrow, b"\x1ba\x02" + full + narrow, full + b"\x1bK\x02" + full):
        paper = print_out(data)
        assert paper.bits() == paper.ink().tobytes()
    assert print_out(b"\x1dL\x08\x00" + full).bits() == print_out(b"\x1dL\x08\x00" + full).ink().tobytes()


def test_equal_receipts_have_equal_digests():
    """Also when one was sent in slices and the other in one piece; a different dot changes it."""
    data = bytes(72 * 99) + b"\x01" * 72
    assert print_out(raster(72, 100, data)).sha256 == print_out(b"\x1bJ\x63" + raster(72, 1, b"\x01" * 72)).sha256
    assert print_out(raster(72, 100, data)).sha256 != print_out(raster(72, 100, bytes(7200))).sha256
