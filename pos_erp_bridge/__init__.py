# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from . import connectors, controllers, models


def uninstall_hook(env):
    """Remove the lanes of every channel: their cron jobs would call methods that no longer exist."""
    env["bridge.channel"].with_context(active_test=False).search([])._remove_lanes()
