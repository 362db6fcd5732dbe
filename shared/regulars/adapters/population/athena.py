"""DuckDB's SQL in the words of Athena (Trino), for whoever keeps snapshots in the lake and asks there.

sqlglot knows most of it; what it leaves as it is, is said here. This is for developers and operators: no function of
Regulars runs it, and no test has Athena's engine, only its grammar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sqlglot
from sqlglot import exp

_NUMBERS = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}


def athena(sql: str) -> str:
    """The same query for Athena. Raises sqlglot.ParseError when it is no SQL of DuckDB's."""
    tree = sqlglot.parse_one(sql, read="duckdb")
    for node in reversed(list(tree.walk())):  # what is inside comes before what is around it
        if (said := _said(node)) is not node:
            node.replace(said)
    return tree.sql(dialect="athena", pretty=True)


def _said(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Anonymous) and (said := _FUNCTIONS.get(node.name.lower())):
        return said(node.expressions)
    if isinstance(node, exp.Length):  # only lists are measured
        return exp.Anonymous(this="CARDINALITY", expressions=[node.this])
    if isinstance(node, exp.IntDiv):
        return _divided(node.this, node.expression)
    if isinstance(node, exp.DataType) and node.this == exp.DataType.Type.INT128:
        return exp.DataType.build("DECIMAL(38, 0)", dialect="athena")
    if isinstance(node, exp.Literal) and isinstance(node.parent, exp.Cast) and node.name in _NUMBERS:
        return exp.Literal.string(_NUMBERS[node.name])
    return node


def _divided(number: exp.Expr, by: exp.Expr) -> exp.Expr:
    """Rounded down, also where decimals stand for numbers beyond 64 bits, which are rounded to the nearest there."""
    rest = exp.Mod(this=exp.paren(number.copy()), expression=by.copy())
    whole = exp.paren(exp.Sub(this=exp.paren(number), expression=rest))
    return exp.Div(this=whole, expression=by, typed=True, safe=False)


def _slice(parts: list[exp.Expr]) -> exp.Expr:
    """Up to a place there, of a length here."""
    values, first, last = parts
    length = exp.Add(this=exp.Sub(this=exp.paren(last), expression=exp.paren(first)), expression=exp.Literal.number(1))
    return exp.Anonymous(this="SLICE", expressions=[values, first.copy(), length])


_FUNCTIONS: Mapping[str, Callable[[list[exp.Expr]], exp.Expr]] = {
    "list_extract": lambda parts: exp.Anonymous(this="ELEMENT_AT", expressions=parts),
    "list_slice": _slice,
}
