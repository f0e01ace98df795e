# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command


class BridgeTallyLine(models.Model):
    """One product of a tally, in its base unit: tallied = arrived + closed by a person + open."""

    _name = "bridge.tally.line"
    _inherit = ["bridge.readonly"]
    _description = "Tallied product"
    _order = "id"
    _check_company_auto = True
    _rec_name = "product_id"

    tally_id = fields.Many2one("bridge.tally", required=True, ondelete="cascade", index=True)
    channel_id = fields.Many2one(related="tally_id.channel_id")
    company_id = fields.Many2one(related="tally_id.company_id", store=True, index=True)
    currency_id = fields.Many2one(related="company_id.currency_id")
    state = fields.Selection(related="tally_id.state")
    product_id = fields.Many2one(
        "product.product", required=True, check_company=True, domain="[('type', '=', 'consu')]", ondelete="restrict",
        index=True,
    )  # fmt: skip
    barcode = fields.Char("JAN", related="product_id.barcode")
    quantity = fields.Float("Tallied", digits="Product Unit", default=1.0, required=True)
    price_unit = fields.Float("Unit price", digits="Product Price", help="As asked for in the store; only to compare.")
    note = fields.Char()
    arrived = fields.Float(
        digits="Product Unit", compute="_compute_arrived", store=True, help="The till has told of these since."
    )
    arrival_ids = fields.One2many("bridge.tally.arrival", "line_id")
    closed = fields.Float(
        "Closed by hand", digits="Product Unit", readonly=True, copy=False,
        help="Never arrived, and closed by a person: booked as an inventory difference, or discarded.",
    )  # fmt: skip
    open_quantity = fields.Float("Not arrived", digits="Product Unit", compute="_compute_open_quantity", store=True)
    shortage = fields.Float(
        "Short", digits="Product Unit", readonly=True, copy=False,
        help="So many more were sold than could be taken from sale: look at the orders that were promised them.",
    )  # fmt: skip
    move_id = fields.Many2one("stock.move", "Inventory difference", readonly=True, copy=False)

    _closed_positive = models.Constraint("CHECK(closed >= 0)", "What is closed cannot be negative.")

    @api.depends("arrival_ids.quantity")
    def _compute_arrived(self):
        groups = self.env["bridge.tally.arrival"]._read_group(
            [("line_id", "in", self.ids)], ["line_id"], ["quantity:sum"]
        )
        arrived = {line.id: quantity for line, quantity in groups}
        for line in self:
            line.arrived = arrived.get(line._origin.id, 0.0)

    @api.depends("quantity", "arrived", "closed")
    def _compute_open_quantity(self):
        for line in self:
            line.open_quantity = max(0.0, line.quantity - line.arrived - line.closed)

    @api.onchange("product_id")
    def _onchange_product_id(self):
        if self.product_id and not self.price_unit:
            self.price_unit = self.product_id.lst_price

    def _is_open(self):
        return self.product_id.uom_id.compare(self.open_quantity, 0.0) > 0

    # -- a tally once entered is never edited ------------------------------------------------------
    @api.model_create_multi
    def create(self, vals_list):
        lines = super().create(vals_list)
        lines.tally_id._check_draft()
        return lines

    def write(self, vals):
        if vals.keys() & {"quantity", "product_id", "tally_id"}:
            self.tally_id._check_draft()
        result = super().write(vals)
        if "tally_id" in vals:  # nor is anything put into one
            self.tally_id._check_draft()
        return result

    @api.ondelete(at_uninstall=False)
    def _unlink_if_draft(self):
        self.tally_id._check_draft()

    # -- what never arrives ----------------------------------------------------------------------
    def action_book_difference(self):
        """Sold, and never registered: the pieces leave the store as an inventory difference."""
        lines = self._to_close()
        parts = {line: line._parts_to_book() for line in lines}
        tracked = self.env["product.product"].union(*(product for line in lines for product, _quantity in parts[line]))
        tracked = tracked.filtered(lambda product: product.tracking != "none")
        if tracked:
            raise UserError(
                self.env._(
                    "%s has serial or lot numbers, and a tally does not know which were sold. Correct its stock by "
                    "hand (Inventory, Physical inventory), then discard the line here.",
                    ", ".join(tracked.mapped("display_name")),
                )
            )
        booked = [(line, line._difference_vals(*part)) for line in lines for part in parts[line]]
        moves = self.env["stock.move"].sudo().create([vals for _line, vals in booked])
        for (line, _vals), move in zip(booked, moves, strict=True):
            line.sudo().move_id = line.move_id or move
        lines._close()
        moves._action_done()

    def action_discard(self):
        """Miscounted: nothing was sold, the pieces are for sale again."""
        self._to_close()._close()

    def _to_close(self):
        """The open ones of these lines, when the user may close them; the stock itself he may not be able to touch."""
        self.check_access("write")
        if not self.env.su and not self.env.user.has_group("pos_erp_bridge.group_bridge_manager"):
            raise AccessError(
                self.env._("Closing what never arrived changes the stock: ask a manager of the bridge to do it.")
            )
        return self.filtered(lambda line: line.state == "entered" and line._is_open())

    def _close(self):
        self.tally_id._release_lines(self)
        for line in self:
            line.sudo().closed += line.open_quantity
        self.tally_id._settle_if_done()

    def _parts_to_book(self):
        """[(product, quantity in its base unit)] of what is open and kept in stock: of a kit, its components."""
        product = self.product_id
        recipe = self.env["bridge.kit"].with_company(self.company_id)._components(product).get(product.id)
        parts = product.browse(recipe or product.ids).filtered("is_storable")
        return [(part, self.open_quantity * (recipe[part.id] if recipe else 1.0)) for part in parts]

    def _difference_vals(self, product, quantity):
        """A native move of ``quantity`` of a product from the store to the inventory loss."""
        product = product.with_company(self.company_id)
        common = {
            "product_id": product.id,
            "location_id": self.tally_id.store_id.location_id.id,
            "location_dest_id": product.property_stock_inventory.id,
            "company_id": self.company_id.id,
        }
        line = {**common, "product_uom_id": product.uom_id.id, "quantity": quantity}
        return {
            **common,
            "product_uom": product.uom_id.id,
            "product_uom_qty": quantity,
            "origin": self.tally_id.display_name,
            "is_inventory": True,
            "inventory_name": self.env._("Sold during an outage, never registered: %s", self.tally_id.display_name),
            "picked": True,
            "state": "confirmed",
            "move_line_ids": [Command.create(line)],
        }


class BridgeTallyArrival(models.Model):
    """So much of one tallied product is what that receipt sold. On a line it counts once, whatever its versions."""

    _name = "bridge.tally.arrival"
    _description = "Arrival of what was tallied"
    _order = "id"

    line_id = fields.Many2one("bridge.tally.line", required=True, ondelete="cascade", readonly=True, index=True)
    company_id = fields.Many2one(related="line_id.company_id", store=True)
    order_id = fields.Many2one("pos.order", "Receipt", readonly=True, ondelete="set null")
    receipt = fields.Char(
        "Receipt key", required=True, readonly=True, index=True, help="The receipt, whatever its versions became."
    )
    quantity = fields.Float(digits="Product Unit", readonly=True)

    _receipt_uniq = models.Constraint("UNIQUE(line_id, receipt)", "A receipt arrives once.")
