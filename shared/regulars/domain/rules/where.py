"""`where`: conditions on the properties of an event or the document of an order, decided when it is folded in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from regulars.domain.rules.comparisons import TRAIT_TESTS
from regulars.domain.rules.fields import Kind
from regulars.domain.rules.nodes import Compared

MAX_CONDITIONS = 10
MAX_VALUES = 100
"""Values of one event that are looked at under one path: an order may have a thousand lines."""
_PATH = re.compile(r"[^.\s][^.]{0,63}(\.[^.]{1,64}){0,5}")
_NEGATIONS = frozenset({"not_equals", "not_in", "not_contains"})


class Condition(Compared):
    """What a property must be. Compared as traits are: texts exactly, numbers with numbers only."""

    of_one_value = False  # a list has several

    @classmethod
    def compared(cls, known: Mapping[str, Any]) -> tuple[str, Kind]:  # noqa: ARG003 - whatever it is
        """A property of whatever type."""
        return "a property", Kind.PROPERTY

    def met_by(self, values: list[Any]) -> bool:
        """Whether one of the values is as asked; what must not be, none of them may be. Without values, as for one that
        is absent."""
        found = values or [None]
        return all(
            (all if operator in _NEGATIONS else any)(TRAIT_TESTS[operator](value, operand) for value in found)
            for operator, operand in self.operations()
        )


def _read(raw: Any) -> Any:
    """Short for what is meant mostly: `{category: Dresses}`, `{category: [Dresses, Skirts]}`."""
    if not isinstance(raw, Mapping) or not 1 <= len(raw) <= MAX_CONDITIONS:
        raise ValueError(f"must be a mapping of 1 to {MAX_CONDITIONS} properties to what they must be")
    for path in raw:
        if not isinstance(path, str) or not _PATH.fullmatch(path):
            raise ValueError("has a key that is no property; write names, with dots between levels: products.category")
    return {path: _condition(said) for path, said in raw.items()}


def _condition(said: Any) -> Any:
    if isinstance(said, Mapping | Condition):
        return said
    return {"in": said} if isinstance(said, list | tuple) else {"equals": said}


Where = Annotated[dict[str, Condition], BeforeValidator(_read)]
"""Property paths and what stands there; all conditions must be met."""
Conditions = Mapping[str, Condition]


def canonical(where: Conditions) -> str:
    """The same text for the same conditions, however they were written."""
    told = {path: dict(condition.operations()) for path, condition in where.items()}
    return json.dumps(told, ensure_ascii=False, sort_keys=True, default=str)


def values_at(document: Mapping[str, Any], path: str) -> list[Any]:
    """The scalar values at a path; lists on the way are gone through, so `products.category` may have several."""
    return [value for value in _reached([document], path.split(".")) if isinstance(value, bool | int | float | str)]


def _reached(found: list[Any], steps: list[str]) -> Iterator[Any]:
    for step in steps:
        found = [item[step] for item in _unpacked(found) if isinstance(item, Mapping) and step in item]
    yield from list(_unpacked(found))[:MAX_VALUES]


def _unpacked(items: list[Any]) -> Iterator[Any]:
    for item in items[:MAX_VALUES]:
        if isinstance(item, list | tuple):
            yield from item[:MAX_VALUES]
        else:
            yield item


def satisfied(where: Conditions, document: Mapping[str, Any]) -> bool:
    """Whether every condition is met by the document: an event's properties, with `context` beside them; an order's."""
    return all(condition.met_by(values_at(document, path)) for path, condition in where.items())
