# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import json

from odoo.fields import Command
from odoo.tests import new_test_user, tagged

from .tax_cases import JapaneseTaxCase, own_cases, sales, settings_of

DEFAULTS = settings_of({"lines": [{}]})


@tagged("post_install", "-at_install")
class TestTaxTill(JapaneseTaxCase):
    """Orders of Odoo's own till of a Japanese company."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.config = cls.env["pos.config"].create({"name": "本店レジ"})
        cls.config.open_ui()
        cls.till_session = cls.config.current_session_id
        cls.till_session.set_opening_control(0, "")

    def order(self, *lines):
        """A paid order of [(price, quantity, tax)] with the totals the server computes."""
        order = self.env["pos.order"].create(
            {
                "session_id": self.till_session.id, "company_id": self.company.id,
                "amount_total": 0, "amount_tax": 0, "amount_paid": 0, "amount_return": 0,
                "lines": [Command.create(self.line(*line)) for line in lines],
            }
        )  # fmt: skip
        order._compute_prices()
        return self.pay(order)

    def line(self, price, quantity, tax, **values):
        return {
            "product_id": self.product.id, "price_unit": price, "qty": quantity, "tax_ids": [Command.set(tax.ids)],
            "price_subtotal": 0, "price_subtotal_incl": 0, **values,
        }  # fmt: skip

    def pay(self, order):
        method = self.config.payment_method_ids[0]
        order.add_payment({"pos_order_id": order.id, "amount": order.amount_total, "payment_method_id": method.id})
        order.action_pos_order_paid()
        return order

    def test_totals_and_closing_entry(self):
        """Each receipt is rounded once per rate; the entry of the session adds up what was printed."""
        tax = self.taxes["10", True]
        first = self.order((105, 1, tax))
        second = self.order((105, 1, tax))
        third = self.order((105, 1, self.taxes["10", False]), (-14, 1, self.taxes["10", False]))
        self.assertEqual([order.amount_tax for order in first | second | third], [9, 9, 9])
        self.assertEqual([order.amount_total for order in first | second | third], [105, 105, 100])
        self.till_session.action_pos_session_closing_control()
        self.assertBooked(self.till_session.move_id, {"10": {"taxable_base_excl": 96 + 96 + 91, "tax": 27}})

    def test_return_takes_the_rate_of_the_sale(self):
        """Food sold at 8% comes back at 8%, whatever the product has since."""
        self.product.taxes_id = self.taxes["8R", True]
        sold = self.order((540, 1, self.taxes["8R", True]))
        self.product.taxes_id = self.taxes["1F", True]
        back = self.env["pos.order"].browse(sold.refund()["res_id"])
        back._compute_prices()
        self.assertEqual(back.lines.refunded_orderline_id, sold.lines)
        self.assertEqual(back.lines.tax_ids, self.taxes["8R", True])
        self.assertEqual((back.amount_total, back.amount_tax), (-540, -40))

    def test_the_till_computes_like_the_server(self):
        """Orders typed into a real till: what the screen says is what the calculator says."""
        cases = [
            (name, data, by_rate)
            for name, data, by_rate in sales(own_cases())
            if data["price_basis"] == "tax_included" and not (data.get("order_discount") or data.get("points"))
            and settings_of(data) == DEFAULTS
        ]  # fmt: skip
        self.assertGreater(len(cases), 4)
        asked = [
            [
                {"price": line["price_unit"], "quantity": line["quantity"], "discount": line["discount"],
                 "tax": line["tax_ids"].id}
                for line in self.lines_of(data)
            ]
            for _name, data, _by_rate in cases
        ]  # fmt: skip
        expected = [
            [sum(rate["tax"] for rate in by_rate.values()), sum(rate["total_incl"] for rate in by_rate.values())]
            for _name, _data, by_rate in cases
        ]
        user = new_test_user(
            self.env, "bridge_tax_till", "base.group_user,point_of_sale.group_pos_user",
            company_id=self.company.id, company_ids=[Command.set(self.company.ids)],
        )  # fmt: skip
        self.browser_js(
            f"/pos/ui/{self.config.id}",
            CODE % {"orders": json.dumps(asked), "expected": json.dumps(expected), "product": self.product.id},
            ready="Boolean(window.posmodel)", login=user.login, timeout=90,
        )  # fmt: skip


CODE = """
(async () => {
const orders = %(orders)s, expected = %(expected)s;
const found = [];
for (const lines of orders) {
    const order = posmodel.addNewOrder();
    for (const line of lines) {
        const product = posmodel.models["product.product"].get(%(product)s);
        const tax = posmodel.models["account.tax"].get(line.tax);
        await posmodel.addLineToOrder(
            {product_id: product, product_tmpl_id: product.product_tmpl_id, qty: line.quantity,
             price_unit: line.price, discount: line.discount, tax_ids: [["link", tax]]},
            order, {force: true}, false);
    }
    found.push([order.amountTaxes, order.priceIncl]);
}
if (JSON.stringify(found) === JSON.stringify(expected)) {
    console.log("test successful");
} else {
    console.error(`the till says ${JSON.stringify(found)}, the calculator ${JSON.stringify(expected)}`);
}
})();
"""
