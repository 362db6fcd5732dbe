"""The worked examples of docs/import.md import as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from regulars.adapters.program_files import parsed_yaml
from regulars.domain.event_nodes import nodes_of
from regulars.domain.importing.mapping import ImportMapping, load_mapping
from regulars.domain.importing.targets import FIELDS, REQUIRED, Kind
from tests.importing.samples import Importer

PAGE = Path(__file__).parents[2] / "docs" / "import.md"
BLOCKS = re.compile(r"## ([^\n]+)\n[^#]*?```yaml\n(.*?)```\s+```(csv|jsonl)\n(.*?)```", re.DOTALL)
EXAMPLES = {title: (mapping, ending, rows) for title, mapping, ending, rows in BLOCKS.findall(PAGE.read_text("utf-8"))}


def mapping_of(title: str) -> ImportMapping:
    return load_mapping(parsed_yaml(EXAMPLES[title][0], name=title), name=title)


def test_there_is_an_example_of_every_kind() -> None:
    assert {mapping_of(title).kind for title in EXAMPLES} == set(Kind)


@pytest.mark.parametrize("title", EXAMPLES)
def test_an_example_imports_without_a_bad_row(title: str, tmp_path: Path) -> None:
    text, ending, rows = EXAMPLES[title]
    run = Importer(tmp_path)
    parsed = parsed_yaml(text, name=title)
    assert isinstance(parsed, dict)
    report = run(parsed, run.file(f"rows.{ending}", rows.encode()))
    assert run.faults == []
    kind = mapping_of(title).kind
    assert report.events == (2 if kind is Kind.ORDER_LINES else report.rows)
    assert all(nodes_of(event) or kind is Kind.PRODUCTS for event in run.events())


@pytest.mark.parametrize("kind", Kind)
def test_every_field_is_listed(kind: Kind) -> None:
    """In the table of kinds, or among the identifiers; and what is needed stands under `needs`."""
    text = PAGE.read_text("utf-8")
    (row,) = re.findall(rf"^\| `{kind}` \| ([^|]*) \| ([^|]*) \|", text, re.MULTILINE)
    listed = set(re.findall(r"`(\w+)`", text))
    assert set(FIELDS[kind]) <= listed
    for group in REQUIRED[kind]:
        if "user_id" not in group:
            assert set(group) & set(re.findall(r"`(\w+)`", row[0])), group
