# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from datetime import timedelta
from unittest.mock import patch

from reportlab.graphics.barcode.eanbc import Ean8BarcodeWidget, Ean13BarcodeWidget
from reportlab.graphics.shapes import Rect

from odoo import fields
from odoo.tests import TransactionCase, new_test_user, tagged

from .. import jan_bars
from ..connectors import registered
from ..connectors.base import Capability, TransientError
from ..models.bridge_poll import POLLED
from .lane_case import LaneCase
from .samples import sample

ONIGIRI, TEA = "4900000000016", "4900000000023"


@sample
def outage_and_tally(env, store, product):
    """For the tests that go through all models and screens."""
    start, end = "2026-11-20 03:00:00", "2026-11-20 04:00:00"
    env["bridge.outage"].create({"channel_id": store.channel_id.id, "started_at": start, "reason": "gone"})
    tally = env["bridge.tally"].create({"store_id": store.id, "started_at": start, "ended_at": end})
    line = env["bridge.tally.line"].create({"tally_id": tally.id, "product_id": product.id})
    env["bridge.tally.arrival"].create({"line_id": line.id, "receipt": "1"})


class OutageCase(LaneCase):
    """A vendor that can be taken down, and time that can be turned back."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # What a call waits before it gives up is tried elsewhere.
        patcher = patch("odoo.addons.pos_erp_bridge.connectors.http.TRIES", 1)
        patcher.start()
        cls.addClassCleanup(patcher.stop)

    def go_down(self, vendor):
        vendor.sandbox.faults.update({"status_500": -1})

    def come_back(self, vendor):
        vendor.sandbox.faults.update({"status_500": 0})

    def poll_lane(self, vendor):
        vendor.channel.watermark_ids.polled_at = False
        self.run_lanes(vendor, "poll")
        vendor.channel.invalidate_recordset()

    def outage(self, vendor):
        return self.env["bridge.outage"].search([("channel_id", "=", vendor.channel.id)])

    def age(self, vendor, **delta):
        """Let the outage have begun that long ago."""
        outage = self.outage(vendor).filtered(lambda o: not o.ended_at)
        outage.started_at = fields.Datetime.now() - timedelta(**delta)
        vendor.channel.invalidate_recordset()
        self.env.flush_all()


@tagged("post_install", "-at_install")
class TestOutage(OutageCase):
    def test_two_hours_of_silence(self):
        """Down 2 h: shown with its age, alarmed once, trusted less; back again: noted, compared, trusted as before."""
        vendor = self.connect("smaregi")
        channel, factor = vendor.channel, self.env["bridge.availability"]._share_factor
        store = channel.store_ids[:1]
        self.assertFalse(channel.unanswered_since)
        self.assertEqual(channel.unanswered_text, False)
        self.go_down(vendor)
        self.poll_lane(vendor)
        self.assertTrue(channel.unanswered_since)
        self.assertIn("500", channel.unanswered_reason)
        self.assertEqual(channel.unanswered_text, "No answer for 0 min")
        self.assertEqual(factor(store), 1.0)

        self.age(vendor, hours=2, minutes=10, seconds=5)
        self.poll_lane(vendor)
        self.assertEqual(len(self.outage(vendor)), 1, "the same outage")
        self.assertEqual(channel.unanswered_text, "No answer for 2 h 10 min")
        # 115 minutes beyond the quarter of an hour, at 25 % an hour: 52.08 %, in whole steps of 5.
        self.assertEqual(factor(store), 0.5)
        self.assertEqual(self.outage(vendor).told_percent, 50)
        self.poll_lane(vendor)
        alarms = channel.activity_ids.filtered(lambda a: a.summary == "Channel does not answer")
        self.assertEqual(len(alarms), 1)
        self.assertIn("2 h 10 min", alarms.note)

        self.come_back(vendor)
        with patch.object(type(channel), "_compare_after_outage") as compare:
            self.poll_lane(vendor)
            self.poll_lane(vendor)
        self.assertEqual(compare.call_count, 1)
        self.assertEqual((channel.unanswered_since, factor(store)), (False, 1.0))
        outage = self.outage(vendor)
        self.assertTrue(outage.is_settled and outage.ended_at)
        self.assertEqual(outage.told_percent, 100)
        self.assertFalse(channel.activity_ids & alarms)
        notes = " ".join(channel.message_ids.mapped("body"))
        self.assertEqual(notes.count("Answered again after 2 h 10 min"), 1)

    def test_share_shrinks_by_rule(self):
        """Full until the limit, then less by the hour in steps of 5 %, nothing in the end; never when set to 0."""
        vendor = self.connect("smaregi")
        channel, factor = vendor.channel, self.env["bridge.availability"]._share_factor
        self.go_down(vendor)
        self.poll_lane(vendor)
        for minutes, expected in ((14, 1.0), (16, 0.95), (27, 0.9), (75, 0.7), (254, 0.0), (6000, 0.0)):
            with self.subTest(minutes=minutes):
                self.age(vendor, minutes=minutes, seconds=30)
                self.assertEqual(factor(channel.store_ids[:1]), expected)
        channel.blind_shrink_percent = 0
        self.assertEqual(factor(channel.store_ids[:1]), 1.0)

    def test_every_step_is_told_to_who_sells_from_the_same_place(self):
        """A step makes the levels of all channels at these places computed again; the same step does not."""
        vendor, other = self.connect("smaregi"), self.connect("shopify")
        self.go_down(vendor)
        self.poll_lane(vendor)
        self.env["bridge.touch"].search([]).unlink()
        steps = []
        for minutes in (10, 20, 21, 40):
            self.age(vendor, minutes=minutes)
            self.poll_lane(vendor)
            self.env.cr.precommit.run()
            touched = self.env["bridge.touch"].search([])
            steps.append({channel_id for channel_id in touched.mapped("channel_id")})
            touched.unlink()
        both = {vendor.channel.id, other.channel.id}
        self.assertEqual(steps, [set(), both, set(), both])
        self.come_back(vendor)
        self.poll_lane(vendor)
        self.env.cr.precommit.run()
        self.assertEqual(set(self.env["bridge.touch"].search([]).mapped("channel_id")), both, "all comes back")

    def test_others_get_what_was_kept_for_a_silent_channel(self):
        """A rule keeps half of the tea for the tills: silent, they lose it step by step, and have it back at once."""
        vendor, other = self.connect("smaregi"), self.connect("shopify")
        tea = self.products[TEA]
        self.env["bridge.allocation.rule"].create(
            {
                "name": "tills first", "sequence": 1, "channel_ids": vendor.channel.ids, "share": "percent",
                "share_percent": 50, "is_exclusive": True,
                "store_ids": vendor.channel.store_ids.filtered(lambda s: s.external_id == "1").ids,
            }
        )  # fmt: skip

        def told():
            self.run_lanes(other, "outward")
            level.invalidate_recordset()
            return level.desired

        self.run_lanes(other, "outward")
        level = self.env["bridge.stock.level"].search(
            [("channel_id", "=", other.channel.id), ("product_id", "=", tea.id)], limit=1
        )
        self.assertEqual(told(), 50)
        self.go_down(vendor)
        self.poll_lane(vendor)
        quantities = []
        for minutes in (10, 76, 300):
            self.age(vendor, minutes=minutes)
            self.poll_lane(vendor)
            quantities.append(told())
        # 70 % of the tills' 50 after an hour of not being trusted, nothing in the end.
        self.assertEqual(quantities, [50, 65, 100])
        self.come_back(vendor)
        self.poll_lane(vendor)
        self.assertEqual(told(), 50)

    def test_a_stutter_is_no_outage(self):
        """Back within two minutes: nothing is noted in the chatter, nothing compared."""
        vendor = self.connect("smaregi")
        self.go_down(vendor)
        self.poll_lane(vendor)
        self.come_back(vendor)
        count = len(vendor.channel.message_ids)
        with patch.object(type(vendor.channel), "_compare_after_outage") as compare:
            self.poll_lane(vendor)
        self.assertFalse(compare.called)
        self.assertFalse(vendor.channel.unanswered_since)
        self.assertEqual(len(vendor.channel.message_ids), count)

    def test_every_lane_notices(self):
        """A webhook's fetch and a push that get no answer tell it too, and any lane that gets one ends it."""
        vendor = self.connect("smaregi")
        channel = vendor.channel
        self.run_lanes(vendor, "outward")
        self.go_down(vendor)
        vendor.do("change", vendor.sell(TEA))
        self.deliver(vendor)
        self.run_lanes(vendor, "inbound")
        channel.invalidate_recordset()
        self.assertTrue(channel.unanswered_since)
        self.come_back(vendor)
        self.env["bridge.event"].search([("channel_id", "=", channel.id), ("state", "=", "pending")]).write(
            {"run_at": fields.Datetime.now()}
        )
        self.run_lanes(vendor, "inbound")
        channel.invalidate_recordset()
        self.assertFalse(channel.unanswered_since)
        self.env["bridge.touch"]._touch_products(channel, self.products[TEA])
        self.env["stock.quant"]._update_available_quantity(self.products[TEA], self.location, -3)
        self.go_down(vendor)
        self.run_lanes(vendor, "outward")
        channel.invalidate_recordset()
        self.assertTrue(channel.unanswered_since)

    def test_comparing_is_tried_again_when_the_channel_falls_silent(self):
        """An answer followed by silence: the outage is settled, once, when the stock could be compared."""
        vendor = self.connect("smaregi")
        self.go_down(vendor)
        self.poll_lane(vendor)
        self.age(vendor, hours=1)
        self.come_back(vendor)
        with patch.object(type(vendor.channel), "_compare_after_outage", side_effect=[TransientError("gone"), None]):
            self.poll_lane(vendor)
            self.assertFalse(self.outage(vendor).is_settled)
            self.poll_lane(vendor)
        self.assertTrue(self.outage(vendor).is_settled)
        notes = " ".join(vendor.channel.message_ids.mapped("body"))
        self.assertEqual(notes.count("Answered again after 1 h 0 min"), 1)

    def test_all_well_costs_no_row(self):
        """Without an outage nothing is written, however often the channel answers."""
        vendor = self.connect("smaregi")
        before = vendor.channel.write_date
        self.poll_lane(vendor)
        self.assertFalse(self.outage(vendor))
        self.assertEqual(vendor.channel.write_date, before)


