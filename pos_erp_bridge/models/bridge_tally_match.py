# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Tallies and receipts: what was tallied is held, until the till's own receipts take its place, each once."""

from collections import defaultdict
from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import SQL

from ..tally_arithmetic import NOTHING, Line, Sold, arrivals

# Net pieces sold by receipt (whatever its versions became), product and store. Own tills count once their goods moved.
SOLD = """
    SELECT CASE WHEN o.bridge_external_id IS NOT NULL THEN o.bridge_channel_id || '/' || o.bridge_external_id
                ELSE 'pos.order/' || o.id END AS receipt,
           b.id AS store, l.product_id, min(o.date_order), sum(l.qty), max(o.id)
      FROM pos_order o
      JOIN pos_session s ON s.id = o.session_id
      JOIN bridge_store b ON b.id = s.bridge_store_id
        OR s.bridge_store_id IS NULL AND b.pos_config_id = s.config_id
           AND (s.update_stock_at_closing IS NOT TRUE OR s.state = 'closed')
      JOIN pos_order_line l ON l.order_id = o.id
     WHERE b.id = ANY(%(stores)s) AND l.product_id = ANY(%(products)s) AND o.state NOT IN ('draft', 'cancel')
       AND o.date_order BETWEEN %(start)s AND %(end)s
     GROUP BY 1, 2, 3
"""


class BridgeTally(models.Model):
    _inherit = "bridge.tally"

    @api.model
    def _match_stores(self, store_ids):
        """Have receipts take the place of what these stores tallied. One small query when no tally is open.

        Compares what is booked with what arrived, and so may run at any time, twice, and beside itself: the arrivals
        are unique, and two who change the same lines make one start over.
        """
        if not store_ids:
            return
        tallies = self.sudo().search(
            [("store_id", "in", list(store_ids)), ("state", "=", "entered")], order="started_at, id"
        )
        lines = tallies.line_ids
        if not lines:
            return
        windows = {tally.id: tally._window() for tally in tallies}
        waiting = [
            Line(line.id, tally.store_id.id, line.product_id.id, line.open_quantity, *windows[tally.id])
            for tally in tallies for line in tally.line_ids
        ]  # fmt: skip
        sold, orders = self._sold(tallies.store_id.ids, lines.product_id.ids, waiting)
        arrived, known = self._arrived({item.receipt for item in sold})
        self._write_arrivals(arrivals(waiting, sold, arrived), known, orders)
        lines._follow_holds()
        tallies._settle_if_done()

    def _match(self):
        self._match_stores(self.filtered(lambda tally: tally.state == "entered").store_id.ids)

    def _sold(self, store_ids, product_ids, waiting):
        """(what receipts sold of these, {receipt: its newest pos.order id})"""
        for model in ("pos.order", "pos.order.line", "pos.session"):
            self.env[model].flush_model()
        values = {
            "stores": store_ids, "products": product_ids,
            "start": min(line.start for line in waiting), "end": max(line.end for line in waiting),
        }  # fmt: skip
        rows = self.env.execute_query(SQL(SOLD, **values))
        return [Sold(*row[:5]) for row in rows], {row[0]: row[5] for row in rows}

    def _arrived(self, receipts):
        """({(receipt, product id): {line id: quantity}}, {(line id, receipt): arrival})"""
        rows = self.env["bridge.tally.arrival"].sudo().search([("receipt", "in", list(receipts))])
        arrived, known = defaultdict(dict), {}
        for row in rows:
            arrived[row.receipt, row.line_id.product_id.id][row.line_id.id] = row.quantity
            known[row.line_id.id, row.receipt] = row
        return arrived, known

    def _write_arrivals(self, changes, known, orders):
        new = []
        for (line_id, receipt), change in changes.items():
            row = known.get((line_id, receipt))
            if row:
                row.write({"quantity": row.quantity + change, "order_id": orders[receipt]})
            else:
                new.append({"line_id": line_id, "receipt": receipt, "quantity": change, "order_id": orders[receipt]})
        self.env["bridge.tally.arrival"].sudo().create(new)

    # -- holds -----------------------------------------------------------------------------------
    def _order_ref(self):
        return f"tally-{self.id}"

    def _hold_lines(self):
        """Take what is open from sale on every channel at once. It never fails: what was sold was sold; what could not
        be had is shown on the line. Last step of whoever calls: a claim is committed when it returns."""
        for tally in self.sudo():
            self.env.flush_all()
            lines = tally.line_ids.filtered(lambda line: line._is_open())
            claim = self.env["bridge.hold"].sudo()._claim(
                tally.channel_id, tally._order_ref(),
                [(str(l.id), l.product_id, tally.store_id.location_id, l.open_quantity) for l in lines],
                purpose="tally", partial=True, store=tally.store_id, is_sold=True,
            )  # fmt: skip
            for line in lines:
                line.held = claim.granted.get(str(line.id), 0.0)
                line.shortage = claim.short.get(str(line.id), 0.0)

    def _release_lines(self, lines):
        """Put what is held for these lines back on sale, in the current transaction."""
        lines._holds()._end("released")
        lines.sudo().held = 0.0

    @api.model
    def _release_strays(self, channel):
        """Promises of tallies that were not entered after all: their transaction failed after the claim. Young ones may
        belong to a tally that is being entered this very moment."""
        long_ago = fields.Datetime.now() - timedelta(minutes=10)
        holds = self.env["bridge.hold"].search(
            [
                ("channel_id", "=", channel.id),
                ("purpose", "=", "tally"),
                ("state", "=", "active"),
                ("claimed_at", "<", long_ago),
            ]
        )
        if not holds:
            return
        entered = self.search([("channel_id", "=", channel.id), ("state", "=", "entered")])
        refs = {tally._order_ref() for tally in entered}
        holds.filtered(lambda hold: hold.order_ref not in refs)._end("released")


