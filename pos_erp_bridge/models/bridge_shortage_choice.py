# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What can be done about a shortage, each with a sentence and a button."""

from collections import defaultdict

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_date

from .stock_shortage import PLACE

PLACES = 6  # offered at once


class BridgeShortage(models.Model):
    _inherit = "bridge.shortage"

    place_ids = fields.Many2many("stock.location", string="Places that have it", compute="_compute_choices",
                                 compute_sudo=True)  # fmt: skip
    place_text = fields.Char(compute="_compute_choices", compute_sudo=True)
    incoming_text = fields.Char(compute="_compute_choices", compute_sudo=True)
    partial_text = fields.Char(compute="_compute_choices", compute_sudo=True)
    cancel_text = fields.Char(compute="_compute_choices", compute_sudo=True)
    refund_text = fields.Char(compute="_compute_choices", compute_sudo=True)
    proposal = fields.Char(compute="_compute_choices", compute_sudo=True)

    # -- proposals ---------------------------------------------------------------------------------
    @api.depends("state", "missing", "decision")
    @api.depends_context("lang", "tz")
    def _compute_choices(self):
        names = ("place_text", "incoming_text", "partial_text", "cancel_text", "refund_text", "proposal")
        for row in self:
            row.place_ids = False
            row.update(dict.fromkeys(names, False))
        rows = self.filtered(lambda row: row.state == "open")
        places, incoming = rows._places(), rows._incoming()
        rows.sale_line_id.move_ids.picking_id.move_ids.mapped("quantity")  # read at once, for all
        for row in rows:
            found = places.get(row, [])
            row.place_ids = self.env["stock.location"].union(*(place for place, _free in found))
            row.place_text = row._say_place(*found[0]) if found else False
            is_waiting = row.decision == "wait"
            row.incoming_text = row._say_incoming(*incoming[row]) if row in incoming and not is_waiting else False
            row.partial_text = row._say_partial()
            is_invoiced = row._is_invoiced()
            row.cancel_text = False if is_invoiced else row._say_cancel()
            row.refund_text = row._say_refund() if is_invoiced else False
            texts = (row.place_text, row.incoming_text, row.partial_text, row.cancel_text, row.refund_text)
            row.proposal = False if row.decision else next(filter(None, texts), False)

    def _places(self):
        """{shortage: [(place, how many are free there)]}, the best first: where all of it is, near by, most."""
        result = {}
        for company, rows in self.grouped("company_id").items():
            stores = self.env["bridge.store"].search([("company_id", "=", company.id), ("location_id", "!=", False)])
            warehouses = self.env["stock.warehouse"].search([("company_id", "=", company.id)])
            places = (stores.location_id | warehouses.lot_stock_id).filtered("warehouse_id")
            availability = self.env["bridge.availability"].with_company(company)
            free = {place: availability._available(place, rows.product_id) for place in places}
            for row in rows:
                found = [
                    (place, free[place].get(row.product_id.id, 0.0))
                    for place in places
                    if not row.location_id or not place.parent_path.startswith(row.location_id.parent_path)
                ]
                found = _narrowest([(place, left) for place, left in found if left > 1e-6])
                near = row.location_id.warehouse_id
                found.sort(key=lambda f, r=row, w=near: (f[1] < r.missing, f[0].warehouse_id != w, -f[1], f[0].id))
                if found:
                    result[row] = found[:PLACES]
        return result

    def _incoming(self):
        """{shortage: (date, how many come until then, names of the transfers)} where goods are on their way that
        nobody waits for yet."""
        pending = ("waiting", "confirmed", "partially_available", "assigned")
        moves = self.env["stock.move"].search(
            [
                ("product_id", "in", self.product_id.ids), ("state", "in", pending),
                ("location_dest_id", "child_of", self.location_id.warehouse_id.view_location_id.ids),
                ("location_id.usage", "in", ("supplier", "transit", "production")),
            ],
            order="date, id",
        )  # fmt: skip
        if not moves:
            return {}
        by_product = moves.grouped("product_id")
        holds = self.env["bridge.hold"]._read_group(
            [("product_id", "in", moves.product_id.ids), ("source", "=", "incoming"), ("state", "=", "active")],
            ["product_id"],
            ["quantity:sum"],
        )
        taken = defaultdict(float, {product: quantity for product, quantity in holds})
        waiting = self.search(
            [("product_id", "in", moves.product_id.ids), ("state", "=", "open"), ("decision", "=", "wait")]
        )
        result = {}
        for row in self:
            view = row.location_id.warehouse_id.view_location_id
            rest = taken[row.product_id] + sum((waiting - row).filtered(lambda w, r=row: w.product_id == r.product_id).mapped("missing"))  # fmt: skip  # noqa: E501
            count, names, date = 0.0, [], None
            for move in by_product.get(row.product_id, ()):
                if not view or not move.location_dest_id.parent_path.startswith(view.parent_path):
                    continue
                quantity = max(0.0, move.product_qty - rest)
                rest = max(0.0, rest - move.product_qty)
                if quantity:
                    count, date = count + quantity, move.date
                    names.append(move.picking_id.name or move.reference or "")
                if count >= row.missing:
                    break
            if count:
                day = fields.Datetime.context_timestamp(row, date).date()
                result[row] = (day, count, ", ".join(dict.fromkeys(filter(None, names))))
        return result

    def _reserved(self):
        """What can go at once: goods reserved in the deliveries that wait for what is missing."""
        pickings = self.sale_line_id.move_ids.filtered(lambda move: move._bridge_lack()).picking_id
        return pickings, [move for move in pickings.move_ids if move.state not in ("done", "cancel") and move.quantity]

    def _is_invoiced(self):
        line = self.sale_line_id
        return line.product_uom_id.compare(line.qty_invoiced - line.bridge_qty_refunded, self._left()) > 0

    def _left(self):
        """What stays of the line without what is missing, in its own unit."""
        line = self.sale_line_id
        missing = self.uom_id._compute_quantity(self.missing, line.product_uom_id, round=False)
        return max(0.0, line.product_uom_qty - missing)

    @api.readonly
    def web_read(self, specification):
        """The places listed on the form say how much of this shortage's product they have."""
        shown = self.with_context(bridge_shortage_id=self.id) if len(self) == 1 else self
        return super(BridgeShortage, shown).web_read(specification)

    def _say_place(self, place, free):
        values = {"place": place._bridge_label(), "free": free, "missing": self.missing}
        if self.order_id.bridge_is_pickup:
            if free >= self.missing:
                return self.env._("%(place)s has %(free)g: bring %(missing)g to the store of the pickup.", **values)
            return self.env._("%(place)s has %(free)g of %(missing)g: bring them to the store of the pickup.", **values)
        if free >= self.missing:
            return self.env._("%(place)s has %(free)g: deliver %(missing)g from there.", **values)
        return self.env._("%(place)s has %(free)g of %(missing)g: deliver them from there.", **values)

    def _say_incoming(self, day, quantity, names):
        values = {"date": format_date(self.env, day), "quantity": quantity, "names": names, "missing": self.missing}
        if quantity >= self.missing:
            return self.env._("%(quantity)g are to come until %(date)s (%(names)s): wait for them.", **values)
        return self.env._("%(quantity)g of %(missing)g are to come until %(date)s (%(names)s).", **values)

    def _say_partial(self):
        pickings, reserved = self._reserved()
        if not reserved:
            return False
        count = sum(move._bridge_reserved() for move in reserved)
        return self.env._(
            "%(count)g pieces are reserved (%(names)s): deliver them now, the rest later.",
            count=count, names=", ".join(pickings.mapped("name")),
        )  # fmt: skip

    def _say_cancel(self):
        values = {"old": self.sale_line_id.product_uom_qty, "new": self._left()}
        if self.channel_id:
            return self.env._("Order %(new)g instead of %(old)g; the money is given back in the web store.", **values)
        return self.env._("Order %(new)g instead of %(old)g.", **values)

    def _say_refund(self):
        if self.channel_id:
            return self.env._(
                "It was invoiced already. Refund %(missing)g in the web store: order and invoice then follow by "
                "themselves.",
                missing=self.missing,
            )
        return self.env._(
            "It was invoiced already. Make a credit note for %(missing)g, then order less.", missing=self.missing
        )

    # -- decisions ---------------------------------------------------------------------------------
    def _begin(self):
        """The shortage about to be decided, as superuser."""
        self.ensure_one()
        self.check_access("write")
        if self.state != "open":
            raise UserError(self.env._("This shortage is settled already; load the page anew."))
        return self.sudo().with_company(self.company_id)

    def _decide(self, decision, text, **values):
        """Write down what was decided, where everybody looks for it; then look at the line again."""
        self.order_id.message_post(body=text)
        self.write(
            {
                "decision": decision, "decision_text": text, "decided_by_id": self.env.uid,
                "decided_at": fields.Datetime.now(), **values,
            }
        )  # fmt: skip
        self.env.flush_all()
        before = self.missing
        self._look({self.sale_line_id.id})
        if self.state == "open" and decision in ("place", "transfer") and self.missing < before:
            # Not all of it could be had there: the rest is still to be decided.
            self.write({"decision": False, "decision_text": False})
        if self.state == "open" and self.decision:
            self._close_activities()
        return True

    def action_from_best(self):
        """Deliver what is missing from the first of the places that have it."""
        return self._from_place(self.place_ids[:1])

    def _from_place(self, place):
        row = self._begin()
        if not place or place not in row.place_ids:
            raise UserError(
                self.env._("There is nothing free any more. Choose something else; the page is up to date.")
            )
        product, line = row.product_id, row.sale_line_id
        # Behind the gate nobody promises or reserves these goods until we are done.
        recipe = self.env["bridge.kit"]._components(product).get(product.id)
        self.env["bridge.hold"].sudo()._pass_gate(recipe or [product.id])
        free = row.env["bridge.availability"]._available(place, product).get(product.id, 0.0)
        quantity = min(row.missing, float(int(free + 1e-6)) if recipe else free)
        if product.uom_id.compare(quantity, 0.0) <= 0:
            raise UserError(self.env._("Somebody else took it: %s has nothing free any more.", place._bridge_label()))
        values = {"quantity": quantity, "product": product.display_name, "place": place._bridge_label()}
        if row.order_id.bridge_is_pickup:
            row._bring(place.sudo(), quantity)
            text = self.env._(
                "%(quantity)g × %(product)s are brought from %(place)s to the store of the pickup.", **values
            )
            return row._decide("transfer", text)
        row._send(place.sudo(), quantity)
        if any(move._bridge_lack() for move in line.move_ids if move.location_id == place):
            raise UserError(self.env._("Somebody else took it: %s has nothing free any more.", place._bridge_label()))
        return row._decide("place", self.env._("%(quantity)g × %(product)s are delivered from %(place)s.", **values))

    def _send(self, place, quantity):
        """Deliver ``quantity`` from another place, by the routes of its warehouse, in a delivery of its own."""
        line = self.sale_line_id.with_context(**{PLACE: place.id})
        line._bridge_cut_moves(quantity)
        amount = self.uom_id._compute_quantity(quantity, line.product_uom_id, round=False)
        values = line._prepare_procurement_values() | {"warehouse_id": place.warehouse_id}
        line.env["stock.rule"].run(line._create_procurements(amount, line.product_uom_id, values))
        line.move_ids.filtered(lambda move: move.location_id == place)._action_assign()

    def _bring(self, place, quantity):
        """Bring ``quantity`` from another place to where the customer picks up; it stays his on the way."""
        moves = self.sale_line_id._bridge_split_moves(quantity)
        kind = place.warehouse_id.int_type_id
        picking = self.env["stock.picking"].create(
            {
                "picking_type_id": kind.id, "location_id": place.id, "location_dest_id": self.location_id.id,
                "origin": self.order_id.name, "company_id": self.company_id.id,
                "move_ids": [
                    fields.Command.create(
                        {
                            "product_id": move.product_id.id, "product_uom": move.product_uom.id,
                            "product_uom_qty": move.product_uom_qty, "location_id": place.id,
                            "location_dest_id": move.location_id.id, "company_id": self.company_id.id,
                            "picking_type_id": kind.id, "origin": self.order_id.name,
                        }
                    )
                    for move in moves
                ],
            }
        )  # fmt: skip
        picking.action_confirm()
        picking.action_assign()
        for bringing, move in zip(picking.move_ids, moves, strict=True):
            move.write({"move_orig_ids": [fields.Command.link(bringing.id)], "procure_method": "make_to_order"})
            move._recompute_state()

    def action_wait(self):
        """Wait for what comes in."""
        row = self._begin()
        found = row._incoming().get(row)
        if not found:
            raise UserError(self.env._("Nothing is on its way any more. Choose something else."))
        day, quantity, names = found
        moment = fields.Datetime.to_datetime(day)
        order = row.order_id
        row.sale_line_id.move_ids.filtered(lambda move: move._bridge_lack()).write({"date": moment, "priority": "1"})
        if not order.commitment_date or order.commitment_date < moment:
            order.commitment_date = moment
        text = self.env._(
            "%(product)s: waits for %(quantity)g that are to come until %(date)s (%(names)s).",
            product=row.product_id.display_name, quantity=min(quantity, row.missing),
            date=format_date(self.env, day), names=names,
        )  # fmt: skip
        return row._decide("wait", text, expected_date=day)

    def action_deliver_partial(self):
        """Let go what is reserved; the rest becomes a delivery of its own, natively a backorder."""
        row = self._begin()
        pickings, reserved = row._reserved()
        if not reserved:
            raise UserError(self.env._("Nothing of this delivery is reserved any more. Choose something else."))
        others = self.search([("order_id", "=", row.order_id.id), ("state", "=", "open")]).sudo()
        rows = others.filtered(lambda other: other.sale_line_id.move_ids.picking_id & pickings)
        rest = self.env["stock.move"].sudo()
        for other in rows:
            rest |= other.sale_line_id._bridge_split_moves(other.missing)
        before = pickings.backorder_ids
        pickings._create_backorder(backorder_moves=rest)
        names = ", ".join((pickings.backorder_ids - before).mapped("name"))
        for other in rows.with_env(row.env):
            text = self.env._("%(product)s: delivered in part; the rest follows with %(names)s.",
                              product=other.product_id.display_name, names=names)  # fmt: skip
            if other.id == row.id or not other.decision:  # what somebody decided of another one stays
                other._decide("later", text)
        return True

    def action_cancel_missing(self):
        """Order only what there is."""
        row = self._begin()
        line, order = row.sale_line_id, row.order_id
        if row._is_invoiced():
            raise UserError(row.with_env(self.env)._say_refund())
        left, missing = row._left(), row.missing
        is_locked = order.locked
        order.action_unlock()
        line._bridge_cut_moves(missing)
        line._bridge_order_less(left)
        if is_locked:
            order.action_lock()
        text = self.env._("%(missing)g × %(product)s are cancelled: there is no stock.",
                          missing=missing, product=row.product_id.display_name)  # fmt: skip
        if row.channel_id:
            order._bridge_alert(self.env._("Refund in the web store"), text)
        return row._decide("cancel", text)

    def action_ask_refund(self):
        """What was invoiced is not edited: a person refunds it where it was sold."""
        row = self._begin()
        text = row.with_env(self.env)._say_refund()
        row.order_id._bridge_alert(
            self.env._("Refund in the web store") if row.channel_id else self.env._("Credit note"),
            f"{row.product_id.display_name}: {text}",
        )
        return row._decide("refund", text)


def _narrowest(found):
    """Without places whose free goods all lie in one of the others: (place, free) as given."""
    return [
        (place, left)
        for place, left in found
        if not any(
            other != place and other.parent_path.startswith(place.parent_path) and there >= left
            for other, there in found
        )
    ]
