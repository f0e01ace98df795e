# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged

from .document_case import NUMBER, DocumentCase
from .test_papers import drawn


@tagged("post_install", "-at_install")
class TestDocumentPaper(DocumentCase):
    @drawn()
    def test_the_first_paper_is_kept_and_handed_out_again(self):
        """Whatever changes afterwards, the paper stays the same, byte by byte."""
        document = self.documents(self.invoice((self.rice, 2, 151)))
        first = document._render_pdf()
        self.assertEqual(first[:5], b"%PDF-")
        self.company.partner_id.name = "別の名前"
        self.assertEqual(document._render_pdf(), first)
        by_report, kind = (
            self.env["ir.actions.report"]
            .with_context(force_report_rendering=True)
            ._render_qweb_pdf("pos_erp_bridge.paper_report", document.ids)
        )
        self.assertEqual((by_report, kind), (first, "pdf"))
        self.assertEqual(document.rendering_ids.mapped("is_reissue"), [False])

    @drawn()
    def test_a_reissue_is_a_paper_of_its_own(self):
        """It is marked, kept beside the first one, and never handed out in its place."""
        document = self.documents(self.invoice((self.rice, 2, 151)))
        first = document._render_pdf()
        action = document.action_reissue()
        again = document.rendering_ids.filtered("is_reissue")
        self.assertEqual(action["url"], f"/web/content/{again.attachment_id.id}?download=true")
        self.assertNotEqual(again.attachment_id.raw, first)
        self.assertEqual(document._render_pdf(), first)
        self.assertEqual(len(document.rendering_ids), 2)

    def test_what_was_replaced_is_not_printed(self):
        """A supply has one document that is valid: only that one is handed out."""
        session = self.own_session()
        order = self.sell_own(session, self.brush, 1, 327, 29)
        receipt = self.documents(order)
        order.partner_id = self.buyer
        order.with_context(generate_pdf=False).action_pos_order_invoice()
        with self.assertRaisesRegex(UserError, self.documents(order.account_move).number):
            receipt.action_reissue()

    def test_a_receipt_is_on_the_roll_of_its_till(self):
        receipt = self.sold(self.line(self.rice, 151))
        receipt.config_id.bridge_receipt_width = "58"
        invoice = self.documents(self.invoice((self.rice, 2, 151)))
        self.assertEqual((receipt._usual_roll(), invoice._usual_roll()), ("58", ""))

    def test_who_may_not_read_documents_may_not_print_them(self):
        document = self.documents(self.invoice((self.rice, 2, 151)))
        nobody = new_test_user(self.env, "nobody", "base.group_user", company_id=self.company.id)
        with self.assertRaises(AccessError):
            document.with_user(nobody)._render_pdf()

    def native(self, move):
        html = self.env["ir.actions.report"]._render_qweb_html("account.report_invoice", move.ids)[0]
        return html.decode()

    def test_odoos_own_invoice_says_it_too(self):
        """Registration number, totals of each rate, mark and legend, from the registered document."""
        move = self.invoice((self.rice, 2, 151), (self.battery, 1, 438))
        html = self.native(move)
        for words in (NUMBER, "Qualified invoice", "※ marks goods", "Subject to 10%", "Subject to 8%※"):
            self.assertIn(words, html)
        self.assertEqual(html.count("</span>※") + html.count(">※<"), 1)

    def test_odoos_own_invoice_of_others_stays_as_it_is(self):
        move = self.invoice((self.rice, 2, 151))
        self.env.cr.execute("UPDATE bridge_document SET move_id = NULL WHERE move_id = %s", [move.id])
        move.invalidate_recordset()
        html = self.native(move)
        self.assertNotIn("※", html)
        self.assertNotIn("Subject to", html)
