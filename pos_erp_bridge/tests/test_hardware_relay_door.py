# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import json
import time

from odoo.tests import HttpCase, tagged

from ..models.bridge_hardware_relay import proxy_signature
from .test_hardware_relay import PROXY_ID, SECRET, RelayCase


@tagged("post_install", "-at_install")
class TestHardwareRelayDoor(HttpCase, RelayCase):
    """What a proxy posts to Odoo; who is none gets nothing."""

    def ask(self, body=b'{"states": []}', secret=SECRET, proxy_id=PROXY_ID, moment=None, path=None, scheme="Proxy"):
        moment = moment or str(time.time_ns() // 1_000_000)
        target = f"/bridge/hardware/{proxy_id}"
        sent = proxy_signature(secret, proxy_id, "POST", path or target, body, moment)
        headers = {"Authorization": f"{scheme} {moment}.{sent}", "Content-Type": "application/json"}
        return self.url_open(target, data=body, headers=headers, timeout=30)

    def test_exchange(self):
        """Signed, it gets what waits; the same again, as after a lost answer, gets the same."""
        self.put()
        moment = str(time.time_ns() // 1_000_000)
        answers = [self.ask(moment=moment) for _time in range(2)]
        for answer in answers:
            self.assertEqual(answer.status_code, 200, answer.text)
            self.assertEqual([job["id"] for job in answer.json()["jobs"]], ["job-00001"])
        body = json.dumps({"states": [{"id": "job-00001", "state": "printed", "reason": ""}]}).encode()
        for _time in range(2):
            self.assertEqual(self.ask(body).json()["jobs"], [])
        self.assertEqual(self.row().state, "printed")

    def test_refused(self):
        """A sentence says why, and nothing was handed over."""
        self.put()
        now = time.time_ns() // 1_000_000
        cases = (
            (401, {"secret": "x" * 40}), (401, {"proxy_id": "f" * 16}), (401, {"moment": str(now - 130_000)}),
            (401, {"moment": str(now + 130_000)}), (401, {"moment": "now"}), (401, {"path": "/bridge/hardware/y"}),
            (401, {"scheme": "Till"}), (413, {"body": b" " * (512 * 1024 + 1)}),
            (400, {"body": b"no json"}), (400, {"body": b"[]"}), (400, {"body": b'{"states": 7}'}),
        )  # fmt: skip
        for status, changed in cases:
            with self.subTest(changed=str(changed)[:60]):
                answer = self.ask(**changed)
                self.assertEqual(answer.status_code, status, answer.text)
                self.assertRegex(answer.text, r"^[A-Z].*\.\n$")
        self.proxy.active = False
        self.assertEqual(self.ask().status_code, 401)
        self.assertFalse(self.row().taken)
