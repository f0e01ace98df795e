# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What every sandbox shares: faults, webhooks and control, on a vendor made up for the purpose."""

import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from connectors import sandbox as shared
from werkzeug.exceptions import Unauthorized


class Vendor(shared.Sandbox):
    system = "made-up"
    routes = (("/count", "GET", "read"), ("/count", "POST", "add"))

    def __init__(self):
        super().__init__()
        self.count = 0

    def authorize(self, request):
        if request.headers.get("Authorization") != "Bearer good":
            raise Unauthorized("no token")

    def sign(self, topic, body):
        return {"X-Delivery": f"{topic}-{self.count}", "X-Secret": self.webhook_secret}

    def state(self):
        return {"documents": self.count}

    def read(self, request):
        return {"count": self.count}

    def add(self, request):
        self.count += 1
        return {"count": self.count}

    def do_tell(self, number=1):
        for self.count in range(1, number + 1):
            self.announce("counted", {"count": self.count})
        return {}


@pytest.fixture
def vendor():
    vendor = Vendor()
    vendor.url = vendor.start()
    yield vendor
    vendor.stop()


@pytest.fixture
def inbox(vendor):
    """Deliveries as they arrive: (delivery id, secret, body)."""
    received = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.put((self.headers["X-Delivery"], self.headers["X-Secret"], json.loads(body)))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    control(vendor, "webhook", url=f"http://127.0.0.1:{server.server_port}/hook", secret="s3cret")
    yield received
    server.shutdown()
    server.server_close()


def control(vendor, what, **data):
    return requests.post(f"{vendor.url}/_sandbox/{what}", json=data, timeout=5)


def call(vendor, method="GET", token="good"):
    return requests.request(method, f"{vendor.url}/count", headers={"Authorization": f"Bearer {token}"}, timeout=5)


def test_fault_happens_as_often_as_asked(vendor):
    """A fault of n hits n calls and is gone."""
    control(vendor, "faults", status_500=2)
    assert [call(vendor).status_code for _ in range(3)] == [500, 500, 200]


def test_fault_without_end_lasts_until_switched_off(vendor):
    """-1 is until 0."""
    control(vendor, "faults", status_429=-1)
    answers = [call(vendor) for _ in range(3)]
    assert [a.status_code for a in answers] == [429, 429, 429] and answers[0].headers["Retry-After"] == "1"
    control(vendor, "faults", status_429=0)
    assert call(vendor).status_code == 200


def test_unknown_fault_is_named(vendor):
    """A misspelt fault is an error, not a silent success."""
    answer = control(vendor, "faults", status_555=1)
    assert answer.status_code == 400 and "status_555" in answer.json()["error"]


def test_call_is_applied_and_the_connection_dropped(vendor):
    """timeout_after_apply: no answer at all, yet the change is there; reads are not hit."""
    control(vendor, "faults", timeout_after_apply=1)
    assert call(vendor).status_code == 200
    with pytest.raises(requests.ConnectionError):
        call(vendor, "POST")
    assert call(vendor).json() == {"count": 1}


def test_vendor_refuses_a_wrong_token(vendor):
    """Only the vendor's API wants a token; control does not."""
    assert call(vendor, token="bad").status_code == 401
    state = requests.get(f"{vendor.url}/_sandbox/state", timeout=5).json()
    assert state["documents"] == 0 and state["calls"] == 1


def test_unknown_action_is_not_found(vendor):
    """An action the sandbox does not know answers 404."""
    assert control(vendor, "do/dance").status_code == 404


def test_webhook_is_delivered_signed(vendor, inbox):
    """A delivery carries the vendor's headers and the secret that was set."""
    control(vendor, "do/tell")
    assert inbox.get(timeout=5) == ("counted-1", "s3cret", {"count": 1})


def test_duplicate_webhook_has_the_same_id(vendor, inbox):
    """duplicate_webhooks: the same delivery twice."""
    control(vendor, "faults", duplicate_webhooks=1)
    control(vendor, "do/tell")
    assert inbox.get(timeout=5) == inbox.get(timeout=5)


def test_lost_webhook_never_comes(vendor, inbox):
    """lost_webhooks: the first is lost, the next arrives."""
    control(vendor, "faults", lost_webhooks=1)
    control(vendor, "do/tell", number=2)
    assert inbox.get(timeout=5)[2] == {"count": 2} and inbox.empty()


def test_reordered_webhooks_come_newest_first(vendor, inbox):
    """reordered_webhooks: what waits together is sent backwards."""
    control(vendor, "faults", reordered_webhooks=-1)
    control(vendor, "do/tell", number=3)
    assert [inbox.get(timeout=5)[2]["count"] for _ in range(3)] == [3, 2, 1]


def test_late_webhook_comes_after_the_next(vendor, inbox, monkeypatch):
    """late_webhooks: the delivery waits while others pass."""
    monkeypatch.setattr(shared, "LATE", 0.3)
    control(vendor, "faults", late_webhooks=1)
    control(vendor, "do/tell", number=2)
    assert [inbox.get(timeout=5)[2]["count"] for _ in range(2)] == [2, 1]
