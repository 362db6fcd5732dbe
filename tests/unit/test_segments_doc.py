"""docs/segments.md is true: its examples load, its tables are the catalogue."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from regulars.adapters.program_files import parsed_yaml
from regulars.domain.loading import load_program
from regulars.domain.rules.fields import FIELDS, OPERATORS, Kind
from regulars.domain.rules.tree import parse_rule

TEXT = (Path(__file__).parents[2] / "docs" / "segments.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("| ")]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_loads(example: str) -> None:
    data = parsed_yaml(example, name="example.yaml")
    if isinstance(data, dict) and "currency" in data:
        assert load_program({"example.yaml": data}).compiled.version
    else:
        parse_rule(data)


def test_there_are_examples_of_rules_and_of_programs() -> None:
    programs = [example for example in EXAMPLES if example.startswith("currency")]
    assert len(programs) >= 3
    assert len(EXAMPLES) - len(programs) >= 5


def test_the_table_of_fields_is_the_catalogue() -> None:
    documented = {
        field: row[1]
        for row in ROWS
        for field in re.findall(r"`([a-z_]+(?:\.[a-z_]+)*)`", row[0])
        if len(row) == 3 and row[1] in set(Kind)
    }
    assert documented == {field: kind.value for field, kind in FIELDS.items()}


def test_the_table_of_operators_is_the_catalogue() -> None:
    documented = {row[0]: set(row[1].split(", ")) for row in ROWS if row[0] in set(Kind)}
    assert documented == {kind.value: operators for kind, operators in OPERATORS.items()}
