"""A customer who buys on account: last month's invoices, something given back, and the summary invoice over them."""

from datetime import datetime, timedelta

from odoo.fields import Command

from demo.history import TOKYO

# Day of the month, [(product by its place in the catalogue, quantity)]; below zero: given back.
SLIPS = [(4, [(0, 24), (3, 12)]), (11, [(5, 10), (8, 6)]), (13, [(5, -2)]), (22, [(0, 36), (2, 8)])]


def build(env):
    """Issue the summary invoice of the month before this one."""
    closing = datetime.now(TOKYO).date().replace(day=1) - timedelta(days=1)
    customer = env["res.partner"].create(
        {
            "name": "株式会社喫茶みなと", "is_company": True, "country_id": env.ref("base.jp").id, "zip": "104-0061",
            "city": "中央区", "street": "銀座1-1-1", "bridge_closing_day": "31",
        }
    )  # fmt: skip
    products = env["product.product"].search([("barcode", "=like", "4900000%")], order="barcode")
    for day, lines in SLIPS:
        is_return = lines[0][1] < 0
        move = env["account.move"].create(
            {
                "move_type": "out_refund" if is_return else "out_invoice",
                "partner_id": customer.id,
                "invoice_date": closing.replace(day=day),
                "invoice_line_ids": [
                    Command.create({"product_id": products[place].id, "quantity": abs(quantity)})
                    for place, quantity in lines
                ],
            }
        )
        move.action_post()
    env["bridge.summary.invoice"]._make(env.company, closing, customer).action_issue()
    # As every night.
    env["bridge.tie.out"]._check(env.company, closing.replace(day=1), datetime.now(TOKYO).date())
