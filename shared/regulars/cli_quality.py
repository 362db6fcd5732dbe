"""`regulars quality`: what the events of each source were like, and what of it was unusual."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import click

from regulars.cli_options import BUCKET, DAYS, trouble

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from regulars.domain.quality import Anomaly, DayQuality, Series

_HEADINGS = ("source", "event", "volume", "broken", "bots", "95% within", "lacking", "unknown")
_MOST = 3


@click.command()
@BUCKET
@click.option("--date", "day", type=DAYS, help="The UTC day of receipt (yesterday unless given).")
@click.option("--days", default=1, show_default=True, type=click.IntRange(1, 60), help="So many days up to that one.")
@click.option("--measure", is_flag=True, help="Measure them now, as the monitor does at night.")
def quality(bucket: str, day: datetime | None, days: int, *, measure: bool) -> None:
    """What the events of each source were like: volume, fields, lag, and what of it was unusual (docs/quality.md).

    `broken`: the share that breaks its contract. `lacking`: the fields of the contract that are absent most often.
    `unknown`: fields that the contract does not know.
    """
    from regulars.runtime.quality import monitor as compose  # noqa: PLC0415 - a command loads what it needs

    last = day.date() if day else datetime.now(UTC).date() - timedelta(days=1)
    first = last - timedelta(days=days - 1)
    with trouble():
        monitor = compose(bucket)
        if measure:
            found = {when: monitor.measure(when) for when in _dates(first, last)}
        else:
            found = monitor.store.qualities(first, last)
    for when in _dates(first, last):
        if when in found:
            _tell(found[when])
        else:
            click.echo(f"{when}: not measured (--measure does it now)")


def _dates(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


def _tell(day: DayQuality) -> None:
    click.echo(f"{day.day}: {day.events} events in {day.objects} objects, {sum(day.bad.values())} bad rows")
    rows = [_row(key, one) for key, one in sorted(day.series.items())]
    if rows:
        _table([_HEADINGS, *rows])
    for (source, code), count in sorted(day.bad.items()):
        click.echo(f"  {count} bad rows of {source}: {code}")
    for anomaly in day.anomalies:
        click.echo(f"  unusual: {_said(anomaly)}")
    if not day.anomalies:
        click.echo("  nothing unusual")


def _row(key: tuple[str, str], one: Series) -> tuple[str, ...]:
    return (
        *key,
        str(one.volume),
        f"{one.violations / one.volume:.1%}" if one.contract else "-",
        f"{one.bots / one.volume:.1%}",
        f"{one.lag_within(0.95)} s",
        _listed([(name, count / one.volume) for name, count in one.nulls.most_common(_MOST)]),
        _listed([(name, count / one.volume) for name, count in one.unknown.most_common(_MOST)]),
    )


def _listed(shares: Sequence[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in shares) or "-"


def _table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(f"  {line.rstrip()}")


def _said(anomaly: Anomaly) -> str:
    """`web, Product Viewed: volume 12, usually 950`; shares in per cent."""
    whose = f"{anomaly.source}, {anomaly.event}" if anomaly.event else anomaly.source
    measure = anomaly.measure.partition(":")[0]
    if measure in ("violations", "null", "unknown"):
        return f"{whose}: {anomaly.measure} {anomaly.value:.1%}, usually {anomaly.usual:.1%}"
    unit = " s" if measure == "lag" else ""
    return f"{whose}: {anomaly.measure} {anomaly.value:g}{unit}, usually {anomaly.usual:g}{unit}"
