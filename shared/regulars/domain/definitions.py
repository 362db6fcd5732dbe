"""Definitions: segments that operators put while the shop runs, beside those of the program's files.

A definition has versions, from 1 on; none is ever changed. The set in force says which version of which counts, and has
a version of its own. Files stand by themselves: a definition may name what files define, but not the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Any, NamedTuple

from regulars.domain.errors import BadInputError
from regulars.domain.instants import from_millis, to_millis
from regulars.domain.loading import BAD_PROGRAM, READY_MADE, load_program
from regulars.domain.parameters import ProgramParameters
from regulars.domain.program import Program
from regulars.domain.ready_made import ready_made
from regulars.domain.rules.dates import forgotten
from regulars.domain.rules.nodes import MAX_DEPTH, bounds_problem
from regulars.domain.rules.operands import MAX_EXACT

NAME_TAKEN = "name_taken"
_TAKEN = "the program's files define it; change it there"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_MAX_DEPTH, _MAX_VALUES = 2 * MAX_DEPTH + 6, 5_000
"""Two levels above a definition stand what it joins: the sections of a file, and the segments."""
_SECTION = "segments"
_AS_IT_IS = "as_it_is"
_PLACE = re.compile(r"(?P<file>[^:]+): segments\.(?P<number>\d+)(?P<rest>\.?)")
_OF_DEFINITION = re.compile(r"definition (?P<name>[^:]+): (?P<problem>.*)", re.DOTALL)
_PATH = re.compile(r"(?P<path>[^:]+(?:: [^:\s]+)?): (?P<problem>.*)", re.DOTALL)


class Problem(NamedTuple):
    """What is wrong (`problem`, with what would fit) and where (`path`: the file or definition, and the way in it)."""

    path: str
    problem: str


@dataclass(frozen=True, slots=True)
class Definition:
    """One version of a segment: `data` holds its `rule` and perhaps its `description`, as JSON data with decimals as
    Decimal. `put_by` names who put it, as the tokens of operators do."""

    name: str
    version: int
    put_at: datetime
    put_by: str
    data: Mapping[str, Any]

    def section(self) -> dict[str, Any]:
        """As it would stand under `segments` in a file."""
        return {"name": self.name, **self.data}


@dataclass(frozen=True, slots=True)
class DefinitionSet:
    """The definitions in force by name. `version` grows by one with each change; 0: there never was any. `withdrawn`:
    the last version of those that were taken out. `changed_at`: when it took the place of the set before it."""

    version: int = 0
    definitions: Mapping[str, Definition] = field(default_factory=dict)
    withdrawn: Mapping[str, int] = field(default_factory=dict)
    changed_at: datetime | None = None

    def having(self, definition: Definition) -> DefinitionSet:
        """The next set, with this definition in place of another version of it."""
        withdrawn = {name: version for name, version in self.withdrawn.items() if name != definition.name}
        return DefinitionSet(self.version + 1, {**self.definitions, definition.name: definition}, withdrawn)

    def lacking(self, name: str) -> DefinitionSet:
        """The next set, without this definition. Raises KeyError where there is none."""
        left = {known: definition for known, definition in self.definitions.items() if known != name}
        return DefinitionSet(self.version + 1, left, {**self.withdrawn, name: self.definitions[name].version})

    def latest(self, name: str) -> int:
        """The last version that was in force under a name; 0 where none ever was."""
        known = self.definitions.get(name)
        return known.version if known else self.withdrawn.get(name, 0)


def is_name(text: str) -> bool:
    """Whether a text may name a segment."""
    return _NAME.fullmatch(text) is not None


def data_of(raw: object, name: str) -> dict[str, Any]:
    """A definition's data out of what an operator wrote: dates become texts, as JSON has none. Raises BadInputError
    `bad_program` where it is no mapping, too large, or bears another name."""
    where = f"definition {name}"
    if problem := bounds_problem(raw, depth=_MAX_DEPTH, nodes=_MAX_VALUES):
        raise BadInputError(BAD_PROGRAM, f"{where}: {problem}")
    if not isinstance(raw, Mapping):
        raise BadInputError(BAD_PROGRAM, f"{where}: must be a mapping with a rule")
    if raw.get("name", name) != name:
        raise BadInputError(BAD_PROGRAM, f"{where}: name: another name than in the address; remove it")
    try:
        return {str(key): _as_json(value) for key, value in raw.items() if key != "name"}
    except ValueError as error:
        raise BadInputError(BAD_PROGRAM, f"{where}: {error}") from error


def _as_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_as_json(item) for item in value]
    if isinstance(value, int) and abs(value) > MAX_EXACT:
        raise ValueError("a number is too large")
    if isinstance(value, float | Decimal) and not isfinite(value):
        raise ValueError("a number is not finite")
    return value.isoformat() if isinstance(value, date) else value


def names_in_files(files: Mapping[str, object]) -> frozenset[str]:
    """The names of the segments that files define or take ready made, as far as they can be read."""
    _, items = _segments_of(files)
    for data in files.values():
        if isinstance(data, Mapping) and READY_MADE in data:
            items += ready_made(data[READY_MADE])[0]
    return frozenset(str(item["name"]) for item in items if isinstance(item, Mapping) and "name" in item)


def program_of(
    files: Mapping[str, object],
    definitions: Mapping[str, Definition],
    parameters: ProgramParameters | None = None,
) -> Program:
    """The program in files and definitions together. Raises BadInputError: `name_taken` where both define a segment,
    `bad_program` with everything else that is wrong, definitions as `definition <name>`."""
    if taken := sorted(definitions.keys() & names_in_files(files)):
        raise BadInputError(NAME_TAKEN, "\n".join(f"definition {name}: name: {_TAKEN}" for name in taken))
    if not definitions:
        return load_program(files, parameters)
    file, items = _segments_of(files)
    put = [definitions[name] for name in sorted(definitions)]
    section = files.get(file, {})
    merged = {
        **files,
        file: {
            **(section if isinstance(section, Mapping) else {}),
            _SECTION: [*items, *(definition.section() for definition in put)],
        },
    }
    try:
        program = load_program(merged, parameters)
    except BadInputError as error:
        names = [definition.name for definition in put]
        lines = [_renamed(line, file, len(items), names) for line in error.detail.splitlines()]
        raise BadInputError(error.code, "\n".join(lines)) from error
    if lines := list(_forgotten(program, definitions)):
        raise BadInputError(BAD_PROGRAM, "\n".join(lines))
    return program


def _forgotten(program: Program, definitions: Mapping[str, Definition]) -> Iterator[str]:
    """What definitions asked, when they were put, for events that were not kept any more."""
    for segment in program.segments:
        if (definition := definitions.get(segment.name)) is not None:
            for problem in forgotten(segment.rule, definition.put_at):
                yield f"definition {segment.name}: {problem}"


def _segments_of(files: Mapping[str, object]) -> tuple[str, list[Any]]:
    """The file that has the segments (`definitions` where none has), and these."""
    for file, data in sorted(files.items()):
        if isinstance(data, Mapping) and _SECTION in data:
            items = data[_SECTION]
            return file, list(items) if isinstance(items, list | tuple) else []
    return "definitions", []


def _renamed(line: str, file: str, in_files: int, names: Sequence[str]) -> str:
    """A problem of a definition, which the loader took for one of the file's segments, under the definition's name."""
    place = _PLACE.match(line)
    if place is None or place["file"] != file or int(place["number"]) < in_files:
        return line
    name = names[int(place["number"]) - in_files]
    return f"definition {name}: " + line[place.end() :].removeprefix(": ")


@dataclass(frozen=True, slots=True)
class Fitted:
    """The program of files and of those `definitions` that fit them, and what is wrong with each of the others."""

    program: Program
    definitions: Mapping[str, Definition]
    unfit: Mapping[str, str]


def fitted(
    files: Mapping[str, object],
    definitions: Mapping[str, Definition],
    parameters: ProgramParameters | None = None,
) -> Fitted:
    """The program of files, which may have changed since the definitions were put: those that do not fit them any more
    are suspended, with whatever names them, until they do or are taken out. Where none is to blame, and they are too
    many together, the last that was put goes first.

    Raises BadInputError `bad_program` where the files are wrong by themselves.
    """
    left, unfit = dict(definitions), dict[str, str]()
    while True:
        try:
            program = program_of(files, left, parameters)
        except BadInputError as error:
            if not left:
                raise
            unfit |= _misfits(error, left)
            left = {name: definition for name, definition in left.items() if name not in unfit}
        else:
            names = frozenset(segment.name for segment in program.segments)
            return Fitted(replace(program, suspended=frozenset(unfit) - names), left, unfit)


def _misfits(error: BadInputError, definitions: Mapping[str, Definition]) -> dict[str, str]:
    """The definitions that a program's error names, with what is wrong."""
    found: dict[str, str] = {}
    for line in error.detail.splitlines():
        said = _OF_DEFINITION.fullmatch(line)
        if said and said["name"] in definitions:
            found.setdefault(said["name"], said["problem"])
    if not found:
        last = max(definitions.values(), key=lambda definition: (definition.put_at, definition.name))
        found[last.name] = error.detail
    return found


