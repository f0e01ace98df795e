# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Carries commands out on paper: the line buffer, its wrapping, page mode, and what goes where."""

from collections.abc import Callable
from functools import partial

from PIL import Image

from . import glyphs, rom, symbols
from .commands import (
    Barcode,
    ColumnImage,
    Command,
    Control,
    Cut,
    DefineKanji,
    Feed,
    PrintStored,
    Raster,
    StoreRaster,
    Style,
    Symbol,
    Text,
)
from .modes import Modes
from .page_mode import Page
from .paper import Cell, Missing, Paper, Picture, Printed, Refused, draw_line, line_mask, line_text


class Typesetter:
    """Puts commands on ``paper``; never raises for any command of the parser.

    ``width`` is in dots, ``rom`` one of rom.ROMS.
    """

    def __init__(self, width: int, rom_type: str):
        self.width, self.rom = width, rom_type
        self.paper = Paper(1, width)
        self._own: dict[bytes, bytes] = {}
        self.reset()

    def reset(self) -> None:
        """As ESC @ does: the line buffer and all settings are gone, characters of one's own stay."""
        self.modes = Modes()
        self._characters = rom.fresh_modes(self.rom)
        self._line: list[Cell | Picture] = []
        self._x = 0
        self._half = b""
        self._page: Page | None = None
        self._stored: Raster | None = None
        self._selected = True

    def power_cycle(self) -> None:
        """As reset, and characters of one's own are gone too; what is on the paper stays on it."""
        self._own.clear()
        self.reset()

    def clear_line(self) -> None:
        """Forget what is in the line buffer and on the page; settings stay."""
        self._line, self._x, self._half = [], 0, b""
        if self._page:
            self._page.clear()

    def set_width(self, width: int) -> None:
        """Exchange the head; a strip that is being printed keeps its width."""
        self.width = width
        if not self.paper.height:
            self.paper = Paper(self.paper.number, width)

    def set_rom(self, rom_type: str) -> None:
        """Exchange the ROM; what is in the line buffer keeps its characters."""
        self.rom = rom_type
        self._characters = rom.fresh_modes(rom_type)

    def apply(self, command: Command) -> int:
        """Carry out one command; the dots that the paper moved. The cut itself is ``finish``."""
        if isinstance(command, Text):
            return self._text(command) if self._selected else 0
        self._half = b""  # half of a character that something else than its other half follows
        if isinstance(command, Style) and command.name == "ESC =":
            self._selected = _selects_printer(command)
            return 0
        handler = _HANDLERS.get(type(command)) if self._selected else None
        return handler(self, command) if handler else 0

    def finish(self, cut: str) -> Paper:
        """End the strip of paper ("full", "partial" or "torn") and begin the next; the finished one."""
        paper, paper.cut = self.paper, cut
        self.paper = Paper(paper.number + 1, self.width)
        return paper

    @property
    def _area(self) -> tuple[int, int]:
        """Left end and width in dots of where lines are printed."""
        if self._page:
            return 0, self._page.line_width
        left = min(self.modes.left_margin, self.paper.width - 1)
        width = self.paper.width - left
        return left, min(self.modes.area_width or width, width)

    # Text

    def _text(self, command: Text) -> int:
        moved = 0
        characters, self._half = rom.decode(self._half + command.data, self.rom, self._characters)
        for character in characters:
            cell = self._cell(character)
            if self._line and cell.x + cell.width - cell.gap > self._area[1]:
                moved += self._end_line(self.modes.line_spacing)
                cell = self._cell(character)
            self._line.append(cell)
            self._x = cell.x + cell.width
        return moved

    def _cell(self, character: rom.Character) -> Cell:
        modes, own, text = self.modes, b"", character.text
        missing = character.missing
        if character.wide and self.rom == "japanese" and not missing:
            code = rom.shift_jis(character.code, self._characters)
            if rom.is_own(code):
                own = self._own.get(code, b"")
                missing, text = not own, text if own else rom.SUBSTITUTE
        if missing:
            self.paper.missing.append(Missing(character.code, self.rom))
        left, right = modes.kanji_space if character.wide else (0, modes.right_space)
        scale = modes.kanji_scale if character.wide else modes.scale
        return Cell(
            text=text,
            font="K" if character.wide else "B" if modes.font_b else "A",
            x=self._x + left * scale[0],
            scale_x=scale[0],
            scale_y=scale[1],
            bold=modes.bold or modes.double_strike,
            underline=modes.kanji_underline if character.wide else modes.underline,
            reverse=modes.reverse,
            turned=modes.turned and not self._page,
            own=own,
            gap=right * scale[0],
        )

    def _column_image(self, command: ColumnImage) -> int:
        self._line.append(Picture(command, self._x))
        self._x += self._line[-1].width
        return 0

    def _end_line(self, feed: int) -> int:
        """Print the line buffer and feed at least so many dots, and at least the height of what is in the line."""
        items, self._line, self._x = tuple(self._line), [], 0
        if not items:
            return self._feed(feed)
        left, width = self._area
        self.paper.lines.append(line_text(items))
        height = max(feed, *(item.height for item in items))
        if self._page:
            mask = line_mask(items, width, 0, False)
            # The base line of characters has an eighth of them under it.
            self._page.add(mask, 0, height, mask.height // 8)
            return 0
        shift = self._shift(max(item.x + item.width for item in items))
        draw = partial(draw_line, items=items, left=left, width=width, shift=shift, upside_down=self.modes.upside_down)
        return self.paper.add(height, draw)

    def _flush(self) -> int:
        return self._end_line(0) if self._line else 0

    def _feed(self, dots: int) -> int:
        if self._page:
            self._page.y = max(0, self._page.y + dots)
            return 0
        return self.paper.add(dots)

    def _shift(self, width: int) -> int:
        """Dots to the right for something of this width, as ESC a says."""
        if self._page:
            return 0
        return max(0, (self._area[1] - width) * self.modes.align // 2)

    def _put(self, mask: Image.Image, below: int = 0) -> int:
        """Print a finished mask on lines of its own; in page mode ``below`` of its dots hang under the base line."""
        moved = self._flush()
        if self._page:
            self._page.add(mask, self._x, mask.height, below)
            return moved
        return moved + self.paper.add_mask(mask, self._area[0] + self._shift(mask.width))

    # Movements

    def _control(self, command: Control) -> int:
        if command.name == "LF":
            if not self._line:
                self.paper.lines.append("")
            return self._end_line(self.modes.line_spacing)
        if command.name == "HT":
            self._tab()
        elif command.name == "FF" and self._page:
            moved = self._print_page()
            self._page = None
            return moved
        elif command.name == "CAN" and self._page:
            self.clear_line()
        return 0

    def _tab(self) -> None:
        advance = 8 * (12 + self.modes.right_space)
        stops = self.modes.tabs if self.modes.tabs is not None else range(advance, self._area[1], advance)
        self._x = next((stop for stop in stops if self._x < stop < self._area[1]), self._x)

    def _feed_command(self, command: Feed) -> int:
        dots = round(command.units * self.modes.unit_y) + command.lines * self.modes.line_spacing
        if dots < 0:
            return self._flush() + self._feed(dots)
        return self._end_line(dots)

    def _cut(self, command: Cut) -> int:
        return self._flush() + self._feed(round(command.units * self.modes.unit_y))

    def _print_page(self) -> int:
        self._flush()
        mask = self._page.finish()
        self._page.clear()
        return self.paper.add_mask(mask, 0) if mask else 0

    # Pictures and codes

    def _raster(self, raster: Raster) -> int:
        if self._page:
            mask = glyphs.rows_mask(raster.data, raster.width_bytes, raster.rows)
            return self._put(glyphs.scaled(mask, raster.scale_x, raster.scale_y))
        moved = self._flush()
        left, width = self._area
        x = left + self._shift(raster.width_bytes * 8 * raster.scale_x)
        return moved + self.paper.add_raster(raster, x, left + width)

    def _store(self, command: StoreRaster) -> int:
        if self._page:
            return self._raster(command.raster)  # the page is where things are stored; FF prints it
        self._stored = command.raster
        return 0

    def _print_stored(self, command: PrintStored) -> int:
        raster, self._stored = self._stored, None
        return self._raster(raster) if raster else 0

    def _barcode(self, command: Barcode) -> int:
        name = symbols.SYSTEM_NAMES[command.system]
        try:
            modules, text = symbols.bar_modules(command.system, command.data)
        except ValueError as error:
            self.paper.refused.append(Refused(name, str(error)))
            return self._flush()
        mask = glyphs.modules_mask([modules], self.modes.bar_width, self.modes.bar_height)
        if mask.width > self._area[1]:
            self.paper.refused.append(Refused(name, f"{mask.width} dots do not fit"))
            return self._flush()
        self.paper.symbols.append(Printed(name, command.data))
        if not self.modes.hri:
            return self._put(mask)
        readable = self._readable(text)
        parts = [readable] * (self.modes.hri & 1) + [mask] + [readable] * (self.modes.hri >> 1)
        return self._put(glyphs.stacked(parts), readable.height * (self.modes.hri >> 1))

    def _readable(self, text: str) -> Image.Image:
        """The characters of a bar code, one line of ANK, as wide as the printing area at most."""
        font = "B" if self.modes.hri_font_b else "A"
        width, height = glyphs.CELLS[font]
        mask = Image.new("1", (min(width * len(text), self._area[1]) or 1, height))
        for place, character in enumerate(text):
            mask.paste(glyphs.glyph(character, font), (place * width, 0))
        return mask

    def _symbol(self, command: Symbol) -> int:
        modes, data = self.modes, command.data
        if command.function == 80:
            modes.symbol_data[command.kind] = data[1:]
        elif command.function == 81:
            return self._print_symbol(command.kind)
        elif command.kind == 49 and data:
            if command.function == 67:
                modes.qr_size = min(max(data[0], 1), 16)
            elif command.function == 69:
                modes.qr_level = data[0]
        return 0

    def _print_symbol(self, kind: int) -> int:
        data = self.modes.symbol_data.get(kind, b"")
        try:
            if kind != 49:
                raise ValueError("only QR codes can be drawn")
            rows = symbols.qr_modules(data, self.modes.qr_level)
            if len(rows) * self.modes.qr_size > self._area[1]:
                raise ValueError(f"{len(rows) * self.modes.qr_size} dots do not fit")
        except ValueError as error:
            self.paper.refused.append(Refused(f"symbol {kind}", str(error)))
            return self._flush()
        self.paper.symbols.append(Printed("QR", data))
        return self._put(glyphs.modules_mask(rows, self.modes.qr_size, self.modes.qr_size))

    # Settings

    def _style(self, command: Style) -> int:
        special = _SPECIAL.get(command.name)
        if special:
            return special(self, command) or 0
        self.modes.apply(command)
        return 0

    def _initialise(self, command: Style) -> None:
        self.reset()

    def _define_kanji(self, command: DefineKanji) -> int:
        code = rom.shift_jis(command.code, self._characters)
        if rom.is_own(code):
            self._own[code] = command.data
        return 0

    def _cancel_kanji(self, command: Style) -> None:
        self._own.pop(rom.shift_jis(command.data, self._characters), None)

    def _position(self, command: Style) -> None:
        """ESC $ from the left end, ESC \\ from here; what lies outside the area is ignored."""
        dots = round(command.word * self.modes.unit_x)
        if command.name == "ESC \\":
            dots = self._x + round(_signed(command) * self.modes.unit_x)
        if 0 <= dots < self._area[1]:
            self._x = dots

    def _page_position(self, command: Style) -> None:
        """GS $ from the top of the area, GS \\ from here; the horizontal position stays."""
        if self._page:
            x, y = self._x, self._page.y
            self._flush()
            self._x = x
            dots = command.word if command.name == "GS $" else _signed(command)
            self._page.move_to(round(dots * self.modes.unit_y) + (0 if command.name == "GS $" else y))

    def _page_command(self, command: Style) -> int:
        if command.name == "ESC L":
            if not self._page and not self._line:
                self._page = Page(self.paper.width)
        elif self._page and command.name == "ESC FF":
            return self._print_page()
        elif self._page and command.name == "ESC S":
            self._page, self._line, self._x = None, [], 0
        elif self._page and command.name == "ESC T":
            self._flush()
            self._page.set_direction(command.value & 3)
        elif self._page and command.name == "ESC W":
            self._flush()
            self._page.set_area(*(int.from_bytes(command.data[at : at + 2], "little") for at in (0, 2, 4, 6)))
        return 0

    def _character_mode(self, command: Style) -> None:
        characters = self._characters
        match command.name:
            case "ESC t":
                characters.code_page = command.value
            case "ESC R":
                characters.country = command.value
            case "FS C":
                characters.kanji_system = command.value & 3
            case "FS &" | "FS .":
                characters.kanji_mode = command.name == "FS &"


def _selects_printer(command: Style) -> bool:
    """ESC =: bit 0 is the printer, bit 1 a line display that is connected through it."""
    return bool(command.value & 1)


def _signed(command: Style) -> int:
    return int.from_bytes(command.data[:2], "little", signed=True)


_HANDLERS: dict[type, Callable[[Typesetter, Command], int]] = {
    Control: Typesetter._control,
    Style: Typesetter._style,
    Feed: Typesetter._feed_command,
    Cut: Typesetter._cut,
    Raster: Typesetter._raster,
    StoreRaster: Typesetter._store,
    PrintStored: Typesetter._print_stored,
    ColumnImage: Typesetter._column_image,
    Barcode: Typesetter._barcode,
    Symbol: Typesetter._symbol,
    DefineKanji: Typesetter._define_kanji,
}

_SPECIAL: dict[str, Callable[[Typesetter, Style], int | None]] = {
    "ESC @": Typesetter._initialise,
    "ESC $": Typesetter._position,
    "ESC \\": Typesetter._position,
    "GS $": Typesetter._page_position,
    "GS \\": Typesetter._page_position,
    "FS ?": Typesetter._cancel_kanji,
    **dict.fromkeys(["ESC L", "ESC FF", "ESC S", "ESC T", "ESC W"], Typesetter._page_command),
    **dict.fromkeys(["ESC t", "ESC R", "FS C", "FS &", "FS ."], Typesetter._character_mode),
}
