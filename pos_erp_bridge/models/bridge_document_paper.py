# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Printing documents: the first paper is kept and handed out again as it is; a reissue says that it is one."""

import io

from odoo import fields, models
from odoo.exceptions import UserError

from .bridge_paper import ROLLS, TEMPLATE


class PosConfig(models.Model):
    _inherit = "pos.config"

    bridge_receipt_width = fields.Selection(
        [("80", "80 mm"), ("58", "58 mm")], "Width of receipts", default=ROLLS[0], required=True,
        help="Of the receipt printer's paper.",
    )  # fmt: skip


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    pos_bridge_receipt_width = fields.Selection(related="pos_config_id.bridge_receipt_width", readonly=False)


class BridgeDocument(models.Model):
    _inherit = "bridge.document"

    def _render_pdf(self, is_reissue=False, roll=None):
        """The paper of this document as PDF, in bytes.

        The first one is kept and returned, byte by byte, from then on. A reissue is a paper of its own, marked, and
        kept as well.

        :param roll: "80" or "58" for a receipt printer, "" for A4; None: what the document is printed on usually
        """
        self.ensure_one()
        self.check_access("read")
        if not is_reissue:
            first = self.sudo().rendering_ids.filtered(lambda r: not r.is_reissue).sorted("id")[:1]
            if first:
                return first.attachment_id.raw
        return self._print(is_reissue, self._usual_roll() if roll is None else roll).sudo().attachment_id.raw

    def _print(self, is_reissue, roll):
        """Draw a paper and keep it; of a document in force only, for a supply has one that is valid."""
        document = self.sudo()
        if document.state in ("superseded", "corrected"):
            raise UserError(
                self.env._(
                    "%(old)s is no longer valid: print %(new)s, which took its place.",
                    old=document.number, new=", ".join(document._in_force().mapped("number")),
                )
            )
        lang = document.partner_id.lang or document.company_id._bridge_language()
        pdf = self.env["bridge.paper"]._pdf(document._said_content(), roll, is_reissue=is_reissue, lang=lang)
        return self._freeze(pdf, is_reissue=is_reissue)

    def _usual_roll(self):
        """A receipt of a till is printed on its roll, everything else on A4."""
        document = self.sudo()
        if document.move_id or document.type not in ("simplified", "return"):
            return ""
        return document.config_id.bridge_receipt_width or ROLLS[0]

    def action_print(self):
        return self.env.ref("pos_erp_bridge.paper_report").report_action(self, config=False)

    def action_reissue(self):
        """Print it again, marked as a reissue, on what it is usually printed on."""
        return self._reissued(None)

    def action_reissue_sheet(self):
        """The same on A4, as customers ask for who lost a till receipt."""
        return self._reissued("")

    def _reissued(self, roll):
        self.ensure_one()
        self.check_access("read")
        rendering = self._print(True, self._usual_roll() if roll is None else roll).sudo()
        url = f"/web/content/{rendering.attachment_id.id}?download=true"
        return {"type": "ir.actions.act_url", "url": url, "target": "download"}


class IrActionsReport(models.Model):
    _inherit = "ir.actions.report"

    def _render_qweb_pdf_prepare_streams(self, report_ref, data, res_ids=None):
        """Whoever prints a document, by whatever way, gets the paper that is kept."""
        if self._get_report(report_ref).report_name != TEMPLATE:
            return super()._render_qweb_pdf_prepare_streams(report_ref, data, res_ids=res_ids)
        documents = self.env["bridge.document"].browse(res_ids)
        return {doc.id: {"stream": io.BytesIO(doc._render_pdf()), "attachment": None} for doc in documents}

    def _render_qweb_html(self, report_ref, docids, data=None):
        """On screen: drawn from what was frozen, and not kept."""
        if self._get_report(report_ref).report_name != TEMPLATE:
            return super()._render_qweb_html(report_ref, docids, data=data)
        documents = self.env["bridge.document"].browse(docids)
        documents.check_access("read")
        pages = [self.env["bridge.paper"]._html(doc.sudo()._said_content()) for doc in documents]
        return "".join(pages).encode(), "html"
