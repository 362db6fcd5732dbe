"""Event filtering of event source mappings: the part of EventBridge's pattern language that Lambda takes.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from infra.local.template import TemplateError

Filter = Callable[[dict[str, Any]], bool]
_ABSENT = object()


def compile_filters(criteria: dict[str, Any] | None) -> Filter:
    """Whether a record passes any of the criteria's patterns; without criteria everything passes.

    Raises TemplateError on an operator that is not known here.
    """
    patterns = [json.loads(given["Pattern"]) for given in (criteria or {}).get("Filters", [])]
    if not patterns:
        return lambda _record: True
    tests = [_compile(pattern) for pattern in patterns]
    return lambda record: any(test(record) for test in tests)


def _compile(pattern: dict[str, Any]) -> Callable[[Any], bool]:
    """All keys of a pattern must match; a list is a choice of conditions on a leaf."""
    tests = {key: _compile(rule) if isinstance(rule, dict) else _leaf(rule) for key, rule in pattern.items()}

    def matches(value: Any) -> bool:
        fields = value if isinstance(value, dict) else {}
        return all(test(fields.get(key, _ABSENT)) for key, test in tests.items())

    return matches


def _leaf(conditions: list[Any]) -> Callable[[Any], bool]:
    tests = [_condition(condition) for condition in conditions]
    return lambda value: any(test(value) for test in tests)


def _condition(condition: Any) -> Callable[[Any], bool]:
    if not isinstance(condition, dict):
        return lambda value: bool(value is not _ABSENT and value == condition)
    (operator, operand), *more = condition.items()
    if more:
        raise TemplateError("a filter condition has one operator")
    match operator:
        case "exists":
            return lambda value: (value is not _ABSENT) is operand
        case "prefix":
            return lambda value: isinstance(value, str) and value.startswith(operand)
        case "anything-but":
            refused = operand if isinstance(operand, list) else [operand]
            return lambda value: value is not _ABSENT and value not in refused
    raise TemplateError(f"the filter operator {operator} is not known here")
