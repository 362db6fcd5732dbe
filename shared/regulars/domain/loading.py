"""From parsed YAML files to a checked program: every mistake is named with its file and path, all of them at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from pydantic import TypeAdapter, ValidationError

from regulars.domain import sources
from regulars.domain.errors import BadInputError
from regulars.domain.identity_rules import IdentityDefinition
from regulars.domain.money import currency_exponent
from regulars.domain.parameters import ParameterDefinition, ProgramParameters
from regulars.domain.program import Campaign, ChurnModel, FrequencyCap, Name, Program, Segment
from regulars.domain.ready_made import ready_made
from regulars.domain.rules.nodes import MAX_DEPTH, bounds_problem, problems
from regulars.domain.rules.operands import RuleContext
from regulars.domain.rules.reads import segments_in
from regulars.domain.rules.windows import zone_of

BAD_PROGRAM = "bad_program"
MAX_SEGMENTS = 200
MAX_CAMPAIGNS = 100
READY_MADE = "ready_made"
_SECTIONS: dict[str, TypeAdapter[Any]] = {
    "parameters": TypeAdapter(dict[Name, ParameterDefinition]),
    "churn": TypeAdapter(ChurnModel),
    "segments": TypeAdapter(tuple[Segment, ...]),
    "campaigns": TypeAdapter(tuple[Campaign, ...]),
    "frequency_cap": TypeAdapter(FrequencyCap),
    "identity": TypeAdapter(IdentityDefinition),
}
_ABSENT: dict[str, Any] = {
    "parameters": {}, "churn": ChurnModel(), "segments": (), "campaigns": (), "frequency_cap": None,
    "identity": IdentityDefinition(),
}  # fmt: skip


@dataclass
class _Draft:
    """A program on its way: where each section stands, what has been read, what is wrong."""

    sections: dict[str, tuple[str, Any]]
    context: RuleContext = field(default_factory=RuleContext)
    problems: list[str] = field(default_factory=list)

    def read(self, section: str) -> Any:
        """The section's value in the present context, its absent value when it is missing or wrong."""
        if section not in self.sections:
            return _ABSENT[section]
        file, data = self.sections[section]
        try:
            return _SECTIONS[section].validate_python(data, context=self.context)
        except ValidationError as error:
            self.problems += problems(error, f"{file}: {section}")
            return _ABSENT[section]

    def say(self, section: str, path: str, problem: str) -> None:
        """Add a problem that no single value shows."""
        self.problems.append(f"{self.sections[section][0]}: {section}{path}: {problem}")


def load_program(files: Mapping[str, object], parameters: ProgramParameters | None = None) -> Program:
    """The program in parsed YAML files (name to data), each a mapping of sections; a section stands in one file only.

    Raises BadInputError `bad_program` whose detail names file, path and fix of everything that is wrong.
    """
    draft = _Draft(_merged(files))
    _check_sources(draft, files)
    _take_ready_made(draft)
    currency = _currency(draft)
    time_zone = _time_zone(draft)
    draft.context = RuleContext(currency=currency, zone=zone_of(time_zone))
    definitions = draft.read("parameters")
    draft.context = replace(draft.context, parameters={name: item.of.kind for name, item in definitions.items()})
    churn = draft.read("churn")
    draft.context = replace(
        draft.context, churn_bands=frozenset(band.name for band in churn.bands), segments=_names(draft)
    )
    segments, campaigns, cap = draft.read("segments"), draft.read("campaigns"), draft.read("frequency_cap")
    program = Program(
        source="" if draft.problems else _source(draft),  # what is wrong may have keys that cannot be sorted
        currency=currency,
        segments=segments,
        churn=churn,
        campaigns=campaigns,
        definitions=definitions,
        parameters=parameters or ProgramParameters(),
        frequency_cap=cap,
        identity=draft.read("identity").rules(),
        time_zone=time_zone,
    )
    _check_names(draft, program)
    _check_cycles(draft, program)
    if draft.problems:
        raise BadInputError(BAD_PROGRAM, "\n".join(draft.problems))
    _ = program.plan  # refuses rules that would make profiles too large
    return program


