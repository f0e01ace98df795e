# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import json

from odoo import api, models
from odoo.exceptions import UserError


class BridgeDocument(models.Model):
    _inherit = "bridge.document"

    def _said_content(self):
        """The content as a dict."""
        self.ensure_one()
        return json.loads(self.content)

    def _as_correction(self, vals, reason):
        """Values of a document as a correction of this one."""
        self.ensure_one()
        is_return = self.type == "return"
        about = self._said_content()["original"] if is_return else self._as_original()
        content = {
            **vals["content"], "relation": "correct", "reason": reason, "number": self._next_number(),
            "original": about,
        }  # fmt: skip
        return {**vals, "content": content, "original_id": self.id, "superseded_ids": []}

    def action_correct(self, reason):
        """Issue a new, full document in place of this one, with what its order or invoice says now.

        :return: the new bridge.document
        """
        self.ensure_one()
        self.check_access("read")
        if not self.env.su and not self.env.user.has_group("pos_erp_bridge.group_bridge_manager"):
            raise UserError(self.env._("Only a manager of the bridge corrects documents."))
        if not (reason or "").strip():
            raise UserError(self.env._("Say why the document is corrected: the reason is kept with it."))
        document = self.sudo()
        if document.state in ("superseded", "corrected"):
            raise UserError(
                self.env._("%(old)s is no longer in force: correct %(new)s.",
                           old=document.number, new=document._in_force().mapped("number")[0])
            )  # fmt: skip
        issued = document._issue([document._as_correction(document._current_vals(), reason.strip())])
        return issued.sudo(self.env.su)

    def _current_vals(self):
        """Values of this document as its order or invoice would be registered now."""
        issuer = self._issuer(self.company_id)
        if self.move_id:
            return self.move_id._bridge_document_vals(issuer)
        parts = self.pos_order_id._bridge_document_vals(issuer) if self.pos_order_id else []
        same = [vals for vals in parts if vals["content"]["type"] == self.type]
        if not same:
            raise UserError(self.env._("%s is about no order or invoice it could be made from again.", self.number))
        return same[0]

    @api.model
    def _action_of(self, documents):
        """An action that shows these documents."""
        action = self.env["ir.actions.act_window"]._for_xml_id("pos_erp_bridge.bridge_document_action")
        action["domain"] = [("id", "in", documents.ids)]
        action["context"] = {}
        return action
