"""Buyers race for the last pieces, through every way there is, over and over; and what a claim costs.

    ./run bench race [--share 1.0]      a share of the rounds, for a quick look

Buyers sit in several processes, each thread with connections of its own, and start at the same moment. Ways to buy:
the hold API (a web cart's claim), web orders of two channels through the real inbound lane, and orders confirmed in
Odoo's back office as Odoo's own server does it (again after a serialization failure).

After each round, for every product: what is promised and what is reserved together is no more than is on hand; who
bought and who was refused are all there were; every order is one order. Figures:

oversold_units          summed over all rounds; baseline: the same back-office race as stock Odoo runs it
claims_100_for_50_ms    100 claims for 50 units over 20 connections, from the starting gun to the last answer
claim_5_lines_p95_ms    one buyer after another, five products each, a new environment for each claim
claim_rate              claims per second over 20 connections, all of one product; baseline: a bare conditional UPDATE
                        in the same kind of short READ COMMITTED transaction on a cursor of Odoo's pool, by turns
claim_rate_spread       the same, spread over twelve products
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import _lab

PROCESSES, THREADS = 4, 5
CHANNELS = 2
PRODUCTS = 12
# (name, units, buyers, rounds of claims only, rounds with every way of buying)
SCENARIOS = (
    ("1 unit, 2 buyers", 1, 2, 385, 35),
    ("10 units, 20 buyers", 10, 20, 252, 18),
    ("50 units, 100 buyers", 50, 100, 106, 4),
    ("kits sharing a component", 12, 20, 185, 15),
)
STOCK_ODOO_ROUNDS = 10
RATE_SECONDS, RATE_PAIRS = 1.5, 5
HEAD_START = 0.02  # seconds between the order to run and the starting gun
PRICE = 110


# -- in every process ------------------------------------------------------------------------------
def connector():
    """A web store whose orders are lists of (product, quantity)."""
    from odoo.addons.pos_erp_bridge.connectors import base
    from odoo.addons.pos_erp_bridge.connectors import records as r

    class RaceStore(base.Connector):
        system, label, kind = "bench_race", "Bench", "web"
        capabilities = frozenset({base.Capability.ORDERS_IN})
        streams = {"order": base.Stream("order")}

        def translate(self, stream, payload):
            price = Decimal(PRICE)
            lines = tuple(
                r.SaleLine(str(number), Decimal(quantity), price, price * quantity, price * quantity / 11, Decimal(10),
                           product=r.ProductRef(product), name=product)
                for number, (product, quantity) in enumerate(payload["lines"])
            )  # fmt: skip
            total = sum(line.amount for line in lines)
            tax = r.TaxAmount(Decimal(10), False, total, total / 11)
            buyer = r.Customer("C", name="C")
            ordered_at = datetime.fromisoformat(payload["at"])
            return r.Order(payload["id"], "1", f"#{payload['id']}", ordered_at, total, lines, (tax,), customer=buyer)

    return base.register(RaceStore)


class Worker:
    """Buyers of one process. Told what to do by lines of JSON, it answers with one line each."""

    def __init__(self, registry):
        self.registry = registry
        self.pool = ThreadPoolExecutor(THREADS)

    def run(self, told):
        at = time.time() + HEAD_START if told["at"] is None else told["at"]
        return list(self.pool.map(lambda jobs: self._buyer(at, jobs), told["buyers"]))

    def _buyer(self, at, jobs):
        """Do the jobs of one connection, from the starting gun on; [[outcome, second it was done]]."""
        time.sleep(max(0, at - time.time()))
        return [[getattr(self, name)(**arguments), time.time()] for name, arguments in jobs]

    def env(self, cr, company_id):
        import odoo.api

        return odoo.api.Environment(cr, odoo.api.SUPERUSER_ID, {"allowed_company_ids": [company_id]})

    def claim(self, company, channel, location, ref, lines):
        """A web cart: a new environment, as every request has one. 1: promised, 0: refused."""
        with self.registry.cursor() as cr:
            env = self.env(cr, company)
            product, place = env["product.product"].browse, env["stock.location"].browse(location)
            wanted = [(str(number), product(p), place, quantity) for number, (p, quantity) in enumerate(lines)]
            return int(bool(env["bridge.hold"]._claim(env["bridge.channel"].browse(channel), ref, wanted, "cart")))

    def lane(self, company, channel):
        """The channel's cron job."""
        with self.registry.cursor() as cr:
            self.env(cr, company)["bridge.channel"].browse(channel)._run_lane("inbound")
        return 1

    def confirm(self, company, order, is_stock_odoo=False):
        """A click on Confirm, retried as ``service.model.retrying`` does. 1: all of it is reserved."""
        import psycopg2.errors

        from odoo.addons.pos_erp_bridge.allocation import ALLOWANCE, Allowance

        # An allowance over no moves limits none: what is left is Odoo's own reservation.
        context = {ALLOWANCE: Allowance({}, {}, {})} if is_stock_odoo else {}
        for attempt in range(30):
            try:
                with self.registry.cursor() as cr:
                    sale = self.env(cr, company)["sale.order"].with_context(**context).browse(order)
                    sale.action_confirm()
                    cr.flush()
                    return int(all(move.state == "assigned" for move in sale.picking_ids.move_ids))
            except (psycopg2.errors.SerializationFailure, psycopg2.errors.DeadlockDetected,
                    psycopg2.errors.LockNotAvailable):  # fmt: skip
                time.sleep(0.01 * (attempt % 5))
        raise SystemExit("a back-office order was never confirmed")

    def bare(self, key, seconds):
        """How many bare conditional updates one connection makes."""
        return self._count(seconds, lambda number: self._update(key, number))

    def _update(self, key, number):
        with self.registry.cursor() as cr:
            cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = 5000")
            cr.execute(
                "UPDATE bench_counter SET held = held + 1 WHERE id = %s AND on_hand - held >= 1 RETURNING held",
                [key or number % PRODUCTS + 1],
            )
            cr.fetchone()

    def claims(self, company, channel, location, products, name, seconds):
        """How many claims one connection makes."""

        def one(number):
            lines = [(products[number % len(products)], 1.0)]
            if not self.claim(company, channel, location, f"{name}-{os.getpid()}-{number}", lines):
                raise SystemExit("refused where there was plenty")

        return self._count(seconds, one)

    @staticmethod
    def _count(seconds, job):
        end, number = time.time() + seconds, threading.get_ident() % 1000 * 1_000_000
        first = number
        while time.time() < end:
            number += 1
            job(number)
        return number - first


