# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo.tests import tagged

from .test_hold import HoldCase


@tagged("post_install", "-at_install")
class TestAvailability(HoldCase):
    """The numbers behind what may be sold."""

    def setUp(self):
        super().setUp()
        self.rule = self.env["bridge.allocation.rule"].create({"name": "Two back", "safety_quantity": 2})
        Location = self.env["stock.location"]
        self.shops = [Location.create({"name": f"Shop {i}", "location_id": self.location.id}) for i in (1, 2)]
        for shop, store in zip(self.shops, self.stores, strict=True):
            store.location_id = shop
        self.whole = self.env["bridge.store"].create(
            {
                "channel_id": self.channel.id,
                "external_id": "3",
                "name": "All",
                "location_id": self.location.id,
            }
        )

    def of(self, store, product=None):
        product = product or self.rice
        return self.env["bridge.availability"]._for_stores(store, product)[store.id, product.id]

    def test_each_place_keeps_its_own_back(self):
        """A store that sells from several shops leaves the safety stock in each of them, as far as it has any."""
        self.stock(self.rice, 0)
        self.stock(self.rice, 5, self.shops[0])
        self.stock(self.rice, 1, self.shops[1])
        self.env.flush_all()
        self.assertEqual((self.of(self.whole).safety, self.of(self.whole).quantity), (3, 3))
        self.assertEqual((self.of(self.stores[0]).safety, self.of(self.stores[0]).quantity), (2, 3))
        self.assertEqual((self.of(self.stores[1]).safety, self.of(self.stores[1]).quantity), (2, 0))

    def test_why_adds_up(self):
        """What the screen shows leads from what is on hand to what may be sold."""
        self.stock(self.rice, 10)
        self.claim("A", (self.rice, 3))
        self.rule.write({"share": "percent", "share_percent": 50})
        level = self.env["bridge.stock.level"].create(
            {"channel_id": self.channel.id, "store_id": self.whole.id, "product_id": self.rice.id}
        )
        self.assertEqual((level.on_hand, level.held, level.safety, level.may_sell), (10, 3, 2, 2))
        steps = level._why_values()["rows"]
        self.assertEqual([row["quantity"] for row in steps], [10, -3, -2, -3, 2])
        self.assertIn("the channel's share is 2.5", level.reason_text)
        self.assertIn("Promised", level.why)
        self.assertEqual(level.rule_id, self.rule)

    def test_a_rule_is_told(self):
        """A changed rule reaches the channels: what it is about is touched."""
        self.env["bridge.binding"]._bind(self.channel, "product", [("p1", self.rice)])
        self.env.cr.precommit.run()
        self.env.cr.execute("DELETE FROM bridge_touch")
        self.rule.safety_quantity = 4
        self.env.cr.precommit.run()
        self.env.cr.execute("SELECT DISTINCT product_id FROM bridge_touch WHERE channel_id = %s", [self.channel.id])
        self.assertEqual(self.env.cr.fetchall(), [(self.rice.id,)])
