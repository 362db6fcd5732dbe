"""The nodes that look at many things at once: counts, sums and the like of orders or events within a window.

What is aggregated is a *measure*: `orders.revenue`, or a property of an event, `events.Product Viewed.price`. `where`
narrows it down to the orders or events whose properties are as asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PlainValidator, ValidationInfo, field_validator, model_validator

from regulars.domain.rules.fields import Kind
from regulars.domain.rules.nodes import Bounded, Compared, Node, Operated, Within
from regulars.domain.rules.operands import FieldRef, context_of
from regulars.domain.rules.where import Where
from regulars.domain.rules.windows import Dates, During, Window, bounded, kept_long_enough, whole_days, window_of

ORDERS = "orders"
REVENUE = "orders.revenue"
_OF_EVENT = re.compile(r"events\.(?P<event>.{1,100}?)\.(?P<path>[^.\s][^.]{0,63}(\.[^.]{1,64}){0,5})")
_OF_ORDERS = {REVENUE: Kind.MONEY, "orders.channel": Kind.TEXT, "orders.category": Kind.TEXT, "orders.day": Kind.NUMBER}
_NUMERIC = frozenset({"sum", "average", "min", "max"})


def _span(raw: Any, info: ValidationInfo) -> During | Dates:
    """Events are kept by UTC day: of them a date is a day of that, as all of the calendar is."""
    if isinstance(raw, During | Dates):
        return raw
    if isinstance(raw, str) and raw in set(During):
        return During(raw)
    if not isinstance(raw, Mapping):
        known = ", ".join(During)
        raise ValueError(f"must be one of {known}, or dates: {{from: 2026-11-27, to: 2026-12-01}}")  # noqa: TRY004 - pydantic collects ValueError, not TypeError
    context = context_of(info)
    return Dates.model_validate(
        raw, context=replace(context, zone=UTC) if _is_by_day(info.data.get("measure")) else context
    )


Span = Annotated[During | Dates | None, PlainValidator(_span)]


class _Windowed(Node):
    """`where` and the three keys of a window, for nodes whose own key, known first, says what is looked at."""

    measure: str
    where: Where | None = None
    within: Within = None
    older_than: Within = None
    during: Span = None

    @field_validator("within", "older_than")
    @classmethod
    def _in_days(cls, span: timedelta | None, info: ValidationInfo) -> timedelta | None:
        return whole_days(span, by_day=_is_by_day(info.data.get("measure")))

    @field_validator("older_than")
    @classmethod
    def _bounded(cls, older_than: timedelta | None, info: ValidationInfo) -> timedelta | None:
        return bounded(older_than, info.data.get("within"), by_day=_is_by_day(info.data.get("measure")))

    @field_validator("during")
    @classmethod
    def _kept(cls, during: During | Dates | None, info: ValidationInfo) -> During | Dates | None:
        return kept_long_enough(during, by_day=_is_by_day(info.data.get("measure")))

    @property
    def window(self) -> Window:
        """The three keys as one."""
        return window_of(self)

    @model_validator(mode="after")
    def _one_window(self) -> Self:
        if self.during is not None and (self.within or self.older_than):
            raise ValueError("has during and within or older_than; use one of them")
        if self.within and self.older_than and self.older_than >= self.within:
            raise ValueError("older_than must be shorter than within: nothing is both")
        return self


_SUBJECTS = frozenset({"measure", "where", "within", "older_than", "during"})


def _is_by_day(measure: str | None) -> bool:
    """Events are, orders are not; nor is what was refused."""
    return measure is not None and measure != ORDERS and measure not in _OF_ORDERS


class Count(Bounded, _Windowed):
    """How many orders, or events of one name, there were in a window; ever, without one.

    Orders leave the window at the very instant; events are kept by UTC day and count until the end of the day that lies
    `within` days after theirs, so `within` is in whole days.
    """

    subjects: ClassVar[frozenset[str]] = _SUBJECTS

    measure: str = Field(alias="count", min_length=1, max_length=100)

    @property
    def event(self) -> str:
        """The event counted, or `orders`."""
        return self.measure

    @classmethod
    def compared(cls, known: Mapping[str, Any]) -> tuple[str, Kind]:  # noqa: ARG003 - whatever is counted
        """A number."""
        return "a count", Kind.NUMBER

    @model_validator(mode="after")
    def _alone(self) -> Self:
        _refuse_references(self)
        return self


def _refuse_references(node: Operated) -> None:
    if any(isinstance(operand, FieldRef) for _, operand in node.operations()):
        raise ValueError("compare with a value or a parameter here, not with a field")


class Aggregate(Compared, _Windowed):
    """A measure over all that is in the window: `sum`, `average`, `min`, `max`, `first`, `last`, or how many different
    values (`distinct`). Of nothing, a sum and a number of values are 0 and everything else is absent."""

    subjects: ClassVar[frozenset[str]] = _SUBJECTS
    figure: ClassVar[str] = ""

    @property
    def event(self) -> str:
        """The event looked at, or `orders`."""
        return parted(self.measure)[0]

    @property
    def path(self) -> str:
        """The event's property, or what of the orders."""
        return parted(self.measure)[1]

    @property
    def kind(self) -> Kind:
        """The kind of what comes out."""
        return kind_of(self.figure, self.measure)

    @field_validator("measure")
    @classmethod
    def _known(cls, measure: str) -> str:
        kind_of(cls.figure, measure)
        return measure

    @classmethod
    def compared(cls, known: Mapping[str, Any]) -> tuple[str, Kind] | None:
        """The figure, and the kind of what comes out."""
        measure = known.get("measure")
        return None if measure is None else (f"{cls.figure} of {measure}", kind_of(cls.figure, measure))

    @property
    def needs_every_day(self) -> bool:
        """Whether what is told or seen must be kept day by day: the first or last ever, and when each value was last
        seen, do not answer for the window."""
        if self.event == ORDERS or self.figure in _NUMERIC:
            return False
        return self.window.reaches_into_the_past or (self.figure == "first" and self.window != Window())

    @model_validator(mode="after")
    def _alone(self) -> Self:
        _refuse_references(self)
        return self


