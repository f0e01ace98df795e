# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Rules: how much of a stock which channel may sell."""

from datetime import UTC
from zoneinfo import ZoneInfo

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import SQL, ormcache

from ..allocation import Share

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
AFFECTING = {
    "active", "sequence", "company_id", "channel_ids", "store_ids", "product_ids", "product_tmpl_ids", "categ_ids",
    "share", "share_percent", "share_quantity", "is_exclusive", "safety_quantity", "safety_hours", "minimum",
    "is_stopped", "date_from", "date_to", "hour_from", "hour_to", "is_in_force", *WEEKDAYS,
}  # fmt: skip


class BridgeAllocationRule(models.Model):
    """The first rule in the list that fits channel, store, product and time decides."""

    _name = "bridge.allocation.rule"
    _description = "Stock rule"
    _order = "sequence, id"
    _check_company_auto = True

    name = fields.Char(required=True)
    active = fields.Boolean(default=True)
    sequence = fields.Integer("Priority", default=10, help="The smallest number comes first.")
    company_id = fields.Many2one("res.company", required=True, default=lambda self: self.env.company, index=True)
    channel_ids = fields.Many2many("bridge.channel", string="Channels", check_company=True, help="Empty: all.")
    store_ids = fields.Many2many("bridge.store", string="Stores", check_company=True, help="Empty: all.")
    product_tmpl_ids = fields.Many2many("product.template", string="Products", help="With all their variants.")
    product_ids = fields.Many2many("product.product", string="Variants")
    categ_ids = fields.Many2many("product.category", string="Categories", help="With the categories within.")
    share = fields.Selection(
        [("all", "Everything"), ("percent", "A percentage"), ("fixed", "At most a quantity")],
        default="all",
        required=True,
    )
    share_percent = fields.Float("Percent", default=100.0)
    share_quantity = fields.Float("Quantity", digits="Product Unit")
    is_exclusive = fields.Boolean(
        "Keep it for these channels", help="What this rule gives is not offered to channels of later rules."
    )
    safety_quantity = fields.Float(
        "Safety stock", digits="Product Unit", help="Kept back in each place, in base units."
    )
    safety_hours = fields.Float(
        "Safety stock in hours",
        help="Hours' worth of sales kept back; for channels that are told by file, as long as a file is on its way.",
    )
    minimum = fields.Float("Publish from", digits="Product Unit", help="Less than this is published as sold out.")
    is_stopped = fields.Boolean("Stop selling")
    date_from = fields.Datetime("From")
    date_to = fields.Datetime("To")
    hour_from = fields.Float("From hour", help="In the channel's time zone.")
    hour_to = fields.Float("To hour", default=24.0)
    monday = fields.Boolean(default=True)
    tuesday = fields.Boolean(default=True)
    wednesday = fields.Boolean(default=True)
    thursday = fields.Boolean(default=True)
    friday = fields.Boolean(default=True)
    saturday = fields.Boolean(default=True)
    sunday = fields.Boolean(default=True)
    is_in_force = fields.Boolean("In force", readonly=True, default=True, help="Whether its time is now.")
    summary = fields.Char("Says", compute="_compute_summary")

    _percent = models.Constraint("CHECK(share_percent BETWEEN 0 AND 100)", "A share is between 0 and 100 percent.")
    _not_negative = models.Constraint(
        "CHECK(share_quantity >= 0 AND safety_quantity >= 0 AND safety_hours >= 0 AND minimum >= 0)",
        "Quantities of a rule cannot be negative.",
    )
    _hours = models.Constraint(
        "CHECK(hour_from >= 0 AND hour_to <= 24 AND hour_from <> hour_to)",
        "Hours are between 0 and 24, and a window is not empty.",
    )

    @api.constrains("date_from", "date_to")
    def _check_dates(self):
        for rule in self:
            if rule.date_from and rule.date_to and rule.date_from >= rule.date_to:
                raise ValidationError(self.env._("The rule “%s” ends before it begins.", rule.name))

    @api.depends(*(AFFECTING - {"is_in_force", "company_id"}))
    @api.depends_context("lang")
    def _compute_summary(self):
        for rule in self:
            rule.summary = " · ".join(rule._sentences())

    def _sentences(self):
        """What the rule says, in words."""
        if self.is_stopped:
            return [self.env._("Not sold")]
        share = {
            "all": self.env._("Everything"),
            "percent": self.env._("%g %% of what is left", self.share_percent),
            "fixed": self.env._("At most %g", self.share_quantity),
        }
        said = [share[self.share] or ""]
        if self.is_exclusive:
            said.append(self.env._("kept from later rules"))
        if self.safety_quantity:
            said.append(self.env._("%g kept back", self.safety_quantity))
        if self.safety_hours:
            said.append(self.env._("%g hours' sales kept back", self.safety_hours))
        if self.minimum:
            said.append(self.env._("sold out below %g", self.minimum))
        return said

    # -- changes are told --------------------------------------------------------------------------
    @api.model_create_multi
    def create(self, vals_list):
        rules = super().create(vals_list)
        rules._set_in_force()
        rules._tell()
        return rules

    def write(self, vals):
        if not vals.keys() & AFFECTING:
            return super().write(vals)
        self._tell()  # those it was about
        result = super().write(vals)
        if vals.keys() - {"is_in_force"}:
            self._set_in_force()
        self._tell()  # those it is about
        return result

    def unlink(self):
        self._tell()
        self.env.registry.clear_cache()
        return super().unlink()

    def _tell(self):
        """Channels hear of what rules change."""
        self.env.registry.clear_cache()
        touch = self.env["bridge.touch"]
        for rule in self:
            channels = rule.channel_ids | rule.store_ids.channel_id
            if rule.is_exclusive or not channels:
                channels = self.env["bridge.channel"].sudo().search([("company_id", "=", rule.company_id.id)])
            for channel in channels.sudo().filtered(lambda c: c.state == "live"):
                bound = self.env["bridge.binding"].sudo()._products_of(channel)
                touch._touch_products(channel, rule._products_among(bound))

    def _products_among(self, products):
        """Those of ``products`` the rule is about."""
        if not (self.product_ids or self.product_tmpl_ids or self.categ_ids):
            return products
        self.env["product.template"].flush_model(["categ_id"])
        rows = self.env.execute_query(
            SQL(
                """SELECT p.id FROM product_product p JOIN product_template t ON t.id = p.product_tmpl_id
                     LEFT JOIN product_category c ON c.id = t.categ_id
                    WHERE p.id = ANY(%s) AND (p.id = ANY(%s) OR t.id = ANY(%s) OR c.parent_path LIKE ANY(%s))""",
                products.ids,
                self.product_ids.ids,
                self.product_tmpl_ids.ids,
                [f"{path}%" for path in self.categ_ids.mapped("parent_path")],
            )
        )
        found = {row[0] for row in rows}
        return products.browse(product_id for product_id in products._ids if product_id in found)

    # -- windows -----------------------------------------------------------------------------------
    def _is_now(self, now):
        """Whether the rule's window is open at ``now`` (naive UTC)."""
        self.ensure_one()
        if (self.date_from and now < self.date_from) or (self.date_to and now >= self.date_to):
            return False
        channel = (self.channel_ids | self.store_ids.channel_id)[:1]
        zone = ZoneInfo(channel.timezone or self.company_id.partner_id.tz or "Asia/Tokyo")
        local = now.replace(tzinfo=UTC).astimezone(zone)
        hour, day = local.hour + local.minute / 60, local.weekday()
        if self.hour_from < self.hour_to:
            is_hour = self.hour_from <= hour < self.hour_to
        else:  # over midnight: the night belongs to the day it began
            is_hour = hour >= self.hour_from or hour < self.hour_to
            day = (day - 1) % 7 if hour < self.hour_to else day
        return is_hour and self[WEEKDAYS[day]]

    def _set_in_force(self):
        now = fields.Datetime.now()
        for rule in self:
            if rule.is_in_force != rule._is_now(now):
                rule.is_in_force = not rule.is_in_force

    @api.model
    def _check_windows(self):
        """Rules whose window opened or closed take effect; every minute."""
        self.search([])._set_in_force()

    # -- which rule decides ------------------------------------------------------------------------
    @api.model
    @ormcache("company_ids")
    def _ids_in_force(self, company_ids):
        rules = self.sudo().search([("company_id", "in", company_ids), ("is_in_force", "=", True)])
        return tuple(rules.ids)

    @api.model
    @ormcache()
    def _is_used(self):
        """Whether there are rules at all; cached, for it is asked at every claim."""
        return bool(self.sudo().search_count([], limit=1))

    @api.model
    def _has_any(self, company):
        return bool(self._ids_in_force(tuple(company.ids)))

    @api.model
    def _book(self, companies):
        """The rules of these companies, ready to be asked."""
        return RuleBook(self.sudo().browse(self._ids_in_force(tuple(companies.ids))))


