# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Documents of till sales: Odoo's own till and connected ones."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from odoo import fields, models

from ..fiscal import calculator
from .bridge_document_content import plain_number, whole


@dataclass
class Part:
    """The goods sold, or those taken back, of an order: each is a document of its own (gross method)."""

    type: str
    lines: Any
    is_whole: bool  # the order has no other part


def _amounts(line):
    """(with tax, without) of an order line in yen, below zero where something comes back. Odoo's till writes both
    without a sign on an order that is a return, its server with one."""
    incl, excl = whole(line.price_subtotal_incl), whole(line.price_subtotal)
    return (-incl, -excl) if incl * line.qty * line.price_unit < 0 else (incl, excl)


def _rounded(sums, basis, issuer):
    """{category: (base, tax)} with the tax of each rate rounded once."""
    included = basis == "included"
    groups = {name: base + tax if included else base for name, (base, tax) in sums.items()}
    rates = calculator.by_rate(groups, included=included, direction=issuer.rounding)
    return {name: (rate["taxable_base_excl"], rate["tax"]) for name, rate in rates.items()}


class PosOrder(models.Model):
    _inherit = "pos.order"

    bridge_document_ids = fields.One2many(
        "bridge.document", "pos_order_id", "Fiscal documents", readonly=True, copy=False,
        groups="pos_erp_bridge.group_bridge_auditor,pos_erp_bridge.group_bridge_user",
    )  # fmt: skip
    bridge_document_count = fields.Integer(
        compute="_compute_bridge_document_count", compute_sudo=True,
        groups="pos_erp_bridge.group_bridge_auditor,pos_erp_bridge.group_bridge_user",
    )  # fmt: skip

    def _compute_bridge_document_count(self):
        for order in self:
            order.bridge_document_count = len(order._bridge_all_documents())

    def _bridge_all_documents(self):
        """Its own, and the invoice's that replaced them."""
        return self.bridge_document_ids | self.account_move.bridge_document_ids

    def action_bridge_documents(self):
        return self.env["bridge.document"]._action_of(self.sudo()._bridge_all_documents())

    def action_pos_order_paid(self):
        result = super().action_pos_order_paid()
        self._bridge_register()
        return result

    def _generate_pos_order_invoice(self):
        """What a connected till took back becomes a credit note. Odoo knows a return by a mark, and expects the amounts
        of its lines without a sign."""
        for order in self.filtered(lambda o: o.bridge_source and o.amount_total < 0 and not o.is_refund):
            for line in order.lines:
                line.write(
                    {"price_subtotal": -line.price_subtotal, "price_subtotal_incl": -line.price_subtotal_incl}
                )  # fmt: skip
            order.is_refund = True
        return super()._generate_pos_order_invoice()

    # -- registering -------------------------------------------------------------------------------
    def _bridge_register(self):
        """Register the documents of paid orders, all together; of Japanese companies only. Safe to call again.

        As superuser: whoever may sell must be able to, and nobody may write to the register himself.
        """
        Document = self.env["bridge.document"].sudo()
        vals_list = []
        for company, orders in self.sudo().grouped("company_id").items():
            if company._bridge_is_jp():
                issuer = Document._issuer(company)
                vals_list += [vals for order in orders for vals in order._bridge_document_vals(issuer)]
        return Document._issue(vals_list)

    def _bridge_document_vals(self, issuer):
        """[values for ``bridge.document._issue``] of an order: of what was sold and of what came back."""
        self.ensure_one()
        return [self._bridge_part_vals(issuer, part) for part in self._bridge_parts()]

    def _bridge_parts(self):
        lines = self.lines
        back = lines.filtered(lambda line: line.qty < 0)
        out = lines - back
        parts = [("simplified", out), ("return", back)]
        is_whole = not (out and back)
        return [Part(kind, some, is_whole) for kind, some in parts if some]

    def _bridge_part_vals(self, issuer, part):
        Document, company = self.env["bridge.document"].sudo(), self.company_id
        relation, pointed, original = self._bridge_pointed(part)
        basis = self._bridge_basis(part)
        lines, discounts = self._bridge_lines(part, basis)
        store = self.session_id.bridge_store_id
        is_void = self.bridge_kind == "reversal"
        payments = self.payment_ids if part.is_whole else self.payment_ids.browse()
        change = payments.filtered("is_change")
        content = Document._content(
            issuer, self.date_order, type=part.type, relation=relation, original=original, basis=basis,
            number=pointed._next_number() if relation == "correct" else self._bridge_number(part),
            figures=self._bridge_figures(part, basis, issuer), lines=lines, discounts=discounts,
            counterparty=Document._counterparty(self.partner_id), store=store.name or self.config_id.name,
            terminal=self.config_id.name, cashier="" if store else self._bridge_cashier(),
            tenders=[
                {"name": p.payment_method_id.name, "amount": whole(p.amount)} for p in payments - change if p.amount
            ], change=-whole(sum(change.mapped("amount"))),
            reason=self._bridge_reason(relation, is_void),
        )  # fmt: skip
        return {
            "content": content, "company_id": company.id, "pos_order_id": self.id, "config_id": self.config_id.id,
            "channel_id": self.bridge_channel_id.id, "bridge_store_id": store.id, "partner_id": self.partner_id.id,
            "original_id": pointed.id,
        }  # fmt: skip

    def _bridge_cashier(self):
        return self.user_id.name or ""

    def _bridge_number(self, part):
        """The number on the paper; of the second document on one paper, and of what takes a receipt back, with R."""
        number = self.pos_reference or self.name
        is_second = self.bridge_kind == "reversal" or (part.type == "return" and not part.is_whole)
        return f"{number}-R" if is_second else number

    def _bridge_reason(self, relation, is_void):
        if not is_void and relation != "correct":
            return ""
        env = self.with_context(lang=self.company_id._bridge_language()).env
        if is_void:
            return env._("The receipt was voided or changed at its till.")
        return env._("The receipt was changed at its till.")

    # -- what it points to -------------------------------------------------------------------------
    def _bridge_pointed(self, part):
        """(relation, document pointed to, {"number", "supply_date", "type"} of the supply it is about or None)."""
        changed = self.bridge_corrects_id.bridge_document_ids
        if self.bridge_kind == "replacement":
            same = changed.filtered(lambda d: (d.type == "return") == (part.type == "return"))._in_force()[:1]
            if same:
                about = same._as_original()
                if part.type == "return":
                    original = self._bridge_returned()
                    about = original._as_original() or about
                return "correct", same, about
        elif self.bridge_kind == "reversal":
            # What takes back a return is a sale again.
            mirrored = changed.filtered(lambda d: (d.type == "return") != (part.type == "return"))._in_force()[:1]
            relation = "return" if part.type == "return" else "issue"
            return relation, mirrored, mirrored._as_original()
        if part.type == "return":
            original = self._bridge_returned()
            return "return", original, original._as_original()
        return "issue", self.env["bridge.document"], None

    def _bridge_returned(self):
        """The document of the sale given back, as it is in force."""
        sold = self.lines.refunded_orderline_id.order_id.bridge_document_ids
        return sold.filtered(lambda d: d.type != "return").sorted("id")[-1:]._in_force()[:1]

    # -- figures -----------------------------------------------------------------------------------
    def _bridge_basis(self, part):
        taxes = part.lines.tax_ids
        return "included" if not taxes or any(tax.price_include for tax in taxes) else "excluded"

    def _bridge_lines(self, part, basis):
        """(lines, discounts) of the content. A line that takes off is a discount."""
        Document, lines, discounts = self.env["bridge.document"], [], {}
        is_return = part.type == "return"
        for line in part.lines:
            category = Document._category(line.tax_ids)
            incl, excl = _amounts(line)
            amount = incl if basis == "included" else excl
            name = line.full_product_name or line.product_id.display_name
            if (amount > 0) if is_return else (amount < 0):
                by_rate = discounts.setdefault(name, defaultdict(int))
                by_rate[category] += amount
                continue
            price = line.price_unit
            lines.append(
                {
                    "name": name, "quantity": plain_number(line.qty), "unit": line.product_uom_id.name or "",
                    "unit_price": int(price) if price == int(price) else plain_number(price), "amount": amount,
                    "category": category, "is_reduced": calculator.is_reduced(category),
                    "note": line.customer_note or "",
                }
            )  # fmt: skip
        return lines, [{"name": name, "by_rate": dict(by_rate)} for name, by_rate in discounts.items()]

    def _bridge_figures(self, part, basis, issuer):
        """{category: (base, tax)}. Of a connected till as printed; of our own as the calculator rounds, which is what
        the till printed, unless the order says that it printed something else."""
        printed = self._bridge_sums(part.lines)
        if self.bridge_source:
            return printed
        computed = _rounded(printed, basis, issuer)
        if not part.is_whole and part.type == "return":
            # Both parts are on one paper, rounded together: the second part is what the first leaves of it.
            other = _rounded(self._bridge_sums(self.lines - part.lines), basis, issuer)
            both = _rounded(self._bridge_sums(self.lines), basis, issuer)
            return {
                name: tuple(a - b for a, b in zip(both[name], other.get(name, (0, 0)), strict=True)) for name in printed
            }
        said = whole(self.amount_tax)
        if part.is_whole and sum(t for _b, t in computed.values()) != said == sum(t for _b, t in printed.values()):
            return printed
        return computed

    def _bridge_sums(self, lines):
        """{category: (base, tax)} of lines as they are."""
        category, sums = self.env["bridge.document"]._category, {}
        for line in lines:
            base, tax = sums.get(name := category(line.tax_ids), (0, 0))
            incl, excl = _amounts(line)
            sums[name] = (base + excl, tax + incl - excl)
        return sums
