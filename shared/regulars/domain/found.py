"""What a segment is among all customers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Found:
    """A segment among `customers`: its `size`, a few `sample` ids, and of every other segment the `sizes` and how many
    are in both (`both`). All of it is `as_of` an instant, from the `source`: `table` or `snapshot`. `left_out`: other
    segments that the source knows too little for; they are not among the sizes. `not_computed`: so many customers of
    whom nothing can be computed are not among `customers`."""

    customers: int
    size: int
    sample: tuple[str, ...]
    sizes: Mapping[str, int]
    both: Mapping[str, int]
    as_of: datetime
    source: str
    left_out: tuple[str, ...] = ()
    not_computed: int = 0
