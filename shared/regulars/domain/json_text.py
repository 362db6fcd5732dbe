"""Strict JSON for money: decimals as they are written, no key twice, nothing that storage could not hold. And one
text, and one hash, for one content."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

from regulars.domain.errors import BadInputError


def strict_json(raw: bytes) -> Any:
    """The document in `raw`: decimals as Decimal: 0.1 stays 0.1, noise of somebody's floating point stays noise.

    Raises BadInputError `bad_json`: not UTF-8, not JSON, NaN, a lone surrogate, too deep, a key twice in one object.
    """
    try:
        document = json.loads(raw.decode(), parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_unique)
        json.dumps(document, default=str, ensure_ascii=False).encode()  # refuses lone surrogates
    except (ValueError, RecursionError) as error:
        raise BadInputError("bad_json", "the body must be JSON in UTF-8, each key once in an object") from error
    return document


def canonical(data: Any) -> str:
    """JSON data as text: the same for the same data, whatever the order of its keys."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def content_hash(data: Any) -> str:
    """128 bits, in hex, over what a sender says: tells a repeated delivery from another body under the same
    version."""
    return hashlib.sha256(canonical(data).encode()).hexdigest()[:32]


def _no_number(name: str) -> None:
    raise ValueError(name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("duplicate key")
    return document
