"""Desired levels from scratch, and how quickly a thousand changes reach a vendor.

    ./run bench levels [--products 100000] [--changes 1000]

levels_1m_seconds, levels_1m_mb   what every product may be sold for in every place, computed anew through the code of
                                  the lane, with rules in force: a category's safety stock, a percentage, a quantity
                                  kept for one channel. Megabytes: growth of the process's peak
push_1000_own_ms                  a thousand changed products through the real outward lane to the vendor's sandbox:
                                  our own time (fold, take, record); baseline: what the vendor's own limit allows (calls
                                  beyond the burst ÷ calls per second)
"""

import argparse
import time

import _lab

STORES, CHUNK = 10, 5000
RULES = 3
PUSHES = 3


def peak_mb():
    """The most memory the process ever used."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def forget_peak():
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")


# -- levels ----------------------------------------------------------------------------------------
def fill(env, count):
    """``count`` products with stock in STORES places, half of them in a category of their own; their ids."""
    from odoo.addons.pos_erp_bridge.tests import shop

    env = shop.make_company(env, "Levels")
    root = shop.warehouse(env).lot_stock_id
    places = env["stock.location"].create([{"name": f"S{i}", "location_id": root.id} for i in range(STORES)])
    channels = env["bridge.channel"].create([{"name": f"C{i}", "system": "shopify"} for i in range(2)])
    channels.cron_ids.active = False
    env.cr.execute("UPDATE bridge_channel SET state = 'live' WHERE id = ANY(%s)", [channels.ids])
    env.invalidate_all()
    for channel in channels:
        env["bridge.store"].create(
            [
                {"name": place.name, "external_id": place.name, "channel_id": channel.id, "location_id": place.id}
                for place in places
            ]
        )
    category = env["product.category"].create({"name": "Perishable"})
    other = env.ref("product.product_category_goods")
    model = env["product.product"].create({"name": "P", "is_storable": True, "categ_id": other.id})
    env.flush_all()
    copy_rows(env, "product_template", model.product_tmpl_id.id, count, {"default_code": "'L' || i"})
    copy_rows(env, "product_product", model.id, count, {"product_tmpl_id": "t.id", "default_code": "'L' || i"},
              "JOIN product_template t ON t.default_code = 'L' || i")  # fmt: skip
    cr = env.cr
    cr.execute("UPDATE product_template SET categ_id = %s WHERE default_code LIKE 'L%%' AND id %% 2 = 0", [category.id])
    cr.execute(
        """INSERT INTO stock_quant (product_id, location_id, company_id, quantity, reserved_quantity, in_date)
           SELECT p.id, l, %s, (p.id + l) %% 50, (p.id %% 7 = 0)::int, now() AT TIME ZONE 'utc'
             FROM product_product p, unnest(%s) l WHERE p.default_code LIKE 'L%%'""",
        [env.company.id, places.ids],
    )
    cr.execute(
        """INSERT INTO bridge_hold (company_id, order_ref, line_ref, arrival, product_id, location_id, quantity,
                                    purpose, source, state, claimed_at)
           SELECT %s, 'bench', 'x', 0, p.id, %s, 1, 'cart', 'hand', 'active', now() AT TIME ZONE 'utc'
             FROM product_product p WHERE p.default_code LIKE 'L%%' AND p.id %% 20 = 0""",
        [env.company.id, places[0].id],
    )
    cr.execute("ANALYZE product_product; ANALYZE product_template; ANALYZE stock_quant; ANALYZE bridge_hold")
    add_rules(env, channels, category)
    env.invalidate_all()
    cr.execute("SELECT id FROM product_product WHERE default_code LIKE 'L%%' ORDER BY id")
    ids = [row[0] for row in cr.fetchall()]
    env.cr.commit()
    return env, channels[0], ids


def copy_rows(env, table, source, count, values, join=""):
    """``count`` copies of a row, with some columns computed from i."""
    env.cr.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND column_name <> 'id'", [table]
    )
    columns = [row[0] for row in env.cr.fetchall()]
    chosen = ", ".join(values.get(column, f's."{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    env.cr.execute(
        f"INSERT INTO {table} ({names}) SELECT {chosen} FROM generate_series(1, %s) i {join}, {table} s WHERE s.id = %s"
        if not join else
        f"INSERT INTO {table} ({names}) SELECT {chosen} FROM {table} s CROSS JOIN generate_series(1, %s) i {join}"
        " WHERE s.id = %s",
        [count, source],
    )  # fmt: skip


def add_rules(env, channels, category):
    first, second = channels
    env["bridge.allocation.rule"].create(
        [
            {"name": "Five for the other", "channel_ids": [(4, second.id)], "share": "fixed", "share_quantity": 5,
             "is_exclusive": True},
            {"name": "Perishable", "channel_ids": [(4, first.id)], "categ_ids": [(4, category.id)],
             "safety_quantity": 3},
            {"name": "Most of it", "channel_ids": [(4, first.id)], "share": "percent", "share_percent": 80},
        ]
    )  # fmt: skip


def levels(env, count):
    env, channel, products = fill(env, count)
    stores = channel.store_ids.ids
    desire(env, channel, stores, products[:100])  # caches everybody has anyway
    forget_peak()
    before, start, total, pieces = peak_mb(), time.perf_counter(), 0, 0
    for first in range(0, len(products), CHUNK):
        found = desire(env, channel, stores, products[first : first + CHUNK])
        total, pieces = total + len(found), pieces + sum(found.values())
    seconds, megabytes = time.perf_counter() - start, peak_mb() - before
    if total != count * STORES or not pieces:
        raise SystemExit(f"{total} levels, {pieces} pieces")
    more = {"products": count, "places": STORES, "rules": RULES, "levels": total}
    _lab.figure("levels_1m_seconds", seconds, "s", baseline=30, ratio=seconds / 30, **more)
    _lab.figure("levels_1m_mb", megabytes, "MB", baseline=500, ratio=megabytes / 500, **more)


def desire(env, channel, stores, products):
    """One batch as the lane computes it, on cold caches."""
    env.cr.rollback()
    env.invalidate_all()
    return env["bridge.stock.level"]._desired(channel, [(s, p) for p in products for s in stores])


# -- telling a vendor --------------------------------------------------------------------------------
def push(env, system, count):
    """A vendor that knows ``count`` products and is told of a change of all of them."""
    from odoo.addons.pos_erp_bridge.connectors import get
    from odoo.addons.pos_erp_bridge.tests import shop

    env = shop.make_company(env, f"Push {system}")
    catalogue = tuple((f"{5900000000000 + i}", f"P{i}", 100 + i, False) for i in range(count))
    shop.PRODUCTS = catalogue
    products = shop.make_products(env, 100)
    vendor = shop.Vendor(env, system)
    vendor.channel.cron_ids.active = False
    budget = calls_per_second(vendor)
    vendor.channel.guard_items = 10**6  # a thousand changes at once are meant
    env.cr.commit()
    vendor.channel._run_lane("poll")
    vendor.channel._run_lane("inbound")
    for more in range(1, 3):  # what the channel shows is read first, then it is told; and once more
        change(env, products, more)
        settle(env, vendor)
        vendor.channel._run_lane("poll")
        settle(env, vendor)
    watches = []
    for more in range(3, 3 + PUSHES):
        change(env, products, more)
        with Stopwatch(vendor) as watch:
            settle(env, vendor)
        watches.append(watch)
    watch = sorted(watches, key=lambda one: one.own)[PUSHES // 2]  # the median of them
    domain = [("channel_id", "=", vendor.channel.id)]
    levels = env["bridge.stock.level"].search_count(domain)
    wrong = env["bridge.stock.level"].search_count([*domain, ("state", "!=", "synced")])
    shown = vendor.sandbox.state()["levels"].values()
    told = sum(1 for place in shown for code, level in place.items() if code in products and level == 100 + more)
    if wrong or told != levels or levels < count:
        raise SystemExit(f"{system}: {wrong} of {levels} levels not agreed, {told} told")
    allowed = watch.calls / budget
    more = {"changes": count, "levels": levels, "batch": get(system).push_batch, "vendor_calls": watch.calls}
    more |= {"calls_per_second": budget, "vendor_bound_s": allowed, "baseline": allowed * 1e3} | watch.parts
    _lab.figure("push_1000_own_ms", watch.own * 1e3, "ms", system=system, ratio=watch.own / allowed, **more)
    vendor.stop()


def calls_per_second(vendor):
    """What the vendor allows; where a setting of the channel says so, it is lifted: nobody need wait for a sandbox."""
    from odoo.addons.pos_erp_bridge.connectors import get

    row = vendor.channel.setting_ids.filtered(lambda setting: setting.name == "calls_per_second")
    if not row:
        return get(vendor.system).budget.calls / get(vendor.system).budget.per
    allowed = next(spec.default for spec in get(vendor.system).settings_spec if spec.name == row.name)
    row.value = "1000"
    return float(allowed)


def change(env, products, more):
    """Every product has one piece more."""
    ids = [product.id for product in products.values()]
    quants = env["stock.quant"].search([("product_id", "in", ids), ("location_id.usage", "=", "internal")])
    for quant in quants:
        quant.quantity = 100 + more
    env.cr.commit()


def settle(env, vendor):
    vendor.channel._run_lane("outward")
    env.cr.rollback()
    env.invalidate_all()


class Stopwatch:
    """Our own seconds in the outward lane, by part, and the calls the vendor got; waiting for its budget left out."""

    PARTS = ("_fold", "_take_due", "_record_results")

    def __init__(self, vendor):
        self.vendor, self.own, self.parts = vendor, 0.0, {}

    def __enter__(self):
        from unittest.mock import patch

        self.first = len(self.vendor.sandbox.calls)
        model = type(self.vendor.env["bridge.stock.level"])
        self.patches = [patch.object(model, name, self._timed(name, getattr(model, name))) for name in self.PARTS]
        for patcher in self.patches:
            patcher.start()
        return self

    def _timed(self, name, method):
        def timed(*args, **kwargs):
            start = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                spent = time.perf_counter() - start
                self.own += spent
                key = f"{name.strip('_')}_ms"
                self.parts[key] = self.parts.get(key, 0.0) + spent * 1e3

        return timed

    def __exit__(self, *_error):
        for patcher in self.patches:
            patcher.stop()
        self.calls = len(self.vendor.sandbox.calls) - self.first


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--changes", type=int, default=1000)
    parser.add_argument("--db", help="a database to use as it is, instead of a new one")
    args = parser.parse_args()
    context = _lab.database("levels") if not args.db else _lab.contextlib.nullcontext(args.db)
    with context as db, _lab.environment(db) as env:
        if args.products:
            levels(env, args.products)
        for system in ("shopify", "smaregi") if args.changes else ():
            push(env, system, args.changes)


if __name__ == "__main__":
    main()
