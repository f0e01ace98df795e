"""Child processes that never outlive the demo.

Each child leads a process group of its own, so that Ctrl-C reaches only us and we end them in order; the
kernel ends them when we are killed without a chance to do so (PR_SET_PDEATHSIG).
"""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

PR_SET_PDEATHSIG = 1
GRACE = 4.0  # seconds a child has to end by itself; what it works on is thrown away
_libc = ctypes.CDLL(None, use_errno=True)


class DemoError(Exception):
    """Something a person has to mend; the text says what and how."""


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Processes:
    """What was started, newest last; ``stop`` ends it in reverse."""

    def __init__(self, log_folder):
        self.log_folder = Path(log_folder)
        self.log_folder.mkdir(parents=True, exist_ok=True)
        self._children = []

    def start(self, name, command, **popen):
        """Start a child whose output goes to ``<name>.log`` (unless ``stdout`` is given)."""
        with self.log_path(name).open("wb") as log:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                **{"stdout": log, "stderr": log, **popen},
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self._children.append((name, process))
        return process

    def log_path(self, name):
        return self.log_folder / f"demo-{name}.log"

    def tail(self, name, lines=15):
        with contextlib.suppress(OSError):
            return "\n".join(self.log_path(name).read_text(errors="replace").splitlines()[-lines:])
        return ""

    def check(self):
        """Raise when a child ended by itself."""
        for name, process in self._children:
            if process.poll() is not None:
                raise DemoError(f"{name} ended by itself ({process.returncode}):\n{self.tail(name)}")

    def end(self, process):
        """End one child and everything it started."""
        self._children = [(name, child) for name, child in self._children if child is not process]
        _end(process)

    def stop(self):
        while self._children:
            _end(self._children.pop()[1])


def _end(process):
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    # Whoever is left of its group (it is still ours: the leader's id is not given away before the wait).
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def need_free(port, variable):
    """Say plainly that a port is taken, before anything is started."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DemoError(
                f"Port {port} is taken by another program. Choose a free one: {variable}=… ./run demo\n"
                f"ポート {port} は別のプログラムが使用中です。空いている番号を指定してください: {variable}=… ./run demo"
            ) from error


def wait_for(url, processes, seconds):
    """Wait until ``url`` answers 200."""
    deadline = time.monotonic() + seconds
    while True:
        processes.check()
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url, timeout=seconds).read()
            return
        if time.monotonic() > deadline:
            raise DemoError(f"{url} did not answer within {seconds} s; see {processes.log_folder}")
        time.sleep(0.1)
