"""The hash of what a client or a row says: by orjson, as it is taken of every event."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson


def payload_hash(parts: list[Any]) -> str:
    """128 bits, in hex, over JSON data, whatever the order of its keys. Raises TypeError where orjson cannot write it.

    regulars.domain.json_text.content_hash writes some numbers differently: stored hashes keep these two apart.
    """
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
