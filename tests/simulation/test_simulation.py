"""Nothing lost, nothing twice: a share of the search (`make soak` runs all of it), and the checker's own test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.infra.test_privileges import ACTIONS, NOT_FROM_CODE
from tests.infra.test_template import FUNCTIONS, ROLES, STACK, statements
from tests.simulation.bugs import BUGS
from tests.simulation.checker import simulate
from tests.simulation.search import caught, crashes, points, seeded, share_of
from tests.simulation.simulation import Schedule, schedule_from

REGRESSIONS = sorted((Path(__file__).parent / "regressions").glob("*.json"))
NOT_CROSSED = {
    ("evaluate_customers", "s3:ListBucket"),  # only a permission: tells a missing object from a forbidden one
    ("update_customers", "s3:ListBucket"),
    ("refresh", "s3:ListBucket"),
    ("update_customers", "s3:PutObject"),  # bad rows of a machine's flood: tests/unit/test_step.py
    ("reconcile", "dynamodb:PutItem"),  # only where something is wrong: tests/local/test_recovery.py breaks it first
    ("reconcile", "sqs:SendMessage"),
}
"""What a role allows and an orderly day does not do, with where it is shown instead."""
_SEEDS = 4
_GROUPS = 4


def test_the_same_seed_gives_the_same_trace() -> None:
    """And the faults that chance injected, taken as a plan, give it once more."""
    first = simulate(Schedule(7, rate=0.05))
    assert first.injected
    assert simulate(Schedule(7, rate=0.05)).trace == first.trace
    assert simulate(schedule_from(json.loads(first.replay()))).trace == first.trace


def test_every_call_that_a_role_allows_is_crossed() -> None:
    """A new AWS call of a function that no enumerated schedule crosses fails here."""
    crossed = {
        (function, ACTIONS.get(operation, operation.replace(".", ":", 1))) for function, operation, _ in points()
    }
    folder_of = {
        given["Role"].rpartition("-")[2]: STACK.metadata(logical)["CodeFolder"] for logical, given in FUNCTIONS.items()
    }
    allowed = {
        (folder_of[logical], action)
        for logical, role in ROLES.items()
        for statement in statements(role)
        if statement["Effect"] == "Allow"
        for action in statement["Action"]
        if action not in NOT_FROM_CODE
    }
    assert allowed - crossed <= NOT_CROSSED
    assert {(function, action) for function, action in crossed - allowed if action not in NOT_FROM_CODE} == set()


@pytest.mark.parametrize("group", range(_GROUPS))
def test_a_function_may_be_killed_at_any_call(group: int) -> None:
    """Here at the first call of each kind and some others, before and after it."""
    chosen = share_of(points(), 100)[group::_GROUPS]
    assert [
        (outcome.replay(), outcome.violations) for outcome in crashes(chosen, all_of_them=False) if outcome.violations
    ] == []


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
