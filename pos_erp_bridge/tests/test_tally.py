# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from datetime import datetime, timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command
from odoo.tests import Form, TransactionCase, new_test_user, tagged

from ..tally_arithmetic import Line, Sold, arrivals
from .common import BridgeCommon
from .lane_case import LaneCase

TEA, BATTERY = "4900000000023", "4900000000047"
# The receipts of BridgeCommon are sold at 12:34 in Tokyo.
START, END = datetime(2026, 11, 20, 3, 0), datetime(2026, 11, 20, 4, 0)


class TallyMixin:
    def tally(self, store, quantities, start=START, end=END, enter=True, user=None, **vals):
        """A tally of {product: quantity}, entered unless told otherwise."""
        tally = self.env["bridge.tally"].with_user(user or self.env.user).create(
            {
                "store_id": store.id, "started_at": start, "ended_at": end,
                "line_ids": [
                    Command.create({"product_id": product.id, "quantity": quantity})
                    for product, quantity in quantities.items()
                ],
                **vals,
            }
        )  # fmt: skip
        if enter:
            self.enter(tally)
        return tally

    def enter(self, tally):
        """The claim works in a transaction of its own."""
        self.env.flush_all()
        with self.enter_registry_test_mode():
            tally.action_enter()
        self.env.invalidate_all()

    def held(self, product):
        holds = self.env["bridge.hold"].search([("product_id", "=", product.id), ("state", "=", "active")])
        return sum(holds.mapped("quantity"))

    def figures(self, tally):
        self.env.invalidate_all()
        return [(line.quantity, line.arrived, line.open_quantity) for line in tally.line_ids]

    def available(self, product):
        self.env.invalidate_all()
        return self.env["bridge.availability"]._available(self.location, product)[product.id]