def work(db):
    import logging

    with _lab.environment(db) as env:
        connector()
        logging.getLogger("odoo.sql_db").setLevel(logging.CRITICAL)  # serialization failures are part of the game
        worker = Worker(env.registry)
        env.cr.commit()
        for line in sys.stdin:
            print(json.dumps(worker.run(json.loads(line))), flush=True)


# -- who runs the race -----------------------------------------------------------------------------
class Crowd:
    """The processes, and how jobs are dealt out to their connections."""

    def __init__(self, db):
        command = [sys.executable, os.path.abspath(__file__), "--work", db]
        self.processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(PROCESSES)
        ]
        self.run([])

    def run(self, jobs):
        """Run [(name, arguments)] at once; returns ([outcomes in order], seconds to the last of them)."""
        hands = [[] for _ in range(PROCESSES * THREADS)]
        for number, job in enumerate(jobs):
            hands[number % len(hands)].append((number, job))
        at = time.time() + HEAD_START
        for number, process in enumerate(self.processes):
            buyers = [[job for _n, job in hand] for hand in hands[number::PROCESSES]]
            process.stdin.write(json.dumps({"at": at, "buyers": buyers}) + "\n")
            process.stdin.flush()
        outcomes, last = [None] * len(jobs), at
        for number, process in enumerate(self.processes):
            line = process.stdout.readline()
            if not line:
                raise SystemExit("a process of buyers died")
            for hand, answers in zip(hands[number::PROCESSES], json.loads(line), strict=True):
                for (index, _job), (outcome, done_at) in zip(hand, answers, strict=True):
                    outcomes[index], last = outcome, max(last, done_at)
        return outcomes, last - at

    def go_home(self):
        for process in self.processes:
            process.stdin.close()
        for process in self.processes:
            process.wait(30)


