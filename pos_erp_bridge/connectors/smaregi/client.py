# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The calls: a token that is kept, bare arrays in pages, and an answer that is JSON or an error."""

import time

from ..base import AuthError, ConfigError, DataError, TransientError, UnknownOutcome
from .const import HOSTS, LIST_LIMIT, SANDBOX_PREFIX, SCOPES

MARGIN = 60  # seconds before its end at which a token is no longer used


class Client:
    def __init__(self, settings, http, clock=time.monotonic):
        self._settings, self._http, self._clock = settings, http, clock
        contract = settings["contract_id"]
        api_url, id_url = HOSTS[contract.startswith(SANDBOX_PREFIX)]
        self._api = f"{(settings['api_url'] or api_url).rstrip('/')}/{contract}/pos"
        self._token_url = f"{(settings['id_url'] or id_url).rstrip('/')}/app/{contract}/token"
        self._token, self._valid_until = "", 0.0

    def get(self, path, **query):
        return self._call("GET", path, params=query)

    def post(self, path, data):
        return self._call("POST", path, json=data)

    def pages(self, path, **query):
        """All rows of a list, page by page. There is no total and no link: a short page is the last."""
        limit = query.setdefault("limit", LIST_LIMIT)
        page = 0
        while True:
            page += 1
            rows = self.get(path, page=page, **query)
            yield from rows
            if len(rows) < limit:
                return

    def _call(self, method, path, **kwargs):
        for is_last in (False, True):
            headers = {"Authorization": f"Bearer {self._current_token()}"}
            try:
                response = self._http.request(method, f"{self._api}/{path}", headers=headers, **kwargs)
            except AuthError:
                self._token = ""  # it may have been revoked early: one new token, then believe it
                if is_last:
                    raise
            else:
                return _json(response, method)

    def _current_token(self):
        if self._token and self._clock() < self._valid_until:
            return self._token
        asked_at = self._clock()
        try:
            response = self._http.request(
                "POST",
                self._token_url,
                data={"grant_type": "client_credentials", "scope": SCOPES},
                auth=(self._settings["client_id"], self._settings["client_secret"]),
                is_safe_to_repeat=True,
            )
        except DataError as error:
            raise ConfigError(f"Smaregi gives no token; check the contract ID and the app's scopes. {error}") from error
        answer = _json(response, "GET")
        self._token = answer["access_token"]
        self._valid_until = asked_at + max(0, int(answer.get("expires_in") or 0) - MARGIN)
        return self._token


def _json(response, method):
    try:
        return response.json()
    except ValueError as error:
        kind = TransientError if method == "GET" else UnknownOutcome
        raise kind("Smaregi answered with something that is not JSON.") from error
