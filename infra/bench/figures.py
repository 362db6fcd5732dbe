"""A measured figure, and how a set of them is shown and kept."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number.

    `target` is in the same unit; `at_least` says on which side of it is good; None: context only. `how` says in one
    sentence what was measured and on what. `parts` is the figure's break-up, where it has one.
    """

    name: str
    value: float
    unit: str
    how: str
    target: float | None = None
    at_least: bool = True
    parts: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        if self.target is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target


def rounded(value: float) -> float:
    """Four significant digits: what a benchmark can honestly say."""
    return float(f"{value:.4g}")


def as_document(figures: Sequence[Figure]) -> dict[str, Any]:
    """Figure name to its parts, as build/bench.json keeps them."""
    return {f.name: {**asdict(f), "value": rounded(f.value), "met": f.met} for f in figures}


def write_json(figures: Sequence[Figure], path: Path) -> None:
    """Keep the figures in one JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(as_document(figures), indent=2, sort_keys=True) + "\n", encoding="utf-8")


def show(figures: Sequence[Figure], console: Console) -> None:
    """Print all figures as a table, then the break-ups."""
    table = Table(title="make bench")
    for column, justify in (
        ("figure", "left"),
        ("value", "right"),
        ("unit", "left"),
        ("target", "right"),
        ("", "left"),
    ):
        table.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for figure in figures:
        sign = "at least" if figure.at_least else "at most"
        target = "" if figure.target is None else f"{sign} {figure.target:,g}"
        verdict = {True: "[green]met[/]", False: "[red]MISSED[/]", None: ""}[figure.met]
        table.add_row(figure.name, f"{rounded(figure.value):,}", figure.unit, target, verdict)
    console.print(table)
    for figure in figures:
        if figure.parts:
            console.print(f"[bold]{figure.name}[/] ({figure.unit})")
            for name, part in figure.parts.items():
                console.print(f"  {name:<58} {part}", highlight=False)
