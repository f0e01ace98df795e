# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Page mode: what is printed goes to a page first, in areas that may be turned, and comes out as one piece."""

from PIL import Image

from .paper import burn

# Longest page in dots (300 mm); an area that reaches further is cut off.
LONGEST_PAGE = 2400

# ESC T: how an area's own picture is turned to lie on the page.
_TURNS = {1: Image.Transpose.ROTATE_90, 2: Image.Transpose.ROTATE_180, 3: Image.Transpose.ROTATE_270}


class Page:
    """The page being filled. All distances are dots; x and y count from the corner where the area begins."""

    def __init__(self, width: int):
        self.width = width
        self.clear()

    def clear(self) -> None:
        """An empty page whose area is all of it (CAN, and after printing)."""
        self._page = Image.new("1", (self.width, LONGEST_PAGE))
        self._bottom = 0
        self._direction = 0
        self._begin((0, 0, self.width, LONGEST_PAGE))

    def set_area(self, x: int, y: int, width: int, height: int) -> None:
        """Begin an area (ESC W). One without dots, or outside the page, is ignored."""
        width, height = min(width, self.width - x), min(height, LONGEST_PAGE - y)
        if width > 0 and height > 0:
            self._commit()
            self._begin((x, y, width, height))
            self._bottom = max(self._bottom, y + height)

    def set_direction(self, direction: int) -> None:
        """Turn what comes next (ESC T): 0 as usual, 1 upwards, 2 upside down, 3 downwards."""
        if direction in (0, 1, 2, 3):
            self._commit()
            self._direction = direction
            self._begin(self._area)

    def _begin(self, area: tuple[int, int, int, int]) -> None:
        self._area = area
        size = area[2:] if self._direction in (0, 2) else (area[3], area[2])
        self._own = Image.new("1", size)
        self.y = 0
        self._on_base = False

    def _commit(self) -> None:
        """Lay the area's picture on the page."""
        turn = _TURNS.get(self._direction)
        burn(self._page, self._own.transpose(turn) if turn is not None else self._own, *self._area[:2])

    @property
    def line_width(self) -> int:
        """Dots that a line of the area has."""
        return self._own.width

    def move_to(self, y: int) -> None:
        """Set the base line (GS $, GS \\): what comes next stands on that row of dots instead of hanging from it."""
        self.y = max(0, y)
        self._on_base = True

    def add(self, mask: Image.Image, x: int, feed: int, below: int = 0) -> None:
        """Draw at the present line, then go on by ``feed`` dots; ``below`` dots of the mask hang under a base line."""
        burn(self._own, mask, x, self.y + 1 - mask.height + below if self._on_base else self.y)
        self.y += feed

    def finish(self) -> Image.Image | None:
        """The page as far as its areas reach, or as far as it is drawn on when no area was set; None when empty."""
        self._commit()
        box = self._page.getbbox()
        bottom = self._bottom or (box[3] if box else 0)
        return self._page.crop((0, 0, self.width, bottom)) if bottom else None
