# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import math
from collections import defaultdict
from dataclasses import dataclass

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command

EPSILON = 1e-6
DISMISSED_DAYS = 7  # what a person dismissed is not proposed again for so long


@dataclass(slots=True)
class Cover:
    """One product at one location, quantities in the product's base unit."""

    location: int
    warehouse: int
    free: float  # may be taken away
    coming: float  # on the way here
    per_day: float

    def days(self, change=0):
        """Days the goods last once ``change`` pieces came or went; 0.0 where nothing is sold."""
        return max(0.0, (self.free + self.coming + change) / self.per_day) if self.per_day else 0.0


def balance(covers, target_days, give_days, refused=frozenset()):
    """What to move of one product: the store that runs out first is served first, from its own warehouse before
    others, from whoever has most to spare. Whole pieces.

    :param covers: [Cover] of all locations
    :param refused: {(from location, to location)} not wanted
    :return: [(giver Cover, receiver Cover, pieces)]
    """
    spare = {}
    for cover in covers:
        pieces = math.floor(cover.free - cover.per_day * give_days + EPSILON)
        if pieces > 0:
            spare[cover.location] = pieces
    needy = [
        cover
        for cover in covers
        if cover.per_day > 0 and cover.location not in spare and cover.days() < target_days - EPSILON
    ]
    result = []
    for receiver in sorted(needy, key=lambda cover: (cover.days(), cover.location)):
        need = math.ceil(receiver.per_day * target_days - receiver.free - receiver.coming - EPSILON)
        givers = sorted(
            (cover for cover in covers if spare.get(cover.location)),
            key=lambda cover: (cover.warehouse != receiver.warehouse, -spare[cover.location], cover.location),
        )
        for giver in givers:
            pieces = min(need, spare[giver.location])
            if pieces <= 0 or (giver.location, receiver.location) in refused:
                continue
            spare[giver.location] -= pieces
            need -= pieces
            result.append((giver, receiver, pieces))
    return result


