"""Property: what the lake gives back is what it was given."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.adapters.parquet import events_from_parquet, events_to_parquet
from regulars.domain.events import Event, EventType, Trust, event_from_doc, event_to_doc
from regulars.domain.instants import truncated

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
INSTANTS = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)).map(truncated)  # noqa: DTZ001
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
DOCUMENTS = st.dictionaries(TEXT, JSON, max_size=3)
EVENTS = st.builds(
    Event,
    event_id=TEXT,
    source=TEXT,
    message_id=TEXT,
    type=st.sampled_from(EventType),
    name=st.none() | TEXT,
    user_id=st.none() | TEXT,
    anonymous_id=st.none() | TEXT,
    timestamp=INSTANTS,
    original_timestamp=st.none() | INSTANTS,
    sent_at=st.none() | INSTANTS,
    received_at=INSTANTS,
    trust=st.sampled_from(Trust),
    bot=st.none() | TEXT,
    payload_hash=TEXT,
    context=DOCUMENTS,
    properties=DOCUMENTS,
    traits=DOCUMENTS,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENTS, max_size=4))
def test_any_events_survive_parquet(events: list[Event]) -> None:
    assert events_from_parquet(events_to_parquet(events)) == events


@settings(max_examples=60, deadline=None)
@given(EVENTS)
def test_any_event_survives_its_document(event: Event) -> None:
    assert event_from_doc(event_to_doc(event)) == event
