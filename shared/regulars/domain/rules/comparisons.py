"""The operators of field comparisons: on fields of a known kind, and on traits, which are whatever the store sent."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from regulars.domain.instants import earlier, later
from regulars.domain.rules.view import Value

Test = Callable[[Any, Any], bool]


@lru_cache(maxsize=1024)
def _pattern(glob: str) -> Callable[[str], object]:
    """`*` is any text, `?` any one character. Matched without backtracking over what has matched (fnmatch)."""
    return re.compile(fnmatch.translate(glob.replace("[", "[[]"))).match


TESTS: Mapping[str, Test] = {
    "exists": lambda value, operand: (value is not None) is operand,
    "equals": lambda value, operand: value == operand,
    "not_equals": lambda value, operand: value != operand,
    "above": lambda value, operand: value is not None and value > operand,
    "at_least": lambda value, operand: value is not None and value >= operand,
    "below": lambda value, operand: value is not None and value < operand,
    "at_most": lambda value, operand: value is not None and value <= operand,
    "in": lambda value, operand: value in operand,
    "not_in": lambda value, operand: value not in operand,
    "before": lambda value, operand: value is not None and value < operand,
    "after": lambda value, operand: value is not None and value > operand,
    "between": lambda value, operand: value is not None and operand[0] <= value <= operand[1],
    "contains": lambda value, operand: value is not None and operand in value,
    "contains_any": lambda value, operand: value is not None and any(item in value for item in operand),
    "not_contains": lambda value, operand: value is None or operand not in value,
    "starts_with": lambda value, operand: value is not None and value.startswith(operand),
    "ends_with": lambda value, operand: value is not None and value.endswith(operand),
    "like": lambda value, operand: value is not None and _pattern(operand)(value) is not None,
}
"""For fields of a known kind: the value is absent (None) or of the operand's type."""


def _same(value: Value, operand: Any) -> bool:
    """Equality without Python's `True == 1`."""
    return value == operand and isinstance(value, bool) is isinstance(operand, bool)


def _orderable(value: Value, operand: Any) -> bool:
    """Text with text, numbers with numbers; never flags, never with an absent value."""
    if value is None or isinstance(value, bool) or isinstance(operand, bool):
        return False
    return isinstance(value, str) is isinstance(operand, str)


TRAIT_TESTS: Mapping[str, Test] = {
    "exists": TESTS["exists"],
    "equals": _same,
    "not_equals": lambda value, operand: not _same(value, operand),
    "above": lambda value, operand: _orderable(value, operand) and value > operand,
    "at_least": lambda value, operand: _orderable(value, operand) and value >= operand,
    "below": lambda value, operand: _orderable(value, operand) and value < operand,
    "at_most": lambda value, operand: _orderable(value, operand) and value <= operand,
    "in": lambda value, operand: any(_same(value, item) for item in operand),
    "not_in": lambda value, operand: not any(_same(value, item) for item in operand),
    "between": lambda value, operand: (
        _orderable(value, operand[0]) and _orderable(value, operand[1]) and operand[0] <= value <= operand[1]
    ),
    "contains": lambda value, operand: isinstance(value, str) and operand in value,
    "contains_any": lambda value, operand: isinstance(value, str) and any(item in value for item in operand),
    "not_contains": lambda value, operand: not isinstance(value, str) or operand not in value,
    "starts_with": lambda value, operand: isinstance(value, str) and value.startswith(operand),
    "ends_with": lambda value, operand: isinstance(value, str) and value.endswith(operand),
    "like": lambda value, operand: isinstance(value, str) and _pattern(operand)(value) is not None,
}
"""For traits: a value of another type than the operand's is different from it and neither above nor below it."""


def timed(operator: str, instant: datetime, span: timedelta, now: datetime) -> bool:
    """Whether an instant is within or beyond `span` before or after now. The near end is included, the far one not, so
    that each changes at an instant and not just after it."""
    if operator == "within_last":
        return instant <= now < later(instant, span)
    if operator == "before_last":
        return now >= later(instant, span)
    if operator == "within_next":
        return earlier(instant, span) <= now < instant
    return now < earlier(instant, span)
