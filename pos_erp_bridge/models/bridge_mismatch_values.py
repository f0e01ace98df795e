# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The two sides of a comparison of product data: what a channel said, and what Odoo says."""

from decimal import Decimal

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..fiscal.order_amounts import plain

CHECKS = {"price": "check_price", "tax": "check_tax", "barcode": "check_barcode"}


class BridgeBinding(models.Model):
    _inherit = "bridge.binding"

    told = fields.Json(
        readonly=True,
        help="What the channel last said of the product: price, tax_included, tax_rate, reduced, barcode; null where "
        "it says nothing. Empty: never told, or no longer sold there.",
    )
    compare_due = fields.Boolean(readonly=True, help="The product changed, there or in Odoo, since they were compared.")

    _compare_index = models.Index("(channel_id) WHERE compare_due")

    def write(self, vals):
        """What is mapped to another product now says nothing about the old one any more."""
        if "res_id" in vals:
            self.filtered(lambda b: b.entity == "product" and b.res_id != vals["res_id"])._forget_mismatches()
            vals = vals | {"compare_due": True}
        return super().write(vals)

    def unlink(self):
        self.filtered(lambda b: b.entity == "product")._forget_mismatches()
        return super().unlink()

    def _forget_mismatches(self):
        Mismatch = self.env["bridge.mismatch"].sudo()
        for channel, bindings in self.grouped("channel_id").items():
            rows = [("channel_id", "=", channel.id), ("product_id", "in", bindings.mapped("res_id"))]
            Mismatch.search([*rows, ("state", "=", "open")]).state = "agreed"

    @api.model
    def _prepare_told(self, record):
        """A canonical Product as ``told``."""
        if not record.active:
            return False
        number = {"price": record.price, "tax_rate": record.tax_rate}
        return {name: None if value is None else plain(value).replace(",", "") for name, value in number.items()} | {
            "tax_included": record.tax_included,
            "reduced": record.reduced,
            "barcode": record.ref.barcode or None,
        }

    @api.model
    def _told(self, channel, products):
        """{product id: [what the channel said of it]}: a product may have several ids there."""
        bindings = self.sudo().search(
            [("channel_id", "=", channel.id), ("entity", "=", "product"), ("res_id", "in", products.ids)], order="id"
        )
        result = {}
        for binding in bindings.filtered("told"):
            result.setdefault(binding.res_id, []).append(binding.told)
        return result

    def _products_bound(self):
        """The products of product bindings, deleted ones left out."""
        return self.env["product.product"].browse(sorted(set(self.mapped("res_id")))).exists()

    @api.model
    def _compare_soon(self, products=None, channels=None):
        """Have products compared by the outward lanes of these channels (None: all products, all channels).

        One statement, for it is called whenever somebody edits a product.
        """
        domain = [("entity", "=", "product"), ("told", "!=", False), ("compare_due", "=", False)]
        domain += [("res_id", "in", products.ids)] if products is not None else []
        domain += [("channel_id", "in", channels.ids)] if channels is not None else []
        bindings = self.sudo().search(domain)
        bindings.compare_due = True
        self.env["bridge.channel"]._wake_many(bindings.channel_id.ids, "outward")


