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

    @api.model
    def _keep_open(self, model, company, keys, wanted):
        """Make the open rows of a table of proposals those that are wanted, in two statements however many they are:
        new ones are added, known ones refreshed, others removed. What was decided stays.

        :param keys: names of the fields that tell open rows apart, as the table's unique index has them
        :param wanted: {tuple of ids: {field: number or None}}, all with the same fields
        """
        model.flush_model()
        table, names = SQL.identifier(model._table), list(next(iter(wanted.values()), ()))
        ids = [[key[i] for key in wanted] for i in range(len(keys))]
        key_columns = SQL(", ").join(map(SQL.identifier, keys))
        key_rows = SQL(", ").join(SQL("%s::int[]", column) for column in ids)
        if wanted:
            columns = SQL(", ").join(map(SQL.identifier, names))
            new = SQL(", ").join(SQL.identifier("excluded", name) for name in names)
            self.env.cr.execute(
                SQL(
                    """INSERT INTO %(table)s AS row (%(keys)s, %(columns)s, company_id, state,
                                                     create_uid, create_date, write_uid, write_date)
                       SELECT *, %(company)s, 'open', %(user)s, now() AT TIME ZONE 'utc', %(user)s,
                              now() AT TIME ZONE 'utc'
                         FROM unnest(%(key_rows)s, %(value_rows)s)
                           ON CONFLICT (%(keys)s) WHERE state = 'open'
                           DO UPDATE SET (%(columns)s, write_date) = (%(new)s, excluded.write_date)
                        WHERE (%(old)s) IS DISTINCT FROM (%(new)s)""",
                    table=table,
                    keys=key_columns,
                    columns=columns,
                    new=new,
                    old=SQL(", ").join(SQL.identifier("row", name) for name in names),
                    company=company.id,
                    user=self.env.uid,
                    key_rows=key_rows,
                    value_rows=SQL(", ").join(
                        SQL("%s::numeric[]", [values[name] for values in wanted.values()]) for name in names
                    ),
                )
            )
        self.env.cr.execute(
            SQL(
                """DELETE FROM %s WHERE company_id = %s AND state = 'open'
                      AND (%s) NOT IN (SELECT * FROM unnest(%s))""",
                table,
                company.id,
                key_columns,
                key_rows,
            )
        )
        model.invalidate_model()
