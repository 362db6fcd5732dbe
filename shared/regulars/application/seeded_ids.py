"""Ids for what came without one, made of what is the same each time that it comes."""

from __future__ import annotations


class SeededIds:
    """Ids that begin with a seed: whoever makes as many with the same seed makes the same ones."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._made = 0

    def new(self) -> str:
        """The next id."""
        self._made += 1
        return f"{self._seed}-{self._made}"
