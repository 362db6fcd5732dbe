"""Every function has sample events, and each of them runs."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from infra.local import LocalCloud
from infra.local.cli import run_before

EVENTS = Path(__file__).parents[2] / "events"
SAMPLES = sorted(EVENTS.glob("*/*.json"))
REFUSED = {
    "admin/explain-nobody",
    "admin/put-again-unseen",
    "admin/put-bad-rule",
    "admin/put-of-the-files",
    "admin/without-a-token",
    "collect/malformed",
    "collect/segment-settings-wrong-key",
    "collect/unknown-call",
    "collect/wrong-key",
    "fetch_shop/order-without-account",
    "receive_orders/bad-amount",
    "receive_orders/not-json",
    "receive_orders/shopify-unsigned",
    "receive_orders/stale",
    "receive_orders/unknown-source",
    "receive_orders/wrong-signature",
    "collect/survey-bad-score",
    "survey/answer-without-score",
    "survey/expired",
    "survey/tampered",
    "unsubscribe/tampered",
}
"""Samples that show a clear error; of those that hold what nobody can read, the names begin with `poison`."""


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def test_every_function_has_a_sample(cloud: LocalCloud) -> None:
    assert {path.parent.name for path in SAMPLES} == set(cloud.functions.specs)


@pytest.mark.parametrize("path", [path for path in SAMPLES if path.parent.name != "collect"], ids=name_of)
def test_a_sample_is_taken_or_clearly_refused(path: Path) -> None:
    with LocalCloud() as cloud:
        taken_or_refused(cloud, path)


def test_collects_samples_are_taken_or_clearly_refused(cloud: LocalCloud) -> None:
    """Which need nothing that was there before, so one cloud does for all."""
    for path in SAMPLES:
        if path.parent.name == "collect":
            taken_or_refused(cloud, path)


def taken_or_refused(cloud: LocalCloud, path: Path) -> None:
    """Refused: a 4xx over HTTP, a failed item in a batch. No sample makes a function fail."""
    run_before(cloud, path)
    reply = cloud.invoke(path.parent.name, orjson.loads(path.read_bytes()))
    refused = name_of(path) in REFUSED or path.stem.startswith("poison")
    match reply:
        case {"statusCode": status}:
            assert (400 <= status < 500) if refused else (200 <= status < 300), name_of(path)
        case {"batchItemFailures": failures}:
            assert bool(failures) == refused
        case _:
            assert not refused
