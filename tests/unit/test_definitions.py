"""Putting definitions in force: checked with the whole program, one change at a time, safe to lose at any call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from regulars.adapters.memory.definitions import MemoryDefinitionStore
from regulars.adapters.memory.program import MemoryProgramStore
from regulars.adapters.memory.queue import MemoryQueue
from regulars.adapters.memory.system import FixedClock
from regulars.adapters.program_files import parsed_yaml
from regulars.application.segments.definitions import ABSENT, Definitions
from regulars.domain.definitions import Basis, Definition, DefinitionSet, Problem, data_of, problems_of
from regulars.domain.errors import BadInputError, TransientError
from regulars.domain.loading import load_program
from regulars.domain.parameters import ProgramParameters
from tests.rule_samples import NOON

FILES: dict[str, Any] = {
    "a.yaml": parsed_yaml(
        "currency: EUR\nsegments:\n  - {name: buyer, rule: {count: orders, at_least: 1}}\n", name="a.yaml"
    )
}
TWICE = {"rule": {"count": "orders", "at_least": 2}}
THRICE = {"rule": {"count": "orders", "at_least": 3}}


class Losing(MemoryDefinitionStore):
    """Loses the answer of one call, before or after it was done; `lose` counts calls from 1."""

    def __init__(self, lose: int = 0, *, done: bool = False) -> None:
        super().__init__()
        self.left = lose
        self.done = done
        self.calls = 0

    def _lost(self, act: Any) -> Any:
        self.calls += 1
        self.left -= 1
        if self.left == 0 and not self.done:
            raise TransientError("not taken")
        result = act()
        if self.left == 0:
            raise TransientError("taken, and nobody heard")
        return result

    def keep(self, definition: Definition) -> bool:
        return bool(self._lost(lambda: super(Losing, self).keep(definition)))

    def put_in_force(self, definitions: Any) -> None:
        self._lost(lambda: super(Losing, self).put_in_force(definitions))

    def note_rules(self, rules_version: str, segments: dict[str, Any]) -> None:
        self._lost(lambda: super(Losing, self).note_rules(rules_version, segments))


def made(store: MemoryDefinitionStore) -> tuple[Definitions, MemoryProgramStore]:
    programs = MemoryProgramStore(load_program(FILES), FILES, store)
    definitions = Definitions(
        store=store, basis=programs.basis, programs=programs, changes=MemoryQueue(), clock=FixedClock(NOON)
    )
    return definitions, programs


def refusal(error: pytest.ExceptionInfo[BadInputError]) -> str:
    return error.value.code


def test_versions_grow_and_none_is_ever_changed() -> None:
    store = MemoryDefinitionStore()
    definitions, programs = made(store)
    first = definitions.put("vip", TWICE, by="ann", expected=ABSENT).definition
    second = definitions.put("vip", THRICE, by="bob", expected=1).definition
    assert first == Definition("vip", 1, NOON, "ann", TWICE)
    assert second == Definition("vip", 2, NOON, "bob", THRICE)
    assert store.definition("vip", 1) == first
    assert programs.current().describe("vip") == "at least 3 orders"


def test_the_same_again_changes_nothing_whatever_was_expected() -> None:
    definitions, programs = made(MemoryDefinitionStore())
    definitions.put("vip", TWICE, by="ann", expected=None)
    again = definitions.put("vip", {**TWICE, "name": "vip"}, by="bob", expected=ABSENT)
    assert again.definition is not None
    assert (again.definition.version, again.definition.put_by) == (1, "ann")
    assert programs.basis().definitions.version == 1


def test_a_change_says_which_version_it_has_seen() -> None:
    definitions, _ = made(MemoryDefinitionStore())
    definitions.put("vip", TWICE, by="ann", expected=None)
    with pytest.raises(BadInputError) as error:
        definitions.put("vip", THRICE, by="bob", expected=None)
    assert refusal(error) == "precondition_required"
    for seen in (ABSENT, 2, -1):
        with pytest.raises(BadInputError) as error:
            definitions.put("vip", THRICE, by="bob", expected=seen)
        assert refusal(error) == "precondition_failed"


def test_what_is_withdrawn_leaves_the_program_and_its_numbers_are_not_used_again() -> None:
    definitions, programs = made(MemoryDefinitionStore())
    definitions.put("vip", TWICE, by="ann", expected=None)
    definitions.withdraw("vip", expected=1)
    assert [segment.name for segment in programs.current().segments] == ["buyer"]
    again = definitions.put("vip", THRICE, by="ann", expected=None).definition
    assert again is not None
    assert again.version == 2


@pytest.mark.parametrize(("name", "code"), [("buyer", "name_taken"), ("nobody", "unknown_segment")])
def test_only_definitions_can_be_withdrawn(name: str, code: str) -> None:
    definitions, _ = made(MemoryDefinitionStore())
    with pytest.raises(BadInputError) as error:
        definitions.withdraw(name, expected=None)
    assert refusal(error) == code


def test_a_definition_that_others_name_cannot_go() -> None:
    definitions, programs = made(MemoryDefinitionStore())
    definitions.put("vip", TWICE, by="ann", expected=None)
    definitions.put("near", {"rule": {"not": {"segment": "vip"}}}, by="ann", expected=None)
    with pytest.raises(BadInputError) as error:
        definitions.withdraw("vip", expected=1)
    assert problems_of(error.value) == [
        Problem(
            "definition near: rule.not.segment",
            "there is no such segment here; name another one of the program's segments",
        )
    ]
    assert len(programs.current().segments) == 3


def test_all_mistakes_are_told_with_path_and_fix_and_nothing_is_kept() -> None:
    store = MemoryDefinitionStore()
    definitions, _ = made(store)
    wrong = {"rule": {"all": [{"count": "orders", "at_least": "many"}, {"field": "no.such", "equals": 1}]}, "extra": 1}
    with pytest.raises(BadInputError) as error:
        definitions.put("vip", wrong, by="ann", expected=None)
    told = {problem.path: problem.problem for problem in problems_of(error.value)}
    assert told.keys() == {
        "definition vip: rule.all.0.at_least", "definition vip: rule.all.1.field", "definition vip: extra",
    }  # fmt: skip
    assert told["definition vip: extra"] == "not known here; remove it or correct its spelling"
    assert store.definition("vip", 1) is None


@pytest.mark.parametrize(
    ("name", "data", "code", "told"),
    [
        ("buyer", TWICE, "name_taken", "the program's files define it; change it there"),
        ("vip", [1], "bad_program", "must be a mapping with a rule"),
        ("vip", {**TWICE, "name": "other"}, "bad_program", "another name than in the address; remove it"),
        ("vip", {"rule": {"count": "orders", "at_least": 2**60}}, "bad_program", "a number is too large"),
        ("vip", {"rule": {"not": {"segment": "vip"}}}, "bad_program", "vip -> vip: a segment cannot depend on itself"),
    ],
)
def test_what_is_no_definition_is_refused(name: str, data: Any, code: str, told: str) -> None:
    definitions, _ = made(MemoryDefinitionStore())
    with pytest.raises(BadInputError) as error:
        definitions.put(name, data, by="ann", expected=None)
    assert refusal(error) == code
    assert told in error.value.detail


def test_a_draft_is_checked_as_it_would_be_put_and_tried_out_beside_what_there_is() -> None:
    files = {"a.yaml": {**FILES["a.yaml"], "ready_made": ["nps"]}}
    basis = Basis(files, DefinitionSet(), ProgramParameters())
    assert basis.with_draft("buyer", TWICE, now=NOON).describe("buyer") == "at least 2 orders"
    assert basis.as_put("vip", TWICE, now=NOON).describe("vip") == "at least 2 orders"
    taken = "the program's files define it; change it there, or take another name"
    for name, rule, paths in (
        ("buyer", TWICE, ["name"]),
        ("nps_passive", TWICE, ["name"]),
        ("buyer", {"rule": {"count": "orders", "at_least": "x"}}, ["name", "rule.at_least"]),
    ):
        with pytest.raises(BadInputError) as error:
            basis.as_put(name, rule, now=NOON)
        told = problems_of(error.value)
        assert [problem.path for problem in told] == [f"definition {name}: {path}" for path in paths]
        assert told[0].problem == taken


def test_a_circle_is_told_with_the_definition_that_closes_it() -> None:
    definitions, _ = made(MemoryDefinitionStore())
    with pytest.raises(BadInputError) as error:
        definitions.put("vip", {"rule": {"not": {"segment": "vip"}}}, by="ann", expected=None)
    assert [problem.path for problem in problems_of(error.value)] == ["definition vip: rule"]


def test_dates_of_yaml_become_texts_as_json_has_none() -> None:
    data = parsed_yaml("rule: {field: first_seen, before: 2026-01-01}", name="x")
    assert data_of(data, "early") == {"rule": {"field": "first_seen", "before": "2026-01-01"}}


def test_of_two_who_put_at_once_both_are_heard() -> None:
    """The one who comes second checks again with what the first one put."""

    class Overtaken(MemoryDefinitionStore):
        overtake = True

        def put_in_force(self, definitions: Any) -> None:
            if self.overtake:
                self.overtake = False
                other = Definition("other", 1, NOON, "bob", TWICE)
                super().put_in_force(self.in_force().having(other))
            super().put_in_force(definitions)

    store = Overtaken()
    definitions, programs = made(store)
    definitions.put("vip", THRICE, by="ann", expected=None)
    assert [segment.name for segment in programs.current().segments] == ["buyer", "other", "vip"]


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("lose", range(1, 7))
def test_a_put_that_dies_at_any_call_can_be_asked_again(lose: int, *, done: bool) -> None:
    store = Losing(lose, done=done)
    definitions, programs = made(store)
    for data in (TWICE, THRICE):
        for _ in range(2):
            current = programs.basis().definitions.definitions.get("vip")
            try:
                definitions.put("vip", data, by="ann", expected=current.version if current else ABSENT)
            except TransientError:
                continue
            break
    put = programs.basis().definitions
    assert put.definitions["vip"].data == THRICE
    assert store.definition("vip", put.definitions["vip"].version) == put.definitions["vip"]
    assert programs.current().describe("vip") == "at least 3 orders"
    assert store.calls in (6, 7, 8, 9)


def test_what_the_rules_were_can_be_looked_up_by_the_version_that_decided() -> None:
    store = MemoryDefinitionStore()
    definitions, _ = made(store)
    first = definitions.put("vip", TWICE, by="ann", expected=None).program
    definitions.put("vip", THRICE, by="ann", expected=1)
    assert (store.noted_rules(first.rules_version) or {})["vip"] == TWICE


def test_a_draft_stands_in_for_the_segment_of_its_name() -> None:
    _, programs = made(MemoryDefinitionStore())
    program = programs.basis().with_draft("buyer", THRICE, now=NOON)
    assert program.describe("buyer") == "at least 3 orders"
    both, other = programs.basis().beside("buyer", THRICE, now=NOON)
    assert (both.describe("buyer"), both.describe(other)) == ("at least 3 orders", "at least 1 order")
    assert replace(programs.basis()).program().describe("buyer") == "at least 1 order"
