"""A replay decides what the live run decided: the same entries and exits, at the same instants, of the same people."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.domain.event_nodes import nodes_of
from regulars.domain.events import Event
from regulars.domain.facts import fact_of
from regulars.domain.instants import from_millis
from regulars.domain.replay import Move, Replay, as_received
from tests.strategies import START, distinct_events
from tests.world import World, starter_program

PROGRAM = starter_program().compiled
END = START + timedelta(days=80)


def lived(events: list[Event]) -> list[tuple[Any, ...]]:
    """What the live run told, each event handled at the instant of its receipt."""
    world = World(starter_program())
    for event in sorted(events, key=lambda event: (event.received_at, event.event_id)):
        world.advance(max(event.received_at, world.clock.instant))
        world.send(event)
    world.advance(END)
    told = [doc for doc in world.told if doc["name"] in ("Segment Entered", "Segment Exited")]
    return sorted(
        (
            from_millis(doc["timestamp"]),
            doc["properties"]["customer"],
            doc["properties"]["segment"],
            1 if doc["name"] == "Segment Entered" else -1,
        )
        for doc in told
    )


def replayed(events: list[Event], *, since: datetime | None = None) -> list[Move]:
    moves: list[Move] = []
    facts = [
        (nodes[0], as_received(fact))
        for event in events
        if (nodes := nodes_of(event)) and (fact := fact_of(event, currency="USD", nodes=nodes, plan=PROGRAM.plan))
    ]
    Replay(PROGRAM, moves.append).run(facts, END, since=since)
    return moves


@settings(deadline=None, max_examples=15)
@given(distinct_events)
def test_a_replay_decides_what_the_live_run_decided(some: list[Event]) -> None:
    """Customers merge and are split on the way, orders come late, consents lapse."""
    assert sorted(move[:4] for move in replayed(some) if not move.merged) == lived(some)


@settings(deadline=None, max_examples=20)
@given(distinct_events, st.integers(0, 60))
def test_where_it_begins_to_decide_does_not_matter(some: list[Event], day: int) -> None:
    """Who is in which segment then, and what changes from then on."""
    since = START + timedelta(days=day)
    whole, part = replayed(some), replayed(some, since=since)
    assert sorted(move for move in part if move.at >= since) == sorted(move for move in whole if move.at >= since)
    sizes = Counter[str]()
    for move in whole:
        sizes[move.segment] += move.change if move.at < since else 0
    for move in part:
        sizes[move.segment] -= move.change if move.at < since else 0
    assert not any(sizes.values())
