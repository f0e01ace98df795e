# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from contextlib import contextmanager
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged

from ..connectors import base
from .web_common import D, ProbeWeb, WebCase, line, order


@tagged("post_install", "-at_install")
class TestWebParcel(WebCase):
    def push(self):
        """Run the outward lane's parcels within the transaction of the test."""

        @contextmanager
        def here(channel):
            yield channel

        with patch.object(type(self.channel), "_transaction", here):
            self.channel._push_parcels()

    def parcels(self):
        return self.env["bridge.parcel"].search([("channel_id", "=", self.channel.id)], order="id")

    def test_delivery_is_told_once(self):
        """A delivery with its number reaches the channel, once, however often the lane runs."""
        sale = self.booked(order(1, line("a", self.mug, 2), line("b", self.tea, 1, 138, 8)))
        picking = sale.picking_ids
        picking.write({"bridge_carrier_name": "ヤマト運輸", "bridge_tracking_ref": "1234-5678-9012"})
        self.deliver(picking)
        self.push()
        self.push()
        self.assertEqual(len(ProbeWeb.parcels), 1)
        told = ProbeWeb.parcels[0]
        self.assertEqual(
            (told.order_id, told.lines, told.store_id, told.carrier, told.tracking_number, told.notify),
            ("1", (("a", D(2)), ("b", D(1))), "W1", "ヤマト運輸", "1234-5678-9012", True),
        )
        parcel = self.parcels()
        self.assertEqual((parcel.state, parcel.external_id, parcel.order_id, parcel.attempts), ("sent", "F1", sale, 1))

    def test_three_parcels_three_numbers(self):
        """Three parcels are three tracking numbers, each for its own pieces."""
        sale = self.booked(order(1, line("a", self.mug, 3)))
        for number in ("T1", "T2", "T3"):
            picking = sale.picking_ids.filtered(lambda p: p.state == "assigned")
            picking.bridge_tracking_ref = number
            self.deliver(picking, {self.mug: 1})
            self.push()
        self.assertEqual(
            [(p.tracking_number, p.lines) for p in ProbeWeb.parcels], [(n, (("a", D(1)),)) for n in ("T1", "T2", "T3")]
        )
        self.assertEqual(len({p.push_id for p in ProbeWeb.parcels}), 3)

    def test_failure_is_kept_and_repeated(self):
        """A channel that is away is told later, with the same push id; a refusal is for a person."""
        sale = self.booked(order(1, line("a", self.mug)))
        self.deliver(sale.picking_ids)
        ProbeWeb.answers[:] = [base.TransientError("away", retry_after=120)]
        self.push()
        parcel = self.parcels()
        self.assertEqual((parcel.state, parcel.message, parcel.attempts), ("pending", "away", 1))
        self.assertGreater(parcel.run_at, fields.Datetime.add(fields.Datetime.now(), seconds=100))
        self.push()  # not yet
        self.assertEqual(len(ProbeWeb.parcels), 1)
        parcel.run_at = fields.Datetime.now()
        ProbeWeb.answers[:] = [base.DataError("The order is archived.")]
        self.push()
        self.assertEqual((parcel.state, parcel.message), ("failed", "The order is archived."))
        self.assertEqual(sale.activity_ids.mapped("summary"), ["Web store not told of a parcel"])
        parcel.action_retry()
        self.push()
        self.assertEqual((parcel.state, len({p.push_id for p in ProbeWeb.parcels})), ("sent", 1))

    def test_bad_credentials_stop_the_channel(self):
        """Refused credentials are the channel's trouble, not the parcel's: it waits."""
        sale = self.booked(order(1, line("a", self.mug)))
        self.deliver(sale.picking_ids)
        ProbeWeb.answers[:] = [base.AuthError("no entry")]
        with self.assertRaises(base.AuthError):
            self.push()
        self.assertEqual(self.parcels().state, "pending")

    def test_returns_and_own_orders_are_not_told(self):
        """Goods that come back, and deliveries of Odoo's own orders, are no parcels of the channel."""
        sale = self.booked(order(1, line("a", self.mug)))
        self.deliver(sale.picking_ids)
        wizard = (
            self.env["stock.return.picking"]
            .with_context(active_id=sale.picking_ids.id, active_model="stock.picking")
            .create({})
        )
        wizard.product_return_moves.quantity = 1
        back = self.env["stock.picking"].browse(wizard.action_create_returns()["res_id"])
        self.deliver(back)
        own = self.env["sale.order"].create(
            {"partner_id": sale.partner_id.id, "order_line": [(0, 0, {"product_id": self.tea.id})]}
        )
        own.action_confirm()
        self.deliver(own.picking_ids)
        self.assertEqual(self.parcels().picking_id, sale.picking_ids[0])

    def test_books_that_refuse_do_not_hold_goods(self):
        """A delivery leaves though its invoice fails; a person is told."""
        self.channel.invoice_rule = "on_delivery"
        sale = self.booked(order(1, line("a", self.mug)))
        money = type(self.env["bridge.web.money"])
        with (
            patch.object(money, "_invoice", side_effect=ValueError("no account")),
            self.assertLogs("odoo.addons.pos_erp_bridge.models.stock_picking", "WARNING"),
        ):
            self.deliver(sale.picking_ids)
        self.assertEqual(
            (sale.picking_ids.state, sale.activity_ids.mapped("summary")), ("done", ["Not invoiced on delivery"])
        )
