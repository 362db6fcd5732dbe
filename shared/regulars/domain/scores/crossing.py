"""When a score that only time moves passes a bound: the first millisecond, found on the closed form."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from regulars.domain.scores.history import DAY_MS

HORIZON = 3653 * DAY_MS
"""Ten years: later than this is never. Every night's new model asks again."""


def next_change(margin: Callable[[int], float], now: int, turns: Sequence[int] = ()) -> int | None:
    """The first instant after `now`, in epoch milliseconds, at which `margin >= 0` is not what it is at `now`.

    `margin` is the score less the bound, at an instant. It must be monotone between `turns` (instants, in order); where
    it turns, both sides are searched. None within the horizon.
    """
    low, end = now, now + HORIZON
    above = margin(now) >= 0
    for high in (*(turn for turn in turns if now < turn < end), end):
        if (margin(high) >= 0) is not above:
            return _first(margin, low, high, above=above)
        low = high
    return None


def _first(margin: Callable[[int], float], low: int, high: int, *, above: bool) -> int:
    """The first instant in (low, high] with another verdict than `low`, where `high` has another.

    False position with Illinois' correction, and a bisection wherever three steps did not make the interval eight times
    smaller, so it takes at most some forty steps each, and mostly about ten.
    """
    at_low, at_high = margin(low), margin(high)
    width, steps = high - low, 0
    while high - low > 1:
        steps += 1
        middle = (low + high) // 2
        if steps % 4 and at_high != at_low:
            guess = low + round((high - low) * (at_low / (at_low - at_high)))
            middle = min(max(guess, low + 1), high - 1)
        elif high - low < width // 8:
            width = high - low
        found = margin(middle)
        if (found >= 0) is above:
            low, at_low = middle, found
            at_high /= 2
        else:
            high, at_high = middle, found
            at_low /= 2
    return high
