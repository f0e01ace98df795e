# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models

from ..connectors.base import Capability

# A channel tells of stock that moved. Mostly it sold, and the sale is booked before this time is over.
LOOK_AFTER = 120  # seconds
LOOK_BATCH = 50  # levels looked at in one go
LOOK_QUEUE = 1000  # more than this are left to the nightly comparison


class BridgeAgreementLook(models.Model):
    """Levels a comparison has seen, and levels to be looked at because the channel told of them. Append only, as
    ``bridge.touch``, so that no lane gets in the way of another."""

    _name = "bridge.agreement.look"
    _description = "Look at a level"
    _log_access = False

    channel_id = fields.Integer(required=True, index=True)
    agreement_id = fields.Integer(index=True)  # empty: asked for by a hint
    level_id = fields.Integer(required=True)
    agrees = fields.Boolean()
    look_at = fields.Datetime()

    _due_index = models.Index("(channel_id, look_at) WHERE look_at IS NOT NULL")

    @api.model
    def _ask(self, channel, hints):
        """Stock hints {(store id, stock id): {marks}} that are no echo of ours: have a look at those levels later.

        The echo of a push is known by the vendor's id of the change, never by its number: a real sale can bring back
        the same number.
        """
        marks = {mark for found in hints.values() for mark in found}
        self.env.cr.execute(
            "SELECT echo_mark FROM bridge_stock_level WHERE channel_id = %s AND echo_mark = ANY(%s)",
            [channel.id, list(marks)],
        )
        own = {row[0] for row in self.env.cr.fetchall()}
        foreign = [key for key, found in hints.items() if found - own]
        if not foreign or self._waiting(channel) >= LOOK_QUEUE:
            return
        levels, _unmapped = self.env["bridge.stock.level"]._of_channel(channel, foreign)
        look_at = fields.Datetime.add(fields.Datetime.now(), seconds=LOOK_AFTER)
        self.create(
            [
                {"channel_id": channel.id, "level_id": level.id, "look_at": look_at}
                for level in levels.values()
                if level.is_known
            ]
        )

    def _waiting(self, channel):
        return self.search_count([("channel_id", "=", channel.id), ("look_at", "!=", False)], limit=LOOK_QUEUE)

    @api.model
    def _due(self, channel):
        """Levels to be looked at now."""
        domain = [("channel_id", "=", channel.id), ("look_at", "<=", fields.Datetime.now())]
        looks = self.search(domain, limit=LOOK_BATCH, order="look_at")
        return self.env["bridge.stock.level"].browse(dict.fromkeys(looks.mapped("level_id"))).exists()

    @api.model
    def _done(self, channel, level_ids):
        self.search([("channel_id", "=", channel.id), ("look_at", "<=", fields.Datetime.now()),
                     ("level_id", "in", level_ids)]).unlink()  # fmt: skip


class BridgeChannel(models.Model):
    _inherit = "bridge.channel"

    def _ask_looks(self, connector, hints):
        """Stock hints {external id of the level: marks}. A vendor that names no change gives empty marks: its echoes
        cannot be told from edits, and the nightly comparison has to do."""
        hints = {key: found - {""} for key, found in hints.items() if found - {""}}
        if hints and self.state == "live" and self._can(Capability.STOCK_IN):
            keys = {connector.level_key(external_id): found for external_id, found in hints.items()}
            self.env["bridge.agreement.look"]._ask(self, keys)
