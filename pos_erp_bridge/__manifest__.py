{
    "name": "POS/EC Bridge",
    "version": "19.0.1.0.0",
    "category": "Sales/Point of Sale",
    "summary": "Tills and web stores booked once, at once, as native Odoo documents; one stock for every channel",
    "author": "pos_erp_bridge contributors",
    "website": "https://pos-erp-bridge.example.com",
    "license": "LGPL-3",
    "depends": ["point_of_sale", "sale_stock", "account", "mail"],
    "external_dependencies": {"python": ["requests", "werkzeug"]},
    "data": [
        "security/bridge_security.xml",
        "security/ir.model.access.csv",
    ],
    "application": True,
    "installable": True,
    "uninstall_hook": "uninstall_hook",
}
