"""Contracts: what an event of a name should look like, as numbered JSON Schemas (draft 2020-12).

A contract describes the document `{"properties": {...}, "traits": {...}}` of an event. Its versions are 1, 2, ...; a
version that is published never changes. The next one may only widen: what was right stays right. One that must narrow
says so (`"x-breaking": true`), so that whoever sends the event knows that there is something to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from regulars.domain.events import IDENTIFY, ORDER, PRODUCT, TRACK, Event, EventType
from regulars.domain.values import value

BREAKING = "x-breaking"
_CALLS = {
    IDENTIFY: "Identify",
    EventType.PAGE: "Page Viewed",
    EventType.SCREEN: "Screen Viewed",
    ORDER: "Order",
    PRODUCT: "Product",
}
"""Names of the contracts of calls that have no event name, or whose name is not a sender's."""
_WORD = re.compile(r"[^a-z0-9]+")
Schemas = tuple[Mapping[str, Any], Mapping[str, Any]]
_ANNOTATIONS = frozenset({"$id", "$schema", "title", "description", "examples", "deprecated", BREAKING})


@value(frozen=True, slots=True)
class Contract:
    """One version of one contract; `name` is the event's."""

    name: str
    version: int
    schema: Mapping[str, Any]

    @property
    def label(self) -> str:
        """`product-added@1`."""
        return f"{slug_of(self.name)}@{self.version}"

    def fields(self) -> dict[str, frozenset[str]]:
        """The fields that it knows, by the part of the event (`properties`, `traits`) that they stand in."""
        parts: Mapping[str, Any] = self.schema.get("properties", {})
        return {part: frozenset(schema.get("properties", ())) for part, schema in parts.items()}


def slug_of(name: str) -> str:
    """The folder of an event's contracts: `Product Added` is in `product-added`."""
    return _WORD.sub("-", name.lower()).strip("-")


def contract_name(event: Event) -> str | None:
    """The name under which an event's contract is kept, None for calls that have none."""
    return event.name if event.type is TRACK else _CALLS.get(event.type)


def narrowings(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Where a new schema may refuse what the old one took: a path and a keyword each; none if it only widens.

    Careful rather than clever: of keywords that it does not know, any difference counts.
    """
    for keyword in sorted((old.keys() | new.keys()) - _ANNOTATIONS):
        before, after = old.get(keyword), new.get(keyword)
        if before == after:
            continue
        check = _CHECKS.get(keyword, _any_difference)
        yield from (f"{path}/{problem}" for problem in check(before, after, (old, new), keyword))


def _any_difference(_before: Any, after: Any, _schemas: Schemas, keyword: str) -> Iterator[str]:
    """A keyword that is gone asks for nothing."""
    if after is not None:
        yield keyword


def _fewer(before: Any, after: Any, _schemas: Schemas, keyword: str) -> Iterator[str]:
    """`enum`: a value that is gone, or values where anything went."""
    if after is not None and (before is None or any(item not in after for item in before)):
        yield keyword


def _types(before: Any, after: Any, _schemas: Schemas, keyword: str) -> Iterator[str]:
    """Every whole number is a number, too."""
    if after is None:
        return
    was, now = ({item} if isinstance(item, str) else set(item or ()) for item in (before, after))
    if "number" in now:
        now.add("integer")
    if not was or was - now:
        yield keyword


def _required(before: Any, after: Any, _schemas: Schemas, keyword: str) -> Iterator[str]:
    yield from (f"{keyword}/{name}" for name in sorted(set(after or ()) - set(before or ())))


def _higher(before: Any, after: Any, _schemas: Schemas, keyword: str) -> Iterator[str]:
    if after is not None and (before is None or after > before):
        yield keyword


def _lower(before: Any, after: Any, _schemas: Schemas, keyword: str) -> Iterator[str]:
    if after is not None and (before is None or after < before):
        yield keyword


def _fields(before: Any, after: Any, schemas: Schemas, keyword: str) -> Iterator[str]:
    """A field that was not described could hold anything, unless nothing else was allowed."""
    known, wanted = before or {}, after or {}
    was_open, is_open = (schema.get("additionalProperties") is not False for schema in schemas)
    for name in sorted(wanted):
        if name in known or was_open:
            yield from narrowings(known.get(name, {}), wanted[name], f"{keyword}/{name}")
    if not is_open:
        yield from (f"{keyword}/{name}" for name in sorted(known.keys() - wanted.keys()))


def _items(before: Any, after: Any, _schemas: Schemas, keyword: str) -> Iterator[str]:
    yield from narrowings(before or {}, after or {}, keyword)


_CHECKS = {
    "type": _types,
    "enum": _fewer,
    "required": _required,
    "properties": _fields,
    "items": _items,
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), _higher),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), _lower),
}
