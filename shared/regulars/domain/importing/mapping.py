"""The mapping file: which column of a file is which field, read and checked as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from regulars.domain.errors import BadInputError
from regulars.domain.events import SOURCE_NAME
from regulars.domain.importing.targets import FIELDS, LINE, REQUIRED, WITH_MONEY, WITH_TRAITS, Kind, Shape, Target
from regulars.domain.money import currency_exponent

BAD_MAPPING = "bad_mapping"
_MAX_NAME = 64
_PRODUCTS = "products"
_LONGEST = 2_000
_LATE = ("cancelled", "refunded")
"""What an order becomes after it was placed, even where all orders of a file are it."""
_OPTIONS = (
    ("sum", Shape.AMOUNT), ("thousands", Shape.AMOUNT), ("rounding", Shape.AMOUNT),
    ("format", Shape.INSTANT), ("timezone", Shape.INSTANT), ("separator", Shape.LIST),
)  # fmt: skip

Scalar = str | int | bool
Column = Annotated[str, Field(min_length=1, max_length=255)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class FieldMapping(_Strict):
    """Where one field comes from, and how its values are written.

    One of `column` (in JSON a path with dots), `value` (the same in every row), `sum` (amounts: columns added up).
    `default` is for empty values, `values` translates (`"*"`: all others). `timezone` and `format` (strptime's) are of
    instants, `unit`, `decimal`, `thousands` and `rounding` of amounts, `separator` of lists, `type` of traits and
    properties.
    """

    column: Column | None = None
    value: Scalar | None = None
    sum: Annotated[tuple[Column, ...], Field(min_length=1, strict=False)] | None = None
    default: Scalar | None = None
    values: dict[str, Scalar] | None = None
    format: str | None = None
    timezone: str | None = None
    unit: Literal["decimal", "minor"] = "decimal"
    decimal: Literal[".", ","] = "."
    thousands: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    rounding: Literal["half_up"] | None = None
    separator: Annotated[str, Field(min_length=1)] | None = None
    type: Literal["text", "integer", "number", "boolean", "instant"] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return self.sum or (() if self.column is None else (self.column,))


def _short(given: object) -> object:
    """A text alone is a column."""
    return {"column": given} if isinstance(given, str) else given


FieldLike = Annotated[FieldMapping, BeforeValidator(_short)]
Fields = dict[Annotated[str, Field(min_length=1, max_length=_MAX_NAME)], FieldLike]


class NestedProducts(_Strict):
    """The products of an order that stand in its own row as a list of objects: `fields` are paths inside of each."""

    column: Column
    fields: Fields


class CsvDialect(_Strict):
    """How a CSV file is written; RFC 4180 in UTF-8 without it."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    quote: Annotated[str, Field(min_length=1, max_length=1)] = '"'
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True)
class Mapped:
    """One field as it is mapped: its path in the file, its name, its target (None: there is no such field)."""

    path: str
    name: str
    given: FieldMapping
    target: Target | None

    @property
    def nested(self) -> bool:
        """Whether it is of a product inside an order's row, so that its columns are not the file's."""
        return self.path.startswith(f"{_PRODUCTS}.")

    @property
    def free(self) -> bool:
        """Whether its name is the operator's."""
        return self.path.startswith(("traits.", "properties."))


class ImportMapping(_Strict):
    """One mapping file. `source` is what the shop's webhooks are called, too, so that an order that comes both ways is
    one order. `timezone` (IANA) is of instants that name none.
    """

    version: Literal[1]
    kind: Annotated[Kind, Field(strict=False)]
    source: str
    format: Literal["csv", "jsonl", "parquet"] | None = None
    csv: CsvDialect = CsvDialect()
    currency: str | None = None
    timezone: str = "UTC"
    fields: Fields
    products: NestedProducts | None = None
    traits: Fields = Field(default_factory=dict)
    properties: Annotated[Fields | str | None, Field(union_mode="left_to_right")] = None

    def mapped(self) -> Iterator[Mapped]:
        """Everything that a row fills."""
        known = FIELDS[self.kind]
        for name, given in self.fields.items():
            yield Mapped(f"fields.{name}", name, given, known.get(name))
        for name, given in self.products.fields.items() if self.products is not None else ():
            yield Mapped(f"products.fields.{name}", name, given, LINE.get(name))
        for section in ("traits", "properties"):
            named = getattr(self, section)
            for name, given in named.items() if isinstance(named, dict) else ():
                as_it_stands = Shape.SCALAR if section == "traits" else Shape.ANY
                shape = as_it_stands if given.type is None else Shape(given.type)
                yield Mapped(f"{section}.{name}", name, given, Target(shape, _LONGEST))

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read, in order of name."""
        found = {column for one in self.mapped() if not one.nested for column in one.given.columns}
        if self.products is not None:
            found.add(self.products.column)
        if isinstance(self.properties, str):
            found.add(self.properties)
        return tuple(sorted(found))


def load_mapping(data: object, *, name: str = "mapping") -> ImportMapping:
    """The mapping in parsed YAML. `name` is the file's, for messages.

    Raises BadInputError `bad_mapping` whose detail names path and fix of everything that is wrong, one a line.
    """
    if not isinstance(data, Mapping):
        raise BadInputError(BAD_MAPPING, f"{name}: must be a mapping with version, kind, source and fields")
    try:
        mapping = ImportMapping.model_validate(data)
    except ValidationError as error:
        raise BadInputError(BAD_MAPPING, "\n".join(f"{name}: {text}" for text in _texts(error))) from None
    if wrong := list(_problems(mapping)):
        raise BadInputError(BAD_MAPPING, "\n".join(f"{name}: {text}" for text in wrong))
    return mapping


def _texts(error: ValidationError) -> list[str]:
    """One line for each mistake; without pydantic's own names of union members in the path."""
    texts = []
    for one in error.errors(include_url=False, include_input=False, include_context=False):
        path = ".".join(str(part) for part in one["loc"] if not str(part).startswith(("dict[", "str", "int", "bool")))
        fix = ""
        if one["type"] == "extra_forbidden":
            names = [*ImportMapping.model_fields, *FieldMapping.model_fields, *CsvDialect.model_fields]
            fix = _did_you_mean(str(one["loc"][-1]), names)
        texts.append(f"{path}: {one['msg']}{fix}")
    return list(dict.fromkeys(texts))


