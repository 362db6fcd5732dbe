"""What looking back costs: one segment over a real year, from the log's objects, beside only reading them."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from infra.bench.figures import Figure, rounded
from infra.bench.handlers import ROOT, python_version
from infra.bench.imports import imported, write_year
from regulars.adapters.memory.lake import MemoryEventLog
from regulars.adapters.program_files import program_files
from regulars.adapters.spill import DiskSpill
from regulars.adapters.system import SystemClock
from regulars.application.segments.backtest import BacktestSegment, Range
from regulars.domain.loading import load_program

if TYPE_CHECKING:
    from collections.abc import Callable

    from regulars.application.segments.backtest import Backtest

SEGMENT = "at_risk"
"""By the churn bands, so by each customer's own rhythm: nearly all of its moves are time's alone."""
_YEAR = Range(datetime(2017, 1, 1, tzinfo=UTC), datetime(2018, 1, 3, tzinfo=UTC), timedelta(weeks=1))


def figures() -> list[Figure]:
    """The backtest, and its floor."""
    log = MemoryEventLog()
    with tempfile.TemporaryDirectory() as folder:
        imported(write_year(Path(folder) / "lines.csv"), log)
    program = load_program(program_files(ROOT / "program"))
    look_back = BacktestSegment(log=log, spills=DiskSpill, clock=SystemClock())
    read, reading = _timed(lambda: sum(len(log.read(key)) for key, _ in log.landed()))
    found, taken = _timed(lambda: look_back(program, SEGMENT, _YEAR))
    if found.events != read or not found.steps[-1].size:
        raise RuntimeError(f"the backtest saw {found.events} of {read} events, {found.steps[-1].size} members")
    return [_figure(found, taken, reading, len(log.objects))]


def _figure(found: Backtest, taken: _Seconds, reading: _Seconds, objects: int) -> Figure:
    return Figure(
        "backtest_rate",
        found.events / taken[0],
        "facts/s",
        f"Segment {SEGMENT} week by week over a real year, {found.events:,} orders of {found.customers:,} households "
        f"in {objects:,} Parquet objects in memory: read, put aside on the disk by customer, and replayed through the "
        f"engine that decides live; by the clock in one process, Python {python_version()}",
        parts={
            "seconds by the clock": rounded(taken[0]),
            "seconds of CPU": rounded(taken[1]),
            "seconds by the clock, objects read and nothing else": rounded(reading[0]),
            "seconds of CPU, objects read and nothing else": rounded(reading[1]),
            "entries and exits found": sum(step.entries + step.exits for step in found.steps),
        },
    )


_Seconds = tuple[float, float]
_Result = TypeVar("_Result")


def _timed(work: Callable[[], _Result]) -> tuple[_Result, _Seconds]:
    """What comes of it, and the seconds that it took by the clock, and of CPU."""
    started, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, (time.perf_counter() - started, time.process_time() - cpu)
