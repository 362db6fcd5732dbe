"""Neither the order of rows nor how they are cut into files and parts changes what is imported."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.importing.samples import LINES, Importer, as_csv, as_jsonl

LINE_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "receipt": st.sampled_from(["r1", "r2", "r3"]),
            "time": st.sampled_from(["2026-03-01 10:00", "2026-03-01 10:01"]),
            "card": st.sampled_from(["c1", "c1", "c2", ""]),
            "article": st.sampled_from(["a", "b", "", "ü"]),
            "pieces": st.sampled_from(["1", "2", "0"]),
            "amount": st.sampled_from(["1.00", "2.5", "3", "oops"]),
        }
    ),
    min_size=1,
    max_size=14,
)


def imported(folder: str, files: list[bytes], **options: Any) -> tuple[Any, Any, Any]:
    """Events, which rows were bad by what they said, and the report's sums."""
    run = Importer(Path(folder))
    paths = [run.file(f"part-{number}.jsonl", content) for number, content in enumerate(files)]
    report = run(LINES, *paths, **options)
    return run.events(), sorted(row.code for row in run.bad()), (report.rows, report.events, report.bad_rows)


@settings(max_examples=60, deadline=None)
@given(rows=LINE_ROWS, data=st.data())
def test_rows_may_lie_in_any_order_in_any_number_of_files(rows: list[dict[str, str]], data: st.DataObject) -> None:
    """Which of several faults an order is rejected for may differ; that it is, does not."""
    shuffled = data.draw(st.permutations(rows))
    cut = data.draw(st.integers(0, len(rows)))
    groups = data.draw(st.integers(1, 5))
    with tempfile.TemporaryDirectory() as folder:
        straight = imported(folder, [as_jsonl(rows)])
        parts = [as_jsonl(part) for part in (shuffled[:cut], shuffled[cut:]) if part]
        if len(set(parts)) == len(parts):  # a file that is there twice counts once
            other = imported(folder, parts, groups=groups, events_per_object=2)
            assert other[0] == straight[0]
            assert other[2] == straight[2]
            assert len(other[1]) == len(straight[1])


@settings(max_examples=40, deadline=None)
@given(rows=LINE_ROWS)
def test_every_row_is_in_an_event_or_among_the_bad_rows(rows: list[dict[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = Importer(Path(folder))
        report = run.rows(LINES, rows)
        products = sum(len(event.properties["products"]) for event in run.events())
        assert products + report.bad_rows == report.rows == len(rows)
        assert len(run.faults) == report.bad_rows


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=300), kind=st.sampled_from(["csv", "jsonl"]))
def test_whatever_stands_in_a_file_nothing_stops_but_by_name(content: bytes, kind: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = Importer(Path(folder))
        header = as_csv([dict.fromkeys(("receipt", "time", "card", "article", "pieces", "amount"), "")])
        path = run.file(f"rows.{kind}", header.splitlines()[0] + b"\n" + content if kind == "csv" else content)
        report = run(LINES, path)
        assert report.events == 0
        assert len(run.faults) == report.bad_rows == report.rows
