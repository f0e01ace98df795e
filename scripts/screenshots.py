"""Pictures of screens, in Japanese and English, from a running Odoo, by headless Chromium.

    screenshots.py [--base URL] [--login NAME] [--password TEXT] [--lang ja --lang en] [--out FOLDER]
                   [--size 1400x900] NAME=PATH[#CSS SELECTOR TO WAIT FOR[#JAVASCRIPT TO RUN FIRST]] …

    screenshots.py --base http://127.0.0.1:18069 dashboard=/odoo/bridge events=/odoo/bridge-events#.o_list_table

Saves FOLDER/{ja,en}/NAME.png. The user's language is switched for it and put back. Needs websocket-client.
"""

import argparse
import base64
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import requests
import websocket

ROOT = Path(__file__).resolve().parent.parent
LANGS = {"ja": "ja_JP", "en": "en_US"}
TIMEZONE = "Asia/Tokyo"
PATIENCE = 40.0  # seconds until a screen must have come up
# The screen is drawn: its view is there, nothing is loading, no picture or font is on its way.
READY = """
    (() => { const found = document.querySelector(%s);
        return !!found && !document.querySelector('.o_loading_indicator, .o_blockUI')
            && document.fonts.status === 'loaded' && [...document.images].every((i) => i.complete); })()
"""


class Odoo:
    """JSON-RPC in a session."""

    def __init__(self, base, login, password, db):
        self.base, self.http = base, requests.Session()
        db = db or self.call("/web/database/list")[0]
        self.user = self.call("/web/session/authenticate", db=db, login=login, password=password)

    def call(self, path, **params):
        body = {"jsonrpc": "2.0", "method": "call", "params": params}
        answer = self.http.post(self.base + path, json=body, timeout=60).json()
        if "error" in answer:
            raise SystemExit(answer["error"]["data"]["message"])
        return answer["result"]

    def write_user(self, **vals):
        uid = self.user["uid"]
        args = {"model": "res.users", "method": "write", "args": [[uid], vals], "kwargs": {}}
        return self.call("/web/dataset/call_kw/res.users/write", **args)


class Browser:
    """Chromium by its DevTools protocol."""

    def __init__(self, width, height):
        self.profile = tempfile.mkdtemp()
        program = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
        if not program:
            raise SystemExit("Chromium is not installed.")
        flags = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
            "--disable-dev-shm-usage", "--remote-debugging-port=0", "--remote-allow-origins=*",
            f"--user-data-dir={self.profile}", f"--window-size={width},{height}", "--lang=ja", "about:blank",
        ]  # fmt: skip
        self.process = subprocess.Popen([program, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.ids = itertools.count(1)
        port = self._until(lambda: Path(self.profile, "DevToolsActivePort").read_text().split()[0])
        pages = self._until(lambda: requests.get(f"http://127.0.0.1:{port}/json/list", timeout=5).json())
        page = next(p for p in pages if p["type"] == "page")
        self.socket = websocket.create_connection(page["webSocketDebuggerUrl"], timeout=60)
        self.send("Page.enable")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        self.send("Emulation.setTimezoneOverride", timezoneId=TIMEZONE)

    @staticmethod
    def _until(look, patience=PATIENCE):
        deadline = time.monotonic() + patience
        while True:
            try:
                if found := look():
                    return found
            except (OSError, IndexError, requests.RequestException):
                pass
            if time.monotonic() > deadline:
                return None
            time.sleep(0.1)

    def send(self, method, **params):
        number = next(self.ids)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == number:
                if "error" in answer:
                    raise SystemExit(f"{method}: {answer['error']}")
                return answer["result"]

    def run(self, script):
        return self.send("Runtime.evaluate", expression=script, awaitPromise=True)["result"].get("value")

    def open(self, url, selector, script=""):
        """Show a page; False when it did not come up in time."""
        self.send("Page.navigate", url="about:blank")
        self.send("Page.navigate", url=url)
        if not self._until(lambda: self.run(READY % json.dumps(selector))):
            return False
        if script:
            self.run(script)
        time.sleep(1.2)  # charts and menus move a little
        return True

    def shoot(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(self.profile, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="http://127.0.0.1:18069")
    parser.add_argument("--db", default="")
    parser.add_argument("--login", default="admin")
    parser.add_argument("--password", default="admin")
    parser.add_argument("--lang", action="append", choices=sorted(LANGS))
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--size", default="1400x900")
    parser.add_argument("screens", nargs="+", metavar="NAME=PATH#SELECTOR#SCRIPT")
    options = parser.parse_args()
    odoo = Odoo(options.base, options.login, options.password, options.db)
    before = odoo.user["user_context"].get("lang", "en_US")
    browser, failed = Browser(*map(int, options.size.split("x"))), []
    try:
        host = options.base.split("//")[1].split(":")[0].split("/")[0]
        cookie = {"name": "session_id", "value": odoo.http.cookies["session_id"], "domain": host, "path": "/"}
        browser.send("Network.setCookie", **cookie)
        for lang in options.lang or LANGS:
            odoo.write_user(lang=LANGS[lang])
            for screen in options.screens:
                name, _, rest = screen.partition("=")
                path, selector, script, *_ = [*rest.split("#", 2), "", ""]
                target = options.out / lang / f"{name}.png"
                is_up = browser.open(options.base + path, selector or ".o_view_controller, .o_control_panel", script)
                browser.shoot(target)
                print(target if is_up else f"{target}: {path} did not come up")
                failed += [] if is_up else [name]
    finally:
        browser.close()
        odoo.write_user(lang=before)
    raise SystemExit(bool(failed))


if __name__ == "__main__":
    main()
