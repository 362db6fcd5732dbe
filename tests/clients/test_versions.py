"""docs/clients.md names the versions that these tests drive."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([^`]+)`[^|]*\| ([\d.]+) \|", PAGE, re.MULTILINE)
JAVASCRIPT = json.loads((ROOT / "tests" / "clients" / "package.json").read_text(encoding="utf-8"))["dependencies"]


def test_the_table_has_every_client() -> None:
    assert {name for name, _version in ROWS} == {
        "segment-analytics-python", "rudder-sdk-python", "snowplow-tracker", *JAVASCRIPT.keys() - {"esbuild"},
    }  # fmt: skip


@pytest.mark.parametrize(("name", "documented"), ROWS)
def test_the_documented_version_is_the_one_that_is_driven(name: str, documented: str) -> None:
    assert documented == (JAVASCRIPT[name] if name in JAVASCRIPT else version(name))
