# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Limited goods: so many in total, so many per customer, in some time."""

from datetime import datetime, timedelta

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.fields import Domain
from odoo.tools import SQL, format_datetime, ormcache

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
LONG_AGO = datetime(2000, 1, 1)
# What it takes to know whom a limit is about, without reading it; cached.
WHOM = {"active", "company_id", "product_ids", "template_ids", "channel_ids"}


class BridgeSalesLimit(models.Model):
    """How many of some goods, all of them together, may be sold in a window or in each period of it.

    The limit is kept by the claim (``bridge.hold``), which counts what was promised in its own statement. Sales that
    were never promised (tills) and what came back by cancelling are added to what the claim is told is left.
    """

    _name = "bridge.sales.limit"
    _description = "Limit on sales"
    _inherit = ["bridge.goods", "mail.thread"]
    _order = "name, id"

    channel_ids = fields.Many2many(help="All of them together share the limit. Empty: whoever sells, Odoo included.")
    cap_total = fields.Float(
        "At most, in total", digits="Product Unit", tracking=True, help="Base units. 0: not limited."
    )
    cap_customer = fields.Float(
        "At most, per customer",
        digits="Product Unit",
        tracking=True,
        help="Base units. 0: not limited. A customer is who the channel says he is; of a guest each order counts.",
    )
    period = fields.Selection(
        [("window", "The whole window"), ("day", "Each day"), ("week", "Each week"), ("month", "Each month")],
        "Counted over",
        default="window",
        required=True,
    )
    start_at = fields.Datetime("From", help="Empty: from always.")
    end_at = fields.Datetime("Until", help="Empty: for ever.")
    # None of them: every day.
    monday = fields.Boolean()
    tuesday = fields.Boolean()
    wednesday = fields.Boolean()
    thursday = fields.Boolean()
    friday = fields.Boolean()
    saturday = fields.Boolean()
    sunday = fields.Boolean()
    hour_from = fields.Float("Hours from", help="In the limit's time zone. From and to equal: all day.")
    hour_to = fields.Float("Hours to")
    outside = fields.Selection(
        [("open", "Sold without limit"), ("closed", "Not sold")],
        "Outside of this time",
        default="open",
        required=True,
    )
    used = fields.Float("Sold or promised", digits="Product Unit", compute="_compute_left")
    left = fields.Float("Remaining", digits="Product Unit", compute="_compute_left")
    state = fields.Selection(
        [("waiting", "Not now"), ("running", "In force"), ("reached", "Reached")], compute="_compute_left"
    )

    _caps_positive = models.Constraint("CHECK(cap_total >= 0 AND cap_customer >= 0)", "A limit is not below zero.")
    _window_order = models.Constraint("CHECK(start_at < end_at)", "The window of a limit ends after it begins.")

    @api.constrains("hour_from", "hour_to")
    def _check_hours(self):
        if any(not 0 <= hour <= 24 for limit in self for hour in (limit.hour_from, limit.hour_to)):
            raise ValidationError(self.env._("Hours lie between 0:00 and 24:00."))

    @api.constrains("product_ids", "template_ids", "cap_total", "cap_customer")
    def _check_content(self):
        for limit in self:
            if not (limit.cap_total or limit.cap_customer or limit.outside == "closed"):
                raise ValidationError(self.env._("%s limits nothing: enter how many may be sold.", limit.name))
        self._need_goods()

    # -- time --------------------------------------------------------------------------------------
    def _is_open(self):
        """Whether now lies within window, weekdays and hours."""
        now, local = fields.Datetime.now(), self._now()
        if (self.start_at and now < self.start_at) or (self.end_at and now >= self.end_at):
            return False
        days = [self[day] for day in WEEKDAYS]
        hour, today = local.hour + local.minute / 60 + local.second / 3600, local.weekday()
        if self.hour_from == self.hour_to:
            within = True
        elif self.hour_from < self.hour_to:
            within = self.hour_from <= hour < self.hour_to
        else:  # through midnight: the small hours belong to the day before
            within = hour >= self.hour_from or hour < self.hour_to
            today = (today - 1) % 7 if hour < self.hour_to else today
        return within and (days[today] or not any(days))

    def _since(self):
        """From when on sales count, as naive UTC."""
        today = self._now().date()
        starts = {
            "day": today,
            "week": today - timedelta(days=today.weekday()),
            "month": today.replace(day=1),
        }
        begin = self._midnight(starts[self.period]) if self.period in starts else LONG_AGO
        return max(begin, self.start_at or LONG_AGO)

    def _phase_key(self):
        return f"{self._is_open()}/{self._since()}"

    # -- counting ----------------------------------------------------------------------------------
    def _outside(self, customer=""):
        """Units sold in the period that no promise stands for: till sales, orders that were given what was not there;
        less what was promised to orders that were cancelled afterwards, or changed.

        :param customer: id or e-mail of a buyer at the channels; "": everybody
        """
        self.ensure_one()
        self.env.flush_all()
        products, channels, since = self._products().ids, self.channel_ids.ids, self._since()
        buyers = self._buyers(customer) if customer else None
        if buyers == []:
            return 0.0
        whose = SQL("TRUE") if buyers is None else SQL("o.partner_id = ANY(%s)", buyers)
        where = SQL("o.bridge_channel_id = ANY(%s)", channels) if channels else SQL("TRUE")
        rows = self.env.execute_query(
            SQL(
                """SELECT sum(l.qty) FROM pos_order_line l JOIN pos_order o ON o.id = l.order_id
                    WHERE l.product_id = ANY(%(products)s) AND o.state NOT IN ('draft', 'cancel')
                      AND o.company_id = %(company)s AND o.date_order >= %(since)s AND %(where)s AND %(whose)s
                   UNION ALL
                   SELECT sum(CASE WHEN o.state = 'cancel' THEN 0 ELSE l.product_uom_qty * u.factor / b.factor END
                              - coalesce(h.quantity, 0))
                     FROM sale_order_line l JOIN sale_order o ON o.id = l.order_id
                     JOIN product_product p ON p.id = l.product_id JOIN product_template t ON t.id = p.product_tmpl_id
                     JOIN uom_uom u ON u.id = l.product_uom_id JOIN uom_uom b ON b.id = t.uom_id
                     LEFT JOIN LATERAL (
                         SELECT sum(CASE WHEN kit_id IS NULL THEN quantity ELSE kit_quantity END) AS quantity,
                                max(claimed_at) AS claimed_at
                           FROM bridge_hold WHERE sale_line_id = l.id AND state IN ('active', 'done')
                     ) h ON TRUE
                    WHERE l.product_id = ANY(%(products)s) AND o.company_id = %(company)s
                      AND coalesce(h.claimed_at, o.date_order) >= %(since)s AND %(where)s AND %(whose)s
                      AND (o.state = 'sale' OR (o.state = 'cancel' AND h.quantity > 0))""",
                products=products, company=self.company_id.id, since=since, where=where, whose=whose,
            )
        )  # fmt: skip
        return sum(float(quantity or 0.0) for (quantity,) in rows)

    def _buyers(self, customer):
        """Ids of the contacts a channel's customer is here."""
        domain = [("entity", "=", "customer"), ("external_id", "=", customer)]
        if self.channel_ids:
            domain.append(("channel_id", "in", self.channel_ids.ids))
        bound = self.env["bridge.binding"].sudo().search(domain).mapped("res_id")
        mail = [("email_normalized", "=", customer.lower())] if "@" in customer else [("id", "=", 0)]
        found = self.env["res.partner"].sudo().search(Domain("id", "in", bound) | Domain(mail))
        return self.env["res.partner"].sudo().search([("id", "child_of", found.ids)]).ids if found else []

    def _promised(self, customer=""):
        """Units promised in the period, kept or not."""
        self.env["bridge.hold"].flush_model()
        channels = self.channel_ids.ids
        (row,) = self.env.execute_query(
            SQL(
                """SELECT sum(CASE WHEN kit_id IS NULL THEN quantity ELSE kit_quantity END) FROM bridge_hold
                    WHERE coalesce(kit_id, product_id) = ANY(%s) AND state IN ('active', 'done') AND claimed_at >= %s
                      AND company_id = %s AND %s AND (%s = '' OR customer = %s)""",
                self._products().ids, self._since(), self.company_id.id,
                SQL("channel_id = ANY(%s)", channels) if channels else SQL("TRUE"), customer, customer,
            )
        )  # fmt: skip
        return float(row[0] or 0.0)

    def _used(self, customer=""):
        """Units sold or promised in the period; of a customer, what he bought."""
        return self._promised(customer) + self._outside(customer)

    @api.depends("cap_total", "period", "start_at", "end_at", "product_ids", "template_ids", "channel_ids")
    def _compute_left(self):
        for limit in self:
            # A new one is looked at as soon as it is stored.
            limit.used = limit.sudo()._used() if limit.ids else 0.0
            limit.left = max(0.0, limit.cap_total - limit.used)
            is_reached = limit.cap_total and not limit.left
            limit.state = "waiting" if not limit._is_open() else "reached" if is_reached else "running"

    # -- who is limited ----------------------------------------------------------------------------
    @api.model
    @ormcache("company_id")
    def _whom(self, company_id):
        """[(limit id, ids of its products, ids of its channels)] of a company; cached."""
        limits = self.sudo().search([("company_id", "=", company_id)])
        return tuple((x.id, frozenset(x._products().ids), frozenset(x.channel_ids.ids)) for x in limits)

    @api.model
    def _of(self, company, product_ids, channel_id):
        """{limit: ids of its products} of those about one of these products on this channel (0: Odoo's own)."""
        return {
            self.sudo().browse(limit_id): products
            for limit_id, products, channels in self._whom(company.id)
            if not products.isdisjoint(product_ids) and (not channels or channel_id in channels)
        }

    @api.model_create_multi
    def create(self, vals_list):
        limits = super().create(vals_list)
        self.env.registry.clear_cache()
        limits._touch()
        return limits

    def write(self, vals):
        if vals.keys() & WHOM:
            self._touch()  # what is no longer limited
        result = super().write(vals)
        if vals.keys() - {"told_phase"}:
            self.env.registry.clear_cache()
            self._touch()
        return result

    def unlink(self):
        self._touch()
        self.env.registry.clear_cache()
        return super().unlink()

    # -- what a claim is told ------------------------------------------------------------------------
    @api.model
    def _caps(self, channel, lines, customer):
        """The limits a claim has to keep; see ``bridge.hold._claim``. Lines: [(line ref, product, …, quantity)]."""
        if not lines or not self._is_used():
            return []
        company = channel.company_id or self.env.company
        caps = []
        for limit, product_ids in self._of(company, [line[1].id for line in lines], channel.id or 0).items():
            if not limit._is_open():
                continue
            cap = {
                "name": limit.name,
                "product_ids": sorted(product_ids),
                "channel_ids": limit.channel_ids.ids,
                "customer": "",
                "since": limit._since(),
                "wanted": sum(line[3] for line in lines if line[1].id in product_ids),
            }
            if limit.cap_total:
                caps.append(cap | {"left": limit.cap_total - limit._outside()})
            if limit.cap_customer:
                # Of a guest nothing is known but this order.
                mine = {"customer": customer} if customer else {"since": fields.Datetime.now() + timedelta(days=1)}
                outside = limit._outside(customer) if customer else 0.0
                caps.append(cap | mine | {"left": limit.cap_customer - outside})
        return caps

    # -- what channels are told ------------------------------------------------------------------------
    @api.model
    def _lefts(self, stores, products):
        """{(store id, product id): (limit, units left in total)} where a limit is in force."""
        result = {}
        for company in stores.company_id:
            for limit_id, product_ids, channel_ids in self._whom(company.id):
                limit = self.sudo().browse(limit_id)
                mine = product_ids.intersection(products.ids)
                if not mine or not limit.cap_total or not limit._is_open():
                    continue
                left = max(0.0, limit.cap_total - limit._used())
                for store in stores.filtered(lambda s, c=company: s.company_id == c):
                    if channel_ids and store.channel_id.id not in channel_ids:
                        continue
                    for product_id in mine:
                        key = store.id, product_id
                        if key not in result or left < result[key][1]:
                            result[key] = limit, left
        return result

    @api.model
    def _closed(self, stores, products):
        """{(store id, product id): sentence} of what is sold at certain times only, and not now."""
        if not self._is_used():
            return {}
        result = {}
        for company in stores.company_id:
            mine = stores.filtered(lambda s, c=company: s.company_id == c)
            for limit_id, product_ids, _channel_ids in self._whom(company.id):
                limit = self.sudo().browse(limit_id)
                if limit.outside != "closed" or product_ids.isdisjoint(products.ids) or limit._is_open():
                    continue
                result |= dict.fromkeys(limit._keys(mine, products), limit._closed_text())
        return result

    def _closed_text(self):
        """Why it is not sold now."""
        now = fields.Datetime.now()
        if self.start_at and now < self.start_at:
            when = format_datetime(self.env, self.start_at, tz=self.timezone, dt_format="short")
            return self.env._("%(limit)s: sold from %(when)s on.", limit=self.name, when=when)
        if self.end_at and now >= self.end_at:
            when = format_datetime(self.env, self.end_at, tz=self.timezone, dt_format="short")
            return self.env._("%(limit)s: sold until %(when)s.", limit=self.name, when=when)
        return self.env._("%s: not sold at this hour or on this day of the week.", self.name)
