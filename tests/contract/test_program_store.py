"""Every ProgramStore keeps the same promises: the one in memory, and the one of files and an S3 object."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from regulars.adapters.aws.program import MAX_AGE, PARAMETERS_KEY, S3ProgramStore
from regulars.adapters.memory.program import MemoryProgramStore
from regulars.adapters.memory.system import FixedClock
from regulars.adapters.program_files import parsed_yaml
from regulars.domain.errors import BadInputError, PermanentError
from regulars.domain.loading import load_program
from regulars.domain.parameters import ProgramParameters
from regulars.ports import ProgramStore
from tests.rule_samples import NOON

TEXT = """
currency: EUR
parameters:
  big: {percentile: 90, of: {sum: orders.revenue, within: 365d}, default: 300.00}
segments:
  - {name: big_spender, rule: {sum: orders.revenue, within: 365d, at_least: {parameter: big}}}
"""


class OvertakenClient:
    """An S3 client whose first write is overtaken by what `meanwhile` does."""

    def __init__(self, client: Any, meanwhile: Callable[[], object]) -> None:
        self._client = client
        self._meanwhile = [meanwhile]

    def get_object(self, **request: Any) -> Any:
        return self._client.get_object(**request)

    def put_object(self, **request: Any) -> Any:
        while self._meanwhile:
            self._meanwhile.pop()()
        return self._client.put_object(**request)


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands at NOON until it is moved."""
    return FixedClock(NOON)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one program file."""
    (tmp_path / "program.yaml").write_text(TEXT)
    return tmp_path


@pytest.fixture
def another(lake: Any, folder: Path, clock: FixedClock) -> Callable[[], S3ProgramStore]:
    """Makes stores on the same bucket, as other containers have."""
    return lambda: S3ProgramStore(lake, "lake", folder, clock=clock)


@pytest.fixture(params=["memory", "s3"])
def store(request: pytest.FixtureRequest, another: Callable[[], S3ProgramStore]) -> ProgramStore:
    """A store to which nothing has been published."""
    if request.param == "memory":
        return MemoryProgramStore(load_program({"program.yaml": parsed_yaml(TEXT, name="program.yaml")}))
    return another()


def parameters(version: int, big: int) -> ProgramParameters:
    return ProgramParameters(version, NOON, {"big": big})


def test_before_anything_is_published_defaults_are_in_force(store: ProgramStore) -> None:
    program = store.current()
    assert program.values == {"big": 30_000}
    assert program.parameters.version == 0


def test_what_is_published_is_in_force_at_once_for_the_publisher(store: ProgramStore) -> None:
    store.publish(parameters(1, 41_000))
    assert store.current().values == {"big": 41_000}
    assert store.current().parameters == parameters(1, 41_000)


def test_all_that_is_published_is_read_by_others(another: Callable[[], S3ProgramStore]) -> None:
    told = ProgramParameters(
        3, NOON, {"big": 1}, "p", "a", {"Product Viewed": 7},
        files="f", filled_at=NOON, rules="abcdef", rules_before="", computed_by={"much": "abcdef"},
        since={"abcdef": NOON}, deployed="d",
    )  # fmt: skip
    another().publish(told)
    assert another().current().parameters == told


def test_an_older_or_equal_version_changes_nothing(store: ProgramStore) -> None:
    store.publish(parameters(2, 41_000))
    store.publish(parameters(1, 5))
    store.publish(parameters(2, 6))
    assert store.current().parameters == parameters(2, 41_000)


def test_the_program_is_compiled_once_for_one_version(store: ProgramStore) -> None:
    assert store.current().compiled is store.current().compiled


def test_another_container_follows_within_the_maximum_age(
    another: Callable[[], S3ProgramStore], clock: FixedClock
) -> None:
    publisher, follower = another(), another()
    follower.current()
    publisher.publish(parameters(1, 41_000))
    clock.instant = NOON + MAX_AGE - timedelta(seconds=1)
    assert follower.current().parameters.version == 0
    clock.instant = NOON + MAX_AGE
    assert follower.current().values == {"big": 41_000}


def test_who_is_told_of_a_refresh_decides_by_it(another: Callable[[], S3ProgramStore]) -> None:
    publisher, follower = another(), another()
    follower.current()
    publisher.publish(parameters(7, 41_000))
    assert follower.current(parameters_version=7).values == {"big": 41_000}


def test_of_two_refreshes_at_once_the_newer_wins_whoever_writes_last(
    another: Callable[[], S3ProgramStore], lake: Any, folder: Path, clock: FixedClock
) -> None:
    overtaken = OvertakenClient(lake, lambda: another().publish(parameters(9, 90_000)))
    S3ProgramStore(overtaken, "lake", folder, clock=clock).publish(parameters(8, 80_000))
    assert another().current().parameters == parameters(9, 90_000)


def test_an_object_that_holds_no_parameters_is_an_error_not_a_default(
    another: Callable[[], S3ProgramStore], lake: Any
) -> None:
    lake.put_object(Bucket="lake", Key=PARAMETERS_KEY, Body=b'{"version": 3}')
    with pytest.raises(PermanentError, match=r"program/parameters\.json"):
        another().current()


def test_a_bucket_that_is_not_there_is_an_error_not_a_default(lake: Any, folder: Path, clock: FixedClock) -> None:
    with pytest.raises(PermanentError, match="NoSuchBucket"):
        S3ProgramStore(lake, "elsewhere", folder, clock=clock).current()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("currency: EUR\ncurrency: USD\n", "program.yaml line 2: currency is there twice"),
        ("segments: [\n", "program.yaml line 2: "),
        ("segments: !!python/object:os.system {}\n", "program.yaml line 1: could not determine a constructor"),
        ("limit: .inf\n", "program.yaml line 1: not a decimal number"),
        ("currency: EUR\nname: 2026-13-01\n", "program.yaml line 2: 2026-13-01 is no date; put it in quotes if"),
        ("country: NO\n", "program.yaml line 1: NO could be a text or false: put it in quotes, or write false"),
        ("answer: yes\n", "program.yaml line 1: yes could be a text or true: put it in quotes, or write true"),
        ("code: 01067\n", "program.yaml line 1: 01067 is no plain number: put it in quotes if it is a text"),
        ("at: 12:30\n", "program.yaml line 1: 12:30 is no plain number: put it in quotes if it is a text"),
        (
            "price: {at_least: 500,00}\n",
            "if it is a text; amounts have a point, as in 500.00",
        ),
        ("- 1\n", "program.yaml: must be a mapping with sections"),
        ("", "program.yaml: must be a mapping with sections"),
    ],
)
def test_files_that_are_no_program_stop_the_start(
    lake: Any, tmp_path: Path, clock: FixedClock, text: str, problem: str
) -> None:
    (tmp_path / "program.yaml").write_text(text)
    with pytest.raises(BadInputError) as raised:
        S3ProgramStore(lake, "lake", tmp_path, clock=clock)
    assert raised.value.code == "bad_program"
    assert problem in raised.value.detail


def test_a_folder_without_files_stops_the_start(lake: Any, tmp_path: Path, clock: FixedClock) -> None:
    with pytest.raises(BadInputError, match=r"no \*\.yaml files"):
        S3ProgramStore(lake, "lake", tmp_path, clock=clock)


def test_decimal_numbers_are_read_exactly() -> None:
    assert str(parsed_yaml("amount: 0.10", name="x")) == "{'amount': Decimal('0.10')}"
