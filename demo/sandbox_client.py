"""Talking to a vendor's sandbox: its actions, its levels and the moments they changed."""

import time

import requests

from demo.processes import DemoError


class SandboxClient:
    def __init__(self, system, url):
        self.system, self.url = system, url
        self._session = requests.Session()
        self._session.trust_env = False

    def _ask(self, method, path, **request):
        answer = self._session.request(method, f"{self.url}/_sandbox/{path}", timeout=30, **request)
        if answer.status_code != 200:
            raise DemoError(f"The {self.system} sandbox refused {path}: {answer.text[:300]}")
        return answer.json()

    def do(self, action, at=None, **values):
        """One of the things a shop does; ``at``: the moment it is while the demo is built."""
        return self._ask("POST", f"do/{action}", json=values, headers={"X-Demo-At": at.isoformat()} if at else None)

    def set_webhook(self, url, secret):
        self._ask("POST", "webhook", json={"url": url, "secret": secret})

    def set_faults(self, **faults):
        return self._ask("POST", "faults", json=faults)

    def state(self):
        return self._ask("GET", "state")

    def levels(self):
        """{store: {code: pieces}}"""
        return self.state()["levels"]

    def mark(self):
        """Where the list of changes ends now; to be given to ``wait_for``."""
        return self._ask("GET", "changes?after=0")["next"]

    def wait_for(self, mark, store, code, level, seconds=30.0):
        """The moment (time.time) at which the level of ``code`` became ``level``, after ``mark``."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for change in self._ask("GET", f"changes?after={mark}")["changes"]:
                if (change["store"], change["code"], change["level"]) == (store, code, level):
                    return change["at"]
            # The moments are noted by the sandbox itself: looking seldom costs no accuracy.
            time.sleep(0.02)
        held = self.levels().get(store, {}).get(code)
        raise DemoError(
            f"The {self.system} sandbox still shows {held} of {code} in store {store} after {seconds:g} s; "
            f"{level} was expected."
        )
