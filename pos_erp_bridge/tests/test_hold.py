# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from datetime import datetime, timedelta
from decimal import Decimal

from freezegun import freeze_time

from odoo.exceptions import UserError
from odoo.tests import new_test_user, tagged

from .common import BridgeCommon


class HoldCase(BridgeCommon):
    """Promises of the probe channel; their own transactions are savepoints of the test's."""

    def setUp(self):
        super().setUp()
        self.enterContext(self.enter_registry_test_mode())
        self.holds = self.env["bridge.hold"]

    def stock(self, product, quantity, location=None):
        """Bring what is on hand to ``quantity``."""
        location = location or self.location
        have = self.env["stock.quant"]._get_available_quantity(product, location)
        self.env["stock.quant"]._update_available_quantity(product, location, quantity - have)

    def claim(self, ref, *lines, purpose="cart", channel=None, **options):
        """Claim [(product, quantity)] at the test's location."""
        lines = [(*line, self.location)[:3] for line in lines]
        wanted = [(str(i), product, place, quantity) for i, (product, quantity, place) in enumerate(lines)]
        channel = self.channel if channel is None else channel
        self.env.flush_all()  # what the test did counts as committed
        return self.holds._claim(channel, ref, wanted, purpose, **options)

    def available(self, product, location=None):
        return self.env["bridge.availability"]._available(location or self.location, product)[product.id]

    def active(self, ref):
        self.holds.invalidate_model()
        return self.holds.search([("order_ref", "=", ref), ("state", "=", "active")])


