# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""A paper as a picture, and how far two pictures are from each other."""

import io
import shutil
import subprocess

from PIL import Image, ImageChops

LANGS = {"ja": "ja_JP", "en": "en_US"}
DPI = 110


def missing():
    """The program that is missing to draw a picture; empty when all are there."""
    return next((name for name in ("wkhtmltopdf", "pdftoppm") if not shutil.which(name)), "")


def draw(env, content, roll="", lang="ja_JP", is_reissue=False):
    """All pages of a paper below each other, in grey, without the empty end of a sheet."""
    pdf = env["bridge.paper"]._pdf(content, roll, is_reissue=is_reissue, lang=lang)
    command = ["pdftoppm", "-r", str(DPI), "-gray", "-"]
    raw = subprocess.run(command, input=pdf, capture_output=True, check=True, timeout=60).stdout
    pages = list(_pages(raw))
    picture = Image.new("L", (max(page.width for page in pages), sum(page.height for page in pages)), 255)
    top = 0
    for page in pages:
        picture.paste(page, (0, top))
        top += page.height
    inked = ImageChops.invert(picture).getbbox()
    return picture.crop((0, 0, picture.width, min(picture.height, inked[3] + DPI // 4)))


def _pages(raw):
    """Pages of several PGM pictures in one stream."""
    while raw:
        _magic, size, _depth, _pixels = raw.split(b"\n", 3)
        columns, rows = map(int, size.split())
        length = len(raw) - len(_pixels) + columns * rows
        yield Image.open(io.BytesIO(raw[:length])).convert("L")
        raw = raw[length:]


def distance(one, other):
    """How different two pictures are: share of the pixels that differ clearly, 0 to 1; sizes must be close.

    Both are blurred a little first, so that another version of a font or of the rasteriser does not count.
    """
    if abs(one.width - other.width) > 4 or abs(one.height - other.height) > 12:
        return 1.0
    size = (one.width // 4, one.height // 4)
    small = [picture.convert("L").resize(size, Image.Resampling.BOX) for picture in (one, other)]
    histogram = ImageChops.difference(*small).histogram()
    return sum(histogram[64:]) / (size[0] * size[1])
