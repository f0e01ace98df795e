# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Open tills hear at once which products' stock changed somewhere in their company.

They are told after the commit and outside of it, in a thread of its own: a business transaction pays nothing for it,
and does not wait for a channel's lane that is busy with its vendor. What one process commits shortly after another is
told together. A process killed in between loses nothing: a till that shows numbers looks again by itself.
"""

import logging
import threading
import time
from collections import defaultdict

import psycopg2

from odoo import SUPERUSER_ID, api, models, sql_db
from odoo.modules.registry import Registry

_logger = logging.getLogger(__name__)

MESSAGE = "BRIDGE_STOCK"
# Seconds: from a lone change to its telling; from one telling to the next.
DELAY, PAUSE = 0.05, 0.5
MOST_PRODUCTS = 500  # of one message; more are "whatever you show"
_pending, _told_at = {}, {}  # by database
_lock = threading.Lock()


def announce_soon(dbname, keys):
    """Tell open tills soon that the stock of these (store id, product id) changed."""
    with _lock:
        if dbname in _pending:
            _pending[dbname].update(keys)
            return
        _pending[dbname] = set(keys)
        pause = _told_at.get(dbname, 0) + PAUSE - time.monotonic()
    timer = threading.Timer(max(DELAY, pause), _announce_now, [dbname])
    timer.daemon = True
    timer.start()


def _announce_now(dbname):
    with _lock:
        keys = _pending.pop(dbname)
        _told_at[dbname] = time.monotonic()
    try:
        Registry(dbname)  # where one is being loaded this waits, before a connection is taken
        with sql_db.db_connect(dbname).cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            if "bridge.live" in env:
                env["bridge.live"]._announce(keys)
    except psycopg2.Error:  # e.g. the database was dropped meanwhile
        _logger.info("tills of %s were not told of changed stock", dbname, exc_info=True)


class BridgeLive(models.AbstractModel):
    _name = "bridge.live"
    _description = "Stock told to open tills"

    @api.model
    def _announce(self, keys):
        """One message per open till: {"product_ids": [...]}, or False for "whatever you show" when they are many.

        :param keys: (store id, product id) whose stock changed
        :return: the pos.config told
        """
        products = defaultdict(set)
        stores = self.env["bridge.store"].sudo().browse({store_id for store_id, _product_id in keys}).exists()
        companies = {store.id: store.company_id.id for store in stores}
        for store_id, product_id in keys:
            if store_id in companies:
                products[companies[store_id]].add(product_id)
        sessions = (
            self.env["pos.session"]
            .sudo()
            .search(
                [
                    ("state", "in", ("opening_control", "opened")),
                    ("bridge_store_id", "=", False),  # nobody sits at a session of a connected till
                    ("config_id.company_id", "in", list(products)),
                ]
            )
        )
        for config in sessions.config_id:
            ids = products[config.company_id.id]
            config._notify(MESSAGE, {"product_ids": sorted(ids) if len(ids) <= MOST_PRODUCTS else False})
        return sessions.config_id
