"""Rows to orders: one row an order, or one row a product of it; the document is the one that a webhook makes.

A generic order and its row are one event (same source, order and version). What a shop system's own webhook tells is
another event of the same order; the highest version counts.

Rows of many orders are translated together, a column at a time: an order's rows lie next to each other, so what it says
of a field is a stretch of that column.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from regulars.domain.events import ORDER, Event
from regulars.domain.importing.fields import Errors, Fields, Import, Row, at, event_of, missing, who_of
from regulars.domain.importing.targets import IDENTIFIERS, NAMES, Kind
from regulars.domain.importing.values import RowError, at_path
from regulars.domain.orders_payload import EVENT_NAME

MAX_PRODUCTS = 1_000
_AMOUNTS = ("total", "refunded", "discount", "shipping", "tax")
_TEXTS = ("sku", "name", "category", "url", "image_url")
_CONSENTS = ("email_consent", "sms_consent", "consent_text")
_SAID_ONCE = ("status", "channel", *IDENTIFIERS, *NAMES, *_CONSENTS)
_NOTHING: dict[str, Any] = dict.fromkeys(_SAID_ONCE)
_CHOSEN = (("placed_at", min), ("updated_at", max), ("consent_at", max))

Columns = dict[str, list[Any]]
Members = slice | list[int]
"""Which rows of a block: those of one order, or of one version of it."""


@dataclass(slots=True)
class _Block:
    """The rows of many orders in columns. `lines` are the products' columns, `stretches` which of them each row has
    (None: the row itself is one)."""

    rows: list[Row]
    columns: Columns
    traits: Columns
    currencies: list[str | None]
    errors: Errors
    lines: Columns
    stretches: list[slice] | None


class Orders:
    """The orders of an import of kind `orders` or `order_lines`."""

    def __init__(self, given: Import) -> None:
        self._given = given
        self._fields = given.fields()
        self._traits = given.fields("traits")
        self._by_line = given.mapping.kind is Kind.ORDER_LINES
        chosen = [one for one in given.mapping.mapped() if one.nested]
        self._paths = tuple(dict.fromkeys(column for one in chosen for column in one.given.columns))
        self._said_once = [name for name in _SAID_ONCE if name in self._fields]
        self._nested = Fields(chosen, self._paths, given.mapping.timezone)
        products = given.mapping.products
        self._list = None if products is None else given.columns.index(products.column)

    def keys(self, rows: Sequence[Sequence[Any]]) -> Sequence[str | RowError | None]:
        """The order that each row belongs to."""
        return self._fields.keys("order_id", rows)

    def translate(self, groups: Sequence[Sequence[Row]]) -> Iterator[list[Event] | RowError]:
        """For the rows of each order its events, one for each version, or why none of them can be imported."""
        rows = [row for group in groups for row in group]
        if not rows:
            return
        block = self._block(rows, self._orders_of(groups))
        start = 0
        for group in groups:
            end = start + len(group)
            try:
                yield self._events(block, slice(start, end))
            except RowError as error:
                yield at(error, rows[start])
            start = end

    def _orders_of(self, groups: Sequence[Sequence[Row]]) -> list[slice]:
        found, start = [], 0
        for group in groups:
            found.append(slice(start, start + len(group)))
            start += len(group)
        return found

    def _block(self, rows: list[Row], orders: list[slice]) -> _Block:
        errors: Errors = {}
        raws = list(zip(*(row.values for row in rows), strict=True))
        columns = self._fields.columns(raws, len(rows), errors)
        traits = self._traits.columns(raws, len(rows), errors)
        told = columns.pop("currency", None)
        currencies = self._given.currencies(told, len(rows), errors)
        if told is not None:
            _spread(currencies, orders)
        columns |= self._fields.amounts(raws, currencies, errors)
        block = _Block(rows, columns, traits, currencies, errors, columns, None)
        if self._list is not None:
            self._take_apart(block, raws[self._list])
        return block

    def _take_apart(self, block: _Block, lists: Sequence[Any]) -> None:
        """Put the products that stand in a list in each order's row into rows of their own."""
        values: list[list[Any]] = []
        owners: list[int] = []
        block.stretches = []
        for place, given in enumerate(lists):
            start = len(values)
            try:
                values += [[at_path(one, path) for path in self._paths] for one in _objects(given)]
            except RowError as error:
                block.errors.setdefault(place, error)
            owners += [place] * (len(values) - start)
            block.stretches.append(slice(start, len(values)))
        currencies = [block.currencies[place] for place in owners]
        wrong: Errors = {}
        raws: list[Any] = list(zip(*values, strict=True)) or [()] * len(self._paths)
        block.lines = self._nested.columns(raws, len(values), wrong)
        block.lines |= self._nested.amounts(raws, currencies, wrong)
        for line, fault in wrong.items():
            block.errors.setdefault(owners[line], fault)

    def _events(self, block: _Block, members: slice) -> list[Event]:
        for place in range(members.start, members.stop) if block.errors else ():
            if place in block.errors:
                raise at(block.errors[place], block.rows[place])
        versions = block.columns.get("version") or block.columns.get("updated_at")
        found: set[Any] = set(versions[members]) if versions else {None}
        if len(found) == 1:
            return [self._event(block, members, found.pop())]
        if versions is None or None in found:
            raise RowError("missing_value", self._fields.path("version"), "is in some rows of the order only")
        picked = {
            version: [place for place in range(members.start, members.stop) if versions[place] == version]
            for version in sorted(found)
        }
        return [self._event(block, places, version) for version, places in picked.items()]

    def _event(self, block: _Block, members: Members, version: int | None) -> Event:
        if not self._by_line:
            members = _one_row(block, members)
        told = self._told(block, members)
        for name in ("placed_at", "status"):
            if told.get(name) is None:
                raise missing(self._fields.path(name))
        currency = self._one(block.currencies, members, "currency")
        if currency is None:
            raise RowError("unknown_currency", self._fields.path("currency"), "is empty")
        amounts = {name: self._one(block.columns.get(name), members, name) for name in _AMOUNTS}
        lines = self._lines(block, members)
        if amounts["total"] is None:
            if not self._by_line:
                raise missing(self._fields.path("total"))
            amounts["total"] = sum(line[_TOTAL] for line in lines)
        if amounts["discount"] is None:
            amounts["discount"] = sum(line[_DISCOUNT] for line in lines)
        order_id = self._one(block.columns["order_id"], members, "order_id")
        document = {
            "order_id": order_id,
            "version": told["placed_at"] if version is None else version,
            "status": told["status"],
            "placed_at": told["placed_at"],
            "currency": currency,
            **{f"{name}_minor": amounts[name] or 0 for name in _AMOUNTS},
            "coupons": told["coupons"],
            "channel": told["channel"] or "online",
            "products": [line[_DOCUMENT] for line in lines],
        }
        return self._made(document, told, {name: self._one(c, members, name) for name, c in block.traits.items()})

    def _made(self, document: dict[str, Any], told: dict[str, Any], traits: dict[str, Any]) -> Event:
        self._given.timestamp(told["placed_at"], self._fields.path("placed_at"))
        changed = "placed_at" if told.get("updated_at") is None else "updated_at"
        consent = _consent(told)
        return event_of(
            self._given,
            ORDER,
            f"{document['order_id']}:{document['version']}",
            at=(told[changed], self._fields.path(changed)),
            who=who_of(told, self._given.mapping.source, {k: v for k, v in traits.items() if v is not None}),
            name=EVENT_NAME,
            properties=document,
            context={"consent": consent} if consent else {},
        )

    def _told(self, block: _Block, members: Members) -> dict[str, Any]:
        """What the rows say of the whole order: most is said once, or the same each time; of instants the earliest
        `placed_at` and the latest others count; coupons are put together."""
        columns = block.columns
        told = dict(_NOTHING)
        for name in self._said_once:
            told[name] = self._one(columns[name], members, name)
        for name, choose in _CHOSEN:
            if name in columns:
                found = set(_pick(columns[name], members))
                found.discard(None)
                told[name] = choose(found, default=None)
        some = {one for one in _pick(columns["coupons"], members) if one} if "coupons" in columns else set()
        told["coupons"] = list(some.pop()) if len(some) == 1 else sorted({one for each in some for one in each})
        return told

    def _one(self, column: list[Any] | None, members: Members, name: str) -> Any:
        """What the rows say in a column that may say one thing only. Raises RowError `conflicting_rows`."""
        if column is None:
            return None
        found = set(_pick(column, members))
        if len(found) > 1:
            found.discard(None)
            if len(found) > 1:
                path = self._traits.path(name) if name in self._traits else self._fields.path(name)
                raise RowError("conflicting_rows", path, "the rows of one order say different things")
        return found.pop()

    def _lines(self, block: _Block, members: Members) -> list[tuple[Any, ...]]:
        """The products of an order, in an order that does not depend on that of the rows."""
        if block.stretches is not None:
            (place,) = range(*members.indices(len(block.rows))) if isinstance(members, slice) else members
            return self._products(block.lines, block.stretches[place], "products.fields")
        if not self._by_line:
            return []
        lines = self._products(block.lines, members, "fields")
        lines.sort(key=_order_of_lines)
        return lines

    def _products(self, columns: Columns, members: Members, section: str) -> list[tuple[Any, ...]]:
        products = _pick(columns["product_id"], members)
        if len(products) > MAX_PRODUCTS:
            raise RowError("too_large", section, f"an order has at most {MAX_PRODUCTS} products")
        absent = [None] * len(products)
        texts = [(name, _pick(columns[name], members)) for name in _TEXTS if name in columns]
        stretches = [
            _pick(columns[name], members) if name in columns else absent
            for name in ("quantity", "price", "line_total", "line_discount", "line")
        ]
        lines = []
        rows = zip(products, *stretches, strict=True)
        for number, (product, quantity, price, total, discount, line) in enumerate(rows):
            if product is None or quantity is None or (price is None and total is None):
                name = "product_id" if product is None else "quantity" if quantity is None else "price"
                raise missing(f"{section}.{name}")
            piece = unit_price(total, quantity) if price is None else price
            document = {"product_id": product, "quantity": quantity, "price_minor": piece}
            for name, column in texts:
                if (text := column[number]) is not None:
                    document[name] = text
            lines.append((document, piece * quantity if total is None else total, discount or 0, line or ""))
        return lines


