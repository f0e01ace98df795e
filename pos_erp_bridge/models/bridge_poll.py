# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The poll lane: the net under the webhooks. Reads what changed, page by page, and resumes where it stopped."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from odoo import api, fields, models

from ..connectors.base import Capability, get

# Stream -> capability that offers it. Stores, products and customers first: documents refer to them.
POLLED = {
    "store": None,
    "product": Capability.PRODUCTS_IN,
    "customer": Capability.CUSTOMERS_IN,
    "sale": Capability.SALES_IN,
    "order": Capability.ORDERS_IN,
    "closing": Capability.CLOSING_IN,
}
# Streams of which all is read at first, not only what is newer than the channel's start.
MASTER_DATA = ("store", "product", "customer")
BEGINNING = datetime(2000, 1, 1)


class BridgeWatermark(models.Model):
    """How far a stream of a channel was read. Moves only after a window was read to its end and kept."""

    _name = "bridge.watermark"
    _description = "Reading position"

    channel_id = fields.Many2one("bridge.channel", required=True, ondelete="cascade")
    company_id = fields.Many2one(related="channel_id.company_id")
    stream = fields.Char(required=True)
    position = fields.Datetime(help="Everything changed before this was read.")
    until = fields.Datetime(help="End of the window being read.")
    cursor = fields.Char(help="Next page of the window being read.")
    polled_at = fields.Datetime()

    _stream_uniq = models.Constraint("UNIQUE(channel_id, stream)", "One position per stream.")


class BridgeChannel(models.Model):
    _inherit = "bridge.channel"

    watermark_ids = fields.One2many("bridge.watermark", "channel_id")

    def _run_poll(self):
        connector = self._connector()
        with self._transaction() as channel:
            due = channel._due_streams()
        for stream in due:
            while self._retrying(lambda channel, stream=stream: channel._poll_page(connector, stream)):
                pass
        self._run_poll_extra()

    def _run_poll_extra(self):
        """Hook for periodic work of a channel (closing business days, …), each in its own transaction."""

    def _due_streams(self):
        """Streams not read within the poll interval."""
        limit = fields.Datetime.subtract(fields.Datetime.now(), minutes=self.poll_minutes)
        marks = {mark.stream: mark for mark in self.watermark_ids}
        return [
            stream
            for stream, capability in POLLED.items()
            if stream in get(self.system).streams
            and (capability is None or self._can(capability))
            and not (stream in marks and not marks[stream].until and (marks[stream].polled_at or BEGINNING) > limit)
        ]

    def _poll_page(self, connector, stream):
        """Read and keep one page; True while there is more to read now."""
        spec, now = connector.streams[stream], fields.Datetime.now()
        mark = self._watermark(stream)
        is_first = not mark.position
        since = mark.position - spec.lookback if mark.position else self._beginning(stream)
        until = mark.until or min(now, since + spec.window if spec.window else now)
        page = connector.pull(stream, since.replace(tzinfo=UTC), until.replace(tzinfo=UTC), mark.cursor or None)
        new = self.env["bridge.event"]._take_facts(self, page.facts, "poll")
        if page.cursor:
            mark.write({"cursor": page.cursor, "until": until})
        else:
            mark.write({"cursor": False, "until": False, "position": until, "polled_at": now})
        if new:
            if not is_first and stream not in MASTER_DATA and self._can(Capability.WEBHOOKS):
                self.repaired_count += new
            self._wake("inbound")
        # What came while several pages were read is for the next poll: a pass overlaps the one before it, so one that
        # takes longer than a moment would never end.
        return bool(page.cursor) or until < fields.Datetime.subtract(now, minutes=self.poll_minutes)

    def _watermark(self, stream):
        mark = self.watermark_ids.filtered(lambda m: m.stream == stream)
        return mark or self.env["bridge.watermark"].create({"channel_id": self.id, "stream": stream})

    @api.model
    def _local_midnight(self, day, timezone):
        """Start of a day in a time zone, as naive UTC."""
        local = datetime.combine(day, time.min, ZoneInfo(timezone))
        return local.astimezone(UTC).replace(tzinfo=None)

    def _beginning(self, stream):
        return BEGINNING if stream in MASTER_DATA else self._local_midnight(self.start_date, self.timezone)
