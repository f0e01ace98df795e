# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo.tests import HttpCase, tagged

from .till_shop import TillShop

PARTS = """
(async () => {
    const { reactive } = odoo.loader.modules.get("@odoo/owl");
    const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));
    const product = posmodel.models["product.template"].get(%(tea)d);
    for (const button of [".open-register-btn", ".modal-footer .btn-primary"]) {
        while (!document.querySelector(button)) {
            await pause(50);
        }
        document.querySelector(button).click();
    }
    while (!posmodel.getOrder() || !document.querySelector(".product-screen")) {
        await pause(50);
    }
    const order = posmodel.getOrder();
    const raw = odoo.loader.modules.get("@odoo/owl").toRaw(order);
    const add = () => posmodel.addLineToCurrentOrder({ product_tmpl_id: product });
    const screen = () => document.querySelector(".order-summary .total")?.innerText.replace(/[^0-9]/g, "");
    const same = (found, wanted, what) => {
        if (JSON.stringify(found) !== JSON.stringify(wanted)) {
            throw new Error(`${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);
        }
    };
    const until = async (look) => {
        for (let turn = 0; !look() && turn < 200; turn++) {
            await pause(50);
        }
    };
    /** What Odoo computes for itself, each turn of it. */
    const computed = (options) => raw._computeAllPrices(options);
    const compare = async (what) => {
        const [full, plain] = [computed({}), computed({ baseLineOpts: { discount: 0 } })];
        const one = computed({ baseLineOpts: { quantity: 1 } });
        same(order.priceIncl, full.taxDetails.total_amount, `${what}: the total`);
        for (const { uuid, prices, unitPrices } of order.lines) {
            const [found, whole, unit] = [full, plain, one].map((all) => all.baseLineByLineUuids[uuid].tax_details);
            same(prices.total_included, found.total_included, `${what}: a line`);
            same(prices.no_discount_total_included, whole.total_included, `${what}: without its discount`);
            same(prices.discount_amount, whole.total_included - found.total_included, `${what}: its discount`);
            same(unitPrices.total_included, unit.total_included, `${what}: one of it`);
        }
        const total = String(full.taxDetails.total_amount || "");
        await until(() => screen() === total);
        same(screen(), total, `${what}: on the screen`);
    };

    /** How often all prices are computed. */
    const count = async (act) => {
        const { _constructPriceData: construct } = raw;
        let turns = 0;
        raw._constructPriceData = function () {
            turns += 1;
            return construct.apply(this, arguments);
        };
        const before = screen();
        await act();
        await until(() => screen() !== before);
        delete raw._constructPriceData;
        return turns;
    };

    await add();
    await compare("one");
    const line = order.lines[0];
    same(await count(add), 2, "once for the order, once for one of each");
    await compare("two of it");
    line.setDiscount(10);
    await compare("with a discount");
    await posmodel.addLineToCurrentOrder({ product_tmpl_id: product, price_unit: 333 });
    await compare("another line");
    line.setQuantity(7);
    await compare("seven");
    line.setDiscount(0);
    await compare("no discount");
    line.setUnitPrice(98);
    await compare("another price");
    order.lines[1].update({ tax_ids: [["clear"]] });
    await compare("another tax");
    order.removeOrderline(line);
    await compare("a line less");

    // Whoever reads a price through something reactive is told when it changes, also the second time.
    let told = 0;
    const watched = reactive(order, () => told++);
    for (const [turn, quantity] of [3, 4, 5].entries()) {
        watched.priceIncl;
        order.lines[0].setQuantity(quantity);
        await pause(0);
        same(told > turn, true, `told of the change to ${quantity}`);
        told = turn + 1;
    }

    // The customer's screen gets what is last, and again after that.
    let shown;
    const channel = new BroadcastChannel("UPDATE_CUSTOMER_DISPLAY");
    channel.onmessage = ({ data }) => (shown = data.lines[0].qty);
    for (const quantities of [[6, 7, 8], [9], [4]]) {
        quantities.forEach((quantity) => order.lines[0].setQuantity(quantity));
        const last = String(quantities.at(-1));
        await until(() => shown === last);
        same(shown, last, "the customer's screen");
    }
    console.log("test successful");
})().catch((error) => console.error(error.message));
"""


@tagged("post_install", "-at_install")
class TestTillPrices(HttpCase):
    def test_prices(self):
        """Computed when they are read, they are what Odoo computes at each change; the screens follow."""
        shop = TillShop(self.env)
        shop.cashier("bridge_prices")
        url = f"/pos/ui/{shop.config.id}"
        ready = "Boolean(document.querySelector('.open-register-btn'))"
        self.browser_js(url, PARTS % {"tea": shop.tea.id}, ready, login="bridge_prices", timeout=90)
