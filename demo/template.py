"""The finished shop, kept as a database and the sandboxes' journals; built once per state of the code."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from demo.processes import DemoError

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "demo_shop_"
# What cannot change the shop.
NOT_CODE = {"__pycache__", "tests", "README.md", "README.ja.md"}


@dataclass(frozen=True)
class Ready:
    db: str
    folder: Path


def key():
    """Fingerprint of everything the shop is made from."""
    digest = hashlib.sha256(os.environ["BRIDGE_TEMPLATE_DB"].encode())
    for top in ("pos_erp_bridge", "demo"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.is_file() and not NOT_CODE & set(path.relative_to(ROOT).parts):
                digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:10]


def _runtime():
    return Path(os.environ["BRIDGE_RUNTIME"])


def _filestore(db):
    return _runtime() / "data" / "filestore" / db


def odoo_command():
    return [os.environ["BRIDGE_PYTHON_BIN"], os.environ["BRIDGE_ODOO_BIN"], "-c", os.environ["BRIDGE_ODOO_CONF"]]


def databases():
    with contextlib.closing(psycopg2.connect(dbname="postgres")) as connection, connection.cursor() as cr:
        cr.execute("SELECT datname FROM pg_database")
        return {row[0] for row in cr.fetchall()}


def _postgres(program, *args):
    done = subprocess.run([program, *args], capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoError(f"{program} {' '.join(args)}: {done.stderr.strip()}")


def drop(db):
    _postgres("dropdb", "--if-exists", "--force", db)
    shutil.rmtree(_filestore(db), ignore_errors=True)


def copy(source, target):
    """Files are linked, not copied: Odoo never writes into a file of its store."""
    drop(target)
    _postgres("createdb", "-T", source, target)
    if _filestore(source).is_dir():
        shutil.copytree(_filestore(source), _filestore(target), copy_function=os.link)


def forget():
    """Drop every finished shop (``--rebuild``)."""
    for db in databases():
        if db.startswith(PREFIX):
            drop(db)
    shutil.rmtree(_runtime() / "demo", ignore_errors=True)


def find_or_build(processes, say):
    db = PREFIX + key()
    ready = Ready(db, _runtime() / "demo" / db)
    if db in databases() and (ready.folder / "levels.json").exists():
        return ready
    say("初回の準備をしています(数分)。  Building the demo shop (once, some minutes).")
    forget()
    part = db + "_part"
    ready.folder.mkdir(parents=True)
    try:
        _build(processes, part, ready.folder, say)
    except BaseException:
        processes.stop()
        with contextlib.suppress(DemoError):
            drop(part)
        raise
    shutil.rmtree(_filestore(db), ignore_errors=True)
    if _filestore(part).is_dir():
        _filestore(part).rename(_filestore(db))
    with contextlib.closing(psycopg2.connect(dbname="postgres")) as connection:
        connection.autocommit = True
        connection.cursor().execute(f'ALTER DATABASE "{part}" RENAME TO "{db}"')
    return ready


def _build(processes, db, folder, say):
    from demo import stage, warm_up

    copy(os.environ["BRIDGE_TEMPLATE_DB"], db)
    say("  installing the addon")
    install = ["-i", "pos_erp_bridge", "--stop-after-init", "--no-http", "--log-level=warn"]
    _finish(processes, "install", [*odoo_command(), "-d", db, *install])
    sandboxes = stage.start_sandboxes(processes, "--record", folder)
    say("  filling the shop, yesterday's and today's business")
    _finish(processes, "build", [sys.executable, ROOT / "demo" / "build.py", db, json.dumps(stage.sandbox_urls())])
    say("  opening every page once, so that its scripts are compiled")
    warm_up.run(processes, db)
    from demo.sandbox_client import SandboxClient

    levels = {system: SandboxClient(system, url).levels() for system, url in stage.sandbox_urls().items()}
    processes.end(sandboxes)
    (folder / "levels.json").write_text(json.dumps(levels))


def _finish(processes, name, command):
    process = processes.start(name, command)
    if process.wait():
        raise DemoError(f"The step “{name}” failed; {processes.log_path(name)} ends with:\n{processes.tail(name, 25)}")
    processes.end(process)