class Shop:
    """Products, kits, two web channels that sell from one place; what a round needs, and what it left."""

    def __init__(self, env):
        from odoo.addons.pos_erp_bridge.tests import shop

        connector()
        self.env = env = shop.make_company(env, "Race")
        self.warehouse = shop.warehouse(env)
        self.place = self.warehouse.lot_stock_id
        self.partner = env["res.partner"].create({"name": "C"})
        tax = env["account.tax"].search([("type_tax_use", "=", "sale"), ("amount", "=", 10)], limit=1)
        values = [{"name": f"P{i}", "is_storable": True, "taxes_id": [(6, 0, tax.ids)]} for i in range(PRODUCTS)]
        values += [{"name": f"Kit {i}", "type": "consu", "taxes_id": [(6, 0, tax.ids)]} for i in range(2)]
        made = env["product.product"].create(values)
        self.products, self.kits = made[:PRODUCTS], made[PRODUCTS:]
        self._make_boms()
        self.channels = env["bridge.channel"].create(
            [{"name": f"Web {i}", "system": "bench_race", "state": "live"} for i in range(CHANNELS)]
        )
        self.channels.cron_ids.active = False
        for channel in self.channels:
            store = {"name": "W", "channel_id": channel.id, "external_id": "W", "location_id": self.place.id}
            channel.default_store_id = env["bridge.store"].create(store)
            env["bridge.binding"]._bind(channel, "customer", [("C", self.partner)])
            env["bridge.binding"]._bind(channel, "product", [(p.name, p) for p in made])
        env.cr.execute("CREATE TABLE bench_counter (id int PRIMARY KEY, on_hand float8, held float8)")
        env.cr.execute("INSERT INTO bench_counter SELECT i, 1e9, 0 FROM generate_series(1, %s) i", [PRODUCTS])
        self.count = 0
        env.cr.commit()

    def _make_boms(self):
        """The two kits share the second product: one of it in the first, two in the second."""
        recipes = zip(self.kits, ({0: 1, 1: 1}, {1: 2, 2: 1}), strict=True)
        for kit, recipe in recipes:
            lines = [(0, 0, {"product_id": self.products[i].id, "product_qty": n}) for i, n in recipe.items()]
            bom = {"product_tmpl_id": kit.product_tmpl_id.id, "type": "phantom", "bom_line_ids": lines}
            self.env["mrp.bom"].create(bom)

    # -- a round -------------------------------------------------------------------------------------
    def stock(self, units):
        """Every product has ``units``, nothing is promised or reserved, every order of earlier rounds is history."""
        self.env.invalidate_all()
        cr = self.env.cr
        cr.execute("DELETE FROM stock_move_line WHERE company_id = %s", [self.env.company.id])
        for table in ("stock_move", "stock_picking", "sale_order"):
            cr.execute(
                f"UPDATE {table} SET state = 'cancel' WHERE company_id = %s AND state <> 'cancel'",
                [self.env.company.id],
            )
        cr.execute("DELETE FROM bridge_hold; DELETE FROM bridge_touch; DELETE FROM bridge_event")
        cr.execute("DELETE FROM stock_quant WHERE product_id = ANY(%s)", [self.products.ids])
        cr.execute(
            """INSERT INTO stock_quant (product_id, location_id, company_id, quantity, reserved_quantity, in_date)
               SELECT p, %s, %s, %s, 0, now() AT TIME ZONE 'utc' FROM unnest(%s) p""",
            [self.place.id, self.env.company.id, units, self.products.ids],
        )
        cr.commit()

    def cart(self, lines, channel=0):
        self.count += 1
        return ("claim", {"company": self.env.company.id, "channel": self.channels[channel].id, "ref": str(self.count),
                          "location": self.place.id, "lines": [(p.id, n) for p, n in lines]})  # fmt: skip

    def web_order(self, channel, lines):
        """An order the web store has sold; its lane will be run."""
        self.count += 1
        self.fetched.setdefault(channel, []).append((str(self.count), [(p.name, int(n)) for p, n in lines]))

    def office_order(self, lines, **options):
        order = self.env["sale.order"].create(
            {
                "partner_id": self.partner.id,
                "warehouse_id": self.warehouse.id,
                "order_line": [(0, 0, {"product_id": p.id, "product_uom_qty": n}) for p, n in lines],
            }
        )
        return ("confirm", {"company": self.env.company.id, "order": order.id, **options})

    def lanes(self):
        """Keep what the web stores sold, as the poll would; the jobs that book it, each lane by two workers."""
        from odoo.addons.pos_erp_bridge.connectors import base

        now = datetime.now(UTC).isoformat()
        for number, orders in self.fetched.items():
            facts = [base.Fact("order", ref, "1", {"id": ref, "at": now, "lines": lines}) for ref, lines in orders]
            self.env["bridge.event"]._take_facts(self.channels[number], facts, "poll")
        self.env.cr.commit()
        return [
            ("lane", {"company": self.env.company.id, "channel": self.channels[number].id})
            for number in self.fetched
            for _worker in range(2)
        ]

    def basket(self, number, is_kits):
        """What the buyer wants: the last pieces of one product, or kits that share one and that one alone."""
        if not is_kits:
            return [(self.products[0], 1.0)]
        return [[(self.kits[0], 1.0)], [(self.kits[1], 1.0)], [(self.products[1], 1.0)]][number % 3]

    def round(self, crowd, units, buyers, is_kits, is_mixed):
        """One round; returns (oversold, sold, refused, seconds)."""
        self.stock(units)
        self.fetched, carts, office = {}, [], []
        for number in range(buyers):
            lines, way = self.basket(number, is_kits), number % 5 if is_mixed else 0
            if way in (1, 2):
                self.web_order(way - 1, lines)
            elif way == 3:
                office.append(self.office_order(lines))
            else:
                carts.append(self.cart(lines, number % CHANNELS))
        self.env.cr.commit()
        jobs = self.lanes() + office + carts
        outcomes, seconds = crowd.run(jobs)
        sold = sum(outcome for (name, _a), outcome in zip(jobs, outcomes, strict=True) if name != "lane")
        imported = sum(len(orders) for orders in self.fetched.values())
        booked = self.imported()
        sold += sum(booked)
        refused = len(carts) + len(office) + imported - sold
        self.check(imported, booked)
        if not is_kits and sold != min(units, buyers):
            raise SystemExit(f"{units} units, {buyers} buyers: {sold} bought")
        return self.oversold(), sold, refused, seconds

    def imported(self):
        """For every web order of the round whether all of it is reserved."""
        self.env.cr.rollback()
        self.env.invalidate_all()
        orders = self.env["sale.order"].search([("bridge_channel_id", "in", self.channels.ids), ("state", "=", "sale")])
        found = orders.mapped("client_order_ref")
        wanted = [f"#{ref}" for rows in self.fetched.values() for ref, _lines in rows]
        if sorted(found) != sorted(wanted):
            raise SystemExit(f"orders lost or doubled: {sorted(wanted)} became {sorted(found)}")
        return [int(all(move.state == "assigned" for move in order.picking_ids.move_ids)) for order in orders]

    def check(self, imported, booked):
        """Every event was booked, and no promise of an order is left over."""
        self.env.cr.execute("SELECT state, count(*) FROM bridge_event GROUP BY state")
        states = dict(self.env.cr.fetchall())
        if states != ({"done": imported} if imported else {}) or len(booked) != imported:
            raise SystemExit(f"{imported} web orders, but events are {states}")
        self.env.cr.execute("SELECT count(*) FROM bridge_hold WHERE purpose = 'import' AND state = 'active'")
        if left := self.env.cr.fetchone()[0]:
            raise SystemExit(f"{left} promises of booked orders are still open")

    def oversold(self):
        """Units promised or reserved beyond what is on hand, over all products."""
        self.env.cr.execute(
            """SELECT coalesce(sum(greatest(0, coalesce(h.quantity, 0) + q.reserved - q.quantity)), 0)
                 FROM (SELECT product_id, sum(quantity) AS quantity, sum(reserved_quantity) AS reserved
                         FROM stock_quant WHERE location_id = %(place)s GROUP BY product_id) q
                 LEFT JOIN (SELECT product_id, sum(quantity) AS quantity FROM bridge_hold
                             WHERE state = 'active' GROUP BY product_id) h ON h.product_id = q.product_id
                WHERE q.product_id = ANY(%(products)s)""",
            {"place": self.place.id, "products": self.products.ids},
        )
        return float(self.env.cr.fetchone()[0])

    def stock_odoo_round(self, crowd, units, buyers):
        """The same race, as Odoo runs it without us; returns units it reserved beyond what is on hand."""
        self.stock(units)
        jobs = [self.office_order([(self.products[0], 1.0)], is_stock_odoo=True) for _ in range(buyers)]
        self.env.cr.commit()
        outcomes, _seconds = crowd.run(jobs)
        return self.oversold(), sum(outcomes)


