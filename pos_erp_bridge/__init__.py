# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from . import connectors, controllers, models
from .claim import DROP


def post_init_hook(env):
    """Japanese companies that are there already keep their books from now on."""
    env["res.company"].search([])._bridge_keep_books()


def uninstall_hook(env):
    """Remove the lanes of every channel: their cron jobs would call methods that no longer exist. And what the ORM does
    not know of: our function in the database."""
    env["bridge.channel"].with_context(active_test=False).search([])._remove_lanes()
    env.cr.execute(DROP)
