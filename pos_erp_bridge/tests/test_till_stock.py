# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo.fields import Command
from odoo.tests import tagged

from . import shop
from .common import BridgeCommon


@tagged("post_install", "-at_install")
class TestTillStock(BridgeCommon):
    """Stock, values and costs are those of Odoo's own till, however they were written."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        journal = cls.env["account.journal"].create({"name": "Own", "type": "cash", "code": "OWN"})
        method = cls.env["pos.payment.method"].create({"name": "Own cash", "journal_id": journal.id})
        config = cls.env["pos.config"].create({"name": "Own", "payment_method_ids": [Command.set(method.ids)]})
        cls.own = cls.env["pos.session"].create({"config_id": config.id, "user_id": cls.env.uid})
        cls.own.set_opening_control(0, "")

    def product(self, cost_method, valuation="periodic", **more):
        """A product bought twice, at two costs."""
        category = self.env["product.category"].create(
            {"name": "C", "property_cost_method": cost_method, "property_valuation": valuation}
        )
        product = self.env["product.product"].create(
            {"name": "P", "barcode": f"B{next(self.numbers)}", "is_storable": True, "categ_id": category.id,
             "taxes_id": [Command.set(self.tax10.ids)], "standard_price": 10, "list_price": 110, **more}
        )  # fmt: skip
        if not more:
            for cost in (10, 30):
                self.receive(product, 10, cost)
        return product

    def receive(self, product, quantity, cost):
        kind = shop.warehouse(self.env).in_type_id
        move = self.env["stock.move"].create(
            {
                "product_id": product.id, "product_uom_qty": quantity, "product_uom": product.uom_id.id,
                "price_unit": cost, "location_id": self.env.ref("stock.stock_location_suppliers").id,
                "location_dest_id": self.location.id, "picking_type_id": kind.id, "company_id": self.company.id,
            }
        )  # fmt: skip
        move._action_confirm()
        move.quantity, move.picked = quantity, True
        move._action_done()
        self.env["product.value"].create({"move_id": move.id, "value": cost * quantity, "company_id": self.company.id})

    def figures(self, product, orders):
        product.invalidate_recordset()
        moves = self.env["stock.move"].search(
            [("product_id", "=", product.id), ("picking_id", "!=", False)], order="id"
        )
        return {
            "on hand": self.on_hand(product),
            "available": product.with_context(location=self.location.id).qty_available,
            "value": product.total_value,
            "standard price": product.standard_price,
            "cost of orders": sum(orders.lines.mapped("total_cost")),
            "margin": sum(orders.lines.mapped("margin")),
            "value out": sum(moves.filtered("is_out").mapped("value")),
            "value in": sum(moves.filtered("is_in").mapped("value")),
            "states": set(moves.mapped("state")),
        }

    def test_same_as_odoos_own_till(self):
        """Standard, average and first-in-first-out costs: on hand, value, costs and margins are the same."""
        for method in ("standard", "average", "fifo"):
            with self.subTest(method):
                ours, theirs = self.product(method), self.product(method)
                events = self.book(
                    self.sale(self.line(ours, 440, 4, rate=10, unit_price=110)),
                    self.sale(self.line(ours, 880, 8, rate=10, unit_price=110)),
                )
                booked = self.order(events[0]) | self.order(events[1])
                own = self.sell_own(self.own, theirs, 4, 440, 40) | self.sell_own(self.own, theirs, 8, 880, 80)
                self.assertEqual(self.figures(ours, booked), self.figures(theirs, own))
                self.assertEqual(self.on_hand(ours), 8)

    def test_returns_same_as_odoos_own_till(self):
        """Goods that come back are valued as on Odoo's own till."""
        for method in ("standard", "average", "fifo"):
            with self.subTest(method):
                ours, theirs = self.product(method), self.product(method)
                booked = self.order(self.book(self.sale(self.line(ours, 1320, 12, rate=10, unit_price=110))))
                booked |= self.order(self.book(self.sale(self.line(ours, -220, -2, rate=10, unit_price=110))))
                own = self.sell_own(self.own, theirs, 12, 1320, 120) | self.sell_own(self.own, theirs, -2, -220, -20)
                ours_figures, own_figures = self.figures(ours, booked), self.figures(theirs, own)
                # Refunds of the core's screen carry another sign in the margin; compare what they cost.
                self.assertEqual(ours_figures, own_figures)
                self.assertEqual(self.on_hand(ours), 10)

    def test_continuous_valuation_is_in_the_closing_entry(self):
        """With continuous valuation the entry holds the same cost lines as that of Odoo's own till."""
        self.company.inventory_valuation = "real_time"
        account = self.env["account.account"].create(
            {"name": "商品", "code": "120099", "account_type": "asset_current"}
        )
        self.company.account_stock_valuation_id = account
        ours, theirs = (self.product("average", "real_time") for _ in range(2))
        session = self.order(self.book(self.sale(self.line(ours, 440, 4, rate=10, unit_price=110)))).session_id
        self.sell_own(self.own, theirs, 4, 440, 40)
        closing = session._bridge_closing()
        self.assertTrue(closing._close(is_forced=True), closing.message)
        self.own.post_closing_cash_details(440)
        self.own.close_session_from_ui()

        def costs(entry):
            return sorted((line.account_id.code, line.balance) for line in entry.line_ids if not line.name)

        self.assertEqual(costs(session.move_id), costs(self.own.move_id))
        self.assertTrue(costs(session.move_id))

    def test_goods_lie_in_places_within_the_store(self):
        """What is on a shelf within the store's location is taken from there; the rest from the location itself."""
        shelf = self.env["stock.location"].create({"name": "棚", "location_id": self.location.id})
        product = self.product("standard", name="Q")
        Quant = self.env["stock.quant"]
        Quant._update_available_quantity(product, shelf, 3)
        self.book(self.sale(self.line(product, 550, 5, rate=10)))
        self.assertEqual((self.on_hand(product, shelf), self.on_hand(product)), (0, -2))

    def test_goods_in_a_package(self):
        """Goods that lie in a package are taken out of it."""
        product = self.product("standard", name="Q")
        package = self.env["stock.package"].create({"name": "箱"})
        self.env["stock.quant"]._update_available_quantity(product, self.location, 3, package_id=package)
        self.book(self.sale(self.line(product, 220, 2, rate=10)))
        self.assertEqual(package.quant_ids.quantity, 1)

    def test_reservation_of_others_gives_way(self):
        """The customer at the till has the goods in hand: what was reserved for others is no longer, as in Odoo."""
        for sell in (
            lambda product: self.book(self.sale(self.line(product, 220, 2, rate=10))),
            lambda product: self.sell_own(self.own, product, 2, 220, 20),
        ):
            product = self.product("standard", name="Q")
            self.env["stock.quant"]._update_available_quantity(product, self.location, 3)
            places = {
                "location_id": self.location.id,
                "location_dest_id": self.env.ref("stock.stock_location_customers").id,
            }
            move = {"product_id": product.id, "product_uom_qty": 3, "product_uom": product.uom_id.id, **places}
            picking = self.env["stock.picking"].create(
                {
                    "picking_type_id": shop.warehouse(self.env).out_type_id.id,
                    "move_ids": [Command.create({**move, "company_id": self.company.id})],
                    **places,
                }
            )
            picking.action_confirm()
            picking.action_assign()
            self.assertEqual(picking.move_ids.quantity, 3)
            sell(product)
            quants = self.env["stock.quant"].search(
                [("product_id", "=", product.id), ("location_id", "=", self.location.id)]
            )
            self.assertEqual((sum(quants.mapped("quantity")), sum(quants.mapped("reserved_quantity"))), (1, 1))
            self.assertEqual(picking.move_ids.quantity, 1)

    def test_more_sold_than_there_is(self):
        """The till sold it, so it is gone: stock becomes negative rather than the sale be refused."""
        product = self.product("standard", name="Q")
        self.book(self.sale(self.line(product, 220, 2, rate=10)))
        self.assertEqual(self.on_hand(product), -2)
        self.book(self.sale(self.line(product, -220, -2, rate=10)))
        self.assertEqual(self.on_hand(product), 0)

    def test_serial_numbers_wait_for_a_person(self):
        """A till names no serial numbers: the sale is booked, its goods are left in an open transfer."""
        product = self.product("standard", name="Q", tracking="serial")
        order = self.order(self.book(self.sale(self.line(product, 110, rate=10), self.line(self.tea, 138))))
        self.assertEqual(order.state, "paid")
        self.assertEqual(sorted(order.bridge_picking_ids.mapped("state")), ["confirmed", "done"])
        self.assertEqual((self.on_hand(self.tea), order.picking_count, order.failed_pickings), (99, 2, True))

    def test_services_move_nothing(self):
        """A service has no goods."""
        product = self.env["product.product"].create({"name": "Gift wrap", "barcode": "WRAP", "type": "service"})
        order = self.order(self.book(self.sale(self.line(product, 110, rate=10))))
        self.assertFalse(order.bridge_picking_ids)

    def test_one_transfer_for_a_batch(self):
        """All receipts of a store in a batch share one transfer, and each shows it."""
        events = self.book(*(self.sale(self.line(self.tea, 138), self.line(self.rice, 151)) for _ in range(5)))
        pickings = {self.order(event).bridge_picking_ids for event in events}
        self.assertEqual(len(pickings), 1)
        picking = pickings.pop()
        self.assertEqual((picking.state, picking.pos_session_id), ("done", self.order(events[0]).session_id))
        self.assertEqual({m.product_id: m.quantity for m in picking.move_ids}, {self.tea: 5, self.rice: 5})
        action = self.order(events[0]).action_stock_picking()
        self.assertEqual(self.env["stock.picking"].search(action["domain"]), picking)
