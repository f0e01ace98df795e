"""What every benchmark needs: a database with the addon, an Odoo in this process or as a server, figures.

The environment (BRIDGE_*, PG*) is set by ``./run bench``.
"""

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.request

RUNTIME = os.environ["BRIDGE_RUNTIME"]


def figure(name, value, unit, **more):
    """Print one figure as a line of JSON; ``baseline`` and ``ratio`` go among ``more``."""
    rounded = {k: round(v, 3) if isinstance(v, float) else v for k, v in {"value": value, **more}.items()}
    print(json.dumps({"figure": name, "unit": unit, **rounded}), flush=True)


def quantile(values, share):
    """The value below which ``share`` (0–1) of the values lie."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


median = statistics.median


@contextlib.contextmanager
def database(name, modules="pos_erp_bridge"):
    """A fresh copy of the template, with ``modules`` installed ("" for none); dropped afterwards."""
    name = f"bench_{name}_{os.getpid()}"
    subprocess.run(["createdb", "-T", os.environ["BRIDGE_TEMPLATE_DB"], name], check=True)
    try:
        if modules:
            odoo(name, "-i", modules, "--stop-after-init", "--no-http", "--log-level=warn")
        yield name
    finally:
        subprocess.run(["dropdb", "--force", "--if-exists", name], check=False)


def odoo(db, *args):
    """Run Odoo's command line to its end."""
    subprocess.run([*_odoo_command(), "-d", db, *args], check=True, stdout=sys.stderr)


def _odoo_command():
    return [os.environ["BRIDGE_PYTHON_BIN"], os.environ["BRIDGE_ODOO_BIN"], "-c", os.environ["BRIDGE_ODOO_CONF"]]


@contextlib.contextmanager
def server(db, *options, workers=2, cron_threads=1):
    """A real prefork server on the configured port; yields its base URL. Its whole process group ends with it."""
    url = f"http://127.0.0.1:{os.environ['BRIDGE_HTTP_PORT']}"
    args = ["-d", db, f"--workers={workers}", f"--max-cron-threads={cron_threads}", "--log-level=warn", *options]
    with open(os.path.join(RUNTIME, "log", f"{db}.log"), "w") as log:
        process = subprocess.Popen([*_odoo_command(), *args], stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_for(url, process)
        yield url
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for(url, process):
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"the server ended at once; see {RUNTIME}/log")
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{url}/web/health", timeout=5).read()
            return
        time.sleep(0.1)
    raise SystemExit("the server did not come up in 60 s")


@contextlib.contextmanager
def environment(db):
    """An Odoo environment of the superuser in this process, on real cursors."""
    import odoo.api
    import odoo.modules.registry
    import odoo.tools

    odoo.tools.config.parse_config(["-c", os.environ["BRIDGE_ODOO_CONF"], "-d", db, "--log-level=warn"])
    registry = odoo.modules.registry.Registry(db)
    with registry.cursor() as cr:
        yield odoo.api.Environment(cr, odoo.api.SUPERUSER_ID, {})
    odoo.sql_db.close_db(db)
