# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import hashlib

from odoo import fields, models

from ..fiscal.register import japanese_time, utc


class BridgeDocumentRendering(models.Model):
    """A paper of a document as it was handed out, byte by byte."""

    _name = "bridge.document.rendering"
    _inherit = ["bridge.chained"]
    _description = "Printed fiscal document"
    _order = "id desc"
    _rec_name = "printed_at"
    _log_access = False

    document_id = fields.Many2one("bridge.document", required=True, readonly=True, ondelete="restrict", index=True)
    kind = fields.Selection([("pdf", "PDF")], required=True, readonly=True)
    sha256 = fields.Char("SHA-256", readonly=True)
    attachment_id = fields.Many2one("ir.attachment", "File", required=True, readonly=True, ondelete="restrict")
    printed_at = fields.Datetime("Printed", required=True, readonly=True)
    user_id = fields.Many2one("res.users", "Printed by", readonly=True, ondelete="restrict")
    is_reissue = fields.Boolean("Reissue", readonly=True)

    _place_uniq = models.UniqueIndex("(company_id, position)")
    _unsealed_index = models.Index("(company_id, id) WHERE position IS NULL")

    def _columns_of(self, content):
        return {**content, "printed_at": utc(content["printed_at"])}

    def _verify_batch(self, rows):
        return super()._verify_batch(rows) + self._verify_files(rows)

    def _verify_files(self, rows):
        """Findings in the files: their bytes are hashed again."""
        Attachment, found = self.env["ir.attachment"].sudo(), []
        for row in rows:
            attachment = Attachment.browse(row["attachment_id"]).exists()
            if hashlib.sha256(attachment.raw or b"").hexdigest() != row["sha256"]:
                text = self.env._("The file “%s” is not the one that was printed.", attachment.name or "")
                found.append((self.browse(row["id"]), "attachment_id", text))
        return found


class BridgeDocument(models.Model):
    _inherit = "bridge.document"

    def _is_reissue(self):
        """Whether what is printed now has been printed before, and should say so."""
        self.ensure_one()
        return bool(self.sudo().rendering_ids)

    def _freeze(self, data, kind="pdf", is_reissue=None):
        """Keep a printed paper.

        :param bytes data: the file
        :param is_reissue: whether the paper says that it is one; unless given, every paper after the first is
        :return: bridge.document.rendering
        """
        self.ensure_one()
        document, Rendering = self.sudo(), self.env["bridge.document.rendering"].sudo()
        now = fields.Datetime.now()
        attachment = self.env["ir.attachment"].sudo().create(
            {
                "name": f"{document.number.replace('/', '_')}.{kind}",
                "raw": data,
                "mimetype": f"application/{kind}",
                "res_model": self._name,
                "res_id": document.id,
                "company_id": document.company_id.id,
            }
        )  # fmt: skip
        (row_id,) = Rendering._take_ids(1)
        content = {
            "id": row_id, "company_id": document.company_id.id, "document_id": document.id, "kind": kind,
            "sha256": hashlib.sha256(data).hexdigest(), "attachment_id": attachment.id,
            "printed_at": japanese_time(now), "user_id": self.env.uid,
            "is_reissue": self._is_reissue() if is_reissue is None else is_reissue,
        }  # fmt: skip
        Rendering._append([{**Rendering._columns_of(content), "content": content}])
        document.invalidate_recordset(["rendering_ids"], flush=False)
        return Rendering.browse(row_id).sudo(self.env.su)
