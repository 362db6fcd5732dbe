"""Signed webhooks to messages of the events queue: orders, whatever else a shop system tells, and events of servers.

A sender is believed because of its signature alone, which is checked over the raw bytes before anything else is read.
What a verified sender sends is never lost: it becomes events, or a resource to be fetched, or a bad row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.application.bad_rows import original_bytes, row_of
from regulars.application.http import HttpReply, error_reply, json_reply
from regulars.application.queue_messages import messages_of
from regulars.application.webhooks import signed_events
from regulars.application.webhooks.fetching import fetch_message
from regulars.application.webhooks.kinds import EVENTS, KINDS, Taken, Webhook, kind_of, taken
from regulars.application.webhooks.signatures import UnverifiedError
from regulars.domain.errors import BadInputError, PermanentError, TransientError
from regulars.domain.events import SOURCE_NAME
from regulars.domain.shops.delivery import UNKNOWN_TOPIC

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regulars.application.http import HttpRequest
    from regulars.application.webhooks.kinds import SourceKind
    from regulars.domain.events import BadRow, Event
    from regulars.ports import Queue, Secrets

STAGE = "orders"
"""A row's stage is `orders/<kind of source>`, with `/<topic>` where a header names one."""

EVENTS_ROUTE = "/webhooks/events/"
RETRY_AFTER_SECONDS = "5"
_UNAUTHORIZED = {"RequestsUnauthorized": 1}


class ReceiveOrders:
    """The webhooks of one deployment. The secret of a source is called `<secret_prefix><source>`.

    `fetches` takes what must be fetched from a shop's API (None: such shops are told to come again); `shop_currency`
    is that of product prices that name none.
    """

    def __init__(
        self, *, secrets: Secrets, secret_prefix: str, queue: Queue,
        fetches: Queue | None = None, shop_currency: str | None = None,
    ) -> None:  # fmt: skip
        self._secrets = secrets
        self._prefix = secret_prefix
        self._queue = queue
        self._fetches = fetches
        self._currency = shop_currency

    def __call__(self, request: HttpRequest) -> HttpReply:
        """Answer `POST /webhooks/orders/{source}` and `/webhooks/events/{source}`. Never raises for what a sender
        did."""
        if request.method != "POST":
            return error_reply(405, "method_not_allowed", "use POST", {"allow": "POST"})
        source = request.path.rpartition("/")[2]
        is_events = request.path.startswith(EVENTS_ROUTE)
        kind = EVENTS if is_events else KINDS[kind_of(source)]
        if kind.is_ping(request):
            return json_reply(200, {"success": True}, {}, {"WebhookPings": 1})
        try:
            raw = self._verified(request, source, kind)
        except UnverifiedError as error:
            return error_reply(error.status, "unauthorized", str(error), {}, _UNAUTHORIZED)
        except BadInputError as error:
            return error_reply(401, "unauthorized", str(error), {}, _UNAUTHORIZED)
        except (TransientError, PermanentError):
            return _unavailable("SecretsUnavailable")
        topic, sent_at, delivery_id = kind.headed(request.headers)
        webhook = Webhook(
            raw=raw,
            source=source,
            received_at=request.received_at,
            request_id=request.request_id,
            topic=topic,
            sent_at=sent_at,
            delivery_id=delivery_id,
            shop_currency=self._currency,
        )
        stage = f"{signed_events.STAGE}/batch" if is_events else "/".join(filter(None, (STAGE, kind_of(source), topic)))
        return self._answered(kind, webhook, stage)

    def _answered(self, kind: SourceKind, webhook: Webhook, stage: str) -> HttpReply:
        """The answer once everything is safe."""
        try:
            found = taken(kind, webhook)
        except BadInputError as error:
            if error.code == UNKNOWN_TOPIC:
                return json_reply(200, {"success": True}, {}, {"WebhooksNotTaken": 1})
            row = row_of(
                error,
                webhook.raw,
                source=webhook.source,
                stage=stage,
                received_at=webhook.received_at,
                request_id=webhook.request_id,
            )
            status = 200 if kind.accepts_bad else 400
            reply = error_reply(status, error.code, error.detail, {}, {"RequestsMalformed": 1, "BadRows": 1})
            return self._stored([], [row]) or reply
        return self._stored(found.events, found.bad) or self._asked(found, webhook) or _success(found)

    def _verified(self, request: HttpRequest, source: str, kind: SourceKind) -> bytes:
        """The raw body of a request that its source signed. Raises BadInputError when the bytes cannot even be told."""
        check = kind.claim(request)
        raw = request.raw_body()
        # A source that does not exist has no secrets, and is told the same as one with a wrong signature.
        if not check(raw, self._secrets_of(source)):
            raise UnverifiedError("the signature does not match")
        return raw

    def _secrets_of(self, source: str) -> Sequence[str]:
        return self._secrets.valid(self._prefix + source) if SOURCE_NAME.fullmatch(source) else ()

    def _stored(self, events: Sequence[Event], bad: Sequence[BadRow]) -> HttpReply | None:
        """None once the queue has everything; 503 when it has not."""
        messages = messages_of(events, bad)
        if not messages:
            return None
        try:
            self._queue.send(messages)
        except (TransientError, PermanentError):
            return _unavailable("QueueUnavailable")
        return None

    def _asked(self, found: Taken, webhook: Webhook) -> HttpReply | None:
        """None once the queue knows what to fetch; 503 when it does not."""
        if found.fetch is None:
            return None
        if self._fetches is None:
            return _unavailable("FetchesUnavailable")
        try:
            self._fetches.send([fetch_message(found.fetch, webhook)])
        except (TransientError, PermanentError):
            return _unavailable("QueueUnavailable")
        return None


def read_again(row: BadRow, *, currency: str | None = None) -> list[Event]:
    """A bad row of this stage through the translator that rejected it, as of its own receipt; `currency` is that of
    product prices that name none.

    A row keeps no header but the topic. Raises BadInputError when it is still bad, `needs_fetch` when it only names
    what must be fetched; KeyError when the row is not of this stage.
    """
    stage, _, rest = row.stage.partition("/")
    if stage != STAGE:
        raise KeyError(row.stage)
    kind, _, topic = rest.partition("/")
    webhook = Webhook(
        raw=original_bytes(row),
        source=row.source,
        received_at=row.received_at,
        request_id=row.row_id,
        topic=topic,
        shop_currency=currency,
    )
    found = taken(KINDS[kind], webhook)
    if found.fetch is not None:
        raise BadInputError("needs_fetch", f"it only names a resource ({found.fetch.resource}), which must be fetched")
    return list(found.events)


def _success(found: Taken) -> HttpReply:
    return json_reply(200, found.answer, {}, found.counters)


def _unavailable(counter: str) -> HttpReply:
    headers = {"retry-after": RETRY_AFTER_SECONDS}
    return error_reply(503, "unavailable", "it could not be stored, send it again", headers, {counter: 1})
