# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Pictures on their way to paper: 1 bit per dot, rows of whole bytes, 1 is black.

The till sends such bits, deflated, and nothing has to be computed here. Tills that know nothing of us send JPEG or PNG.
"""

import base64
import binascii
import warnings
import zlib
from io import BytesIO

from PIL import Image, UnidentifiedImageError

from .refusals import Refusal

MAX_WIDTH, MAX_ROWS = 1024, 20000  # dots; 20,000 rows are 2.5 m of paper
MAX_PIXELS = 12_000_000  # of a file that is to be decoded
MAX_BODY = 8 << 20  # bytes of a request
THRESHOLD = 160  # of 255: what is darker is black; text rendered by a browser is black with grey edges


class PictureError(Refusal):
    """What was sent is no picture that can be printed."""


def from_bits(data, width, rows):
    """Deflated bits as they were packed in the browser.

    :raises PictureError: wrong size, damaged, or larger than it says
    """
    _check_size(width, rows)
    if width % 8:
        raise PictureError("The picture is {width} dots wide; it must be a multiple of 8.", width=width)
    size = width // 8 * rows
    inflate = zlib.decompressobj()
    try:
        # Never more than announced: a few bytes can inflate to gigabytes.
        bits = inflate.decompress(data, size + 1)
    except zlib.error:
        raise PictureError("The picture is damaged: it cannot be unpacked.") from None
    if len(bits) != size or not inflate.eof:
        raise PictureError("The picture is not {width} × {rows} dots, as it says.", width=width, rows=rows)
    return bits


def from_raster(text, width, rows):
    """Base64 of plain bits.

    :raises PictureError: wrong size, or no base64
    """
    _check_size(width, rows)
    bits = from_base64(text)
    size = (width + 7) // 8 * rows
    if len(bits) != size:
        raise PictureError("The picture is not {width} × {rows} dots, as it says.", width=width, rows=rows)
    return bits


def from_base64(text):
    """Bytes of strict base64.

    :raises PictureError: it is none
    """
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise PictureError("The picture is damaged: it is no base64.") from None


def from_file(data, width):
    """A JPEG or PNG, made black and white; centred on paper of ``width`` dots, or made smaller to fit.

    :return: packed rows, ``width`` dots wide
    :raises PictureError: no picture, or too large
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(data), formats=("JPEG", "PNG")) as image:
                _check_size(*image.size, widest=4 * MAX_WIDTH)
                if image.width * image.height > MAX_PIXELS:
                    raise ValueError("too many pixels")
                image = _on_white(image)
    except (UnidentifiedImageError, Image.DecompressionBombWarning, Image.DecompressionBombError, OSError, ValueError):
        raise PictureError("The picture is damaged, or no JPEG or PNG.") from None
    if image.width > width:
        image = image.resize((width, round(image.height * width / image.width)))
    return fit(pack(image.point([0] * THRESHOLD + [255] * (256 - THRESHOLD), "1")), image.width, width)


def _on_white(image):
    if image.mode in ("1", "L"):
        return image.convert("L")
    image = image.convert("RGBA")
    paper = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(paper, image).convert("L")


def pack(image):
    """Packed rows of a black-and-white image."""
    return image.convert("1").tobytes("raw", "1;I")


def fit(bits, width, paper):
    """Rows of ``width`` dots in the middle of rows of ``paper`` dots (a multiple of 8); wider ones lose both edges."""
    if width == paper:
        return bits
    size, rows = (width + 7) // 8, len(bits) // ((width + 7) // 8)
    image = Image.frombytes("1", (width, rows), bits, "raw", "1;I", size)
    full = Image.new("1", (paper, rows), 1)
    full.paste(image, ((paper - width) // 2, 0))
    return pack(full)


def _check_size(width, rows, widest=MAX_WIDTH):
    if not (0 < width <= widest and 0 < rows <= MAX_ROWS):
        raise PictureError(
            "A picture of {width} × {rows} dots cannot be printed; at most {widest} × {most}.",
            width=width,
            rows=rows,
            widest=widest,
            most=MAX_ROWS,
        )
