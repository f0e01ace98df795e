# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What every sandbox shares: a small HTTP server that plays a vendor, its faults and its webhooks.

A sandbox is part of the product: a merchant rehearses against it before going live. It keeps its state
in memory and listens on loopback only. ``python -m connectors.sandbox SYSTEM --port N`` starts one (from
the addon's folder). Beside the vendor's API it answers:

* ``GET  /_sandbox/state``            what it holds, as JSON (for a look and for tests)
* ``POST /_sandbox/faults``           ``{"fault": how_often}``; -1 is "until switched off", 0 off
* ``POST /_sandbox/webhook``          ``{"url": …, "secret": …}`` where deliveries go
* ``POST /_sandbox/do/<action>``      things a shop does (``sell``, ``refund``, …); see each sandbox
"""

import argparse
import importlib
import json
import logging
import queue
import socket
import threading
import time

import requests
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from . import get

_logger = logging.getLogger(__name__)

# Faults every sandbox knows. A vendor's sandbox may add its own to ``fault_names``.
FAULTS = (
    "timeout_after_apply",  # the call is applied, the connection is dropped without an answer
    "status_429",
    "status_500",
    "expire_token",
    "duplicate_webhooks",  # each delivery is sent twice, with the same id
    "late_webhooks",  # deliveries wait LATE seconds
    "reordered_webhooks",  # deliveries are sent newest first
    "lost_webhooks",
)
LATE = 2.0


class Dropped(ConnectionError):
    """The server applied the call and hangs up without answering."""


class Sandbox:
    """Base of a vendor's sandbox.

    Subclasses give ``routes`` (werkzeug rules: pattern, method, handler name) and ``actions``; handlers take
    (request, **url values) and return JSON-able data or a werkzeug Response. All run under one lock, so
    a sandbox needs no locking of its own.
    """

    system = ""
    routes: tuple[tuple[str, str, str], ...] = ()
    fault_names = FAULTS

    def __init__(self):
        self.lock = threading.RLock()
        self.faults = dict.fromkeys(self.fault_names, 0)
        self.calls = []  # (method, path, status): what was asked, newest last
        self.webhook_url = self.webhook_secret = ""
        self._outbox = queue.Queue()
        rules = [Rule(pattern, methods=[method], endpoint=name) for pattern, method, name in self.routes]
        rules += [
            Rule("/_sandbox/state", methods=["GET"], endpoint="_get_state"),
            Rule("/_sandbox/faults", methods=["POST"], endpoint="_set_faults"),
            Rule("/_sandbox/webhook", methods=["POST"], endpoint="_set_webhook"),
            Rule("/_sandbox/do/<action>", methods=["POST"], endpoint="_do"),
        ]
        self._map = Map(rules)
        self._server = None

    # -- to be given by the vendor ---------------------------------------------------------------
    # Every sandbox understands these actions (keyword arguments as JSON), so that the conformance suite,
    # the demo and a rehearsing merchant can drive any of them alike. ``code`` is the JAN or SKU of a product.
    #   load(products=[{code, name, price, reduced}], stores=[{id, name}])   the catalogue; price tax included
    #   sell(items=[{code, quantity}], store=None, **vendor's own)           -> {"stream", "id", "total"}
    #   change(id)       touch the document (newer version, same money)      -> {"stream", "id"}
    #   cancel(id)       void the receipt / cancel the order
    #   refund(id, items=None)   give back all or some lines; returns {"stream", "id"} of what to look at
    #   corrupt(id, by=1)        make the stated total differ from its parts by ``by`` yen
    #   set_stock(code, quantity, store=None)
    # and ``state()`` holds "levels": {store id: {code: quantity}} and "documents": how many it has.

    def settings(self, url):
        """Values of the connector's settings that point it to this sandbox at ``url``."""
        return {}

    def state(self):
        """The sandbox's content as JSON-able data."""
        return {}

    def authorize(self, request):
        """Raise a werkzeug HTTPException (or return a Response) when the call carries no valid token."""

    def throttle(self, request):
        """The vendor's answer to a call over its budget, or None."""

    def error(self, status, message):
        """An error in the vendor's own shape."""
        return self.json({"error": message}, status)

    def sign(self, topic, body):
        """Headers of one webhook delivery: dict."""
        return {}

    # -- faults ----------------------------------------------------------------------------------
    def fault(self, name):
        """True when this fault is due now; counts it down."""
        left = self.faults.get(name, 0)
        if left > 0:
            self.faults[name] = left - 1
        return bool(left)

    # -- webhooks --------------------------------------------------------------------------------
    def announce(self, topic, payload):
        """Send a webhook soon, as the vendor would: at least once, in no particular order."""
        if not self.webhook_url or self.fault("lost_webhooks"):
            return
        body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json", **self.sign(topic, body)}
        due = time.monotonic() + (LATE if self.fault("late_webhooks") else 0)
        for _ in range(2 if self.fault("duplicate_webhooks") else 1):
            self._outbox.put((due, body, headers))

    def _deliver_forever(self):
        session = requests.Session()
        while True:
            batch = [self._outbox.get()]
            if self.faults.get("reordered_webhooks"):
                time.sleep(0.2)
                while not self._outbox.empty():
                    batch.append(self._outbox.get())
                batch.reverse()
            for due, body, headers in batch:
                if due is None:
                    return
                if due > time.monotonic():
                    threading.Timer(due - time.monotonic(), self._outbox.put, [(0, body, headers)]).start()
                    continue
                try:
                    session.post(self.webhook_url, data=body, headers=headers, timeout=5)
                except requests.RequestException as error:
                    _logger.info("webhook not delivered: %s", error)

    # -- control ---------------------------------------------------------------------------------
    def _get_state(self, request):
        return {"faults": self.faults, "calls": len(self.calls), **self.state()}

    def _set_faults(self, request):
        unknown = set(request.json) - set(self.faults)
        if unknown:
            return self.json({"error": f"unknown fault {sorted(unknown)}; known: {sorted(self.faults)}"}, 400)
        self.faults.update(request.json)
        return self.faults

    def _set_webhook(self, request):
        self.webhook_url = request.json.get("url", "")
        self.webhook_secret = request.json.get("secret", "")
        return {}

    def _do(self, request, action):
        handler = getattr(self, f"do_{action}", None)
        if handler is None:
            raise NotFound
        return handler(**(request.get_json(silent=True) or {}))

    # -- server ----------------------------------------------------------------------------------
    @staticmethod
    def json(data, status=200, headers=None):
        text = json.dumps(data, ensure_ascii=False, default=str)
        return Response(text, status, headers, content_type="application/json; charset=utf-8")

    def _dispatch(self, request):
        endpoint, values = self._map.bind_to_environ(request.environ).match()
        is_control = request.path.startswith("/_sandbox/")
        with self.lock:
            if not is_control:
                for check in (self._faulty, self.authorize, self.throttle):
                    refused = check(request)
                    if refused is not None:
                        return refused
            answer = getattr(self, endpoint)(request, **values)
            if (
                not is_control
                and request.method != "GET"
                and self.is_write(request)
                and self.fault("timeout_after_apply")
            ):
                raise Dropped
        return answer if isinstance(answer, Response) else self.json(answer)

    def is_write(self, request):
        """Whether the call changes something (a GraphQL query is a POST that does not)."""
        return True

    def _faulty(self, request):
        if self.fault("status_500"):
            return self.error(500, "Internal error (sandbox fault)")
        if self.fault("status_429"):
            answer = self.error(429, "Too many requests (sandbox fault)")
            answer.headers["Retry-After"] = "1"
            return answer
        return None

    def __call__(self, environ, start_response):
        request = Request(environ)
        try:
            response = self._dispatch(request)
        except HTTPException as error:
            response = self.error(error.code, error.description)
        self.calls.append((request.method, request.path, response.status_code))
        return response(environ, start_response)

    def start(self, port=0):
        """Serve in background threads; returns the base URL."""
        self._server = make_server("127.0.0.1", port, self, threaded=True, request_handler=_Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        threading.Thread(target=self._deliver_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self):
        self._outbox.put((None, b"", {}))
        if self._server:
            self._server.shutdown()
            self._server.server_close()


class _Handler(WSGIRequestHandler):
    """Keeps connections open as vendors do, is quiet, and can hang up (see Dropped)."""

    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_dropped(self, error, environ=None):
        self.close_connection = True

    def log_request(self, code="-", size="-"):
        pass


def make(system):
    """The sandbox of a registered connector, not started yet. Another addon keeps its own beside its connector."""
    package = get(system).__module__.rpartition(".")[0]
    is_ours = package.startswith(f"{__package__}.")
    return importlib.import_module(f"{__package__}.sandboxes.{system}" if is_ours else f"{package}.sandbox").Sandbox()


def main(argv=None):
    """``python -m connectors.sandbox SYSTEM --port N``: run one sandbox until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system")
    parser.add_argument("--port", type=int, default=0)
    args = parser.parse_args(argv)
    sandbox = make(args.system)
    print(json.dumps({"sandbox": args.system, "url": sandbox.start(args.port)}), flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        sandbox.stop()


if __name__ == "__main__":
    main()
