# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import json

from odoo.fields import Command

from .common import BridgeCommon

NUMBER = "T7000012050002"


class DocumentCase(BridgeCommon):
    """The shop of the other tests, registered as an issuer of qualified invoices, with a till of Odoo's own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company.write({"vat": NUMBER, "phone": "03-1234-5678", "street": "霞が関3-1-1", "zip": "100-8978"})
        cls.Document = cls.env["bridge.document"]
        cls.buyer = cls.env["res.partner"].create({"name": "株式会社買手", "is_company": True})

    @classmethod
    def own_session(cls):
        """A session of Odoo's own till, open."""
        journal = cls.env["account.journal"].create({"name": "レジ", "type": "cash", "code": "REJI"})
        method = cls.env["pos.payment.method"].create({"name": "現金 レジ", "journal_id": journal.id})
        config = cls.env["pos.config"].create({"name": "本店レジ", "payment_method_ids": [Command.set(method.ids)]})
        config.open_ui()
        session = config.current_session_id
        session.set_opening_control(0, "")
        return session

    def sold(self, *lines, **more):
        """The document of a receipt of a connected till."""
        return self.documents(self.order(self.book(self.sale(*lines, **more))))

    def documents(self, source):
        return source.sudo().bridge_document_ids.sorted("id")

    def invoice(self, *lines, move_type="out_invoice", day="2026-11-20", **more):
        """A posted invoice of (product, quantity, price with tax)."""
        move = self.env["account.move"].create(
            {
                "move_type": move_type, "partner_id": self.buyer.id, "invoice_date": day, "date": day,
                "invoice_line_ids": [
                    Command.create({"product_id": p.id, "quantity": quantity, "price_unit": price,
                                    "tax_ids": [Command.set(p.taxes_id.ids)]})
                    for p, quantity, price in lines
                ],
                **more,
            }
        )  # fmt: skip
        move.action_post()
        return move

    def content(self, document):
        return json.loads(document.content)

    def rates(self, document):
        """{category: (base, tax, total)}"""
        return {rate.category: (rate.base, rate.tax, rate.total) for rate in document.rate_ids}
