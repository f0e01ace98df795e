# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The emergency sheet: what a store needs on paper to go on selling when nothing answers."""

import json
from datetime import timedelta
from types import SimpleNamespace
from urllib.parse import urlencode

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_datetime

from .. import jan_bars

REPORT = "pos_erp_bridge.emergency_sheet"
# Millimetres on A4. Pages are made here, not by the browser: then every one has its header and its number.
PAGE, ROW, HEADING = 222.0, 11.0, 6.0
SPARE_ROWS = 5  # for what is sold and not on the list
BOXES = 4  # of five strokes each


class BridgeEmergencySheet(models.TransientModel):
    _name = "bridge.emergency.sheet"
    _description = "Emergency sheet"

    store_ids = fields.Many2many(
        "bridge.store", string="Stores", required=True, domain="[('location_id', '!=', False)]",
        default=lambda self: self._default_stores(), help="One sheet each.",
    )  # fmt: skip
    which = fields.Selection(
        [("sold", "Sold lately"), ("stock", "All in stock"), ("category", "Some categories")],
        "Products", default="sold", required=True,
    )  # fmt: skip
    days = fields.Integer("Within days", default=28, required=True)
    pos_categ_ids = fields.Many2many("pos.category", string="Point of sale categories")

    @api.model
    def _default_stores(self):
        if self.env.context.get("active_model") == "bridge.store":
            return self.env["bridge.store"].browse(self.env.context.get("active_ids"))
        return self.env["bridge.store"].search(
            [("location_id", "!=", False), ("kind", "=", "till"), ("company_id", "in", self.env.companies.ids)]
        )

    def action_print(self):
        """Open the sheet in a tab of its own: print it there, or save it as PDF."""
        self.ensure_one()
        if self.which == "category" and not self.pos_categ_ids:
            raise UserError(self.env._("Choose the categories to print."))
        options = {"which": self.which, "days": self.days, "categories": self.pos_categ_ids.ids}
        # The tab is a request of its own: it would not know the companies chosen, nor the language.
        context = {
            key: self.env.context[key] for key in ("lang", "tz", "allowed_company_ids") if key in self.env.context
        }
        query = urlencode({"options": json.dumps(options), "context": json.dumps(context)})
        ids = ",".join(str(i) for i in self.store_ids.ids)
        return {"type": "ir.actions.act_url", "url": f"/report/html/{REPORT}/{ids}?{query}", "target": "new"}


