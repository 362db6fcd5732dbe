"""What an operator is told of one customer's scores, and what a rule's trace says where one is absent."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from regulars.application.scores_explain import ExplainScores, explained_scores_doc
from regulars.cli_scores import score_lines
from regulars.domain.errors import BadInputError
from regulars.domain.loading import load_program
from regulars.domain.scores.cohorts import cohorts_of
from regulars.domain.scores.gates import Reason
from regulars.domain.scores.model import Kind, ScoreModel
from tests.unit.scores.samples import AT, model_of
from tests.world import World, user

CHURN = {"bands": [{"name": "low", "rule": {"field": "orders.count", "at_least": 1}}]}
RISK = {"field": "scores.churn_probability", "at_least": 0.5}
NINE = {
    "historic_clv", "predicted_clv", "total_clv", "historic_number_of_orders", "predicted_number_of_orders",
    "average_days_between_orders", "average_order_value", "churn_probability", "expected_date_of_next_order",
}  # fmt: skip


def world_of(model: ScoreModel | None, *, rule: dict[str, Any] = RISK) -> World:
    """Ann bought twice, ten days apart; Bob once; Eve only looked."""
    files = {"p.yaml": {"currency": "USD", "segments": [{"name": "risk", "rule": rule}]}}
    program = load_program(files)
    world = World(replace(program, parameters=replace(program.parameters, version=1, scores=model)))
    world.send(world.order("o1", total=12000, user_id="ann"), world.order("o2", total=8000, user_id="bob"))
    world.send(world.event("Page Viewed", user_id="eve"))
    world.advance(world.clock.now() + timedelta(days=10))
    world.send(world.order("o3", total=6000, user_id="ann"))
    return world


def told(world: World, name: str) -> dict[str, Any]:
    explain = ExplainScores(store=world.store, programs=world.programs, clock=world.clock)
    return explained_scores_doc(explain(user(name)))


@pytest.mark.parametrize("kind", [Kind.BG_NBD, Kind.LOGISTIC])
def test_all_nine_are_told_with_what_moved_those_that_a_model_makes(kind: Kind) -> None:
    world = world_of(model_of(kind))
    doc = told(world, "ann")
    assert doc["scores"].keys() == NINE
    assert None not in doc["scores"].values()
    assert (doc["scores"]["historic_clv"], doc["scores"]["average_days_between_orders"]) == (18000, 10.0)
    assert (doc["churn_from"], doc["reasons"], doc["currency"]) == (kind.value, {}, "USD")
    assert doc["model"]["fitted_at"].startswith("2026-07-01")
    told_of = doc["explanations"]
    assert told_of.keys() == {"churn_probability", "predicted_number_of_orders", "predicted_clv", "total_clv"}
    assert told_of["churn_probability"]["scale"] == ("score" if kind is Kind.BG_NBD else "log_odds")
    assert all(each["contributions"] for each in told_of.values())
    assert doc["scores"]["churn_probability"] == world.customer("ann").value("scores.churn_probability")
    text = "\n".join(score_lines(doc))
    assert "historic_clv: 180.00 USD" in text
    assert f"(from {kind.value})" in text
    assert "average buyer" in text


def test_each_absent_score_has_its_reason() -> None:
    once = told(world_of(model_of()), "bob")
    assert once["reasons"] == {"average_days_between_orders": "one_order"}
    never = told(world_of(model_of()), "eve")
    assert {name for name, value in never["scores"].items() if value is None} == set(never["reasons"])
    assert set(never["reasons"].values()) == {"no_orders"}
    unfitted = told(world_of(None), "ann")
    assert unfitted["model"] is None
    assert unfitted["reasons"]["churn_probability"] == unfitted["reasons"]["predicted_clv"] == "model_not_fitted"
    assert unfitted["scores"]["historic_clv"] == 18000
    assert "churn_probability: - (model_not_fitted)" in "\n".join(score_lines(unfitted))


def test_behind_a_gate_the_cohort_speaks_and_the_gate_is_named() -> None:
    cohorts = cohorts_of([0] * 60, [0] * 60, [True] * 30 + [False] * 30)
    doc = told(world_of(ScoreModel(fitted_at=AT, gate=Reason.TOO_FEW_BUYERS, cohorts=cohorts)), "ann")
    assert (doc["churn_from"], doc["model"]["gate"]) == ("cohort", "too_few_buyers")
    assert doc["scores"]["churn_probability"] is not None
    assert doc["reasons"]["churn_probability"] == doc["reasons"]["predicted_clv"] == "too_few_buyers"
    assert doc["explanations"]["churn_probability"]["contributions"] == []
    assert list(score_lines(doc))


def test_the_churn_band_comes_with_the_trace_of_each_bands_rule() -> None:
    program = load_program({"p.yaml": {"currency": "USD", "churn": CHURN, "segments": []}})
    world = World(program)
    world.send(world.order("o1", total=12000, user_id="ann"))
    doc = told(world, "ann")
    assert (doc["churn_band"], doc["decided_churn_band"]) == ("low", "low")
    (band,) = doc["bands"]
    assert (band["band"], band["why"]["ok"]) == ("low", True)
    assert "churn band: low (decided: low)" in list(score_lines(doc))


@pytest.mark.parametrize(
    ("name", "field", "model", "reason"),
    [
        ("eve", "scores.churn_probability", model_of(), "no_orders"),
        ("ann", "scores.churn_probability", None, "model_not_fitted"),
        ("ann", "scores.predicted_clv", model_of(gamma_gamma=None, reasons={"gamma_gamma": Reason.MEAN_UNDEFINED}),
         "mean_undefined"),
        ("ann", "scores.churn_probability", ScoreModel(fitted_at=AT, gate=Reason.HISTORY_TOO_SHORT),
         "history_too_short"),
        ("ann", "scores.churn_from", ScoreModel(fitted_at=AT, gate=Reason.HISTORY_TOO_SHORT), "history_too_short"),
        ("ann", "rfm.frequency", None, "model_not_fitted"),
        ("ann", "lifecycle.frequency", model_of(), "too_few_repeat_buyers"),
        ("eve", "rfm.klaviyo_group", model_of(), "no_orders"),
    ],
)  # fmt: skip
def test_a_trace_says_why_a_score_is_absent(name: str, field: str, model: ScoreModel | None, reason: str) -> None:
    world = world_of(model, rule={"field": field, "exists": True})
    trace = world.programs.current().compiled.explain("risk", world.customer(name), world.clock.now())
    assert trace == {"field": field, "value": None, "reason": reason, "exists": True, "ok": False}


def test_a_trace_of_a_score_that_is_there_has_no_reason() -> None:
    world = world_of(model_of())
    trace = world.programs.current().compiled.explain("risk", world.customer("ann"), world.clock.now())
    assert "reason" not in trace


def test_nothing_is_told_of_nobody() -> None:
    with pytest.raises(BadInputError) as refused:
        told(world_of(model_of()), "zoe")
    assert refused.value.code == "unknown_customer"
