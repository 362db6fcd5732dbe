"""Backtest: who would have been in a segment over a past range, from the log, as of each instant.

The log is read once, and its facts are put aside in a spill; what memory holds is a sixty-fourth of them at a time, and
about 150 bytes for each identifier that was ever linked to another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from regulars.domain.errors import TransientError
from regulars.domain.event_nodes import nodes_of
from regulars.domain.facts import fact_of, others_of
from regulars.domain.facts_doc import fact_from_doc, fact_to_doc
from regulars.domain.instants import iso
from regulars.domain.program import ChurnModel, Program
from regulars.domain.replay import Move, Replay, addresses_of, as_received
from regulars.domain.rules.reads import segments_in

if TYPE_CHECKING:
    from regulars.domain.program import CompiledProgram
    from regulars.ports import Clock, EventLog, Spill

_MILLISECOND = timedelta(milliseconds=1)
MAX_STEPS = 5_000


@dataclass(frozen=True, slots=True)
class Range:
    """From `start` up to, not including, `end`, in steps; the last one may be shorter."""

    start: datetime
    end: datetime
    step: timedelta

    def steps(self) -> int:
        """How many there are."""
        return -(-(self.end - self.start) // self.step)

    def number(self, at: datetime) -> int:
        """The step that holds an instant, from 0; below 0 before the range."""
        return (at - self.start) // self.step


@dataclass(slots=True)
class Step:
    """One step: who entered and left within it, by how many fewer members there are as some turned out to be one
    (`merged`), the size at its end."""

    ends: datetime
    entries: int = 0
    exits: int = 0
    merged: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Backtest:
    """A segment over a range: `size_before` it began, and its steps. `events` were read; `customers` looked at."""

    segment: str
    described: str
    program_version: str
    size_before: int
    steps: tuple[Step, ...]
    events: int
    customers: int


class BacktestSegment:
    """Call it with a program, the name of one of its segments, and a range. `spills` opens a spill."""

    def __init__(self, *, log: EventLog, spills: Callable[[], AbstractContextManager[Spill]], clock: Clock) -> None:
        self._log = log
        self._spills = spills
        self._clock = clock

    def __call__(
        self,
        program: Program,
        segment: str,
        over: Range,
        *,
        until: datetime | None = None,
        tell: Callable[[Move], None] = lambda _move: None,
    ) -> Backtest:
        """`tell` hears every move of the segment within the range; just before it, everybody enters who is in it then.
        Values of parameters and models are those in force now.

        Raises TransientError where the time is over (`until`) before the log is read.
        """
        compiled = alone(program, segment).compiled
        count = _Count(segment, over, tell)
        with self._spills() as by_node, self._spills() as by_people:
            reader = _Reader(self._log, by_node, compiled, over.end)
            for _ in reader.read():
                self._check(until)
            for group in range(by_node.groups):
                for node, lines in by_node.take(group).items():
                    people = reader.people.of(node)
                    for line in lines:
                        by_people.add(people, node.encode() + line)
            customers = 0
            for group in range(by_people.groups):
                self._check(until)
                for lines in by_people.take(group).values():
                    replay = Replay(compiled, count)
                    replay.run(map(_fact_of_line, lines), over.end - _MILLISECOND, since=over.start)
                    customers += sum(state.merged_into is None for state in replay.states.values())
        return Backtest(
            segment=segment,
            described=program.describe(segment),
            program_version=program.version,
            size_before=count.before,
            steps=count.steps(),
            events=reader.events,
            customers=customers,
        )

    def _check(self, until: datetime | None) -> None:
        if until is not None and self._clock.now() >= until:
            raise TransientError("the time is over before the end of the log; run `regulars segments backtest`")


_NODE_CHARS = 34


def _fact_of_line(line: bytes) -> tuple[str, Any]:
    return line[:_NODE_CHARS].decode(), fact_from_doc(orjson.loads(line[_NODE_CHARS:]))


class _Reader:
    """The facts of the log up to an instant, put aside by the nodes that they fold into."""

    def __init__(self, log: EventLog, spill: Spill, program: CompiledProgram, end: datetime) -> None:
        self._log = log
        self._spill = spill
        self._program = program
        self._end = end
        self.people = _People()
        self.events = 0

    def read(self) -> Iterator[None]:
        """One object after the other. All of them: an import keeps long ago what it was told today."""
        currency, plan = self._program.currency, self._program.plan
        for key, _ in self._log.landed():
            for event in self._log.read(key):
                self.events += 1
                nodes = nodes_of(event)
                fact = fact_of(event, currency=currency, nodes=nodes, plan=plan) if nodes else None
                if fact is None or (fact := as_received(fact)).received_at >= self._end:
                    continue
                self._spill.add(nodes[0], orjson.dumps(fact_to_doc(fact)))
                for other in (*others_of(fact), *addresses_of(fact)):
                    self.people.join(nodes[0], other)
            yield


class _People:
    """Which identifiers hang together by whatever link: a union-find of those that are linked to others."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def join(self, one: str, other: str) -> None:
        """Some event named both."""
        first, second = self.of(one), self.of(other)
        if first != second:
            self._parents[max(first, second)] = min(first, second)

    def of(self, node: str) -> str:
        """The identifier that stands for all that hang together with a node."""
        parents = self._parents
        top = node
        while (above := parents.get(top)) is not None:
            top = above
        while node != top:
            parents[node], node = top, parents[node]
        return top


