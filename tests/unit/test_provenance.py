"""A trait keeps where it came from and when, and what the shop learned itself beats what it bought."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

from regulars.adapters.items import parsed_profile, profile_text
from regulars.domain.events import Event, EventType, Trust, event_id_of
from regulars.domain.facts import Fact, fact_of
from regulars.domain.plan import NO_PLAN
from regulars.domain.profile import Profile, Trait, fold
from tests.strategies import START

BOUGHT = {"quality": {"party": "third_party"}}


def said(number: int, source: str = "web", *, context: dict[str, Any] | None = None, **traits: Any) -> Event:
    """A source's word on a customer, `number` days after the start."""
    at = START + timedelta(days=number)
    return Event(
        event_id=event_id_of(source, str(number)),
        source=source,
        message_id=str(number),
        type=EventType.IDENTIFY,
        timestamp=at,
        received_at=at,
        user_id="ann",
        trust=Trust.SIGNED,
        context=context or {},
        traits=traits,
    )


def facts(*events: Event) -> list[Fact]:
    return [fact for event in events if (fact := fact_of(event, currency="USD"))]


def test_a_trait_says_who_told_it_and_when() -> None:
    profile = fold(Profile(), facts(said(1, city="Springfield")), NO_PLAN)
    assert profile.traits["city"] == Trait("Springfield", START + timedelta(days=1), "web")


def test_bought_data_never_covers_what_the_shop_learned_itself_whatever_comes_first_or_last() -> None:
    """And among themselves, the last word counts on either side."""
    events = [
        said(1, city="Ogdenville"),
        said(2, city="Springfield"),
        said(9, "enrichment-acme", context=BOUGHT, city="Shelbyville", income="high"),
        said(8, "enrichment-acme", context=BOUGHT, income="low"),
    ]
    for order in permutations(facts(*events)):
        traits = fold(Profile(), order, NO_PLAN).traits
        assert traits["city"] == Trait("Springfield", START + timedelta(days=2), "web")
        assert traits["income"] == Trait("high", START + timedelta(days=9), "enrichment-acme", third_party=True)


def test_a_profile_from_before_sources_were_kept_can_still_be_read() -> None:
    old = '{"n":1,"t":{"city":["Springfield",1772323200000]}}'
    traits = parsed_profile(old).traits
    assert traits["city"] == Trait("Springfield", datetime.fromisoformat("2026-03-01T00:00:00+00:00"))
    assert profile_text(parsed_profile(old)) == old


def test_nobody_consents_through_a_third_party_but_a_refusal_counts() -> None:
    def statement(status: str) -> Event:
        said_so = {"channel": "email", "status": status}
        event = said(1, "enrichment-acme", context=BOUGHT)
        return Event(**{
            **{name: getattr(event, name) for name in Event.__slots__},
            "type": EventType.TRACK, "name": "Consent Updated", "properties": said_so,
        })  # fmt: skip

    assert fold(Profile(), facts(statement("granted")), NO_PLAN).consents == {}
    assert fold(Profile(), facts(statement("denied")), NO_PLAN).consents["email"].status == "denied"
