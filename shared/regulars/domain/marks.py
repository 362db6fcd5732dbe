"""Marks: a few characters for all that decides who is in a segment, but for values. Another mark: other rules.

What new rules say of the past is taken in silently (`engine.NEW_RULES`), so a mark covers whatever the segment's rule
reads by way of something else: the segments that it names, the churn bands, the definitions of parameters, the
calendar and the currency. New values of parameters and new models are no new rules: whom they move is news.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from regulars.domain.rules.operands import ParameterRef
from regulars.domain.rules.reads import BAND, reads, segments_in

if TYPE_CHECKING:
    from regulars.domain.program import Program

BANDS = ""
"""Under this the mark of the churn bands is kept: no segment is called so."""
_DIGITS = 6


def digest(text: str, digits: int = _DIGITS) -> str:
    """The first hex digits of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def marks_of(program: Program) -> dict[str, str]:
    """The mark of each segment that does not wait, and of the churn bands (BANDS) unless they do."""
    rules: dict[str, Any] = {segment.name: segment.rule for segment in program.segments}
    found = {
        name: _mark(program, name, [(other, rules[other]) for other in named_by(name, rules)])
        for name in rules
        if name not in program.waiting
    }
    if program.churn.bands and not program.waits.bands:
        found[BANDS] = _mark(program, BANDS, _bands(program))
    return found


def joined(marks: Iterable[str]) -> str:
    """Marks as one text, the same for the same marks."""
    return "".join(sorted(marks))


def parted(marks: str) -> frozenset[str]:
    """The inverse of `joined`."""
    return frozenset(marks[start : start + _DIGITS] for start in range(0, len(marks), _DIGITS))


def named_by(name: str, rules: Mapping[str, Any]) -> list[str]:
    """A segment and all that it depends on, in alphabetical order."""
    found, further = {name}, [name]
    while further:
        more = set(segments_in(rules[further.pop()])) - found
        found |= more
        further += more
    return sorted(found)


def reads_band(rule: object) -> bool:
    """Whether a rule itself, not one that it names, looks at the churn band."""
    return BAND in reads(rule)


def parameters_in(rule: object) -> Iterator[str]:
    """The parameters that a rule itself names."""
    if isinstance(rule, ParameterRef):
        yield rule.parameter
        return
    parts: Iterable[object] = ()
    if isinstance(rule, BaseModel):
        parts = rule.__dict__.values()
    elif isinstance(rule, Mapping):
        parts = rule.values()
    elif isinstance(rule, list | tuple):
        parts = rule
    for part in parts:
        yield from parameters_in(part)


def written(rule: object) -> Any:
    """A rule as far as somebody wrote it, in data whose `repr` is the same for the same rule: nodes by kind, with what
    is not as it is by default, and conditions by name. So neither a release that gives nodes more fields nor another
    order of conditions makes new rules of old ones."""
    if isinstance(rule, BaseModel):
        fields = type(rule).model_fields
        said = {
            name: written(value)
            for name, value in rule.__dict__.items()
            if value != fields[name].get_default(call_default_factory=True)
        }
        return type(rule).__name__, said
    if isinstance(rule, Mapping):
        return {key: written(rule[key]) for key in sorted(rule)}
    return [written(part) for part in rule] if isinstance(rule, list | tuple) else rule


def _bands(program: Program) -> list[tuple[str, Any]]:
    return [(band.name, band.rule) for band in program.churn.bands]


def _mark(program: Program, name: str, rules: Sequence[tuple[str, Any]]) -> str:
    bands = _bands(program) if any(reads_band(rule) for _, rule in rules) else []
    named = {parameter for _, rule in [*rules, *bands] for parameter in parameters_in(rule)}
    defined = [(parameter, program.definition_marks[parameter]) for parameter in sorted(named)]
    return digest(repr([name, written(rules), written(bands), defined, program.currency, program.time_zone]))
