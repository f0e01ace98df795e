# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import models

from ..fiscal.calculator import is_reduced


class AccountMove(models.Model):
    _inherit = "account.move"

    def _bridge_paper(self):
        """What Odoo's own invoice adds of the registered document: (paper, content, its words), or None."""
        self.ensure_one()
        document = self.sudo().bridge_document_ids.sorted("id")[-1:]
        if not document:
            return None
        Paper, content = self.env["bridge.paper"], document._said_content()
        paper = Paper._paper(content, "", False)
        if document.state == "superseded":  # by a summary invoice: that is the qualified one now
            paper.registration_number, paper.title.kind = "", ""
        return {"paper": paper, "content": content, **Paper._words()}


class AccountMoveLine(models.Model):
    _inherit = "account.move.line"

    def _bridge_is_reduced(self):
        """Whether it is printed with the mark of the reduced rate; only where a document says so as well."""
        self.ensure_one()
        category = self.tax_ids.filtered("bridge_tax_category")[:1].bridge_tax_category
        return bool(category and is_reduced(category) and self.sudo().move_id.bridge_document_ids)
