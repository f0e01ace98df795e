# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Who may print: names this proxy is called by, pages that may ask, and tills that have been paired.

Any page in any browser of the shop can send requests here. So before any work: the ``Host`` must be ours (else a
foreign name was pointed at this address), the ``Origin`` must be Odoo's, and the request must be signed.

Signing instead of a password: the line in the shop may be plain HTTP. Odoo and the proxy share a secret since pairing.
A till gets from Odoo its *claims* (who, what it may, until when) and a key, which is the HMAC of the claims; the proxy
computes the same key. Each request carries the claims, the time, and the HMAC of what it asks; a second use is refused.
"""

import base64
import hashlib
import hmac
import ipaddress
import json
import os
import secrets
import time
from dataclasses import dataclass, field

from .addresses import machine_name
from .refusals import Refusal

SCHEME = "Till"
CLOCK_S = 120  # how far a till's clock may be off
PAIR_S, PAIR_TRIES = 600, 5
RATE, BURST = 20.0, 100.0  # requests per second and at once, per address


class CannotStart(Exception):
    """Keys on disk that cannot be used; the message is for people."""


class Denied(Refusal):
    """A request that is not served; ``code`` is for programs."""

    def __init__(self, sentence, /, code, status=403, **values):
        super().__init__(sentence, **values)
        self.code, self.status = code, status


def signature(key, method, path, body, moment, claims):
    """HMAC (hex) of one request.

    :param key: bytes
    :param path: with its query
    :param moment: milliseconds since 1970, as a decimal text
    """
    parts = (method, path, hashlib.sha256(body).hexdigest(), moment, claims)
    return hmac.new(key, "\n".join(parts).encode(), hashlib.sha256).hexdigest()


def moment_of(authorization):
    """When a request was signed, in seconds since 1970; to be asked of one whose signature is right."""
    return int(authorization.split(".")[1]) / 1000


def till_key(secret, claims):
    """The key that belongs to ``claims``, a base64 text."""
    return hmac.new(secret.encode(), claims.encode(), hashlib.sha256).hexdigest().encode()


def make_claims(proxy_id, till, scopes, lifetime):
    """Claims as text: what Odoo gives to a till (the same is computed there)."""
    content = {"proxy": proxy_id, "till": till, "scopes": sorted(scopes), "until": int(time.time() + lifetime)}
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


@dataclass
class Pairing:
    """The short code that is good for one pairing."""

    code: str = ""
    until: float = 0.0
    tries: int = 0

    def offer(self):
        """The code to show, a new one when the last is used up."""
        if time.time() > self.until or self.tries >= PAIR_TRIES:
            self.code = f"{secrets.randbelow(10**8):08}"
            self.until, self.tries = time.time() + PAIR_S, 0
        return self.code

    def take(self, code):
        """Whether ``code`` is right; it is used up then, and after five wrong ones."""
        valid = self.code and time.time() <= self.until and self.tries < PAIR_TRIES
        self.tries += 1
        if valid and hmac.compare_digest(self.code.encode(), str(code).encode()):
            self.code, self.until = "", 0.0
            return True
        return False


def write_private(path, data):
    """A file only this program's user can read: whole, or as it was."""
    part = path.with_suffix(".part")
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    part.rename(path)


@dataclass
class Keys:
    """Identity of this proxy and the secret it shares with Odoo, in a file only its user can read."""

    path: object
    proxy_id: str = ""
    secret: str = ""

    def __post_init__(self):
        if self.path.exists():
            stored = json.loads(self.path.read_text())
            self.proxy_id, self.secret = stored["proxy_id"], stored["secret"]
        else:
            self.proxy_id = secrets.token_hex(8)
            self._write()

    def pair(self, secret):
        self.secret = secret
        self._write()

    def _write(self):
        write_private(self.path, json.dumps({"proxy_id": self.proxy_id, "secret": self.secret}).encode())


@dataclass
class Gate:
    """Judges requests before any work is done.

    :param config: :class:`~.config.Config`
    :param keys: :class:`Keys`
    """

    config: object
    keys: Keys
    pairing: Pairing = field(default_factory=Pairing)
    _used: dict = field(default_factory=dict)  # signature → when it may be forgotten
    _buckets: dict = field(default_factory=dict)  # address → (tokens, time)

    def host(self, host):
        """:raises Denied: this proxy is not called that"""
        name = _host_name(host)
        try:
            ipaddress.ip_address(name)
            return
        except ValueError:
            pass
        if name not in {"localhost", machine_name(), *self.config.hosts}:
            raise Denied("This proxy is not called {name}.", "host", 421, name=name or '""')

    def origin(self, origin, host, scheme):
        """:raises Denied: that page may not ask"""
        if not origin:
            raise Denied("A request without Origin is not served.", "origin")
        if origin not in (*self.config.origins, f"{scheme}://{host}"):
            raise Denied(
                "Pages of {origin} may not use this proxy. Add it to origins in the configuration file.",
                "origin",
                origin=origin,
            )

    def rate(self, address):
        """:raises Denied: too many requests from there"""
        now = time.monotonic()
        tokens, then = self._buckets.get(address, (BURST, now))
        tokens = min(BURST, tokens + (now - then) * RATE)
        if tokens < 1:
            raise Denied("Too many requests.", "rate", 429)
        if len(self._buckets) > 1000:
            self._buckets.clear()
        self._buckets[address] = (tokens - 1, now)

    def scopes(self, authorization, method, path, body):
        """What a signed request may do, a set of ``print``, ``drawer``, ``scale``, ``scan``, ``admin``.

        :raises Denied: not signed, too old, used before, or signed by somebody else
        """
        scheme, _, rest = (authorization or "").partition(" ")
        parts = rest.split(".")
        if scheme != SCHEME or len(parts) != 3:
            raise Denied("This request is not signed. Open the till from Odoo again.", "unsigned", 401)
        if not self.keys.secret:
            raise Denied("This proxy is not paired. Enter its code in Odoo's settings.", "unpaired", 401)
        claims, moment, sent = parts
        wanted = signature(till_key(self.keys.secret, claims), method, path, body, moment, claims)
        if not hmac.compare_digest(wanted.encode(), sent.encode()):
            raise Denied("This request is not signed by the Odoo this proxy is paired with.", "other_odoo", 401)
        content = json.loads(base64.urlsafe_b64decode(claims))
        now = time.time()
        if content["proxy"] != self.keys.proxy_id:
            raise Denied("This request is for another proxy. Open the till from Odoo again.", "other_proxy", 401)
        if content["until"] < now:
            raise Denied("The till's right to print has ended. Open the till from Odoo again.", "expired", 401)
        if not moment.isdecimal() or abs(int(moment) / 1000 - now) > CLOCK_S:
            raise Denied("The clocks of the till and of the proxy differ by more than two minutes.", "clock", 401)
        self._once(sent, now)
        return set(content["scopes"])

    def _once(self, sent, now):
        if len(self._used) > 10000:
            self._used = {key: until for key, until in self._used.items() if until > now}
        if self._used.get(sent, 0) > now:
            raise Denied("This request was sent before.", "replayed", 401)
        self._used[sent] = now + 2 * CLOCK_S


def _host_name(host):
    host = (host or "").strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host
