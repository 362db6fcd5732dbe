"""Snapshot, every night after the refresh: everybody as Parquet, which previews over millions are answered from."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from regulars.domain.errors import RegularsError
from regulars.domain.instants import iso
from regulars.runtime.observability import count, left_out, logger, metrics
from regulars.runtime.snapshots import nightly

_snapshot = nightly()


@metrics.log_metrics
@logger.inject_lambda_context
def handler(_event: dict[str, Any], context: Any) -> dict[str, Any]:
    """An EventBridge schedule's event, whose content does not matter. Where it fails, the snapshot before stays."""
    try:
        report = _snapshot(timedelta(milliseconds=context.get_remaining_time_in_millis()))
    except RegularsError:
        count("SnapshotFailed")
        raise
    count("SnapshotCustomers", report.customers)
    left_out(report.left_out)
    return {
        "customers": report.customers,
        "parts": report.parts,
        "taken_at": iso(report.taken_at),
        "program_version": report.program_version,
        "latest": report.latest,
    }
