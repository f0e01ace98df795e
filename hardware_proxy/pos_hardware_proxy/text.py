# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Texts on their way to paper: broken into lines of the paper's width, and said in the printer's own characters.

A Japanese printer has the characters of JIS X 0208. What makers added (①, ㈱, 髙) differs from model to model, and a
printer puts something else, or nothing, for what it lacks. So a line with any other character is drawn.
"""

import unicodedata
from itertools import groupby

from . import document
from .document import DocumentError
from .draw import draw_line
from .escpos import JAPANESE, LINE, style
from .fonts import NO_FONT
from .picture import MAX_ROWS

COLUMN = 12  # dots of a half-width character in the usual size
RULE = "─"
# Shift_JIS has these under another name, looking the same.
SAME = str.maketrans("〜−‖—¢£¬", "～－∥―￠￡￢")
YEN, YEN_CODE = "¥", b"\\"  # with the characters of Japan, 5C is ¥; there is no backslash then
JAPANESE_LEADS = (*range(0x81, 0x85), *range(0x88, 0xA0), *range(0xE0, 0xEB))  # JIS X 0208, without additions
MOST_LACKING = 200  # different characters; each is looked for in all fonts of the machine
LACKING = "no_glyph"  # reason of a job some of whose characters were printed as their number


def clusters(text):
    """The characters of ``text`` as they are printed, each with its marks."""
    found = []
    for character in text.translate(SAME):
        if found and unicodedata.category(character) in ("Mn", "Me"):
            found[-1] += character
        else:
            found.append(character)
    return found


def code(cluster):
    """Its bytes in Shift_JIS, or None when the printer's own characters lack it."""
    if cluster == YEN:
        return YEN_CODE
    try:
        data = cluster.encode("cp932")
    except UnicodeEncodeError:
        return None
    if len(data) == 1:
        return data if data != YEN_CODE and (0x20 <= data[0] < 0x7F or 0xA1 <= data[0] <= 0xDF) else None
    return data if len(data) == 2 and data[0] in JAPANESE_LEADS else None


def columns(cluster):
    """1 for half width, 2 for full width."""
    data = code(cluster)
    if data:
        return len(data)
    return 2 if unicodedata.east_asian_width(cluster[0]) in "WFA" else 1


def wrap(found, limit):
    """Lists of clusters that each fit into ``limit`` columns."""
    rows, used = [[]], 0
    for cluster in found:
        size = columns(cluster)
        if used + size > limit and rows[-1]:
            rows.append([])
            used = 0
        rows[-1].append(cluster)
        used += size
    return rows


class Layout:
    """A document as it comes out of one printer.

    :param lines: of :func:`~.document.unpack`
    :param config: :class:`~.config.PrinterConfig`
    :param fonts: :class:`~.fonts.Fonts`
    :raises DocumentError: it cannot be printed there
    """

    def __init__(self, lines, config, fonts):
        self.config, self.fonts = config, fonts
        self.lacking = set()  # characters that no font has
        self.rows = []  # (line, clusters, whether it is drawn)
        for line in lines:
            self._add(line)
        if sum(LINE * line.size for line, _found, _drawn in self.rows) > MAX_ROWS:
            raise DocumentError("The text is too long: it would be more than {rows} dots of paper.", rows=MAX_ROWS)

    def _add(self, line):
        limit = self.config.width // COLUMN // line.size
        found = clusters(line.text) if line.kind == "text" else []
        if line.kind == "rule":
            found = [RULE] * (limit // 2)
        drawn = self.config.rom == "none" or not all(map(code, found))
        if drawn and found:
            if not self.fonts.main:
                raise DocumentError(NO_FONT)
            found = [part for cluster in found for part in self._drawable(cluster)]
        self.rows += [(line, row, drawn) for row in (wrap(found, limit) if line.kind != "cut" else [[]])]

    def _drawable(self, cluster):
        if self.fonts.face_for(cluster):
            return [cluster]
        self.lacking.add(cluster)
        if len(self.lacking) > MOST_LACKING:
            raise DocumentError("The text has more than {most} characters that no font here has.", most=MOST_LACKING)
        return list("".join(f"[U+{ord(character):04X}]" for character in cluster))

    def commands(self, driver):
        """The document as commands of a printer, a list of byte strings; the last cut is not among them."""
        made = []
        while self.rows and self.rows[-1][0].kind == "cut":
            self.rows.pop()
        for kind, group in groupby(self.rows, key=lambda row: "cut" if row[0].kind == "cut" else row[2]):
            rows = list(group)
            if kind == "cut":
                made += [driver.CUT] if made else []
            elif kind:
                made += driver.picture(self._drawn(rows), self.config.width)
            else:
                said = (style(line) + b"".join(map(code, row)) + b"\n" for line, row, _drawn in rows)
                made.append(JAPANESE + b"".join(said))
        return made

    def _drawn(self, rows):
        width = self.config.width
        return b"".join(
            draw_line(line, [(cluster, self.fonts.face_for(cluster), columns(cluster)) for cluster in row], width)
            for line, row, _drawn in rows
        )


def layout(job, config, fonts):
    """The :class:`Layout` of a job whose content is a document."""
    return Layout(document.unpack(job.picture), config, fonts)
