# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""A real Chromium, looked at and pressed as a cashier does; what its pages sent is kept."""

import base64
import json
import shutil
import subprocess
import threading
import time
from pathlib import Path
from urllib.request import urlopen

import websocket

PATIENCE_S = 90.0  # a till on a busy machine
SWITCHES = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions"),
    *("--disable-background-networking", "--disable-background-timer-throttling", "--disable-renderer-backgrounding"),
    *("--disable-backgrounding-occluded-windows", "--no-first-run", "--mute-audio", "--remote-debugging-port=0"),
    # The till asks another server for fonts; a test asks nobody outside.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
VISIBLE = """
[...document.querySelectorAll(%s)].filter((node) => node.checkVisibility() && node.textContent.includes(%s))
"""


def program():
    """Path of the browser, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)


class Chromium:
    """One browser with one page.

    :param folder: for its profile, and for a picture of the page when something is not to be seen
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        profile = self.folder / "profile"
        command = [program(), *SWITCHES, f"--user-data-dir={profile}", "--window-size=1366,768", "about:blank"]
        with open(self.folder / "chromium.log", "w") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self.told, self.sent = [], []  # the page's console and failures; requests it sent
        self._answers, self._heard, self._number = {}, threading.Condition(), 0
        self._socket = websocket.create_connection(self._page(profile), suppress_origin=True, timeout=60)
        self._socket.settimeout(None)
        threading.Thread(target=self._listen, daemon=True).start()
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call("Network.enable", maxPostDataSize=8 << 20)

    def _page(self, profile):
        """Address at which the page is told what to do."""

        def look():
            port = (profile / "DevToolsActivePort").read_text().split()[0]
            with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=5) as answer:
                pages = [page for page in json.load(answer) if page["type"] == "page"]
            return pages and pages[0]["webSocketDebuggerUrl"]

        limit = time.monotonic() + PATIENCE_S
        while time.monotonic() < limit:
            try:
                if found := look():
                    return found
            except (OSError, IndexError):
                pass
            time.sleep(0.05)
        raise AssertionError((self.folder / "chromium.log").read_text()[-2000:])

    def close(self):
        self._process.terminate()
        self._process.wait(10)

    # -- the protocol ------------------------------------------------------------------------------
    def call(self, method, **params):
        """Result of a method of the DevTools protocol."""
        self._number += 1
        number = self._number
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        with self._heard:
            assert self._heard.wait_for(lambda: number in self._answers, 60), f"{method} is not answered"
            answer = self._answers.pop(number)
        if "error" in answer:
            raise LookupError(answer["error"]["message"])
        return answer["result"]

    def _listen(self):
        while True:
            try:
                message = json.loads(self._socket.recv())
            except (OSError, ValueError, websocket.WebSocketException):
                return
            with self._heard:
                if "id" in message:
                    self._answers[message["id"]] = message
                else:
                    self._note(message["method"], message["params"])
                self._heard.notify_all()

    def _note(self, method, params):
        if method == "Network.requestWillBeSent":
            self.sent.append(params["request"])
        elif method == "Network.loadingFailed":
            self.told.append(f"failed: {params['errorText']}")
        elif method == "Runtime.exceptionThrown":
            self.told.append(json.dumps(params["exceptionDetails"].get("exception", params))[:500])
        elif method == "Runtime.consoleAPICalled":
            self.told.append(" ".join(str(part.get("value", "")) for part in params["args"])[:500])
        elif method == "Log.entryAdded":
            self.told.append(f"{params['entry']['text']} {params['entry'].get('url', '')}"[:500])

    # -- what a cashier does -----------------------------------------------------------------------
    def go(self, url):
        self.call("Page.navigate", url=url)

    def evaluate(self, script):
        """Value of an expression in the page; None while the page changes."""
        try:
            result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        except LookupError:
            return None
        return result["result"].get("value")

    def sees(self, selector, text=""):
        """Whether such an element with such a text is to be seen."""
        return bool(self.evaluate(f"{self._found(selector, text)}.length"))

    def see(self, selector, text=""):
        """Wait for it."""
        self._until(lambda: self.sees(selector, text), f"{selector} {text}")

    def gone(self, selector):
        self._until(lambda: not self.sees(selector), f"the end of {selector}")

    def press(self, selector, text=""):
        script = f"(() => {{ const node = {self._found(selector, text)}[0]; node?.click(); return Boolean(node); }})()"
        self._until(lambda: self.evaluate(script), f"{selector} {text}")

    @staticmethod
    def _found(selector, text):
        return f"({VISIBLE.strip() % (json.dumps(selector), json.dumps(text))})"

    def _until(self, look, what):
        limit = time.monotonic() + PATIENCE_S
        while not look():
            assert time.monotonic() < limit, f"{what} is not to be seen\n{self.state()}"
            time.sleep(0.05)

    def state(self):
        """What the page shows and told, for people."""
        try:
            shot = self.call("Page.captureScreenshot")["data"]
            (self.folder / "page.png").write_bytes(base64.b64decode(shot))
            text = self.evaluate("location.href + '\\n' + document.body?.innerText")
        except (AssertionError, LookupError, OSError) as error:
            text = f"(the page does not answer: {type(error).__name__})"
        last = [request["url"][:200] for request in self.sent[-10:]]
        return "\n".join([str(text)[:3000], "-- told", *self.told[-30:], "-- asked last", *last])
