# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The paper: what the head has burned on it, as a picture and as text."""

import hashlib
import io
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from PIL import Image, ImageChops

from . import glyphs
from .commands import ColumnImage, Raster

DOTS_PER_MM = 8  # 203 dots per inch
# A strip longer than this (five metres) is shown up to here: nobody printed it on purpose.
LONGEST_PICTURE = 40_000
# Pillow keeps a dot of a one-bit picture in a byte, and only 255 is the opposite of 0 to all of its functions.
BURNED = 255

# draw(ink, y), made with functools.partial.
Draw = partial


class Band(NamedTuple):
    """A piece of paper: its first row, its height in dots, and what draws on it (None: blank).

    Drawing waits until somebody looks, for most receipts of a test are never looked at.
    """

    y: int
    height: int
    draw: Draw | None


class Missing(NamedTuple):
    """A character that the printer's ROM does not have: the bytes it came as, and the printer's ROM type."""

    code: bytes
    rom: str


class Refused(NamedTuple):
    """Something a printer would leave out: a bar code that cannot be, or a symbol with too much data."""

    name: str
    reason: str


class Printed(NamedTuple):
    """A bar code or a symbol that is on the paper: the name of its kind, and its data."""

    kind: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Cell:
    """A character in its place in a line. Distances in dots, before scaling and turning."""

    text: str
    font: str
    x: int
    scale_x: int = 1
    scale_y: int = 1
    bold: bool = False
    underline: int = 0
    reverse: bool = False
    turned: bool = False
    own: bytes = b""
    gap: int = 0

    @property
    def width(self) -> int:
        """Dots the cell takes in the line, with the gap on its right."""
        cell = glyphs.CELLS[self.font]
        return (cell[1] * self.scale_y if self.turned else cell[0] * self.scale_x) + self.gap

    @property
    def height(self) -> int:
        """Dots the cell takes in the height of the line."""
        cell = glyphs.CELLS[self.font]
        return cell[0] * self.scale_x if self.turned else cell[1] * self.scale_y

    def mask(self) -> Image.Image:
        """What is burned."""
        mask = glyphs.own_glyph(self.own) if self.own else glyphs.glyph(self.text, self.font)
        mask = glyphs.scaled(glyphs.bold(mask) if self.bold else mask, self.scale_x, self.scale_y)
        if self.gap:
            wider = Image.new("1", (mask.width + self.gap, mask.height))
            wider.paste(mask, (0, 0))
            mask = wider
        if self.underline and not self.turned:
            mask = mask.copy()
            mask.paste(BURNED, (0, mask.height - self.underline, mask.width, mask.height))
        if self.reverse:
            mask = ImageChops.invert(mask)
        return mask.transpose(Image.Transpose.ROTATE_270) if self.turned else mask


@dataclass(frozen=True, slots=True)
class Picture:
    """A column image in its place in a line."""

    image: ColumnImage
    x: int
    text = ""

    @property
    def width(self) -> int:
        """Dots in the line."""
        return self.image.columns * self.image.scale_x

    @property
    def height(self) -> int:
        """Dots in the height of the line."""
        return self.image.dots * self.image.scale_y

    def mask(self) -> Image.Image:
        """What is burned."""
        mask = glyphs.columns_mask(self.image.data, self.image.dots, self.image.columns)
        return glyphs.scaled(mask, self.image.scale_x, self.image.scale_y)


def burn(ink: Image.Image, mask: Image.Image, x: int, y: int) -> None:
    """Add the dots of a mask to the paper; what is burned stays burned."""
    ink.paste(BURNED, (x, y), mask)


def draw_raster(ink: Image.Image, y: int, *, raster: Raster, x: int, limit: int) -> None:
    """Draw a raster image at x; columns from ``limit`` on are beyond the printing area."""
    mask = glyphs.scaled(glyphs.rows_mask(raster.data, raster.width_bytes, raster.rows), raster.scale_x, raster.scale_y)
    if x + mask.width > limit:
        mask = mask.crop((0, 0, max(0, limit - x), mask.height))
    burn(ink, mask, x, y)


def draw_mask(ink: Image.Image, y: int, *, mask: Image.Image, x: int) -> None:
    """Draw a finished mask at x."""
    burn(ink, mask, x, y)


def line_mask(items: tuple, width: int, shift: int, upside_down: bool) -> Image.Image:
    """Characters and column images that stand on one base line, moved right by ``shift``."""
    height = max(item.height for item in items)
    line = Image.new("1", (width, height))
    for item in items:
        burn(line, item.mask(), item.x + shift, height - item.height)
    return line.transpose(Image.Transpose.ROTATE_180) if upside_down else line


