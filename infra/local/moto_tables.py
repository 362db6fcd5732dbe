"""moto's queries without a sort of the whole table for each: the same items, found by their keys first.

moto sorts all items of a table before it looks which ones a query is about, and turns each value into a Python one at
each comparison. A demonstration with ten thousand items asks the due index some thousand times.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

_moto_query = Table.query
_moto_all_items = Table.all_items
_moto_cast = vars(DynamoType)["cast_value"].fget
_QUERY = inspect.signature(_moto_query)
_STRING = "S"


def cast_value(value: DynamoType) -> Any:
    """A value for Python; texts, which nearly all are, stand for themselves."""
    return value.value if value.type == _STRING else _moto_cast(value)


def _in_order(items: Iterable[Item]) -> list[Item]:
    """By hash and range key, as moto returns them; both are texts in our tables."""
    return sorted(items, key=lambda item: (item.hash_key.value, item.range_key.value if item.range_key else ""))


def all_items(table: Table) -> list[Item]:
    """Every item of a table, in order."""
    if not table.range_key_attr:
        return _moto_all_items(table)
    return _in_order(item for found in table.items.values() for item in found.values())


def query(table: Table, *arguments: Any, **named: Any) -> Any:
    """moto's query over the only items that it can be about."""
    given = _QUERY.bind(table, *arguments, **named).arguments
    # moto looks at all items that the table says it has, so for this call the table says it has fewer.
    if table.range_key_attr:
        if given.get("index_name"):
            hashes, ranges = dict(given["hash_key_conditions"]), given["range_key_conditions"]
            found = [item for item in all_items(table) if _may_match(item, hashes, ranges)]
        else:
            found = _in_order(table.items.get(given["hash_key"], {}).values())
        vars(table)["all_items"] = lambda: found
    try:
        return _moto_query(table, *arguments, **named)
    finally:
        vars(table).pop("all_items", None)


def _may_match(item: Item, hashes: dict[str, DynamoType], ranges: Iterable[tuple[str, str, list[DynamoType]]]) -> bool:
    for name, expected in hashes.items():
        value = item.attrs.get(name)
        if value is None or value != expected:
            return False
    for name, comparison, operands in ranges:
        value = item.attrs.get(name)
        if value is None or not value.compare(comparison, operands):
            return False
    return True


REPLACEMENTS: tuple[tuple[Any, str, Any], ...] = (
    (DynamoType, "cast_value", property(cast_value)),
    (Table, "all_items", all_items),
    (Table, "query", query),
)
"""(owner, name, what takes its place)."""
