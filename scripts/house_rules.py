"""Rules of the house that no linter knows.  house_rules.py --list | RULE

Each rule yields "file:line: what is wrong"; a rule without findings passes.
"""

import ast
import os
import re
import sys
from pathlib import Path

from lxml import etree

ROOT = Path(__file__).resolve().parent.parent
ADDON = ROOT / "pos_erp_bridge"
MAX_LINES = 600

# Vendors live in connectors/ and data files; the rest of the addon must not know them.
VENDOR = re.compile(
    r"smaregi|shopify|(?<![\w-])square(?![\w-])|woocommerce|tenpovisor|bcpos|(?<![a-z])ec-?cube", re.IGNORECASE
)
VENDOR_FREE = ("models", "controllers", "wizards", "fiscal", "static/src", "views")
PURE = (ADDON / "connectors", ADDON / "fiscal", ROOT / "hardware_proxy")
ODOO_IMPORT = re.compile(r"^\s*(import|from)\s+odoo\b")


def files(*suffixes, below=ROOT):
    for folder, names, found in os.walk(below):
        names[:] = sorted(n for n in names if not n.startswith(".") and n not in ("node_modules", "__pycache__"))
        for name in sorted(found):
            if name.endswith(suffixes):
                yield Path(folder, name)


def lines(path):
    return enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)


def compiles():
    """Python files compile."""
    for path in files(".py"):
        try:
            compile(path.read_text(encoding="utf-8"), str(path), "exec")
        except (SyntaxError, ValueError) as error:
            yield path, getattr(error, "lineno", 0), error


def xml_well_formed():
    """XML files parse."""
    for path in files(".xml"):
        try:
            etree.parse(str(path))
        except etree.XMLSyntaxError as error:
            yield path, error.lineno, error.msg


def pure_imports():
    """connectors/, fiscal/ and hardware_proxy/ never import odoo."""
    for folder in PURE:
        for path in files(".py", below=folder):
            for number, line in lines(path):
                if ODOO_IMPORT.match(line):
                    yield path, number, "imports odoo: this folder works without it"


def vendor_names():
    """Vendors' names stay in connectors/ and data files."""
    for name in VENDOR_FREE:
        for path in files(".py", ".js", ".xml", ".scss", ".css", below=ADDON / name):
            for number, line in lines(path):
                found = VENDOR.search(line)
                if found:
                    yield path, number, f"names a vendor: {found.group()}"


def file_length():
    """No Python or JavaScript file is longer than MAX_LINES."""
    for path in files(".py", ".js"):
        length = sum(1 for _line in lines(path))
        if length > MAX_LINES:
            yield path, length, f"{length} lines; split it (limit {MAX_LINES})"


def translated():
    """Every entry of the Japanese catalogue is translated."""
    path = ADDON / "i18n" / "ja.po"
    if not path.exists():
        if (ADDON / "__manifest__.py").exists():
            yield path, 0, "is missing"
        return
    import polib

    for entry in polib.pofile(str(path)):
        if not entry.obsolete and not entry.translated():
            yield path, entry.linenum, f"not translated: {entry.msgid[:60]!r}"


def manifest():
    """Files named in the manifest exist; data files that exist are named."""
    path = ADDON / "__manifest__.py"
    if not path.exists():
        return
    values = ast.literal_eval(path.read_text(encoding="utf-8"))
    named = set(values.get("data", [])) | set(values.get("demo", []))
    for name in sorted(named):
        if not (ADDON / name).is_file():
            yield path, 0, f"{name} does not exist"
    for folder in ("data", "demo", "security", "views", "wizards", "reports"):
        for found in files(".xml", ".csv", below=ADDON / folder):
            if str(found.relative_to(ADDON)) not in named and "static" not in found.parts:
                yield found, 0, "is not in the manifest"


RULES = {
    rule.__name__: rule
    for rule in (compiles, xml_well_formed, pure_imports, vendor_names, file_length, translated, manifest)
}


def main(argument):
    if argument == "--list":
        print("\n".join(RULES))
        return 0
    found = False
    for path, number, message in RULES[argument]():
        found = True
        print(f"{path.relative_to(ROOT)}:{number}: {message}")
    return int(found)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
