# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Stores that sell, for what is computed from sales: moves of the past, without receipts."""

from datetime import datetime, timedelta

from odoo.tests import new_test_user
from odoo.tests.common import freeze_time

from .common import BridgeCommon

NOW = datetime(2026, 11, 20, 3, 0)


class PlacesCase(BridgeCommon):
    """Two stores of a channel, each with a warehouse of its own; NOW is fixed."""

    freeze_time = freeze_time(NOW)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.warehouse = cls.location.warehouse_id
        cls.branch = cls.env["stock.warehouse"].create({"name": "Branch", "code": "BR", "company_id": cls.company.id})
        cls.branch_stock = cls.branch.lot_stock_id
        cls.stores[1].location_id = cls.branch_stock
        cls.customers = cls.env.ref("stock.stock_location_customers")
        cls.suppliers = cls.env.ref("stock.stock_location_suppliers")

    @classmethod
    def move(cls, product, quantity, source, target, days_ago=0, **more):
        """A done move of some days ago."""
        move = cls.env["stock.move"].create(
            {
                "product_id": product.id, "product_uom": product.uom_id.id, "product_uom_qty": quantity,
                "location_id": source.id, "location_dest_id": target.id,
                "company_id": (source.company_id or target.company_id).id, **more,
            }
        )  # fmt: skip
        move._action_confirm()
        move.quantity, move.picked = quantity, True
        move._action_done()
        move.date = move.move_line_ids.date = NOW - timedelta(days=days_ago)
        return move

    @classmethod
    def sell(cls, product, quantity, location=None, days_ago=1):
        return cls.move(product, quantity, location or cls.location, cls.customers, days_ago)

    @classmethod
    def set_stock(cls, product, quantity, location=None):
        location = location or cls.location
        there = sum(cls.env["stock.quant"]._gather(product, location).mapped("quantity"))
        cls.env["stock.quant"]._update_available_quantity(product, location, quantity - there)

    @classmethod
    def staff(cls, login, *groups):
        """A user of the company with these of our groups and others."""
        names = ",".join(name if "." in name else f"pos_erp_bridge.group_bridge_{name}" for name in groups)
        return new_test_user(
            cls.env, login, f"base.group_user,{names}", company_id=cls.company.id, company_ids=cls.company.ids
        )

    def as_staff(self, records, user):
        return records.with_env(self.env(user=user, su=False))
