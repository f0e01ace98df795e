# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.service.model import call_kw
from odoo.tests import tagged

from ..models.bridge_transfer_proposal import Cover, balance
from . import shop
from .places_case import PlacesCase


@tagged("post_install", "-at_install")
class TestTransfers(PlacesCase):
    """Transfers between stores, proposed from days of cover and made with one click."""

    def setUp(self):
        super().setUp()
        self.Proposal = self.env["bridge.transfer.proposal"]
        for product in (self.rice, self.tea):  # not new
            self.sell(product, 1, days_ago=100)
        # The branch sells 2 a day and has 4: two days. The shop sells 1 a day and has 100.
        self.sell(self.rice, 56, self.branch_stock)
        self.sell(self.rice, 28)
        self.set_stock(self.rice, 4, self.branch_stock)
        self.set_stock(self.rice, 100)

    def propose(self):
        self.env["bridge.velocity"]._recompute(self.company)
        return self.Proposal._propose(self.company)

    def figures(self, proposals):
        return [(p.product_id, p.from_location_id, p.to_location_id, p.quantity) for p in proposals]

    def test_one_store_runs_out_another_has_too_many(self):
        """The store is filled up to seven days of its sales; the proposal says what that means on both sides."""
        proposal = self.propose()
        self.assertEqual(self.figures(proposal), [(self.rice, self.location, self.branch_stock, 10)])
        self.assertEqual(
            (proposal.to_days_before, proposal.to_days_after, proposal.from_days_before, proposal.from_days_after),
            (2, 7, 100, 90),
        )
        self.assertEqual(
            proposal.explanation,
            "BR/Stock sells 2.00 a day and has 4, 0 on the way: enough for 2.0 days, then for 7.0. "
            f"{self.location.display_name} sells 1.00 a day and has 100: enough for 100.0 days, then for 90.0.",
        )

    def test_the_giver_keeps_its_own(self):
        """A store gives only what it has beyond 21 days of its sales."""
        self.set_stock(self.rice, 24)
        self.assertEqual(self.propose().quantity, 3)
        self.set_stock(self.rice, 21)
        self.assertFalse(self.propose())

    def test_settings_of_the_company(self):
        """How many days are filled up and kept is the company's to say; contradictions are refused in words."""
        self.company.write({"bridge_cover_target_days": 14, "bridge_cover_give_days": 90})
        self.assertEqual(self.propose().quantity, 10)
        self.company.bridge_cover_give_days = 14
        self.assertEqual(self.propose().quantity, 24)

    def test_a_store_that_sells_none_gives_all(self):
        """What nobody buys in one store is offered to where it sells; the words say so."""
        self.set_stock(self.bread, 0)
        self.set_stock(self.bread, 5)
        self.sell(self.bread, 3, self.branch_stock, days_ago=3)
        self.set_stock(self.bread, 0, self.branch_stock)
        proposal = self.propose().filtered(lambda p: p.product_id == self.bread)
        self.assertEqual((proposal.quantity, proposal.to_days_before), (5, 0))
        self.assertIn("sold none lately and has 5, then 0.", proposal.explanation)

    def test_run_twice_is_the_same(self):
        """A second run refreshes the open proposals: same rows, newer figures; what is no longer needed goes."""
        proposal = self.propose()
        self.set_stock(self.rice, 6, self.branch_stock)
        self.assertEqual(self.propose(), proposal)
        self.assertEqual((proposal.quantity, proposal.to_free), (8, 6))
        self.set_stock(self.rice, 40, self.branch_stock)
        self.assertFalse(self.propose())
        self.assertFalse(proposal.exists())

    def test_one_click_makes_a_native_transfer(self):
        """Transfer makes one reserved internal transfer for the pair of locations, and what is on the way counts."""
        self.sell(self.tea, 28, self.branch_stock)
        self.set_stock(self.tea, 0, self.branch_stock)
        proposals = self.propose()
        action = proposals.action_transfer()
        picking = proposals.picking_id
        self.assertEqual(len(picking), 1)
        self.assertEqual((action["res_model"], action["res_id"]), ("stock.picking", picking.id))
        self.assertEqual(
            (picking.state, picking.picking_type_id, picking.location_id, picking.location_dest_id),
            ("assigned", self.warehouse.int_type_id, self.location, self.branch_stock),
        )
        self.assertEqual(
            {move.product_id: move.product_uom_qty for move in picking.move_ids}, {self.rice: 10, self.tea: 7}
        )
        self.assertEqual(set(proposals.mapped("state")), {"done"})
        self.assertEqual(proposals.decided_by_id, self.env.user)
        self.assertFalse(self.propose(), "what is on the way is counted")
        picking.button_validate()
        self.assertEqual(self.on_hand(self.rice, self.branch_stock), 14)
        self.assertFalse(self.propose())

    def test_pressed_twice_transfers_once(self):
        """A proposal that is done is not transferred again; the second click is told so."""
        proposal = self.propose()
        proposal.action_transfer()
        with self.assertRaisesRegex(UserError, "done already"):
            proposal.action_transfer()
        self.assertEqual(self.env["stock.picking"].search_count([("id", "in", proposal.picking_id.ids)]), 1)

    def test_only_what_is_still_free(self):
        """What was sold since it was proposed is not transferred."""
        proposal = self.propose()
        self.set_stock(self.rice, 4)
        proposal.action_transfer()
        self.assertEqual((proposal.quantity, proposal.picking_id.move_ids.quantity), (4, 4))

    def test_unreserved_transfers_count(self):
        """Goods promised to another transfer but not reserved yet are not given twice."""
        kind = self.warehouse.int_type_id
        shelf = self.env["stock.location"].create(
            {"name": "Elsewhere", "location_id": self.warehouse.view_location_id.id}
        )
        self.env["stock.move"].create(
            {
                "product_id": self.rice.id, "product_uom": self.rice.uom_id.id, "product_uom_qty": 76,
                "location_id": self.location.id, "location_dest_id": shelf.id, "picking_type_id": kind.id,
                "company_id": self.company.id,
            }
        )._action_confirm()  # fmt: skip
        proposal = self.propose()
        self.assertEqual((proposal.from_free, proposal.quantity), (24, 3))

    def test_dismissed_is_left_alone(self):
        """What a person dismissed is not proposed again for a week."""
        self.propose().action_dismiss()
        self.assertFalse(self.propose())
        self.Proposal.search([("state", "=", "dismissed")]).decided_at = "2026-11-01"
        self.assertEqual(len(self.propose()), 1)

    def test_whole_pieces_only(self):
        """A person may change the quantity, to whole pieces."""
        proposal = self.propose()
        proposal.quantity = 3
        for quantity in (0, 1.5, -1):
            with self.assertRaisesRegex(ValidationError, "whole pieces"):
                proposal.quantity = quantity

    def test_overlapping_locations_count_once(self):
        """Where one store's location lies within another's, the inner one is looked at; closed channels are not."""
        inner = self.env["stock.location"].create({"name": "Front", "location_id": self.location.id})
        self.env["bridge.store"].create(
            {"channel_id": self.channel.id, "external_id": "3", "name": "3", "location_id": inner.id}
        )
        places = self.env["bridge.places"]
        self.assertEqual(places._locations(self.company), self.branch_stock | inner)
        self.channel.action_pause()
        self.assertFalse(places._locations(self.company))

    def test_warehouses_give_too_where_wanted(self):
        """A warehouse no channel sells from gives only if the company says so, and never receives."""
        central = self.env["stock.warehouse"].create({"name": "Central", "code": "CE", "company_id": self.company.id})
        self.set_stock(self.rice, 500, central.lot_stock_id)
        self.set_stock(self.rice, 0)
        self.assertFalse(self.propose())
        self.company.bridge_transfer_warehouses = True
        found = {(p.from_location_id, p.to_location_id): p.quantity for p in self.propose()}
        stock = central.lot_stock_id
        self.assertEqual(found, {(stock, self.location): 7, (stock, self.branch_stock): 10})

    def test_greedy_is_fair_and_deterministic(self):
        """First served is who runs out first; the own warehouse gives before others; nobody gives what he needs."""
        covers = [
            Cover(1, 1, 100, 0, 1.0),  # spare 79
            Cover(2, 2, 30, 0, 1.0),  # spare 9
            Cover(3, 2, 0, 0, 4.0),  # needs 28, in the warehouse of 2
            Cover(4, 3, 1, 1, 1.0),  # needs 5
            Cover(5, 3, 10, 0, 1.0),  # neither
        ]
        moves = [(g.location, r.location, pieces) for g, r, pieces in balance(covers, 7, 21)]
        self.assertEqual(moves, [(2, 3, 9), (1, 3, 19), (1, 4, 5)])
        self.assertEqual([(g.location, r.location, p) for g, r, p in balance(covers[::-1], 7, 21)], moves)
        refused = {(2, 3)}
        self.assertEqual(
            [(g.location, r.location, p) for g, r, p in balance(covers, 7, 21, refused)], [(1, 3, 28), (1, 4, 5)]
        )

    def test_rights(self):
        """A bridge manager proposes; to transfer he needs the right of the warehouse too; a user only looks."""
        self.propose()
        user, manager = self.staff("t_user", "user"), self.staff("t_manager", "manager")
        both = self.staff("t_both", "manager", "stock.group_stock_user")
        proposal = self.Proposal.search([("state", "=", "open")])
        self.assertTrue(self.as_staff(proposal, user).explanation)
        for method in ("action_propose", "action_transfer", "action_dismiss"):
            with self.assertRaises(AccessError):
                getattr(self.as_staff(proposal, user), method)()
        # As the list's button does, with nothing selected.
        call_kw(self.as_staff(self.Proposal, manager), "action_propose", [[]], {})
        with self.assertRaisesRegex(AccessError, "Inventory / User"):
            self.as_staff(proposal, manager).action_transfer()
        self.as_staff(proposal, both).action_transfer()
        self.assertEqual((proposal.state, proposal.picking_id.state), ("done", "assigned"))
        self.assertEqual(proposal.decided_by_id, both)

    def test_companies_apart(self):
        """Nothing is proposed from one company to another, and nobody sees another's proposals."""
        env = shop.make_company(self.env, "Other")
        theirs = shop.warehouse(env).lot_stock_id
        channel = env["bridge.channel"].create(
            {"name": "Theirs", "system": "probe", "company_id": env.company.id, "start_date": "2026-10-01"}
        )
        env["bridge.store"].create(
            {"channel_id": channel.id, "external_id": "1", "name": "T", "location_id": theirs.id}
        )
        channel.state = "live"
        self.rice.company_id = False
        self.set_stock(self.rice, 1000, theirs)
        self.set_stock(self.rice, 0)
        self.env["bridge.velocity"]._recompute(self.company | env.company)
        self.assertFalse(self.Proposal._propose(self.company) | self.Proposal._propose(env.company))
        self.set_stock(self.rice, 100)
        proposal = self.propose()
        stranger = self.staff("t_other", "manager")
        stranger.write({"company_ids": [(6, 0, env.company.ids)], "company_id": env.company.id})
        self.assertFalse(
            self.env(user=stranger, su=False, context={})[proposal._name].search([("id", "in", proposal.ids)])
        )

    def test_ten_stores_and_many_products(self):
        """Proposals for ten locations ask the database no more for many products than for few."""
        count = 300
        products = self.env["product.product"].create(
            [{"name": f"P{i}", "is_storable": True, "company_id": self.company.id} for i in range(count)]
        )
        places = self.env["stock.location"].create(
            [{"name": f"L{i}", "location_id": self.warehouse.view_location_id.id} for i in range(10)]
        )
        self.env["bridge.store"].create(
            [
                {"channel_id": self.channel.id, "external_id": f"L{i}", "name": f"L{i}", "location_id": place.id}
                for i, place in enumerate(places)
            ]
        )
        self.env["bridge.velocity"].create(
            [
                {"company_id": self.company.id, "location_id": place.id, "product_id": product.id, "per_day": 1 + i % 3}
                for place in places
                for i, product in enumerate(products)
            ]
        )
        self.env["stock.quant"].sudo().create(
            [{"product_id": product.id, "location_id": places[0].id, "quantity": 500} for product in products]
        )
        self.env.flush_all()
        proposals = self.Proposal._propose(self.company).filtered(lambda p: p.product_id in products)
        self.assertEqual(len(proposals), 9 * count)
        self.env.flush_all()
        self.env.invalidate_all()
        with self.assertQueryCount(60):
            self.Proposal._propose(self.company)
