# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Runs a virtual printer with its page: ``python -m pos_hardware_proxy.virtual_printer``."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from .page import start_page
from .printer import LANGUAGES, VirtualPrinter
from .rom import ROMS
from .state import BUSY

KEEP = 200  # strips whose picture is kept
EVENTS = 5000  # events that are kept


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m pos_hardware_proxy.virtual_printer",
        description="A receipt printer without hardware. It listens on this machine only.",
    )
    add = parser.add_argument
    add("--port", type=int, default=9100, help="port of the printer (default 9100; 0: any)")
    add("--page-port", type=int, default=9180, help="port of its page in the browser (default 9180; -1: no page)")
    add("--width", type=int, default=576, choices=(576, 512, 420, 384), help="dots of the head")
    add("--language", default="escpos", choices=LANGUAGES, help="what it understands (star: Star Line Mode)")
    add("--rom", default="japanese", choices=ROMS, help="characters that it has")
    add("--folder", type=Path, help="save each finished strip of paper there as PNG")
    add("--paper-speed", type=float, help="mm/s at which paper comes out, such as 200 (default: takes no time)")
    add("--paper-left", type=int, help="dots until the paper is out (default: endless)")
    add("--bytes-per-second", type=float, help="how fast bytes are taken, such as 3800 for a serial line")
    add("--receive-window", type=int, help="bytes of the socket's receive buffer")
    add("--sessions", type=int, default=1, help="connections at once (default 1)")
    add("--busy", default="wait", choices=BUSY, help="what happens to a further connection")
    add("--silent", action="store_true", help="answer nothing")
    return parser.parse_args(argv)


async def run(options: argparse.Namespace) -> None:
    """Run until the program is told to end. Raises OSError when a port is taken."""
    settings = vars(options).copy()
    page_port = settings.pop("page_port")
    printer = VirtualPrinter(**settings, keep=KEEP, events=EVENTS)
    runner = None
    end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end.set)
    await printer.start()
    try:
        print(f"printer: 127.0.0.1:{printer.port}", flush=True)
        if page_port >= 0:
            runner, page_port = await start_page(printer, page_port)
            print(f"page: http://127.0.0.1:{page_port}/", flush=True)
        await end.wait()
    finally:
        if runner:
            await runner.cleanup()
        await printer.stop()


def main(argv: list[str] | None = None) -> int:
    """Exit code 1 when a port is taken or a setting cannot be."""
    try:
        asyncio.run(run(arguments(argv)))
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
