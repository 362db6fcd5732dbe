"""What waits because profiles do not keep yet, of the whole log, what it looks at: half of the past decides wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from regulars.domain.marks import reads_band
from regulars.domain.plan import lacking, plan_of_rules
from regulars.domain.rules.aggregates import Measure
from regulars.domain.rules.reads import SCORES, reads, segments_in
from regulars.domain.scores.history import INTENSITY_DAYS
from regulars.domain.values import value

if TYPE_CHECKING:
    from regulars.domain.program import Program


@value(frozen=True, slots=True)
class Waits:
    """`segments` that nobody enters or leaves; whether the churn `bands` stay as they are stored; `campaigns` that wait
    longer, for their `when` cannot be told; `parameters` that keep their values."""

    segments: frozenset[str] = frozenset()
    bands: bool = False
    campaigns: frozenset[str] = frozenset()
    parameters: frozenset[str] = frozenset()

    def told(self) -> list[str]:
        """What waits with its deciding, in one way."""
        campaigns = [f"campaign {name}" for name in self.campaigns]
        return sorted([*self.segments, *campaigns, *(["churn bands"] if self.bands else [])])

    def __bool__(self) -> bool:
        return bool(self.segments or self.bands or self.campaigns or self.parameters)


def needed_by(program: Program, rules: Sequence[object]) -> dict[str, int]:
    """What some of a program's rules look at now, with how many days back (FeaturePlan.parts). What is only kept for
    the scores of another night is not part of it."""
    parts = plan_of_rules(rules).parts()
    if any(SCORES in reads(rule) for rule in rules if not isinstance(rule, Measure)):
        parts |= {name: max(parts.get(name, 0), INTENSITY_DAYS) for name in program.seen_by}
    return parts


def waits_of(program: Program) -> Waits:
    """What of a program waits."""
    kept = program.parameters.parts
    if not lacking(program.plan.parts(), kept):
        return Waits()

    def lacks(rule: object) -> bool:
        return bool(lacking(needed_by(program, [rule]), kept))

    bands = any(lacks(band.rule) for band in program.churn.bands)

    def cannot_be_told(rule: object) -> bool:
        return lacks(rule) or (bands and reads_band(rule)) or not segments.isdisjoint(segments_in(rule))

    segments = frozenset[str]()
    while more := {one.name for one in program.segments if one.name not in segments and cannot_be_told(one.rule)}:
        segments |= more
    return Waits(
        segments,
        bands,
        frozenset(one.name for one in program.campaigns if one.when is not None and cannot_be_told(one.when)),
        frozenset(name for name, definition in program.definitions.items() if lacks(definition.of)),
    )
