# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import fields, models

# kind of line: (field of the channel, name of the service product made when none is chosen)
LINE_PRODUCTS = {
    "product": ("other_product_id", "Other (web)"),
    "shipping": ("shipping_product_id", "Shipping (web)"),
    "fee": ("fee_product_id", "Fee (web)"),
    "adjustment": ("adjustment_product_id", "Adjustment (web)"),
    "gift_card": ("gift_card_product_id", "Gift card (web)"),
}


class BridgeChannel(models.Model):
    """How a web store's orders are booked."""

    _inherit = "bridge.channel"

    invoice_rule = fields.Selection(
        [
            ("on_payment", "When it is paid"),
            ("on_delivery", "When it is delivered"),
            ("never", "Not from the bridge"),
        ],
        "Invoice an order",
        default="on_payment",
        required=True,
        help="Not from the bridge: neither invoices nor payments are booked.",
    )
    payment_journal_id = fields.Many2one(
        "account.journal",
        "Journal for other means of payment",
        check_company=True,
        domain="[('type', 'in', ('bank', 'cash'))]",
        help="Books the means of payment that have no journal of their own. Empty: each must be mapped first.",
    )
    create_customers = fields.Boolean(
        "Contacts for customers who have not bought", help="Off: a contact is made with the first order."
    )
    order_user_id = fields.Many2one(
        "res.users", "Salesperson of web orders", help="Empty: every salesperson sees them."
    )
    order_team_id = fields.Many2one("crm.team", "Sales team of web orders", check_company=True)
    guest_policy = fields.Selection(
        [("own", "One contact per guest"), ("shared", "One contact for all guests")],
        "Guests",
        default="own",
        required=True,
        help="One contact for all: the addresses of guests are kept below it.",
    )
    guest_partner_id = fields.Many2one("res.partner", "Contact of all guests", check_company=True)
    notify_customer = fields.Boolean(
        "Customers hear of parcels", default=True, help="The web store mails its customer when it is told of a parcel."
    )
    other_product_id = fields.Many2one("product.product", "Product of lines without one", check_company=True)
    shipping_product_id = fields.Many2one("product.product", "Product of shipping", check_company=True)
    fee_product_id = fields.Many2one("product.product", "Product of fees", check_company=True)
    adjustment_product_id = fields.Many2one("product.product", "Product of adjustments", check_company=True)
    gift_card_product_id = fields.Many2one("product.product", "Product of gift cards", check_company=True)

    def _line_product(self, kind):
        """The service product that stands for a line without a product; made when it is first needed."""
        self.ensure_one()
        field, name = LINE_PRODUCTS.get(kind, LINE_PRODUCTS["product"])
        if not self[field]:
            self.sudo()[field] = (
                self.env["product.product"]
                .sudo()
                .create(
                    {
                        "name": name,
                        "type": "service",
                        "invoice_policy": "order",
                        "sale_ok": True,
                        "purchase_ok": False,
                        "taxes_id": False,
                        "company_id": self.company_id.id,
                    }
                )
            )
        return self[field]

    def _web_store(self, external_id):
        """The store an order ships from, or None when it is not known or not mapped to a warehouse."""
        self.ensure_one()
        stores = self.store_ids.filtered("location_id")
        if external_id:
            store = stores.filtered(lambda s: s.external_id == external_id)
        else:
            store = self.default_store_id or (stores if len(stores) == 1 else stores.browse())
        return store if store.location_id.warehouse_id else None
