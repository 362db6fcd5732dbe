"""The API answers as its OpenAPI document says: a small share of what `make soak` generates."""

from __future__ import annotations

from tests.soak.api import run


def test_the_examples_of_every_operation_are_answered_as_described() -> None:
    figures = run(examples=0, edges=False)
    assert figures["violations"] == []
    assert figures["operations"] >= 20
    assert {"200", "400", "401"} <= figures["answers"].keys()


def test_requests_at_the_edges_of_the_schemas_are_answered_as_described() -> None:
    """Each limit just kept and just broken, each field missing, null or of another type."""
    figures = run(examples=0, paths=("/v1/track", "/unsubscribe"))
    assert figures["violations"] == []
    assert figures["requests"] > 200
