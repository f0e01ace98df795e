# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""End of season: marked down step by step, and no longer sold after the last day."""

from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Domain
from odoo.tools import ormcache

PHASES = [
    ("draft", "Draft"),
    ("planned", "Planned"),
    ("running", "Running"),
    ("ended", "Ended"),
    ("cancelled", "Cancelled"),
]
# What the prices and the end of the sale hang on.
PLAN = {
    "start_date", "end_date", "timezone", "step_ids", "pricelist_ids", "channel_ids", "product_ids", "template_ids",
    "category_ids", "active",
}  # fmt: skip


class Scheduled(NamedTuple):
    """What a claim asks of a season; ``channel_ids`` empty: every channel of the company."""

    company_id: int
    start_date: date
    end_date: date
    timezone: str
    product_ids: frozenset
    channel_ids: frozenset

    def keys(self, stores, product_ids):
        """{(store id, product id)} of these the season is about."""
        mine = stores.filtered(lambda store: store.company_id.id == self.company_id)
        if self.channel_ids:
            mine = mine.filtered(lambda store: store.channel_id.id in self.channel_ids)
        return {(store_id, product_id) for store_id in mine.ids for product_id in self.product_ids & product_ids}


class BridgeSeason(models.Model):
    """Goods that are to be gone by a day. Dates are days of ``timezone``, the last one included."""

    _name = "bridge.season"
    _description = "Season"
    _inherit = "bridge.goods"
    _order = "end_date desc, id desc"

    start_date = fields.Date("First day", required=True, default=fields.Date.context_today)
    end_date = fields.Date("Last day", required=True, help="After this day the goods are no longer sold.")
    category_ids = fields.Many2many("product.category", string="Categories", help="Categories within are included.")
    channel_ids = fields.Many2many(help="Where the sale ends. Empty: on every channel.")
    pricelist_ids = fields.Many2many(
        "product.pricelist", string="Pricelists", check_company=True, help="Where the prices are marked down."
    )
    step_ids = fields.One2many("bridge.season.step", "season_id", "Mark-downs", copy=True)
    item_ids = fields.One2many("product.pricelist.item", "bridge_season_id", "Pricelist rules", readonly=True)
    item_count = fields.Integer("Number of pricelist rules", compute="_compute_item_count")
    stage = fields.Selection(
        [("draft", "Draft"), ("scheduled", "Scheduled"), ("cancelled", "Cancelled")],
        "Scheduling", default="draft", required=True, readonly=True, copy=False,
    )  # fmt: skip
    state = fields.Selection(PHASES, compute="_compute_state", search="_search_state")
    scheduled_at = fields.Datetime("Last scheduled", readonly=True, copy=False)
    sold_quantity = fields.Float("Sold", digits="Product Unit", compute="_compute_sell_through")
    on_hand_quantity = fields.Float("On hand", digits="Product Unit", compute="_compute_sell_through")
    sell_through = fields.Float(
        compute="_compute_sell_through", help="Of what was there since the first day, the part that is sold."
    )

    _dates_order = models.Constraint(
        "CHECK(start_date <= end_date)", "The last day of a season is not before its first."
    )

    @api.constrains("step_ids", "start_date", "end_date")
    def _check_steps(self):
        for season in self:
            if season.step_ids.filtered(lambda s, of=season: not of.start_date <= s.start_date <= of.end_date):
                raise ValidationError(
                    self.env._("Every mark-down of %s begins within the season: correct its day.", season.name)
                )

    # -- time ------------------------------------------------------------------------------------
    def _today(self):
        return self._now().date()

    @api.depends("stage", "start_date", "end_date", "timezone")
    def _compute_state(self):
        for season in self:
            season.state = season._phase()

    def _phase(self):
        if self.stage != "scheduled" or not (self.start_date and self.end_date):
            return self.stage if self.stage != "scheduled" else "draft"
        today = self._today()
        return "planned" if today < self.start_date else "running" if today <= self.end_date else "ended"

    def _search_state(self, operator, value):
        if operator != "in":
            return NotImplemented
        return Domain(
            "id", "in", self.search([("company_id", "!=", False)]).filtered(lambda season: season._phase() in value).ids
        )

    # -- goods -----------------------------------------------------------------------------------
    def _product_domain(self):
        if not self.category_ids:
            return super()._product_domain()
        below = Domain("company_id", "in", (False, self.company_id.id))
        return super()._product_domain() | below & Domain("categ_id", "child_of", self.category_ids.ids)

    def _touch(self):
        """Their prices are compared with Odoo's, too."""
        super()._touch()
        for season in self.sudo():
            channels = season._channels().filtered(lambda c, of=season: c.pricelist_id in of.pricelist_ids)
            if channels:
                self.env["bridge.binding"]._compare_soon(season._products(), channels)

    def _clocked_domain(self):
        return super()._clocked_domain() & Domain("stage", "=", "scheduled")

    def _phase_key(self):
        today = self._today()
        begun = self.step_ids.filtered(lambda step: step.start_date <= today)
        return f"{self._phase()}/{len(begun)}"

    @api.model
    def _ended(self, stores, products):
        """{(store id, product id): sentence} of what is no longer sold. What another season sells today, is."""
        product_ids = set(products.ids)
        mine = [season for season in self._scheduled() if not season.product_ids.isdisjoint(product_ids)]
        today = {zone: datetime.now(ZoneInfo(zone)).date() for zone in {season.timezone for season in mine}}
        ended = [season for season in mine if season.end_date < today[season.timezone]]
        result, running = {}, set()
        for season in ended:
            text = self.env._("Season ended on %s.", fields.Date.to_string(season.end_date))
            result |= dict.fromkeys(season.keys(stores, product_ids), text)
        for season in mine if result else ():
            if season.start_date <= today[season.timezone] <= season.end_date:
                running |= season.keys(stores, product_ids)
        return {key: text for key, text in result.items() if key not in running}

    @api.model
    @ormcache()
    def _scheduled(self):
        """What it takes to know what is sold by scheduled seasons of all companies, of the past too; cached."""
        seasons = self.sudo().search([("company_id", "!=", False), ("stage", "=", "scheduled")])
        return tuple(
            Scheduled(
                season.company_id.id, season.start_date, season.end_date, season.timezone,
                frozenset(season._products().ids), frozenset(season.channel_ids.ids),
            )
            for season in seasons
        )  # fmt: skip

    # -- prices ----------------------------------------------------------------------------------
    def action_schedule(self):
        """Make the mark-downs as rules of the pricelists, and let the sale end after the last day. Again: as planned
        now, nothing twice."""
        self.check_access("write")
        for season in self:
            season._need_goods()
            if season.step_ids and not season.pricelist_ids:
                raise UserError(self.env._("Choose the pricelists %s is marked down in.", season.name))
            season._make_items()
        self.write({"stage": "scheduled", "scheduled_at": fields.Datetime.now(), "told_phase": False})
        for season in self:
            season.told_phase = season._phase_key()
        self._touch()

    def action_cancel(self):
        """Prices as before, and sold on."""
        self.check_access("write")
        self.sudo().item_ids.unlink()
        self.write({"stage": "cancelled", "told_phase": False})
        self._touch()

    def _make_items(self):
        """The season's rules made anew. A mark-down is off the list price; where the pricelist has a price of its own,
        off that price, as it is now."""
        self.ensure_one()
        self = self.sudo()  # the season is for its managers to plan; pricelists are others' otherwise
        self.item_ids.unlink()
        products, steps = self._products(), self.step_ids.sorted("start_date")
        ends = [self._midnight(step.start_date) for step in steps[1:]]
        ends.append(self._midnight(self.end_date + timedelta(days=1)))
        values = []
        for pricelist in self.pricelist_ids:
            for step, end in zip(steps, ends, strict=False):
                start = self._midnight(step.start_date)
                own = pricelist._compute_price_rule(products, 1.0, date=start)
                for product in products:
                    values.append(
                        self._prepare_item(pricelist, product, step, *own[product.id])
                        | {"date_start": start, "date_end": end - timedelta(seconds=1)}
                    )
        self.env["product.pricelist.item"].create(values)

    def _prepare_item(self, pricelist, product, step, price, rule_id):
        vals = {
            "bridge_season_id": self.id,
            "pricelist_id": pricelist.id,
            "applied_on": "0_product_variant",  # the nearest rule, so that no other one comes before it
            "product_id": product.id,
            "product_tmpl_id": product.product_tmpl_id.id,
        }
        currency = pricelist.currency_id
        if rule_id:
            return vals | {"compute_price": "fixed", "fixed_price": currency.round(price * (1 - step.percent / 100))}
        formula = {"base": "list_price", "price_discount": step.percent, "price_round": currency.rounding}
        return vals | {"compute_price": "formula", **formula}

    def write(self, vals):
        before = self.filtered(lambda s: s.stage == "scheduled") if vals.keys() & PLAN else self.browse()
        before._touch()  # what leaves the season is sold again
        result = super().write(vals)
        if vals.keys() & (PLAN | {"stage", "company_id"}):
            self.env.registry.clear_cache()
        if before.filtered("active"):
            before.filtered("active").action_schedule()
        elif before:
            before.action_cancel()
        return result

    def unlink(self):
        scheduled = self.filtered(lambda season: season.stage == "scheduled")
        if scheduled:
            scheduled.action_cancel()
        return super().unlink()

    @api.model
    def _forget_goods(self):
        """What seasons are about is to be looked up anew."""
        if self._is_used():
            self.env.registry.clear_cache()

    # -- overview --------------------------------------------------------------------------------
    @api.depends("item_ids")
    def _compute_item_count(self):
        for season in self:
            season.item_count = len(season.sudo().item_ids)

    @api.depends("product_ids", "template_ids", "category_ids", "start_date")
    def _compute_sell_through(self):
        Line, Quant = self.env["stock.move.line"].sudo(), self.env["stock.quant"].sudo()
        for season in self:
            products = season.sudo()._products()
            done = [
                ("state", "=", "done"),
                ("company_id", "=", season.company_id.id),
                ("product_id", "in", products.ids),
                ("date", ">=", season.start_date and season._midnight(season.start_date)),
            ]
            sides = ("location_id.usage", "location_dest_id.usage")
            sold, back = (
                Line._read_group(
                    [*done, (to, "=", "customer"), (of, "!=", "customer")], [], ["quantity_product_uom:sum"]
                )[0][0]
                for of, to in (sides, sides[::-1])
            )
            here = [
                ("product_id", "in", products.ids),
                ("location_id.usage", "=", "internal"),
                ("company_id", "=", season.company_id.id),
            ]
            season.on_hand_quantity = Quant._read_group(here, [], ["quantity:sum"])[0][0]
            season.sold_quantity = max(0.0, sold - back)
            whole = season.sold_quantity + max(0.0, season.on_hand_quantity)
            season.sell_through = season.sold_quantity / whole if whole else 0.0

    def action_open_items(self):
        """The rules in the pricelists."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.name,
            "res_model": "product.pricelist.item",
            "view_mode": "list",
            "domain": [("bridge_season_id", "=", self.id)],
        }


class BridgeSeasonStep(models.Model):
    """From a day on, this much off."""

    _name = "bridge.season.step"
    _description = "Mark-down of a season"
    _order = "start_date, id"

    season_id = fields.Many2one("bridge.season", required=True, ondelete="cascade", index=True)
    company_id = fields.Many2one(related="season_id.company_id", store=True, index=True)
    start_date = fields.Date("From", required=True)
    percent = fields.Float("Off (%)", required=True, digits=(5, 2))

    _percent_range = models.Constraint(
        "CHECK(percent > 0 AND percent <= 100)", "A mark-down is more than 0 and up to 100 percent."
    )
    _day_uniq = models.Constraint("UNIQUE(season_id, start_date)", "One mark-down of a season begins on a day.")

    @api.constrains("start_date")
    def _check_within(self):
        self.season_id._check_steps()


class ProductPricelistItem(models.Model):
    _inherit = "product.pricelist.item"

    bridge_season_id = fields.Many2one(
        "bridge.season", "Season", ondelete="cascade", index="btree_not_null", copy=False
    )


class ProductProduct(models.Model):
    _inherit = "product.product"

    @api.model_create_multi
    def create(self, vals_list):
        products = super().create(vals_list)
        self.env["bridge.season"]._forget_goods()  # a new one may be of a season's category
        return products


class ProductTemplate(models.Model):
    _inherit = "product.template"

    def write(self, vals):
        result = super().write(vals)
        if vals.keys() & {"categ_id", "company_id"}:
            self.env["bridge.season"]._forget_goods()
        return result


class ProductCategory(models.Model):
    _inherit = "product.category"

    def write(self, vals):
        result = super().write(vals)
        if "parent_id" in vals:
            self.env["bridge.season"]._forget_goods()
        return result


class BridgeAvailability(models.AbstractModel):
    _inherit = "bridge.availability"

    @api.model
    def _brakes(self, stores, products):
        return super()._brakes(stores, products) | self.env["bridge.season"]._ended(stores, products)
