# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from collections import defaultdict

from odoo import api, fields, models
from odoo.tools import SQL

from ..locks import TAKE_QUANTS
from ..stock_ledger import Ledger, Shelf


class StockQuant(models.Model):
    _inherit = "stock.quant"

    # With a ledger in the context, what Odoo does to quants line by line is noted there and written once, by
    # ``_bridge_post``. Tracked and consigned goods keep Odoo's way; so do goods nobody gave a ledger for.

    def _update_available_quantity(self, product_id, location_id, quantity=False, reserved_quantity=False, lot_id=None,
                                   package_id=None, owner_id=None, in_date=None):  # fmt: skip
        ledger = self.env.context.get("bridge_ledger")
        if ledger is None or lot_id or owner_id:
            return super()._update_available_quantity(
                product_id, location_id, quantity=quantity, reserved_quantity=reserved_quantity, lot_id=lot_id,
                package_id=package_id, owner_id=owner_id, in_date=in_date,
            )  # fmt: skip
        key = product_id.id, location_id.id, package_id.id if package_id else None
        ledger.add(key, quantity, reserved_quantity)
        # Nothing is missing as far as the line is concerned: reservations of others are looked at in the end.
        return 0.0, in_date or fields.Datetime.now()

    @api.model
    def _get_quants_by_products_locations(self, product_ids, location_ids, extra_domain=False):
        if self.env.context.get("bridge_ledger") is not None:
            return defaultdict(self.browse)
        return super()._get_quants_by_products_locations(product_ids, location_ids, extra_domain=extra_domain)

    @api.model
    def _bridge_ledger(self, products, location):
        """A ledger of what lies in a location and the places within it, held until the transaction ends."""
        ledger = Ledger()
        places = self.env["stock.location"].search([("id", "child_of", location.id)])
        self.flush_model(
            ["product_id", "location_id", "package_id", "lot_id", "owner_id", "quantity", "reserved_quantity"]
        )
        self.env.cr.execute(TAKE_QUANTS, [products.ids, places.ids])
        for quant_id, product_id, location_id, package_id, quantity, reserved, in_date in self.env.cr.fetchall():
            shelf = Shelf(quant_id, quantity or 0.0, reserved or 0.0, in_date)
            ledger.shelves[product_id][location_id, package_id].append(shelf)
        return ledger

    @api.model
    def _bridge_post(self, ledger):
        """Write what the ledger noted.

        :return: {(product id, location id): quantity}, of what is now reserved by others but no longer there
        """
        deltas, ledger.deltas = ledger.deltas, type(ledger)().deltas
        now = fields.Datetime.now()
        changed, new, short = {}, [], {}
        for (product_id, location_id, package_id), (quantity, reserved) in deltas.items():
            product = self.env["product.product"].browse(product_id)
            compare = product.uom_id.compare
            if not compare(quantity, 0.0) and not compare(reserved, 0.0):
                continue
            shelves = ledger.shelves[product_id].get((location_id, package_id))
            if not shelves:
                new.append(
                    {
                        "product_id": product_id, "location_id": location_id, "package_id": package_id,
                        "quantity": quantity, "reserved_quantity": max(0.0, reserved), "in_date": now,
                    }
                )  # fmt: skip
                continue
            # The one with most of it: several quants of the same goods in one place are merged by Odoo now and then.
            shelf = max(shelves, key=lambda shelf: shelf.quantity)
            if quantity > 0 and compare(shelf.quantity, 0.0) <= 0:
                shelf.in_date = now
            shelf.quantity += quantity
            shelf.reserved = max(0.0, shelf.reserved + reserved)
            changed[shelf.id] = shelf
            lack = -sum(shelf.free for shelf in shelves)
            if compare(lack, 0.0) > 0 and any(shelf.reserved for shelf in shelves):
                short[product_id, location_id] = lack
        self._bridge_write(changed)
        # All in one: Odoo's own create, made for stocktaking screens, takes them one by one.
        self.env["bridge.touch"]._touch_quants(models.BaseModel.create(self.sudo(), new))
        return short

    def _bridge_write(self, shelves):
        if not shelves:
            return
        rows = [
            SQL("(%s, %s::numeric, %s::numeric, %s::timestamp)", s.id, s.quantity, s.reserved, s.in_date)
            for s in shelves.values()
        ]
        self.env.cr.execute(
            SQL(
                """UPDATE stock_quant q SET quantity = v.quantity, reserved_quantity = v.reserved, in_date = v.in_date,
                       write_date = now() AT TIME ZONE 'utc', write_uid = %s
                     FROM (VALUES %s) AS v (id, quantity, reserved, in_date) WHERE q.id = v.id""",
                self.env.uid,
                SQL(", ").join(rows),
            )  # fmt: skip
        )
        quants = self.browse(shelves)
        quants.invalidate_recordset(["quantity", "reserved_quantity", "in_date", "available_quantity"])
        quants.modified(["quantity", "reserved_quantity"])
        self.env["bridge.touch"]._touch_quants(quants)


class StockMove(models.Model):
    _inherit = "stock.move"

    def _set_references(self):
        """Moves of a batch belong to no procurement; writing that on each of them is half the cost of creating them."""
        if self.env.context.get("bridge_ledger") is None or self.picking_id.reference_ids:
            return super()._set_references()
        return None

    def _update_orderpoints(self):
        """The orderpoints of a batch, found by one list of products instead of one condition per move."""
        if self.env.context.get("bridge_ledger") is None:
            return super()._update_orderpoints()
        Orderpoint = self.env["stock.warehouse.orderpoint"].sudo()
        warehouses = (self.location_id | self.location_dest_id).warehouse_id
        orderpoints = Orderpoint.search(
            [("product_id", "in", self.product_id.ids), ("warehouse_id", "in", warehouses.ids)], order="id"
        )
        orderpoints.invalidate_recordset(["qty_to_order", "qty_forecast"])
        self.env.add_to_compute(Orderpoint._fields["qty_to_order_computed"], orderpoints)

    def _check_company(self, fnames=None):
        """Checked when the moves were created, a moment ago."""
        if self.env.context.get("bridge_checked"):
            return None
        return super()._check_company(fnames)

    def _push_apply(self):
        """Whether anything is pushed on from where a batch goes is asked once, not for every move."""
        if self.env.context.get("bridge_ledger") is None or self.location_dest_id._bridge_has_push_rule():
            return super()._push_apply()
        return self.browse()


class StockMoveLine(models.Model):
    _inherit = "stock.move.line"

    def _action_done(self):
        """The ledger is posted as soon as the goods moved: costs are computed from what is left afterwards."""
        result = super()._action_done()
        ledger = self.env.context.get("bridge_ledger")
        if ledger is not None:
            short = self.env["stock.quant"].sudo()._bridge_post(ledger)
            for line in self.with_context(bridge_ledger=None):
                quantity = short.pop((line.product_id.id, line.location_id.id), 0.0)
                if quantity:
                    line._free_reservation(line.product_id, line.location_id, quantity)
        return result

    def _check_company(self, fnames=None):
        if self.env.context.get("bridge_checked"):
            return None
        return super()._check_company(fnames)


class StockLocation(models.Model):
    _inherit = "stock.location"

    def _bridge_has_push_rule(self):
        domain = [("location_src_id", "parent_of", self.ids), ("action", "in", ("push", "pull_push"))]
        return bool(self.env["stock.rule"].sudo().search_count(domain, limit=1))
