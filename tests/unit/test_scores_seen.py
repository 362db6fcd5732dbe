"""What the scores know of visits: the same whatever other rules there are, live, looked back and between two fits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from regulars.adapters.fitting_scores import fit_people
from regulars.application.refresh import refresh
from regulars.application.segments.backtest import alone
from regulars.domain.errors import BadInputError
from regulars.domain.loading import load_program
from regulars.domain.program import Program
from regulars.domain.rules.view import Value
from regulars.domain.scores.model import Kind, ScoreModel
from regulars.domain.scores.seen import LONG_KEPT, MOST, STANDARD, chosen
from tests.unit.scores.samples import logistic
from tests.world import World

RISK = {"name": "risk", "rule": {"field": "scores.churn_probability", "at_least": 0.5}}
LOOKS = {"name": "looks", "rule": {"count": "Page Viewed", "within": "365d", "at_least": 1}}
SEARCHES = {"name": "searches", "rule": {"count": "Searched", "within": "365d", "at_least": 1}}
MODEL = ScoreModel(
    fitted_at=1, gate=None, churn=Kind.LOGISTIC, logistic=logistic(intercept=-1.0, recency=0.2, unseen_for=0.6)
)


def program(
    *segments: dict[str, Any], model: ScoreModel | None = MODEL, parts: dict[str, int] | None = None
) -> Program:
    made = load_program({"p.yaml": {"currency": "USD", "segments": list(segments)}})
    return replace(made, parameters=replace(made.parameters, version=1, scores=model, parts=parts))


def told_of_a_visitor(of: Program) -> Value:
    """The churn probability of somebody who bought once, and forty days later looked and searched."""
    world = World(of)
    world.send(world.order("o1", total=100, user_id="u"))
    world.advance(world.clock.now() + timedelta(days=40))
    world.send(world.event("Page Viewed", user_id="u"), world.event("Searched", user_id="u"))
    world.advance(world.clock.now() + timedelta(days=1))
    return world.customer("u").value("scores.churn_probability")


@pytest.mark.parametrize("events", [None, ("Searched",)])
def test_a_score_is_the_same_whatever_other_rules_count(events: tuple[str, ...] | None) -> None:
    model = replace(MODEL, seen_by=events)
    both = program(RISK, LOOKS, model=model)
    told = [told_of_a_visitor(each) for each in (program(RISK, model=model), both, alone(both, "risk"))]
    assert told == [told[0]] * 3
    unseen = told_of_a_visitor(program(RISK, LOOKS, SEARCHES, model=replace(MODEL, seen_by=())))
    assert isinstance(unseen, float)
    assert isinstance(told[0], float)
    assert told[0] < 0.6
    assert unseen > 0.8


def test_looked_back_at_a_model_that_names_no_events_goes_by_what_was_kept_whole() -> None:
    parts = {"Searched": 365, "Page Viewed": 3}
    old = program(RISK, LOOKS, SEARCHES, parts=parts)
    assert (old.seen_by, alone(old, "risk").seen_by) == (("Searched",), ("Searched",))
    assert alone(old, "risk").plan["Searched"] == LONG_KEPT


def test_profiles_keep_the_models_events_and_the_standard_ones_while_a_rule_reads_scores() -> None:
    model = replace(MODEL, seen_by=("Searched",))
    kept = program(RISK, model=model).plan
    assert dict(kept) == dict.fromkeys(("Searched", *STANDARD), LONG_KEPT)
    assert dict(program({"name": "any", "rule": {"count": "orders", "at_least": 1}}, model=model).plan) == {}


def test_the_scores_take_no_room_from_rules() -> None:
    """Ten rules with all the days that profiles may keep."""
    full = [
        {"name": f"of_{place}", "rule": {"count": f"Event {place}", "within": "399d", "at_least": 1}}
        for place in range(10)
    ]
    assert program(RISK, *full, model=replace(MODEL, seen_by=("Searched",))).plan["Searched"] == LONG_KEPT
    with pytest.raises(BadInputError, match="keep it within"):
        program(RISK, *full, LOOKS)


def test_a_segment_of_scores_waits_for_what_they_know_of_visits_and_for_nothing_else() -> None:
    model = replace(MODEL, seen_by=("Searched",))
    assert program(RISK, model=model, parts={"Searched": 0}).waiting == {"risk"}
    assert program(RISK, model=model, parts={"Searched": 28}).waiting == set()
    assert program(RISK, model=None, parts={}).waiting == set()


def test_the_next_fit_takes_what_is_kept_whole_by_then_and_names_it() -> None:
    world = World(program(RISK, SEARCHES, parts={"Searched": 365}))
    world.send(world.order("o1", total=100, user_id="u"))
    for events in (("Searched",), ("Page Viewed", "Screen Viewed", "Searched")):
        refresh(store=world.store, programs=world.programs, fit=fit_people, clock=world.clock)
        current = world.programs.current()
        assert current.parameters.scores is not None
        assert current.parameters.scores.seen_by == events
        whole = replace(current.parameters, version=current.parameters.version + 1, parts=current.plan.parts())
        world.programs.publish(whole)
    # The rule is gone, and what the model was fitted on is kept for the next.
    world.use(replace(world.programs.current(), segments=program(RISK).segments))
    refresh(store=world.store, programs=world.programs, fit=fit_people, clock=world.clock)
    scores = world.programs.current().parameters.scores
    assert scores is not None
    assert scores.seen_by == ("Page Viewed", "Screen Viewed", "Searched")


def test_a_fit_goes_by_few_events_and_by_the_same_as_before_first() -> None:
    planned = {f"Event {place}": 365 for place in range(9)} | dict.fromkeys(STANDARD, LONG_KEPT) | {"Brief": 180}
    assert chosen(None, planned, None) == ("Event 0", "Event 1", "Event 2", *STANDARD)
    before = replace(MODEL, seen_by=("Event 8", "Gone"))
    assert chosen(before, planned, None) == ("Event 0", "Event 1", "Event 8", *STANDARD)
    whole = {"Event 8": 20, "Event 5": 365, "Page Viewed": LONG_KEPT}
    assert chosen(before, planned, whole) == ("Event 5", "Page Viewed")
    assert len(chosen(None, planned, None)) == MOST


def test_documents_from_before_events_were_named_load() -> None:
    doc = MODEL.to_doc()
    assert ScoreModel.from_doc(doc) == MODEL
    del doc["seen_by"]
    assert ScoreModel.from_doc(doc) == MODEL
    named = replace(MODEL, seen_by=("Page Viewed",))
    assert ScoreModel.from_doc(named.to_doc()) == named
