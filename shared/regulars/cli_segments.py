"""`regulars segments`: check, explain, try out, look back and report."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from regulars.cli_options import BUCKET, DAYS, TABLE, node_argument, trouble
from regulars.domain.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from regulars.application.segments.drafts import Preview
    from regulars.domain.definitions import Basis, DefinitionSet
    from regulars.domain.program import Program

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
PROGRAM = click.option(
    "--program",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The program's folder (PROGRAM_PATH, or ./program).",
)
FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True, allow_dash=True))


@click.group()
def segments() -> None:
    """Who is in which segment, why, and what if (docs/segments-commands.md)."""


@segments.command()
@click.argument("path", type=click.Path(path_type=Path, exists=True, allow_dash=True))
@PROGRAM
@click.option("--bucket", envvar="BUCKET_NAME", help="Check with the definitions in force there, too.")
@AS_JSON
def validate(path: Path, program: Path | None, bucket: str | None, *, as_json: bool) -> None:
    """Check a program's folder, or one definition (a YAML or JSON file, - for standard input) with the program.

    All mistakes are told, each with its path and what would fit; then the exit code is 1.
    """
    from regulars.domain.definitions import Problem, problems_of  # noqa: PLC0415 - a command loads what it needs

    found: list[Problem] = []
    version = ""
    try:
        version = _checked(path, program, bucket)
    except BadInputError as error:
        found = problems_of(error)
    if as_json:
        _print({"ok": not found, "version": version or None, "problems": [problem._asdict() for problem in found]})
    else:
        for problem in found:
            click.echo(f"{problem.path}: {problem.problem}")
        click.echo(f"{len(found)} to mend" if found else f"all is well; program version {version}")
    if found:
        raise SystemExit(1)


def _checked(path: Path, program: Path | None, bucket: str | None) -> str:
    """The version of the program that it would be. Raises BadInputError."""
    from regulars.adapters.program_files import program_files  # noqa: PLC0415
    from regulars.domain.definitions import Basis  # noqa: PLC0415
    from regulars.domain.parameters import ProgramParameters  # noqa: PLC0415

    folder = path if path.is_dir() else _folder(program)
    with trouble():
        put = _definitions(bucket)
    basis = Basis(program_files(folder), put, ProgramParameters())
    if path.is_dir():
        return basis.with_definitions(put.definitions).version
    name, data = read_definition(path)
    return basis.as_put(name, data, now=datetime.now(UTC)).version


@segments.command()
@BUCKET
@TABLE
@click.argument("customer")
@click.argument("segment")
@AS_JSON
def explain(bucket: str, table: str, customer: str, segment: str, *, as_json: bool) -> None:
    """Why CUSTOMER (email:ADDRESS, user:ID, a node id, ...) is in SEGMENT or not: leaf by leaf, since when, and until
    when each part surely stays as it is."""
    from regulars.application.segments.explain import explained_doc  # noqa: PLC0415
    from regulars.runtime.segments import explain as compose  # noqa: PLC0415

    node = node_argument(customer)
    with trouble():
        found = compose(bucket, table)(node, segment)
    doc = explained_doc(found)
    if as_json:
        _print(doc)
        return
    click.echo(f"{found.customer} is {'' if found.membership else 'not '}in {segment} ({found.described})")
    if found.membership is not None:
        member = found.membership
        click.echo(
            f"  since {doc['decided']['since']}, because of {member.trigger}, by program {member.program_version}"
        )
    if found.waits:
        click.echo("  nobody enters or leaves it before the log is filled in for its rule")
    elif found.pending:
        click.echo(f"  but now the rule says {'yes' if found.holds else 'no'}: an evaluation is on its way")
    click.echo(f"as of {doc['at']}, by program {found.program_version}:")
    for line in trace_lines(found.why):
        click.echo(line)


@segments.command()
@BUCKET
@TABLE
@FILE
@click.option("--sample", default=10, show_default=True, type=click.IntRange(0, 1000), help="So many ids.")
@click.option("--snapshot", is_flag=True, help="Of last night's snapshot: seconds for millions. Needs DuckDB.")
@AS_JSON
def preview(bucket: str, table: str | None, file: Path, sample: int, *, snapshot: bool, as_json: bool) -> None:
    """How many customers the definition in FILE would hold now, some of them, and who is in other segments, too.

    Nothing is changed. With the name of a segment that there is, also who would enter and leave it. With --snapshot it
    is as of the latest snapshot; what that does not hold is refused (not_in_snapshot): then ask without it.
    """
    from regulars.application.segments.drafts import preview_doc  # noqa: PLC0415

    with trouble():
        found = _previewed(bucket, None if snapshot else table, file, sample)
    doc = preview_doc(found)
    if as_json:
        _print(doc)
        return
    click.echo(f"{found.name}: {found.described}")
    share = f" ({doc['size'] / doc['customers']:.1%})" if doc["customers"] else ""
    click.echo(f"{doc['size']} of {doc['customers']} customers{share}, in {doc['seconds']:.1f} s")
    click.echo(f"  as of {doc['as_of']}, by the {doc['source']}")
    if found.stays is not None:
        click.echo(f"  instead of the one there is: {found.stays} stay, {found.enters} enter, {found.leaves} leave")
    for part in found.unfilled:
        click.echo(f"  profiles do not keep {part} that far back yet; the figures are wrong until a rebuild has run")
    table_of(("also in", "of", "both"), ((row["segment"], row["size"], row["both"]) for row in doc["overlap"]))
    if doc["not_computed"]:
        click.echo(f"  of {doc['not_computed']} more nothing can be computed")
    if doc["left_out"]:
        click.echo(f"  the snapshot cannot tell of {', '.join(doc['left_out'])}")
    for node in found.found.sample:
        click.echo(f"  {node}")


def _previewed(bucket: str, table: str | None, file: Path, sample: int) -> Preview:
    """From the table, or without one from the latest snapshot."""
    name, draft = read_definition(file)
    if table is not None:
        from regulars.runtime.segments import preview as compose  # noqa: PLC0415

        return compose(bucket, table)(name, draft, sample=sample)
    from regulars.runtime.snapshots import preview as latest  # noqa: PLC0415

    with latest(bucket) as preview:
        return preview(name, draft, sample=sample)


@segments.command()
@BUCKET
@TABLE
@AS_JSON
def snapshot(bucket: str, table: str, *, as_json: bool) -> None:
    """Take a snapshot now, as the nightly function does: after a change, or where a night is too short for all."""
    from regulars.domain.instants import iso  # noqa: PLC0415
    from regulars.runtime.snapshots import taking  # noqa: PLC0415

    with trouble():
        report = taking(bucket, table)()
    doc = {**asdict(report), "taken_at": iso(report.taken_at)}
    if as_json:
        _print(doc)
        return
    click.echo(f"{report.customers} customers in {report.parts} parts, as of {doc['taken_at']}")
    if not report.latest:
        click.echo("a later snapshot was taken meanwhile; previews are answered from that")


@segments.command()
@BUCKET
@click.argument("what", metavar="FILE|NAME")
@click.option("--from", "first", type=DAYS, required=True, help="The first UTC day.")
@click.option("--to", "last", type=DAYS, required=True, help="The UTC day at whose beginning it ends.")
@click.option("--step", default="1d", show_default=True, help="How long a step is: 6h, 1d, 2w.")
@AS_JSON
def backtest(bucket: str, what: str, first: datetime, last: datetime, step: str, *, as_json: bool) -> None:
    """Who would have been in a segment over a past range: entries, exits and size per step, from the log, as of each
    instant. Of the definition in a FILE, or of the segment NAME as it is now. Reads the whole log; changes nothing."""
    from regulars.application.segments.backtest import backtest_doc  # noqa: PLC0415
    from regulars.application.segments.requests import range_of  # noqa: PLC0415
    from regulars.runtime.segments import backtest as compose  # noqa: PLC0415
    from regulars.runtime.segments import programs  # noqa: PLC0415

    with trouble():
        over = range_of(first, last, step)
        program, name = _draft_or_name(what, programs(bucket).basis())
        doc = backtest_doc(compose(bucket)(program, name, over))
    if as_json:
        _print(doc)
        return
    click.echo(f"{name}: {doc['rule']}")
    click.echo(f"{doc['events']} events of {doc['customers']} customers; {doc['size_before']} in it when it begins")
    table_of(
        ("until", "in", "out", "merged", "size"),
        ((row["until"][:16], row["entries"], row["exits"], row["merged"], row["size"]) for row in doc["steps"]),
    )


def _draft_or_name(what: str, basis: Basis) -> tuple[Program, str]:
    """The program and the segment in it that an argument means. Raises BadInputError."""
    if what != "-" and not Path(what).is_file():
        program = basis.program()
        names = [segment.name for segment in program.segments]
        if what not in names:
            raise BadInputError("unknown_segment", f"no file and no segment {what}; there are {', '.join(names)}")
        return program, what
    name, data = read_definition(Path(what))
    return basis.with_draft(name, data, now=datetime.now(UTC)), name


@segments.command()
@BUCKET
@TABLE
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 366), help="So many UTC days back.")
@click.option("--smallest", default=20, show_default=True, type=click.IntRange(0), help="Flag what has fewer members.")
@AS_JSON
def report(bucket: str, table: str, days: int, smallest: int, *, as_json: bool) -> None:
    """Size over time, entries and exits, drift, revenue per member, overlap; too small and never changing ones."""
    from regulars.application.segments.report import report_doc  # noqa: PLC0415
    from regulars.runtime.segments import report as compose  # noqa: PLC0415

    with trouble():
        doc = report_doc(compose(bucket, table)(days, smallest=smallest))
    if as_json:
        _print(doc)
        return
    click.echo(f"{doc['customers']} customers, program {doc['program_version']}, {days} days up to {doc['at']}")
    table_of(
        ("segment", "size", "share", "in", "out", "drift", "turnover", f"{doc['currency']} each", "over time", ""),
        (_report_row(row) for row in doc["segments"]),
    )
    table_of(
        ("overlap", "both", "alike"),
        ((" and ".join(row["segments"]), row["both"], f"{row['alike']:.1%}") for row in doc["overlap"]),
    )


def _report_row(row: Mapping[str, Any]) -> tuple[object, ...]:
    sizes = [day["size"] for day in row["days"]]
    return (
        row["segment"],
        row["size"],
        f"{row['share']:.1%}",
        row["entries"],
        row["exits"],
        "-" if row["drift"] is None else f"{row['drift']:+.1%}",
        "-" if row["turnover"] is None else f"{row['turnover']:.2f}",
        row["revenue_per_member"],
        sparkline(sizes),
        ", ".join(row["flags"]).replace("_", " "),
    )


_BLOCKS = "▁▂▃▄▅▆▇█"
_WIDTH = 30


def sparkline(sizes: Sequence[int]) -> str:
    """Sizes as small blocks, the largest one full, at most 30 of them."""
    step = max(-(-len(sizes) // _WIDTH), 1)
    shown = sizes[::-1][::step][::-1]  # the last one always
    most = max(shown, default=0)
    return "".join(_BLOCKS[size * (len(_BLOCKS) - 1) // most] if most else _BLOCKS[0] for size in shown)


def trace_lines(trace: Mapping[str, Any], depth: int = 1) -> Iterable[str]:
    """A trace as an indented list: `yes` or `no`, what was asked, what was found, until when it stands."""
    children: list[Mapping[str, Any]] = []
    parts = []
    for key, value in trace.items():
        if key in ("all", "any"):
            children = value
            parts.append(f"{key} of")
        elif key == "not":
            children = [value]
            parts.append("not")
        elif key == "why":  # of the segment that is named
            children = [value]
        elif key == "bands":
            children = [{"band": band["band"], **band["why"]} for band in value]
        elif key == "value":
            parts.append(f"[{_shown(value)}]")
        elif key not in ("ok", "until"):
            parts.append(f"{key} {_shown(value)}")
    until = f" until {trace['until']}" if "until" in trace else ""
    yield f"{'  ' * depth}{'yes' if trace['ok'] else 'no '} {' '.join(parts)}{until}"
    for child in children:
        yield from trace_lines(child, depth + 1)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


def read_definition(path: Path) -> tuple[str, object]:
    """(name, data) of a definition's file; `-` is standard input. Without a name in it, the file's own is taken.

    Raises BadInputError `bad_program`.
    """
    from regulars.adapters.program_files import parsed_yaml  # noqa: PLC0415

    is_input = str(path) == "-"
    shown = "standard input" if is_input else path.name
    try:
        text = sys.stdin.read() if is_input else path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BadInputError("bad_program", f"{shown}: not UTF-8") from error
    data = parsed_yaml(text, name=shown)
    name = data.get("name") if isinstance(data, dict) else None
    if name is None and not is_input:
        name = path.stem
    if not isinstance(name, str):
        raise BadInputError("bad_program", f"{shown}: name: missing; add it")
    return name, data


def _definitions(bucket: str | None) -> DefinitionSet:
    from regulars.domain.definitions import DefinitionSet  # noqa: PLC0415

    if not bucket:
        return DefinitionSet()
    from regulars.adapters.aws.definitions import S3DefinitionStore  # noqa: PLC0415
    from regulars.adapters.aws.s3 import s3_client  # noqa: PLC0415

    return S3DefinitionStore(s3_client(), bucket).in_force()


def _folder(program: Path | None) -> Path:
    from regulars.runtime.settings import program_folder  # noqa: PLC0415

    return program or program_folder()


def table_of(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under headings, where there are any; numbers to the right."""
    texts = [[str(cell) for cell in row] for row in rows]
    if not texts:
        return
    numeric = [
        all(row[column][-1:].isdigit() or row[column][-1:] in "%-" for row in texts) for column in range(len(headings))
    ]
    widths = [max(len(row[column]) for row in [list(headings), *texts]) for column in range(len(headings))]
    for row in [list(headings), *texts]:
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        click.echo(f"  {'  '.join(cells).rstrip()}")


def _print(doc: Mapping[str, Any]) -> None:
    click.echo(json.dumps(doc, indent=2, ensure_ascii=False))
