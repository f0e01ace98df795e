# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import csv
import io
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

from odoo import fields
from odoo.tests import HttpCase, tagged

from ..booking import Item, Missing, Outcome, Plan
from ..connectors import registered
from ..connectors.base import Capability, DataError
from ..connectors.records import Sale, TaxAmount
from .lane_case import LaneCase

TEA, BATTERY = "4900000000023", "4900000000047"
UNTOUCHED = (
    "pos.order", "pos.session", "sale.order", "account.move", "account.payment", "stock.move", "stock.picking",
    "res.partner", "product.product", "bridge.binding",
)  # fmt: skip


def system_with(capability):
    return next(name for name, connector in sorted(registered().items()) if capability in connector.capabilities)


class RehearsalCase(LaneCase):
    def rehearsing(self, capability):
        """A connected channel with everything decided that a first sale asks for, rehearsing from now on."""
        vendor = self.connect(system_with(capability))
        self.before = {model: self.env[model].search_count([]) for model in UNTOUCHED}
        vendor.channel.action_rehearse()
        return vendor

    def touched(self):
        self.env.flush_all()
        now = {model: self.env[model].search_count([]) for model in UNTOUCHED}
        return {model: count - self.before[model] for model, count in now.items() if count != self.before[model]}

    def run_of(self, vendor):
        return self.env["bridge.rehearsal"].search([("channel_id", "=", vendor.channel.id)], limit=1)


@tagged("post_install", "-at_install")
class TestRehearsal(RehearsalCase):
    def rehearse_then_book(self, capability):
        vendor = self.rehearsing(capability)
        external_id = vendor.sell(TEA, BATTERY)
        self.poll(vendor)
        line = self.run_of(vendor).line_ids.filtered(lambda row: row.external_id == external_id and row.total)
        self.assertEqual((line.total, line.status in ("book", "missing")), (138 + 438, True))
        self.bind_tenders(vendor)
        self.before["bridge.binding"] = self.env["bridge.binding"].search_count([])
        self.run_lanes(vendor, "inbound")
        self.assertEqual(line.status, "book", line.reason)
        self.assertEqual(sum(Decimal(tax["total"]) for tax in line.taxes), 138 + 438)
        self.assertEqual(self.touched(), {})
        self.assertEqual(line.event_id.result, "rehearsed")
        vendor.channel.action_go_live()
        self.assertTrue(self.run_of(vendor).ended_at)
        self.run_lanes(vendor, "inbound")
        self.assertEqual(self.document(vendor, external_id).amount_total, 138 + 438)
        return vendor

    def test_till_sale_is_noted_and_booked_after_going_live(self):
        """A rehearsed receipt leaves nothing behind; when the channel goes live it becomes a document."""
        self.rehearse_then_book(Capability.SALES_IN)

    def test_web_order_is_noted_and_booked_after_going_live(self):
        """The same for a web order."""
        self.rehearse_then_book(Capability.ORDERS_IN)

    def test_unknown_product_is_noted_as_missing(self):
        """A rehearsal shows what would wait, and asks for it; nothing is made for it."""
        vendor = self.connect(system_with(Capability.SALES_IN))
        self.bind_one_sale(vendor)
        self.env["bridge.binding"].search([("channel_id", "=", vendor.channel.id), ("entity", "=", "product")]).unlink()
        self.products[BATTERY].barcode = False
        self.before = {model: self.env[model].search_count([]) for model in UNTOUCHED}
        vendor.channel.action_rehearse()
        external_id = vendor.sell(BATTERY)
        self.poll(vendor)
        run = self.run_of(vendor)
        line = run.line_ids.filtered(lambda row: row.external_id == external_id)
        self.assertEqual(line.status, "missing")
        self.assertIn(BATTERY, line.reason)
        self.assertEqual(run.missing_count, 1)
        self.assertEqual(self.touched(), {})

    def bind_one_sale(self, vendor):
        vendor.sell(TEA)
        self.poll(vendor)
        self.settle(vendor)


