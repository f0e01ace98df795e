"""A month of fiscal documents: how fast they are calculated and registered, and whether the books tie out to them.

A generated month: 3 stores, 30 days, 20,000 receipts with discounts, points, returns, exchanges, mixed rates and sales
after midnight, booked as a connected till's are, its days closed.

Figures: documents_per_second, calculation (one rounding per rate, spread to the lines) and register (content, number,
rates, hash chain) of paid orders, as in the transaction that books them. Baseline: stock Odoo's invoice posting in the
same run: ``account.move.create`` and ``action_post`` + commit, one invoice a call, in a company that is not Japanese.
tie_out_yen_off: differences between documents, journal items and tax report, all rates of all days; has to be 0.
tie_out_seconds: that comparison. verify_seconds: every document and every sealed entry checked.

``--small``: 3 days of 40 receipts a store.
"""

import sys
import time
from datetime import date, timedelta

import _lab

STORES, DAYS, RECEIPTS = 3, 30, 20_000
FIRST_DAY = date(2026, 10, 1)
BATCH, INVOICES, WARM_UP = 400, 60, 5


class Clock:
    """Seconds spent in a method, by whomever it is called."""

    def __init__(self, model, name):
        self.seconds, cls = 0.0, type(model)
        method = getattr(cls, name)

        def timed(record, *args, **kwargs):
            start = time.perf_counter()
            try:
                return method(record, *args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - start

        setattr(cls, name, timed)


class Shop:
    """A Japanese company with a connected till in each store."""

    def __init__(self, env, name):
        from odoo.addons.pos_erp_bridge.connectors import base
        from odoo.addons.pos_erp_bridge.tests import common, month, shop

        base._REGISTRY[common.Probe.system] = common.Probe
        self.month = month
        self.env = env = shop.make_company(env, name)
        env.company.vat = "T7000012050002"
        self.products = shop.make_products(env, 10_000_000)
        location = shop.warehouse(env).lot_stock_id
        self.channel = env["bridge.channel"].create(
            {"name": "Tills", "system": "probe", "start_date": FIRST_DAY - timedelta(days=1)}
        )
        self.channel.cron_ids.active = False
        points = env["pos.payment.method"].create({"name": "Points", "split_transactions": False})
        for number in range(1, STORES + 1):
            journal = env["account.journal"].create({"name": f"Cash {number}", "type": "cash", "code": f"C{number}"})
            cash = env["pos.payment.method"].create({"name": f"Cash {number}", "journal_id": journal.id})
            config = env["pos.config"].create(
                {"name": f"Store {number}", "payment_method_ids": [(6, 0, (cash | points).ids)]}
            )
            env["bridge.store"].create(
                {
                    "channel_id": self.channel.id, "external_id": str(number), "name": f"Store {number}",
                    "location_id": location.id, "pos_config_id": config.id,
                }
            )  # fmt: skip
        env["bridge.binding"]._bind(self.channel, "tender", [("points", points)])
        self.channel.state = "live"
        env.cr.commit()

    def sales(self, days, receipts):
        """Receipts of the month, day by day."""
        stores = [str(number) for number in range(1, STORES + 1)]
        month = self.month.Month(self.month.goods(self.products.values()), stores, FIRST_DAY)
        for number in range(days):
            yield list(month.day(number, receipts))

    def book(self, days, receipts):
        """Book and close the month; returns (documents, seconds of calculation and register)."""
        env = self.env
        clocks = [Clock(env["pos.order"], "_bridge_register"), Clock(env["bridge.document"], "_seal")]
        calculation, start = 0.0, time.perf_counter()
        for day in self.sales(days, receipts):
            calculation += time.perf_counter() - start
            sessions = env["pos.session"]
            for place in range(0, len(day), BATCH):
                sessions |= self.month.book(self.channel, day[place : place + BATCH]).session_id
                env.cr.commit()
            self.month.close(sessions)
            env.cr.commit()
            env.invalidate_all()
            print(f"{day[0].business_date} booked", file=sys.stderr, flush=True)
            start = time.perf_counter()
        count = env["bridge.document"].search_count([("company_id", "=", env.company.id)])
        return count, calculation + sum(clock.seconds for clock in clocks)


def stock_invoices(env, size):
    """Invoices per second of Odoo itself, three lines each, posted one by one."""
    from odoo.addons.pos_erp_bridge.tests import shop

    env = shop.make_company(env, "Elsewhere")
    company = env.company
    # In dollars it is no company of ours: nothing is registered, hashed or sealed.
    company.write({"currency_id": env.ref("base.USD").id, "bridge_keeps_books": False})
    company.restrictive_audit_trail = False
    env["account.journal"].search([("company_id", "=", company.id)]).restrict_mode_hash_table = False
    partner = env["res.partner"].create({"name": "Buyer"})
    tax = env["account.tax"].search([("company_id", "=", company.id), ("type_tax_use", "=", "sale")], limit=1)
    env.cr.commit()

    def post(count):
        for number in range(count):
            lines = [
                (0, 0, {"name": f"{number}-{i}", "quantity": i, "price_unit": 151, "tax_ids": [(6, 0, tax.ids)]})
                for i in (1, 2, 3)
            ]
            env["account.move"].create(
                {"move_type": "out_invoice", "partner_id": partner.id, "invoice_line_ids": lines}
            ).action_post()
            env.cr.commit()

    post(WARM_UP)
    start = time.perf_counter()
    post(size)
    return size / (time.perf_counter() - start)


def main():
    is_small = "--small" in sys.argv
    days = 3 if is_small else DAYS
    receipts = 40 if is_small else -(-RECEIPTS // (STORES * DAYS))
    with _lab.database("fiscal") as name, _lab.environment(name) as env:
        baseline = stock_invoices(env, INVOICES)
        shop = Shop(env, "Month")
        company = shop.env.company
        count, spent = shop.book(days, receipts)
        start = time.perf_counter()
        rows = shop.env["bridge.tie.out"]._check(company, FIRST_DAY, FIRST_DAY + timedelta(days=days))
        tie_out = time.perf_counter() - start
        start = time.perf_counter()
        found = shop.env["bridge.document"]._verify(company)
        verify = time.perf_counter() - start
        off, total, days_seen = sum(rows.mapped("gap")), sum(rows.mapped("total")), len(rows)
    size = {"documents": count, "receipts": receipts * STORES * days, "stores": STORES, "days": days}
    speed = count / spent
    _lab.figure("documents_per_second", speed, "documents/s", baseline=baseline, ratio=speed / baseline, **size)
    _lab.figure("tie_out_yen_off", off, "yen", rows=days_seen, yen=total)
    _lab.figure("tie_out_seconds", tie_out, "s", rows=days_seen)
    _lab.figure("verify_seconds", verify, "s", findings=len(found), documents=count)


if __name__ == "__main__":
    main()
