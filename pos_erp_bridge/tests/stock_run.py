# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""One run of the model test: every action is done in Odoo and in the reference, and the two are compared."""

from collections import defaultdict
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from odoo.fields import Command

from ..connectors.records import Customer, Order
from ..models.bridge_claim import LIFETIMES
from .stock_model import PLACES, STORES, Reference, ShopTill, ShopWeb

START = datetime(2026, 11, 23, 3, 0)
SHOPS = {"till": ShopTill, "web": ShopWeb}
LINE = "0"
FIRST = {"whole": 3, "left": 4, "right": 4}  # pieces of everything when a run begins


class Run:
    """``world``: the test case. Actions that make no sense at the moment do nothing."""

    def __init__(self, world, clock):
        self.world, self.clock, self.env = world, clock, world.env
        self.items, self.places, self.channels = world.items, world.places, world.channels
        self.clock.move_to(START)
        for channel, shop in SHOPS.items():
            shop.reset(world.levels[channel])
        self.reference = Reference()
        for product in self.items:
            self.reference.there.update({(place, product): FIRST[place] for place in FIRST})
        self.reference.rules = [{"active": False} for _rule in world.rules]
        self.carts, self.orders, self.waiting = {}, [], {}  # {ref: …}, [sale.order], {ref: (store, product, quantity)}
        self.edited = set()  # levels somebody changed at the channel, and nobody compared since
        self.number = self.steps = 0
        self.has_changed_rules = False

    @property
    def now(self):
        return datetime.now()

    def commit(self):
        self.env.cr.flush()
        self.env.cr.postcommit.clear()
        self.env["bridge.hold"].invalidate_model(flush=False)

    def level(self, channel, store, product):
        return store, f"p{self.items[product].id}"

    # -- channels sell -----------------------------------------------------------------------------
    def sell(self, channel, store, product, quantity):
        """A till sells what is in the customer's hand, or takes it back; a web store sells what it shows."""
        shop, key = SHOPS[channel], self.level(channel, store, product)
        if channel == "web" and not 0 < quantity <= shop.levels[key]:
            return
        shop.levels[key] -= quantity
        self.number += 1
        shop.inbox.append((f"{channel}{self.number}", store, product, quantity))

    def checkout(self, number):
        """A cart becomes an order."""
        refs = [ref for ref, (channel, *_rest) in self.carts.items() if channel == "web"]
        if refs:
            ref = refs[number % len(refs)]
            _channel, store, product, quantity = self.carts.pop(ref)
            ShopWeb.levels[self.level("web", store, product)] -= quantity
            ShopWeb.inbox.append((ref, store, product, quantity))

    def book_till(self):
        facts = []
        for _ref, store, product, quantity in ShopTill.inbox:
            line = self.world.line(self.items[product], 108 * quantity, quantity)
            facts.append(self.world.sale(line, store_id=store))
            self.reference.there[STORES["till", store], product] -= quantity
        ShopTill.inbox.clear()
        if facts:
            events = self.world.book(*facts)
            assert set(events.mapped("state")) == {"done"}, events.mapped("message")
            self.check()

    def hand_over(self):
        """The web store's orders come here, and wait."""
        orders = []
        for ref, store, product, quantity in ShopWeb.inbox:
            line = self.world.line(self.items[product], 108 * quantity, quantity, external_id=LINE)
            orders.append(
                Order(
                    ref, "1", ref, START.replace(tzinfo=ZoneInfo("UTC")), line.amount, (line,),
                    tuple(self.world.tax_table([line])), store_id=store, customer=Customer("C1", name="山田太郎"),
                )
            )  # fmt: skip
            self.waiting[ref] = (store, product, quantity)
        ShopWeb.inbox.clear()
        if orders:
            self.world.arrive(*orders, channel=self.channels["web"])

    def promise(self):
        """The inbound lane promises to what waits, and is killed before it books."""
        self.hand_over()
        self.commit()
        claims = self.channels["web"]._promise()
        debts = self.reference.debts()
        for ref, (store, product, quantity) in self.waiting.items():
            until = self.now + (LIFETIMES["import"] or timedelta(days=36500))
            granted = self.reference.claim(
                ("web", ref, LINE), "web", store, product, quantity, self.now, until, is_sold=True
            )
            assert claims[ref].granted.get(LINE, 0) == granted, (ref, claims[ref], granted)
        self._no_new_debts(debts)
        return claims

    def import_orders(self):
        claims = self.promise()
        if not claims:
            return
        debts, web = self.reference.debts(), self.channels["web"]
        web._retrying(lambda channel: channel._step_book(channel, claims))
        orders = self.env["sale.order"].search([("client_order_ref", "in", list(self.waiting))], order="id")
        assert len(orders) == len(self.waiting)
        granted = {}
        for order in orders:
            own = self.reference.promises.pop(("web", order.client_order_ref, LINE), None)
            granted[order] = own.quantity if own else 0
        self.waiting.clear()
        self.orders += list(orders)
        self.check(debts, dict.fromkeys(orders, 0), granted)

    # -- Odoo --------------------------------------------------------------------------------------
    def confirm(self, product, quantity, quotation=None):
        """A sales order in Odoo; one with a quotation's promise, when there is such."""
        refs = [ref for ref, (channel, *_rest) in self.carts.items() if not channel]
        own, debts = None, self.reference.debts()
        if quotation is not None and refs:
            ref = refs[quotation % len(refs)]
            _channel, _store, product, quantity = self.carts.pop(ref)
            own = self.reference.promises.pop(("", ref, LINE), None)
        order = self.env["sale.order"].create(
            {
                "partner_id": self.world.buyer.id,
                "order_line": [
                    Command.create({"product_id": self.items[product].id, "product_uom_qty": quantity, "price_unit": 1})
                ],
            }
        )
        if own:
            holds = self.env["bridge.hold"].search([("order_ref", "=", ref), ("state", "=", "active")])
            holds.sale_line_id = order.order_line
        allowed = (own.quantity if own else 0) + max(
            0, self.reference.available("whole", product) - (own.quantity if own else 0)
        )
        order.action_confirm()
        self.orders.append(order)
        self.check(debts, {order: 0}, {order: min(quantity, allowed)})

    def _open(self, number, needs_goods=False):
        """One of the orders that are neither cancelled nor delivered."""
        orders = [
            o
            for o in self.orders
            if o.state == "sale" and any(p.state not in ("done", "cancel") for p in o.picking_ids)
        ]
        if needs_goods:
            orders = [o for o in orders if self._reserved(o)]
        return orders[number % len(orders)] if orders else None

    def _reserved(self, order):
        lines = order.picking_ids.move_line_ids.filtered(lambda line: line.state not in ("done", "cancel"))
        return sum(lines.mapped("quantity"))

    def assign(self, number):
        order = self._open(number)
        if order:
            place, product = self._what(order)
            before = self._reserved(order)
            allowed = before + max(0, self.reference.available(place, product))
            order.picking_ids.filtered(lambda p: p.state not in ("done", "cancel")).action_assign()
            wanted = sum(
                order.picking_ids.move_ids.filtered(lambda m: m.state not in ("done", "cancel")).mapped(
                    "product_uom_qty"
                )
            )
            self.check(self.reference.debts(), {order: before}, {order: min(wanted, allowed)})

    def _what(self, order):
        """(place, product) of an order."""
        place = STORES["web", order.bridge_store_id.external_id] if order.bridge_store_id else "whole"
        product = order.order_line.product_id
        return place, next(name for name, item in self.items.items() if item == product)

    def cancel(self, number):
        order = self._open(number)
        if order:
            order._action_cancel()
            self.check(self.reference.debts())

    def deliver(self, number):
        order = self._open(number, needs_goods=True)
        if order:
            picking = order.picking_ids.filtered(lambda p: p.state not in ("done", "cancel"))
            debts, (_place, product) = self.reference.debts(), self._what(order)
            for line in picking.move_line_ids:
                self.reference.there[self._place(line.location_id), product] -= line.quantity
            picking.with_context(skip_backorder=True).button_validate()
            assert picking.state == "done", picking.state
            self.check(debts)

    def _place(self, location):
        return next(name for name, place in self.places.items() if place == location)

    def move(self, source, target, product, quantity):
        """A receipt (no source), a transfer, or goods thrown away (no target)."""
        if source:
            quantity = min(quantity, self.reference.there[source, product])
        if quantity <= 0 or source == target:
            return
        world = self.world
        places = [self.places[source] if source else world.vendors, self.places[target] if target else world.bin]
        move = self.env["stock.move"].create(
            {
                "product_id": self.items[product].id, "product_uom_qty": quantity, "location_id": places[0].id,
                "location_dest_id": places[1].id, "company_id": world.company.id, "state": "assigned", "picked": True,
                "move_line_ids": [
                    Command.create(
                        {
                            "product_id": self.items[product].id, "quantity": quantity, "location_id": places[0].id,
                            "location_dest_id": places[1].id, "picked": True, "company_id": world.company.id,
                        }
                    )
                ],
            }
        )  # fmt: skip
        move._action_done()
        if source:
            self.reference.there[source, product] -= quantity
        if target:
            self.reference.there[target, product] += quantity
        self.check()

    def count(self, place, product, quantity):
        """Somebody counted."""
        quant = (
            self.env["stock.quant"]
            .with_context(inventory_mode=True)
            .create(
                {
                    "product_id": self.items[product].id,
                    "location_id": self.places[place].id,
                    "inventory_quantity": quantity,
                }
            )
        )
        self.reference.there[place, product] += quantity - quant.quantity
        quant.action_apply_inventory()
        self.check()

    def set_rule(self, number, values):
        """Change a rule; ``values``: channels (names), product (name or None) and the rule's own fields."""
        vals = dict(values)
        vals["channel_ids"] = [Command.set([self.channels[name].id for name in vals.pop("channels")])]
        product = vals.pop("product")
        vals["product_ids"] = [Command.set([self.items[product].id] if product else [])]
        amount = vals.pop("amount")
        vals |= {"share_percent": amount * 10, "share_quantity": amount}
        self.world.rules[number].write(vals)
        self.commit()
        self.has_changed_rules = True
        rule = {
            "active": True, "is_exclusive": False, "safety": values.get("safety_quantity", 0),
            "minimum": 0, "is_stopped": False, **values,
        }  # fmt: skip
        rule["amount"] = amount * 10 if values["share"] == "percent" else amount
        self.reference.rules[number] = rule

    # -- promises ----------------------------------------------------------------------------------
    def cart(self, channel, store, product, quantity, number=None):
        """Fill a cart of the web store (or a quotation of Odoo's own), or change one."""
        refs = [ref for ref, (other, *_rest) in self.carts.items() if other == channel]
        if number is not None and refs:
            ref = refs[number % len(refs)]
            _channel, store, product, _quantity = self.carts[ref]
        else:
            self.number += 1
            ref = f"cart{self.number}"
        purpose = "cart" if channel else "quotation"
        until = self.now + LIFETIMES[purpose]
        self.commit()
        place = self.places[STORES[channel, store] if channel else "whole"]
        claim = self.env["bridge.hold"]._claim(
            self.channels[channel] if channel else self.env["bridge.channel"],
            ref, [(LINE, self.items[product], place, quantity)], purpose,
        )  # fmt: skip
        debts = self.reference.debts()
        granted = self.reference.claim((channel, ref, LINE), channel, store, product, quantity, self.now, until)
        assert claim.granted.get(LINE, 0) == granted, (claim, granted)
        self._no_new_debts(debts)
        if granted:
            self.carts[ref] = (channel, store, product, quantity)

    def release(self, number):
        if self.carts:
            ref = list(self.carts)[number % len(self.carts)]
            channel = self.carts.pop(ref)[0]
            self.commit()
            self.env["bridge.hold"]._release(self.channels[channel] if channel else self.env["bridge.channel"], ref)
            self.reference.promises.pop((channel, ref, LINE), None)

    def expire(self):
        self.commit()
        self.env["bridge.hold"]._expire()
        promises = self.reference.promises
        self.reference.promises = {key: p for key, p in promises.items() if not p.until or p.until > self.now}

    # -- outward -----------------------------------------------------------------------------------
    def outward(self, channel, fault=""):
        self.commit()
        SHOPS[channel].fault = fault
        self.channels[channel]._run_lane("outward")

    def edit(self, channel, store, product, quantity):
        """Somebody changes a level at the channel."""
        key = self.level(channel, store, product)
        SHOPS[channel].levels[key] = quantity
        self.edited.add((channel, key))

    def compare(self, channel):
        """What Odoo does every night: sales made before are fetched first, differences repaired."""
        self.book_till() if channel == "till" else self.import_orders()
        self.commit()
        lane = self.channels[channel]
        lane._ask_agreement("demand")
        for _look in range(20):
            lane._run_agreement()
            run = self.env["bridge.agreement"]._open(lane)
            if not run:
                break
            self.clock.tick(timedelta(seconds=60))
            self.outward(channel)
        assert not run, run.state
        lines = self.env["bridge.agreement.line"].search([("channel_id", "=", lane.id), ("state", "=", "open")])
        ready = lines.filtered(lambda line: line.cause in ("foreign", "missing", "push"))
        if ready:
            ready.action_repair()
        # What a promise may explain is not repaired at once.
        left = {(channel, (line.store_id.external_id, f"p{line.product_id.id}")) for line in lines - ready}
        self.edited = {edit for edit in self.edited if edit[0] != channel or edit in left}

    # -- agreement ---------------------------------------------------------------------------------
    def settle(self, is_compared=False):
        """Book what was sold and tell the channels until nothing is due: then they show what they must."""
        self.steps = 0
        self.book_till()
        self.import_orders()
        self._tell()
        if is_compared and self.edited:
            for channel in sorted({channel for channel, _key in self.edited}):
                self.compare(channel)
            self._tell()
        self.check(self.reference.debts())
        wrong = {}
        for channel, store in STORES:
            for product in self.items:
                key = self.level(channel, store, product)
                must, does = self.reference.shown(channel, store, product), SHOPS[channel].levels[key]
                if must != does and (channel, key) not in self.edited:
                    wrong[channel, store, product] = f"shows {does}, must show {must}"
        assert not wrong, wrong

    def _tell(self):
        """The lanes of all channels, until nothing is left to be done."""
        for pause in (0, 0, 5, 200, 0, 5, 200, 0):
            self.clock.tick(timedelta(seconds=pause))
            for channel in self.channels:
                self.outward(channel)
            channels = [channel.id for channel in self.channels.values()]
            self.env.cr.execute(
                """SELECT state FROM bridge_stock_level WHERE channel_id = ANY(%s) AND state != 'synced'
                    UNION ALL SELECT 'touched' FROM bridge_touch WHERE channel_id = ANY(%s)""",
                [channels, channels],
            )
            rest = self.env.cr.fetchall()
            if not rest:
                return
        raise AssertionError(f"the channels never agree: {rest}")

    def check(self, debts=None, before=None, allowed=None):
        """Odoo's figures are the reference's; nothing is promised or reserved twice.

        :param debts: what was promised and not there before; None: a fact, which may take what was promised
        :param before: {order: pieces reserved before}
        :param allowed: {order: pieces it may have reserved now}; less only where nothing more lies there
        """
        self.commit()
        reference, cr = self.reference, self.env.cr
        names = {location.id: name for name, location in self.places.items()}
        products = {item.id: name for name, item in self.items.items()}
        keys = [list(products), list(names)]
        cr.execute(
            """SELECT location_id, product_id, sum(quantity), sum(reserved_quantity) FROM stock_quant
                WHERE product_id = ANY(%s) AND location_id = ANY(%s) GROUP BY 1, 2""", keys)  # fmt: skip
        rows = [
            (names[place], products[product], float(there), float(reserved))
            for place, product, there, reserved in cr.fetchall()
        ]
        cr.execute(
            """SELECT location_id, product_id, sum(quantity_product_uom) FROM stock_move_line
                WHERE product_id = ANY(%s) AND location_id = ANY(%s) AND state NOT IN ('done', 'cancel')
                GROUP BY location_id, product_id""", keys)  # fmt: skip
        lines = {(names[place], products[product]): float(quantity) for place, product, quantity in cr.fetchall()}
        there = {(place, product): quantity for place, product, quantity, _r in rows if quantity}
        reserved = {(place, product): quantity for place, product, _q, quantity in rows if quantity}
        assert there == {key: q for key, q in reference.there.items() if q}, (there, reference.there)
        assert reserved == {key: q for key, q in lines.items() if q}, (reserved, lines)
        reference.reserved = defaultdict(float, reserved)
        over = {key: q for key, q in reserved.items() if q > max(0, there.get(key, 0))}
        assert not over, f"reserved, but not there: {over}"
        cr.execute(
            """SELECT channel_id, order_ref, line_ref, quantity FROM bridge_hold
                WHERE state = 'active' AND product_id = ANY(%s)""", [list(products)])  # fmt: skip
        codes = {channel.id: name for name, channel in self.channels.items()} | {None: ""}
        holds = {(codes[channel], ref, line): float(q) for channel, ref, line, q in cr.fetchall()}
        assert holds == {key: p.quantity for key, p in reference.promises.items()}, (holds, reference.promises)
        for order, most in (allowed or {}).items():
            got, (place, product) = self._reserved(order), self._what(order)
            assert got <= max(most, before[order]), f"{order} reserved {got} of {most}"
            assert got >= most or not reference.reservable(place, product), f"{order} reserved only {got} of {most}"
        if debts is not None:
            self._no_new_debts(debts)

    def _no_new_debts(self, debts):
        """Only facts may take what was promised."""
        new = {key: lack for key, lack in self.reference.debts().items() if lack > debts.get(key, 0)}
        assert not new, f"promised, but gone: {new}"


__all__ = ["PLACES", "Run"]
