# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What a summary invoice's tax differs from that of its invoices is posted, so that the books say what it says."""

from odoo import fields, models
from odoo.exceptions import UserError
from odoo.fields import Command


class BridgeSummaryInvoice(models.Model):
    _inherit = "bridge.summary.invoice"

    def _post_adjustment(self, differences):
        """One entry on the closing day; none where there is no difference.

        With prices without tax the customer owes the difference; with tax in the price he owes what he owed, and
        sales and tax are divided otherwise.
        """
        self.ensure_one()
        self = self.with_context(lang=self.company_id._bridge_language())
        Move = self.env["account.move"].with_company(self.company_id)
        if not differences:
            return Move
        lines = [vals for category, amount in differences.items() for vals in self._adjusted(category, amount)]
        journal = self.move_ids.journal_id[:1]
        general = self.env["account.journal"].search(
            [*self.env["account.journal"]._check_company_domain(self.company_id), ("type", "=", "general")], limit=1
        )
        entry = Move.with_context(skip_invoice_sync=True).create(
            {
                "move_type": "entry", "journal_id": (general or journal).id, "date": self.closing_date,
                "ref": self.env._("Tax of the summary invoice %s", self.display_name),
                "line_ids": [Command.create(vals) for vals in lines],
            }
        )  # fmt: skip
        entry.action_post()
        return entry

    def _adjusted(self, category, amount):
        """Journal items that raise the tax of a category by ``amount`` yen (less, where negative)."""
        name = self.env._("Tax of the summary invoice %s", self.display_name)
        taxed = self._tax_line(category)
        tax_vals = {
            "name": name, "partner_id": self.partner_id.id, "account_id": taxed.account_id.id, "balance": -amount,
            "tax_repartition_line_id": taxed.tax_repartition_line_id.id,
            "tax_tag_ids": [Command.set(taxed.tax_tag_ids.ids)],
        }  # fmt: skip
        if not self._is_included():
            receivable = self.move_ids.line_ids.filtered(self._is_receivable)[:1].account_id
            owed = {"name": name, "partner_id": self.partner_id.id, "account_id": receivable.id, "balance": amount}
            return [tax_vals, {**owed, "date_maturity": fields.Date.to_string(self.closing_date)}]
        sold = self.move_ids.invoice_line_ids.filtered(lambda line: taxed.tax_line_id in line.tax_ids)[:1]
        sales_vals = {
            "name": name, "partner_id": self.partner_id.id, "account_id": sold.account_id.id, "balance": amount,
            "tax_ids": [Command.set(sold.tax_ids.ids)], "tax_tag_ids": [Command.set(sold.tax_tag_ids.ids)],
        }  # fmt: skip
        return [tax_vals, sales_vals]

    def _tax_line(self, category):
        """A tax line of that category, of a sale rather than of a return."""
        found = self.move_ids.line_ids.filtered(lambda line: line.tax_line_id.bridge_tax_category == category)
        found = found.sorted(lambda line: line.move_id.move_type == "out_refund")
        if not found:
            raise UserError(self.env._("No invoice of it has tax of category %s to adjust.", category))
        return found[0]


class AccountMove(models.Model):
    _inherit = "account.move"

    bridge_summary_id = fields.Many2one(
        "bridge.summary.invoice", "Summary invoice", readonly=True, copy=False, index="btree_not_null",
        ondelete="set null",
    )  # fmt: skip

    def button_draft(self):
        """What a customer was told in sum is not changed behind it."""
        summed = self.sudo().filtered(lambda move: move.bridge_summary_id.state == "issued")
        adjusting = self.env["bridge.summary.invoice"].sudo().search([("adjustment_id", "in", self.ids)])
        if summed or adjusting:
            raise UserError(
                self.env._(
                    "%s is part of a summary invoice that was issued. Make a credit note instead.",
                    (summed or adjusting.adjustment_id)[0].name,
                )
            )
        return super().button_draft()
