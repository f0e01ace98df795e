# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models

from ..fiscal import law_items

SHOWN_FINDINGS = 5


class BridgeDocument(models.Model):
    """What people see of a document, and the buttons they press."""

    _inherit = "bridge.document"

    said = fields.Html("What it says", compute="_compute_said", sanitize=False)
    law_items = fields.Html("Mandatory items", compute="_compute_said", sanitize=False)
    missing_items = fields.Char("Absent items", compute="_compute_said", help="Mandatory items that are not on it.")

    @api.depends("type")
    @api.depends_context("lang")
    def _compute_said(self):
        is_japanese = (self.env.lang or "").startswith("ja")
        categories = dict(self.env["bridge.document.rate"]._fields["category"]._description_selection(self.env))
        for document in self:
            content = document._said_content()
            items = [
                (item.label_ja if is_japanese else item.label_en, item.is_required, item.is_present)
                for item in law_items.check(content)
            ]
            values = {"content": content, "items": items, "categories": categories, "yen": self._yen}
            document.said = self.env["ir.qweb"]._render("pos_erp_bridge.document_said", values)
            document.law_items = self.env["ir.qweb"]._render("pos_erp_bridge.document_law_items", values)
            document.missing_items = ", ".join(name for name, is_required, is_there in items if is_required > is_there)

    @staticmethod
    def _yen(amount):
        return f"{amount:,d}" if isinstance(amount, int) else amount

    def action_verify(self):
        """Verify the registers of the companies chosen, whatever is marked in the list, and say what was found."""
        self.check_access("read")
        companies = self.env.companies.filtered(lambda company: company._bridge_is_jp())
        found = [finding for company in companies for finding in self._verify(company)]
        count = self.sudo().search_count([("company_id", "in", companies.ids)])
        if not found:
            text = self.env._("%s documents verified: nothing was changed since they were issued.", count)
            return self._notify_verified("success", text)
        sentences = [self._finding_text(finding) for finding in found[:SHOWN_FINDINGS]]
        if len(found) > SHOWN_FINDINGS:
            sentences.append(self.env._("and %s more.", len(found) - SHOWN_FINDINGS))
        action = self._notify_verified("danger", "\n".join(sentences))
        broken = [record.id for record, _field, _text in found if record._name == self._name and record.id]
        action["params"]["next"] = self._action_of(self.browse(broken))
        return action

    @api.model
    def _finding_text(self, finding):
        """A finding as one line: which document, what is wrong."""
        record, field, sentence = finding
        record = record.sudo().exists()
        document = record.document_id if record._name == "bridge.document.rendering" else record
        name = document.display_name if document else self.env._("A document that is gone")
        return f"{name} ({field}): {sentence}"

    @api.model
    def _notify_verified(self, kind, message):
        title = self.env._("Register verified") if kind == "success" else self.env._("The register was changed")
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {"type": kind, "title": title, "message": message, "sticky": kind != "success"},
        }

    def action_open_correction(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Correct %s", self.number),
            "res_model": "bridge.document.correction",
            "view_mode": "form",
            "target": "new",
            "context": {"default_document_id": self.id},
        }

    def action_open_source(self):
        """Open the order or invoice it is about."""
        self.ensure_one()
        source = self.move_id or self.pos_order_id
        return {
            "type": "ir.actions.act_window",
            "res_model": source._name,
            "res_id": source.id,
            "view_mode": "form",
        }


class BridgeDocumentCorrection(models.TransientModel):
    _name = "bridge.document.correction"
    _description = "Correction of a fiscal document"

    document_id = fields.Many2one("bridge.document", required=True, readonly=True)
    reason = fields.Char(required=True)

    def action_correct(self):
        self.ensure_one()
        issued = self.document_id.action_correct(self.reason)
        return {
            "type": "ir.actions.act_window",
            "res_model": issued._name,
            "res_id": issued.id,
            "view_mode": "form",
        }
