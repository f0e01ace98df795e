"""Builds the demo shop in a fresh database: company, goods, tills, channels, people."""

import base64
import io
import sys
from pathlib import Path

from PIL import Image, ImageOps

from odoo.fields import Command

from demo import catalogue, layout

sys.path.append(str(Path(__file__).resolve().parent.parent / "pos_erp_bridge"))

JA = {"lang": "ja_JP"}
LOGO = Path(__file__).resolve().parent.parent / "pos_erp_bridge" / "static" / "description" / "icon.png"


def build_master_data(env):
    """Everything that needs no channel. Returns the environment of the finished company."""
    _languages(env)
    company = _company(env)
    places = _places(env)
    products = _products(env, company)
    _initial_stock(env, products, places)
    tills = _tills(env, places)
    _people(env)
    return places, tills


def _languages(env):
    # Prices print as ¥160, dates as 2026/11/23.
    env["res.lang"]._activate_lang("ja_JP")
    env["ir.module.module"].search([("state", "=", "installed")])._update_translations(["ja_JP"])
    env["res.users"].browse(env.ref("base.user_admin").id).write({"lang": "ja_JP", "tz": "Asia/Tokyo"})
    env.ref("base.partner_root").lang = "ja_JP"
    env["ir.default"].set("res.partner", "lang", "ja_JP")
    env["ir.default"].set("res.partner", "tz", "Asia/Tokyo")


def _company(env):
    company = env.company
    yen = env.ref("base.JPY")
    yen.active = True
    tokyo = env["res.country.state"].search([("country_id.code", "=", "JP"), ("code", "=", "13")], limit=1)
    company.write(
        {
            "name": layout.COMPANY[0],
            "country_id": env.ref("base.jp").id,
            "currency_id": yen.id,
            "street": "千代田1-1",
            "city": "千代田区",
            "state_id": tokyo.id,
            "zip": "100-0001",
            "phone": "03-0000-0000",
            "email": "info@example.com",
            "website": "https://example.com",
            "company_registry": layout.REGISTRATION[1:],
        }
    )
    company.logo = base64.b64encode(_logo())
    company.partner_id.write({"tz": "Asia/Tokyo", "lang": "ja_JP", "vat": layout.REGISTRATION})
    # Before the chart: its taxes then include the tax in the price, as Japanese shelves show it.
    company.account_price_include = "tax_included"
    env["account.chart.template"].try_loading("jp", company)
    company.tax_calculation_rounding_method = "round_globally"  # one rounding per rate and document
    company.point_of_sale_update_stock_quantities = "real"
    env["ir.config_parameter"].set_param("web.base.url.freeze", "True")
    return company


def _logo():
    """The sign of the addon, dark on white: a receipt printer has no grey."""
    sign = Image.open(LOGO).convert("RGBA")
    dark = ImageOps.invert(sign.convert("L")).point(lambda value: 0 if value < 128 else 255)
    paper = Image.new("L", sign.size, 255)
    paper.paste(dark, mask=sign.getchannel("A"))
    with io.BytesIO() as file:
        paper.save(file, "PNG")
        return file.getvalue()


def _places(env):
    """One place of the warehouse per store; the web store sells from all of them."""
    warehouse = env["stock.warehouse"].search([("company_id", "=", env.company.id)], limit=1)
    warehouse.with_context(**JA).name = "本部"
    stock = warehouse.lot_stock_id
    places = {"WEB": stock}
    for store in layout.PLACES:
        vals = {"name": store.name_en, "location_id": stock.id, "usage": "internal"}
        places[store.key] = env["stock.location"].create(vals)
        places[store.key].with_context(**JA).name = store.name
    return places


def _tax(env, company, rate):
    return env["account.tax"].search(
        [("company_id", "=", company.id), ("type_tax_use", "=", "sale"), ("amount", "=", rate)], limit=1
    )


def _products(env, company):
    taxes = {True: _tax(env, company, 8), False: _tax(env, company, 10)}
    categories, pos_categories = {}, {}
    for sequence, (key, (name, name_en, _reduced)) in enumerate(catalogue.CATEGORIES.items(), 1):
        categories[key] = env["product.category"].create({"name": name_en})
        pos_categories[key] = env["pos.category"].create({"name": name_en, "sequence": sequence, "color": sequence})
        for made in (categories[key], pos_categories[key]):
            made.with_context(**JA).name = name
    items = catalogue.products()
    products = env["product.product"].create(
        [
            {
                "name": item.name_en,
                "barcode": item.code,
                "default_code": item.sku,
                "list_price": item.price,
                "standard_price": round(item.price * 0.6),
                "taxes_id": [Command.set(taxes[item.reduced].ids)],
                "categ_id": categories[item.category].id,
                "pos_categ_ids": [Command.set(pos_categories[item.category].ids)],
                "is_storable": True,
                "available_in_pos": True,
                "sale_ok": True,
                "invoice_policy": "order",
            }
            for item in items
        ]
    )
    for product, item in zip(products, items, strict=True):
        product.product_tmpl_id.update_field_translations("name", {"ja_JP": item.name})
    return dict(zip(items, products, strict=True))


