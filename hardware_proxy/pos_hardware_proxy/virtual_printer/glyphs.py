# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Draws characters as masks: pictures of one bit, set where the head burns a dot."""

from functools import lru_cache

from PIL import Image, ImageChops, ImageDraw, ImageFont

from ..fonts import find_font

# Cells in dots: width and height of an ANK character of font A and B, and of a kanji.
CELLS = {"A": (12, 24), "B": (9, 17), "K": (24, 24)}


@lru_cache(16)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    found = find_font()
    return ImageFont.truetype(found.file, size, index=found.index) if found else ImageFont.load_default(size)


@lru_cache(4096)
def glyph(text: str, font: str) -> Image.Image:
    """Mask of one character in the cell of font A, B or K. Callers must not change it."""
    width, height = CELLS[font]
    if text.isspace():
        return Image.new("1", (width, height))
    # An ANK letter is a little smaller, so that g and y keep their tails inside the cell.
    size, baseline = (height, height * 7 // 8) if font == "K" else (height * 11 // 12, height * 19 // 24)
    # Some characters of the katakana page are wider than their cell in any font: they are squeezed into it.
    drawn_width = max(width, round(_font(size).getlength(text)))
    mask = Image.new("1", (drawn_width, height))
    draw = ImageDraw.Draw(mask)
    draw.fontmode = "1"
    draw.text((drawn_width // 2, baseline), text, fill=255, font=_font(size), anchor="ms")
    return mask if drawn_width == width else mask.resize((width, height), Image.Resampling.NEAREST)


@lru_cache(256)
def own_glyph(data: bytes) -> Image.Image:
    """Mask of a character that came as columns of 3 bytes (FS 2)."""
    return columns_mask(data, 24, 24)


def columns_mask(data: bytes, dots: int, columns: int) -> Image.Image:
    """Mask of a picture that came column by column, the topmost dot in the highest bit; dots is 8 or 24."""
    return Image.frombytes("1", (dots, columns), data).transpose(Image.Transpose.TRANSPOSE)


def rows_mask(data: bytes, width_bytes: int, rows: int) -> Image.Image:
    """Mask of a picture that came row by row, the leftmost dot in the highest bit."""
    return Image.frombytes("1", (width_bytes * 8, rows), data)


def modules_mask(rows: list[str], scale_x: int, scale_y: int) -> Image.Image:
    """Mask of rows of "0" and "1", each of which becomes scale_x × scale_y dots."""
    table = bytes.maketrans(b"01", b"\x00\xff")
    data = b"".join(row.encode() for row in rows).translate(table)
    return scaled(Image.frombytes("L", (len(rows[0]), len(rows)), data).convert("1"), scale_x, scale_y)


def scaled(mask: Image.Image, scale_x: int, scale_y: int) -> Image.Image:
    """The mask with every dot repeated, as printers enlarge."""
    if scale_x == scale_y == 1:
        return mask
    return mask.resize((mask.width * scale_x, mask.height * scale_y), Image.Resampling.NEAREST)


def stacked(masks: list[Image.Image]) -> Image.Image:
    """Masks one under the other, each in the middle."""
    width = max(mask.width for mask in masks)
    whole, y = Image.new("1", (width, sum(mask.height for mask in masks))), 0
    for mask in masks:
        whole.paste(mask, ((width - mask.width) // 2, y))
        y += mask.height
    return whole


def bold(mask: Image.Image) -> Image.Image:
    """Every dot is burned once more one dot to the right."""
    shifted = Image.new("1", mask.size)
    shifted.paste(mask, (1, 0))
    return ImageChops.logical_or(mask, shifted)
