# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import tagged

from . import shop
from .places_case import PlacesCase


@tagged("post_install", "-at_install")
class TestReorder(PlacesCase):
    """Odoo's reordering rules, proposed from sales and applied with one click."""

    def setUp(self):
        super().setUp()
        self.Proposal = self.env["bridge.reorder.proposal"]
        self.Orderpoint = self.env["stock.warehouse.orderpoint"]
        self.sell(self.rice, 1, days_ago=100)  # not new
        self.sell(self.rice, 70)  # 2.5 a day
        self.set_stock(self.rice, 10)

    def propose(self):
        self.env["bridge.velocity"]._recompute(self.company)
        return self.Proposal._propose(self.company)

    def test_minimum_and_maximum_from_sales(self):
        """Minimum covers lead time and safety, maximum one more cycle; whole pieces; it explains itself."""
        proposal = self.propose()
        self.assertEqual((proposal.product_id, proposal.location_id), (self.rice, self.location))
        # 2.5 × (3 + 3) = 15; 2.5 × 7 = 17.5
        self.assertEqual((proposal.min_qty, proposal.max_qty, proposal.to_order), (15, 33, 23))
        self.assertEqual(
            proposal.explanation,
            "2.50 are sold a day. Until new goods come it takes 3 days, 3 more for safety: order below 15, for 7 days "
            "at a time. 10 are free, 0 on the way. There is no rule yet.",
        )

    def test_lead_time_of_the_vendor(self):
        """The vendor's own lead time counts, of the company's vendors and of this variant."""
        vendor, other = self.env["res.partner"].create([{"name": "V"}, {"name": "W"}])
        foreign = shop.make_company(self.env, "Other").company
        template = {"product_tmpl_id": self.rice.product_tmpl_id.id}
        self.rice.company_id = False
        self.env["product.supplierinfo"].create(
            [
                {"partner_id": vendor.id, "delay": 9, "sequence": 2, "company_id": self.company.id, **template},
                {"partner_id": other.id, "delay": 99, "sequence": 1, "company_id": foreign.id, **template},
            ]
        )
        self.assertEqual((self.propose().lead_days, self.propose().min_qty), (9, 30))

    def test_what_is_on_the_way_needs_no_order(self):
        """Open receipts count towards what there is."""
        self.env["stock.move"].create(
            {
                "product_id": self.rice.id, "product_uom": self.rice.uom_id.id, "product_uom_qty": 5,
                "location_id": self.suppliers.id, "location_dest_id": self.location.id, "company_id": self.company.id,
            }
        )._action_confirm()  # fmt: skip
        proposal = self.propose()
        self.assertEqual((proposal.coming, proposal.to_order), (5, 0))

    def test_apply_makes_a_rule(self):
        """Apply makes Odoo's rule, with a manual trigger; nothing is proposed for it any more."""
        proposal = self.propose()
        proposal.action_apply()
        point = proposal.orderpoint_id
        self.assertEqual(
            (point.product_id, point.location_id, point.warehouse_id, point.company_id, point.trigger),
            (self.rice, self.location, self.warehouse, self.company, "manual"),
        )
        self.assertEqual((point.product_min_qty, point.product_max_qty, point.qty_to_order), (15, 33, 23))
        self.assertEqual((proposal.state, proposal.decided_by_id), ("applied", self.env.user))
        self.assertFalse(self.propose())
        with self.assertRaisesRegex(UserError, "decided already"):
            proposal.action_apply()
        self.assertEqual(self.Orderpoint.search_count([("product_id", "=", self.rice.id)]), 1)

    def test_apply_changes_a_rule(self):
        """An existing rule gets the new figures, whatever its trigger; small differences are left alone."""
        point = self.Orderpoint.create(
            {"product_id": self.rice.id, "location_id": self.location.id, "product_min_qty": 2, "product_max_qty": 4}
        )
        proposal = self.propose()
        self.assertEqual((proposal.orderpoint_id, proposal.min_now, proposal.max_now), (point, 2, 4))
        self.assertIn("The rule says 2 to 4 now.", proposal.explanation)
        proposal.action_apply()
        self.assertEqual((point.product_min_qty, point.product_max_qty, point.trigger), (15, 33, "auto"))
        point.write({"product_min_qty": 14, "product_max_qty": 31})
        self.assertFalse(self.propose())

    def test_a_rule_made_meanwhile(self):
        """A rule somebody made since the proposal is changed, not made twice."""
        proposal = self.propose()
        point = self.Orderpoint.create({"product_id": self.rice.id, "location_id": self.location.id})
        proposal.action_apply()
        self.assertEqual((proposal.orderpoint_id, point.product_max_qty), (point, 33))

    def test_an_archived_rule_was_decided_on(self):
        """Nothing is proposed where a person put the rule away."""
        self.Orderpoint.create({"product_id": self.rice.id, "location_id": self.location.id, "active": False})
        self.assertFalse(self.propose())

    def test_run_twice_is_the_same(self):
        """A second run refreshes the open proposals; figures changed by hand are computed anew."""
        proposal = self.propose()
        self.sell(self.rice, 28)
        self.assertEqual(self.propose(), proposal)
        self.assertEqual((proposal.per_day, proposal.min_qty, proposal.max_qty), (3.5, 21, 46))
        self.env.cr.execute("DELETE FROM bridge_velocity")
        self.assertFalse(self.Proposal._propose(self.company))
        self.assertFalse(proposal.exists())

    def test_a_person_changes_the_figures(self):
        """What a person entered is applied."""
        proposal = self.propose()
        proposal.write({"min_qty": 12, "max_qty": 24})
        proposal.action_apply()
        self.assertEqual((proposal.orderpoint_id.product_min_qty, proposal.orderpoint_id.product_max_qty), (12, 24))

    def test_dismissed_is_left_alone(self):
        """What a person dismissed is not proposed again for four weeks."""
        self.propose().action_dismiss()
        self.assertFalse(self.propose())
        self.Proposal.search([("state", "=", "dismissed")]).decided_at = "2026-10-01"
        self.assertEqual(len(self.propose()), 1)

    def test_each_store_by_its_own_sales(self):
        """Every location has figures of its own."""
        self.sell(self.rice, 28, self.branch_stock)
        self.sell(self.tea, 7, self.branch_stock, days_ago=7)
        found = {(p.product_id, p.location_id): (p.min_qty, p.max_qty) for p in self.propose()}
        self.assertEqual(
            found,
            {
                (self.rice, self.location): (15, 33),
                (self.rice, self.branch_stock): (6, 13),
                (self.tea, self.branch_stock): (6, 13),
            },
        )

    def test_rights(self):
        """A bridge manager proposes; rules are changed by who administers the warehouse; a user only looks."""
        proposal = self.propose()
        user, manager = self.staff("r_user", "user"), self.staff("r_manager", "manager", "stock.group_stock_user")
        both = self.staff("r_both", "manager", "stock.group_stock_manager")
        self.assertTrue(self.as_staff(proposal, user).explanation)
        for method in ("action_propose", "action_apply", "action_dismiss"):
            with self.assertRaises(AccessError):
                getattr(self.as_staff(proposal, user), method)()
        self.as_staff(self.Proposal, manager).action_propose()
        with self.assertRaisesRegex(AccessError, "Inventory / Administrator"):
            self.as_staff(proposal, manager).action_apply()
        self.as_staff(proposal, both).action_apply()
        self.assertEqual((proposal.state, proposal.orderpoint_id.product_min_qty), ("applied", 15))

    def test_companies_apart(self):
        """Nobody sees another company's proposals."""
        proposal = self.propose()
        env = shop.make_company(self.env, "Other")
        stranger = self.staff("r_other", "manager")
        stranger.write({"company_ids": [Command.set(env.company.ids)], "company_id": env.company.id})
        self.assertFalse(
            self.env(user=stranger, su=False, context={})[proposal._name].search([("id", "=", proposal.id)])
        )

    def test_statements_do_not_grow_with_products(self):
        """Many products take no more statements than few."""
        products = self.env["product.product"].create([{"name": f"P{i}", "is_storable": True} for i in range(200)])
        self.env["bridge.velocity"].create(
            [
                {"company_id": self.company.id, "location_id": self.location.id, "product_id": p.id, "per_day": 1}
                for p in products
            ]
        )
        self.assertEqual(len(self.Proposal._propose(self.company)), 200)
        self.env.flush_all()
        self.env.invalidate_all()
        with self.assertQueryCount(50):
            self.Proposal._propose(self.company)
