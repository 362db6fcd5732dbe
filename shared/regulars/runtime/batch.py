"""The reply of a batch consumer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def batch_reply(failed: Iterable[str]) -> dict[str, Any]:
    """Lambda's partial batch response: only `failed` item identifiers come again.

    An identifier that is empty would make Lambda take the whole batch as failed, so it is refused (ValueError).
    """
    identifiers = list(failed)
    if not all(identifiers):
        raise ValueError("an empty item identifier would fail the whole batch")
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in identifiers]}
