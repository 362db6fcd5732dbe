"""The nightly snapshot: whole or not at all, whoever takes one beside; and previews from it, the same as a scan's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from regulars.adapters.aws.snapshots import LATEST_KEY, S3Snapshots
from regulars.adapters.memory.system import CountedIds, FixedClock
from regulars.adapters.population.everybody import SnapshotPopulation
from regulars.adapters.program_files import parsed_yaml
from regulars.application.segments.drafts import Preview, PreviewSegment, preview_doc
from regulars.application.segments.population import ScannedPopulation
from regulars.application.segments.snapshot import take_snapshot
from regulars.domain.definitions import Basis, Definition, DefinitionSet
from regulars.domain.errors import BadInputError, PermanentError, TransientError
from regulars.domain.events import EventType
from regulars.domain.loading import load_program
from regulars.domain.parameters import ProgramParameters
from regulars.domain.snapshots import SnapshotReport
from tests.strategies import START
from tests.world import World

BUCKET = "lake"
DAY = timedelta(days=1)
FILES: dict[str, Any] = {
    "program.yaml": parsed_yaml(
        """
currency: USD
churn: {bands: [{name: far, rule: {since: orders.last_at, at_least: 20d}}]}
segments:
  - {name: buyer, rule: {count: orders, within: 10d, at_least: 1}}
  - {name: looker, rule: {count: Product Viewed, within: 10d, at_least: 1}}
  - {name: spender, rule: {sum: orders.revenue, within: 90d, at_least: 60}}
  - {name: gold, rule: {field: traits.plan, equals: gold}}
  - {name: either, rule: {any: [{segment: buyer}, {segment: looker}]}}
  - {name: gone, rule: {field: churn_band, equals: far}}