# -- figures ---------------------------------------------------------------------------------------
def race(shop, crowd, share):
    total = {"oversold": 0.0, "rounds": 0, "sold": 0, "refused": 0}
    for name, units, buyers, plain, mixed in SCENARIOS:
        for is_mixed, rounds in ((False, plain), (True, mixed)):
            rounds = max(1, round(rounds * share))
            results = [shop.round(crowd, units, buyers, name.startswith("kits"), is_mixed) for _ in range(rounds)]
            oversold, sold, refused = (sum(result[i] for result in results) for i in range(3))
            for key, value in (("oversold", oversold), ("rounds", rounds), ("sold", sold), ("refused", refused)):
                total[key] += value
            ways = "claims, two import lanes, back office" if is_mixed else "claims"
            ms = statistics.median(result[3] for result in results) * 1e3
            _lab.figure("race_round_ms", ms, "ms", scenario=name, ways=ways, rounds=rounds, sold=sold, refused=refused,
                        oversold=oversold)  # fmt: skip
    rounds = max(1, round(STOCK_ODOO_ROUNDS * share))
    stock = [shop.stock_odoo_round(crowd, 10, 20) for _ in range(rounds)]
    _lab.figure(
        "oversold_units",
        total["oversold"],
        "units",
        rounds=total["rounds"],
        sold=total["sold"],
        refused=total["refused"],
        baseline=sum(oversold for oversold, _sold in stock),
        baseline_what=f"stock Odoo's reservation, {rounds} rounds of 10 units and 20 buyers",
        baseline_sold=sum(sold for _oversold, sold in stock),
    )


