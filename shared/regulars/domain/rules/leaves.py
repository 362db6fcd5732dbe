"""The nodes that look at one thing: a field, time gone by, another segment, a share of all customers by chance."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, PlainValidator, ValidationInfo, field_validator, model_validator

from regulars.domain.rules.durations import parse_duration
from regulars.domain.rules.fields import Kind, field_kind
from regulars.domain.rules.nodes import Compared, Duration, Node, Operated
from regulars.domain.rules.operands import context_of

SHARES = 10_000
"""Into so many parts customers are divided by chance: a percent has two decimals."""


class _OfField(Node):
    field: str

    @field_validator("field")
    @classmethod
    def _known(cls, field: str) -> str:
        field_kind(field)
        return field


class Compare(Compared, _OfField):
    """A field beside constants, or beside another field. An absent field satisfies `exists: false`, `not_equals`,
    `not_in` and `not_contains`, nothing else."""

    subjects: ClassVar[frozenset[str]] = frozenset({"field"})

    before: Any = None
    after: Any = None
    within_last: Any = None
    before_last: Any = None
    within_next: Any = None
    after_next: Any = None

    @classmethod
    def compared(cls, known: Mapping[str, Any]) -> tuple[str, Kind] | None:
        """The field, and its kind."""
        field = known.get("field")
        return None if field is None else (field, field_kind(field))


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


class Since(Operated):
    """The time gone by since an instant: at least one bound, below another. Never holds while the instant is absent."""

    subjects: ClassVar[frozenset[str]] = frozenset({"since"})

    since: str
    at_least: Bound = None
    below: Bound = None

    @field_validator("since")
    @classmethod
    def _instant_field(cls, field: str) -> str:
        if field_kind(field) is not Kind.INSTANT:
            raise ValueError("must be a field that is an instant, such as orders.last_at")
        return field


class InSegment(Node):
    """Whether the customer is in another segment of the program."""

    segment: str

    @field_validator("segment")
    @classmethod
    def _known(cls, segment: str, info: ValidationInfo) -> str:
        known = context_of(info).segments
        if segment not in known:
            raise ValueError("there is no such segment here; name another one of the program's segments")
        return segment


def _percent(raw: Any) -> Decimal:
    try:
        percent = None if isinstance(raw, bool) else Decimal(str(raw))
    except ArithmeticError:
        percent = None
    if percent is None or not percent.is_finite() or not 0 <= percent <= 100 or percent * 100 % 1:  # noqa: PLR2004
        raise ValueError("must be a percentage from 0 to 100 with at most two decimals and no sign, such as 10 or 12.5")
    return percent


def _some(percent: Decimal) -> Decimal:
    if not percent:
        raise ValueError("must be more than 0 percent: else it is nobody")
    return percent


Percent = Annotated[Decimal, PlainValidator(_percent)]


class RandomShare(Node):
    """A share of all customers by chance, `below` percent of them: always the same ones for the same name."""

    random: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    at_least: Percent = Decimal(0)
    below: Annotated[Percent, AfterValidator(_some)] = Decimal(100)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.at_least >= self.below or not self.model_fields_set & {"at_least", "below"}:
            raise ValueError("needs below, in percent, and at_least lower than it")
        return self

    def parts(self) -> tuple[int, int]:
        """The share as a stretch of SHARES parts, the first included."""
        return int(self.at_least * SHARES / 100), int(self.below * SHARES / 100)
