"""From a program's rules to one query over a snapshot: who is in which segment, and in which churn band.

The same questions as `evaluate`, asked of everybody at once; the property tests hold one against the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from regulars.domain.rules import sql_aggregates, sql_leaves, sql_sequences
from regulars.domain.rules.compiling import Setting
from regulars.domain.rules.reads import segments_in
from regulars.domain.rules.sql_columns import CHURN_BAND, ROOT, Column, layout, spelt
from regulars.domain.rules.sql_leaves import member
from regulars.domain.rules.sql_text import MissingColumnError, Query, condition, literal, quoted

Named = Sequence[tuple[str, Any]]
"""Names and rules."""


@dataclass(frozen=True)
class Asked:
    """What a query asks: `bands` in order of precedence, `segments`, in the setting of a program. `setting.segments`
    has the rules of those that others name."""

    bands: Named
    segments: Named
    setting: Setting

    def rules(self) -> Iterable[object]:
        """All rules."""
        yield from (rule for _, rule in self.bands)
        yield from (rule for _, rule in self.segments)
        yield from self.setting.segments.values()

    def layout(self) -> dict[str, Column]:
        """The columns that a snapshot needs for it."""
        return layout(self.rules())


def population_query(asked: Asked, now: datetime, *, source: str, spelling: Mapping[str, str] | None = None) -> str:
    """DuckDB SQL: a row for each row of `source` (SQL: a table or a file), with `root`, `churn_band` and a column
    `segment.<name>`, true or false, for each segment.

    `spelling` is the snapshot's own (from column to how it is spelt there). Raises MissingColumnError when the snapshot
    lacks what a rule reads, TypeError on an unknown node.
    """
    query = Query(now, asked.setting, spelt(asked.layout()) if spelling is None else spelling)
    bands = [(name, condition(rule, query)) for name, rule in asked.bands]
    segments = dict(asked.segments) | dict(asked.setting.segments)
    conditions = {name: condition(rule, query) for name, rule in segments.items()}
    banded = f"banded AS (SELECT *, {_band(bands)} AS {quoted(CHURN_BAND)}\nFROM figures)"
    steps = [_figures(query, source), banded]
    above = "banded"
    for number, names in enumerate(_levels(segments), start=1):
        added = ",\n  ".join(f"{conditions[name]} AS {member(name)}" for name in names)
        steps.append(f"level{number} AS (SELECT *,\n  {added}\nFROM {above})")
        above = f"level{number}"
    wanted = ", ".join([quoted(ROOT), quoted(CHURN_BAND), *(member(name) for name, _ in asked.segments)])
    together = ",\n".join(steps)
    return f"WITH {together}\nSELECT {wanted}\nFROM {above}"


def rule_query(rule: object, setting: Setting, now: datetime, *, source: str = "snapshot") -> str:
    """DuckDB SQL: the roots of those for whom one rule holds, to be read by people or run elsewhere. A rule that names
    churn bands needs `population_query`."""
    found = population_query(Asked((), (("it", rule),), setting), now, source=source)
    return f"SELECT {quoted(ROOT)} FROM (\n{found}\n) AS everybody WHERE {member('it')}"  # noqa: S608 - as above


def _figures(query: Query, source: str) -> str:
    """What rules have in common, found before them."""
    found = "".join(f",\n  {expression} AS {quoted(name)}" for expression, name in query.figures.items())
    return f"figures AS (SELECT *{found}\nFROM {source})"


def _band(bands: Sequence[tuple[str, str]]) -> str:
    """The first band whose rule holds."""
    cases = " ".join(f"WHEN {test} THEN {literal(name)}" for name, test in bands)
    return f"CASE {cases} END" if cases else "CAST(NULL AS VARCHAR)"


def _levels(segments: Mapping[str, object]) -> list[list[str]]:
    """Segments so that each comes after those that its rule names. Cycles were refused when the program was loaded."""
    depths: dict[str, int] = {}

    def depth(name: str) -> int:
        if name not in depths:
            depths[name] = 1 + max((depth(other) for other in set(segments_in(segments[name]))), default=-1)
        return depths[name]

    levels: list[list[str]] = []
    for name in sorted(segments, key=depth):
        if len(levels) <= depth(name):
            levels.append([])
        levels[depth(name)].append(name)
    return levels


__all__ = [
    "Asked", "MissingColumnError", "population_query", "rule_query", "sql_aggregates", "sql_leaves", "sql_sequences",
]  # fmt: skip
