"""Rejected payloads of collect: how they are kept, and how one is read again after a fix."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from regulars.application.collect.segment import MAX_MESSAGE_ID_CHARS
from regulars.domain.events import BadRow, event_id_of

if TYPE_CHECKING:
    from regulars.application.collect.receipt import Receipt
    from regulars.domain.errors import BadInputError

STAGE = "collect"
"""A row's stage is `collect/<door>`: the route whose normaliser reads `original` again."""


def bad_row(  # noqa: PLR0917 - one value per field
    receipt: Receipt, door: str, error: BadInputError, original: bytes, index: int = 0, message_id: object = None
) -> BadRow:
    """The row of one rejected payload, the `index`-th of its request."""
    text, encoding = _as_text(original)
    known = message_id if isinstance(message_id, str) and 0 < len(message_id) <= MAX_MESSAGE_ID_CHARS else None
    return BadRow(
        row_id=hashlib.sha256(f"{receipt.source}:{receipt.request_id}:{index}".encode()).hexdigest()[:32],
        source=receipt.source,
        stage=f"{STAGE}/{door}",
        code=error.code,
        detail=error.detail,
        received_at=receipt.received_at,
        original=text,
        encoding=encoding,
        event_id=event_id_of(receipt.source, known) if known else None,
        message_id=known,
    )


def original_bytes(row: BadRow) -> bytes:
    """The inverse of what `bad_row` did to the original."""
    return base64.b64decode(row.original) if row.encoding == "base64" else row.original.encode()


def _as_text(original: bytes) -> tuple[str, str]:
    try:
        return original.decode(), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(original).decode(), "base64"
