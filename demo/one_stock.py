"""What makes one stock of many: rules, a limit, goods on their way, a held quotation, proposals to look at."""

from datetime import timedelta

from odoo.fields import Command, Datetime

from demo import layout

JA = {"lang": "ja_JP"}


def build(env, places, channels):
    """To be called when sales are booked, for the proposals are made of them."""
    web = channels.filtered(lambda channel: channel.kind == "web")
    products = env["product.product"].search([("barcode", "=like", "4900000%")], order="barcode")
    _rules(env, web, products)
    _incoming(env, places, products)
    products[0].product_tmpl_id.bridge_alternative_ids = [Command.set(products[1:3].product_tmpl_id.ids)]
    env["stock.warehouse"].search([("company_id", "=", env.company.id)], limit=1).action_bridge_set_up_inspection()
    _quotation(env, products)
    env["bridge.velocity"]._recompute(env.company)
    env["bridge.transfer.proposal"]._propose(env.company)
    env["bridge.reorder.proposal"]._propose(env.company)


def _rules(env, web, products):
    sweets = env["product.category"].with_context(lang="en_US").search([("name", "=", "Sweets and ice cream")])
    env["bridge.allocation.rule"].create(
        {
            "name": "菓子・アイス:店舗優先(各店1点残す)",
            "channel_ids": [Command.set(web.ids)],
            "categ_ids": [Command.set(sweets.ids)],
            "safety_quantity": 1,
        }
    )
    env["bridge.sales.limit"].create(
        {
            "name": f"{products[6].with_context(**JA).name}:おひとり様2点まで",
            "product_ids": [Command.set(products[6].ids)],
            "channel_ids": [Command.set(web.ids)],
            "cap_customer": 2,
        }
    )


def _incoming(env, places, products):
    """Goods a supplier has confirmed, for the date the till tells."""
    warehouse = env["stock.warehouse"].search([("company_id", "=", env.company.id)], limit=1)
    supplier = env["res.partner"].create({"name": "デモ食品卸株式会社", "is_company": True})
    place = places[layout.HONTEN.key]
    receipt = env["stock.picking"].create(
        {
            "picking_type_id": warehouse.in_type_id.id,
            "partner_id": supplier.id,
            "location_id": supplier.property_stock_supplier.id,
            "location_dest_id": place.id,
            "scheduled_date": Datetime.now() + timedelta(days=7),
            "move_ids": [
                Command.create(
                    {
                        "product_id": product.id,
                        "product_uom_qty": 48,
                        "location_id": supplier.property_stock_supplier.id,
                        "location_dest_id": place.id,
                    }
                )
                for product in products[:5]
            ],
        }
    )
    receipt.action_confirm()


def _quotation(env, products):
    """A large order somebody thinks about; its goods are held meanwhile."""
    customer = env["res.partner"].create({"name": "株式会社サンプル商事", "is_company": True})
    order = env["sale.order"].create(
        {
            "partner_id": customer.id,
            "validity_date": Datetime.now().date() + timedelta(days=30),
            "order_line": [Command.create({"product_id": products[30].id, "product_uom_qty": 6})],
        }
    )
    env.cr.commit()  # a promise is made in a transaction of its own, which must see the order
    order.action_bridge_hold()