@tagged("post_install", "-at_install")
class TestTally(TallyMixin, BridgeCommon):
    def test_tallied_pieces_are_gone_from_sale_until_their_receipts_take_their_place(self):
        """Tally, hold, receipt: available is right all the time, and the tally is settled by itself, once."""
        tally = self.tally(self.store, {self.tea: 3, self.rice: 1})
        self.assertEqual((tally.state, self.held(self.tea), self.available(self.tea)), ("entered", 3, 97))
        self.book(self.sale(self.line(self.tea, 276, 2)))
        self.assertEqual(self.figures(tally), [(3, 2, 1), (1, 0, 1)])
        self.assertEqual((self.held(self.tea), self.on_hand(self.tea), self.available(self.tea)), (1, 98, 97))
        self.book(self.sale(self.line(self.tea, 138)), self.sale(self.line(self.rice, 151)))
        self.assertEqual(self.figures(tally), [(3, 3, 0), (1, 1, 0)])
        self.assertEqual(tally.state, "settled")
        self.assertEqual((self.held(self.tea), self.available(self.tea)), (0, 97))
        settled = [m for m in tally.message_ids.tracking_value_ids if m.new_value_char == "Settled"]
        self.assertLessEqual(len(settled), 1)
        self.book(self.sale(self.line(self.tea, 138)))
        self.assertEqual(self.available(self.tea), 96)
        self.assertEqual(len(tally.line_ids.arrival_ids), 3)

    def test_a_receipt_arrives_once_whatever_its_versions(self):
        """The same receipt again, a newer version of it, and the receipt voided: counted once, then given back."""
        tally = self.tally(self.store, {self.tea: 2})
        sale = self.sale(self.line(self.tea, 138), external_id="A")
        self.book(sale)
        self.book(sale)
        self.assertEqual(self.figures(tally), [(2, 1, 1)])
        self.book(self.sale(self.line(self.tea, 138), external_id="A", version="2", note="changed",
                            tenders=[self.tender(138, "card")]))  # fmt: skip
        self.assertEqual(self.figures(tally), [(2, 1, 1)])
        self.assertEqual(len(tally.line_ids.arrival_ids), 1)
        self.book(self.sale(self.line(self.tea, 138), external_id="A", version="3", state="void"))
        self.assertEqual(self.figures(tally), [(2, 0, 2)])
        self.assertEqual(tally.state, "entered")
        self.book(self.sale(self.line(self.tea, 276, 2), external_id="B"))
        self.assertEqual((self.figures(tally), tally.state), ([(2, 2, 0)], "settled"))

    def test_a_receipt_voided_after_the_tally_is_settled_changes_nothing_of_it(self):
        """What is settled stays settled; the goods that came back are for sale, once."""
        tally = self.tally(self.store, {self.tea: 1})
        self.book(self.sale(self.line(self.tea, 138), external_id="A"))
        self.assertEqual(tally.state, "settled")
        self.book(self.sale(self.line(self.tea, 138), external_id="A", version="2", state="void"))
        self.assertEqual((self.figures(tally), tally.state), ([(1, 1, 0)], "settled"))
        self.assertEqual((self.held(self.tea), self.available(self.tea)), (0, 100))
        other = self.tally(self.store, {self.tea: 1})
        self.assertEqual(self.figures(other), [(1, 0, 1)])

    def test_receipts_that_came_before_the_paper_count(self):
        """The till was quicker than the typist: nothing is held, the tally is settled as it is entered."""
        self.book(self.sale(self.line(self.tea, 276, 2)))
        tally = self.tally(self.store, {self.tea: 2})
        self.assertEqual((tally.state, self.held(self.tea)), ("settled", 0))
        second = self.tally(self.store, {self.tea: 2})
        self.assertEqual(self.figures(second), [(2, 0, 2)], "a receipt takes one place only")

    def test_only_receipts_of_that_store_and_time(self):
        """Another store's receipt, and one of another hour, are no part of the tally; rung up later, they are."""
        tally = self.tally(self.store, {self.tea: 5})
        self.book(self.sale(self.line(self.tea, 138), store_id="2"))
        self.book(self.sale(self.line(self.tea, 138), sold_at=datetime(2026, 11, 20, 1, 0).astimezone()))
        at = (END + timedelta(hours=3)).replace(tzinfo=fields.Datetime.now().astimezone().tzinfo)
        self.book(self.sale(self.line(self.tea, 138), sold_at=at))
        self.assertEqual(self.figures(tally), [(5, 0, 5)])
        with self.enter_registry_test_mode():
            tally.action_draft()
        self.assertEqual(self.held(self.tea), 0)
        tally.arrival = "rung"
        self.enter(tally)
        self.assertEqual(self.figures(tally), [(5, 1, 4)])

    def test_oldest_tally_first(self):
        """Two tallies wait for the same product: the older one is served first."""
        newer = self.tally(self.store, {self.tea: 2}, start=START + timedelta(minutes=5))
        older = self.tally(self.store, {self.tea: 2})
        self.book(self.sale(self.line(self.tea, 414, 3)))
        self.assertEqual((self.figures(older), self.figures(newer)), ([(2, 2, 0)], [(2, 1, 1)]))

    def test_more_than_there_is(self):
        """What was sold was sold: entering never fails, the shortage is shown."""
        tally = self.tally(self.store, {self.tea: 103})
        line = tally.line_ids
        self.assertEqual((line.held, line.shortage, self.available(self.tea)), (100, 3, 0))
        self.book(self.sale(self.line(self.tea, 138 * 103, 103)))
        self.assertEqual((tally.state, self.on_hand(self.tea), self.held(self.tea)), ("settled", -3, 0))

    def test_what_never_arrives_is_asked_about_once(self):
        """After the company's days an activity, once; a manager books a difference or discards, by one click each."""
        end = fields.Datetime.now() - timedelta(days=3, minutes=1)
        tally = self.tally(self.store, {self.tea: 3, self.rice: 2}, start=end - timedelta(hours=1), end=end)
        later = self.tally(self.store, {self.tea: 1}, start=end, end=end + timedelta(hours=1))
        for _ in range(2):
            self.env["bridge.tally"]._alarm_overdue(self.channel)
        self.assertEqual(tally.activity_ids.mapped("summary"), ["Tallied, but no receipt came"])
        self.assertFalse(later.activity_ids, "it has time left")
        with self.enter_registry_test_mode():
            later.action_draft()
        manager = new_test_user(self.env, "tally_manager", "pos_erp_bridge.group_bridge_manager",
                                company_id=self.company.id, company_ids=self.company.ids)  # fmt: skip
        tea, rice = tally.line_ids.with_user(manager)
        tea.action_book_difference()
        self.assertEqual((self.on_hand(self.tea), self.held(self.tea), self.available(self.tea)), (97, 0, 97))
        move = tea.sudo().move_id
        self.assertEqual((move.state, move.location_dest_id.usage, move.is_inventory), ("done", "inventory", True))
        self.assertIn("never registered", move.inventory_name)
        self.assertEqual(tally.state, "entered")
        rice.action_discard()
        self.assertEqual((self.on_hand(self.rice), self.available(self.rice)), (100, 100))
        self.assertEqual((tally.state, len(tally.activity_ids)), ("settled", 0))
        (tea | rice).action_book_difference()
        self.assertEqual(self.on_hand(self.tea), 97, "closed once")

    def test_a_tally_being_entered_keeps_its_promises(self):
        """Promises are committed before their tally: only those nobody entered for ten minutes are given back."""
        tally = self.tally(self.store, {self.tea: 3})
        tally.state = "draft"  # as everybody else sees it until it is committed
        self.env["bridge.tally"]._release_strays(self.channel)
        self.assertEqual(self.held(self.tea), 3)
        holds = self.env["bridge.hold"].search([("product_id", "=", self.tea.id), ("state", "=", "active")])
        holds.claimed_at = fields.Datetime.now() - timedelta(minutes=11)
        self.env["bridge.tally"]._release_strays(self.channel)
        self.assertEqual(self.held(self.tea), 0)

    def test_the_difference_of_a_kit_is_that_of_its_components(self):
        """A kit that never arrived takes its components out of the store, each by its own move."""
        kit = self.env["product.product"].create({"name": "Kit", "is_storable": False})
        recipe = {self.tea.id: 2.0, self.rice.id: 1.0}
        self.patch(
            self.env.registry["bridge.kit"],
            "_components",
            lambda _self, products: {kit.id: recipe} if kit in products else {},
        )
        tally = self.tally(self.store, {kit: 3})
        tally.line_ids.action_book_difference()
        self.assertEqual((self.on_hand(self.tea), self.on_hand(self.rice)), (94, 97))
        self.assertEqual((tally.state, tally.line_ids.move_id.state), ("settled", "done"))

    def test_names_in_the_question_are_text(self):
        """A product's name is never read as markup by whoever is asked."""
        self.tea.name = "Tea <b>cold</b>"
        end = fields.Datetime.now() - timedelta(days=4)
        tally = self.tally(self.store, {self.tea: 3}, start=end - timedelta(hours=1), end=end)
        self.env["bridge.tally"]._alarm_overdue(self.channel)
        self.assertIn("Tea &lt;b&gt;cold&lt;/b&gt;", tally.activity_ids.note)

    def test_an_entered_tally_is_not_edited(self):
        """Lines are fixed once they hold stock; it can be taken back while nothing has arrived."""
        tally = self.tally(self.store, {self.tea: 1})
        with self.assertRaisesRegex(UserError, "Take it back"):
            tally.line_ids.quantity = 5
        with self.assertRaisesRegex(UserError, "Take it back"):
            tally.unlink()
        self.book(self.sale(self.line(self.tea, 138)))
        with self.assertRaisesRegex(UserError, "another tally"):
            tally.action_draft()

    def test_own_till(self):
        """A sale on Odoo's own till takes the place of what was tallied there."""
        journal = self.env["account.journal"].create({"name": "Own", "type": "cash", "code": "OWN"})
        method = self.env["pos.payment.method"].create({"name": "Own cash", "journal_id": journal.id})
        config = self.env["pos.config"].create({"name": "Own", "payment_method_ids": [Command.set(method.ids)]})
        store = self.env["bridge.store"].create(
            {"channel_id": self.channel.id, "external_id": "9", "name": "Own", "location_id": self.location.id,
             "pos_config_id": config.id}
        )  # fmt: skip
        self.company.point_of_sale_update_stock_quantities = "real"
        session = self.env["pos.session"].create({"config_id": config.id, "user_id": self.env.uid})
        session.set_opening_control(0, "")
        tally = self.tally(store, {self.battery: 2}, start=datetime(2026, 11, 20, 2, 50))
        self.sell_own(session, self.battery, 1, 438, 39)
        self.assertEqual(self.figures(tally), [(2, 1, 1)])
        self.assertEqual(self.available(self.battery), 98)

    # -- rights ----------------------------------------------------------------------------------
    def test_rights(self):
        """A user enters tallies and closes none; an auditor only reads; other companies are invisible."""
        users = {
            group: new_test_user(self.env, f"tally_{group}", f"pos_erp_bridge.group_bridge_{group}",
                                 company_id=self.company.id, company_ids=self.company.ids)
            for group in ("auditor", "user")
        }  # fmt: skip
        tally = self.tally(self.store, {self.tea: 1}, user=users["user"])
        self.assertEqual((tally.state, tally.user_id), ("entered", users["user"]))
        with self.assertRaises(AccessError):
            tally.action_discard()
        with self.assertRaises(AccessError):
            tally.line_ids.action_book_difference()
        with self.assertRaises(AccessError):
            self.tally(self.store, {self.tea: 1}, user=users["auditor"])
        self.assertEqual(tally.with_user(users["auditor"]).line_ids.quantity, 1)
        stranger = new_test_user(self.env, "tally_stranger", "pos_erp_bridge.group_bridge_administrator")
        stranger.write({"company_ids": [Command.set(self.env.ref("base.main_company").ids)],
                        "company_id": self.env.ref("base.main_company").id})  # fmt: skip
        for model in ("bridge.tally", "bridge.tally.line", "bridge.tally.arrival", "bridge.outage"):
            mine = self.env[model].with_user(stranger).with_context(allowed_company_ids=stranger.company_ids.ids)
            self.assertFalse(mine.search_count([("company_id", "=", self.company.id)]))

    def test_what_the_bridge_writes_is_not_entered(self):
        """A user counts while he enters; what became of it, and whether it is entered, nobody writes by hand."""
        user = new_test_user(self.env, "tally_writer", "pos_erp_bridge.group_bridge_user",
                             company_id=self.company.id, company_ids=self.company.ids)  # fmt: skip
        env = self.env(user=user, su=False, context={"allowed_company_ids": self.company.ids})
        tally = self.tally(self.store.with_env(env), {self.tea: 1}, enter=False, user=user).with_env(env)
        line = tally.line_ids
        tally.write({"staff": "Sato", "line_ids": [Command.update(line.id, {"quantity": 2, "note": "x"})]})
        self.assertEqual((line.quantity, tally.staff), (2, "Sato"))
        for record, vals in (
            (line, {"closed": 2}), (line, {"held": 0, "note": "y"}), (tally, {"state": "settled"}),
            (tally, {"line_ids": [Command.update(line.id, {"closed": 2})]}),
            (tally, {"line_ids": [Command.create({"product_id": self.rice.id, "closed": 1})]}),
        ):  # fmt: skip
            with self.subTest(vals=vals), self.assertRaisesRegex(AccessError, "Use the buttons"):
                record.write(vals)
        defaults = env["bridge.tally.line"].with_context(default_closed=3, default_note="z")
        other = defaults.create({"tally_id": tally.id, "product_id": self.rice.id})
        self.assertEqual((other.closed, other.note, other.env.context), (0, "z", defaults.env.context))
        later = self.tally(self.store, {self.bread: 1})
        with self.assertRaisesRegex(UserError, "is entered"):
            other.tally_id = later.id
        self.enter(tally)
        self.assertEqual((tally.state, tally.user_id, line.held), ("entered", user, 2))
        with self.assertRaisesRegex(UserError, "is entered"):
            line.quantity = 5
        with self.enter_registry_test_mode():
            tally.action_draft()
        self.assertEqual(tally.state, "draft")
        auditor = new_test_user(self.env, "tally_reader", "pos_erp_bridge.group_bridge_auditor",
                                company_id=self.company.id, company_ids=self.company.ids)  # fmt: skip
        for action in ("action_enter", "action_draft"):
            with self.assertRaisesRegex(AccessError, "allowed"):
                getattr(later.with_user(auditor), action)()

    # -- entry -----------------------------------------------------------------------------------
    def test_scanning(self):
        """Code and Enter adds or counts up a line; several at once; an unknown code is kept and stops the entering."""
        user = new_test_user(self.env, "tally_typist", "pos_erp_bridge.group_bridge_user",
                             company_id=self.company.id, company_ids=self.company.ids)  # fmt: skip
        env = self.env(user=user, context={**self.env.context, "allowed_company_ids": self.company.ids})
        with Form(env["bridge.tally"]) as form:
            form.store_id = self.store.with_env(env)
            wide = "".join(chr(ord(digit) - ord("0") + ord("０")) for digit in TEA)
            for text in (TEA, TEA, f"3*{TEA}", f"{BATTERY} 2", wide, "999"):
                form.scan = text
                self.assertFalse(form.scan)
            self.assertIn("No product has the code 999", form.scan_message)
            self.assertEqual(form.unknown_codes, "999")
        tally = form.record
        self.assertEqual(
            {line.product_id: line.quantity for line in tally.line_ids},
            {self.tea.with_env(env): 6, self.battery.with_env(env): 2},
        )
        with self.assertRaisesRegex(ValidationError, "999"):
            tally.action_enter()
        tally.unknown_codes = False
        self.enter(tally)
        self.assertEqual(tally.state, "entered")

    def test_pack_barcode(self):
        """The code of a pack counts its pieces."""
        dozen = self.env.ref("uom.product_uom_dozen")
        self.env["product.uom"].create({"product_id": self.tea.id, "uom_id": dozen.id, "barcode": "PACK12"})
        with Form(self.env["bridge.tally"]) as form:
            form.store_id = self.store
            form.scan = "PACK12"
        self.assertEqual(form.record.line_ids.quantity, 12)

    def test_pasting(self):
        """A pasted list is added up at once; what cannot be read stays in the box."""
        tally = self.tally(self.store, {self.tea: 1}, enter=False)
        tally.pasted = f"{TEA},2\n{BATTERY}\t3\t400\n\n111,1\n{TEA},viel\n{TEA}，1"
        action = tally.action_take_pasted()
        self.assertEqual(action["params"]["type"], "warning")
        self.assertEqual(
            {line.product_id: (line.quantity, line.price_unit) for line in tally.line_ids},
            {self.tea: (4, 0), self.battery: (3, 400)},
        )
        self.assertEqual(tally.pasted, f"{TEA},viel\n111,1")
        with self.assertRaisesRegex(ValidationError, "111"):
            tally.action_enter()

    def test_a_hundred_lines_are_pasted_with_few_queries(self):
        """Entering a list costs no query per line."""
        counts = []
        for size in (10, 100):
            products = self.env["product.product"].create(
                [{"name": f"p{size}-{i}", "barcode": f"{size}{i:05d}", "is_storable": True} for i in range(size)]
            )
            tally = self.tally(self.store, {}, enter=False, pasted="\n".join(f"{p.barcode},1" for p in products))
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            tally.action_take_pasted()
            self.env.flush_all()
            counts.append(self.env.cr.sql_log_count - before)
        self.assertLess(counts[1], counts[0] + 10)

    def test_booking_asks_once_when_no_tally_is_open(self):
        """Without an open tally a batch of receipts costs one query more, whatever its size."""
        self.env["bridge.tally"]._match_stores(self.stores.ids)
        self.env.flush_all()
        with self.assertQueryCount(1):
            self.env["bridge.tally"]._match_stores(self.stores.ids)


