# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo.fields import Command
from odoo.tests import tagged

from .tax_cases import JapaneseTaxCase, golden_cases, own_cases, parts_of, sales


@tagged("post_install", "-at_install")
class TestTaxDocuments(JapaneseTaxCase):
    """Odoo's documents come to the yen of the worked cases: in Python, in the browser, posted."""

    def cases(self):
        golden = golden_cases()
        rows = sales(own_cases())
        self.assertGreater(len(rows), 15)
        if golden is None:
            print("published tax cases are not present: only the project's own ones are run")
            return rows
        published = sales(golden)
        self.assertGreater(len(published), 30)
        return rows + published

    # -- the engine, in both languages -----------------------------------------------------------
    def test_python_and_browser_agree(self):
        """Every document, computed by Odoo's tax engine and by its twin in a browser, is the calculator's."""
        for name, data, by_rate in self.cases():
            parts = parts_of(data)
            if len(parts) > 1:
                continue  # The page that runs the browser's part takes one discount; orders below take all.
            document = self.populate_document(self.init_document(self.lines_of(data)))
            if not parts:
                test = (self._create_py_sub_test_tax_totals_summary, self._create_js_sub_test_tax_totals_summary)
                arguments = (document, set(), True)
            else:
                kind, amount, category = parts[0]
                if category:
                    continue  # Odoo's page spreads over all lines.
                test = (self._create_py_sub_test_global_discount, self._create_js_sub_test_global_discount)
                arguments = (document, kind, self.signed(data, kind, amount), True)
            with self.subTest(case=name):
                self._create_assert_test((name, by_rate), *test, self.assert_case, *arguments)
        # Without the published cases those of our own are left.
        self.assertGreater(len(self.js_tests), 15 if golden_cases() else 12)
        self._run_js_tests()

    def assert_case(self, results, expected):
        name, by_rate = expected
        with self.subTest(case=name):
            self.assertRates(results["tax_totals"], by_rate)

    @staticmethod
    def signed(data, kind, amount):
        """A fixed discount of goods taken back is taken back too."""
        is_return = data["document_type"] == "return_invoice"
        return -amount if kind == "fixed" and is_return else amount

    # -- documents -------------------------------------------------------------------------------
    def test_posted_invoices_and_credit_notes(self):
        """Totals and journal items of posted documents; a return is a credit note."""
        for name, data, by_rate in self.cases():
            with self.subTest(case=name):
                is_return = data["document_type"] == "return_invoice"
                move = self.post(data, "out_refund" if is_return else "out_invoice")
                sign = -1 if is_return else 1
                signed = {
                    category: {key: sign * yen for key, yen in rate.items()} for category, rate in by_rate.items()
                }
                self.assertRates(move.tax_totals, signed)
                self.assertBooked(move, signed, sign)

    def post(self, data, move_type):
        sign = -1 if move_type == "out_refund" else 1
        base_lines = self.populate_document(self.init_document(self.lines_of(data)))["lines"]
        for line in base_lines:
            line["quantity"] *= sign
        self.add_details(base_lines)
        for kind, amount, category in parts_of(data):
            taxed = [x for x in base_lines if not category or x["tax_ids"].bridge_tax_category == category]
            base_lines += self.env["account.tax"]._prepare_global_discount_lines(taxed, self.company, kind, amount)
            self.add_details(base_lines)
        move = self.env["account.move"].create(
            {
                "move_type": move_type,
                "partner_id": self.customer.id,
                "invoice_date": data["date"],
                "invoice_line_ids": [Command.create(self.invoice_line(line)) for line in base_lines],
            }
        )
        move.action_post()
        return move

    def add_details(self, base_lines):
        self.env["account.tax"]._add_tax_details_in_base_lines(base_lines, self.company)
        self.env["account.tax"]._round_base_lines_tax_details(base_lines, self.company)

    def invoice_line(self, line):
        return {
            "product_id": self.product.id,
            "price_unit": line["price_unit"],
            "quantity": line["quantity"],
            "discount": line["discount"],
            "tax_ids": [Command.set(line["tax_ids"].ids)],
            "extra_tax_data": self.env["account.tax"]._export_base_line_extra_tax_data(line),
        }

    def test_sale_orders_and_their_invoices(self):
        """Order totals, discounts given on the order, and the invoice made from it."""
        for name, data, by_rate in self.cases():
            if data["document_type"] == "return_invoice":
                continue
            with self.subTest(case=name):
                order = self.order(data)
                self.assertRates(order.tax_totals, by_rate)
                tax = sum(rate["tax"] for rate in by_rate.values())
                self.assertEqual(round(order.amount_tax, 6), tax)
                order.action_confirm()
                invoice = order._create_invoices(final=True)
                invoice.action_post()
                self.assertRates(invoice.tax_totals, by_rate)
                self.assertBooked(invoice, by_rate)

    def order(self, data):
        lines = [
            Command.create(
                {
                    "product_id": line["product_id"].id,
                    "product_uom_qty": line["quantity"],
                    "price_unit": line["price_unit"],
                    "discount": line["discount"],
                    "tax_ids": [Command.set(line["tax_ids"].ids)],
                }
            )
            for line in self.lines_of(data)
        ]
        order = self.env["sale.order"].create({"partner_id": self.customer.id, "order_line": lines})
        for kind, amount, category in parts_of(data):
            if category:
                self.take_from_one_rate(order, amount, category)
            else:
                self._apply_sale_order_discount(order, kind, amount)
        return order

    def take_from_one_rate(self, order, amount, category):
        tax = order.order_line.tax_ids.filtered(lambda tax: tax.bridge_tax_category == category)
        order.order_line = [
            Command.create({"product_id": self.product.id, "price_unit": -amount, "tax_ids": [Command.set(tax.ids)]})
        ]
