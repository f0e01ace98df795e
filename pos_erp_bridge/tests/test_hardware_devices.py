# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import json
import logging
import statistics
import time

from odoo.fields import Command
from odoo.tests import tagged

from .hardware_case import HardwareCase

_logger = logging.getLogger(__name__)
TEA = "4901234567894"
PORK = "0212345000000"  # item 12345, without its price: what is on the product


@tagged("post_install", "-at_install")
class TestHardwareDevices(HardwareCase):
    """Scanner, scale, drawer and kitchen of a till, each real up to a line whose far end is in software."""

    with_devices = True

    def setUp(self):
        super().setUp()
        env, shop = self.env, self.shop
        shop.company.nomenclature_id = env.ref("pos_erp_bridge.bridge_nomenclature_in_store")
        parser = shop.company.nomenclature_id
        env["decimal.precision"].search([("name", "=", "Product Unit")]).digits = 3  # grams
        shop.tea.barcode = TEA
        category = env["pos.category"].create({"name": "調理"})
        common = {
            "available_in_pos": True, "company_id": shop.company.id, "taxes_id": [Command.set(shop.tea.taxes_id.ids)]
        }  # fmt: skip
        env["product.product"].create(
            [
                {"name": "焼豚", "list_price": 1, "barcode": parser.sanitize_ean(PORK), **common},
                {
                    "name": "りんご", "list_price": 500, "to_weight": True,
                    "uom_id": env.ref("uom.product_uom_kgm").id, **common,
                },
            ]
        )  # fmt: skip
        shop.tea.pos_categ_ids = category
        kitchen = env["pos.printer"].create(
            {
                "name": "厨房", "printer_type": "bridge", "bridge_proxy_id": self.proxy.id,
                "product_categories_ids": [Command.set(category.ids)], "company_id": shop.company.id,
            }
        )  # fmt: skip
        shop.config.write({"bridge_scale": True, "is_order_printer": True, "printer_ids": [Command.set(kitchen.ids)]})
        self.took = []

    def do_scan(self, code):
        moment = time.time() * 1000
        self.machine.scanner.say(f"{code}\r\n".encode())
        return moment

    def do_kitchen(self, _value):
        self.machine.start_kitchen()

    def do_slips(self, count):
        self.assertEqual(len(self.machine.papers("slips")), int(count))

    def do_took(self, text):
        self.took = [tuple(map(float, pair.split("+"))) for pair in text.split(",")]

    def openings(self):
        """[(reason, in words, outcome, cashier, order)] as logged, oldest first."""
        logs = self.env["bridge.drawer.log"].search([("config_id", "=", self.shop.config.id)], order="moment, id")
        return [(log.reason, log.note, log.outcome, log.employee, log.order_id) for log in logs]

    def test_day_with_devices(self):
        """Codes become lines, a weight a quantity; the drawer is logged; a kitchen that is off delays nothing."""
        self.start("bridge_hardware_devices")
        order = self.env["pos.order"].search([("config_id", "=", self.shop.config.id)])
        lines = {line.product_id.name: (line.qty, line.price_unit) for line in order.lines}
        self.assertEqual(lines, {"緑茶": (1, 110), "焼豚": (1, 2875), "りんご": (1.234, 500)})
        cashier = self.env["res.users"].search([("login", "=", "bridge_hardware")]).name
        self.assertEqual(
            self.openings(),
            [("no_sale", "Counting the cash", "pulsed", cashier, order), ("sale", "", "pulsed", cashier, order)],
        )
        self.assertEqual(order.nb_print, 1)

    def test_proxy_comes_and_goes(self):
        """Selling goes on while the proxy is away, the page lives, receipts come out once, codes come again."""
        self.start("bridge_hardware_flaps")
        self.assertEqual(self.machine.jobs(), [("printed", "", 0)] * 3)
        outcomes = [outcome for _reason, _note, outcome, *_ in self.openings()]
        self.assertEqual(outcomes, ["pulsed", "unreachable", "unreachable"])

    def test_speed(self):
        """Each code becomes a line; how long it took is a figure for benchmarks, and judged nowhere here."""
        self.start("bridge_hardware_speed")
        self.assertEqual(len(self.took), 20)
        figures = {
            "scan_to_line_ms": [heard + shown for heard, shown in self.took],
            "scan_to_page_ms": [heard for heard, _shown in self.took],
            "page_to_line_ms": [shown for _heard, shown in self.took],
        }
        for name, values in figures.items():
            line = {"figure": name, "value": round(statistics.median(values), 1), "samples": len(values)}
            _logger.info("bridge figure %s", json.dumps(line))
