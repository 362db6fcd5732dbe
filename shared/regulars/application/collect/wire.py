"""Bytes to JSON: gzip, size limits, and the JSON that we do not take."""

from __future__ import annotations

import json
import zlib
from typing import Any

import orjson

from regulars.domain.errors import BadInputError

MAX_EVENT_BYTES = 32 * 1024
MAX_BATCH_BYTES = 4_352 * 1024
"""4.25 MiB unpacked: Rudder's clients send batches of up to 4 MiB, and more in base64 is over the 6 MB of an event of
Lambda's."""

_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib: 15 bits of window, plus 16 for a gzip header


def inflated(raw: bytes, limit: int) -> bytes:
    """The body, unpacked where its first bytes say gzip, whatever the headers say (clients and gateways disagree).

    Raises BadInputError `too_large` when there are more than `limit` bytes (found while unpacking, so a small bomb
    does not grow), `bad_gzip` when the stream is damaged or cut off.
    """
    if raw[:2] == _GZIP:
        unpacker = zlib.decompressobj(_GZIP_WINDOW)
        try:
            raw = unpacker.decompress(raw, limit + 1)
        except zlib.error as error:
            raise BadInputError("bad_gzip", "the body starts like gzip and is not") from error
        if len(raw) <= limit and (not unpacker.eof or unpacker.unused_data):
            raise BadInputError("bad_gzip", "the gzip body is cut off or has something behind it")
    if len(raw) > limit:
        raise BadInputError("too_large", f"the body is larger than {limit} bytes")
    return raw


def reject_large(size: int) -> None:
    """Raise BadInputError `too_large` for an event of more bytes than one may have."""
    if size > MAX_EVENT_BYTES:
        raise BadInputError("too_large", f"an event has at most {MAX_EVENT_BYTES} bytes")


def parsed_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in `raw`.

    Raises BadInputError `bad_json` (not JSON, not UTF-8, NaN, a lone surrogate, a number beyond 64 bits of float, more
    than 1,024 levels, a key twice in one object) or `bad_shape` (JSON, and not an object).
    """
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadInputError("bad_json", "the body must be JSON in UTF-8") from error
    if not isinstance(document, dict):
        raise BadInputError("bad_shape", "the body must be a JSON object")
    return document


def reject_duplicate_keys(raw: bytes, keys: int) -> None:
    """Raise BadInputError `bad_json` when an object of the JSON text `raw` has a key twice, `too_deep` when it is too
    deep for the slow reader. `keys`: how many were read.

    Counting `":` in the text tells for almost every body that there are as many keys as were read; only where the
    counts differ (an escaped quote before a colon, space before colons, a key twice) is the slow reader asked.
    """
    if raw.count(b'":') != keys:
        try:
            json.loads(raw, object_pairs_hook=_unique)
        except RecursionError as error:  # orjson reads 1,024 levels, the standard library fewer
            raise BadInputError("too_deep", "the body has too many levels") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise BadInputError("bad_json", "an object has the same key twice")
    return document
