# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The vendors' sandboxes, one module per system; see :mod:`..sandbox`."""