class BridgeTallyLine(models.Model):
    _inherit = "bridge.tally.line"

    held = fields.Float("Taken from sale", digits="Product Unit", readonly=True, copy=False)

    def _holds(self):
        """The active promises of these lines."""
        return self.env["bridge.hold"].sudo().search(
            [
                ("channel_id", "in", self.channel_id.ids), ("purpose", "=", "tally"), ("state", "=", "active"),
                ("order_ref", "in", [tally._order_ref() for tally in self.tally_id]),
                ("line_ref", "in", [str(line_id) for line_id in self.ids]),
            ]
        )  # fmt: skip

    def _follow_holds(self):
        """Hold no more than is open: the receipt that was booked took its pieces from stock itself."""
        changed = {str(line.id): line for line in self if line.held > line.open_quantity + NOTHING}
        if not changed:
            return
        holds = self.browse([line.id for line in changed.values()])._holds()
        ended = holds.filtered(lambda hold: not changed[hold.line_ref]._is_open())
        ended._end("done")
        for hold in holds - ended:
            # Of a kit, each component is promised for itself.
            line = changed[hold.line_ref]
            hold.quantity *= line.open_quantity / line.held
            hold.kit_quantity *= line.open_quantity / line.held
        self.env["bridge.touch"]._touch_places([(h.location_id.id, h.product_id.id) for h in holds - ended])
        for line in changed.values():
            line.held = line.open_quantity


class BridgeBookingTill(models.AbstractModel):
    _inherit = "bridge.booking.till"

    def _tell_own(self, drafts):
        """What is booked here may have been tallied before."""
        self.env["bridge.tally"]._match_stores({draft.key[0].id for draft in drafts})
        self.env.flush_all()
        return super()._tell_own(drafts)


class PosOrder(models.Model):
    _inherit = "pos.order"

    @api.model
    def sync_from_ui(self, orders):
        """Sales of Odoo's own till take the place of what its store tallied, too."""
        result = super().sync_from_ui(orders)
        configs = self.browse([order["id"] for order in result.get("pos.order", ())]).config_id
        stores = self.env["bridge.store"].sudo().search([("pos_config_id", "in", configs.ids)])
        self.env["bridge.tally"]._match_stores(stores.ids)
        return result


class BridgeChannel(models.Model):
    _inherit = "bridge.channel"

    def _run_poll_extra(self):
        """Every minute: what was booked while a tally was being entered, what should have come by now."""
        super()._run_poll_extra()
        if self.state == "live":
            self._retrying(lambda channel: channel._follow_tallies())

    def _follow_tallies(self):
        Tally = self.env["bridge.tally"]
        Tally._release_strays(self)
        Tally._match_stores(self.store_ids.ids)
        Tally._alarm_overdue(self)


class ResCompany(models.Model):
    _inherit = "res.company"

    bridge_tally_days = fields.Integer(
        "Ask about tallies after (days)", default=3,
        help="When the receipts of a tally have not come by then, somebody is asked to decide about the rest.",
    )  # fmt: skip

    _bridge_tally_days_positive = models.Constraint(
        "CHECK(bridge_tally_days > 0)", "Give the receipts of a tally at least a day to come."
    )


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    bridge_tally_days = fields.Integer(related="company_id.bridge_tally_days", readonly=False)
