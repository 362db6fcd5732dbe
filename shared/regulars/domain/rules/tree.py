"""The rule tree: seven kinds of node, parsed from YAML data and checked against the catalogue of fields.

A node is known by the one key that names it: `all`, `any`, `not`, `field`, `count`, `sum` or `since`. Nodes are
immutable; what is done with them is outside (compile, explain, describe, requirements), each a dispatch over all kinds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from regulars.domain.errors import BadInputError
from regulars.domain.rules.durations import parse_duration
from regulars.domain.rules.fields import Kind, field_kind
from regulars.domain.rules.operands import ParameterRef, RuleContext, amount_of, context_of, operand_of

MAX_DEPTH = 12
MAX_NODES = 500
MAX_CHILDREN = 50
MAX_EVENT_DAYS = 400
ORDERS = "orders"

Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Within = Annotated[timedelta | None, BeforeValidator(parse_duration)]
"""Absent means ever; a null that somebody wrote is an error."""
Operation = tuple[str, Any]
"""An operator as it is spelt in YAML, and its typed operand."""


class Node(BaseModel):
    """What all nodes share: unknown keys are refused, values cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _few(raw: Any) -> Any:
    if not isinstance(raw, list | tuple) or not 1 <= len(raw) <= MAX_CHILDREN:
        raise ValueError(f"must be a list of 1 to {MAX_CHILDREN} rules")
    return raw


class All(Node):
    """Holds while every one of its rules holds."""

    rules: Annotated[tuple[Rule, ...], BeforeValidator(_few)] = Field(alias="all")


class AnyOf(Node):
    """Holds while at least one of its rules holds."""

    rules: Annotated[tuple[Rule, ...], BeforeValidator(_few)] = Field(alias="any")


class Not(Node):
    """Holds while its rule does not."""

    rule: Rule = Field(alias="not")


class _Operated(Node):
    """A node whose operators are optional keys, of which at least one is given; all given ones must hold."""

    def operations(self) -> tuple[Operation, ...]:
        """The operators that were given, in the order in which the class declares them."""
        given = self.model_fields_set
        return tuple(
            (declared.alias or name, getattr(self, name))
            for name, declared in type(self).model_fields.items()
            if name in given and name not in {"field", "count", "sum", "since", "within"}
        )

    @model_validator(mode="after")
    def _needs_an_operator(self) -> Self:
        if not self.operations():
            raise ValueError("needs an operator, such as at_least")
        return self


class Compare(_Operated):
    """A field beside constants. An absent field satisfies `exists: false`, `not_equals` and `not_in`, nothing else."""

    field: str
    exists: Any = None
    equals: Any = None
    not_equals: Any = None
    above: Any = None
    at_least: Any = None
    below: Any = None
    at_most: Any = None
    in_: Any = Field(default=None, alias="in")
    not_in: Any = None
    contains: Any = None
    before: Any = None
    after: Any = None

    @field_validator("field")
    @classmethod
    def _known(cls, field: str) -> str:
        field_kind(field)
        return field

    @field_validator(
        "exists", "equals", "not_equals", "above", "at_least", "below", "at_most", "in_", "not_in", "contains",
        "before", "after",
    )  # fmt: skip
    @classmethod
    def _fits(cls, raw: Any, info: ValidationInfo) -> Any:
        if "field" not in info.data or info.field_name is None:
            return raw  # the field itself was refused: say only that
        field = info.data["field"]
        operator = info.field_name.rstrip("_")
        return operand_of(raw, name=field, kind=field_kind(field), operator=operator, context=context_of(info))


def _whole_days(within: timedelta | None, counted: str) -> timedelta | None:
    """Events are kept by the day, so a window on them is in days; one on orders is free."""
    if within is None or counted == ORDERS:
        return within
    if within % timedelta(days=1) or within > timedelta(days=MAX_EVENT_DAYS):
        raise ValueError(f"events are counted by the day: use whole days, at most {MAX_EVENT_DAYS}d")
    return within


class Count(_Operated):
    """How many orders, or events of one name, there were within a time up to now; ever, without `within`.

    Orders leave the window at the very instant; events are kept by UTC day and count until the end of the day that lies
    `within` days after theirs, so `within` is in whole days.
    """

    count: str = Field(min_length=1, max_length=100)
    within: Within = None
    equals: Any = None
    above: Any = None
    at_least: Any = None
    below: Any = None
    at_most: Any = None

    @field_validator("within")
    @classmethod
    def _in_days(cls, within: timedelta | None, info: ValidationInfo) -> timedelta | None:
        return _whole_days(within, info.data.get("count", ORDERS))

    @field_validator("equals", "above", "at_least", "below", "at_most")
    @classmethod
    def _fits(cls, raw: Any, info: ValidationInfo) -> int | ParameterRef:
        return amount_of(raw, kind=Kind.NUMBER, context=context_of(info))


