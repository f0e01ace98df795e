# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Ending tasks."""

import asyncio
import contextlib

AGAIN_S = 3.0  # longer than a line takes to close


async def end(task):
    """Cancel ``task`` until it has ended: wait_for() of Python 3.11 loses a cancellation that comes with its result."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=AGAIN_S)
    with contextlib.suppress(asyncio.CancelledError):
        await task