def hundred_for_fifty(shop, crowd, runs):
    took = []
    for _ in range(runs + 2):
        shop.stock(50)
        outcomes, seconds = crowd.run([shop.cart([(shop.products[0], 1.0)]) for _ in range(100)])
        if sum(outcomes) != 50:
            raise SystemExit(f"50 units, 100 claims: {sum(outcomes)} promised")
        took.append(seconds * 1e3)
    took = took[2:]
    _lab.figure("claims_100_for_50_ms", statistics.median(took), "ms", p95=_lab.quantile(took, 0.95), baseline=500,
                runs=runs, connections=PROCESSES * THREADS)  # fmt: skip


def five_lines(shop, crowd, claims):
    shop.stock(1e6)
    worker = Worker(shop.env.registry)
    took = []
    for _ in range(claims + 20):
        _name, arguments = shop.cart([(product, 1.0) for product in shop.products[:5]])
        start = time.perf_counter()
        worker.claim(**arguments)
        took.append((time.perf_counter() - start) * 1e3)
    took = took[20:]
    _lab.figure("claim_5_lines_p95_ms", _lab.quantile(took, 0.95), "ms", p50=statistics.median(took), baseline=20,
                claims=claims)  # fmt: skip


def rate(shop, crowd, name, products):
    """Claims per second beside bare updates per second, by turns."""
    pairs = []
    company, channel = shop.env.company.id, shop.channels[0].id
    for number in range(RATE_PAIRS + 1):
        shop.stock(1e6)
        hands = PROCESSES * THREADS
        key = 1 if len(products) == 1 else 0
        bare, bare_s = crowd.run([("bare", {"key": key, "seconds": RATE_SECONDS})] * hands)
        arguments = {"company": company, "channel": channel, "location": shop.place.id, "products": products.ids,
                     "name": f"{name}{number}", "seconds": RATE_SECONDS}  # fmt: skip
        ours, ours_s = crowd.run([("claims", arguments)] * hands)
        pairs.append((sum(ours) / ours_s, sum(bare) / bare_s))
    pairs = pairs[1:]
    ours, bare = (statistics.median(side) for side in zip(*pairs, strict=True))
    figure = "claim_rate" if len(products) == 1 else "claim_rate_spread"
    ratio = statistics.median(a / b for a, b in pairs)
    more = {"products": len(products), "pairs": len(pairs), "connections": PROCESSES * THREADS}
    _lab.figure(figure, ours, "claims/s", baseline=bare, ratio=ratio, **more)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="of the rounds")
    parser.add_argument("--db", help="a database to use as it is, instead of a new one")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        return work(args.work)
    context = _lab.database("race", "pos_erp_bridge,mrp") if not args.db else _lab.contextlib.nullcontext(args.db)
    with context as db, _lab.environment(db) as env:
        shop = Shop(env)
        crowd = Crowd(db)
        try:
            hundred_for_fifty(shop, crowd, max(3, round(15 * args.share)))
            five_lines(shop, crowd, 300)
            rate(shop, crowd, "one", shop.products[:1])
            rate(shop, crowd, "many", shop.products)
            race(shop, crowd, args.share)
        finally:
            crowd.go_home()


if __name__ == "__main__":
    main()
