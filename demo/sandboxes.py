"""The vendors' sandboxes of the demo, in one process.  sandboxes.py [--record|--replay] FOLDER SYSTEM=PORT …

A sandbox lives in memory, the demo's database on disk, and both must know the same receipts, with the same
ids and times. So while the demo shop is built every write is kept (``--record``), with the moment the sandbox
was told it was; at each start the writes are played again under that clock (``--replay``).

Adds two things to every sandbox:

* ``GET /_sandbox/changes?after=N``  every change of a level, with the moment it was made
* while recording, a header ``X-Demo-At`` says what time it is, so that yesterday can be made today
"""

import argparse
import contextlib
import importlib
import json
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from freezegun import freeze_time
from freezegun.api import real_time
from werkzeug.exceptions import HTTPException
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

# The connectors run without Odoo; imported as part of the addon they would pull it in.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "pos_erp_bridge"))

AT = "X-Demo-At"


class Hosted:
    """Mixin of a vendor's sandbox: clock, journal and the moments of its changes."""

    clock = journal = None
    is_replaying = False

    def __init__(self):
        self.changes_seen, self._last_levels = [], {}
        super().__init__()

    def _dispatch(self, request):
        if request.path == "/_sandbox/changes":
            after = int(request.args.get("after", 0))
            return self.json({"changes": self.changes_seen[after:], "next": len(self.changes_seen)})
        if self.journal:
            return self._record(request)
        try:
            return super()._dispatch(request)
        finally:
            if request.method != "GET":
                self._note_levels()

    def _note_levels(self):
        at = time.time()
        with self.lock:
            levels = {(s, c): q for s, codes in self.state()["levels"].items() for c, q in codes.items()}
            changed = [(key, q) for key, q in levels.items() if self._last_levels.get(key) != q]
            self._last_levels = levels
            self.changes_seen += [{"at": at, "store": s, "code": c, "level": q} for (s, c), q in changed]

    # -- recording -------------------------------------------------------------------------------
    def _record(self, request):
        with self.lock:
            at = request.headers.get(AT) or datetime.fromtimestamp(real_time(), UTC).isoformat()
            self.clock.move_to(datetime.fromisoformat(at))
            body = request.get_data()
            is_action = request.path.startswith("/_sandbox/do/")
            if is_action or (request.method != "GET" and self.is_write(request)):
                entry = {"at": at, "method": request.method, "url": request.full_path.rstrip("?")}
                entry |= {"type": request.content_type, "body": body.decode()}
                self.journal.write(json.dumps(entry, ensure_ascii=False) + "\n")
                self.journal.flush()
            return super()._dispatch(request)

    def replay(self, entries):
        self.is_replaying = True
        for entry in entries:
            self.clock.move_to(datetime.fromisoformat(entry["at"]))
            path, _, query = entry["url"].partition("?")
            call = EnvironBuilder(path, method=entry["method"], query_string=query, data=entry["body"].encode(),
                                  content_type=entry["type"])  # fmt: skip
            # What was refused then (a token asked for, say) is refused again and changes nothing.
            with contextlib.suppress(HTTPException):
                super()._dispatch(Request(call.get_environ()))
        self.is_replaying = False

    def authorize(self, request):
        return None if self.is_replaying else super().authorize(request)

    def throttle(self, request):
        return None if self.is_replaying else super().throttle(request)


def make(system):
    base = importlib.import_module(f"connectors.sandboxes.{system}").Sandbox
    return type("Sandbox", (Hosted, base), {})()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--replay", action="store_true")
    parser.add_argument("folder", type=Path, help="where the journals are kept")
    parser.add_argument("sandbox", nargs="+", help="SYSTEM=PORT")
    args = parser.parse_args()
    ports = dict(word.split("=") for word in args.sandbox)
    freezer = freeze_time(datetime.fromtimestamp(0, UTC))
    # Made before the clock stands still, so that freezegun finds their modules.
    classes = {system: importlib.import_module(f"connectors.sandboxes.{system}") for system in ports}
    clock = freezer.start() if args.record or args.replay else None
    sandboxes = {system: make(system) for system in classes}
    for system, sandbox in sandboxes.items():
        sandbox.clock, file = clock, args.folder / f"{system}.jsonl"
        if args.record:
            sandbox.journal = file.open("w", encoding="utf-8")
        if args.replay:
            sandbox.replay(map(json.loads, file.read_text(encoding="utf-8").splitlines()))
            sandbox._note_levels()
    if args.replay:
        freezer.stop()
    print(json.dumps({system: sandbox.start(int(ports[system])) for system, sandbox in sandboxes.items()}), flush=True)
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_args: done.set())
    done.wait()


if __name__ == "__main__":
    main()