class BridgeChannel(models.Model):
    _inherit = "bridge.channel"

    pricelist_id = fields.Many2one(
        "product.pricelist",
        check_company=True,
        domain="[('currency_id', '=', currency_id)]",
        help="Prices the channel should show. Empty: the list price of the products.",
    )
    check_price = fields.Boolean(
        "Compare prices",
        default=True,
        help="Where the channel shows another price, the product is not sold there until somebody decides.",
    )
    check_tax = fields.Boolean("Compare tax rates", default=True)
    check_barcode = fields.Boolean("Compare JAN codes", default=True)
    mismatch_count = fields.Integer("Products differ", compute="_compute_mismatch_count")

    @api.constrains("pricelist_id", "company_id")
    def _check_pricelist_currency(self):
        for channel in self:
            if channel.pricelist_id and channel.pricelist_id.currency_id != channel.currency_id:
                raise ValidationError(
                    self.env._(
                        "The pricelist of %(channel)s is in %(theirs)s, the company keeps its books in %(ours)s. "
                        "Choose a pricelist in %(ours)s.",
                        channel=channel.name,
                        theirs=channel.pricelist_id.currency_id.name,
                        ours=channel.currency_id.name,
                    )
                )

    def _compute_mismatch_count(self):
        counts = self._counts("bridge.mismatch", [("state", "=", "open")])
        for channel in self:
            channel.mismatch_count = counts.get(channel.id, 0)

    def action_open_mismatches(self):
        return self._open("bridge_mismatch_action", open=True)

    def write(self, vals):
        result = super().write(vals)
        if vals.keys() & {"pricelist_id", *CHECKS.values()}:
            self.env["bridge.binding"]._compare_soon(channels=self)
        return result

    def _run_outward(self):
        """Compare first: what is found to differ is not published any more."""
        if self.state == "live":
            while self._retrying(lambda channel: channel.env["bridge.mismatch"]._compare_due(channel)):
                pass
        return super()._run_outward()

    # -- Odoo's side -----------------------------------------------------------------------------
    def _checked_fields(self):
        self.ensure_one()
        return {field for field, name in CHECKS.items() if self[name]}

    def _product_values(self, products):
        """{product id: {"included", "excluded": price in the company's currency, "rate": percent as Decimal (None:
        not a percentage), "reduced": bool, "barcode"}} as Odoo has them for this channel."""
        self.ensure_one()
        company, currency = self.company_id, self.currency_id
        products = products.sudo().with_company(company)
        prices = (
            self.pricelist_id.sudo()._get_products_price(products, 1.0, currency=currency)
            if self.pricelist_id
            else {product.id: product.lst_price for product in products}
        )
        standard, totals, result = self._standard_rate(), {}, {}
        for product in products:
            taxes = product.taxes_id._filter_taxes_by_company(company)
            key = (taxes, prices[product.id])
            if key not in totals:
                totals[key] = taxes.compute_all(prices[product.id], currency=currency, product=product)
            rate = None
            if all(tax.amount_type == "percent" for tax in taxes):
                rate = sum((Decimal(str(tax.amount)) for tax in taxes), Decimal(0))
            result[product.id] = {
                "included": totals[key]["total_included"],
                "excluded": totals[key]["total_excluded"],
                "rate": rate,
                "reduced": bool(rate and rate < standard),
                "barcode": product.barcode,
            }
        return result

    def _sale_taxes(self):
        """The company's sales taxes in percent."""
        domain = [*self.env["account.tax"]._check_company_domain(self.company_id), ("type_tax_use", "=", "sale")]
        return self.env["account.tax"].sudo().search([*domain, ("amount_type", "=", "percent")])

    def _standard_rate(self):
        """The rate goods bear that no relief is given to: the highest of the company's sales taxes, in percent."""
        return max((Decimal(str(tax.amount)) for tax in self._sale_taxes()), default=Decimal(0))

    def _tax_told(self, value):
        """The sales tax a channel means by ``value`` ("8/reduced", "/reduced", "10/", …); UserError when it is not
        exactly one."""
        rate, _sep, flag = value.partition("/")
        standard = self._standard_rate()
        if not rate and flag == "standard":
            rate = str(standard)
        if not rate:
            taxes = self.tax_ids or self._sale_taxes().filtered("price_include")
            rates = {Decimal(str(tax.amount)) for tax in taxes if 0 < Decimal(str(tax.amount)) < standard}
            if len(rates) != 1:
                raise UserError(
                    self.env._(
                        "The channel says “reduced rate”, and the company has %s sales taxes that may be meant. Set "
                        "the tax on the product by hand.",
                        len(rates),
                    )
                )
            rate = str(rates.pop())
        found, missing = self.sudo()._taxes_for([rate])
        if missing:
            raise UserError(next(iter(missing.values())).name + ".")
        return found[Decimal(rate)]

    def _price_in_odoo(self, product, price, is_included):
        """A price of the channel in the tax basis of the product's price in Odoo."""
        taxes = product.taxes_id._filter_taxes_by_company(self.company_id)
        ours = set(taxes.mapped("price_include"))
        if not taxes or ours == {is_included}:
            return float(price)
        if len(ours) > 1 or any(tax.amount_type != "percent" for tax in taxes):
            raise UserError(
                self.env._(
                    "%s has several taxes, some of them in the price and some not: change its price by hand.",
                    product.display_name,
                )
            )
        factor = 1 + sum(Decimal(str(tax.amount)) for tax in taxes) / 100
        return float(price / factor if is_included else price * factor)


class ProductTemplate(models.Model):
    _inherit = "product.template"

    def write(self, vals):
        result = super().write(vals)
        if vals.keys() & {"list_price", "taxes_id"}:
            self.env["bridge.binding"]._compare_soon(self.with_context(active_test=False).product_variant_ids)
        return result


class ProductProduct(models.Model):
    _inherit = "product.product"

    def write(self, vals):
        result = super().write(vals)
        if "barcode" in vals:
            self.env["bridge.binding"]._compare_soon(self)
        return result


class ProductPricelistItem(models.Model):
    _inherit = "product.pricelist.item"

    @api.model_create_multi
    def create(self, vals_list):
        items = super().create(vals_list)
        items._bridge_compare()
        return items

    def write(self, vals):
        result = super().write(vals)
        self._bridge_compare()
        return result

    def unlink(self):
        self._bridge_compare()
        return super().unlink()

    def _bridge_compare(self):
        """The prices channels should show may have changed."""
        channels = self.env["bridge.channel"].sudo().search([("pricelist_id", "!=", False)])
        for channel in channels.filtered(lambda c: c.pricelist_id in self.pricelist_id):
            self.env["bridge.binding"]._compare_soon(self._bridge_products(channel), channel)

    def _bridge_products(self, channel):
        """Products these rules may price on a channel; None: any."""
        items = self.filtered(lambda item: item.pricelist_id == channel.pricelist_id)
        if any(item.applied_on in ("2_product_category", "3_global") for item in items):
            return None
        return items.product_id | items.filtered(lambda i: not i.product_id).product_tmpl_id.product_variant_ids
