# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Speaking GraphQL with one shop: token, query cost, errors of the transport."""

import re
import time
from pathlib import Path

from ..base import AuthError, ConfigError, DataError, TransientError, UnknownOutcome
from .const import GRAPHQL_PATH, TOKEN_PATH


def _load_operations():
    """{operation name: document with the fragments it uses}, from operations.graphql."""
    text = re.sub(r"#.*", "", (Path(__file__).parent / "operations.graphql").read_text())
    parts = [part.strip() for part in re.split(r"\n(?=(?:fragment|query|mutation) )", text) if part.strip()]
    fragments = {part.split()[1]: part for part in parts if part.startswith("fragment")}
    operations = {}
    for part in (part for part in parts if not part.startswith("fragment")):
        used, wanted = {}, [part]
        while wanted:
            for other in set(re.findall(r"\.\.\.(\w+)", wanted.pop())) - set(used):
                used[other] = fragments[other]
                wanted.append(fragments[other])
        operations[part.split()[1].partition("(")[0]] = "\n".join([part, *used.values()])
    return operations


OPERATIONS = _load_operations()


class TooDear(DataError):
    """The query costs more than one query may: ask for less at once."""


class Client:
    """One shop's endpoint. Keeps the token and what was last heard of the cost bucket."""

    def __init__(self, settings, http):
        self._settings, self._http = settings, http
        self._base = (settings["base_url"] or f"https://{settings['shop']}").rstrip("/")
        self._token, self._renew_at = settings["access_token"], float("inf")
        self._costs, self._bucket = {}, (float("inf"), 1, 0)  # by operation; (available, refilled per second, when)
        self.version = ""  # of the API that answered: an expired one falls forward without a word

    def run(self, operation, variables=None, *, is_safe_to_repeat=True):
        """``data`` of the answer. A mutation is safe to repeat only with an idempotency key."""
        body = {"query": OPERATIONS[operation], "operationName": operation, "variables": variables or {}}
        available, rate, at = self._bucket
        missing = self._costs.get(operation, 0) - available - (time.monotonic() - at) * rate
        self._http.wait(max(0, missing) / rate)
        for is_last in (False, False, True):
            answer = self._post(body, is_safe_to_repeat)
            cost = answer.get("extensions", {}).get("cost")
            if cost:
                status = cost["throttleStatus"]
                self._bucket = status["currentlyAvailable"], status["restoreRate"] or 1, time.monotonic()
                self._costs[operation] = cost["requestedQueryCost"] or 0
            if not answer.get("errors"):
                return answer["data"]
            error = self._error(body, answer["errors"][0])
            if error.retry_after is None or is_last:
                raise error
            self._http.wait(error.retry_after)

    def _post(self, body, is_safe_to_repeat):
        url, safe = self._base + GRAPHQL_PATH, {"is_safe_to_repeat": is_safe_to_repeat}
        for is_last in (False, True):
            headers = {"X-Shopify-Access-Token": self._get_token()}
            try:
                response = self._http.request("POST", url, json=body, headers=headers, **safe)
            except AuthError:
                # A token may end early (app reinstalled, secret rotated); a permanent one cannot be renewed.
                if is_last or self._settings["access_token"]:
                    raise
                self._token = ""
                continue
            self.version = response.headers.get("X-Shopify-API-Version", "")
            try:
                return response.json()
            except ValueError as error:
                raise UnknownOutcome("Shopify's answer was not JSON.") from error

    def _get_token(self):
        if not self._token or time.monotonic() > self._renew_at:
            form = {"grant_type": "client_credentials"} | {k: self._settings[k] for k in ("client_id", "client_secret")}
            # Asking twice only makes two tokens.
            answer = self._http.request("POST", self._base + TOKEN_PATH, data=form, is_safe_to_repeat=True).json()
            self._token = answer["access_token"]
            self._renew_at = time.monotonic() + float(answer.get("expires_in", 86400)) - 300
        return self._token

    def _error(self, body, first):
        details = first.get("extensions") or {}
        code, said = details.get("code"), f"{body['operationName']}: {first['message']}"
        if code == "THROTTLED":
            available, rate, _ = self._bucket
            wait = max(0.1, (self._costs.get(body["operationName"], 0) - available) / rate)
            return TransientError(f"Shopify asks for a pause. {said}", retry_after=wait)
        if code == "ACCESS_DENIED":
            needed = details.get("requiredAccess") or first["message"]
            return ConfigError(f"The app lacks a permission: {needed} Add it in the Dev Dashboard, then reinstall.")
        if code == "MAX_COST_EXCEEDED":
            return TooDear(said)
        if code in ("INTERNAL_SERVER_ERROR", "TIMEOUT"):
            is_mutation = body["query"].startswith("mutation")
            return (UnknownOutcome if is_mutation else TransientError)(f"Shopify failed. {said}")
        return ConfigError(f"Shopify refused the request. {said}")
