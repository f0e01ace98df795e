# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The till says in words whatever the proxy gives as a reason."""

import re
from pathlib import Path

from pos_hardware_proxy.words import REASONS

ADDON = Path(__file__).resolve().parents[1] / "pos_erp_bridge"
TEXTS = ADDON / "static/src/pos/app/hardware/reasons.js"


def words_of(name):
    """{reason: text} of that table in the till's script."""
    table = re.search(rf"const {name} = \{{(.*?)\n\}};", TEXTS.read_text(), re.DOTALL)[1]
    return dict(re.findall(r'(\w+): \(\) => _t\("(.+)"\),', table))


def test_every_reason_has_words():
    known = words_of("REASONS") | words_of("SCALE_REASONS") | {"moving": ""}
    assert not {reason for reason in REASONS if reason} - set(known)


def test_every_word_is_translated():
    terms = (ADDON / "i18n/ja.po").read_text().replace('"\n"', "")
    for name in ("REASONS", "SCALE_REASONS", "SCANNER_REASONS"):
        for text in words_of(name).values():
            found = re.search(rf'^msgid "{re.escape(text)}"\nmsgstr "(.+)"$', terms, re.MULTILINE)
            assert found, text
