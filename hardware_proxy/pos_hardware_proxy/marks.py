# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What the proxy itself puts on a paper: the mark of a paper that is printed once more."""

from functools import cache
from importlib.resources import files
from io import BytesIO

from PIL import Image

from .picture import pack


@cache
def reprint_mark(width):
    """「再発行 REPRINT」 in the middle of ``width`` dots, as packed rows (drawn by scripts/make_reprint_mark.py)."""
    with Image.open(BytesIO(files(__package__).joinpath("static/reprint.png").read_bytes())) as mark:
        paper = Image.new("1", (width, mark.height), 1)
        paper.paste(mark, ((width - mark.width) // 2, 0))
    return pack(paper)