""",
        name="program.yaml",
    )
}
SPENT = {"rule": {"all": [{"sum": "orders.revenue", "within": "30d", "at_least": 30}, {"not": {"segment": "gone"}}]}}


@pytest.fixture(autouse=True)
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client


@cache
def world() -> World:
    """Forty days of ten customers: some buy, some look, one comes back in another browser and has a plan."""
    shop = World(load_program(FILES))
    for number in range(1, 13):
        shop.advance(START + 3 * number * DAY)
        if number % 3:
            shop.send(shop.order(f"o{number}", user_id=f"u{number}", total=1000 * number))
        shop.send(shop.event("Product Viewed", user_id=f"u{number % 5}", anonymous_id=f"b{number}"))
    shop.send(shop.event("", type=EventType.IDENTIFY, user_id="u2", anonymous_id="b2", traits={"plan": "gold"}))
    shop.advance(START + 40 * DAY)
    return shop


def snapshots(client: Any, ids: CountedIds | None = None) -> S3Snapshots:
    return S3Snapshots(client, BUCKET, ids=ids or CountedIds())


def taken(client: Any, at: datetime | None = None, until: datetime | None = None) -> SnapshotReport:
    shop = world()
    return take_snapshot(
        store=shop.store,
        programs=shop.programs,
        snapshots=snapshots(client),
        clock=FixedClock(at or shop.clock.instant),
        until=until,
    )


def basis(*put: Definition, parameters: ProgramParameters | None = None) -> Basis:
    definitions = DefinitionSet(1, {one.name: one for one in put}) if put else DefinitionSet()
    return Basis(FILES, definitions, parameters or ProgramParameters())


def previewed(client: Any, folder: Path, name: str, draft: Any, of: Basis | None = None) -> Preview:
    population = SnapshotPopulation(snapshots(client).fetch(folder))
    return PreviewSegment(basis=lambda: of or basis(), population=population, now=world().clock.now)(name, draft)


def keys(client: Any) -> list[str]:
    return [item["Key"] for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


@pytest.mark.parametrize("name", ["spent", "buyer"])
def test_a_preview_from_the_snapshot_says_what_a_scan_at_its_instant_says(s3: Any, tmp_path: Path, name: str) -> None:
    """A new segment, and another rule for one that there is: count, sample, overlap, who would enter and leave."""
    shop = world()
    assert taken(s3).customers == 10
    scanned = PreviewSegment(basis=basis, population=ScannedPopulation(shop.store, shop.clock), now=shop.clock.now)(
        name, SPENT
    )
    assert 0 < scanned.found.size < 10
    fetched = previewed(s3, tmp_path, name, SPENT)
    assert (fetched.found.source, scanned.found.source) == ("snapshot", "table")
    assert replace(fetched, found=replace(fetched.found, source="table"), seconds=scanned.seconds) == scanned
    assert preview_doc(fetched)["as_of"] == preview_doc(scanned)["as_of"] == "2026-04-10T00:00:00.000Z"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"field": "traits.city", "equals": "Rome"}, "does not have traits.city"),
        ({"count": "Product Viewed", "within": "90d", "at_least": 1}, "did not keep what it looks at as far back"),
    ],
)
def test_what_the_snapshot_does_not_hold_is_refused(s3: Any, tmp_path: Path, rule: Any, words: str) -> None:
    shop = world()
    kept = ProgramParameters(version=1, parts=shop.programs.current().plan.parts())
    shop.programs.publish(kept)
    taken(s3)
    with pytest.raises(BadInputError, match=words) as refused:
        previewed(s3, tmp_path, "new", {"rule": rule})
    assert refused.value.code == "not_in_snapshot"


def test_a_segment_that_was_put_since_and_reads_something_new_is_left_out(s3: Any, tmp_path: Path) -> None:
    taken(s3)
    put = Definition("roman", 1, START, "ann", {"rule": {"field": "traits.city", "equals": "Rome"}})
    found = previewed(s3, tmp_path, "spent", SPENT, basis(put)).found
    assert found.left_out == ("roman",)
    assert set(found.sizes) == {"buyer", "looker", "spender", "gold", "either", "gone"}


def test_a_snapshot_on_other_foundations_is_refused(s3: Any, tmp_path: Path) -> None:
    """Another calendar, another currency, other models: the columns would not say the same any more."""
    taken(s3)
    berlin = {"program.yaml": {**FILES["program.yaml"], "time_zone": "Europe/Berlin"}}
    with pytest.raises(BadInputError, match="calendar are others now"):
        previewed(s3, tmp_path, "spent", SPENT, Basis(berlin, DefinitionSet(), ProgramParameters()))


def test_before_the_first_night_there_is_none(s3: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="there is no snapshot") as refused:
        snapshots(s3).fetch(tmp_path)
    assert refused.value.code == "no_snapshot"


def test_many_customers_are_several_parts(s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regulars.adapters.population.snapshot.ROWS_IN_MEMORY", 3)
    monkeypatch.setattr("regulars.adapters.population.snapshot.PART_BYTES", 1)
    report = taken(s3)
    assert (report.customers, report.parts, report.latest) == (10, 4, True)
    snapshot = snapshots(s3).fetch(tmp_path)
    assert (snapshot.rows, len(snapshot.paths)) == (10, 4)
    assert previewed(s3, tmp_path, "spent", SPENT).found.customers == 10


class TestWhole:
    """A reader sees all of one snapshot, whatever happened to others."""

    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("regulars.adapters.population.snapshot.ROWS_IN_MEMORY", 3)
        monkeypatch.setattr("regulars.adapters.population.snapshot.PART_BYTES", 1)
        monkeypatch.setattr("regulars.application.segments.snapshot._LOOK", 1)

    def test_where_time_runs_out_the_one_before_stays(self, s3: Any, tmp_path: Path) -> None:
        taken(s3)
        named = s3.get_object(Bucket=BUCKET, Key=LATEST_KEY)["Body"].read()
        shop = world()
        late = Late(shop.clock.instant + DAY)
        with pytest.raises(TransientError, match="no time left"):
            take_snapshot(
                store=shop.store,
                programs=shop.programs,
                snapshots=snapshots(s3, CountedIds("late")),
                clock=late,
                until=late.instant + timedelta(minutes=8),
            )
        assert len([key for key in keys(s3) if "late1/" in key]) == 1, "a part was written"
        assert s3.get_object(Bucket=BUCKET, Key=LATEST_KEY)["Body"].read() == named
        assert snapshots(s3).fetch(tmp_path).rows == 10

    def test_of_two_at_once_the_later_stays_whoever_ends_last(self, s3: Any, tmp_path: Path) -> None:
        shop, program = world(), world().programs.current().compiled
        people = [shop.customer(f"u{number}") for number in range(1, 13)]

        def while_another_runs() -> Iterator[Any]:
            yield from people[:7]
            later = snapshots(s3, CountedIds("later")).keep(people, program, shop.clock.instant + DAY)
            assert later.latest
            yield from people[7:]

        earlier = snapshots(s3).keep(while_another_runs(), program, shop.clock.instant)
        assert not earlier.latest
        snapshot = snapshots(s3).fetch(tmp_path)
        assert (snapshot.now, snapshot.rows) == (shop.clock.instant + DAY, 12)

    def test_once_more_is_a_snapshot_of_its_own(self, s3: Any, tmp_path: Path) -> None:
        first = taken(s3)
        again = snapshots(s3, CountedIds("again")).keep([], world().programs.current().compiled, first.taken_at + DAY)
        assert (again.customers, again.parts, again.latest) == (0, 1, True)
        assert snapshots(s3).fetch(tmp_path).rows == 0

    def test_a_part_that_expired_is_told(self, s3: Any, tmp_path: Path) -> None:
        taken(s3)
        s3.delete_object(Bucket=BUCKET, Key=next(key for key in keys(s3) if "part" in key))
        with pytest.raises(BadInputError, match="has expired"):
            snapshots(s3).fetch(tmp_path)

    def test_something_else_under_its_name_is_told(self, s3: Any, tmp_path: Path) -> None:
        s3.put_object(Bucket=BUCKET, Key=LATEST_KEY, Body=b"[]")
        with pytest.raises(PermanentError, match="does not name a snapshot"):
            snapshots(s3).fetch(tmp_path)


class Late(FixedClock):
    """A minute goes by whenever it is looked at."""

    def now(self) -> datetime:
        self.instant += timedelta(minutes=1)
        return self.instant
