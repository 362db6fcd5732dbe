"""What all nodes of the rule tree share, and how mistakes in parsed YAML data are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)  # fmt: skip

from regulars.domain.rules.durations import parse_duration
from regulars.domain.rules.fields import Kind
from regulars.domain.rules.operands import context_of, operand_of

MAX_DEPTH = 12
MAX_NODES = 500
MAX_CHILDREN = 50

Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Within = Annotated[timedelta | None, BeforeValidator(parse_duration)]
"""Absent means ever; a null that somebody wrote is an error."""
Operation = tuple[str, Any]
"""An operator as it is spelt in YAML, and its typed operand."""


class Node(BaseModel):
    """What all nodes share: unknown keys are refused, values cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Operated(Node):
    """A node whose operators are optional keys, of which at least one is given; all given ones must hold."""

    subjects: ClassVar[frozenset[str]] = frozenset()
    """The keys that are no operators."""
    of_one_value: ClassVar[bool] = True
    """Whether it is the same value that all operators look at."""

    @classmethod
    def compared(cls, known: Mapping[str, Any]) -> tuple[str, Kind] | None:  # noqa: ARG003 - of the keys read so far
        """What its operators compare, and of what kind that is; None where a node reads its operands itself, or what is
        compared was refused: then only that is said."""
        return None

    @field_validator("*")
    @classmethod
    def _fits(cls, raw: Any, info: ValidationInfo) -> Any:
        field = info.field_name or ""
        compared = None if field in cls.subjects else cls.compared(info.data)
        if compared is None:
            return raw
        name, kind = compared
        return operand_of(raw, name=name, kind=kind, operator=field.rstrip("_"), context=context_of(info))

    def operations(self) -> tuple[Operation, ...]:
        """The operators that were given, in the order in which the class declares them."""
        given = self.model_fields_set
        return tuple(
            (declared.alias or name, getattr(self, name))
            for name, declared in type(self).model_fields.items()
            if name in given and name not in self.subjects
        )

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        if not self.operations():
            raise ValueError("needs an operator, such as at_least")
        if self.of_one_value and (pair := contradiction(self.operations())):
            raise ValueError(f"has {pair[0]} and {pair[1]}: nothing can be both")
        return self


_LOWER = {"above": True, "at_least": False, "after": True, "between": False, "equals": False}
_UPPER = {"below": True, "at_most": False, "before": True, "between": False, "equals": False}
"""Operators that bound a value from below and from above, and whether the bound itself is out."""


def contradiction(operations: Sequence[Operation]) -> tuple[str, str] | None:
    """The operators of a lower and an upper bound that no value can keep both; None where there are none such. What is
    known only of a customer, or of all of them, contradicts nothing."""
    for lower, low in operations:
        for upper, high in operations:
            if lower == upper or lower not in _LOWER or upper not in _UPPER:
                continue
            least, most = low[0] if lower == "between" else low, high[1] if upper == "between" else high
            if _family(least) is not _family(most) or _family(least) is None:
                continue
            if least > most or (least == most and (_LOWER[lower] or _UPPER[upper])):
                return lower, upper
    return None


def _family(operand: Any) -> type | None:
    """Operands of one family can be ordered; None has none."""
    if isinstance(operand, bool):
        return None
    return next((family for family in (str, datetime, timedelta) if isinstance(operand, family)), None) or (
        float if isinstance(operand, int | float) else None
    )


class Bounded(Operated):
    """The operators that every quantity has. What they compare is a key of its own, declared by a class that comes
    after this one among the bases, so that it is read before."""

    equals: Any = None
    not_equals: Any = None
    above: Any = None
    at_least: Any = None
    below: Any = None
    at_most: Any = None
    between: Any = None


class Compared(Bounded):
    """All operators that compare with values."""

    exists: Any = None
    in_: Any = Field(default=None, alias="in")
    not_in: Any = None
    contains: Any = None
    contains_any: Any = None
    not_contains: Any = None
    starts_with: Any = None
    ends_with: Any = None
    like: Any = None


def bounds_problem(data: object, *, depth: int, nodes: int) -> str | None:
    """What is too deep, too large or no text about parsed data, found without recursion; None when nothing is.

    Aliases in YAML may share or even contain themselves: every visit counts, so such data comes out as too large.
    """
    waiting: list[tuple[object, int]] = [(data, 1)]
    visited = 0
    while waiting:
        value, level = waiting.pop()
        visited += 1
        if level > depth:
            return f"nested too deeply; keep it within {depth} levels"
        if visited > nodes:
            return f"too large; keep it within {nodes} values"
        if isinstance(value, Mapping):
            if not all(map(_can_be_written, value)):
                return "a key has half a character (a lone surrogate)"
            waiting.extend((child, level + 1) for child in value.values())
        elif not _can_be_written(value):
            return "a text has half a character (a lone surrogate)"
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
            waiting.extend((child, level + 1) for child in value)
    return None


def _can_be_written(value: object) -> bool:
    """Whether a text can be encoded; escapes in JSON and YAML may spell what cannot."""
    if not isinstance(value, str) or value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def problems(error: ValidationError, path: str) -> list[str]:
    """One sentence for each error, led by its path in the YAML: `rule.all.1.at_least must be ...`."""
    sentences = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        # The union's tags are steps of pydantic's, not of the file.
        steps = [str(step) for step in item["loc"] if not str(step).startswith("<")]
        words = _words(item["type"], item["msg"])
        if item["type"] in _UNKNOWN:
            words += _meant(item["loc"])
        sentences.append(f"{'.'.join([path, *steps])}: {words}")
    return sentences


def _meant(place: tuple[int | str, ...]) -> str:
    """What a key that is not known may be meant for: one of its own node's, or, where that is not told, of any."""
    *way, key = map(str, place)
    if key.isdecimal():
        return ": is it the rest of an amount? Amounts have a point, as in 500.00"
    kind = way[-1].strip("<>") if way and way[-1].startswith("<") else None
    keys = [known for known in map(_keys, _kinds(Node)) if kind is None or kind in known]
    near = get_close_matches(key, sorted(set().union(*keys)), n=1, cutoff=0.6 if kind else 0.75)
    return f": did you mean {near[0]}?" if near and near != [key] else ""


def _keys(kind: type[BaseModel]) -> set[str]:
    return {declared.alias or name for name, declared in kind.model_fields.items()}


def _kinds(kind: type[Node]) -> list[type[Node]]:
    """A kind of node, and all that are made of it."""
    return [kind, *(further for child in kind.__subclasses__() for further in _kinds(child))]


_UNKNOWN = ("extra_forbidden", "invalid_key")
"""A key that is none of the node's; no text at all."""
_WORDS = {
    **dict.fromkeys(_UNKNOWN, "not known here; remove it or correct its spelling"),
    "missing": "missing; add it",
    "string_pattern_mismatch": "must be small letters, digits and underscores, beginning with a letter",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "tuple_type": "should be a valid list",
    "decimal_type": "must be a number, such as 1.5",
    "decimal_parsing": "must be a number, such as 1.5",
}


def _words(kind: str, message: str) -> str:
    return _WORDS.get(kind) or message.removeprefix("Value error, ").removeprefix("Input ")
