"""Write keys: they tell sources apart. A browser's is public by nature, so they prove nothing more."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class WriteKeys:
    """The keys of all sources."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        """`keys`: source name to its write key."""
        self._keys = [(source, key.encode()) for source, key in keys.items()]

    def source_of(self, key: str) -> str | None:
        """The source that a key belongs to. Takes the same time for every key of one length, right or wrong."""
        given = key.encode("utf-8", "surrogatepass")
        found = None
        for source, known in self._keys:
            if hmac.compare_digest(given, known):
                found = source
        return found


def key_in_headers(headers: Mapping[str, str]) -> str | None:
    """The write key from Basic auth (as the user; the colon may be missing), Bearer or `X-Write-Key`; None without
    one."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "basic":
            try:
                return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[0]
            except (binascii.Error, ValueError):
                return ""
        case "bearer":
            return credentials.strip()
        case _:
            return headers.get("x-write-key")
