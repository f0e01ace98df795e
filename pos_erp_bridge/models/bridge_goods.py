# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from datetime import datetime
from zoneinfo import ZoneInfo

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import ormcache

from odoo.addons.base.models.res_partner import _tz_get

# Rules that begin and end by the clock: the channels are told when they do.
CLOCKED = ("bridge.season", "bridge.sales.limit", "bridge.preorder")


class BridgeGoods(models.AbstractModel):
    """A rule about some goods on some channels, in some time: what seasons, limits and preorders share."""

    _name = "bridge.goods"
    _description = "Rule about goods on channels"
    _check_company_auto = True

    name = fields.Char(required=True)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one("res.company", required=True, default=lambda self: self.env.company, index=True)
    timezone = fields.Selection(_tz_get, default="Asia/Tokyo", required=True)
    product_ids = fields.Many2many("product.product", string="Variants", check_company=True)
    template_ids = fields.Many2many("product.template", string="Products", check_company=True)
    channel_ids = fields.Many2many(
        "bridge.channel", string="Channels", check_company=True, help="Empty: every channel."
    )
    told_phase = fields.Char(readonly=True, copy=False, help="What the channels were last told of.")

    @api.model
    @ormcache()
    def _is_used(self):
        """Whether there is any rule of this kind; cached, for it is asked at every claim."""
        return bool(self.sudo().with_context(active_test=False).search_count([], limit=1))

    @api.model_create_multi
    def create(self, vals_list):
        rules = super().create(vals_list)
        self.env.registry.clear_cache()
        return rules

    # -- goods and places --------------------------------------------------------------------------
    def _product_domain(self):
        self.ensure_one()
        return Domain("company_id", "in", (False, self.company_id.id)) & (
            Domain("id", "in", self.product_ids.ids) | Domain("product_tmpl_id", "in", self.template_ids.ids)
        )

    def _products(self):
        """Everything the rule is about."""
        return self.env["product.product"].search(self._product_domain())

    def _channels(self):
        """The channels it is about."""
        self.ensure_one()
        domain = [("company_id", "=", self.company_id.id)]
        return self.channel_ids or self.env["bridge.channel"].sudo().search(domain)

    def _keys(self, stores, products):
        """{(store id, product id)} of these the rule is about."""
        stores = stores.filtered(lambda store: store.channel_id in self._channels())
        if not stores:
            return set()
        mine = self.env["product.product"].sudo().search(self._product_domain() & Domain("id", "in", products.ids))
        return {(store_id, product_id) for store_id in stores.ids for product_id in mine.ids}

    def _need_goods(self):
        for rule in self:
            if not rule._products():
                raise UserError(self.env._("Choose what %s is about: products or variants.", rule.name))

    # -- telling -----------------------------------------------------------------------------------
    def _now(self):
        """Now, in the rule's time zone."""
        return datetime.now(ZoneInfo(self.timezone))

    def _utc(self, moment):
        """A moment in the rule's time zone as the naive UTC Odoo stores."""
        return moment.astimezone(ZoneInfo("UTC")).replace(tzinfo=None)

    def _midnight(self, day):
        return self.env["bridge.channel"]._local_midnight(day, self.timezone)

    def _touch(self):
        """The channels hear anew of the goods."""
        for rule in self.sudo():
            products = rule._products()
            for channel in rule._channels().filtered(lambda c: c.state == "live"):
                self.env["bridge.touch"]._touch_products(channel, products)

    def _phase_key(self):
        """Text that changes whenever what channels are told may change by the clock alone."""
        raise NotImplementedError

    def _clocked_domain(self):
        return Domain("active", "=", True)

    @api.model
    def _tick(self, company):
        """Tell the channels of a company where something began or ended since they were last told."""
        for rule in self.sudo().search(Domain("company_id", "=", company.id) & self._clocked_domain()):
            key = rule._phase_key()
            if key != rule.told_phase:
                rule.told_phase = key
                rule._touch()


class BridgeChannel(models.Model):
    _inherit = "bridge.channel"

    def _run_poll_extra(self):
        super()._run_poll_extra()
        for name in CLOCKED:
            self._retrying(lambda channel, name=name: channel.env[name]._tick(channel.company_id))
