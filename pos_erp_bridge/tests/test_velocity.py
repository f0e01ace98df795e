# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo.exceptions import AccessError
from odoo.tests import tagged

from . import shop
from .places_case import PlacesCase


@tagged("post_install", "-at_install")
class TestVelocity(PlacesCase):
    """Pieces sold per day, by product and place."""

    def setUp(self):
        super().setUp()
        self.velocity = self.env["bridge.velocity"]
        for product in (self.rice, self.tea):  # not new: sold before the window
            self.sell(product, 1, days_ago=100)

    def per_day(self, location=None, products=None):
        self.velocity._recompute(self.company)
        return self.velocity._per_day(location or self.location, products or self.rice)

    def test_sales_of_the_window_by_day(self):
        """Only the last 28 days count, divided by 28; what was not sold has 0."""
        self.sell(self.rice, 14, days_ago=27)
        self.sell(self.rice, 14, days_ago=1)
        self.sell(self.rice, 100, days_ago=29)
        self.assertEqual(self.per_day(products=self.rice | self.bread), {self.rice.id: 1.0, self.bread.id: 0.0})

    def test_window_of_the_company(self):
        """A company that looks at 7 days divides the sales of 7 days by 7."""
        self.company.bridge_velocity_days = 7
        self.sell(self.rice, 14, days_ago=6)
        self.sell(self.rice, 14, days_ago=8)
        self.assertEqual(self.per_day(), {self.rice.id: 2.0})

    def test_returns_are_taken_off(self):
        """What customers brought back was not sold; more returns than sales are no sales, not less."""
        self.sell(self.rice, 28)
        self.move(self.rice, 14, self.customers, self.location)
        self.move(self.tea, 5, self.customers, self.location)
        self.assertEqual(self.per_day(products=self.rice | self.tea), {self.rice.id: 0.5, self.tea.id: 0.0})

    def test_a_new_product_divides_by_its_age(self):
        """A product first sold four days ago has sold for four days; one of today, for one."""
        self.sell(self.bread, 8, days_ago=4)
        self.sell(self.battery, 3, days_ago=0)
        found = self.per_day(products=self.bread | self.battery)
        self.assertEqual(found, {self.bread.id: 2.0, self.battery.id: 3.0})

    def test_places_within_count(self):
        """What a shelf within the store sold, the store sold; the shelf alone has its own."""
        shelf = self.env["stock.location"].create({"name": "Shelf", "location_id": self.location.id})
        self.set_stock(self.rice, 100, shelf)
        self.sell(self.rice, 28, shelf)
        self.sell(self.rice, 28)
        self.assertEqual(self.per_day(), {self.rice.id: 2.0})
        self.assertEqual(self.velocity._per_day(shelf, self.rice), {self.rice.id: 1.0})

    def test_only_customers_count(self):
        """Transfers, receipts and scrap are no sales."""
        self.move(self.rice, 5, self.location, self.branch_stock)
        self.move(self.rice, 5, self.suppliers, self.location)
        scrap = self.env["stock.location"].search(
            [("usage", "=", "inventory"), ("company_id", "=", self.company.id)], limit=1
        )
        self.move(self.rice, 5, self.location, scrap)
        self.assertEqual(self.per_day(), {self.rice.id: 0.0})

    def test_returns_in_inspection_count_for_their_store(self):
        """A return that landed in inspection is taken off the sales of the store it came from."""
        self.warehouse.action_bridge_set_up_inspection()
        place = self.warehouse.bridge_inspection_location_id
        self.sell(self.rice, 28)
        self.move(self.rice, 14, self.customers, place)
        self.assertEqual(self.per_day(), {self.rice.id: 0.5})
        self.assertFalse(self.velocity.search([("location_id", "=", place.id)]))

    def test_twice_is_once(self):
        """Computing again gives the same rows; what is no longer sold is gone."""
        self.sell(self.rice, 28)
        self.per_day()
        rows = self.velocity.search([("company_id", "=", self.company.id)])
        self.assertEqual(rows.product_id, self.rice)
        self.per_day()
        self.assertEqual(self.velocity.search([("company_id", "=", self.company.id)]), rows)
        self.env.cr.execute("UPDATE stock_move_line SET date = '2026-01-01' WHERE product_id = %s", [self.rice.id])
        self.env.cr.execute("UPDATE bridge_velocity SET computed_at = '2026-11-19'")
        self.env.invalidate_all()
        self.per_day()
        self.assertFalse(self.velocity.search([("company_id", "=", self.company.id)]))

    def test_statements_do_not_grow_with_products(self):
        """Many products take no more statements than few."""
        self.per_day()
        self.env.flush_all()
        with self.assertQueryCount(2):
            self.velocity._recompute(self.company)
        products = self.env["product.product"].create([{"name": f"P{i}", "is_storable": True} for i in range(30)])
        for product in products:
            self.sell(product, 28)
        self.env.flush_all()
        with self.assertQueryCount(2):
            self.velocity._recompute(self.company)
        self.assertEqual(set(self.velocity._per_day(self.location, products).values()), {28.0})

    def test_companies_apart(self):
        """A company's figures are its own, and invisible to others."""
        env = shop.make_company(self.env, "Other")
        theirs = shop.warehouse(env).lot_stock_id
        self.sell(self.rice, 28)
        self.rice.company_id = False
        self.set_stock(self.rice, 50, theirs)
        self.sell(self.rice, 56, theirs)
        self.velocity._recompute(self.company | env.company)
        found = self.velocity._per_day_at(self.location | theirs)
        self.assertEqual((found[self.location.id], found[theirs.id]), ({self.rice.id: 1.0}, {self.rice.id: 56.0}))
        user = self.staff("velocity_user", "user")
        seen = self.as_staff(self.velocity, user).search([("product_id", "=", self.rice.id)])
        self.assertEqual(seen.location_id, self.location)
        with self.assertRaises(AccessError):
            seen.per_day = 7

    def test_nightly_job(self):
        """The nightly job computes sales, then proposes from them."""
        self.set_stock(self.rice, 200)
        self.sell(self.rice, 56, self.branch_stock)
        with self.enter_registry_test_mode():
            self.env.ref("pos_erp_bridge.bridge_places_cron").method_direct_trigger()
        self.assertEqual(self.velocity._per_day(self.branch_stock, self.rice), {self.rice.id: 2.0})
        for model in ("bridge.transfer.proposal", "bridge.reorder.proposal"):
            self.assertTrue(self.env[model].search([("product_id", "=", self.rice.id), ("state", "=", "open")]), model)
