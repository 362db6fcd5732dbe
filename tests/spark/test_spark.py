"""An export of the table, looked through by Spark on this machine: the same values, and the same people moved."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from infra.local import LocalCloud
from regulars.adapters.aws.customers import DynamoCustomerStore
from regulars.adapters.aws.program import S3ProgramStore
from regulars.adapters.memory.system import FixedClock
from regulars.adapters.population.spark import moved_roots, parameter_values, people
from regulars.application.segments.population import each
from regulars.domain.definitions import Basis
from regulars.domain.people import is_moved
from regulars.runtime import at_scale
from tests.traffic import place_order, post_batch

ROOT = Path(__file__).parents[2]
PHONE = {"phone": "+15555550100"}
"""So many claim it that it is nobody's."""


@pytest.fixture(scope="module")
def session() -> Iterator[SparkSession]:
    os.environ |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.ui.showConsoleProgress", "false")
    found = builder.config("spark.default.parallelism", "4").getOrCreate()
    found.sparkContext.setLogLevel("ERROR")
    yield found
    found.stop()


@pytest.fixture(scope="module")
def shop() -> Iterator[LocalCloud]:
    """Thirty buyers, with browsers and addresses, some of whom claim one telephone, which is one more; ten who only
    look."""
    with LocalCloud() as cloud:
        # The template asks for it; the local cloud does not do so by itself.
        kept = {"PointInTimeRecoveryEnabled": True}
        cloud.client("dynamodb").update_continuous_backups(
            TableName=cloud.table_name, PointInTimeRecoverySpecification=kept
        )
        for number in range(1, 31):
            who = {"userId": f"u{number}", "anonymousId": f"b{number}"}
            traits = {"email": f"u{number}@example.com"} | (PHONE if number % 3 == 0 else {})
            post_batch(cloud, [{"type": "identify", **who, "traits": traits}])
            place_order(cloud, _order(number, cloud))
        for number in range(10):
            post_batch(cloud, [{"type": "track", "event": "Product Viewed", "anonymousId": f"lone{number}"}])
        cloud.settle()
        yield cloud


def _order(number: int, cloud: LocalCloud) -> dict[str, Any]:
    return {
        "order_id": f"o{number}", "version": 1, "placed_at": cloud.now.isoformat(), "status": "paid",
        "currency": "USD", "total": f"{number * 10}.00", "customer": {"user_id": f"u{number}"},
    }  # fmt: skip


def exported(cloud: LocalCloud, folder: Path) -> str:
    """The table as DynamoDB exports it, its data files copied here."""
    table = cloud.client("dynamodb").describe_table(TableName=cloud.table_name)["Table"]["TableArn"]
    asked = {"TableArn": table, "S3Bucket": cloud.bucket_name, "S3Prefix": folder.name}
    export = cloud.client("dynamodb").export_table_to_point_in_time(**asked, ExportFormat="DYNAMODB_JSON")
    arn = export["ExportDescription"]["ExportArn"]
    for _ in range(100):
        if cloud.client("dynamodb").describe_export(ExportArn=arn)["ExportDescription"]["ExportStatus"] == "COMPLETED":
            break
        time.sleep(0.1)  # the emulator exports in a thread of its own
    folder.mkdir()
    listed = cloud.client("s3").list_objects_v2(Bucket=cloud.bucket_name, Prefix=folder.name)["Contents"]
    keys = [item["Key"] for item in listed if "/data/" in item["Key"]]
    assert keys
    for key in keys:
        body = cloud.client("s3").get_object(Bucket=cloud.bucket_name, Key=key)["Body"].read()
        (folder / key.rpartition("/")[2]).write_bytes(body)
    return str(folder)


def in_force(cloud: LocalCloud) -> Basis:
    s3 = cloud.client("s3")
    return S3ProgramStore(s3, cloud.bucket_name, ROOT / "program", clock=FixedClock(cloud.now)).basis()


def submitted(cloud: LocalCloud, arguments: list[str]) -> None:
    """The application that operators submit, under the cloud's clock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROGRAM_PATH", str(ROOT / "program"))
        patch.setattr(at_scale, "SystemClock", lambda: FixedClock(cloud.now))
        at_scale.main(arguments)


def run(cloud: LocalCloud, case: str) -> Any:
    return cloud.invoke("refresh", json.loads((ROOT / "events" / "refresh" / f"{case}.json").read_text()))


def test_spark_finds_the_values_and_the_people_that_the_refresh_finds(
    shop: LocalCloud, session: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, export = in_force(shop), exported(shop, tmp_path / "before")
    together = people(session, export, before.program().identity).collect()
    assert any(not stay.own for _, stays in together for stay in stays), "somebody names an address and has it not"
    values = parameter_values(session, export, before, shop.now)
    submitted(shop, ["values", export, "--bucket", shop.bucket_name])
    assert json.loads(capsys.readouterr().out) == values

    published = run(shop, "nightly")
    assert published["customers"] == len(together) == 41
    basis = in_force(shop)
    assert values == basis.parameters.values
    assert values["big_spender_min"] == 27_000

    shop.advance(to=shop.now + timedelta(minutes=6))
    program, store = basis.program(), DynamoCustomerStore(shop.client("dynamodb"), shop.table_name)
    scanned = list(each(lambda person: person, store, program.compiled, shop.now, left_out=[]))
    expected = {person.customer.root for person in scanned if is_moved(person, program.compiled, shop.now)}
    export = exported(shop, tmp_path / "after")
    found = moved_roots(session, export, basis, shop.now).collect()
    assert sorted(found) == sorted(expected)
    submitted(shop, ["moved", export, "--bucket", shop.bucket_name, "--out", str(tmp_path / "moved")])
    written = "".join(part.read_text() for part in sorted((tmp_path / "moved").glob("part-*")))
    assert sorted(written.split()) == sorted(expected)
    assert run(shop, "afterwards")["changed"] == len(found) > 0
