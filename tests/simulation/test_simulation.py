"""Nothing lost, nothing twice: a share of the search (`make soak` runs all of it), and the checker's own test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.simulation.bugs import BUGS
from tests.simulation.checker import simulate
from tests.simulation.search import caught, seeded
from tests.simulation.simulation import Schedule, schedule_from

REGRESSIONS = sorted((Path(__file__).parent / "regressions").glob("*.json"))
_SEEDS, _GROUPS = 4, 4


def test_the_same_seed_gives_the_same_trace() -> None:
    """And the faults that chance injected, taken as a plan, give it once more."""
    first = simulate(Schedule(7, rate=0.05))
    assert first.injected
    assert simulate(Schedule(7, rate=0.05)).trace == first.trace
    assert simulate(schedule_from(json.loads(first.replay()))).trace == first.trace


@pytest.mark.parametrize("group", range(_GROUPS))
def test_no_schedule_breaks_a_promise(group: int) -> None:
    outcomes = [seeded(seed) for seed in range(group * _SEEDS, (group + 1) * _SEEDS)]
    assert sum(len(outcome.injected) for outcome in outcomes) > _GROUPS, "faults were injected"
    assert [(outcome.replay(), outcome.violations) for outcome in outcomes if outcome.violations] == []


@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: path.stem)
def test_what_once_went_wrong_does_not_again(path: Path) -> None:
    assert simulate(schedule_from(json.loads(path.read_text()))).violations == []


@pytest.mark.parametrize("bug", BUGS)
def test_the_checker_notices(bug: str) -> None:
    """A bug that systems of this kind really had, put into ours, is noticed within a few schedules."""
    catch = caught(bug, range(1000, 1040))
    assert catch.violation, f"{bug} was not noticed in {catch.schedules} schedules"