def parted(measure: str) -> tuple[str, str]:
    """`events.Product Viewed.price` as its event and property, `orders.revenue` as orders and theirs. Raises
    ValueError."""
    if measure in _OF_ORDERS:
        return ORDERS, measure.removeprefix("orders.")
    match = _OF_EVENT.fullmatch(measure)
    if match is None:
        known = ", ".join(_OF_ORDERS)
        raise ValueError(f"there is no such measure; there are {known} and events.<Event Name>.<property>")
    return match["event"], match["path"]


def kind_of(figure: str, measure: str) -> Kind:
    """What comes out of an aggregate. Raises ValueError where the two do not fit."""
    event, _ = parted(measure)
    if figure == "distinct":
        return Kind.NUMBER
    if event != ORDERS:
        return Kind.DECIMAL if figure in _NUMERIC else Kind.PROPERTY
    kind = _OF_ORDERS[measure]
    if figure in _NUMERIC and kind is not Kind.MONEY:
        raise ValueError(f"there is no {figure} of {measure}; use first, last or distinct")
    return kind


class Sum(Aggregate):
    """What the customer's orders brought, net of refunds, in the program's currency; or a property's sum."""

    figure = "sum"
    measure: str = Field(alias="sum")


class Average(Aggregate):
    figure = "average"
    measure: str = Field(alias="average")


class Least(Aggregate):
    figure = "min"
    measure: str = Field(alias="min")


class Greatest(Aggregate):
    figure = "max"
    measure: str = Field(alias="max")


class First(Aggregate):
    figure = "first"
    measure: str = Field(alias="first")


class Last(Aggregate):
    figure = "last"
    measure: str = Field(alias="last")


class Distinct(Aggregate):
    """How many different values; of an event's property at most as many as are kept (domain/tallies.py)."""

    figure = "distinct"
    measure: str = Field(alias="distinct")


AGGREGATES: dict[str, type[Aggregate]] = {
    kind.figure: kind for kind in (Sum, Average, Least, Greatest, First, Last, Distinct)
}


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
        return whole_days(within, by_day=(info.data.get("count") or ORDERS) != ORDERS)

    @model_validator(mode="after")
    def _one_quantity(self) -> Self:
        if (self.sum is None) is (self.count is None):
            raise ValueError("must have exactly one of sum and count")
        return self
