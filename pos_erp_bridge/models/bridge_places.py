# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, models
from odoo.exceptions import UserError
from odoo.tools import SQL


class BridgePlaces(models.AbstractModel):
    """Where a company sells from, and what is on its way there: what transfers and reorders both look at."""

    _name = "bridge.places"
    _description = "Places the channels sell from"

    @api.model
    def _locations(self, company, with_warehouses=False):
        """Locations the stores of the company's live channels sell from, in order of their ids. None lies within
        another: where two overlap, the inner one counts.

        :param with_warehouses: also the stock of warehouses that no store sells from
        """
        stores = (
            self.env["bridge.store"]
            .sudo()
            .search(
                [
                    ("company_id", "=", company.id),
                    ("channel_id.state", "=", "live"),
                    ("channel_id.active", "=", True),
                    ("location_id.usage", "=", "internal"),
                    ("location_id.company_id", "=", company.id),
                ]
            )
        )
        places = stores.location_id
        if with_warehouses:
            for stock in self.env["stock.warehouse"].sudo().search([("company_id", "=", company.id)]).lot_stock_id:
                if not any(stock._child_of(place) or place._child_of(stock) for place in stores.location_id):
                    places |= stock
        outer = places.filtered(lambda place: any(other != place and other._child_of(place) for other in places))
        return (places - outer).with_env(self.env).sorted("id")

    @api.model
    def _on_the_way(self, locations, products, is_internal=True):
        """{location id: {product id: (coming, leaving)}}: quantities in base units of open moves into each location,
        and those out of it that nothing is reserved for yet. Moves within a location are neither.

        :param is_internal: only what comes from other locations of ours, not from vendors
        """
        result = {location_id: {} for location_id in locations.ids}
        if not locations or not products:
            return result
        self.env["stock.move"].flush_model()
        self.env["stock.move.line"].flush_model()
        sources = ("internal", "transit") if is_internal else ("internal", "transit", "supplier", "production")
        rows = self.env.execute_query(
            SQL(
                """SELECT home.id, move.product_id,
                          SUM(CASE WHEN target.parent_path LIKE home.parent_path || '%%'
                                    AND source.usage IN %s THEN move.product_qty ELSE 0 END),
                          SUM(CASE WHEN source.parent_path LIKE home.parent_path || '%%'
                                   THEN GREATEST(0, move.product_qty - COALESCE((
                                        SELECT SUM(line.quantity_product_uom) FROM stock_move_line line
                                         WHERE line.move_id = move.id), 0)) ELSE 0 END)
                     FROM stock_move move
                     JOIN stock_location source ON source.id = move.location_id
                     JOIN stock_location target ON target.id = move.location_dest_id
                     JOIN stock_location home
                       ON (target.parent_path LIKE home.parent_path || '%%')
                       != (source.parent_path LIKE home.parent_path || '%%')
                    WHERE home.id IN %s AND move.product_id = ANY(%s)
                      AND move.state IN ('waiting', 'confirmed', 'partially_available', 'assigned')
                    GROUP BY home.id, move.product_id""",
                sources,
                tuple(locations.ids),
                list(products.ids),
            )
        )
        for location_id, product_id, coming, leaving in rows:
            result[location_id][product_id] = float(coming), float(leaving)
        return result

    @api.model
    def _internal_type(self, location, company):
        """The operation type for transfers out of a location: its warehouse's, else that of the company's first."""
        warehouse = location.warehouse_id
        if not warehouse:
            warehouse = self.env["stock.warehouse"].search([("company_id", "=", company.id)], limit=1)
        if not warehouse.int_type_id:
            raise UserError(
                self.env._(
                    "%s belongs to no warehouse with internal transfers: put it below a warehouse's location first.",
                    location.display_name,
                )
            )
        return warehouse.int_type_id
