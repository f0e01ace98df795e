"""A real Chromium without a window, driven through its DevTools protocol. Only what a till needs."""

import base64
import contextlib
import json
import shutil
import tempfile
import time
from pathlib import Path

import websocket

from demo.processes import DemoError

LOOK = 2.0  # seconds one look into the page lasts; a page that loads forgets the script in it
# Waits inside the page for a visible element, then clicks it. Odoo's screens react to real mouse events
# and to synthetic ones alike; a missing element is told by its selector.
CLICK = """
(async ({selector, text, seconds}) => {
    const limit = performance.now() + seconds * 1000;
    const seen = (node) => node.checkVisibility() && !node.disabled && (!text || node.textContent.includes(text));
    while (performance.now() < limit) {
        const node = [...document.querySelectorAll(selector)].find(seen);
        if (node) {
            node.scrollIntoView({block: "center"});
            const at = Date.now();
            if (%(click)s) { node.click(); }
            return {text: node.textContent, at};
        }
        await new Promise((done) => setTimeout(done, 10));
    }
    return null;
})(%(args)s)
"""


class Browser:
    """One page. ``errors`` collects what its scripts complained about."""

    def __init__(self, processes):
        program = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
        if not program:
            raise DemoError("No Chromium found. On Debian: apt-get install chromium")
        self._processes = processes
        self._profile = tempfile.mkdtemp(prefix="demo-chromium-")
        self.errors = []
        self._process = processes.start(
            "chromium",
            [
                program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--disable-extensions", "--disable-background-networking", "--disable-component-update",
                "--remote-debugging-port=0", "--remote-allow-origins=*", f"--user-data-dir={self._profile}",
                "--window-size=1366,768", "--mute-audio", "--lang=ja", "about:blank",
            ],
        )  # fmt: skip
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    def _connect(self):
        port_file = Path(self._profile, "DevToolsActivePort")
        deadline = time.monotonic() + 30
        while not (port_file.exists() and port_file.read_text().count("\n")):
            self._processes.check()
            if time.monotonic() > deadline:
                raise DemoError("Chromium does not start:\n" + self._processes.tail("chromium"))
            time.sleep(0.05)
        port, path = port_file.read_text().split("\n")[:2]
        self._socket = websocket.create_connection(f"ws://127.0.0.1:{port}{path}", timeout=60)
        self._count, self._session = 0, None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setTimezoneOverride", timezoneId="Asia/Tokyo")

    def close(self):
        with contextlib.suppress(Exception):
            self._socket.close()
        self._processes.end(self._process)
        shutil.rmtree(self._profile, ignore_errors=True)

    def call(self, method, **params):
        """One DevTools command and its result."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise DemoError(f"Chromium refused {method}: {answer['error']['message']}")
                return answer["result"]
            if answer.get("method") == "Runtime.exceptionThrown":
                details = answer["params"]["exceptionDetails"]
                self.errors.append(details.get("exception", {}).get("description") or details["text"])

    def set_cookie(self, url, name, value):
        self.call("Network.setCookie", url=url, name=name, value=value)

    def open(self, url):
        self.call("Page.navigate", url=url)

    def run(self, script):
        """The value of a JavaScript expression (promises are awaited)."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            details = json.dumps(answer["exceptionDetails"], ensure_ascii=False)
            raise DemoError(f"The page's script failed: {details[:500]}")
        return answer["result"].get("value")

    def click(self, selector, text="", seconds=20.0):
        """Click the first visible element with this selector and text; returns what it said."""
        return self._find(selector, text, seconds, "true")

    def see(self, selector, text="", seconds=20.0):
        """Wait until such an element is visible: {"text", "at" (its clock, in ms)}."""
        return self._find(selector, text, seconds, "false")

    def _find(self, selector, text, seconds, click):
        args = json.dumps({"selector": selector, "text": text, "seconds": LOOK})
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                found = self.run(CLICK % {"args": args, "click": click})
            except DemoError:
                # The page was replaced while the script waited in it.
                time.sleep(0.1)
                continue
            if found:
                return found
        shown = self.run("document.body ? document.body.innerText.slice(0, 300) : ''")
        raise DemoError(
            f"The page shows no {selector} {text!r} within {seconds:g} s. It says: {shown!r}\n"
            f"A picture of it: {self.picture()}" + "".join(f"\nscript error: {error}" for error in self.errors[-3:])
        )

    def picture(self):
        """Keep what the page shows beside the logs; returns the file."""
        path = self._processes.log_folder / "demo-chromium.png"
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))
        return path
