"""The demo's first act: the real year as files of a till and a shop, imported as an operator would."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from infra.demo.dataset import first_seen, households, last_baskets, read_lines, split
from infra.demo.people import consent_rows, customer_row, person
from infra.demo.scenario import LiveOrder
from infra.local.functions import REPOSITORY
from regulars.adapters.aws.lake import S3EventLog
from regulars.adapters.contacts import ContactForms
from regulars.adapters.contract_checker import JsonSchemaContracts
from regulars.adapters.contract_files import newest_contracts
from regulars.adapters.memory.system import FixedClock
from regulars.adapters.processes import Processes
from regulars.adapters.program_files import parsed_yaml, program_files
from regulars.adapters.row_files import row_file
from regulars.adapters.spill import DiskSpill
from regulars.application.importing import ImportFiles
from regulars.application.intake import Intake
from regulars.domain.importing.mapping import load_mapping
from regulars.domain.instants import from_millis, to_millis
from regulars.domain.sources import load_sources

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from infra.local import LocalCloud

_MAPPINGS = Path(__file__).parent / "mappings"
_REMEMBERED = 3


@dataclass(slots=True)
class History:
    """What the rest of the demo needs of the year: the live orders, and what each household bought last before them."""

    live: list[LiveOrder] = field(default_factory=list)
    regulars: dict[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)


def write_files(data: Path, folder: Path, cut: datetime) -> History:
    """The lines of the year up to `cut`, the customers and their consents, as files in `folder`."""
    past, live = split(read_lines(data), to_millis(cut))
    history = History()
    for household in households(live):
        history.live += [LiveOrder(household.user_id, order) for order in household.orders]
    for household in households(last_baskets(past)):
        bought = [product for product in household.orders[-1]["products"] if product["price_minor"]]
        if bought:
            history.regulars[household.user_id] = bought[:_REMEMBERED]
    pq.write_table(past, folder / "lines.parquet")
    people = [(person(str(number)), from_millis(since)) for number, since in sorted(first_seen(past).items())]
    _write_csv(folder / "customers.csv", [row for one in people if (row := customer_row(*one))])
    _write_csv(folder / "consents.csv", [row for one in people for row in consent_rows(*one)])
    return history


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def import_year(cloud: LocalCloud, folder: Path, on_orders: Callable[[int], None]) -> None:
    """The files into the lake. Nothing is folded yet. `on_orders` hears how many more orders have been written."""
    log = S3EventLog(cloud.client("s3"), cloud.bucket_name)
    importer = ImportFiles(
        log=log, notes=log, clock=FixedClock(cloud.now), spills=DiskSpill, intake=intake_of_demo, each=Processes()
    )
    for name in ("customers.csv", "consents.csv", "lines.parquet"):
        mapping = load_mapping(_parsed(name.partition(".")[0]), name=name)
        listen = _Orders(on_orders if name.startswith("lines") else lambda _orders: None)
        importer(mapping, [row_file(folder / name, mapping)], max_bad=0, progress=listen)


def _parsed(name: str) -> object:
    path = _MAPPINGS / f"{name}.yaml"
    return parsed_yaml(path.read_text(encoding="utf-8"), name=path.name)


class _Orders:
    """Takes an importer's progress for orders written."""

    def __init__(self, on_orders: Callable[[int], None]) -> None:
        self._on_orders = on_orders
        self._done = 0

    def __call__(self, what: str, done: int, total: int) -> None:
        del total
        if what == "writing":
            self._on_orders(done - self._done)
            self._done = done


@cache
def intake_of_demo() -> Intake:
    """As the functions have it: the repository's contracts and sources."""
    return Intake(
        contacts=ContactForms(),
        contracts=JsonSchemaContracts(newest_contracts(REPOSITORY / "events" / "contracts")),
        sources=load_sources(program_files(REPOSITORY / "program")),
    )