def _initial_stock(env, products, places):
    keys = [store.key for store in layout.PLACES]
    rows = [
        {"product_id": product.id, "location_id": places[key].id, "inventory_quantity": pieces}
        for number, (item, product) in enumerate(products.items())
        for key, pieces in catalogue.stock_of(number, item, keys).items()
    ]
    env["stock.quant"].with_context(inventory_mode=True).create(rows).action_apply_inventory()


def _tills(env, places):
    """A point of sale per store that has a till; the main store's is Odoo's own, opened and ready."""
    tills = {}
    card = env["pos.payment.method"].create({"name": layout.CARD, "journal_id": _bank(env).id})
    warehouse = env["stock.warehouse"].search([("company_id", "=", env.company.id)], limit=1)
    for store in layout.PLACES:
        vals = {"name": f"{store.name_en}: till", "sequence_code": store.key}
        picking_type = warehouse.pos_type_id.copy({**vals, "default_location_src_id": places[store.key].id})
        picking_type.with_context(**JA).name = f"{store.name} レジ"
        vals = {"name": f"現金 {store.name}", "type": "cash", "code": f"C{store.key[:3]}"}
        cash = env["account.journal"].create(vals)
        methods = env["pos.payment.method"].create({"name": "現金", "journal_id": cash.id}) | card
        tills[store.key] = env["pos.config"].create(
            {
                "name": store.name,
                "picking_type_id": picking_type.id,
                "payment_method_ids": [Command.set(methods.ids)],
                "cash_control": True,
                "iface_print_auto": False,
                # The goods have no pictures; asking for each would keep both web workers busy for seconds.
                "show_product_images": False,
                "show_category_images": False,
                "receipt_header": store.name,
                "receipt_footer": "毎度ありがとうございます。",
                "is_header_or_footer": True,
            }
        )
    own = tills["HONTEN"].with_user(env.ref("base.user_admin"))
    own.open_ui()
    own.current_session_id.set_opening_control(30000, "")
    return tills


def _bank(env):
    return env["account.journal"].search([("type", "=", "bank"), ("company_id", "=", env.company.id)], limit=1)


def _people(env):
    for login, name, group in layout.USERS:
        more = ["point_of_sale.group_pos_user"] if login == "user" else []
        more += ["point_of_sale.group_pos_manager", "stock.group_stock_user"] if login == "manager" else []
        groups = ["base.group_user", f"pos_erp_bridge.{group}", *more]
        env["res.users"].with_context(no_reset_password=True).create(
            {
                "name": name,
                "login": login,
                "password": login,
                "email": f"{login}@example.com",
                "lang": "ja_JP",
                "tz": "Asia/Tokyo",
                "group_ids": [Command.set([env.ref(ref).id for ref in groups])],
            }
        )
    admin = env.ref("base.user_admin")
    for ref in ("stock.group_stock_multi_locations", "stock.group_stock_manager", "point_of_sale.group_pos_manager"):
        admin.group_ids = [Command.link(env.ref(ref).id)]


def build_channels(env, urls, places, tills, start_date):
    """Connect the sandboxes as a person would: settings, test, mapping of stores."""
    channels = env["bridge.channel"]
    for system, (name, _name_en) in layout.CHANNELS.items():
        channel = env["bridge.channel"].create({"name": name, "system": system, "start_date": start_date})
        for row in channel.setting_ids:
            value = sandbox_settings(system, urls[system]).get(row.name)
            if value is not None:
                row.value = value
        channel.action_check()
        stores = {store.external_id: store for store in layout.STORES if store.system == system}
        for mapped in channel.store_ids:
            key = stores[mapped.external_id].key
            mapped.write({"location_id": places[key].id, "pos_config_id": tills[key].id if key in tills else False})
        channel.default_store_id = channel.store_ids[:1] if len(channel.store_ids) == 1 else False
        if channel.kind == "web":
            channel.payment_journal_id = _bank(env)
        card = env["pos.payment.method"].search([("name", "=", layout.CARD)])
        env["bridge.binding"]._bind(channel, "tender", [(code, card) for code in layout.CARD_CODES.get(system, ())])
        channels |= channel
    return channels


def sandbox_settings(system, url):
    """The channel's settings for a sandbox at ``url``, with the demo's webhook secret."""
    import importlib

    sandbox = importlib.import_module(f"odoo.addons.pos_erp_bridge.connectors.sandboxes.{system}").Sandbox()
    sandbox.webhook_secret = layout.SECRETS[system]
    return {**sandbox.settings(url), "webhook_secret": layout.SECRETS[system]}
