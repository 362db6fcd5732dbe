"""The composition of `regulars import`."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from regulars.adapters.aws.lake import S3EventLog
from regulars.adapters.aws.s3 import s3_client
from regulars.adapters.memory.lake import MemoryEventLog
from regulars.adapters.processes import Processes
from regulars.adapters.spill import DiskSpill
from regulars.adapters.system import SystemClock
from regulars.application.importing import ImportFiles
from regulars.runtime.compose import intake

if TYPE_CHECKING:
    from regulars.application.intake import Intake


@cache
def intake_of_process() -> Intake:
    """The intake, made once in each process that imports."""
    return intake()


def import_files(bucket: str) -> ImportFiles:
    """Import into a bucket, by as many processes as there are processors, with spills on the local disk."""
    log = S3EventLog(s3_client(), bucket)
    return ImportFiles(
        log=log, notes=log, clock=SystemClock(), spills=DiskSpill, intake=intake_of_process, each=Processes()
    )


def check_files() -> ImportFiles:
    """As `import_files` without a bucket: for a dry run, which writes nothing."""
    log = MemoryEventLog()
    return ImportFiles(
        log=log, notes=log, clock=SystemClock(), spills=DiskSpill, intake=intake_of_process, each=Processes()
    )
