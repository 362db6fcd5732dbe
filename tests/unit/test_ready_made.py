"""Ready-made segments: taken by set, they are the program's own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from regulars.domain.errors import BadInputError
from regulars.domain.loading import load_program
from regulars.domain.parameters import ProgramParameters
from regulars.domain.program import Program
from regulars.domain.ready_made import READY_MADE
from regulars.domain.scores.history import DAY_MS
from regulars.domain.scores.lifecycle import Rhythm
from regulars.domain.scores.rfm import RfmCuts
from tests.unit.scores.samples import model_of
from tests.world import World

MODEL = model_of(
    rfm={
        3: RfmCuts(3, (60 * DAY_MS, 120 * DAY_MS), (1, 3), (2000, 9000)),
        5: RfmCuts(5, tuple(days * DAY_MS for days in (20, 40, 80, 160)), (1, 2, 3, 4), (1000, 2000, 3000, 4000)),
    },
    rhythm=Rhythm(30 * DAY_MS, 90 * DAY_MS, 14 * DAY_MS),
)


def taking(*sets: Any, segments: tuple[Any, ...] = ()) -> Program:
    sections = {"currency": "USD", "ready_made": list(sets), "segments": list(segments)}
    return load_program({"p.yaml": sections}, ProgramParameters(version=1, scores=MODEL))


def test_every_set_is_a_program_and_its_names_are_its_own() -> None:
    program = taking(*READY_MADE, {"affinity": ["Dresses", "Shoes & Boots"]})
    names = [segment.name for segment in program.segments]
    assert len(names) == len(set(names))
    assert {"rfm_at_risk", "shopify_almost_lost", "lifecycle_lapsed", "affinity_shoes_boots"} <= set(names)
    assert all(segment.description and program.describe(segment.name) for segment in program.segments)


def test_categories_of_any_script_and_length_are_called_as_the_program_says() -> None:
    long = "X" * 200
    program = taking({"affinity": {"shoes": "Обувь", "2x": long}}, {"affinity": ["X" * 55]})
    rules = {segment.name: program.describe(segment.name) for segment in program.segments}
    assert rules == {
        "affinity_shoes": "favourite category is Обувь",
        "affinity_2x": f"favourite category is {long}",
        f"affinity_{'x' * 55}": f"favourite category is {'X' * 55}",
    }


def test_a_customer_is_in_the_right_ones_and_moves_on_by_time_alone() -> None:
    world = World(taking("lifecycle", "frequency", "spend", "habits", "churn_risk", {"affinity": ["Dresses"]}))
    dress = {"product_id": "7", "quantity": 1, "price_minor": 5000, "category": "Dresses"}
    said = {"channel": "store", "coupons": ["SPRING"], "products": [dress]}
    for number in (1, 2):
        world.send(world.order(f"o{number}", said=said))
        world.advance(world.clock.instant + timedelta(days=10))
    always = {"buyer_frequent", "high_spender", "coupon_driven", "store_buyer", "affinity_dresses"}
    risk = {"churn_risk_high", "churn_risk_medium", "churn_risk_low"}
    assert world.segments() - risk == always | {"lifecycle_active"}
    world.advance(world.clock.instant + timedelta(days=25))
    assert world.segments() - risk == always | {"lifecycle_cooling"}
    world.advance(world.clock.instant + timedelta(days=80))
    assert world.segments() == always | {"lifecycle_lapsed", "churn_risk_high"}


@pytest.mark.parametrize(
    ("sets", "problem"),
    [
        ("rfm_klaviyo", "ready_made: must be a list of sets"),
        (["rfm"], "ready_made.0: must be one of rfm_klaviyo"),
        (["nps", {"affinity": []}], "ready_made.1: must be one of"),
        (
            [{"affinity": ["Men's", "Men s"]}],
            "ready_made.0.affinity.1: would be called affinity_men_s as Men's is; give it a name: {affinity: ",
        ),
        (
            ["nps", {"affinity": ["Shoes"]}, {"affinity": {"shoes": "Boots"}}],
            "ready_made.2.affinity.shoes: would be called",
        ),
        ([{"affinity": ["Обувь"]}], "ready_made.0.affinity.0: makes no name of 1 to 55 small letters"),
        ([{"affinity": ["X" * 80]}], "ready_made.0.affinity.0: makes no name of 1 to 55 small letters"),
        ([{"affinity": {"Shoes!": "Shoes"}}], "ready_made.0.affinity.Shoes!: makes no name of 1 to 55 small letters"),
        ([{"affinity": {"shoes": "X" * 201}}], "ready_made.0.affinity.shoes: must be a category, a text of 1 to 200"),
        ([{"affinity": [5]}], "ready_made.0.affinity.0: must be a category, a text of 1 to 200 characters"),
        (["nps", "nps"], "segments: nps_promoter is there twice"),
    ],
)
def test_a_mistake_is_named(sets: Any, problem: str) -> None:
    with pytest.raises(BadInputError) as refusal:
        load_program({"p.yaml": {"currency": "USD", "ready_made": sets}})
    assert problem in refusal.value.detail
