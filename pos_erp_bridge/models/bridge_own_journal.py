# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""A journal for each channel and store, so that its days can be read by themselves. Never changes what is booked."""

from odoo import api, fields, models

TOKYO = "Asia/Tokyo"


class ResCompany(models.Model):
    _inherit = "res.company"

    def _bridge_own_journals(self):
        """Give a sales journal of its own to each web channel and till that shares one."""
        for company in self:
            channels = self.env["bridge.channel"].search([("company_id", "=", company.id)])
            channels._bridge_own_journal()
            self.env["pos.config"].search([("company_id", "=", company.id)])._bridge_own_journal()

    def _bridge_new_journal(self, name, kind, letter):
        """A journal of this kind, with the next free code of a letter."""
        self.ensure_one()
        Journal = self.env["account.journal"].sudo().with_company(self)
        codes = set(Journal.with_context(active_test=False).search([("company_id", "=", self.id)]).mapped("code"))
        code = next(code for number in range(1, 10000) if (code := f"{letter}{number:02}") not in codes)
        return Journal.create({"name": name, "type": kind, "code": code, "company_id": self.id})


class BridgeChannel(models.Model):
    _inherit = "bridge.channel"

    sale_journal_id = fields.Many2one(
        "account.journal", "Sales journal", check_company=True, domain="[('type', '=', 'sale')]",
        help="Its orders are invoiced here. Empty: in the company's first sales journal.",
    )  # fmt: skip

    @api.model_create_multi
    def create(self, vals_list):
        channels = super().create(vals_list)
        channels.filtered("company_id.bridge_keeps_books")._bridge_own_journal()
        return channels

    def _bridge_own_journal(self):
        for channel in self.filtered(lambda c: c.kind == "web" and not c.sale_journal_id):
            company = channel.company_id.sudo()
            if company.chart_template:
                channel.sale_journal_id = company._bridge_new_journal(channel.name, "sale", "W")


class PosConfig(models.Model):
    _inherit = "pos.config"

    @api.model_create_multi
    def create(self, vals_list):
        configs = super().create(vals_list)
        chosen = [bool(vals.get("journal_id")) for vals in vals_list]
        unsaid = configs.browse(config.id for config, is_chosen in zip(configs, chosen, strict=True) if not is_chosen)
        unsaid.filtered("company_id.bridge_keeps_books")._bridge_own_journal()
        return configs

    def _bridge_own_journal(self):
        """Tills that book in the common journal of all tills, or in that of another, get one of their own."""
        for config in self:
            company, journal = config.company_id.sudo(), config.journal_id
            sharing = self.sudo().with_context(active_test=False).search_count(
                [("journal_id", "=", journal.id), ("id", "!=", config.id)]
            )  # fmt: skip
            if company.chart_template and (sharing or journal.code == "POSS"):
                config.sudo().journal_id = company._bridge_new_journal(config.name, "general", "P")


class PosSession(models.Model):
    _inherit = "pos.session"

    def _validate_session(self, *args, **kwargs):
        """A day of a Japanese shop is a day in Japan, wherever whoever closes it is."""
        if not self.bridge_store_id and self.company_id._bridge_is_jp():
            self = self.with_context(tz=TOKYO)
        return super()._validate_session(*args, **kwargs)


class SaleOrder(models.Model):
    _inherit = "sale.order"

    def _prepare_invoice(self):
        values = super()._prepare_invoice()
        journal = self.bridge_channel_id.sale_journal_id
        if journal and not self.journal_id:
            values["journal_id"] = journal.id
        return values


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    bridge_keeps_books = fields.Boolean(related="company_id.bridge_keeps_books", readonly=False)

    def action_bridge_own_journals(self):
        self.company_id._bridge_own_journals()
        return {"type": "ir.actions.client", "tag": "soft_reload"}
