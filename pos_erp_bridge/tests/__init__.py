# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from . import (
    test_conformance,
    test_race,
    test_rehearsal,
    test_security,
    test_till_changes,
    test_till_closing,
    test_till_sales,
    test_till_stock,
    test_ui_dashboard,
    test_ui_work_items,
    test_web_contact,
    test_web_edit,
    test_web_money,
    test_web_parcel,
    test_web_orders,
    test_webhook,
)
