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
    """The first instant in (low, high] with another verdict than `low`, where `high` has another and `margin` is
    monotone in between.

    Steps that grow fourfold find the stretch, for scores move with the logarithm of time; the ITP method (Oliveira &
    Takahashi, ACM Transactions on Mathematical Software 47(1), 2020) narrows it to a millisecond, mostly in about ten
    steps, at worst in one more than bisection would take.
    """
    step = DAY_MS
    while low + step < high:
        if (margin(low + step) >= 0) is not above:
            high = low + step
            break
        low += step
        step *= 4
    at_low, at_high = margin(low), margin(high)
    width = high - low
    steps = width.bit_length() + 1
    while high - low > 1:
        steps -= 1
        half = (low + high) / 2
        guess = low + (high - low) * (at_low / (at_low - at_high)) if at_low != at_high else half
        aside = 0.2 * (high - low) ** 2 / width
        towards = 1 if guess < half else -1
        guess = guess + towards * aside if aside <= abs(half - guess) else half
        reach = max(2.0**steps - (high - low) / 2, 0.0)
        if abs(guess - half) > reach:
            guess = half - towards * reach
        middle = min(max(round(guess), low + 1), high - 1)
        found = margin(middle)
        if (found >= 0) is above:
            low, at_low = middle, found
        else:
            high, at_high = middle, found
    return high
