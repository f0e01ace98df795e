# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Texts that the proxy prints: every Japanese character, in the printer's own characters and drawn."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from pos_hardware_proxy import document, escpos, text
from pos_hardware_proxy.config import PrinterConfig
from pos_hardware_proxy.document import Line
from pos_hardware_proxy.draw import draw_line
from pos_hardware_proxy.fonts import Fonts, find_font, has_glyph, load
from proxy_shop import WIDTH, on_paper, paper, run, shop

# What Shift_JIS has under another name: each is printed as the one below it.
MAPPED = dict(zip("〜−‖—¢£¬", "～－∥―￠￡￢", strict=True))
MAKERS = "①㈱髙﨑𠮷麵"  # NEC's, IBM's, or nobody's in Shift_JIS
KANA = "".join(map(chr, range(0xFF61, 0xFFA0)))
JAPANESE = {"receipt": {"rom": "japanese"}}
FONTS = Fonts()
pytestmark = pytest.mark.skipif(not find_font(), reason="this machine has no Japanese font")


def jis_x_0208():
    """All its characters, as Python's EUC-JP has them."""
    found = []
    for row in range(0xA1, 0xFF):
        for cell in range(0xA1, 0xFF):
            try:
                found.append(bytes([row, cell]).decode("euc_jp"))
            except UnicodeDecodeError:
                continue
    return found


def corpus():
    """All characters in lines of 24 columns of two; no line ends in a space, which nobody sees on paper."""
    alike = [character for character in jis_x_0208() if character != "　"] + ["¥", *MAPPED]
    rows = ["".join(alike[at : at + 24]) for at in range(0, len(alike), 24)]
    return [*rows, KANA[:48], KANA[48:], "左　右 ¥1,234 ~{|}^_"]


def as_printed(line):
    return "".join(MAPPED.get(character, character) for character in line)


def the(place, name="receipt"):
    return place.devices[name][0]


def drawn(line, limit=48, **style):
    """The dots of one line of paper, as the proxy draws them."""
    assert sum(map(text.columns, text.clusters(line))) <= limit
    row = [(cluster, FONTS.face_for(cluster), text.columns(cluster)) for cluster in text.clusters(line)]
    return draw_line(Line(**style), row, WIDTH)


def nothing_was_unknown(device):
    return {event.detail["data"].replace(" ", "").strip("0") for event in device.ledger.unknown} <= {""}


# -- every character ---------------------------------------------------------------------------------
def test_the_corpus_is_whole():
    characters = jis_x_0208()
    assert len(characters) == 6879 and len(set(characters)) == 6879
    # A second codec has the same ones.
    assert all(character.encode("iso2022_jp").startswith(b"\x1b$B") for character in characters)


def test_all_characters_in_the_printers_own(tmp_path):
    """What the paper says is what was sent, line by line, and nothing was drawn, missing, or put in its place."""

    async def story():
        async with shop(tmp_path, JAPANESE) as place:
            lines = corpus()
            half = len(lines) // 2
            for part in (lines[:half], lines[half:]):
                job = await place.till.print_text([{"text": line} for line in part])
                assert (job["state"], job["reason"]) == ("printed", "")
            papers = [paper for paper in the(place).papers if paper.lines]
            assert [line for paper in papers for line in paper.lines] == [as_printed(line) for line in lines]
            assert not any(paper.missing or paper.refused for paper in papers)
            assert nothing_was_unknown(the(place)) and "GS v 0" not in the(place).ledger.commands

    run(story(), 120)


def test_all_characters_drawn(tmp_path):
    """A printer without Japanese characters: the paper has the dots of the drawing, each line of it."""

    async def story():
        async with shop(tmp_path, {"receipt": {"rom": "none"}}, rom="western") as place:
            lines = [*corpus(), MAKERS]
            for at in range(0, len(lines), 100):
                job = await place.till.print_text([{"text": line} for line in lines[at : at + 100]])
                assert (job["state"], job["reason"]) == ("printed", "")
            want = [b"".join(map(drawn, lines[at : at + 100])).rstrip(b"\0") for at in range(0, len(lines), 100)]
            assert on_paper(the(place)) == want
            assert not any(paper.lines for paper in the(place).papers) and nothing_was_unknown(the(place))

    run(story(), 120)