@tagged("post_install", "-at_install")
class TestClaim(HoldCase):
    def test_last_piece_is_promised_once(self):
        """Of two carts that want the last piece the first gets it, the second hears how many there are."""
        self.stock(self.rice, 1)
        first, second = self.claim("A", (self.rice, 1)), self.claim("B", (self.rice, 1))
        self.assertTrue(first)
        self.assertEqual((first.granted, first.short), ({"0": 1.0}, {}))
        self.assertFalse(second)
        self.assertEqual((second.granted, second.short), ({}, {"0": 1.0}))
        self.assertEqual(second.reason, f"{self.rice.display_name}: 0 left")
        self.assertEqual(self.available(self.rice), 0)

    def test_all_or_nothing(self):
        """When one of several products is short, nothing is promised."""
        self.stock(self.rice, 5)
        self.stock(self.tea, 1)
        self.assertFalse(self.claim("A", (self.rice, 2), (self.tea, 2)))
        self.assertFalse(self.active("A"))
        self.assertEqual(self.available(self.rice), 5)

    def test_partial_claim_takes_what_there_is(self):
        """What was sold already is granted as far as it goes."""
        self.stock(self.rice, 3)
        self.stock(self.tea, 9)
        claim = self.claim("A", (self.rice, 5), (self.tea, 2), partial=True)
        self.assertEqual((claim.granted, claim.short), ({"0": 3.0, "1": 2.0}, {"0": 2.0}))
        self.assertEqual(self.available(self.rice), 0)

    def test_two_lines_of_one_product_add_up(self):
        """The same product on two lines is needed twice."""
        self.stock(self.rice, 3)
        self.assertFalse(self.claim("A", (self.rice, 2), (self.rice, 2)))
        self.assertTrue(self.claim("A", (self.rice, 2), (self.rice, 1)))

    def test_same_claim_again_changes_nothing(self):
        """A repeated claim is the same promise; another quantity replaces it."""
        self.stock(self.rice, 3)
        for _again in range(2):
            self.assertTrue(self.claim("A", (self.rice, 2)))
        self.assertEqual(self.available(self.rice), 1)
        self.assertTrue(self.claim("A", (self.rice, 3)))
        self.assertEqual(self.active("A").quantity, 3)
        self.assertFalse(self.claim("A", (self.rice, 4)))
        self.assertEqual(self.active("A").quantity, 3)

    def test_another_product_on_the_line_replaces_the_first(self):
        """A line that wants something else gives back what it had."""
        self.claim("A", (self.rice, 2))
        self.claim("A", (self.tea, 1))
        self.assertEqual(self.active("A").product_id, self.tea)
        self.assertEqual(self.available(self.rice), 100)

    def test_release_gives_back_once(self):
        """What is given back can be promised again; giving back twice gives back once."""
        self.stock(self.rice, 1)
        self.claim("A", (self.rice, 1))
        self.assertEqual(self.holds._release(self.channel, "A"), 1)
        self.assertEqual(self.holds._release(self.channel, "A"), 0)
        self.assertTrue(self.claim("B", (self.rice, 1)))

    def test_expired_cart_makes_room_at_once(self):
        """After 15 minutes a cart's piece goes to who asks next, before any clean-up ran."""
        self.stock(self.rice, 1)
        with freeze_time(datetime(2026, 11, 23, 3, 0)):
            self.claim("A", (self.rice, 1))
        with freeze_time(datetime(2026, 11, 23, 3, 14)):
            self.assertFalse(self.claim("B", (self.rice, 1)))
        with freeze_time(datetime(2026, 11, 23, 3, 16)):
            self.assertTrue(self.claim("B", (self.rice, 1)))
        self.holds.invalidate_model()
        self.assertEqual(self.holds.search([("order_ref", "=", "A")]).state, "expired")

    def test_sweep_ends_what_expired_and_tells_the_channels(self):
        """The clean-up ends promises in time, and the stock is published again."""
        with freeze_time(datetime(2026, 11, 23, 3, 0)):
            self.claim("A", (self.rice, 1))
        self.env.cr.execute("DELETE FROM bridge_touch")
        with freeze_time(datetime(2026, 11, 23, 4, 0)):
            self.assertEqual(self.holds._expire(), 1)
        self.env.cr.execute("SELECT DISTINCT product_id FROM bridge_touch")
        self.assertEqual(self.env.cr.fetchall(), [(self.rice.id,)])

    def test_promise_of_the_whole_is_a_promise_of_its_parts(self):
        """What is promised of a warehouse is missing in its only shelf that has any, and the other way round."""
        shelf = self.env["stock.location"].create({"name": "Shelf", "location_id": self.location.id})
        other = self.env["stock.location"].create({"name": "Other", "location_id": self.location.id})
        self.stock(self.rice, 0)
        self.stock(self.rice, 3, shelf)
        self.stock(self.rice, 1, other)
        self.assertTrue(self.claim("A", (self.rice, 2)))
        self.assertEqual(self.available(self.rice, shelf), 2)
        self.assertFalse(self.claim("B", (self.rice, 3, shelf)))
        self.assertTrue(self.claim("B", (self.rice, 2, shelf)))
        self.assertFalse(self.claim("C", (self.rice, 1, other)), "the warehouse owes two of its two others")
        self.assertEqual(self.available(self.rice), 0)

    def test_services_need_no_promise(self):
        """What keeps no stock is granted."""
        service = self.env["product.product"].create({"name": "包装", "type": "service"})
        self.assertEqual(self.claim("A", (service, 3)).granted, {"0": 3.0})

    def test_public_call(self):
        """A web cart claims and gives back through the API; its answer is plain data."""
        self.stock(self.rice, 2)
        self.env.flush_all()
        line = {"line": "1", "product_id": self.rice.id, "store_id": self.store.id, "quantity": 2}
        answer = self.holds.claim(self.channel.id, "cart-1", [line])
        self.assertEqual(answer, {"granted": True, "lines": {"1": 2.0}, "short": {}, "reason": ""})
        answer = self.holds.claim(self.channel.id, "cart-2", [line])
        self.assertEqual((answer["granted"], answer["short"]), (False, {"1": 2.0}))
        self.assertEqual(self.holds.release(self.channel.id, "cart-1"), 1)
        for channel_id in (False, -1):  # Odoo's own promises are nobody's to give back from outside
            with self.assertRaises(UserError):
                self.holds.release(channel_id, "sale.order,1")
        with self.assertRaises(UserError):
            self.holds.claim(self.channel.id, "cart-1", [line], purpose="import")
        with self.assertRaises(UserError):
            self.holds.claim(self.channel.id, "cart-1", [line, line])
        with self.assertRaises(UserError):
            self.holds.claim(self.channel.id, "cart-1", [line | {"quantity": float("nan")}])

    def test_public_call_refuses_nonsense_and_strangers(self):
        """Bad input gets a sentence; only managers of the bridge may promise."""
        for line in ({}, {"line": 1, "product_id": "x", "quantity": 1}, {"line": 1, "product_id": -1, "quantity": 1},
                     {"line": 1, "product_id": self.rice.id, "store_id": self.store.id, "quantity": 0}):  # fmt: skip
            with self.assertRaises(UserError):
                self.holds.claim(self.channel.id, "A", [line])
        user = new_test_user(self.env, "clerk", "pos_erp_bridge.group_bridge_user", company_id=self.company.id)
        with self.assertRaises(UserError):
            self.holds.with_user(user).claim(self.channel.id, "A", [])


