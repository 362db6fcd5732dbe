"""Resources that a thin webhook only names: messages of the fetches queue, and the fetching.

The body of a message: `{"v":1,"source":"...","resource":"order","id":"...","received_at":epoch ms}`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from regulars.application.bad_rows import original_bytes, row_of
from regulars.application.queue_messages import body_of, messages_of
from regulars.domain.errors import BadInputError, PermanentError, TransientError
from regulars.domain.instants import from_millis, to_millis
from regulars.domain.json_text import strict_json
from regulars.domain.shops import bigcommerce
from regulars.domain.shops.bigcommerce import Fetch
from regulars.domain.shops.delivery import Delivery
from regulars.ports import QueueMessage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from regulars.application.webhooks.kinds import Webhook
    from regulars.domain.events import BadRow, Event
    from regulars.ports import Queue, ShopApi

STAGE = "fetched"
"""A row's stage is `fetched/<resource>`; its original is the documents that were fetched, as one object."""
MESSAGE_VERSION = 1
_NOTHING = b"null"


@dataclass(slots=True)
class FetchReport:
    """What became of a batch: `failed` message ids come again; `events` and `bad_rows` went to the events queue."""

    events: int = 0
    bad_rows: int = 0
    failed: list[str] = field(default_factory=list)


def fetch_message(fetch: Fetch, webhook: Webhook) -> QueueMessage:
    """The message that asks for a fetch. A second of delay: the shop tells of a change before its API shows it."""
    document: dict[str, Any] = {
        "v": MESSAGE_VERSION,
        "source": webhook.source,
        "resource": fetch.resource,
        "id": fetch.id,
        "received_at": to_millis(webhook.received_at),
    }
    return QueueMessage(body_of(document), delay_seconds=1)


class FetchShop:
    """Takes (message id, body) pairs of the fetches queue; what they name goes to the events queue.

    The same message again fetches again, and tells what is then so: whatever came of the first try, the newest version
    counts.
    """

    def __init__(self, *, api: ShopApi, events: Queue, shop_currency: str | None = None) -> None:
        self._api = api
        self._events = events
        self._currency = shop_currency

    def __call__(self, messages: Sequence[tuple[str, str]]) -> FetchReport:
        """Fetch what the messages, (id, body) pairs, ask for. A message whose events are not in the queue is told as
        failed, for another try; one that the shop's answer makes a bad row is done."""
        report = FetchReport()
        for message_id, body in messages:
            try:
                asked = _read(body)
            except (ValueError, KeyError, TypeError, OverflowError):
                report.failed.append(message_id)  # nobody can read it: after its tries, a dead letter
                continue
            try:
                events, bad = self._fetched(message_id, *asked)
                self._events.send(messages_of(events, bad))
            except (TransientError, PermanentError):
                report.failed.append(message_id)
                continue
            report.events += len(events)
            report.bad_rows += len(bad)
        return report

    def _fetched(
        self, message_id: str, source: str, fetch: Fetch, received_at: datetime
    ) -> tuple[list[Event], list[BadRow]]:
        """The events of a resource, or its bad row. Raises as ShopApi does."""
        raw = self._documents(source, fetch)
        try:
            found = events_of(raw, fetch.resource, source=source, received_at=received_at, currency=self._currency)
        except BadInputError as error:
            stage = f"{STAGE}/{fetch.resource}"
            row = row_of(error, raw, source=source, stage=stage, received_at=received_at, request_id=message_id)
            return [], [row]
        return found, []

    def _documents(self, source: str, fetch: Fetch) -> bytes:
        """All documents of a resource as one JSON object of them, each as the shop wrote it."""
        paths = bigcommerce.PATHS[fetch.resource]
        found = {name: self._api.get(source, path.format(id=fetch.id)) for name, path in paths.items()}
        return b"{%b}" % b",".join(b'"%b":%b' % (name.encode(), text or _NOTHING) for name, text in found.items())


def _read(body: str) -> tuple[str, Fetch, datetime]:
    """(source, what to fetch, when its webhook came). Raises what a misshapen document raises: we make none."""
    asked = orjson.loads(body)
    if asked["v"] != MESSAGE_VERSION:
        raise ValueError("unknown message version")
    fetch = Fetch(asked["resource"], asked["id"])
    if fetch.resource not in bigcommerce.PATHS or not fetch.id.isdigit():
        raise ValueError("no resource of a shop")
    return asked["source"], fetch, from_millis(asked["received_at"])


def events_of(
    raw: bytes, resource: str, *, source: str, received_at: datetime, currency: str | None = None
) -> list[Event]:
    """The events of a fetched resource. Raises BadInputError."""
    return bigcommerce.translate(
        Delivery(
            source=source, topic=resource, document=strict_json(raw), received_at=received_at, shop_currency=currency
        )
    )


def read_again(row: BadRow, *, currency: str | None = None) -> list[Event]:
    """A bad row of this stage once more, as of its own receipt; `currency` as FetchShop has it. Raises BadInputError
    when it is still bad."""
    resource = row.stage.partition("/")[2]
    return events_of(original_bytes(row), resource, source=row.source, received_at=row.received_at, currency=currency)
