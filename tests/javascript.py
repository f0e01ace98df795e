# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Runs an ES module of the addon that imports nothing: in node, else in Chromium, which Odoo's tours use anyway."""

import html
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

SECONDS = 120
CALLS = """
const answers = calls.map(([name, values]) => {
    try {
        return { value: functions[name](...values) };
    } catch (error) {
        return { error: error.message };
    }
});
"""


def engine():
    """Program to run JavaScript with; None when the machine has none."""
    found = (shutil.which(name) for name in ("node", "chromium", "google-chrome", "chromium-browser"))
    return next(filter(None, found), None)


def call(program, module, names, calls):
    """[{"value": …} or {"error": message}] of ``calls`` [(name, [argument])] to the functions a module exports."""
    source = Path(module).read_text(encoding="utf-8")
    given = json.dumps(calls).replace("</", "<\\/")
    script = f"{source}\nconst functions = {{ {', '.join(names)} }};\nconst calls = {given};\n{CALLS}"
    with tempfile.TemporaryDirectory() as folder:
        run = _node if Path(program).name == "node" else _chromium
        return json.loads(run(program, script, Path(folder)))


def _node(program, script, folder):
    path = folder / "calls.mjs"
    path.write_text(script + "console.log(JSON.stringify(answers));\n", encoding="utf-8")
    return _output([program, str(path)])


def _chromium(program, script, folder):
    path = folder / "calls.html"
    end = "document.body.textContent = JSON.stringify(answers);"
    path.write_text(f'<meta charset="utf-8"><body><script type="module">{script}{end}</script>', encoding="utf-8")
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    page = _output([program, *flags, f"--user-data-dir={folder / 'profile'}", "--dump-dom", path.as_uri()])
    return html.unescape(re.search(r"<body>(.*)</body>", page, re.DOTALL)[1])


def _output(command):
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=SECONDS)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
