# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import base64
from dataclasses import replace

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command
from odoo.service.model import call_kw
from odoo.tests import Form, tagged

from ..connectors import registered
from ..connectors.base import Capability
from . import shop
from .lane_case import LaneCase
from .places_case import PlacesCase
from .test_conformance import TEA
from .web_common import WebCase, give_back, line, order, refund

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class InspectionCase:
    """What both kinds of channel need to look at."""

    def rows(self, *states):
        domain = [("company_id", "=", self.env.company.id)] + ([("state", "in", states)] if states else [])
        return self.env["bridge.inspection"].search(domain, order="id")

    def lying(self, product, place):
        quants = self.env["stock.quant"].search([("product_id", "=", product.id), ("location_id", "=", place.id)])
        return sum(quants.mapped("quantity"))


@tagged("post_install", "-at_install")
class TestInspection(InspectionCase, PlacesCase):
    """What comes back over a till lies in inspection until somebody decided."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.warehouse.action_bridge_set_up_inspection()
        cls.place = cls.warehouse.bridge_inspection_location_id
        cls.reason = cls.env["stock.scrap.reason.tag"].create({"name": "Broken in the box"})

    def bring_back(self, quantity=1, product=None):
        """A customer brings something back to the first store; returns the rows that are open then."""
        product = product or self.tea
        event = self.book(self.sale(self.line(product, -138 * quantity, -quantity, unit_price=138)))
        self.order(event)
        return self.rows("to_inspect")

    def level(self):
        """The level of tea at the first store, as the lane folds it: (should be, channel shows)."""
        self.env.cr.precommit.run()
        self.env["bridge.stock.level"]._fold(self.channel)
        level = self.env["bridge.stock.level"].search(
            [("store_id", "=", self.store.id), ("product_id", "=", self.tea.id)]
        )
        return level.desired, level.confirmed, level.state

    # -- landing ---------------------------------------------------------------------------------
    def test_set_up(self):
        """The location lies beside the stock, is made once, and cannot be where a store sells from."""
        self.assertEqual((self.place.location_id, self.place.usage), (self.warehouse.view_location_id, "internal"))
        self.assertEqual(self.place.warehouse_id, self.warehouse)
        self.warehouse.action_bridge_set_up_inspection()
        self.assertEqual(self.warehouse.bridge_inspection_location_id, self.place)
        with self.assertRaises(ValidationError) as caught:
            self.store.location_id = self.place
        self.assertIn("goods nobody looked at", str(caught.exception))
        inner = self.env["stock.location"].create({"name": "Inner", "location_id": self.location.id})
        with self.assertRaises(ValidationError) as caught:
            self.warehouse.bridge_inspection_location_id = inner
        self.assertIn("is for sale", str(caught.exception))

    def test_a_till_return_waits(self):
        """What comes back is in inspection, not in the store, and on the list with where it belongs."""
        row = self.bring_back(2)
        self.assertEqual((self.on_hand(self.tea), self.lying(self.tea, self.place)), (100, 2))
        self.assertEqual(
            (row.product_id, row.quantity, row.location_id, row.home_location_id, row.state),
            (self.tea, 2, self.place, self.location, "to_inspect"),
        )
        self.assertEqual(row.picking_id.state, "done")
        self.assertEqual(row.picking_id.pos_session_id.bridge_store_id, self.store)

    def test_a_store_without_inspection_sells_at_once(self):
        """A warehouse without an inspection location takes returns back into stock as before."""
        self.order(self.book(self.sale(self.line(self.tea, -138, -1, unit_price=138), store_id="2")))
        self.assertEqual(self.on_hand(self.tea, self.branch_stock), 1)
        self.assertFalse(self.rows())

    def test_a_receipt_with_goods_both_ways(self):
        """An exchange takes from the store and puts into inspection; other stores' receipts are as ever."""
        event = self.book(self.sale(self.line(self.tea, -138, -1, unit_price=138), self.line(self.brush, 327)))
        order = self.order(event)
        self.assertEqual(
            (self.on_hand(self.tea), self.on_hand(self.brush), self.lying(self.tea, self.place)), (100, 99, 1)
        )
        self.assertEqual(len(order.bridge_picking_ids), 2)

    def test_a_voided_sale_never_left(self):
        """Voiding a receipt puts its goods into the store, not into inspection: no customer had them."""
        sale = self.sale(self.line(self.tea, 276, 2))
        self.book(sale)
        self.order(self.book(replace(sale, version="2", state="void")))
        self.assertEqual((self.on_hand(self.tea), self.lying(self.tea, self.place)), (100, 0))
        self.assertFalse(self.rows())

    def test_a_voided_return_leaves_inspection(self):
        """Voiding a return takes the goods out of inspection again, and off the list."""
        sale = self.sale(self.line(self.tea, -276, -2, unit_price=138))
        self.book(sale)
        self.order(self.book(replace(sale, version="2", state="void")))
        self.assertEqual((self.on_hand(self.tea), self.lying(self.tea, self.place)), (100, 0))
        self.assertEqual(self.rows().mapped("state"), ["gone"])

    def test_a_voided_return_that_was_decided(self):
        """Goods already back on sale are taken from the store when their return is voided."""
        sale = self.sale(self.line(self.tea, -276, -2, unit_price=138))
        self.book(sale)
        self.rows().action_sellable()
        self.order(self.book(replace(sale, version="2", state="void")))
        self.assertEqual((self.on_hand(self.tea), self.lying(self.tea, self.place)), (100, 0))

    def test_odoos_own_till(self):
        """Odoo's own till returns into inspection where its operation type says so."""
        journal = self.env["account.journal"].create({"name": "Own", "type": "cash", "code": "OWN"})
        method = self.env["pos.payment.method"].create({"name": "Own cash", "journal_id": journal.id})
        config = self.env["pos.config"].create({"name": "Own", "payment_method_ids": [Command.set(method.ids)]})
        config.picking_type_id.return_picking_type_id = self.warehouse.in_type_id.copy(
            {"name": "Returns", "sequence_code": "RET", "default_location_dest_id": self.place.id}
        )
        session = self.env["pos.session"].create({"config_id": config.id, "user_id": self.env.uid})
        session.set_opening_control(0, "")
        self.sell_own(session, self.tea, -1, -138, -10)
        self.assertEqual((self.lying(self.tea, self.place), self.rows().home_location_id), (1, self.location))

    # -- levels ----------------------------------------------------------------------------------
    def test_the_till_counts_it_the_level_does_not(self):
        """The till adds the piece itself; what may be sold does not rise, so the till is corrected."""
        self.env["bridge.binding"]._bind(self.channel, "product", [("p1", self.tea)])
        self.env["bridge.touch"]._touch_products(self.channel, self.tea)
        self.level()
        level = self.env["bridge.stock.level"].search(
            [("product_id", "=", self.tea.id), ("store_id", "=", self.store.id)]
        )
        level.write({"confirmed": 100, "is_known": True, "state": "synced"})
        row = self.bring_back()
        self.assertEqual(self.level(), (100, 101, "due"))
        level.write({"confirmed": 100, "state": "synced"})  # the lane told the till
        row.action_sellable()
        self.assertEqual(self.level(), (101, 100, "due"), "published again")

    # -- deciding --------------------------------------------------------------------------------
    def test_sellable(self):
        """Fit for sale: a done native transfer into the store, and who decided when."""
        row = self.bring_back(2)
        row.action_sellable()
        picking = row.result_picking_id
        self.assertEqual((row.state, row.decided_by_id), ("sellable", self.env.user))
        self.assertTrue(row.decided_at)
        self.assertEqual(
            (picking.state, picking.picking_type_id, picking.location_id, picking.location_dest_id),
            ("done", self.warehouse.int_type_id, self.place, self.location),
        )
        self.assertEqual((self.on_hand(self.tea), self.lying(self.tea, self.place)), (102, 0))
        self.assertEqual(row.action_open_result()["res_id"], picking.id)

    def test_many_at_once_is_one_transfer(self):
        """Several returns decided together go back in one transfer for each place."""
        self.bring_back(2)
        self.bring_back(1, self.rice)
        rows = self.bring_back(1)
        rows.action_sellable()
        self.assertEqual(len(rows), 3)
        self.assertEqual(len(rows.result_picking_id), 1)
        self.assertEqual((self.on_hand(self.tea), self.on_hand(self.rice)), (103, 101))

    def test_decided_once(self):
        """What was decided is not decided again."""
        row = self.bring_back()
        row.action_sellable()
        for method in ("action_sellable", "action_scrap", "action_vendor", "action_split"):
            with self.assertRaisesRegex(UserError, "decided already"):
                getattr(row, method)()
        self.assertEqual(self.on_hand(self.tea), 101)

    def test_scrap_needs_a_reason(self):
        """Damaged goods become a native scrap order with its reason, never without one."""
        row = self.bring_back(2)
        with self.assertRaisesRegex(UserError, "need a reason"):
            row.action_scrap()
        with Form(row) as form:
            form.reason_id, form.note = self.reason, "wet"
            form.photo = base64.b64encode(PIXEL)
        row.action_scrap()
        scrap = row.scrap_id
        self.assertEqual((row.state, scrap.state, scrap.scrap_qty), ("scrapped", "done", 2))
        self.assertEqual((scrap.scrap_reason_tag_ids, scrap.location_id), (self.reason, self.place))
        self.assertEqual((self.on_hand(self.tea), self.lying(self.tea, self.place)), (100, 0))
        self.assertTrue(row.photo)

    def test_back_to_the_vendor(self):
        """A transfer to the vendor, ready to be handed over; the row stays decided when it leaves."""
        vendor = self.env["res.partner"].create({"name": "Maker"})
        self.env["product.supplierinfo"].create(
            {"partner_id": vendor.id, "product_tmpl_id": self.tea.product_tmpl_id.id}
        )
        row = self.bring_back(2)
        row.action_vendor()
        picking = row.result_picking_id
        self.assertEqual(
            (picking.state, picking.partner_id, picking.location_id, picking.location_dest_id.usage),
            ("assigned", vendor, self.place, "supplier"),
        )
        picking.button_validate()
        self.assertEqual((picking.state, row.state, self.lying(self.tea, self.place)), ("done", "vendor", 0))
        self.assertEqual(len(self.rows()), 1)

    def vendor_return(self, quantity):
        """A decided return to the vendor, not handed over yet."""
        row = self.bring_back(quantity)
        row.action_vendor()
        return row.result_picking_id

    def seen(self):
        """[(state, quantity)] of all rows; what is open is what lies there and has not been decided."""
        return sorted((row.state, row.quantity) for row in self.rows())

    def test_a_cancelled_vendor_return_is_to_inspect_again(self):
        """The transfer is cancelled: the goods still lie there, and wait for a decision, which can be any."""
        picking = self.vendor_return(2)
        picking.action_cancel()
        row = self.rows()
        self.assertEqual(
            (row.state, row.quantity, row.decided_by_id.id, row.decided_at, row.result_picking_id.id),
            ("to_inspect", 2, False, False, False),
        )
        row.action_sellable()
        self.assertEqual((self.on_hand(self.tea), self.lying(self.tea, self.place)), (102, 0))

    def test_a_vendor_return_cancelled_by_a_user_of_the_warehouse(self):
        """Whoever may cancel the transfer needs no right of ours for that."""
        picking = self.vendor_return(2)
        self.as_staff(picking, self.staff("i_stock", "stock.group_stock_user")).action_cancel()
        self.assertEqual(self.seen(), [("to_inspect", 2)])

    def test_the_vendor_takes_a_part_and_the_rest_stays(self):
        """Less is handed over, without a backorder: the rest is to be inspected again."""
        picking = self.vendor_return(3)
        picking.move_ids.write({"quantity": 1, "picked": True})
        picking.with_context(skip_backorder=True, picking_ids_not_to_backorder=picking.ids).button_validate()
        self.assertEqual((picking.state, self.lying(self.tea, self.place)), ("done", 2))
        self.assertEqual(self.seen(), [("to_inspect", 2), ("vendor", 1)])
        self.assertEqual(self.rows("vendor").result_picking_id, picking)

    def test_the_rest_leaves_later_or_not(self):
        """What became a backorder is decided as long as one is there; a cancelled one leaves its part open."""
        picking = self.vendor_return(5)
        for quantity in (1, 2):
            picking.move_ids.write({"quantity": quantity, "picked": True})
            picking.with_context(skip_backorder=True).button_validate()
            self.assertEqual(self.seen(), [("vendor", 5)])
            picking = picking.backorder_ids
        picking.action_cancel()
        self.assertEqual(self.lying(self.tea, self.place), 2)
        self.assertEqual(self.seen(), [("to_inspect", 2), ("vendor", 3)])

    def test_the_last_backorder_takes_nothing_from_others(self):
        """What leaves with a backorder of a backorder was decided: what came back meanwhile stays to be inspected."""
        picking = self.vendor_return(3)
        self.bring_back(4)
        for _part in range(3):
            picking.move_ids.write({"quantity": 1, "picked": True})
            picking.with_context(skip_backorder=True).button_validate()
            picking = picking.backorder_ids
        self.assertEqual(self.lying(self.tea, self.place), 4)
        self.assertEqual(self.seen(), [("to_inspect", 4), ("vendor", 3)])

    def test_one_of_two_serial_numbers_stays(self):
        """Of several numbers the one that stays is open again, also when the transfer waits without reservation."""
        product = self.env["product.product"].create({"name": "S", "is_storable": True, "tracking": "serial"})
        lots = self.env["stock.lot"].create(
            [{"name": name, "product_id": product.id, "company_id": self.company.id} for name in ("S1", "S2")]
        )
        for lot in lots:
            self.move_lot(product, lot, self.customers, self.place)
        self.rows().action_vendor()
        picking = self.rows().result_picking_id
        picking.do_unreserve()
        picking.action_assign()
        self.assertEqual(self.seen(), [("vendor", 1), ("vendor", 1)])
        picking.move_line_ids.filtered(lambda part: part.lot_id == lots[0]).unlink()
        picking.move_ids.picked = True
        picking.with_context(skip_backorder=True, picking_ids_not_to_backorder=picking.ids).button_validate()
        self.assertEqual(self.rows("to_inspect").lot_id, lots[0])
        self.assertEqual(self.rows("vendor").lot_id, lots[1])

    def test_part_of_it(self):
        """Two of three are fit for sale, one is not: split, and decide each; the parts add up."""
        row = self.bring_back(3)
        for quantity in (0, 3, 4, -1):
            row.split_quantity = quantity
            with self.assertRaisesRegex(UserError, "cannot be split off"):
                row.action_split()
        row.split_quantity = 1
        part = row.action_split()
        self.assertEqual(
            (row.quantity, part.quantity, part.state, part.picking_id), (2, 1, "to_inspect", row.picking_id)
        )
        part.reason_id = self.reason
        part.action_scrap()
        row.action_sellable()
        self.assertEqual((self.on_hand(self.tea), self.lying(self.tea, self.place)), (102, 0))

    def test_serial_numbers_are_kept(self):
        """Tracked goods keep their number from return to store."""
        product = self.env["product.product"].create({"name": "S", "is_storable": True, "tracking": "serial"})
        lot = self.env["stock.lot"].create({"name": "S1", "product_id": product.id, "company_id": self.company.id})
        self.move_lot(product, lot, self.customers, self.place)
        row = self.rows()
        self.assertEqual(row.lot_id, lot)
        row.action_sellable()
        quant = self.env["stock.quant"].search([("lot_id", "=", lot.id), ("quantity", ">", 0)])
        self.assertEqual(quant.location_id, self.location)

    def move_lot(self, product, lot, source, target):
        places = {"location_id": source.id, "location_dest_id": target.id}
        part = {
            "product_id": product.id,
            "product_uom_id": product.uom_id.id,
            "lot_id": lot.id,
            "quantity": 1,
            "picked": True,
        }
        move = self.env["stock.move"].create(
            {
                "product_id": product.id, "product_uom": product.uom_id.id, "product_uom_qty": 1, "picked": True,
                "company_id": self.company.id, "move_line_ids": [Command.create({**part, **places})], **places,
            }
        )  # fmt: skip
        move._action_done()

    def test_moved_out_by_hand(self):
        """What somebody takes out of inspection by a transfer of his own is off the list; what is left stays."""
        self.bring_back(3)
        self.move(self.tea, 2, self.place, self.branch_stock)
        self.assertEqual([(row.state, row.quantity) for row in self.rows()], [("to_inspect", 1), ("gone", 2)])

    def test_counted_away(self):
        """Goods that do not lie there cannot be decided: the message says what to do."""
        row = self.bring_back(3)
        self.env["stock.quant"]._update_available_quantity(self.tea, self.place, -2)
        with self.assertRaisesRegex(UserError, "Correct the stock there"):
            row.action_sellable()

    # -- rights ----------------------------------------------------------------------------------
    def test_rights(self):
        """A bridge user with the warehouse's right decides; without it he is told which he lacks; auditors look."""
        row = self.bring_back(3)
        auditor, user = self.staff("i_auditor", "auditor"), self.staff("i_user", "user")
        both = self.staff("i_both", "user", "stock.group_stock_user")
        self.assertEqual(self.as_staff(row, auditor).product_id, self.tea)
        with self.assertRaises(AccessError):
            self.as_staff(row, auditor).note = "x"
        with self.assertRaisesRegex(AccessError, "Inventory / User"):
            self.as_staff(row, user).action_sellable()
        mine = self.as_staff(row, both)
        with Form(mine) as form:
            form.split_quantity = 1
            form.reason_id = mine.env["stock.scrap.reason.tag"].browse(self.reason.id)
        scrap = mine.action_split()
        mine.split_quantity = 1
        vendor = mine.action_split()
        scrap.action_scrap()
        vendor.action_vendor()
        mine.action_sellable()
        self.assertEqual({r.decided_by_id for r in self.rows()}, {both})
        self.assertEqual(sorted(self.rows().mapped("state")), ["scrapped", "sellable", "vendor"])

    def test_what_was_decided_is_not_edited(self):
        """Remarks, reason and home are the user's until it is decided; state, who and when never are."""
        row = self.bring_back(3)
        mine = self.as_staff(row, self.staff("i_writer", "user", "stock.group_stock_user"))
        mine.write({"note": "wet", "reason_id": self.reason.id, "home_location_id": self.location.id})
        for vals in ({"state": "sellable"}, {"quantity": 1}, {"decided_by_id": False, "note": "x"}):
            with self.subTest(vals=vals), self.assertRaisesRegex(AccessError, "Use the buttons"):
                mine.write(vals)
        mine.action_scrap()
        for vals in ({"note": "dry"}, {"state": "to_inspect"}, {"home_location_id": self.branch_stock.id}):
            with self.subTest(vals=vals), self.assertRaisesRegex(UserError, "decided already"):
                mine.write(vals)
        self.assertEqual((row.state, row.note, row.quantity), ("scrapped", "wet", 3))

    def test_button_sets_up_all_stores(self):
        """One button gives every warehouse a store sells from its inspection location; rights are asked."""
        self.assertFalse(self.branch.bridge_inspection_location_id)
        with self.assertRaisesRegex(UserError, "Inventory / Administrator"):
            self.as_staff(self.rows(), self.staff("i_manager", "manager")).action_set_up()
        chief = self.staff("i_chief", "manager", "stock.group_stock_manager")
        # As the list's button does, with nothing selected.
        call_kw(self.as_staff(self.rows(), chief), "action_set_up", [[]], {})
        self.assertTrue(self.branch.bridge_inspection_location_id)
        self.assertEqual(self.warehouse.bridge_inspection_location_id, self.place)

    def test_companies_apart(self):
        """Returns of another company are not seen."""
        row = self.bring_back()
        env = shop.make_company(self.env, "Other")
        stranger = self.staff("i_other", "manager")
        stranger.write({"company_ids": [Command.set(env.company.ids)], "company_id": env.company.id})
        self.assertFalse(self.env(user=stranger, su=False, context={})[row._name].search([("id", "=", row.id)]))


