# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Tallies: what a store sold on paper while nothing answered."""

import re
import unicodedata
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import plaintext2html

# Clocks of tills and people differ: a receipt this much outside of the times written down still counts.
CLOCKS = timedelta(minutes=10)
# "4900000000016", "4900000000016,3", "4900000000016 3 138": code, quantity, unit price.
ENTRY = re.compile(r"^(?P<code>[^\s,;]+)(?:[\s,;]+(?P<quantity>[^\s,;]+))?(?:[\s,;]+(?P<price>[^\s,;]+))?$")
TIMES = re.compile(r"^(?P<quantity>-?[\d.]+)[*x](?P<code>[^\s,;]+)$")  # "3*4900000000016"


class BridgeTally(models.Model):
    """What a store sold on paper during an outage. Entered, its pieces are gone from sale everywhere; the till's own
    receipts then take their place, each once."""

    _name = "bridge.tally"
    _description = "Tally"
    _inherit = ["mail.thread", "mail.activity.mixin", "barcodes.barcode_events_mixin", "bridge.readonly"]
    _order = "started_at desc, id desc"
    _check_company_auto = True

    store_id = fields.Many2one(
        "bridge.store", required=True, check_company=True, domain="[('location_id', '!=', False)]", ondelete="restrict",
        default=lambda self: self._default_store(), tracking=True,
    )  # fmt: skip
    channel_id = fields.Many2one(related="store_id.channel_id", store=True, index=True)
    company_id = fields.Many2one(related="store_id.company_id", store=True, index=True)
    currency_id = fields.Many2one(related="company_id.currency_id")
    started_at = fields.Datetime("From", required=True, default=lambda self: self._default_started_at(), tracking=True)
    ended_at = fields.Datetime("To", required=True, default=fields.Datetime.now, tracking=True)
    staff = fields.Char("Sold by", help="Who tallied in the store.")
    user_id = fields.Many2one("res.users", "Entered by", default=lambda self: self.env.user, readonly=True)
    arrival = fields.Selection(
        [("till", "The till sends them by itself"), ("rung", "Somebody rings them up afterwards")],
        "How the receipts come", required=True, default="till",
        help="The till kept selling and sends its receipts when it can: those sold between From and To take the place "
        "of the tally.\nThe till was dead and the sales are rung up on it later: its receipts from From until the end "
        "of the business day of To take the place of the tally.",
    )  # fmt: skip
    state = fields.Selection(
        [("draft", "Being entered"), ("entered", "Waiting for receipts"), ("settled", "Completed")],
        default="draft", required=True, readonly=True, copy=False, tracking=True,
    )  # fmt: skip
    line_ids = fields.One2many("bridge.tally.line", "tally_id", copy=True)
    note = fields.Text()
    entered_at = fields.Datetime(readonly=True, copy=False)
    settled_at = fields.Datetime(readonly=True, copy=False)
    is_alarmed = fields.Boolean(readonly=True, copy=False)

    scan = fields.Char("Scan or type", store=False)
    scan_message = fields.Char(store=False, readonly=True)
    is_scan_bad = fields.Boolean(store=False, readonly=True)
    pasted = fields.Text("Paste a list", copy=False)
    unknown_codes = fields.Char("Codes nobody knows", copy=False)

    quantity = fields.Float("Tallied", digits="Product Unit", compute="_compute_figures", store=True)
    arrived = fields.Float(digits="Product Unit", compute="_compute_figures", store=True)
    open_quantity = fields.Float("Not arrived", digits="Product Unit", compute="_compute_figures", store=True)
    amount = fields.Monetary("Amount tallied", compute="_compute_figures", store=True)

    _times = models.Constraint("CHECK(started_at <= ended_at)", "An outage cannot end before it began.")
    _open_index = models.Index("(store_id) WHERE state = 'entered'")

    @api.model
    def _default_store(self):
        stores = self.env["bridge.store"].search(
            [("location_id", "!=", False), ("kind", "=", "till"), ("company_id", "=", self.env.company.id)], limit=2
        )
        return stores if len(stores) == 1 else stores.browse()

    @api.model
    def _default_started_at(self):
        """Since when the channel was silent, where that is known."""
        channel = self.env["bridge.channel"].browse(self.env.context.get("bridge_tally_channel_id")) or (
            self._default_store().channel_id
        )
        last = channel.outage_ids[:1]
        return last.started_at or fields.Datetime.now() - timedelta(hours=1)

    @api.depends("store_id", "started_at")
    def _compute_display_name(self):
        for tally in self:
            zone = tally.channel_id.timezone or "UTC"  # the store's own: people there say the name
            started = tally.started_at and fields.Datetime.context_timestamp(
                tally.with_context(tz=zone), tally.started_at
            )
            tally.display_name = f"{tally.store_id.name or ''} {started:%Y-%m-%d %H:%M}" if started else False

    @api.depends("line_ids.quantity", "line_ids.arrived", "line_ids.closed", "line_ids.price_unit")
    def _compute_figures(self):
        for tally in self:
            lines = tally.line_ids
            tally.quantity = sum(lines.mapped("quantity"))
            tally.arrived = sum(lines.mapped("arrived"))
            tally.open_quantity = sum(lines.mapped("open_quantity"))
            tally.amount = sum(line.quantity * line.price_unit for line in lines)

    # -- entering lines --------------------------------------------------------------------------
    @api.onchange("scan")
    def _onchange_scan(self):
        if self.scan:
            self._take_entry(self.scan)
            self.scan = False

    def on_barcode_scanned(self, barcode):
        if self.state == "draft":
            self._take_entry(barcode)

    def _take_entry(self, text):
        """Add what was scanned or typed; says what became of it, without a window in the way of the next code."""
        try:
            code, quantity, price = self._parse(text)
            product, factor = self._products_by_code([code]).get(code, (None, 1))
            if not product:
                codes = (self.unknown_codes or "").split()
                self.unknown_codes = " ".join(dict.fromkeys([*codes, code]))
                raise UserError(self.env._("No product has the code %s. It was noted below.", code))
        except UserError as error:
            self.scan_message, self.is_scan_bad = str(error), True
            return
        line = self._add(product, quantity * factor, price)
        self.is_scan_bad = False
        self.scan_message = f"{product.display_name}: {line.quantity:g}"

    def _parse(self, text):
        """(code, quantity, price or None) of a line; full-width figures and commas are read as well."""
        text = unicodedata.normalize("NFKC", text).replace("、", ",").strip()
        match = TIMES.match(text) or ENTRY.match(text)
        if not match:
            raise UserError(self.env._("“%s” is no code and quantity. Write e.g. 4900000000016,3.", text))
        parts = match.groupdict()
        try:
            quantity = float(parts["quantity"] or 1)
            price = float(parts["price"]) if parts.get("price") else None
        except ValueError:
            quantity = 0.0
        if not quantity or abs(quantity) >= 100_000:
            raise UserError(self.env._("“%s” has no quantity that makes sense. Write e.g. 4900000000016,3.", text))
        return parts["code"], quantity, price

    def _products_by_code(self, codes):
        """{code: (product, pieces in one)}: by barcode, by barcode of a pack, by reference; one fits or none."""
        company = self.company_id or self.env.company
        here = [("company_id", "in", (False, company.id))]
        Product = self.env["product.product"]
        found = {}
        for field in ("default_code", "barcode"):  # the barcode is asked last, and so wins
            groups = Product._read_group([(field, "in", codes), *here], [field], ["id:recordset"])
            found |= {code: (products, 1.0) for code, products in groups if len(products) == 1}
        for pack in self.env["product.uom"].sudo().search([("barcode", "in", [c for c in codes if c not in found])]):
            product = pack.product_id.with_env(self.env)
            found[pack.barcode] = (product, pack.uom_id._compute_quantity(1.0, product.uom_id))
        return found

    def _add(self, product, quantity, price=None):
        """Count pieces on the line of their product."""
        line = self.line_ids.filtered(lambda l: l.product_id == product)[:1]
        if line:
            line.quantity += quantity
            if price is not None:
                line.price_unit = price
        else:
            line = self.line_ids.new(
                {"product_id": product.id, "quantity": quantity, "price_unit": price or product.lst_price}
            )
            self.line_ids += line
        return line

    def action_take_pasted(self):
        """Add pasted lines; those that cannot be read stay, with the reason above."""
        self.ensure_one()
        self._check_draft()
        entries, bad = [], []
        for text in filter(None, map(str.strip, (self.pasted or "").splitlines())):
            try:
                entries.append((text, *self._parse(text)))
            except UserError:
                bad.append(text)
        products = self._products_by_code([code for _text, code, _quantity, _price in entries])
        totals, prices = {}, {}
        for text, code, quantity, price in entries:
            product, factor = products.get(code, (None, 1))
            if not product:
                bad.append(text)
                continue
            totals[product] = totals.get(product, 0.0) + quantity * factor
            if price is not None:
                prices[product] = price
        lines = {line.product_id: line for line in self.line_ids}
        for product, quantity in totals.items():
            if product in lines:
                lines[product].quantity += quantity
        self.env["bridge.tally.line"].create(
            [
                {
                    "tally_id": self.id, "product_id": product.id, "quantity": quantity,
                    "price_unit": prices.get(product, product.lst_price),
                }
                for product, quantity in totals.items() if product not in lines
            ]
        )  # fmt: skip
        self.pasted = "\n".join(bad) or False
        message = self.env._("%s products were taken over.", len(totals))
        if bad:
            message = self.env._(
                "%(count)s products were taken over. %(bad)s lines were not: correct what is left in the box. "
                "Write a known code and a quantity, e.g. 4900000000016,3.",
                count=len(totals), bad=len(bad),
            )  # fmt: skip
        return {
            "type": "ir.actions.client", "tag": "display_notification",
            "params": {
                "type": "warning" if bad else "success", "message": message,
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }  # fmt: skip

    # -- life ------------------------------------------------------------------------------------
    def _check_draft(self):
        if any(tally.state != "draft" for tally in self):
            raise UserError(
                self.env._(
                    "The tally is entered: its pieces are gone from sale. Take it back to change it, or make another "
                    "tally for what is missing."
                )
            )

    def write(self, vals):
        if vals.keys() & {"store_id", "started_at", "ended_at", "arrival"}:
            self._check_draft()
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_if_draft(self):
        self._check_draft()

    def action_enter(self):
        """Take the pieces from sale on every channel; what the till has told already takes their place at once."""
        self.check_access("write")
        for tally in self:
            tally._check_draft()
            tally._check_ready()
        self.sudo().write({"state": "entered", "entered_at": fields.Datetime.now(), "user_id": self.env.uid})
        self._match()
        self.filtered(lambda tally: tally.state == "entered")._hold_lines()

    def _check_ready(self):
        self.ensure_one()
        if not self.store_id.location_id:
            raise ValidationError(
                self.env._("Say first where %s is in Odoo, under Mappings, Stores.", self.store_id.name)
            )
        if not self.line_ids:
            raise ValidationError(self.env._("Nothing was tallied yet: scan a code or paste a list first."))
        if self.pasted or self.unknown_codes:
            raise ValidationError(
                self.env._(
                    "Some of it belongs to no product yet: %s. Add those products by hand and empty the field, then "
                    "enter the tally.",
                    ", ".join(filter(None, [self.unknown_codes, *(self.pasted or "").splitlines()])),
                )
            )
        if any(line.quantity <= 0 for line in self.line_ids):
            names = self.line_ids.filtered(lambda line: line.quantity <= 0).product_id.mapped("display_name")
            raise ValidationError(
                self.env._(
                    "More came back than was sold: %s. Returned goods are booked with their receipt, not with a "
                    "tally: take these lines out.",
                    ", ".join(names),
                )
            )

    def action_draft(self):
        """Take a tally back to correct it, as long as nothing of it has arrived."""
        self.check_access("write")
        for tally in self.filtered(lambda t: t.state != "draft"):
            if tally.state == "settled" or any(line.arrived or line.closed for line in tally.line_ids):
                raise UserError(
                    self.env._(
                        "Receipts have taken the place of some of it already. Settle the rest line by line, or make "
                        "another tally for what is missing."
                    )
                )
            tally._release_lines(tally.line_ids)
            tally.sudo().write({"state": "draft", "entered_at": False, "is_alarmed": False})

    def action_match(self):
        """Look again for receipts; the lanes do it by themselves when they book."""
        self._match()

    def _settle_if_done(self):
        """Tallies of which nothing is open any more are settled by themselves."""
        done = self.filtered(lambda t: t.state == "entered" and not any(line._is_open() for line in t.line_ids))
        if done:
            done.sudo().write({"state": "settled", "settled_at": fields.Datetime.now()})
            done.sudo().activity_unlink(["mail.mail_activity_data_warning"])

    # -- times -----------------------------------------------------------------------------------
    def _window(self):
        """(from, to), naive UTC: when a receipt was sold that may take the place of this tally."""
        self.ensure_one()
        end = self.ended_at + CLOCKS
        if self.arrival == "rung":
            zone = ZoneInfo(self.channel_id.timezone or "UTC")
            day = self.ended_at.replace(tzinfo=UTC).astimezone(zone).date()
            midnight = datetime.combine(day + timedelta(days=1), time.min, zone)
            end = max(end, midnight.astimezone(UTC).replace(tzinfo=None))
        return self.started_at - CLOCKS, end

    # -- what never arrives ----------------------------------------------------------------------
    @api.model
    def _alarm_overdue(self, channel):
        """Ask somebody about tallies whose receipts should have come by now, once each."""
        days = channel.company_id.bridge_tally_days
        for tally in self.search(
            [
                ("channel_id", "=", channel.id), ("state", "=", "entered"), ("is_alarmed", "=", False),
                ("ended_at", "<", fields.Datetime.now() - timedelta(days=days)),
            ]
        ):  # fmt: skip
            tally.is_alarmed = True
            rest = tally.line_ids.filtered(lambda line: line._is_open())
            tally.activity_schedule(
                "mail.mail_activity_data_warning",
                user_id=(tally.user_id or tally.create_uid).id,
                summary=self.env._("Tallied, but no receipt came"),
                note=plaintext2html(
                    self.env._(
                        "After %(days)s days these are still open: %(lines)s. Were they sold and never registered, "
                        "book them as an inventory difference. Were they miscounted, discard them.",
                        days=days,
                        lines=", ".join(f"{l.product_id.display_name} × {l.open_quantity:g}" for l in rest[:20]),
                    )
                ),
            )

    def action_book_difference(self):
        self.line_ids.action_book_difference()

    def action_discard(self):
        self.line_ids.action_discard()
