# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Books a Japanese tax office accepts: a posted entry is reversed, never edited, and nothing of it is deleted."""

from odoo import api, fields, models
from odoo.exceptions import UserError

# Kept as posted. Money journals are left out: Odoo itself takes payments and statement lines back to correct them (a
# counted card difference, a deleted cash move); what they were is in the seals.
KEPT_TYPES = ("sale", "purchase", "general")
# What makes a company one that keeps its books this way.
TRIGGERS = {"country_id", "currency_id", "account_fiscal_country_id", "bridge_keeps_books"}


class ResCompany(models.Model):
    _inherit = "res.company"

    bridge_keeps_books = fields.Boolean(
        "Posted entries are reversed, not edited", compute="_compute_bridge_keeps_books", store=True, readonly=False,
        help="The audit trail is kept, sales journals are hashed, and every posted entry is sealed.",
    )  # fmt: skip

    @api.depends("account_fiscal_country_id", "currency_id")
    def _compute_bridge_keeps_books(self):
        for company in self:
            company.bridge_keeps_books = company._bridge_is_jp()

    @api.depends("bridge_keeps_books")
    def _compute_force_restrictive_audit_trail(self):
        super()._compute_force_restrictive_audit_trail()
        for company in self:
            company.force_restrictive_audit_trail |= company.bridge_keeps_books

    @api.model_create_multi
    def create(self, vals_list):
        companies = super().create(vals_list)
        companies._bridge_keep_books()
        return companies

    def write(self, vals):
        result = super().write(vals)
        if vals.keys() & TRIGGERS:
            self._bridge_keep_books()
        return result

    def _bridge_keep_books(self):
        """Switch on what keeping books needs, where it is wanted; safe to call again."""
        for company in self.sudo().filtered("bridge_keeps_books"):
            company.restrictive_audit_trail = True
            journals = self.env["account.journal"].sudo()
            tills = self.env["pos.config"].sudo().search([("company_id", "=", company.id)])
            sales = journals.search([("company_id", "=", company.id), ("type", "=", "sale")])
            (sales | tills.journal_id)._bridge_hash_entries()
            self.env["bridge.entry.seal"].sudo()._seal_unsealed(company)


class AccountJournal(models.Model):
    _inherit = "account.journal"

    @api.model_create_multi
    def create(self, vals_list):
        journals = super().create(vals_list)
        journals.filtered(lambda j: j.type == "sale")._bridge_hash_entries()
        return journals

    def _bridge_hash_entries(self):
        """Hash entries from now on. A journal with an entry that was taken back to draft is left as it is: once later
        numbers are hashed, Odoo could not post that entry again under its number."""
        journals = self.sudo().filtered(lambda j: j.company_id.bridge_keeps_books and not j.restrict_mode_hash_table)
        if not journals:
            return
        reopened = self.env["account.move"].sudo().search(
            [("journal_id", "in", journals.ids), ("state", "=", "draft"), ("posted_before", "=", True)]
        )  # fmt: skip
        (journals - reopened.journal_id).restrict_mode_hash_table = True


class PosConfig(models.Model):
    _inherit = "pos.config"

    @api.model_create_multi
    def create(self, vals_list):
        configs = super().create(vals_list)
        configs.journal_id._bridge_hash_entries()
        return configs

    def write(self, vals):
        result = super().write(vals)
        if "journal_id" in vals:
            self.journal_id._bridge_hash_entries()
        return result


class AccountMove(models.Model):
    _inherit = "account.move"

    def _bridge_is_kept(self):
        """Whether the entry stays as it was posted."""
        self.ensure_one()
        is_kept = self.company_id.bridge_keeps_books and self.journal_id.type in KEPT_TYPES
        return is_kept and self.state == "posted"

    @api.depends("company_id.bridge_keeps_books", "journal_id.type")
    def _compute_show_reset_to_draft_button(self):
        super()._compute_show_reset_to_draft_button()
        for move in self.filtered("show_reset_to_draft_button"):
            move.show_reset_to_draft_button = not move._bridge_is_kept()

    def button_draft(self):
        if kept := self.filtered(lambda move: move._bridge_is_kept()):
            raise UserError(
                self.env._(
                    "%s is posted, and a posted entry is not edited. Make a credit note of an invoice, reverse any "
                    "other entry, and post it anew: each points to the entry it takes back.",
                    ", ".join(kept.mapped("display_name")),
                )
            )
        return super().button_draft()

    def _can_be_unlinked(self):
        return super()._can_be_unlinked() and not self._bridge_is_kept()

    def _get_chains_to_hash(self, *args, **kwargs):
        """A gap in the numbers is shown by Odoo and allowed by the law: it must not stop the sales of a shop."""
        if self and all(company.bridge_keeps_books for company in self.company_id):
            kwargs["raise_if_gap"] = False
        return super()._get_chains_to_hash(*args, **kwargs)
