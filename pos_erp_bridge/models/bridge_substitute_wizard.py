# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command


class BridgeSubstituteWizard(models.TransientModel):
    """What to offer a customer whose line is sold out."""

    _name = "bridge.substitute.wizard"
    _description = "Substitutes of an order line"

    line_id = fields.Many2one("sale.order.line", required=True, readonly=True, ondelete="cascade")
    product_id = fields.Many2one(related="line_id.product_id")
    wanted = fields.Float(related="line_id.product_uom_qty")
    uom_id = fields.Many2one(related="line_id.product_uom_id")
    available = fields.Float("Can be sold here", digits="Product Unit", readonly=True)
    option_ids = fields.One2many("bridge.substitute.option", "wizard_id", readonly=True)

    @api.model
    def _open(self, line):
        """The wizard of an order line, with its options."""
        line.check_access("read")
        place = line.order_id._bridge_place()
        found = self.env["bridge.substitute"]._for(line.product_id, place)[line.product_id.id]
        options = [
            {"kind": kind, "product_id": option["product_id"], "quantity": option["quantity"] or 0.0,
             "is_unlimited": option["quantity"] is None}
            for kind, name in (("variant", "variants"), ("alternative", "alternatives"))
            for option in found[name]
        ]  # fmt: skip
        options += [
            {"kind": "place", "place": row["name"], "product_id": line.product_id.id, "quantity": row["quantity"]}
            for row in found["places"]
        ]
        if found["incoming"]:
            options.append({"kind": "incoming", "product_id": line.product_id.id, **found["incoming"]})
        return self.create(
            {
                "line_id": line.id,
                "available": found["quantity"] or 0.0,
                "option_ids": [Command.create({"sequence": i, **vals}) for i, vals in enumerate(options)],
            }
        )


class BridgeSubstituteOption(models.TransientModel):
    """One thing to offer."""

    _name = "bridge.substitute.option"
    _description = "Substitute of an order line"
    _order = "sequence, id"

    wizard_id = fields.Many2one("bridge.substitute.wizard", required=True, ondelete="cascade")
    sequence = fields.Integer()
    kind = fields.Selection(
        [
            ("variant", "Other size or colour"),
            ("alternative", "Alternative"),
            ("place", "In stock elsewhere"),
            ("incoming", "Comes in"),
        ],
        "Offer",
        required=True,
        readonly=True,
    )
    product_id = fields.Many2one("product.product", readonly=True)
    place = fields.Char("Where", readonly=True)
    quantity = fields.Float(digits="Product Unit", readonly=True)
    is_unlimited = fields.Boolean(readonly=True, help="The product keeps no stock: there is always some.")
    date = fields.Date("On", readonly=True)
    can_take = fields.Boolean(compute="_compute_can_take")

    @api.depends("kind", "wizard_id.line_id")
    def _compute_can_take(self):
        for option in self:
            line = option.wizard_id.line_id
            option.can_take = option.kind in ("variant", "alternative") and line._bridge_may_replace_product()

    def action_take(self):
        """Put this product on the line instead; the quantity stays."""
        self.ensure_one()
        line = self.wizard_id.line_id
        if not self.can_take:
            raise UserError(
                self.env._(
                    "The product of this line cannot be replaced: the order is confirmed, or its customer paid for "
                    "this very product in a web store. Cancel the line and add another one."
                )
            )
        line._bridge_replace_product(self.product_id)
        return {"type": "ir.actions.act_window_close"}
