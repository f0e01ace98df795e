# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Every lock of the addon, in one place, each with its reason.

Odoo runs REPEATABLE READ: a lock taken *inside* a working transaction is older news than its snapshot, so
what must be exact takes its lock on another connection *before* the working transaction starts.
"""

import hashlib
import os
import select
from contextlib import contextmanager

from psycopg2.errors import DeadlockDetected, LockNotAvailable, SerializationFailure
from psycopg2.extensions import ISOLATION_LEVEL_READ_COMMITTED, TRANSACTION_STATUS_IDLE

from odoo.modules.registry import Registry
from odoo.tools import SQL

LANE_PATIENCE_MS = 10_000
# Another transaction got in between: nothing is wrong, the same again will do.
CONCURRENCY_ERRORS = (SerializationFailure, DeadlockDetected, LockNotAvailable)


def lock_key(kind, *parts):
    """A stable signed 64-bit key of a typed name, for ``pg_advisory_lock``."""
    text = "\x00".join(("pos_erp_bridge", kind, *map(str, parts)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


@contextmanager
def lane_lock(registry, channel_id, lane):
    """One worker per channel and lane: two workers would each see part of what waits and apply versions of
    the same document side by side. Yields False when somebody else kept the lane for LANE_PATIENCE_MS: he
    looks again before he leaves, so nothing is left lying.

    A session lock, so that the connection is not "idle in transaction" (which would hold back vacuum) for
    as long as the lane works; it falls with the connection when the process is killed.
    """
    key = lock_key("lane", channel_id, lane)
    with registry.cursor() as cr:
        try:
            cr.execute("SELECT set_config('lock_timeout', %s, true)", [str(LANE_PATIENCE_MS)])
            cr.execute("SELECT pg_advisory_lock(%s)", [key], log_exceptions=False)
        except LockNotAvailable:
            cr.rollback()
            yield False
            return
        # A cursor of our own, and the lock is the session's: the commit only ends the transaction.
        cr.commit()  # pylint: disable=invalid-commit
        try:
            yield True
        finally:
            cr.execute("SELECT pg_advisory_unlock(%s)", [key])


# Claims events of a lane. SKIP LOCKED: a row lock means somebody is at it; a killed worker frees it.
CLAIM_EVENTS = """
    SELECT id FROM bridge_event
     WHERE channel_id = %s AND state = 'pending' AND run_at <= %s AND is_hint = %s
     ORDER BY priority, id LIMIT %s FOR UPDATE SKIP LOCKED
