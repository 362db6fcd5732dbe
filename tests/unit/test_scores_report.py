"""What the scores' report says of a small made shop: two groups that behave differently, and one that is too small."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from regulars.application.scores_report import MOST_GROUPS, ReportScores, scores_doc
from regulars.domain.errors import BadInputError
from regulars.domain.events import Event, EventType
from regulars.domain.instants import to_millis
from regulars.domain.loading import load_program
from regulars.domain.scores.cohorts import cohorts_of
from regulars.domain.scores.gates import Reason
from regulars.domain.scores.metrics import metrics_of
from regulars.domain.scores.model import Compared, Kind, ScoreModel
from tests.strategies import START
from tests.unit.scores.samples import CDNOW, model_of
from tests.world import World

PROGRAM = {"p.yaml": {"currency": "USD", "segments": [{"name": "any", "rule": {"count": "orders", "at_least": 1}}]}}
NIGHT = START + timedelta(days=200)
CUT = NIGHT - timedelta(days=90)
PEOPLE = {"north": 110, "south": 105, "west": 3}


@pytest.fixture(scope="module")
def world() -> World:
    """Everybody bought on the 20th day; of the south all, of the north every tenth, again on the 150th day. Two of
    the west came after the models were compared. Somebody of the north only looked."""
    world = World(load_program(PROGRAM))
    world.clock.instant = NIGHT
    facts: list[Event] = [world.event("", type=EventType.IDENTIFY, user_id="looker", traits={"area": "north"})]
    for area, people in PEOPLE.items():
        for number in range(people):
            name = f"{area}{number}"
            new = area == "west" and number > 0
            again = area == "south" or (area == "north" and number % 10 == 0)
            facts.append(world.event("", type=EventType.IDENTIFY, user_id=name, traits={"area": area, "at": name}))
            days = [120] if new else [20, 150] if again else [20]
            facts += [
                world.order(f"{name}-{day}", at=START + timedelta(days=day), user_id=name, received_at=NIGHT)
                for day in days
            ]
    world.update([("all", world.log.append(facts))])
    return world


def model(**changes: Any) -> ScoreModel:
    """Fitted that night, by hand."""
    metrics = {"bg_nbd": metrics_of([0.8, 0.4], [True, False]), "logistic": metrics_of([0.7, 0.4], [True, False])}
    fitted = model_of(fitted_at=to_millis(NIGHT), metrics=metrics, compared=Compared(to_millis(CUT), CDNOW))
    return replace(fitted, **changes)


def report(world: World, by: str | None, scores: ScoreModel | None) -> dict[str, Any]:
    parameters = replace(world.programs.current().parameters, scores=scores)
    world.use(replace(world.programs.current(), parameters=parameters))
    return scores_doc(ReportScores(store=world.store, programs=world.programs, clock=world.clock)(by))


def test_each_group_with_what_is_said_of_it_and_what_came_of_what_was_said(world: World) -> None:
    doc = report(world, "traits.area", model())
    north, south, west = doc["groups"]
    assert [(each["group"], each["people"]) for each in doc["groups"]] == list(PEOPLE.items())
    assert doc["everybody"]["people"] == sum(PEOPLE.values())
    # As of the cut all of them had bought once, 90 days before: the same is said of each.
    then = CDNOW.no_purchase(0, 0, 90 / 7, 90 / 7)
    for group, rate in ((north, 99 / 110), (south, 0.0)):
        assert group["held_out"]["mean_score"] == pytest.approx(then, abs=1e-4)
        assert group["held_out"]["rate"] == pytest.approx(rate, abs=1e-4)
        assert group["held_out"]["gap"] == pytest.approx(then - rate, abs=2e-4)
    now = CDNOW.no_purchase(1, 130 / 7, 180 / 7, 90 / 7)
    assert south["mean_score"] == pytest.approx(now, abs=1e-4)
    assert south["above_half"] == (1.0 if now > 0.5 else 0.0)
    everybody = doc["everybody"]
    assert south["difference"] == pytest.approx(south["mean_score"] - everybody["mean_score"], abs=2e-4)
    assert north["difference"] > 0 > south["difference"]
    assert everybody["held_out"]["people"] == sum(PEOPLE.values()) - 2
    assert west["held_out"]["people"] == 1


def test_of_a_group_that_is_too_small_only_the_size_is_told(world: World) -> None:
    (west,) = [each for each in report(world, "traits.area", model())["groups"] if each["group"] == "west"]
    assert west["too_small"]
    assert west["held_out"].pop("too_small")
    assert {key for key, value in west.items() if value is None} == {"mean_score", "difference", "above_half"}
    assert {key for key, value in west["held_out"].items() if value is not None} == {"people"}


def test_which_model_why_and_how_good_needs_nobody_to_be_read(world: World) -> None:
    doc = report(world, None, model())
    assert (doc["groups"], doc["everybody"], doc["by"]) == ([], None, None)
    assert (doc["model"]["published"], doc["model"]["why"]) == ("bg_nbd", "lowest_brier")
    assert doc["model"]["compared"]["bg_nbd"]["brier"] == 0.1
    assert [each["people"] for each in doc["model"]["compared"]["logistic"]["calibration"]] == [1, 1]
    alone = report(world, None, model(reasons={"logistic": Reason.NO_SIGNAL}))["model"]
    assert (alone["why"], alone["absent"]) == ("only_one", {"logistic": "no_signal"})
    assert report(world, None, None)["model"] is None


def test_behind_a_gate_groups_are_told_the_cohorts_and_nothing_of_days_held_out(world: World) -> None:
    cohorts = cohorts_of([0] * 60, [0] * 60, [True] * 30 + [False] * 30)
    gated = ScoreModel(fitted_at=to_millis(NIGHT), gate=Reason.TOO_FEW_BUYERS, cohorts=cohorts)
    doc = report(world, "traits.area", gated)
    assert (doc["model"]["published"], doc["model"]["why"], doc["model"]["gate"]) == (
        Kind.COHORT, "gate", "too_few_buyers",
    )  # fmt: skip
    assert doc["groups"][0]["mean_score"] is not None
    assert doc["groups"][0]["held_out"] is None


@pytest.mark.parametrize(
    ("by", "code"),
    [
        ("traits.at", "too_many_groups"),
        ("orders.revenue", "bad_field"),
        ("orders.categories", "bad_field"),
        ("area", "bad_field"),
    ],
)
def test_what_makes_no_groups_is_refused(world: World, by: str, code: str) -> None:
    assert sum(PEOPLE.values()) > MOST_GROUPS
    with pytest.raises(BadInputError) as refused:
        report(world, by, model())
    assert refused.value.code == code


@pytest.mark.parametrize("by", ["churn_band", "reachable.email", "orders.count", "traits.nobody_said"])
def test_any_field_of_few_values_groups(world: World, by: str) -> None:
    found = {each["group"]: each["people"] for each in report(world, by, model())["groups"]}
    expected = {"reachable.email": {"false": 218}, "orders.count": {"1": 102, "2": 116}}
    assert found == expected.get(by, {"unknown": 218})
