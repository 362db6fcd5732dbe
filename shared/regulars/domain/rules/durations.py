"""Durations as people write them: a whole number and a unit, `45m`, `12h`, `30d`, `2w`."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_PATTERN = re.compile(r"([0-9]{1,7})([mhdw])")
LONGEST = timedelta(days=3650)
"""Ten years: longer than any rule needs, and far from where dates overflow."""


def parse_duration(text: object) -> timedelta:
    """`parse_duration("36h") == timedelta(hours=36)`. Raises ValueError unless it is positive and at most ten years."""
    match = _PATTERN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("must be a duration: a whole number and m, h, d or w, such as 45m, 12h, 30d or 2w")
    duration = int(match[1]) * _UNITS[match[2]]
    if not timedelta(0) < duration <= LONGEST:
        raise ValueError("must be longer than nothing and at most 3650d")
    return duration


def duration_text(duration: timedelta) -> str:
    """Days, hours and minutes, rounded down: `30d`, `1d 12h`, `45m`, `0m`."""
    return " ".join(f"{number}{unit[0]}" for number, unit in _parts(duration)) or "0m"


def duration_words(duration: timedelta) -> str:
    """The same in English: `30 days`, `1 day 12 hours`."""
    words = (f"{number} {unit}" if number == 1 else f"{number} {unit}s" for number, unit in _parts(duration))
    return " ".join(words) or "0 minutes"


def _parts(duration: timedelta) -> list[tuple[int, str]]:
    minutes = max(duration // timedelta(minutes=1), 0)
    numbers = (minutes // 1440, minutes // 60 % 24, minutes % 60)
    return [(number, unit) for number, unit in zip(numbers, ("day", "hour", "minute"), strict=True) if number]
