"""`python -m infra.demo`: runs the demo, shows its progress, writes build/demo/summary.json and report.html."""

from __future__ import annotations

import gc
import json
import shutil
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

from infra.demo.dataset import data_folder
from infra.demo.history import import_year, write_files
from infra.demo.lake import Lake, copy_lake
from infra.demo.report import report_html
from infra.demo.stage import AHEAD, LIVE_FROM, PARAMETERS, ahead, fold, live, live_requests
from infra.demo.story import story_of
from infra.demo.summary import EXPECTED, Outcome, faults_of, summary_of
from infra.demo.tables import read_table
from infra.local import LocalCloud
from infra.local.functions import REPOSITORY
from regulars.adapters.program_files import program_files
from regulars.domain.loading import load_program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OUTPUT = REPOSITORY / "build" / "demo"
_CALLS_OF_A_FOLD = 13_000
"""About how many AWS calls it takes to fold the year: for the progress bar only."""


class Acts:
    """Times and shows the acts of the demo."""

    def __init__(self, progress: Progress) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress

    @contextmanager
    def act(self, name: str, title: str, total: int) -> Iterator[TaskID]:
        """One act under a progress bar of `total` steps."""
        task = self._progress.add_task(title, total=total)
        started = time.perf_counter()
        yield task
        self.seconds[name] = time.perf_counter() - started
        self._progress.update(task, total=total, completed=total)


def run(progress: Progress, output: Path) -> tuple[Outcome, str]:
    """The three acts and the counting: the outcome, and the report's HTML."""
    acts = Acts(progress)
    files = output / "import"
    files.mkdir()
    with acts.act("files", "The year as files of a till and a shop", 1):
        history = write_files(data_folder(), files, LIVE_FROM)
    program = load_program(program_files(REPOSITORY / "program"))
    with LocalCloud(start=LIVE_FROM, parameters=PARAMETERS, direct=True) as cloud:
        with acts.act("import", "Real orders into the lake", EXPECTED["orders"]) as task:
            import_year(cloud, files, lambda orders: progress.advance(task, orders))
        with acts.act("fold", "Folding them into profiles (AWS calls)", _CALLS_OF_A_FOLD) as task:
            fold(cloud, lambda calls: progress.advance(task, calls))
        before = cloud.calls.total
        requests = live_requests(history)
        with acts.act("live", "Two live days over HTTP (requests)", len(requests)) as task:
            receipts = live(cloud, requests, lambda sent: progress.advance(task, sent))
        live_calls = cloud.calls.total - before
        with acts.act("ahead", "45 days ahead (days)", AHEAD.days) as task:
            ahead(cloud, lambda days: progress.advance(task, days))
        with acts.act("count", "Counting the lake with SQL", 1):
            copy_lake(cloud, output / "lake")
            table = read_table(cloud.table_name, program.identity)
            with Lake(output / "lake") as lake:
                figures = lake.figures(cloud)
                story = story_of(lake, table, cloud.mail)
        outcome = Outcome(
            lake=figures,
            table=table,
            receipts=receipts,
            mails=len(cloud.mail),
            texts=len(cloud.sms),
            live_calls=live_calls,
            live_events=len(receipts.hits_acknowledged) + len(receipts.orders_acknowledged),
            calls_by_operation=dict(cloud.calls.by_operation().most_common()),
            dead_letters={name: len(bodies) for name, bodies in cloud.dead_letters().items()},
            seconds=acts.seconds,
            segment_names=tuple(segment.name for segment in program.segments),
        )
    return outcome, report_html(summary_of(outcome), outcome, story, live_from=LIVE_FROM)


def main() -> int:
    """Exit code 0 when everything is as it must be, 1 when not."""
    console = Console()
    # Millions of small documents live through the import; looking for cycles among them again and again finds none.
    gc.set_threshold(200_000, 50, 100)
    if OUTPUT.exists():
        shutil.rmtree(OUTPUT)
    OUTPUT.mkdir(parents=True)
    columns = (TextColumn("{task.description:<40}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        outcome, html = run(progress, OUTPUT)
    summary = summary_of(outcome)
    (OUTPUT / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    (OUTPUT / "report.html").write_text(html)
    grid = Grid("what", "how many", title="The demo")
    for name, value in summary.items():
        grid.add_row(name, json.dumps(value, indent=1).strip("{}").strip() if isinstance(value, dict) else str(value))
    console.print(grid)
    faults = faults_of(outcome)
    for fault in faults:
        console.print(f"not as it must be: {fault}", style="bold red")
    console.print(
        f"Written: {OUTPUT / 'report.html'} and summary.json; the lake's Parquet files are in {OUTPUT / 'lake'}"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