def test_every_character_has_a_glyph():
    """No box: the font, or another of this machine for what it lacks, has them all."""
    for character in [*jis_x_0208(), *KANA, *MAKERS, *MAPPED, *MAPPED.values(), "¥"]:
        face = FONTS.face_for(character)
        assert face and has_glyph(face, character), character


def test_a_box_is_no_glyph():
    assert not has_glyph(find_font(), "\U0010ffff") and FONTS.face_for("\U0010ffff") is None
    assert has_glyph(find_font(), "□") and has_glyph(find_font(), "　")


@pytest.mark.parametrize("character", [*MAKERS, "😀", "\\", "é", "ガ\u0323"])
def test_a_line_with_a_character_the_printer_lacks_is_drawn(tmp_path, character):
    """Only that line, in its place, and as high as the others."""

    async def story():
        async with shop(tmp_path, JAPANESE) as place:
            odd = f"{character}商店"
            job = await place.till.print_text([{"text": "上"}, {"text": odd}, {"text": "下"}])
            assert job["state"] == "printed"
            paper = the(place).papers[-1]
            assert paper.lines == ["上", "下"] and not paper.missing and paper.height == 3 * escpos.LINE
            size = escpos.LINE * WIDTH // 8
            assert paper.bits()[size : 2 * size] == drawn(odd)

    run(story(), 120)


def test_what_no_font_has_is_said(tmp_path):
    """Its number is printed in its place, and the job says so; the rest of the paper is not held back."""

    async def story():
        async with shop(tmp_path, JAPANESE) as place:
            job = await place.till.print_text([{"text": "木\ue000本"}])
            assert (job["state"], job["reason"]) == ("printed", "no_glyph")
            assert on_paper(the(place)) == [drawn("木[U+E000]本").rstrip(b"\0")]
            assert (await place.till.print(paper()))["reason"] == ""

    run(story(), 120)


# -- how it looks ------------------------------------------------------------------------------------
def test_styles_are_the_printers(tmp_path):
    async def story():
        async with shop(tmp_path, JAPANESE) as place:
            lines = [
                {"text": "卓3", "size": 2, "bold": True, "align": "center", "reverse": True},
                {"rule": True},
                {"text": "鮭 ×2", "align": "right"},
            ]
            await place.till.print_text([*lines, {"cut": True}, {"cut": True}, {"text": "二枚目"}, {"cut": True}])
            assert the(place).ledger.commands.count("GS V") == 2
            first, second = the(place).papers[-2:]
            assert first.lines == ["卓3", "─" * 24, "鮭 ×2"] and second.lines == ["二枚目"]
            assert first.height == (2 + 1 + 1) * escpos.LINE
            (band, *_rest), head = first.bands, 48 * (1 + 0.5)
            (kanji, digit), shift = band.draw.keywords["items"], band.draw.keywords["shift"]
            assert (kanji.scale_x, kanji.scale_y, kanji.bold, kanji.reverse) == (2, 2, True, True)
            assert digit.x == 48 and shift == (WIDTH - head) // 2
            assert first.bands[2].draw.keywords["shift"] == WIDTH - 24 * 2 - 12 * 2

    run(story(), 120)


def test_drawn_styles():
    """Where the ink is: in the middle, at the right end, twice as large, on black, and more of it when bold."""

    def box(**style):
        image = Image.frombytes("1", (WIDTH, escpos.LINE * style.get("size", 1)), drawn("国国", **style))
        return image.getbbox(), image.convert("L").histogram()[255]

    (left, top, right, bottom), ink = box()
    assert 0 <= left < 4 and 44 < right <= 48 and 3 <= top and bottom <= 27
    assert box(align="center")[0][0] == left + (WIDTH - 48) // 2 and box(align="right")[0][0] == left + WIDTH - 48
    large, _ink = box(size=2)
    assert 88 < large[2] <= 96 and large[3] <= 54
    assert box(reverse=True)[0] == (0, 0, 48, 30) and box(reverse=True)[1] == 48 * 30 - ink
    assert box(bold=True)[1] > ink


