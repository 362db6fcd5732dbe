"""Logs and metrics. Neither may hold personal data: log codes, counts and ids, never payloads."""

from __future__ import annotations

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger()
metrics = Metrics()


def count(name: str, value: int = 1) -> None:
    """Add to a counter of this invocation; `metrics.log_metrics` on the handler writes it out (EMF)."""
    if value:
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
