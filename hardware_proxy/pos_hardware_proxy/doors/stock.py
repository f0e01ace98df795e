# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What the doors for Odoo's own till share: its requests carry no id, and it wants one answer."""

import time
import uuid
from dataclasses import replace

from ..spool import FAILED, UNKNOWN, WAITING, Job

ANSWER_S = 7.0  # its own time-out is 15 s; a cashier should not wait half as long
SAME_S = 120.0  # the same paper again within this time is the cashier pressing Retry


async def print_once(proxy, printer, picture, width, kind="receipt"):
    """Print a picture and wait for what happens; the job.

    A job that cannot begin is taken back, because the cashier will press Retry. Pressing it while the first is still on
    its way waits for the first. Pressing it when nobody can say whether the first came out prints once more, marked.
    """
    job = Job(id=f"stock-{uuid.uuid4()}", printer=printer.config.name, kind=kind, width=width, picture=picture)
    same = proxy.same_open(job, time.time() - SAME_S)
    if same is None:
        job = proxy.submit(job)
    elif same.state == UNKNOWN:
        job = proxy.reprint(same.id, job.id)
    else:
        job = same
    job = await proxy.outcome(job.id, ANSWER_S)
    if job.state == WAITING and proxy.cancel(job.id):
        return replace(job, state=FAILED, reason=job.reason or "busy")
    return job
