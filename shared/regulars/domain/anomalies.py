"""Which figures of a day are far from what they usually are.

Each figure is compared with its own past by the modified z-score (B. Iglewicz and D. Hoaglin, How to Detect and Handle
Outliers, 1993): the distance from the median in units of the median absolute deviation, brought to the scale of a
standard deviation by 1.4826; beyond 3.5 it is an outlier. Neither is moved by the outliers of the past, so a bad Friday
does not make the next one look right.

Its past: the same weekday of the last eight weeks, as shops have weeks; where fewer than four of those are known, every
day of the last four weeks, and then half the distance between their extremes is the least deviation, as weekdays
differ; where those are fewer than seven, there is no verdict.

A past that never varied has no deviation, so each kind of figure has a least one: chance alone (Poisson for counts,
binomial for shares), and what nobody would get up for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from math import log2, sqrt
from statistics import median

from regulars.domain.quality import Anomaly, DayQuality, Series, SeriesKey

SCALE = 1.4826
LIMIT = 3.5
WEEKS = 8
_LEAST_WEEKDAYS = 4
_RECENT_DAYS = 28
_LEAST_DAYS = 7
_LEAST_VOLUME = 50
"""Shares of fewer events than this are chance."""
_LEAST_SHARE = 0.02
_LEAST_CHANGE = 0.2
"""A volume within a fifth of the usual one is nobody's concern."""
_LAG_SHARE = 0.95
_LEAST_UNKNOWN = 10

LAG = "lag"
Figure = Callable[[DayQuality], float | None]
"""A figure of a day, None where that day does not have it."""
Scale = Callable[[float], float]
"""The least deviation that a figure of this median has."""


def anomalies(today: DayQuality, history: Mapping[date, DayQuality]) -> list[Anomaly]:
    """What is unusual about a day given the days before it (others are not looked at); the most unusual first."""
    past = [day for day in sorted(history) if today.day - timedelta(weeks=WEEKS) <= day < today.day]
    days = [history[day] for day in past]
    found = [*_of_series(today, days), *_of_bad_rows(today, days)]
    return sorted(found, key=lambda anomaly: (-abs(anomaly.score), anomaly.source, anomaly.event, anomaly.measure))


@dataclass(frozen=True, slots=True)
class _Judge:
    """Judges the figures of one series against those of the days before."""

    today: DayQuality
    days: Sequence[DayQuality]
    source: str
    event: str

    def say(self, measure: str, figure: Figure, scale: Scale, *, both: bool = False) -> Iterator[Anomaly]:
        """An anomaly if the figure is too high or, where `both`, too low."""
        value = figure(self.today)
        past = _past(self.today.day, self.days, figure)
        if value is None or past is None:
            return
        values, least = past
        usual = median(values)
        deviation = max(SCALE * median(abs(known - usual) for known in values), scale(usual), least)
        score = (value - usual) / deviation
        if score > LIMIT or (both and score < -LIMIT):
            yield self.anomaly(measure, value, usual, score)

    def anomaly(self, measure: str, value: float, usual: float, score: float) -> Anomaly:
        """As it is told: lag in seconds."""
        if measure == LAG:
            value, usual = 2**value, 2**usual
        return Anomaly(self.source, self.event, measure, round(value, 4), round(usual, 4), round(score, 1))


def _of_series(today: DayQuality, days: Sequence[DayQuality]) -> Iterator[Anomaly]:
    keys = {key for day in days for key in day.series} | today.series.keys()
    for key in sorted(keys):
        judge = _Judge(today, _since(days, key), *key)
        yield from judge.say("volume", partial(_volume, key), _count_scale, both=True)
        one = today.series.get(key)
        if one is None or one.volume < _LEAST_VOLUME:
            continue
        share_scale = partial(_share_scale, one.volume)
        yield from judge.say("violations", partial(_share, key, _violations), share_scale)
        for name in sorted(one.nulls):
            yield from judge.say(f"null:{name}", partial(_share, key, partial(_nulls, name)), share_scale)
        yield from judge.say(LAG, partial(_lag, key), _one_step)
        yield from _new_fields(judge, key, one)


def _of_bad_rows(today: DayQuality, days: Sequence[DayQuality]) -> Iterator[Anomaly]:
    for source, code in sorted({key for day in days for key in day.bad} | today.bad.keys()):
        judge = _Judge(today, days, source, "")
        yield from judge.say(f"bad:{code}", partial(_bad, (source, code)), _count_scale)


def _since(days: Sequence[DayQuality], key: SeriesKey) -> list[DayQuality]:
    """The days from the first on which there was such an event: before, it did not miss."""
    first = next((position for position, day in enumerate(days) if key in day.series), len(days))
    return list(days[first:])


def _past(today: date, days: Sequence[DayQuality], figure: Figure) -> tuple[list[float], float] | None:
    """The values to compare with and their least deviation, None where too few are known."""
    weekdays = [day for day in days if day.day.weekday() == today.weekday()]
    recent = [day for day in days if day.day >= today - timedelta(days=_RECENT_DAYS)]
    alike = [value for day in weekdays if (value := figure(day)) is not None]
    if len(alike) >= _LEAST_WEEKDAYS:
        return alike, 0.0
    mixed = [value for day in recent if (value := figure(day)) is not None]
    return (mixed, (max(mixed) - min(mixed)) / 2) if len(mixed) >= _LEAST_DAYS else None


def _volume(key: SeriesKey, day: DayQuality) -> float:
    one = day.series.get(key)
    return float(one.volume) if one else 0.0


def _bad(key: SeriesKey, day: DayQuality) -> float:
    return float(day.bad[key])


def _lag(key: SeriesKey, day: DayQuality) -> float | None:
    """The power of two of seconds within which nearly all came: doubling is one step."""
    one = day.series.get(key)
    return log2(one.lag_within(_LAG_SHARE)) if one and one.volume >= _LEAST_VOLUME else None


def _share(key: SeriesKey, count: Callable[[Series], int], day: DayQuality) -> float | None:
    one = day.series.get(key)
    return count(one) / one.volume if one and one.volume >= _LEAST_VOLUME else None


def _violations(one: Series) -> int:
    return one.violations


def _nulls(name: str, one: Series) -> int:
    return one.nulls[name]


def _new_fields(judge: _Judge, key: SeriesKey, one: Series) -> Iterator[Anomaly]:
    """Fields that the contract does not know and that were never there before."""
    known = [day.series[key] for day in judge.days if key in day.series]
    if len(known) < _LEAST_DAYS:
        return
    for name, count in sorted(one.unknown.items()):
        if count >= max(_LEAST_UNKNOWN, one.volume * _LEAST_SHARE) and not any(day.unknown[name] for day in known):
            yield judge.anomaly(f"unknown:{name}", count / one.volume, 0.0, float(count))


def _count_scale(usual: float) -> float:
    return max(sqrt(usual), usual * _LEAST_CHANGE / LIMIT, 1.0)


def _share_scale(volume: int, usual: float) -> float:
    return max(sqrt(usual * (1 - usual) / volume), _LEAST_SHARE / LIMIT)


def _one_step(_usual: float) -> float:
    """The lag must grow more than tenfold."""
    return 1.0
