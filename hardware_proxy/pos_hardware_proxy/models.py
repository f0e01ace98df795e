# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What is known of models of printers: the profiles that python-escpos brings along.

They are read as a file. Importing that package would load all its ways to printers, and leave a cache in a temporary
folder.
"""

import difflib
import importlib.util
import json
from functools import cache
from pathlib import Path


class UnknownModel(Exception):
    """No such model; the message is for people."""


def paper_of(model):
    """(dots per line, dots per inch) of a model, whole numbers, or None where its profile does not say.

    :raises UnknownModel: with names that are like it
    """
    known = profiles()
    if not known:
        raise UnknownModel("the package python-escpos, which has the models, is not installed.")
    names = {name.lower(): name for name in known}
    name = names.get(model.lower())
    if name is None:
        near = [names[key] for key in difflib.get_close_matches(model.lower(), names, 6, 0.5)] or sorted(known)
        raise UnknownModel(f'model = "{model}" is not known. Like it are: {", ".join(near)}.')
    media = known[name].get("media", {})
    said = media.get("width", {}).get("pixels"), media.get("dpi")
    return tuple(number if isinstance(number, int) else None for number in said)


@cache
def profiles():
    """Profiles by the name of their model; empty without python-escpos."""
    spec = importlib.util.find_spec("escpos")
    if not spec:
        return {}
    return json.loads((Path(spec.origin).parent / "capabilities.json").read_text(encoding="utf-8"))["profiles"]
