# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from collections import namedtuple
from datetime import date

from freezegun import freeze_time

from odoo.exceptions import AccessError
from odoo.fields import Command
from odoo.service.model import retrying
from odoo.tests import Form, new_test_user, tagged

from ..models.bridge_promise import ASKED
from .test_limits import GoodsCase, RaceCase


@tagged("post_install", "-at_install")
class TestPreorder(GoodsCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.game = cls.env["product.product"].create(
            {"name": "Game", "is_storable": True, "list_price": 5000, "company_id": cls.company.id}
        )
        cls.env["bridge.binding"]._bind(cls.web, "product", [("game", cls.game)])
        cls.preorder = cls.env["bridge.preorder"].create({"name": "Game", "product_ids": cls.game.ids})
        cls.suppliers = cls.env.ref("stock.stock_location_suppliers")

    # -- helpers -----------------------------------------------------------------------------------
    def receipt(self, quantity, day="2026-12-05", product=None, confirm=True):
        """A receipt from a supplier into the warehouse's stock."""
        warehouse = self.location.warehouse_id
        picking = self.env["stock.picking"].create(
            {
                "picking_type_id": warehouse.in_type_id.id,
                "location_id": self.suppliers.id,
                "location_dest_id": self.location.id,
                "move_ids": [
                    Command.create(
                        {
                            "product_id": (product or self.game).id,
                            "product_uom_qty": quantity,
                            "location_id": self.suppliers.id,
                            "location_dest_id": self.location.id,
                            "date": f"{day} 03:00:00",
                        }
                    )
                ],
            }
        )
        if confirm:
            picking.action_confirm()
            picking.move_ids.date = f"{day} 03:00:00"
        return picking

    def receive(self, picking, quantity=None):
        """It arrived; less than was ordered leaves a backorder."""
        for move in picking.move_ids:
            move.quantity = move.product_uom_qty if quantity is None else quantity
            move.picked = True
        picking._action_done()

    def ask(self, quantity, order, **more):
        return self.claim(quantity, order, self.game, purpose=more.pop("purpose", "preorder"), **more)

    def order_of(self, ref, quantity):
        """A confirmed order that was promised these goods, as an imported one is."""
        return self.own_order(quantity, self.game, promised=ref)

    def holds(self, ref):
        found = self.env["bridge.hold"].search([("order_ref", "=", ref)], order="source, id")
        return [(hold.source, hold.state, hold.quantity) for hold in found]

    # -- what may be preordered ----------------------------------------------------------------------
    def test_confirmed_receipts_are_sold_and_no_more(self):
        """Without stock a preorder is promised up to what is confirmed to come in."""
        self.receipt(6)
        self.receipt(4, "2026-12-20")
        self.receipt(50, confirm=False)
        self.assertTrue(self.ask(7, "A"))
        refused = self.ask(4, "B")
        self.assertEqual((refused.granted, refused.short), ({}, {"1": 4}))
        self.assertIn("3 left", refused.reason)
        self.assertTrue(self.ask(3, "B"))
        figures = (self.preorder.incoming, self.preorder.promised, self.preorder.left, self.preorder.state)
        self.assertEqual(figures, (10, 10, 0, "sold_out"))

    def test_without_a_preorder_nothing_is_promised(self):
        """What no preorder is about, or not on this channel, or not now, is not sold before it is there."""
        self.receipt(5)
        self.receipt(5, product=self.tea)
        refused = self.claim(1, "A", self.tea, purpose="preorder")
        self.assertIn("No preorder runs", refused.reason)
        self.preorder.channel_ids = self.channel
        self.assertFalse(self.ask(1, "B"))
        self.preorder.write({"channel_ids": False, "end_at": "2026-01-01 00:00:00"})
        self.assertFalse(self.ask(1, "C"))

    def test_a_cap_of_its_own(self):
        """A preorder may sell less than is coming in; the refusal names it."""
        self.receipt(10)
        self.preorder.cap = 4
        self.assertTrue(self.ask(4, "A"))
        self.assertIn("Limit “Game”: 0 left", self.ask(1, "B").reason)
        self.assertEqual(self.preorder.left, 0)

    def test_the_two_pools_are_never_mixed(self):
        """Stock at hand is not promised to preorders, and what comes in not to orders."""
        self.receipt(5)
        self.env["stock.quant"]._update_available_quantity(self.game, self.location, 2)
        self.assertFalse(self.ask(3, "A", purpose="order"))
        self.assertTrue(self.ask(5, "B"))
        self.assertFalse(self.ask(1, "C"))
        self.assertTrue(self.ask(2, "D", purpose="order"))

    # -- what channels are told ------------------------------------------------------------------------
    def test_published_when_nothing_is_left(self):
        """Stock at hand is published as ever; when none is left, what may be preordered, with its day."""
        self.receipt(6)
        self.env["stock.quant"]._update_available_quantity(self.game, self.location, 2)
        self.assertEqual(self.published(self.game).quantity, 2)
        self.ask(2, "A", purpose="order")
        found = self.published(self.game)
        self.assertEqual((found.quantity, ("preorder", "2026-12-05") in found.reasons), (6, True))
        self.ask(6, "B")
        self.assertEqual(self.published(self.game).quantity, 0)

    def test_the_day_is_that_of_the_next_piece(self):
        """The day told is when the next one preordered comes in, after those promised already."""
        self.receipt(6)
        self.receipt(4, "2026-12-20")
        self.ask(6, "A")
        self.assertEqual(self.preorder.arrival_date, date(2026, 12, 20))
        self.assertIn(("preorder", "2026-12-20"), self.published(self.game).reasons)

    def test_a_brake_stops_preorders_too(self):
        """What may not be sold may not be preordered either."""
        self.receipt(6)
        self.env["bridge.mismatch"].create(
            {"channel_id": self.web.id, "product_id": self.game.id, "field": "price", "channel_value": "1"}
        )
        self.assertEqual(self.published(self.game).quantity, 0)

    def test_channels_hear_of_receipts(self):
        """A receipt confirmed, changed or cancelled is told to the channels of the preorder."""
        self.touched()
        picking = self.receipt(6)
        self.assertTrue(self.touched())
        picking.move_ids.product_uom_qty = 5
        self.assertTrue(self.touched())
        picking.action_cancel()
        self.assertTrue(self.touched())
        self.receipt(6, product=self.tea)
        self.assertFalse(self.touched() - {(store, self.tea.id) for store in [*self.stores.ids, self.shelf.id]})

    def touched(self):
        self.env.cr.precommit.run()
        found = self.env["bridge.touch"].search([("channel_id", "in", (self.channel | self.web).ids)])
        pairs = {(touch.store_id, touch.product_id) for touch in found}
        found.unlink()
        return pairs

    def test_the_level_carries_the_day(self):
        """The level of the channel says when preordered goods come in; with stock at hand it says nothing."""
        self.receipt(6)
        self.env["bridge.touch"]._touch_products(self.web, self.game)
        self.env.cr.precommit.run()
        self.env["bridge.stock.level"]._fold(self.web)
        level = self.env["bridge.stock.level"].search(
            [("store_id", "=", self.shelf.id), ("product_id", "=", self.game.id)]
        )
        self.assertEqual((level.desired, level.available_from), (6, date(2026, 12, 5)))
        self.assertEqual(level.reason_text, "nothing is at hand: preorders of what comes in on 12/05/2026")
        self.env["stock.quant"]._update_available_quantity(self.game, self.location, 2)
        self.env.cr.precommit.run()
        self.env["bridge.stock.level"]._fold(self.web)
        self.assertEqual((level.desired, level.available_from), (2, False))

    # -- arrival -----------------------------------------------------------------------------------------
    def test_the_oldest_get_their_goods_first(self):
        """A receipt turns the oldest preorders into reservations before anything is left for others."""
        picking = self.receipt(5)
        self.ask(2, "A")
        self.ask(3, "B")
        first, second = self.order_of("A", 2), self.order_of("B", 3)
        late = self.own_order(4, self.game)
        self.receive(picking, 4)
        self.assertEqual(self.holds("A"), [("hand", "done", 2)])
        self.assertEqual(self.holds("B"), [("hand", "done", 2), ("incoming", "active", 1)])
        reserved = [sum(order.order_line.move_ids.mapped("quantity")) for order in (first, second, late)]
        self.assertEqual(reserved, [2, 2, 0])
        self.assertEqual(self.published(self.game).quantity, 0)

    def test_the_rest_is_sold(self):
        """What a receipt brings beyond the preorders is stock at hand."""
        picking = self.receipt(5)
        self.ask(2, "A")
        self.order_of("A", 2)
        self.receive(picking)
        self.assertEqual(self.published(self.game).quantity, 3)

    def test_promised_but_not_ordered_yet(self):
        """A preorder whose order is not here yet keeps its goods as a promise of stock at hand."""
        picking = self.receipt(5)
        self.ask(2, "A")
        self.receive(picking)
        self.assertEqual(self.holds("A"), [("hand", "active", 2)])
        self.assertEqual(self.published(self.game).quantity, 3)

    def test_sold_by_a_web_store_already(self):
        """An order a web store took while nothing was at hand is promised what comes in."""
        self.receipt(5)
        claim = self.ask(2, "A", purpose="import", partial=True, is_sold=True)
        self.assertEqual((claim.granted, claim.short), ({"1": 2}, {}))
        self.assertEqual(self.holds("A"), [("incoming", "active", 2)])
        claim = self.ask(9, "B", purpose="import", partial=True, is_sold=True)
        self.assertEqual((claim.granted, claim.short), ({"1": 3}, {"1": 6}))

    def test_cancelled_order_gives_back(self):
        """A preorder cancelled before the goods came leaves them to the next."""
        self.receipt(2)
        self.ask(2, "A")
        self.order_of("A", 2)._action_cancel()
        self.assertTrue(self.ask(2, "B"))

    # -- in parts ----------------------------------------------------------------------------------------
    def split(self, ref, wanted=3, arrived=2, coming=3, **more):
        """Preordered under ``ref``, and come in in part; returns the receipt of the rest."""
        picking = self.receipt(coming)
        self.assertTrue(self.ask(wanted, ref, **more))
        self.receive(picking, arrived)
        return picking.backorder_ids

    def promised(self, ref):
        """(active at hand, active of what comes in) of an order."""
        holds = self.env["bridge.hold"].search([("order_ref", "=", ref), ("state", "=", "active")])
        return tuple(
            sum(holds.filtered(lambda hold, pool=pool: hold.source == pool).mapped("quantity"))
            for pool in ("hand", "incoming")
        )

    def test_asked_again_while_a_part_is_here(self):
        """The same claim again is the same promise: what came in is kept, the rest goes on waiting."""
        rest = self.split("A")
        self.assertEqual(self.promised("A"), (2, 1))
        for _again in range(2):
            claim = self.ask(3, "A")
            self.assertEqual((claim.granted, claim.short, self.promised("A")), ({"1": 3}, {}, (2, 1)))
        self.assertEqual((self.preorder.promised, self.preorder.left), (1, 0))
        self.assertFalse(self.ask(1, "B"))
        self.receive(rest)
        self.assertEqual(self.promised("A"), (3, 0))
        self.assertTrue(self.ask(3, "A"))
        self.assertEqual((self.promised("A"), self.published(self.game).quantity), ((3, 0), 0))

    def test_other_quantities_while_a_part_is_here(self):
        """More waits for the rest, less gives back what waits first; what cannot be had changes nothing."""
        self.split("A", coming=5)
        self.assertTrue(self.ask(5, "A"))
        self.assertEqual(self.promised("A"), (2, 3))
        self.assertFalse(self.ask(6, "A"))
        self.assertEqual(self.promised("A"), (2, 3))
        self.assertTrue(self.ask(1, "A"))
        self.assertEqual((self.promised("A"), self.published(self.game).quantity), ((1, 0), 1))
        self.assertTrue(self.ask(4, "A"))
        self.assertEqual((self.promised("A"), self.preorder.left), ((1, 3), 0))

    def test_more_of_what_came_in_as_a_whole(self):
        """Who has all of his preorder and asks for more keeps it, and waits for what he asks beyond it."""
        self.split("A", wanted=2, arrived=2, coming=5)
        self.assertTrue(self.ask(4, "A"))
        self.assertEqual(self.promised("A"), (2, 2))

    def test_ordered_from_stock_while_a_part_is_here(self):
        """Claimed of stock at hand, the line waits for nothing any more; given back, nothing of it stays."""
        self.split("A")
        self.env["stock.quant"]._update_available_quantity(self.game, self.location, 4)
        self.assertTrue(self.ask(3, "A", purpose="order"))
        self.assertEqual((self.promised("A"), self.published(self.game).quantity), ((3, 0), 3))
        self.split("B", coming=3)
        with self.enter_registry_test_mode():
            self.env["bridge.hold"]._release(self.web, "B", ["1"])
        self.assertEqual(self.promised("B"), (0, 0))

    def test_reserved_in_part(self):
        """What an order reserved already counts when it is asked for again."""
        picking = self.receipt(3)
        self.ask(3, "A")
        self.order_of("A", 3)
        self.receive(picking, 2)
        before = self.holds("A")
        self.assertEqual(before, [("hand", "done", 2), ("incoming", "active", 1)])
        claim = self.ask(3, "A")
        self.assertEqual((claim.granted, claim.short, self.holds("A")), ({"1": 3}, {}, before))

    def test_sold_elsewhere_and_here_in_part(self):
        """A web store's order that is promised again, because it could not be booked yet, is short of nothing."""
        self.split("A", purpose="import", partial=True, is_sold=True)
        claim = self.ask(3, "A", purpose="import", partial=True, is_sold=True)
        self.assertEqual((claim.granted, claim.short, self.promised("A")), ({"1": 3}, {}, (2, 1)))

    def test_a_preorder_that_ended_is_waited_for(self):
        """What a web store sold while the preorder ran goes on waiting when it is promised again after its end."""
        self.split("A", purpose="import", partial=True, is_sold=True)
        self.preorder.end_at = "2026-01-01 00:00:00"
        claim = self.ask(3, "A", purpose="import", partial=True, is_sold=True)
        self.assertEqual((claim.granted, claim.short, self.promised("A")), ({"1": 3}, {}, (2, 1)))

    def test_what_is_waited_for_in_vain_is_taken_from_stock(self):
        """When the rest comes in no more, an order sold elsewhere gets what is at hand."""
        rest = self.split("A", purpose="import", partial=True, is_sold=True)
        rest.action_cancel()
        self.env["stock.quant"]._update_available_quantity(self.game, self.location, 4)
        claim = self.ask(3, "A", purpose="import", partial=True, is_sold=True)
        self.assertEqual((claim.granted, claim.short, self.promised("A")), ({"1": 3}, {}, (3, 0)))

    def test_an_order_takes_on_all_parts(self):
        """An order that is booked after a part came in reserves that part, and the rest when it comes."""
        rest = self.split("A", purpose="import", partial=True, is_sold=True)
        order = self.env["sale.order"].create(
            {
                "partner_id": self.env["res.partner"].create({"name": "Buyer"}).id,
                "order_line": [
                    Command.create({"product_id": self.game.id, "product_uom_qty": 3, "bridge_line_ref": "1"})
                ],
            }
        )
        Item, Plan, Record = (namedtuple(name, name) for name in ("record", "order", "external_id"))
        booking = self.env["bridge.booking.web"].with_context(**{ASKED: {"A": None}})
        booking._adopt(self.web, {Item(Record("A")): Plan(order)})
        order.action_confirm()
        self.assertEqual(self.holds("A"), [("hand", "done", 2), ("incoming", "active", 1)])
        self.receive(rest)
        self.assertEqual(sum(order.order_line.move_ids.mapped("quantity")), 3)

    def test_a_kit_in_part_is_counted_once(self):
        """The kits that components were promised for are as many after a part of them came in."""
        picking = self.receipt(4)
        self.ask(4, "A")
        self.env["bridge.hold"].search([("order_ref", "=", "A")]).write({"kit_id": self.tea.id, "kit_quantity": 2})
        self.receive(picking, 2)
        holds = self.env["bridge.hold"].search([("order_ref", "=", "A")])
        self.assertEqual(holds.mapped("kit_quantity"), [1, 1])

    # -- what does not come ----------------------------------------------------------------------------
    def test_short_or_cancelled_receipts_are_told(self):
        """When less comes than was promised, a person hears once which orders, and what can be done."""
        picking = self.receipt(5)
        self.ask(2, "A")
        self.ask(3, "B")
        self.order_of("A", 2)
        second = self.order_of("B", 3)
        for move in picking.move_ids:
            move.quantity, move.picked = 4, True
        picking.with_context(cancel_backorder=True)._action_done()
        self.assertIn(f"{second.name} (1)", self.preorder.shortage)
        activity = self.preorder.activity_ids
        self.assertEqual(len(activity), 1)
        self.assertIn("Order the goods again", activity.note)
        self.env["bridge.preorder"]._tick(self.company)
        self.assertEqual(self.preorder.activity_ids, activity)
        self.receipt(1)
        self.env["bridge.preorder"]._tick(self.company)
        self.assertFalse(self.preorder.shortage)
        self.assertFalse(self.preorder.activity_ids)

    def test_cancelled_receipt(self):
        """A receipt that is cancelled leaves all its preorders without goods, newest first."""
        first, second = self.receipt(2), self.receipt(3)
        self.ask(2, "A")
        self.ask(1, "B")
        second.action_cancel()
        self.assertEqual(self.preorder.shortage, "Game: nothing comes in any more for B (1).")
        first.action_cancel()
        self.assertEqual(self.preorder.shortage, "Game: nothing comes in any more for A (2), B (1).")

    def test_nobody_waits_any_more(self):
        """When the last one who waited cancels, the preorder says nothing any more, at once."""
        picking = self.receipt(2)
        self.ask(2, "A")
        order = self.env["sale.order"].create(
            {
                "partner_id": self.env["res.partner"].create({"name": "Buyer"}).id,
                "order_line": [Command.create({"product_id": self.game.id, "product_uom_qty": 2})],
            }
        )
        self.env["bridge.hold"].search([("order_ref", "=", "A")]).sale_line_id = order.order_line
        picking.action_cancel()
        self.assertEqual(len(self.preorder.activity_ids), 1)
        order._action_cancel()
        self.assertEqual((self.preorder.shortage, len(self.preorder.activity_ids)), (False, 0))

    def test_given_back_while_nothing_comes(self):
        """What a cart gave back is told no more at the next look, whichever company the lane runs for."""
        picking = self.receipt(2)
        self.ask(2, "A")
        picking.action_cancel()
        self.assertEqual(len(self.preorder.activity_ids), 1)
        self.release("A")
        other = self.env["res.company"].create({"name": "Other"})
        self.env["bridge.preorder"].with_context(allowed_company_ids=other.ids)._tick(self.company)
        self.assertEqual((self.preorder.shortage, len(self.preorder.activity_ids)), (False, 0))

    def test_a_preorder_tells_of_all_its_goods(self):
        """What is short of one product stays told when another of the same preorder is looked at."""
        self.preorder.product_ids |= self.tea
        for ref, product in (("A", self.game), ("B", self.tea)):
            picking = self.receipt(1, product=product)
            self.claim(1, ref, product, purpose="preorder")
            picking.action_cancel()
        self.assertIn("A (1)", self.preorder.shortage)
        self.assertIn("B (1)", self.preorder.shortage)

    def test_two_step_receipts_count_once(self):
        """Goods on their way through a receiving dock come in once, and count until they lie in stock."""
        self.location.warehouse_id.reception_steps = "two_steps"
        warehouse = self.location.warehouse_id
        picking = self.env["stock.picking"].create(
            {
                "picking_type_id": warehouse.in_type_id.id,
                "location_id": self.suppliers.id,
                "location_dest_id": warehouse.wh_input_stock_loc_id.id,
                "move_ids": [
                    Command.create(
                        {
                            "product_id": self.game.id,
                            "product_uom_qty": 5,
                            "location_id": self.suppliers.id,
                            "location_dest_id": warehouse.wh_input_stock_loc_id.id,
                            "location_final_id": self.location.id,
                        }
                    )
                ],
            }
        )
        picking.action_confirm()
        self.assertEqual(self.preorder.incoming, 5)
        self.ask(5, "A")
        self.receive(picking)
        self.preorder.invalidate_recordset()
        self.assertEqual(self.preorder.incoming, 5)
        self.assertEqual(self.holds("A"), [("incoming", "active", 5)])
        store = self.env["stock.picking"].search([("product_id", "=", self.game.id), ("state", "=", "assigned")])
        self.receive(store)
        self.assertEqual(self.holds("A"), [("hand", "active", 5)])
        self.assertFalse(self.preorder.shortage)

    # -- time and people -----------------------------------------------------------------------------------
    def test_channels_are_told_when_it_begins_and_ends(self):
        """The poll lane tells the channels once when a preorder begins and once when it ends."""
        self.preorder.write({"start_at": "2026-11-20 01:00:00", "end_at": "2026-11-20 05:00:00"})
        self.touched()
        told = []
        for moment in ("2026-11-20 00:30", "2026-11-20 01:00", "2026-11-20 01:01", "2026-11-20 05:00"):
            with freeze_time(moment):
                self.env["bridge.preorder"]._tick(self.company)
            told.append(bool(self.touched()))
        self.assertEqual(told, [True, True, False, True])

    def test_a_manager_makes_a_preorder_and_a_user_looks(self):
        """With a bridge group alone."""
        self.receipt(5, product=self.game)
        manager, user = (
            new_test_user(
                self.env, f"o_{name}", f"base.group_user,pos_erp_bridge.group_bridge_{name}",
                company_id=self.company.id, company_ids=[Command.set(self.company.ids)],
            )
            for name in ("manager", "user")
        )  # fmt: skip
        self.preorder.unlink()
        env = self.env(user=manager, su=False, context={"allowed_company_ids": self.company.ids})
        with Form(env["bridge.preorder"]) as form:
            form.name = "Game"
            form.template_ids.add(self.game.product_tmpl_id)
        self.assertEqual((form.record.left, form.record.state), (5, "running"))
        self.assertTrue(self.ask(1, "A"))
        self.assertEqual(form.record.with_user(user).left, 4)
        with self.assertRaises(AccessError):
            form.record.with_user(user).cap = 1


@tagged("-standard", "-at_install", "post_install", "bridge_race")
class TestPreorderRace(RaceCase):
    def test_thirty_buyers_of_ten_while_they_come_in(self):
        """Ten come in, thirty buyers preorder while the receipt is done: never an eleventh, and each of those who
        were promised one before has it at hand afterwards."""
        with self.registry.cursor() as cr:
            env = self.make_env(cr)
            product = env["product.product"].create(
                {"name": "Game", "is_storable": True, "company_id": self.company_id}
            )
            env["bridge.preorder"].create({"name": "Race", "company_id": self.company_id, "product_ids": product.ids})
            move = env["stock.move"].create(
                {
                    "product_id": product.id,
                    "product_uom_qty": 10,
                    "location_id": env.ref("stock.stock_location_suppliers").id,
                    "location_dest_id": self.location.id,
                    "company_id": self.company_id,
                }
            )
            move._action_confirm()
        self.registry.signal_changes()

        def receive():
            with self.registry.cursor() as cr:
                env = self.make_env(cr)

                def work():
                    done = env["stock.move"].browse(move.id)
                    done.quantity, done.picked = 10, True
                    done._action_done()

                retrying(work, env)

        granted = self.race([product], purpose="preorder", beside=receive)
        with self.registry.cursor() as cr:
            env = self.make_env(cr)
            product = env["product.product"].browse(product.id)
            holds = env["bridge.hold"].search([("product_id", "=", product.id)])
            self.assertLessEqual(granted, 10)
            self.assertEqual(len(holds), granted)
            self.assertEqual(set(holds.mapped("source")) | {"hand"}, {"hand"})
            free = env["bridge.availability"]._available(env["stock.location"].browse(self.location.id), product)
            self.assertEqual(free[product.id], 10 - granted)