"""

# Takes touched stock keys of a channel off the table. SKIP LOCKED for the same reason.
CLAIM_TOUCHES = """
    DELETE FROM bridge_touch WHERE id IN (
        SELECT id FROM bridge_touch WHERE channel_id = %s ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
    RETURNING store_id, product_id, own_quantity
"""

# Numbers for documents of a till session. Writes the row on purpose: who closes the session at the same time
# conflicts with it, and one of the two starts over; a mere lock would let both pass on old snapshots.
BOOK_SESSIONS = """
    UPDATE pos_session SET bridge_last_number = coalesce(bridge_last_number, 0) + %s
     WHERE id = %s AND state = 'opened' RETURNING bridge_last_number
"""

# A session about to be closed: see BOOK_SESSIONS.
CLOSE_SESSION = "SELECT id FROM pos_session WHERE id = %s FOR UPDATE"

# Quants sales take from or give back to, read and held at once, by id: nobody waits crosswise. Places where goods
# only come and go (customers) are left out: nothing is decided by what lies there, so rows are appended instead.
TAKE_QUANTS = """
    SELECT id, product_id, location_id, package_id, quantity, reserved_quantity, in_date FROM stock_quant
     WHERE product_id = ANY(%s) AND location_id = ANY(%s) AND lot_id IS NULL AND owner_id IS NULL
     ORDER BY id FOR NO KEY UPDATE
"""

# -- promises -------------------------------------------------------------------------------------
# One row per product, the gate: whoever promises stock of it passes here, one at a time, in product order. The row
# is *written*, not just locked: a transaction that reserves through the ORM (REPEATABLE READ) then conflicts with a
# promise made since its snapshot, and starts over, instead of counting on old numbers.
PASS_GATE = """
    WITH mine AS (SELECT product_id FROM bridge_gate WHERE product_id = ANY(%s) ORDER BY product_id FOR NO KEY UPDATE)
    UPDATE bridge_gate g SET passed = g.passed + 1 FROM mine WHERE g.product_id = mine.product_id
"""
OPEN_GATE = """
    INSERT INTO bridge_gate (product_id, passed) SELECT id, 0 FROM product_product WHERE id = ANY(%s) ORDER BY id
        ON CONFLICT (product_id) DO NOTHING
"""
PROMISE_PATIENCE_MS = 5_000

# Promises nobody kept in time. SKIP LOCKED: one that is just being turned into a reservation is not ours to end.
EXPIRE = """
    UPDATE bridge_hold SET state = 'expired', ended_at = %(now)s
     WHERE id IN (SELECT id FROM bridge_hold WHERE state = 'active' AND expires_at <= %(now)s
                   ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
    RETURNING location_id, product_id
"""

# Exactly once: of two who end the same promise, the second finds it ended (or starts over, in a working transaction).
END = """
    UPDATE bridge_hold SET state = %(state)s, ended_at = %(now)s
     WHERE id = ANY(%(ids)s) AND state = 'active'
    RETURNING id, location_id, product_id, quantity
"""

# The goods of preorders came in. Exactly once, as above; in the transaction that brings them.
TAKE_INCOMING = """
    UPDATE bridge_hold SET source = 'hand' WHERE id = ANY(%s) AND state = 'active' AND source = 'incoming'
"""


BEGIN_PROMISE = f"SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {PROMISE_PATIENCE_MS}"
# Odoo's pool makes a connection forget all its plans whenever it is handed out, and planning is most of what a claim
# costs. So some cursors are kept for promises: {(process id, database): [cursors nobody uses]}, at most so many.
KEPT_CURSORS = 8
_kept = {}


@contextmanager
def promise_cursor(registry):
    """A short transaction of its own for promises, committed at the end: READ COMMITTED, so that what is read behind
    the gate is the newest there is. (Inside of a test's transaction, the only one there is, the level stays.)"""
    if getattr(registry.cursor, "__func__", None) is not Registry.cursor:  # tests put their own cursors here
        with registry.cursor() as cr:
            if cr.connection.info.transaction_status == TRANSACTION_STATUS_IDLE:
                cr.execute(BEGIN_PROMISE)
            yield cr
        return
    kept = _kept.setdefault((os.getpid(), registry.db_name), [])
    cr = _begin_promise(registry, kept)
    try:
        yield cr
        cr.commit()  # pylint: disable=invalid-commit
    except BaseException:
        cr.close()
        raise
    if len(kept) < KEPT_CURSORS:
        kept.append(cr)
    else:
        cr.close()


def _begin_promise(registry, kept):
    """A cursor no transaction is begun on: a kept one that is still alive, or a new one. What it is set to holds for
    the session (the pool resets it), so a promise costs no statement more than itself."""
    while kept:
        try:
            cr = kept.pop()
        except IndexError:  # another thread was quicker
            break
        if _is_alive(cr):
            return cr
        if not cr.closed:
            cr.close()
    cr = registry.cursor()
    cr.connection.set_isolation_level(ISOLATION_LEVEL_READ_COMMITTED)
    cr.execute(SQL("SET lock_timeout = %s", PROMISE_PATIENCE_MS))
    return cr


def _is_alive(cr):
    """Whether the connection was closed meanwhile, by either side. A server that left is something to be read."""
    if cr.closed or cr.connection.closed:
        return False
    poll = select.poll()
    poll.register(cr.connection.fileno(), select.POLLIN)
    return not poll.poll(0)


# -- register -------------------------------------------------------------------------------------
CHAIN_END = """
    SELECT position, hash FROM {table} WHERE company_id = %s AND position IS NOT NULL ORDER BY position DESC LIMIT 1
"""


def chain_end(cr, registry, table, company_id):
    """(position, hash) of the last row of a company's chain, or None; nobody lengthens it until we commit.

    The end has to be read after the lock was got, but the working transaction's snapshot is older than that. So it is
    read on a second connection; our own rows are seen on ours. Only rows are appended: a counter that everybody
    updates would make every sale start over that began before another ended.
    """
    cr.execute("SELECT pg_advisory_xact_lock(%s)", [lock_key("chain", table, company_id)])
    query = CHAIN_END.format(table=table)
    cr.execute(query, [company_id])
    ours = cr.fetchone()
    with promise_cursor(registry) as fresh:
        fresh.execute(query, [company_id])
        theirs = fresh.fetchone()
    return max((end for end in (ours, theirs) if end), default=None)
