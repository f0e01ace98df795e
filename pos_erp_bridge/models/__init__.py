# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from . import (
    bridge_channel,
    bridge_channel_lane,
    bridge_store,
    bridge_binding,
    bridge_work_item,
    bridge_event,
    bridge_inbound,
    bridge_poll,
    bridge_matcher,
    bridge_availability,
    bridge_touch,
    bridge_stock_level,
    stock_quant,
    bridge_channel_dashboard,
)