@tagged("post_install", "-at_install")
class TestRehearsalReport(LaneCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.channel = cls.env["bridge.channel"].create(
            {"name": "Shops", "system": system_with(Capability.SALES_IN), "start_date": "2026-11-01"}
        )
        cls.store = cls.env["bridge.store"].create({"channel_id": cls.channel.id, "external_id": "1", "name": "渋谷店"})
        cls.channel.state = "rehearse"

    def event(self, external_id, version="1"):
        return self.env["bridge.event"].create(
            {
                "channel_id": self.channel.id, "company_id": self.channel.company_id.id, "stream": "sale",
                "external_id": external_id, "external_version": version, "origin": "poll", "payload": "{}",
            }
        )

    def item(self, external_id, eight=0, ten=0, day="2026-11-20"):
        taxes = (
            TaxAmount(Decimal(8), True, Decimal(eight), Decimal(eight * 8 // 108)),
            TaxAmount(Decimal("10.0"), False, Decimal(ten), Decimal(ten * 10 // 110)),
        )
        moment = fields.Datetime.now()
        sale = Sale(
            external_id, "1", "1", f"R{external_id}", moment, fields.Date.to_date(day), Decimal(eight + ten), (),
            tuple(tax for tax in taxes if tax.total), (),
        )
        return Item(self.event(external_id), sale, self.env["bridge.binding"])

    def note(self, planned):
        self.env["bridge.rehearsal"]._note(self.channel, planned)
        return self.env["bridge.rehearsal"]._current(self.channel)

    def test_totals_by_document_and_rate(self):
        """The report adds up what would be booked, per document and tax rate, and counts what stands in the way."""
        run = self.note(
            {
                self.item("1", 1080, 2200): Plan(None, "pos.order"),
                self.item("2", 540): Plan(None, "pos.order"),
                self.item("3", ten=-1100): Plan(None, "pos.order"),
                self.item("4", 108): Outcome("waiting", missing=(Missing("product", "9", "9 is unknown"),)),
                self.item("5", 108): Outcome("blocked", message="1 yen too much"),
                self.item("6"): Outcome("skipped", message="a tip"),
                self.item("7"): Outcome("done", "unchanged"),
            }
        )
        self.env["bridge.rehearsal"]._note_failures(self.channel, {self.event("8"): DataError("no total")})
        self.assertEqual((run.book_count, run.book_total), (3, 1080 + 2200 + 540 - 1100))
        self.assertEqual((run.missing_count, run.different_count, run.failed_count, run.aside_count), (1, 1, 1, 1))
        self.assertEqual(
            run._rates(),
            {
                run.id: {
                    "return": [("10", False, Decimal(-1100), Decimal(-100))],
                    "sale": [("8", True, Decimal(1620), Decimal(120)), ("10", False, Decimal(2200), Decimal(200))],
                }
            },
        )
        reasons = {line.external_id: (line.status, line.reason or "") for line in run.line_ids}
        self.assertEqual(reasons["4"], ("missing", "9 is unknown"))
        self.assertEqual(reasons["5"], ("different", "1 yen too much"))
        self.assertEqual(reasons["8"], ("failed", "no total"))
        self.assertIn("1,620", run.summary)

    def test_newest_word_replaces_the_older(self):
        """A fact looked at twice is one line, with the later fate."""
        first = self.item("1", 1080)
        self.note({first: Outcome("blocked", message="no tax of 8 %")})
        run = self.note({SimpleItem(first): Plan(None, "pos.order", note="now it fits")})
        self.assertEqual([(line.status, line.reason) for line in run.line_ids], [("book", "now it fits")])

    def test_a_new_rehearsal_looks_again(self):
        """Rehearsing anew ends the old run and puts back what was not booked."""
        item = self.item("1", 1080)
        run = self.note({item: Plan(None, "pos.order")})
        item.event.write({"state": "done", "result": "rehearsed"})
        self.channel.action_rehearse()
        self.assertTrue(run.ended_at)
        self.assertEqual((item.event.state, item.event.result), ("pending", False))
        self.assertNotEqual(self.env["bridge.rehearsal"]._current(self.channel), run)

    def test_going_live_sets_aside_what_is_too_early(self):
        """Of what was rehearsed, only business days from the channel's first on are booked."""
        days = {"1": "2026-10-31", "2": "2026-11-01", "3": "2026-11-02"}
        early, exact, blocked = (self.item(external_id, 1080, day=day) for external_id, day in days.items())
        self.note({early: Plan(None), exact: Plan(None), blocked: Outcome("blocked", message="waits for 2")})
        (early.event | exact.event).write({"state": "done", "result": "rehearsed"})
        blocked.event.state = "blocked"
        self.store.location_id = self.location
        self.store.pos_config_id = self.env["pos.config"].create({"name": "Till"})
        self.channel.action_go_live()
        states = [item.event.state for item in (early, exact, blocked)]
        self.assertEqual(states, ["skipped", "pending", "pending"])

    def test_booked_events_stay_booked_when_going_live(self):
        """Only what a rehearsal saw is put back; what was booked before is left alone."""
        event = self.event("1")
        event.write({"state": "done", "result": "created", "done_at": fields.Datetime.now() - timedelta(days=1)})
        self.store.location_id = self.location
        self.store.pos_config_id = self.env["pos.config"].create({"name": "Till"})
        self.channel.action_go_live()
        self.assertEqual((event.state, event.result), ("done", "created"))


class SimpleItem(SimpleNamespace):
    """The same fact, met again."""

    def __init__(self, item):
        super().__init__(event=item.event, record=item.record, binding=item.binding, digest="")

    __hash__ = object.__hash__


@tagged("post_install", "-at_install")
class TestRehearsalExport(HttpCase):
    def test_csv_opens_in_a_spreadsheet(self):
        """UTF-8 with a mark, one column pair per rate, names in the user's language, no formulas from outside."""
        self.env["res.lang"]._activate_lang("ja_JP")
        channel = self.env["bridge.channel"].create({"name": "店", "system": next(iter(sorted(registered())))})
        run = self.env["bridge.rehearsal"].create({"channel_id": channel.id})
        self.env["bridge.rehearsal.line"].create(
            [
                {
                    "rehearsal_id": run.id, "stream": "sale", "external_id": "1", "status": "book", "document": "sale",
                    "total": 3280, "business_date": "2026-11-20", "number": "=1+1",
                    "taxes": [
                        {"rate": "8", "reduced": True, "total": "1080", "tax": "80"},
                        {"rate": "10", "reduced": False, "total": "2200", "tax": "200"},
                    ],
                },
                {
                    "rehearsal_id": run.id, "stream": "sale", "external_id": "2", "status": "missing",
                    "reason": "9 is unknown",
                },
            ]
        )
        self.authenticate("admin", "admin")
        answer = self.url_open(run.action_export_csv()["url"])
        self.assertEqual(answer.headers["Content-Type"], "text/csv; charset=utf-8")
        self.assertTrue(answer.content.startswith(b"\xef\xbb\xbf"))
        rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
        self.assertEqual(
            rows[0][-4:], ["8% (reduced), tax included", "8% (reduced), tax", "10%, tax included", "10%, tax"]
        )
        by_id = {row[4]: row for row in rows[1:]}
        self.assertEqual(
            by_id["1"],
            ["2026-11-20", "", "Till sale", "'=1+1", "1", "Would be booked", "3280", "", "1080", "80", "2200", "200"],
        )
        self.assertEqual(by_id["2"][5:], ["Mapping missing", "0", "9 is unknown", "", "", "", ""])

    def test_csv_of_another_company_is_not_found(self):
        """Record rules hold for the file, too."""
        company = self.env["res.company"].create({"name": "Other"})
        channel = self.env["bridge.channel"].create(
            {"name": "Other", "system": next(iter(sorted(registered()))), "company_id": company.id}
        )
        run = self.env["bridge.rehearsal"].create({"channel_id": channel.id})
        self.authenticate("admin", "admin")
        self.assertEqual(self.url_open(f"/bridge/rehearsal/{run.id}.csv").status_code, 404)
