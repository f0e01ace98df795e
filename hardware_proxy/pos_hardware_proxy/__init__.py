# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""A small program on the till's network: it prints, opens drawers, and says what really happened."""
