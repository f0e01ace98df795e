# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from zoneinfo import ZoneInfo

from odoo import api, fields, models


class AccountPayment(models.Model):
    _inherit = "account.payment"

    bridge_order_id = fields.Many2one(
        "sale.order", "Web order", readonly=True, copy=False, index="btree_not_null", ondelete="set null"
    )


class BridgeWebMoney(models.AbstractModel):
    """Invoices and payments of web orders, by the rule the channel had when the order came."""

    _name = "bridge.web.money"
    _description = "Money of web orders"

    @api.model
    def _settle(self, channel, plans):
        """Book what was paid, and invoice what is paid. May run any number of times."""
        orders = self.env["sale.order"].sudo()
        dates = {}
        for item, plan in plans.items():
            order = plan.order.sudo()
            if order.bridge_invoice_rule == "on_payment" and is_paid(item.record):
                orders |= order
                dates[order] = self._day(channel, _paid_at(item.record))
        invoices = self._invoice(orders, dates)
        payments = self._pay(
            channel,
            [
                (plan, tender, "inbound")
                for item, plan in plans.items()
                for tender in item.record.payments
                if plan.order.bridge_invoice_rule != "never"
            ],
        )
        touched = invoices.line_ids.sale_line_ids.order_id | payments.bridge_order_id
        for plan in plans.values():
            plan.changed = plan.changed or plan.order in touched
        self._reconcile(touched)

    @api.model
    def _day(self, channel, moment):
        """The calendar day of a moment where the channel is."""
        return moment.astimezone(ZoneInfo(channel.timezone)).date()

    # -- invoices --------------------------------------------------------------------------------
    @api.model
    def _invoice(self, orders, dates=None):
        """Invoice what is due of these orders, one invoice each, and post them."""
        orders = orders.filtered(lambda o: any(line.qty_to_invoice > 0 for line in o.order_line))
        if not orders:
            return self.env["account.move"]
        values = [self._prepare_invoice(order, (dates or {}).get(order)) for order in orders]
        invoices = orders._create_account_invoices(values, False)
        invoices._post()
        return invoices

    def _prepare_invoice(self, order, day):
        lines = order._get_invoiceable_lines()
        values = order._prepare_invoice()
        if day:
            values["invoice_date"] = day
        values["invoice_line_ids"] = [
            fields.Command.create(vals)
            for sequence, line in enumerate(lines)
            for vals in line._prepare_invoice_lines_vals_list(sequence=sequence)
        ]
        return values

    @api.model
    def _invoice_delivered(self, orders):
        """What left is invoiced, where the channel invoices on delivery; payments made before are set against it."""
        orders = orders.sudo().filtered(lambda o: o.bridge_invoice_rule == "on_delivery")
        if self._invoice(orders):
            self._reconcile(orders)

    # -- payments --------------------------------------------------------------------------------
    @api.model
    def _pay(self, channel, rows, suffix=""):
        """Payments for (plan, Tender, "inbound" or "outbound"), each once per external id (and suffix)."""
        rows = {tender.external_id + suffix: (plan, tender, way) for plan, tender, way in rows if tender.amount}
        known = self.env["bridge.binding"]._get(channel, "payment", rows)
        new = {key: row for key, row in rows.items() if key not in known}
        if not new:
            return self.env["account.payment"]
        payments = (
            self.env["account.payment"].sudo().create([self._prepare_payment(channel, *row) for row in new.values()])
        )
        payments.action_post()
        self.env["bridge.binding"]._bind(channel, "payment", zip(new, payments, strict=True))
        return payments

    def _prepare_payment(self, channel, plan, tender, way):
        journal = plan.journals[tender.code]
        amount = tender.amount
        if amount < 0:  # change, or a payment taken back
            amount, way = -amount, "outbound" if way == "inbound" else "inbound"
        methods = (
            journal.inbound_payment_method_line_ids if way == "inbound" else journal.outbound_payment_method_line_ids
        )
        order = plan.order
        values = {
            "payment_type": way,
            "partner_type": "customer",
            "partner_id": order.partner_invoice_id.commercial_partner_id.id,
            "amount": float(amount),
            "currency_id": order.currency_id.id,
            "journal_id": journal.id,
            "payment_method_line_id": methods[:1].id,
            "memo": f"{order.client_order_ref} {tender.name}".strip(),
            "payment_reference": tender.external_id,
            "bridge_order_id": order.id,
            "company_id": order.company_id.id,
        }
        if tender.paid_at:
            values["date"] = self._day(channel, tender.paid_at)
        if not methods[:1].payment_account_id:
            # Without an account of its own the method would pay into a company-wide one; the journal's is nearer.
            values["outstanding_account_id"] = journal.default_account_id.id
        return values

    # -- matching --------------------------------------------------------------------------------
    @api.model
    def _reconcile(self, orders):
        """Set each order's payments against its own invoices and credit notes."""
        orders = orders.sudo()
        payments = self.env["account.payment"].sudo().search([("bridge_order_id", "in", orders.ids)])
        plan = []
        for order in orders:
            moves = order._bridge_invoices() | payments.filtered(lambda p, o=order: p.bridge_order_id == o).move_id
            lines = moves.line_ids.filtered(_is_open)
            for account in lines.account_id:
                open_lines = lines.filtered(lambda line, account=account: line.account_id == account)
                if len({line.balance > 0 for line in open_lines}) == 2:
                    plan.append(open_lines)
        if plan:
            # As ``reconcile``, for all orders at once.
            self.env["account.move.line"].sudo()._reconcile_plan(plan)


def _is_open(line):
    is_receivable = line.account_id.account_type == "asset_receivable"
    return is_receivable and line.parent_state == "posted" and not line.reconciled


def is_paid(record):
    """Whether the customer has paid all of it (and may have got some of it back since)."""
    received = sum(tender.amount for tender in record.payments)
    return record.payment_state == "paid" or bool(received and received >= record.total)


def _paid_at(record):
    return max((tender.paid_at for tender in record.payments if tender.paid_at), default=record.ordered_at)
