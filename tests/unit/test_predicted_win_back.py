"""The starter program's win-back by the model: at the instant at which the probability passes its bound, or never."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from regulars.adapters.program_files import program_files
from regulars.domain.events import Trust
from regulars.domain.instants import day_number, from_millis, to_millis
from regulars.domain.loading import load_program
from regulars.domain.parameters import ProgramParameters
from regulars.domain.scores.cohorts import cohorts_of
from regulars.domain.scores.gates import Reason
from regulars.domain.scores.history import activity_of, buying_of
from regulars.domain.scores.model import Kind, ScoreModel
from regulars.domain.scores.scoring import CHURN, Scorer
from tests.strategies import START
from tests.unit.scores.samples import model_of
from tests.world import PROGRAM_FOLDER, World

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
CAMPAIGN = "win_back_early"


def opened(model: ScoreModel | None, *, cap: int = 3) -> World:
    """A shop with that model, which writes so many messages in a week."""
    files: dict[str, Any] = program_files(PROGRAM_FOLDER)
    files["program.yaml"]["frequency_cap"]["messages"] = cap
    return World(load_program(files, ProgramParameters(version=1, scores=model)))


def shop(model: ScoreModel | None, *, cap: int = 3) -> World:
    """That shop, and a subscriber who ordered every thirty days, the fourth and last time just now."""
    world = opened(model, cap=cap)
    history = [world.order(f"o{n}", at=START - n * 30 * DAY, trust=Trust.IMPORTED) for n in (3, 2, 1)]
    world.send(*world.sign_up(trust=Trust.IMPORTED), *history)
    world.send(world.order("o0"))
    return world


def crossing(model: ScoreModel, world: World) -> datetime:
    """When the probability passes one half."""
    orders = world.customer().orders()
    activity = activity_of(day_number(placed) for placed, _ in orders)
    at = Scorer(model).next_change(CHURN, 0.5, buying_of(orders), activity, to_millis(world.clock.now()))
    assert at is not None
    return from_millis(at)


@pytest.mark.parametrize(("kind", "absent"), [(Kind.BG_NBD, {}), (Kind.LOGISTIC, {"bg_nbd": None})])
def test_it_is_decided_an_hour_after_the_very_instant(kind: Kind, absent: dict[str, Any]) -> None:
    model = model_of(kind, **absent)
    world = shop(model)
    due = crossing(model, world)
    assert due - START > 31 * DAY
    world.advance(due - timedelta(milliseconds=1))
    assert "slipping_away" not in world.segments()
    world.advance(due + DAY)
    assert world.state().memberships["slipping_away"].since == due
    (sent,) = [record for record in world.decisions if record.campaign == CAMPAIGN]
    assert sent.decided_at == due + HOUR
    world.advance(due + 400 * DAY)
    assert world.sent().count(CAMPAIGN) == 1
    assert world.sent().index(CAMPAIGN) < world.sent().index("win_back_email")


def test_without_a_fitted_model_nobody_hears_of_it() -> None:
    """No model at all, and behind a gate, where the rate of the customer's cohort stands in for the probability."""
    cohorts = cohorts_of([3] * 60, [0] * 60, [True] * 60)
    for model in (None, ScoreModel(gate=Reason.TOO_FEW_BUYERS, cohorts=cohorts)):
        world = shop(model)
        world.advance(START + 400 * DAY)
        assert bool(world.customer().value("scores.churn_probability")) == (model is not None)
        assert CAMPAIGN not in world.sent()
        assert "win_back_email" in world.sent()


def test_who_orders_again_is_not_asked_back() -> None:
    model = model_of()
    world = shop(model)
    due = crossing(model, world)
    world.advance(due + HOUR / 2)
    world.send(world.order("again"))
    world.advance(due + 3 * DAY)
    assert CAMPAIGN not in world.sent()


def test_what_history_says_starts_nothing() -> None:
    world = opened(model_of())
    world.clock.instant = START + 150 * DAY
    history = [world.order(f"o{n}", at=START + n * 30 * DAY, trust=Trust.IMPORTED) for n in range(4)]
    world.send(*world.sign_up(trust=Trust.IMPORTED), *history)
    assert "slipping_away" in world.segments()
    world.advance(START + 155 * DAY)
    assert world.decisions == []


def test_the_cap_holds_for_it_as_for_any() -> None:
    """A cart that was left the day before had the week's message."""
    model = model_of()
    world = shop(model, cap=1)
    due = crossing(model, world)
    world.advance(due - DAY)
    world.send(world.event("Product Added", properties={"product_id": "p", "price": 50}))
    world.advance(due + 2 * HOUR)
    assert world.sent() == ["abandoned_cart"]
    assert world.withheld() == [(CAMPAIGN, "frequency_cap")]