@tagged("post_install", "-at_install")
class TestInspectionWeb(InspectionCase, WebCase):
    """What comes back to a web store lies in inspection until somebody decided."""

    def setUp(self):
        super().setUp()
        self.warehouse = self.location.warehouse_id
        self.warehouse.action_bridge_set_up_inspection()
        self.place = self.warehouse.bridge_inspection_location_id

    def test_a_web_return_waits(self):
        """A refund with goods: they land in inspection, count as returned, and the web store is corrected."""
        sold = line("1", self.mug, 2)
        document = self.booked(order("O1", sold, paid="card"))
        self.deliver(document.picking_ids)
        self.own_touches()
        self.booked(order("O1", sold, paid="card", version="2", refunds=(refund("F1", give_back(sold, 1, "return")),)))
        row = self.rows()
        self.assertEqual((row.product_id, row.quantity, row.home_location_id), (self.mug, 1, self.location))
        self.assertEqual(row.partner_id, document.partner_shipping_id)
        self.assertEqual((self.free(self.mug), self.lying(self.mug, self.place)), ((98, 0), 1))
        self.assertEqual(document.order_line.qty_delivered, 1)
        self.assertEqual(self.own_touches(), {self.mug: 1})
        row.action_sellable()
        self.assertEqual((self.free(self.mug), self.lying(self.mug, self.place)), ((99, 0), 0))

    def test_what_was_never_sent_is_not_inspected(self):
        """Cancelled goods never left the store."""
        sold = line("1", self.mug, 2)
        self.booked(order("O1", sold, paid="card"))
        self.booked(order("O1", sold, paid="card", version="2", refunds=(refund("F1", give_back(sold, 1, "cancel")),)))
        self.assertFalse(self.rows())


