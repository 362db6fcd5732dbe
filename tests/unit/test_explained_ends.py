"""When a verdict may next change, and why the segments and bands that a rule names are as they are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from regulars.domain.events import EventType
from regulars.domain.instants import iso
from regulars.domain.loading import load_program
from tests.world import World, user

DAY = timedelta(days=1)
BANDS = [
    {"name": "low", "rule": {"since": "orders.last_at", "below": "90d"}},
    {"name": "high", "rule": {"count": "orders", "at_least": 1}},
]


def world_of(**rules: Any) -> World:
    segments = [{"name": name, "rule": rule} for name, rule in rules.items()]
    return World(load_program({"p.yaml": {"currency": "USD", "churn": {"bands": BANDS}, "segments": segments}}))


def explained(world: World, segment: str) -> dict[str, Any]:
    compiled = world.programs.current().compiled
    return compiled.explain(segment, world.customer(), world.clock.now(), ends=True)


def granted_until(world: World, instant: str) -> None:
    said = {"channel": "email", "status": "granted", "text_version": "v1", "expires_at": instant}
    world.send(world.event("Consent Updated", user_id="ann", properties=said))


def test_a_churn_band_stands_until_time_changes_it_and_says_why_it_is_as_it_is() -> None:
    world = world_of(
        safe={"field": "churn_band", "equals": "low"},
        both={"all": [{"field": "churn_band", "in": ["low"]}, {"not": {"field": "churn_band", "equals": "high"}}]},
    )
    world.send(world.order("o1", user_id="ann"))
    ends = iso(world.clock.now() + 90 * DAY)
    why = explained(world, "safe")
    assert why["until"] == ends
    (band,) = why["bands"]
    assert (band["band"], band["why"]["since"], band["why"]["until"]) == ("low", "orders.last_at", ends)
    both = explained(world, "both")
    assert both["until"] == ends
    assert ["bands" in part for part in (both["all"][0], both["all"][1]["not"])] == [True, False]  # once is enough

    world.advance(world.clock.now() + 91 * DAY)
    why = explained(world, "safe")
    assert [band["band"] for band in why["bands"]] == ["low", "high"]
    assert "until" not in why


def test_what_a_consent_ends_with_stands_until_then() -> None:
    world = world_of(
        consented={"field": "consent.email", "equals": "granted"},
        reached={"field": "reachable.email", "equals": True},
        kept={"all": [{"not": {"segment": "consented"}}, {"field": "orders.count", "at_least": 0}]},
        lost={"all": [{"field": "consent.email", "equals": "granted"}, {"field": "orders.count", "at_least": 1}]},
        sms={"field": "consent.sms", "exists": False},
    )
    world.send(world.event("", type=EventType.IDENTIFY, user_id="ann", traits={"email": "ann@example.com"}))
    granted_until(world, "2026-04-01T00:00:00Z")
    for segment in ("consented", "reached", "kept"):
        assert explained(world, segment)["until"] == "2026-04-01T00:00:00.000Z", segment
    for segment in ("lost", "sms"):  # an order that is not there decides for good; nobody said anything of SMS
        assert "until" not in explained(world, segment), segment
    was = {segment: explained(world, segment)["ok"] for segment in ("consented", "kept")}
    world.advance(world.clock.now() + 40 * DAY)
    assert {segment: not explained(world, segment)["ok"] for segment in was} == was


def test_a_band_of_consents_ends_with_them() -> None:
    bands = [{"name": "kept", "rule": {"field": "consent.email", "equals": "granted"}}]
    segments = [{"name": "in_band", "rule": {"field": "churn_band", "equals": "kept"}}]
    sections = {"currency": "USD", "churn": {"bands": bands}, "segments": segments}
    world = World(load_program({"p.yaml": sections}))
    granted_until(world, "2026-04-01T00:00:00Z")
    assert explained(world, "in_band")["until"] == "2026-04-01T00:00:00.000Z"


def test_a_long_chain_of_segments_is_told_to_a_depth_and_each_once() -> None:
    rules: dict[str, Any] = {
        f"s{number}": {"any": [{"segment": f"s{number + 1}"}, {"not": {"segment": f"s{number + 1}"}}]}
        for number in range(150)
    }
    world = world_of(**rules, s150={"count": "orders", "within": "30d", "at_least": 1})
    world.send(world.order("o1", user_id="ann"))
    trace, depth = explained(world, "s0"), 0
    while "any" in trace and "why" in trace["any"][0]:
        assert "why" not in trace["any"][1]["not"]
        trace, depth = trace["any"][0]["why"], depth + 1
    assert depth == 10


def test_what_is_kept_with_a_membership_has_neither_ends_nor_other_rules_nor_a_place() -> None:
    world = world_of(
        near={"any": [{"field": "geo.postal_code", "starts_with": "10"}, {"field": "geo.city", "exists": True}]},
        here={"field": "geo.region", "not_equals": {"field": "geo.city"}},
        inner={"segment": "near"},
        safe={"field": "churn_band", "equals": "low"},
    )
    place = {"address_postal_code": "10115", "address_city": "Berlin", "address_region": "BE"}
    world.send(world.event("", type=EventType.IDENTIFY, user_id="ann", traits=place), world.order("o1", user_id="ann"))
    assert world.state().memberships.keys() == {"near", "here", "inner", "safe"}
    kept = {name: membership.why for name, membership in world.state().memberships.items()}
    assert kept["inner"] == {"segment": "near", "ok": True}
    assert kept["safe"] == {"field": "churn_band", "value": "low", "equals": "low", "ok": True}
    for text in ("10115", "Berlin", "BE"):
        assert text not in repr(kept)
        assert text not in repr([explained(world, name) for name in kept])
        assert text not in repr(world.told)
    assert user("ann") in repr(world.told)
