"""A short share of the load with backpressure that `make soak` drives."""

from __future__ import annotations

from tests.soak.load import run


def test_under_load_nothing_that_was_acknowledged_is_lost() -> None:
    """Two writers, a queue that throttles in spells, and limits of five requests a second."""
    figures = run(1.5, seed=3, hurry=20, scale=0.005)
    assert figures["violations"] == []
    assert figures["lost"] == 0
    assert figures["acknowledged"] > 0
    assert {"200", "429", "503"} <= figures["answers"].keys()
