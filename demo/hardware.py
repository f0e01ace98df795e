"""The main store's hardware: the proxy on the till's machine and a printer in software, connected as a person would."""

import json
import os
import re
import shutil
import sys
import time
import urllib.request
from pathlib import Path

from demo import layout
from demo.processes import DemoError, wait_for

FOLDER = Path(__file__).resolve().parent.parent / "hardware_proxy"
CODE = re.compile(rb"Code: (\d{8})")
CONFIG = """
[proxy]
name = "{name} レジ"
state = "{state}"
port = {proxy}
origins = ["{origin}"]

[[printer]]
name = "receipt"
address = "tcp://127.0.0.1:{printer}"
drawer = true
"""


class Hardware:
    """The printer and the proxy, as processes of the demo.

    :param origin: Odoo's address: only its pages may print
    """

    def __init__(self, processes, origin):
        self.processes, self.origin = processes, origin
        self.url = f"http://127.0.0.1:{layout.port('proxy')}"
        self.page = f"http://127.0.0.1:{layout.port('paper')}/"
        self.folder = Path(os.environ["BRIDGE_RUNTIME"]) / "demo-hardware"

    def start(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "paper").mkdir(parents=True)
        printer, paper = layout.port("printer"), layout.port("paper")
        self._run(
            "printer", "pos_hardware_proxy.virtual_printer", "--port", printer, "--page-port", paper,
            "--paper-speed", "200", "--folder", self.folder / "paper",
        )  # fmt: skip
        wait_for(self.page, self.processes, 30)
        config = self.folder / "proxy.toml"
        places = {"state": self.folder / "state", "proxy": layout.port("proxy"), "printer": printer}
        config.write_text(CONFIG.format(name=layout.HONTEN.name, origin=self.origin, **places), encoding="utf-8")
        self._run("proxy", "pos_hardware_proxy", "--config", config)
        wait_for(f"{self.url}/health", self.processes, 30)

    def _run(self, name, module, *arguments):
        self.processes.start(name, [sys.executable, "-u", "-m", module, *arguments], cwd=FOLDER)

    def connect(self, odoo):
        """Pair the proxy with Odoo and give it to the main store's till."""
        vals = {"name": f"{layout.HONTEN.name} レジ", "url": self.url}
        [proxy] = odoo.call("bridge.hardware.proxy", "create", [vals])
        secret = odoo.call("bridge.hardware.proxy", "pairing_offer", [proxy])
        paired = self._post("/pair", {"code": self._code(), "secret": secret})
        odoo.call("bridge.hardware.proxy", "pairing_confirm", [proxy], paired["proxy"])
        [till] = odoo.read("pos.config", [("name", "=", layout.HONTEN.name)], ["id"])
        vals = {"bridge_proxy_id": proxy, "iface_cashdrawer": True, "iface_print_auto": True}
        odoo.call("pos.config", "write", [till["id"]], vals)

    def _code(self):
        """The code that the proxy shows on its own machine."""
        found = CODE.search(self.processes.log_path("proxy").read_bytes())
        if not found:
            raise DemoError("The hardware proxy shows no code:\n" + self.processes.tail("proxy"))
        return found[1].decode()

    def _post(self, path, content):
        headers = {"Content-Type": "application/json", "Origin": self.origin}
        request = urllib.request.Request(self.url + path, json.dumps(content).encode(), headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    # -- what came out ---------------------------------------------------------------------------
    def papers(self):
        """Pictures of the papers that were cut, oldest first."""
        return sorted((self.folder / "paper").glob("*.png"))

    def wait_for_paper(self, known, seconds):
        """The moment (time.time) at which one more than ``known`` papers had been cut."""
        deadline = time.monotonic() + seconds
        while len(self.papers()) <= known:
            if time.monotonic() > deadline:
                raise DemoError(f"No receipt came out of the printer within {seconds:g} s. See {self.page}")
            time.sleep(0.02)
        return self.papers()[-1].stat().st_mtime
