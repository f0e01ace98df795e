# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, fields, models
from odoo.tools import SQL

# Pieces that left for customers less those that came back, by the place they were sold from. Returns that landed in
# an inspection location count against the store they came from, so do receipts taken back there.
SOLD = """
    SELECT line.product_id, line.date, line.is_return,
           CASE WHEN inspection.id IS NULL THEN line.place_id
                ELSE COALESCE(inspected.home_location_id, store.location_id, inspection.lot_stock_id)
            END AS location_id,
           CASE WHEN line.is_return THEN -line.quantity ELSE line.quantity END AS quantity
      FROM (SELECT l.move_id, l.product_id, l.date, l.quantity_product_uom AS quantity,
                   source.usage = 'customer' AS is_return,
                   CASE WHEN source.usage = 'customer' THEN target.id ELSE source.id END AS place_id
              FROM stock_move_line l
              JOIN stock_location source ON source.id = l.location_id
              JOIN stock_location target ON target.id = l.location_dest_id
             WHERE l.state = 'done' AND l.date >= %(start)s AND l.date <= %(now)s
               AND ((source.usage = 'customer' AND target.usage IN ('internal', 'transit'))
                    OR (target.usage = 'customer' AND source.usage IN ('internal', 'transit')))) line
      JOIN stock_move move ON move.id = line.move_id
      LEFT JOIN stock_picking picking ON picking.id = move.picking_id
      LEFT JOIN pos_session session ON session.id = picking.pos_session_id
      LEFT JOIN bridge_store store ON store.id = session.bridge_store_id
      LEFT JOIN stock_warehouse inspection ON inspection.bridge_inspection_location_id = line.place_id
      LEFT JOIN LATERAL (SELECT i.home_location_id FROM bridge_inspection i
                          WHERE inspection.id IS NOT NULL AND i.move_id = line.move_id LIMIT 1) inspected ON TRUE
     WHERE move.company_id = %(company)s
"""

# Days to divide by: the window, or the product's age since it was first sold, where that is younger.
RECOMPUTE = (
    """
    WITH sold AS ("""
    + SOLD
    + """),
    young AS (
        SELECT first.product_id,
               GREATEST(1, CEIL(EXTRACT(epoch FROM %(now)s::timestamp - first.date) / 86400))::int AS days
          FROM (SELECT product_id, MIN(date) AS date FROM sold WHERE NOT is_return GROUP BY product_id) first
         WHERE NOT EXISTS (
                SELECT FROM stock_move move JOIN stock_location target ON target.id = move.location_dest_id
                 WHERE move.product_id = first.product_id AND move.state = 'done' AND move.date < %(start)s
                   AND move.company_id = %(company)s AND target.usage = 'customer')
    )
    INSERT INTO bridge_velocity (company_id, location_id, product_id, sold, days, per_day, computed_at)
    SELECT %(company)s, sold.location_id, sold.product_id, SUM(sold.quantity), LEAST(young.days, %(days)s),
           (SUM(sold.quantity) / LEAST(young.days, %(days)s))::float8, %(now)s
      FROM sold
      JOIN product_product product ON product.id = sold.product_id
      JOIN product_template template ON template.id = product.product_tmpl_id AND template.is_storable
      LEFT JOIN young ON young.product_id = sold.product_id
     GROUP BY sold.location_id, sold.product_id, young.days
        ON CONFLICT (location_id, product_id) DO UPDATE
       SET company_id = EXCLUDED.company_id, sold = EXCLUDED.sold, days = EXCLUDED.days,
           per_day = EXCLUDED.per_day, computed_at = EXCLUDED.computed_at
"""
)


class BridgeVelocity(models.Model):
    """Pieces sold per day of a product at a location: done moves to customers less returns, over the company's window.
    Recomputed every night. Kits and their like need nothing here: what moves is their components."""

    _name = "bridge.velocity"
    _description = "Sell-through"
    _order = "per_day desc, id"
    _rec_name = "product_id"
    _log_access = False

    company_id = fields.Many2one("res.company", required=True, ondelete="cascade", readonly=True, index=True)
    location_id = fields.Many2one("stock.location", required=True, ondelete="cascade", readonly=True)
    product_id = fields.Many2one("product.product", required=True, ondelete="cascade", readonly=True, index=True)
    sold = fields.Float(
        "Pieces sold", digits="Product Unit", readonly=True, help="Less what came back, in the product's unit."
    )
    days = fields.Integer("In days", readonly=True, help="The period, or the days since a new product's first sale.")
    per_day = fields.Float("Sold per day", digits=(16, 4), readonly=True)
    computed_at = fields.Datetime(readonly=True)

    _place_uniq = models.Constraint("UNIQUE(location_id, product_id)", "One figure per location and product.")

    @api.model
    def _per_day(self, location, products):
        """{product id: pieces sold per day, in its base unit} at a location and the places within it; never below
        zero, 0.0 for what was not sold."""
        found = self._per_day_at(location, products)[location.id]
        return {product_id: found.get(product_id, 0.0) for product_id in products.ids}

    @api.model
    def _per_day_at(self, locations, products=None):
        """{location id: {product id: pieces per day}} of what is sold at each of these locations, places within
        included, in one query."""
        result = {location_id: {} for location_id in locations.ids}
        if not locations:
            return result
        self.env["stock.location"].flush_model(["parent_path"])
        self.flush_model()
        rows = self.env.execute_query(
            SQL(
                """SELECT home.id, velocity.product_id, SUM(velocity.per_day)
                     FROM bridge_velocity velocity
                     JOIN stock_location place ON place.id = velocity.location_id
                     JOIN stock_location home ON place.parent_path LIKE home.parent_path || '%%'
                    WHERE home.id IN %s AND %s
                    GROUP BY home.id, velocity.product_id HAVING SUM(velocity.per_day) > 0""",
                tuple(locations.ids),
                SQL("TRUE") if products is None else SQL("velocity.product_id = ANY(%s)", list(products.ids)),
            )
        )
        for location_id, product_id, per_day in rows:
            result[location_id][product_id] = per_day
        return result

    def _companies(self):
        return self.env["bridge.channel"].sudo().search([("state", "=", "live")]).company_id

    @api.model
    def _recompute(self, companies=None):
        """Compute the figures of these companies (default: all that sell) anew, two statements for each."""
        self.env.flush_all()
        now = fields.Datetime.now()
        for company in companies or self._companies():
            days = company.bridge_velocity_days
            values = {
                "company": company.id,
                "days": days,
                "now": now,
                "start": fields.Datetime.subtract(now, days=days),
            }
            self.env.cr.execute(RECOMPUTE, values)
            self.env.cr.execute(
                "DELETE FROM bridge_velocity WHERE company_id = %s AND computed_at IS DISTINCT FROM %s",
                [company.id, now],
            )
        self.invalidate_model()

    @api.model
    def _run_nightly(self):
        """The nightly job: sell-through first, then what is proposed from it. Each company is kept for itself."""
        for company in self._companies():
            self._recompute(company)
            self.env["bridge.transfer.proposal"]._propose(company)
            self.env["bridge.reorder.proposal"]._propose(company)
            if not self.env["ir.cron"]._commit_progress(1):
                break
