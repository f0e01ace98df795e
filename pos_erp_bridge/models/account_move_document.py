# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Documents of customer invoices and credit notes."""

from collections import defaultdict
from datetime import UTC, datetime, time

from odoo import fields, models

from ..fiscal import calculator
from ..fiscal.register import TOKYO
from .bridge_document_content import plain_number, whole

# What makes an invoice another one; the rest (when it was issued, what it points to) may differ.
SAID = ("supply_date", "issuer", "counterparty", "basis", "lines", "discounts", "rates")


class AccountMove(models.Model):
    _inherit = "account.move"

    bridge_document_ids = fields.One2many(
        "bridge.document", "move_id", "Fiscal documents", readonly=True, copy=False,
        groups="pos_erp_bridge.group_bridge_auditor,pos_erp_bridge.group_bridge_user",
    )  # fmt: skip
    bridge_document_count = fields.Integer(
        compute="_compute_bridge_document_count", compute_sudo=True,
        groups="pos_erp_bridge.group_bridge_auditor,pos_erp_bridge.group_bridge_user",
    )  # fmt: skip

    def _compute_bridge_document_count(self):
        for move in self:
            move.bridge_document_count = len(move._bridge_all_documents())

    def _bridge_all_documents(self):
        """Its own, and those of the receipts it replaced."""
        return self.bridge_document_ids | self.bridge_document_ids.superseded_ids

    def action_bridge_documents(self):
        return self.env["bridge.document"]._action_of(self.sudo()._bridge_all_documents())

    def _post(self, soft=True):
        posted = super()._post(soft)
        posted._bridge_register()
        return posted

    # -- registering -------------------------------------------------------------------------------
    def _bridge_register(self):
        """Register the documents of posted customer invoices and credit notes, all together; of Japanese companies.

        One that was reset, changed and posted again gets a correction.
        """
        Document = self.env["bridge.document"].sudo()
        moves = self.sudo().filtered(lambda m: m.state == "posted" and m.is_sale_document(include_receipts=True))
        vals_list = []
        for company, some in moves.grouped("company_id").items():
            if company._bridge_is_jp():
                issuer = Document._issuer(company)
                vals_list += [vals for move in some if (vals := move._bridge_due_vals(issuer))]
        return Document._issue(vals_list)

    def _bridge_due_vals(self, issuer):
        """Values of the document that is missing, or None."""
        vals, known = self._bridge_document_vals(issuer), self.bridge_document_ids.sorted("id")
        if not known:
            return vals
        last = known[-1]
        was = last._said_content()
        if all(was[key] == vals["content"][key] for key in SAID):
            return None
        env = self.with_context(lang=self.company_id._bridge_language()).env
        return last._as_correction(vals, env._("The invoice was changed and posted again."))

    def _bridge_document_vals(self, issuer):
        """Values for ``bridge.document._issue``."""
        self.ensure_one()
        Document = self.env["bridge.document"].sudo()
        is_return = self.move_type == "out_refund"
        receipts = self._bridge_receipts()
        pointed = self._bridge_returned() if is_return else receipts[:1]
        moment, day = self._bridge_supply(receipts)
        basis = self._bridge_basis()
        orders = self.line_ids.sale_line_ids.order_id
        store = orders.bridge_store_id[:1]
        content = Document._content(
            issuer, moment, supply_date=day, type="return" if is_return else "qualified", number=self.name,
            relation="return" if is_return else "supersede" if receipts else "issue",
            original=(pointed if is_return else receipts)._as_original(), basis=basis, figures=self._bridge_figures(),
            counterparty=Document._counterparty(self.partner_id), store=receipts[:1].store or store.name or "",
            terminal=receipts[:1].terminal or "", cashier=self.invoice_user_id.name or "",
            reason=self.ref or "" if is_return else "",
            **self._bridge_lines(basis),
        )  # fmt: skip
        return {
            "content": content, "company_id": self.company_id.id, "move_id": self.id, "partner_id": self.partner_id.id,
            "channel_id": (receipts.channel_id or orders.bridge_channel_id)[:1].id,
            "bridge_store_id": (receipts.bridge_store_id or store)[:1].id, "config_id": receipts.config_id[:1].id,
            "original_id": pointed.id, "superseded_ids": receipts.ids,
        }  # fmt: skip

    # -- what it points to -------------------------------------------------------------------------
    def _bridge_receipts(self):
        """Receipts and return receipts of the till orders it invoices: it replaces them."""
        documents = self.pos_order_ids.bridge_document_ids
        return documents.filtered(lambda d: d.state != "corrected" and d.superseded_by_ids.move_id <= self).sorted("id")

    def _bridge_returned(self):
        """The document of the sale this credit note takes back, as it is in force."""
        documents = (self.reversed_entry_id | self.pos_refunded_invoice_ids).bridge_document_ids
        documents |= self.pos_order_ids.lines.refunded_orderline_id.order_id.bridge_document_ids
        return documents.filtered(lambda d: d.type != "return").sorted("id")[-1:]._in_force()[:1]

    def _bridge_supply(self, receipts):
        """(naive moment in UTC, day in Japan) of the supply."""
        if receipts:
            last = max(receipts, key=lambda d: d.supply_at)
            return last.supply_at, last.supply_date
        day = self.delivery_date or self.invoice_date or self.date
        return datetime.combine(day, time(), TOKYO).astimezone(UTC).replace(tzinfo=None), day

    # -- figures -----------------------------------------------------------------------------------
    def _bridge_basis(self):
        taxes = self.invoice_line_ids.tax_ids
        return "included" if taxes and all(tax.price_include for tax in taxes) else "excluded"

    def _bridge_figures(self):
        """{category: (base, tax)} in yen, from the journal items themselves."""
        category, figures = self.env["bridge.document"]._category, defaultdict(lambda: [0, 0])
        for line in self.line_ids:
            if line.tax_line_id:
                figures[category(line.tax_line_id)][1] -= whole(line.balance)
            elif line.display_type == "product":
                figures[category(line.tax_ids)][0] -= whole(line.balance)
        return {name: tuple(pair) for name, pair in figures.items()}

    def _bridge_lines(self, basis):
        """Lines and discounts of the content, in yen. A line that takes off is a discount."""
        category, lines, discounts = self.env["bridge.document"]._category, [], defaultdict(lambda: defaultdict(int))
        sign = -1 if self.move_type == "out_refund" else 1
        for line in self.invoice_line_ids.filtered(lambda l: l.display_type == "product"):
            rate = category(line.tax_ids)
            amount = sign * line.price_total / (line.currency_rate or 1) if basis == "included" else -line.balance
            amount, name = whole(amount), line.name or line.product_id.display_name or ""
            if amount * sign < 0:
                discounts[name][rate] += amount
                continue
            price = line.price_unit
            lines.append(
                {
                    "name": name, "quantity": plain_number(sign * line.quantity),
                    "unit": line.product_uom_id.name or "",
                    "unit_price": int(price) if price == int(price) else plain_number(price), "amount": amount,
                    "category": rate, "is_reduced": calculator.is_reduced(rate), "note": "",
                }
            )  # fmt: skip
        taken_off = [{"name": name, "by_rate": dict(by_rate)} for name, by_rate in discounts.items()]
        return {"lines": lines, "discounts": taken_off}
