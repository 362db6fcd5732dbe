"""What the shop's own people do meanwhile: say who is who, and define segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.adapters.aws.definitions import S3DefinitionStore
from regulars.adapters.aws.program import S3ProgramStore
from regulars.adapters.aws.s3 import s3_client
from regulars.adapters.system import SystemClock
from regulars.application.segments.definitions import Definitions
from regulars.runtime.operating import identity
from regulars.runtime.settings import program_folder
from tests.simulation.model import DEFINED, WATCHED

if TYPE_CHECKING:
    from infra.local.cloud import LocalCloud


def word(cloud: LocalCloud, kind: str, one: str, other: str) -> int:
    """`regulars identity split` or `join`."""
    commands = identity(cloud.stack.name, cloud.bucket_name, cloud.table_name)
    (commands.split if kind == "split" else commands.join)(one, other)
    return 200


def define(cloud: LocalCloud, views: int) -> int:
    """The segment of those who viewed the watched products so often, in place of the definition before it."""
    s3 = s3_client()
    programs = S3ProgramStore(s3, cloud.bucket_name, program_folder(), clock=SystemClock())
    store = S3DefinitionStore(s3, cloud.bucket_name)
    current = store.in_force().definitions.get(DEFINED)
    definitions = Definitions(store=store, basis=programs.basis, clock=SystemClock())
    where = {"product_id": list(WATCHED)}
    rule = {"rule": {"count": "Product Viewed", "where": where, "within": "7d", "at_least": views}}
    definitions.put(DEFINED, rule, by="operator", expected=current.version if current else None)
    return 200