@tagged("post_install", "-at_install")
class TestInspectionLane(LaneCase):
    """A till of its own, over a real socket: it counts the return itself, and is told the piece is not for sale yet."""

    def test_the_till_is_corrected(self):
        """Sold two, brought one back: the till shows one more by itself, then what may be sold; then all."""
        need = {Capability.STOCK_OUT, Capability.SALES_IN}
        system = next(key for key, c in sorted(registered().items()) if c.kind == "till" and need <= c.capabilities)
        vendor = self.connect(system)
        warehouse = self.location.warehouse_id
        warehouse.action_bridge_set_up_inspection()
        self.env["bridge.touch"]._touch_channel(vendor.channel)
        self.run_lanes(vendor, "outward")

        def level():
            return next(iter(vendor.sandbox.state()["levels"].values())).get(TEA)

        sold = vendor.sell(TEA, TEA)
        self.poll(vendor)
        self.settle(vendor)
        self.run_lanes(vendor, "outward")
        self.assertEqual(level(), 98)
        vendor.do("refund", sold, items=[{"code": TEA, "quantity": 1}])
        self.assertEqual(level(), 99, "the till counts it itself")
        self.poll(vendor)
        self.settle(vendor)
        self.run_lanes(vendor, "outward")
        self.assertEqual(level(), 98)
        row = self.env["bridge.inspection"].search([("company_id", "=", self.env.company.id)])
        self.assertEqual((row.product_id, row.quantity, row.state), (self.products[TEA], 1, "to_inspect"))
        row.action_sellable()
        self.run_lanes(vendor, "outward")
        self.assertEqual(level(), 99)
