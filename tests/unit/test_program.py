"""Loading a program, its compiled form, and its population parameters."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from regulars.domain.errors import BadInputError
from regulars.domain.instants import day_number
from regulars.domain.loading import load_program
from regulars.domain.parameters import (
    ParameterDefinition,
    ProgramParameters,
    parameter_value,
    parameters_from_doc,
    parameters_to_doc,
)
from regulars.domain.percentile import nearest_rank
from regulars.domain.plan import FeaturePlan
from regulars.domain.program import OncePer, Program
from tests.rule_samples import DAY, NOON, FakeView, ordered

ACTIVE = {"name": "active", "rule": {"count": "orders", "within": "30d", "at_least": 1}}
SPENDER = {"name": "spender", "rule": {"sum": "orders.revenue", "at_least": {"parameter": "big"}}}
BIG = {"big": {"percentile": 90, "of": {"sum": "orders.revenue"}, "minimum_customers": 3, "default": 50}}
HELLO = {"name": "hello", "channel": "email", "template": "hello", "segment": "active", "once_per": "customer"}


def program_of(**sections: Any) -> Program:
    return load_program({"p.yaml": {"currency": "EUR", "segments": [ACTIVE], **sections}})


def problems_of(*files: Any) -> str:
    with pytest.raises(BadInputError) as raised:
        load_program({f"{number}.yaml": data for number, data in enumerate(files)})
    assert raised.value.code == "bad_program"
    return raised.value.detail


@pytest.mark.parametrize("key", [None, True, 1, 1.5, b"x"])
def test_a_key_that_is_no_text_is_a_mistake_like_others(key: object) -> None:
    """YAML has such keys: `null:`, `yes:`, `1:`."""
    assert "campaigns.0" in problems_of({"currency": "EUR", "segments": [ACTIVE], "campaigns": [{**HELLO, key: "x"}]})


def test_sections_may_stand_in_several_files() -> None:
    program = load_program({"a.yaml": {"currency": "EUR", "campaigns": [HELLO]}, "b.yaml": {"segments": [ACTIVE]}})
    assert [segment.name for segment in program.segments] == ["active"]
    assert program.campaigns[0].once_per is OncePer.CUSTOMER
    assert program.campaigns[0].wait == timedelta(0)


@pytest.mark.parametrize(
    ("sections", "problem"),
    [
        ({"segments": [ACTIVE, ACTIVE]}, "0.yaml: segments: active is there twice; names must be unique"),
        ({"segments": [ACTIVE], "campaigns": [HELLO, HELLO]}, "0.yaml: campaigns: hello is there twice"),
        (
            {"segments": [ACTIVE], "campaigns": [{**HELLO, "segment": "activ"}]},
            "0.yaml: campaigns.0.segment: there is no segment activ; did you mean active?",
        ),
        ({"segments": [SPENDER]}, "0.yaml: segments.0.rule.at_least: there is no parameter big"),
        ({"segments": [{**ACTIVE, "name": "Active ones"}]}, "0.yaml: segments.0.name: must be small letters"),
        ({"segments": [{"name": "x"}]}, "0.yaml: segments.0.rule: missing; add it"),
        ({"segments": {"active": ACTIVE}}, "0.yaml: segments: should be a valid"),
        ({"campaigns": [{**HELLO, "channel": "fax"}]}, "0.yaml: campaigns.0.channel: should be 'email' or 'sms'"),
        ({"campaigns": [{**HELLO, "template": "../etc/passwd"}]}, "0.yaml: campaigns.0.template: must be small"),
        ({"campaigns": [{**HELLO, "wait": True}]}, "0.yaml: campaigns.0.wait: must be a duration"),
        ({"frequency_cap": {"messages": 0, "within": "7d"}}, "0.yaml: frequency_cap.messages: should be greater"),
        ({"churn": {"bands": [{"name": "a", "rule": {"field": "churn_band", "equals": "a"}}]}}, "no churn bands here"),
        ({"parameters": {"big": {**BIG["big"], "percentile": 101}}}, "0.yaml: parameters.big.percentile: should be"),
        ({"parameters": {"big": {**BIG["big"], "default": "x"}}}, "0.yaml: parameters.big.default: the amount must"),
        ({"parameters": {"big": {**BIG["big"], "of": {}}}}, "0.yaml: parameters.big.of: must have exactly one of"),
        ({"segmants": []}, "0.yaml: segmants: no such section; there are currency, time_zone, ready_made"),
        ({"currency": "EURO"}, "0.yaml: currency: currency must be an ISO 4217 code"),
        ({"currency": None}, "0.yaml: currency: missing; add an ISO 4217 code"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_path(sections: dict[str, Any], problem: str) -> None:
    assert problem in problems_of({"currency": "EUR", **sections})


def test_mistakes_of_all_sections_are_named_at_once_and_once() -> None:
    detail = problems_of(
        {"currency": "EUR", "segments": [{"name": "x", "rule": 1}], "campaigns": [{**HELLO, "wait": "x"}]}
    )
    assert [line.partition(" must")[0] for line in detail.splitlines()] == [
        "0.yaml: segments.0.rule:", "0.yaml: campaigns.0.wait:",
    ]  # fmt: skip


def test_a_section_stands_in_one_file_only() -> None:
    assert "1.yaml: segments: stands in 0.yaml already" in problems_of({"segments": []}, {"segments": []})


def test_rules_that_would_make_profiles_too_large_are_refused() -> None:
    wide = [{"name": f"s{n}", "rule": {"count": f"Event {n}", "within": "400d", "at_least": 1}} for n in range(11)]
    assert "11 events over 4411 days" in problems_of({"currency": "EUR", "segments": wide})


def test_a_program_that_is_too_large_or_too_deep_is_refused() -> None:
    deep: Any = {}
    for _ in range(100):
        deep = {"all": [deep]}
    assert "nested too deeply" in problems_of({"currency": "EUR", "segments": deep})
    assert "too large" in problems_of({"currency": "EUR", "segments": [0] * 60_000})


def test_the_version_changes_with_the_files_and_the_values_but_not_with_a_refresh_that_changes_none() -> None:
    first = program_of(segments=[SPENDER], parameters=BIG)
    refreshed = first.with_parameters(ProgramParameters(1, NOON, {"big": 5000}))
    changed = refreshed.with_parameters(ProgramParameters(2, NOON, {"big": 6000}))
    assert refreshed.parameters.version == 1
    assert refreshed.version == first.version
    assert changed.version != first.version
    assert program_of(segments=[SPENDER, ACTIVE], parameters=BIG).version != first.version


def test_older_parameters_change_nothing() -> None:
    newer = program_of().with_parameters(ProgramParameters(3, NOON, {"big": 1}))
    assert newer.with_parameters(ProgramParameters(2, NOON, {"big": 2})) is newer


def test_parameters_come_back_from_their_document() -> None:
    for parameters in (ProgramParameters(), ProgramParameters(4, NOON, {"big": 1, "also": 2})):
        assert parameters_from_doc(parameters_to_doc(parameters)) == parameters


@pytest.mark.parametrize(
    ("percentile", "value"),
    # The example of the nearest-rank method in Wikipedia's "Percentile": ordered list 15, 20, 35, 40, 50.
    [(5, 15), (30, 20), (40, 20), (50, 35), (100, 50)],
)
def test_the_nearest_rank_is_the_published_one(percentile: int, value: int) -> None:
    assert nearest_rank([50, 15, 40, 20, 35], Decimal(percentile)) == value


def test_no_percentile_is_made_of_nothing() -> None:
    with pytest.raises(ValueError, match="needs values"):
        nearest_rank([], Decimal(50))
    with pytest.raises(ValueError, match="above 0"):
        nearest_rank([1], Decimal(0))


def test_a_parameter_is_decided_by_those_who_have_any_of_it_if_they_are_enough() -> None:
    definition: ParameterDefinition = program_of(parameters=BIG).definitions["big"]
    assert parameter_value(definition, [0, 0, 0, 100, 200, 300]) == 300
    assert parameter_value(definition, [0, 0, 0, 0, 200, 300]) == 5000


def test_each_customer_has_a_measure_for_each_parameter() -> None:
    program = program_of(
        parameters={
            "big": {**BIG["big"], "of": {"sum": "orders.revenue", "within": "30d"}},
            "often": {"percentile": 50, "of": {"count": "orders", "within": "60d"}, "default": 3},
            "ever": {"percentile": 50, "of": {"count": "orders"}, "default": 3},
            "curious": {"percentile": 50, "of": {"count": "Product Viewed", "within": "3d"}, "default": 3},
            "curious_ever": {"percentile": 50, "of": {"count": "Product Viewed"}, "default": 3},
        }
    )
    today = day_number(NOON)
    view = FakeView(
        orders=ordered(1, 30, 59, 90).orders, days={"Product Viewed": {today: 2, today - 3: 1, today - 4: 5}}
    )
    assert program.compiled.measures(view, NOON) == {
        "big": 1000, "often": 3, "ever": 4, "curious": 3, "curious_ever": 8,
    }  # fmt: skip


def test_the_plan_keeps_the_longest_window_of_each_event_from_wherever_it_is_asked() -> None:
    program = program_of(
        segments=[ACTIVE, {"name": "keen", "rule": {"count": "Product Viewed", "within": "2w", "at_least": 3}}],
        campaigns=[{**HELLO, "when": {"count": "Product Viewed", "within": "3d", "below": 1}}],
        churn={"bands": [{"name": "low", "rule": {"since": "events.Cart Viewed.last_at", "below": "9d"}}]},
        parameters={"p": {"percentile": 50, "of": {"count": "Product Added", "within": "5d"}, "default": 1}},
    )
    assert dict(program.plan) == {"Cart Viewed": 0, "Product Added": 5, "Product Viewed": 14}
    assert program.plan.get("Page Viewed") is None
    assert program.plan.get("Page Viewed", 7) == 7


def test_equal_plans_have_equal_versions() -> None:
    assert FeaturePlan({"a": 1, "b": 2}).version == FeaturePlan({"b": 2, "a": 1}).version
    assert FeaturePlan({"a": 1}).version != FeaturePlan({"a": 2}).version
    assert len(FeaturePlan({"a": 1, "b": 2})) == 2


BANDS = {
    "bands": [
        {"name": "low", "rule": {"since": "orders.last_at", "below": "30d"}},
        {"name": "high", "rule": {"since": "orders.last_at", "below": "60d"}},
        {"name": "lost", "rule": {"count": "orders", "at_least": 1}},
    ]
}
FADING = {"name": "fading", "rule": {"field": "churn_band", "in": ["high", "lost"]}}


@pytest.mark.parametrize(("age", "band"), [(29, "low"), (30, "high"), (59, "high"), (60, "lost")])
def test_the_first_band_that_holds_is_the_customers_and_segments_see_it(age: int, band: str) -> None:
    program = program_of(segments=[FADING], churn=BANDS).compiled
    assert program.churn_band(ordered(age), NOON) == band
    assert ("fading" in program.memberships(ordered(age), NOON)) is (band != "low")


def test_without_orders_there_is_no_band_and_nothing_to_wait_for() -> None:
    verdict = program_of(segments=[FADING], churn=BANDS).compiled.evaluate(FakeView(), NOON)
    assert (verdict.churn_band, verdict.memberships, verdict.next_flip) == (None, frozenset(), None)


def test_the_next_flip_is_the_earliest_of_bands_and_segments() -> None:
    program = program_of(segments=[ACTIVE, FADING], churn=BANDS).compiled
    assert program.next_flip(ordered(10, 25), NOON) == NOON + 20 * DAY
    assert program.next_flip(ordered(31), NOON) == NOON + 29 * DAY
    assert program.next_flip(ordered(61), NOON) is None


def test_campaigns_come_by_priority_then_in_the_programs_order() -> None:
    campaigns = [{**HELLO, "name": name, "priority": priority} for name, priority in (("a", 1), ("b", 5), ("c", 5))]
    program = program_of(campaigns=campaigns).compiled
    assert [campaign.name for campaign in program.campaigns_of("active")] == ["a", "b", "c"]
    assert [campaign.name for campaign in program.by_priority(["a", "c", "b", "withdrawn"])] == ["b", "c", "a"]
    assert program.campaigns_of("nobody") == ()


def test_a_campaigns_extra_rule_sees_the_band_and_explains_itself() -> None:
    picky = {**HELLO, "when": {"field": "churn_band", "equals": "low"}}
    program = program_of(campaigns=[picky, {**HELLO, "name": "easy"}], churn=BANDS).compiled
    first, easy = program.program.campaigns
    assert program.applies(first, ordered(1), NOON)
    assert not program.applies(first, ordered(40), NOON)
    assert program.explain_campaign(first, ordered(40), NOON) == {
        "field": "churn_band", "value": "high", "equals": "low", "ok": False,
    }  # fmt: skip
    assert program.applies(easy, ordered(40), NOON)
    assert program.explain_campaign(easy, ordered(40), NOON) == {"ok": True}


def test_a_membership_and_a_band_explain_themselves() -> None:
    program = program_of(segments=[FADING], churn=BANDS).compiled
    assert program.explain("fading", ordered(40), NOON) == {
        "field": "churn_band", "value": "high", "in": ["high", "lost"], "ok": True,
    }  # fmt: skip
    why = program.explain_churn(ordered(40), NOON)
    assert why["churn_band"] == "high"
    assert [(band["band"], band["why"]["ok"]) for band in why["bands"]] == [
        ("low", False), ("high", True), ("lost", True),
    ]  # fmt: skip


def test_the_cap_says_how_far_back_it_looks() -> None:
    capped = program_of(frequency_cap={"messages": 2, "within": "7d", "per": "channel"}).compiled
    assert capped.cap_window == 7 * DAY
    assert capped.frequency_cap is not None
    assert capped.frequency_cap.per_channel
    assert program_of().compiled.cap_window == timedelta(0)
