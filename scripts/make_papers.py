"""Fed to "odoo shell": draws the papers of the manual, in Japanese and English, as docs/images/{ja,en}/NAME.png.

Each is the PDF a customer gets, as a picture. Where the papers come from: pos_erp_bridge/tests/papers.py.
"""

import os
from pathlib import Path

from odoo.addons.pos_erp_bridge.tests import paper_pictures, papers

out = Path(os.environ.get("BRIDGE_PAPERS_OUT") or Path(os.environ["BRIDGE_ROOT"], "docs", "images"))
for folder, lang in paper_pictures.LANGS.items():
    env["res.lang"]._activate_lang(lang)  # noqa: F821
    env["ir.module.module"].search([("name", "=", "pos_erp_bridge")])._update_translations(lang)  # noqa: F821
    for name, (content, roll) in papers.PAPERS.items():
        target = out / folder / f"{name}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        paper_pictures.draw(env, content, roll, lang).save(target, optimize=True)  # noqa: F821
        print(target)
