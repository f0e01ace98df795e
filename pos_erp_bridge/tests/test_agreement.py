# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Agreement: what a channel shows is compared with what it should, against the connectors' own sandboxes."""

from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged

from ..connectors import base, registered
from ..connectors.base import Capability
from ..models import bridge_stock_guard
from .lane_case import LaneCase
from .shop import PRODUCTS

RICE, TEA, BREAD, BATTERY, BRUSH = (product[0] for product in PRODUCTS)


class Agreement:
    """What holds for every connector whose levels can be read."""

    system = ""

    def setUp(self):
        super().setUp()
        self.vendor = self.connect(self.system)
        self.channel = self.vendor.channel
        main = next(iter(self.vendor.sandbox.state()["levels"]))
        self.channel.store_ids.filtered(lambda store: store.external_id != main).location_id = False

    # -- helpers -----------------------------------------------------------------------------------
    def publish(self):
        self.env["bridge.touch"]._touch_channel(self.channel)
        self.run_lanes(self.vendor, "outward")
        self.channel.reconciled_at = fields.Datetime.now()

    def compare(self):
        """Ask for a comparison and let the lanes work; returns it."""
        run = self.env["bridge.agreement"].browse(self.channel.action_reconcile_now()["res_id"])
        self.run_lanes(self.vendor, "poll", "inbound", "outward", "poll")
        return run

    def level(self, code):
        domain = [("channel_id", "=", self.channel.id), ("product_id", "=", self.products[code].id)]
        return self.env["bridge.stock.level"].search(domain)

    def shown(self, code):
        return next(iter(self.vendor.sandbox.state()["levels"].values())).get(code)

    def change_stock(self, code, quantity):
        self.env["stock.quant"]._update_available_quantity(self.products[code], self.location, quantity)

    def lines(self):
        return self.env["bridge.agreement.line"].search([("channel_id", "=", self.channel.id)])

    def facts(self, line):
        return (line.product_id, line.shown, line.believed, line.wanted, line.cause, line.state)

    def connector_patch(self, name, replacement):
        patcher = patch.object(registered()[self.system], name, replacement)
        patcher.start()
        self.addCleanup(patcher.stop)
        return patcher

    # -- reading -----------------------------------------------------------------------------------
    def test_all_agrees(self):
        """A comparison reads every level and finds nothing wrong; the button itself asks the channel nothing."""
        self.publish()
        calls = len(self.vendor.sandbox.calls)
        action = self.channel.action_reconcile_now()
        self.assertEqual(len(self.vendor.sandbox.calls), calls)
        run = self.env["bridge.agreement"].browse(action["res_id"])
        self.assertEqual((run.state, run.kind, action["res_model"]), ("reading", "demand", run._name))
        self.assertEqual(self.channel.action_reconcile_now()["res_id"], run.id, "asked twice, it is one")
        self.run_lanes(self.vendor, "poll")
        self.assertEqual(
            (run.state, run.read_count, run.compared_count, run.differed_count, run.line_ids.ids), ("done", 5, 5, 0, [])
        )
        self.assertEqual(self.channel.reconcile_message, "5 levels compared, 0 differed.")
        self.assertFalse(self.env["bridge.agreement.look"].search_count([]))

    def test_cut_in_the_middle_goes_on_at_the_page(self):
        """The channel falls silent after two pages; the next run of the lane reads the rest, once."""
        self.publish()
        self.vendor.do("set_stock", BRUSH, 40)
        cls, real, pages = registered()[self.system], registered()[self.system].pull, []

        def pull(connector, stream, since, until, cursor=None):
            if stream == "stock":
                pages.append(cursor)
                if len(pages) == 3:
                    raise base.TransientError("silence")
            return real(connector, stream, since, until, cursor)

        self.connector_patch("pull", pull)
        self.connector_patch("streams", {**cls.streams, "stock": base.Stream("stock", page_size=2)})
        run = self.env["bridge.agreement"].browse(self.channel.action_reconcile_now()["res_id"])
        self.run_lanes(self.vendor, "poll")
        self.assertEqual((run.state, run.read_count), ("reading", 4))
        self.run_lanes(self.vendor, "poll")
        self.assertEqual((run.state, run.read_count, run.compared_count, run.differed_count), ("done", 5, 5, 1))
        self.assertEqual(pages[2], pages[3])

    def test_nightly_once(self):
        """Every night once, by the poll lane itself."""
        self.publish()
        self.channel.reconciled_at = fields.Datetime.now() - timedelta(days=1, minutes=1)
        self.run_lanes(self.vendor, "poll", "poll")
        self.assertEqual(self.env["bridge.agreement"].search([("kind", "=", "night")]).mapped("state"), ["done"])

    def test_after_an_outage(self):
        """When a channel answers again it is compared; a paused one is not."""
        self.publish()
        self.channel._compare_after_outage()
        self.channel._compare_after_outage()
        self.run_lanes(self.vendor, "poll")
        run = self.env["bridge.agreement"].search([])
        self.assertEqual((run.kind, run.state), ("outage", "done"))
        self.channel.state = "paused"
        self.channel._compare_after_outage()
        self.assertEqual(self.env["bridge.agreement"].search([]), run)

    # -- causes and repair ---------------------------------------------------------------------------
    def test_foreign_edit_is_repaired_by_rule(self):
        """Somebody changed a level over there: it is set anew through the ordinary lane, and the line says so."""
        self.publish()
        self.vendor.do("set_stock", TEA, 3)
        run = self.compare()
        line = run.line_ids
        self.assertEqual(self.facts(line), (self.products[TEA], 3, 100, 100, "foreign", "repaired"))
        self.assertIn("shows 3", line.reason)
        self.assertIn("believed 100", line.reason)
        self.assertEqual(self.shown(TEA), 100)
        self.assertEqual((run.differed_count, run.repaired_count, run.open_count), (1, 1, 0))
        self.assertEqual((self.level(TEA).state, self.level(TEA).differs_since), ("synced", False))

    def test_ask_first_then_repair_by_button(self):
        """Under the rule Ask nothing is sent; a user repairs with one button; run twice there is one line."""
        self.publish()
        self.channel.drift_repair = "ask"
        self.vendor.do("set_stock", TEA, 3)
        first = self.compare()
        second = self.compare()
        line = self.lines()
        self.assertEqual(self.facts(line), (self.products[TEA], 3, 100, 100, "foreign", "open"))
        self.assertEqual((line.agreement_id, first.differed_count, second.differed_count), (second, 1, 1))
        self.assertEqual(self.shown(TEA), 3)
        self.assertTrue(self.level(TEA).differs_since)
        auditor = new_test_user(
            self.env, "agree_auditor", "pos_erp_bridge.group_bridge_auditor", company_id=self.env.company.id
        )
        user = new_test_user(self.env, "agree_user", "pos_erp_bridge.group_bridge_user", company_id=self.env.company.id)
        for action in ("action_repair", "action_ignore"):
            with self.assertRaises(AccessError):
                getattr(line.with_user(auditor), action)()
        with self.assertRaises(AccessError):
            self.channel.with_user(auditor).action_reconcile_now()
        second.with_user(user).action_repair()
        self.assertEqual((line.state, line.action_taken), ("sent", f"By {user.name}."))
        with self.assertRaises(UserError):  # a second press finds nothing to do
            line.with_user(user).action_repair()
        self.run_lanes(self.vendor, "outward", "poll")
        self.assertEqual((line.state, self.shown(TEA), self.level(TEA).differs_since), ("repaired", 100, False))
        self.assertEqual(
            self.channel.with_user(user).action_reconcile_now()["res_model"], "bridge.agreement", "a user may compare"
        )

    def test_small_differences_by_rule(self):
        """Up to the channel's limit a foreign edit is repaired, above it somebody is asked."""
        self.publish()
        self.channel.write({"drift_repair": "small", "drift_small": 2})
        self.vendor.do("set_stock", TEA, 98)
        self.vendor.do("set_stock", RICE, 97)
        self.compare()
        self.assertEqual((self.shown(TEA), self.shown(RICE)), (100, 97))
        self.assertEqual(
            {line.product_id: (line.cause, line.state) for line in self.lines()},
            {self.products[TEA]: ("foreign", "repaired"), self.products[RICE]: ("foreign", "open")},
        )

    def test_ignored_stays_ignored(self):
        """The same numbers are not reported again; others are."""
        self.publish()
        self.channel.drift_repair = "ask"
        self.vendor.do("set_stock", TEA, 3)
        self.compare()
        self.lines().action_ignore()
        self.compare()
        self.assertEqual(self.lines().mapped("state"), ["ignored"])
        self.assertFalse(self.level(TEA).differs_since)
        self.vendor.do("set_stock", TEA, 4)
        self.compare()
        self.assertEqual(self.lines().sorted("id").mapped("state"), ["ignored", "open"])

    def test_sale_nobody_told_of_is_not_overwritten(self):
        """A sale whose webhook was lost is found before anything is repaired: it is booked, and nothing differs."""
        self.publish()
        self.vendor.sell(TEA, store=None)
        self.assertEqual(self.shown(TEA), 99)
        run = self.env["bridge.agreement"].browse(self.channel.action_reconcile_now()["res_id"])
        self.run_lanes(self.vendor, "poll")
        self.assertEqual((run.state, run.line_ids.state), ("checking", "check"), "it waits for the sale")
        self.settle(self.vendor)
        self.run_lanes(self.vendor, "outward", "poll")
        self.assertEqual((run.state, run.differed_count, self.lines().ids), ("done", 0, []))
        self.assertEqual((self.shown(TEA), self.level(TEA).desired, self.level(TEA).confirmed), (99, 99, 99))

    def test_blocked_sale_is_named_and_left_alone(self):
        """A sale that cannot be booked explains the difference; even repairing by rule leaves the level alone, until
        it is booked and the next comparison finds it agreed."""
        self.publish()
        external_id = self.vendor.sell(TEA)
        self.vendor.do("corrupt", external_id)
        self.deliver(self.vendor)
        self.settle(self.vendor)
        event = self.events(self.vendor, external_id)
        self.assertEqual(event.state, "blocked", event.message)
        self.compare()
        line = self.lines()
        self.assertEqual(self.facts(line), (self.products[TEA], 99, 100, 100, "sale", "open"))
        self.assertIn("(-1 pieces)", line.reason)
        self.assertIn(external_id, line.reason)
        self.assertNotIn("unexplained", line.reason)
        self.assertEqual(self.shown(TEA), 99)
        with self.assertRaises(UserError):
            line.action_repair()
        self.vendor.do("corrupt", external_id, by=-1)
        self.deliver(self.vendor)
        self.settle(self.vendor)
        self.run_lanes(self.vendor, "outward")
        self.compare()
        self.assertEqual((self.facts(line)[-2:], self.shown(TEA)), (("sale", "settled"), 99))

    def test_pending_push(self):
        """A level that is about to be told differs for that reason; a push under way is known by its id."""
        self.publish()
        self.change_stock(TEA, -5)
        self.env.cr.precommit.run()
        self.env["bridge.stock.level"]._fold(self.channel)
        self.level(RICE).write({"desired": 90, "state": "due", "push_id": "0123456789abcdef"})
        self.channel.action_reconcile_now()
        self.run_lanes(self.vendor, "poll")
        self.assertEqual(
            {line.product_id: self.facts(line)[1:] for line in self.lines()},
            {
                self.products[TEA]: (100, 100, 95, "push", "open"),
                self.products[RICE]: (100, 100, 90, "push", "open"),
            },
        )
        by_product = {line.product_id: line.reason for line in self.lines()}
        self.assertIn("push 01234567", by_product[self.products[RICE]])
        self.assertIn("about to be told 95", by_product[self.products[TEA]])
        self.level(RICE).write({"desired": 100})
        self.run_lanes(self.vendor, "outward")
        self.compare()
        self.assertEqual(self.shown(TEA), 95)
        self.assertEqual(set(self.lines().mapped("state")), {"settled"})

    def test_a_promise_explains(self):
        """What the channel promised to an order on its way is left alone; the promise long over, it is an edit."""
        self.publish()
        hold = self.env["bridge.hold"].create(
            {
                "channel_id": self.channel.id, "company_id": self.env.company.id, "order_ref": "#77", "line_ref": "1",
                "product_id": self.products[TEA].id, "location_id": self.location.id, "quantity": 3,
                "purpose": "order", "claimed_at": fields.Datetime.now(),
            }
        )  # fmt: skip
        self.vendor.do("set_stock", TEA, 97)
        self.compare()
        line = self.lines()
        self.assertEqual(self.facts(line), (self.products[TEA], 97, 100, 100, "hold", "open"))
        self.assertIn("3 are or were promised: #77", line.reason)
        self.assertEqual(self.shown(TEA), 97)
        with self.assertRaises(UserError):
            line.action_repair()
        hold.write({"state": "released", "ended_at": fields.Datetime.now() - timedelta(minutes=11)})
        self.compare()
        self.assertEqual((self.facts(line)[-2:], self.shown(TEA)), (("foreign", "repaired"), 100))

    def test_unknown_there(self):
        """An item the channel does not list is looked for singly, told as such, and told anew on demand."""
        self.publish()
        stock_id = self.level(TEA)._keys(self.channel)[self.level(TEA).id][1]
        cls = registered()[self.system]
        real_pull, real_fetch = cls.pull, cls.fetch

        def lacks(connector, fact):
            return fact.stream == "stock" and connector.translate("stock", fact.payload).stock_id == stock_id

        def pull(connector, *args):
            page = real_pull(connector, *args)
            return base.Page(tuple(f for f in page.facts if not lacks(connector, f)), page.cursor)

        def fetch(connector, *args):
            return [fact for fact in real_fetch(connector, *args) if not lacks(connector, fact)]

        pulling, fetching = self.connector_patch("pull", pull), self.connector_patch("fetch", fetch)
        run = self.compare()
        line = self.lines()
        self.assertEqual(
            (run.missing_count, self.facts(line)), (1, (self.products[TEA], 0, 100, 100, "missing", "open"))
        )
        pulling.stop()
        fetching.stop()
        line.action_repair()
        self.run_lanes(self.vendor, "outward", "poll")
        self.assertEqual((line.state, self.shown(TEA)), ("repaired", 100))
        pulling.start()
        fetching.start()

    def test_unmapped_here(self):
        """An item of the channel nobody mapped is counted and listed, once."""
        self.publish()
        self.vendor.do("load", products=[{"code": "X1", "name": "謎の品", "price": 10}])
        self.vendor.do("set_stock", "X1", 7)
        self.compare()
        run = self.compare()
        self.assertEqual((run.unmapped_count, run.differed_count), (1, 0))
        line = self.lines().filtered(lambda found: found.state == "open")
        self.assertEqual((line.shown, line.cause, line.agreement_id), (7, "unmapped", run))
        with self.assertRaises(UserError):
            line.action_repair()

    def test_a_sale_while_repairing_is_kept(self):
        """Between the comparison and the repair the channel sells once more: it is waited for, not overwritten."""
        self.publish()
        self.channel.drift_repair = "ask"
        self.vendor.do("set_stock", TEA, 50)
        self.compare()
        external_id = self.vendor.sell(TEA)
        self.lines().action_repair()
        self.run_lanes(self.vendor, "outward")
        self.assertEqual((self.shown(TEA), self.level(TEA).state), (49, "stale"))
        self.poll(self.vendor)
        self.settle(self.vendor)
        self.assertTrue(self.document(self.vendor, external_id))
        self.run_lanes(self.vendor, "outward", "poll")
        self.assertEqual((self.shown(TEA), self.level(TEA).desired), (99, 99))
        self.assertEqual(self.lines().state, "repaired")

    # -- alarm ---------------------------------------------------------------------------------------
    def test_drift_is_an_alarm_once(self):
        """Older than the limit it is one activity and a figure; when all agrees it is taken back."""
        self.publish()
        self.channel.write({"drift_repair": "ask", "drift_hours": 2})
        self.vendor.do("set_stock", TEA, 3)
        self.compare()
        alarm = self.env.ref("pos_erp_bridge.mail_activity_drift")
        activities = lambda: self.channel.activity_ids.filtered(lambda a: a.activity_type_id == alarm)  # noqa: E731
        self.assertEqual((self.channel.drift_count, len(activities())), (0, 0))
        self.level(TEA).differs_since = fields.Datetime.now() - timedelta(hours=3)
        self.run_lanes(self.vendor, "poll", "poll")
        self.channel.invalidate_recordset()
        self.assertEqual((self.channel.drift_count, len(activities())), (1, 1))
        self.assertEqual(self.channel.drift_text, "3 h 0 min")
        self.assertEqual(
            self.env["bridge.stock.level"].search(self.channel.action_open_drift()["domain"]), self.level(TEA)
        )
        self.lines().action_repair()
        self.run_lanes(self.vendor, "outward", "poll")
        self.channel.invalidate_recordset()
        self.assertEqual((self.channel.drift_count, len(activities())), (0, 0))

    # -- guard ---------------------------------------------------------------------------------------
    def zero(self, code):
        """One small fold and push: the product is gone."""
        self.change_stock(code, -100)
        self.run_lanes(self.vendor, "outward")

    def test_a_mistake_that_trickles_in_is_stopped(self):
        """One product after the other goes to zero, each a run of its own: above the limit the rest is held, and a
        person sends it."""
        self.publish()
        self.channel.write({"guard_items": 2, "guard_share": 50})
        for code in (RICE, TEA, BREAD, BATTERY):
            self.zero(code)
        self.assertEqual([self.shown(code) for code in (RICE, TEA, BREAD, BATTERY)], [0, 0, 100, 100])
        held = self.level(BREAD) | self.level(BATTERY)
        self.assertEqual(held.mapped("state"), ["held", "held"])
        self.assertEqual(self.channel.held_count, 2)
        question = self.env.ref("pos_erp_bridge.mail_activity_held")
        self.assertEqual(self.channel.activity_ids.activity_type_id, question)
        self.assertEqual(len(self.channel.activity_ids), 1)
        # Hours later it must not slip through alone.
        self.env["bridge.stock.level"].search([]).wild_at = fields.Datetime.now() - timedelta(hours=1)
        self.env["bridge.touch"]._touch_products(self.channel, self.products[BREAD])
        self.run_lanes(self.vendor, "outward")
        self.assertEqual((self.shown(BREAD), self.level(BREAD).state), (100, "held"))
        user = new_test_user(self.env, "guard_user", "pos_erp_bridge.group_bridge_user", company_id=self.env.company.id)
        with self.assertRaises(AccessError):
            held.with_user(user).action_send_held()
        boss = new_test_user(
            self.env, "guard_boss", "pos_erp_bridge.group_bridge_manager", company_id=self.env.company.id
        )
        held.browse().with_user(boss).with_context(default_channel_id=self.channel.id).action_send_held()
        self.run_lanes(self.vendor, "outward")
        self.assertEqual([self.shown(BREAD), self.shown(BATTERY)], [0, 0])
        self.assertFalse(self.channel.activity_ids)
        self.assertFalse(self.channel.guard_asked_at)

    def test_keep_the_channels_numbers_for_now(self):
        """Kept numbers stay, whatever touches them, until they turn out tame or somebody sends them."""
        self.publish()
        self.channel.write({"guard_items": 0, "guard_share": 10})
        self.zero(RICE)
        self.assertEqual((self.shown(RICE), self.level(RICE).state), (100, "held"))
        self.level(RICE).action_keep_held()
        self.assertFalse(self.channel.activity_ids)
        self.channel.guard_items = 30
        self.env["bridge.touch"]._touch_products(self.channel, self.products[RICE])
        self.run_lanes(self.vendor, "outward")
        self.assertEqual((self.shown(RICE), self.level(RICE).state), (100, "held"))
        self.change_stock(RICE, 60)
        self.run_lanes(self.vendor, "outward")
        self.assertEqual((self.shown(RICE), self.level(RICE).state, self.level(RICE).is_kept), (60, "synced", False))

    def first_publication(self):
        """The shop has numbers of its own; Odoo has none of three products yet."""
        for code in (RICE, TEA, BREAD, BATTERY, BRUSH):
            self.vendor.do("set_stock", code, 30)
        for code in (RICE, TEA, BREAD):
            self.change_stock(code, -100)
        self.channel.write({"guard_items": 2})
        self.env["bridge.touch"]._touch_channel(self.channel)
        self.run_lanes(self.vendor, "outward")

    def check_first_publication(self):
        self.assertEqual([self.shown(code) for code in (RICE, TEA, BREAD, BATTERY, BRUSH)], [30, 30, 30, 100, 100])
        self.assertEqual({self.level(code).state for code in (RICE, TEA, BREAD)}, {"held"})
        self.assertEqual(self.level(RICE).confirmed, 30)
        self.assertEqual(len(self.channel.activity_ids), 1)

    def test_switched_on_late_does_not_wipe_the_other_side(self):
        """Before the first push the channel's numbers are read; what would zero them asks."""
        self.first_publication()
        self.check_first_publication()

    def test_a_large_first_publication_waits_for_the_list(self):
        """Many levels: the poll lane reads the list page by page, nothing is sent before it is through."""
        with patch.object(bridge_stock_guard, "FEW", 2):
            self.first_publication()
            self.assertEqual({self.shown(code) for code in (RICE, TEA, BREAD, BATTERY, BRUSH)}, {30})
            self.run_lanes(self.vendor, "poll", "outward")
            self.check_first_publication()
        self.assertEqual(self.env["bridge.agreement"].search([("kind", "=", "first")]).state, "done")

    # -- echoes --------------------------------------------------------------------------------------
    def test_own_echo_is_known_by_its_push(self):
        """Our own push comes back and is not looked at; an edit over there is, where the channel names the change."""
        self.publish()
        self.vendor.deliveries.clear()
        self.change_stock(TEA, -4)
        self.run_lanes(self.vendor, "outward")
        self.deliver(self.vendor)
        self.settle(self.vendor)
        looks = self.env["bridge.agreement.look"]
        self.assertFalse(looks.search_count([]))
        self.vendor.deliveries.clear()
        # The same number as before our push: only who made the change tells them apart.
        self.vendor.do("set_stock", TEA, 50)
        self.vendor.do("set_stock", RICE, 100)
        self.deliver(self.vendor)
        self.settle(self.vendor)
        if not self.has_marks:
            self.assertFalse(looks.search_count([]))
            return
        self.assertIn(self.level(TEA).id, looks.search([]).mapped("level_id"))
        self.run_lanes(self.vendor, "poll")
        self.assertFalse(self.lines(), "a sale is given its time first")
        looks.search([]).look_at = fields.Datetime.now()
        self.run_lanes(self.vendor, "poll", "outward", "poll")
        line = self.lines()
        self.assertEqual(self.facts(line), (self.products[TEA], 50, 96, 96, "foreign", "repaired"))
        self.assertEqual((line.agreement_id.kind, line.agreement_id.state, self.shown(TEA)), ("hint", "done", 96))
        self.assertFalse(looks.search_count([]))

    @property
    def has_marks(self):
        return bool(self.env["bridge.stock.level"].search_count([("echo_mark", "!=", False)]))


for _system in sorted(registered()):
    if Capability.STOCK_IN in registered()[_system].capabilities:
        _name = f"Test{_system.title().replace('_', '')}Agreement"
        _members = {"system": _system, "__module__": __name__, "allow_inherited_tests_method": True}
        globals()[_name] = tagged("post_install", "-at_install")(type(_name, (Agreement, LaneCase), _members))
