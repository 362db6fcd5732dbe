"""Logs and metrics. Neither may hold personal data: log codes, counts and ids, never payloads."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterable, Sequence

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

# An invocation that counted nothing is no mistake, and a warning in each log would be noise.
warnings.filterwarnings("ignore", message="No application metrics to publish", category=UserWarning)

# A batch makes tens of thousands of small objects and no cycles to speak of; at the interpreter's default of 700 the
# collector walks them again and again, which costs a quarter of a batch's time.
gc.set_threshold(50_000, 20, 20)

logger = Logger()
metrics = Metrics()


def count(name: str, value: int = 1) -> None:
    """Add to a counter of this invocation; `metrics.log_metrics` on the handler writes it out (EMF)."""
    if value:
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)


_MOST_NAMED = 100


def suspended(definitions: Iterable[str]) -> None:
    """Definitions that the deployed files do not fit any more: counted, and named in an error of the log."""
    if names := sorted(definitions):
        count("DefinitionsSuspended", len(names))
        logger.error("definitions do not fit the files", extra={"definitions": names[:_MOST_NAMED]})


def left_out(nodes: Sequence[str]) -> None:
    """Customers of whom nothing can be computed, whatever somebody sent: counted, and named in an error of the log."""
    if nodes:
        count("CustomersLeftOut", len(nodes))
        logger.error("customers cannot be computed", extra={"nodes": list(nodes[:_MOST_NAMED])})
