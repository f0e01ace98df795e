# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from datetime import date

from odoo.exceptions import AccessError, ValidationError
from odoo.fields import Command
from odoo.tests import new_test_user, tagged

from ..fiscal.rates import RATES
from .tax_cases import JapaneseTaxCase


@tagged("post_install", "-at_install")
class TestTaxEngine(JapaneseTaxCase):
    """What worked cases of single documents do not say."""

    def base_line(self, price, category="10", with_tax=True, **values):
        tax = self.taxes[category, with_tax]
        return {"product_id": self.product, "tax_ids": tax, "price_unit": price, **values}

    def document(self, *lines, **values):
        return self.populate_document(self.init_document(list(lines), **values))

    def totals(self, document, company=None):
        return self.env["account.tax"]._get_tax_totals_summary(
            document["lines"], document["currency"], company or self.company
        )

    def invoice(self, *lines, post=True, **values):
        move = self.env["account.move"].create(
            {
                "move_type": "out_invoice", "partner_id": self.customer.id, "invoice_date": "2026-11-23",
                "invoice_line_ids": [
                    Command.create(
                        {"product_id": self.product.id, "price_unit": price, "tax_ids": [Command.set(tax.ids)]}
                    )
                    for price, tax in lines
                ],
                **values,
            }
        )  # fmt: skip
        if post:
            move.action_post()
        return move

    def by_rate(self, **rates):
        return {
            name.strip("_"): {"taxable_base_excl": base, "tax": tax, "total_incl": base + tax}
            for name, (base, tax) in rates.items()
        }

    # -- groups ----------------------------------------------------------------------------------
    def test_two_tax_records_of_one_rate_are_rounded_once(self):
        """Goods and services have a tax each; 15 + 15 without tax at 10% is 3, booked on both."""
        twin = self.taxes["10", False].copy({"name": "10 役務"})
        move = self.invoice((15, self.taxes["10", False]), (15, twin))
        self.assertRates(move.tax_totals, self.by_rate(_10=(30, 3)))
        self.assertBooked(move, self.by_rate(_10=(30, 3)))
        self.assertEqual(len(move.line_ids.filtered("tax_line_id")), 2)

    def test_goods_back_are_in_the_same_group(self):
        """A refund line, which Odoo rounds apart, and a sale of the same rate on one document."""
        document = self.document(
            self.base_line(1100), self.base_line(985, quantity=-1, is_refund=True), self.base_line(50, "0X")
        )
        self.assertRates(self.totals(document), self.by_rate(_10=(105, 10), _0X=(50, 0)))

    def test_every_line_keeps_its_yen(self):
        """Base and tax of the lines add up to those of the rate; prices with tax stay what they are."""
        document = self.document(*(self.base_line(price) for price in (105, 105, 105, 98)))
        details = [line["tax_details"] for line in document["lines"]]
        self.assertRates(self.totals(document), self.by_rate(_10=(413 - 37, 37)))
        for price, line in zip((105, 105, 105, 98), details, strict=True):
            tax = line["taxes_data"][0]["tax_amount"]
            self.assertEqual(line["total_excluded"] + line["delta_total_excluded"] + tax, price)

    def test_discount_lines_with_fractions_are_one_amount(self):
        """Rewards are booked in exact parts, 10.596 and 10.404 of 21 yen: the official split is 11 and 10."""
        lines = [self.base_line(550), self.base_line(540, "8R")]
        rewards = [self.base_line(-21 * 550 / 1090), self.base_line(-21 * 540 / 1090, "8R")]
        expected = self.by_rate(_10=(490, 49), _8R=(491, 39))
        document = self.document(*lines, *rewards)
        self._create_assert_test(
            expected, self._create_py_sub_test_tax_totals_summary, self._create_js_sub_test_tax_totals_summary,
            lambda results, by_rate: self.assertRates(results["tax_totals"], by_rate), document, set(), True,
        )  # fmt: skip
        self._run_js_tests()

    def test_order_discount_lines_are_whole_yen(self):
        """The lines themselves, not only the totals: 11 and 10 of 21 yen, the higher rate first."""
        document = self.document(self.base_line(540, "8R"), self.base_line(550))
        lines = self.env["account.tax"]._prepare_global_discount_lines(document["lines"], self.company, "fixed", 21)
        self.assertEqual([line["price_unit"] for line in lines], [-11, -10])

    # -- amounts that are given ------------------------------------------------------------------
    def test_printed_amounts_stay_beside_others(self):
        """A line with its printed tax keeps it; the rest of the document is rounded without it."""
        tax = self.taxes["10", True]
        amounts = {"tax_amount_currency": 8, "tax_amount": 8, "base_amount_currency": 97, "base_amount": 97}
        printed = {
            "manual_tax_amounts": {str(tax.id): amounts},
            "manual_total_excluded_currency": 97,
            "manual_total_excluded": 97,
        }
        document = self.document(self.base_line(105, **printed), self.base_line(105), self.base_line(105))
        self.assertEqual(document["lines"][0]["tax_details"]["taxes_data"][0]["tax_amount"], 8)
        self.assertRates(self.totals(document), self.by_rate(_10=(97 + 191, 8 + 19)))

    def test_tax_typed_into_an_invoice_stays(self):
        """Odoo lets people correct a tax line; the totals follow it."""
        move = self.invoice((105, self.taxes["10", False]), (105, self.taxes["10", False]), post=False)
        self.assertRates(move.tax_totals, self.by_rate(_10=(210, 21)))
        move.line_ids = [Command.update(move.line_ids.filtered("tax_line_id").id, {"amount_currency": -20})]
        move.action_post()
        self.assertRates(move.tax_totals, self.by_rate(_10=(210, 20)))

    def test_down_payment_and_the_rest_make_the_whole(self):
        """The deposit's invoice is rounded for itself; the last one takes it off exactly as it was."""
        for with_tax, total, whole in (
            (True, 1999, self.by_rate(_10=(999 - 90, 90), _8R=(926, 74))),
            (False, 999 + 99 + 1000 + 80, self.by_rate(_10=(999, 99), _8R=(1000, 80))),
        ):
            with self.subTest(with_tax=with_tax):
                order = self.env["sale.order"].create(
                    {
                        "partner_id": self.customer.id,
                        "order_line": [
                            Command.create({
                                "product_id": self.product.id, "price_unit": price,
                                "tax_ids": [Command.set(self.taxes[category, with_tax].ids)],
                            })
                            for category, price in (("10", 999), ("8R", 1000))
                        ],
                    }
                )  # fmt: skip
                order.action_confirm()
                self.assertRates(order.tax_totals, whole)
                deposit = self._create_down_payment_invoice(order, "fixed", 500, post=True)
                self.assertEqual(deposit.amount_total, 500)
                first = self.rates(deposit.tax_totals)
                for category, (base, tax) in first.items():
                    percent = 10 if category == "10" else 8
                    self.assertEqual(tax, (base + tax) * percent // (100 + percent))
                last = self._create_final_invoice(order, post=True)
                self.assertEqual(last.amount_total, total - 500)
                rest = self.rates(last.tax_totals)
                summed = {key: tuple(map(sum, zip(first[key], rest[key], strict=True))) for key in first}
                self.assertEqual(summed, self.expected(whole))

    # -- currencies and countries ----------------------------------------------------------------
    def test_foreign_currency(self):
        """An invoice in dollars rounds its tax once per rate, in cents and in yen."""
        usd = self.env.ref("base.USD")
        usd.active = True
        document = self.document(*[self.base_line(10.55, with_tax=False)] * 3, currency=usd, rate=0.0067)
        totals = self.totals(document)
        # 31.65 dollars: 3.165 → 3.16; 4,724 yen: 472.4 → 472
        dollars = [round(totals[key], 2) for key in ("base_amount_currency", "tax_amount_currency")]
        self.assertEqual(dollars, [31.65, 3.16])
        self.assertEqual((totals["base_amount"], totals["tax_amount"]), (4724, 472))

    def test_other_countries_are_untouched(self):
        """The same lines in another country, or in Japan in another currency, are rounded as Odoo does."""
        lines = [self.base_line(105, with_tax=False)] * 3 + [self.base_line(999, "8R"), self.base_line(-7.5)]
        ours = self.totals(self.document(*lines))
        self.company.account_fiscal_country_id = self.env.ref("base.kr")
        self.assertFalse(self.company.bridge_document_rounding)
        totals = self.totals(self.document(*lines))
        self.assertNotEqual(totals["tax_amount"], ours["tax_amount"])
        # 31.5 → 32 half up; 999 × 8/108 = 74; -7.5 × 10/110 = -0.68 → -1
        self.assertEqual(totals["tax_amount"], 32 + 74 - 1)

    def test_rounding_per_line_is_refused_in_japan(self):
        with self.assertRaisesRegex(ValidationError, "once per rate"):
            self.company.tax_calculation_rounding_method = "round_per_line"
        self.company.account_fiscal_country_id = self.env.ref("base.kr")
        self.company.tax_calculation_rounding_method = "round_per_line"
        with self.assertRaisesRegex(ValidationError, "once per rate"):
            self.company.account_fiscal_country_id = self.jp

    # -- categories and rates --------------------------------------------------------------------
    def test_categories_of_the_japanese_chart(self):
        """Found from rate and name, can be set otherwise, but not to another rate."""
        chart = self.env["account.tax"].search([("company_id", "=", self.company.id), ("type_tax_use", "=", "sale")])
        chart -= self.env["account.tax"].union(*self.taxes.values())
        found = {tax.name: tax.bridge_tax_category for tax in chart}
        self.assertEqual(found, {"8%": "8R", "10%": "10", "0% Exempt": "0E", "0%": "0X"})
        food = chart.filtered(lambda tax: tax.name == "8%")
        food.bridge_tax_category = "8N"
        food.name = "新聞"
        self.assertEqual(food.bridge_tax_category, "8N")
        with self.assertRaisesRegex(ValidationError, "10%"):
            food.bridge_tax_category = "10"

    def test_rates_are_those_of_the_law(self):
        """Who uses the bridge may look them up, nobody may change them; the cut for food is there and off."""
        user = new_test_user(self.env, "rates_reader", "pos_erp_bridge.group_bridge_user")
        rates = self.env["bridge.tax.rate"].with_user(user).search([])
        self.assertEqual(len(rates), len(RATES))
        cut = rates.filtered(lambda rate: rate.category == "1F")
        self.assertEqual((cut.percent, cut.valid_from, cut.is_enacted), (1, date(2027, 4, 1), False))
        self.assertIn("not promulgated", cut.note)
        self.assertFalse(rates.filtered("is_enacted").filtered("note"))
        with self.assertRaises(AccessError):
            cut.is_enacted = True
        manager = new_test_user(self.env, "rates_manager", "base.group_system")
        with self.assertRaises(AccessError):
            cut.with_user(manager).is_enacted = True

    def test_rates_follow_the_program(self):
        """An update brings the rows in line again."""
        Rate = self.env["bridge.tax.rate"].sudo()
        cut = Rate.search([("category", "=", "1F")])
        cut.write({"percent": 2, "is_enacted": True})
        Rate.create({"category": "10", "percent": 12, "valid_from": "2030-01-01"})
        Rate._sync()
        self.assertEqual((cut.percent, cut.is_enacted, Rate.search_count([])), (1, False, len(RATES)))

    # -- returns ---------------------------------------------------------------------------------
    def test_credit_note_takes_the_rate_of_the_invoice(self):
        """Not the one the product has since."""
        self.product.taxes_id = self.taxes["8R", True]
        move = self.invoice((540, self.taxes["8R", True]))
        self.product.taxes_id = self.taxes["1F", True]
        back = move._reverse_moves([{"date": "2027-04-05", "invoice_date": "2027-04-05"}])
        back.action_post()
        self.assertRates(back.tax_totals, self.by_rate(_8R=(500, 40)))
        self.assertBooked(back, self.by_rate(_8R=(500, 40)), sign=-1)
