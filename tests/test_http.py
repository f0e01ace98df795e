# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The one way of talking to a vendor, against a real server that misbehaves on command."""

import logging
import socket
import threading

import pytest
from connectors.base import AuthError, Budget, ConfigError, On, TransientError, UnknownOutcome
from connectors.http import LONGEST_WAIT, Http, TokenBucket, check_url, mask

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
HANG_UP = b""


def answer(status, headers="", body=b"{}"):
    head = f"HTTP/1.1 {status} X\r\n{headers}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


class Server:
    """Gives the scripted answers in turn, one per connection, then OK; an empty answer hangs up."""

    def __init__(self):
        self.script, self.requests = [], []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _address = self._socket.accept()
            except OSError:
                return
            with connection:
                self.requests.append(connection.recv(65536).decode())
                connection.sendall(self.script.pop(0) if self.script else OK)

    def close(self):
        self._socket.close()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def slept():
    return []


@pytest.fixture
def http(slept):
    return Http(budget=Budget(calls=1000, burst=1000), sensitive=frozenset({"secret"}), sleep=slept.append)


def test_read_is_repeated_after_failures(http, server, slept):
    """A read survives two failures, waiting longer each time."""
    server.script = [answer(500), HANG_UP]
    assert http.request("GET", server.url).json() == {}
    assert len(server.requests) == 3
    assert 0.3 <= slept[0] <= 0.9 and 0.6 <= slept[1] <= 1.8


def test_read_gives_up_after_three_tries(http, server):
    """A service that stays down is the lane's business."""
    server.script = [answer(503)] * 5
    with pytest.raises(TransientError):
        http.request("GET", server.url)
    assert len(server.requests) == 3


def test_write_whose_answer_is_lost_has_an_unknown_outcome(http, server):
    """A server that hangs up after reading the request may have applied it: it is never sent again blindly."""
    server.script = [HANG_UP]
    with pytest.raises(UnknownOutcome):
        http.request("POST", server.url, json={"add": 1})
    assert len(server.requests) == 1


def test_write_that_failed_inside_the_vendor_has_an_unknown_outcome(http, server):
    """A 500 on a write says nothing about what was applied."""
    server.script = [answer(500)]
    with pytest.raises(UnknownOutcome):
        http.request("POST", server.url, json={})
    assert len(server.requests) == 1


def test_write_that_is_safe_is_repeated(http, server):
    """A write declared safe to repeat is repeated like a read."""
    server.script = [HANG_UP]
    assert http.request("POST", server.url, json={}, is_safe_to_repeat=True).ok
    assert len(server.requests) == 2


def test_refused_connection_is_not_an_unknown_outcome(http):
    """Nobody listened, so nothing was applied."""
    with socket.socket() as unheard:  # bound, never listening: the port is ours and refuses
        unheard.bind(("127.0.0.1", 0))
        with pytest.raises(TransientError) as caught:
            http.request("POST", f"http://127.0.0.1:{unheard.getsockname()[1]}", json={})
    assert not isinstance(caught.value, UnknownOutcome)


def test_retry_after_wins_over_our_own_wait(http, server, slept):
    """The vendor's wish is obeyed to the second, also for a write: 429 was certainly not applied."""
    server.script = [answer(429, "Retry-After: 7\r\n")]
    assert http.request("POST", server.url, json={}).ok
    assert slept == [7.0]


def test_long_retry_after_is_handed_to_the_lane(http, server, slept):
    """A wait of minutes does not block a worker."""
    server.script = [answer(429, f"Retry-After: {LONGEST_WAIT * 10:.0f}\r\n")]
    with pytest.raises(TransientError) as caught:
        http.request("GET", server.url)
    assert caught.value.retry_after == LONGEST_WAIT * 10 and slept == []


@pytest.mark.parametrize(("status", "error"), [(401, AuthError), (403, ConfigError), (418, ConfigError)])
def test_refusals_are_not_repeated(http, server, status, error):
    """Wrong credentials or rights do not get better by asking again."""
    server.script = [answer(status)]
    with pytest.raises(error):
        http.request("GET", server.url)
    assert len(server.requests) == 1


def test_a_connectors_own_rule_comes_first(server):
    """What a status means is the vendor's to say."""
    server.script = [answer(401)]
    http = Http(errors=(On(401, ConfigError, "plan too small"),), budget=Budget(1000, burst=1000))
    with pytest.raises(ConfigError, match="plan too small"):
        http.request("GET", server.url)


def test_redirect_is_not_followed(http, server):
    """A token must not travel to wherever an answer points."""
    server.script = [answer(302, f"Location: {server.url}/elsewhere\r\n")]
    with pytest.raises(ConfigError):
        http.request("GET", server.url, headers={"Authorization": "Bearer x"})
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com/", "ftp://example.com/", "https://10.0.0.1/", "https://192.168.1.4/x", "https://[fd00::1]/"),
        *("https://169.254.169.254/latest/meta-data", "https://0.0.0.0/", "https:///nowhere"),
    ],
)
def test_address_that_is_not_public_https_is_refused(http, url):
    """A typed address cannot make the server knock on doors inside."""
    with pytest.raises(ConfigError):
        http.request("GET", url)


@pytest.mark.parametrize("url", ["https://api.example.com/", "http://127.0.0.1:8000/", "http://localhost/", "https://8.8.8.8/"])
def test_public_and_loopback_addresses_are_allowed(url):
    """Vendors and sandboxes can be reached."""
    check_url(url)


def test_secrets_reach_neither_error_nor_log(http, server, caplog):
    """An error repeats the vendor's words without the values of sensitive keys; the log has no query and no body."""
    server.script = [answer(400, body=b'{"detail": [{"secret": "hush", "why": "bad"}]}')]
    with caplog.at_level(logging.DEBUG), pytest.raises(ConfigError) as caught:
        http.request("POST", f"{server.url}/path?key=hush", json={"secret": "hush"}, headers={"Authorization": "hush"})
    assert "hush" not in str(caught.value) and "bad" in str(caught.value)
    assert "hush" not in "".join(r.getMessage() for r in caplog.records if r.name.startswith("connectors"))


def test_mask_goes_to_the_bottom():
    """Nested values are masked too; the rest stays."""
    assert mask({"a": [{"k": 1, "b": 2}], "k": {"x": 1}}, {"k"}) == {"a": [{"k": "***", "b": 2}], "k": "***"}


def test_budget_spreads_calls():
    """Beyond the burst, calls wait for their turn."""
    slept = []
    bucket = TokenBucket(Budget(calls=2, per=1.0, burst=3), clock=lambda: 0.0, sleep=slept.append)
    for _ in range(5):
        bucket.take()
    assert slept == [0.5, 1.0]


def test_budget_refills_up_to_the_burst():
    """A long pause does not save up more than one burst."""
    now, slept = [0.0], []
    bucket = TokenBucket(Budget(calls=1, burst=2), clock=lambda: now[0], sleep=slept.append)
    bucket.take()
    now[0] = 100.0
    for _ in range(3):
        bucket.take()
    assert slept == [1.0]
