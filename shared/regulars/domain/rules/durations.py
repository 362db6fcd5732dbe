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
    """The shortest spelling in one unit that loses nothing down to the minute: `30d`, `36h`, `45m`; rounded down."""
    minutes = duration // timedelta(minutes=1)
    for unit, size in (("d", 24 * 60), ("h", 60)):
        if minutes and minutes % size == 0:
            return f"{minutes // size}{unit}"
    return f"{minutes}m"


def duration_words(duration: timedelta) -> str:
    """The same in English: `30 days`, `36 hours`, `1 minute`."""
    text = duration_text(duration)
    number, word = int(text[:-1]), {"d": "day", "h": "hour", "m": "minute"}[text[-1]]
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
