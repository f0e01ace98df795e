# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from collections import defaultdict

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command


class BridgeInspection(models.Model):
    """Goods that came back, waiting in an inspection location for somebody to look at them. What lies there and is on
    no decided row is on an open one: rows follow the moves in and out."""

    _name = "bridge.inspection"
    _inherit = ["bridge.readonly"]
    _description = "Return to inspect"
    _order = "state desc, id desc"
    _rec_name = "product_id"
    _check_company_auto = True

    company_id = fields.Many2one("res.company", required=True, readonly=True, index=True)
    product_id = fields.Many2one("product.product", required=True, readonly=True, index=True)
    uom_id = fields.Many2one(related="product_id.uom_id")
    lot_id = fields.Many2one("stock.lot", "Lot/Serial", readonly=True)
    quantity = fields.Float(digits="Product Unit", required=True, readonly=True)
    split_quantity = fields.Float(
        "Split off", digits="Product Unit", copy=False, help="So many of them get a row, and a decision, of their own."
    )
    location_id = fields.Many2one("stock.location", "Lies in", required=True, readonly=True, index=True)
    home_location_id = fields.Many2one(
        "stock.location", "Goes back to", required=True, check_company=True, domain="[('usage', '=', 'internal')]",
        help="Where it is put when it is fit for sale.",
    )  # fmt: skip
    picking_id = fields.Many2one("stock.picking", "Came with", readonly=True, index="btree_not_null")
    move_id = fields.Many2one("stock.move", readonly=True, index="btree_not_null")
    partner_id = fields.Many2one(related="picking_id.partner_id", string="Customer")
    origin = fields.Char("Received with", readonly=True)
    state = fields.Selection(
        [
            ("to_inspect", "To inspect"),
            ("sellable", "Fit for sale"),
            ("scrapped", "Scrapped"),
            ("vendor", "Back to the vendor"),
            ("gone", "Taken out otherwise"),
        ],
        default="to_inspect", required=True, readonly=True, index=True,
    )  # fmt: skip
    reason_id = fields.Many2one("stock.scrap.reason.tag", help="What is wrong with it; needed to scrap it.")
    note = fields.Text("Remarks")
    photo = fields.Image(max_width=1920, max_height=1920)
    decided_by_id = fields.Many2one("res.users", "Decided by", readonly=True, copy=False)
    decided_at = fields.Datetime("Decided at", readonly=True, copy=False)
    result_picking_id = fields.Many2one(
        "stock.picking", "Moved with", readonly=True, copy=False, index="btree_not_null"
    )
    scrap_id = fields.Many2one("stock.scrap", "Scrap order", readonly=True, copy=False)

    _quantity_positive = models.Constraint("CHECK(quantity > 0)", "A return has at least something in it.")

    def write(self, vals):
        if not self.env.su:
            self._check_open()
        return super().write(vals)

    # -- following the goods ---------------------------------------------------------------------
    @api.model
    def _note(self, moves, places):
        """Keep the rows in step with done moves into and out of inspection locations.

        :param moves: done stock.move; :param places: ids of the inspection locations
        """
        rows, taken, pickings = [], defaultdict(float), self.env["stock.picking"]
        for move in moves:
            if move.location_id.id in places:
                pickings |= move.picking_id
            # Where the goods really went is on the lines; the picking's place is enough to pass over the rest.
            for line in move.move_line_ids:
                source, target = line.location_id.id, line.location_dest_id.id
                if source == target or not line.quantity_product_uom or not line.product_id.is_storable:
                    continue
                if target in places and line.location_id.usage not in ("inventory", "production"):
                    rows.append(self._prepare_row(move, line))
                if source in places and not self._is_decided(move):
                    taken[source, line.product_id, line.lot_id] += line.quantity_product_uom
        self.create(rows)
        for (location_id, product, lot), quantity in taken.items():
            self._take_out(location_id, product, lot, quantity)
        self._follow_vendor_returns(pickings)

    def _prepare_row(self, move, line):
        picking = move.picking_id
        home = picking._bridge_home() if picking else line.location_dest_id.warehouse_id.lot_stock_id
        return {
            "company_id": move.company_id.id,
            "product_id": line.product_id.id,
            "lot_id": line.lot_id.id,
            "quantity": line.quantity_product_uom,
            "location_id": line.location_dest_id.id,
            "home_location_id": home.id,
            "picking_id": picking.id,
            "move_id": move.id,
            "origin": move.origin or picking.origin or picking.name,
        }

    def _is_decided(self, move):
        """Whether goods leave because a row says so (a vendor return is decided first and leaves later)."""
        pickings = self._with_backorders(move.picking_id)
        return bool(pickings) and bool(self.search_count([("result_picking_id", "in", pickings.ids)], limit=1))

    @api.model
    def _with_backorders(self, pickings):
        """The transfers, what they are backorders of, and the backorders of all of them."""
        while more := (pickings.backorder_id | pickings.backorder_ids) - pickings:
            pickings |= more
        return pickings

    @api.model
    def _follow_vendor_returns(self, pickings):
        """Open again what was to leave with these transfers and does not: cancelled, or left out without a backorder.
        The newest rows first, as when goods are taken out.
        """
        for picking in pickings:
            parts = self._with_backorders(picking)
            rows = self.search([("result_picking_id", "in", parts.ids), ("state", "=", "vendor")], order="id desc")
            for product, group in rows.grouped("product_id").items():
                moves = parts.move_ids.filtered(lambda m, p=product: m.product_id == p and m.state != "cancel")
                leaving, unreserved = self._leaving(moves, group.location_id)
                for lot, some in group.grouped("lot_id").items():
                    left = sum(some.mapped("quantity")) - leaving[lot]
                    expected = min(max(left, 0.0), unreserved)
                    unreserved -= expected
                    some._open_again(left - expected)

    @api.model
    def _leaving(self, moves, location):
        """({lot: what has left a location or is reserved to}, what waits to leave without being reserved)"""
        leaving, unreserved = defaultdict(float), 0.0
        for move in moves:
            lines = move.move_line_ids.filtered(lambda line: line.location_id == location)
            for line in lines:
                leaving[line.lot_id] += line.quantity_product_uom
            if move.state != "done":
                unreserved += max(0.0, move.product_qty - sum(lines.mapped("quantity_product_uom")))
        return leaving, unreserved

    def _open_again(self, quantity):
        for row in self:
            if row.uom_id.compare(quantity, 0.0) <= 0:
                break
            part = min(quantity, row.quantity)
            quantity -= part
            row._split(part).write(
                {"state": "to_inspect", "decided_by_id": False, "decided_at": False, "result_picking_id": False}
            )

    def _take_out(self, location_id, product, lot, quantity):
        """Somebody moved goods out without a decision here, or a till took a return back: newest rows first."""
        domain = [("location_id", "=", location_id), ("product_id", "=", product.id), ("state", "=", "to_inspect")]
        for row in self.search([*domain, ("lot_id", "=", lot.id)], order="id desc"):
            if product.uom_id.compare(quantity, 0.0) <= 0:
                break
            part = min(quantity, row.quantity)
            quantity -= part
            row._split(part)._decide("gone")

    # -- parts -----------------------------------------------------------------------------------
    def action_split(self):
        """Give some of the pieces a row of their own, to decide them differently."""
        self.ensure_one()
        self._check_open()
        compare = self.uom_id.compare
        if compare(self.split_quantity, 0.0) <= 0 or compare(self.split_quantity, self.quantity) >= 0:
            raise UserError(
                self.env._(
                    "Of %(quantity)g pieces, %(part)g cannot be split off: enter more than none and less than all.",
                    quantity=self.quantity,
                    part=self.split_quantity,
                )
            )
        part = self._split(self.split_quantity)
        self.split_quantity = 0.0
        return part

    def _split(self, quantity):
        """A row of ``quantity`` of these pieces: this one, where that is all of them."""
        self.ensure_one()
        if self.uom_id.compare(quantity, self.quantity) >= 0:
            return self
        # Rows are made by returns and by splitting, not by hand.
        part = self.sudo().copy({"quantity": quantity, "picking_id": self.picking_id.id, "move_id": self.move_id.id})
        self.sudo().quantity -= quantity
        return part.with_env(self.env)

    # -- deciding --------------------------------------------------------------------------------
    def action_sellable(self):
        """Back to the store, at once: a done native transfer, which publishes the goods again."""
        rows = self._to_decide("stock.picking")
        for (company, start, home), group in rows.grouped(
            lambda row: (row.company_id, row.location_id, row.home_location_id)
        ).items():
            kind = self.env["bridge.places"]._internal_type(start, company)
            picking = group._make_picking(kind, home, is_done=True)
            group._decide("sellable", result_picking_id=picking.id)

    def action_vendor(self):
        """Back to the vendor: a native transfer, reserved and ready to be handed over, one per vendor."""
        rows = self._to_decide("stock.picking")
        for (company, start, vendor), group in rows.grouped(
            lambda row: (row.company_id, row.location_id, row._vendor())
        ).items():
            warehouse = start.warehouse_id
            kind = warehouse.in_type_id.return_picking_type_id or warehouse.out_type_id
            target = vendor.with_company(company).property_stock_supplier
            target = target or self.env["stock.warehouse"]._get_partner_locations()[1]
            picking = group._make_picking(kind, target, partner=vendor)
            group._decide("vendor", result_picking_id=picking.id)

    def action_scrap(self):
        """Damaged: a native scrap order with the reason."""
        rows = self._to_decide("stock.scrap")
        without = rows.filtered(lambda row: not row.reason_id)
        if without:
            raise UserError(
                self.env._("Say what is wrong with %s first: scrapped goods need a reason.", without._names())
            )
        for row in rows:
            scrap = self.env["stock.scrap"].create(
                {
                    "company_id": row.company_id.id,
                    "product_id": row.product_id.id,
                    "product_uom_id": row.uom_id.id,
                    "lot_id": row.lot_id.id,
                    "scrap_qty": row.quantity,
                    "location_id": row.location_id.id,
                    "origin": row.origin,
                    "scrap_reason_tag_ids": [Command.set(row.reason_id.ids)],
                }
            )
            if scrap.with_context(bridge_inspected=True).action_validate() is not True:
                row._refuse_missing()
            row._decide("scrapped", scrap_id=scrap.id)

    def _to_decide(self, document):
        """The rows to decide, checked: still open, really there, and the user may make the document."""
        self.check_access("write")
        if not self.env[document].has_access("create"):
            raise AccessError(
                self.env._(
                    "What becomes of returned goods is written in documents of the warehouse, and you may not make any "
                    "there. Ask for the right “Inventory / User”."
                )
            )
        self._check_open()
        for location, rows in self.grouped("location_id").items():
            there = rows._there(location)
            for (product, lot), group in rows.grouped(lambda row: (row.product_id, row.lot_id)).items():
                asked = sum(group.mapped("quantity"))
                if product.uom_id.compare(there.get((product.id, lot.id), 0.0), asked) < 0:
                    group[:1]._refuse_missing()
        return self

    def _check_open(self):
        decided = self.filtered(lambda row: row.state != "to_inspect")
        if decided:
            raise UserError(self.env._("%s was decided already. Look again.", decided._names()))

    def _there(self, location):
        """{(product id, lot id): quantity free in the inspection location}."""
        groups = (
            self.env["stock.quant"]
            .sudo()
            ._read_group(
                [("product_id", "in", self.product_id.ids), ("location_id", "=", location.id)],
                ["product_id", "lot_id"],
                ["quantity:sum", "reserved_quantity:sum"],
            )
        )
        return {(product.id, lot.id): quantity - reserved for product, lot, quantity, reserved in groups}

    def _refuse_missing(self):
        raise UserError(
            self.env._(
                "%(quantity)g × %(product)s should lie in %(place)s and do not: somebody counted or moved them. "
                "Correct the stock there, then decide.",
                quantity=self.quantity,
                product=self.product_id.display_name,
                place=self.location_id.display_name,
            )
        )

    def _names(self):
        return ", ".join(dict.fromkeys(self.product_id.mapped("display_name")))

    def _vendor(self):
        """The product's first vendor, of the row's company or of all."""
        sellers = self.sudo().product_id.seller_ids.filtered(
            lambda seller: seller.company_id in (self.env["res.company"], self.company_id)
        )
        return sellers[:1].partner_id.with_env(self.env)

    def _decide(self, state, **values):
        # Of two who decide at once, one starts over and finds it decided: both write the row.
        self.sudo().write(
            {"state": state, "decided_by_id": self.env.uid, "decided_at": fields.Datetime.now(), **values}
        )

    def _make_picking(self, kind, target, partner=None, is_done=False):
        """A native transfer of the rows to a location: ready, or done at once."""
        start, company = self.location_id, self.company_id
        common = {"location_id": start.id, "location_dest_id": target.id, "company_id": company.id}
        moves = []
        for (product, lot), group in self.grouped(lambda row: (row.product_id, row.lot_id)).items():
            quantity = sum(group.mapped("quantity"))
            places = {"location_id": start.id, "location_dest_id": target.id}
            part = {"product_id": product.id, "product_uom_id": product.uom_id.id, "lot_id": lot.id, **places}
            moves.append(
                {
                    **common,
                    "product_id": product.id,
                    "product_uom": product.uom_id.id,
                    "product_uom_qty": quantity,
                    "picking_type_id": kind.id,
                    "move_line_ids": [Command.create({**part, "quantity": quantity, "picked": is_done})],
                    "picked": is_done,
                }
            )
        picking = (
            self.env["stock.picking"]
            .with_company(company)
            .create(
                {
                    **common,
                    "picking_type_id": kind.id,
                    "partner_id": partner.id if partner else False,
                    "origin": ", ".join(dict.fromkeys(filter(None, self.mapped("origin")))),
                    "move_ids": [Command.create(vals) for vals in moves],
                }
            )
        )
        picking.action_confirm()
        if is_done:
            picking.with_context(bridge_inspected=True)._action_done()
        return picking

    def action_open_result(self):
        """The document a decision became."""
        self.ensure_one()
        record = self.scrap_id or self.result_picking_id
        return {
            "type": "ir.actions.act_window",
            "res_model": record._name,
            "res_id": record.id,
            "view_mode": "form",
            "views": [(False, "form")],
        }
