"""`map` over processes: as many at a time as there are processors, results in order, a bounded number waiting."""

from __future__ import annotations

import gc
import os
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


class Processes:
    """A mapper. One piece of work, or one processor, is not worth a process: then it is done here."""

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or os.cpu_count() or 1

    def __call__(self, work: Callable[[_Given], _Made], given: Iterable[_Given]) -> Iterator[_Made]:
        """As `map(work, given)`. `work` and what goes in and out of it are pickled."""
        pieces = iter(given)
        first = list(islice(pieces, 2))
        if self._workers < 2 or len(first) < 2:  # noqa: PLR2004
            yield from map(work, [*first, *pieces])
            return
        waiting: deque[Future[_Made]] = deque()
        # Fresh processes: a fork would take along what other threads were holding at the moment. Work on plain data
        # makes no cycles, and looking for them among millions of small objects costs a good part of it.
        with ProcessPoolExecutor(self._workers, mp_context=get_context("spawn"), initializer=gc.disable) as pool:
            waiting.extend(pool.submit(work, piece) for piece in first)
            for piece in pieces:
                waiting.append(pool.submit(work, piece))
                if len(waiting) > self._workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
