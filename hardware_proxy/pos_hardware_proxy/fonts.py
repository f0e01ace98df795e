# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The fonts of this machine: where a Japanese one is, and whether a font has a character at all.

A font draws a box for what it lacks, and nobody would notice before the paper is in a cook's hand.
"""

import subprocess
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from PIL import ImageFont

MISSING = "\U0010fffe"  # no character, and in no font: drawn as what a font shows for all that it lacks
SAMPLE = "あ漢ｱ￥～"  # what a Japanese font has and others lack
LOOK_SIZE = 24  # dots
WISHES = ("Noto Sans Mono CJK JP", "Noto Sans CJK JP", ":lang=ja:spacing=mono", ":lang=ja")
USUAL_PLACES = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",
    "/Library/Fonts/NotoSansCJK-Regular.ttc",
)
NO_FONT = (
    "No Japanese font was found: texts of the till cannot be drawn, only what a printer's own characters can print. "
    'Install Noto Sans CJK JP, or name a file in the configuration: [proxy] font = "/…/NotoSansCJK-Regular.ttc".'
)


class Face(NamedTuple):
    """A font file, and the number of the face in it."""

    file: str
    index: int = 0


@cache
def find_font():
    """The Japanese font of this machine, or None."""
    faces = [face for wish in WISHES for face in _ask("fc-match", wish)]
    faces += [Face(place) for place in USUAL_PLACES if Path(place).is_file()]
    return next((face for face in faces if is_japanese(face)), None)


def is_japanese(face):
    """Whether the file is a font with Japanese characters."""
    return all(has_glyph(face, character) for character in SAMPLE)


@lru_cache(64)
def load(face, size):
    """The font in ``size`` dots.

    :raises OSError: the file is none, or has no such size
    """
    return ImageFont.truetype(face.file, size, index=face.index)


@lru_cache(65536)
def has_glyph(face, character):
    """Whether the font draws this character, and not a box or nothing."""
    try:
        return character.isspace() or _look(face, character) != _box(face)
    except OSError:
        return False


@lru_cache(256)
def _box(face):
    return _look(face, MISSING)


def _look(face, character):
    mask = load(face, LOOK_SIZE).getmask(character, mode="1")
    return mask.size, bytes(mask)


class Fonts:
    """The font for texts, and what else the machine has for the characters that it lacks.

    :param file: font file named in the configuration, or ""
    """

    def __init__(self, file=""):
        self.main = Face(file) if file else find_font()

    @lru_cache(65536)  # noqa: B019 - one object for as long as the program runs
    def face_for(self, text):
        """The face that has all of ``text`` (one character with its marks), or None."""
        for face in (self.main, *_others()) if self.main else ():
            if all(has_glyph(face, character) for character in text):
                return face
        return None


@cache
def _others():
    """All other fonts; those made to complete each other first."""
    return sorted(_ask("fc-list", ":"), key=lambda face: ("Noto" not in face.file, face))


def _ask(program, pattern):
    """Faces that fontconfig names; none where it is not installed."""
    command = [program, "--format", "%{file}|%{index}\n", pattern]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    rows = (line.rsplit("|", 1) for line in answer.splitlines() if "|" in line)
    # Higher bits number the instances of a variable font, which Pillow cannot choose.
    return [Face(file, int(index)) for file, index in rows if index.isdecimal() and int(index) < 1 << 16]
