# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Odoo's own quotations can hold stock too: promised like a web order's, and reserved when they are confirmed."""

import logging
from datetime import datetime, time, timedelta
from functools import partial

import pytz

from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_datetime

from ..locks import promise_cursor

_logger = logging.getLogger(__name__)

HELD_DAYS = 3  # when the quotation has no date of its own
DATA_KEY = "pos_erp_bridge.quotation"
# The promise is made in a transaction of its own, so that is where it is hung on the order's lines too.
LINK = """
    UPDATE bridge_hold SET sale_line_id = line_ref::int
     WHERE channel_id IS NULL AND order_ref = ANY(%s) AND state = 'active'
       AND sale_line_id IS DISTINCT FROM line_ref::int AND EXISTS (SELECT FROM sale_order_line WHERE id = line_ref::int)
"""


class SaleOrder(models.Model):
    _inherit = "sale.order"

    bridge_held_until = fields.Datetime("Held until", compute="_compute_bridge_held", compute_sudo=True)
    bridge_held_text = fields.Char(compute="_compute_bridge_held", compute_sudo=True)
    bridge_can_hold = fields.Boolean(compute="_compute_bridge_held", compute_sudo=True)

    @api.depends("state", "order_line.product_uom_qty", "order_line.product_id")
    @api.depends_context("lang", "tz")
    def _compute_bridge_held(self):
        holds = self._bridge_quotation_holds().grouped("order_ref")
        for order in self:
            own = holds.get(order._bridge_hold_ref(), self.env["bridge.hold"])
            order.bridge_can_hold = order.state in ("draft", "sent") and bool(order._bridge_wishes())
            order.bridge_held_until = min(own.mapped("expires_at")) if own else False
            order.bridge_held_text = order._bridge_say_held(own) if own else False

    def _bridge_say_held(self, holds):
        until = format_datetime(self.env, self.bridge_held_until, dt_format="short")
        quantities = self._bridge_held_quantities(holds)
        short = [
            self.env._("%(held)g of %(wanted)g %(name)s", held=quantities.get(ref, 0.0), wanted=wanted,
                       name=product.display_name)
            for ref, product, _place, wanted in self._bridge_wishes()
            if product.uom_id.compare(quantities.get(ref, 0.0), wanted) < 0
        ]  # fmt: skip
        if short:
            return self.env._("Stock is held until %(until)s, in part: %(short)s.", until=until, short=", ".join(short))
        return self.env._("Stock is held until %(until)s.", until=until)

    @staticmethod
    def _bridge_held_quantities(holds):
        """{line ref: how many of the line's product are held}"""
        result = {}
        for hold in holds:
            if not hold.kit_id:
                result[hold.line_ref] = result.get(hold.line_ref, 0.0) + hold.quantity
            elif hold.kit_quantity:
                result[hold.line_ref] = result.get(hold.line_ref, 0.0) + hold.kit_quantity
        return result

    # -- holding -----------------------------------------------------------------------------------
    def _bridge_hold_ref(self):
        return f"sale.order,{self._origin.id or self.id}"

    def _bridge_quotation_holds(self):
        """Promises made to these quotations that still count."""
        domain = [
            ("channel_id", "=", False), ("order_ref", "in", [order._bridge_hold_ref() for order in self]),
            ("state", "=", "active"), ("expires_at", ">", fields.Datetime.now()),
        ]  # fmt: skip
        return self.env["bridge.hold"].sudo().search(domain)

    def _bridge_wishes(self):
        """[(line ref, product, place, quantity in its base unit)] of goods kept in stock."""
        result = []
        for line in self.order_line:
            place = (line.warehouse_id or self.warehouse_id).lot_stock_id
            if place and line.product_id and line.product_id._bridge_is_stocked() and not line.is_mto:
                quantity = line._bridge_base_quantity()
                if line.product_id.uom_id.compare(quantity, 0.0) > 0:
                    result.append((str(line._origin.id or line.id), line.product_id, place, quantity))
        return result

    def _bridge_hold_expiry(self):
        """The end of the last day the quotation is valid, else some days from now; UTC."""
        now = fields.Datetime.now()
        if not self.validity_date:
            return now + timedelta(days=HELD_DAYS)
        zone = pytz.timezone(self.env.context.get("tz") or self.env.user.tz or "UTC")
        end = zone.localize(datetime.combine(self.validity_date, time.max)).astimezone(pytz.utc).replace(tzinfo=None)
        if end <= now:
            raise UserError(
                self.env._("This quotation was valid until %s. Give it a later date, then hold the stock.",
                           self.validity_date)
            )  # fmt: skip
        return end.replace(microsecond=0)

    def action_bridge_hold(self):
        """Hold all goods of the quotation, or say what is short."""
        return self._bridge_hold(is_partial=False)

    def action_bridge_hold_partial(self):
        """Hold what there is."""
        self._bridge_hold(is_partial=True)
        return {"type": "ir.actions.act_window_close"}

    def _bridge_hold(self, is_partial):
        self.ensure_one()
        self.check_access("write")
        if self.state not in ("draft", "sent"):
            raise UserError(self.env._("Stock is held for quotations; a confirmed order reserves its goods by itself."))
        order = self.sudo()
        wishes = order._bridge_wishes()
        if not wishes:
            raise UserError(self.env._("There is nothing on this quotation that is kept in stock."))
        self.env.flush_all()
        expires_at = self._bridge_hold_expiry()
        claim = order._bridge_claim(wishes, is_partial, expires_at)
        if claim.short and not claim.granted:
            if is_partial:
                raise UserError(self.env._("Nothing of it is free any more: %s.", claim.reason))
            return self._bridge_offer(claim)
        order.message_post(
            body=self.env._("Stock is held until %s.", format_datetime(self.env, expires_at, dt_format="short"))
        )
        return True

    def _bridge_claim(self, wishes, is_partial, expires_at):
        # Kits are put together by the bills of materials of the order's company.
        claim = self.env["bridge.hold"].with_company(self.company_id)._claim(
            self.env["bridge.channel"], self._bridge_hold_ref(), wishes, "quotation", partial=is_partial,
            expires_at=expires_at, customer=str(self.partner_id.commercial_partner_id.id or ""),
        )  # fmt: skip
        self._bridge_link_holds()
        return claim

    def _bridge_link_holds(self):
        with promise_cursor(self.env.registry) as cr:
            cr.execute(LINK, [[order._bridge_hold_ref() for order in self]])
        self.env["bridge.hold"].invalidate_model()

    def _bridge_offer(self, claim):
        """Ask what to do when not everything can be held."""
        text = "\n".join(claim.reason.split(", "))
        offer = self.env["bridge.hold.offer"].create({"order_id": self.id, "text": text})
        return {
            "type": "ir.actions.act_window", "res_model": "bridge.hold.offer", "res_id": offer.id,
            "view_mode": "form", "target": "new", "name": self.env._("Not everything can be held"),
        }  # fmt: skip

    def action_bridge_give_back(self):
        """Give back what the quotation holds."""
        self.ensure_one()
        self.check_access("write")
        self.env["bridge.hold"].sudo()._release(self.env["bridge.channel"], self._bridge_hold_ref())
        self.env["bridge.hold"].invalidate_model()
        self.sudo().message_post(body=self.env._("The stock held was given back."))
        return True

    # -- the quotation changes ---------------------------------------------------------------------
    def write(self, vals):
        result = super().write(vals)
        if vals.keys() & {"warehouse_id", "validity_date"}:
            self._bridge_adjust_later()
        return result

    def unlink(self):
        self.order_line._bridge_release()
        return super().unlink()

    def action_confirm(self):
        quotations = self.filtered(lambda order: order.state in ("draft", "sent"))
        unlinked = quotations._bridge_quotation_holds().filtered(lambda hold: not hold.sale_line_id)
        for hold in unlinked:  # the worker was killed between promise and link
            line = quotations.order_line.filtered(lambda line, ref=hold.line_ref: str(line.id) == ref)
            hold.sale_line_id = line
        return super().action_confirm()

    def _bridge_adjust_later(self):
        """What is held follows the quotation, once its change is committed: promises are made on what is, not on what
        may still be rolled back."""
        quotations = self.filtered(lambda order: order.id and order.state in ("draft", "sent"))
        holding = quotations and quotations._bridge_quotation_holds()
        if not holding:
            return
        refs = set(holding.mapped("order_ref"))
        pending = self.env.cr.postcommit.data.setdefault(DATA_KEY, set())
        if not pending:
            self.env.cr.postcommit.add(partial(self._bridge_adjust, self.env.registry, pending))
        pending.update(quotations.filtered(lambda order: order._bridge_hold_ref() in refs).ids)

    @staticmethod
    def _bridge_adjust(registry, pending):
        for order_id in sorted(pending):
            try:
                with registry.cursor() as cr:
                    env = api.Environment(cr, SUPERUSER_ID, {})
                    env["sale.order"].browse(order_id).exists()._bridge_adjust_holds()
            except Exception:  # the change itself is saved; the form says what is held
                _logger.warning("what quotation %s holds was not adjusted", order_id, exc_info=True)

    def _bridge_adjust_holds(self):
        """Hold what the quotation wants now: more if there is any, less, or nothing of a line."""
        if not self:
            return
        holds = self._bridge_quotation_holds()
        if not holds or self.state not in ("draft", "sent"):
            return
        wishes = self._bridge_wishes()
        gone = set(holds.mapped("line_ref")) - {wish[0] for wish in wishes}
        if gone:
            self.env["bridge.hold"]._release(self.env["bridge.channel"], self._bridge_hold_ref(), sorted(gone))
        # A line that was not held, because there was none, is not asked for anew by every change.
        kept = [wish for wish in wishes if wish[0] in set(holds.mapped("line_ref"))]
        if kept:
            until = max(holds.mapped("expires_at"))
            if self.validity_date and self.validity_date >= fields.Date.context_today(self):
                until = self._bridge_hold_expiry()
            self._bridge_claim(kept, True, until)

    @api.model
    def _bridge_check_holds(self, product_ids):
        """Goods left without asking: who holds what is not there any more is told, the last one first."""
        if not product_ids:
            return
        holds = self.env["bridge.hold"].search(
            [
                ("product_id", "in", list(product_ids)), ("state", "=", "active"), ("purpose", "=", "quotation"),
                ("source", "=", "hand"), ("sale_line_id", "!=", False),
            ],
            order="claimed_at desc, id desc",
        )  # fmt: skip
        for place, rows in holds.grouped("location_id").items():
            left = self.env["bridge.availability"]._available(place, rows.product_id)
            for hold in rows:
                lack = min(hold.quantity, -left.get(hold.product_id.id, 0.0))
                if lack > 1e-6:
                    left[hold.product_id.id] += lack
                    hold.sale_line_id.order_id._bridge_tell_lost(hold.product_id, lack)

    def _bridge_tell_lost(self, product, quantity):
        user = self.user_id or self.env.user
        speaking = self.with_context(lang=user.lang)
        note = speaking.env._(
            "%(quantity)g × %(product)s were sold in a store although they are held for this quotation.",
            quantity=quantity, product=product.with_context(lang=user.lang).display_name,
        )  # fmt: skip
        self._bridge_alert(speaking.env._("Held stock was sold"), note)


class SaleOrderLine(models.Model):
    _inherit = "sale.order.line"

    def write(self, vals):
        result = super().write(vals)
        if vals.keys() & {"product_id", "product_uom_qty", "product_uom_id", "warehouse_id", "route_ids"}:
            self.order_id._bridge_adjust_later()
        return result