@tagged("post_install", "-at_install")
class TestReservation(HoldCase):
    """Odoo's own reservations and promises never overlap."""

    def order(self, quantity, product=None):
        order = self.env["sale.order"].create(
            {
                "partner_id": self.env["res.partner"].create({"name": "山田"}).id,
                "order_line": [(0, 0, {"product_id": (product or self.rice).id, "product_uom_qty": quantity})],
            }
        )
        self.assertEqual(order.warehouse_id.lot_stock_id, self.location)
        return order

    def reserved(self, order):
        return sum(order.picking_ids.move_ids.mapped("quantity"))

    def test_reservation_leaves_what_is_promised(self):
        """An order confirmed in the back office does not take a cart's piece."""
        self.stock(self.rice, 5)
        self.claim("A", (self.rice, 3))
        order = self.order(5)
        order.action_confirm()
        self.assertEqual(self.reserved(order), 2)
        self.holds._release(self.channel, "A")
        order.picking_ids.action_assign()
        self.assertEqual(self.reserved(order), 5)

    def test_claim_leaves_what_is_reserved(self):
        """A cart does not get what an order has reserved."""
        self.stock(self.rice, 5)
        self.order(4).action_confirm()
        self.assertFalse(self.claim("A", (self.rice, 2)))
        self.assertTrue(self.claim("A", (self.rice, 1)))

    def test_two_moves_share_what_is_free(self):
        """Two orders assigned together do not both count on the same free piece."""
        self.stock(self.rice, 5)
        self.claim("A", (self.rice, 2))
        orders = self.order(2) | self.order(2)
        orders.action_confirm()
        self.assertEqual(sum(self.reserved(order) for order in orders), 3)

    def test_promise_becomes_the_reservation(self):
        """A promise to the order's own line ends in the transaction that reserves: it is counted once."""
        self.stock(self.rice, 5)
        order = self.order(3)
        self.claim("A", (self.rice, 3))
        self.active("A").sale_line_id = order.order_line
        order.action_confirm()
        self.assertEqual(self.reserved(order), 3)
        self.holds.invalidate_model()
        self.assertEqual(self.holds.search([("order_ref", "=", "A")]).state, "done")
        self.assertEqual(self.available(self.rice), 2)
        # The same claim again is the same promise, which was kept.
        self.assertEqual(self.claim("A", (self.rice, 3)).granted, {"0": 3.0})
        self.assertEqual(self.available(self.rice), 2)

    def test_cancelled_order_gives_its_promise_back(self):
        """What was promised and not reserved yet is free again when the order is cancelled."""
        self.stock(self.rice, 5)
        order = self.order(3)
        self.claim("A", (self.rice, 3))
        self.active("A").sale_line_id = order.order_line
        order._action_cancel()
        self.assertEqual(self.available(self.rice), 5)

    def test_till_takes_what_is_there(self):
        """A till's sale is a fact: it is booked even when the piece was promised, and the shortage shows."""
        self.stock(self.rice, 1)
        self.claim("A", (self.rice, 1))
        self.book(self.sale(self.line(self.rice, 151)))
        self.assertEqual(self.available(self.rice), -1)
        self.assertEqual(Decimal(str(self.env["bridge.availability"]._publishable(-1))), 0)

    def test_expiry_while_confirming(self):
        """A promise that expired before the order reserved is not kept; one that is being kept does not expire."""
        self.stock(self.rice, 1)
        order = self.order(1)
        self.claim("A", (self.rice, 1), expires_at=datetime.now() - timedelta(minutes=1))
        self.active("A").sale_line_id = order.order_line
        self.claim("B", (self.rice, 1))  # makes room
        order.action_confirm()
        self.assertEqual(self.reserved(order), 0)
        self.assertEqual(self.active("B").quantity, 1)

    def test_promised_and_others_reserved_together(self):
        """What one order was promised is not free for another one that reserves in the same step."""
        self.stock(self.rice, 10)
        promised, other = self.order(3), self.order(5)
        self.claim("A", (self.rice, 3))
        self.active("A").sale_line_id = promised.order_line
        self.claim("B", (self.rice, 5))
        (promised | other).action_confirm()
        (promised | other).picking_ids.action_assign()
        self.assertEqual((self.reserved(promised), self.reserved(other)), (3, 2))
        self.assertEqual(self.available(self.rice), 0)

    def test_taken_by_hand_ends_the_promise(self):
        """Goods that leave without a reservation are promised to nobody any more."""
        self.stock(self.rice, 5)
        self.env["stock.picking.type"].search([("code", "=", "outgoing")]).reservation_method = "manual"
        order = self.order(3)
        self.claim("A", (self.rice, 3))
        self.active("A").sale_line_id = order.order_line
        order.action_confirm()
        self.assertEqual(self.active("A").quantity, 3)
        order.picking_ids.move_ids.quantity = 3
        order.picking_ids.move_ids.picked = True
        order.picking_ids._action_done()
        self.assertFalse(self.active("A"))
        self.assertEqual(self.available(self.rice), 2)

    def test_less_ordered_is_less_promised(self):
        """A confirmed line that wants less keeps its promise for the rest; the same quantity again changes nothing."""
        self.stock(self.rice, 5)
        self.env["stock.picking.type"].search([("code", "=", "outgoing")]).reservation_method = "manual"
        order = self.order(4)
        self.claim("A", (self.rice, 4))
        self.active("A").sale_line_id = order.order_line
        order.action_confirm()
        order.order_line.product_uom_qty = 4
        self.assertEqual(self.active("A").quantity, 4)
        order.order_line.product_uom_qty = 3
        self.assertEqual(self.active("A").quantity, 3)
