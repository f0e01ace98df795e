# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Preorder: what is on its way is sold before it is there, up to what is confirmed; never mixed with stock at hand."""

from collections import defaultdict
from datetime import datetime

from odoo import api, fields, models
from odoo.tools import SQL, ormcache

from ..claim import COMING
from ..locks import TAKE_INCOMING

LONG_AGO = datetime(2000, 1, 1)
NOTHING = 1e-6


class BridgePreorder(models.Model):
    """Goods sold against incoming stock. What was promised of them (``bridge.hold``, source incoming) is turned into
    promises of stock at hand by the receipt, oldest first, before anybody else hears of it."""

    _name = "bridge.preorder"
    _description = "Preorder"
    _inherit = ["bridge.goods", "mail.thread", "mail.activity.mixin"]
    _order = "name, id"

    cap = fields.Float(
        "At most", digits="Product Unit", tracking=True, help="Base units. 0: as many as are confirmed to come in."
    )
    start_at = fields.Datetime("From", help="Empty: from always.")
    end_at = fields.Datetime("Until", help="Empty: for ever.")
    state = fields.Selection(
        [("waiting", "Not now"), ("running", "Running"), ("sold_out", "Sold out")], compute="_compute_figures"
    )
    incoming = fields.Float("Confirmed to come in", digits="Product Unit", compute="_compute_figures")
    promised = fields.Float("Preordered", digits="Product Unit", compute="_compute_figures")
    left = fields.Float("Remaining", digits="Product Unit", compute="_compute_figures")
    arrival_date = fields.Date("Next arrival", compute="_compute_figures")
    shortage = fields.Text(
        readonly=True, copy=False, help="Preorders that nothing is coming in for any more, as last told."
    )

    _cap_positive = models.Constraint("CHECK(cap >= 0)", "A preorder sells no less than nothing.")
    _window_order = models.Constraint("CHECK(start_at < end_at)", "A preorder ends after it begins.")

    @api.constrains("product_ids", "template_ids")
    def _check_goods(self):
        self._need_goods()

    def _is_open(self):
        now = fields.Datetime.now()
        return self.active and (not self.start_at or self.start_at <= now) and (not self.end_at or now < self.end_at)

    def _phase_key(self):
        return str(self._is_open())

    @api.model
    def _tick(self, company):
        """Also: whether what was promised is still on its way, and what was told is still so."""
        result = super()._tick(company)
        holds = self.env["bridge.hold"].sudo().search(self._waiting_domain() + [("company_id", "=", company.id)])
        told = self.sudo().search([("company_id", "=", company.id), ("shortage", "!=", False)])
        self._check_cover(holds.product_id.union(*(rule._products() for rule in told)))
        return result

    # -- which ---------------------------------------------------------------------------------------
    @api.model
    @ormcache("company_id")
    def _whom(self, company_id):
        """((preorder id, ids of its products, ids of its channels), …) of a company; cached."""
        rules = self.sudo().search([("company_id", "=", company_id)])
        return tuple((x.id, frozenset(x._products().ids), frozenset(x.channel_ids.ids)) for x in rules)

    @api.model
    @ormcache()
    def _product_ids(self):
        """Ids of all products that are preordered, in any company; cached."""
        companies = self.sudo().search([("company_id", "!=", False)]).company_id
        return frozenset().union(*(products for company in companies for _id, products, _c in self._whom(company.id)))

    @api.model
    def _running(self, channel, product_ids):
        """{product id: preorder} of what may be preordered on a channel now."""
        result = {}
        for rule_id, products, channels in self._whom(channel.company_id.id):
            mine = products.intersection(product_ids)
            if mine and (not channels or channel.id in channels) and (rule := self.sudo().browse(rule_id))._is_open():
                result |= dict.fromkeys(mine - result.keys(), rule)
        return result

    @api.model_create_multi
    def create(self, vals_list):
        rules = super().create(vals_list)
        self.env.registry.clear_cache()
        rules._touch()
        return rules

    def write(self, vals):
        is_plan = bool(vals.keys() & {"active", "company_id", "product_ids", "template_ids", "channel_ids"})
        if is_plan:
            self._touch()  # what is no longer preordered
        result = super().write(vals)
        if is_plan:
            self.env.registry.clear_cache()
        if is_plan or vals.keys() & {"cap", "start_at", "end_at"}:
            self._touch()
        return result

    def unlink(self):
        self._touch()
        self.env.registry.clear_cache()
        return super().unlink()

    # -- what comes in ---------------------------------------------------------------------------------
    @api.model
    def _pool(self, location):
        """The place whose receipts a location sells from: its warehouse's stock, or the location itself."""
        stock = location.warehouse_id.lot_stock_id
        return stock if stock and location.parent_path.startswith(stock.parent_path) else location

    @api.model
    def _coming(self, pool, product_ids):
        """{product id: [(moment, quantity)]} confirmed to come into a pool, earliest first; base units."""
        self.env["stock.move"].flush_model()
        rows = self.env.execute_query(
            SQL(
                """SELECT m.product_id, m.date, m.product_qty FROM stock_move m
                    WHERE m.product_id = ANY(%s) AND %s ORDER BY m.date, m.id""",
                list(product_ids), SQL(COMING.format(path="%(path)s"), path=f"{pool.parent_path}%"),
            )
        )  # fmt: skip
        result = defaultdict(list)
        for product_id, moment, quantity in rows:
            result[product_id].append((moment, float(quantity)))
        return result

    @staticmethod
    def _waiting_domain():
        return [("state", "=", "active"), ("source", "=", "incoming")]

    @api.model
    def _waiting(self, pool, product_ids):
        """{product id: units} preordered of what comes into a pool."""
        domain = [
            *self._waiting_domain(),
            ("product_id", "in", list(product_ids)),
            ("location_id", "child_of", pool.id),
        ]
        groups = self.env["bridge.hold"].sudo()._read_group(domain, ["product_id"], ["quantity:sum"])
        return {product.id: quantity for product, quantity in groups}

    def _cap_left(self):
        """Units the preorder's own cap leaves; infinite without one."""
        if not self.cap:
            return float("inf")
        domain = [
            ("is_preorder", "=", True),
            ("state", "in", ("active", "done")),
            ("product_id", "in", self._products().ids),
            ("claimed_at", ">=", self.start_at or LONG_AGO),
        ]
        if self.channel_ids:
            domain.append(("channel_id", "in", self.channel_ids.ids))
        (row,) = self.env["bridge.hold"].sudo()._read_group(domain, [], ["quantity:sum"])
        return max(0.0, self.cap - row[0])

    @api.model
    def _offers(self, store, product_ids):
        """{product id: (units left to preorder, day they come in)} in a store of a channel."""
        rules = self._running(store.channel_id, product_ids) if store.location_id else {}
        if not rules:
            return {}
        pool = self._pool(store.location_id)
        coming, waiting = self._coming(pool, rules), self._waiting(pool, rules)
        lefts = {rule: rule._cap_left() for rule in set(rules.values())}
        result = {}
        for product_id, rule in rules.items():
            promised = waiting.get(product_id, 0.0)
            left = min(sum(quantity for _at, quantity in coming[product_id]) - promised, lefts[rule])
            if left > NOTHING:
                result[product_id] = left, rule._day(coming[product_id], promised)
        return result

    def _day(self, coming, promised):
        """The day the next one preordered comes in, after those promised already; None: nothing comes."""
        for moment, quantity in coming:
            promised -= quantity
            if promised < -NOTHING:
                return fields.Datetime.context_timestamp(self.with_context(tz=self.timezone), moment).date()
        return None

    @api.model
    def _caps(self, channel, lines):
        """The preorders' own caps a claim has to keep; see ``bridge.hold._claim``."""
        rules = self._running(channel, [line[1].id for line in lines])
        caps = []
        for rule in {rule for rule in rules.values() if rule.cap}:
            products = rule._products()
            caps.append(
                {
                    "name": rule.name,
                    "product_ids": products.ids,
                    "channel_ids": rule.channel_ids.ids,
                    "customer": "",
                    "since": rule.start_at or LONG_AGO,
                    "left": rule.cap,
                    "wanted": sum(line[3] for line in lines if line[1] in products),
                    "is_preorder": True,
                }
            )
        return caps

    # -- what arrived ----------------------------------------------------------------------------------
    @api.model
    def _arrived(self, moves):
        """Goods came in: the oldest preorders get them, and their orders reserve them, in this transaction."""
        moves = moves.filtered(lambda m: m.state == "done" and m.location_dest_id.usage == "internal")
        if not moves:
            return
        product_ids = self._product_ids() & set(moves.product_id.ids)
        holds = self.env["bridge.hold"].sudo()
        product_ids |= set(
            holds.search([*self._waiting_domain(), ("product_id", "in", moves.product_id.ids)]).product_id.ids
        )
        if not product_ids:
            return
        # Nobody preorders meanwhile; who did since this transaction began makes it start over.
        holds._pass_gate(product_ids)
        arrived = defaultdict(float)
        for move in moves.filtered(lambda m: m.product_id.id in product_ids):
            pool = self._pool(move.location_dest_id)
            is_inside = move.location_id.parent_path.startswith(pool.parent_path)
            if not is_inside and move.location_id.usage not in ("customer", "inventory"):
                arrived[pool, move.product_id.id] += sum(move.move_line_ids.mapped("quantity_product_uom"))
        served = holds.browse()
        for (pool, product_id), quantity in arrived.items():
            served |= self._serve(pool, product_id, quantity)
        lines = served.sale_line_id
        lines.move_ids.filtered(lambda m: m.state in ("confirmed", "waiting", "partially_available"))._action_assign()
        self._check_cover(self.env["product.product"].browse(product_ids))

    def _serve(self, pool, product_id, quantity):
        """Turn the oldest preorders of a product into promises of stock at hand; returns them."""
        Hold = self.env["bridge.hold"].sudo()
        domain = [*self._waiting_domain(), ("product_id", "=", product_id), ("location_id", "child_of", pool.id)]
        served = Hold.browse()
        for hold in Hold.search(domain, order="claimed_at, id"):
            if quantity <= NOTHING:
                break
            part = hold._split(quantity) if hold.quantity > quantity + NOTHING else hold
            quantity -= part.quantity
            served |= part
        Hold.flush_model()
        self.env.cr.execute(TAKE_INCOMING, [served.ids])
        Hold.invalidate_model(["source"])
        return served

    # -- what does not -----------------------------------------------------------------------------------
    @api.model
    def _check_cover(self, products):
        """Whether what was preordered is still on its way; tells a person once what is not, and proposes."""
        Hold = self.env["bridge.hold"].sudo()
        goods = {rule: rule._products() for rule in self.sudo().search([])}
        rules = [rule for rule, mine in goods.items() if not mine or mine & products]
        products = products.union(*(goods[rule] for rule in rules))  # a preorder tells of all its goods
        domain = [*self._waiting_domain(), ("product_id", "in", products.ids)]
        groups = Hold.search(domain, order="claimed_at, id").grouped(
            lambda h: (self._pool(h.location_id), h.product_id)
        )
        texts = defaultdict(list)
        for (pool, product), holds in groups.items():
            coming = sum(quantity for _at, quantity in self._coming(pool, product.ids)[product.id])
            bare = []
            for hold in holds:
                coming -= hold.quantity
                if coming < -NOTHING:
                    label = hold.sale_id.name or hold.order_ref
                    bare.append(f"{label} ({min(hold.quantity, -coming):g})")
            if bare:
                texts[self._preorder_of(holds[0])].append(
                    self.env._(
                        "%(product)s: nothing comes in any more for %(orders)s.",
                        product=product.display_name,
                        orders=", ".join(bare),
                    )
                )
        for rule in rules:
            rule._tell_shortage("\n".join(texts.get(rule, ())))

    def _preorder_of(self, hold):
        """The preorder that sold it."""
        for rule_id, products, channels in self._whom(hold.company_id.id):
            if hold.product_id.id in products and (not channels or hold.channel_id.id in channels):
                return self.sudo().browse(rule_id)
        return self.sudo().browse()

    def _tell_shortage(self, text):
        if (self.shortage or "") == text:
            return
        self.activity_search(["mail.mail_activity_data_warning"], only_automated=True).unlink()
        self.shortage = text or False
        if text:
            proposal = self.env._(
                "Order the goods again, bring them from another place, or agree with these customers on a later day, "
                "on less, or on cancelling."
            )
            self.activity_schedule(
                "mail.mail_activity_data_warning",
                user_id=(self.create_uid or self.env.user).id,
                summary=self.env._("Preorders without goods"),
                note=f"{text}\n{proposal}",
            )

    # -- overview ----------------------------------------------------------------------------------------
    def _compute_figures(self):
        for rule in self:
            products = rule.sudo()._products()
            stores = rule.sudo()._channels().store_ids.filtered("location_id")
            pools = self.env["stock.location"].union(*(self._pool(store.location_id) for store in stores))
            coming, days = 0.0, []
            promised = 0.0
            for pool in pools:
                waiting = self._waiting(pool, products.ids)
                promised += sum(waiting.values())
                for product_id, rows in self._coming(pool, products.ids).items():
                    coming += sum(quantity for _at, quantity in rows)
                    days.append(rule._day(rows, waiting.get(product_id, 0.0)))
            rule.incoming, rule.promised = coming, promised
            rule.left = max(0.0, min(coming - promised, rule.sudo()._cap_left()))
            rule.arrival_date = min(filter(None, days), default=False)
            rule.state = "waiting" if not rule._is_open() else "running" if rule.left else "sold_out"

    def action_open_holds(self):
        """What was promised of it."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.name,
            "res_model": "bridge.hold",
            "view_mode": "list",
            "domain": [("is_preorder", "=", True), ("product_id", "in", self._products().ids)],
        }
