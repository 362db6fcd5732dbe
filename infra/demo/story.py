"""One customer's whole story, from the first hit to the message, as the log and the ledger tell it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.demo.traffic import HIT_SOURCE
from regulars.domain.identity import NodeKind, node_id
from regulars.domain.instants import from_millis
from regulars.domain.money import decimal_text
from regulars.domain.sends import SendRecord, SendStatus

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from infra.demo.lake import Lake
    from infra.demo.tables import Table
    from infra.local.outbox import Mail

_PREFERRED = ("abandoned_cart", "win_back_email", "welcome")
_MOST_ORDERS = 3


@dataclass(frozen=True, slots=True)
class Chapter:
    """One thing that happened. `kind` is its colour in the report."""

    at: datetime
    kind: str
    title: str
    detail: str


@dataclass(frozen=True, slots=True)
class Story:
    """A customer by user id, what happened in order of time, and the message that came of it."""

    user_id: str
    chapters: tuple[Chapter, ...]
    record: SendRecord
    mail: Mail | None


def story_of(lake: Lake, table: Table, mails: list[Mail]) -> Story | None:
    """The story of a customer who browsed and was then written to; None when there is none."""
    users = {
        node_id(NodeKind.USER, user): user
        for (user,) in lake.rows(
            "SELECT DISTINCT user_id FROM events WHERE source = ? AND user_id IS NOT NULL", HIT_SOURCE
        )
    }
    found = sorted(
        (record for record in table.sends if record.status is SendStatus.SENT and record.customer in users),
        key=lambda record: (_rank(record), record.decided_at, record.send_key),
    )
    if not found:
        return None
    record = found[0]
    user = users[record.customer]
    chapters = [*_events(lake, user), *_decisions(lake, record.customer)]
    mail = next((mail for mail in mails if mail.message_id == record.provider_id), None)
    return Story(user, tuple(sorted(chapters, key=lambda chapter: chapter.at)), record, mail)


def _rank(record: SendRecord) -> int:
    return _PREFERRED.index(record.template) if record.template in _PREFERRED else len(_PREFERRED)


def _events(lake: Lake, user: str) -> list[Chapter]:
    """What the customer did: all hits, also those before the login, and the first and last orders."""
    rows = lake.rows(
        "SELECT DISTINCT ON (event_id) epoch_ms(timestamp), type, name, source, properties, context FROM events"
        " WHERE source <> 'regulars' AND (user_id = $1 OR anonymous_id IN"
        " (SELECT anonymous_id FROM events WHERE user_id = $1 AND anonymous_id IS NOT NULL)) ORDER BY 1",
        user,
    )
    chapters = [_chapter(row) for row in rows]
    orders = [chapter for chapter in chapters if chapter.kind == "order"]
    hidden = orders[1:-_MOST_ORDERS]
    if not hidden:
        return chapters
    gap = Chapter(hidden[0].at, "order", f"... {len(hidden)} more orders", "from the shop's history")
    return [chapter for chapter in chapters if chapter not in hidden] + [gap]


def _chapter(row: tuple[Any, ...]) -> Chapter:
    millis, kind, name, source, properties, context = row
    at = from_millis(int(millis))
    given: Mapping[str, Any] = json.loads(properties or "{}")
    if kind == "order":
        total = decimal_text(given["total_minor"], given["currency"])
        return Chapter(at, "order", f"Order {given['order_id']}", f"{total} {given['currency']}, {given['channel']}")
    if kind == "page":
        page = json.loads(context or "{}").get("page") or {}
        return Chapter(at, "hit", "Page viewed", str(page.get("url", "")))
    if kind == "identify":
        return Chapter(at, "hit", "Identified", "from now on this browser is the customer")
    if name == "Consent Updated":
        return Chapter(
            at, "consent", f"Consent: {given['channel']} {given['status']}", f"source {given.get('source', source)}"
        )
    products = given.get("products")
    what = (
        f"{len(products)} products"
        if isinstance(products, list)
        else str(given.get("name") or given.get("order_id") or "")
    )
    return Chapter(at, "hit", name or kind, what)


def _decisions(lake: Lake, customer: str) -> list[Chapter]:
    """What Regulars decided about the customer."""
    rows = lake.rows(
        "SELECT DISTINCT ON (event_id) epoch_ms(timestamp), name, properties FROM events"
        " WHERE source = 'regulars' AND properties->>'customer' = ? ORDER BY 1",
        customer,
    )
    chapters = []
    for millis, name, text in rows:
        said: Mapping[str, Any] = json.loads(text)
        chapters.append(Chapter(from_millis(int(millis)), *_decision(name, said)))
    return chapters


def _decision(name: str, said: Mapping[str, Any]) -> tuple[str, str, str]:
    if name == "Churn Band Changed":
        return "band", f"Churn band {said['to']}", f"was {said['from'] or 'none'}"
    if name == "Segment Entered":
        return "segment", f"Entered {said['segment']}", f"because of {_trigger(said)}"
    if name == "Segment Exited":
        return "segment", f"Left {said['segment']}", f"because of {_trigger(said)}"
    reason = f", reason {said['reason']}" if said.get("reason") else ""
    return "message", name, f"{said.get('template')} by {said.get('channel')}{reason}"


def _trigger(said: Mapping[str, Any]) -> str:
    trigger = str(said.get("trigger", ""))
    return {"due": "time alone", "import": "the imported history"}.get(trigger, f"event {trigger}")
