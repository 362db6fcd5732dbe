"""Explain, preview, report and backtest over a few customers, against what the live run decided."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from regulars.adapters.program_files import parsed_yaml
from regulars.adapters.spill import DiskSpill, MemorySpill
from regulars.application.segments.backtest import BacktestSegment, Range, alone, backtest_doc
from regulars.application.segments.drafts import PreviewSegment, preview_doc
from regulars.application.segments.explain import ExplainSegment, explained_doc
from regulars.application.segments.population import ScannedPopulation, each
from regulars.application.segments.report import NEVER_CHANGING, TOO_SMALL, ReportSegments, report_doc
from regulars.domain.definitions import Basis, DefinitionSet
from regulars.domain.errors import BadInputError, TransientError
from regulars.domain.events import EventType, Trust, event_from_doc
from regulars.domain.instants import from_millis
from regulars.domain.loading import load_program
from regulars.domain.parameters import ProgramParameters
from regulars.domain.replay import Move
from tests.strategies import START
from tests.world import World, user

PROGRAM = parsed_yaml(
    """
currency: USD
churn: {bands: [{name: far, rule: {since: orders.last_at, at_least: 20d}}]}
segments:
  - {name: buyer, rule: {count: orders, within: 10d, at_least: 1}}
  - {name: twice, rule: {count: orders, within: 30d, at_least: 2}}
  - {name: either, rule: {any: [{segment: buyer}, {segment: twice}]}}
  - {name: gone, rule: {field: churn_band, equals: far}}
  - {name: nobody, rule: {count: orders, at_least: 1000}}
