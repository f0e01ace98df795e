# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Scales that speak Toledo 8217: asked for the weight, they answer with it, or with why they cannot.

Legal metrology: what is shown and sold is a weight at rest. A moving scale gives none, and the last weight at rest is
repeated only where the scale itself says that nothing has changed.
"""

import asyncio
import contextlib
import time
from decimal import Decimal
from typing import NamedTuple

from .link import LinkError, open_link
from .tasks import end

ASK, START, END, TROUBLE = b"W", 0x02, 0x0D, ord("?")
ANSWER_S, POLL_S, RETRY_S = 0.5, 0.25, 1.0
FRESH_S = 2.0  # an answer older than that says nothing
LONGEST = 32  # bytes of an answer
MOVING, OVER, UNDER, OUT_OF_ZERO = 0x01, 0x02, 0x04, 0x08


class Weight(NamedTuple):
    """``kilograms`` at rest (Decimal), or None with a ``reason``: moving, over, under, not_zero, or the line's."""

    kilograms: Decimal | None
    reason: str = ""


def parse(answer, last=None):
    """The weight in an answer without its frame (what is between 02h and 0Dh).

    :param last: the last weight at rest, which a scale means that answers "no trouble" instead of repeating it
    """
    if answer[:1] == b"?":
        bits = answer[1] if len(answer) > 1 else MOVING
        for bit, reason in ((OVER, "over"), (UNDER, "under"), (OUT_OF_ZERO, "not_zero"), (MOVING, "moving")):
            if bits & bit:
                return Weight(None, reason)
        return Weight(last) if last is not None else Weight(None, "moving")
    with contextlib.suppress(ArithmeticError, UnicodeDecodeError):
        kilograms = Decimal(answer.decode("ascii").strip().rstrip("Nn"))
        if kilograms.is_finite():
            return Weight(kilograms)
    return Weight(None, "garbled")


class Scale:
    """Asks one scale for as long as it runs.

    :param config: :class:`~.config.ScaleConfig`
    """

    def __init__(self, config):
        self.config = config
        self._weight, self._at, self._last = Weight(None, "silent"), 0.0, None
        self._rest, self._heard, self._task = b"", asyncio.Event(), None

    def start(self):
        self._task = asyncio.create_task(self._run(), name=f"scale {self.config.name}")

    async def stop(self):
        await end(self._task)

    @property
    def weight(self):
        """The weight now."""
        if self._weight.kilograms is not None and time.monotonic() - self._at > FRESH_S:
            return Weight(None, "silent")
        return self._weight

    async def _run(self):
        while True:
            try:
                link = await open_link(self.config.address, self._read)
            except LinkError as error:
                self._set(Weight(None, str(error)))
                await asyncio.sleep(RETRY_S)
                continue
            try:
                await self._poll(link)
            except LinkError as error:
                self._set(Weight(None, str(error)))
            finally:
                await link.close()

    async def _poll(self, link):
        while not link.lost.is_set():
            self._heard.clear()
            await link.write(ASK)
            try:
                await asyncio.wait_for(self._heard.wait(), ANSWER_S)
            except TimeoutError:
                self._set(Weight(None, "silent"))
            await asyncio.sleep(POLL_S)
        raise LinkError("unplugged")

    def _read(self, data):
        self._rest = (self._rest + data)[-LONGEST:]
        while True:
            start = self._rest.find(START)
            end = self._rest.find(END, start)
            if start < 0 or end < 0:
                return
            self._set(parse(self._rest[start + 1 : end], self._last))
            self._rest = self._rest[end + 1 :]
            self._heard.set()

    def _set(self, weight):
        self._weight, self._at = weight, time.monotonic()
        self._last = weight.kilograms  # forgotten when it moves: what lies there then is something else
