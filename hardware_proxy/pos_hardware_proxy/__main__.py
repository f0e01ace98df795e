# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""pos-hardware-proxy [--config FILE]   serve the tills until told to stop
pos-hardware-proxy --config FILE --check    say what is wrong with the file
"""

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from .config import Config, ConfigError
from .fonts import NO_FONT, find_font
from .http import CERTIFICATES, GATE
from .security import CannotStart
from .serve import serving
from .web import make_app

DEFAULT = Path("/etc/pos-hardware-proxy.toml")


def main():
    parser = argparse.ArgumentParser(prog="pos-hardware-proxy", description="Prints for tills, and says what happened.")
    parser.add_argument("--config", type=Path, default=DEFAULT, help=f"the file with all settings ({DEFAULT})")
    parser.add_argument("--check", action="store_true", help="only read the file and say what is wrong")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        config = Config.load(arguments.config)
    except ConfigError as error:
        sys.exit(f"{arguments.config}: {error}")
    without_font = not config.font and not find_font() and NO_FONT
    if arguments.check:
        if without_font:
            print(without_font)
        print(f"{arguments.config}: {len(config.printers)} printers, fine.")
        return
    if without_font:
        logging.getLogger(__name__).warning(without_font)
    try:
        app = make_app(config)
    except CannotStart as error:
        sys.exit(str(error))
    if not app[GATE].keys.secret:
        print(f"Not connected with Odoo yet. Code: {app[GATE].pairing.offer()} (10 minutes)", flush=True)
    if app[CERTIFICATES]:
        print(f"Fingerprint of the certificate for tills: {app[CERTIFICATES].fingerprint}", flush=True)
    asyncio.run(_serve(app))


async def _serve(app):
    """Until told to stop."""
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    async with serving(app):
        await told.wait()


if __name__ == "__main__":
    main()
