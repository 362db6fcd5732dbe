"""A short share of the fuzz that `make soak` runs for a minute."""

from __future__ import annotations

import random

from tests.soak.fuzz import Target, run


def test_no_parser_crashes_or_believes_what_it_must_not() -> None:
    figures = run(2.0, seed=7)
    assert figures["violations"] == []
    assert all(parser["taken"] > 0 and parser["refused"] for parser in figures["parsers"].values())


def test_a_crash_is_counted_and_shown_with_its_input() -> None:
    def feed(given: str) -> str:
        return str(1 / (len(given) - 3))

    target = Target(lambda chance: "x" * chance.choice([3, 4]), feed)
    chance = random.Random(1)  # noqa: S311
    for _ in range(50):
        target.run(chance)
    assert target.crashed + target.outcomes.total() == 50
    assert target.crashed > 0
    assert "'xxx'" in target.crashes[0]
    assert "ZeroDivisionError" in target.crashes[0]