@tagged("post_install", "-at_install")
class TestTallyLanes(TallyMixin, LaneCase):
    def test_from_outage_to_settled(self):
        """A real lane: the till sells on while nothing is heard of it; the tally is entered; the receipts come."""
        vendor = self.connect("smaregi")
        tea, store = self.products[TEA], vendor.channel.store_ids.filtered(lambda s: s.external_id == "1")
        now = fields.Datetime.now()
        sold = [vendor.sell(TEA, TEA), vendor.sell(TEA)]
        tally = self.tally(store, {tea: 4}, start=now - timedelta(hours=1), end=now)
        self.assertEqual(self.available(tea), 96)
        self.poll(vendor)
        self.settle(vendor)
        self.assertTrue(all(self.document(vendor, external_id) for external_id in sold))
        self.assertEqual((self.figures(tally), self.available(tea)), ([(4, 3, 1)], 96))
        self.take_facts(vendor, self.fact(vendor, "sale", sold[0]))
        self.assertEqual(self.figures(tally), [(4, 3, 1)])
        vendor.do("cancel", sold[1])
        # Handed over, not polled: a change within the second of the sale is dated a second ahead.
        self.take_facts(vendor, self.fact(vendor, "sale", sold[1]))
        self.assertEqual(self.figures(tally), [(4, 2, 2)])
        self.take_facts(vendor, self.fact(vendor, "sale", vendor.sell(TEA, TEA)))
        self.assertEqual((self.figures(tally), tally.state, self.available(tea)), ([(4, 4, 0)], "settled", 96))


