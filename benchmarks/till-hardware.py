"""From a scanner's beep to the line on the till's screen.

    ./run bench till-hardware

Odoo's own till in a real Chromium; a scanner on a serial line (a pseudo-terminal), read by the hardware proxy, which
is a process of its own. The clock starts when the scanner has read and stops when the order on the screen shows it.
The baseline is the same product pressed on the same screen in turn, which is Odoo's own work. Figures:

scan_to_page_ms   until the page has the code: scanner → proxy → page
scan_to_line_ms   until the order shows it; baseline: from pressing the product until the order shows it
trouble_shown_ms  with no paper in the printer, from when the till begins to print until it says so; the limit is 1 s;
                  from_validate counts Odoo's saving of the sale as well
"""

import json
import os
import socket
import subprocess
import sys

import _lab

MARK = "bridge figures "


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def measured(db):
    """{"heard": …, "shown": …, "pressed": …}, milliseconds each, and "why": pairs of them."""
    command = [
        os.environ["BRIDGE_PYTHON_BIN"], os.environ["BRIDGE_ODOO_BIN"], "-c", os.environ["BRIDGE_ODOO_CONF"],
        "-d", db, "--test-tags", "bridge_speed/pos_erp_bridge", "--stop-after-init",
        "--http-port", str(free_port()), "--gevent-port", str(free_port()),
    ]  # fmt: skip
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
    lines = [line for line in run.stdout.splitlines() if MARK in line]
    if run.returncode or not lines:
        print(run.stdout[-3000:], file=sys.stderr)
        raise SystemExit("the till did not sell")
    return json.loads(lines[-1].partition(MARK)[2])


def main():
    with _lab.database("till_hardware") as db:
        times = measured(db)
    heard, shown, pressed = (times[name] for name in ("heard", "shown", "pressed"))
    _lab.figure("scan_to_page_ms", _lab.median(heard), "ms", p95=_lab.quantile(heard, 0.95), samples=len(heard))
    baseline = _lab.median(pressed)
    value = _lab.median(shown)
    _lab.figure(
        "scan_to_line_ms", value, "ms", p95=_lab.quantile(shown, 0.95), baseline=baseline, ratio=value / baseline,
        what="the same product pressed on the screen", samples=len(shown),
    )  # fmt: skip
    why, since_validate = zip(*times["why"], strict=True)
    _lab.figure(
        "trouble_shown_ms", _lab.median(why), "ms", limit=1000, longest=max(why),
        from_validate=_lab.median(since_validate), samples=len(why),
    )  # fmt: skip


if __name__ == "__main__":
    main()
