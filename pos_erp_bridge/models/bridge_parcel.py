# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Fulfilment on its way back: every parcel that left is told to the channel, once."""

from decimal import Decimal

from odoo import api, fields, models

from ..connectors import base
from ..connectors.base import Capability
from ..connectors.records import Parcel
from .bridge_event import RETRY_DELAYS


class BridgeParcel(models.Model):
    """A delivery the channel must hear of. Added when goods leave, never taken away."""

    _name = "bridge.parcel"
    _description = "Parcel told to a channel"
    _order = "id desc"
    _rec_name = "picking_id"

    channel_id = fields.Many2one("bridge.channel", required=True, ondelete="cascade", readonly=True)
    company_id = fields.Many2one(related="channel_id.company_id", store=True, index=True)
    picking_id = fields.Many2one("stock.picking", "Delivery", required=True, ondelete="cascade", readonly=True)
    order_id = fields.Many2one(related="picking_id.sale_id", store=True, index="btree_not_null")
    state = fields.Selection(
        [("pending", "To be told"), ("sent", "Told"), ("failed", "Failed")],
        default="pending",
        required=True,
        readonly=True,
    )
    message = fields.Char("Reason", readonly=True)
    external_id = fields.Char("Id at the channel", readonly=True)
    tracking_ref = fields.Char("Tracking number told", readonly=True)
    attempts = fields.Integer(readonly=True)
    run_at = fields.Datetime(default=fields.Datetime.now, readonly=True)
    sent_at = fields.Datetime(readonly=True)

    _picking_uniq = models.Constraint("UNIQUE(picking_id)", "A delivery is told once.")
    _pending_index = models.Index("(channel_id, run_at) WHERE state = 'pending'")

    def action_retry(self):
        """Tell the channel now."""
        self.filtered(lambda p: p.state != "sent").write(
            {"state": "pending", "run_at": fields.Datetime.now(), "attempts": 0, "message": False}
        )
        self.channel_id._wake("outward")

    @api.model
    def _note(self, pickings):
        """Remember deliveries of web orders that just left."""
        rows = []
        for picking in pickings:
            channel = picking.sale_id.bridge_channel_id
            if channel and picking._bridge_is_parcel() and channel._can(Capability.FULFILMENT_OUT):
                rows.append({"channel_id": channel.id, "picking_id": picking.id})
        parcels = self.create(rows)
        parcels.channel_id._wake("outward")
        return parcels

    # -- telling ---------------------------------------------------------------------------------
    @api.model
    def _take(self, channel):
        """(parcel id, record) of the next parcel to tell, or None; to be committed before it is sent."""
        parcel = self.search(
            [("channel_id", "=", channel.id), ("state", "=", "pending"), ("run_at", "<=", fields.Datetime.now())],
            order="id",
            limit=1,
        )
        if not parcel:
            return None
        # Written before it is sent: a worker killed on the way leaves it to a later try, not to an endless one.
        delay = RETRY_DELAYS[min(parcel.attempts, len(RETRY_DELAYS) - 1)]
        parcel.write(
            {"attempts": parcel.attempts + 1, "run_at": fields.Datetime.add(fields.Datetime.now(), seconds=delay)}
        )
        return parcel.id, parcel._record()

    def _record(self):
        """The parcel as the channel shall see it."""
        picking, channel = self.picking_id, self.channel_id
        order = picking.sale_id
        binding = self.env["bridge.binding"].search(
            [
                ("channel_id", "=", channel.id),
                ("entity", "=", "order"),
                ("res_model", "=", "sale.order"),
                ("res_id", "=", order.id),
            ],
            limit=1,
        )
        quantities = {}
        for move in picking.move_ids.filtered(lambda m: m.state == "done" and m.sale_line_id.bridge_line_ref):
            ref = move.sale_line_id.bridge_line_ref
            quantities[ref] = quantities.get(ref, Decimal(0)) + Decimal(str(move.product_qty and move.quantity))
        carrier, number, url = picking._bridge_tracking()
        return Parcel(
            # One delivery is one parcel, however often it has to be said.
            push_id=f"{self.env.cr.dbname}-{picking.id}",
            order_id=binding.external_id,
            lines=tuple(sorted(quantities.items())),
            store_id=order.bridge_store_id.external_id or "",
            carrier=carrier,
            tracking_number=number,
            tracking_url=url,
            notify=channel.notify_customer,
        )

    @api.model
    def _record_result(self, parcel_id, record, external_id=None, error=None):
        """Write down at once what became of a parcel."""
        parcel = self.browse(parcel_id)
        if error is None:
            parcel.write(
                {
                    "state": "sent",
                    "external_id": external_id,
                    "tracking_ref": record.tracking_number,
                    "sent_at": fields.Datetime.now(),
                    "message": False,
                }
            )
            return
        is_final = isinstance(error, base.DataError) or parcel.attempts > len(RETRY_DELAYS)
        vals = {"message": str(error), "state": "failed" if is_final else "pending"}
        if getattr(error, "retry_after", None):
            vals["run_at"] = fields.Datetime.add(fields.Datetime.now(), seconds=error.retry_after)
        parcel.write(vals)
        if is_final:
            parcel.order_id._bridge_alert(
                self.env._("Web store not told of a parcel"), f"{parcel.picking_id.name}: {error}"
            )


class BridgeChannel(models.Model):
    _inherit = "bridge.channel"

    def _push_parcels(self):
        """Tell the channel of every parcel that waits: one call each, outside of any transaction, its answer stored
        before the next one is sent."""
        connector = None
        while True:
            taken = self._retrying(lambda channel: channel.env["bridge.parcel"]._take(channel))
            if not taken:
                break
            parcel_id, record = taken
            connector = connector or self._connector()
            result = {}
            try:
                result["external_id"] = connector.push_parcel(record)
            except base.BridgeError as error:
                result["error"] = error
            self._retrying(
                lambda channel, i=parcel_id, p=record, r=result: channel.env["bridge.parcel"]._record_result(i, p, **r)
            )
            if isinstance(result.get("error"), (base.ConfigError, base.AuthError)):
                raise result["error"]
