# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Odoo's own till in a main store; a store on another till system and a web store, each with a warehouse of its own."""

from odoo.fields import Command
from odoo.tests import new_test_user

from ..connectors import registered
from . import shop


def system_of(kind):
    """A connected system of that kind."""
    return next(name for name, connector in sorted(registered().items()) if connector.kind == kind)


class TillShop:
    """A shirt in sizes and colours with stock nowhere, a sweater in the main store, tea."""

    def __init__(self, env, name="本店商店"):
        self.env = env = shop.make_company(env, name)
        self.company = env.company
        main = shop.warehouse(env)
        others = [{"name": "銀座", "code": "GNZ"}, {"name": "通販倉庫", "code": "NET"}]
        ginza, net = env["stock.warehouse"].create(others)
        self.main, self.ginza, self.net = (warehouse.lot_stock_id for warehouse in (main, ginza, net))
        self.till, self.web = env["bridge.channel"].create(
            [
                {"name": "Shop tills", "system": system_of("till"), "company_id": self.company.id},
                {"name": "Web shop", "system": system_of("web"), "company_id": self.company.id},
            ]
        )
        self.store, self.web_store = env["bridge.store"].create(
            [
                {"channel_id": self.till.id, "external_id": "2", "name": "銀座店", "location_id": self.ginza.id},
                {"channel_id": self.web.id, "external_id": "W", "name": "オンライン", "location_id": self.net.id},
            ]
        )
        # Nothing answers on the other side: the lanes rest.
        (self.till | self.web).cron_ids.active = False
        (self.till | self.web).state = "live"
        self.size, self.colour = env["product.attribute"].create(
            [
                {"name": "サイズ", "value_ids": [Command.create({"name": n}) for n in "SML"]},
                {"name": "色", "value_ids": [Command.create({"name": n}) for n in ("青", "赤")]},
            ]
        )
        tax = env["account.tax"].search([("type_tax_use", "=", "sale"), ("amount", "=", 10)], limit=1)
        common = {
            "is_storable": True, "available_in_pos": True, "company_id": self.company.id,
            "taxes_id": [Command.set(tax.ids)],
        }  # fmt: skip
        self.shirt = env["product.template"].create(
            {
                "name": "シャツ", "list_price": 3300, **common,
                "attribute_line_ids": [
                    Command.create({"attribute_id": a.id, "value_ids": [Command.set(a.value_ids.ids)]})
                    for a in (self.size, self.colour)
                ],
            }
        )  # fmt: skip
        self.sweater, self.tea = env["product.template"].create(
            [{"name": "セーター", "list_price": 5500, **common}, {"name": "緑茶", "list_price": 110, **common}]
        )
        self.config = env["pos.config"].create({"name": "本店レジ"})

    def variant(self, size, colour):
        return self.shirt.product_variant_ids.filtered(
            lambda v: set(v.product_template_attribute_value_ids.mapped("name")) == {size, colour}
        )

    def stock(self, product, location, quantity):
        self.env["stock.quant"]._update_available_quantity(product, location, quantity)

    def expect(self, product, warehouse_place, quantity, date):
        """Goods on their way to a place."""
        kind = warehouse_place.warehouse_id.in_type_id
        move = self.env["stock.move"].create(
            {
                "product_id": product.id, "product_uom_qty": quantity, "product_uom": product.uom_id.id, "date": date,
                "location_id": self.env.ref("stock.stock_location_suppliers").id,
                "location_dest_id": warehouse_place.id, "picking_type_id": kind.id, "company_id": self.company.id,
            }
        )  # fmt: skip
        return move._action_confirm(merge=False)

    def cashier(self, login, *groups):
        """Somebody who works at the till and knows nothing of channels."""
        groups = ["base.group_user", "point_of_sale.group_pos_user", *groups]
        return new_test_user(
            self.env, login, ",".join(groups), company_id=self.company.id, company_ids=[Command.set(self.company.ids)]
        )
