"""Putting definitions in force and taking them out, each change by exactly one of those who try at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from regulars.application.publishing import SETTLED, forget_beyond
from regulars.domain.definitions import NAME_TAKEN, Definition, DefinitionSet, data_of, names_in_files
from regulars.domain.errors import BadInputError, TransientError, VersionConflictError
from regulars.domain.instants import from_millis, to_millis
from regulars.ports import QueueMessage

if TYPE_CHECKING:
    from regulars.domain.definitions import Basis
    from regulars.domain.program import Program
    from regulars.ports import Clock, ProgramStore, Queue

PRECONDITION_FAILED, PRECONDITION_REQUIRED = "precondition_failed", "precondition_required"
UNKNOWN_SEGMENT = "unknown_segment"
ABSENT = 0
"""The version of what must not be there yet."""
HEARD_AFTER = SETTLED + timedelta(seconds=30)
"""A change is told before it is made, by somebody who may take so much longer than SETTLED says."""
_TRIES = 5
_NUMBERS_TRIED = 20


class DefinitionStore(Protocol):
    """Definitions by version, and the set in force. All methods may raise TransientError."""

    def in_force(self) -> DefinitionSet:
        """The set in force; an empty one where nobody has put any."""

    def definition(self, name: str, version: int) -> Definition | None:
        """One version, whether it is in force, or was, or never came to be."""

    def keep(self, definition: Definition) -> bool:
        """Keep a version; False when another definition is kept under its number already."""

    def put_in_force(self, definitions: DefinitionSet) -> None:
        """Replace the set before this one. Raises VersionConflictError where another came first."""

    def note_rules(self, rules_version: str, segments: dict[str, Any]) -> None:
        """Keep for ever what the segments were under a version of the rules, unless that is kept already."""

    def noted_rules(self, rules_version: str) -> dict[str, Any] | None:
        """What the segments were under a version of the rules: name to data."""


@dataclass(frozen=True, slots=True)
class Put:
    """What is in force now: the definition (None: taken out), and the program that it is part of."""

    definition: Definition | None
    program: Program


class Definitions:
    """`put` and `withdraw` change the set in force; whoever evaluates follows within a minute. `changes` takes the word
    of it to whoever looks for those whom it moves."""

    def __init__(
        self,
        *,
        store: DefinitionStore,
        basis: Callable[[], Basis],
        programs: ProgramStore,
        changes: Queue,
        clock: Clock,
    ) -> None:
        self._store = store
        self._basis = basis
        self._programs = programs
        self._changes = changes
        self._clock = clock

    def put(self, name: str, raw: object, *, by: str, expected: int | None) -> Put:
        """Put a definition in force. `expected`: the version that it replaces (ABSENT: none); may be left out where
        there is none. The same again changes nothing, whatever is expected.

        Raises BadInputError: `bad_program` with everything that is wrong, `name_taken` where the files define it,
        `precondition_failed`, `precondition_required`; TransientError when others keep winning.
        """
        data, now = data_of(raw, name), self._clock.now()

        def change(basis: Basis) -> tuple[DefinitionSet, Definition]:
            current = basis.definitions.definitions.get(name)
            fit = basis.fitted().definitions
            if current is not None and current.data == data and name in fit:
                return basis.definitions, current
            draft = Definition(name, basis.definitions.latest(name) + 1, now, by, data)
            # Before what is expected, as HTTP has it (RFC 9110, 13.2.1): what would be refused anyhow is.
            basis.with_definitions({**fit, name: draft})
            _check(expected, current)
            kept = self._kept(draft)
            return basis.definitions.having(kept), kept

        return self._changed(change)

    def withdraw(self, name: str, *, expected: int | None) -> Put:
        """Take a definition out. Raises BadInputError as `put`, and `unknown_segment` where none is in force."""

        def change(basis: Basis) -> tuple[DefinitionSet, None]:
            current = basis.definitions.definitions.get(name)
            if current is None:
                if name in names_in_files(basis.files):
                    raise BadInputError(NAME_TAKEN, "the program's files define it; change it there")
                raise BadInputError(UNKNOWN_SEGMENT, "there is no such definition")
            _check(expected, current)
            left = basis.definitions.lacking(name)
            fit = basis.fitted().definitions
            basis.with_definitions({known: definition for known, definition in fit.items() if known != name})
            return left, None

        return self._changed(change)

    def _changed(self, change: Callable[[Basis], tuple[DefinitionSet, Definition | None]]) -> Put:
        for _ in range(_TRIES):
            basis = self._basis()
            wanted, definition = change(basis)
            changed = replace(basis, definitions=wanted)
            program = changed.program()
            if wanted is not basis.definitions:
                self._store.note_rules(program.rules_version, changed.segments())
                now = self._clock.now()
                wanted = replace(wanted, changed_at=now)
                # Before, and held back: whatever dies here, a change that was made has been told, and what profiles no
                # longer keep is not taken for kept when the same is put again; nor are those evaluated between this
                # change and the next taken for decided by the program that the next makes, if there was that before.
                self._changes.send([change_message(now)])
                forget_beyond(program.plan, self._programs, anew=True)
                try:
                    self._store.put_in_force(wanted)
                except VersionConflictError:
                    continue
            return Put(definition, program)
        raise TransientError("others keep changing the definitions")

    def _kept(self, draft: Definition) -> Definition:
        """The draft under the first number that nobody's lost attempt has taken."""
        for _ in range(_NUMBERS_TRIED):
            if self._store.keep(draft):
                return draft
            draft = replace(draft, version=draft.version + 1)
        raise TransientError("too many lost attempts to put this definition")


def change_message(changed_at: datetime, pause: timedelta = HEARD_AFTER) -> QueueMessage:
    """The word that the definitions in force changed at an instant, to be heard after a pause."""
    body = orjson.dumps({"v": 1, "changed_at": to_millis(changed_at)}).decode()
    return QueueMessage(body, math.ceil(pause.total_seconds()))


def changed_at_of(body: str) -> datetime:
    """What a change message says. Raises ValueError when it is none."""
    try:
        return from_millis(int(orjson.loads(body)["changed_at"]))
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError("not the word of a change") from error


def _check(expected: int | None, current: Definition | None) -> None:
    version = current.version if current else ABSENT
    if expected is None and current is not None:
        raise BadInputError(PRECONDITION_REQUIRED, "it is in force; say which version you have seen, by If-Match")
    if expected is not None and expected != version:
        raise BadInputError(PRECONDITION_FAILED, "it is not the version that you have seen; read it again")
