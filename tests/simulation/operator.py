"""What the shop's own people do: deploy a program, say who is who, and define segments."""

from __future__ import annotations

import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from regulars.adapters.aws.customers import DynamoCustomerStore
from regulars.runtime.operating import identity
from regulars.runtime.segments import programs
from tests.simulation.model import DEFINED, WATCHED

if TYPE_CHECKING:
    from infra.local.cloud import LocalCloud

PROGRAM = Path(__file__).parents[2] / "program"
_OWN_SEGMENT = """
  - name: window_shopper
    description: Looks at products again and again (the simulation's own, so that a count is looked at)
    rule: {count: Product Viewed, within: 7d, at_least: 2}
"""
SEGMENT = f"/v1/admin/segments/{DEFINED}"
_SEEN_TOO_LATE = (412, 428)


@cache
def program_folder() -> Path:
    """The starter program, a little changed, for as long as this process lives."""
    folder = Path(tempfile.mkdtemp(prefix="regulars-program-"))
    shutil.copytree(PROGRAM, folder, dirs_exist_ok=True)
    with (folder / "segments.yaml").open("a", encoding="utf-8") as file:
        file.write(_OWN_SEGMENT)
    # Few customers decide the threshold here, so that every refresh changes something.
    program = folder / "program.yaml"
    program.write_text(program.read_text(encoding="utf-8").replace("minimum_customers: 20", "minimum_customers: 1"))
    return folder


def word(cloud: LocalCloud, kind: str, one: str, other: str) -> int:
    """`regulars identity split` or `join`."""
    commands = identity(cloud.stack.name, cloud.bucket_name, cloud.table_name)
    (commands.split if kind == "split" else commands.join)(one, other)
    return 200


def define(cloud: LocalCloud, views: int) -> int:
    """Put the segment of those who viewed the watched products so often, in place of the definition before it.

    Who reads it, and finds that somebody else was quicker, reads it again: as good as no answer.
    """
    token = {"authorization": f"Bearer {cloud.operator_token()}"}
    read = cloud.request("GET", SEGMENT, token)
    if read.status not in (200, 404):
        return read.status
    seen = {"if-match": read.headers["etag"]} if read.status == 200 else {"if-none-match": "*"}
    where = {"product_id": list(WATCHED)}
    rule = {"rule": {"count": "Product Viewed", "where": where, "within": "7d", "at_least": views}}
    status = cloud.request("PUT", SEGMENT, {**token, **seen}, json.dumps(rule).encode()).status
    return 503 if status in _SEEN_TOO_LATE else status


def members(cloud: LocalCloud) -> frozenset[str]:
    """Who is in the segment, by the stored states."""
    store = DynamoCustomerStore(cloud.client("dynamodb"), cloud.table_name)
    return frozenset(node for node, head in store.scan() if head.state and DEFINED in head.state.value.memberships)


def is_filled(cloud: LocalCloud) -> bool:
    """Whether profiles keep all that the rules look at."""
    program = programs(cloud.bucket_name).in_force().program
    return program.parameters.parts is not None and not program.waits


def defined(cloud: LocalCloud) -> int | None:
    """How often somebody must have viewed the watched products, by the definition in force."""
    read = cloud.request("GET", SEGMENT, {"authorization": f"Bearer {cloud.operator_token()}"})
    return int(read.json()["definition"]["rule"]["at_least"]) if read.status == 200 else None