class Sum(_Operated):
    """What the customer's orders brought, net of refunds, in the program's currency, within a time up to now."""

    sum: Literal["orders.revenue"]
    within: Within = None
    above: Any = None
    at_least: Any = None
    below: Any = None
    at_most: Any = None

    @field_validator("above", "at_least", "below", "at_most")
    @classmethod
    def _fits(cls, raw: Any, info: ValidationInfo) -> int | ParameterRef:
        return amount_of(raw, kind=Kind.MONEY, context=context_of(info))


class Measure(Node):
    """A quantity without a bound, such as `{sum: orders.revenue, within: 365d}`: what a parameter is computed from."""

    sum: Literal["orders.revenue"] | None = None
    count: str | None = Field(default=None, min_length=1, max_length=100)
    within: Within = None

    @property
    def kind(self) -> Kind:
        """MONEY for a sum, NUMBER for a count."""
        return Kind.NUMBER if self.sum is None else Kind.MONEY

    @field_validator("within")
    @classmethod
    def _in_days(cls, within: timedelta | None, info: ValidationInfo) -> timedelta | None:
        return _whole_days(within, info.data.get("count") or ORDERS)

    @model_validator(mode="after")
    def _one_quantity(self) -> Self:
        if (self.sum is None) is (self.count is None):
            raise ValueError("must have exactly one of sum and count")
        return self


class Multiple(Node):
    """A bound of the customer's own: `times` a duration field, between `min` and `max`; `min` while it is absent."""

    times: Decimal = Field(gt=0, le=100)
    of: str
    min: Duration
    max: Duration

    @field_validator("of")
    @classmethod
    def _duration_field(cls, field: str) -> str:
        if field_kind(field) is not Kind.DURATION:
            raise ValueError("must be a field that is a duration, such as orders.average_gap")
        return field

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max < self.min:
            raise ValueError("max must not be shorter than min")
        return self


def _bound(raw: Any) -> timedelta | Multiple:
    return Multiple.model_validate(raw) if isinstance(raw, Mapping) else parse_duration(raw)


Bound = Annotated[timedelta | Multiple | None, PlainValidator(_bound)]


class Since(_Operated):
    """The time gone by since an instant: at least one bound, below another. Never holds while the instant is absent."""

    since: str
    at_least: Bound = None
    below: Bound = None

    @field_validator("since")
    @classmethod
    def _instant_field(cls, field: str) -> str:
        if field_kind(field) is not Kind.INSTANT:
            raise ValueError("must be a field that is an instant, such as orders.last_at")
        return field


_KINDS: dict[str, type[Node]] = {
    "all": All,
    "any": AnyOf,
    "not": Not,
    "field": Compare,
    "count": Count,
    "sum": Sum,
    "since": Since,
}


def _tag(value: Any) -> str | None:
    if isinstance(value, Node):
        return next((f"<{key}>" for key, kind in _KINDS.items() if isinstance(value, kind)), None)
    if not isinstance(value, Mapping):
        return None
    keys = [key for key in _KINDS if key in value]
    return f"<{keys[0]}>" if len(keys) == 1 else None


Rule = Annotated[
    Annotated[All, Tag("<all>")]
    | Annotated[AnyOf, Tag("<any>")]
    | Annotated[Not, Tag("<not>")]
    | Annotated[Compare, Tag("<field>")]
    | Annotated[Count, Tag("<count>")]
    | Annotated[Sum, Tag("<sum>")]
    | Annotated[Since, Tag("<since>")],
    Discriminator(
        _tag,
        custom_error_type="unknown_rule",
        custom_error_message="must be a mapping with exactly one of all, any, not, field, count, sum, since",
    ),
]
for _node in (All, AnyOf, Not):
    _node.model_rebuild()
_RULE: TypeAdapter[Any] = TypeAdapter(Rule)


def parse_rule(data: object, *, context: RuleContext | None = None, path: str = "rule") -> Rule:
    """The rule in parsed YAML data. Raises BadInputError `bad_rule` naming the path of everything that is wrong."""
    if problem := bounds_problem(data, depth=2 * MAX_DEPTH + 4, nodes=MAX_NODES):
        raise BadInputError("bad_rule", f"{path}: {problem}")
    try:
        rule: Rule = _RULE.validate_python(data, context=context or RuleContext())
    except ValidationError as error:
        raise BadInputError("bad_rule", "; ".join(problems(error, path))) from error
    return rule


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
