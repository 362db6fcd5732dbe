"""Bodies of the admin API's requests, checked: what is wrong is named with its path and what would fit."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from regulars.application.segments.backtest import MAX_STEPS, Range
from regulars.domain.errors import BadInputError
from regulars.domain.json_text import strict_json
from regulars.domain.rules.nodes import problems

BAD_SHAPE = "bad_shape"
MAX_BODY = 64 * 1024
MAX_SAMPLE = 100
MAX_DAYS = 92
NAME = r"^[a-z][a-z0-9_]{0,63}$"

Name = Annotated[str, Field(pattern=NAME, examples=["vip"])]
T = TypeVar("T", bound=BaseModel)
_FIRST_YEAR, _LAST_YEAR = 2000, 2100


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class DefinitionBody(BaseModel):
    """A segment as docs/segments.md has it, without its name."""

    model_config = ConfigDict(extra="allow")

    description: Annotated[str, Field(max_length=500)] = ""
    rule: Annotated[
        dict[str, Any],
        Field(description="docs/segments.md", examples=[{"count": "orders", "within": "30d", "at_least": 2}]),
    ]


class Draft(DefinitionBody):
    """A definition that is to be tried out, with its name."""

    name: Name


class ValidateRequest(_Request):
    """A definition to check with the program in force."""

    definition: Draft


class PreviewRequest(_Request):
    """A definition to try out on all customers."""

    definition: Draft
    sample: Annotated[int, Field(ge=0, le=MAX_SAMPLE)] = 10


class ExplainRequest(_Request):
    """A customer by any identifier (`email:...`, `user:...`, a node id) and a segment."""

    customer: Annotated[str, Field(min_length=1, max_length=400, examples=["user:c-42"])]
    segment: Name


class BacktestRequest(_Request):
    """A segment as it is now, or a definition, over UTC days: `from` the first, up to the beginning of `to`."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, populate_by_name=True)

    segment: Name | None = None
    definition: Draft | None = None
    first: Annotated[date, Field(alias="from", examples=["2026-08-01"])]
    last: Annotated[date, Field(alias="to", examples=["2026-11-01"])]
    step: Annotated[str, Field(pattern=r"^[1-9]\d{0,4}[hdw]$", examples=["1d"])] = "1d"


class ReportRequest(_Request):
    """How many UTC days to look back; what has fewer members than `smallest` is flagged."""

    days: Annotated[int, Field(ge=1, le=MAX_DAYS)] = 30
    smallest: Annotated[int, Field(ge=0, le=10**9)] = 20


class ScoresRequest(_Request):
    """With `by`, a field that makes groups of people, how the churn probability treats each of them."""

    by: Annotated[str, Field(min_length=1, max_length=200, examples=["traits.age"])] | None = None


class ExplainScoresRequest(_Request):
    """A customer by any identifier (`email:...`, `user:...`, a node id)."""

    customer: Annotated[str, Field(min_length=1, max_length=400, examples=["user:c-42"])]


def data_in(raw: bytes) -> Any:
    """The JSON in a body, decimals exact. Raises BadInputError: `too_large`, `bad_json`."""
    if len(raw) > MAX_BODY:
        raise BadInputError("too_large", f"the body must be at most {MAX_BODY // 1024} KiB")
    return strict_json(raw)


def parsed(model: type[T], data: Any) -> T:
    """The request in a body. Raises BadInputError `bad_shape` with a line for everything that is wrong."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise BadInputError(BAD_SHAPE, "\n".join(problems(error, "body"))) from error


_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def range_of(first: datetime, last: datetime, step: str) -> Range:
    """A range of UTC days in steps such as `6h`, `1d`, `2w`. Raises BadInputError `bad_range`."""
    if not step[:-1].isdecimal() or step[-1:] not in _UNITS or int(step[:-1]) == 0:
        raise BadInputError("bad_range", "a step is a number with h, d or w, such as 1d")
    start, end = first.replace(tzinfo=UTC), last.replace(tzinfo=UTC)
    if end <= start:
        raise BadInputError("bad_range", "the range must end later than it begins")
    if start.year < _FIRST_YEAR or end.year > _LAST_YEAR:
        raise BadInputError("bad_range", f"the range must lie between {_FIRST_YEAR} and {_LAST_YEAR}")
    over = Range(start, end, min(int(step[:-1]) * _UNITS[step[-1]], end - start))
    if over.steps() > MAX_STEPS:
        raise BadInputError("bad_range", f"these are {over.steps()} steps; at most {MAX_STEPS}: choose a longer one")
    return over