def _did_you_mean(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _problems(mapping: ImportMapping) -> Iterator[str]:
    """What no single value shows."""
    if not SOURCE_NAME.fullmatch(mapping.source):
        yield "source: use small letters, digits, - and _, beginning with a letter or digit, at most 64"
    yield from _unknown_fields(mapping)
    yield from _missing(mapping)
    yield from _unversioned(mapping)
    yield from _money(mapping)
    if mapping.products is not None and mapping.kind is not Kind.ORDERS:
        yield f"{_PRODUCTS}: only for kind orders; rows of kind order_lines are products themselves"
    if mapping.traits and mapping.kind not in WITH_TRAITS:
        yield f"traits: {mapping.kind} have none"
    if mapping.properties is not None and mapping.kind is not Kind.EVENTS:
        yield "properties: only for kind events"
    if problem := _zone_problem(mapping.timezone):
        yield f"timezone: {problem}"
    for one in mapping.mapped():
        if one.target is not None:
            yield from (f"{one.path}{problem}" for problem in _field_problems(one, one.target))


def _unknown_fields(mapping: ImportMapping) -> Iterator[str]:
    known = list(FIELDS[mapping.kind])
    for name in mapping.fields:
        if name not in known:
            yield f"fields.{name}: {mapping.kind} have no such field{_did_you_mean(name, known)}"
    if mapping.products is not None:
        for name in mapping.products.fields:
            if name not in LINE:
                yield f"products.fields.{name}: a product has no such field{_did_you_mean(name, list(LINE))}"


def _missing(mapping: ImportMapping) -> Iterator[str]:
    for group in REQUIRED[mapping.kind]:
        if not any(name in mapping.fields for name in group):
            yield f"fields: add {group[0]}" if len(group) == 1 else f"fields: add one of {', '.join(group)}"
    if mapping.products is not None:
        nested = mapping.products.fields
        for group in (("product_id",), ("quantity",), ("price", "line_total")):
            if not any(name in nested for name in group):
                yield f"products.fields: add {' or '.join(group)}"


def _unversioned(mapping: ImportMapping) -> Iterator[str]:
    """Without a version an order is as old as its placing, and every webhook of it is younger: so a file that tells
    what became of orders would be folded, and count for nothing."""
    fields = mapping.fields
    if mapping.kind not in (Kind.ORDERS, Kind.ORDER_LINES) or "version" in fields or "updated_at" in fields:
        return
    status = fields.get("status")
    told = ["refunded"] if "refunded" in fields else []
    if status is not None and (status.value is None or status.value in _LATE):
        told.insert(0, "status")
    if told:
        yield (
            f"fields: add version or updated_at, as the file says {' and '.join(told)}: without one an order counts as "
            "of its placed_at, and what a webhook told of it counts instead"
        )


def _money(mapping: ImportMapping) -> Iterator[str]:
    if mapping.kind not in WITH_MONEY:
        if mapping.currency is not None:
            yield f"currency: {mapping.kind} have no amounts"
        return
    has_column = "currency" in mapping.fields
    if mapping.currency is None and not has_column:
        if mapping.kind is not Kind.PRODUCTS or "price" in mapping.fields:
            yield "currency: add one such as EUR, or the column of it as fields.currency"
    elif mapping.currency is not None:
        if has_column:
            yield "currency: stands in fields.currency already; keep one of the two"
        try:
            currency_exponent(mapping.currency)
        except BadInputError as error:
            yield f"currency: {error.detail}"


def _field_problems(one: Mapped, target: Target) -> Iterator[str]:
    given = one.given
    if sum(part is not None for part in (given.column, given.value, given.sum)) != 1:
        yield ": say one of column, value, sum"
    for option, shape in _OPTIONS:
        if getattr(given, option) is not None and target.shape is not shape:
            yield f".{option}: is of {shape}s only"
    if given.unit == "minor" and target.shape is not Shape.AMOUNT:
        yield ".unit: is of amounts only"
    if given.type is not None and not one.free:
        yield ".type: is of traits and properties only"
    if given.timezone is not None and (problem := _zone_problem(given.timezone)):
        yield f".timezone: {problem}"
    if given.decimal == given.thousands:
        yield ".thousands: cannot be the decimal sign, too"
    constants = [*(given.values or {}).values(), given.value, given.default]
    for constant in constants if target.choices else ():
        if constant is not None and constant not in target.choices:
            yield f": {constant!r} is none of {', '.join(target.choices)}"


def _zone_problem(name: str) -> str | None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return "unknown; use an IANA name such as Europe/Berlin"
    return None
