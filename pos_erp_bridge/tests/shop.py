# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""A small Japanese shop and its channels, connected to the connectors' own sandboxes over real sockets."""

from odoo.fields import Command, Date

from ..connectors import sandbox

PRODUCTS = (
    # code (JAN), name, price with tax, reduced rate
    ("4900000000016", "おにぎり 紅鮭", 151, True),
    ("4900000000023", "緑茶 525ml", 138, True),
    ("4900000000030", "食パン 6枚切", 217, True),
    ("4900000000047", "単3乾電池 4本", 438, False),
    ("4900000000054", "歯ブラシ ふつう", 327, False),
)


def make_company(env, name="テスト商店"):
    """A JPY company with the Japanese chart of accounts and taxes included in prices; returns an env in it."""
    company = env["res.company"].create(
        {"name": name, "country_id": env.ref("base.jp").id, "currency_id": env.ref("base.JPY").id}
    )
    env.ref("base.JPY").active = True
    env.user.write({"company_ids": [Command.link(company.id)], "company_id": company.id})
    env = env(context={**env.context, "allowed_company_ids": company.ids, "tz": "Asia/Tokyo"})
    env["account.chart.template"].try_loading("jp", company=company, install_demo=False)
    sale_taxes = env["account.tax"].search([("type_tax_use", "=", "sale"), ("amount", "in", (8, 10))])
    sale_taxes.price_include_override = "tax_included"
    return env


def make_products(env, quantity=100):
    """The products of PRODUCTS, with stock; {code: product}."""
    taxes = {tax.amount: tax for tax in env["account.tax"].search([("type_tax_use", "=", "sale")])}
    products = env["product.product"].create(
        [
            {
                "name": name,
                "barcode": code,
                "list_price": price,
                "is_storable": True,
                "available_in_pos": True,
                "taxes_id": [Command.set(taxes[8 if reduced else 10].ids)],
                "company_id": env.company.id,
            }
            for code, name, price, reduced in PRODUCTS
        ]
    )
    location = warehouse(env).lot_stock_id
    for product in products:
        env["stock.quant"]._update_available_quantity(product, location, quantity)
    return {product.barcode: product for product in products}


def warehouse(env):
    """The company's warehouse; outside of tests Odoo makes none for a second company."""
    Warehouse = env["stock.warehouse"]
    return Warehouse.search([("company_id", "=", env.company.id)], limit=1) or Warehouse.create(
        {"company_id": env.company.id}
    )


class Vendor:
    """A connector's sandbox and the channel that is connected to it."""

    def __init__(self, env, system, stores=1):
        """Start the sandbox, connect a live channel to it and map its stores to the warehouse."""
        self.system, self.env = system, env
        self.sandbox = sandbox.make(system)
        self.url = self.sandbox.start()
        self.deliveries = []
        self.sandbox.announce = self._keep_delivery
        keys = ("code", "name", "price", "reduced")
        self.sandbox.do_load(
            products=[dict(zip(keys, product, strict=True)) for product in PRODUCTS],
            stores=[{"id": str(i), "name": f"店舗{i}"} for i in range(1, stores + 1)],
        )
        self.channel = env["bridge.channel"].create(
            {"name": f"{system} {self.url}", "system": system, "start_date": Date.subtract(Date.today(), days=40)}
        )
        for row in self.channel.setting_ids:
            row.value = self.sandbox.settings(self.url).get(row.name, row.value)
        self.channel.action_check()
        self._map_stores()
        self.channel.write({"state": "live"})

    def _map_stores(self):
        location = warehouse(self.env).lot_stock_id
        for store in self.channel.store_ids:
            store.location_id = location
            if self.channel.kind == "till":
                store.pos_config_id = self.env["pos.config"].create({"name": store.name})
        self.channel.default_store_id = self.channel.store_ids[:1]

    def stop(self):
        self.sandbox.stop()

    # -- what the vendor does --------------------------------------------------------------------
    def _keep_delivery(self, topic, payload):
        import json

        body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
        self.deliveries.append((body, {k.lower(): v for k, v in self.sandbox.sign(topic, body).items()}))

    def sell(self, *codes, **options):
        """Sell one piece of each code; returns the external id."""
        with self.sandbox.lock:
            items = [{"code": code, "quantity": 1} for code in codes]
            return self.sandbox.do_sell(items=items, **options)["id"]

    def do(self, action, *args, **kwargs):
        with self.sandbox.lock:
            return getattr(self.sandbox, f"do_{action}")(*args, **kwargs)