@pytest.mark.parametrize("size", [1, 2])
def test_nothing_of_a_character_is_cut_off(size):
    """Tails and accents are whole: a cell has the dots of the character on a large sheet.

    Rules fill any cell, and Ю has a dot too many.
    """
    for character in [*map(chr, range(0x21, 0x7F)), *jis_x_0208(), *KANA, *MAKERS, "¥"]:
        if character.isspace() or "─" <= character <= "╿" or character in "|｜￣＿Ю":
            continue
        face, columns = FONTS.face_for(character), text.columns(character)
        cell = draw_line(Line(size=size), [(character, face, columns)], WIDTH)
        ink = Image.frombytes("1", (WIDTH, escpos.LINE * size), cell)
        dots = 24 if columns == 2 else 22
        sheet = ImageDraw.Draw(Image.new("1", (200, 200)))
        sheet.fontmode = "1"
        sheet.text((100, 100), character, fill=255, font=load(face, dots * size), anchor="ms")
        assert ink.convert("L").histogram()[255] == sheet._image.convert("L").histogram()[255], character


def test_long_lines_go_on_below(tmp_path):
    """By columns, of which a kanji has two; in double size half as many. A line feed begins a line, too."""

    async def story():
        async with shop(tmp_path, JAPANESE) as place:
            texts = ("国" * 25 + "a", "a" + "ｱ" * 48, "一\r\n二\n\n四")
            await place.till.print_text([{"text": each} for each in texts])
            await place.till.print_text([{"text": "a" + "国" * 12, "size": 2}])
            first, second = the(place).papers[-2:]
            assert first.lines == ["国" * 24, "国a", "a" + "ｱ" * 47, "ｱ", "一", "二", "", "四"]
            assert second.lines == ["a" + "国" * 11, "国"]

    run(story(), 120)


@pytest.mark.parametrize("width, columns", [(576, 48), (512, 42), (384, 32)])
def test_columns_of_a_paper(width, columns):
    lines = [Line("a" * 100), Line("a" * 50, size=2)]
    page = text.Layout(lines, PrinterConfig("p", "", width=width, rom="japanese"), FONTS)
    first, *_more = [len(row) for line, row, _drawn in page.rows if line is lines[0]]
    large, *_more = [len(row) for line, row, _drawn in page.rows if line is lines[1]]
    assert (first, large) == (columns, columns // 2)


def test_columns_are_those_of_unicode():
    """East Asian width, but for what is mapped: that has the width of what is printed."""
    for character in [*jis_x_0208(), *KANA, "é", "麵", "😀"]:
        if character not in MAPPED:
            assert text.columns(character) == (2 if unicodedata.east_asian_width(character) in "WFA" else 1), character


@settings(deadline=None, max_examples=50)  # a character that no font has is looked for in all of them
@given(st.lists(st.text(max_size=60), min_size=1, max_size=5))
def test_no_text_becomes_a_command(texts):
    """Whatever is in it: no control byte goes out but line feeds, and each character is there or drawn."""
    page = text.Layout(
        document.parse({"lines": [{"text": each} for each in texts]}), PrinterConfig("p", "", rom="japanese"), FONTS
    )
    for _line, row, is_drawn in page.rows:
        assert sum(map(text.columns, row)) <= 48
        if not is_drawn:
            data = b"".join(map(text.code, row))
            assert not any(byte < 0x20 or byte == 0x7F for byte in data)
            assert [text.YEN if part == text.YEN else text.code(part).decode("cp932") for part in row] == row


def test_marks_join_their_character():
    assert document.clean("か\u3099は\u309ae\u0301") == "がぱé"
    assert document.clean("神\ufa19﨑") == "神\ufa19﨑"  # compatibility characters are names, not spellings
    assert document.clean("a\tb\x1b@\x00\u200b葛\U000e0100") == "a b@葛"