class BridgeTransferProposal(models.Model):
    """Goods one store has too many of for its sales and another too few. Computed from days of cover; one click makes
    it a native transfer."""

    _name = "bridge.transfer.proposal"
    _description = "Proposed transfer"
    _order = "state, to_days_before, id"
    _rec_name = "product_id"
    _check_company_auto = True

    company_id = fields.Many2one("res.company", required=True, readonly=True, index=True, ondelete="cascade")
    product_id = fields.Many2one("product.product", required=True, readonly=True, index=True, ondelete="cascade")
    uom_id = fields.Many2one(related="product_id.uom_id")
    from_location_id = fields.Many2one(
        "stock.location", "From place", required=True, readonly=True, ondelete="cascade", check_company=True
    )
    to_location_id = fields.Many2one(
        "stock.location", "To place", required=True, readonly=True, ondelete="cascade", check_company=True
    )
    quantity = fields.Float(digits="Product Unit", required=True)
    from_free = fields.Float("Free at the giver", digits="Product Unit", readonly=True)
    from_per_day = fields.Float("Giver sells per day", digits=(16, 2), readonly=True)
    from_days_before = fields.Float("Giver's days before", digits=(16, 1), readonly=True)
    from_days_after = fields.Float("Giver's days after", digits=(16, 1), readonly=True)
    to_free = fields.Float("Free at the receiver", digits="Product Unit", readonly=True)
    to_coming = fields.Float("On its way to the receiver", digits="Product Unit", readonly=True)
    to_per_day = fields.Float("Receiver sells per day", digits=(16, 2), readonly=True)
    to_days_before = fields.Float("Days before", digits=(16, 1), readonly=True, help="Days of cover of the receiver.")
    to_days_after = fields.Float("Days after", digits=(16, 1), readonly=True, help="Days of cover of the receiver.")
    explanation = fields.Char(compute="_compute_explanation")
    state = fields.Selection(
        [("open", "Proposed"), ("done", "Transferred"), ("dismissed", "Dismissed")],
        default="open", required=True, readonly=True,
    )  # fmt: skip
    picking_id = fields.Many2one("stock.picking", "Transfer", readonly=True, index="btree_not_null")
    decided_by_id = fields.Many2one("res.users", "Decided by", readonly=True)
    decided_at = fields.Datetime("Decided at", readonly=True)

    _open_uniq = models.UniqueIndex(
        "(product_id, from_location_id, to_location_id) WHERE state = 'open'",
        "Somebody else is making the same proposals at this moment: look again.",
    )

    @api.constrains("quantity")
    def _check_quantity(self):
        for proposal in self:
            if proposal.quantity < 1 or proposal.quantity % 1:
                raise ValidationError(
                    self.env._(
                        "%(quantity)g × %(product)s cannot be transferred: enter whole pieces, one at least, or "
                        "dismiss the proposal.",
                        quantity=proposal.quantity,
                        product=proposal.product_id.display_name,
                    )
                )

    @api.depends("quantity", "from_free", "from_per_day", "to_free", "to_per_day", "to_coming")
    @api.depends_context("lang")
    def _compute_explanation(self):
        for row in self:
            left = row.from_free - row.quantity
            receiver = self.env._(
                "%(place)s sells %(rate).2f a day and has %(stock)g, %(coming)g on the way: enough for "
                "%(before).1f days, then for %(after).1f.",
                place=row.to_location_id.display_name, rate=row.to_per_day, stock=row.to_free, coming=row.to_coming,
                before=row.to_days_before,
                after=(row.to_free + row.to_coming + row.quantity) / (row.to_per_day or 1.0),
            )  # fmt: skip
            if row.from_per_day:
                giver = self.env._(
                    "%(place)s sells %(rate).2f a day and has %(stock)g: enough for %(before).1f days, then for "
                    "%(after).1f.",
                    place=row.from_location_id.display_name, rate=row.from_per_day, stock=row.from_free,
                    before=row.from_days_before, after=left / row.from_per_day,
                )  # fmt: skip
            else:
                giver = self.env._(
                    "%(place)s sold none lately and has %(stock)g, then %(left)g.",
                    place=row.from_location_id.display_name, stock=row.from_free, left=left,
                )  # fmt: skip
            row.explanation = f"{receiver} {giver}"

    # -- proposing -------------------------------------------------------------------------------
    def action_propose(self):
        """Look at today's stock and sales of my companies; what is still proposed is refreshed, the rest goes."""
        self.check_access("write")
        for company in self.env.companies:
            self.env["bridge.velocity"]._recompute(company)
            self._propose(company)

    @api.model
    def _propose(self, company):
        """Make the open proposals of a company those that today's figures call for. Returns them."""
        # Rights were asked by the button; the nightly job has no user.
        self.env["bridge.places"]._keep_open(
            self.sudo(), company, ("product_id", "from_location_id", "to_location_id"), self._wanted(company)
        )
        return self.search([("company_id", "=", company.id), ("state", "=", "open")])

    def _wanted(self, company):
        """{(product id, from location id, to location id): values} of what should be proposed."""
        places = self.env["bridge.places"]._locations(company, company.bridge_transfer_warehouses)
        if len(places) < 2:
            return {}
        refused = self._refused(company)
        target, give = company.bridge_cover_target_days, company.bridge_cover_give_days
        wanted = {}
        for product_id, covers in self._covers(places).items():
            for giver, receiver, pieces in balance(covers, target, give, refused.get(product_id, ())):
                wanted[product_id, giver.location, receiver.location] = {
                    "quantity": pieces,
                    "from_free": giver.free,
                    "from_per_day": giver.per_day,
                    "from_days_before": giver.days(-giver.coming),
                    "from_days_after": giver.days(-giver.coming - pieces),
                    "to_free": receiver.free,
                    "to_coming": receiver.coming,
                    "to_per_day": receiver.per_day,
                    "to_days_before": receiver.days(),
                    "to_days_after": receiver.days(pieces),
                }
        return wanted

    def _covers(self, places):
        """{product id: [Cover, one per place]} of what is sold at one of the places."""
        sold = self.env["bridge.velocity"]._per_day_at(places)
        product_ids = sorted({product_id for per_day in sold.values() for product_id in per_day})
        products = (
            self.env["product.product"]
            .sudo()
            .search([("id", "in", product_ids), ("is_storable", "=", True)], order="id")
        )
        moving = self.env["bridge.places"]._on_the_way(places, products)
        covers = defaultdict(list)
        for place in places:
            free = self.env["bridge.availability"]._available(place, products)
            for product_id, quantity in free.items():
                coming, leaving = moving[place.id].get(product_id, (0.0, 0.0))
                covers[product_id].append(
                    Cover(
                        location=place.id,
                        warehouse=place.warehouse_id.id,
                        free=quantity - leaving,
                        coming=coming,
                        per_day=sold[place.id].get(product_id, 0.0),
                    )
                )
        return covers

    def _refused(self, company):
        """{product id: {(from, to)}} a person dismissed lately."""
        since = fields.Datetime.subtract(fields.Datetime.now(), days=DISMISSED_DAYS)
        rows = self.sudo().search(
            [("company_id", "=", company.id), ("state", "=", "dismissed"), ("decided_at", ">=", since)]
        )
        result = defaultdict(set)
        for row in rows:
            result[row.product_id.id].add((row.from_location_id.id, row.to_location_id.id))
        return result

    # -- deciding --------------------------------------------------------------------------------
    def action_dismiss(self):
        self.filtered(lambda row: row.state == "open")._decide("dismissed")

    def _decide(self, state, **values):
        # The row is written by whoever decides: of two at once, one starts over and finds it decided.
        self.write({"state": state, "decided_by_id": self.env.uid, "decided_at": fields.Datetime.now(), **values})

    def action_transfer(self):
        """Make native internal transfers of the proposals, one per pair of locations, reserved and ready to be sent.
        What is no longer free is left: a transfer holds no promise."""
        self.check_access("write")
        if not self.env["stock.picking"].has_access("create"):
            raise AccessError(
                self.env._(
                    "Transfers are documents of the warehouse, and you may not make any there. Ask for the right "
                    "“Inventory / User”, or have a colleague press the button who has it."
                )
            )
        rows = self.filtered(lambda row: row.state == "open")
        pickings = self.env["stock.picking"]
        for (company, start, end), group in rows.grouped(
            lambda row: (row.company_id, row.from_location_id, row.to_location_id)
        ).items():
            pickings |= group._make_picking(company, start, end)
        if not pickings:
            raise UserError(
                self.env._(
                    "Nothing was transferred: what was proposed is done already, or no longer free. Press Propose to "
                    "look at today's figures."
                )
            )
        return self._open(pickings)

    def _make_picking(self, company, start, end):
        """The transfer of proposals between two locations; empty when nothing of them is free any more."""
        free = self.env["bridge.availability"]._available(start, self.product_id)
        quantities = {}
        for row in self:
            quantity = min(row.quantity, math.floor(free.get(row.product_id.id, 0.0) + EPSILON))
            if quantity > 0:
                free[row.product_id.id] -= quantity
                quantities[row] = quantity
        picking = self.env["stock.picking"]
        if not quantities:
            return picking
        kind = self.env["bridge.places"]._internal_type(start, company)
        picking = picking.with_company(company).create(
            {
                "picking_type_id": kind.id,
                "location_id": start.id,
                "location_dest_id": end.id,
                "company_id": company.id,
                "origin": self.env._("Proposed transfer"),
                "move_ids": [
                    Command.create(
                        {
                            "product_id": row.product_id.id,
                            "product_uom": row.uom_id.id,
                            "product_uom_qty": quantity,
                            "location_id": start.id,
                            "location_dest_id": end.id,
                            "picking_type_id": kind.id,
                            "company_id": company.id,
                        }
                    )
                    for row, quantity in quantities.items()
                ],
            }
        )
        picking.action_confirm()
        picking.action_assign()
        for quantity, rows in self.browse().union(*quantities).grouped(quantities.get).items():
            rows._decide("done", picking_id=picking.id, quantity=quantity)
        return picking

    def action_open_picking(self):
        return self._open(self.picking_id)

    def _open(self, pickings):
        action = self.env["ir.actions.act_window"]._for_xml_id("stock.action_picking_tree_all")
        action |= {"context": {}, "domain": [("id", "in", pickings.ids)]}
        if len(pickings) == 1:
            action |= {"res_id": pickings.id, "view_mode": "form", "views": [(False, "form")]}
        return action