class _Count:
    """Takes moves, and counts those of one segment by steps."""

    def __init__(self, segment: str, over: Range, tell: Callable[[Move], None]) -> None:
        self._segment = segment
        self._over = over
        self._tell = tell
        self._steps = [Step(min(over.start + over.step * (number + 1), over.end)) for number in range(over.steps())]
        self.before = 0

    def __call__(self, move: Move) -> None:
        if move.segment != self._segment:
            return
        self._tell(move)
        number = self._over.number(move.at)
        if number < 0:
            self.before += move.change
        elif number < len(self._steps):
            step = self._steps[number]
            if move.merged:
                step.merged -= move.change
            else:
                step.entries += move.change > 0
                step.exits += move.change < 0

    def steps(self) -> tuple[Step, ...]:
        """The steps with their sizes."""
        size = self.before
        for step in self._steps:
            size += step.entries - step.exits - step.merged
            step.size = size
        return tuple(self._steps)


def alone(program: Program, segment: str) -> Program:
    """The program with only what decides one segment: those that it names, the bands where any of these reads them.
    Nothing waits for the log to be filled in: a replay makes all of it anew."""
    rules = {item.name: item for item in program.segments}
    wanted: dict[str, None] = {}
    waiting = [segment]
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted[name] = None
            waiting += segments_in(rules[name].rule)
    kept = tuple(item for item in program.segments if item.name in wanted)
    parameters, scores = program.parameters, program.parameters.scores
    if scores is not None:  # what the scores know of visits is kept, whatever other rules kept it
        scores = replace(scores, seen_by=program.seen_by)
    reads_bands = any("churn_band" in repr(item.rule) for item in kept)
    return replace(
        program,
        segments=kept,
        churn=program.churn if reads_bands else ChurnModel(),
        campaigns=(),
        frequency_cap=None,
        parameters=replace(parameters, parts=None, scores=scores),
    )


def backtest_doc(found: Backtest) -> Mapping[str, Any]:
    """The JSON document of a backtest."""
    return {
        "segment": found.segment,
        "rule": found.described,
        "program_version": found.program_version,
        "events": found.events,
        "customers": found.customers,
        "size_before": found.size_before,
        "entries": sum(step.entries for step in found.steps),
        "exits": sum(step.exits for step in found.steps),
        "steps": [
            {
                "until": iso(step.ends),
                "entries": step.entries,
                "exits": step.exits,
                "merged": step.merged,
                "size": step.size,
            }
            for step in found.steps
        ],
    }
