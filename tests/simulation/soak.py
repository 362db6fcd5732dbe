"""The long search: every crash point, thousands of seeds, every seeded bug. `run` is called by `make soak`."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from typing import Any

from tests.simulation.bugs import BUGS
from tests.simulation.search import Catch, Point, caught, crashes, points, seeded
from tests.simulation.simulation import Outcome

_CHUNK = 20
_BUG_SEEDS = range(1000, 1060)

Progress = Callable[[str], None]


def run(seeds: int, *, first_seed: int = 10_000, progress: Progress = print) -> dict[str, Any]:
    """Crash at every point, run `seeds` schedules, and look for every seeded bug, on all cores.

    Returns the figures for build/soak.json. `violations` lists what went wrong with the schedule that shows it again
    (tests/simulation/test_simulation.py replays those that are kept under regressions/).
    """
    total: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    tricks: Counter[str] = Counter()
    violations: list[dict[str, Any]] = []
    everywhere = points()
    chunks: list[tuple[str, Any]] = [("crash", everywhere[i : i + _CHUNK]) for i in range(0, len(everywhere), _CHUNK)]
    chunks += [("seeds", range(i, min(i + _CHUNK, first_seed + seeds))) for i in _starts(first_seed, seeds)]
    catches: list[Catch] = []
    # Not concurrent.futures: its pools hang when a worker that has done its share is to be replaced (Python 3.11).
    with get_context("spawn").Pool(os.cpu_count(), _quietly, maxtasksperchild=50) as pool:
        bugs = [pool.apply_async(caught, (name, _BUG_SEEDS)) for name in BUGS]
        for number, found in enumerate(pool.imap_unordered(_worked, chunks), start=1):
            total += found["total"]
            faults += found["faults"]
            tricks += found["tricks"]
            violations += found["violations"]
            if number % 10 == 0:
                progress(f"{total['schedules']} schedules, {total['calls']} AWS calls, {len(violations)} violations")
        catches = [bug.get() for bug in bugs]
    return {
        "schedules": total["schedules"],
        "crash_points": len(everywhere),
        "calls_enumerated": _listed(everywhere),
        "aws_calls": total["calls"],
        "requests": total["requests"],
        "kills": total["kills"],
        "faults": dict(faults.most_common()),
        "tricks": dict(tricks.most_common()),
        "violations": len(violations),
        "violated": violations[:50],
        "bugs": len(BUGS),
        "bugs_caught": sum(catch.violation is not None for catch in catches),
        "bugs_by_schedules": {catch.bug: catch.schedules if catch.violation else None for catch in catches},
    }


def _quietly() -> None:
    """What functions log under faults is expected, and long."""
    logging.disable(logging.CRITICAL)


def _starts(first: int, seeds: int) -> range:
    return range(first, first + seeds, _CHUNK)


def _listed(where: list[Point]) -> dict[str, int]:
    """How many calls of each kind were enumerated, by `function service.Operation`."""
    return dict(sorted(Counter(f"{function} {operation}" for function, operation, _ in where).items()))


def _worked(chunk: tuple[str, Any]) -> dict[str, Any]:
    """One chunk of schedules in a process of the pool."""
    kind, work = chunk
    total: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    tricks: Counter[str] = Counter()
    violations = []
    for outcome in _outcomes(kind, work):
        total += Counter(schedules=1, calls=len(outcome.trace), requests=len(outcome.history), kills=outcome.kills)
        faults += Counter(fault.value for fault in outcome.injected.values())
        tricks += outcome.tricks
        if outcome.violations:
            violations.append({"schedule": outcome.replay(), "violations": outcome.violations})
    return {"total": total, "faults": faults, "tricks": tricks, "violations": violations}


def _outcomes(kind: str, work: Any) -> Iterator[Outcome]:
    return crashes(work) if kind == "crash" else map(seeded, work)