_DOCUMENT, _TOTAL, _DISCOUNT = range(3)


def _order_of_lines(line: tuple[Any, ...]) -> tuple[Any, ...]:
    """By line number, then by whatever else they say: equal lines are the same whichever comes first."""
    document, total, discount, number = line
    texts = [document.get(name, "") for name in _TEXTS] if len(document) > 3 else ()  # noqa: PLR2004
    return (
        len(number), number, document["product_id"], document["quantity"], total, discount, document["price_minor"],
        *texts,
    )  # fmt: skip


def unit_price(total: int, quantity: int) -> int:
    """Minor units a piece, rounded half up; all of it where there is no quantity."""
    return total if quantity < 1 else (2 * total + quantity) // (2 * quantity)


def _pick(column: list[Any], members: Members) -> list[Any]:
    return column[members] if isinstance(members, slice) else [column[place] for place in members]


def _spread(currencies: list[str | None], orders: list[slice]) -> None:
    """An order's currency, where only some of its rows say it."""
    for members in orders:
        told = set(currencies[members])
        if len(told) > 1:
            told.discard(None)
            if len(told) == 1:
                currencies[members] = [told.pop()] * (members.stop - members.start)


def _objects(given: Any) -> list[dict[str, Any]]:
    """A list of objects, also as JSON text, as CSV and Parquet keep it. Raises RowError."""
    if given is None or given == "":
        return []
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            raise RowError("bad_json", "products.column", "must be a JSON list of objects") from None
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise RowError("bad_shape", "products.column", "must be a list of objects")
    return given


def _one_row(block: _Block, members: Members) -> list[int]:
    """The row of an order that is there once, or several times alike. Raises RowError when they differ."""
    places = list(range(members.start, members.stop)) if isinstance(members, slice) else members
    if len(places) > 1 and len({json.dumps(list(block.rows[place].values), sort_keys=True) for place in places}) > 1:
        raise RowError("conflicting_rows", "fields", "two rows of one order and version differ")
    return places[:1]


def _consent(told: dict[str, Any]) -> dict[str, Any]:
    """As `context.consent` of an order: channel to status, instant and text."""
    found: dict[str, Any] = {}
    for channel in ("email", "sms"):
        status = told.get(f"{channel}_consent")
        if status is not None:
            found[channel] = {"status": status, "at": told.get("consent_at") or told["placed_at"]}
            if told["consent_text"] is not None:
                found[channel]["text_version"] = told["consent_text"]
    return found
