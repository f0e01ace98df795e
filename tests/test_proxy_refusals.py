# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What is refused is refused in the reader's language: no sentence is without its Japanese one."""

import ast
import importlib
import json
from pathlib import Path
from string import Formatter

import pos_hardware_proxy
import pytest
from aiohttp import web
from pos_hardware_proxy.refusals import JAPANESE, Refusal
from pos_hardware_proxy.words import preferred
from proxy_shop import ORIGIN, run, shop

HOME = Path(pos_hardware_proxy.__file__).parent
OWN = {"code", "status"}  # of Denied: no part of the sentence


def modules():
    for path in sorted(HOME.rglob("*.py")):
        if "virtual_printer" not in path.parts and path.stem != "__main__":
            parts = path.relative_to(HOME).with_suffix("").parts
            yield path, importlib.import_module(".".join(("pos_hardware_proxy", *parts)).removesuffix(".__init__"))


def kinds(kind):
    return {kind.__name__}.union(*map(kinds, kind.__subclasses__()))


def sentences(module, node):
    """What the first argument of a refusal can be, or None when that cannot be seen."""
    if isinstance(node, ast.Constant):
        return [node.value]
    if isinstance(node, ast.Subscript):  # one of a table
        known = sentences(module, node.value)
        return known and known[0].values()
    return [getattr(module, node.id)] if isinstance(node, ast.Name) and hasattr(module, node.id) else None


def refusals():
    """(place, sentences, names of values) of all refusals in the code."""
    read = [(path, module, ast.parse(path.read_text())) for path, module in modules()]
    names = kinds(Refusal)
    for path, module, tree in read:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                given = {keyword.arg for keyword in node.keywords} - OWN
                yield f"{path.name}:{node.lineno}", sentences(module, node.args[0]), given


def fields(sentence):
    return {name for _text, name, _format, _conversion in Formatter().parse(sentence) if name is not None}


def test_every_refusal_is_said_in_japanese():
    used = set()
    for place, known, given in refusals():
        assert known, f"{place}: write the sentence there, or in a constant"
        for sentence in known:
            assert sentence in JAPANESE, f"{place}: no Japanese for {sentence!r}"
            assert fields(sentence) == given, place
        used.update(known)
    assert len(used) > 50 and used == set(JAPANESE), set(JAPANESE) - used


def test_both_languages_say_the_same_values():
    for sentence, japanese in JAPANESE.items():
        assert fields(japanese) == fields(sentence), sentence
        assert any("ぁ" <= character <= "龠" for character in japanese), sentence


def test_nobody_says_it_past_the_table():
    """aiohttp's own errors carry a text; only the table has it in both languages."""
    for path, _module in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr.startswith("HTTP") and hasattr(web, node.attr):
                kind = getattr(web, node.attr)
                assert getattr(kind, "status_code", 0) < 400, f"{path.name}:{node.lineno}"


@pytest.mark.parametrize(
    "header, language",
    [
        ("ja", "ja"),
        ("ja-JP,en-US;q=0.9", "ja"),
        ("en-US,en;q=0.9,ja;q=0.8", "en"),
        ("en;q=0.5, ja;q=0.9", "ja"),
        ("fr-FR, ja;q=0.3", "ja"),
        ("fr", "en"),
        ("en, ja", "en"),
        ("*", "en"),
        ("ja;q=x, , ;", "en"),
    ],
)
def test_the_language_a_browser_prefers(header, language):
    assert preferred(header) == language


def test_refusals_come_in_the_readers_language(tmp_path):
    """At each kind of door; words for programs stay what they are."""
    json_kind = {"Content-Type": "application/json"}
    asked = [
        ("GET", "/jobs/nothing-1", None, {}, "unsigned", "署名がありません", "not signed"),
        ("POST", "/hw_proxy/handshake", b"", {}, None, "JSON で送って", "must be JSON"),
        ("POST", "/hw_proxy/handshake", b"[]", json_kind, None, "オブジェクト", "a JSON object"),
        ("POST", "/pair", b'{"code": "1"}', json_kind, "code", "コードが違うか", "code is wrong"),
        ("POST", "/look/nothing-1", b"came_out=1", {}, None, "印刷 nothing-1 は見つかりません", "no job nothing-1"),
        ("GET", "/nowhere", None, {}, None, "何もありません", "nothing at this address"),
        ("DELETE", "/health", None, {}, None, "方法", "not asked in that way"),
        ("GET", "/ca.crt", None, {}, None, "証明書がありません", "no certificate"),
    ]
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    async def story():
        async with shop(tmp_path) as place:

            async def answer(method, path, body, headers):
                headers = {"Origin": ORIGIN, **form, **headers}
                async with place.session.request(method, place.url + path, data=body, headers=headers) as response:
                    return response.status, await response.json()

            for method, path, body, headers, code, japanese, english in asked:
                told = {}
                for language in ("ja-JP,ja;q=0.9,en;q=0.8", "en-US,ja;q=0.5", None):
                    wish = {"Accept-Language": language} if language else {}
                    status, told[language] = await answer(method, path, body, {**headers, **wish})
                    assert status >= 400 and told[language].get("code") == code, path
                first, second, silent = told.values()
                assert japanese in first["error"] and english in second["error"], path
                assert silent["error"] == second["error"] and set(silent) == set(first)

    run(story())


def test_a_printer_in_trouble_is_told_in_words(tmp_path):
    """In the reader's language; the word for programs beside it."""

    async def story():
        async with shop(tmp_path) as place:
            await place.till.print(b"\x80" * 72)
            await place.devices["receipt"][0].stop()
            body, told = json.dumps({}).encode(), {}
            for language in ("ja", "en"):
                headers = {"Content-Type": "application/json", "Accept-Language": language}
                status, told[language] = await place.till.ask("PUT", f"/drawer/drawer-{language}1", body, headers)
                assert (status, told[language]["reason"]) == (503, "refused"), told
            assert "接続を拒否" in told["ja"]["error"] and "refuses the line" in told["en"]["error"]

    run(story())
