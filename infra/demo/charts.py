"""Geometry of the report's charts; the template draws them as SVG and escapes every text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, HALF = 640, 400
_ROW, _BAR = 28, 16
_LABELS, _VALUES = 150, 60
_HEIGHT, _FOOT = 190, 26


@dataclass(frozen=True, slots=True)
class Bar:
    """One rectangle with its label and value; `series` is its colour."""

    x: float
    y: float
    width: float
    height: float
    label: str
    value: int
    series: int = 0


@dataclass(frozen=True, slots=True)
class Chart:
    """Rectangles on a sheet of `width` x `height`; `ticks` are (x, text) under them; `legend` names the series."""

    title: str
    width: int
    height: int
    bars: tuple[Bar, ...]
    horizontal: bool = False
    ticks: tuple[tuple[float, str], ...] = ()
    legend: tuple[str, ...] = ()
    top: str = ""


def rows_chart(title: str, values: Mapping[str, int], *, width: int = WIDTH) -> Chart:
    """A bar a row, the longest first."""
    ranked = sorted(values.items(), key=lambda pair: (-pair[1], pair[0]))
    most = max((value for _, value in ranked), default=0) or 1
    room = width - _LABELS - _VALUES
    bars = tuple(
        Bar(_LABELS, index * _ROW + (_ROW - _BAR) / 2, max(room * value / most, 1.0), _BAR, label, value)
        for index, (label, value) in enumerate(ranked)
    )
    return Chart(title, width, max(len(ranked), 1) * _ROW, bars, horizontal=True)


def columns_chart(
    title: str, columns: Sequence[tuple[str, Mapping[str, int]]], *, every: int = 1, unit: str = ""
) -> Chart:
    """A column for each (label, values by series), series on top of each other; every `every`-th label is written."""
    series = sorted({name for _, values in columns for name in values})
    most = max((sum(values.values()) for _, values in columns), default=0) or 1
    step = WIDTH / max(len(columns), 1)
    bars: list[Bar] = []
    for index, (label, values) in enumerate(columns):
        floor = float(_HEIGHT)
        for number, name in enumerate(series):
            if value := values.get(name, 0):
                tall = (_HEIGHT - 14) * value / most
                floor -= tall
                text = f"{label} {name}".strip() if len(series) > 1 else label
                bars.append(Bar(index * step + step * 0.12, floor, step * 0.76, tall, text, value, number))
    ticks = tuple(
        (index * step + step / 2, label) for index, (label, _) in enumerate(columns) if index % max(every, 1) == 0
    )
    legend = tuple(series) if len(series) > 1 else ()
    return Chart(title, WIDTH, _HEIGHT + _FOOT, tuple(bars), ticks=ticks, legend=legend, top=f"{most:,}{unit}")
