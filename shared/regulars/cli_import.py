"""`regulars import`: files into the lake, by a mapping (docs/import.md)."""

from __future__ import annotations

import csv
import gc
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from regulars.cli_options import trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from regulars.application.importing import ImportReport, RowFault
    from regulars.domain.importing.mapping import ImportMapping

_RESUMES = "; run it again, it goes on where it stopped"
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option("--mapping", "mapping_file", required=True, type=_FILE, help="What is what in the files (YAML).")
@click.option("--bucket", envvar="BUCKET_NAME", help="The lake's bucket (or BUCKET_NAME).")
@click.option("--errors", type=click.Path(dir_okay=False, path_type=Path), help="A CSV file for the rows that are bad.")
@click.option("--max-bad", default=1_000, show_default=True, type=click.IntRange(0), help="Give up above so many.")
@click.option("--dry-run", is_flag=True, help="Read and check everything, and write nothing.")
def import_command(
    files: tuple[Path, ...], mapping_file: Path, bucket: str | None, errors: Path | None, max_bad: int, *, dry_run: bool
) -> None:
    """Import orders, customers, products, consents or events from CSV, JSON Lines or Parquet FILES.

    Safe to repeat: the same import again writes nothing, and one that was stopped goes on. What is imported is history
    and starts no campaign.
    """
    from regulars.adapters.row_files import row_file  # noqa: PLC0415 - a command loads what it needs

    if bucket is None and not dry_run:
        raise click.UsageError("say --bucket (or BUCKET_NAME), or --dry-run")
    # Rows are plain data in millions: looking for cycles among them again and again finds none.
    gc.set_threshold(200_000, 50, 100)
    with trouble(for_now=_RESUMES), ExitStack() as closing:
        mapping = _mapping(mapping_file)
        on_fault = closing.enter_context(_fault_report(errors))
        progress = closing.enter_context(_Bars())
        report = _composed(bucket)(
            mapping,
            [row_file(path, mapping) for path in files],
            max_bad=max_bad,
            dry_run=dry_run,
            on_fault=on_fault,
            progress=progress,
        )
    _tell(report, errors, dry_run=dry_run)
    if report.bad_rows:
        sys.exit(1)


def _composed(bucket: str | None) -> Any:
    from regulars.runtime.importing import check_files, import_files  # noqa: PLC0415

    return check_files() if bucket is None else import_files(bucket)


def _mapping(path: Path) -> ImportMapping:
    from regulars.adapters.program_files import parsed_yaml  # noqa: PLC0415
    from regulars.domain.importing.mapping import load_mapping  # noqa: PLC0415

    return load_mapping(parsed_yaml(path.read_text(encoding="utf-8"), name=path.name), name=path.name)


@contextmanager
def _fault_report(path: Path | None) -> Iterator[Callable[[RowFault], None]]:
    """Writes each bad row to a CSV file; without one, the first few to standard error."""
    if path is None:
        shown = 0

        def show(fault: RowFault) -> None:
            nonlocal shown
            shown += 1
            if shown <= _SHOWN:
                click.echo(f"{fault.file} row {fault.row}: {fault.code}: {fault.problem}", err=True)
            elif shown == _SHOWN + 1:
                click.echo("... --errors FILE keeps all of them", err=True)

        yield show
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "row", "code", "field", "problem"))
        yield writer.writerow


_SHOWN = 10


class _Bars:
    """A progress bar for each pass, one after the other, on standard error."""

    def __init__(self) -> None:
        self._closing = ExitStack()
        self._name = ""
        self._bar: Any = None
        self._done = 0

    def __enter__(self) -> _Bars:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show how far a pass is."""
        if what != self._name:
            self._closing.close()
            bar: Any = click.progressbar(length=total, label=f"{what:<10}", file=sys.stderr)
            self._bar, self._name, self._done = self._closing.enter_context(bar), what, 0
        self._bar.update(done - self._done)
        self._done = done


def _tell(report: ImportReport, errors: Path | None, *, dry_run: bool) -> None:
    what = f"{report.rows} rows, {report.events} events, {report.bad_rows} bad rows"
    if dry_run:
        click.echo(f"{what}; nothing was written")
    elif report.already:
        click.echo(f"{what}; all of it was imported before, nothing was written")
    else:
        before = f", {report.skipped} were there" if report.skipped else ""
        click.echo(f"{what}; {report.objects} objects written{before}")
    if report.bad_rows and errors:
        click.echo(f"the bad rows are in {errors}")
