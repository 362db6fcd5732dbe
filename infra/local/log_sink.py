"""What functions print: their log lines and metrics, kept apart from the program's own output."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TextIO, cast

_KEPT_LINES = 20_000


class LogSink:
    """A text stream that writes to the log in use, or, while no function runs, to the real standard output.

    A logger keeps the stream that it was made with for good, so this stream stays and its target changes.
    """

    def __init__(self) -> None:
        self.lines: deque[str] | None = None
        self._begun = ""

    def write(self, text: str) -> int:
        if self.lines is None:
            return cast("TextIO", sys.__stdout__).write(text)
        *complete, self._begun = (self._begun + text).split("\n")
        self.lines.extend(complete)
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        return False


_SINK = LogSink()


def new_log() -> deque[str]:
    """A log that keeps the last lines only."""
    return deque(maxlen=_KEPT_LINES)


@contextmanager
def logging_to(lines: deque[str]) -> Iterator[None]:
    """What is printed inside goes to `lines`."""
    before = _SINK.lines
    _SINK.lines = lines
    try:
        with redirect_stdout(cast("TextIO", _SINK)):
            yield
    finally:
        _SINK.lines = before
