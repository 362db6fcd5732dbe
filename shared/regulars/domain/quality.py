"""What a day's events were like: figures for each source and event name, small enough to keep for years.

All figures are sums, so the parts of a day may be read in any order. Texts of senders (event names, field names) are
cut and made printable; of values nothing is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from regulars.domain.contracts import contract_name
from regulars.domain.events import IMPORTED, BadRow, Event
from regulars.domain.facts import QUALITY

VERSION = 1
MAX_SERIES = 2_000
MAX_UNKNOWN = 50
OTHERS = "(others)"
"""The name of all series beyond MAX_SERIES: only somebody who makes up names has so many."""
_MAX_NAME = 100

SeriesKey = tuple[str, str]
"""Source and event name. What a source's file brought is a series of its own: history has another rhythm."""
Expected = tuple[str, Mapping[str, frozenset[str]]]
"""Label and fields of a contract (Contract.fields)."""


@dataclass(slots=True)
class Series:
    """One event name of one source on one day.

    `lags`: how many arrived within 2^k seconds of their instant, by k from 0. `nulls`: how many lack a field of the
    contract, by `properties.price` and the like; `unknown`: how many have a field that the contract does not know.
    `violations`: how many broke it. `contract`: `name@version`, empty where there is none.
    """

    volume: int = 0
    bots: int = 0
    violations: int = 0
    contract: str = ""
    lags: Counter[int] = field(default_factory=Counter)
    nulls: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)

    def lag_within(self, share: float) -> int:
        """Seconds (a power of two) within which this share of the events arrived, 0 where there are none."""
        reached = 0
        for power in sorted(self.lags):
            reached += self.lags[power]
            if reached >= share * self.volume:
                return 1 << power
        return 0


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A figure that is far from what it usually is: `score` is the distance in usual deviations, `usual` the median.

    `measure`: `volume`, `violations`, `lag`, `bad:<code>`, `null:<field>`, `unknown:<field>`. Rates are shares of the
    volume, lag is in seconds.
    """

    source: str
    event: str
    measure: str
    value: float
    usual: float
    score: float


@dataclass(slots=True)
class DayQuality:
    """One UTC day of receipt. `bad`: rejected payloads by source and code."""

    day: date
    objects: int = 0
    events: int = 0
    series: dict[SeriesKey, Series] = field(default_factory=dict)
    bad: Counter[SeriesKey] = field(default_factory=Counter)
    anomalies: list[Anomaly] = field(default_factory=list)

    def add(self, event: Event, expected: Mapping[str, Expected]) -> None:
        """Count one event. `expected`: the newest contract of each name."""
        name = contract_name(event) or event.name or str(event.type)
        contract = expected.get(name)
        one = self._series(f"{event.source} (imported)" if event.trust is IMPORTED else event.source, name)
        self.events += 1
        one.volume += 1
        one.bots += event.bot is not None
        seconds = int((event.received_at - event.timestamp).total_seconds())
        one.lags[max(seconds, 0).bit_length()] += 1
        noted = event.context.get(QUALITY)
        one.violations += isinstance(noted, dict) and "violations" in noted
        if contract is not None:
            one.contract = contract[0]
            _count_fields(one, event, contract[1])

    def add_bad(self, row: BadRow) -> None:
        """Count one rejected payload."""
        self.bad[(printable(row.source), printable(row.code))] += 1

    def _series(self, source: str, name: str) -> Series:
        key = (printable(source), printable(name))
        if key not in self.series and len(self.series) >= MAX_SERIES:
            key = (OTHERS, OTHERS)
        return self.series.setdefault(key, Series())


def _count_fields(one: Series, event: Event, fields: Mapping[str, frozenset[str]]) -> None:
    for part, known in fields.items():
        said: dict[str, Any] = event.traits if part == "traits" else event.properties
        for name in known:
            if said.get(name) is None:
                one.nulls[f"{part}.{name}"] += 1
        for name in said:
            if name not in known:
                label = f"{part}.{printable(name)}"
                if label in one.unknown or len(one.unknown) < MAX_UNKNOWN:
                    one.unknown[label] += 1


def printable(text: str) -> str:
    """A sender's text as it may be shown in a terminal or a page: cut, without what does not print."""
    text = text[:_MAX_NAME]
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)


def quality_to_doc(quality: DayQuality) -> dict[str, Any]:
    """The JSON document of a day; names sorted, so equal days are equal documents."""
    return {
        "v": VERSION,
        "date": quality.day.isoformat(),
        "objects": quality.objects,
        "events": quality.events,
        "series": list(_series_docs(quality)),
        "bad": [
            {"source": source, "code": code, "rows": rows} for (source, code), rows in sorted(quality.bad.items())
        ],
        "anomalies": [
            {name: getattr(anomaly, name) for name in Anomaly.__slots__} for anomaly in quality.anomalies
        ],
    }  # fmt: skip


def _series_docs(quality: DayQuality) -> Iterator[dict[str, Any]]:
    for (source, event), one in sorted(quality.series.items()):
        yield {
            "source": source,
            "event": event,
            "contract": one.contract,
            "volume": one.volume,
            "bots": one.bots,
            "violations": one.violations,
            "lags": {str(power): one.lags[power] for power in sorted(one.lags)},
            "nulls": dict(sorted(one.nulls.items())),
            "unknown": dict(sorted(one.unknown.items())),
        }


def quality_from_doc(doc: Mapping[str, Any]) -> DayQuality:
    """The inverse of `quality_to_doc`. Raises KeyError, ValueError or TypeError when `doc` is not one."""
    if doc["v"] != VERSION:
        raise ValueError("unknown version")
    return DayQuality(
        date.fromisoformat(doc["date"]),
        doc["objects"],
        doc["events"],
        {(one["source"], one["event"]): _series_of(one) for one in doc["series"]},
        Counter({(row["source"], row["code"]): row["rows"] for row in doc["bad"]}),
        [Anomaly(**anomaly) for anomaly in doc["anomalies"]],
    )


def _series_of(doc: Mapping[str, Any]) -> Series:
    return Series(
        doc["volume"],
        doc["bots"],
        doc["violations"],
        doc["contract"],
        Counter({int(power): count for power, count in doc["lags"].items()}),
        Counter(doc["nulls"]),
        Counter(doc["unknown"]),
    )
