# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""A receipt printer without hardware: it understands ESC/POS, shows its paper, and fails when it is told to.

``VirtualPrinter`` listens on a port of this machine as a network printer does, and keeps a ledger of what happened, by
which the proxy is judged. ``python -m pos_hardware_proxy.virtual_printer`` runs one with a page in the browser. It
knows nothing of the proxy but where a font is, so that no mistake can be in both.
"""

from .ledger import Event, Ledger
from .paper import Paper
from .parser import Parser
from .printer import VirtualPrinter
from .state import State

__all__ = ["Event", "Ledger", "Paper", "Parser", "State", "VirtualPrinter"]
