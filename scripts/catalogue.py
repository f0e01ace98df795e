"""The Japanese catalogue against what Odoo exports.  catalogue.py check|merge POT PO

check: every term of POT stands in PO, translated.
merge: PO gets the terms of POT, keeps what is translated, drops what is gone.
"""

import sys
from pathlib import Path

import polib

# Fields every model has; Odoo exports them again for each of ours.
STANDARD = {
    "Created by": "作成者",
    "Created on": "作成日時",
    "Display Name": "表示名",
    "ID": "ID",
    "Last Updated by": "最終更新者",
    "Last Updated on": "最終更新日時",
}


def missing(pot, catalogue):
    known = {(e.msgctxt, e.msgid): e for e in catalogue if not e.obsolete}
    for entry in pot:
        found = known.get((entry.msgctxt, entry.msgid))
        if found is None or not found.translated():
            yield entry


def unloadable(pot, catalogue):
    """Odoo reads the module, and whether a term is of Python or JavaScript, in the comment above it."""
    wanted = {(e.msgctxt, e.msgid): e.comment.split("\n") for e in pot}
    for entry in catalogue:
        if not set(wanted.get((entry.msgctxt, entry.msgid), ())) <= set(entry.comment.split("\n")):
            yield entry


def main(action, pot_path, po_path):
    pot = polib.pofile(pot_path)
    if Path(po_path).exists():
        catalogue = polib.pofile(po_path)
    else:
        catalogue = polib.POFile()
        catalogue.metadata = {**pot.metadata, "Language": "ja", "Plural-Forms": "nplurals=1; plural=0;"}
        catalogue.fpath = po_path
    if action == "merge":
        catalogue.merge(pot)
        comments = {(e.msgctxt, e.msgid): e.comment for e in pot}
        for entry in catalogue:
            entry.comment = comments.get((entry.msgctxt, entry.msgid), entry.comment)
        for entry in catalogue.obsolete_entries():
            catalogue.remove(entry)
        for entry in catalogue:
            entry.msgstr = entry.msgstr or STANDARD.get(entry.msgid, "")
        catalogue.save()
    left = list(missing(pot, catalogue))
    for entry in left[:30]:
        where = entry.occurrences[0][0] if entry.occurrences else ""
        print(f"not translated: {entry.msgid[:70]!r} ({where})")
    lost = list(unloadable(pot, catalogue))
    for entry in lost[:30]:
        print(f"not read by Odoo, the comment above it is incomplete: {entry.msgid[:70]!r}")
    print(f"{len(pot)} terms, {len(left)} not translated, {len(lost)} not read")
    return int(action == "check" and bool(left or lost))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
