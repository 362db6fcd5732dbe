"""What all nodes of the rule tree share, and how mistakes in parsed YAML data are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
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
    def _needs_an_operator(self) -> Self:
        if not self.operations():
            raise ValueError("needs an operator, such as at_least")
        return self


class Compared(Operated):
    """The operators that compare with values. What they compare is a key of its own, declared by a class that comes
    after this one among the bases, so that it is read before."""

    exists: Any = None
    equals: Any = None
    not_equals: Any = None
    above: Any = None
    at_least: Any = None
    below: Any = None
    at_most: Any = None
    between: Any = None
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
        sentences.append(f"{'.'.join([path, *steps])}: {_words(item['type'], item['msg'])}")
    return sentences


_WORDS = {
    "extra_forbidden": "not known here; remove it or correct its spelling",
    "missing": "missing; add it",
    "string_pattern_mismatch": "must be small letters, digits and underscores, beginning with a letter",
}


def _words(kind: str, message: str) -> str:
    return _WORDS.get(kind) or message.removeprefix("Value error, ").removeprefix("Input ")
