"""`ShopApi` over HTTPS: BigCommerce's REST API.

Where to ask is fixed (the address is the operator's, an id is nothing but digits), so nothing that a webhook says can
make us call somebody else. Redirects are not followed.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
import urllib3

from regulars.domain.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from regulars.ports import Secrets

MAX_BYTES = 4 * 1024 * 1024
_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


class BigCommerceApi:
    """`url`: the API's address (`https://api.bigcommerce.com`). The secret `<secret_prefix><source>` is a JSON object
    with `store_hash` and `token` (of an API account that may read orders, customers and products)."""

    def __init__(self, secrets: Secrets, *, secret_prefix: str, url: str) -> None:
        self._secrets = secrets
        self._prefix = secret_prefix
        self._url = url.rstrip("/")
        timeout = urllib3.Timeout(connect=2.0, read=8.0)
        self._pool = urllib3.PoolManager(retries=False, timeout=timeout)

    def get(self, source: str, path: str) -> bytes:
        """The body of a document; empty where there is nothing to tell (204).

        Raises TransientError when the shop does not answer or has too much to do, PermanentError when it refuses, has
        no such resource, or nobody gave us a token for it.
        """
        store, token = self._account(source)
        url = f"{self._url}/stores/{store}{path}"
        headers = {"X-Auth-Token": token, "Accept": "application/json", "User-Agent": "Regulars"}
        try:
            answer = self._pool.request("GET", url, headers=headers, redirect=False, preload_content=False)
            try:
                body = answer.read(MAX_BYTES + 1)
            finally:
                answer.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise TransientError("the shop's API did not answer") from error
        if answer.status in _LATER or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise TransientError(f"the shop's API answered {answer.status}")
        if answer.status not in (HTTPStatus.OK, HTTPStatus.NO_CONTENT):
            raise PermanentError(f"the shop's API answered {answer.status}")
        if len(body) > MAX_BYTES:
            raise PermanentError("the shop's API answered with too much")
        return body

    def _account(self, source: str) -> tuple[str, str]:
        """(store hash, token): of the newest secret, as the shop knows only one."""
        for value in self._secrets.valid(self._prefix + source)[:1]:
            try:
                account: Any = orjson.loads(value)
                store, token = account["store_hash"], account["token"]
            except (ValueError, KeyError, TypeError) as error:
                raise PermanentError("the secret of the shop's API is no object of store_hash and token") from error
            if isinstance(store, str) and store.isalnum() and store.isascii() and isinstance(token, str):
                return store, token
            raise PermanentError("the secret of the shop's API holds no store hash")
        raise PermanentError("there is no secret for the shop's API")
