"""What a segment is among all customers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """A segment among `customers`: its `size`, a few `sample` ids, and of every other segment the `sizes` and how many
    are in both (`both`)."""

    customers: int
    size: int
    sample: tuple[str, ...]
    sizes: Mapping[str, int]
    both: Mapping[str, int]