def draw_line(
    ink: Image.Image, y: int, *, items: tuple, left: int, width: int, shift: int = 0, upside_down: bool = False
) -> None:
    """Draw a line of text into the printing area that begins at ``left``."""
    burn(ink, line_mask(items, width, shift, upside_down), left, y)


def line_text(items: tuple[Cell | Picture, ...]) -> str:
    """The characters of a line, with spaces of half a kanji's width where it has gaps."""
    text, end = "", 0
    for item in sorted(items, key=lambda item: item.x):
        if item.text:
            text += " " * max(0, (item.x - end) // glyphs.CELLS["A"][0]) + item.text
            end = item.x + item.width
    return text.rstrip()


class Paper:
    """One strip of paper, from one cut to the next.

    ``width`` and ``height`` are dots; ``lines`` the decoded text, one entry per printed line; ``missing``, ``refused``
    and ``symbols`` tell what the ROM lacked, what was not printed, and which codes were. ``cut`` is "full", "partial"
    or "torn", and None while the strip still hangs in the printer.
    """

    def __init__(self, number: int, width: int):
        self.number, self.width = number, width
        self.y = self.height = 0
        self.bands: list[Band] = []
        self.lines: list[str] = []
        self.missing: list[Missing] = []
        self.refused: list[Refused] = []
        self.symbols: list[Printed] = []
        self.cut: str | None = None
        self._sha256: str | None = None

    def add(self, height: int, draw: Draw | None = None) -> int:
        """Move the paper by so many dots, back when negative, drawing on the way; the dots it moved."""
        if draw or height > 0:
            self.bands.append(Band(self.y, height, draw))
        self.y = max(0, self.y + height)
        self.height = max(self.height, self.y)
        self._sha256 = None
        return abs(height)

    def add_raster(self, raster: Raster, x: int, limit: int) -> int:
        """Print a raster image; the dots the paper moved."""
        return self.add(raster.rows * raster.scale_y, partial(draw_raster, raster=raster, x=x, limit=limit))

    def add_mask(self, mask: Image.Image, x: int) -> int:
        """Print a finished mask; the dots the paper moved."""
        return self.add(mask.height, partial(draw_mask, mask=mask, x=x))

    def ink(self) -> Image.Image:
        """The burned dots, as a mask. Drawn anew each time: as Pillow holds it, a receipt has more than half a MB."""
        height = min(self.height, LONGEST_PICTURE)
        ink = Image.new("1", (self.width, max(1, height)))
        for band in list(self.bands):
            if band.draw and band.y < height:
                band.draw(ink, band.y)
        return ink

    def image(self) -> Image.Image:
        """The paper as one sees it: black on white, one bit per dot."""
        return ImageChops.invert(self.ink())

    def png(self) -> bytes:
        """The same as a PNG file."""
        file = io.BytesIO()
        self.image().save(file, "PNG")
        return file.getvalue()

    def bits(self) -> bytes:
        """Rows of packed dots, 1 = burned, most significant bit left: the format of a raster image."""
        if not self.height:
            return b""
        plain = self._plain_bits()
        return self.ink().tobytes() if plain is None else plain

    def _plain_bits(self) -> bytes | None:
        """The same without drawing, for paper that has only blank rows and full-width rasters; None for other paper.

        Most receipts are like that, and drawing one takes milliseconds that a test of many thousands does not have.
        """
        row = self.width // 8
        if self.width % 8 or self.height > LONGEST_PICTURE:
            return None
        parts, y = [], 0
        for band in self.bands:
            if band.y != y or band.height < 0:
                return None
            y += band.height
            if band.draw is None:
                parts.append(bytes(row * band.height))
                continue
            how = band.draw.keywords
            raster = how.get("raster")
            if raster is None or (how["x"], how["limit"]) != (0, self.width):
                return None
            if (raster.width_bytes, raster.scale_x, raster.scale_y) != (row, 1, 1):
                return None
            parts.append(raster.data)
        return b"".join(parts)

    @property
    def sha256(self) -> str:
        """Digest of ``bits()``: equal receipts have equal digests."""
        if self._sha256 is None or not self.cut:
            self._sha256 = hashlib.sha256(self.bits()).hexdigest()
        return self._sha256

    @property
    def text(self) -> str:
        """All lines."""
        return "\n".join(self.lines)

    def drop_picture(self) -> None:
        """Give back the memory of the dots; the digest and the text stay. The picture is blank from then on."""
        digest = self.sha256
        self.bands.clear()
        self._sha256 = digest
