"""A customer of whom something cannot be computed, whatever somebody sent, is that customer's trouble alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime, timedelta
from functools import cached_property
from io import BytesIO

import pyarrow.parquet as pq
import pytest

from regulars.adapters.fitting_scores import fit_people
from regulars.adapters.population.snapshot import snapshot_parts
from regulars.application.publishing import SETTLED
from regulars.application.refresh import announce, refresh
from regulars.application.segments.population import ScannedPopulation
from regulars.application.segments.snapshot import take_snapshot
from regulars.domain.errors import PermanentError, computing
from regulars.domain.events import EventType
from regulars.domain.loading import load_program
from regulars.domain.program import CompiledProgram, Program
from regulars.domain.rules.evaluate import Evaluation
from regulars.domain.rules.view import View
from regulars.domain.snapshots import SnapshotReport
from tests.rule_samples import NOON, FakeView
from tests.world import World, user

FILES = {
    "program.yaml": {
        "currency": "USD",
        "parameters": {
            "many": {"percentile": 50, "of": {"count": "orders"}, "minimum_customers": 1, "default": 1},
        },
        "segments": [
            {"name": "bought", "rule": {"count": "orders", "at_least": 1}},
            {"name": "often", "rule": {"count": "orders", "at_least": {"parameter": "many"}}},
            {"name": "gone", "rule": {"since": "orders.last_at", "at_least": "20d"}},
            {"name": "renews", "rule": {"field": "traits.renews_on", "within_next": "7d"}},
        ],
    }
}
EVIL = user("evil")


class _Stubborn(CompiledProgram):
    """Cannot compute one customer."""

    def evaluate(self, view: View, now: datetime) -> Evaluation:
        if view.root == EVIL:
            raise OverflowError("date value out of range")
        return super().evaluate(view, now)

    def memberships(self, view: View, now: datetime) -> frozenset[str]:
        return self.evaluate(view, now).memberships

    def measures(self, view: View, now: datetime) -> dict[str, int]:
        if view.root == EVIL:
            raise ZeroDivisionError
        return super().measures(view, now)


class _Troubled(Program):
    @cached_property
    def compiled(self) -> CompiledProgram:
        return _Stubborn(self)


@pytest.fixture
def world() -> World:
    """Two customers, of whom one cannot be computed from now on."""
    shop = World(load_program(FILES))
    shop.send(shop.order("o1", user_id="evil"), shop.order("o2", user_id="good"))
    program = shop.programs.current()
    shop.use(_Troubled(**{field.name: getattr(program, field.name) for field in fields(Program)}))
    return shop


def test_who_is_in_the_same_batch_is_decided(world: World) -> None:
    world.send(world.order("o3", user_id="evil"), world.order("o4", user_id="new"))
    (report, *_) = [report for report in world.reports if report.failed]
    assert report.beyond == (EVIL,)
    assert "bought" in world.segments("new")


def test_who_is_due_at_the_same_time_is_decided(world: World) -> None:
    later = world.clock.now() + timedelta(days=20)
    world.clock.instant = later
    notes = [(name, f'{{"v":1,"node":"{user(name)}"}}') for name in ("evil", "good")]
    report = world.evaluate.due(notes)
    assert (report.failed, report.beyond) == (frozenset({"evil"}), (EVIL,))
    assert "gone" in world.segments("good")


def test_the_night_goes_on_for_everybody_else(world: World) -> None:
    report = refresh(store=world.store, programs=world.programs, fit=fit_people, clock=world.clock)
    assert (report.customers, report.left_out) == (1, (EVIL,))
    world.clock.instant += SETTLED
    looked = announce(store=world.store, programs=world.programs, due=world.due, clock=world.clock)
    assert (looked.customers, looked.left_out) == (1, (EVIL,))
    again = announce(store=world.store, programs=world.programs, due=world.due, clock=world.clock)
    assert (again.customers, again.left_out) == (0, ())  # it is done


def test_figures_of_everybody_say_how_many_they_leave_out(world: World) -> None:
    found = ScannedPopulation(world.store, world.clock).find(world.programs.current(), "bought", sample=9)
    assert (found.customers, found.size, found.sample, found.not_computed) == (1, 1, (user("good"),), 1)


class _Parts:
    """Snapshots that are thrown away."""

    def keep(self, customers: Iterable[View], program: CompiledProgram, now: datetime) -> SnapshotReport:
        left_out: list[str] = []
        views: list[View] = [*customers, FakeView({"first_seen": NOON, "orders.revenue": 2**70}, root="u_rich")]
        parts = list(snapshot_parts(views, program, now, left_out=left_out))
        rows = [name for body, _ in parts for name in pq.read_table(BytesIO(body)).column("root").to_pylist()]
        assert sorted(rows) == sorted([EVIL, user("good")])
        return SnapshotReport(len(rows), len(parts), now, program.version, latest=True, left_out=tuple(left_out))


def test_who_does_not_fit_into_a_snapshot_has_no_row(world: World) -> None:
    files = {"p.yaml": {**FILES["program.yaml"], "segments": [
        {"name": "rich", "rule": {"field": "orders.revenue", "at_least": 10}}], "parameters": {}}}  # fmt: skip
    world.use(load_program(files))
    report = take_snapshot(store=world.store, programs=world.programs, snapshots=_Parts(), clock=world.clock)
    assert (report.customers, report.left_out) == (2, ("u_rich",))


def test_a_date_at_the_end_of_the_calendar_troubles_nobody() -> None:
    shop = World(load_program(FILES))
    traits = {"renews_on": "9999-12-31"}
    shop.send(
        shop.event("", type=EventType.IDENTIFY, user_id="evil", traits=traits),
        shop.order("o1", user_id="evil"),
        shop.order("o2", user_id="good"),
    )
    assert not any(report.failed for report in shop.reports)
    assert shop.segments("evil") == shop.segments("good") == {"bought", "often"}


def test_other_errors_are_bugs_and_propagate() -> None:
    with pytest.raises(KeyError), computing():
        raise KeyError
    with pytest.raises(PermanentError, match="ZeroDivisionError"), computing():
        raise ZeroDivisionError