@tagged("post_install", "-at_install")
class TestOutageGuard(OutageCase):
    """What would zero many items asks first, also when it happened while the channel was silent."""

    def setUp(self):
        super().setUp()
        self.vendor = self.connect("smaregi")
        self.channel = self.vendor.channel
        main = next(iter(self.vendor.sandbox.state()["levels"]))
        self.channel.store_ids.filtered(lambda store: store.external_id != main).location_id = False
        self.channel.write({"guard_items": 1, "guard_share": 60})
        self.env["bridge.touch"]._touch_channel(self.channel)
        self.run_lanes(self.vendor, "outward")
        self.assertEqual(self.shown(), [100] * 5)
        # That was yesterday: it is none of the changes of the last minutes.
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE bridge_stock_level SET write_date = write_date - %(day)s, pushed_at = pushed_at - %(day)s",
            {"day": timedelta(days=1)},
        )
        self.env.invalidate_all()

    def shown(self):
        """What the channel shows, in the order of the shop's products."""
        levels = next(iter(self.vendor.sandbox.state()["levels"].values()))
        return [levels.get(code) for code in self.products]

    def levels(self, *codes):
        products = self.env["product.product"].union(*(self.products[code] for code in codes or self.products))
        domain = [("channel_id", "=", self.channel.id), ("product_id", "in", products.ids)]
        self.env.invalidate_all()
        return self.env["bridge.stock.level"].search(domain)

    def be_silent(self, **delta):
        """The channel is silent for so long, and its share was taken from it."""
        self.go_down(self.vendor)
        self.poll_lane(self.vendor)
        self.age(self.vendor, **delta)
        self.poll_lane(self.vendor)
        self.run_lanes(self.vendor, "outward")

    def zero(self, *codes):
        for code in codes:
            self.env["stock.quant"]._update_available_quantity(self.products[code], self.location, -100)
        self.run_lanes(self.vendor, "outward")

    def questions(self):
        kind = self.env.ref("pos_erp_bridge.mail_activity_held")
        self.channel.invalidate_recordset()
        return len(self.channel.activity_ids.filtered(lambda a: a.activity_type_id == kind))

    def test_a_mistake_during_silence_is_asked_about(self):
        """Silent, many products are zeroed by mistake, it answers again: whoever hears it first, nothing of it is sent,
        and a person is asked. What fell by rule alone is no change."""
        self.be_silent(hours=3)
        self.assertEqual(set(self.levels().mapped("desired")), {30})
        self.zero(ONIGIRI, TEA)
        self.assertEqual(self.questions(), 0)
        self.come_back(self.vendor)
        self.run_lanes(self.vendor, "outward")
        self.assertEqual(self.shown(), [100] * 5)
        self.poll_lane(self.vendor)
        self.run_lanes(self.vendor, "outward")
        self.assertEqual(self.shown(), [100] * 5)
        self.assertEqual(self.levels(ONIGIRI, TEA).mapped("state"), ["held", "held"])
        self.assertEqual((self.questions(), self.channel.held_count), (1, 2))
        self.levels(ONIGIRI, TEA).action_send_held()
        self.run_lanes(self.vendor, "outward")
        self.assertEqual(sorted(self.shown()), [0, 0, 100, 100, 100])

    def test_the_rule_itself_asks_nothing(self):
        """A share that fell to nothing and came back: no question, and the channel is told neither."""
        self.channel.write({"guard_items": 0, "guard_share": 10})
        self.be_silent(hours=10)
        self.assertEqual(set(self.levels().mapped("desired")), {0})
        calls = len(self.vendor.sandbox.calls)
        self.run_lanes(self.vendor, "outward")
        self.assertEqual(len(self.vendor.sandbox.calls), calls)
        self.come_back(self.vendor)
        self.run_lanes(self.vendor, "outward")
        self.assertEqual(self.shown(), [100] * 5)
        self.poll_lane(self.vendor)
        self.run_lanes(self.vendor, "outward")
        self.assertEqual((self.shown(), self.questions()), ([100] * 5, 0))
        self.assertEqual(set(self.levels().mapped("state")), {"synced"})

    def test_a_single_sale_during_silence_is_told_afterwards(self):
        """What is no mistake is told when the channel answers, though no step of its share was told meanwhile."""
        self.go_down(self.vendor)
        self.poll_lane(self.vendor)
        self.age(self.vendor, minutes=16)
        self.env["stock.quant"]._update_available_quantity(self.products[TEA], self.location, -4)
        self.env.cr.precommit.run()
        self.env["bridge.stock.level"]._fold(self.channel)
        self.assertEqual((self.levels(TEA).desired, self.levels(TEA).is_shrunk), (91, True))
        self.come_back(self.vendor)
        self.poll_lane(self.vendor)
        self.run_lanes(self.vendor, "outward")
        self.assertEqual(sorted(self.shown()), [96, 100, 100, 100, 100])
        self.assertEqual((self.levels(TEA).state, self.questions()), ("synced", 0))

    def test_a_question_outlasts_the_silence(self):
        """What was held before, few as it is, does not slip through because the channel was silent meanwhile."""
        self.channel.guard_items = 0
        self.zero(TEA)
        self.assertEqual((self.levels(TEA).state, self.questions()), ("held", 1))
        self.be_silent(hours=3)
        self.env["bridge.stock.level"].search([]).wild_at = False
        self.channel.guard_items = 30
        self.poll_lane(self.vendor)
        self.assertEqual(self.questions(), 1)
        self.come_back(self.vendor)
        self.poll_lane(self.vendor)
        self.run_lanes(self.vendor, "outward")
        self.assertEqual((self.shown(), self.levels(TEA).state, self.questions()), ([100] * 5, "held", 1))

    def test_every_channel_that_is_told_stock_is_polled(self):
        """Silent, a channel is told nothing: the poll hears its answer, so there is something to poll of each."""
        for system, connector in sorted(registered().items()):
            if Capability.STOCK_OUT in connector.capabilities:
                with self.subTest(system):
                    self.assertTrue(connector.streams.keys() & POLLED.keys())


