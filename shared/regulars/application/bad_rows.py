"""Rejected payloads of verified senders as bad rows, and back to bytes for another reading."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from regulars.domain.events import MAX_MESSAGE_ID_CHARS, BadRow, event_id_of

if TYPE_CHECKING:
    from datetime import datetime

    from regulars.domain.errors import BadInputError


def row_of(
    error: BadInputError,
    original: bytes,
    *,
    source: str,
    stage: str,
    received_at: datetime,
    request_id: str,
    index: int = 0,
    message_id: object = None,
) -> BadRow:
    """The row of the `index`-th rejected payload of a request. `stage` names the normaliser that can read it again.

    `message_id` is kept where it can be one, so that what was sent can be counted against what was stored.
    """
    text, encoding = _as_text(original)
    known = message_id if isinstance(message_id, str) and 0 < len(message_id) <= MAX_MESSAGE_ID_CHARS else None
    return BadRow(
        row_id=hashlib.sha256(f"{stage}:{source}:{request_id}:{index}".encode()).hexdigest()[:32],
        source=source,
        stage=stage,
        code=error.code,
        detail=error.detail,
        received_at=received_at,
        original=text,
        encoding=encoding,
        event_id=event_id_of(source, known) if known else None,
        message_id=known,
    )


def original_bytes(row: BadRow) -> bytes:
    """The bytes that were rejected."""
    return base64.b64decode(row.original) if row.encoding == "base64" else row.original.encode()


def _as_text(original: bytes) -> tuple[str, str]:
    try:
        return original.decode(), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(original).decode(), "base64"
