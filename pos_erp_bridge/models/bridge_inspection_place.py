# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Where goods that come back land, and how what lies there is kept in step with the list of returns to inspect."""

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import ormcache


class StockWarehouse(models.Model):
    _inherit = "stock.warehouse"

    bridge_inspection_location_id = fields.Many2one(
        "stock.location", "Inspection of returns", check_company=True, copy=False, index="btree_not_null",
        domain="[('usage', '=', 'internal'), ('warehouse_id', '=', id)]",
        help="What customers bring or send back lands here and is not for sale until somebody decided. "
        "Empty: it is for sale at once.",
    )  # fmt: skip

    _bridge_inspection_uniq = models.Constraint(
        "UNIQUE(bridge_inspection_location_id)", "Two warehouses cannot share an inspection location."
    )

    @api.constrains("bridge_inspection_location_id")
    def _check_bridge_inspection(self):
        stores = self.env["bridge.store"].sudo().search([("location_id", "!=", False)])
        for warehouse in self.filtered("bridge_inspection_location_id"):
            place = warehouse.bridge_inspection_location_id
            if place.usage != "internal" or place._child_of(warehouse.lot_stock_id):
                raise ValidationError(
                    self.env._(
                        "%(place)s cannot hold returns to inspect: what lies below %(stock)s is for sale. Choose an "
                        "internal location beside it.",
                        place=place.display_name,
                        stock=warehouse.lot_stock_id.display_name,
                    )
                )
            stores.filtered(lambda store, place=place: place._child_of(store.location_id))._bridge_refuse_inspection(
                place
            )

    @api.model_create_multi
    def create(self, vals_list):
        warehouses = super().create(vals_list)
        self.env.registry.clear_cache()
        return warehouses

    def write(self, vals):
        result = super().write(vals)
        if "bridge_inspection_location_id" in vals:
            self.env.registry.clear_cache()
        return result

    def action_bridge_set_up_inspection(self):
        """Make the inspection location where there is none; nothing happens where there is one."""
        self.check_access("write")
        for warehouse in self.filtered(lambda warehouse: not warehouse.bridge_inspection_location_id):
            warehouse.bridge_inspection_location_id = self.env["stock.location"].create(
                {
                    "name": self.env._("Inspection"),
                    "usage": "internal",
                    "location_id": warehouse.view_location_id.id,
                    "company_id": warehouse.company_id.id,
                }
            )


class StockLocation(models.Model):
    _inherit = "stock.location"

    @api.model
    @ormcache()
    def _bridge_inspection_ids(self):
        """Ids of the inspection locations; cached, for it is asked whenever goods move."""
        warehouses = self.env["stock.warehouse"].sudo().search([("bridge_inspection_location_id", "!=", False)])
        return frozenset(warehouses.bridge_inspection_location_id.ids)

    def _bridge_landing(self):
        """Where goods land that come back to a store's location."""
        self.ensure_one()
        return self.sudo().warehouse_id.bridge_inspection_location_id.with_env(self.env) or self


class BridgeStore(models.Model):
    _inherit = "bridge.store"

    @api.constrains("location_id")
    def _check_inspection(self):
        places = self.env["stock.location"].sudo().browse(self.env["stock.location"]._bridge_inspection_ids())
        for store in self.sudo().filtered("location_id"):
            for place in places:
                if place._child_of(store.location_id):
                    store._bridge_refuse_inspection(place)

    def _bridge_refuse_inspection(self, place):
        for store in self:
            raise ValidationError(
                self.env._(
                    "%(place)s holds returns to inspect, and store %(store)s sells from %(location)s, which contains "
                    "it: goods nobody looked at would be for sale. Choose a location beside it.",
                    place=place.display_name,
                    store=store.name,
                    location=store.location_id.display_name,
                )
            )


class StockMove(models.Model):
    _inherit = "stock.move"

    def _action_done(self, cancel_backorder=False):
        moves = super()._action_done(cancel_backorder=cancel_backorder)
        places = self.env["stock.location"]._bridge_inspection_ids()
        if places and not self.env.context.get("bridge_inspected"):
            self.env["bridge.inspection"].sudo()._note(moves.filtered(lambda move: move.state == "done"), places)
        return moves

    def _action_cancel(self):
        result = super()._action_cancel()
        places = self.env["stock.location"]._bridge_inspection_ids()
        if leaving := self.filtered(lambda move: move.state == "cancel" and move.location_id.id in places):
            self.env["bridge.inspection"].sudo()._follow_vendor_returns(leaving.sudo().picking_id)
        return result


class StockPicking(models.Model):
    _inherit = "stock.picking"

    def _bridge_home(self):
        """The location goods of a return belong to once they are found fit for sale."""
        self.ensure_one()
        self = self.sudo()
        home = self.env["stock.location"].browse(self.env.context.get("bridge_home_id"))
        session = self.pos_session_id
        return (
            home
            or session.bridge_store_id.location_id
            or session.config_id.picking_type_id.default_location_src_id
            or self.sale_id.bridge_store_id.location_id
            or self.location_dest_id.warehouse_id.lot_stock_id
        )


class BridgeInspection(models.Model):
    _inherit = "bridge.inspection"

    def action_set_up(self):
        """Button: an inspection location for every warehouse of my companies that a store sells from."""
        Warehouse = self.env["stock.warehouse"]
        if not Warehouse.has_access("write"):
            raise UserError(
                self.env._(
                    "Warehouses are set up by who has the right “Inventory / Administrator”: ask such a colleague."
                )
            )
        stores = self.env["bridge.store"].search([("location_id", "!=", False)])
        warehouses = stores.location_id.warehouse_id.filtered(lambda w: w.company_id in self.env.companies)
        if not warehouses:
            raise UserError(
                self.env._("No store is mapped to a warehouse yet: give the stores their stock locations first.")
            )
        warehouses.action_bridge_set_up_inspection()
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success",
                "title": self.env._("Returns are inspected"),
                "message": self.env._(
                    "What comes back lands in %s and is for sale when you say so.",
                    ", ".join(warehouses.bridge_inspection_location_id.mapped("display_name")),
                ),
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }
