"""The hardware proxy as a process, and tills that ask it; what print.py and print-faults.py share."""

import asyncio
import contextlib
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "hardware_proxy"), str(ROOT / "tests")]

from pos_hardware_proxy import security  # noqa: E402
from proxy_shop import ORIGIN, SECRET, Till, paper  # noqa: E402, F401


def pair(folder):
    """The keys of a proxy whose state is in that folder."""
    keys = security.Keys(folder / "keys.json")
    keys.pair(SECRET)
    return keys


def configure(folder, port, printers, odoo=""):
    """(path of the proxy's configuration, its keys) for printers: {name: port}."""
    keys = pair(folder)
    text = f'[proxy]\nstate = "{folder}"\nport = {port}\norigins = ["{ORIGIN}"]\nodoo = "{odoo}"\n'
    for name, number in printers.items():
        text += f'[[printer]]\nname = "{name}"\naddress = "tcp://127.0.0.1:{number}"\n'
    path = folder / "proxy.toml"
    path.write_text(text)
    return path, keys


def start(*arguments):
    """A Python process that finds the proxy."""
    return subprocess.Popen([sys.executable, *arguments], cwd=ROOT / "hardware_proxy", stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def process(*arguments):
    """The same, ended at the end."""
    running = start(*arguments)
    try:
        yield running
    finally:
        running.terminate()
        running.wait(10)


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def answers(*ports):
    """Return when somebody listens on each."""
    for port in ports:
        for _attempt in range(400):
            with contextlib.suppress(OSError):
                _reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.05)
        else:
            raise SystemExit(f"nobody answers on port {port}")
