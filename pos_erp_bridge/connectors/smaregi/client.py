# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The calls: a token that is kept, bare arrays in pages, and an answer that is JSON or an error."""

import time

from ..base import AuthError, ConfigError, DataError, TransientError, UnknownOutcome
from .const import HOSTS, LIST_LIMIT, SCOPES

MARGIN = 60  # seconds before its end at which a token is no longer used


class Client:
    def __init__(self, settings, http, clock=time.monotonic):
        self._http, self._clock = http, clock
        contract = settings["contract_id"]
        api_url, id_url = HOSTS[contract.startswith("sb_")]
        self._api = f"{(settings['api_url'] or api_url).rstrip('/')}/{contract}/pos"
        self._token_url = f"{(settings['id_url'] or id_url).rstrip('/')}/app/{contract}/token"
        self._credentials = settings["client_id"], settings["client_secret"]
        self._token, self._valid_until = "", 0.0

    def get(self, path, **query):
        return self._call("GET", path, params=query)

    def post(self, path, data):
        return self._call("POST", path, json=data)

    def pages(self, path, **query):
        """All rows of a list. There is no total and no link: a short page is the last."""
        rows, page = None, 0
        while rows is None or len(rows) == LIST_LIMIT:
            page += 1
            rows = self.get(path, limit=LIST_LIMIT, page=page, **query)
            yield from rows

    def _call(self, method, path, is_last=False, **kwargs):
        headers = {"Authorization": f"Bearer {self._current_token()}"}
        try:
            response = self._http.request(method, f"{self._api}/{path}", headers=headers, **kwargs)
        except AuthError:
            if is_last:
                raise
            self._token = ""  # it may have been revoked early: one new token, then we believe it
            return self._call(method, path, is_last=True, **kwargs)
        return _json(response, TransientError if method == "GET" else UnknownOutcome)

    def _current_token(self):
        if not self._token or self._clock() >= self._valid_until:
            asked_at, form = self._clock(), {"grant_type": "client_credentials", "scope": SCOPES}
            try:
                response = self._http.request(
                    "POST", self._token_url, data=form, auth=self._credentials, is_safe_to_repeat=True
                )
            except DataError as error:
                raise ConfigError(f"No token: check the contract ID and the app's scopes. {error}") from error
            answer = _json(response, TransientError)
            self._token = answer["access_token"]
            self._valid_until = asked_at + int(answer.get("expires_in") or 0) - MARGIN
        return self._token


def _json(response, otherwise):
    try:
        return response.json()
    except ValueError as error:
        raise otherwise("Smaregi answered with something that is not JSON.") from error
