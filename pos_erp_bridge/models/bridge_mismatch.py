# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Where a channel's product is not what it is in Odoo: the sale there pauses until somebody decides."""

from decimal import Decimal

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import ormcache

from ..fiscal.order_amounts import plain

COMPARE_BATCH = 1000
FLAGS = {True: "reduced", False: "standard"}


class BridgeMismatch(models.Model):
    """One thing (price, tax, JAN) of one product that a channel and Odoo tell differently.

    Values are kept as plain text, the same in every language: a price "160", a tax "8/reduced" (either part may be
    unknown: "/reduced", "10/"), a JAN its digits.
    """

    _name = "bridge.mismatch"
    _inherit = ["bridge.readonly"]
    _description = "Difference of product data"
    _order = "state desc, id desc"
    _rec_name = "product_id"

    channel_id = fields.Many2one("bridge.channel", required=True, ondelete="cascade", index=True, readonly=True)
    company_id = fields.Many2one(related="channel_id.company_id", store=True, index=True)
    currency_id = fields.Many2one(related="company_id.currency_id")
    product_id = fields.Many2one("product.product", required=True, ondelete="cascade", index=True, readonly=True)
    field = fields.Selection(
        [("price", "Price"), ("tax", "Tax rate"), ("barcode", "JAN")], "What differs", required=True, readonly=True
    )
    channel_value = fields.Char(readonly=True)
    odoo_value = fields.Char(readonly=True)
    tax_included = fields.Boolean("Prices include tax", readonly=True)
    channel_text = fields.Char("The channel says", compute="_compute_texts")
    odoo_text = fields.Char("Odoo says", compute="_compute_texts")
    state = fields.Selection(
        [
            ("open", "To decide"),
            ("odoo", "Odoo is right"),
            ("channel", "The channel is right"),
            ("agreed", "Resolved by itself"),
        ],
        default="open",
        required=True,
        readonly=True,
    )
    decided_by_id = fields.Many2one("res.users", "Decided by", readonly=True)
    decided_at = fields.Datetime("Decided", readonly=True)

    _open_uniq = models.UniqueIndex(
        "(channel_id, product_id, field) WHERE state = 'open'", "This difference waits to be decided already."
    )

    @api.depends("field", "channel_value", "odoo_value", "tax_included")
    @api.depends_context("lang")
    def _compute_texts(self):
        for row in self:
            row.channel_text = row._text(row.channel_value)
            row.odoo_text = row._text(row.odoo_value)

    def _text(self, value):
        """A stored value for people."""
        if not value:
            return self.env._("none")
        if self.field == "price":
            amount = self.currency_id.format(float(value))
            if self.tax_included:
                return self.env._("%s with tax", amount)
            return self.env._("%s without tax", amount)
        if self.field == "barcode":
            return value
        rate, _sep, flag = value.partition("/")
        words = {"reduced": self.env._("reduced rate"), "standard": self.env._("not reduced"), "": ""}
        return " ".join(part for part in (rate and f"{rate}%", words[flag]) if part)

    # -- comparing -------------------------------------------------------------------------------
    @api.model
    def _compare_due(self, channel):
        """Compare a batch of what changed at the channel or in Odoo. Returns how many products were looked at."""
        bindings = (
            self.env["bridge.binding"]
            .sudo()
            .search(
                [("channel_id", "=", channel.id), ("entity", "=", "product"), ("compare_due", "=", True)],
                limit=COMPARE_BATCH,
                order="id",
            )
        )
        self._compare(channel, bindings._products_bound())
        bindings.compare_due = False
        return len(bindings)

    @api.model
    def _compare(self, channel, products):
        """Open what differs, resolve what agrees; the channel hears of products it may or may no longer sell."""
        if not products:
            return
        found = self._differences(channel, products)
        rows = self.sudo().search(
            [
                ("channel_id", "=", channel.id),
                ("product_id", "in", products.ids),
                ("state", "in", ("open", "odoo")),
            ]
        )
        # What was accepted are these very values. While others differ, an accepted row stays as it was decided: nothing
        # was resolved, and should the channel say its value again, that question is answered already.
        accepted = rows.filtered(lambda row: row.state == "odoo" and row._tells(found.get(row._key())))
        answered = {row._key() for row in accepted}
        told, asked = self.env["product.product"], set()
        for row in rows:
            key = row._key()
            if key not in found or (row.state == "open" and key in answered):
                # Agreed again: should the same difference come back, it is a new one.
                told |= row.product_id if row.state == "open" else told
                row.state = "agreed"
            elif row.state == "open":
                row.write({name: value for name, value in found[key].items() if row[name] != value})
                asked.add(key)
        new = self.sudo().create(
            [
                {"channel_id": channel.id, "product_id": product_id, "field": field, **vals}
                for (product_id, field), vals in found.items()
                if (product_id, field) not in answered | asked
            ]
        )
        self.env["bridge.touch"]._touch_products(channel, told | new.product_id)

    def _key(self):
        return self.product_id.id, self.field

    def _tells(self, vals):
        """Whether this row is about just these values (of ``_differences``; None: nothing differs)."""
        return vals is not None and all(self[name] == value for name, value in vals.items())

    @api.model
    def _differences(self, channel, products, told=None):
        """What the channel says otherwise of these products.

        :param told: {product id: [what the channel says, see ``bridge.binding.told``]}; by default what it said last
        :return: {(product id, field): {"channel_value", "odoo_value", "tax_included"}}
        """
        if told is None:
            told = self.env["bridge.binding"]._told(channel, products)
        checked = channel._checked_fields()
        known = products.filtered(lambda p: told.get(p.id)) if checked else products.browse()
        result = {}
        for product_id, ours in channel._product_values(known).items():
            for theirs in told[product_id]:
                for field, vals in self._differ(channel, theirs, ours):
                    if field in checked:
                        result.setdefault((product_id, field), vals)
        return result

    @staticmethod
    def _differ(channel, theirs, ours):
        """Yield (field, values) of what differs; what one side does not know never does."""
        is_included = theirs.get("tax_included", True)
        if theirs.get("price") is not None:
            our_price = ours["included"] if is_included else ours["excluded"]
            if channel.currency_id.compare_amounts(float(theirs["price"]), our_price):
                text = plain(str(channel.currency_id.round(our_price))).replace(",", "")
                yield "price", {"channel_value": theirs["price"], "odoo_value": text, "tax_included": is_included}
        rate, is_reduced = theirs.get("tax_rate"), theirs.get("reduced")
        if ours["rate"] is not None and (
            (rate is not None and Decimal(rate) != ours["rate"])
            or (is_reduced is not None and is_reduced != ours["reduced"])
        ):
            value = f"{'' if rate is None else plain(rate)}/{FLAGS.get(is_reduced, '')}"
            our_value = f"{plain(ours['rate'])}/{FLAGS[ours['reduced']]}"
            yield "tax", {"channel_value": value, "odoo_value": our_value, "tax_included": is_included}
        barcode = theirs.get("barcode")
        if barcode and barcode.zfill(14) != (ours["barcode"] or "").zfill(14):
            # A JAN is the same number with and without the zeros a wider code begins with.
            values = {"channel_value": barcode, "odoo_value": ours["barcode"] or False, "tax_included": is_included}
            yield "barcode", values

    @api.model
    @ormcache()
    def _is_used(self):
        """Whether any difference was ever found; cached, for it is asked at every claim."""
        return bool(self.sudo().search_count([], limit=1))

    @api.model_create_multi
    def create(self, vals_list):
        # Asked first: afterwards this process would find its own row, and others keep selling on what they remember.
        was_used = self._is_used()
        rows = super().create(vals_list)
        if rows and not was_used:
            self.env.registry.clear_cache()
        return rows

    @api.model
    def _paused(self, stores, products):
        """{(store id, product id): sentence} of what may not be sold until somebody decides."""
        if not self._is_used():
            return {}
        live = stores.channel_id.filtered(lambda channel: channel.state == "live")
        rows = self.sudo().search(
            [
                ("channel_id", "in", live.ids),
                ("product_id", "in", products.ids),
                ("state", "=", "open"),
            ],
            order="id desc",
        )
        by_channel = {channel: channel_stores.ids for channel, channel_stores in stores.grouped("channel_id").items()}
        return {
            (store_id, row.product_id.id): row._sentence()
            for row in rows
            for store_id in by_channel.get(row.channel_id, ())
        }

    def _sentence(self):
        self.ensure_one()
        label = dict(self._fields["field"]._description_selection(self.env))[self.field]
        return self.env._(
            "%(what)s differs: the channel says %(theirs)s, Odoo %(ours)s. Decide under Mappings, Product differences.",
            what=label,
            theirs=self.channel_text,
            ours=self.odoo_text,
        )

    # -- decisions -------------------------------------------------------------------------------
    def action_odoo_is_right(self):
        """Sell again; the channel's value is going to be corrected over there. The same is not asked twice."""
        self._decide("odoo")

    def action_channel_is_right(self):
        """Take the channel's value over into Odoo, and sell again."""
        if not self.env.user.has_group("pos_erp_bridge.group_bridge_manager"):
            raise AccessError(
                self.env._("Prices, taxes and JAN codes of Odoo are changed by managers of the bridge: ask one.")
            )
        rows = self.filtered(lambda row: row.state == "open").sudo()
        for row in rows:
            getattr(row, f"_take_{row.field}")()
        rows._decide("channel")
        for (channel, product), some in rows.grouped(lambda row: (row.channel_id, row.product_id)).items():
            left = self._differences(channel, product)
            for row in some:
                if vals := left.get((product.id, row.field)):
                    raise UserError(
                        self.env._(
                            "%(product)s: Odoo still says %(ours)s, not %(theirs)s. Something else decides it, for "
                            "example a rule of the pricelist: change that, or decide that Odoo is right.",
                            product=product.display_name,
                            ours=row._text(vals["odoo_value"]),
                            theirs=row.channel_text,
                        )
                    )

    def _decide(self, state):
        rows = self.filtered(lambda row: row.state == "open")
        rows.check_access("write")
        rows.sudo().write({"state": state, "decided_by_id": self.env.uid, "decided_at": fields.Datetime.now()})
        for channel, some in rows.grouped("channel_id").items():
            self.env["bridge.touch"]._touch_products(channel, some.product_id)

    def _take_price(self):
        channel, product = self.channel_id, self.product_id.with_company(self.company_id)
        price = channel._price_in_odoo(product, Decimal(self.channel_value), self.tax_included)
        if channel.pricelist_id:
            items = self.env["product.pricelist.item"]
            item = items.search(
                [
                    ("pricelist_id", "=", channel.pricelist_id.id),
                    ("applied_on", "=", "0_product_variant"),
                    ("product_id", "=", product.id),
                    ("compute_price", "=", "fixed"),
                    ("min_quantity", "<=", 1),
                    ("date_start", "=", False),
                    ("date_end", "=", False),
                ],
                limit=1,
            )
            vals = {"fixed_price": price}
            key = {"pricelist_id": channel.pricelist_id.id, "applied_on": "0_product_variant", "product_id": product.id}
            key["product_tmpl_id"] = product.product_tmpl_id.id
            item.write(vals) if item else items.create(key | vals | {"compute_price": "fixed"})
        elif len(product.product_tmpl_id.product_variant_ids) > 1:
            raise UserError(
                self.env._(
                    "The variants of %s share one price in Odoo. Set a pricelist on the channel, which can hold a "
                    "price of its own for each, or change the price by hand.",
                    product.product_tmpl_id.display_name,
                )
            )
        else:
            product.lst_price = price

    def _take_tax(self):
        product, company = self.product_id, self.company_id
        tax = self.channel_id._tax_told(self.channel_value)
        others = product.taxes_id.filtered(lambda t: t.company_id not in company.parent_ids)
        product.taxes_id = others | tax

    def _take_barcode(self):
        self.product_id.barcode = self.channel_value


class BridgeAvailability(models.AbstractModel):
    _inherit = "bridge.availability"

    @api.model
    def _brakes(self, stores, products):
        return super()._brakes(stores, products) | self.env["bridge.mismatch"]._paused(stores, products)