@dataclass(frozen=True, slots=True)
class InForce:
    """The program in force. `files`: the hash of what its files say; `changed_at`: when its definitions last changed,
    None where they never did."""

    program: Program
    files: str
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Basis:
    """What a draft joins: the program's files, the definitions in force, the parameters' values in force."""

    files: Mapping[str, object]
    definitions: DefinitionSet
    parameters: ProgramParameters

    def fitted(self) -> Fitted:
        """The program in force, and which of the definitions are part of it."""
        return fitted(self.files, self.definitions.definitions, self.parameters)

    def program(self) -> Program:
        """The program in force."""
        return self.fitted().program

    def with_definitions(self, definitions: Mapping[str, Definition]) -> Program:
        """The program with other definitions in place of those in force. Raises BadInputError as `program_of`."""
        return program_of(self.files, definitions, self.parameters)

    def segments(self) -> dict[str, Any]:
        """The data of all segments in force by name, as they are written."""
        _, items = _segments_of(self.files)
        found = {
            str(item["name"]): _as_json({key: value for key, value in item.items() if key != "name"}) for item in items
        }
        return found | {name: dict(definition.data) for name, definition in self.fitted().definitions.items()}

    def with_draft(self, name: str, raw: object, *, now: datetime) -> Program:
        """The program with a draft in place of the segment of that name, in files or put, or beside the others.

        Raises BadInputError `bad_program` naming everything that is wrong.
        """
        draft = Definition(name, 0, now, "", data_of(raw, name))
        return program_of(_without(self.files, name), {**self.fitted().definitions, name: draft}, self.parameters)

    def as_put(self, name: str, raw: object, *, now: datetime) -> Program:
        """The program as it would be, were the draft put in force.

        Raises BadInputError `bad_program` naming everything that stands against that.
        """
        taken, program, found = name in names_in_files(self.files), None, []
        try:
            program = self.with_draft(name, raw, now=now)
        except BadInputError as error:
            found = [] if error.code == NAME_TAKEN else error.detail.splitlines()
        if taken:
            found.insert(0, f"definition {name}: name: {_TAKEN}, or take another name")
        if program is None or found:
            raise BadInputError(BAD_PROGRAM, "\n".join(found))
        return program

    def beside(self, name: str, raw: object, *, now: datetime) -> tuple[Program, str]:
        """As `with_draft`, with the segment as it is now beside the draft, and the name that this goes by then."""
        now_in_force = self.fitted()
        program = now_in_force.program
        known = {segment.name for segment in program.segments}
        if name not in known:
            return self.with_draft(name, raw, now=now), ""
        other = _AS_IT_IS
        while other in known:
            other += "_"
        added = Definition(other, 0, now, "", self.segments()[name])
        draft = Definition(name, 0, now, "", data_of(raw, name))
        put = {**now_in_force.definitions, name: draft, other: added}
        return program_of(_without(self.files, name), put, self.parameters), other


