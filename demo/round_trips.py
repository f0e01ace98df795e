"""The three ways through the whole system, each sold for real and followed to the last level.

till   a sale in Odoo's own till              -> the web store shows the new level
store  a receipt of a store's till (webhook)  -> pos.order, stock, the web store's level
web    a signed web order                     -> sale.order, reserved stock, the store's level

Every way returns the milliseconds from the moment the seller had committed to the moment the other channel
held the new level; both moments are taken on this machine's clock, the latter inside the sandbox.
"""

import time

from demo import catalogue, layout
from demo.browser import Browser
from demo.odoo_client import Till
from demo.processes import DemoError

PATIENCE = 30.0  # seconds until a way counts as broken


class RoundTrips:
    def __init__(self, stage):
        self.stage = stage
        self.odoo = stage.login()
        self.web, self.tills = stage.sandboxes[layout.WEB.system], stage.sandboxes[layout.GINZA.system]
        self.till = Till(self.odoo, layout.HONTEN.name)
        fields = ["id", "barcode", "display_name", "lst_price", "taxes_id"]
        rows = self.odoo.read("product.product", [("barcode", "!=", False)], fields, context={"lang": "ja_JP"})
        self.products = {row["barcode"]: row for row in rows}
        self._only = self._sold_at_one_place()

    def _sold_at_one_place(self):
        """{place: [codes]} of what lies at one place only: there a reservation has no choice."""
        keys, result = [store.key for store in layout.PLACES], {}
        for number, item in enumerate(catalogue.products()):
            places = catalogue.stock_of(number, item, keys)
            if len(places) == 1:
                result.setdefault(next(iter(places)), []).append(item.code)
        return result

    def name(self, code):
        """What the till calls a product."""
        return self.products[code]["display_name"].split("] ")[-1]

    def pick(self, place, number=0, shown=None):
        """A product with enough pieces at ``place`` and nowhere else; another for another ``number``. ``shown``:
        the names to choose from."""
        codes = [code for code in self._only[place] if shown is None or self.name(code) in shown]
        levels = self.web.levels()[layout.WEB.external_id]
        for at in range(len(codes)):
            code = codes[(number + at) % len(codes)]
            if levels.get(code, 0) >= 3:
                return code
        raise DemoError(f"The shelves at {place} are empty.")

    def web_level(self, code):
        return self.web.levels()[layout.WEB.external_id][code]

    # -- the ways --------------------------------------------------------------------------------
    def sell_in_browser(self, screen, number=0):
        code = self.pick(layout.HONTEN.key, number, screen.shown())
        level, mark = self.web_level(code), self.web.mark()
        validated = screen.sell(self.name(code))
        reached = self.web.wait_for(mark, layout.WEB.external_id, code, level - 1, PATIENCE)
        return 1000 * (reached - validated)

    def sell_at_till(self, number=0):
        code = self.pick(layout.HONTEN.key, number)
        level, mark = self.web_level(code), self.web.mark()
        self.till.sell(self.products[code])
        committed = time.time()
        return 1000 * (self.web.wait_for(mark, layout.WEB.external_id, code, level - 1, PATIENCE) - committed)

    def sell_in_store(self, number=0):
        code = self.pick(layout.GINZA.key, number)
        level, mark = self.web_level(code), self.web.mark()
        done = self.tills.do("sell", items=[{"code": code, "quantity": 1}], store=layout.GINZA.external_id)
        committed = time.time()
        reached = self.web.wait_for(mark, layout.WEB.external_id, code, level - 1, PATIENCE)
        return 1000 * (reached - committed), done["id"]

    def sell_on_web(self, number=0):
        code = self.pick(layout.GINZA.key, number)
        level = self.tills.levels()[layout.GINZA.external_id][code]
        mark = self.tills.mark()
        done = self.web.do("sell", items=[{"code": code, "quantity": 1}], store=layout.WEB.external_id)
        committed = time.time()
        reached = self.tills.wait_for(mark, layout.GINZA.external_id, code, level - 1, PATIENCE)
        return 1000 * (reached - committed), done["id"], code

    # -- what became of it -----------------------------------------------------------------------
    def document(self, entity, external_id, model, fields):
        """The Odoo document a fact became. Other channels may hear of it before it is booked: a web order's goods are
        promised to it first."""
        domain = [("entity", "=", entity), ("external_id", "=", external_id), ("res_model", "=", model)]
        deadline = time.monotonic() + PATIENCE
        while not (bindings := self.odoo.read("bridge.binding", domain, ["res_id"])) and time.monotonic() < deadline:
            time.sleep(0.2)
        if len(bindings) != 1:
            raise DemoError(f"{len(bindings)} documents were made of {entity} {external_id}; one was expected.")
        return self.odoo.read(model, [("id", "=", bindings[0]["res_id"])], fields)[0]

    def reserved(self, code):
        domain = [("product_id", "=", self.products[code]["id"]), ("location_id.usage", "=", "internal")]
        quants = self.odoo.read("stock.quant", domain, ["reserved_quantity"])
        return sum(quant["reserved_quantity"] for quant in quants)


def open_till(browser, url, config_id, seconds=120):
    """Open the till's page, up to the shelves."""
    browser.open(f"{url}/pos/ui/{config_id}")
    browser.click(".open-register-btn", seconds=seconds)
    browser.see("article.product", seconds=seconds)


class TillScreen:
    """Odoo's till in a browser, driven as a cashier does."""

    def __init__(self, stage, odoo, config_id):
        self.browser, self.validated = Browser(stage.processes), 0.0
        try:
            self.browser.set_cookie(stage.url, "session_id", odoo.session_id)
            open_till(self.browser, stage.url, config_id)
        except BaseException:
            self.browser.close()
            raise

    def shown(self):
        """Names on the shelves: the till shows the first hundred products, the others are searched for."""
        script = "[...document.querySelectorAll('article.product')].map(card => card.innerText.trim())"
        return set(self.browser.run(script))

    def sell(self, name):
        """Sell one piece for cash; returns the moment Validate was pressed (time.time), and remembers it."""
        page = self.browser
        page.click("article.product", name)
        page.see(".order-container .orderline", name)
        page.click(".product-screen .pay-order-button")
        page.click(".paymentmethods .button.paymentmethod", "現金")
        page.see(".paymentlines .paymentline")
        self.validated = page.click(".payment-screen button.validation-button.next")["at"] / 1000
        page.see(".receipt-screen, .feedback-screen")
        return self.validated

    def next_order(self):
        self.browser.click(".receipt-screen .button.next, .feedback-screen button")
        self.browser.see(".product-screen")

    def close(self):
        self.browser.close()