class ReportEmergencySheet(models.AbstractModel):
    _name = f"report.{REPORT}"
    _description = "Emergency sheet of a store"

    @api.model
    def _get_report_values(self, docids, data=None):
        """One sheet for each store: its pages, each a list of rows."""
        data = data or {}
        stores = self.env["bridge.store"].browse(docids or data.get("context", {}).get("active_ids"))
        stores.check_access("read")
        unmapped = stores.filtered(lambda store: not store.location_id)
        if unmapped or not stores:
            raise UserError(
                self.env._(
                    "There is no stock to print for %s: say where the store is in Odoo, under Mappings, Stores.",
                    ", ".join(unmapped.mapped("name")) or self.env._("no store"),
                )
            )
        which = data.get("which") or "sold"
        days = max(1, int(data.get("days") or 28))
        return {
            "sheets": [self._sheet(store, which, days, data.get("categories") or []) for store in stores],
            "boxes": range(BOXES),
            "lang": self.env.lang or "en_US",
            "title": self.env._("Emergency sheet %s", ", ".join(stores.mapped("name"))),
        }

    def _sheet(self, store, which, days, category_ids):
        channel = store.channel_id
        products = self._products(store, which, days, category_ids).with_context(lang=self.env.lang)
        pages = self._pages(self._rows(store, products))
        titles = {
            "sold": self.env._("Products sold in the last %s days", days),
            "stock": self.env._("All products in stock"),
            "category": self.env._(
                "Categories: %s", ", ".join(self.env["pos.category"].browse(category_ids).mapped("name"))
            ),
        }
        printed_at, since = (self._local(channel, at) for at in (fields.Datetime.now(), channel.unanswered_since))
        blind = since and self.env._("What the till sold since %s is not taken off.", since)
        return SimpleNamespace(
            store=store, company=store.sudo().company_id, pages=pages, title=titles[which], printed_at=printed_at,
            stock_text=self.env._("Stock as of %s", printed_at), blind_text=blind,
        )  # fmt: skip

    def _local(self, channel, moment, pattern="yyyy-MM-dd HH:mm"):
        return format_datetime(self.env, moment, tz=channel.timezone, dt_format=pattern) if moment else ""

    # -- what is on it ---------------------------------------------------------------------------
    def _products(self, store, which, days, category_ids):
        """Goods of the store's company, by point of sale category and name."""
        here = [("location_id", "child_of", store.location_id.id)]
        Product = self.env["product.product"].sudo()
        if which == "sold":
            since = fields.Datetime.now() - timedelta(days=days)
            domain = [("state", "=", "done"), ("date", ">=", since), ("location_dest_id.usage", "=", "customer"), *here]
            groups = self.env["stock.move"].sudo()._read_group(domain, ["product_id"])
            products = Product.union(*(product for (product,) in groups))
        elif which == "stock":
            having = [("quantity:sum", ">", 0)]
            groups = self.env["stock.quant"].sudo()._read_group(here, ["product_id"], having=having)
            products = Product.union(*(product for (product,) in groups))
        else:
            products = Product.search(
                [
                    ("pos_categ_ids", "child_of", category_ids),
                    ("company_id", "in", (False, store.company_id.id)),
                ]
            )
        products = products.with_company(store.company_id).filtered(lambda p: p.active and p.type == "consu")
        return products.sorted(lambda p: (self._category_key(p), p.name, p.id))

    @staticmethod
    def _category_key(product):
        """Products of no category come last; with several, the first one counts."""
        category = product.pos_categ_ids[:1]
        return (not category, category.sequence, category.name or "")

    def _rows(self, store, products):
        """A row for each product, and one above each category."""
        free = self.env["bridge.availability"].sudo()._available(store.location_id, products)
        groups = (
            self.env["stock.quant"]
            .sudo()
            ._read_group(
                [("product_id", "in", products.ids), ("location_id", "child_of", store.location_id.id)],
                ["product_id"],
                ["quantity:sum", "write_date:max"],
            )
        )
        known = {product.id: (quantity, changed_at) for product, quantity, changed_at in groups}
        prices = self._prices(store, products)
        rows, last = [], None
        for number, product in enumerate(products, 1):
            category = product.pos_categ_ids[:1]
            if category != last:
                rows.append(SimpleNamespace(height=HEADING, heading=category.name or self.env._("Other products")))
                last = category
            on_hand, changed_at = known.get(product.id, (0.0, None))
            quantity = free.get(product.id)
            width, bars = jan_bars.path(product.barcode or "")
            promised = 0.0 if quantity is None else on_hand - max(0.0, quantity)
            rows.append(
                SimpleNamespace(
                    height=ROW, heading="", number=number, product=product, barcode=product.barcode or "",
                    bars=bars, width=width, price=prices[product.id],
                    variant=product.product_template_attribute_value_ids._get_combination_name(),
                    quantity=None if quantity is None else f"{max(0.0, quantity):g}",
                    promised=promised > 0 and self.env._("promised: %s", f"{promised:g}"),
                    changed_at=self._local(store.channel_id, changed_at, "MM-dd HH:mm"),
                )
            )  # fmt: skip
        return rows

    def _prices(self, store, products):
        """{product id: price with tax, as printed}, of the till's price list where it has one."""
        company = store.company_id
        pricelist = store.sudo().pos_config_id.pricelist_id
        prices = pricelist._get_products_price(products, quantity=1.0) if pricelist else {}
        result = {}
        for product in products:
            price = prices.get(product.id, product.lst_price)
            taxes = product.taxes_id.filtered(lambda tax: tax.company_id == company)
            if not all(tax.price_include for tax in taxes):
                price = taxes.compute_all(price, company.currency_id, product=product)["total_included"]
            result[product.id] = company.currency_id.format(price)
        return result

    @staticmethod
    def _pages(rows):
        """Rows by page; a heading is never the last thing on one. Spare rows end the last page."""
        rows = rows + [SimpleNamespace(height=ROW, heading="", number="", product=None) for _ in range(SPARE_ROWS)]
        pages, left = [[]], PAGE
        for i, row in enumerate(rows):
            need = row.height + (rows[i + 1].height if row.heading else 0)
            if need > left:
                pages.append([])
                left = PAGE
            pages[-1].append(row)
            left -= row.height
        return pages
