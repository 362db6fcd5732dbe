"""Every DefinitionStore keeps the same promises: the one in memory, and the one on S3; so do the programs over them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from regulars.adapters.aws.definitions import IN_FORCE_KEY, S3DefinitionStore
from regulars.adapters.aws.program import MAX_AGE, S3ProgramStore
from regulars.adapters.memory.definitions import MemoryDefinitionStore
from regulars.adapters.memory.program import MemoryProgramStore
from regulars.adapters.memory.system import FixedClock
from regulars.adapters.program_files import parsed_yaml
from regulars.application.segments.definitions import DefinitionStore
from regulars.domain.definitions import Definition, DefinitionSet
from regulars.domain.errors import PermanentError, VersionConflictError
from regulars.domain.loading import load_program
from regulars.domain.parameters import ProgramParameters
from regulars.ports import ProgramStore
from tests.rule_samples import NOON

TEXT = "currency: EUR\nsegments:\n  - {name: buyer, rule: {count: orders, at_least: 1}}\n"
FILES = {"program.yaml": parsed_yaml(TEXT, name="program.yaml")}


def definition(version: int = 1, name: str = "vip", amount: str = "99.90") -> Definition:
    rule = {"sum": "orders.revenue", "at_least": Decimal(amount)}
    return Definition(name, version, NOON, "operator-1", {"rule": rule, "description": "Größe"})


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


@pytest.fixture(params=["memory", "s3"])
def store(request: pytest.FixtureRequest, lake: Any) -> DefinitionStore:
    """An empty store."""
    return MemoryDefinitionStore() if request.param == "memory" else S3DefinitionStore(lake, "lake")


@pytest.fixture
def programs(store: DefinitionStore, lake: Any, clock: FixedClock, tmp_path: Path) -> ProgramStore:
    """The program of FILES with the store's definitions."""
    if isinstance(store, MemoryDefinitionStore):
        return MemoryProgramStore(load_program(FILES), FILES, store)
    (tmp_path / "program.yaml").write_text(TEXT)
    return S3ProgramStore(lake, "lake", tmp_path, clock=clock)


def test_nothing_is_in_force_before_anything_was_put(store: DefinitionStore) -> None:
    assert store.in_force() == DefinitionSet()
    assert store.definition("vip", 1) is None
    assert store.noted_rules("0123456789") is None


def test_a_version_is_kept_exactly_and_for_ever(store: DefinitionStore) -> None:
    assert store.keep(definition())
    assert store.keep(definition()), "the same again: the answer was lost"
    assert not store.keep(definition(amount="1.00"))
    assert store.definition("vip", 1) == definition()


def test_a_set_replaces_the_one_before_it(store: DefinitionStore) -> None:
    first = DefinitionSet().having(definition())
    store.put_in_force(first)
    second = first.having(definition(2, amount="5.00"))
    store.put_in_force(second)
    store.put_in_force(second)
    assert store.in_force() == second
    store.put_in_force(second.lacking("vip"))
    assert store.in_force() == DefinitionSet(3, {}, {"vip": 2})


def test_of_two_who_replace_the_same_set_one_is_told(store: DefinitionStore) -> None:
    store.put_in_force(DefinitionSet().having(definition()))
    with pytest.raises(VersionConflictError):
        store.put_in_force(DefinitionSet().having(definition(name="other")))
    assert list(store.in_force().definitions) == ["vip"]


def test_what_the_rules_were_is_noted_once(store: DefinitionStore) -> None:
    store.note_rules("0123456789", {"vip": {"rule": {"count": "orders", "at_least": 1}}})
    store.note_rules("0123456789", {})
    assert store.noted_rules("0123456789") == {"vip": {"rule": {"count": "orders", "at_least": 1}}}


def test_definitions_join_the_files_program(store: DefinitionStore, programs: ProgramStore, clock: FixedClock) -> None:
    before = programs.current()
    store.put_in_force(DefinitionSet().having(definition()))
    clock.instant = NOON + MAX_AGE
    after = programs.current()
    assert [segment.name for segment in after.segments] == ["buyer", "vip"]
    assert after.describe("vip") == "revenue is at least 99.90 EUR"
    assert after.rules_version != before.rules_version
    assert programs.current() is after


def test_parameters_stay_in_force_when_definitions_change(
    store: DefinitionStore, programs: ProgramStore, clock: FixedClock
) -> None:
    programs.publish(ProgramParameters(7, NOON, {}))
    store.put_in_force(DefinitionSet().having(definition()))
    clock.instant = NOON + MAX_AGE
    assert programs.current().parameters.version == 7


def test_who_is_told_of_definitions_decides_by_them(store: DefinitionStore, programs: ProgramStore) -> None:
    programs.current()
    store.put_in_force(DefinitionSet().having(definition()))
    assert "vip" in {segment.name for segment in programs.current(definitions_version=1).segments}


def test_what_is_in_force_is_told_at_once_with_what_it_is_made_of(
    store: DefinitionStore, programs: ProgramStore
) -> None:
    before = programs.in_force()
    store.put_in_force(replace(DefinitionSet().having(definition()), changed_at=NOON))
    after = programs.in_force()
    assert "vip" in {segment.name for segment in after.program.segments}
    assert (before.changed_at, after.changed_at) == (None, NOON)
    assert before.files == after.files == before.program.source != after.program.source


def test_a_container_follows_within_the_maximum_age(lake: Any, clock: FixedClock, tmp_path: Path) -> None:
    (tmp_path / "program.yaml").write_text(TEXT)
    follower = S3ProgramStore(lake, "lake", tmp_path, clock=clock)
    follower.current()
    S3DefinitionStore(lake, "lake").put_in_force(DefinitionSet().having(definition()))
    clock.instant = NOON + MAX_AGE - timedelta(seconds=1)
    assert len(follower.current().segments) == 1
    clock.instant = NOON + MAX_AGE
    assert len(follower.current().segments) == 2


def test_a_name_that_files_take_is_theirs_and_nothing_stops(store: DefinitionStore, programs: ProgramStore) -> None:
    before = programs.current().version
    store.put_in_force(DefinitionSet().having(definition(name="buyer")))
    assert programs.current(definitions_version=1).version == before


def test_an_object_that_holds_no_set_is_an_error_not_an_empty_one(lake: Any) -> None:
    lake.put_object(Bucket="lake", Key=IN_FORCE_KEY, Body=b'{"v": 1}')
    with pytest.raises(PermanentError, match=r"in-force\.json"):
        S3DefinitionStore(lake, "lake").in_force()


def test_a_refresh_notes_the_rules_that_history_names(lake: Any, clock: FixedClock, tmp_path: Path) -> None:
    (tmp_path / "program.yaml").write_text(TEXT)
    programs = S3ProgramStore(lake, "lake", tmp_path, clock=clock)
    version = programs.current().rules_version
    programs.publish(ProgramParameters(1, NOON, {}))
    assert S3DefinitionStore(lake, "lake").noted_rules(version) == {
        "buyer": {"rule": {"count": "orders", "at_least": 1}}
    }
