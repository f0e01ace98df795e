# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from . import hardware_relay, rehearsal, webhook
