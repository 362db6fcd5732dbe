"""The operators of field comparisons: on fields of a known kind, and on traits, which are whatever the store sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from regulars.domain.rules.view import Value

Test = Callable[[Any, Any], bool]

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
    "contains": lambda value, operand: value is not None and operand in value,
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
    "contains": lambda value, operand: isinstance(value, str) and str(operand) in value,
}
"""For traits: a value of another type than the operand's is different from it and neither above nor below it."""
