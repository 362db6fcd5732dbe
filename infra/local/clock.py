"""The clock of the local cloud: moves everything in this process that asks for the time, moto's queues included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import time_machine


class MovableClock:
    """Wall-clock time that starts at `start` and goes where it is told; between moves it stands still, or ticks.

    Monotonic clocks are left alone: a duration measured by one stays real.
    """

    def __init__(self, start: datetime, *, ticking: bool = False) -> None:
        if start.tzinfo is None:
            raise ValueError("the clock needs an aware instant")
        self._travel = time_machine.travel(start.astimezone(UTC), tick=ticking)
        self._coordinates = self._travel.start()

    def now(self) -> datetime:
        """The current instant, aware UTC."""
        return datetime.now(UTC)

    def move_to(self, instant: datetime) -> None:
        """Go on to `instant`. Time does not run backwards: an earlier instant raises ValueError."""
        if instant < self.now() - timedelta(milliseconds=1):
            raise ValueError("the clock cannot go back")
        self._coordinates.move_to(instant.astimezone(UTC))

    def close(self) -> None:
        """Back to real time."""
        self._travel.stop()