""",
    name="program.yaml",
)
FILES = {"program.yaml": PROGRAM}
DAY = timedelta(days=1)


def lake_of(world: World) -> None:
    """What Regulars told of its decisions goes into the log, as ingest would put it."""
    events = [event_from_doc(doc) for doc in world.told]
    world.told.clear()
    if events:
        world.log.append(events)


class Lived(World):
    """A world with what it had decided before its log went to the lake."""

    decided: Sequence[dict[str, Any]] = ()


@pytest.fixture(scope="module")
def world() -> Lived:
    """Thirty-nine days of three customers: ann buys three times, bob once, cho only looks."""
    world = Lived(load_program(FILES))
    for day, buyer in ((1, "ann"), (4, "bob"), (8, "ann"), (30, "ann")):
        world.advance(START + day * DAY)
        world.send(world.order(f"o-{day}", user_id=buyer, total=1000 * day))
    world.advance(START + 31 * DAY)
    world.send(world.event("Product Viewed", user_id="cho", anonymous_id="b7"))
    world.send(world.event("", type=EventType.IDENTIFY, user_id="ann", anonymous_id="b9", traits={"plan": "gold"}))
    world.advance(START + 39 * DAY)
    world.decided = list(world.told)
    lake_of(world)
    return world


def basis() -> Basis:
    return Basis(FILES, DefinitionSet(), ProgramParameters())


def test_everybody_is_everyone_once(world: World) -> None:
    people = list(each(lambda one: one, world.store, world.programs.current().compiled, world.clock.now(), left_out=[]))
    assert {person.customer.root for person in people} == {user("ann"), user("bob"), user("cho")}
    assert len(people) == 3


class TestExplain:
    def explained(self, world: World, who: str, segment: str) -> dict[str, Any]:
        explain = ExplainSegment(store=world.store, programs=world.programs, clock=world.clock)
        return explained_doc(explain(user(who), segment))

    def test_why_since_when_and_until_when(self, world: World) -> None:
        doc = self.explained(world, "ann", "either")
        assert doc["holds"]
        assert doc["decided"]["since"] == "2026-03-02T00:00:00.000Z"
        assert doc["decided"]["program_version"] == doc["program_version"]
        assert doc["why"]["any"] == [
            {
                "segment": "buyer",
                "why": {
                    "count": "orders", "within": "10d", "value": 1, "at_least": 1, "ok": True,
                    "until": "2026-04-10T00:00:00.000Z",
                },
                "ok": True,
                "until": "2026-04-10T00:00:00.000Z",
            },
            {
                "segment": "twice",
                "why": {"count": "orders", "within": "30d", "value": 1, "at_least": 2, "ok": False},
                "ok": False,
            },
        ]  # fmt: skip
        assert not doc["pending"]

    def test_what_was_found_stands_beside_what_was_asked(self, world: World) -> None:
        doc = self.explained(world, "bob", "buyer")
        assert (doc["holds"], doc["decided"]) == (False, None)
        assert doc["why"] == {"count": "orders", "within": "10d", "value": 0, "at_least": 1, "ok": False}

    def test_what_is_not_known_is_told(self, world: World) -> None:
        for who, segment, code in (("ann", "buyers", "unknown_segment"), ("zoe", "buyer", "unknown_customer")):
            with pytest.raises(BadInputError) as error:
                self.explained(world, who, segment)
            assert error.value.code == code


class TestPreview:
    def previewed(self, world: World, name: str, rule: dict[str, Any], **how: Any) -> dict[str, Any]:
        population = ScannedPopulation(world.store, world.clock)
        preview = PreviewSegment(basis=basis, population=population, now=world.clock.now)
        return preview_doc(preview(name, {"rule": rule}, **how))

    def test_count_sample_and_overlap(self, world: World) -> None:
        doc = self.previewed(world, "any_order", {"count": "orders", "at_least": 1}, sample=1)
        assert (doc["customers"], doc["size"]) == (3, 2)
        assert doc["sample"] == [min(user("ann"), user("bob"))]
        both = {row["segment"]: (row["size"], row["both"]) for row in doc["overlap"]}
        assert both == {"buyer": (1, 1), "twice": (0, 0), "either": (1, 1), "gone": (1, 1), "nobody": (0, 0)}

    def test_a_changed_segment_says_who_stays_enters_and_leaves(self, world: World) -> None:
        doc = self.previewed(world, "gone", {"count": "orders", "at_least": 1})
        assert doc["change"] == {"stays": 1, "enters": 1, "leaves": 0}
        assert "gone" not in {row["segment"] for row in doc["overlap"]}
        assert not any(row["segment"].startswith("as_it_is") for row in doc["overlap"])

    def test_what_profiles_do_not_keep_is_said(self, world: World) -> None:
        doc = self.previewed(world, "lookers", {"count": "Product Viewed", "within": "7d", "at_least": 1})
        assert doc["unfilled"] == ["Product Viewed"]
        assert doc["size"] == 0

    def test_mistakes_are_told_as_of_the_draft(self, world: World) -> None:
        with pytest.raises(BadInputError, match="definition x: rule"):
            self.previewed(world, "x", {"count": "orders"})


class TestReport:
    def test_sizes_moves_overlap_and_flags(self, world: World) -> None:
        report = ReportSegments(store=world.store, log=world.log, programs=world.programs, clock=world.clock)
        found = {figures.name: figures for figures in report(45, smallest=1).segments}
        buyer = found["buyer"]
        assert (buyer.entries, buyer.exits, buyer.size) == (3, 2, 1)
        by_day = {day.day: day.size for day in buyer.days}
        first = buyer.days[-1].day - 39
        assert [by_day[first + day] for day in (0, 1, 4, 8, 13, 14, 18, 30, 39)] == [0, 1, 2, 2, 2, 1, 0, 1, 1]
        assert found["nobody"].flags == (TOO_SMALL, NEVER_CHANGING)
        assert NEVER_CHANGING not in found["gone"].flags
        assert found["gone"].revenue_per_member == 4000

    def test_events_that_say_they_are_decisions_are_not_believed(self, world: World) -> None:
        report = ReportSegments(store=world.store, log=world.log, programs=world.programs, clock=world.clock)
        before = report_doc(report(45))
        world.log.append([world.event("Segment Entered", properties={"segment": "buyer"}, trust=Trust.PUBLIC)])
        assert report_doc(report(45)) == before


class TestBacktest:
    def backtested(self, world: World, segment: str, over: Range) -> tuple[dict[str, Any], list[Move]]:
        moves: list[Move] = []
        backtest = BacktestSegment(log=world.log, spills=DiskSpill, clock=world.clock)
        return dict(backtest_doc(backtest(load_program(FILES), segment, over, tell=moves.append))), moves

    @pytest.mark.parametrize("segment", ["buyer", "twice", "either", "gone", "nobody"])
    def test_it_decides_what_the_live_run_decided(self, world: Lived, segment: str) -> None:
        """Decision for decision: the same customers, in and out, at the same instants."""
        over = Range(START, world.clock.now() + timedelta(milliseconds=1), DAY)
        _, moves = self.backtested(world, segment, over)
        lived = [
            (from_millis(doc["timestamp"]), doc["properties"]["customer"], 1 if "Entered" in doc["name"] else -1)
            for doc in world.decided
            if doc["name"] in ("Segment Entered", "Segment Exited") and doc["properties"]["segment"] == segment
        ]
        assert sorted((move.at, move.customer, move.change) for move in moves) == sorted(lived)
        assert bool(lived) == (segment != "nobody")

    @pytest.mark.parametrize("day", [3, 9, 20, 36])
    @pytest.mark.parametrize("segment", ["buyer", "either", "gone"])
    def test_where_a_range_begins_does_not_matter(self, world: World, segment: str, day: int) -> None:
        end = START + 50 * DAY
        whole, _ = self.backtested(world, segment, Range(START, end, DAY))
        part, _ = self.backtested(world, segment, Range(START + day * DAY, end, DAY))
        assert part["steps"] == whole["steps"][day:]
        assert part["size_before"] == whole["steps"][day - 1]["size"]

    def test_steps_have_entries_exits_and_sizes(self, world: World) -> None:
        doc, _ = self.backtested(world, "buyer", Range(START + 2 * DAY, START + 33 * DAY, 10 * DAY))
        assert doc["size_before"] == 1
        assert [(step["entries"], step["exits"], step["size"]) for step in doc["steps"]] == [
            (1, 0, 2), (0, 2, 0), (1, 0, 1), (0, 0, 1),
        ]  # fmt: skip
        assert doc["steps"][-1]["until"] == "2026-04-03T00:00:00.000Z"

    def test_history_that_was_imported_happened_when_it_says(self) -> None:
        world = World(load_program(FILES), now=START + 30 * DAY)
        world.send(world.order("old", at=START + 5 * DAY, trust=Trust.IMPORTED, received_at=START + 30 * DAY))
        doc, _ = self.backtested(world, "buyer", Range(START, START + 20 * DAY, DAY))
        assert [step["size"] for step in doc["steps"]] == [0] * 5 + [1] * 10 + [0] * 5

    def test_two_members_who_turn_out_to_be_one_are_fewer_without_leaving(self) -> None:
        world = World(load_program(FILES))
        world.send(world.order("o1", user_id="ann"), world.order("o2", user_id=None, anonymous_id="b1"))
        world.advance(START + DAY)
        world.send(world.event("", type=EventType.IDENTIFY, user_id="ann", anonymous_id="b1"))
        doc, _ = self.backtested(world, "buyer", Range(START, START + 3 * DAY, DAY))
        assert [(step["entries"], step["exits"], step["merged"], step["size"]) for step in doc["steps"]] == [
            (2, 0, 0, 2), (0, 0, 1, 1), (0, 0, 0, 1),
        ]  # fmt: skip

    def test_only_what_decides_the_segment_is_replayed(self) -> None:
        kept = alone(load_program(FILES), "either")
        assert {segment.name for segment in kept.segments} == {"either", "buyer", "twice"}
        assert not kept.churn.bands
        assert alone(load_program(FILES), "gone").churn.bands

    def test_it_stops_when_the_time_is_over(self, world: World) -> None:
        backtest = BacktestSegment(log=world.log, spills=_Open, clock=world.clock)
        with pytest.raises(TransientError, match="the time is over"):
            backtest(load_program(FILES), "buyer", Range(START, START + DAY, DAY), until=world.clock.now())


class _Open:
    """A spill in memory as a context."""

    def __enter__(self) -> MemorySpill:
        return MemorySpill()

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""
