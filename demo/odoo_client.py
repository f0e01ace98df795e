"""Odoo as its own web client sees it: a session over HTTP and its JSON-RPC."""

import uuid

import requests

from demo.processes import DemoError


class Odoo:
    """One logged-in user."""

    def __init__(self, url, db, login="admin", password="admin"):
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False  # a proxy of the machine has no business on loopback
        self.info = self._rpc("/web/session/authenticate", db=db, login=login, password=password)
        self.session_id = self.session.cookies["session_id"]

    def _rpc(self, path, **params):
        answer = self.session.post(self.url + path, json={"jsonrpc": "2.0", "params": params}, timeout=120).json()
        if "error" in answer:
            data = answer["error"].get("data", {})
            raise DemoError(f"Odoo refused {path}: {data.get('message') or answer['error']['message']}")
        return answer["result"]

    def call(self, model, method, *args, **kwargs):
        path = f"/web/dataset/call_kw/{model}/{method}"
        return self._rpc(path, model=model, method=method, args=args, kwargs=kwargs)

    def read(self, model, domain, fields, **kwargs):
        return self.call(model, "search_read", domain, fields, **kwargs)


class Till:
    """Odoo's own till without its screen: what the page would send when a sale is validated."""

    def __init__(self, odoo, config_name):
        self.odoo = odoo
        fields = ["id", "current_session_id", "payment_method_ids", "pricelist_id", "access_token"]
        [self.config] = odoo.read("pos.config", [("name", "=", config_name)], fields)
        domain = [("id", "in", self.config["payment_method_ids"]), ("is_cash_count", "=", True)]
        self.cash = odoo.read("pos.payment.method", domain, ["id"])[0]["id"]
        self._taxes = {}
        self._next = 0

    def open(self):
        """Open the register when it is closed."""
        if not self.config["current_session_id"]:
            self.odoo.call("pos.config", "open_ui", [self.config["id"]])
            [self.config] = self.odoo.read("pos.config", [("id", "=", self.config["id"])], list(self.config))
            session_id = self.config["current_session_id"][0]
            self.odoo.call("pos.session", "set_opening_control", [session_id], 0, "")
        return self.config["current_session_id"][0]

    def sell(self, product, quantity=1):
        """Sell ``product`` ({"id", "lst_price", "taxes_id"}) for cash; returns the new order's id."""
        rate = self._rate(product["taxes_id"])
        total = round(product["lst_price"] * quantity)
        tax = round(total * rate / (100 + rate))  # as the till's page computes it
        key = str(uuid.uuid4())
        self._next += 1
        line = {
            "uuid": str(uuid.uuid4()), "product_id": product["id"], "qty": quantity, "price_unit": product["lst_price"],
            "price_subtotal": total - tax, "price_subtotal_incl": total, "discount": 0, "pack_lot_ids": [],
            "tax_ids": [[6, 0, product["taxes_id"]]],
        }  # fmt: skip
        order = {
            "uuid": key, "name": f"Demo {key[:8]}", "access_token": key, "session_id": self.open(), "company_id": 1,
            "user_id": self.odoo.info["uid"], "partner_id": False, "sequence_number": self._next, "state": "paid",
            "pricelist_id": self.config["pricelist_id"] and self.config["pricelist_id"][0], "fiscal_position_id": False,
            "amount_total": total, "amount_tax": tax, "amount_paid": total, "amount_return": 0, "to_invoice": False,
            "lines": [[0, 0, line]],
            "payment_ids": [[0, 0, {"amount": total, "payment_method_id": self.cash, "uuid": str(uuid.uuid4())}]],
        }  # fmt: skip
        return self.odoo.call("pos.order", "sync_from_ui", [order])["pos.order"][0]["id"]

    def _rate(self, tax_ids):
        key = tuple(tax_ids)
        if key not in self._taxes:
            taxes = self.odoo.read("account.tax", [("id", "in", tax_ids)], ["amount"])
            self._taxes[key] = int(sum(tax["amount"] for tax in taxes))
        return self._taxes[key]
