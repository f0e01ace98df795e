# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import math

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

EPSILON = 1e-6
DISMISSED_DAYS = 28  # what a person dismissed is not proposed again for so long
TOLERANCE = 0.1  # minimum and maximum that differ less than this from what is proposed are left as they are


class BridgeReorderProposal(models.Model):
    """Minimum and maximum of an Odoo reordering rule, as sales of the location suggest them. Odoo's own rules do the
    ordering: nothing here buys anything."""

    _name = "bridge.reorder.proposal"
    _description = "Proposed reordering rule"
    _order = "state, to_order desc, id"
    _rec_name = "product_id"
    _check_company_auto = True

    company_id = fields.Many2one("res.company", required=True, readonly=True, index=True, ondelete="cascade")
    product_id = fields.Many2one("product.product", required=True, readonly=True, index=True, ondelete="cascade")
    uom_id = fields.Many2one(related="product_id.uom_id")
    location_id = fields.Many2one(
        "stock.location", required=True, readonly=True, ondelete="cascade", check_company=True
    )
    orderpoint_id = fields.Many2one("stock.warehouse.orderpoint", "Reordering rule", readonly=True, ondelete="set null")
    min_now = fields.Float("Minimum now", digits="Product Unit", readonly=True)
    max_now = fields.Float("Maximum now", digits="Product Unit", readonly=True)
    min_qty = fields.Float("Minimum", digits="Product Unit", required=True)
    max_qty = fields.Float("Maximum", digits="Product Unit", required=True)
    to_order = fields.Float(
        digits="Product Unit",
        readonly=True,
        help="What such a rule would order today: up to the maximum, when what is free and on its way is less than the "
        "minimum.",
    )
    per_day = fields.Float("Sold per day", digits=(16, 2), readonly=True)
    free = fields.Float("Free now", digits="Product Unit", readonly=True)
    coming = fields.Float("On its way", digits="Product Unit", readonly=True)
    lead_days = fields.Integer("Lead time (days)", readonly=True)
    safety_days = fields.Integer("Safety (days)", readonly=True)
    cycle_days = fields.Integer("Order every (days)", readonly=True)
    explanation = fields.Char(compute="_compute_explanation")
    state = fields.Selection(
        [("open", "Proposed"), ("applied", "Applied"), ("dismissed", "Dismissed")],
        default="open", required=True, readonly=True,
    )  # fmt: skip
    decided_by_id = fields.Many2one("res.users", "Decided by", readonly=True)
    decided_at = fields.Datetime("Decided at", readonly=True)

    _open_uniq = models.UniqueIndex(
        "(product_id, location_id) WHERE state = 'open'",
        "Somebody else is making the same proposals at this moment: look again.",
    )
    _range = models.Constraint(
        "CHECK(min_qty >= 0 AND max_qty >= min_qty)",
        "The maximum must not be less than the minimum, nor either below zero.",
    )

    @api.depends("per_day", "lead_days", "safety_days", "cycle_days", "free", "coming", "orderpoint_id", "min_qty")
    @api.depends_context("lang")
    def _compute_explanation(self):
        for row in self:
            sales = self.env._(
                "%(rate).2f are sold a day. Until new goods come it takes %(lead)s days, %(safety)s more for safety: "
                "order below %(minimum)g, for %(cycle)s days at a time.",
                rate=row.per_day, lead=row.lead_days, safety=row.safety_days, minimum=row.min_qty,
                cycle=row.cycle_days,
            )  # fmt: skip
            stock = self.env._("%(free)g are free, %(coming)g on the way.", free=row.free, coming=row.coming)
            if row.orderpoint_id:
                now = self.env._("The rule says %(low)g to %(high)g now.", low=row.min_now, high=row.max_now)
            else:
                now = self.env._("There is no rule yet.")
            row.explanation = f"{sales} {stock} {now}"

    # -- proposing -------------------------------------------------------------------------------
    def action_propose(self):
        """Look at today's sales and rules of my companies; what is still proposed is refreshed, the rest goes."""
        self.check_access("write")
        for company in self.env.companies:
            self.env["bridge.velocity"]._recompute(company)
            self._propose(company)

    @api.model
    def _propose(self, company):
        """Make the open proposals of a company those that today's figures call for. Returns them."""
        # Rights were asked by the button; the nightly job has no user.
        self.env["bridge.places"]._keep_open(self.sudo(), company, ("product_id", "location_id"), self._wanted(company))
        return self.search([("company_id", "=", company.id), ("state", "=", "open")])

    def _wanted(self, company):
        """{(product id, location id): values} of what should be proposed."""
        places = self.env["bridge.places"]._locations(company)
        sold = self.env["bridge.velocity"]._per_day_at(places)
        product_ids = sorted({product_id for per_day in sold.values() for product_id in per_day})
        products = (
            self.env["product.product"]
            .sudo()
            .search([("id", "in", product_ids), ("is_storable", "=", True)], order="id")
        )
        lead = self._lead_days(company, products)
        points = self._orderpoints(company, places, products)
        refused = self._refused(company)
        moving = self.env["bridge.places"]._on_the_way(places, products, is_internal=False)
        safety, cycle = company.bridge_reorder_safety_days, company.bridge_reorder_cycle_days
        wanted = {}
        for place in places:
            per_day = sold[place.id]
            here = products.filtered(lambda product, per_day=per_day: product.id in per_day)
            free = self.env["bridge.availability"]._available(place, here)
            for product_id, quantity in free.items():
                key, rate = (product_id, place.id), per_day[product_id]
                point = points.get(key)
                low = math.ceil(rate * (lead[product_id] + safety) - EPSILON)
                high = low + math.ceil(rate * cycle - EPSILON)
                if key in refused or (point and not _differs(point, low, high)):
                    continue
                coming, leaving = moving[place.id].get(product_id, (0.0, 0.0))
                position = quantity - leaving + coming
                wanted[key] = {
                    "orderpoint_id": point.id if point else None,
                    "min_now": point.product_min_qty if point else 0.0,
                    "max_now": point.product_max_qty if point else 0.0,
                    "min_qty": low,
                    "max_qty": high,
                    "to_order": max(0, math.ceil(high - position - EPSILON)) if position < low else 0,
                    "per_day": rate,
                    "free": quantity - leaving,
                    "coming": coming,
                    "lead_days": lead[product_id],
                    "safety_days": safety,
                    "cycle_days": cycle,
                }
        return wanted

    def _lead_days(self, company, products):
        """{product id: days}: the first vendor's, else what the company says is usual."""
        by_template = {}
        for info in (
            self.env["product.supplierinfo"]
            .sudo()
            .search(
                [
                    ("product_tmpl_id", "in", products.product_tmpl_id.ids),
                    ("company_id", "in", (False, company.id)),
                    ("partner_id.active", "=", True),
                ]
            )
        ):
            by_template.setdefault(info.product_tmpl_id.id, []).append((info.product_id.id, info.delay))
        result = {}
        for product in products:
            delays = by_template.get(product.product_tmpl_id.id, ())
            fitting = (delay for variant_id, delay in delays if variant_id in (False, product.id))
            result[product.id] = next(fitting, company.bridge_reorder_lead_days)
        return result

    def _orderpoints(self, company, places, products):
        """{(product id, location id): reordering rule}, archived ones included."""
        points = (
            self.env["stock.warehouse.orderpoint"]
            .sudo()
            .with_context(active_test=False)
            .search(
                [
                    ("company_id", "=", company.id),
                    ("location_id", "in", places.ids),
                    ("product_id", "in", products.ids),
                ]
            )
        )
        return {(point.product_id.id, point.location_id.id): point for point in points}

    def _refused(self, company):
        """{(product id, location id)} a person dismissed lately."""
        since = fields.Datetime.subtract(fields.Datetime.now(), days=DISMISSED_DAYS)
        rows = self.sudo().search(
            [("company_id", "=", company.id), ("state", "=", "dismissed"), ("decided_at", ">=", since)]
        )
        return {(row.product_id.id, row.location_id.id) for row in rows}

    # -- deciding --------------------------------------------------------------------------------
    def action_dismiss(self):
        self.filtered(lambda row: row.state == "open")._decide("dismissed")

    def _decide(self, state):
        # The row is written by whoever decides: of two at once, one starts over and finds it decided.
        self.write({"state": state, "decided_by_id": self.env.uid, "decided_at": fields.Datetime.now()})

    def action_apply(self):
        """Write the figures into Odoo's reordering rules, making those that are missing. New rules order nothing by
        themselves: their trigger is manual."""
        self.check_access("write")
        Orderpoint = self.env["stock.warehouse.orderpoint"]
        if not (Orderpoint.has_access("create") and Orderpoint.has_access("write")):
            raise AccessError(
                self.env._(
                    "Reordering rules belong to the warehouse, and you may not change them there. Ask for the right "
                    "“Inventory / Administrator”, or have a colleague press the button who has it."
                )
            )
        rows = self.filtered(lambda row: row.state == "open")
        if not rows:
            raise UserError(self.env._("These proposals are decided already."))
        new = self.browse()
        for company, group in rows.grouped("company_id").items():
            points = self._orderpoints(company, group.location_id, group.product_id)
            for row in group:
                point = points.get((row.product_id.id, row.location_id.id))
                if point:
                    point.with_env(self.env).write({"product_min_qty": row.min_qty, "product_max_qty": row.max_qty})
                    row.orderpoint_id = point
                else:
                    new |= row
        made = Orderpoint.create([row._prepare_orderpoint() for row in new])
        for row, point in zip(new, made, strict=True):
            row.orderpoint_id = point
        rows._decide("applied")

    def _prepare_orderpoint(self):
        return {
            "company_id": self.company_id.id,
            "warehouse_id": self.location_id.warehouse_id.id,
            "location_id": self.location_id.id,
            "product_id": self.product_id.id,
            "product_min_qty": self.min_qty,
            "product_max_qty": self.max_qty,
            "trigger": "manual",
        }

    def action_open_orderpoint(self):
        """The rule where Odoo keeps it, with its order button."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("stock.action_orderpoint")
        return action | {"domain": [("id", "=", self.orderpoint_id.id)], "context": {"active_test": False}}


def _differs(point, low, high):
    """Whether a rule is far enough from what is proposed to bother a person; one that was archived was decided on."""
    if not point.active:
        return False
    pairs = ((point.product_min_qty, low), (point.product_max_qty, high))
    return any(abs(new - old) > TOLERANCE * old + EPSILON for old, new in pairs)
