# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What the doors for Odoo's own till share: its requests carry no id, and it wants one answer."""

import hashlib
import time
import uuid
from dataclasses import replace

from ..spool import FAILED, PRINTED, UNKNOWN, WAITING, Job

ANSWER_S = 7.0  # its own time-out is 15 s; a cashier should not wait half as long
SAME_S = 120.0  # the same paper again within this time, after "not printed", is the cashier pressing Retry


class Told:
    """Jobs of which a till was told "not printed" although they may still come out; Retry is for those."""

    def __init__(self):
        self._jobs = {}  # (printer, digest of the picture) → (id, when)

    def take(self, key):
        """The id of such a job, or None; it is given once."""
        job_id, moment = self._jobs.pop(key, (None, 0.0))
        return job_id if time.monotonic() - moment < SAME_S else None

    def add(self, key, job_id):
        while len(self._jobs) > 1000:
            self._jobs.pop(next(iter(self._jobs)))
        self._jobs[key] = job_id, time.monotonic()


async def print_once(proxy, told, printer, picture, width, kind="receipt"):
    """Print a picture and wait for what happens; the job.

    A job that cannot begin is taken back, because the cashier will press Retry. One that is on its way cannot be: Retry
    waits for it, and when nobody can say whether it came out, prints once more, marked. Two customers may well get the
    same receipt: only a till that was told "not printed" is taken to ask for the same paper.
    """
    key = printer.config.name, hashlib.sha256(picture).digest()
    job = _again(proxy, told.take(key))
    if job is None:
        new = Job(id=f"stock-{uuid.uuid4()}", printer=printer.config.name, kind=kind, width=width, picture=picture)
        job = proxy.submit(new)
    job = await proxy.outcome(job.id, ANSWER_S)
    # A reprint stays: taken back, nobody would know any more that there is a first paper.
    if job.state == WAITING and not job.reprint_of and proxy.cancel(job.id):
        return replace(job, state=FAILED, reason=job.reason or "busy")
    if job.state != PRINTED:
        told.add(key, job.id)
    return job


def _again(proxy, job_id):
    """The job that Retry is for, or the one that prints it once more; None when there is none."""
    job = job_id and proxy.spool.get(job_id)
    if job and job.state == UNKNOWN:
        return proxy.reprint(job.id, f"stock-{uuid.uuid4()}")
    return job if job and job.state != FAILED else None
