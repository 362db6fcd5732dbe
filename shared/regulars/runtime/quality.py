"""The composition of the monitor: by night, and by an operator's hand."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from regulars.adapters.aws.lake import S3EventLog
from regulars.adapters.aws.quality import S3Quality
from regulars.adapters.aws.s3 import s3_client
from regulars.adapters.contract_files import newest_contracts
from regulars.adapters.system import SystemClock
from regulars.application.monitor import Monitor
from regulars.runtime.settings import contracts_folder, required

if TYPE_CHECKING:
    from collections.abc import Callable

    from regulars.domain.quality import DayQuality

_LAST_WORDS = timedelta(seconds=30)
"""Time kept back at the end of a function's life."""


def monitor(bucket: str) -> Monitor:
    """The monitor of a bucket, by the contracts packaged with it."""
    client = s3_client()
    return Monitor(
        log=S3EventLog(client, bucket),
        store=S3Quality(client, bucket),
        contracts=newest_contracts(contracts_folder()),
        clock=SystemClock(),
    )


def nightly() -> Callable[[timedelta], list[DayQuality]]:
    """The function's: yesterday in the bucket BUCKET_NAME, and what was missed; takes the time that is left."""
    use_case, clock = monitor(required("BUCKET_NAME")), SystemClock()
    return lambda left: use_case.nightly(clock.now() + left - _LAST_WORDS)