@tagged("post_install", "-at_install")
class TestEmergencySheet(OutageCase):
    def sheet(self, stores, lang="en_US", user=None, **options):
        report = self.env["ir.actions.report"].with_user(user or self.env.user).with_context(lang=lang)
        html, kind = report._render_qweb_html("pos_erp_bridge.emergency_sheet", stores.ids, data=options)
        self.assertEqual(kind, "html")
        return html.decode()

    def sold(self):
        vendor = self.connect("smaregi")
        vendor.sell(TEA, ONIGIRI, ONIGIRI)
        self.deliver(vendor)
        self.settle(vendor)
        return vendor

    def test_what_is_on_the_sheet(self):
        """What was sold lately: name, JAN as text and bars, price with tax, what is left, boxes, page numbers."""
        vendor = self.sold()
        tea = self.products[TEA]
        category = self.env["pos.category"].create({"name": "飲料"})
        tea.pos_categ_ids = category
        store = vendor.channel.store_ids[:1]
        user = new_test_user(self.env, "sheet_user", "pos_erp_bridge.group_bridge_auditor",
                             company_id=self.env.company.id, company_ids=self.env.company.ids)  # fmt: skip
        html = self.sheet(store, user=user)
        bars = jan_bars.path(TEA)[1]
        for text in ("Emergency sheet", store.name, "緑茶 525ml", TEA, bars, "138", "飲料", "99", "98", "1 / 1"):
            self.assertIn(text, html)
        self.assertNotIn("歯ブラシ", html, "it was not sold")
        self.assertLess(html.index("飲料"), html.index("紅鮭"), "products of no category come last")
        self.assertEqual(html.count('class="total"'), 2 + 5, "two products, five spare rows")

    def test_all_in_stock_on_pages_with_headers(self):
        """Many products: each page has its header and number, and nothing is left out."""
        vendor = self.connect("smaregi")
        products = self.env["product.product"].create(
            [{"name": f"品{i:03d}", "is_storable": True, "type": "consu"} for i in range(50)]
        )
        for product in products:
            self.env["stock.quant"]._update_available_quantity(product, self.location, 7)
        html = self.sheet(vendor.channel.store_ids[:1], which="stock")
        self.assertEqual([html.count(p.name) for p in products], [1] * 50)
        self.assertEqual(html.count('class="head"'), 4)
        self.assertIn("4 / 4", html)

    def test_japanese(self):
        """In Japanese every word of ours is Japanese, when its words are loaded."""
        self.env["res.lang"]._activate_lang("ja_JP")
        view = self.env.ref("pos_erp_bridge.emergency_sheet_pages")
        view.update_field_translations(
            "arch_db", {"ja_JP": {"Emergency sheet": "緊急時販売表", "Last known": "直近在庫"}}
        )
        html = self.sheet(self.sold().channel.store_ids[:1], lang="ja_JP")
        self.assertIn("緊急時販売表", html)
        self.assertIn("直近在庫", html)
        self.assertIn('lang="ja-JP"', html)
        self.assertIn("緑茶 525ml", html)

    def test_blind_stores_say_so(self):
        """While the channel is silent the sheet says since when its own sales are missing."""
        vendor = self.sold()
        self.go_down(vendor)
        self.poll_lane(vendor)
        self.assertIn("is not taken off", self.sheet(vendor.channel.store_ids[:1]))

    def test_other_companies_are_refused(self):
        """Nobody prints the sheet of a company he does not work in; a store without a place says what to do."""
        vendor = self.connect("smaregi")
        store = vendor.channel.store_ids[:1]
        stranger = new_test_user(self.env, "sheet_stranger", "pos_erp_bridge.group_bridge_user",
                                 company_id=self.env.ref("base.main_company").id,
                                 company_ids=self.env.ref("base.main_company").ids)  # fmt: skip
        with self.assertRaisesRegex(Exception, "(?i)access|company"):
            self.env["report.pos_erp_bridge.emergency_sheet"].with_user(stranger).with_context(
                allowed_company_ids=stranger.company_ids.ids
            )._get_report_values(store.ids)
        store.location_id = False
        with self.assertRaisesRegex(Exception, "under Mappings, Stores"):
            self.env["report.pos_erp_bridge.emergency_sheet"]._get_report_values(store.ids)

    def test_wizard_opens_a_tab(self):
        """The small window opens the sheet in a tab of its own, so that any browser prints it."""
        vendor = self.connect("smaregi")
        wizard = self.env["bridge.emergency.sheet"].create({"which": "stock"})
        self.assertEqual(set(wizard.store_ids), set(vendor.channel.store_ids))
        action = wizard.action_print()
        self.assertEqual((action["type"], action["target"]), ("ir.actions.act_url", "new"))
        ids = ",".join(map(str, wizard.store_ids.ids))
        self.assertIn(f"/report/html/pos_erp_bridge.emergency_sheet/{ids}?options=", action["url"])


@tagged("post_install", "-at_install")
class TestJanBars(TransactionCase):
    def test_bars_are_those_of_the_standard(self):
        """EAN-13 and EAN-8 are drawn as reportlab draws them, bar by bar; other codes have no bars."""
        for code, widget in (("4900000000016", Ean13BarcodeWidget), ("4912345678904", Ean13BarcodeWidget),
                             ("49123456", Ean8BarcodeWidget)):  # fmt: skip
            drawn = widget(value=code)
            bars = [shape for shape in drawn.draw().contents if isinstance(shape, Rect) and shape.fillColor]
            first = bars[0].x
            ours = "".join(
                f"M{round((bar.x - first) / drawn.barWidth)} 0h{round(bar.width / drawn.barWidth)}v1"
                f"h-{round(bar.width / drawn.barWidth)}z"
                for bar in bars
            )
            self.assertEqual(jan_bars.path(code), (95 if len(code) == 13 else 67, ours))
        self.assertEqual(jan_bars.path("4900000000017"), (0, ""), "its check digit is wrong")
        self.assertEqual(jan_bars.path("ABC"), (0, ""))
