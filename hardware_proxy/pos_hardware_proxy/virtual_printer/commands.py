# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What a printer can be told: one frozen object per ESC/POS command.

``name`` is the command as the manuals write it ("GS v 0", "ESC @"), for the ledger and for people.
Distances are in dots of the head unless a command gives motion units, times in milliseconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """Any command."""

    name: str


@dataclass(frozen=True, slots=True)
class Text(Command):
    """Bytes to print, as they came: which characters they are depends on the ROM and on its modes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Control(Command):
    """HT, LF, CR, FF or CAN."""


@dataclass(frozen=True, slots=True)
class Style(Command):
    """A setting of how or where later data is printed; ``data`` holds the bytes after the name."""

    data: bytes = b""

    @property
    def value(self) -> int:
        """First parameter, 0 when there is none."""
        return self.data[0] if self.data else 0

    @property
    def word(self) -> int:
        """First two parameters as one number, low byte first."""
        return int.from_bytes(self.data[:2], "little")


@dataclass(frozen=True, slots=True)
class Feed(Command):
    """Print the line and move the paper by motion units or by lines; a negative number moves it back."""

    units: int = 0
    lines: int = 0


@dataclass(frozen=True, slots=True)
class Cut(Command):
    """Cut the paper, after feeding ``units`` motion units."""

    full: bool
    units: int = 0


@dataclass(frozen=True, slots=True)
class Pulse(Command):
    """Drawer pulse on pin 2 or 5 of the connector."""

    pin: int
    on_ms: int
    off_ms: int
    real_time: bool = False


@dataclass(frozen=True, slots=True)
class StatusRequest(Command):
    """Question that is answered with a status, at once when ``real_time``, otherwise in its turn."""

    number: int
    real_time: bool = False


@dataclass(frozen=True, slots=True)
class AutoStatus(Command):
    """Which changes the printer reports by itself (GS a); 0 switches that off."""

    mask: int


@dataclass(frozen=True, slots=True)
class Recover(Command):
    """Real-time request to go on after an error; with ``clear`` what is buffered is thrown away."""

    clear: bool


@dataclass(frozen=True, slots=True)
class ProcessId(Command):
    """Four bytes to send back when everything before them is on the paper."""

    id: bytes


@dataclass(frozen=True, slots=True)
class Raster(Command):
    """Rows of packed dots, most significant bit left, 1 = black; each dot is printed scale_x × scale_y."""

    width_bytes: int
    rows: int
    data: bytes
    scale_x: int = 1
    scale_y: int = 1

    def slices(self, rows: int) -> Iterator["Raster"]:
        """The same picture in pieces of at most so many rows of data."""
        step = rows * self.width_bytes
        for start in range(0, len(self.data), step):
            data = self.data[start : start + step]
            yield Raster(self.name, self.width_bytes, len(data) // self.width_bytes, data, self.scale_x, self.scale_y)


@dataclass(frozen=True, slots=True)
class StoreRaster(Command):
    """Raster that is kept until it is told to be printed (GS ( L / GS 8 L function 112)."""

    raster: Raster


@dataclass(frozen=True, slots=True)
class PrintStored(Command):
    """Print what StoreRaster keeps (function 50)."""


@dataclass(frozen=True, slots=True)
class ColumnImage(Command):
    """Columns of 8 or 24 dots, most significant bit on top, placed in the line like a character."""

    dots: int
    columns: int
    data: bytes
    scale_x: int = 1
    scale_y: int = 1


@dataclass(frozen=True, slots=True)
class Barcode(Command):
    """Bar code; ``system`` is the letter code 65–79 whichever form of GS k it came in."""

    system: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Symbol(Command):
    """One function of a two-dimensional symbol (GS ( k): kind 49 is a QR code."""

    kind: int
    function: int
    data: bytes


@dataclass(frozen=True, slots=True)
class DefineKanji(Command):
    """Own 24 × 24 character for a two-byte code: 24 columns of 3 bytes (FS 2)."""

    code: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Other(Command):
    """Command that is known but does nothing to this printer's paper, such as a density or a buzzer."""

    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Unknown(Command):
    """Bytes that are no command: in our own output always a fault."""

    data: bytes


def unknown(data: bytes) -> Unknown:
    """Unknown command whose name shows its first bytes."""
    return Unknown("unknown " + data[:4].hex(" "), bytes(data))
