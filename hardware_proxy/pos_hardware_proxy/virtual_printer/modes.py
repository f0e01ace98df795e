# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Settings of how things are printed, as ESC @ leaves them and as single commands change them."""

from dataclasses import dataclass, field

from .commands import Style

LINE_SPACING = 30  # dots, after ESC @ and ESC 2
MOTION = 203  # motion units and dots per inch


@dataclass
class Modes:
    """Distances are in dots."""

    font_b: bool = False
    bold: bool = False
    double_strike: bool = False
    underline: int = 0
    kanji_underline: int = 0
    scale: tuple[int, int] = (1, 1)
    kanji_scale: tuple[int, int] = (1, 1)
    reverse: bool = False
    upside_down: bool = False
    turned: bool = False
    align: int = 0
    line_spacing: int = LINE_SPACING
    right_space: int = 0
    kanji_space: tuple[int, int] = (0, 0)
    left_margin: int = 0
    area_width: int | None = None
    tabs: list[int] | None = None
    unit_x: float = 1.0
    unit_y: float = 1.0
    bar_height: int = 162
    bar_width: int = 3
    hri: int = 0
    hri_font_b: bool = False
    qr_size: int = 3
    qr_level: int = 48
    symbol_data: dict[int, bytes] = field(default_factory=dict)

    def apply(self, command: Style) -> bool:
        """Change what the command changes; False when it is none of these settings."""
        if command.name in _ONE:
            name, convert = _ONE[command.name]
            setattr(self, name, convert(command.value))
        elif command.name in _MORE:
            _MORE[command.name](self, command)
        else:
            return False
        return True


def _odd(value: int) -> bool:
    return bool(value & 1)


def _low(value: int) -> int:
    """0 to 3, whether it came as a number or as a digit."""
    return value & 3


def _print_mode(modes: Modes, command: Style) -> None:
    value = command.value
    modes.font_b, modes.bold = bool(value & 1), bool(value & 8)
    modes.scale = (1 + bool(value & 0x20), 1 + bool(value & 0x10))
    modes.underline = 1 if value & 0x80 else 0


def _kanji_mode(modes: Modes, command: Style) -> None:
    value = command.value
    modes.kanji_scale = (1 + bool(value & 4), 1 + bool(value & 8))
    modes.kanji_underline = 1 if value & 0x80 else 0


def _size(modes: Modes, command: Style) -> None:
    """GS ! is for all characters."""
    modes.scale = modes.kanji_scale = (1 + (command.value >> 4 & 7), 1 + (command.value & 7))


def _kanji_space(modes: Modes, command: Style) -> None:
    modes.kanji_space = (round(command.data[0] * modes.unit_x), round(command.data[1] * modes.unit_x))


def _units(modes: Modes, command: Style) -> None:
    """GS P: motion units per inch; 0 is the usual one."""
    modes.unit_x, modes.unit_y = (MOTION / value if value else 1.0 for value in command.data)


def _line_spacing(modes: Modes, command: Style) -> None:
    modes.line_spacing = round(command.value * modes.unit_y)


def _right_space(modes: Modes, command: Style) -> None:
    modes.right_space = round(command.value * modes.unit_x)


def _margin(modes: Modes, command: Style) -> None:
    modes.left_margin = round(command.word * modes.unit_x)


def _area(modes: Modes, command: Style) -> None:
    modes.area_width = round(command.word * modes.unit_x)


def _tabs(modes: Modes, command: Style) -> None:
    """ESC D: columns of the present character width; none at all clears them."""
    advance = ((9 if modes.font_b else 12) + modes.right_space) * modes.scale[0]
    columns = command.data[: command.data.find(0)] if 0 in command.data else command.data
    modes.tabs = [column * advance for column in columns]


# One parameter that becomes one setting.
_ONE = {
    "ESC E": ("bold", _odd),
    "ESC G": ("double_strike", _odd),
    "ESC M": ("font_b", _odd),
    "ESC -": ("underline", _low),
    "FS -": ("kanji_underline", _low),
    "FS W": ("kanji_scale", lambda value: (2, 2) if value & 1 else (1, 1)),
    "GS B": ("reverse", _odd),
    "ESC {": ("upside_down", _odd),
    "ESC V": ("turned", _odd),
    "ESC a": ("align", lambda value: _low(value) % 3),
    "ESC 2": ("line_spacing", lambda value: LINE_SPACING),
    "ESC A": ("line_spacing", lambda value: round(value * MOTION / 60)),
    "ESC +": ("line_spacing", lambda value: round(value * MOTION / 360)),
    "GS h": ("bar_height", lambda value: value or 1),
    "GS w": ("bar_width", lambda value: min(max(value, 1), 6)),
    "GS H": ("hri", _low),
    "GS f": ("hri_font_b", _odd),
}

_MORE = {
    "ESC !": _print_mode,
    "FS !": _kanji_mode,
    "GS !": _size,
    "FS S": _kanji_space,
    "GS P": _units,
    "ESC 3": _line_spacing,
    "ESC SP": _right_space,
    "GS L": _margin,
    "GS W": _area,
    "ESC D": _tabs,
}
