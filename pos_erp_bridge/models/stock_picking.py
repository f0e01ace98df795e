# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import logging

from odoo import fields, models

from .bridge_inbound import CONCURRENCY_ERRORS

_logger = logging.getLogger(__name__)


class StockPicking(models.Model):
    _inherit = "stock.picking"

    bridge_channel_id = fields.Many2one(related="sale_id.bridge_channel_id", string="Channel")
    bridge_is_pickup = fields.Boolean(related="sale_id.bridge_is_pickup")
    # Odoo has these only where the delivery methods are installed; a parcel has them anyway.
    bridge_carrier_name = fields.Char("Carrier name", copy=False)
    bridge_tracking_ref = fields.Char("Parcel number", copy=False)

    def _action_done(self):
        result = super()._action_done()
        done = self.filtered(lambda picking: picking.state == "done" and picking.sale_id.sudo().bridge_channel_id)
        if done:
            self.env["bridge.parcel"].sudo()._note(done.sudo())
            done._bridge_invoice()
        return result

    def _bridge_is_parcel(self):
        return self.location_dest_id.usage == "customer" and not self.move_ids.origin_returned_move_id

    def _bridge_invoice(self):
        """Invoice what left, by the channel's rule. Goods leave even when the books refuse: then a person is told."""
        for order in self.sale_id.sudo():
            try:
                with self.env.cr.savepoint():
                    self.env["bridge.web.money"]._invoice_delivered(order)
            except CONCURRENCY_ERRORS:
                raise  # Odoo runs the whole delivery again
            except Exception as error:
                _logger.warning("%s was delivered, but not invoiced", order.name, exc_info=True)
                order._bridge_alert(self.env._("Not invoiced on delivery"), str(error))

    def _bridge_tracking(self):
        """(carrier, number, link) of what left, from Odoo's own fields where they exist."""
        self.ensure_one()
        has_delivery = "carrier_tracking_ref" in self._fields
        carrier = self.bridge_carrier_name or (has_delivery and self.carrier_id.name) or ""
        number = self.bridge_tracking_ref or (has_delivery and self.carrier_tracking_ref) or ""
        url = (has_delivery and self.carrier_tracking_url) or ""
        return carrier, number, url if url.startswith("http") else ""


class StockMove(models.Model):
    _inherit = "stock.move"

    def _bridge_kept(self):
        """What the customer has kept of what a move brought."""
        returned = self.returned_move_ids.filtered(lambda move: move.state == "done")
        return self.quantity - sum(returned.mapped("quantity"))
