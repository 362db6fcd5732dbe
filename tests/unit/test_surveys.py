"""Surveys: what an answer is, and what it says of a customer, whatever the order of answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.adapters.memory.system import CountedIds
from regulars.application.collect.doors import DOORS, read_again
from regulars.application.collect.normalised import rejected
from regulars.application.collect.receipt import Receipt
from regulars.domain.errors import BadInputError
from regulars.domain.events import Event, EventType, Trust
from regulars.domain.facts import fact_of
from regulars.domain.instants import iso
from regulars.domain.plan import NO_PLAN
from regulars.domain.profile import Profile, fold
from regulars.domain.surveys import SURVEY_ANSWERED, SurveyKind, answer_of, comment_of, nps_group
from tests.functions.bad_input.payloads import ANSWER, WRONG_ANSWERS
from tests.strategies import START
from tests.world import World


def a_receipt() -> Receipt:
    return Receipt(source="web", received_at=START, request_id="r1")


def posted(**changes: Any) -> Event:
    """The event of `POST /v1/survey` with ANSWER by `ann`, changed."""
    body = ANSWER | {"userId": "ann", "messageId": "m1"} | changes
    (event,) = DOORS["survey"](orjson.dumps(body), body, a_receipt(), CountedIds()).events
    return event


@pytest.mark.parametrize("kind", SurveyKind)
def test_every_score_of_the_scale_is_taken_and_none_beside_it(kind: SurveyKind) -> None:
    lowest, highest = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}[kind]
    for score in range(lowest, highest + 1):
        for given_as in (score, str(score), float(score)):
            assert answer_of(ANSWER | {"kind": kind.value, "score": given_as}).score == score
    for score in (lowest - 1, highest + 1):
        with pytest.raises(BadInputError, match="bad_score"):
            answer_of(ANSWER | {"kind": kind.value, "score": score})


@pytest.mark.parametrize("row", WRONG_ANSWERS)
def test_what_is_no_answer(row: str) -> None:
    """Refused with a code, and without a word of what was said."""
    changes, code = WRONG_ANSWERS[row]
    with pytest.raises(BadInputError) as caught:
        answer_of(ANSWER | changes)
    assert caught.value.code == code
    assert "nine" not in str(caught.value)


@pytest.mark.parametrize("row", WRONG_ANSWERS)
def test_an_event_that_is_no_answer_is_counted_and_says_nothing(row: str) -> None:
    """Anybody can send a track call of this name."""
    changes, _ = WRONG_ANSWERS[row]
    world = World()
    event = world.event(SURVEY_ANSWERED, properties=ANSWER | changes)
    fact = fact_of(event, currency="USD")
    assert fact is not None
    assert (fact.name, fact.traits) == (SURVEY_ANSWERED, {})


def test_groups_of_the_net_promoter_score() -> None:
    assert [nps_group(score) for score in SurveyKind.NPS.scale] == ["detractor"] * 7 + ["passive"] * 2 + [
        "promoter"
    ] * 2


def test_a_comment_keeps_its_lines_and_loses_its_controls() -> None:
    assert comment_of("  One\r\ntwo\x00\x1b[31m\u202e\n ") == "One\ntwo[31m"
    assert comment_of(" \r\n") is None


def test_an_answer_by_api_is_a_track_call_and_makes_traits() -> None:
    """Public, as its key is: a hint like every other. The comment is in the lake and nowhere in the profile."""
    event = posted()
    assert (event.type, event.name, event.trust) == (EventType.TRACK, SURVEY_ANSWERED, Trust.PUBLIC)
    assert event.properties == ANSWER
    world = World(now=START + timedelta(hours=1))
    world.send(event)
    customer = world.customer()
    traits = {name: trait.value for name, trait in customer.profile.traits.items()}
    assert traits == {"nps_score": 9, "nps_group": "promoter", "nps_at": iso(START)}
    fields = {name: customer.value(f"survey.nps.{name}") for name in ("score", "group", "at")}
    assert fields == {"score": 9, "group": "promoter", "at": START}
    assert customer.value("survey.ces.score") is None
    assert "Fast." not in str(customer.profile)


def test_an_answer_by_address_alone_is_the_addresses() -> None:
    event = posted(userId=None, email="Ann@Example.com")
    assert (event.user_id, event.traits) == (None, {"email": "Ann@Example.com"})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"userId": None}, "no_identifier"),
        ({"userId": None, "email": ""}, "no_identifier"),
        ({"email": 5}, "bad_identifier"),
        ({"messageId": []}, "bad_message_id"),
        ({"context": 5}, "bad_shape"),
        *WRONG_ANSWERS.values(),
    ],
)
def test_a_refused_call_can_be_read_again(changes: dict[str, Any], code: str) -> None:
    """Its bad row goes through the same normaliser when it is replayed."""
    body = ANSWER | {"userId": "ann"} | changes
    raw = orjson.dumps(body)
    with pytest.raises(BadInputError) as caught:
        DOORS["survey"](raw, orjson.loads(raw), a_receipt(), CountedIds())
    assert caught.value.code == code
    row = rejected(a_receipt(), "survey", caught.value, raw)
    with pytest.raises(BadInputError, match=code):
        read_again(row, CountedIds())


answers = st.tuples(st.sampled_from(SurveyKind), st.integers(1, 5), st.integers(0, 600))


@given(st.lists(answers, max_size=6, unique_by=lambda answer: answer[2]), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_latest_answer_counts_in_any_order(given_: list[tuple[SurveyKind, int, int]], chance: Any) -> None:
    world = World()
    events = [
        world.event(
            SURVEY_ANSWERED,
            at=START + timedelta(minutes=minute),
            properties={"survey": "delivery", "kind": kind.value, "score": score},
        )
        for kind, score, minute in given_
    ]
    facts = [fact for event in events if (fact := fact_of(event, currency="USD"))]
    chance.shuffle(facts)
    traits = fold(Profile(), facts, NO_PLAN).traits
    for kind in SurveyKind:
        latest = max((answer for answer in given_ if answer[0] is kind), key=lambda answer: answer[2], default=None)
        said = {name: traits[name].value for name in traits if name.startswith(kind.value)}
        if latest is None:
            assert said == {}
            continue
        expected: dict[str, Any] = {
            f"{kind}_score": latest[1],
            f"{kind}_at": iso(START + timedelta(minutes=latest[2])),
        }
        assert said == expected | ({"nps_group": nps_group(latest[1])} if kind is SurveyKind.NPS else {})