def _without(files: Mapping[str, object], name: str) -> Mapping[str, object]:
    """The files without their segment of that name."""
    if name not in names_in_files(files):
        return files
    return {
        file: {**data, "segments": [item for item in data["segments"] if item.get("name") != name]}
        if isinstance(data, Mapping) and "segments" in data
        else data
        for file, data in files.items()
    }


def problems_of(error: BadInputError) -> list[Problem]:
    """What a program's error names, one by one."""
    found = []
    for line in error.detail.splitlines():
        said = _PATH.fullmatch(line)
        found.append(Problem(said["path"], said["problem"]) if said else Problem("program", line))
    return found


def definition_to_doc(definition: Definition) -> dict[str, Any]:
    """The JSON document of a definition, decimals as Decimal."""
    return {
        "name": definition.name,
        "version": definition.version,
        "put_at": to_millis(definition.put_at),
        "put_by": definition.put_by,
        "data": dict(definition.data),
    }


def definition_from_doc(doc: Mapping[str, Any]) -> Definition:
    """The inverse of `definition_to_doc`."""
    return Definition(doc["name"], doc["version"], from_millis(doc["put_at"]), doc["put_by"], doc["data"])


def set_to_doc(definitions: DefinitionSet) -> dict[str, Any]:
    """The JSON document of a set."""
    changed = {} if definitions.changed_at is None else {"changed_at": to_millis(definitions.changed_at)}
    return {
        "v": 1,
        "version": definitions.version,
        "definitions": [definition_to_doc(item) for _, item in sorted(definitions.definitions.items())],
        "withdrawn": dict(sorted(definitions.withdrawn.items())),
        **changed,
    }


def set_from_doc(doc: Mapping[str, Any]) -> DefinitionSet:
    """The inverse of `set_to_doc`."""
    put = [definition_from_doc(item) for item in doc["definitions"]]
    changed = from_millis(doc["changed_at"]) if "changed_at" in doc else None
    return DefinitionSet(doc["version"], {definition.name: definition for definition in put}, doc["withdrawn"], changed)
