"""Strict JSON for money: decimals as they are written, no key twice, nothing that storage could not hold."""

from __future__ import annotations

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


def _no_number(name: str) -> None:
    raise ValueError(name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("duplicate key")
    return document
