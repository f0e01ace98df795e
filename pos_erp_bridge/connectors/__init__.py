# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""One folder per outside system. Importing this package registers the connectors found in it."""

import importlib
import pkgutil

from .base import get, register, registered

for _module in pkgutil.iter_modules(__path__):
    if _module.ispkg and _module.name != "sandboxes":
        importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["get", "register", "registered"]
