"""Signed orders: HTTP webhooks to messages of the events queue.

A sender is believed because of its signature alone, which is checked over the raw bytes before anything else is read.
What a verified sender sends is never lost: an order becomes an event, anything else a bad row.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regulars.application.bad_rows import original_bytes, row_of
from regulars.application.http import HttpReply, error_reply, json_reply
from regulars.application.queue_messages import messages_of
from regulars.domain.errors import BadInputError, PermanentError, TransientError
from regulars.domain.events import BadRow, Event
from regulars.domain.orders_payload import order_event

if TYPE_CHECKING:
    from datetime import datetime

    from regulars.application.http import HttpRequest
    from regulars.ports import Queue, Secrets

STAGE = "orders"
"""A row's stage is `orders/<kind of source>`."""

TIMESTAMP_HEADER = "regulars-timestamp"
SIGNATURE_HEADER = "regulars-signature"
TOLERANCE_SECONDS = 300
MAX_ORDER_BYTES = 150 * 1024
RETRY_AFTER_SECONDS = "5"
_MAX_SIGNATURES = 10
_SOURCE = re.compile(r"[a-z0-9][a-z0-9_\-]{0,63}")
_UNIX_SECONDS = re.compile(r"[0-9]{1,12}")


class UnverifiedError(Exception):
    """Nobody whom we know signed this, or not now. Its text may be told to the sender."""


@dataclass(frozen=True, slots=True)
class SourceKind:
    """How one kind of shop signs and speaks.

    `claim` finds what must be compared (raises UnverifiedError when a request cannot be genuine, before any secret is
    fetched), `verify` compares it with the secrets, `translate` makes the canonical event (raises BadInputError).
    """

    claim: Callable[[HttpRequest], tuple[str, tuple[str, ...]]]
    verify: Callable[[bytes, str, Sequence[str], Sequence[str]], bool]
    translate: Callable[..., Event]


def claimed(request: HttpRequest) -> tuple[str, tuple[str, ...]]:
    """(timestamp, signatures) of the generic scheme. Raises UnverifiedError when either is missing, or it is not
    now."""
    timestamp = request.headers.get(TIMESTAMP_HEADER, "")
    entries = request.headers.get(SIGNATURE_HEADER, "").split(",")[:_MAX_SIGNATURES]
    signatures = tuple(entry.strip()[3:].lower() for entry in entries if entry.strip().startswith("v1="))
    if not signatures or not _UNIX_SECONDS.fullmatch(timestamp):
        raise UnverifiedError("the request is not signed")
    if abs(request.received_at.timestamp() - int(timestamp)) > TOLERANCE_SECONDS:
        raise UnverifiedError(f"the timestamp is more than {TOLERANCE_SECONDS} seconds from now")
    return timestamp, signatures


def signature_of(raw: bytes, timestamp: str, secret: str) -> str:
    """Hex of HMAC-SHA256 with `secret` over `<timestamp>.<raw body>`: what a sender puts behind `v1=`."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + raw, hashlib.sha256).hexdigest()


def is_signed(raw: bytes, timestamp: str, signatures: Sequence[str], secrets: Sequence[str]) -> bool:
    """Whether any signature is right for any of the valid secrets."""
    expected = [signature_of(raw, timestamp, secret).encode() for secret in secrets]
    given = [signature.encode("utf-8", "surrogatepass") for signature in signatures]
    matches = [hmac.compare_digest(right, one) for right in expected for one in given]  # all, however soon one matches
    return any(matches)


GENERIC = "generic"
KINDS: Mapping[str, SourceKind] = {GENERIC: SourceKind(claim=claimed, verify=is_signed, translate=order_event)}
"""A source called `<kind>` or `<kind>-<anything>` is of that kind; every other one is generic."""


def kind_of(source: str) -> str:
    """The kind of a source, from its name."""
    kind = source.partition("-")[0]
    return kind if kind in KINDS else GENERIC


class ReceiveOrders:
    """The order webhooks of one deployment. The secret of a source is called `<secret_prefix><source>`."""

    def __init__(self, *, secrets: Secrets, secret_prefix: str, queue: Queue) -> None:
        self._secrets = secrets
        self._prefix = secret_prefix
        self._queue = queue

    def __call__(self, request: HttpRequest) -> HttpReply:
        """Answer `POST /webhooks/orders/{source}`. Never raises for what a sender did."""
        if request.method != "POST":
            return error_reply(405, "method_not_allowed", "use POST", {"allow": "POST"})
        source = request.path.rpartition("/")[2]
        kind = KINDS[kind_of(source)]
        try:
            raw = self._verified(request, source, kind)
        except (UnverifiedError, BadInputError) as error:
            return error_reply(401, "unauthorized", str(error), {}, {"RequestsUnauthorized": 1})
        except (TransientError, PermanentError):
            return _unavailable("SecretsUnavailable")
        try:
            event = _translated(kind, raw, source, request.received_at)
        except BadInputError as error:
            row = row_of(
                error,
                raw,
                source=source,
                stage=f"{STAGE}/{kind_of(source)}",
                received_at=request.received_at,
                request_id=request.request_id,
            )
            reply = error_reply(400, error.code, error.detail, {}, {"RequestsMalformed": 1, "BadRows": 1})
            return self._stored([], [row]) or reply
        return self._stored([event], []) or json_reply(200, {"success": True}, {}, {})

    def _verified(self, request: HttpRequest, source: str, kind: SourceKind) -> bytes:
        """The raw body of a request that its source signed. Raises BadInputError when the bytes cannot even be told."""
        timestamp, signatures = kind.claim(request)
        raw = request.raw_body()
        # A source that does not exist has no secrets, and is told the same as one with a wrong signature.
        if not kind.verify(raw, timestamp, signatures, self._secrets_of(source)):
            raise UnverifiedError("the signature does not match")
        return raw

    def _secrets_of(self, source: str) -> Sequence[str]:
        return self._secrets.valid(self._prefix + source) if _SOURCE.fullmatch(source) else ()

    def _stored(self, events: list[Event], bad: list[BadRow]) -> HttpReply | None:
        """None once the queue has everything; 503 when it has not."""
        try:
            self._queue.send(messages_of(events, bad))
        except (TransientError, PermanentError):
            return _unavailable("QueueUnavailable")
        return None


def read_again(row: BadRow) -> Event:
    """A bad row of this stage through the translator that rejected it, as of its own receipt.

    Raises BadInputError when it is still bad, KeyError when the row is not of this stage.
    """
    stage, _, kind = row.stage.partition("/")
    if stage != STAGE:
        raise KeyError(row.stage)
    return _translated(KINDS[kind], original_bytes(row), row.source, row.received_at)


def _translated(kind: SourceKind, raw: bytes, source: str, received_at: datetime) -> Event:
    if len(raw) > MAX_ORDER_BYTES:
        raise BadInputError("too_large", f"an order has at most {MAX_ORDER_BYTES} bytes")
    return kind.translate(raw, source=source, received_at=received_at)


def _unavailable(counter: str) -> HttpReply:
    headers = {"retry-after": RETRY_AFTER_SECONDS}
    return error_reply(503, "unavailable", "the order could not be stored, send it again", headers, {counter: 1})
