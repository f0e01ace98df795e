# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Draws lines of text as dots, in the cells and sizes of a printer's own characters."""

from functools import lru_cache

from PIL import Image, ImageChops, ImageDraw

from .escpos import LINE
from .fonts import load

CELL = 24  # dots, the height of a character and the width of a full one; a half one has half of it
TOP = 3  # dots above it: capitals with accents reach that far over it, and some tails below it
DOT = 255  # Pillow keeps a dot in a byte, and only this is the opposite of 0 to all of its functions


def draw_line(line, row, width):
    """Packed rows of one line of paper.

    :param line: :class:`~.document.Line`, for its style
    :param row: what fits into ``width`` dots: (character, :class:`~.fonts.Face`, 1 for half width or 2)
    """
    ink, x = Image.new("1", (sum(size for _text, _face, size in row) * CELL * line.size // 2, LINE * line.size)), 0
    for text, face, columns in row:
        cell = _cell(text, face, columns, line.size, line.bold)
        ink.paste(cell, (x, 0))
        x += cell.width
    if line.reverse:
        ink = ImageChops.invert(ink)
    paper = Image.new("1", (width, ink.height))
    paper.paste(ink, ({"left": 0, "center": (width - x) // 2, "right": width - x}[line.align], 0))
    return paper.tobytes()


@lru_cache(4096)
def _cell(text, face, columns, scale, bold):
    width, height = columns * CELL * scale // 2, LINE * scale
    if text.isspace():
        return Image.new("1", (width, height))
    # A half-width letter is a little smaller, as printers have them.
    size, baseline = (CELL, CELL * 7 // 8) if columns == 2 else (CELL * 11 // 12, CELL * 19 // 24)
    font = load(face, size * scale)
    drawn = max(width, round(font.getlength(text)))  # what is wider than its cell is squeezed into it
    cell = Image.new("1", (drawn, height))
    draw = ImageDraw.Draw(cell)
    draw.fontmode = "1"
    for shift in (0, 1) if bold else (0,):
        draw.text((drawn // 2 + shift, (TOP + baseline) * scale), text, fill=DOT, font=font, anchor="ms")
    return cell if drawn == width else cell.resize((width, height), Image.Resampling.NEAREST)