def _merged(files: Mapping[str, object]) -> dict[str, tuple[str, Any]]:
    """Section name to file name and data. Raises BadInputError on anything but known sections, each in one file."""
    sections: dict[str, tuple[str, Any]] = {}
    known = ("currency", "time_zone", READY_MADE, *_SECTIONS, *sources.SECTIONS)
    for file, data in sorted(files.items()):
        if problem := bounds_problem(data, depth=2 * MAX_DEPTH + 8, nodes=50_000):
            raise BadInputError(BAD_PROGRAM, f"{file}: {problem}")
        if not isinstance(data, Mapping):
            raise BadInputError(BAD_PROGRAM, f"{file}: must be a mapping with sections such as segments or campaigns")
        for section, value in data.items():
            if section not in known:
                raise BadInputError(BAD_PROGRAM, f"{file}: {section}: no such section; there are {', '.join(known)}")
            if section in sections:
                raise BadInputError(BAD_PROGRAM, f"{file}: {section}: stands in {sections[section][0]} already")
            sections[section] = (file, value)
    return sections


def _check_sources(draft: _Draft, files: Mapping[str, object]) -> None:
    """They decide nothing, and so are no part of the program; ingest reads them itself."""
    try:
        sources.load_sources(files)
    except BadInputError as error:
        draft.problems.append(error.detail)


def _currency(draft: _Draft) -> str:
    file, currency = draft.sections.get("currency", ("program", None))
    if not isinstance(currency, str):
        raise BadInputError(BAD_PROGRAM, f"{file}: currency: missing; add an ISO 4217 code such as EUR")
    try:
        currency_exponent(currency)
    except BadInputError as error:
        raise BadInputError(BAD_PROGRAM, f"{file}: currency: {error.detail}") from error
    return currency


def _take_ready_made(draft: _Draft) -> None:
    """Put the segments of the sets that the program asks for beside its own."""
    if READY_MADE not in draft.sections:
        return
    file, asked = draft.sections[READY_MADE]
    found, problems = ready_made(asked)
    for path, problem in problems:
        draft.say(READY_MADE, path, problem)
    where, own = draft.sections.get("segments", (file, ()))
    if isinstance(own, list | tuple):
        draft.sections["segments"] = (where, [*own, *found])


def _time_zone(draft: _Draft) -> str:
    _, name = draft.sections.get("time_zone", ("", "UTC"))
    try:
        zone_of(str(name))
    except ValueError as error:
        draft.say("time_zone", "", str(error))
        return "UTC"
    return str(name)


def _names(draft: _Draft) -> frozenset[str]:
    """What the segments are called, before they are read: each may name others that come later."""
    _, data = draft.sections.get("segments", ("", ()))
    items = data if isinstance(data, list | tuple) else ()
    return frozenset(item["name"] for item in items if isinstance(item, Mapping) and isinstance(item.get("name"), str))


def _check_cycles(draft: _Draft, program: Program) -> None:
    """A segment must not depend on itself, by however many others."""
    names = {segment.name: sorted(set(segments_in(segment.rule))) for segment in program.segments}
    for position, (name, others) in enumerate(names.items()):
        seen = {name}
        waiting = [(other, [name, other]) for other in others]
        while waiting:
            other, way = waiting.pop()
            if other == name:
                draft.say("segments", f".{position}.rule", f"{' -> '.join(way)}: a segment cannot depend on itself")
                return
            if other not in seen:
                seen.add(other)
                waiting += [(further, [*way, further]) for further in names.get(other, ())]


def _check_names(draft: _Draft, program: Program) -> None:
    """What only the whole shows: names used twice, campaigns for segments that nobody defines, too many of a kind."""
    segments = [segment.name for segment in program.segments]
    for section, names, most in (
        ("segments", segments, MAX_SEGMENTS),
        ("campaigns", [campaign.name for campaign in program.campaigns], MAX_CAMPAIGNS),
        ("churn", [band.name for band in program.churn.bands], MAX_SEGMENTS),
    ):
        for name in _repeated(names):
            draft.say(section, "", f"{name} is there twice; names must be unique")
        if len(names) > most:
            draft.say(section, "", f"keep it within {most}")
    if any(problem.partition(": ")[2].startswith("segments") for problem in draft.problems):
        return  # what is wrong there would be said again for each campaign
    for position, campaign in enumerate(program.campaigns):
        if campaign.segment not in segments:
            near = get_close_matches(campaign.segment, segments, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            draft.say("campaigns", f".{position}.segment", f"there is no segment {campaign.segment}{hint}")


def _repeated(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return [name for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]


def _source(draft: _Draft) -> str:
    data = {section: value for section, (_, value) in draft.sections.items() if section not in sources.SECTIONS}
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()[:32]
