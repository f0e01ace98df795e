# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Why 3? The numbers behind what a channel may sell."""

from odoo import api, fields, models
from odoo.tools import format_date

QUANTITY = "Product Unit"


class BridgeStockLevel(models.Model):
    _inherit = "bridge.stock.level"

    on_hand = fields.Float(digits=QUANTITY, compute="_compute_numbers")
    reserved = fields.Float(digits=QUANTITY, compute="_compute_numbers", help="For orders that are to be delivered.")
    held = fields.Float(
        "Promised", digits=QUANTITY, compute="_compute_numbers", help="To carts, unpaid orders, pickups, quotations."
    )
    safety = fields.Float("Safety stock", digits=QUANTITY, compute="_compute_numbers")
    others = fields.Float("Kept for others", digits=QUANTITY, compute="_compute_numbers")
    may_sell = fields.Float("May be sold now", digits=QUANTITY, compute="_compute_numbers")
    rule_id = fields.Many2one("bridge.allocation.rule", "Rule", compute="_compute_numbers")
    reason_text = fields.Char("Because", compute="_compute_numbers")
    why = fields.Html(compute="_compute_why", sanitize=False)

    @api.depends("store_id", "product_id", "desired")
    @api.depends_context("lang")
    def _compute_numbers(self):
        found = self.env["bridge.availability"].sudo()._for_stores(self.sudo().store_id, self.sudo().product_id)
        for level in self:
            one = found.get((level.store_id.id, level.product_id.id))
            for name in ("on_hand", "reserved", "held", "safety", "others"):
                level[name] = getattr(one, name, 0.0)
            level.may_sell = one.quantity if one else 0.0
            level.rule_id = one.rule_id if one else False
            level.reason_text = ", ".join(level._reasons(one))

    def _reasons(self, availability):
        """What, beyond the plain sum, made the number what it is; in words."""
        if availability is None:
            return [self.env._("The product keeps no stock, or the store has no place: nothing is told.")]
        words = {
            "limit": lambda left: self.env._("promises of the whole place around leave %g", left),
            "share": lambda share: self.env._("the channel's share is %g", share),
            "factor": lambda factor: self.env._("the channel does not answer: %g %% of its share", factor * 100),
            "minimum": lambda minimum: self.env._("less than %g is published as sold out", minimum),
            "stopped": lambda _rule: self.env._("a rule stops the sale"),
            "brake": lambda sentence: sentence,
            "cap": lambda left: self.env._("a limit on sales leaves %g", left),
            "preorder": self._preorder_reason,
        }
        return [words[code](value) for code, value in availability.reasons]

    def _preorder_reason(self, day):
        if not day:
            return self.env._("nothing is at hand: preorders of what comes in")
        return self.env._("nothing is at hand: preorders of what comes in on %s", format_date(self.env, day))

    @api.depends("store_id", "product_id", "desired", "confirmed", "is_known", "state")
    @api.depends_context("lang")
    def _compute_why(self):
        for level in self:
            level.why = self.env["ir.qweb"]._render("pos_erp_bridge.stock_why", level._why_values())

    def _why_values(self):
        """What the picture shows: steps from what is on hand down to what may be sold."""
        self.ensure_one()
        steps = [
            (self.env._("On hand"), self.on_hand, "total"),
            (self.env._("Reserved for orders"), -self.reserved, "less"),
            (self.env._("Promised: carts, pickups, quotations"), -self.held, "less"),
            (self.env._("Safety stock"), -self.safety, "less"),
            (self.env._("Kept for other channels"), -self.others, "less"),
        ]
        net = sum(step[1] for step in steps)
        if net != self.may_sell:
            steps.append((self.reason_text or self.env._("Whole units, never below zero"), self.may_sell - net, "less"))
        steps.append((self.env._("May be sold"), self.may_sell, "total"))
        scale = max([abs(self.on_hand), abs(self.may_sell), 1.0])
        rows, top = [], 0.0
        for text, quantity, kind in steps:
            start, end = (0.0, quantity) if kind == "total" else (top, top + quantity)
            top = end
            low, high = max(0.0, min(start, end)), min(scale, max(start, end))
            rows.append({
                "text": text, "quantity": quantity, "kind": kind, "left": 100 * low / scale,
                "width": 100 * max(0.0, high - low) / scale,
            })  # fmt: skip
        return {"rows": [row for row in rows if row["quantity"] or row["kind"] == "total"], "level": self}

    def action_open_holds(self):
        """What is promised of it."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("pos_erp_bridge.bridge_hold_action")
        components = self.env["bridge.kit"]._components(self.product_id).get(self.product_id.id, {})
        ids = [self.product_id.id, *components]
        return action | {"domain": [("product_id", "in", ids)], "context": {"search_default_active": 1}}

    def action_open_reserved(self):
        """The orders it is reserved for."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("stock.stock_move_action")
        domain = [
            ("product_id", "=", self.product_id.id),
            ("location_id", "child_of", self.store_id.location_id.id),
            ("state", "in", ("assigned", "partially_available")),
        ]
        return action | {"domain": domain, "context": {}}


class ProductTemplate(models.Model):
    _inherit = "product.template"

    bridge_level_count = fields.Integer("Published in", compute="_compute_bridge_level_count")

    def _compute_bridge_level_count(self):
        for template in self:
            template.bridge_level_count = sum(template.product_variant_ids.mapped("bridge_level_count"))

    def action_bridge_availability(self):
        return self.product_variant_ids.action_bridge_availability()


class ProductProduct(models.Model):
    _inherit = "product.product"

    bridge_level_count = fields.Integer("Published in", compute="_compute_bridge_level_count")

    def _compute_bridge_level_count(self):
        Level = self.env["bridge.stock.level"]
        if not Level.has_access("read"):
            self.bridge_level_count = 0
            return
        groups = Level._read_group([("product_id", "in", self.ids)], ["product_id"], ["__count"])
        counts = {product.id: count for product, count in groups}
        for product in self:
            product.bridge_level_count = counts.get(product.id, 0)

    def action_bridge_availability(self):
        """What every channel may sell of it, and why."""
        action = self.env["ir.actions.act_window"]._for_xml_id("pos_erp_bridge.bridge_availability_action")
        return action | {"domain": [("product_id", "in", self.ids)]}
