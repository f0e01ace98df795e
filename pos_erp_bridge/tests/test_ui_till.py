# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from unittest.mock import patch

from odoo.tests import HttpCase, tagged

from .till_shop import TillShop


@tagged("post_install", "-at_install")
class TestTillScreen(HttpCase):
    def test_stock_of_other_stores_live_and_a_substitute(self):
        """Product info shows stock of other stores and the web, follows it without reload, and offers a substitute.

        Test cursors run nothing after a commit, so what is told after it is told within it here; the rest of the way
        (bus, websocket, till) is the real one. ``test_ui_till_live`` goes the whole way on a real server.
        """
        shop = TillShop(self.env)
        self.env = shop.env
        tea, sweater = shop.tea.product_variant_id, shop.sweater.product_variant_id
        shop.stock(tea, shop.main, 4)
        shop.stock(tea, shop.ginza, 7)
        shop.stock(sweater, shop.ginza, 2)
        shop.stock(shop.variant("L", "赤"), shop.main, 1)
        shop.stock(shop.variant("S", "青"), shop.main, 5)
        shop.sweater.bridge_alternative_ids = shop.tea
        shop.cashier("bridge_till", "stock.group_stock_manager")
        touch = type(self.env["bridge.touch"])
        flush = touch._flush_touched

        def flush_and_tell(model):
            keys = {key[1:] for key in model.env.cr.precommit.data.get("pos_erp_bridge.touch", {})}
            flush(model)
            model.env["bridge.live"]._announce(keys)

        with patch.object(touch, "_flush_touched", flush_and_tell):
            self.start_tour(f"/pos/ui/{shop.config.id}", "bridge_till_stock", login="bridge_till", timeout=90)
