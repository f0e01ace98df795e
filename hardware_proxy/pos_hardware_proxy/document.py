# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Papers that a till sends as text: what may stand in them, and nothing else.

    {"lines": [
        {"text": "3番テーブル", "size": 2, "bold": true, "align": "center", "reverse": true},
        {"rule": true},
        {"text": "鮭おにぎり ×2"},
        {"cut": true}
    ]}

A line feed within a text begins a new line, other control characters are left out. The end is
cut by itself, and nothing is cut off that has nothing on it.
"""

import json
import re
import unicodedata
from dataclasses import dataclass

from .picture import PictureError

MAX_LINES, MAX_TEXT, MAX_BYTES = 500, 20000, 256 << 10  # lines and characters of one paper, bytes of it as JSON
KEYS = {"text": str, "bold": bool, "size": int, "align": str, "reverse": bool}
MUST_BE = {
    str: "Line {line}: {key} must be a text.",
    bool: "Line {line}: {key} must be true or false.",
    int: "Line {line}: {key} must be a number.",
}
ALIGN = ("left", "center", "right")
SIZES = (1, 2)
ALONE = ("rule", "cut")  # lines of another kind: {"rule": true}
# Marks that belong to the character before them: where both are one character, it is that. Normalising all of a text
# would exchange characters of names, such as 神 for 神.
MARKED = re.compile("[^\u3400-\u9fff\uf900-\ufaff][\u0300-\u036f\u3099\u309a]+")


class DocumentError(PictureError):
    """What was sent is no text that can be printed."""


@dataclass(frozen=True)
class Line:
    """A line as it was written, not yet broken to the paper's width; ``kind`` is ``text``, ``rule`` or ``cut``."""

    text: str = ""
    bold: bool = False
    size: int = 1
    align: str = "left"
    reverse: bool = False
    kind: str = "text"


def read(body):
    """The content of a request's body.

    :param body: bytes
    :raises DocumentError: too long, or no JSON
    """
    if len(body) > MAX_BYTES:
        raise DocumentError("The text is too long: at most {size} KB.", size=MAX_BYTES >> 10)
    try:
        return json.loads(body)
    except ValueError:
        raise DocumentError("The text is no JSON.") from None


def pack(content):
    """A document as it is kept: the same bytes for the same content.

    :raises DocumentError: with a sentence
    """
    lines = parse(content)
    if sum(len(line.text) for line in lines) > MAX_TEXT or len(lines) > MAX_LINES:
        raise DocumentError(
            "The text is too long: at most {lines} lines and {characters} characters.",
            lines=MAX_LINES,
            characters=MAX_TEXT,
        )
    data = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8", "ignore")
    if len(data) > MAX_BYTES:
        raise DocumentError("The text is too long: at most {size} KB.", size=MAX_BYTES >> 10)
    return data


def unpack(data):
    """The lines of what ``pack`` gave."""
    return parse(json.loads(data))


def parse(content):
    """The lines of a document.

    :param content: as in the module's text
    :raises DocumentError: with a sentence that names the line
    """
    rows = content.get("lines")
    if set(content) != {"lines"} or not isinstance(rows, list) or not rows:
        raise DocumentError('A text is written as {{"lines": [{{"text": "…"}}, …]}}, with one line at least.')
    return [line for number, row in enumerate(rows, 1) for line in _lines(row, number)]


def _lines(row, number):
    if not isinstance(row, dict):
        raise DocumentError('Line {line} must be an object: {{"text": "…"}}.', line=number)
    for kind in ALONE:
        if kind in row:
            if row != {kind: True}:
                raise DocumentError('Line {line}: {kind} stands alone: {{"{kind}": true}}.', line=number, kind=kind)
            return [Line(kind=kind)]
    if "text" not in row:
        raise DocumentError("Line {line} has neither text nor rule nor cut.", line=number)
    for key, value in row.items():
        if key not in KEYS:
            keys = ", ".join((*KEYS, *ALONE))
            raise DocumentError("Line {line}: {key} is not known. There are: {keys}.", line=number, key=key, keys=keys)
        if type(value) is not KEYS[key]:
            raise DocumentError(MUST_BE[KEYS[key]], line=number, key=key)
    for key, allowed in (("size", SIZES), ("align", ALIGN)):
        if row.get(key, allowed[0]) not in allowed:
            choices = ", ".join(map(str, allowed))
            raise DocumentError("Line {line}: {key} must be one of {choices}.", line=number, key=key, choices=choices)
    return [Line(**{**row, "text": clean(text)}) for text in re.split("\r\n|\r|\n", row["text"])]


def clean(text):
    """``text`` without what is no character on paper: control bytes, and what only changes how others look."""
    text = MARKED.sub(lambda match: unicodedata.normalize("NFC", match[0]), text.replace("\t", " "))
    return "".join(character for character in text if not _is_invisible(character))


def _is_invisible(character):
    # Selectors of variants are no marks of their own, and no printer's font has them.
    is_selector = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return is_selector or unicodedata.category(character) in ("Cc", "Cf", "Cs")
