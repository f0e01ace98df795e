# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The cash drawer that hangs on a printer: opened now or never, and seen to open where it has a sensor."""

import asyncio
import time

from .link import LinkError

PULSE_S = 3.0  # a drawer opens now or not at all
SEEN_S = 1.0  # the sensor's time to notice


def is_in_time(asked):
    """Whether a drawer that was ``asked`` for then (seconds since 1970) is still wanted open."""
    return time.time() - asked <= PULSE_S


class Drawer:
    """Part of :class:`~.printer.Printer`."""

    def know_drawer(self):
        """Which level of the sensor means open, as the file says or as it was learned; None: not known."""
        learned = self.spool.open_level(self.config.name) if self.config.drawer else None
        self.open_level = learned if self.config.drawer_open_level is None else self.config.drawer_open_level

    async def open_drawer(self, asked):
        """Pulse the drawer now or not at all.

        :param asked: when somebody asked for it, in seconds since 1970
        :return: ``opened``, ``not_seen`` (the sensor did not move), ``pulsed`` (no sensor is known)
        :raises LinkError: no pulse was sent
        """
        while self._lock.locked() and not self._stopped and is_in_time(asked):
            await asyncio.sleep(0.02)
        if not is_in_time(asked):
            raise LinkError("too_late")
        if self._stopped:
            # A receipt waits for paper in the printer; what is real-time passes it.
            await self._link.write(self._says.pulse_now(self.config.drawer_pin))
            return await self._seen()
        await self._lock.acquire()
        try:
            await self._ready()
            if not is_in_time(asked):  # another was quicker, or the printer slow to answer
                raise LinkError("too_late")
            # In the buffer of a printer that is offline, or behind half a picture, it would come too late or never.
            command = self._says.pulse_now if self.status.trouble or self.torn else self._says.pulse
            await self._link.write(command(self.config.drawer_pin))
            return await self._seen()
        except LinkError:
            await self._hang_up()
            raise
        finally:
            self._lock.release()

    async def learn_drawer(self):
        """Pulse the drawer, which somebody has just closed, and keep the level to which its sensor goes.

        :return: whether the sensor moved
        :raises LinkError: no pulse was sent
        """
        asked = time.time()
        if self._lock.locked():
            raise LinkError("busy")
        async with self._lock:
            await self._ready()
        closed = self.status.drawer
        await self.open_drawer(asked)
        limit = time.monotonic() + SEEN_S
        while self.status.drawer == closed and time.monotonic() < limit:
            await asyncio.sleep(0.02)
        if closed is None or self.status.drawer == closed:
            return False
        self.open_level = self.status.drawer
        self.spool.learn_sensor(self.config.name, self.open_level)
        return True

    async def _seen(self):
        """Whether the sensor says "open"; the printer tells that by itself."""
        level = self.open_level
        if self.config.confirm == "none" or level is None:
            return "pulsed"
        limit = time.monotonic() + SEEN_S
        while time.monotonic() < limit and not self._link.lost.is_set():
            if self.status.drawer == level:
                return "opened"
            await asyncio.sleep(0.02)
        return "not_seen"