@tagged("post_install", "-at_install")
class TestArithmetic(TransactionCase):
    def at(self, minutes):
        return START + timedelta(minutes=minutes)

    def line(self, key, quantity, **vals):
        return Line(**{"key": key, "store": 1, "product": 7, "open": quantity, "start": START, "end": END, **vals})

    def sold(self, receipt, quantity, **vals):
        return Sold(**{"receipt": receipt, "store": 1, "product": 7, "at": self.at(5), "quantity": quantity, **vals})

    def test_a_receipt_is_split_over_lines_and_never_counted_twice(self):
        """What arrived already is taken off; the rest goes to the oldest line with something open."""
        lines = [self.line(1, 1), self.line(2, 5)]
        self.assertEqual(arrivals(lines, [self.sold("A", 4)], {("A", 7): {9: 1.0}}), {(1, "A"): 1.0, (2, "A"): 2.0})

    def test_what_a_receipt_lost_is_given_back_where_it_is_still_open(self):
        """A voided receipt leaves lines that wait, not those that are settled."""
        lines = [self.line(2, 0)]
        self.assertEqual(arrivals(lines, [self.sold("A", 0)], {("A", 7): {1: 1.0, 2: 2.0}}), {(2, "A"): -2.0})
        self.assertEqual(lines[0].open, 2.0)

    def test_nothing_to_do(self):
        """Agreeing, returned and foreign goods change nothing."""
        lines = [self.line(1, 3)]
        sold = [self.sold("A", 2), self.sold("B", -1), self.sold("C", 1, product=8), self.sold("D", 1, at=self.at(61))]
        self.assertEqual(arrivals(lines, sold, {("A", 7): {1: 2.0}}), {})
