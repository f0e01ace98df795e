# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""One way of talking to a vendor: time-outs, budget, retries with jitter, error classes, masked log."""

import ipaddress
import logging
import random
import threading
import time
from functools import cached_property
from urllib.parse import urlsplit

import requests

from .base import AuthError, Budget, ConfigError, On, TransientError, UnknownOutcome

_logger = logging.getLogger(__name__)

TIMEOUT = (5, 30)  # seconds: connect, read
TRIES = 3  # within one call; longer waits are the lane's business
LONGEST_WAIT = 20.0  # seconds we wait inside a call before handing the wait to the lane
DEFAULT_BUDGET = Budget(calls=5)
DEFAULT_ERRORS = (
    On(401, AuthError, "the credentials were refused"),
    On(403, ConfigError, "permission is missing"),
    On(429, TransientError, "too many requests"),
    On((500, 599), TransientError, "the service failed"),
)


class TokenBucket:
    """Budget of one channel in this process; ``take`` sleeps until a call may go out."""

    def __init__(self, budget: Budget, clock=time.monotonic, sleep=time.sleep):
        self._budget, self._clock, self._sleep = budget, clock, sleep
        self._tokens, self._at = float(budget.burst), clock()
        self._lock = threading.Lock()

    def take(self):
        rate = self._budget.calls / self._budget.per
        with self._lock:
            now = self._clock()
            self._tokens = min(self._budget.burst, self._tokens + (now - self._at) * rate)
            self._at = now
            self._tokens -= 1
            wait = -self._tokens / rate
        if wait > 0:
            self._sleep(wait)


class Http:
    """A requests session bound to one vendor's rules.

    :param errors: the connector's own meanings, tried before the defaults
    :param sensitive: keys whose values never reach the log
    """

    def __init__(self, errors=(), budget=DEFAULT_BUDGET, sensitive=frozenset(), session=None, sleep=time.sleep):
        self._errors = (*errors, *DEFAULT_ERRORS)
        self._bucket = TokenBucket(budget, sleep=sleep)
        self._sensitive = sensitive
        self._given_session = session
        self._sleep = sleep

    @cached_property
    def _session(self):
        """Made when first needed: whoever only checks a signature or translates never pays for it."""
        return self._given_session or requests.Session()

    def request(self, method, url, *, is_safe_to_repeat=None, timeout=TIMEOUT, **kwargs):
        """Send a request and return the :class:`requests.Response` of a 2xx answer.

        Reads are repeated on a transient failure; writes only when ``is_safe_to_repeat``. A write whose
        answer was lost raises :class:`UnknownOutcome`. Redirects to elsewhere are never followed.
        """
        check_url(url)
        repeat = method in ("GET", "HEAD") if is_safe_to_repeat is None else is_safe_to_repeat
        for attempt in range(1, TRIES + 1):
            self._bucket.take()
            try:
                return self._send(method, url, timeout, kwargs)
            except TransientError as error:
                wait = (
                    error.retry_after if error.retry_after is not None else 0.3 * 2**attempt * random.uniform(0.5, 1.5)
                )
                refused = not isinstance(error, UnknownOutcome)  # e.g. 429: certainly not applied
                if (
                    attempt == TRIES
                    or wait > LONGEST_WAIT
                    or not (repeat or (refused and error.retry_after is not None))
                ):
                    raise
                self._sleep(wait)

    def wait(self, seconds):
        """Pause inside a call because the vendor asked for it in an answer; a long wait is handed to the lane."""
        if seconds > LONGEST_WAIT:
            raise TransientError(f"The channel asks for a pause of {seconds:.0f} s.", retry_after=seconds)
        if seconds > 0:
            self._sleep(seconds)

    def _send(self, method, url, timeout, kwargs):
        started = time.monotonic()
        status = "-"
        try:
            response = self._session.request(method, url, timeout=timeout, allow_redirects=False, **kwargs)
            status = response.status_code
        except requests.ConnectTimeout as error:
            raise TransientError(f"{_host(url)} did not answer within {timeout[0]} s.") from error
        except (requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            raise UnknownOutcome(f"{_host(url)} did not finish its answer within {timeout[1]} s.") from error
        except requests.ConnectionError as error:
            # A reset may come after the request was applied; a refused connection cannot.
            kind = TransientError if "refused" in str(error).lower() else UnknownOutcome
            raise kind(f"{_host(url)} cannot be reached.") from error
        finally:
            _logger.debug(
                "%s %s -> %s in %.0f ms", method, urlsplit(url).path, status, (time.monotonic() - started) * 1e3
            )
        if response.ok and not response.is_redirect:
            return response
        raise self._error(method, url, response)

    def _error(self, method, url, response):
        said = self._masked(response)
        where = f"{method} {urlsplit(url).path} answered {response.status_code}"
        for rule in self._errors:
            if rule.matches(response.status_code):
                kind = rule.then
                if kind is TransientError and response.status_code >= 500 and method not in ("GET", "HEAD"):
                    kind = UnknownOutcome  # the vendor may have applied it before it failed
                return kind(f"{where}: {rule.message or 'refused'}. {said}".strip(), retry_after=_retry_after(response))
        return ConfigError(f"{where}. {said}".strip())

    def _masked(self, response):
        """The vendor's own words, shortened, without the values of sensitive keys."""
        try:
            data = response.json()
        except ValueError:
            return response.text[:200]
        return str(mask(data, self._sensitive))[:300]


def mask(data, sensitive):
    """``data`` (JSON) with the values of ``sensitive`` keys replaced."""
    if isinstance(data, dict):
        return {k: "***" if k in sensitive else mask(v, sensitive) for k, v in data.items()}
    if isinstance(data, list):
        return [mask(item, sensitive) for item in data]
    return data


def check_url(url):
    """Refuse what a person may have typed by mistake or malice: other schemes, plain http and private
    addresses, except loopback (the sandboxes)."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    is_loopback = host in ("localhost", "127.0.0.1", "::1")
    if not host or (parts.scheme != "https" and not (parts.scheme == "http" and is_loopback)):
        raise ConfigError(f"The address {parts.scheme}://{host} is not allowed: use https.")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return
    if not is_loopback and not address.is_global:
        raise ConfigError(f"The address {host} is private: a shop system's public address is needed.")


def _host(url):
    return urlsplit(url).hostname


def _retry_after(response):
    value = response.headers.get("Retry-After", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        return None
