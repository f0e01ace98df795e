# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Ways in: the till's own (jobs), Odoo's (hw_proxy), an ePOS printer's (epos), and people's (pages)."""
