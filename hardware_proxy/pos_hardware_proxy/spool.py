# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Print jobs on disk: committed before the first byte goes to a printer, and before the till is told "accepted".

A job's id is made by the till and never changes, whichever way the job comes and however often it is sent. What is
stored under an id is the answer for it.

    waiting ──> printing ──> printed
       │            └──────> unknown ──> printed | failed     (somebody looked at the paper)
       └──> failed

``waiting`` may go on by itself any time: no byte has left yet. ``printing`` goes back to ``waiting`` only before its
first byte, by who would have sent it; later, paper may have come out. When its end was not seen (line cut, proxy
killed), it is ``unknown``, and only a person can say.
"""

import hashlib
import sqlite3
import time
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, replace

from .refusals import Refused

WAITING, PRINTING, PRINTED, FAILED, UNKNOWN = "waiting", "printing", "printed", "failed", "unknown"
ENDED = (PRINTED, FAILED)
KEEP_DAYS = 30  # what a job was, without its picture

SCHEMA = """
CREATE TABLE IF NOT EXISTS job (
    id TEXT PRIMARY KEY,
    printer TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    created REAL NOT NULL,
    changed REAL NOT NULL,
    expires REAL NOT NULL,
    width INTEGER NOT NULL,
    pulse INTEGER NOT NULL,
    reprint_of TEXT REFERENCES job(id),
    digest TEXT NOT NULL,
    format TEXT NOT NULL DEFAULT 'picture'
) STRICT;
-- Apart, so that a change of state does not write the picture again.
CREATE TABLE IF NOT EXISTS picture (id TEXT PRIMARY KEY REFERENCES job(id), bits BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS drawer (id TEXT PRIMARY KEY, moment REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS drawer_sensor (printer TEXT PRIMARY KEY, open_level INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS job_open ON job (printer, created) WHERE state IN ('waiting', 'printing', 'unknown');
CREATE UNIQUE INDEX IF NOT EXISTS job_reprint ON job (reprint_of) WHERE reprint_of IS NOT NULL;
"""
OPEN = "state IN ('waiting', 'printing', 'unknown')"
LOOK_DAYS = 7  # after which nobody will look at a paper any more
HEAD = "id, printer, kind, state, reason, created, changed, expires, width, format, pulse, reprint_of"
COLUMNS = f"{HEAD}, (SELECT bits FROM picture WHERE picture.id = job.id)"


class OtherContent(Refused):
    """The id was used for something else before."""


class SpoolFull(Refused):
    """Too many jobs wait for this printer."""


@dataclass(frozen=True)
class Job:
    """What is to be printed.

    :param id: made by the till, unique for ever
    :param kind: ``receipt``, ``kitchen`` or ``test``
    :param width: dots per row of ``picture``, a multiple of 8
    :param packed: the same deflated, where it came so
    :param pulse: whether the drawer is opened before printing
    :param picture: 1 bit per dot, rows of ``width / 8`` bytes, most significant bit left, 1 is black; or, where
        ``format`` is ``text`` instead of ``picture``, what :func:`~.document.pack` gives, and ``width`` is 0
    :param created: seconds since 1970; ``expires`` too: not begun by then, it fails
    :param reprint_of: id of the job this one prints once more, with a mark
    """

    id: str
    printer: str
    kind: str
    width: int
    picture: bytes | None
    packed: bytes | None = None
    pulse: bool = False
    reprint_of: str | None = None
    created: float = 0.0
    expires: float = 0.0
    state: str = WAITING
    reason: str = ""
    changed: float = 0.0
    format: str = "picture"


class Spool:
    """The jobs of all printers, in one SQLite file.

    To be used from one thread. ``synchronous=FULL``: what was committed survives a power cut.
    """

    def __init__(self, path, quota=200, changed=lambda job_id: None):
        self._changed = changed  # told the id of each job whose state or reason has changed
        self.quota = quota  # jobs that may wait for one printer
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._synchronous = "FULL"
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.executescript(SCHEMA)
        if "format" not in {row[1] for row in self._db.execute("PRAGMA table_info(job)")}:  # of a version without texts
            self._db.execute("ALTER TABLE job ADD COLUMN format TEXT NOT NULL DEFAULT 'picture'")

    def close(self):
        self._db.close()

    def accept(self, job, lifetime, state=WAITING):
        """Keep a job; (the job as it stands, whether it is new). The same id again is answered, not printed.

        :param lifetime: seconds within which it must have begun
        :param state: ``printing`` when its printer begins at once: one flush less
        :raises OtherContent: the id stands for another picture or printer
        :raises SpoolFull: nothing was kept
        """
        now = time.time()
        digest = _digest(job)
        known = self._db.execute("SELECT digest FROM job WHERE id = ?", [job.id]).fetchone()
        if known is None:
            waiting = self._db.execute(
                "SELECT count(*) FROM job WHERE printer = ? AND state IN ('waiting', 'printing')", [job.printer]
            ).fetchone()[0]
            if waiting >= self.quota:
                raise SpoolFull(
                    "{waiting} jobs wait for the printer {name} already.", waiting=waiting, name=job.printer
                )
            job = replace(job, state=state, created=now, changed=now, expires=now + lifetime)
            if self._insert(job, digest):
                return job, True
            if self.get(job.id) is None:
                raise OtherContent("{job} was printed once more already.", job=job.reprint_of)
            known = self._db.execute("SELECT digest FROM job WHERE id = ?", [job.id]).fetchone()
        if known[0] != digest:
            raise OtherContent("The id {job} was used for another print before.", job=job.id)
        return self.get(job.id), False

    def _insert(self, job, digest):
        values = [job.id, job.printer, job.kind, job.state, job.created, job.changed, job.expires, job.width, job.pulse]
        with self._transaction():
            done = self._db.execute(
                "INSERT INTO job (id, printer, kind, state, created, changed, expires, width, pulse, reprint_of,"
                " digest, format) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [*values, job.reprint_of, digest, job.format],
            )
            if done.rowcount:
                bits = job.packed or zlib.compress(job.picture, 1)
                self._db.execute("INSERT INTO picture VALUES (?, ?)", [job.id, bits])
            return bool(done.rowcount)

    @contextmanager
    def _transaction(self, is_flushed=True):
        """All or nothing; not ``is_flushed``, a power cut may undo it, but not the end of this program."""
        synchronous = "FULL" if is_flushed else "NORMAL"
        if synchronous != self._synchronous:
            self._db.execute(f"PRAGMA synchronous = {synchronous}")
            self._synchronous = synchronous
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def get(self, job_id):
        """The job without its picture, or None."""
        row = self._db.execute(f"SELECT {HEAD}, NULL FROM job WHERE id = ?", [job_id]).fetchone()
        return row and _job(row)

    def get_whole(self, job_id):
        """The job with its picture, as long as it has not ended; or None."""
        row = self._db.execute(f"SELECT {COLUMNS} FROM job WHERE id = ?", [job_id]).fetchone()
        return row and _job(row)

    def next_waiting(self, printer):
        """The oldest job this printer may begin, or None. Those that waited too long fail first."""
        now = time.time()
        self._end(
            "reason = CASE reason WHEN '' THEN 'expired' ELSE 'expired: ' || reason END",
            "printer = ? AND state = 'waiting' AND expires < ?",
            [printer, now],
        )
        row = self._db.execute(
            f"SELECT {COLUMNS} FROM job WHERE printer = ? AND state = 'waiting' ORDER BY created, rowid LIMIT 1",
            [printer],
        ).fetchone()
        return row and _job(row)

    def move(self, job_id, old, new, reason=""):
        """Change the state if it is ``old``; whether it was. The picture of a job that has ended is dropped.

        The end alone is not flushed: undone by a power cut, the job is unknown, and somebody looks.
        """
        with self._transaction(is_flushed=old == WAITING or new not in ENDED):
            done = self._db.execute(
                "UPDATE job SET state = ?, reason = ?, changed = ? WHERE id = ? AND state = ?",
                [new, reason, time.time(), job_id, old],
            )
            if done.rowcount and new in ENDED:
                self._db.execute("DELETE FROM picture WHERE id = ?", [job_id])
        if done.rowcount:
            self._changed(job_id)
        return bool(done.rowcount)

    def _end(self, reason, condition, values):
        """Let jobs fail for which there is no hope."""
        ended = self._db.execute(f"SELECT id FROM job WHERE {condition}", values).fetchall()
        if not ended:
            return
        with self._transaction():
            self._db.execute(f"DELETE FROM picture WHERE id IN (SELECT id FROM job WHERE {condition})", values)
            self._db.execute(
                f"UPDATE job SET state = 'failed', changed = ?, {reason} WHERE {condition}", [time.time(), *values]
            )
        for (job_id,) in ended:
            self._changed(job_id)

    def explain(self, printer, reason):
        """Give all that wait for this printer the reason why."""
        rows = self._db.execute(
            "UPDATE job SET reason = ?, changed = ? WHERE printer = ? AND state = 'waiting' AND reason != ?"
            " RETURNING id",
            [reason, time.time(), printer, reason],
        ).fetchall()
        for (job_id,) in rows:
            self._changed(job_id)

    def recover(self, printers):
        """After a start: what was being printed when the proxy stopped is unknown. The names of those printers.

        What waits for a printer that is not set up any more fails.
        """
        marks = ", ".join("?" * len(printers))
        self._end("reason = 'no_printer'", f"state = 'waiting' AND printer NOT IN ({marks})", list(printers))
        rows = self._db.execute(
            "UPDATE job SET state = 'unknown', reason = 'stopped', changed = ? WHERE state = 'printing'"
            " RETURNING printer",
            [time.time()],
        )
        return {printer for (printer,) in rows}

    def note_drawer(self, request_id):
        """Keep that a drawer is opened for this request, before it is; False when it was noted before."""
        with self._transaction():
            values = [request_id, time.time()]
            done = self._db.execute("INSERT INTO drawer VALUES (?, ?) ON CONFLICT DO NOTHING", values)
        return bool(done.rowcount)

    def learn_sensor(self, printer, open_level):
        """Keep which level of its drawer's sensor means open."""
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO drawer_sensor VALUES (?, ?)", [printer, open_level])

    def open_level(self, printer):
        """The level that was learned, 0 or 1; or None."""
        row = self._db.execute("SELECT open_level FROM drawer_sensor WHERE printer = ?", [printer]).fetchone()
        return row and row[0]

    def open_jobs(self, printer):
        """Jobs that wait, print, or ask for somebody, oldest first; without their pictures."""
        rows = self._db.execute(
            f"SELECT {HEAD}, NULL FROM job WHERE printer = ? AND {OPEN} ORDER BY created, rowid",
            [printer],
        )
        return [_job(row) for row in rows]

    def last(self, count=50):
        """The newest jobs, newest first; without their pictures."""
        rows = self._db.execute(f"SELECT {HEAD}, NULL FROM job ORDER BY changed DESC LIMIT ?", [count])
        return [_job(row) for row in rows]

    def purge(self):
        """Forget jobs that ended more than 30 days ago; close those at whose paper nobody looked for a week."""
        now = time.time()
        self._end("reason = 'nobody_looked'", "state = 'unknown' AND changed < ?", [now - LOOK_DAYS * 86400])
        self._db.execute(
            "DELETE FROM job WHERE state IN ('printed', 'failed') AND changed < ?"
            " AND id NOT IN (SELECT reprint_of FROM job WHERE reprint_of IS NOT NULL)",
            [now - KEEP_DAYS * 86400],
        )
        self._db.execute("DELETE FROM drawer WHERE moment < ?", [now - KEEP_DAYS * 86400])


def _digest(job):
    head = f"{job.printer}\0{job.kind}\0{job.width}\0{job.reprint_of or ''}\0"
    head += "" if job.format == "picture" else f"{job.format}\0"  # pictures of the version before keep their digest
    return hashlib.sha256(head.encode() + (job.picture or b"")).hexdigest()


def _job(row):
    *values, pulse, reprint_of, bits = row
    names = ("id", "printer", "kind", "state", "reason", "created", "changed", "expires", "width", "format")
    picture = None if bits is None else zlib.decompress(bits)
    return Job(**dict(zip(names, values, strict=True)), pulse=bool(pulse), reprint_of=reprint_of, picture=picture)