class RuleBook:
    """Finds the rule that decides, for many products at once."""

    def __init__(self, rules):
        self.rules = rules
        self._exclusive = rules.filtered("is_exclusive")
        self._shares = {}

    def _rules_for(self, store):
        return self.rules.filtered(
            lambda rule: (
                rule.company_id == store.company_id
                and (not rule.channel_ids or store.channel_id in rule.channel_ids)
                and (not rule.store_ids or store in rule.store_ids)
            )
        )

    def shares(self, store, products):
        """{product id: Share}; products without a rule are left out."""
        rules = self._rules_for(store)
        key = rules._ids, products._ids
        if key not in self._shares:
            self._shares[key] = self._find(rules, products)
        return self._shares[key]

    def _find(self, rules, products):
        result, rest = {}, products
        for rule in rules:
            mine = rule._products_among(rest)
            result.update(dict.fromkeys(mine._ids, self._share(rule)))
            rest -= mine
            if not rest:
                break
        return result

    def _share(self, rule):
        return Share(
            rule.id,
            self.rules.ids.index(rule.id),
            rule.share,
            rule.share_percent if rule.share == "percent" else rule.share_quantity,
            rule.safety_quantity,
            rule.safety_hours,
            rule.minimum,
            rule.is_stopped,
            rule.is_exclusive,
        )

    def has_exclusive(self):
        return bool(self._exclusive)

    def exclusive_stores(self, store):
        """Stores of other channels that rules keep something for, out of the places ``store`` sells from."""
        if not self._exclusive:
            return []
        found = {}  # one place that several stores of a channel sell from is kept once
        path = store.location_id.parent_path
        channels = store.env["bridge.channel"].sudo().search(
            [("company_id", "=", store.company_id.id), ("state", "=", "live"), ("id", "!=", store.channel_id.id)]
        )  # fmt: skip
        for other in channels.store_ids.filtered("location_id"):
            theirs = other.location_id.parent_path
            if (path.startswith(theirs) or theirs.startswith(path)) and self._rules_for(other) & self._exclusive:
                found.setdefault((other.channel_id, other.location_id), other)
        return list(found.values())
